"""Fixtures that several test files share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

import pytest
from helpers import ROOT
from PIL import Image

from voc_seg import write_mask, write_shapes


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A small data set in VOC's layout, 12 + 6 images of 32 x 32 pixels; read it only."""
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", train=12, val=6, size=32)


@pytest.fixture(scope="session")
def voc2012_animals():
    """A part of VOC 2012, photographs with their masks, in a folder next to the repository."""
    path = ROOT.parent / "shared" / "voc2012-animals"
    if not path.is_dir():
        pytest.skip("needs photographs of VOC 2012 in ../shared/voc2012-animals")
    return path


@pytest.fixture
def write_voc(tmp_path):
    """A function that writes pairs {id: (image, mask)} in VOC's layout and returns the folder.

    The images are PNGs, so reading gives exactly what was written; train and val list them all.
    """

    def write(pairs, labels=None, path=tmp_path / "data"):
        for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
            (path / part).mkdir(parents=True)
        for id, (image, mask) in pairs.items():
            Image.fromarray(image).save(path / "JPEGImages" / f"{id}.png")
            write_mask(path / "SegmentationClass" / f"{id}.png", mask)
        for split in ("train", "val"):
            (path / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(pairs))
        if labels:
            (path / "labels.txt").write_text("\n".join(labels), encoding="utf-8")
        return path

    return write

"""The pages and the docstrings keep their word: their samples run, and what they name exists."""

import doctest
import inspect
import re
import shutil

import keras
import numpy as np
import pytest
from helpers import ROOT, save_encoder
from markdown_reader import Reader

import voc_seg
from voc_seg import (
    VOC_CLASSES,
    VOID,
    build_unet,
    plots,
    read_mask,
    set_classes,
    write_mask,
    write_shapes,
)

README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [page for page in PAGES if not page.match("docs/tutorials/0*")]  # the site runs these
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What the samples take for granted: VOC, an encoder, a photo, a model."""
    path = tmp_path_factory.mktemp("world")
    (path / "data/VOCdevkit").mkdir(parents=True)
    voc = write_shapes(path / "data/VOCdevkit/VOC2009", train=8, val=4, size=24)
    (voc / "labels.txt").unlink()  # then the classes are VOC's: cat, chair, cow, diningtable
    for mask in (voc / "SegmentationClass").iterdir():
        values = read_mask(mask)
        write_mask(mask, np.where((values > 0) & (values < VOID), values + 7, values))
    save_encoder(path / "encoder.keras")
    vgg16 = keras.applications.VGG16(include_top=False, weights=None)
    vgg16.save_weights(path / "vgg16.weights.h5")
    model = build_unet(filters=2, depth=1)
    set_classes(model, {name: i for i, name in enumerate(VOC_CLASSES)}, 16)
    model.save(path / "model.keras")
    shutil.copy(next(voc.glob("JPEGImages/*.jpg")), path / "photo.jpg")
    return path


@pytest.fixture
def reader(world, tmp_path, monkeypatch):
    """A reader of pages in an empty folder, with the data and the encoder."""
    shutil.copytree(world / "data", tmp_path / "data")
    for name in ("encoder.keras", "vgg16.weights.h5"):
        (tmp_path / name).symlink_to(world / name)
    monkeypatch.chdir(tmp_path)
    return Reader(world)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_samples_of_a_page_run(page, reader):
    reader.read(page)
    if reader.skipped:
        pytest.skip(f"everything ran except what needs {', '.join(sorted(reader.skipped))}")


def trained_in_encoder(model):
    """The names of the encoder's layers that training changes, once for each of their tensors."""
    trained = {id(weight) for weight in model.trainable_weights}
    layers = model.get_layer("encoder").layers
    return [x.name for x in layers for weight in x.weights if id(weight) in trained]


def test_the_samples_of_the_readme_run_and_its_two_stages_train_what_they_say(reader, monkeypatch):
    stages, fit = [], keras.Model.fit

    def note_and_fit(model, *arguments, **options):
        if "encoder" in [layer.name for layer in model.layers]:
            stages.append(trained_in_encoder(model))
        return fit(model, *arguments, **options)

    monkeypatch.setattr(keras.Model, "fit", note_and_fit)
    reader.read(README)
    (block,) = re.findall(r'"fine_tune": "(block\d)"', README.read_text("utf-8"))
    layers = reader.names["model"].get_layer("encoder").layers
    in_block = [x.name for x in layers for _ in x.weights if x.name.startswith(f"{block}_conv")]
    assert stages[-2:] == [[], in_block] and in_block


NAMES = [name for name in voc_seg.__all__ if callable(getattr(voc_seg, name))]
PLOTS = [name for name in vars(plots) if name.startswith("plot_") or name == "colorize"]
DOCUMENTED = {name: getattr(voc_seg, name) for name in NAMES}
DOCUMENTED |= {f"plots.{name}": getattr(plots, name) for name in PLOTS}


@pytest.fixture
def quiet_fit(monkeypatch):
    """Keeps `fit` from printing its progress, which no docstring can predict."""
    fit = keras.Model.fit

    def quiet(model, *arguments, **options):
        return fit(model, *arguments, **{**options, "verbose": 0})

    monkeypatch.setattr(keras.Model, "fit", quiet)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_examples_of_a_docstring_run(name, tmp_path, monkeypatch, quiet_fit):
    monkeypatch.chdir(tmp_path)
    value = DOCUMENTED[name]
    documented = {name: inspect.getdoc(value)}
    if inspect.isclass(value):
        members = {key: getattr(value, key) for key in vars(value) if not key.startswith("_")}
        documented |= {f"{name}.{key}": inspect.getdoc(m) or "" for key, m in members.items()}
    assert re.search(r"\n\nExamples:\n +>>> ", documented[name]), f"{name} has no Examples"
    for where, text in documented.items():
        test = doctest.DocTestParser().get_doctest(text, {"__name__": "sample"}, where, None, None)
        said = []
        result = doctest.DocTestRunner(optionflags=SAME).run(test, out=said.append)
        assert not result.failed, "".join(said)


def test_the_trouble_page_names_tests_that_exist():
    text = (ROOT / "docs" / "trouble.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/test_\w+\.py)::(\w+)`", text)
    assert len(named) >= 12
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{test}"

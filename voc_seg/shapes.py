"""Shapes: a small data set that is drawn, not downloaded, and made to teach.

- The classes differ by shape alone: all of them draw their colours from the same hat. That objects
  are light and plain, the background dark and striped, tells where an object is, not which one.
- Objects come at many sizes and overlap. A window that lies inside a large one sees no outline.
- Rings and stars have thin parts and corners, which a coarse feature map cannot hold.
- The background is cluttered with outlines that belong to no class.

It is written in VOC's layout, so that everything that works here works on VOC.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from tqdm import tqdm

from voc_seg.images import write_mask
from voc_seg.voc import VOID, palette

SHAPE_CLASSES = ("background", "disc", "square", "star", "ring")
FINE = 4  # everything is drawn four times as large and shrunk, which makes smooth edges


def write_shapes(data, train=400, val=100, seed=0, size=64):
    """Writes the data set: JPEG images, palette PNG masks, the splits and `labels.txt`.

    The image with a given number is the same however many there are.

    Args:
        data: the folder to write to; it must not exist, or be empty.
        train: how many images the training split has.
        val: how many images the validation split has.
        seed: whole number that determines every pixel.
        size: height and width of the images.

    Returns:
        The folder, a `Path`; `open_folder` reads it.

    Raises:
        FileExistsError: the folder is not empty.
    """
    data = Path(data).resolve()
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise FileExistsError(f"{data}: exists and is not an empty folder; expected a new one")
    data.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="unfinished-", dir=data) as unfinished:
        write_parts(Path(unfinished), train, val, seed, size)
        # The lists come last: without them nobody takes this for a data set.
        for part in ("JPEGImages", "SegmentationClass", "labels.txt", "ImageSets"):
            os.replace(Path(unfinished, part), data / part)
    return data


def write_parts(folder, train, val, seed, size):
    """Writes the images, the masks, the lists and `labels.txt` to an empty folder."""
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    lists = {"train": [], "val": []}
    jobs = [("train", i) for i in range(train)] + [("val", i) for i in range(val)]
    for split, i in tqdm(jobs, desc="drawing shapes", unit="image"):
        id = f"{split}_{i:06d}"
        image, mask = draw_scene(np.random.default_rng((seed, split == "val", i)), size)
        _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        (folder / "JPEGImages" / f"{id}.jpg").write_bytes(jpeg)
        write_mask(folder / "SegmentationClass" / f"{id}.png", mask, palette())
        lists[split].append(id)
    for split, ids in {**lists, "trainval": lists["train"] + lists["val"]}.items():
        path = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.write_text("\n".join(ids) + "\n", encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(SHAPE_CLASSES) + "\n", encoding="utf-8")


def draw_scene(rng, size=64, objects=None):
    """Draws one image with its mask.

    Args:
        rng: `numpy.random.Generator`.
        size: height and width in pixels.
        objects: list of the class indices of the objects, the first one farthest behind. Default:
            one or two at random.

    Returns:
        image: (size, size, 3) uint8, RGB.
        mask: (size, size) uint8 of class indices; void on the pixels just outside of each object.
    """
    if objects is None:
        objects = rng.integers(1, len(SHAPE_CLASSES), rng.integers(1, 3))
    image = texture(rng, size, light=False)  # (size, size, 3)
    mask = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(2, 5)):
        paint(image, coverage(clutter(rng), size), texture(rng, size, light=False))
    for label in objects:
        radius = np.exp(rng.uniform(np.log(0.16), np.log(0.45)))  # of the image's side
        centre = rng.uniform(0.1, 0.9, 2)
        outlines = [outline @ rotation(rng, 0.25) * radius + centre for outline in OUTLINES[label]]
        inside = coverage(outlines, size)  # (size, size), 0..1
        paint(image, inside, texture(rng, size, light=True))
        solid = (inside >= 0.5).astype(np.uint8)
        around = cv2.dilate(solid, np.ones((3, 3), np.uint8))
        mask[around > 0] = VOID
        mask[solid > 0] = label
    noise = rng.standard_normal(image.shape, np.float32) * 4
    return np.clip(image + noise, 0, 255).astype(np.uint8), mask


def coverage(outlines, size):
    """How much of each pixel lies inside of closed outlines: (size, size) float32, 0..1.

    Args:
        outlines: list of (N, 2) arrays of points (x, y) in units of the image's side. Where two
            overlap is outside: this makes the hole of the ring.
        size: height and width in pixels.
    """
    fine = np.zeros((size * FINE, size * FINE), np.uint8)
    cv2.fillPoly(fine, [np.round(points * size * FINE).astype(np.int32) for points in outlines], 1)
    return cv2.resize(fine.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)


def paint(image, inside, texture):
    """Lays a texture over an image, in place, as far as the pixels are inside."""
    image += inside[..., None] * (texture - image)


def texture(rng, size, light):
    """A light colour that fades, or a dark one that fades and is striped.

    Returns:
        (size, size, 3) float32, 0..255.
    """
    axis = np.arange(size, dtype=np.float32) / size
    fade, across = (  # two directions, (size, size) each
        np.float32(np.cos(angle)) * axis + np.float32(np.sin(angle)) * axis[:, None]
        for angle in rng.uniform(0, 2 * np.pi, 2)
    )
    colour, slope = rng.uniform(0, 110, 3) + 130 * light, rng.uniform(-30, 30, 3)
    image = colour.astype(np.float32) + fade[..., None] * slope.astype(np.float32)
    if light:
        return image
    stripes = np.sin(across * np.float32(rng.uniform(40, 90))) * np.float32(rng.uniform(15, 35))
    return image + stripes[..., None]


def clutter(rng):
    """What belongs to no class: the outlines of a wavy blob or of a stroke."""
    centre = rng.uniform(0, 1, 2)
    if rng.random() < 0.5:
        turns = np.linspace(0, 2 * np.pi, 60)[:, None]
        waves = sum(rng.uniform(0, 0.25) * np.sin(k * turns + rng.uniform(0, 7)) for k in (2, 3, 4))
        circle = np.hstack([np.cos(turns), np.sin(turns)])
        return [circle * (1 + waves) * rng.uniform(0.1, 0.35) + centre]
    half = np.array([rng.uniform(0.2, 0.8), rng.uniform(0.01, 0.03)])  # long and thin
    return [np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half @ rotation(rng) + centre]


def rotation(rng, most=np.pi):
    angle = rng.uniform(-most, most)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def polygon(corners, radii=(1.0,)):
    """Corners around the origin, at the radii in turn, with a horizontal base: (corners, 2)."""
    turns = (np.arange(corners) - 0.5) * 2 * np.pi / corners + np.pi / 2
    return np.resize(radii, corners)[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)


OUTLINES = (  # by class; the background has none
    [],
    [polygon(60)],
    [polygon(4)],
    [polygon(10, (1.0, 0.4))],
    [polygon(60), polygon(60) * 0.72],
)

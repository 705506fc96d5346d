"""Shapes: a small built-in data set that is drawn, not downloaded, and made to teach.

- The classes differ by shape alone: all draw their colours from the same distribution. Objects
  are light and plain, the background is dark and striped. That tells where an object is, and not
  which one.
- Objects come at many sizes and overlap. A window inside a large one sees no outline.
- Rings and stars have thin parts and corners, which a coarse feature map cannot hold.
- The background is cluttered with outlines that belong to no class.

It is written in VOC's layout, so everything that works here works on VOC.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from tqdm import tqdm

from voc_seg.checks import check_whole
from voc_seg.data.images import VOID, read_mask, write_mask
from voc_seg.data.voc import open_folder
from voc_seg.files import write_safely

SHAPE_CLASSES = ("background", "disc", "square", "star", "ring")
FINE = 4  # everything is drawn four times as large and then shrunk, for smooth edges
SPLITS = ("train", "val")


def write_shapes(
    data: str | Path, train: int = 400, val: int = 100, seed: int = 0, size: int = 64
) -> Path:
    """Writes the data set: JPEG images, palette PNG masks, the splits and `labels.txt`.

    Image number i does not depend on how many images are written. If `data` already holds a
    data set made with the same arguments, nothing is written.

    Args:
        data: the folder to write to; it is made if it does not exist.
        train: the number of images in the training split.
        val: the number of images in the validation split.
        seed: random seed; it determines every pixel.
        size: height and width of the images.

    Returns:
        The folder; `open_folder` reads it.

    Raises:
        FileExistsError: the folder holds something else.
        ValueError: an argument is not a whole number of at least 1 (the seed: 0).

    Examples:
        >>> from voc_seg import open_folder, write_shapes
        >>> folder = open_folder(write_shapes("shapes", train=4, val=2))
        >>> folder.ids("val")
        ['val_000000', 'val_000001']
    """
    for name, value in (("train", train), ("val", val), ("size", size)):
        check_whole(name, value)
    check_whole("seed", seed, low=0)
    data = Path(data).resolve()
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        if holds_shapes(data, (train, val), seed, size):
            return data
        raise FileExistsError(
            f"{data}: is not empty, and not made with the same arguments; expected a new folder "
            "(if a killed run has left it unfinished, delete it)"
        )
    data.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="unfinished-", dir=data) as unfinished:
        write_parts(Path(unfinished), (train, val), seed, size)
        # The lists come last: a folder without them is not a data set.
        for part in ("JPEGImages", "SegmentationClass", "labels.txt", "ImageSets"):
            os.replace(Path(unfinished, part), data / part)
    return data


def holds_shapes(data: Path, counts: Sequence[int], seed: int, size: int) -> bool:
    """Whether a folder holds the data set of these arguments, by its lists and first masks."""
    try:
        folder = open_folder(data)
        return folder.names == SHAPE_CLASSES and all(
            folder.ids(split) == image_ids(split, count)
            and np.array_equal(
                read_mask(data / "SegmentationClass" / f"{image_ids(split, 1)[0]}.png"),
                draw_scene(generator(seed, split, 0), size)[1],
            )
            for split, count in zip(SPLITS, counts, strict=True)
        )
    except (OSError, ValueError):
        return False


def write_parts(folder: Path, counts: Sequence[int], seed: int, size: int) -> None:
    """Writes the images, the masks, the lists and `labels.txt` to an empty folder."""
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    lists = {split: image_ids(split, n) for split, n in zip(SPLITS, counts, strict=True)}
    with tqdm(total=sum(counts), desc="drawing shapes", unit="image") as bar:
        for split, ids in lists.items():
            for i, id in enumerate(ids):
                image, mask = draw_scene(generator(seed, split, i), size)
                _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
                write_file(folder / "JPEGImages" / f"{id}.jpg", jpeg.tobytes())
                write_mask(folder / "SegmentationClass" / f"{id}.png", mask)
                bar.update()
    for split, ids in {**lists, "trainval": lists["train"] + lists["val"]}.items():
        path = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        write_file(path, "\n".join([*ids, ""]).encode())
    write_file(folder / "labels.txt", "\n".join([*SHAPE_CLASSES, ""]).encode())


def write_file(path: Path, content: bytes) -> None:
    """Writes a file, in one step."""
    write_safely(path, lambda temporary: temporary.write_bytes(content))


def image_ids(split: str, count: int) -> list[str]:
    """The IDs of a split: train_000000 and so on."""
    return [f"{split}_{i:06d}" for i in range(count)]


def generator(seed: int, split: str, i: int) -> np.random.Generator:
    """The source of all randomness in image i of a split."""
    return np.random.default_rng((seed, SPLITS.index(split), i))


def draw_scene(
    rng: np.random.Generator, size: int = 64, objects: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draws one image with its mask.

    Args:
        rng: the generator of the random numbers.
        size: height and width in pixels.
        objects: class indices of the objects, the one farthest behind first. Default: one or two
            at random.

    Returns:
        image: (size, size, 3) uint8, RGB.
        mask: (size, size) uint8 of class indices; void on the pixels just outside each object.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import draw_scene
        >>> image, mask = draw_scene(np.random.default_rng(0), size=48, objects=[4])  # a ring
        >>> np.unique(mask).tolist()
        [0, 4, 255]
    """
    check_whole("size", size)
    for label in () if objects is None else objects:
        check_whole("objects", label, high=len(SHAPE_CLASSES) - 1)
    if objects is None:
        objects = rng.integers(1, len(SHAPE_CLASSES), rng.integers(1, 3)).tolist()
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


def coverage(outlines: Sequence[np.ndarray], size: int) -> np.ndarray:
    """How much of each pixel is inside closed outlines: (size, size) float32, 0..1.

    Args:
        outlines: list of (N, 2) arrays of points (x, y) in units of the image's side. Where two
            overlap counts as outside; that is how the ring gets its hole.
        size: height and width in pixels.
    """
    fine = np.zeros((size * FINE, size * FINE), np.uint8)
    cv2.fillPoly(fine, [np.round(points * size * FINE).astype(np.int32) for points in outlines], 1)
    return cv2.resize(fine.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)


def paint(image: np.ndarray, inside: np.ndarray, texture: np.ndarray) -> None:
    """Paints a texture over an image, in place, as far as each pixel is inside."""
    image += inside[..., None] * (texture - image)


def texture(rng: np.random.Generator, size: int, light: bool) -> np.ndarray:
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


def clutter(rng: np.random.Generator) -> list[np.ndarray]:
    """The outlines of a wavy blob or of a stroke, which belong to no class."""
    centre = rng.uniform(0, 1, 2)
    if rng.random() < 0.5:
        turns = np.linspace(0, 2 * np.pi, 60)[:, None]
        waves = sum(rng.uniform(0, 0.25) * np.sin(k * turns + rng.uniform(0, 7)) for k in (2, 3, 4))
        circle = np.hstack([np.cos(turns), np.sin(turns)])
        return [circle * (1 + waves) * rng.uniform(0.1, 0.35) + centre]
    half = np.array([rng.uniform(0.2, 0.8), rng.uniform(0.01, 0.03)])  # long and thin
    return [np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half @ rotation(rng) + centre]


def rotation(rng: np.random.Generator, most: float = np.pi) -> np.ndarray:
    """A random rotation by up to `most` radians: a (2, 2) matrix."""
    angle = rng.uniform(-most, most)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def polygon(corners: int, radii: Sequence[float] = (1.0,)) -> np.ndarray:
    """The corners of a polygon around the origin, (corners, 2); two radii in turn make a star."""
    turns = (np.arange(corners) - 0.5) * 2 * np.pi / corners + np.pi / 2
    return np.resize(radii, corners)[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)


OUTLINES: tuple[list[np.ndarray], ...] = (  # by class; the background has none
    [],
    [polygon(60)],
    [polygon(4)],
    [polygon(10, (1.0, 0.4))],
    [polygon(60), polygon(60) * 0.72],
)

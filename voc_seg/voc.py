"""PASCAL VOC's classes, palette and folder layout.

The layout is that of the VOC development kit (Everingham et al., "The PASCAL Visual Object
Classes Challenge", IJCV 2010), and any folder that follows it can be read:

    VOC2009/
        JPEGImages/ID.jpg               the photographs
        SegmentationClass/ID.png        the masks: palette PNGs whose indices are the classes
        ImageSets/Segmentation/*.txt    the splits: one ID a line
        labels.txt                      optional: the class names, one a line, background first
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voc_seg.images import read_image, read_mask

VOID = 255
"""The value of contours and of what nobody could label: never learned, never judged."""

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""The class names of PASCAL VOC; a name's place is its value in the mask files."""


def palette():
    """The 256 colours of VOC's masks, computed as the development kit's `VOClabelcolormap` does.

    The bits of an index are dealt out in turn to red, green and blue, the lowest three to the
    highest bit of each colour, the next three to the second highest, and so on.

    Returns:
        (256, 3) uint8 array: row i is the RGB colour of class i; row 255 that of void.
    """
    colours = np.zeros((256, 3), np.uint8)
    for index in range(256):
        for bit in range(8):
            colours[index, bit % 3] |= ((index >> bit) & 1) << (7 - bit // 3)
    return colours


@dataclass(frozen=True)
class VOCFolder:
    """A data set in VOC's layout, and the classes that we look for in it.

    Made by `open_folder`, which checks what the fields promise.

    Attributes:
        path: the folder that holds JPEGImages, SegmentationClass and ImageSets.
        names: every class name of the data set; a name's place is its value in the mask files.
        classes: the classes of the task, `{name: value in the mask files}`, background first.
            A pixel's class index, 0..C-1, is its name's place in this dictionary.
        table: (256,) uint8 array, from a value in the mask files to the class index.
    """

    path: Path
    names: tuple
    classes: dict
    table: np.ndarray

    def ids(self, split):
        """The IDs that `ImageSets/Segmentation/SPLIT.txt` lists, in its order.

        Args:
            split: "train", "val", "trainval" or any other list that stands in the folder.

        Returns:
            List of strings, not empty.

        Raises:
            FileNotFoundError: there is no such list.
            ValueError: the list is empty, names an ID twice, or holds what is no plain file name.
        """
        folder = self.path / "ImageSets" / "Segmentation"
        path = folder / f"{split}.txt"
        if Path(split).name != split or not path.is_file():
            found = ", ".join(sorted(p.stem for p in folder.glob("*.txt"))) or "no lists"
            raise FileNotFoundError(f"{path}: no such split; {folder} holds {found}")
        ids = [line.strip() for line in read_text(path).splitlines() if line.strip()]
        if not ids:
            raise ValueError(f"{path}: the list is empty; expected one image ID a line")
        for id in ids:
            if re.search(r"[/\\\0]|\.(jpe?g|png)$", id, re.IGNORECASE) or id in (".", ".."):
                raise ValueError(f"{path}: {id!r} is not an image ID (a file name without ending)")
        if len(set(ids)) < len(ids):
            twice = next(id for id in ids if ids.count(id) > 1)
            raise ValueError(f"{path}: lists {twice!r} more than once")
        return ids

    def image_path(self, id):
        """The file of image `id`: ID.jpg, else .jpeg, .png or their upper case.

        Raises:
            FileNotFoundError: there is none of them.
        """
        folder = self.path / "JPEGImages"
        for suffix in (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"):
            if (folder / f"{id}{suffix}").is_file():
                return folder / f"{id}{suffix}"
        raise FileNotFoundError(f"{folder / id}.jpg: the split lists this image, but it is missing")

    def pair(self, id):
        """Reads one image with its mask, and checks both.

        Args:
            id: an image ID.

        Returns:
            image: (H, W, 3) uint8, RGB.
            mask: (H, W) uint8 of class indices 0..C-1, and 255 for void.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: a file is broken, the mask holds colours, its size is not its
                image's, or it holds a value that is neither a class of the data set nor void.
        """
        image = read_image(self.image_path(id))  # (H, W, 3)
        path = self.path / "SegmentationClass" / f"{id}.png"
        mask = read_mask(path)  # (H, W)
        if mask.shape != image.shape[:2]:
            (h, w), (height, width) = mask.shape, image.shape[:2]
            raise ValueError(f"{path}: the mask is {w} x {h} pixels, its image {width} x {height}")
        known = len(self.names)
        unknown = np.flatnonzero(np.bincount(mask.ravel(), minlength=256)[known:VOID]) + known
        if unknown.size:
            raise ValueError(
                f"{path}: holds the value {unknown[0]}, which is neither one of the "
                f"{known} classes (0..{known - 1}) nor void (255)"
            )
        return image, self.table[mask]


def open_folder(data, year=None, classes="all"):
    """Opens a data set in VOC's layout.

    Args:
        data: the folder that holds `VOCdevkit` or `VOC20xx`, or the `VOC20xx` folder itself.
            (Its name does not matter: what counts is that it holds `ImageSets`.)
        year: which `VOC20xx`, where there are several. By default the only one there is, or
            else 2009.
        classes: "all" for every class; "object" for two classes, background and object, into
            which all others are merged; or a list of names (a comma-separated string, too):
            these classes in this order, all others become background.

    Returns:
        A `VOCFolder`.

    Raises:
        FileNotFoundError: there is no data set in `data`.
        ValueError: `labels.txt` or `classes` is not as described above.
    """
    path = find_folder(Path(data), year)
    labels = path / "labels.txt"
    names = read_labels(labels) if labels.exists() else VOC_CLASSES
    table = np.zeros(256, np.uint8)
    table[VOID] = VOID
    if classes == "object":
        chosen = {names[0]: 0, "object": 1}
        table[1 : len(names)] = 1
        return VOCFolder(path, names, chosen, table)
    if classes == "all":
        wanted = list(names[1:])
    else:
        wanted = classes.split(",") if isinstance(classes, str) else list(classes)
        wanted = [name.strip() for name in wanted]
        if not wanted:
            raise ValueError(f"classes: found none; expected some of {', '.join(names[1:])}")
        for name in wanted:
            if name not in names[1:] or wanted.count(name) > 1:
                problem = "is listed twice" if name in names[1:] else "is not a class"
                raise ValueError(
                    f"classes: {name!r} {problem}; {path} has {', '.join(names[1:])} "
                    "(or give 'all' or 'object')"
                )
    chosen = {names[0]: 0} | {name: names.index(name) for name in wanted}
    table[list(chosen.values())] = range(len(chosen))
    return VOCFolder(path, names, chosen, table)


def find_folder(data, year=None):
    """The `VOC20xx` folder that `data` is or holds; see `open_folder`."""
    if year and not re.fullmatch(r"\d{4}", str(year)):
        raise ValueError(f"year: found {year!r}, expected a number such as 2009")
    if (data / "ImageSets").is_dir():
        name = data.resolve().name  # tells the year, unless it is a name of the user's own
        if year and re.fullmatch(r"VOC\d{4}", name) and name != f"VOC{year}":
            raise FileNotFoundError(f"{data}: is {name}; expected VOC{year}")
        return check_folder(data)
    if not data.is_dir():
        problem = "is a file; expected a folder" if data.exists() else "no such folder"
        raise FileNotFoundError(f"{data}: {problem}")
    folders = [*data.glob("VOC[0-9]*/"), *data.glob("VOCdevkit/VOC[0-9]*/")]
    found = {p.name: p for p in folders if p.is_dir()}
    name = f"VOC{year}" if year else next(iter(found)) if len(found) == 1 else "VOC2009"
    if name not in found:
        holds = ", ".join(sorted(found)) or "neither ImageSets nor a VOC20xx folder"
        if found and not year:
            raise FileNotFoundError(f"{data}: holds {holds}; expected {name}, or a year")
        raise FileNotFoundError(
            f"{data}: holds {holds}; expected a data set in VOC's layout, or VOCdevkit/{name} "
            "(`voc-seg download` fetches the years 2007 to 2012)"
        )
    return check_folder(found[name])


def check_folder(path):
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        if not (path / part).is_dir():
            raise FileNotFoundError(f"{path}: has no folder {part}, so it is not in VOC's layout")
    return path


def read_labels(path):
    """The class names in a `labels.txt`: one a line, background first.

    Returns:
        Tuple of 2 to 255 names; a name's place is its value in the mask files.

    Raises:
        ValueError: a line is empty, a name stands twice or has a comma, or there are too few or
            too many names.
    """
    names = tuple(line.strip() for line in read_text(path).rstrip().splitlines())
    if not 2 <= len(names) <= VOID:
        raise ValueError(f"{path}: has {len(names)} class names; expected 2 to {VOID}, one a line")
    for number, name in enumerate(names, start=1):
        if not name or "," in name or names.index(name) != number - 1:
            problem = "stands twice" if name and "," not in name else "is no class name"
            raise ValueError(
                f"{path}: line {number}, {name!r}, {problem}; expected one name a line, no commas"
            )
    if "background" in names[1:]:
        raise ValueError(f"{path}: background stands below {names[0]}; expected it in line 1")
    return names


def read_text(path):
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, IsADirectoryError):
        raise ValueError(f"{path}: is not a text file in UTF-8") from None

"""PASCAL VOC's classes and folder layout.

The layout is that of the VOC development kit (Everingham et al., "The PASCAL Visual Object
Classes Challenge", IJCV 2010), and any folder that follows it can be read:

    VOC2009/
        JPEGImages/ID.jpg               the photographs
        SegmentationClass/ID.png        the masks: palette PNGs whose indices are the classes
        ImageSets/Segmentation/*.txt    the splits: one ID a line
        labels.txt                      optional: the class names, one a line, background first
"""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from voc_seg.data.images import VOID, read_image, read_mask

VOC_CLASSES: tuple[str, ...] = tuple(
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse "
    "motorbike person pottedplant sheep sofa train tvmonitor".split()
)
"""The class names of PASCAL VOC; the index of a name is its value in the mask files."""


@dataclass(frozen=True)
class VOCFolder:
    """A data set in VOC's layout, and the classes that we look for in it.

    `open_folder` makes one, and checks it. Two folders opened alike are equal.

    Attributes:
        path: the folder that holds JPEGImages, SegmentationClass and ImageSets.
        names: every class name of the data set; the index of a name is its value in the masks.
        members: the classes of the task without the background, as pairs (class, the names that
            it merges): `(("cat", ("cat",)), ("dog", ("dog",)))`.

    Examples:
        >>> from voc_seg import open_folder, write_shapes
        >>> folder = open_folder(write_shapes("shapes", train=4, val=2), classes=["star", "ring"])
        >>> folder.classes
        {'background': 0, 'star': 3, 'ring': 4}
    """

    path: Path
    names: tuple[str, ...]
    members: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def classes(self) -> dict[str, int]:
        """The classes of the task, `{name: value in the mask files}`, background first.

        A pixel's class index, 0..C-1, is the position of its class in this dictionary. A class
        that merges several has the value of the first.
        """
        return {self.names[0]: 0} | {name: self.names.index(m[0]) for name, m in self.members}

    @cached_property
    def table(self) -> np.ndarray:
        """(256,) uint8 array, from a value in the mask files to the class index."""
        table = np.zeros(256, np.uint8)  # whatever is not a class of the task is background
        for index, (_, members) in enumerate(self.members, start=1):
            table[[self.names.index(name) for name in members]] = index
        table[VOID] = VOID
        return table

    def ids(self, split: str) -> list[str]:
        """The IDs that `ImageSets/Segmentation/SPLIT.txt` lists, in its order.

        Args:
            split: "train", "val", "trainval" or any other list in that folder.

        Returns:
            List of strings, not empty.

        Raises:
            FileNotFoundError: there is no such list.
            ValueError: the list is empty, names an ID twice, or contains something that is not a
                plain file name.
        """
        folder = self.path / "ImageSets" / "Segmentation"
        path = folder / f"{split}.txt"
        if Path(split).name != str(split) or not path.is_file():
            found = ", ".join(sorted(p.stem for p in folder.glob("*.txt"))) or "no lists"
            raise FileNotFoundError(f"{path}: no such split; {folder} holds {found}")
        ids = [line for line in read_lines(path) if line]
        if not ids:
            raise ValueError(f"{path}: the list is empty; expected one image ID a line")
        for id in ids:
            if re.search(r"[/\\]|\.(jpe?g|png)$", id, re.IGNORECASE) or id in (".", ".."):
                raise ValueError(f"{path}: {id!r} is not an image ID (a file name without ending)")
        twice = [id for id, count in Counter(ids).items() if count > 1]
        if twice:
            raise ValueError(f"{path}: lists {twice[0]!r} more than once")
        return ids

    def image_path(self, id: str) -> Path:
        """The file of image `id`: ID.jpg, otherwise .jpeg or .png, or these in upper case.

        Raises:
            FileNotFoundError: there is none of them.
        """
        folder = self.path / "JPEGImages"
        for suffix in (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"):
            if (folder / f"{id}{suffix}").is_file():
                return folder / f"{id}{suffix}"
        raise FileNotFoundError(f"{folder / id}.jpg: the split lists this image, but it is missing")

    def pair(self, id: str) -> tuple[np.ndarray, np.ndarray]:
        """Reads one image with its mask, and checks both.

        Args:
            id: an image ID.

        Returns:
            image: (H, W, 3) uint8, RGB.
            mask: (H, W) uint8 of class indices 0..C-1, and 255 for void.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: a file is damaged, the mask holds colours, its size is not that of its
                image, or it holds a value that is neither a class of the data set nor void.
        """
        image = read_image(self.image_path(id))  # (H, W, 3)
        path = self.path / "SegmentationClass" / f"{id}.png"
        mask = read_mask(path)  # (H, W)
        if mask.shape != image.shape[:2]:
            (h, w), (height, width) = mask.shape, image.shape[:2]
            raise ValueError(
                f"{path}: the mask is {w} x {h} pixels, its image {width} x {height}; expected the "
                "same size"
            )
        known = len(self.names)
        counts = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel()  # of each value
        unknown = np.flatnonzero(counts[known:VOID]) + known
        if unknown.size:
            raise ValueError(
                f"{path}: holds the value {unknown[0]}, which is neither one of the "
                f"{known} classes (0..{known - 1}) nor void (255)"
            )
        return image, cv2.LUT(mask, self.table)  # as table[mask], but several times faster


def open_folder(
    data: str | Path,
    year: int | str | None = None,
    classes: str | Sequence[str] | Mapping[str, Sequence[str]] = "all",
) -> VOCFolder:
    """Opens a data set in VOC's layout.

    Args:
        data: the folder that holds `VOCdevkit` or `VOC20xx`, or the `VOC20xx` folder itself.
            (Its name does not matter; what counts is that it holds `ImageSets`.)
        year: which `VOC20xx`, if there are several. Default: the only one, or else 2009.
        classes: "all" for every class; "object" for two classes, background and object, which
            merges all others; a list of names (or a comma-separated string): these classes in
            this order, all others become background. A name may merge several: "animal=cat+dog",
            or as a dictionary `{"animal": ["cat", "dog"]}`.

    Returns:
        A `VOCFolder`.

    Raises:
        FileNotFoundError: there is no data set in `data`.
        ValueError: `year` or `classes` is not as described above, or `labels.txt` is damaged.

    Examples:
        >>> from voc_seg import open_folder, write_shapes
        >>> data = write_shapes("shapes", train=4, val=2)
        >>> open_folder(data, classes="object").classes
        {'background': 0, 'object': 1}
    """
    path = find_folder(Path(data), year)
    labels = path / "labels.txt"
    # A link that leads nowhere exists too: reading it says so. VOC's names would be wrong.
    names = read_labels(labels) if os.path.lexists(labels) else VOC_CLASSES
    return VOCFolder(path, names, choose(classes, names, path))


def choose(
    classes: str | Sequence[str] | Mapping[str, Sequence[str]], names: tuple[str, ...], path: Path
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The `members` of a `VOCFolder` for the `classes` that `open_folder` is given."""
    foreground = names[1:]
    if classes == "object":
        if "object" in names and len(names) > 2:
            raise ValueError(
                f"classes: 'object' merges all classes, but {path} has a class of this name; "
                "rename it in labels.txt, or give a list of classes"
            )
        pairs = [("object", foreground)]
    elif isinstance(classes, Mapping):
        pairs = [(name, tuple(members)) for name, members in classes.items()]
    elif isinstance(classes, (str, Sequence)):
        listed = classes.split(",") if isinstance(classes, str) else classes
        if not all(isinstance(name, str) for name in listed):
            raise ValueError(f"classes: found {classes!r}, expected names")
        pairs = [parse_class(text, names) for text in (foreground if classes == "all" else listed)]
    else:
        raise ValueError(f"classes: found {classes!r}, expected 'all', 'object' or a list of names")
    known = f"{path} has {', '.join(foreground)} (or give 'all' or 'object')"
    members = [member for _, group in pairs for member in group]
    for member in members:
        if member not in foreground or members.count(member) > 1:
            problem = "is listed twice" if member in foreground else "is not a class"
            raise ValueError(f"classes: {member!r} {problem}; {known}")
    found = dict(pairs)
    if not found or len(found) < len(pairs) or "" in found or names[0] in found:
        raise ValueError(
            f"classes: found {classes!r}, expected different names of classes; {known}"
        )
    return tuple(pairs)


def parse_class(text: str, names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """A class and its members: `cat`, or merged `animal=cat+dog`."""
    name, merges, members = text.partition("=")
    if text.strip() in names or not merges:
        return text.strip(), (text.strip(),)
    return name.strip(), tuple(member.strip() for member in members.split("+"))


def find_folder(data: Path, year: int | str | None = None) -> Path:
    """The `VOC20xx` folder that `data` is or holds; see `open_folder`."""
    if year is not None and not re.fullmatch(r"[0-9]{4}", str(year)):
        raise ValueError(f"year: found {year!r}, expected a number such as 2009")
    if (data / "ImageSets").is_dir():
        name = data.resolve().name  # gives the year, unless the folder is named differently
        if year and re.fullmatch(r"VOC\d{4}", name) and name != f"VOC{year}":
            raise FileNotFoundError(f"{data}: is {name}; expected VOC{year}")
        return check_folder(data)
    if not data.is_dir():
        problem = "is a file; expected a folder" if data.exists() else "no such folder"
        raise FileNotFoundError(f"{data}: {problem}")
    folders = [*data.glob("VOC[0-9]*/"), *data.glob("VOCdevkit/VOC[0-9]*/")]
    found = {p.name: p for p in folders if p.is_dir()}
    name = f"VOC{year or 2009}"
    if not year and len(found) == 1:
        (name,) = found
    if name in found:
        return check_folder(found[name])
    holds = ", ".join(sorted(found)) or "neither ImageSets nor a VOC20xx folder"
    if found and not year:
        raise FileNotFoundError(f"{data}: holds {holds}; expected {name}, or a year")
    raise FileNotFoundError(
        f"{data}: holds {holds}; expected a data set in VOC's layout, or VOCdevkit/{name} "
        "(`voc-seg download` fetches the years 2007 to 2012)"
    )


def check_folder(path: Path) -> Path:
    """Returns the path; raises a FileNotFoundError unless it is in VOC's layout."""
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        if not (path / part).is_dir():
            raise FileNotFoundError(f"{path}: has no folder {part}, so it is not in VOC's layout")
    return path


def read_labels(path: Path) -> tuple[str, ...]:
    """The class names in a `labels.txt`: one a line, background first.

    Returns:
        Tuple of 2 to 255 names; the index of a name is its value in the mask files.

    Raises:
        ValueError: a line is empty, a name occurs twice or has a comma, or there are too few or
            too many names.
    """
    names = tuple(read_lines(path))
    while names and not names[-1]:
        names = names[:-1]
    if not 2 <= len(names) <= VOID:
        raise ValueError(f"{path}: has {len(names)} class names; expected 2 to {VOID}, one a line")
    for number, name in enumerate(names, start=1):
        if not name or "," in name or names.index(name) != number - 1:
            problem = "occurs twice" if name and "," not in name else "is not a class name"
            raise ValueError(
                f"{path}: line {number}, {name!r}, {problem}; expected one name a line, no commas"
            )
    if "background" in names[1:]:
        raise ValueError(f"{path}: background comes after {names[0]}; expected it in line 1")
    return names


def read_lines(path: Path) -> list[str]:
    """The lines of a text file without blanks at their ends; they end at \\n, \\r\\n or \\r alone.

    (Python's `splitlines` would also split at U+2028, form feeds and more, and so shift the
    values of all class names after one of these.)
    """
    if not path.is_file():
        problem = "is not a file" if path.exists() else "is a link that leads nowhere"
        raise ValueError(f"{path}: {problem}; expected a text file")
    try:
        text = path.read_text(encoding="utf-8-sig")  # turns \r\n and \r into \n
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not a text file in UTF-8") from None
    if "\0" in text:
        raise ValueError(f"{path}: holds a NUL character; expected a text file in UTF-8")
    return [line.strip() for line in text.split("\n")]

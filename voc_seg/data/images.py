"""Read and write photographs as RGB, and masks as class indices; resize both."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageOps

from voc_seg.checks import check_whole
from voc_seg.data.decoding import (
    decode_jpeg,
    load,
    name_file_in_errors,
    open_picture,
    png_header,
    read_bytes,
)
from voc_seg.data.palette import palette
from voc_seg.files import write_safely

VOID = 255
"""Marks contours and ambiguous regions in masks; ignored in training and evaluation."""

LONGEST = 1 << 15  # pixels; the longest side that OpenCV resizes to
GREY = 127  # fills the rest of a square; becomes about 0 after 0..255 -> -1..1


def read_image(path: str | Path) -> np.ndarray:
    """Reads a photograph as an image viewer shows it.

    Grey images become RGB, CMYK is converted, 16 bits become 8, the camera's EXIF orientation is
    applied, and transparent pixels are shown on white.

    Args:
        path: a JPEG, PNG, WebP, TIFF, BMP, GIF or PPM file.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not an image, is damaged or cut off, or declares more than 179
            megapixels.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import read_image, write_image
        >>> write_image("photo.png", np.zeros((40, 60, 3), "uint8"))
        >>> read_image("photo.png").shape
        (40, 60, 3)
    """
    data = read_bytes(path)
    with name_file_in_errors(path, "is not an image that can be decoded"):
        picture = open_picture(data)
        if picture.format in ("JPEG", "MPO"):
            return decode_jpeg(data, picture)
        deep = picture.mode.startswith("I;16") or (picture.mode, picture.format) == ("I", "PPM")
        picture = ImageOps.exif_transpose(load(picture))
        if deep:  # Pillow would clip 16 bits at 255
            grey = np.array(picture) // 256
            return np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)
        if picture.mode in ("I", "F"):
            raise ValueError(f"found pixels of 32 bits ({picture.mode}), expected 8 or 16")
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        return np.array(picture.convert("RGB"))


def read_mask(path: str | Path) -> np.ndarray:
    """Reads a mask as the class indices that its PNG file holds.

    A mask is never decoded to colours: VOC's PNGs are palette images whose pixels already are
    class indices, and OpenCV would replace them by the palette's colours. Pillow leaves them
    alone. Grey PNGs, which labelling tools also write, hold indices as well.

    Args:
        path: a palette PNG or an 8-bit grey PNG.

    Returns:
        (H, W) uint8, the values in the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a PNG, is damaged or cut off, holds colours, or is grey with
            other than 8 bits.

    Examples:
        >>> from voc_seg import read_mask, write_mask
        >>> write_mask("mask.png", [[0, 12, 12], [0, 0, 255]])
        >>> read_mask("mask.png").tolist()
        [[0, 12, 12], [0, 0, 255]]
    """
    data = read_bytes(path)
    with name_file_in_errors(path, "is not a PNG that can be decoded"):
        picture = load(open_picture(data))
    if picture.format != "PNG" or picture.mode not in ("P", "L"):
        raise ValueError(
            f"{path}: is a {picture.format} of mode {picture.mode}; expected a PNG whose pixels "
            "are class indices (mode P or L)"
        )
    if picture.mode == "L" and (depth := png_header(data)[2]) != 8:  # scaled to 8 bits
        raise ValueError(f"{path}: is grey with {depth} bits; expected 8 bits, or a palette PNG")
    return np.array(picture)


def write_mask(path: str | Path, mask: ArrayLike, *palettes: object) -> None:
    """Writes a mask as a palette PNG with VOC's colours, like the masks of VOC.

    Args:
        path: the file to write.
        mask: (H, W) integers, 0..255.

    Raises:
        ValueError: the mask has another shape or other numbers.
        TypeError: a third argument is given, as in version 0.1.0.

    Examples:
        >>> from voc_seg import write_mask
        >>> write_mask("mask.png", [[0, 12, 12], [0, 0, 255]])
    """
    if palettes:
        raise TypeError(
            "write_mask: takes no palette since version 0.2.0; call write_mask(path, mask)"
        )
    values = np.asarray(mask)
    form = values.ndim == 2 and values.size and values.dtype.kind in "biu"
    if not form or values.min() < 0 or values.max() > 255:
        raise ValueError(f"{path}: found {values.dtype} {values.shape}; expected (H, W) of 0..255")
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette(palette().tobytes())  # turns mode L into mode P; the pixels stay
    write_safely(path, lambda file: image.save(file, format="PNG"))


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Writes an image as a PNG.

    Args:
        path: the file to write.
        image: (H, W, 3) uint8, RGB, or (H, W, 4), RGBA.

    Raises:
        ValueError: the image has another shape or type.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import write_image
        >>> write_image("grey.png", np.full((40, 60, 3), 127, "uint8"))
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] not in (3, 4) or image.dtype != np.uint8:
        raise ValueError(
            f"{path}: found {image.dtype} {image.shape}; expected uint8 (H, W, 3 or 4)"
        )
    write_safely(path, lambda file: Image.fromarray(image).save(file, format="PNG"))


def resize_to_fit(image: np.ndarray, size: int, interpolation: int | None = None) -> np.ndarray:
    """Resizes an image so that its long side is `size`, keeping the aspect ratio.

    Args:
        image: (H, W) or (H, W, C), of uint8, uint16, float32 or float64.
        size: the long side wanted, in pixels, at most 32,768.
        interpolation: one of OpenCV's. Default: by area when shrinking, else bilinear. Masks need
            `cv2.INTER_NEAREST_EXACT`: smooth interpolation would blend class indices into other
            classes, and plain `INTER_NEAREST` shifts the mask by up to half a pixel.

    Returns:
        (h, w) or (h, w, C) array with max(h, w) == size.

    Raises:
        ValueError: the image is something else, or `size` is not a whole number from 1 to 32,768.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import resize_to_fit
        >>> resize_to_fit(np.zeros((375, 500, 3), "uint8"), 224).shape
        (168, 224, 3)
    """
    check_whole("size", size, high=LONGEST)
    known = image.dtype in (np.uint8, np.uint16, np.float32, np.float64)  # all that OpenCV takes
    if image.ndim not in (2, 3) or not image.size or not known:
        raise ValueError(
            f"image: found {image.dtype} {image.shape}, expected (H, W) or (H, W, C) of uint8, "
            "uint16, float32 or float64"
        )
    height, width = image.shape[:2]
    scale = size / max(height, width)
    if interpolation is None:
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, shape, interpolation=interpolation)


def letterbox(image: np.ndarray, size: int) -> np.ndarray:
    """Resizes an image to fit a square, and fills the rest of the square with grey.

    Args:
        image: (H, W, 3) uint8.
        size: height and width of the square.

    Returns:
        (size, size, 3) uint8; the image is at the top left, its long side is `size`.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import letterbox
        >>> letterbox(np.zeros((375, 500, 3), "uint8"), 224)[200, 0].tolist()  # below the image
        [127, 127, 127]
    """
    check_image("image", image)
    return cut_square(resize_to_fit(image, size), size, 0, 0, GREY)


def check_image(name: str, image: np.ndarray) -> None:
    """Raises a ValueError unless an image is (H, W, 3) uint8, as `read_image` returns it."""
    kind, shape = getattr(image, "dtype", type(image).__name__), np.shape(image)
    if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ValueError(f"{name}: found {kind} {shape}, expected uint8 (H, W, 3), 0..255")


def letterbox_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Resizes a mask by nearest neighbour, and fills the rest with void: (H, W) -> (size, size)."""
    return cut_square(resize_to_fit(mask, size, cv2.INTER_NEAREST_EXACT), size, 0, 0, VOID)


def cut_square(image: np.ndarray, size: int, top: int, left: int, fill: int) -> np.ndarray:
    """The square of side `size` whose corner is at (top, left), which may be outside the image."""
    square = np.full((size, size, *image.shape[2:]), fill, image.dtype)
    part = image[max(0, top) : top + size, max(0, left) : left + size]
    row, column = max(0, -top), max(0, -left)
    square[row : row + part.shape[0], column : column + part.shape[1]] = part
    return square

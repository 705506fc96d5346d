"""From images of any size to squares of one size, for validation as they are, for training changed.

Image and mask always go the same way, the mask by nearest neighbour. What has to be filled in is
grey in the image and void in the mask, so that nobody learns from it.
"""

import math

import cv2
import numpy as np

from voc_seg.images import resize_to_fit
from voc_seg.voc import VOID

GREY = 127  # beside an image that is not square: near zero after scaling, before recolouring
SCALES = 0.7, 1.4  # bounds of the random scale, relative to the image that just fits


def augment(image, mask, size, rng):
    """Flips left-right, scales, crops and changes the colours of an image, at random.

    What has to be filled in, because the scaled image is smaller than the square, is grey in the
    image and void in the mask, so that nobody learns from it.

    Args:
        image: (H, W, 3) uint8.
        mask: (H, W) uint8.
        size: height and width of the result.
        rng: `numpy.random.Generator`.

    Returns:
        image: (size, size, 3) float32, 0..255.
        mask: (size, size) uint8.
    """
    scaled = max(1, round(size * math.exp(rng.uniform(*np.log(SCALES)))))
    image = resize_to_fit(image, scaled)  # (h, w, 3)
    mask = resize_to_fit(mask, scaled, cv2.INTER_NEAREST_EXACT)  # (h, w): never bilinear
    if rng.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    # Where the square lies: anywhere in a larger image, anywhere around a smaller one.
    room = [n - size for n in mask.shape]
    top, left = (rng.integers(min(0, r), max(0, r), endpoint=True) for r in room)
    image = cut_square(image, size, top, left, GREY)
    mask = cut_square(mask, size, top, left, VOID)
    return change_colours(image, rng), mask


def change_colours(image, rng):
    """Changes brightness, contrast and saturation at random: uint8 (H, W, 3) -> float32, 0..255."""
    contrast, saturation = rng.uniform(0.75, 1.25, 2)
    brightness = rng.uniform(-30, 30)
    grey = image.mean(axis=-1, keepdims=True, dtype="float32")  # (H, W, 1)
    image = grey + saturation * (image - grey)
    image = 128 + brightness + contrast * (image - 128)
    return np.clip(image, 0, 255).astype("float32")


def letterbox(image, size):
    """Resizes an image to fit a square, and fills the square up with grey.

    Args:
        image: (H, W, 3) uint8.
        size: height and width of the square.

    Returns:
        (size, size, 3) uint8; the image stands at the top left, its long side being `size`.
    """
    return cut_square(resize_to_fit(image, size), size, 0, 0, GREY)


def letterbox_mask(mask, size):
    """The same for a mask: by nearest neighbour, filled up with void. (H, W) -> (size, size)."""
    return cut_square(resize_to_fit(mask, size, cv2.INTER_NEAREST_EXACT), size, 0, 0, VOID)


def cut_square(image, size, top, left, fill):
    """The square of side `size` whose corner is at (top, left), which may lie outside the image."""
    square = np.full((size, size, *image.shape[2:]), fill, image.dtype)
    part = image[max(0, top) : top + size, max(0, left) : left + size]
    row, column = max(0, -top), max(0, -left)
    square[row : row + part.shape[0], column : column + part.shape[1]] = part
    return square

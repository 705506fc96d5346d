"""Random augmentation: image and mask get the same flip, scale and crop.

The mask is resized by nearest neighbour. Whatever has to be filled in is void in the mask, so it
does not affect training, and a shade of grey in the image.
"""

import math

import cv2
import numpy as np

from voc_seg.data.images import GREY, VOID, check_image, cut_square, resize_to_fit

SCALES = 0.7, 1.4  # bounds of the random scale, relative to the image that just fits


def augment(
    image: np.ndarray, mask: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Flips left-right, scales, crops and changes the colours of an image, at random.

    Args:
        image: (H, W, 3) uint8, RGB.
        mask: (H, W) uint8, class indices and 255 for void.
        size: height and width of the result.
        rng: the generator of the random numbers.

    Returns:
        image: (size, size, 3) float32, RGB, 0..255.
        mask: (size, size) uint8. Where a scaled image is smaller than the square, the rest is
            void (and a shade of grey in the image).

    Raises:
        ValueError: the image is not uint8 RGB, or the mask has another size.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import augment
        >>> image, mask = np.zeros((375, 500, 3), "uint8"), np.zeros((375, 500), "uint8")
        >>> image, mask = augment(image, mask, size=224, rng=np.random.default_rng(0))
        >>> image.shape, mask.shape
        ((224, 224, 3), (224, 224))
    """
    check_image("image", image)
    if mask.shape != image.shape[:2]:
        raise ValueError(f"mask: found {mask.shape}, expected {image.shape[:2]} as the image")
    scaled = max(1, round(size * math.exp(rng.uniform(*np.log(SCALES)))))
    image = resize_to_fit(image, scaled)  # (h, w, 3)
    mask = resize_to_fit(mask, scaled, cv2.INTER_NEAREST_EXACT)  # (h, w): never bilinear
    if rng.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    # A random crop if the image is larger than the square, a random position if it is smaller.
    room = [n - size for n in mask.shape]
    top, left = (rng.integers(min(0, r), max(0, r), endpoint=True) for r in room)
    image = cut_square(image, size, top, left, GREY)
    mask = cut_square(mask, size, top, left, VOID)
    return change_colours(image, rng), mask


def change_colours(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Changes brightness, contrast and saturation: (H, W, 3) uint8 -> float32, 0..255."""
    contrast, saturation = rng.uniform(0.75, 1.25, 2)
    brightness = rng.uniform(-30, 30)
    grey = image.mean(axis=-1, keepdims=True, dtype="float32")  # (H, W, 1)
    image = grey + saturation * (image - grey)
    image = 128 + brightness + contrast * (image - 128)
    return np.clip(image, 0, 255).astype("float32")

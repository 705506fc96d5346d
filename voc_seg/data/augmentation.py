"""Random augmentation: image and mask get the same flip, scale and crop.

The mask is resized by nearest neighbour. Whatever has to be filled in is void in the mask, so it
does not affect training, and a shade of grey in the image.
"""

import math
import numbers

import cv2
import numpy as np

from voc_seg.data.images import GREY, VOID, check_image, cut_square, resize_to_fit


def augment(
    image: np.ndarray,
    mask: np.ndarray,
    size: int,
    rng: np.random.Generator,
    flip: float = 0.5,
    scale: tuple[float, float] = (0.7, 1.4),
    brightness: float = 30,
    contrast: float = 0.25,
    saturation: float = 0.25,
) -> tuple[np.ndarray, np.ndarray]:
    """Flips left-right, scales, crops and changes the colours of an image, at random.

    For other ranges give `functools.partial(augment, scale=(0.5, 2))` to a `SegmentationDataset`.

    Args:
        image: (H, W, 3) uint8, RGB.
        mask: (H, W) uint8, class indices and 255 for void.
        size: height and width of the result.
        rng: the generator of the random numbers.
        flip: the probability of a flip, 0..1.
        scale: the smallest and the largest scale, 0.1..10. At 1 the image just fits the square.
            Halving is as likely as doubling: the logarithm of the scale is uniform.
        brightness: how much is added to all colours at most, or subtracted, 0..255.
        contrast: 0.25 for a factor between 0.75 and 1.25, by which colours move away from middle
            grey (128); 0..1.
        saturation: the same for the factor by which colours move away from their own grey; 0..1.

    Returns:
        image: (size, size, 3) uint8, RGB.
        mask: (size, size) uint8. Where a scaled image is smaller than the square, the rest is
            void (and a shade of grey in the image).

    Raises:
        ValueError: the image is not uint8 RGB, the mask is not uint8 or has another size, or a
            range is not as described above.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import augment
        >>> image, mask = np.zeros((375, 500, 3), "uint8"), np.zeros((375, 500), "uint8")
        >>> image, mask = augment(image, mask, size=224, rng=np.random.default_rng(0))
        >>> image.shape, mask.shape
        ((224, 224, 3), (224, 224))
    """
    check_image("image", image)
    if describe(mask) != describe(image[..., 0]):
        expected = f"expected {describe(image[..., 0])} as the image"
        raise ValueError(f"mask: found {describe(mask)}, {expected}")
    check_number("flip", flip, 0, 1)
    check_scale(scale)
    scaled = max(1, round(size * math.exp(rng.uniform(*np.log(scale)))))
    image = resize_to_fit(image, scaled)  # (h, w, 3)
    mask = resize_to_fit(mask, scaled, cv2.INTER_NEAREST_EXACT)  # (h, w): never bilinear
    if rng.random() < flip:
        image, mask = image[:, ::-1], mask[:, ::-1]
    # A random crop if the image is larger than the square, a random position if it is smaller.
    room = [n - size for n in mask.shape]
    top, left = (rng.integers(min(0, r), max(0, r), endpoint=True) for r in room)
    image = cut_square(image, size, top, left, GREY)
    mask = cut_square(mask, size, top, left, VOID)
    return change_colours(image, rng, brightness, contrast, saturation), mask


def augment_window(
    window: np.ndarray,
    rng: np.random.Generator,
    flip: float = 0.5,
    brightness: float = 30,
    contrast: float = 0.25,
    saturation: float = 0.25,
) -> np.ndarray:
    """Flips a window left-right and changes its colours, at random, for the patch classifier.

    Args:
        window: (H, W, 3) uint8, RGB.
        rng: the generator of the random numbers.
        flip: the probability of a flip, 0..1.
        brightness: as in `augment`, and so are the next two.
        contrast: 0..1.
        saturation: 0..1.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ValueError: the window is not uint8 RGB, or a range is not as in `augment`.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import augment_window
        >>> augment_window(np.zeros((33, 33, 3), "uint8"), np.random.default_rng(0)).shape
        (33, 33, 3)
    """
    check_image("window", window)
    check_number("flip", flip, 0, 1)
    if rng.random() < flip:
        window = window[:, ::-1]
    return change_colours(window, rng, brightness, contrast, saturation)


def change_colours(
    image: np.ndarray,
    rng: np.random.Generator,
    brightness: float,
    contrast: float,
    saturation: float,
) -> np.ndarray:
    """Changes brightness, contrast and saturation within these ranges: (H, W, 3) uint8."""
    check_number("brightness", brightness, 0, 255)
    check_number("contrast", contrast, 0, 1)
    check_number("saturation", saturation, 0, 1)
    # With the grey g of a colour, its mean over RGB, we want two changes, one after the other:
    # colour = g + saturate * (colour - g), then colour = 128 + add + stretch * (colour - 128).
    # Together they are a matrix times the colour, plus a number.
    stretch, saturate = 1 + rng.uniform(-1, 1, 2) * (contrast, saturation)
    add = rng.uniform(-1, 1) * brightness
    matrix = stretch * (saturate * np.eye(3) + (1 - saturate) / 3)  # (3, 3)
    offset = np.full((3, 1), 128 + add - stretch * 128)
    return cv2.transform(image, np.hstack([matrix, offset]))  # rounded, and clipped to 0..255


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Raises a ValueError unless an argument is a number from `low` to `high`."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not low <= value <= high:  # type: ignore[operator]
        raise ValueError(f"{name}: found {value!r}, expected a number from {low} to {high}")


def check_scale(scale: tuple[float, float]) -> None:
    """Raises a ValueError unless these are two numbers of which the first is not larger."""
    if not isinstance(scale, (tuple, list)) or len(scale) != 2:
        raise ValueError(f"scale: found {scale!r}, expected the smallest and the largest scale")
    for value in scale:
        check_number("scale", value, 0.1, 10)
    if scale[0] > scale[1]:
        raise ValueError(f"scale: found {scale!r}, expected the smaller number first")


def check_augmented(result: object, mask: np.ndarray, size: int) -> None:
    """Raises a ValueError unless a function returned what `augment` would return for a mask."""
    parts = result if isinstance(result, (tuple, list)) else [result]
    found = ", ".join(map(describe, parts))
    expected = f"uint8 ({size}, {size}, 3), uint8 ({size}, {size})"
    if found != expected:
        raise ValueError(f"augment: the function returned {found}; expected {expected}")
    before, after = (
        cv2.calcHist([m], [0], None, [256], [0, 256]).ravel() for m in (mask, parts[1])
    )
    new = np.flatnonzero(after * (before == 0))
    if new.size and new[0] != VOID:
        raise ValueError(
            f"augment: the function returned a mask with the label {new[0]}, which was not there "
            "before; resize masks by nearest neighbour, which mixes no labels"
        )


def describe(value: object) -> str:
    """The type of an array and its shape, such as `uint8 (24, 24)`."""
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__

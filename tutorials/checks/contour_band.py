"""The check of `contour_band`: against OpenCV."""

import cv2
import numpy as np


def expected(mask, width):
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return cv2.dilate(mask, square) != cv2.erode(mask, square)


def squares(mask, width, **mode):
    """The square around each pixel: (H, W, side * side)."""
    side = 2 * width + 1
    padded = np.pad(mask, width, **(mode or {"mode": "edge"}))
    view = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    return view.reshape(*mask.shape, -1)


def inside_only(mask, width):
    return mask != squares(mask, width).min(axis=-1)


def outside_only(mask, width):
    return mask != squares(mask, width).max(axis=-1)


def no_corners(mask, width):
    band = np.zeros(mask.shape, bool)
    for n in range(1, width + 1):
        for rows, columns in ((n, 0), (-n, 0), (0, n), (0, -n)):
            band |= moved(mask, rows, columns) != mask
    return band


def moved(mask, rows, columns):
    """The label at each pixel so many rows and columns on; beyond the border, the last one."""
    height, width = mask.shape
    i = np.clip(np.arange(height) + rows, 0, height - 1)
    j = np.clip(np.arange(width) + columns, 0, width - 1)
    return mask[i][:, j]


def one_wide(mask, width):
    return expected(mask, 1)


def end_left_out(mask, width):
    band = np.zeros(mask.shape, bool)
    for i, j in np.ndindex(mask.shape):
        square = mask[max(0, i - width) : i + width, max(0, j - width) : j + width]
        band[i, j] = (square != mask[i, j]).any()
    return band


def negative_index(mask, width):
    band = np.zeros(mask.shape, bool)
    for i, j in np.ndindex(mask.shape):
        square = mask[i - width : i + width + 1, j - width : j + width + 1]
        band[i, j] = (square != mask[i, j]).any()
    return band


def side_of_width(mask, width):
    band = np.zeros(mask.shape, bool)
    for i, j in np.ndindex(mask.shape):
        around = mask[i : i + width, j : j + width]
        band[i, j] = (around != mask[i, j]).any()
    return band


def rounded_mean(mask, width):
    return squares(mask, width).mean(axis=-1).astype(np.uint8) != mask


def black_frame(mask, width):
    around = squares(mask, width, mode="constant")
    return around.max(axis=-1) != around.min(axis=-1)


def around_the_edge(mask, width):
    around = squares(mask, width, mode="wrap")
    return around.max(axis=-1) != around.min(axis=-1)


def void_ignored(mask, width):
    return expected(np.where(mask == 255, 0, mask).astype(np.uint8), width)


def rectangle(*boxes):
    """A mask of 10 x 12 with rectangles: (label, rows, columns)."""
    mask = np.zeros((10, 12), np.uint8)
    for label, rows, columns in boxes:
        mask[slice(*rows), slice(*columns)] = label
    return mask


def view(answer):
    """The answer, if it has the type that the exercise asks for."""
    answer = np.asarray(answer)
    if answer.dtype != bool:
        raise ValueError(f"its dtype is {answer.dtype}, expected bool")
    return answer


CASES = [
    (
        "a rectangle of class 12 in the middle, width 1",
        lambda: (rectangle((12, (3, 7), (4, 9))), 1),
        "Draw the rectangle on squared paper. Which pixels have a pixel with another label in the "
        "3 x 3 square around them?",
    ),
    (
        "the same rectangle, width 2",
        lambda: (rectangle((12, (3, 7), (4, 9))), 2),
        "With width 2 the square around a pixel has 5 x 5 pixels.",
    ),
    (
        "a rectangle of class 3 that touches the upper border, width 2",
        lambda: (rectangle((3, (0, 5), (3, 8))), 2),
        "Where the rectangle touches the border of the image, there is no other label beyond: "
        "what is outside of the image does not count.",
    ),
    (
        "two classes with void between them, and more void in a corner, width 1",
        lambda: (
            rectangle(
                (4, (3, 8), (2, 5)),
                (255, (3, 8), (5, 6)),
                (2, (3, 8), (6, 10)),
                (255, (0, 2), (9, 12)),
            ),
            1,
        ),
        "Labels are names: it only counts whether two are the same, not how large they are. Void "
        "is a label as any other here.",
    ),
    (
        "three stripes with the labels 0, 1 and 2, width 1",
        lambda: (rectangle((1, (0, 10), (5, 6)), (2, (0, 10), (6, 12))), 1),
        "Labels are names. The mean of 0, 1 and 2 is 1, but not all of them are 1.",
    ),
]
MISTAKES = [
    (
        negative_index,
        "At the border, `i - width` is negative, and NumPy counts a negative index from the end: "
        "the slice is empty. Begin at `max(0, i - width)`.",
    ),
    (
        inside_only,
        "One side only: you found the pixels with a smaller label near them. Those with a larger "
        "one near them are in the band as well.",
    ),
    (
        outside_only,
        "One side only: you found the pixels with a larger label near them. Those with a smaller "
        "one near them are in the band as well.",
    ),
    (
        no_corners,
        "A cross instead of a square: you looked along the row and along the column only. The "
        "square has corners.",
    ),
    (
        end_left_out,
        "The square ends one pixel too early: slices and `range` leave out their end, so it has to "
        "be `i + width + 1`.",
    ),
    (
        side_of_width,
        "The square is too small: it reaches `width` pixels to *each* side of the pixel in its "
        "middle, so its side is 2 * width + 1.",
    ),
    (
        rounded_mean,
        "You compare with a mean. Labels are names, and a mean of names means nothing: it can even "
        "equal the label in the middle. Look at the smallest and the largest instead.",
    ),
    (
        one_wide,
        "Always one pixel wide: the square has to grow with `width`.",
    ),
    (
        black_frame,
        "A frame of zeros: the padding has put background around the image, and with it a contour "
        "along its border. Look at the other modes of `np.pad`.",
    ),
    (
        around_the_edge,
        "Around the edge: at the upper border you saw the lower one, as `np.roll` and the mode "
        "`wrap` do. What is outside of the image does not count.",
    ),
    (
        void_ignored,
        "Void taken for background: here 255 is a label of its own.",
    ),
]
READ = "Where is the gain?"
GOOD_FOR = (
    "With this band you can score contours and interiors apart, and so see where the skip "
    "connections help."
)

"""The check of `crop_skip`: against the cropping layer of Keras."""

import keras
import numpy as np


def skip(*shape):
    """A map in which every number is another one."""
    return np.arange(np.prod(shape), dtype="float32").reshape(shape)


def expected(skip, height, width):
    rows, columns = skip.shape[1] - height, skip.shape[2] - width
    crop = [(n // 2, n - n // 2) for n in (rows, columns)]  # what to remove before and after
    return np.array(keras.layers.Cropping2D(crop)(skip))


def batch_cropped(skip, height, width):
    top, left = (skip.shape[1] - height) // 2, (skip.shape[2] - width) // 2
    return skip[top : top + height, left : left + width]


def batch_taken_for_rows(skip, height, width):
    top, left = (skip.shape[0] - height) // 2, (skip.shape[1] - width) // 2
    return skip[top : top + height, left : left + width]


def corner(skip, height, width):
    return skip[:, :height, :width]


def far_corner(skip, height, width):
    return skip[:, skip.shape[1] - height :, skip.shape[2] - width :]


def up_to_minus_rest(skip, height, width):
    top, left = (skip.shape[1] - height) // 2, (skip.shape[2] - width) // 2
    return skip[:, top:-top, left:-left]


def exchanged(skip, height, width):
    top, left = (skip.shape[1] - width) // 2, (skip.shape[2] - height) // 2
    return skip[:, top : top + width, left : left + height]


def odd_one_first(skip, height, width):
    top, left = (skip.shape[1] - height + 1) // 2, (skip.shape[2] - width + 1) // 2
    return skip[:, top : top + height, left : left + width]


CASES = [
    (
        "8 x 8 positions, of which the middle 4 x 4 are wanted",
        lambda: (skip(1, 8, 8, 1), 4, 4),
        "Four rows have to go: how many at the top, how many at the bottom? Axis 0 is the batch, "
        "so rows are axis 1.",
    ),
    (
        "two maps of three channels, 10 x 12 positions, of which 6 x 4 are wanted",
        lambda: (skip(2, 10, 12, 3), 6, 4),
        "The axes are (B, H, W, C): only the second and the third are cropped, each by its own "
        "number.",
    ),
    (
        "6 x 9 positions, of which 6 x 5 are wanted",
        lambda: (skip(1, 6, 9, 2), 6, 5),
        "There is no row to remove here, and four columns.",
    ),
    (
        "7 x 8 positions, of which 4 x 3 are wanted",
        lambda: (skip(1, 7, 8, 2), 4, 3),
        "Three rows and five columns have to go: an odd number cannot be shared out evenly. The "
        "docstring says on which side the additional one goes.",
    ),
]
MISTAKES = [
    (
        batch_cropped,
        "You crop the first two axes, but axis 0 is the batch: the axes are (B, H, W, C). Leave "
        "the batch whole, with `skip[:, ...]`.",
    ),
    (
        batch_taken_for_rows,
        "You take axis 0 for the rows, but it is the batch. Rows are axis 1 and columns axis 2, "
        "both in `skip.shape` and in the slices.",
    ),
    (
        corner,
        "The corner at the top left: that is right after a padding at the bottom and at the right. "
        "Here the border was lost on all four sides.",
    ),
    (
        far_corner,
        "The corner at the bottom right: you removed everything at the top and at the left. Share "
        "it out between both sides.",
    ),
    (
        up_to_minus_rest,
        "A slice that ends at minus something: `[n:-n]` removes n at both ends. What does it do "
        "where n is 0, and where an odd number has to go? Count the end from the beginning "
        "instead.",
    ),
    (
        exchanged,
        "You exchanged height and width: rows are axis 1, columns axis 2.",
    ),
    (
        odd_one_first,
        "The additional row at the wrong end: where the number is odd, fewer go at the top and at "
        "the left than at the bottom and at the right.",
    ),
]
READ = "What the paper does"
GOOD_FOR = (
    "The paper's U-Net crops each skip connection like this; ours pads its convolutions, so its "
    "maps already have the same size."
)

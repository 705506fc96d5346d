"""The check of `extract_window`: against a reflection that is computed pixel by pixel."""

import numpy as np


def expected(image, row, column, window):
    def places(centre, length):
        """Which rows (or columns) of the image the window reads."""
        found = []
        for place in range(centre - window // 2, centre + window // 2 + 1):
            place = abs(place)  # reflected at the first pixel: -1 -> 1
            found.append(min(place, 2 * (length - 1) - place))  # and at the last one
        return found

    height, width = image.shape[:2]
    return image[np.ix_(places(row, height), places(column, width))]


def cut(image, row, column, window, shift=0, **padding):
    radius = window // 2
    padded = np.pad(image, [(radius, radius), (radius, radius), (0, 0)], **padding)
    top, left = row - shift, column - shift
    return padded[top : top + window, left : left + window]


def not_shifted(image, row, column, window):
    return cut(image, row, column, window, shift=window // 2, mode="reflect")


def channels_padded(image, row, column, window):
    padded = np.pad(image, window // 2, mode="reflect")
    return padded[row : row + window, column : column + window]


def centre_as_corner(image, row, column, window):
    return cut(image, row + window // 2, column + window // 2, window, mode="reflect")


def swapped(image, row, column, window):
    return cut(image, column, row, window, mode="reflect")


def border_repeated(image, row, column, window):
    return cut(image, row, column, window, mode="symmetric")


def nearest(image, row, column, window):
    return cut(image, row, column, window, mode="edge")


def zeros(image, row, column, window):
    return cut(image, row, column, window, mode="constant")


def not_padded(image, row, column, window):
    radius = window // 2
    top, left = max(0, row - radius), max(0, column - radius)
    return image[top : row + radius + 1, left : column + radius + 1]


def arguments(height, width, *rest):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return lambda: (image.copy(), *rest)


def view(answer):
    """The answer, if it has the type that the exercise asks for."""
    answer = np.asarray(answer)
    if answer.dtype != np.uint8:
        raise ValueError(f"its dtype is {answer.dtype}, expected uint8")
    return answer


CASES = [
    (
        "the window of 5 around the pixel (9, 6) of an image of 16 x 12, far from the border",
        arguments(16, 12, 9, 6, 5),
        "No border is touched here: the result's middle, [2, 2], has to be image[9, 6], and its "
        "first corner, [0, 0], is image[7, 4].",
    ),
    (
        "the window of 5 around the pixel (0, 0), the corner",
        arguments(16, 12, 0, 0, 5),
        "Two rows and two columns of this window lie outside of the image. Row -1 of the window "
        "shows row 1 of the image, row -2 shows row 2.",
    ),
    (
        "the window of 7 around the last pixel, (15, 11), of an image of 16 x 12",
        arguments(16, 12, 15, 11, 7),
        "The same at the other end: the row after the last one shows the last but one.",
    ),
    (
        "a window of 1, which is the pixel itself",
        arguments(16, 12, 3, 11, 1),
        "With a window of 1 there is nothing to pad; the result still has three axes, (1, 1, 3).",
    ),
]
MISTAKES = [
    (
        channels_padded,
        "The channels were padded, too: `np.pad` with one number pads every axis. Give a pair for "
        "each axis, and (0, 0) for the channels.",
    ),
    (
        not_shifted,
        "Your window begins one radius too early. If you have padded: the padding moves the pixel "
        "(row, column) to (row + radius, column + radius), so its window begins at row and column. "
        "If you have not: row - radius is negative here, and a negative index counts from the end.",
    ),
    (
        centre_as_corner,
        "The pixel became the corner of the window: it has to be in the middle. In a padded "
        "image the pixel is at row + radius; at which row does a window around it begin? (Without "
        "padding it begins one radius before it.)",
    ),
    (
        swapped,
        "Row and column swapped: the first axis of an image array is the row, the y of a drawing.",
    ),
    (
        border_repeated,
        "The border pixel is repeated: c b a a b c d. The reflection that is asked for has the "
        'mirror on the border pixel: c b a b c d. See the modes of `np.pad`: "symmetric" and '
        '"reflect" differ in just this.',
    ),
    (
        nearest,
        "Outside of the image you repeat its border pixel again and again: a a a b c d. Asked for "
        "is the reflection, which shows the classifier a texture that it knows.",
    ),
    (
        zeros,
        "Outside of the image you have zeros, which is `np.pad`'s default. A classifier that was "
        "trained on reflections would take the black edge for an outline.",
    ),
    (
        not_padded,
        "At the border your window is cut off. The classifier takes one size only: what is "
        "missing has to be filled with the reflection.",
    ),
]
READ = "One image is N² examples"
GOOD_FOR = (
    "`WindowDataset` cuts windows like this for training and `sliding_window` for the answer, and "
    "the classifier works only because the two agree."
)

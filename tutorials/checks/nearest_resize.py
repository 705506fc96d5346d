"""The check of `nearest_resize`: against OpenCV."""

import cv2
import numpy as np


def expected(mask, height, width):
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def corners(mask, height, width):
    return choose(mask, height, width, lambda i, old, new: i * old // new)


def rounded_up(mask, height, width):
    return choose(
        mask, height, width, lambda i, old, new: np.ceil((i + 0.5) * old / new).astype(int) - 1
    )


def rounded(mask, height, width):
    return choose(
        mask, height, width, lambda i, old, new: np.round((i + 0.5) * old / new - 0.5).astype(int)
    )


def corner_on_corner(mask, height, width):
    return choose(
        mask, height, width, lambda i, old, new: np.round(i * (old - 1) / (new - 1)).astype(int)
    )


def bilinear(mask, height, width):
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)


def sides_swapped(mask, height, width):
    return expected(mask, width, height)


def choose(mask, height, width, place):
    """The rows and columns of a mask that `place(new indices, old size, new size)` says."""
    rows, columns = (
        place(np.arange(new), old, new)
        for new, old in zip((height, width), mask.shape, strict=True)
    )
    return mask[rows][:, columns]


def view(answer):
    """The answer, if it has the type that the exercise asks for."""
    answer = np.asarray(answer)
    if answer.dtype != np.uint8:
        raise ValueError(f"its dtype is {answer.dtype}, expected uint8")
    return answer


CASES = [
    (
        "[[0, 8], [12, 4]] to 4 x 4",
        (np.array([[0, 8], [12, 4]], np.uint8), 4, 4),
        "Each old pixel becomes a block of 2 x 2. Which old row does each of the four new rows "
        "come from, which old column each new column? If an index is out of range, you may have "
        "rounded up: the last centre lies in the last old row, so cut the fraction off. If the "
        "shape is wrong: mask[rows, columns] picks single pixels, mask[rows][:, columns] does not.",
    ),
    (
        "a mask of 5 x 5 pixels, all of them different, to 3 x 3",
        (np.arange(25, dtype=np.uint8).reshape(5, 5), 3, 3),
        "The centres of the new rows are at 1/2, 3/2 and 5/2; in old pixels, times 5/3, that is "
        "0.83, 2.5 and 4.17. In which old rows do these lie?",
    ),
    (
        "a mask of 5 x 9 pixels, all of them different, to 3 x 4",
        (np.arange(45, dtype=np.uint8).reshape(5, 9), 3, 4),
        "Rows and columns have a scale each: H / height and W / width. What is written as 3 x 4 "
        "has three rows and four columns.",
    ),
    (
        "a mask of 8 x 6 pixels, all of them different, to 2 x 3",
        (np.arange(48, dtype=np.uint8).reshape(8, 6), 2, 3),
        "The centres of the new columns are at 1, 3 and 5 in old pixels, each just between two "
        "columns: the one with the larger number has it. The same goes for the rows, at 2 and 6.",
    ),
    (
        "a mask of 7 x 5 pixels with void to 16 x 12",
        lambda: (np.random.default_rng(0).choice(np.uint8([0, 3, 255]), (7, 5)), 16, 12),
        "Void, 255, is a value like any other here. Compute (i + 1/2) H / height first, and cut "
        "the fraction off only at the end.",
    ),
]
MISTAKES = [
    (
        bilinear,
        "Bilinear: the result holds means of old values, classes that nobody has drawn. Every new "
        "pixel has to be a copy of one old pixel.",
    ),
    (
        rounded_up,
        "Rounded up: a centre just between two rows belongs to the one with the larger number, and "
        "you take the smaller one. Cut the fraction off; then there is no 1 to subtract.",
    ),
    (
        rounded,
        "Rounded: `round` sends what lies halfway to the even number, up or down. Cut off instead: "
        "the place (i + 1/2) H / height lies in the row whose number is its whole part.",
    ),
    (
        corners,
        "Corners, not centres: your new pixel i takes the old pixel in which its upper left corner "
        "lies, so that the mask moves. Where is the middle of pixel i?",
    ),
    (
        corner_on_corner,
        "First on first, last on last: you stretch the indices 0..new-1 onto 0..old-1. Pixels are "
        "areas: what has to fit is the whole width of the mask, from edge to edge.",
    ),
    (
        sides_swapped,
        "Height and width swapped: OpenCV and Pillow say (width, height), NumPy's shapes say "
        "(height, width), and here height comes first.",
    ),
]
READ = "Mistake one: a mask is resized as if it were an image"
GOOD_FOR = (
    "`letterbox_mask` resizes every mask in this way before a network learns from it, and each "
    "new pixel still has a label that somebody drew."
)

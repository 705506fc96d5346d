"""The check of `cut_out_alpha`: against the `cut_out` of the library."""

import numpy as np

from voc_seg import cut_out


def expected(image, labels, keep):
    others = [c for c in range(256) if c not in keep]
    return cut_out(image, np.where(np.isin(labels, others), 0, 1).astype(np.uint8))


def view(answer):
    answer = np.asarray(answer)
    if answer.dtype != np.uint8:
        raise ValueError(f"its dtype is {answer.dtype}, expected uint8: a PNG holds 0..255")
    return answer


def alpha_of_one(image, labels, keep):
    answer = expected(image, labels, keep)
    answer[..., 3] //= 255
    return answer


def inverted(image, labels, keep):
    return expected(image, labels, [c for c in range(256) if c not in keep])


def colours_left(image, labels, keep):
    return np.dstack([image, expected(image, labels, keep)[..., 3]])


def all_objects(image, labels, keep):
    return cut_out(image, labels)


def first_class_only(image, labels, keep):
    return expected(image, labels, keep[:1])


def alpha_first(image, labels, keep):
    return np.roll(expected(image, labels, keep), 1, axis=-1)


def protected():
    """Arguments whose image nobody can write to."""
    image = LARGE.copy()
    image.flags.writeable = False
    return image, np.arange(35, dtype=np.uint8).reshape(5, 7) % 5, [2]


SMALL = np.array([[[10, 20, 30], [40, 50, 60], [70, 80, 90]]], np.uint8)
BLACK = np.array([[[10, 20, 30], [0, 0, 0], [70, 80, 90]]], np.uint8)
LARGE = np.random.default_rng(8).integers(1, 255, (5, 7, 3), np.uint8)
CASES = [
    (
        "an image of three pixels with the labels [[0, 8, 8]], keep [8]",
        (SMALL, np.array([[0, 8, 8]], np.uint8), [8]),
        "`np.isin(labels, keep)` says for each pixel whether its label is one of `keep`. (`labels "
        "in keep` does not work for arrays.) The first pixel becomes [0, 0, 0, 0], the second "
        "[40, 50, 60, 255].",
    ),
    (
        "the same with a black pixel in the object",
        (BLACK, np.array([[0, 8, 8]], np.uint8), [8]),
        "Only the labels decide what is transparent. A black pixel of the object is opaque.",
    ),
    (
        "an image of 5 x 7 pixels, labels 0 to 4, keep [1, 3]",
        (LARGE, np.arange(35, dtype=np.uint8).reshape(5, 7) % 5, [1, 3]),
        "For which labels is the result opaque? `numpy.isin` asks for several at once.",
    ),
    (
        "the same image, keep [0]: the background without its objects",
        (LARGE, np.arange(35, dtype=np.uint8).reshape(5, 7) % 5, [0]),
        "Label 0 is a label like any other here.",
    ),
    (
        "the same image, keep [7]: a class that does not occur",
        (LARGE, np.arange(35, dtype=np.uint8).reshape(5, 7) % 5, [7]),
        "A class that does not occur gives an image that is transparent everywhere.",
    ),
    (
        "the same image, write-protected, keep [2]",
        protected,
        "Your function writes into the image that it was given, and its caller still needs that "
        "image. Make a new array for the result.",
    ),
]
MISTAKES = [
    (
        alpha_of_one,
        "Alpha is 1 where it should be 255: as uint8, 1 is as good as transparent. A boolean array "
        "has to be multiplied.",
    ),
    (
        inverted,
        "Inverted: what is to be kept is transparent. Alpha says how opaque a pixel is.",
    ),
    (
        colours_left,
        "Colours under the transparency: alpha is right, but the pixels that cannot be seen still "
        "have their colours in the file.",
    ),
    (
        all_objects,
        "All objects: everything that is not background was kept. Only the classes of `keep` "
        "belong in the cut-out.",
    ),
    (
        first_class_only,
        "The first class only: `keep` may hold several, and a pixel is kept if its label is one "
        "of them.",
    ),
    (
        alpha_first,
        "Alpha first: the channels are in the order red, green, blue, alpha.",
    ),
]
READ = "Your own photo"
GOOD_FOR = (
    "`cut_out` does this for `voc-seg predict --cutout`, and `--keep cat,dog` chooses the classes "
    "as your `keep` does."
)

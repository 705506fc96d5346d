"""The check of `dilations_for_strides`: against a cumulative product."""

import numpy as np


def expected(strides):
    return [int(d) for d in np.cumprod([1, *strides])[:-1]]


def own_stride_included(strides):
    return [int(d) for d in np.cumprod(strides)]


def stride_before(strides):
    return [1, *strides][: len(strides)]


def added(strides):
    return [1 + sum(s - 1 for s in strides[:i]) for i in range(len(strides))]


def strides_summed(strides):
    return [sum(strides[:i]) or 1 for i in range(len(strides))]


def from_the_end(strides):
    return expected(strides[::-1])[::-1]


def view(answer):
    """A list of whole numbers, whether the answer is a list, a tuple or an array."""
    return [n if isinstance(n, str) or n != int(n) else int(n) for n in answer]


CASES = [
    (
        "strides 1, 3, 2, 2",
        ([1, 3, 2, 2],),
        "Go through the layers in order, and keep in a variable how far apart neighbours of the "
        "map are so far. It is 1 before the first layer.",
    ),
    (
        "the example, strides 1, 2, 2",
        ([1, 2, 2],),
        "Is the dilation of a layer fixed before or after its own stride has been taken into "
        "account?",
    ),
    (
        "no strides: 1, 1, 1",
        ([1, 1, 1],),
        "A network without strides is dense already: all dilations are 1.",
    ),
    (
        "a single layer with stride 4",
        ([4],),
        "Before the only layer there is no other, so its taps stay where they are.",
    ),
    (
        "strides 2, 1, 2, 1, 2",
        ([2, 1, 2, 1, 2],),
        "A layer with stride 1 leaves things as far apart as they are, and does not bring them "
        "back together.",
    ),
    ("no layers", ([],), "No layers have no dilations: an empty list."),
]
MISTAKES = [
    (
        own_stride_included,
        "Own stride included: a layer's own stride moves apart what its successors read, not "
        "what it reads itself. The first layer reads the image, which is as it was.",
    ),
    (
        stride_before,
        "Only the last stride counts: you took the stride of the layer just before. The strides "
        "before that one are still in effect.",
    ),
    (
        added,
        "Added: of a stride of 3 and a stride of 2 after it, every second of every third place "
        "remains. How far apart are these?",
    ),
    (
        strides_summed,
        "Summed: you added up the strides before each layer. A stride moves apart what is already "
        "moved apart, so strides multiply: after 3 and 2 the distance is 6, not 5.",
    ),
    (
        from_the_end,
        "From the end: you began with the last layer. Strides act on the layers after them, so "
        "begin at the image.",
    ),
]
READ = "A stride becomes a dilation"
GOOD_FOR = (
    "`to_dense` keeps the same product of strides in one variable, and with it answers at every "
    "pixel with the weights of a classifier of windows."
)

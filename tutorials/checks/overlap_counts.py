"""The check of `overlap_counts`: against NumPy's `convolve` of inputs with zeros between them."""

import numpy as np


def expected(size, layers):
    counts = np.ones(size)
    for kernel, stride in layers:
        spread = np.zeros((len(counts), stride))
        spread[:, 0] = counts  # the inputs, `stride` places apart
        counts = np.convolve(spread.ravel(), np.ones(kernel))
        counts = counts[: size * stride + max(kernel - stride, 0)]
        size = len(counts)
    return counts


def stamp(size, layers, add=lambda old, count: old + count, step=None):
    """The loops with one thing wrong: what a stamp adds, or how far apart stamps are."""
    counts = np.ones(size)
    for kernel, stride in layers:
        out = np.zeros(len(counts) * stride + max(kernel - stride, 0))
        for i, count in enumerate(counts):
            for j in range(kernel):
                place = i * (step or stride) + j
                out[place] = add(out[place], count)
        counts = out
    return counts


def overwritten(size, layers):
    return stamp(size, layers, lambda old, count: count)


def stride_forgotten(size, layers):
    return stamp(size, layers, step=1)


def last_layer_only(size, layers):
    return stamp(size, layers, lambda old, count: old + 1)


CASES = [
    (
        "4 inputs, kernel 3, stride 2",
        (4, [(3, 2)]),
        "Write the stamps of the inputs 0 and 1 below each other, in their places, and count.",
    ),
    (
        "4 inputs, kernel 4, stride 2",
        (4, [(4, 2)]),
        "Each stamp overlaps the next one by half.",
    ),
    (
        "3 inputs, kernel 2, stride 3",
        (3, [(2, 3)]),
        "The kernel is smaller than the stride: between the stamps there are gaps, and one after "
        "the last.",
    ),
    (
        "3 inputs, two layers of kernel 3 and stride 2",
        (3, [(3, 2), (3, 2)]),
        "The first layer has seven outputs with counts; these are the inputs of the second.",
    ),
    (
        "3 inputs, kernel 2 and stride 3, then kernel 2 and stride 1",
        (3, [(2, 3), (2, 1)]),
        "The first layer leaves gaps, with a count of 0. In the second, a gap adds nothing.",
    ),
    (
        "2 inputs, kernel 4 and stride 2, then kernel 3 and stride 2",
        (2, [(4, 2), (3, 2)]),
        "Each layer has its own kernel and stride, and begins with a new row of zeros.",
    ),
]
MISTAKES = [
    (
        overwritten,
        "Not added up: where two stamps meet, the later one replaced the earlier one.",
    ),
    (
        stride_forgotten,
        "Stride left out: your stamps begin at 0, 1, 2, ... They are `stride` places apart.",
    ),
    (
        last_layer_only,
        "Counts not passed on: each stamp of the last layer counted 1. If its input had received "
        "two stamps, it counts 2.",
    ),
]
READ = "Checkerboards"
GOOD_FOR = (
    "Our decoders use kernel 2 and stride 2, where every count is 1; in other people's decoders "
    "this count finds the checkerboard before any training."
)

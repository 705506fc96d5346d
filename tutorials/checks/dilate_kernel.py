"""The check of `dilate_kernel`: against a Kronecker product."""

import numpy as np


def expected(kernel, dilation):
    spaced = spread(kernel, dilation)
    return spaced[: len(spaced) - dilation + 1, : len(spaced[0]) - dilation + 1]


def spread(kernel, step):
    """Each number of a kernel becomes a block of step x step, with the number at the top left."""
    block = np.zeros((step, step))
    block[0, 0] = 1
    return np.kron(kernel, block)


def zeros_outside(kernel, dilation):
    return spread(kernel, dilation)


def one_zero_too_many(kernel, dilation):
    return expected(kernel, dilation + 1)


def repeated(kernel, dilation):
    return np.kron(kernel, np.ones((dilation, dilation)))


def whole_numbers(kernel, dilation):
    return np.trunc(expected(kernel, dilation))


def last_axis_only(kernel, dilation):
    return expected(kernel, dilation)[::dilation]


CASES = [
    (
        "the example, a 2 x 2 kernel with dilation 2",
        (np.array([[1.0, 2.0], [3.0, 4.0]]), 2),
        "Which shape must the new kernel have? Make it of zeros first, then say which rows and "
        "columns of it the taps go to.",
    ),
    (
        "a 3 x 3 kernel with dilation 4, as the hidden layer of the chapter",
        (np.arange(1.0, 10.0).reshape(3, 3), 4),
        "Three taps that are 4 apart: at 0, 4 and 8. So the kernel is 9 x 9.",
    ),
    (
        "a kernel of 2 rows and 3 columns with dilation 3",
        (np.arange(1.0, 7.0).reshape(2, 3), 3),
        "Height and width can differ: compute each from its own number of taps.",
    ),
    (
        "a kernel of fractions, [[0.5, 0.25], [-1.5, 2.0]], with dilation 2",
        (np.array([[0.5, 0.25], [-1.5, 2.0]]), 2),
        "The taps keep their values; only the distance between them changes.",
    ),
    (
        "dilation 1",
        (np.array([[1.0, 2.0], [3.0, 4.0]]), 1),
        "With a dilation of 1 neighbours stay neighbours: nothing may change.",
    ),
    (
        "a single tap with dilation 5",
        (np.array([[7.0]]), 5),
        "There is nothing between the taps of a kernel with one tap, so it stays 1 x 1.",
    ),
]
MISTAKES = [
    (
        zeros_outside,
        "Zeros outside: there are zeros after the last tap. They belong between the taps "
        "only; n taps have n - 1 gaps.",
    ),
    (
        one_zero_too_many,
        "One zero too many: the dilation is the distance from tap to tap, not the number of zeros "
        "between them. With dilation 1 there are none.",
    ),
    (
        repeated,
        "Repeated: you have enlarged the kernel like an image, each number several times. The "
        "positions between the taps are not read: they are zeros.",
    ),
    (
        whole_numbers,
        "Fractions cut off: your new kernel is an array of whole numbers. Make it of zeros without "
        "a dtype, or with that of the kernel.",
    ),
    (
        last_axis_only,
        "One axis only: the columns have moved apart, the rows have not. A dilation holds for "
        "both.",
    ),
]
READ = "A stride becomes a dilation"
GOOD_FOR = (
    "`to_dense` sets `dilation_rate`, and Keras then convolves as if with the kernel that you "
    "made, without multiplying by the zeros."
)

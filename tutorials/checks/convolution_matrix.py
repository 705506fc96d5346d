"""The check of `convolution_matrix`: against NumPy's `convolve`, applied to unit vectors."""

import numpy as np


def expected(kernel, size, stride, pad):
    # `convolve` reverses the kernel, which is reversed here to undo it.
    outputs = [np.convolve(np.pad(unit, pad), kernel[::-1], "valid") for unit in np.eye(size)]
    return np.stack(outputs, axis=1)[::stride]


def reversed_kernel(kernel, size, stride, pad):
    return expected(kernel[::-1], size, stride, pad)


def transposed(kernel, size, stride, pad):
    return expected(kernel, size, stride, pad).T


def steps_of_one(kernel, size, stride, pad):
    return place(kernel, size, expected(kernel, size, stride, pad), lambda i, k: i + k - pad)


def padding_forgotten(kernel, size, stride, pad):
    return place(kernel, size, expected(kernel, size, stride, pad), lambda i, k: i * stride + k)


def padded_on_the_left(kernel, size, stride, pad):
    inputs = [np.pad(unit, (pad, 0)) for unit in np.eye(size)]
    outputs = [np.convolve(padded, kernel[::-1], "valid") for padded in inputs]
    return np.stack(outputs, axis=1)[::stride]


def padding_in_the_matrix(kernel, size, stride, pad):
    return expected(kernel, size + 2 * pad, stride, 0)


def wrapped_around(kernel, size, stride, pad):
    matrix = expected(kernel, size, stride, pad)
    return place(kernel, size, matrix, lambda i, k: i * stride + k - pad, -size)


def whole_numbers(kernel, size, stride, pad):
    return np.trunc(expected(kernel, size, stride, pad))


def place(kernel, size, like, column, lowest=0):
    """A matrix of the shape of another, with number k of the kernel of row i in `column(i, k)`."""
    matrix = np.zeros(like.shape)
    for i in range(len(matrix)):
        for k, value in enumerate(kernel):
            if lowest <= column(i, k) < size:
                matrix[i, column(i, k)] = value
    return matrix


CASES = [
    (
        "kernel [1, 2, 3] on 5 numbers, stride 1, no padding",
        ([1, 2, 3], 5, 1, 0),
        "A row for each output, a column for each number of the signal. How often does the kernel "
        "fit? The first row says which numbers the first output adds up, and how often.",
    ),
    (
        "kernel [1, 2, 3] on 7 numbers, stride 2, no padding",
        ([1, 2, 3], 7, 2, 0),
        "Where does the kernel of row i begin? And how often does it fit in steps of 2?",
    ),
    (
        "kernel [1, 2, 3] on 4 numbers, stride 1, one zero on either side",
        ([1, 2, 3], 4, 1, 1),
        "The kernel begins on a zero of the padding, one number left of the signal. The zeros have "
        "no column: what lies on them is left out.",
    ),
    (
        "kernel [1, 2, 3, 4] on 8 numbers, stride 3, two zeros on either side",
        ([1, 2, 3, 4], 8, 3, 2),
        "With padding there are 12 numbers for a kernel of 4 in steps of 3. Where the last step no "
        "longer fits, there is no output: round down.",
    ),
    (
        "kernel [0.5, 1, 0.5] on 5 numbers, stride 2, no padding",
        ([0.5, 1, 0.5], 5, 2, 0),
        "The numbers of the kernel need not be whole.",
    ),
]
MISTAKES = [
    (
        reversed_kernel,
        "Kernel reversed: the first number of the kernel belongs to the leftmost place. (What "
        "mathematics calls a convolution reverses the kernel; what networks call so does not.)",
    ),
    (
        transposed,
        "Transposed: this is the matrix of the transposed convolution. Here the rows are the "
        "outputs of the convolution, the columns the numbers of the signal.",
    ),
    (
        steps_of_one,
        "Stride left out: your kernel moves by one column from row to row.",
    ),
    (
        padding_forgotten,
        "Padding left out: your first row begins on the first number of the signal. With padding "
        "the kernel begins further left.",
    ),
    (
        whole_numbers,
        "Fractions cut off: your matrix is an array of whole numbers. Make it without a dtype: "
        "np.zeros((M, size)).",
    ),
    (
        padded_on_the_left,
        "Padding on the left only: the signal gets zeros on either side, so the kernel fits more "
        "often, and its last place sticks out on the right.",
    ),
    (
        padding_in_the_matrix,
        "The padding has columns of its own: drop them. The matrix is multiplied by x, which is "
        "not padded.",
    ),
    (
        wrapped_around,
        "Negative index: a number left of the signal has a negative column, and to NumPy column -1 "
        "is the last one. What lies on the padding belongs nowhere in the matrix.",
    ),
]
READ = "A convolution is a matrix"
GOOD_FOR = (
    "The transpose of this matrix is the transposed convolution, which leads the decoder from a "
    "small map back to a large one."
)

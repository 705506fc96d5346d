"""Chapter 4: a convolution as a matrix.

Why: whoever has the matrix of a convolution has the transposed convolution, too: it is `matrix.T`.
The chapter makes the matrix by trying out unit vectors; written directly, it shows what stride and
padding do to it.
"""

import numpy as np


def convolution_matrix(kernel, size, stride, pad):
    """Writes a convolution in one dimension as a matrix, number by number.

    The signal x has `size` numbers. It gets `pad` zeros on either side, then the kernel is laid on
    it from the left end on, in steps of `stride`, as long as it fits. Output i is the sum of the
    products of the kernel's numbers with those below them; the kernel is not reversed. The matrix
    gives the same outputs as `matrix @ x`. The zeros of the padding are not part of x.

    For instance the kernel [1, 2, 3] on 4 numbers with stride 1 and one zero on either side:

        [[2, 3, 0, 0],
         [1, 2, 3, 0],
         [0, 1, 2, 3],
         [0, 0, 1, 2]]

    Args:
        kernel: list of K numbers.
        size: how many numbers the signal has.
        stride: by how many places the kernel moves from one output to the next.
        pad: how many zeros are added on either side.

    Returns:
        (M, size) NumPy array; M is the number of outputs.
    """
    raise NotImplementedError

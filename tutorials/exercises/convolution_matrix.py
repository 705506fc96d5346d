"""Chapter 4: a convolution as a matrix.

Why: if you have the matrix of a convolution, you also have the transposed convolution: it is
`matrix.T`. The chapter finds the matrix with unit vectors. Write it directly, and you see what
stride and padding do to it.
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
        stride: by how many numbers the kernel moves from one output to the next.
        pad: how many zeros are added on either side.

    Returns:
        (M, size) NumPy array; M is the number of outputs.
    """
    raise NotImplementedError

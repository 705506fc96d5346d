"""Chapter 3: dilate a kernel.

Why: a dilated convolution is nothing new. It is a plain one whose kernel is larger and mostly zero;
the dilation only spares the multiplications with these zeros.
"""

import numpy as np


def dilate_kernel(kernel, dilation):
    """Makes the plain kernel that does what `kernel` does with a dilation.

    Neighbouring taps are `dilation` positions apart in it, along both axes, with zeros between
    them. The outermost taps stay at the border of the new kernel: no zeros are added outside.

    For instance with a dilation of 2

        1 2      becomes      1 0 2
        3 4                   0 0 0
                              3 0 4

    Args:
        kernel: (h, w) NumPy array.
        dilation: whole number of at least 1; with 1 the kernel stays as it is.

    Returns:
        NumPy array with two axes. From the first tap of an axis to the last there are as many
        positions as the function `convolve` of the chapter calls `reach`.
    """
    raise NotImplementedError

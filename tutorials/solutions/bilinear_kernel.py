"""Chapter 6: the kernel of bilinear interpolation."""

import numpy as np


def bilinear_kernel(stride):
    middles = (np.arange(2 * stride) + 0.5) / stride
    tent = 1 - np.abs(middles - 1)
    return np.outer(tent, tent)

"""Chapter 3: dilate a kernel."""

import numpy as np


def dilate_kernel(kernel, dilation):
    height, width = (dilation * (n - 1) + 1 for n in kernel.shape)
    dilated = np.zeros((height, width))
    dilated[::dilation, ::dilation] = kernel
    return dilated

"""Chapter 6: the kernel of bilinear interpolation.

Why: a transposed convolution that begins as interpolation enlarges a map sensibly before it has
learned anything. The fully convolutional networks of 2015 begin like this, and so does
`build_vgg_transfer`.
"""

import numpy as np


def bilinear_kernel(stride):
    """Computes the kernel with which a transposed convolution interpolates.

    The kernel has 2 * stride weights on each side, numbered k = 0, 1, ... from the left. The middle
    of weight k is at (k + 0.5) / stride, so the kernel reaches from 0 to 2, and its centre is at 1.
    Along one side the weights form a tent: 1 at the centre, falling in a straight line to 0 at both
    ends. As a formula, 1 - |(k + 0.5) / stride - 1|. The kernel is the product of the tent
    downwards and the tent to the right.

    For instance stride 2 has the tent (1/4, 3/4, 3/4, 1/4), and the corner of the kernel is 1/16.

    Args:
        stride: how many times the transposed convolution enlarges, an int of at least 1.

    Returns:
        (2 * stride, 2 * stride) array or nested list of floats.
    """
    raise NotImplementedError

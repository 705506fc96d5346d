"""Chapter 4: transposed convolution of maps with several channels.

Why: this is the whole arithmetic of `keras.layers.Conv2DTranspose`. The chapter has one channel; a
decoder has dozens, and each output channel has a kernel for each input channel.
"""

import numpy as np


def transposed_convolution(maps, kernel, stride):
    """Computes a transposed convolution without padding, by stamping.

    Pixel (y, x) of the input stamps the square of the output whose upper left corner is
    (y * stride, x * stride). On output channel c it stamps, for each input channel d, the k x k
    kernel of the pair (c, d) times its own value in channel d. Where stamps overlap, they add.

    For instance the row of pixels 1, 10 (one channel), the kernel [[1, 2, 3]] * 3 and stride 2
    give three rows 1 2 13 20 30.

    Args:
        maps: (H, W, D) NumPy array: height, width, input channels.
        kernel: (k, k, C, D) NumPy array, as Keras keeps it: height, width, output channels, input
            channels. k is at least as large as the stride.
        stride: by how many places the stamps of neighbouring pixels are apart.

    Returns:
        ((H - 1) * stride + k, (W - 1) * stride + k, C) NumPy array.
    """
    raise NotImplementedError

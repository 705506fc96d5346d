"""Chapter 4: transposed convolution of maps with several channels."""

import numpy as np


def transposed_convolution(maps, kernel, stride):
    height, width, _ = maps.shape
    k, _, channels, _ = kernel.shape
    out = np.zeros(((height - 1) * stride + k, (width - 1) * stride + k, channels))
    for y in range(height):
        for x in range(width):
            stamp = kernel @ maps[y, x]  # (k, k, C, D) @ (D,) -> (k, k, C)
            out[y * stride : y * stride + k, x * stride : x * stride + k] += stamp
    return out

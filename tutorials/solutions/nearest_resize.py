"""Chapter 1: resize a mask."""

import numpy as np


def nearest_resize(mask, height, width):
    rows = np.floor((np.arange(height) + 0.5) * mask.shape[0] / height).astype(int)
    columns = np.floor((np.arange(width) + 0.5) * mask.shape[1] / width).astype(int)
    return mask[rows][:, columns]

"""Chapter 2: cut a window out of an image."""

import numpy as np


def extract_window(image, row, column, window):
    radius = window // 2
    padded = np.pad(image, [(radius, radius), (radius, radius), (0, 0)], mode="reflect")
    # In the padded image the pixel stands at (row + radius, column + radius).
    return padded[row : row + window, column : column + window]

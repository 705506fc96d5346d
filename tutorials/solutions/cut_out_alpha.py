"""Chapter 8: an object on a transparent background."""

import numpy as np


def cut_out_alpha(image, labels, keep):
    kept = np.isin(labels, keep)  # (H, W), boolean
    result = np.zeros((*labels.shape, 4), np.uint8)
    result[kept, :3] = image[kept]
    result[kept, 3] = 255
    return result

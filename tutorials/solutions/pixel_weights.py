"""Chapter 7: weights by inverse frequency."""

import numpy as np


def pixel_weights(masks):
    counts = np.bincount(masks.ravel(), minlength=256)
    counts[255] = 0  # void counts for nothing
    occurs = counts > 0
    weight = np.zeros(256)  # from a label to its weight
    weight[occurs] = counts.sum() / (occurs.sum() * counts[occurs])
    return weight[masks]

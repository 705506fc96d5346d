"""Chapter 7: the loss as a mean over the labelled pixels.

Why: training makes this one number smaller. Code that divides by the wrong number of pixels, or
learns void as background, runs without an error and is still wrong.
"""

import numpy as np


def mean_loss_without_void(probabilities, masks):
    """Computes the mean cross-entropy of a batch over all its pixels that are not void.

    The cross-entropy of a pixel is -log(p), where p is the probability of its true class and log
    the natural logarithm.

    For instance, if one pixel of class 0 got the probabilities 0.5, 0.5 and one of class 1 got
    0.75, 0.25, and all others are void, the answer is (-log 0.5 - log 0.25) / 2 = 1.0397.

    Args:
        probabilities: (B, H, W, C) array; those of a pixel add up to 1, none is 0.
        masks: (B, H, W) integer array of class indices 0..C-1, and 255 for void. At least one pixel
            is not void.

    Returns:
        One number.
    """
    raise NotImplementedError

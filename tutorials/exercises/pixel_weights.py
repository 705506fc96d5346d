"""Chapter 7: weights by inverse frequency.

Why: `class_weight` of Keras cannot be used with masks; an array of weights of the shape of the
masks can, and a few lines make one.
"""

import numpy as np


def pixel_weights(masks):
    """Computes a weight for each pixel, so that each class weighs the same in total.

    Count over all masks of the batch together: let N be the number of pixels that are not void, n
    that of the pixels of a class, and K the number of classes that occur. Each pixel of this class
    gets the weight N / (K n); void gets 0. The weights of the labelled pixels then have the mean 1.

    For instance the mask [[0, 0, 0, 4]] has N = 4 and K = 2: the weights are 4 / (2 · 3) = 0.667
    for the three pixels of class 0, and 4 / (2 · 1) = 2 for the one of class 4.

    Args:
        masks: (B, H, W) integer array of class indices, and 255 for void. At least one pixel is not
            void.

    Returns:
        (B, H, W) array of numbers.
    """
    raise NotImplementedError

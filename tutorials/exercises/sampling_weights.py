"""Chapter 2: draw pixels so that all classes are equally likely.

Why: a pixel drawn blindly is nearly always background. With these weights a network sees each class
equally often, without a change to the loss. The same idea helps wherever classes are unequal.
"""

import numpy as np


def sampling_weights(mask):
    """Computes with which probability to draw each pixel of a mask.

    Each class that occurs in the mask is to be drawn with the same probability, and within a class
    each pixel. Void pixels (255) are never drawn; a class that does not occur gets nothing.

    For instance, the mask [[0, 0, 0, 2]] has two classes, each to be drawn with probability 1/2:
    the three pixels of class 0 get 1/6 each, the pixel of class 2 gets 1/2.

    Args:
        mask: (H, W) uint8 array of class indices, and 255 for void; not all of it is void.

    Returns:
        (H, W) float array of probabilities; their sum is 1.
    """
    raise NotImplementedError

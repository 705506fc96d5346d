"""Chapter 1: the share of each class.

Why: the shares tell you what an all-background answer scores, and which classes a network will
hardly ever see. Leave void out; otherwise the shares of a data set with wide contours look smaller.
"""

import numpy as np


def class_shares(masks, num_classes):
    """Computes which share of the labelled pixels each class has, over a whole data set.

    A pixel counts as labelled if it is not void (255). Take the pixels of all masks together: a
    large mask counts for more than a small one.

    For instance the masks [[0, 0, 1]] and [[0, 255]] have four labelled pixels, three of class 0
    and one of class 1. For three classes the answer is 0.75, 0.25, 0.

    Args:
        masks: list of (H, W) uint8 arrays of class indices 0..C-1, and 255 for void. Sizes may
            differ.
        num_classes: C.

    Returns:
        C numbers, 0..1, one for each class: a list or an array.
    """
    raise NotImplementedError

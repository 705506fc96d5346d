"""Chapter 8: IoU by class, with void.

Why: implementations of IoU differ in two things, void and absent classes. Once you have written one
yourself, you know what to ask of a published number.
"""

import numpy as np


def iou_with_void(truth, prediction, num_classes):
    """Computes the IoU of every class on one image.

    A pixel whose truth is 255 (void) is not scored, whatever the prediction says there. The IoU of
    a class is the number of scored pixels that have the class in both the truth and the prediction,
    divided by the number that have it in at least one of them. A class that is in neither has no
    IoU.

    For instance with truth [[0, 1, 255]] and prediction [[1, 1, 1]] and three classes: class 0 has
    0 of 1 pixel, class 1 has 1 of 2, class 2 has none: [0.0, 0.5, nan].

    Args:
        truth: (H, W) integer array of class indices 0..C-1, and 255 for void.
        prediction: (H, W) integer array of class indices 0..C-1.
        num_classes: C.

    Returns:
        A list or array of C numbers 0..1; `numpy.nan` (or None) for a class that has no IoU.
    """
    raise NotImplementedError

"""Chapter 8: IoU by class, with void.

Why: void and absent classes are the two places at which implementations of IoU differ from each
other; whoever has written it once knows what to ask of a published number.
"""

import numpy as np


def iou_with_void(truth, prediction, num_classes):
    """Computes the IoU of every class on one image.

    A pixel whose truth is 255 (void) is not judged, whatever the prediction says there. The IoU of
    a class is the number of judged pixels that are of the class in the truth and in the prediction,
    over the number that are of the class in the truth or in the prediction. A class that is in
    neither has no IoU.

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

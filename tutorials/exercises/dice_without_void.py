"""Chapter 7: a Dice loss without void.

Why: Keras has a Dice loss, but it knows nothing of void, and counts what the model says there. With
your own you know what is in the sum.
"""

import numpy as np


def dice_without_void(probabilities, masks):
    """Computes the Dice loss of a batch: one minus the mean Dice score of its classes.

    The Dice score of class c is 2 I / (P + T), over all labelled pixels of the batch together: P is
    the sum of the probabilities of class c, T the number of pixels whose true class is c, and I the
    sum of the probabilities of class c over these T pixels. Void counts in none of the three. A
    class that no labelled pixel of the batch shows is left out of the mean.

    For instance two pixels, one of class 0 with the probabilities (0.8, 0.2) and one of class 1
    with (0.4, 0.6): class 0 has I = 0.8, P = 1.2, T = 1, so 1.6 / 2.2 = 0.727. Class 1 has 1.2 /
    1.8 = 0.667. The loss is 1 - 0.697 = 0.303.

    Args:
        probabilities: (B, H, W, C) array; those of a pixel add up to 1.
        masks: (B, H, W) integer array of class indices 0..C-1, and 255 for void. At least one pixel
            is not void.

    Returns:
        One number, 0..1.
    """
    raise NotImplementedError

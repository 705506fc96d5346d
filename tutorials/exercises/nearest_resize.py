"""Chapter 1: resize a mask.

Why: this way to resize a mask invents no classes, and all you have to do is choose rows and
columns. If you choose them by corners instead of centres, you shift the mask against its image, by
so little that nobody notices.
"""

import numpy as np


def nearest_resize(mask, height, width):
    """Resizes a mask by the nearest neighbour: a new pixel is the old one that its centre lies in.

    The centre of new row i, of `height` rows, is at i + 1/2. In the old mask of H rows this is at
    (i + 1/2) H / height. Old row k reaches from k to k + 1; a centre that lies just between
    two rows belongs to the one with the larger number. The same holds for the columns.

    For instance [[5, 6, 7, 8, 9]], resized to height 1 and width 2, has its new centres at 1.25 and
    3.75 in old pixels: the result is [[6, 8]].

    Args:
        mask: (H, W) uint8.
        height: the number of rows wanted.
        width: the number of columns wanted.

    Returns:
        (height, width) uint8 array.
    """
    raise NotImplementedError

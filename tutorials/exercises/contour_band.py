"""Chapter 5: the band around the contours, by NumPy.

Why: a pixel is near a contour if the labels around it are not all the same. This is all that
`cv2.dilate` and `cv2.erode` did in the chapter.
"""

import numpy as np


def contour_band(mask, width):
    """Finds the pixels near a contour, without OpenCV.

    A pixel is in the band if a pixel with another label is at most `width` rows and at most
    `width` columns away: in the square of side 2 * width + 1 around it, including its corners.
    Nothing outside the image counts. Void (255) is a label like any other.

    For instance in the row 0 0 0 0 7 7 7 7 the two pixels in the middle are in the band with width
    1, and the four in the middle with width 2.

    Helpful: `np.pad` with one of its modes, and
    `np.lib.stride_tricks.sliding_window_view(array, (n, n))`, which gives the n x n square at each
    position as (rows, columns, n, n). Loops also work.

    Args:
        mask: (H, W) uint8 of labels.
        width: pixels on each side of a contour, a whole number from 1.

    Returns:
        (H, W) bool.
    """
    raise NotImplementedError

"""The colours of VOC's masks."""

import numpy as np


def palette() -> np.ndarray:
    """The 256 colours of VOC's masks, computed as in the development kit's `VOClabelcolormap`.

    The bits of an index are dealt out in turn to red, green and blue: the lowest three to the
    highest bit of each colour, the next three to the second highest, and so on.

    Returns:
        (256, 3) uint8: row i is the RGB colour of class i; row 255 that of void.

    Examples:
        >>> from voc_seg import palette
        >>> palette()[12].tolist()  # a dog
        [64, 0, 128]
    """
    index = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        colours[:, bit % 3] |= (((index >> bit) & 1) << (7 - bit // 3)).astype(np.uint8)
    return colours

"""Chapter 8: an object on a transparent background.

Why: this is what most people want a segmentation for. A cut-out has three channels of colour and a
fourth one, alpha, which says how opaque each pixel is.
"""

import numpy as np


def cut_out_alpha(image, labels, keep):
    """Cuts the objects of chosen classes out of an image.

    The fourth channel of the result, alpha, is 255 (opaque) where the label is one of `keep`, and 0
    (transparent) elsewhere. Transparent pixels are also black. Otherwise anyone could still read
    from the file what you cannot see, for instance the faces in the background.

    For instance image [[[10, 20, 30], [40, 50, 60]]], labels [[0, 8]], keep [8]:
    [[[0, 0, 0, 0], [40, 50, 60, 255]]].

    Args:
        image: (H, W, 3) uint8, RGB. Do not change it.
        labels: (H, W) uint8 of class indices.
        keep: list of the class indices to keep.

    Returns:
        (H, W, 4) uint8 array, RGBA.
    """
    raise NotImplementedError

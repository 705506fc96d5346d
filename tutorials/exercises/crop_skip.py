"""Chapter 5: crop a skip connection.

Why: with convolutions that are not padded the encoder's map is larger than the decoder's. To lie
side by side at the same place of the image, the two must be aligned at their middles.
"""


def crop_skip(skip, height, width):
    """Cuts the middle out of an encoder's map.

    Where the number of rows to remove is odd, the additional one is removed at the bottom; where
    the number of columns is, at the right. For instance 7 rows become 4: one is removed at the
    top and two at the bottom.

    Args:
        skip: (B, H, W, C) array, the encoder's map.
        height: rows of the decoder's map, 1..H.
        width: columns of the decoder's map, 1..W.

    Returns:
        (B, height, width, C) array.
    """
    raise NotImplementedError

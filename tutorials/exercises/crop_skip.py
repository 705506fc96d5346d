"""Chapter 5: crop a skip connection.

Why: with convolutions that are not padded, the encoder's map is larger than the decoder's. Before
you concatenate them, align the two at their middles, so they show the same part of the image.
"""


def crop_skip(skip, height, width):
    """Cuts the middle out of an encoder's map.

    If the number of rows to remove is odd, the additional one goes at the bottom. If the number of
    columns is odd, it goes at the right. For instance 7 rows become 4: one is removed at the top
    and two at the bottom.

    Args:
        skip: (B, H, W, C) array, the encoder's map.
        height: rows of the decoder's map, 1..H.
        width: columns of the decoder's map, 1..W.

    Returns:
        (B, height, width, C) array.
    """
    raise NotImplementedError

"""Chapter 2: cut a window out of an image.

Why: the window is all that the classifier sees. If you cut it one pixel off, or fill the border in
another way than in training, you ask the network a question that it has not learned to answer.
"""

import numpy as np


def extract_window(image, row, column, window):
    """Cuts out the window around one pixel; beyond the border it sees the image's reflection.

    The border pixel itself is not repeated: a row of pixels a b c d, reflected by two on each side,
    becomes c b a b c d c b.

    For instance, with a window of 3 around the pixel (0, 0), the middle of the result is
    image[0, 0], the pixel above it image[1, 0], and the one at the top left image[1, 1].

    Args:
        image: (H, W, 3) uint8 array, both sides larger than half the window.
        row, column: which pixel; 0 <= row < H and 0 <= column < W.
        window: height and width of the window, odd.

    Returns:
        (window, window, 3) uint8 array with the pixel in its middle.
    """
    raise NotImplementedError

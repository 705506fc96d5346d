"""Chapter 5: how much to pad.

Why: a network halves its maps `depth` times and doubles them again. It gets back to the size that
it began with only if the side can be halved that often without a remainder.
"""


def pad_to_multiple(size, depth):
    """Counts the pixels to add to one side of an image.

    For instance a side of 45 pixels and depth 3: the next length that can be halved three times is
    48 (48, 24, 12, 6), so we have to add 3 pixels.

    Args:
        size: length of the side, a whole number from 1.
        depth: how many times the network halves the resolution, a whole number from 1.

    Returns:
        The smallest number of pixels to add, 0 or more, so that the side can be halved `depth`
        times without a remainder.
    """
    raise NotImplementedError

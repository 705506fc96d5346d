"""Chapter 5: how much to pad.

Why: a network that halves its maps `depth` times and doubles them again gets back to the size that
it began with only if the side can be halved that often without a remainder.
"""


def pad_to_multiple(size, depth):
    """Counts the pixels to add to one side of an image.

    For instance a side of 45 pixels and depth 3: the next length that can be halved three times is
    48 (48, 24, 12, 6), so that 3 pixels have to be added.

    Args:
        size: length of the side, a whole number from 1.
        depth: how often the network halves the resolution, a whole number from 1.

    Returns:
        The smallest number of pixels, 0 or more, after whose addition the side can be halved
        `depth` times without a remainder.
    """
    raise NotImplementedError

"""Chapter 1: the palette from the bit pattern.

Why: if you know the pattern you never need a table of colours, and you see at a glance that
(128, 0, 0) is class 1, in any data set that follows VOC.
"""


def palette():
    """Computes VOC's palette.

    Write the index as eight bits, b7 ... b0. Bit 0 goes to red, bit 1 to green, bit 2 to blue, bit
    3 to red again, and so on. In each colour the first bit to arrive becomes the most significant
    one (128), the second the next (64), the third the next (32).

    For instance index 11 is 0b1011: bits 0 and 3 give red 128 + 64, bit 1 gives green 128.

    Returns:
        A list of 256 triples (red, green, blue), each number 0..255.
    """
    raise NotImplementedError

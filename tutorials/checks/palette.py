"""The check of `palette`: against the palette of the library."""

import numpy as np

import voc_seg


def expected():
    return voc_seg.palette()


def least_significant_first():
    return build(lambda bit: (bit % 3, 1 << bit // 3))


def blue_first():
    return build(lambda bit: (2 - bit % 3, 128 >> bit // 3))


def thirds_of_the_bits():
    return build(lambda bit: (bit // 3, 128 >> bit % 3))


def build(place):
    """A palette in which each bit goes to the (channel, value) that `place(bit)` says."""
    colours = []
    for index in range(256):
        colour = [0, 0, 0]
        for bit in range(8):
            channel, value = place(bit)
            colour[channel] += value * (index >> bit & 1)
        colours.append(colour)
    return np.array(colours)


CASES = [
    (
        "all 256 colours",
        (),
        "Begin with the indices that have a single bit: 1, 2, 4 and 8. Which colour, which value?",
    )
]
MISTAKES = [
    (
        least_significant_first,
        "Least significant first: your first bit of a colour became 1, not 128. The pattern fills "
        "each colour from the top, so that class 1 is a dark red that the eye can see.",
    ),
    (
        blue_first,
        "Channels reversed: bit 0 went to blue. That is the order of OpenCV; the palette is RGB.",
    ),
    (
        thirds_of_the_bits,
        "Bits in blocks: bits 0, 1 and 2 all went to red. The channels take turns, bit by bit.",
    ),
]
READ = "The palette"
GOOD_FOR = (
    "`voc_seg.palette` builds its table from the same bits, and `write_mask` puts that table into "
    "every mask it saves, so any viewer shows the classes in VOC's colours."
)

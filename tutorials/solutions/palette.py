"""Chapter 1: the palette from the bit pattern."""


def palette():
    colours = []
    for index in range(256):
        colour = [0, 0, 0]
        for bit in range(8):
            if index >> bit & 1:
                colour[bit % 3] += 128 >> bit // 3
        colours.append(tuple(colour))
    return colours

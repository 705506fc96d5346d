"""Chapter 5: how much to pad."""


def pad_to_multiple(size, depth):
    multiple = 2**depth
    return -size % multiple  # in Python the remainder of a negative number is not negative

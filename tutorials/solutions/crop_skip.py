"""Chapter 5: crop a skip connection."""


def crop_skip(skip, height, width):
    top = (skip.shape[1] - height) // 2
    left = (skip.shape[2] - width) // 2
    return skip[:, top : top + height, left : left + width]

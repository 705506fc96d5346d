"""Chapter 5: the size of the paper's answer."""


def valid_unet_size(size, depth):
    for _ in range(depth):
        size -= 4  # a block
        if size % 2:
            return 0
        size //= 2
    size -= 4
    for _ in range(depth):
        size = 2 * size - 4
    return max(0, size)

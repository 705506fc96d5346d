"""Chapter 4: the size that comes out."""


def output_size(size, layers):
    for kind, kernel, stride, padding in layers:
        if kind == "down" and padding == "valid":
            size = (size - kernel) // stride + 1
        elif kind == "down":
            size = -(-size // stride)  # rounded up
        elif padding == "valid":
            size = size * stride + max(kernel - stride, 0)
        else:
            size = size * stride
    return size

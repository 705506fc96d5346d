"""Chapter 2: count the multiplications of a patch classifier."""


def count_multiplications(size, channels, convolutions, dense):
    total = 0
    for kernel, stride, filters in convolutions:
        size = (size - kernel) // stride + 1  # height and width of the map that the layer puts out
        total += size**2 * kernel**2 * channels * filters
        channels = filters
    inputs = size**2 * channels
    for units in dense:
        total += inputs * units
        inputs = units
    return total

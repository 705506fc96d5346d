"""Chapter 2: count the multiplications of a patch classifier.

Why: seconds depend on the machine and on what else it does; you can count multiplications
on paper, before you train anything, and see which layer costs what.
"""


def count_multiplications(size, channels, convolutions, dense):
    """Counts the multiplications of a network for one window.

    The convolutions come first, one after the other, without padding ("valid"): the kernel only
    goes where all of it lies on the map, from the first row and column on, in steps of the stride.
    The output of the last one is flattened: all its numbers are inputs of the first dense layer (a
    fully connected layer; `Dense` in Keras).
    Biases and activations are not multiplications by weights, and not counted.

    For instance, a window of 3 x 3 pixels with 3 channels and one convolution of kernel 3, stride 1
    and 2 filters: the kernel fits at one position only, where each of the 2 filters multiplies
    3 * 3 * 3 numbers. That makes 54; a dense layer of 5 units after it adds 2 * 5.

    Args:
        size: height and width of the window.
        channels: how many channels the window has, 3 for RGB.
        convolutions: list of (kernel, stride, filters): height and width of the kernel, the
            stride in both directions, and how many filters the layer has.
        dense: list of how many units each dense layer has.

    Returns:
        The number of multiplications, an int.
    """
    raise NotImplementedError

"""Chapter 3: a fully connected layer as a convolution.

Why: this one step frees a classifier from the size of its input. Many networks for segmentation
began as classifiers of whole images, and took just this step (Long et al. 2015).
"""


def dense_to_convolution(weights, height, width):
    """Turns the weights of a fully connected layer (`Dense`) into the kernel of a convolution.

    Before that layer a map (height, width, channels) was flattened: row by row, in each row
    position by position, at each position channel by channel. So the first weights are those for
    the channels of position (0, 0), the next ones those for the channels of position (0, 1).

    The kernel does for the map what the fully connected layer does for the flattened map. For
    instance kernel[i, j, c, u] is the factor by which output u multiplies channel c of row i and
    column j.

    Args:
        weights: (height * width * channels, outputs) NumPy array, as `Dense` has them.
        height: rows of the map.
        width: columns of the map.

    Returns:
        (height, width, channels, outputs) NumPy array, as `Conv2D` has it. How many channels and
        outputs there are follows from the shape of `weights`.
    """
    raise NotImplementedError

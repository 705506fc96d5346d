"""Chapter 6: count what is trained.

Why: is the encoder really frozen? One number tells you, the count of trainable parameters, if you
know which number to expect.
"""


def count_trainable(layers):
    """Counts the trainable parameters of a list of layers.

    - A convolution has a kernel of size x size x inputs weights for each of its filters and, where
      `bias` is True, one more number for each filter.
    - A batch normalisation has four numbers for each channel. Its scale and shift are learned. Its
      mean and variance are statistics of the data, and the optimiser never changes them.
    - A layer with `trainable` False is frozen: nothing in it is trained.

    For instance a trainable convolution of size 3 from 3 channels to 64 with a bias has
    3 * 3 * 3 * 64 + 64 = 1792 trainable parameters.

    Args:
        layers: list of dictionaries, of two kinds:
            {"kind": "convolution", "size": 3, "inputs": 3, "filters": 64, "bias": True,
             "trainable": True}
            {"kind": "normalisation", "channels": 64, "trainable": True}

    Returns:
        The number of trainable parameters, an int.
    """
    raise NotImplementedError

"""The check of `dense_to_convolution`: weight by weight."""

import numpy as np


def expected(weights, height, width):
    channels = len(weights) // (height * width)
    kernel = np.zeros((height, width, channels, weights.shape[1]))
    for i, j, c in np.ndindex(height, width, channels):
        kernel[i, j, c] = weights[(i * width + j) * channels + c]
    return kernel


def channels_first(weights, height, width):
    outputs = weights.shape[1]
    return weights.reshape(-1, height, width, outputs).transpose(1, 2, 0, 3)


def columns_first(weights, height, width):
    kernel = weights.reshape(width, height, -1, weights.shape[1])
    return kernel.transpose(1, 0, 2, 3)


def outputs_first(weights, height, width):
    kernel = weights.reshape(weights.shape[1], height, width, -1)
    return kernel.transpose(1, 2, 3, 0)


def turned_around(weights, height, width):
    return expected(weights, height, width)[::-1, ::-1]


def numbered(inputs, outputs):
    """Weights that say where they come from: 203 is that of input 2 for output 3."""
    return np.add.outer(100.0 * np.arange(inputs), np.arange(outputs))


CASES = [
    (
        "a map of 2 x 2 places with 3 channels, 5 outputs (the weight from input 2 to output 3 is "
        "203, and so on)",
        (numbered(12, 5), 2, 2),
        "The weights are in the right order already; only their shape is not. The number of "
        "channels is what is left of the inputs when height and width are divided out.",
    ),
    (
        "a map of 2 rows and 3 columns with 4 channels, 5 outputs",
        (numbered(24, 5), 2, 3),
        "The map is not square: which of its two sides comes first? And it has 4 channels, not 3: "
        "let their number follow from the shape of the weights.",
    ),
    (
        "a map of one place with 6 channels, 2 outputs",
        (numbered(6, 2), 1, 1),
        "A dense layer after another one sees a single place: its kernel is 1 x 1, with all "
        "inputs as channels.",
    ),
]
MISTAKES = [
    (
        channels_first,
        "Channels first: you took the flattened map to hold all of channel 0, then all of "
        "channel 1. That is how PyTorch flattens; in Keras the channels of one position are "
        "next to each other.",
    ),
    (
        columns_first,
        "Columns first: place (0, 1), to the right of the first, is the second in the flattened "
        "map, not place (1, 0) below it.",
    ),
    (
        outputs_first,
        "Outputs first: the outputs are the last axis of the weights and of the kernel. Your "
        "reshape ran weights of different outputs together.",
    ),
    (
        turned_around,
        "Turned around: you have reversed the kernel, as the convolution of mathematics does. "
        "Keras' convolution does not reverse it, so there is nothing to undo.",
    ),
]
READ = "A fully connected layer becomes a convolution"
GOOD_FOR = (
    "`copy_weights` does it in one `reshape`, and it is how classifiers of whole images became "
    "the first fully convolutional networks."
)

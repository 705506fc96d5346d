"""The sliding-window patch classifier: what is the pixel in the middle of this window?

Cireşan, Giusti, Gambardella and Schmidhuber, "Deep Neural Networks Segment Neuronal Membranes in
Electron Microscopy Images", NIPS 2012: an N x N image is N² examples, each a window with the
class of its central pixel.
"""

import keras
from keras import layers

from voc_seg.layers import ClassProbabilities, check_arguments


def build_patch_classifier(num_classes=21, window=33, filters=32):
    """Builds a classifier of windows.

    Convolutions with stride 2 halve the map until it is at most 4 x 4; what is left goes through
    a dense layer. The kernels are 3 x 3 on maps of odd and 4 x 4 on maps of even size, so that
    the strides come out even and the receptive field is the window, to the pixel. The paper
    pools instead; a strided convolution halves the map as well, with one layer less, and in
    `to_dense` its stride becomes a dilation.

    Args:
        num_classes: how many classes, background included; 2 for object against background.
        window: height and width of the window in pixels; odd, so that there is a middle.
        filters: filters of the first two convolutions; the others have twice as many.

    Returns:
        A `keras.Model`: (B, window, window, 3) RGB, 0..255 -> (B, num_classes) float32
            probabilities of the class of the central pixel.

    Raises:
        ValueError: the window is even or below 1, or another argument is below its minimum
            (2 classes, 1 filter).
    """
    check_arguments(num_classes=num_classes, window=window, filters=filters)
    inputs = keras.Input((window, window, 3), name="window")  # (B, window, window, 3)
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(inputs)

    size = window - min(3, window) + 1
    x = conv(x, filters, min(3, window), 1, "conv1")  # (B, size, size, filters)
    number = 2
    while size > 4:
        kernel = 3 if size % 2 else 4
        size = (size - kernel) // 2 + 1
        x = conv(x, filters * (1 if number == 2 else 2), kernel, 2, f"conv{number}")
        number += 1

    x = layers.Flatten(name="flatten")(x)  # (B, size * size * channels)
    hidden = layers.Dense(
        2 * filters, activation="relu", kernel_initializer="he_normal", name="hidden"
    )
    x = hidden(x)  # (B, 2 filters)
    x = layers.Dense(num_classes, name="logits")(x)  # (B, num_classes)
    outputs = ClassProbabilities(name="probabilities")(x)
    return keras.Model(inputs, outputs, name="patch_classifier")


def conv(x, filters, kernel, stride, name):
    return layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )(x)

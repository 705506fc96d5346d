"""Chapter 5: the missing lines of a U-Net.

Why: three lines turn an encoder-decoder into a U-Net. Once you have written them yourself, you will
find them in every U-Net that you read.
"""

import keras
from keras import layers


def small_unet(num_classes, filters, depth):
    """Builds a small U-Net. It is complete except for its skip connections.

    Delete the first line and write the three that are missing. The decoder's convolution at a scale
    reads the encoder's map of the same scale, as it was before the pooling, concatenated with the
    enlarged map. The encoder's map comes first. Do not change the names of the layers.

    Args:
        num_classes: the number of classes.
        filters: filters at the first scale; each coarser scale has twice as many.
        depth: how many times the resolution is halved.

    Returns:
        A `keras.Model`: (B, H, W, 3) -> (B, H, W, num_classes), for sides that 2**depth divides.
    """
    raise NotImplementedError  # delete this line

    inputs = x = keras.Input((None, None, 3), name="image")
    options = {"padding": "same", "activation": "relu"}
    # 1. Here is a line missing: a list for the maps of the encoder.

    for i in range(depth):
        x = layers.Conv2D(filters * 2**i, 3, name=f"encoder{i + 1}", **options)(x)
        # 2. Here is a line missing: keep this map.
        x = layers.MaxPooling2D(2, name=f"pool{i + 1}")(x)
    x = layers.Conv2D(filters * 2**depth, 3, name="bottleneck", **options)(x)
    for i in reversed(range(depth)):
        x = layers.Conv2DTranspose(filters * 2**i, 2, strides=2, name=f"up{i + 1}")(x)
        # 3. Here is a line missing: concatenate the kept map with this one.
        x = layers.Conv2D(filters * 2**i, 3, name=f"decoder{i + 1}", **options)(x)
    outputs = layers.Conv2D(num_classes, 1, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, outputs)

"""Chapter 5: the missing lines of a U-Net."""

import keras
from keras import layers


def small_unet(num_classes, filters, depth):
    inputs = x = keras.Input((None, None, 3), name="image")
    options = {"padding": "same", "activation": "relu"}
    skips = []
    for i in range(depth):
        x = layers.Conv2D(filters * 2**i, 3, name=f"encoder{i + 1}", **options)(x)
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"pool{i + 1}")(x)
    x = layers.Conv2D(filters * 2**depth, 3, name="bottleneck", **options)(x)
    for i in reversed(range(depth)):
        x = layers.Conv2DTranspose(filters * 2**i, 2, strides=2, name=f"up{i + 1}")(x)
        x = layers.Concatenate()([skips[i], x])
        x = layers.Conv2D(filters * 2**i, 3, name=f"decoder{i + 1}", **options)(x)
    outputs = layers.Conv2D(num_classes, 1, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, outputs)

"""Chapter 6: freeze the right layers."""

import keras


def freeze(model, first):
    model.trainable = True
    trains = False
    for layer in model.layers:
        if layer.name.startswith(f"{first}_"):
            trains = True
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = trains and not normalises
    return model

"""Encoder-decoder: down to a coarse map that has seen the whole image, and up again.

Noh, Hong and Han, "Learning Deconvolution Network for Semantic Segmentation", ICCV 2015, and
Badrinarayanan, Kendall and Cipolla, "SegNet", 2017, brought the symmetric form. Theirs unpool with
the places of the maxima; ours decodes with transposed convolutions alone, as `build_unet` does,
of which it is the exact copy but for the skip connections: compare the two files.
"""

import keras
from keras import layers

from voc_seg.layers import (
    ClassProbabilities,
    CropLike,
    PadToMultiple,
    check_arguments,
    conv_block,
)


def build_encoder_decoder(num_classes=21, filters=64, depth=4):
    """Builds an encoder-decoder: a U-Net without its skip connections.

    Args:
        num_classes: how many classes, background included; 2 for object against background.
        filters: filters of the first scale; each scale below has twice as many.
        depth: how often the resolution is halved.

    Returns:
        A `keras.Model`: (B, H, W, 3) RGB, 0..255, of any height and width from 1 ->
            (B, H, W, num_classes) float32 class probabilities.

    Raises:
        ValueError: an argument is below its minimum (2 classes, 1 filter, depth 1).
    """
    check_arguments(num_classes=num_classes, filters=filters, depth=depth)
    inputs = keras.Input((None, None, 3), name="image")  # (B, H, W, 3)
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(inputs)
    x = PadToMultiple(2**depth, name="pad")(x)

    for i in range(depth):
        x = conv_block(x, filters * 2**i, f"encoder{i + 1}")  # (B, H / 2^i, W / 2^i, F 2^i)
        x = layers.MaxPooling2D(2, name=f"encoder{i + 1}_pool")(x)

    x = conv_block(x, filters * 2**depth, "bottleneck")  # (B, H / 2^depth, W / 2^depth, F 2^depth)

    for i in reversed(range(depth)):
        x = layers.Conv2DTranspose(filters * 2**i, 2, strides=2, name=f"decoder{i + 1}_up")(x)
        x = conv_block(x, filters * 2**i, f"decoder{i + 1}")  # (B, H / 2^i, W / 2^i, F 2^i)

    x = layers.Conv2D(num_classes, 1, name="logits")(x)
    x = CropLike(name="crop")([x, inputs])  # (B, H, W, num_classes)
    outputs = ClassProbabilities(name="probabilities")(x)
    return keras.Model(inputs, outputs, name="encoder_decoder")

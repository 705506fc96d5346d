"""U-Net: an encoder-decoder with skip connections between equal scales.

Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015. Going down, the encoder learns what is in the image and loses where; each skip
connection hands the decoder the feature map from before the loss, at the same scale.
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


def build_unet(num_classes=21, filters=64, depth=4):
    """Builds a U-Net.

    Where we depart from the paper: the convolutions are padded, so that the output is as large as
    the input, and skip connections need no cropping; images whose sides 2**depth does not divide
    are padded by reflection and cropped again; batch normalisation follows each convolution; no
    dropout.

    Args:
        num_classes: how many classes, background included; 2 for object against background.
        filters: filters of the first scale; each scale below has twice as many. The paper: 64.
        depth: how often the resolution is halved. The paper: 4.

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

    skips = []
    for i in range(depth):
        x = conv_block(x, filters * 2**i, f"encoder{i + 1}")  # (B, H / 2^i, W / 2^i, F 2^i)
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"encoder{i + 1}_pool")(x)

    x = conv_block(x, filters * 2**depth, "bottleneck")  # (B, H / 2^depth, W / 2^depth, F 2^depth)

    for i in reversed(range(depth)):
        x = layers.Conv2DTranspose(filters * 2**i, 2, strides=2, name=f"decoder{i + 1}_up")(x)
        x = layers.Concatenate(name=f"decoder{i + 1}_skip")([skips[i], x])  # (..., 2 F 2^i)
        x = conv_block(x, filters * 2**i, f"decoder{i + 1}")  # (B, H / 2^i, W / 2^i, F 2^i)

    x = layers.Conv2D(num_classes, 1, name="logits")(x)
    x = CropLike(name="crop")([x, inputs])  # (B, H, W, num_classes)
    outputs = ClassProbabilities(name="probabilities")(x)
    return keras.Model(inputs, outputs, name="unet")

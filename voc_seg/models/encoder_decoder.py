"""Encoder-decoder: down to a coarse map that has seen the whole image, and up again.

This symmetric design goes back to Noh, Hong and Han, "Learning Deconvolution Network for Semantic
Segmentation", ICCV 2015, and Badrinarayanan, Kendall and Cipolla, "SegNet", TPAMI 2017. They
upsample with stored max-pooling indices; we use transposed convolutions. Apart from the skip
connections this is `build_unet`: compare the two files.
"""

import keras
from keras import layers

from voc_seg.checks import check_whole
from voc_seg.models.blocks import ClassProbabilities, CropLike, PadToMultiple, conv_block


def build_encoder_decoder(
    num_classes: int = 21,
    filters: int = 64,
    depth: int = 4,
) -> keras.Model:
    """Builds an encoder-decoder: a U-Net without its skip connections.

    Args:
        num_classes: the number of classes, background included; 2 for object against background.
        filters: filters at the first scale; each coarser scale has twice as many.
        depth: how many times the resolution is halved.

    Returns:
        A model: (B, H, W, 3) RGB, 0..255, of any height and width from 1 ->
            (B, H, W, num_classes) float32 class probabilities.

    Raises:
        ValueError: an argument is below its minimum (2 classes, 1 filter, depth 1).

    Examples:
        >>> from voc_seg import build_encoder_decoder
        >>> model = build_encoder_decoder(num_classes=5, filters=8, depth=3)
        >>> model.output_shape
        (None, None, None, 5)
    """
    check_whole("num_classes", num_classes, low=2, high=255)
    check_whole("filters", filters)
    check_whole("depth", depth)
    inputs = keras.Input((None, None, 3), name="image")  # (B, H, W, 3)
    # From 0..255 to -1..1.
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(inputs)
    x = PadToMultiple(2**depth, name="pad")(x)  # to halve it `depth` times

    # Encoder: half the size and twice the filters at each step. It learns
    # what is in the image, and loses track of where.
    for i in range(depth):
        name = f"encoder{i + 1}"
        x = conv_block(x, filters * 2**i, name)  # (B, H/2^i, W/2^i, F 2^i)
        x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)

    # The coarsest map: each position has seen a large part of the image.
    # It is (B, H / 2^depth, W / 2^depth, F 2^depth).
    x = conv_block(x, filters * 2**depth, "bottleneck")

    # Decoder: back to full size, one scale at a time.
    for i in reversed(range(depth)):
        name = f"decoder{i + 1}"
        up = layers.Conv2DTranspose(filters * 2**i, 2, 2, name=f"{name}_up")
        x = up(x)  # kernel 2, stride 2: twice the size
        x = conv_block(x, filters * 2**i, name)  # (B, H/2^i, W/2^i, F 2^i)

    # A 1 x 1 convolution is the same small classifier at every pixel.
    x = layers.Conv2D(num_classes, 1, name="logits")(x)
    x = CropLike(name="crop")([x, inputs])  # (B, H, W, num_classes)
    outputs = ClassProbabilities(name="probabilities")(x)
    return keras.Model(inputs, outputs, name="encoder_decoder")

"""A small pretrained encoder: the built-in substitute for a VGG16 pretrained on ImageNet.

It is trained on images with one object each and the name of that object, without masks, as VGG16
was on ImageNet. So transfer learning can be tried offline, and in a minute.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import layers
from tqdm import tqdm

from voc_seg.checks import check_whole
from voc_seg.data.shapes import SHAPE_CLASSES, draw_scene
from voc_seg.models.blocks import conv_block


def pretrain_encoder(
    seed: int = 0, count: int = 3000, epochs: int = 2, size: int = 40
) -> keras.Model:
    """Trains a small encoder in VGG's style to name the one object in an image.

    Args:
        seed: random seed of the images. (The initial weights depend on
            Keras' global seed, see `keras.utils.set_random_seed`.)
        count: the number of images.
        epochs: the number of passes over them.
        size: height and width of the images in pixels, at least 8.

    Returns:
        A model for the `encoder` of `build_vgg_transfer`, with three blocks: (B, H, W, 3), BGR with
            the ImageNet means subtracted -> (B, H / 8, W / 8, 64).

    Raises:
        ValueError: an argument is not a whole number of at least 1 (the seed: 0).

    Examples:
        >>> from voc_seg import pretrain_encoder
        >>> encoder = pretrain_encoder(count=32, epochs=1)
        >>> [layer.name for layer in encoder.layers if "pool" in layer.name]
        ['block1_pool', 'block2_pool', 'block3_pool']
    """
    check_whole("seed", seed, low=0)
    check_whole("count", count)
    check_whole("epochs", epochs)
    check_whole("size", size, low=8)  # three poolings halve it three times
    rng = np.random.default_rng((seed, 2))  # (seed, 0) and (seed, 1) are write_shapes' two splits
    labels = rng.integers(1, len(SHAPE_CLASSES), count)
    drawn = tqdm(labels, desc="drawing single objects", unit="image")
    images = np.stack([draw_scene(rng, size, [label])[0] for label in drawn])  # (N, S, S, 3)

    encoder = build_encoder()
    photos = keras.Input((size, size, 3))
    x = encoder(keras.applications.vgg16.preprocess_input(photos))
    x = layers.GlobalAveragePooling2D()(x)  # (B, 64)
    x = layers.Dense(len(SHAPE_CLASSES), activation="softmax")(x)
    classifier = keras.Model(photos, x)

    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * math.ceil(count / 32))
    classifier.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    classifier.fit(images, labels, batch_size=32, epochs=epochs)
    return encoder


def build_encoder() -> keras.Model:
    """Three blocks of two convolutions, named as in VGG16: (B, H, W, 3) -> (B, H/8, W/8, 64)."""
    inputs = keras.Input((None, None, 3))
    x: Any = inputs
    for block, filters in enumerate((16, 32, 64), start=1):
        x = conv_block(x, filters, f"block{block}")  # block1_conv1 and so on
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(inputs, x)

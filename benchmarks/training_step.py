"""A training step of our U-Net against the same network written out in plain Keras.

    python benchmarks/training_step.py [--size 128] [--filters 16] [--rounds 20]

Both have the same layers and weights, the same optimizer and the same batch of random images
without void, and take their steps in turn, in one process. The plain one takes images of one size
only, knows no void and has no metric. Printed are the seconds of the fastest and of the median
step, and how many times as long ours takes.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras
import numpy as np
from keras import layers

from voc_seg import build_unet, compile_model, cross_entropy


def plain_block(x, filters):
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    return x


def plain_unet(classes, filters, size, depth=4):
    """A U-Net as in many tutorials: one size, softmax at the end."""
    inputs = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 127.5, -1)(inputs)
    skips = []
    for i in range(depth):
        x = plain_block(x, filters * 2**i)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = plain_block(x, filters * 2**depth)
    for i in reversed(range(depth)):
        x = layers.Conv2DTranspose(filters * 2**i, 2, strides=2)(x)
        x = layers.Concatenate()([skips[i], x])
        x = plain_block(x, filters * 2**i)
    return keras.Model(inputs, layers.Conv2D(classes, 1, activation="softmax")(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {
        "size": 128,
        "filters": 16,
        "classes": 21,
        "batch": 8,
        "rounds": 20,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (options.batch, options.size, options.size)
    images = rng.uniform(0, 255, (*shape, 3)).astype("float32")
    masks = rng.integers(0, options.classes, shape).astype("int32")

    ours = compile_model(build_unet(options.classes, filters=options.filters))
    bare = build_unet(options.classes, filters=options.filters)
    bare.compile(keras.optimizers.Adam(1e-3), cross_entropy)
    plain = plain_unet(options.classes, options.filters, options.size)
    plain.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    assert plain.count_params() == ours.count_params()
    seconds = {"plain Keras": plain, "ours": ours, "ours without its metric": bare}
    models, seconds = seconds, {name: [] for name in seconds}
    for step in range(-2, options.rounds):
        for name, model in models.items():
            start = time.perf_counter()
            model.train_on_batch(images, masks)
            if step >= 0:  # the first two compile
                seconds[name].append(time.perf_counter() - start)
    base = seconds["plain Keras"]
    print(f"{'':24}  fastest  median  ratio  ratio of medians")
    for name, times in seconds.items():
        fastest, median = min(times), statistics.median(times)
        print(
            f"{name:24}  {fastest:7.3f} {median:7.3f}  {fastest / min(base):5.3f}  "
            f"{median / statistics.median(base):5.3f}"
        )


if __name__ == "__main__":
    main()

"""The check of `vgg_preprocess`: against `keras.applications`."""

import keras
import numpy as np

BGR_MEANS = np.array([103.939, 116.779, 123.68])


def expected(images):
    # As float32 and copied: Keras would write into an array of floats.
    return keras.applications.vgg16.preprocess_input(np.array(images, "float32"))


def order_kept(images):
    return images - BGR_MEANS[::-1]


def wrong_channel(images):
    return images - BGR_MEANS


def red_mean_from_blue(images):
    return images[..., ::-1] - BGR_MEANS[::-1]


def scaled(images):
    return images[..., ::-1] / 255 - BGR_MEANS


def rows_reversed(images):
    return images[::-1] - BGR_MEANS


def protected_batch():
    """Two images of 2 x 3 pixels, into which nobody can write."""
    images = np.random.default_rng(6).integers(0, 256, (2, 2, 3, 3)).astype("float32")
    images.flags.writeable = False
    return (images,)


CASES = [
    (
        "one pixel with red 200, green 100, blue 50",
        (np.array([200.0, 100.0, 50.0]),),
        "Do it on paper: which number comes first after the reversal, and which mean is its own? "
        "(The channels are the last axis, whatever stands before it: `images[..., 0]`.)",
    ),
    (
        "an image of 2 x 2 pixels, uint8",
        lambda: (np.arange(0, 240, 20, dtype=np.uint8).reshape(2, 2, 3),),
        "Whole numbers of 8 bits hold 0..255 only: make floats of them before you subtract, in an "
        "array of your own. And is it the last axis that you reverse?",
    ),
    (
        "a batch of two images, floats, write-protected",
        protected_batch,
        "Do you write into the array that you were given, or into a view of it, which is what "
        "`images[..., ::-1]` is? Then whoever calls you twice has it done twice. Make a new array.",
    ),
]
MISTAKES = [
    (
        order_kept,
        "Still RGB: each mean went to its own channel, but the channels are in the old order. "
        "VGG16 wants blue first.",
    ),
    (
        wrong_channel,
        "The means are those of blue, green, red, in this order, and you subtracted them from red, "
        "green, blue. What has to happen before?",
    ),
    (
        red_mean_from_blue,
        "The channels are reversed, but blue lost the mean of red and red that of blue: the means "
        "have to stand in the order of the channels from which they are subtracted.",
    ),
    (
        scaled,
        "Divided by 255: the means are those of values of 0..255. VGG16 was trained without any "
        "scaling.",
    ),
    (
        rows_reversed,
        "The first axis is reversed: the image stands on its head (or the batch runs backwards). "
        "The channels are the last axis.",
    ),
]

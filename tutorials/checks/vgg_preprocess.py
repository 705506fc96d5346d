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


def zero_to_one(images):
    return images / 255


def bgr_zero_to_one(images):
    return images[..., ::-1] / 255


def minus_one_to_one(images):
    return images / 127.5 - 1


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
        "(The channels are the last axis, whatever comes before it: `images[..., 0]`.)",
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
        "`images[..., ::-1]` is? If you are called twice, it is then done twice. Make a new array.",
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
        "must have the same order as the channels from which you subtract them.",
    ),
    (
        scaled,
        "Divided by 255: the means are those of values of 0..255. VGG16 was trained without any "
        "scaling.",
    ),
    (
        zero_to_one,
        "Values in 0..1: many networks want that, but not VGG16. It was trained on 0..255, in BGR, "
        "with the means subtracted.",
    ),
    (
        bgr_zero_to_one,
        "The order is right, but the values are in 0..1. VGG16 was trained on 0..255 with the "
        "means subtracted; nothing is divided.",
    ),
    (
        minus_one_to_one,
        "Values in -1..1: that is for MobileNet or Inception. VGG16 subtracts the mean of each "
        "channel, in BGR, and divides nothing.",
    ),
    (
        rows_reversed,
        "The first axis is reversed: the image is upside down (or the batch runs backwards). "
        "The channels are the last axis.",
    ),
]
READ = "Preprocessing: once, and inside the model"
GOOD_FOR = (
    "`build_vgg_transfer` has this step inside the model, so that nobody who loads it can forget "
    "or repeat it."
)

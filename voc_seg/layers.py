"""The layers that Keras lacks, and the block of convolutions that the decoders share.

The layers let every model take images of any size: `PadToMultiple` at the entrance makes the
sides divisible by the network's stride, `CropLike` at the exit cuts off what was added. With that,
the feature maps that meet in a skip connection always have the same size.
"""

import keras
import numpy as np
from keras import layers, ops


def check_arguments(**arguments):
    """Raises a ValueError that names the first argument that is no whole number of at least 1.

    `num_classes` has to be at least 2, and `window` odd.
    """
    for name, value in arguments.items():
        low = 2 if name == "num_classes" else 1
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < low:
            raise ValueError(f"{name}: found {value!r}, expected a whole number of at least {low}")
        if name == "window" and value % 2 == 0:
            raise ValueError(f"window: found {value}, expected an odd number, which has a middle")


def first_line(error):
    """What an exception of Keras or h5py says, without the lines of detail that follow."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def reflect(x, axis, before, after):
    """Pads one axis by reflection, as NumPy's `pad(mode="reflect")` does, by any amount.

    The border pixel is not repeated: a b c d becomes c b | a b c d | c b. Where the pad is longer
    than the axis, the image is reflected to and fro; an axis of length 1 is repeated. (The
    backends' own reflection refuses both.)

    Args:
        x: tensor; its shape may be known only at run time.
        axis: the axis to pad.
        before: how many entries to add at the beginning.
        after: how many to add at the end.

    Returns:
        Tensor like `x`, longer by `before + after` on `axis`.
    """
    length = ops.shape(x)[axis]
    period = ops.maximum(2 * length - 2, 1)  # after so many steps the pattern repeats
    start = period - before % period  # not -before: exported, mod has another sign below 0
    place = ops.mod(ops.arange(length + before + after, dtype="int32") + start, period)
    return ops.take(x, ops.minimum(place, period - place), axis=axis)


@keras.saving.register_keras_serializable(package="voc_seg")
class ReflectPadding2D(layers.Layer):
    """Pads height and width by reflection: (B, H, W, C) -> (B, H + pad, W + pad, C).

    Args:
        before: how many pixels to add at the top and at the left.
        after: how many to add at the bottom and at the right.
    """

    def __init__(self, before, after, **kwargs):
        super().__init__(**kwargs)
        self.before, self.after = before, after

    def call(self, x):
        x = reflect(x, 1, self.before, self.after)
        return reflect(x, 2, self.before, self.after)

    def compute_output_shape(self, shape):
        pad = self.before + self.after
        return (shape[0], *(n and n + pad for n in shape[1:3]), shape[3])

    def get_config(self):
        return {**super().get_config(), "before": self.before, "after": self.after}


@keras.saving.register_keras_serializable(package="voc_seg")
class PadToMultiple(layers.Layer):
    """Pads at the bottom and at the right, by reflection, until `multiple` divides both sides.

    (B, H, W, C) -> (B, H', W', C) with H <= H' < H + multiple, and W' likewise.

    Args:
        multiple: the number that has to divide height and width: the stride of the network's
            coarsest feature map.
    """

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x):
        for axis in (1, 2):
            rest = ops.shape(x)[axis] % self.multiple
            x = reflect(x, axis, 0, (self.multiple - rest) % self.multiple)
        return x

    def compute_output_shape(self, shape):
        return (shape[0], *(n and n + -n % self.multiple for n in shape[1:3]), shape[3])

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="voc_seg")
class CropLike(layers.Layer):
    """Crops a map to the size of another: [(B, H', W', C), (B, H, W, D)] -> (B, H, W, C)."""

    def call(self, inputs):
        x, reference = inputs
        shape = ops.shape(reference)
        return x[:, : shape[1], : shape[2]]

    def compute_output_shape(self, shapes):
        return (*shapes[1][:3], shapes[0][3])


@keras.saving.register_keras_serializable(package="voc_seg")
class ClassProbabilities(layers.Layer):
    """Softmax over the classes, and the model's memory of what the classes are.

    (..., C) logits -> (..., C) float32 probabilities, also where the rest of the model computes
    in half precision. Being part of the layer's configuration, the attributes are saved with
    the model, so that `voc-seg evaluate` and `voc-seg predict` need not be told.

    Attributes:
        classes: `{class name: value in the mask files}` in class order, or None where nobody
            has said.
        image_size: the side, in pixels, of the images that the model was trained on, or None.
    """

    def __init__(self, classes=None, image_size=None, dtype="float32", **kwargs):
        super().__init__(dtype=dtype, **kwargs)
        self.classes, self.image_size = classes, image_size

    def call(self, logits):
        if keras.backend.backend() == "torch":
            # Keras' loss on torch (3.15 with 2.13) fails unless the classes come first in memory.
            return ops.moveaxis(ops.softmax(ops.moveaxis(logits, -1, 1), axis=1), 1, -1)
        return ops.softmax(logits, axis=-1)

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        config = {"classes": self.classes, "image_size": self.image_size}
        return {**super().get_config(), **config}


def conv_block(x, filters, name, convolutions=2):
    """Convolutions of 3 x 3, each followed by batch normalisation and ReLU.

    The paper on U-Net has no normalisation, which was only just being published (Ioffe & Szegedy
    2015); without it training takes several times as long. The momentum is below Keras' default
    of 0.99, which lags far behind in runs of a few hundred steps.

    Args:
        x: (B, H, W, C) tensor.
        filters: how many filters each convolution has.
        name: prefix of the layers' names.
        convolutions: how many; two in a U-Net.

    Returns:
        (B, H, W, filters) tensor.
    """
    for i in range(1, convolutions + 1):
        x = layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,  # the normalisation has one
            kernel_initializer="he_normal",
            name=f"{name}_conv{i}",
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn{i}")(x)
        x = layers.ReLU(name=f"{name}_relu{i}")(x)
    return x  # (B, H, W, filters)

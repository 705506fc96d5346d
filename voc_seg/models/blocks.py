"""The building blocks that the models share.

The padding layers let every model take images of any size. `PadToMultiple` makes the sides
divisible by the network's stride; `CropLike` crops the padding off again. So the two maps that meet
in a skip connection always have the same size.
"""

from typing import Any

import keras
from keras import layers, ops

from voc_seg.checks import check_whole


def conv_block(x: Any, filters: int, name: str, convolutions: int = 2) -> Any:
    """3 x 3 convolutions, each followed by batch normalisation and ReLU.

    The U-Net paper predates batch normalisation (Ioffe & Szegedy 2015) by a few months; without
    it training takes several times as long. Keras' default momentum of 0.99 would lag far behind
    in runs of a few hundred steps, so we use 0.9.

    Args:
        x: (B, H, W, C) tensor.
        filters: the number of filters of each convolution.
        name: prefix of the layers' names.
        convolutions: the number of convolutions; a U-Net has two.

    Returns:
        (B, H, W, filters) tensor.

    Examples:
        >>> import keras
        >>> from voc_seg import conv_block
        >>> image = keras.Input((None, None, 3))
        >>> conv_block(image, filters=16, name="encoder1").shape
        (None, None, None, 16)
    """
    for i in range(1, convolutions + 1):
        x = layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,  # the normalisation adds one
            kernel_initializer="he_normal",
            name=f"{name}_conv{i}",
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn{i}")(x)
        x = layers.ReLU(name=f"{name}_relu{i}")(x)
    return x  # (B, H, W, filters)


def reflect(x: Any, axis: int, before: Any, after: Any) -> Any:
    """Pads one axis by reflection, as NumPy's `pad(mode="reflect")` does, by any amount.

    The border pixel is not repeated: a b c d becomes c b | a b c d | c b. If the pad is longer
    than the axis, the reflection repeats back and forth, and an axis of length 1 is repeated.
    (The backends' own reflection refuses both.)

    Args:
        x: tensor; its shape may be known only at run time.
        axis: the axis to pad.
        before: the number of entries to add at the beginning.
        after: the number of entries to add at the end.

    Returns:
        Tensor like `x`, longer by `before + after` along `axis`.
    """
    length = ops.shape(x)[axis]
    period = ops.maximum(2 * length - 2, 1)  # after this many steps the pattern repeats
    start = period - before % period  # not -before: exported, mod has another sign below 0
    # For a b c d: 0 1 2 3 4 5 0 1 ..., and folded back 0 1 2 3 2 1 0 1 ...
    index = ops.mod(ops.arange(length + before + after, dtype="int32") + start, period)
    return ops.take(x, ops.minimum(index, period - index), axis=axis)


@keras.saving.register_keras_serializable(package="voc_seg")
class ReflectPadding2D(layers.Layer):
    """Pads height and width by reflection: (B, H, W, C) -> (B, H + pad, W + pad, C).

    Args:
        before: the number of pixels to add at the top and on the left.
        after: the number of pixels to add at the bottom and on the right.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import ReflectPadding2D
        >>> tuple(ReflectPadding2D(2, 2)(np.zeros((1, 5, 7, 3))).shape)
        (1, 9, 11, 3)
    """

    def __init__(self, before: int, after: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_whole("before", before, low=0)
        check_whole("after", after, low=0)
        self.before, self.after = before, after

    def call(self, x: Any) -> Any:
        x = reflect(x, 1, self.before, self.after)
        return reflect(x, 2, self.before, self.after)

    def compute_output_shape(self, shape: tuple) -> tuple:
        batch, height, width, channels = shape
        pad = self.before + self.after
        return batch, height and height + pad, width and width + pad, channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "before": self.before, "after": self.after}


@keras.saving.register_keras_serializable(package="voc_seg")
class PadToMultiple(layers.Layer):
    """Pads at the bottom and on the right, by reflection, until `multiple` divides both sides.

    (B, H, W, C) -> (B, H', W', C) with H <= H' < H + multiple, and the same for W'.

    Args:
        multiple: what has to divide height and width: the stride of the network's coarsest
            feature map.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import PadToMultiple
        >>> tuple(PadToMultiple(16)(np.zeros((1, 50, 32, 3))).shape)
        (1, 64, 32, 3)
    """

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_whole("multiple", multiple)
        self.multiple = multiple

    def call(self, x: Any) -> Any:
        for axis in (1, 2):
            rest = ops.shape(x)[axis] % self.multiple
            x = reflect(x, axis, 0, (self.multiple - rest) % self.multiple)
        return x

    def compute_output_shape(self, shape: tuple) -> tuple:
        batch, height, width, channels = shape
        return batch, self.padded(height), self.padded(width), channels

    def padded(self, side: int | None) -> int | None:
        """The length of a side after padding; None if it is known only at run time."""
        return side and -(-side // self.multiple) * self.multiple  # rounded up

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="voc_seg")
class CropLike(layers.Layer):
    """Crops a map to the size of another: [(B, H', W', C), (B, H, W, D)] -> (B, H, W, C).

    Examples:
        >>> import numpy as np
        >>> from voc_seg import CropLike
        >>> scores, image = np.zeros((1, 64, 32, 21)), np.zeros((1, 50, 32, 3))
        >>> tuple(CropLike()([scores, image]).shape)
        (1, 50, 32, 21)
    """

    def call(self, inputs: Any) -> Any:
        x, reference = inputs
        shape = ops.shape(reference)
        return x[:, : shape[1], : shape[2]]

    def compute_output_shape(self, shapes: Any) -> tuple:
        return (*shapes[1][:3], shapes[0][3])


@keras.saving.register_keras_serializable(package="voc_seg")
class ClassProbabilities(layers.Layer):
    """Softmax over the classes, and the model's memory of what the classes are.

    (..., C) logits -> (..., C) float32 probabilities, even if the rest of the model computes in
    half precision. What the layer remembers is part of its configuration, so it is saved with
    the model: `voc-seg evaluate` and `voc-seg predict` know the classes without being told.
    `set_classes` and `get_classes` write and read it.

    Attributes:
        classes: `{class name: value in the mask files}` in class order, or None if not set.
        image_size: the side, in pixels, of the images that the model was trained on, or None.
        members: `{class name: [names of the data set's classes that it merges]}`, without the
            background, or None if not set.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import ClassProbabilities
        >>> float(np.sum(ClassProbabilities()(np.zeros((1, 4)))))
        1.0
    """

    def __init__(
        self,
        classes: dict[str, int] | None = None,
        image_size: int | None = None,
        members: dict[str, list[str]] | None = None,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype=dtype, **kwargs)
        self.classes, self.image_size, self.members = classes, image_size, members

    def call(self, logits: Any) -> Any:
        if keras.backend.backend() == "torch":
            # Keras' loss on torch (3.15 with 2.13) fails unless the classes come first in memory.
            return ops.moveaxis(ops.softmax(ops.moveaxis(logits, -1, 1), axis=1), 1, -1)
        return ops.softmax(logits, axis=-1)

    def compute_output_shape(self, shape: tuple) -> tuple:
        return shape

    def get_config(self) -> dict[str, Any]:
        memory = {name: getattr(self, name) for name in ("classes", "image_size", "members")}
        return {**super().get_config(), **memory}

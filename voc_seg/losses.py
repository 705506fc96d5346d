"""Losses for semantic segmentation. None of them learns from void.

Each takes masks (B, H, W) and class probabilities (B, H, W, C), or the labels (B,) of windows and
probabilities (B, C). Give one to `train` or `compile_model` as `loss`. Loading a trained model
never needs its loss.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from voc_seg.data.datasets import read_pairs
from voc_seg.data.images import VOID
from voc_seg.data.voc import VOCFolder


@keras.saving.register_keras_serializable(package="voc_seg")
def cross_entropy(masks: Any, probabilities: Any) -> Any:
    """The cross-entropy of all pixels that are not void: the default.

    Keras' own, `SparseCategoricalCrossentropy(ignore_class=255)`, gives the same number. It takes
    the logarithm of the probabilities; this one lets TensorFlow start from the logits, which is
    faster and exact even for probabilities near 0.

    Args:
        masks: (B, H, W) class indices 0..C-1, and 255 for void.
        probabilities: (B, H, W, C).

    Returns:
        (B, H, W) tensor, 0 at void. It is scaled so that its mean over all pixels, which Keras
            takes, is the mean over those that are not void.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import cross_entropy
        >>> masks = np.array([[[0, 255]]])  # (1, 1, 2): the second pixel is void
        >>> probabilities = np.array([[[[0.5, 0.5], [0.1, 0.9]]]], "float32")  # (1, 1, 2, 2)
        >>> round(float(np.mean(cross_entropy(masks, probabilities))), 4)  # -log 0.5
        0.6931
    """
    masks = ops.cast(masks, "int32")
    valid = ops.not_equal(masks, VOID)  # (B, H, W)
    masks = ops.where(valid, masks, 0)  # any class will do
    loss = keras.losses.sparse_categorical_crossentropy(masks, probabilities)
    share = ops.maximum(ops.mean(ops.cast(valid, "float32")), 1e-7)
    return ops.where(valid, loss, 0.0) / share


@keras.saving.register_keras_serializable(package="voc_seg")
def cross_entropy_and_dice(masks: Any, probabilities: Any) -> Any:
    """The cross-entropy plus one minus the Dice score: a loss that does not forget small classes.

    The Dice score is 2 |P and T| / (|P| + |T|), with the predicted probabilities as P. It comes
    from Milletari, Navab and Ahmadi, "V-Net", 3DV 2016. Where we depart from the paper: they have
    one class and squares in the denominator. We take the mean over the classes, each over
    the whole batch, and leave out those that the batch does not show: they have no overlap to
    gain. Alone, Dice is unsteady at the beginning of a run, so the cross-entropy stays.

    Args:
        masks: (B, H, W) class indices 0..C-1, and 255 for void.
        probabilities: (B, H, W, C).

    Returns:
        (B, H, W) tensor; its mean is the loss.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import cross_entropy_and_dice
        >>> masks = np.array([[[0, 1, 255]]])  # (1, 1, 3)
        >>> probabilities = np.array([[[[1, 0], [0, 1], [1, 0]]]], "float32")  # (1, 1, 3, 2)
        >>> round(float(np.mean(cross_entropy_and_dice(masks, probabilities))), 4)
        0.0
    """
    masks, probabilities = ops.cast(masks, "int32"), ops.cast(probabilities, "float32")
    valid = ops.cast(ops.not_equal(masks, VOID), "float32")[..., None]  # (B, H, W, 1)
    classes = ops.where(masks == VOID, 0, masks)  # any class will do, since `valid` is 0 there
    truth = ops.one_hot(classes, probabilities.shape[-1], dtype="float32") * valid  # (B, H, W, C)
    predicted = probabilities * valid  # (B, H, W, C)
    pixels = tuple(range(len(masks.shape)))  # every axis but that of the classes
    true = ops.sum(truth, pixels)  # (C,)
    dice = (
        2
        * ops.sum(truth * predicted, pixels)
        / ops.maximum(true + ops.sum(predicted, pixels), 1e-7)
    )
    shown = ops.cast(true > 0, "float32")
    loss = ops.sum((1 - dice) * shown) / ops.maximum(ops.sum(shown), 1)
    return cross_entropy(masks, probabilities) + loss


@keras.saving.register_keras_serializable(package="voc_seg")
class WeightedCrossEntropy(keras.losses.Loss):
    """The cross-entropy in which each pixel counts as much as its class.

    The loss is the sum of weight x cross-entropy over the pixels that are not void, divided by
    their number.

    Args:
        weights: C numbers of at least 0, one for each class; see `class_weights`.

    Raises:
        ValueError: a weight is not a number of at least 0.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import WeightedCrossEntropy
        >>> masks, probabilities = np.array([[[0, 1]]]), np.full((1, 1, 2, 2), 0.5, "float32")
        >>> round(float(WeightedCrossEntropy([0, 2])(masks, probabilities)), 4)
        0.6931
    """

    def __init__(self, weights: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**{"name": "weighted_cross_entropy", **kwargs})
        values = np.asarray(weights, "float32")
        if values.ndim != 1 or not np.isfinite(values).all() or (values < 0).any():
            raise ValueError(f"weights: found {weights!r}, expected a number >= 0 for each class")
        self.weights = values.tolist()

    def call(self, masks: Any, probabilities: Any) -> Any:
        if probabilities.shape[-1] != len(self.weights):
            raise ValueError(
                f"weights: found {len(self.weights)}, expected one for each of the "
                f"{probabilities.shape[-1]} classes"
            )
        masks = ops.cast(masks, "int32")
        weights = ops.take(ops.array(self.weights), ops.where(masks == VOID, 0, masks))
        return cross_entropy(masks, probabilities) * weights  # (B, H, W)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weights": self.weights}


def class_weights(folder: VOCFolder, ids: Sequence[str]) -> list[float]:
    """A weight for each class: the rarer its pixels, the larger.

    The weight is one over the square root of the class's share of the pixels. (One over the share
    itself, full balance, is usually too much.) Over all pixels the weights are 1 on average, so
    the loss keeps its scale. Who pays: with weights, frequent classes lose recall and rare classes
    lose precision.

    Args:
        folder: a `VOCFolder`.
        ids: the image IDs whose masks are counted: the training images.

    Returns:
        C numbers for `WeightedCrossEntropy`; 0 for a class that occurs nowhere.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or all pixels are void.

    Examples:
        >>> from voc_seg import class_weights, open_folder, write_shapes
        >>> folder = open_folder(write_shapes("shapes", train=4, val=2))
        >>> weights = class_weights(folder, folder.ids("train"))
        >>> weights[0] == min(weights)  # the background has most pixels
        True
    """
    counts = np.zeros(len(folder.classes))  # (C,)
    for _, mask in read_pairs(folder, ids, "counting the classes"):
        counts += np.bincount(mask[mask != VOID], minlength=len(counts))
    if not counts.any():
        raise ValueError(f"{folder.path}: all pixels of these {len(ids)} masks are void")
    share = counts / counts.sum()
    weights = np.divide(1, np.sqrt(share), out=np.zeros_like(share), where=share > 0)
    return (weights / (share * weights).sum()).tolist()

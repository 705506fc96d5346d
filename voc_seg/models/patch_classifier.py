"""The sliding-window patch classifier: what is the pixel in the middle of this window?

Cireşan, Giusti, Gambardella and Schmidhuber, "Deep Neural Networks Segment Neuronal Membranes in
Electron Microscopy Images", NIPS 2012: an N x N image is N² examples, each a window with the
class of its central pixel.
"""

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view
from tqdm import tqdm

from voc_seg.checks import check_whole, check_window
from voc_seg.models.blocks import ClassProbabilities


def build_patch_classifier(
    num_classes: int = 21, window: int = 33, filters: int = 32
) -> keras.Model:
    """Builds a classifier of windows.

    Convolutions with stride 2 halve the map until it is at most 4 x 4; a fully connected layer
    reads what is left. The kernels are 3 x 3 on maps of odd size and 4 x 4 on maps of even size,
    so the strides divide each map exactly and the receptive field is exactly the window.

    Where we depart from the paper: it uses max-pooling. A strided convolution also halves the
    map, with one layer less, and `to_dense` can turn its stride into a dilation.

    Args:
        num_classes: the number of classes, background included; 2 for object against background.
        window: height and width of the window in pixels; odd, so it has a middle.
        filters: filters of the first two convolutions; the others have twice as many.

    Returns:
        A model: (B, window, window, 3) RGB, 0..255 -> (B, num_classes) float32, the probabilities
            of the classes of the central pixel.

    Raises:
        ValueError: the window is even or below 1, or another argument is below its minimum
            (2 classes, 1 filter).

    Examples:
        >>> from voc_seg import build_patch_classifier
        >>> model = build_patch_classifier(num_classes=5, window=17, filters=8)
        >>> model.input_shape, model.output_shape
        ((None, 17, 17, 3), (None, 5))
    """
    check_whole("num_classes", num_classes, low=2, high=255)
    check_window(window)
    check_whole("filters", filters)
    inputs = keras.Input((window, window, 3), name="window")  # (B, w, w, 3)
    # From 0..255 to -1..1.
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(inputs)

    # The first convolution looks at the window in full detail.
    kernel = min(3, window)  # a 1 x 1 window needs a 1 x 1 kernel
    x = conv(x, filters, kernel, 1, "conv1")
    size = window - kernel + 1  # (B, size, size, filters)

    # Each further one halves the map. (size - kernel) has to be even, or the
    # last row and column would never be seen.
    number = 2
    while size > 4:
        kernel = 3 if size % 2 == 1 else 4
        channels = filters if number == 2 else 2 * filters
        x = conv(x, channels, kernel, 2, f"conv{number}")
        size = (size - kernel) // 2 + 1  # (B, size, size, channels)
        number += 1

    # From here on this is any image classifier: one answer for the window.
    x = layers.Flatten(name="flatten")(x)  # (B, size * size * channels)
    x = layers.Dense(
        2 * filters,
        activation="relu",
        kernel_initializer="he_normal",
        name="hidden",
    )(x)
    x = layers.Dense(num_classes, name="logits")(x)  # (B, num_classes)
    outputs = ClassProbabilities(name="probabilities")(x)
    return keras.Model(inputs, outputs, name="patch_classifier")


def conv(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
    """A convolution with ReLU and without padding: (B, H, W, C) -> (B, H', W', filters)."""
    return layers.Conv2D(
        filters, kernel, stride, activation="relu", kernel_initializer="he_normal", name=name
    )(x)


def sliding_window(
    patch_classifier: keras.Model,
    image: np.ndarray,
    batch_size: int = 256,
    progress: bool = True,
) -> np.ndarray:
    """Labels an image one window at a time, as Cireşan et al. did.

    This is the slow way, and the reference that `to_dense` is tested against. The image is padded
    by reflection, as by NumPy's `pad(mode="reflect")`; then one window is cut out around every
    pixel.

    Args:
        patch_classifier: a model (B, window, window, 3) -> (B, num_classes).
        image: (H, W, 3) uint8 or float, RGB, 0..255.
        batch_size: the number of windows that the classifier gets at a time.
        progress: whether to show a progress bar.

    Returns:
        (H, W, num_classes) float32 class probabilities.

    Raises:
        ValueError: `batch_size` is not a whole number of at least 1.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import build_patch_classifier, sliding_window
        >>> model = build_patch_classifier(num_classes=5, window=9, filters=4)
        >>> sliding_window(model, np.zeros((6, 8, 3), "uint8"), progress=False).shape
        (6, 8, 5)
    """
    check_whole("batch_size", batch_size)
    height, width = image.shape[:2]
    window = patch_classifier.input_shape[1]
    radius = window // 2
    sides = [(radius, radius), (radius, radius), (0, 0)]
    padded = np.pad(image, sides, mode="reflect")
    # A view: nothing is copied.
    windows = sliding_window_view(padded, (window, window), axis=(0, 1))
    windows = np.moveaxis(windows, 2, -1)  # (H, W, window, window, 3)
    starts = range(0, height * width, batch_size)
    probabilities = []
    bar = tqdm(starts, "sliding window", unit="batch", disable=not progress)
    for start in bar:
        pixels = np.arange(start, min(start + batch_size, height * width))
        batch = windows[pixels // width, pixels % width]  # (B, w, w, 3)
        probabilities.append(patch_classifier.predict_on_batch(batch))
    return np.concatenate(probabilities).reshape(height, width, -1)

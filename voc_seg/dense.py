"""A patch classifier over a whole image: window by window, or all windows in one pass.

Neighbouring windows overlap almost entirely, and the sliding window computes the overlap anew for
each of them. Run over the whole image, the same convolutions compute everything once: Sermanet et
al., "OverFeat", ICLR 2014; Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic
Segmentation", CVPR 2015. That dilation can stand in for stride, as here, is in Giusti et al., "Fast
Image Scanning with Deep Max-Pooling Convolutional Neural Networks", ICIP 2013, and in Yu and
Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016.
"""

import keras
import numpy as np
from keras import layers
from tqdm import tqdm

from voc_seg.layers import ClassProbabilities, ReflectPadding2D


def to_dense(patch_classifier):
    """Turns a patch classifier into a network that labels every pixel of an image in one pass.

    A layer with stride s makes its successors see every s-th place only. The dense network visits
    every place; for the successors to meet the same values as before, their kernels' taps have to
    stand s places apart: dilation in place of stride. The first dense layer, which sees a map
    of k x k places, becomes a k x k convolution with the same numbers, the next ones 1 x 1.

    Args:
        patch_classifier: a model by `build_patch_classifier`, trained or not. (More generally: a
            functional chain of Rescaling, Conv2D, Flatten, Dense and ClassProbabilities, in which
            the strides of the convolutions, without padding or dilation, come out even.)

    Returns:
        A `keras.Model`: (B, H, W, 3) RGB, 0..255, of any height and width from 1 ->
            (B, H, W, num_classes) float32 class probabilities: at each pixel those that the
            classifier gives for the window around it, the image being reflected at its borders.
            It holds a copy of the weights; training one model does not change the other.

    Raises:
        ValueError: the model is not such a chain.
    """
    height, window = patch_classifier.input_shape[1:3]
    if window is None or window % 2 == 0 or height != window:
        raise ValueError(
            f"patch_classifier: its window is {height} x {window}; expected a square of odd side"
        )
    inputs = keras.Input((None, None, 3), name="image")  # (B, H, W, 3)
    x = ReflectPadding2D(window // 2, window // 2, name="reflect")(inputs)
    size = None  # of the map that the next dense layer sees
    dilation = 1  # how far apart two neighbours of the classifier's map are in the image
    for layer in patch_classifier.layers:
        if isinstance(layer, layers.InputLayer):  # a Sequential model lists none
            continue
        config = layer.get_config()
        if isinstance(layer, layers.Conv2D) and fits(layer):
            x = layers.Conv2D.from_config({**config, "strides": 1, "dilation_rate": dilation})(x)
            dilation *= layer.strides[0]
        elif isinstance(layer, layers.Flatten):
            size = layer.input.shape[1]
        elif isinstance(layer, layers.Dense) and size:
            x = layers.Conv2D(
                layer.units,
                size,
                dilation_rate=dilation,
                activation=layer.activation,
                use_bias=layer.use_bias,
                name=layer.name,
            )(x)
            size = 1
        elif isinstance(layer, (layers.Rescaling, ClassProbabilities)):
            x = type(layer).from_config(config)(x)
        else:
            raise ValueError(
                f"patch_classifier: cannot make its layer {layer.name!r} dense; expected a model "
                "by build_patch_classifier"
            )
    dense = keras.Model(inputs, x, name=f"dense_{patch_classifier.name}")  # (B, H, W, num_classes)
    copy_weights(patch_classifier, dense)
    return dense


def fits(convolution):
    """Whether a square convolution covers its input to the last pixel, not padded nor dilated."""
    square = all(len(set(n)) == 1 for n in (convolution.kernel_size, convolution.strides))
    rest = (convolution.input.shape[1] - convolution.kernel_size[0]) % convolution.strides[0]
    plain = convolution.padding == "valid" and tuple(convolution.dilation_rate) == (1, 1)
    return square and plain and rest == 0


def copy_weights(patch_classifier, dense):
    """Copies a patch classifier's weights to the model that `to_dense` made of it, or back."""
    for source in patch_classifier.layers:
        if source.weights:
            target = dense.get_layer(source.name)
            pairs = zip(source.get_weights(), target.get_weights(), strict=True)
            target.set_weights([values.reshape(old.shape) for values, old in pairs])


def sliding_window(patch_classifier, image, batch_size=256, progress=True):
    """Labels an image one window at a time, as Cireşan et al. did: the reference for `to_dense`.

    The windows are cut out of the image, which is reflected at its borders as NumPy's
    `pad(mode="reflect")` does, and classified `batch_size` at a time.

    Args:
        patch_classifier: a model (B, window, window, 3) -> (B, num_classes).
        image: (H, W, 3) uint8 or float, RGB, 0..255.
        batch_size: how many windows the classifier is given at once; 1 for one at a time.
        progress: whether to show a progress bar.

    Returns:
        (H, W, num_classes) float32 class probabilities.
    """
    height, width = image.shape[:2]
    window = patch_classifier.input_shape[1]
    radius = window // 2
    padded = np.pad(image, [(radius, radius), (radius, radius), (0, 0)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(0, 1))
    windows = np.moveaxis(windows, 2, -1)  # (H, W, window, window, 3), a view: nothing is copied
    starts = range(0, height * width, batch_size)
    probabilities = []
    for start in tqdm(starts, desc="sliding window", unit="batch", disable=not progress):
        pixels = np.arange(start, min(start + batch_size, height * width))
        batch = windows[pixels // width, pixels % width]  # (B, window, window, 3)
        probabilities.append(patch_classifier.predict_on_batch(batch))
    return np.concatenate(probabilities).reshape(height, width, -1)

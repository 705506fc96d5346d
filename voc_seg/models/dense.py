"""A patch classifier over a whole image, all windows in one pass.

Neighbouring windows overlap almost entirely, and a sliding window computes the overlap again for
each of them. Run over the whole image, the same convolutions compute everything once: Sermanet et
al., "OverFeat", ICLR 2014; Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic
Segmentation", CVPR 2015. That dilation can replace stride is in Giusti et al., "Fast Image
Scanning with Deep Max-Pooling Convolutional Neural Networks", ICIP 2013, and in Yu and Koltun,
"Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016.

"Dense" has two meanings here. A dense network answers at every pixel; Keras' `Dense` layer is
fully connected.
"""

import keras
from keras import layers

from voc_seg.models.blocks import ClassProbabilities, ReflectPadding2D


def to_dense(patch_classifier: keras.Model) -> keras.Model:
    """Turns a patch classifier into a network that labels every pixel of an image in one pass.

    After a layer with stride s, later layers see only every s-th position. The dense network
    visits every position, so to read the same values as before, the taps of later kernels must be
    s positions apart: dilation replaces stride. The first fully connected layer, which reads a
    map of k x k positions, becomes a k x k convolution with the same numbers; the next ones
    become 1 x 1 convolutions.

    Args:
        patch_classifier: a model by `build_patch_classifier`, trained or not. (More generally: a
            functional chain of Rescaling, Conv2D, Flatten, Dense and ClassProbabilities layers
            whose convolutions have no padding or dilation, and strides that divide their maps
            exactly.)

    Returns:
        A model: (B, H, W, 3) RGB, 0..255, of any height and width from 1 ->
            (B, H, W, num_classes) float32 class probabilities: what the classifier says about the
            window around each pixel. The image is reflected at its borders. The model holds a copy
            of the weights; training one model does not change the other.

    Raises:
        ValueError: the model is not such a chain.

    Examples:
        >>> from voc_seg import build_patch_classifier, to_dense
        >>> dense = to_dense(build_patch_classifier(num_classes=5, window=17, filters=8))
        >>> dense.output_shape
        (None, None, None, 5)
    """
    height, window = patch_classifier.input_shape[1:3]
    if window is None or window % 2 == 0 or height != window:
        raise ValueError(
            f"patch_classifier: found a window of {height} x {window}, "
            "expected a square with an odd side"
        )
    inputs = keras.Input((None, None, 3), name="image")  # (B, H, W, 3)
    x = ReflectPadding2D(window // 2, window // 2, name="reflect")(inputs)

    size = None  # of the map that the next fully connected layer reads
    # The product of all strides so far: pixels between neighbours in the map.
    dilation = 1
    for layer in patch_classifier.layers:
        if isinstance(layer, layers.InputLayer):
            continue  # the dense network has its own
        config = layer.get_config()
        if isinstance(layer, layers.Conv2D) and can_be_dense(layer):
            # Stride 1 answers at every pixel. The dilation reads the inputs
            # that the strided layers before this one would have passed on.
            config |= {"strides": 1, "dilation_rate": dilation}
            x = layers.Conv2D.from_config(config)(x)
            dilation *= layer.strides[0]
        elif isinstance(layer, layers.Flatten):
            size = layer.input.shape[1]
        elif isinstance(layer, layers.Dense) and size:
            # One number for each position and channel of a size x size map:
            # that is a kernel.
            x = layers.Conv2D(
                layer.units,
                size,
                dilation_rate=dilation,
                activation=layer.activation,
                use_bias=layer.use_bias,
                name=layer.name,
            )(x)
            size = 1  # the next fully connected layer reads one position
        elif isinstance(layer, (layers.Rescaling, ClassProbabilities)):
            x = type(layer).from_config(config)(x)  # it works pixel by pixel
        else:
            raise ValueError(
                f"patch_classifier: found the layer {layer.name!r}, which "
                "cannot be made dense; expected a model by "
                "build_patch_classifier"
            )
    # (B, H, W, 3) -> (B, H, W, num_classes)
    dense = keras.Model(inputs, x, name=f"dense_{patch_classifier.name}")
    copy_weights(patch_classifier, dense)
    return dense


def can_be_dense(convolution: keras.Layer) -> bool:
    """Whether a square convolution, not padded or dilated, covers its input to the last pixel."""
    square = all(len(set(n)) == 1 for n in (convolution.kernel_size, convolution.strides))
    plain = convolution.padding == "valid" and tuple(convolution.dilation_rate) == (1, 1)
    rest = (convolution.input.shape[1] - convolution.kernel_size[0]) % convolution.strides[0]
    return square and plain and rest == 0


def copy_weights(patch_classifier: keras.Model, dense: keras.Model) -> None:
    """Copies a patch classifier's weights to the model that `to_dense` made of it."""
    for source in patch_classifier.layers:
        if source.weights:
            target = dense.get_layer(source.name)
            pairs = zip(source.get_weights(), target.get_weights(), strict=True)
            # Only the shape differs: (k * k * C, units) becomes (k, k, C, units).
            target.set_weights([values.reshape(old.shape) for values, old in pairs])

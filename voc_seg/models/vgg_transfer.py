"""Transfer learning: a small decoder on top of VGG16, pretrained on ImageNet.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR
2015, trained the encoder. Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic
Segmentation", CVPR 2015, made VGG16 label pixels and combined predictions from several of its
blocks. Liu, Rabinovich and Berg, "ParseNet: Looking Wider to See Better", 2015, showed every
pixel what the image as a whole contains.
"""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from voc_seg.checks import check_whole, first_line
from voc_seg.models.blocks import ClassProbabilities, CropLike, PadToMultiple, conv_block

MEANS = (103.939, 116.779, 123.68)  # of ImageNet: blue, green, red


def build_vgg_transfer(
    num_classes: int = 21,
    weights: str | Path | None = "imagenet",
    blocks: Sequence[int] = (3, 4, 5),
    filters: int = 64,
    encoder: keras.Model | None = None,
) -> keras.Model:
    """Builds a decoder on the features of VGG16, or of an encoder of your own.

    From each of `blocks` the decoder takes the last feature map. The map is normalised (VGG's
    values run into the hundreds), projected to fewer channels, and concatenated with the
    upsampled result of the coarser block. To the coarsest map we add its mean over the image: a
    patch of fur could be any animal's, and only the whole image tells which.

    A pretrained encoder is frozen, so stage one trains the decoder alone. For stage two see
    `unfreeze`.

    Where we depart from the papers: FCN adds up class scores and has no normalisation. ParseNet
    rescales the mean to a fixed length; here batch normalisation does that job.

    Args:
        num_classes: the number of classes, background included; 2 for object against background.
        weights: of VGG16, as in `keras.applications`: "imagenet" (Keras downloads 59 MB, once),
            the path of the same weights in an .h5 file, or None for random weights. With random
            weights nothing is frozen: VGG16 is trained together with the decoder.
        blocks: which of the encoder's blocks to decode from. Block i has the stride 2**(i - 1).
        filters: channels of the decoder at the finest block; each coarser one has twice as many.
        encoder: your own pretrained model in place of VGG16; leave `weights` out. It takes what
            VGG16 takes (BGR with the ImageNet means subtracted, see
            `keras.applications.vgg16.preprocess_input`), and its pooling layer at the end of
            block i is named `blockI_pool`, as in VGG16. It is copied, and the copy is frozen.

    Returns:
        A model: (B, H, W, 3) RGB, 0..255, of any height and width from 1 ->
            (B, H, W, num_classes) float32 class probabilities. Its encoder is the layer "encoder".

    Raises:
        OSError: the ImageNet weights cannot be downloaded, or there is no file at the path.
        ValueError: the file does not fit, the encoder lacks a block, both `weights` and `encoder`
            are given, `blocks` is not a list of different numbers, or another argument is below its
            minimum (2 classes, 1 filter).

    Examples:
        >>> from voc_seg import build_vgg_transfer, pretrain_encoder
        >>> encoder = pretrain_encoder(count=32, epochs=1)
        >>> model = build_vgg_transfer(num_classes=5, encoder=encoder, blocks=(1, 2, 3))
        >>> len(model.get_layer("encoder").trainable_variables)
        0
    """
    check_whole("num_classes", num_classes, low=2, high=255)
    check_whole("filters", filters)
    check_encoder(encoder, weights, blocks)
    blocks = sorted(blocks)
    pretrained = weights is not None or encoder is not None
    encoder = feature_maps(encoder or load_vgg16(weights), blocks)
    # Frozen, even batch normalisation keeps its statistics.
    encoder.trainable = not pretrained

    inputs = keras.Input((None, None, 3), name="image")  # (B, H, W, 3)
    x = PadToMultiple(2 ** (blocks[-1] - 1), name="pad")(inputs)
    # VGG16's preprocessing: RGB becomes BGR, and the means of ImageNet are
    # subtracted. A layer does it, because Keras' own function would give an
    # exported ONNX model a second input.
    bgr = keras.ops.flip(x, axis=-1)
    minus = [-mean for mean in MEANS]
    x = layers.Rescaling(1.0, offset=minus, name="subtract_means")(bgr)
    # For each block i: (B, H / 2^(i - 1), W / 2^(i - 1), C_i)
    features = encoder(x)

    # Fewer channels for each block, after normalisation: VGG's values run
    # into the hundreds.
    normalised, projected = [], []
    for i, (block, feature) in enumerate(zip(blocks, features, strict=True)):
        name = f"decoder{block}_normalise"
        x = layers.BatchNormalization(momentum=0.9, name=name)(feature)
        normalised.append(x)
        name = f"decoder{block}_project"
        projected.append(layers.Conv2D(filters * 2**i, 1, name=name)(x))

    # Start at the coarsest block, and add what the image as a whole contains.
    name, channels = f"decoder{blocks[-1]}", filters * 2 ** (len(blocks) - 1)
    pool = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")
    mean = pool(normalised[-1])  # (B, 1, 1, C_i)
    mean = layers.Conv2D(channels, 1, name=f"{name}_mean_project")(mean)
    x = layers.Add(name=f"{name}_join")([projected[-1], mean])
    x = conv_block(x, channels, name, convolutions=1)

    # Then one finer block after the other. The upsampling here isn't learned:
    # with few masks there isn't enough data for that too.
    for i in reversed(range(len(blocks) - 1)):
        name = f"decoder{blocks[i]}"
        times = 2 ** (blocks[i + 1] - blocks[i])
        x = layers.UpSampling2D(times, name=f"{name}_up")(x)
        x = layers.Concatenate(name=f"{name}_join")([x, projected[i]])
        x = conv_block(x, filters * 2**i, name, convolutions=1)
        # (B, H / 2^(block - 1), W / 2^(block - 1), filters 2^i)

    x = layers.Conv2D(num_classes, 1, name="logits")(x)
    stride = 2 ** (blocks[0] - 1)  # what is left to upsample
    if stride > 1:
        up = layers.Conv2DTranspose(
            num_classes,
            2 * stride,
            strides=stride,
            padding="same",
            use_bias=False,
            name="up",
        )
        x = up(x)  # (B, H', W', num_classes)
        # As in FCN, it starts out as bilinear interpolation, and training
        # continues from there.
        up.set_weights([bilinear_kernel(stride, num_classes)])
    x = CropLike(name="crop")([x, inputs])  # (B, H, W, num_classes)
    outputs = ClassProbabilities(name="probabilities")(x)
    return keras.Model(inputs, outputs, name="vgg_transfer")


def check_encoder(encoder: object, weights: object, blocks: object) -> None:
    """Raises a ValueError unless these arguments of `build_vgg_transfer` make sense."""
    numbers = blocks if isinstance(blocks, Sequence) else ()
    different = len(set(numbers)) == len(numbers)
    if not numbers or not different or not all(isinstance(n, int) and n > 0 for n in numbers):
        raise ValueError(f"blocks: found {blocks!r}, expected different numbers, such as (3, 4, 5)")
    if encoder is not None and weights != "imagenet":
        raise ValueError(f"weights: found {weights!r} next to encoder; give one of the two")
    if encoder is not None and not isinstance(encoder, keras.Model):
        raise ValueError(f"encoder: found {encoder!r}, expected a keras.Model")


def unfreeze(model: keras.Model, first: str) -> keras.Model:
    """Stage two: makes the encoder trainable from a named block or layer on.

    Compile the model again afterwards, with a learning rate ten to a hundred times smaller than
    before; otherwise the first steps destroy what the encoder learned from ImageNet. (Until you
    compile, Keras trains the same weights as before.) Normalisation layers stay frozen: a small
    batch would spoil statistics that were estimated on many images. What was trainable before stays
    trainable.

    Args:
        model: a model by `build_vgg_transfer`.
        first: "block5" or a layer such as "block5_conv2": it and all layers after it are trained.

    Returns:
        The same model.

    Raises:
        ValueError: the model has no encoder, or the encoder has no such block or layer.

    Examples:
        >>> from voc_seg import build_vgg_transfer, compile_model, pretrain_encoder, unfreeze
        >>> encoder = pretrain_encoder(count=32, epochs=1)
        >>> model = build_vgg_transfer(num_classes=5, encoder=encoder, blocks=(1, 2, 3))
        >>> model = compile_model(unfreeze(model, "block3"), learning_rate=1e-5)
        >>> len(model.get_layer("encoder").trainable_variables)  # the kernels of block 3
        2
    """
    wanted = layers_from(model, first)
    encoder = model.get_layer("encoder")
    before = [layer.trainable for layer in encoder.layers]
    encoder.trainable = True  # while a model is frozen, Keras ignores its layers' flags
    for layer, was in zip(encoder.layers, before, strict=True):
        layer.trainable = was or layer in wanted
    return model


def layers_from(model: keras.Model, first: str, argument: str = "first") -> list[layers.Layer]:
    """The layers that `unfreeze` makes trainable: all from `first` on that do not normalise.

    Errors call `first` by the name of the caller's argument.
    """
    if "encoder" not in [layer.name for layer in model.layers]:
        raise ValueError("model: found no encoder, expected a model by build_vgg_transfer")
    encoder = model.get_layer("encoder")
    names = [layer.name for layer in encoder.layers]
    matches = [name for name in names if name == first or name.startswith(f"{first}_")]
    if not matches:
        raise ValueError(f"{argument}: found {first!r}, expected one of {', '.join(names)}")
    later = encoder.layers[names.index(matches[0]) :]
    return [layer for layer in later if not isinstance(layer, layers.BatchNormalization)]


def load_vgg16(weights: str | Path | None) -> keras.Model:
    """VGG16 without its classifier, with the given weights; see `build_vgg_transfer`."""
    if isinstance(weights, keras.Model):
        raise ValueError(f"weights: found the model {weights.name!r}; give it as encoder=")
    if weights is None:
        return keras.applications.VGG16(include_top=False, weights=None)
    if weights == "imagenet":
        try:
            return keras.applications.VGG16(include_top=False, weights="imagenet")
        except Exception as error:  # Keras raises a bare Exception when a download fails
            raise OSError(
                "weights: VGG16's ImageNet weights cannot be downloaded "
                f"({first_line(error)}); on a machine with a connection, fetch "
                "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 from Keras' applications and "
                "give its path as the weights, or train without them (None; on the command line: "
                "none)"
            ) from None
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such weights; expected 'imagenet', an .h5 file, or none (in Python None)"
        )
    if path.suffix == ".keras":
        raise ValueError(
            f"weights: found {path}, which is a model; load it and give it as encoder= "
            "(on the command line: --encoder)"
        )
    try:
        return keras.applications.VGG16(include_top=False, weights=path)
    except Exception as error:  # h5py and Keras raise arbitrary exceptions
        raise ValueError(
            f"{path}: is not VGG16 without its top, as .h5 ({first_line(error)})"
        ) from None


def feature_maps(encoder: keras.Model, blocks: Sequence[int]) -> keras.Model:
    """A copy of an encoder that gives the last feature map of each of `blocks`, as a list."""
    pools = {layer.name: layer for layer in encoder.layers if "pool" in layer.name}
    wanted = [f"block{block}_pool" for block in blocks]
    if not all(name in pools for name in wanted):
        raise ValueError(
            f"blocks: found {tuple(blocks)}, which needs the layers {', '.join(wanted)}; "
            f"the encoder {encoder.name!r} has {', '.join(pools) or 'no pooling layers'}"
        )
    # What enters the pooling layer is the last map at its scale.
    features = keras.Model(encoder.inputs, [pools[name].input for name in wanted])
    # Built for one size, as classifiers are, it now takes any.
    copy = keras.models.clone_model(features, input_tensors=[keras.Input((None, None, 3))])
    copy.set_weights(features.get_weights())
    copy.name = "encoder"
    return copy


def bilinear_kernel(stride: int, channels: int) -> np.ndarray:
    """The kernel that makes a transposed convolution interpolate, each channel by itself.

    Returns:
        (2 stride, 2 stride, channels, channels) float32.
    """
    ramp = (np.arange(2 * stride) + 0.5) / stride  # 0..2
    tent = 1 - np.abs(ramp - 1)  # up and down again
    return (np.outer(tent, tent)[..., None, None] * np.eye(channels)).astype("float32")

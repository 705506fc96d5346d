"""Transfer learning: a small decoder on top of VGG16, which has seen ImageNet.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR
2015, trained the encoder; Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic
Segmentation", CVPR 2015, made VGG16 label pixels and joined the predictions from several of its
blocks; Liu, Rabinovich and Berg, "ParseNet: Looking Wider to See Better", 2015, let every pixel
know what the image as a whole shows.
"""

from pathlib import Path

import keras
import numpy as np
from keras import layers

from voc_seg.layers import (
    ClassProbabilities,
    CropLike,
    PadToMultiple,
    check_arguments,
    conv_block,
    first_line,
)


def build_vgg_transfer(num_classes=21, weights="imagenet", blocks=(3, 4, 5), filters=64):
    """Builds a decoder on the features of a frozen VGG16.

    The last feature map of each of `blocks` is normalised, since VGG's run into the hundreds,
    brought to fewer channels, and joined with the upsampled result of the coarser block. FCN adds
    up class scores instead, and has no normalisation. To the coarsest block the mean of its
    features over the image is added: a flank looks like any other animal's, the whole image shows
    whose it is. (ParseNet scales the mean to a length of its own; here the normalisation
    before it will do.)

    Stage one trains the decoder alone. For stage two see `unfreeze`.

    Args:
        num_classes: how many classes, background included; 2 for object against background.
        weights: "imagenet" (Keras downloads VGG16's 59 MB, once); the path of the same weights as
            an .h5 file, or of an encoder saved as .keras; a Keras model as encoder; or None for
            VGG16 with random weights, which is then trained along. An encoder of your own has to
            take what VGG16 takes (BGR with the ImageNet means subtracted, see
            `keras.applications.vgg16.preprocess_input`) and to name the pooling layer at
            the end of block i `blockI_pool`, as VGG16 does. It is copied, not changed.
        blocks: from which of the encoder's blocks to decode. Block i has the stride 2**(i - 1).
        filters: channels of the decoder at the finest block; each coarser one has twice as many.

    Returns:
        A `keras.Model`: (B, H, W, 3) RGB, 0..255, of any height and width from 1 ->
            (B, H, W, num_classes) float32 class probabilities. The encoder is its layer "encoder".

    Raises:
        OSError: the ImageNet weights cannot be downloaded, or there is no file at the path.
        ValueError: the file does not fit, the encoder lacks a block, or an argument is below its
            minimum (2 classes, 1 filter).
    """
    check_arguments(num_classes=num_classes, filters=filters)
    if not blocks or len(set(blocks)) < len(blocks):
        raise ValueError(f"blocks: found {blocks!r}, expected different numbers, such as (3, 4, 5)")
    blocks = sorted(blocks)
    encoder = vgg_encoder(weights, blocks)
    # Being frozen concerns normalisation, too: a frozen encoder's keeps its statistics.
    encoder.trainable = weights is None

    inputs = keras.Input((None, None, 3), name="image")  # (B, H, W, 3)
    x = PadToMultiple(2 ** (blocks[-1] - 1), name="pad")(inputs)
    # BGR with the means of ImageNet subtracted, as by `keras.applications.vgg16.preprocess_input`;
    # a layer, since an export to ONNX takes the means in that function for a second input.
    means = [103.939, 116.779, 123.68]
    x = layers.Rescaling(1.0, [-mean for mean in means], name="subtract_means")(x[..., ::-1])
    features = encoder(x)  # for each block i: (B, H / 2^(i - 1), W / 2^(i - 1), C_i)

    x, coarser = None, None
    for i, feature in reversed(list(enumerate(features))):
        block, channels = blocks[i], filters * 2**i
        name = f"decoder{block}"
        feature = layers.BatchNormalization(momentum=0.9, name=f"{name}_normalise")(feature)
        joined = layers.Conv2D(channels, 1, name=f"{name}_project")(feature)
        if x is None:
            whole = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(feature)
            whole = layers.Conv2D(channels, 1, name=f"{name}_mean_project")(whole)  # (B, 1, 1, C)
            joined = layers.Add(name=f"{name}_join")([joined, whole])
        else:
            # Few masks are too few to learn an upsampling between the blocks as well.
            x = layers.UpSampling2D(2 ** (coarser - block), name=f"{name}_up")(x)
            joined = layers.Concatenate(name=f"{name}_join")([x, joined])
        x = conv_block(joined, channels, name, convolutions=1)  # (B, H / 2^(block - 1), ...)
        coarser = block

    x = layers.Conv2D(num_classes, 1, name="logits")(x)
    stride = 2 ** (blocks[0] - 1)
    if stride > 1:
        up = layers.Conv2DTranspose(
            num_classes, 2 * stride, strides=stride, padding="same", use_bias=False, name="up"
        )
        x = up(x)  # (B, H', W', num_classes)
        # As in FCN, it begins as bilinear interpolation and is trained on from there.
        up.set_weights([bilinear_kernel(stride, num_classes)])
    x = CropLike(name="crop")([x, inputs])  # (B, H, W, num_classes)
    outputs = ClassProbabilities(name="probabilities")(x)
    return keras.Model(inputs, outputs, name="vgg_transfer")


def unfreeze(model, first):
    """Stage two: makes the encoder's layers trainable from a named block or layer on.

    Compile the model anew afterwards, with a learning rate a hundred times smaller than before, or
    the first steps destroy what ImageNet has taught; until then Keras goes on training as
    compiled before. Normalisation layers stay frozen: the few images of a batch are no measure of
    the statistics that they learned from many.

        model = compile_model(unfreeze(model, "block5"), learning_rate=1e-5)

    Args:
        model: a model by `build_vgg_transfer`.
        first: "block5" or a layer, such as "block5_conv2": it and all behind it are trained.

    Returns:
        The same model.

    Raises:
        ValueError: the model has no encoder, or the encoder no such block or layer.
    """
    if "encoder" not in [layer.name for layer in model.layers]:
        raise ValueError("model: has no encoder; expected a model by build_vgg_transfer")
    encoder = model.get_layer("encoder")
    names = [layer.name for layer in encoder.layers]
    matches = [name for name in names if name == first or name.startswith(f"{first}_")]
    if not matches:
        raise ValueError(f"first: the encoder has no {first!r}; its layers are {', '.join(names)}")
    encoder.trainable = True
    start = names.index(matches[0])
    for i, layer in enumerate(encoder.layers):
        layer.trainable = i >= start and not isinstance(layer, layers.BatchNormalization)
    return model


def vgg_encoder(weights, blocks):
    """The encoder: (B, H, W, 3) -> the list of the last feature maps of `blocks`."""
    if isinstance(weights, keras.Model):
        encoder = weights
    elif weights is None:
        encoder = keras.applications.VGG16(include_top=False, weights=None)
    elif weights == "imagenet":
        try:
            encoder = keras.applications.VGG16(include_top=False, weights="imagenet")
        except Exception as error:  # Keras raises a bare Exception when a download fails
            raise OSError(
                "weights: VGG16's ImageNet weights cannot be downloaded "
                f"({first_line(error)}); fetch "
                "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 from Keras' "
                "applications on a machine with a connection and give its path as the weights, "
                "or train without them (None; on the command line: none)"
            ) from None
    else:
        encoder = load_encoder(Path(weights))
    try:
        pools = [encoder.get_layer(f"block{block}_pool") for block in blocks]
    except ValueError:
        wanted = ", ".join(f"block{block}_pool" for block in blocks)
        found = ", ".join(x.name for x in encoder.layers if "pool" in x.name) or "no pooling"
        where = encoder.name if weights is encoder else weights
        raise ValueError(
            f"weights: expected an encoder with the layers {wanted}; {where} has {found}"
        ) from None
    # What enters the pooling is the last map at its scale.
    features = keras.Model(encoder.inputs, [pool.input for pool in pools])
    # An encoder that was built for one size, as classifiers are, takes any size from here on.
    copy = keras.models.clone_model(features, input_tensors=[keras.Input((None, None, 3))])
    copy.set_weights(features.get_weights())
    copy.name = "encoder"
    return copy


def load_encoder(path):
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such weights; expected 'imagenet', an .h5 file, a .keras file, or none "
            "(in Python None)"
        )
    try:
        if path.suffix == ".keras":
            return keras.models.load_model(path)
        return keras.applications.VGG16(include_top=False, weights=path)
    except Exception as error:  # h5py, zipfile and Keras raise what they like
        raise ValueError(
            f"{path}: is neither VGG16 without its top, as .h5, nor a .keras model "
            f"({first_line(error)})"
        ) from None


def bilinear_kernel(stride, channels):
    """The kernel with which a transposed convolution interpolates, each channel by itself.

    Returns:
        (2 stride, 2 stride, channels, channels) float32.
    """
    ramp = (np.arange(2 * stride) + 0.5) / stride  # 0..2
    tent = 1 - np.abs(ramp - 1)  # up and down again
    return (np.outer(tent, tent)[..., None, None] * np.eye(channels)).astype("float32")

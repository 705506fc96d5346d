"""Chapter 6: freeze the right layers.

Why: the second stage of transfer learning trains the last blocks of an encoder, and none before
them. One wrong flag raises no error. It only makes the result worse.
"""


def freeze(model, first):
    """Lets a Keras model train from a named block on, and freezes everything before it.

    The layers are in the list `model.layers`, in the order in which an image passes through them.
    Each has a `name`, such as "block2_conv1": the name begins with the layer's block. The first
    layer of the block `first` and all layers after it get `layer.trainable = True`, with one
    exception: a layer of the type `keras.layers.BatchNormalization` stays frozen everywhere. All
    other layers get False.

    Two things to know about Keras. If you change `trainable` of a model, all its layers change as
    well. And a model whose own `trainable` is False trains nothing, whatever its layers say. Some
    models come to you in that state.

    For instance, with first="block2":
        block1_conv1 False, block1_pool False, block2_conv1 True, block2_norm1 False,
        block3_conv1 True, block3_norm1 False.

    Args:
        model: a `keras.Model`; the layer of the input comes first, the others are called
            blockI_convJ, blockI_normJ and blockI_pool.
        first: name of a block of the model, such as "block2".

    Returns:
        The same model, its flags set.
    """
    raise NotImplementedError

"""Chapter 6: freeze the right layers.

Why: the second stage of transfer trains the last blocks of an encoder and nothing else. One flag
that is wrong raises no error; it only makes the result worse.
"""


def freeze(model, first):
    """Lets a Keras model train from a named block on, and freezes everything before it.

    The layers stand in the list `model.layers`, in the order in which an image passes through them.
    Each has a `name`, such as "block2_conv1": a layer belongs to the block with which its name
    begins. The first layer of the block `first` and all layers behind it, to the end of the model,
    get `layer.trainable = True`, with one exception: a layer of the type
    `keras.layers.BatchNormalization` stays frozen wherever it is. All others get False.

    Two things to know of Keras. Changing `trainable` of a model changes it on all its layers, too.
    And a model whose own `trainable` is False trains nothing, whatever its layers say: some models
    come to you in that state.

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

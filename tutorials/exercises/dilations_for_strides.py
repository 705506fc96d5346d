"""Chapter 3: from strides to dilations.

Why: this list is all that `to_dense` has to know in order to turn the convolutions of a window
classifier into those of a network for whole images. The weights are just copied.
"""


def dilations_for_strides(strides):
    """Says which dilation each layer has in the dense network.

    In the dense network every layer visits every position (stride 1). So the
    values that a layer of the classifier read side by side are now further apart, by the strides of
    the layers before it.

    For instance the strides 1, 2, 2 give the dilations 1, 1, 2: nothing with a stride comes before
    the first two layers, and one stride of 2 before the third.

    Args:
        strides: list of whole numbers, the stride of each layer of the classifier, from the image
            on.

    Returns:
        List of whole numbers, as long as `strides`: the dilation of each layer in the dense
        network.
    """
    raise NotImplementedError

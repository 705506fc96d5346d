"""Chapter 4: how many stamps each position gets.

Why: where these counts alternate, a decoder tends to draw checkerboards. Counting shows it before
any training, for a single layer and for several.
"""


def overlap_counts(size, layers):
    """Counts the stamps that arrive at each output of a stack of transposed convolutions.

    In one dimension and without padding. Input i of a layer stamps the outputs
    i * stride, i * stride + 1, ..., i * stride + kernel - 1. A stamp of the first layer counts 1.
    A position at which several stamps have arrived passes on its count: if two have, then each
    stamp that it makes in the next layer counts 2.

    For instance `overlap_counts(3, [(3, 2)])` is [1, 1, 2, 1, 2, 1, 1].

    Args:
        size: how many inputs the first layer has.
        layers: list of tuples (kernel, stride).

    Returns:
        The counts at the outputs of the last layer, a list or an array. A layer makes
        n * stride + max(kernel - stride, 0) outputs of n inputs.
    """
    raise NotImplementedError

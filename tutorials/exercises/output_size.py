"""Chapter 4: the size that comes out.

Why: the maps of encoder and decoder have to have equal sizes where they meet. If you can compute
the sizes, you know before you train which images do not fit, and by how much.
"""


def output_size(size, layers):
    """Follows the side of a map through a stack of layers.

    The rules are those of the table under "The size that comes out" in the chapter; for side n,
    kernel k and stride s they are: down, valid: (n - k) / s rounded down, plus 1; down, same: n / s
    rounded up; up, valid: n s + max(k - s, 0); up, same: n s.

    For instance `output_size(9, [("down", 2, 2, "valid"), ("up", 2, 2, "valid")])` is 8.

    Args:
        size: height of the input (the width follows the same rules).
        layers: list of tuples (kind, kernel, stride, padding) in the order of the network. kind is
            "down" for a convolution or a pooling, "up" for a transposed convolution; padding is
            "valid" or "same".

    Returns:
        The height of the last layer's output, a whole number.
    """
    raise NotImplementedError

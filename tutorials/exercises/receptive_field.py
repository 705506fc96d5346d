"""Chapter 3: the receptive field of any stack.

Why: before a network is trained one can know what it will never be able to see. If the outline of
an object lies outside the receptive field of its middle pixel, the network does not know it there.
"""


def receptive_field(layers):
    """Computes how many pixels, along one axis, one output of a stack of layers depends on.

    Each layer reads `kernel` places of the map below; neighbouring ones of these stand `dilation`
    places apart there. From one output to the next it moves on by `stride` places.

    For instance two layers (3, 1, 1) have a receptive field of 5: each adds one pixel on either
    side. The layers (3, 2, 1), (3, 1, 1) have 7.

    Args:
        layers: list of triples of whole numbers (kernel, stride, dilation), from the image on.

    Returns:
        A whole number: the side of the receptive field in pixels. Without layers it is 1, the pixel
        itself.
    """
    raise NotImplementedError

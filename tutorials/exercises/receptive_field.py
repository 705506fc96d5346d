"""Chapter 3: the receptive field of any stack.

Why: before you train a network you can know what it will never be able to see. If the outline of an
object lies outside the receptive field of its middle pixel, the network cannot know the class
there.
"""


def receptive_field(layers):
    """Computes how many pixels, along one axis, one output of a stack of layers depends on.

    Each layer reads `kernel` positions of the map below, and these are `dilation` positions apart.
    From one output to the next it moves by `stride` positions.

    For instance two layers (3, 1, 1) have a receptive field of 5: each adds one pixel on either
    side. The layers (3, 2, 1), (3, 1, 1) have 7.

    Args:
        layers: list of triples of whole numbers (kernel, stride, dilation), from the image on.

    Returns:
        A whole number: the side of the receptive field in pixels. Without layers it is 1, the pixel
        itself.
    """
    raise NotImplementedError

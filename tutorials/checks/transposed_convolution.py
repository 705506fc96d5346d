"""The check of `transposed_convolution`: against Keras."""

import numpy as np


def expected(maps, kernel, stride):
    import keras

    layer = keras.layers.Conv2DTranspose(
        kernel.shape[2], len(kernel), strides=stride, use_bias=False
    )
    layer.build((None, None, None, maps.shape[2]))
    layer.set_weights([kernel])
    return keras.ops.convert_to_numpy(layer(maps[None].astype("float32")))[0]


def overwritten(maps, kernel, stride):
    return stamp(maps, kernel, stride, lambda old, new: new)


def pixels_side_by_side(maps, kernel, stride):
    return stamp(maps, kernel, stride, step=1)


def turned_kernel(maps, kernel, stride):
    return stamp(maps, kernel[::-1, ::-1], stride)


def channels_swapped(maps, kernel, stride):
    return stamp(maps, kernel.transpose(0, 1, 3, 2), stride)


def stamp(maps, kernel, stride, combine=np.add, step=None):
    """The loops with one thing wrong: how stamps are combined, or how far apart they are."""
    height, width, _ = maps.shape
    k, _, channels, _ = kernel.shape
    step = step or stride
    out = np.zeros(((height - 1) * stride + k, (width - 1) * stride + k, channels))
    for y in range(height):
        for x in range(width):
            place = np.s_[y * step : y * step + k, x * step : x * step + k]
            out[place] = combine(out[place], kernel @ maps[y, x])
    return out


def numbers(*shape):
    """The numbers 1, 2, 3, ... in an array of a shape."""
    return np.arange(1.0, np.prod(shape) + 1).reshape(shape)


CASES = [
    (
        "one pixel of value 2, one channel, kernel 3 x 3, stride 2",
        lambda: (np.full((1, 1, 1), 2.0), numbers(3, 3, 1, 1), 2),
        "One pixel makes one stamp: the kernel, not turned, times 2.",
    ),
    (
        "2 x 3 pixels, one channel, kernel 3 x 3, stride 2",
        lambda: (numbers(2, 3, 1), numbers(3, 3, 1, 1), 2),
        "Five rows and seven columns. Where does the stamp of pixel (1, 2) begin? Row 2 and column "
        "2 get stamps from two neighbours, their crossing from four.",
    ),
    (
        "2 x 2 pixels, two input and two output channels, kernel 2 x 2, stride 2",
        lambda: (numbers(2, 2, 2), numbers(2, 2, 2, 2), 2),
        "Each output channel is the sum, over the input channels d, of what channel d stamps with "
        "its own kernel, kernel[:, :, c, d].",
    ),
    (
        "3 x 2 pixels, two input channels, three output channels, kernel 4 x 4, stride 2",
        lambda: (numbers(3, 2, 2), numbers(4, 4, 3, 2), 2),
        "Which axis of the kernel has as many entries as the output has channels?",
    ),
    (
        "3 x 2 pixels, kernel 3 x 3 of fractions, stride 1",
        lambda: (numbers(3, 2, 1) / 4, numbers(3, 3, 1, 1) / 8, 1),
        "Are your outputs whole numbers? An array of zeros for floats has to be one of floats.",
    ),
    (
        "2 x 3 pixels, kernel 4 x 4, stride 3",
        lambda: (numbers(2, 3, 2), numbers(4, 4, 1, 2), 3),
        "The stamp of input (i, j) begins at row i * stride and column j * stride.",
    ),
]
MISTAKES = [
    (
        overwritten,
        "Overwritten: a later stamp replaces what was there. Where stamps overlap, they add.",
    ),
    (
        pixels_side_by_side,
        "Stride left out: your stamps begin at (y, x). Those of neighbouring pixels are `stride` "
        "places apart.",
    ),
    (
        turned_kernel,
        "Kernel turned by 180 degrees: nothing is reversed here. The number at the upper left of "
        "the kernel goes to the upper left of the stamp.",
    ),
    (
        channels_swapped,
        "Channels swapped: the third axis of the kernel is the output channel, the fourth the "
        "input channel. (In Conv2D of Keras it is the other way round.)",
    ),
]
READ = "Its transpose stamps"
GOOD_FOR = (
    "`Conv2DTranspose` does just this in the decoders of `build_encoder_decoder` and "
    "`build_unet`, with kernel 2 and stride 2."
)

"""The check of `valid_unet_size`: Keras is asked what its layers do to the shape."""

from keras import layers


def expected(size, depth):
    shape = (1, size, size, 1)
    convolution = layers.Conv2D(1, 3, padding="valid")
    doubling = layers.Conv2DTranspose(1, 2, strides=2)
    path = ([convolution] * 2 + ["even", layers.MaxPooling2D(2)]) * depth
    path += [convolution] * 2 + ([doubling] + [convolution] * 2) * depth
    for layer in path:
        if layer == "even":
            if shape[1] % 2:
                return 0
            continue
        if layer is convolution and shape[1] < 3:
            return 0
        shape = layer.compute_output_shape(shape)
    return shape[1]


def walk(size, depth, block=4, bottom=4, even=True):
    """The right way, but for what the arguments change, and without the end at zero."""
    for _ in range(depth):
        size -= block
        if even and size % 2:
            return 0
        size //= 2
    size -= bottom
    for _ in range(depth):
        size = 2 * size - block
    return size


def one_convolution(size, depth):
    return walk(size, depth, block=2, bottom=2)


def no_bottom(size, depth):
    return max(0, walk(size, depth, bottom=0))


def image_divisible(size, depth):
    return 0 if size % 2**depth else max(0, walk(size, depth))


def odd_rounded_down(size, depth):
    return max(0, walk(size, depth, even=False))


def bottom_even(size, depth):
    before = size
    for _ in range(depth):
        before = (before - 4) // 2
    return 0 if before % 2 else max(0, walk(size, depth))


def below_zero(size, depth):
    return walk(size, depth)


def true_division(size, depth):
    return float(expected(size, depth))


CASES = [
    (
        "60 pixels, depth 2",
        (60, 2),
        "On paper: 60, block 56, pooling 28. Go on like this, and compare with what your function "
        "computes on its way.",
    ),
    (
        "572 pixels, depth 4, as in the paper",
        (572, 4),
        "The chapter prints all sizes on this way. 572 / 16 is not whole, and need not be.",
    ),
    (
        "570 pixels, depth 4",
        (570, 4),
        "On paper: 570, block 566, pooling 283, block 279. What follows?",
    ),
    (
        "18 pixels, depth 1",
        (18, 1),
        "On paper: 18, block 14, pooling 7, block 3, doubled 6, block 2. Only what is pooled has "
        "to be even.",
    ),
    (
        "12 pixels, depth 1",
        (12, 1),
        "On paper: 12, block 8, pooling 4, block 0. No pixel is left; an answer has no negative "
        "side.",
    ),
    (
        "14 pixels, depth 1",
        (14, 1),
        "On paper: 14, after the block 10, pooled 5, after the block 1, doubled 2, and the last "
        "block has no room.",
    ),
]
MISTAKES = [
    (
        image_divisible,
        "You test whether the image can be halved that often. That is for padded convolutions. "
        "Here the side changes before each pooling, so test it there.",
    ),
    (
        one_convolution,
        "One convolution a block: there are two, and each takes a pixel off both ends.",
    ),
    (
        no_bottom,
        "The bottom is missing: there is also a block between the last pooling and the first "
        "doubling.",
    ),
    (
        odd_rounded_down,
        "An odd side before a pooling: `//` drops the last row without a word, and the encoder's "
        "map can then not be cropped evenly on both sides. The answer is to be 0.",
    ),
    (
        bottom_even,
        "The bottom is not pooled: what comes out of the last pooling may be odd.",
    ),
    (
        below_zero,
        "A negative side: where no pixel is left, the answer is to be 0.",
    ),
    (
        true_division,
        "The number is right, but it is a float, and only an int can be the side of an array. "
        "Halve with `//` in place of `/`: you have made sure that the side is even.",
    ),
]
READ = "What the paper does"
GOOD_FOR = (
    "This is how the authors knew that a tile of 572 pixels answers for 388, and by how much "
    "tiles of a large image must overlap."
)

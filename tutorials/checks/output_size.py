"""The check of `output_size`: against Keras."""

import math


def expected(size, layers):
    import keras

    for kind, kernel, stride, padding in layers:
        layer = keras.layers.Conv1D if kind == "down" else keras.layers.Conv1DTranspose
        layer = layer(1, kernel, strides=stride, padding=padding)
        size = layer.compute_output_shape((1, size, 1))[1]
    return size


def follow(size, layers, **rules):
    """The right sizes, but for the rules that are replaced: name -> function (n, k, s)."""
    right = {
        "down_valid": lambda n, k, s: (n - k) // s + 1,
        "down_same": lambda n, k, s: math.ceil(n / s),
        "up_valid": lambda n, k, s: n * s + max(k - s, 0),
        "up_same": lambda n, k, s: n * s,
    }
    for kind, kernel, stride, padding in layers:
        size = (right | rules)[f"{kind}_{padding}"](size, kernel, stride)
    return size


def valid_rounded_up(size, layers):
    return follow(size, layers, down_valid=lambda n, k, s: math.ceil((n - k) / s) + 1)


def one_forgotten(size, layers):
    return follow(size, layers, down_valid=lambda n, k, s: (n - k) // s)


def same_rounded_down(size, layers):
    return follow(size, layers, down_same=lambda n, k, s: n // s)


def same_plus_one(size, layers):
    return follow(size, layers, down_same=lambda n, k, s: n // s + 1)


def no_overhang(size, layers):
    return follow(size, layers, up_valid=lambda n, k, s: n * s)


def kernel_below_stride(size, layers):
    return follow(size, layers, up_valid=lambda n, k, s: (n - 1) * s + k)


def always_valid(size, layers):
    return follow(size, [(*layer[:3], "valid") for layer in layers])


def taken_for_the_inverse(size, layers):
    return size if len(layers) > 1 else follow(size, layers)


CASES = [
    (
        'a convolution of kernel 5 and stride 2, "valid", on 12',
        (12, [("down", 5, 2, "valid")]),
        "The kernel begins at 0, 2, 4, ... At which of these places does it still fit into 12?",
    ),
    (
        'a convolution of kernel 5 and stride 2, "same", on 9',
        (9, [("down", 5, 2, "same")]),
        'With "same" the kernel does not matter: the last, incomplete stride has an output too.',
    ),
    (
        'a convolution of kernel 3 and stride 2, "same", on 8',
        (8, [("down", 3, 2, "same")]),
        "Here the last stride is complete: 8 / 2 is a whole number, and nothing is left over.",
    ),
    (
        'a convolution of kernel 3 and stride 4, "same", on 9',
        (9, [("down", 3, 4, "same")]),
        "The kernel is centred at 0, 4 and 8. That makes ceil(9 / 4) positions.",
    ),
    (
        'a convolution of kernel 3 and stride 4, "same", on 11',
        (11, [("down", 3, 4, "same")]),
        "The kernel is centred at 0, 4 and 8. That makes ceil(11 / 4) positions.",
    ),
    (
        'a transposed convolution of kernel 3 and stride 2, "valid", on 5',
        (5, [("up", 3, 2, "valid")]),
        "Where does the last of the five stamps begin, and where does it end?",
    ),
    (
        'a transposed convolution of kernel 2 and stride 3, "valid", on 4',
        (4, [("up", 2, 3, "valid")]),
        "The kernel is smaller than the stride: the formula of the chapter has a max.",
    ),
    (
        'a transposed convolution of kernel 3 and stride 2, "same", on 5',
        (5, [("up", 3, 2, "same")]),
        'With "same" what overhangs is cut off: exactly `stride` outputs for each input.',
    ),
    (
        "three poolings of 2 and three transposed convolutions of kernel 2 and stride 2, on 41",
        (41, [("down", 2, 2, "valid")] * 3 + [("up", 2, 2, "valid")] * 3),
        "Write down the size after each of the six layers. What has been lost cannot come back.",
    ),
]
MISTAKES = [
    (
        valid_rounded_up,
        'Rounded up: with "valid" a kernel that sticks out at the end gives no output.',
    ),
    (
        one_forgotten,
        "One too few: the number of steps was counted, but the kernel gives an output before its "
        "first step, too.",
    ),
    (
        same_rounded_down,
        'Rounded down: with "same" the last, incomplete stride has an output, too.',
    ),
    (
        same_plus_one,
        "One too many: n // s + 1 is n / s rounded up only if something is left over. When the "
        "stride divides the size, there is no incomplete stride at the end.",
    ),
    (
        always_valid,
        'Padding not looked at: the layer is "same", your size is that of "valid".',
    ),
    (
        no_overhang,
        'Overhang left out: with "valid" the last stamp is as long as the kernel, longer than '
        "the stride.",
    ),
    (
        kernel_below_stride,
        "Kernel below the stride: Keras gives each input a full stride of outputs, the last one, "
        "too, and leaves zeros where no stamp falls.",
    ),
    (
        taken_for_the_inverse,
        "Taken for the inverse: a pooling that halves 41 drops a row; doubling does not bring it "
        "back. Follow the layers one by one.",
    ),
]
READ = "The size that comes out"
GOOD_FOR = (
    "When a network complains that two maps do not fit together, you can now find the layer and "
    "the image size at fault with pencil and paper."
)

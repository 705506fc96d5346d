"""The check of `count_multiplications`: the places of each kernel are listed, not computed."""

import math


def expected(size, channels, convolutions, dense):
    return count(size, channels, convolutions, dense)


def list_places(size, kernel, stride):
    return len([row for row in range(0, size, stride) if row + kernel <= size])


def count(size, channels, convolutions, dense, places=list_places, per_place=None, flatten=True):
    """Counts with what may be done wrong as arguments."""
    per_place = per_place or (lambda kernel, inputs: kernel * kernel * inputs)
    total = 0
    for kernel, stride, filters in convolutions:
        size = places(size, kernel, stride)
        total += size * size * per_place(kernel, channels) * filters
        channels = filters
    inputs = size * size * channels if flatten else channels
    for units in dense:
        total += inputs * units
        inputs = units
    return total


def stride_ignored(*arguments):
    return count(*arguments, places=lambda size, kernel, stride: size - kernel + 1)


def padded(*arguments):
    return count(*arguments, places=lambda size, kernel, stride: math.ceil(size / stride))


def without_the_one(*arguments):
    return count(*arguments, places=lambda size, kernel, stride: (size - kernel) // stride)


def rounded_up(*arguments):
    return count(
        *arguments, places=lambda size, kernel, stride: math.ceil((size - kernel) / stride) + 1
    )


def input_channels_forgotten(*arguments):
    return count(*arguments, per_place=lambda kernel, inputs: kernel * kernel)


def not_flattened(*arguments):
    return count(*arguments, flatten=False)


def weights(size, channels, convolutions, dense, bias=0):
    total = 0
    for kernel, stride, filters in convolutions:
        total += (kernel * kernel * channels + bias) * filters
        size, channels = list_places(size, kernel, stride), filters
    inputs = size * size * channels
    for units in dense:
        total += (inputs + bias) * units
        inputs = units
    return total


def parameters(*arguments):
    return weights(*arguments, bias=1)


def first_channels_kept(size, channels, convolutions, dense):
    total = 0
    for kernel, stride, filters in convolutions:
        size = list_places(size, kernel, stride)
        total += size * size * kernel * kernel * channels * filters
    inputs = size * size * (convolutions[-1][2] if convolutions else channels)
    for units in dense:
        total += inputs * units
        inputs = units
    return total


CASES = [
    (
        "one convolution of 16 filters: count_multiplications(9, 3, [(3, 1, 16)], [])",
        (9, 3, [(3, 1, 16)], []),
        "At how many positions in a row of 9 pixels does a kernel of 3 fit? At each position every "
        "filter multiplies kernel * kernel * channels numbers.",
    ),
    (
        "a stride of 2: count_multiplications(7, 16, [(3, 2, 16)], [])",
        (7, 16, [(3, 2, 16)], []),
        "Write down the first row or column of each position of the kernel: 0, 2, and so on, as "
        "long as the kernel ends on the map.",
    ),
    (
        "two convolutions: count_multiplications(9, 3, [(3, 1, 16), (3, 2, 24)], [])",
        (9, 3, [(3, 1, 16), (3, 2, 24)], []),
        "The second layer's input is what the first one puts out: which size, how many channels?",
    ),
    (
        "a stride that leaves a rest: count_multiplications(8, 3, [(3, 2, 4)], [])",
        (8, 3, [(3, 2, 4)], []),
        "The kernel begins at 0, 2 and 4. A kernel at 6 would end outside of the map: it is left "
        "out.",
    ),
    (
        "a stride that leaves a larger rest: count_multiplications(10, 3, [(3, 2, 4)], [])",
        (10, 3, [(3, 2, 4)], []),
        "The kernel starts at 0, 2, 4 and 6. At 8 it would stick out, so there are 4 positions.",
    ),
    (
        "fully connected layers: count_multiplications(4, 2, [(2, 1, 6)], [10, 5])",
        (4, 2, [(2, 1, 6)], [10, 5]),
        "A fully connected layer has one weight for each pair of an input and a unit, and uses it "
        "once. How many inputs does the first one have, how many the second?",
    ),
    (
        "no convolutions: count_multiplications(3, 2, [], [4])",
        (3, 2, [], [4]),
        "The window itself is flattened: 3 * 3 * 2 inputs. Do you take the number of channels from "
        "a variable that only the loop over the convolutions sets?",
    ),
    (
        "the classifier of chapter 2: "
        "count_multiplications(9, 3, [(3, 1, 16), (3, 2, 16)], [32, 5])",
        (9, 3, [(3, 1, 16), (3, 2, 16)], [32, 5]),
        "Compare with the chapter's table, layer by layer.",
    ),
]
MISTAKES = [
    (
        stride_ignored,
        "The stride is ignored: with a stride of 2 the kernel moves to every second position only.",
    ),
    (
        rounded_up,
        "One position too many where the stride leaves a rest: a kernel that would be half "
        "outside of the map is left out.",
    ),
    (
        padded,
        "You counted as many positions as if the map were padded: these convolutions have no "
        "padding. The kernel has to lie on the map as a whole, and what comes out is smaller than "
        "what goes in. The work is done once for each position of what comes out.",
    ),
    (
        without_the_one,
        "One position too few in each direction: a kernel of 3 fits on a map of 3 once, not 0 "
        "times.",
    ),
    (
        input_channels_forgotten,
        "The input's channels are forgotten: a filter is not kernel x kernel but "
        "kernel x kernel x channels.",
    ),
    (
        weights,
        "You counted the weights. A weight of a convolution is used once at every position of "
        "the kernel: that is why convolutions have few weights and much work.",
    ),
    (
        parameters,
        "You counted the parameters, with the biases. A weight of a convolution is used once at "
        "every place of the kernel, and biases are added, not multiplied.",
    ),
    (
        first_channels_kept,
        "The second convolution counts with the window's channels: its input has as many channels "
        "as the first one has filters.",
    ),
    (
        not_flattened,
        "The first fully connected layer has more inputs: flattening keeps every number of the "
        "map, height x width x channels of them.",
    ),
]
READ = "What it costs"
GOOD_FOR = (
    "You can now compare two networks before you train either, and in chapter 3 this count says "
    "how much the dense network saves."
)

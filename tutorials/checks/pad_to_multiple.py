"""The check of `pad_to_multiple`: against what the layer of the library says about shapes."""

from voc_seg import PadToMultiple


def expected(size, depth):
    shape = PadToMultiple(2**depth).compute_output_shape((1, size, size, 3))
    return shape[1] - size


def remainder(size, depth):
    return size % 2**depth


def always_something(size, depth):
    return 2**depth - size % 2**depth


def twice_the_depth(size, depth):
    return -size % (2 * depth)


def not_a_power(size, depth):
    return -size % (2 ^ depth)


def one_halving_too_few(size, depth):
    return -size % 2 ** (depth - 1)


def level_by_level(size, depth):
    added = 0
    for _ in range(depth):
        added += size % 2
        size = (size + size % 2) // 2
    return added


def new_length(size, depth):
    return size + -size % 2**depth


CASES = [
    (
        "a side of 133 pixels, halved 5 times",
        (133, 5),
        "Try by hand: which is the next length above 133 that can be halved five times, and how "
        "far is it?",
    ),
    (
        "a side of 48 pixels, halved 3 times",
        (48, 3),
        "Can 48 be halved three times as it is?",
    ),
    (
        "a side of 1 pixel, halved 4 times",
        (1, 4),
        "Which is the smallest length that can be halved four times?",
    ),
    (
        "a side of 500 pixels, halved 5 times",
        (500, 5),
        "Halving five times divides by 2 * 2 * 2 * 2 * 2. Which multiple of that comes next?",
    ),
]
MISTAKES = [
    (
        remainder,
        "That is the remainder: so many pixels are too many for the multiple below. How many are "
        "missing to the one above?",
    ),
    (
        always_something,
        "A whole multiple too much: what fits already needs no padding at all.",
    ),
    (
        twice_the_depth,
        "Multiples of 2 * depth: each halving divides what the one before has left. By how much do "
        "three halvings in a row divide?",
    ),
    (
        not_a_power,
        "In Python, `2 ^ depth` isn't a power: it compares bits. Write `2**depth`.",
    ),
    (
        one_halving_too_few,
        "One halving too few: depth 3 means three poolings, including the first one.",
    ),
    (
        level_by_level,
        "One pixel for each odd level: you pad again at every scale. But we pad only once, at the "
        "input. A pixel that is missing after two halvings is worth four pixels there.",
    ),
    (
        new_length,
        "The new length of the side: what is asked for is how many pixels to add to the old one.",
    ),
]
READ = "Images whose size does not fit"
GOOD_FOR = (
    "The layer `PadToMultiple` adds as many rows and columns to each photo, so the U-Net takes "
    "images of any size."
)

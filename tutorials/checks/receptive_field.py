"""The check of `receptive_field`: by following one output back to the image, place by place."""


def expected(layers):
    places = {0}
    for kernel, stride, dilation in reversed(layers):
        places = {place * stride + tap * dilation for place in places for tap in range(kernel)}
    return max(places) - min(places) + 1


def strides_ignored(layers):
    return 1 + sum((kernel - 1) * dilation for kernel, _, dilation in layers)


def own_stride_included(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        jump *= stride
        field += (kernel - 1) * dilation * jump
    return field


def own_stride_only(layers):
    return 1 + sum((kernel - 1) * dilation * stride for kernel, stride, dilation in layers)


def from_the_wrong_end(layers):
    field = 1
    for kernel, stride, dilation in layers:
        field = (field - 1) * stride + (kernel - 1) * dilation + 1
    return field


def last_stride_only(layers):
    field, before = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * before
        before = stride
    return field


def dilation_ignored(layers):
    return expected([(kernel, stride, 1) for kernel, stride, _ in layers])


def whole_kernels_added(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += kernel * dilation * jump
        jump *= stride
    return field


def dilation_kept(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump *= stride * dilation
    return field


def strides_added(layers):
    field, jump = 1, 1
    for kernel, stride, dilation in layers:
        field += (kernel - 1) * dilation * jump
        jump += stride
    return field


CASES = [
    ("no layers", ([],), "Nothing has been read yet but the pixel itself: begin with 1."),
    (
        "one layer (5, 1, 1)",
        ([(5, 1, 1)],),
        "One layer sees as many pixels as its kernel has taps.",
    ),
    (
        "two layers (3, 1, 1)",
        ([(3, 1, 1), (3, 1, 1)],),
        "A kernel of 3 adds the pixels beside the middle one: how many does it add, how many were "
        "there already?",
    ),
    (
        "a stride in the middle: (3, 1, 1), (5, 2, 1), (2, 1, 1)",
        ([(3, 1, 1), (5, 2, 1), (2, 1, 1)],),
        "The first two layers see 3 + 4 pixels. The last one adds one output of the second layer "
        "to that: how many pixels further to the right does that output read?",
    ),
    (
        "the first layer with a stride: (5, 2, 1), (3, 1, 1)",
        ([(5, 2, 1), (3, 1, 1)],),
        "The first layer sees 5 pixels. The second adds two outputs of the first to that: how many "
        "pixels does each of them add?",
    ),
    (
        "the classifier of the chapter: (3, 1, 1), (3, 2, 1), (3, 2, 1), (3, 1, 1)",
        ([(3, 1, 1), (3, 2, 1), (3, 2, 1), (3, 1, 1)],),
        "It must be the window, 17. Keep a second number beside the field: the distance in the "
        "image of two neighbours on the present map. Which one of the two do you update "
        "first?",
    ),
    (
        "the dense network of the chapter: (3, 1, 1), (3, 1, 1), (3, 1, 2), (3, 1, 4)",
        ([(3, 1, 1), (3, 1, 1), (3, 1, 2), (3, 1, 4)],),
        "17 again. Here all neighbours on the maps are neighbours in the image; only the taps "
        "are spread out.",
    ),
    (
        "strides and dilations mixed: (5, 2, 1), (3, 3, 2), (4, 1, 3), (2, 2, 1)",
        ([(5, 2, 1), (3, 3, 2), (4, 1, 3), (2, 2, 1)],),
        "A tap is dilation × jump pixels away from the next one. The last layer's stride does not "
        "matter: nothing comes after it.",
    ),
    (
        "a layer that reads one place: (1, 2, 1), then (3, 1, 1)",
        ([(1, 2, 1), (3, 1, 1)],),
        "A kernel of 1 adds nothing, but its stride still moves apart what comes after it.",
    ),
]
MISTAKES = [
    (
        strides_ignored,
        "Strides ignored: after a stride of 2 neighbours on the map are two pixels apart in the "
        "image, and one more tap reaches two pixels further.",
    ),
    (
        own_stride_included,
        "Own stride included: you updated the jump before you used it. The taps of a "
        "layer read the map below, which that layer's own stride has not touched.",
    ),
    (
        from_the_wrong_end,
        "From the wrong end: (r - 1) * stride + (kernel - 1) * dilation + 1 is the step from an "
        "output back towards the image, so it has to begin with the last layer. (Or go forwards, "
        "and keep the jump in a second variable.)",
    ),
    (
        last_stride_only,
        "Only the last stride counts: you used the stride of the layer just before. The strides "
        "of all layers before it multiply.",
    ),
    (
        own_stride_only,
        "Own stride: the taps of a layer read the map below, which that layer's own stride has not "
        "touched. What moves them apart in the image are the strides of the layers before.",
    ),
    (
        dilation_ignored,
        "Dilation ignored: you get what these layers would see with dilation 1. Taps that are d "
        "positions apart reach d times as far.",
    ),
    (
        dilation_kept,
        "Dilation kept: a dilation moves the taps of its own layer apart, not the outputs. The "
        "next layer finds its inputs as close together as before; only a stride changes that.",
    ),
    (
        strides_added,
        "Strides added: the jump is their product. After two strides of 2 neighbours are 4 "
        "pixels apart, and a stride of 1 changes nothing.",
    ),
    (
        whole_kernels_added,
        "Whole kernels added: one tap of each kernel falls on what is covered already, so k "
        "taps reach k - 1 steps further.",
    ),
]
READ = "The receptive field"
GOOD_FOR = (
    "Use it before you train: a network can't recognise an object by anything outside its "
    "receptive field, and in chapter 4 you see how fast poolings make it grow."
)

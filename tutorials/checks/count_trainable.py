"""The check of `count_trainable`: against Keras, which builds the layers and counts."""

import math

import keras


def expected(layers):
    weights = [weight for layer in layers for weight in build(layer).trainable_weights]
    return sum(math.prod(weight.shape) for weight in weights)


def build(layer):
    """A dictionary as a Keras layer with weights."""
    if layer["kind"] == "convolution":
        built = keras.layers.Conv2D(layer["filters"], layer["size"], use_bias=layer["bias"])
        built.build((None, None, None, layer["inputs"]))
    else:
        built = keras.layers.BatchNormalization()
        built.build((None, None, None, layer["channels"]))
    built.trainable = layer["trainable"]
    return built


def count(layers, frozen=False, biases=True, per_channel=2, inputs=True, square=True):
    """The solution, with what each mistake changes."""
    total = 0
    for layer in layers:
        if not layer["trainable"] and not frozen:
            continue
        if layer["kind"] == "normalisation":
            total += per_channel * layer["channels"]
            continue
        kernel = layer["size"] ** 2 if square else layer["size"]
        total += kernel * (layer["inputs"] if inputs else 1) * layer["filters"]
        if biases is True:
            total += layer["filters"] * layer["bias"]
        elif biases == "always":
            total += layer["filters"]
    return total


def frozen_too(layers):
    return count(layers, frozen=True)


def without_biases(layers):
    return count(layers, biases=False)


def frozen_normalisation(layers):
    trainable = {"trainable": True}
    return expected([x | trainable if x["kind"] == "normalisation" else x for x in layers])


def bias_always(layers):
    return count(layers, biases="always")


def statistics_too(layers):
    return count(layers, per_channel=4)


def one_input(layers):
    return count(layers, inputs=False)


def not_squared(layers):
    return count(layers, square=False)


def convolution(inputs, filters, trainable=True, bias=True, size=3):
    return {
        "kind": "convolution",
        "size": size,
        "inputs": inputs,
        "filters": filters,
        "bias": bias,
        "trainable": trainable,
    }


def normalisation(channels, trainable=True):
    return {"kind": "normalisation", "channels": channels, "trainable": trainable}


CASES = [
    (
        "the two convolutions of VGG16's first block, nothing frozen",
        ([convolution(3, 64), convolution(64, 64)],),
        "How many numbers does one filter of the first convolution hold, over its three inputs? "
        "And of the second, over its 64?",
    ),
    (
        "the same with the first one frozen",
        ([convolution(3, 64, trainable=False), convolution(64, 64)],),
        "Which of the two counts now?",
    ),
    (
        "a convolution of 1 x 1 without a bias, then a batch normalisation",
        ([convolution(64, 32, bias=False, size=1), normalisation(32)],),
        "Of the four numbers for each channel, which does the optimiser change? And does the "
        "convolution have a bias?",
    ),
    (
        "a frozen encoder with normalisation, and a trainable decoder",
        (
            [
                convolution(3, 16, trainable=False, bias=False),
                normalisation(16, trainable=False),
                convolution(16, 32, bias=False),
                normalisation(32),
                convolution(32, 5, size=1),
            ],
        ),
        "Go through the list layer by layer: does each number that you add belong to a layer that "
        "trains?",
    ),
    ("no layers at all", ([],), "Nothing has no parameters: the sum over an empty list is 0."),
]
MISTAKES = [
    (
        frozen_too,
        "You also count the frozen layers. They have parameters, but no trainable ones.",
    ),
    (
        without_biases,
        "The biases are missing: if `bias` is True, each filter has one number in addition to its "
        "kernel.",
    ),
    (
        frozen_normalisation,
        "A frozen normalisation is counted: `trainable` False holds for both kinds of layers.",
    ),
    (bias_always, "A bias where there is none: look at `bias`."),
    (
        statistics_too,
        "Mean and variance of a batch normalisation are counted. They change during training, but "
        "as running averages of the data, not by the optimiser; Keras calls them non-trainable.",
    ),
    (
        one_input,
        "A filter has a slice for every input channel: 3 x 3 is the kernel for one of them only.",
    ),
    (not_squared, "A kernel of size 3 has 3 x 3 weights, not 3."),
]
READ = "A decoder on top"
GOOD_FOR = (
    "Compare your number with what `model.summary()` says before a long training run: a wrong "
    "flag raises no error, but it changes this number."
)

"""The check of `freeze`: the weights that the optimiser would get, layer by layer."""

import keras
from keras import layers

BLOCKS = {1: 4, 2: 4, 3: 8}  # of the small model: block -> filters


def build(trainable, blocks=BLOCKS):
    """A small encoder with VGG16's names, two convolutions in each block."""
    inputs = keras.Input((None, None, 3), name="image")
    x = inputs
    for block, filters in blocks.items():
        for i in (1, 2):
            x = layers.Conv2D(filters, 3, padding="same", name=f"block{block}_conv{i}")(x)
            x = layers.BatchNormalization(name=f"block{block}_norm{i}")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    model = keras.Model(inputs, x)
    model.trainable = trainable
    return model


def view(answer):
    """The names of the layers that the model trains, in one line."""
    if isinstance(answer, str):  # already seen, or the right answer
        return answer
    if not isinstance(answer, keras.Model):
        raise ValueError("expected the model")
    trained = {id(weight) for weight in answer.trainable_weights}
    names = [x.name for x in answer.layers if any(id(weight) in trained for weight in x.weights)]
    return "a model that trains " + (", ".join(names) or "nothing")


def expected(model, first):
    """By the numbers of the blocks, without looking at the model's flags."""
    names = [layer.name for layer in model.layers if "_conv" in layer.name]
    number = int(first.removeprefix("block"))
    later = [x for x in names if int(x.split("_")[0].removeprefix("block")) >= number]
    return "a model that trains " + ", ".join(later)


def flags(model, first, behind, inside, normalisation=False, whole=True):
    """Sets the flags as the mistakes do: before, in and behind the named block."""
    if whole:
        model.trainable = True
    seen = False
    for layer in model.layers:
        belongs = layer.name.startswith(f"{first}_")
        seen = seen or belongs
        value = inside if belongs else behind if seen else not behind and not inside
        layer.trainable = value and (
            normalisation or not isinstance(layer, layers.BatchNormalization)
        )
    return model


def normalisation_thawed(model, first):
    return flags(model, first, behind=True, inside=True, normalisation=True)


def model_frozen_first(model, first):
    model.trainable = False
    return flags(model, first, behind=True, inside=True, whole=False)


def named_block_only(model, first):
    return flags(model, first, behind=False, inside=True)


def upside_down(model, first):
    return flags(model, first, behind=False, inside=False)


def one_block_late(model, first):
    return flags(model, first, behind=True, inside=False)


def compared_as_text(model, first):
    model.trainable = True
    for layer in model.layers:
        normalises = isinstance(layer, layers.BatchNormalization)
        layer.trainable = layer.name >= first and not normalises
    return model


def model_left_frozen(model, first):
    return flags(model, first, behind=True, inside=True, whole=False)


def model_last(model, first):
    model = flags(model, first, behind=True, inside=True, whole=False)
    model.trainable = True  # on TensorFlow without effect where it is True already
    return model


CASES = [
    (
        'first="block2", of a model of three blocks in which everything trains',
        lambda: (build(trainable=True), "block2"),
        "Write down for each block whether it comes before the named one, is it, or comes after "
        "it.",
    ),
    (
        'first="block3"',
        lambda: (build(trainable=True), "block3"),
        "The last block: is anything before it still training?",
    ),
    (
        'first="block2", of a model that is frozen as a whole',
        lambda: (build(trainable=False), "block2"),
        "The model has its own flag, in addition to those of its layers; see the docstring.",
    ),
    (
        'first="block1", of a model that is frozen as a whole',
        lambda: (build(trainable=False), "block1"),
        "Everything but the normalisation trains.",
    ),
    (
        'first="block9", of a model with the blocks 9 and 10',
        lambda: (build(trainable=True, blocks={9: 4, 10: 4}), "block9"),
        "Block 10 comes after block 9: go by the order of the layers, not by their names.",
    ),
]
MISTAKES = [
    (
        compared_as_text,
        'You compare names as text, and as text "block10" comes before "block9". Go through the '
        "list in its order, and remember whether the named block has come.",
    ),
    (
        model_last,
        "Everything trains: changing `model.trainable` changes the flag of every layer, so it has "
        "to come before the layers' own flags, not after them.",
    ),
    (
        normalisation_thawed,
        "The normalisation trains: its averages would be replaced by those of your few images. It "
        "stays frozen after the named block as well.",
    ),
    (
        named_block_only,
        "Only the named block trains. The blocks after it work on its output, so they have to "
        "train as well.",
    ),
    (
        upside_down,
        "The wrong way round: the blocks before the named one train. These know most that holds "
        "for all images, and should change last.",
    ),
    (one_block_late, "One block too late: the named block itself also trains."),
    (
        model_left_frozen,
        "The layers' flags are right, but the model's own is still False, and then nothing trains. "
        "Set the model's first (it sets all its layers'), then those of the layers.",
    ),
    (
        model_frozen_first,
        "Nothing trains: `model.trainable = False` stays, and while a model is frozen, Keras "
        "ignores the flags of its layers. Set it to True first, then the flag of each layer.",
    ),
]
READ = "Frozen first, fine-tuned next"
GOOD_FOR = (
    "`unfreeze` sets the same flags for the second stage of `train`, and it leaves the "
    "normalisation frozen for the same reason."
)

"""The check of `small_unet`: what each convolution of the decoder reads, from the model's graph."""

import keras
from keras import layers


def view(answer):
    """What the decoder reads at each scale, in one line."""
    if isinstance(answer, str):  # already seen, or the right answer
        return answer
    if not isinstance(answer, keras.Model):
        raise ValueError("expected a keras.Model")
    found = []
    decoders = [x for x in answer.layers if x.name.startswith("decoder")]
    for decoder in decoders:
        source = decoder.input._keras_history.operation  # the layer before it
        text = source.name
        if isinstance(source.input, list):
            names = [tensor._keras_history.operation.name for tensor in source.input]
            kind = type(source).__name__.removeprefix("Concatenate")
            text = f"{kind}({', '.join(names)})"
        found.append(f"{decoder.name} reads {text}, {decoder.input.shape[-1]} channels")
    return "a network in which " + "; ".join(found)


def expected(num_classes, filters, depth):
    """Written down without building anything."""
    return "a network in which " + "; ".join(
        f"decoder{i} reads (encoder{i}, up{i}), {2 * filters * 2 ** (i - 1)} channels"
        for i in range(depth, 0, -1)
    )


def build(num_classes, filters, depth, join, after_pooling=False):
    """The network; `join(skips, i, x)` makes the map that the decoder reads."""
    inputs = x = keras.Input((None, None, 3), name="image")
    skips = []
    for i in range(depth):
        x = layers.Conv2D(filters * 2**i, 3, padding="same", name=f"encoder{i + 1}")(x)
        kept = x
        x = layers.MaxPooling2D(2, name=f"pool{i + 1}")(x)
        skips.append(x if after_pooling else kept)
    x = layers.Conv2D(filters * 2**depth, 3, padding="same", name="bottleneck")(x)
    for i in reversed(range(depth)):
        x = layers.Conv2DTranspose(filters * 2**i, 2, strides=2, name=f"up{i + 1}")(x)
        x = join(skips, i, x)
        x = layers.Conv2D(filters * 2**i, 3, padding="same", name=f"decoder{i + 1}")(x)
    outputs = layers.Conv2D(num_classes, 1, activation="softmax", name="probabilities")(x)
    return keras.Model(inputs, outputs)


def concatenated(skips, i, x):
    return layers.Concatenate()([skips[i], x])


def no_skips(num_classes, filters, depth):
    return build(num_classes, filters, depth, lambda skips, i, x: x)


def from_after_the_pooling(num_classes, filters, depth):
    return build(num_classes, filters, depth, concatenated, after_pooling=True)


def enlarged_first(num_classes, filters, depth):
    return build(
        num_classes, filters, depth, lambda skips, i, x: layers.Concatenate()([x, skips[i]])
    )


def wrong_end(num_classes, filters, depth):
    return build(
        num_classes, filters, depth, lambda skips, i, x: concatenated(skips, depth - 1 - i, x)
    )


def always_the_last(num_classes, filters, depth):
    return build(num_classes, filters, depth, lambda skips, i, x: concatenated(skips, -1, x))


def added(num_classes, filters, depth):
    return build(num_classes, filters, depth, lambda skips, i, x: layers.Add()([skips[i], x]))


def encoder_only(num_classes, filters, depth):
    return build(num_classes, filters, depth, lambda skips, i, x: skips[i])


CASES = [
    (
        "5 classes, 8 filters, depth 2",
        (5, 8, 2),
        "Three lines: `skips = []` before the first loop, `skips.append(x)` before the pooling, "
        "and a `layers.Concatenate()` of two maps after the transposed convolution.",
    ),
    ("2 classes, 4 filters, depth 3", (2, 4, 3), "Does it work for every depth?"),
    ("3 classes, 6 filters, depth 1", (3, 6, 1), "One scale has one skip connection."),
]
MISTAKES = [
    (
        no_skips,
        "There are no skip connections: this is the encoder-decoder. Does the decoder's "
        "convolution read what `Concatenate` returns?",
    ),
    (
        from_after_the_pooling,
        "You keep the map from after the pooling. It has half the size, and has forgotten where "
        "each value came from. Keep it one line earlier.",
    ),
    (
        enlarged_first,
        "The order is the other way round: the encoder's map comes first, then the enlarged one. "
        "(Both orders work, but the weights of one do not fit the other.)",
    ),
    (
        wrong_end,
        "The scales do not match: the decoder begins at the coarsest scale, and the encoder's list "
        "at the finest. Scale i of the decoder needs entry i of the list.",
    ),
    (
        always_the_last,
        "Every scale reads the last map of the list. Scale i of the decoder needs entry i.",
    ),
    (
        added,
        "You add the two maps. FCN does that with class scores. U-Net concatenates, so the next "
        "convolution sees both.",
    ),
    (
        encoder_only,
        "The decoder reads only the encoder's map, and the way through the bottleneck is lost. It "
        "needs both.",
    ),
]
READ = "In the source"
GOOD_FOR = (
    "`build_unet` differs from `build_encoder_decoder` in the same three lines, and you will find "
    "them in every U-Net that you read."
)

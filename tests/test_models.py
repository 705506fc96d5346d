"""The builders, their layers, loss and metric, on any backend (KERAS_BACKEND=jax as well)."""

import functools
import inspect
import json

import keras
import numpy as np
import pytest
from helpers import count_pairs, mean_iou_by_hand, predict, python, random_images, tiny_vgg
from keras import ops

import voc_seg
from voc_seg import ClassProbabilities, CropLike, PadToMultiple, ReflectPadding2D
from voc_seg.models.blocks import reflect

BUILDERS = {
    "patch_classifier": lambda: voc_seg.build_patch_classifier(3, window=5, filters=2),
    "dense": lambda: voc_seg.to_dense(BUILDERS["patch_classifier"]()),
    "encoder_decoder": lambda: voc_seg.build_encoder_decoder(3, filters=2, depth=2),
    "unet": lambda: voc_seg.build_unet(3, filters=2, depth=2),
    "vgg_transfer": lambda: voc_seg.build_vgg_transfer(
        3, blocks=(2, 3), filters=2, encoder=tiny_vgg()
    ),
}
SEGMENTERS = ["dense", "encoder_decoder", "unet", "vgg_transfer"]


@functools.cache
def built(name):
    """A model by its name, built once; not to be trained."""
    return BUILDERS[name]()


def values_leaving(model, layer_name, images):
    """The output of the layer of that name, in a model by one of the builders."""
    part = keras.Model(model.inputs, model.get_layer(layer_name).output)
    return predict(part, images)


def block_parameters(channels, filters):
    """Two 3 x 3 convolutions without bias; normalisations with four numbers a filter."""
    return 9 * channels * filters + 9 * filters * filters + 2 * 4 * filters


def scales_parameters(skip, filters=64, depth=4, classes=21):
    """The parameters of a U-Net, or without `skip` of an encoder-decoder, counted by hand."""
    count, channels = 0, 3
    for i in range(depth + 1):
        count += block_parameters(channels, filters * 2**i)
        channels = filters * 2**i
    for i in range(depth):
        f = filters * 2**i
        count += 2 * 2 * 2 * f * f + f + block_parameters(2 * f if skip else f, f)
    return count + filters * classes + classes


# The builders


@pytest.mark.parametrize("size", [(1, 1), (1, 17), (31, 2), (45, 64)], ids=str)
@pytest.mark.parametrize("name", SEGMENTERS)
def test_output_has_the_input_size_and_is_float32_probabilities(name, size):
    probabilities = predict(built(name), random_images(1, *size))
    assert probabilities.shape == (1, *size, 3)
    assert probabilities.dtype == np.float32
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)


def test_patch_classifier_gives_float32_probabilities_for_each_window():
    probabilities = predict(built("patch_classifier"), random_images(4, 5, 5))
    assert probabilities.shape == (4, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("name", BUILDERS)
def test_uint8_and_float_images_give_the_same_result(name):
    images = random_images(2, 5, 5)
    from_float = predict(built(name), images.astype("float32"))
    np.testing.assert_allclose(predict(built(name), images), from_float, atol=1e-6)
    assert np.ptp(from_float) > 1e-3  # the result does depend on the image


@pytest.mark.parametrize(("name", "skip"), [("build_unet", True), ("build_encoder_decoder", False)])
def test_default_has_64_filters_and_depth_4_and_the_parameters_counted_by_hand(name, skip):
    model = getattr(voc_seg, name)()
    assert model.output_shape == (None, None, None, 21)
    assert model.get_layer("encoder1_conv1").filters == 64
    assert model.get_layer("bottleneck_conv2").filters == 1024
    assert model.count_params() == scales_parameters(skip)


def test_default_patch_classifier_has_the_parameters_counted_by_hand():
    model = voc_seg.build_patch_classifier()
    assert model.input_shape == (None, 33, 33, 3)
    # The sides of the maps: 33, 31, 15, 7, 3.
    convolutions = [(3, 32), (32, 32), (32, 64), (64, 64)]
    count = sum(9 * channels * filters + filters for channels, filters in convolutions)
    count += 3 * 3 * 64 * 64 + 64 + 64 * 21 + 21
    assert model.count_params() == count


def test_default_of_vgg_transfer_is_imagenet_and_the_last_three_blocks():
    parameters = inspect.signature(voc_seg.build_vgg_transfer).parameters
    found = {name: parameter.default for name, parameter in parameters.items()}
    assert found == {
        "num_classes": 21,
        "weights": "imagenet",
        "blocks": (3, 4, 5),
        "filters": 64,
        "encoder": None,
    }


@pytest.mark.parametrize(
    ("builder", "name", "value"),
    [
        *[(f"build_{m}", "num_classes", 1) for m in BUILDERS if m != "dense"],
        *[(f"build_{m}", "filters", 0) for m in BUILDERS if m != "dense"],
        ("build_unet", "num_classes", 2.0),
        ("build_unet", "num_classes", "21"),
        ("build_unet", "filters", True),
        ("build_unet", "depth", 0),
        ("build_encoder_decoder", "depth", -1),
        ("build_patch_classifier", "window", 16),
        ("build_patch_classifier", "window", 0),
        ("build_patch_classifier", "window", -3),
        ("build_patch_classifier", "window", 33.0),
        ("build_vgg_transfer", "blocks", ()),
        ("build_vgg_transfer", "blocks", (3, 3)),
        ("build_vgg_transfer", "blocks", ("a",)),
        ("build_vgg_transfer", "blocks", (0, 1)),
        ("build_vgg_transfer", "blocks", (2.0,)),
        ("build_vgg_transfer", "blocks", 3),
    ],
)
def test_bad_argument_is_one_sentence_that_names_it(builder, name, value):
    given = {"encoder": tiny_vgg()} if builder == "build_vgg_transfer" else {}
    with pytest.raises(ValueError) as caught:
        getattr(voc_seg, builder)(**given, **{name: value})
    sentence = str(caught.value)
    assert sentence.startswith(f"{name}: ")
    assert "\n" not in sentence
    assert str(value) in sentence


def test_unet_is_the_encoder_decoder_plus_skip_connections():
    unet, plain = (built(name) for name in ("unet", "encoder_decoder"))
    shapes = [
        {layer.name: [w.shape for w in layer.weights] for layer in model.layers}
        for model in (unet, plain)
    ]
    with_skips, without = shapes
    skips = {"decoder1_skip", "decoder2_skip"}
    assert set(with_skips) - set(without) == skips
    assert [n for n in with_skips if n not in skips] == list(without)  # in the same order
    for name, shape in without.items():
        if name in ("decoder1_conv1", "decoder2_conv1"):  # they also see the encoder's map
            height, width, channels, filters = shape[0]
            shape = [(height, width, 2 * channels, filters)]
        assert with_skips[name] == shape, name


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", ["patch_classifier", "dense", "unet", "vgg_transfer"])
def test_probabilities_are_float32_even_in_half_precision(name, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = BUILDERS[name]()
    finally:
        keras.config.set_dtype_policy(before)
    assert any(layer.compute_dtype == policy[len("mixed_") :] for layer in model.layers)
    probabilities = predict(model, random_images(2, 5, 5))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)  # 16 bits would miss it


@pytest.mark.parametrize("name", ["patch_classifier", "encoder_decoder", "unet"])
def test_images_are_scaled_once_and_inside_the_model(name):
    model, images = built(name), random_images(2, 5, 5)
    scaled = values_leaving(model, "rescale", images)
    np.testing.assert_allclose(scaled, images / 127.5 - 1, atol=1e-6)
    assert sum(isinstance(layer, keras.layers.Rescaling) for layer in model.layers) == 1
    assert model.get_layer("rescale").input is model.inputs[0]  # nothing comes before


def test_saved_models_are_loaded_by_another_process_without_custom_objects(tmp_path):
    images = random_images(2, 5, 5)
    np.save(tmp_path / "images.npy", images)
    classes = {"background": 0, "cat": 8, "dog": 12}
    for name in BUILDERS:
        model = BUILDERS[name]()
        rng = np.random.default_rng(1)
        model.set_weights([w + rng.uniform(0, 0.1, w.shape) for w in model.get_weights()])
        voc_seg.set_classes(model, classes, 5)
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}_here.npy", predict(model, images))
    script = """
from voc_seg import predict_labels
import json, keras, pathlib, sys
import numpy as np
folder, found = pathlib.Path(sys.argv[1]), {}
for path in folder.glob("*.keras"):
    model = keras.models.load_model(path)
    there = model.predict_on_batch(np.load(folder / "images.npy"))
    np.save(folder / f"{path.stem}_there.npy", np.asarray(there))
    found[path.stem] = [model.layers[-1].classes, model.layers[-1].image_size]
print(json.dumps(found))
"""
    done = python("-c", script, tmp_path)
    assert json.loads(done.stdout.splitlines()[-1]) == {name: [classes, 5] for name in BUILDERS}
    for name in BUILDERS:
        here, there = (np.load(tmp_path / f"{name}_{side}.npy") for side in ("here", "there"))
        np.testing.assert_allclose(there, here, atol=1e-6, err_msg=name)


# Loss, metric and a few steps of training


def numpy_loss(probabilities, labels):
    """The cross-entropy averaged over the pixels that are not void."""
    valid = labels != 255
    hit = np.take_along_axis(probabilities[valid], labels[valid][:, None], axis=-1)
    return -np.log(hit).mean()


def numpy_mean_iou(probabilities, labels):
    """The mean IoU over the classes that occur, without void."""
    prediction = probabilities.argmax(axis=-1)
    return mean_iou_by_hand(count_pairs(labels, prediction, probabilities.shape[-1]))


def random_labels(*shape, classes, void=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < void, 255, rng.integers(0, classes, shape)).astype("int32")


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (lambda: voc_seg.build_unet(2, filters=2, depth=1), 6),
        (lambda: voc_seg.build_unet(21, filters=2, depth=1), 6),
        (lambda: voc_seg.build_patch_classifier(3, window=5, filters=2), 60),
    ],
    ids=["2 classes", "21 classes", "windows"],
)
def test_loss_and_metric_are_those_of_numpy_without_void(model, count):
    model = model()
    classes = model.output_shape[-1]
    assert voc_seg.compile_model(model) is model
    images = random_images(count, 5, 5)
    probabilities = predict(model, images)
    labels = random_labels(*probabilities.shape[:-1], classes=classes)
    assert (labels == 255).any()
    result = model.evaluate(images, labels, batch_size=count, return_dict=True, verbose=0)
    assert result["loss"] == pytest.approx(numpy_loss(probabilities, labels), rel=1e-4)
    assert result["mean_iou"] == pytest.approx(numpy_mean_iou(probabilities, labels), abs=1e-6)
    # Predictions at void pixels don't count, whichever pixels are void; and the IoU is computed
    # over all batches, not batch by batch.
    labels[labels == 1] = 255
    result = model.evaluate(images, labels, batch_size=count // 3, return_dict=True, verbose=0)
    assert result["mean_iou"] == pytest.approx(numpy_mean_iou(probabilities, labels), abs=1e-6)
    loss = np.mean(keras.ops.convert_to_numpy(model.loss(labels, probabilities)))
    assert loss == pytest.approx(numpy_loss(probabilities, labels), rel=1e-4)


def test_void_pixels_have_no_part_in_the_gradient():
    # A softmax of each pixel's own colour, whose gradient is known: X^T (p - y) / N.
    inputs = keras.Input((4, 5, 3))
    logits = keras.layers.Conv2D(2, 1, name="logits")(inputs)
    model = keras.Model(inputs, ClassProbabilities()(logits))
    loss = voc_seg.compile_model(model).loss
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=loss)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 4, 5, 3)).astype("float32")
    labels = random_labels(2, 4, 5, classes=2)
    valid = labels != 255
    kernel, bias = weights = [w.copy() for w in model.get_weights()]

    x = images[valid]  # (N, 3)
    p = np.exp(x @ kernel[0, 0] + bias)
    error = (p / p.sum(axis=-1, keepdims=True) - np.eye(2)[labels[valid]]) / len(x)  # (N, 2)
    images[~valid] = 1e3  # their values must not matter
    model.train_on_batch(images, labels)
    moved = [old - new for old, new in zip(weights, model.get_weights(), strict=True)]
    np.testing.assert_allclose(moved[0][0, 0], x.T @ error, atol=1e-5)
    np.testing.assert_allclose(moved[1], error.sum(axis=0), atol=1e-5)


def test_a_batch_that_is_all_void_changes_nothing():
    model = voc_seg.compile_model(BUILDERS["dense"]())
    before = model.get_weights()
    loss, *_ = model.train_on_batch(random_images(2, 5, 5), np.full((2, 5, 5), 255, "int32"))
    assert float(loss) == 0
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "model",
    [
        lambda: voc_seg.build_patch_classifier(2, window=5, filters=2),
        lambda: voc_seg.build_encoder_decoder(2, filters=2, depth=1),
        lambda: voc_seg.build_unet(2, filters=2, depth=1),
        lambda: voc_seg.build_vgg_transfer(2, encoder=tiny_vgg((4,), 1), blocks=(1,), filters=2),
    ],
    ids=["patch_classifier", "encoder_decoder", "unet", "vgg_transfer"],
)
def test_a_few_steps_of_training_lower_the_loss(model):
    keras.utils.set_random_seed(0)
    model = voc_seg.compile_model(model(), learning_rate=0.02)
    assert float(ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.02)
    images = random_images(8, 5, 5)
    labels = (images[..., 0] > 127).astype("int32")  # is the pixel red?
    if len(model.output_shape) == 2:
        labels = labels[:, 2, 2]
    labels[0] = 255
    metrics = [model.train_on_batch(images, labels, return_dict=True) for _ in range(40)]
    losses = [float(m["loss"]) for m in metrics]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.9 * losses[0]


def test_learning_rate_may_be_a_schedule():
    rate = keras.optimizers.schedules.CosineDecay(0.5, 10)
    model = voc_seg.compile_model(BUILDERS["dense"](), rate)
    assert float(ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.5)


# The layers


@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_reflect_matches_numpy_pad_even_if_the_pad_is_longer_than_the_axis(length):
    x = np.arange(2 * length, dtype="float32").reshape(2, length)
    for before, after in [(0, 0), (2, 1), (5, 5), (9, 17)]:
        expected = np.pad(x, [(0, 0), (before, after)], mode="reflect")
        np.testing.assert_array_equal(ops.convert_to_numpy(reflect(x, 1, before, after)), expected)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(reflect(x, 0, 3, 4)), np.pad(x, [(3, 4), (0, 0)], mode="reflect")
    )


@pytest.mark.parametrize("size", [(1, 6), (3, 2), (9, 8)], ids=str)
@pytest.mark.parametrize("layer", [ReflectPadding2D(0, 3), ReflectPadding2D(8, 8)])
def test_reflectpadding_pads_height_and_width_like_numpy(layer, size):
    x = random_images(2, *size).astype("float32")
    pad = (layer.before, layer.after)
    expected = np.pad(x, [(0, 0), pad, pad, (0, 0)], mode="reflect")
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape


@pytest.mark.parametrize("size", [(1, 1), (3, 16), (9, 7)], ids=str)
@pytest.mark.parametrize("multiple", [1, 2, 8])
def test_padtomultiple_pads_bottom_and_right_to_the_next_multiple(multiple, size):
    x = random_images(1, *size).astype("float32")
    layer = PadToMultiple(multiple)
    sides = [next(n for n in range(side, 99) if n % multiple == 0) for side in size]
    pads = [(0, side - n) for side, n in zip(sides, size, strict=True)]
    expected = np.pad(x, [(0, 0), *pads, (0, 0)], mode="reflect")
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape


@pytest.mark.parametrize("layer", [ReflectPadding2D(2, 5), PadToMultiple(4)])
def test_layers_pad_where_the_size_is_known_only_at_run_time(layer):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, None, 3)
    for size in ((1, 2), (6, 5)):
        x = random_images(1, *size).astype("float32")
        np.testing.assert_array_equal(predict(model, x), ops.convert_to_numpy(layer(x)))


def test_output_shapes_are_none_only_where_the_input_shapes_are():
    assert PadToMultiple(8).compute_output_shape((None, None, 9, 3)) == (None, None, 16, 3)
    assert ReflectPadding2D(1, 2).compute_output_shape((4, 7, None, 3)) == (4, 10, None, 3)
    shapes = [(None, 8, 16, 5), (None, 7, None, 3)]
    assert CropLike().compute_output_shape(shapes) == (None, 7, None, 5)


def test_croplike_keeps_the_top_left():
    x = np.random.default_rng(0).random((2, 6, 7, 4), np.float32)
    reference = np.zeros((2, 5, 1, 3), np.float32)
    cropped = ops.convert_to_numpy(CropLike()([x, reference]))
    np.testing.assert_array_equal(cropped, x[:, :5, :1])
    assert CropLike().compute_output_shape([x.shape, reference.shape]) == cropped.shape


def test_classprobabilities_is_a_softmax():
    logits = np.random.default_rng(0).normal(0, 50, (2, 3, 4)).astype("float32")
    shifted = np.exp((logits - logits.max(axis=-1, keepdims=True)).astype("float64"))
    expected = shifted / shifted.sum(axis=-1, keepdims=True)
    layer = ClassProbabilities()
    np.testing.assert_allclose(ops.convert_to_numpy(layer(logits)), expected, atol=1e-6)
    assert layer.compute_output_shape(logits.shape) == expected.shape


@pytest.mark.parametrize(
    "layer",
    [
        ReflectPadding2D(2, 5, name="a"),
        PadToMultiple(16, name="b"),
        CropLike(name="c"),
        ClassProbabilities({"background": 0, "cat": 8}, 224, name="d"),
        ClassProbabilities(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_configuration_of_a_layer_makes_the_same_layer(layer):
    text = json.dumps(keras.saving.serialize_keras_object(layer))  # as in a .keras file
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    assert type(copy) is type(layer)
    assert copy.get_config() == layer.get_config()
    for name in ("before", "after", "multiple", "classes", "image_size", "name"):
        assert getattr(copy, name, None) == getattr(layer, name, None)

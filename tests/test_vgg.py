"""Transfer from VGG16: what enters the encoder, what is frozen, what is copied; on any backend."""

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from keras import layers
from test_models import tiny_vgg

from voc_seg import build_unet, build_vgg_transfer, compile_model, unfreeze

SIDE = 8  # of all images: every new size costs some backends a compilation
VGG16_CHANNELS = [(64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)]


def random_images(count=2, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def random_labels(count=2):
    return np.random.default_rng(1).integers(0, 2, (count, SIDE, SIDE)).astype("int32")


def predict(model, images):
    return np.asarray(model.predict_on_batch(images))


def trained_encoder():
    """A tiny encoder whose every weight, statistics included, is a number of its own."""
    encoder = tiny_vgg()
    rng = np.random.default_rng(2)
    encoder.set_weights([rng.uniform(0.1, 1, w.shape) for w in encoder.get_weights()])
    return encoder


def weights_of(model):
    """`{path: values}` of each variable of a model, nested ones included."""
    return {w.path: np.asarray(keras.ops.convert_to_numpy(w)) for w in model.weights}


def changed(before, after):
    """The paths of the variables that are not bit-identical."""
    assert list(before) == list(after)
    return {path for path in before if not np.array_equal(before[path], after[path])}


def layers_of(paths):
    return {path.split("/")[-2] for path in paths}


def train_on_batch(model):
    # For a step or two, TensorFlow takes longer to trace its graph than to do without.
    model.run_eagerly = keras.backend.backend() == "tensorflow"
    model.train_on_batch(random_images(), random_labels())


def step(model):
    """Compiles the model, trains one step, returns the paths of what has changed."""
    before = weights_of(model)
    train_on_batch(compile_model(model, learning_rate=0.01))
    return changed(before, weights_of(model))


def identity_encoder():
    """An encoder whose first block gives out what it was given."""
    inputs = keras.Input((None, None, 3))
    x = layers.Activation("linear", name="block1_conv1")(inputs)
    return keras.Model(inputs, layers.MaxPooling2D(2, name="block1_pool")(x))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_what_enters_the_encoder_is_what_keras_makes_of_the_array(dtype):
    model = build_vgg_transfer(2, identity_encoder(), blocks=(1,), filters=2)
    entering = keras.Model(model.inputs, model.get_layer("decoder1_normalise").input)
    images = random_images().astype(dtype)
    expected = keras.applications.vgg16.preprocess_input(images.astype("float32"))
    assert expected.min() < -50  # the means are subtracted
    np.testing.assert_allclose(predict(entering, images), expected, atol=1e-4)


def test_the_network_can_be_exported_to_onnx(tmp_path):
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    model = build_vgg_transfer(2, trained_encoder(), blocks=(2, 3), filters=2)
    images = random_images().astype("float32")
    expected = predict(model, images)
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()  # not also the means of ImageNet
    np.testing.assert_allclose(session.run(None, {image.name: images})[0], expected, atol=1e-4)


def test_encoder_gives_the_last_map_of_each_block_unchanged_by_the_transfer():
    encoder = trained_encoder()
    model = build_vgg_transfer(2, encoder, blocks=(3, 1), filters=2)  # in any order
    images = random_images()
    preprocessed = keras.applications.vgg16.preprocess_input(images.astype("float32"))
    for block in (1, 3):
        features = keras.Model(model.inputs, model.get_layer(f"decoder{block}_normalise").input)
        source = keras.Model(encoder.inputs, encoder.get_layer(f"block{block}_bn").output)
        expected = predict(source, preprocessed)
        assert expected.shape[1:3] == (SIDE >> (block - 1), SIDE >> (block - 1))
        np.testing.assert_allclose(predict(features, images), expected, rtol=1e-4, atol=1e-3)


def test_encoder_is_copied_and_not_changed():
    encoder = trained_encoder()
    before, name = weights_of(encoder), encoder.name
    model = build_vgg_transfer(2, encoder, blocks=(2, 3), filters=2)
    step(unfreeze(model, "block1"))
    assert not changed(before, weights_of(encoder))
    assert encoder.name == name
    assert encoder.trainable
    assert all(layer.trainable for layer in encoder.layers)
    encoder.set_weights([w * 0 for w in encoder.get_weights()])
    assert model.get_layer("encoder").get_layer("block1_conv1").get_weights()[0].any()


def test_encoder_may_be_a_keras_file(tmp_path):
    encoder = trained_encoder()
    path = tmp_path / "encoder.keras"
    encoder.save(path)
    images = random_images()
    preprocessed = keras.applications.vgg16.preprocess_input(images.astype("float32"))
    expected = predict(
        keras.Model(encoder.inputs, encoder.get_layer("block2_bn").output), preprocessed
    )
    for weights in (path, str(path)):
        model = build_vgg_transfer(2, weights, blocks=(2,), filters=2)
        features = keras.Model(model.inputs, model.get_layer("decoder2_normalise").input)
        np.testing.assert_allclose(predict(features, images), expected, rtol=1e-4, atol=1e-3)
        assert not model.get_layer("encoder").trainable_weights


def test_training_leaves_the_frozen_encoder_bit_identical():
    model = build_vgg_transfer(2, trained_encoder(), blocks=(1, 3), filters=2)
    encoder = model.get_layer("encoder")
    assert not encoder.trainable_weights
    before = [w.copy() for w in encoder.get_weights()]
    moved = step(model)
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    # The decoder, normalisation of the features included, does learn.
    assert {"decoder1_normalise", "decoder3_project", "logits"} <= layers_of(moved)


def test_unfreeze_trains_from_the_block_on_but_no_normalisation():
    model = build_vgg_transfer(2, trained_encoder(), blocks=(1, 3), filters=2)
    encoder = model.get_layer("encoder")
    decoder = {w.path for w in model.trainable_weights}
    inside = {layer.name for layer in encoder.layers}
    assert unfreeze(model, "block3") is model
    trainable = layers_of({w.path for w in model.trainable_weights} - decoder)
    assert trainable == {"block3_conv1", "block3_conv2"}
    assert layers_of(step(model)) & inside == {"block3_conv1", "block3_conv2"}
    unfreeze(model, "block2_conv2")  # further back, and from the middle of a block
    wanted = {"block2_conv2", "block3_conv1", "block3_conv2"}
    assert layers_of(w.path for w in encoder.trainable_weights) == wanted
    unfreeze(model, "block3_conv2")  # and forward again
    assert layers_of(w.path for w in encoder.trainable_weights) == {"block3_conv2"}


@pytest.mark.parametrize("first", ["block4", "block", "block3_conv9", "conv1", ""])
def test_unfreezing_an_unknown_block_is_refused_and_changes_nothing(first):
    model = build_vgg_transfer(2, tiny_vgg(convs=1), blocks=(1, 3), filters=2)
    with pytest.raises(ValueError, match=rf"^first: .*'{first}'.*block3_conv1") as caught:
        unfreeze(model, first)
    assert "\n" not in str(caught.value)
    assert not model.get_layer("encoder").trainable_weights


def test_unfreezing_a_model_without_an_encoder_is_refused():
    with pytest.raises(ValueError, match="encoder"):
        unfreeze(build_unet(2, filters=2, depth=1), "block3")


@pytest.mark.parametrize("first", [None, "block3"])
def test_a_saved_model_goes_on_frozen_as_it_was(tmp_path, first):
    model = build_vgg_transfer(2, trained_encoder(), blocks=(1, 3), filters=2)
    if first:
        unfreeze(model, first)
    step(model)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    names = layers_of(w.path for w in model.trainable_weights)
    assert layers_of(w.path for w in copy.trainable_weights) == names
    before = copy.get_layer("encoder").get_layer("block3_bn").get_weights()
    for m in (model, copy):  # one more step of either, optimizer included, is the same step
        train_on_batch(m)
    for old, new in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-5)
    for old, new in zip(
        before, copy.get_layer("encoder").get_layer("block3_bn").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)


def test_without_weights_vgg16_is_random_and_trained_along():
    model = build_vgg_transfer(weights=None)
    encoder = model.get_layer("encoder")
    # VGG16 as in the paper's table 1, configuration D: convolutions of 3 x 3 with bias.
    count, channels = 0, 3
    for block, convolutions in enumerate(VGG16_CHANNELS, start=1):
        for i, filters in enumerate(convolutions, start=1):
            assert encoder.get_layer(f"block{block}_conv{i}").filters == filters
            count += 9 * channels * filters + filters
            channels = filters
    assert encoder.count_params() == count
    assert len(encoder.trainable_weights) == len(encoder.weights) == 26
    # The decoder, from coarse to fine: a normalisation, a projection, a convolution of what is
    # projected and of what comes from the coarser block, with a normalisation; upsampling.
    coarser = 0
    for channels, f in ((512, 256), (512, 128), (256, 64)):
        count += 4 * channels + channels * f + f + 9 * (f + coarser) * f + 4 * f
        coarser = f
    count += 512 * 256 + 256  # the projection of the mean of the coarsest features
    count += 64 * 21 + 21 + 8 * 8 * 21 * 21
    assert model.count_params() == count
    assert predict(model, random_images()).shape == (2, SIDE, SIDE, 21)


@pytest.mark.parametrize("stride", [2, 4, 16])
def test_upsampling_begins_as_bilinear_interpolation(stride):
    block = stride.bit_length()
    encoder = tiny_vgg(channels=[2] * block, convs=1)
    up = build_vgg_transfer(3, encoder, blocks=(block,), filters=2).get_layer("up")
    x = np.random.default_rng(0).random((6, 7, 3), np.float32)
    found = np.asarray(keras.ops.convert_to_numpy(up(x[None])))[0]
    expected = cv2.resize(x, (7 * stride, 6 * stride), interpolation=cv2.INTER_LINEAR)
    assert found.shape == expected.shape
    inside = slice(stride // 2, -(stride // 2) or None)  # at the border the kernel meets nothing
    np.testing.assert_allclose(found[inside, inside], expected[inside, inside], atol=1e-5)


# What can go wrong


def test_missing_file_is_named(tmp_path):
    path = tmp_path / "vgg.h5"
    with pytest.raises(FileNotFoundError, match=r"vgg\.h5: no such weights"):
        build_vgg_transfer(2, path)


def fails(weights, **arguments):
    with pytest.raises(ValueError) as caught:
        build_vgg_transfer(2, weights, **arguments)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 half a zip file"])
@pytest.mark.parametrize("name", ["vgg.h5", "vgg.keras", "vgg"])
def test_a_file_that_holds_no_weights_is_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert fails(path).startswith(f"{path}: ")


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.weights.h5"
    tiny_vgg().save_weights(path)
    assert fails(path).startswith(f"{path}: ")


def test_an_encoder_without_the_pools_is_refused(tmp_path):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layers.Conv2D(2, 3, name="only_conv")(inputs))
    sentence = fails(model, blocks=(1, 2))
    assert sentence.startswith("weights: ")
    assert "block1_pool, block2_pool" in sentence
    assert sentence.endswith(f"{model.name} has no pooling")
    model.save(tmp_path / "encoder.keras")
    assert str(tmp_path / "encoder.keras") in fails(tmp_path / "encoder.keras")
    assert "block4_pool" in fails(tiny_vgg(convs=1), blocks=(3, 4))


@pytest.mark.parametrize("reason", ["URL fetch failure\non https://example.org: no network", ""])
def test_a_failing_download_says_what_to_do(monkeypatch, reason):
    def vgg16(**arguments):
        raise Exception(reason)

    monkeypatch.setattr(keras.applications, "VGG16", vgg16)
    with pytest.raises(OSError) as caught:
        build_vgg_transfer(2)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert reason.split("\n")[0] in sentence
    assert "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5" in sentence
    assert "None" in sentence


def test_features_of_the_real_weights_are_those_of_keras_applications():
    path = Path(__file__).resolve().parents[2] / "shared/vgg16/vgg16_imagenet_notop.h5"
    if not path.is_file():
        pytest.skip("needs VGG16's ImageNet weights in ../shared/vgg16")
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    vgg = keras.applications.VGG16(include_top=False, weights=path)
    ends = [vgg.get_layer(name).output for name in ("block3_conv3", "block4_conv3", "block5_conv3")]
    preprocessed = keras.applications.vgg16.preprocess_input(images.astype("float32"))
    expected = keras.Model(vgg.inputs, ends).predict_on_batch(preprocessed)
    model = build_vgg_transfer(2, path)
    assert not model.get_layer("encoder").trainable_weights
    inputs = [model.get_layer(f"decoder{block}_normalise").input for block in (3, 4, 5)]
    found = keras.Model(model.inputs, inputs).predict_on_batch(images)
    for ours, theirs in zip(found, expected, strict=True):
        assert np.max(theirs) > 1
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-4, atol=1e-2)


def test_an_encoder_that_was_built_for_one_size_takes_any(tmp_path):
    x = inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(2, 3, padding="same", name="block1_conv1")(x)
    x = layers.MaxPooling2D(2, name="block1_pool")(x)
    encoder = keras.Model(inputs, x)
    model = build_vgg_transfer(2, weights=encoder, blocks=(1,), filters=2)
    assert predict(model, np.zeros((1, 20, 25, 3), "float32")).shape == (1, 20, 25, 2)
    copied = model.get_layer("encoder").get_weights()
    for before, after in zip(encoder.get_weights(), copied, strict=True):
        np.testing.assert_array_equal(before, after)

"""Transfer from VGG16: what enters the encoder, what is frozen, what is copied; on any backend."""

import cv2
import keras
import numpy as np
import pytest
from helpers import ROOT, predict, sentence, tiny_vgg
from helpers import random_images as random_pixels
from keras import layers

from voc_seg import build_unet, build_vgg_transfer, compile_model, unfreeze

SIDE = 8  # of all images: every new size costs some backends a compilation
VGG16_CHANNELS = [(64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)]


def random_images(count=2, seed=0):
    return random_pixels(count, SIDE, SIDE, seed=seed)


def random_labels(count=2):
    return np.random.default_rng(1).integers(0, 2, (count, SIDE, SIDE)).astype("int32")


def trained_encoder(channels=(2, 3, 4)):
    """A tiny encoder in which every weight, statistics included, has its own random value."""
    encoder = tiny_vgg(channels)
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
    # For a step or two, tracing a graph takes TensorFlow longer than computing without one.
    model.run_eagerly = keras.backend.backend() == "tensorflow"
    model.train_on_batch(random_images(), random_labels())


def step(model):
    """Compiles the model, trains one step, returns the paths of the variables that changed."""
    before = weights_of(model)
    train_on_batch(compile_model(model, learning_rate=0.01))
    return changed(before, weights_of(model))


def identity_encoder():
    """An encoder whose first block returns its input."""
    inputs = keras.Input((None, None, 3))
    x = layers.Activation("linear", name="block1_conv1")(inputs)
    return keras.Model(inputs, layers.MaxPooling2D(2, name="block1_pool")(x))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_encoder_gets_what_keras_preprocessing_gives(dtype):
    model = build_vgg_transfer(2, encoder=identity_encoder(), blocks=(1,), filters=2)
    entering = keras.Model(model.inputs, model.get_layer("decoder1_normalise").input)
    images = random_images().astype(dtype)
    expected = keras.applications.vgg16.preprocess_input(images.astype("float32"))
    assert expected.min() < -50  # the means are subtracted
    np.testing.assert_allclose(predict(entering, images), expected, atol=1e-4)


def test_the_network_can_be_exported_to_onnx(tmp_path):
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    model = build_vgg_transfer(2, encoder=trained_encoder(), blocks=(2, 3), filters=2)
    images = random_images().astype("float32")
    expected = predict(model, images)
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()  # one: the means of ImageNet are not a second input
    np.testing.assert_allclose(session.run(None, {image.name: images})[0], expected, atol=1e-4)


def test_encoder_gives_the_last_map_of_each_block_unchanged_by_the_transfer():
    encoder = trained_encoder()
    model = build_vgg_transfer(2, encoder=encoder, blocks=(3, 1), filters=2)  # in any order
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
    model = build_vgg_transfer(2, encoder=encoder, blocks=(2, 3), filters=2)
    step(unfreeze(model, "block1"))
    assert not changed(before, weights_of(encoder))
    assert encoder.name == name
    assert encoder.trainable
    assert all(layer.trainable for layer in encoder.layers)
    encoder.set_weights([w * 0 for w in encoder.get_weights()])
    assert model.get_layer("encoder").get_layer("block1_conv1").get_weights()[0].any()


def test_an_encoder_from_a_file_is_used_as_it_was_saved(tmp_path):
    encoder = trained_encoder()
    path = tmp_path / "encoder.keras"
    encoder.save(path)
    images = random_images()
    preprocessed = keras.applications.vgg16.preprocess_input(images.astype("float32"))
    expected = predict(
        keras.Model(encoder.inputs, encoder.get_layer("block2_bn").output), preprocessed
    )
    loaded = keras.models.load_model(path)
    model = build_vgg_transfer(2, encoder=loaded, blocks=(2,), filters=2)
    features = keras.Model(model.inputs, model.get_layer("decoder2_normalise").input)
    np.testing.assert_allclose(predict(features, images), expected, rtol=1e-4, atol=1e-3)
    assert not model.get_layer("encoder").trainable_weights


def test_training_leaves_the_frozen_encoder_bit_identical():
    model = build_vgg_transfer(2, encoder=trained_encoder(), blocks=(1, 3), filters=2)
    encoder = model.get_layer("encoder")
    assert not encoder.trainable_weights
    before = [w.copy() for w in encoder.get_weights()]
    moved = step(model)
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    # The decoder does learn, the normalisation of the features included.
    assert {"decoder1_normalise", "decoder3_project", "logits"} <= layers_of(moved)


def test_unfreeze_trains_from_the_block_on_but_no_normalisation():
    model = build_vgg_transfer(2, encoder=trained_encoder(), blocks=(1, 3), filters=2)
    encoder = model.get_layer("encoder")
    decoder = {w.path for w in model.trainable_weights}
    inside = {layer.name for layer in encoder.layers}
    assert unfreeze(model, "block3") is model
    trainable = layers_of({w.path for w in model.trainable_weights} - decoder)
    assert trainable == {"block3_conv1", "block3_conv2"}
    assert layers_of(step(model)) & inside == {"block3_conv1", "block3_conv2"}
    unfreeze(model, "block2_conv2")  # earlier, and from the middle of a block
    wanted = {"block2_conv2", "block3_conv1", "block3_conv2"}
    assert layers_of(w.path for w in encoder.trainable_weights) == wanted
    unfreeze(model, "block3_conv2")  # later again: nothing is frozen by that
    assert layers_of(w.path for w in encoder.trainable_weights) == wanted


@pytest.mark.parametrize("first", ["block4", "block", "block3_conv9", "conv1", ""])
def test_unfreezing_an_unknown_block_is_refused_and_changes_nothing(first):
    model = build_vgg_transfer(2, encoder=tiny_vgg(convolutions=1), blocks=(1, 3), filters=2)
    with pytest.raises(ValueError, match=rf"^first: .*'{first}'.*block3_conv1") as caught:
        unfreeze(model, first)
    assert "\n" not in str(caught.value)
    assert not model.get_layer("encoder").trainable_weights


def test_unfreezing_a_model_without_an_encoder_is_refused():
    with pytest.raises(ValueError, match="encoder"):
        unfreeze(build_unet(2, filters=2, depth=1), "block3")


@pytest.mark.parametrize("first", [None, "block3"])
def test_a_saved_model_stays_frozen_as_it_was(tmp_path, first):
    model = build_vgg_transfer(2, encoder=trained_encoder(), blocks=(1, 3), filters=2)
    if first:
        unfreeze(model, first)
    step(model)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    names = layers_of(w.path for w in model.trainable_weights)
    assert layers_of(w.path for w in copy.trainable_weights) == names
    before = copy.get_layer("encoder").get_layer("block3_bn").get_weights()
    for m in (model, copy):  # the next step is the same for both, optimizer included
        train_on_batch(m)
    for old, new in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-5)
    for old, new in zip(
        before, copy.get_layer("encoder").get_layer("block3_bn").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)


def test_without_weights_vgg16_is_random_and_all_of_it_is_trained():
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
    # The decoder, from coarse to fine: normalisation, projection, a normalised convolution of the
    # projected map and of the one from the coarser block, upsampling.
    coarser = 0
    for channels, f in ((512, 256), (512, 128), (256, 64)):
        count += 4 * channels + channels * f + f + 9 * (f + coarser) * f + 4 * f
        coarser = f
    count += 512 * 256 + 256  # the projection of the mean of the coarsest features
    count += 64 * 21 + 21 + 8 * 8 * 21 * 21
    assert model.count_params() == count
    assert predict(model, random_images()).shape == (2, SIDE, SIDE, 21)


@pytest.mark.parametrize("stride", [2, 4, 16])
def test_upsampling_starts_as_bilinear_interpolation(stride):
    block = stride.bit_length()
    encoder = tiny_vgg([2] * block, convolutions=1)
    model = build_vgg_transfer(3, encoder=encoder, blocks=(block,), filters=2)
    up = model.get_layer("up")
    x = np.random.default_rng(0).random((6, 7, 3), np.float32)
    found = np.asarray(keras.ops.convert_to_numpy(up(x[None])))[0]
    expected = cv2.resize(x, (7 * stride, 6 * stride), interpolation=cv2.INTER_LINEAR)
    assert found.shape == expected.shape
    inside = slice(stride // 2, -(stride // 2) or None)  # at the border the kernel overhangs
    np.testing.assert_allclose(found[inside, inside], expected[inside, inside], atol=1e-5)


def encoder_tensors(model):
    """How many of the encoder's tensors a training step would change."""
    trained = {id(weight) for weight in model.trainable_weights}
    return sum(id(weight) in trained for weight in model.get_layer("encoder").weights)


def test_the_two_stages_train_what_they_say():
    encoder = trained_encoder((2,) * 5)
    model = build_vgg_transfer(5, encoder=encoder, filters=2)
    decoder = len(model.trainable_weights)
    inside = {layer.name for layer in encoder.layers}
    assert encoder_tensors(model) == 0  # stage one
    assert not layers_of(step(model)) & inside
    unfreeze(model, "block5")
    assert encoder_tensors(model) == 4  # stage two: two kernels, two biases
    assert len(model.trainable_weights) == decoder + 4
    assert layers_of(step(model)) & inside == {"block5_conv1", "block5_conv2"}


def test_unfreeze_freezes_nothing_of_a_vgg16_that_trains_from_scratch():
    model = build_vgg_transfer(5, weights=None, filters=2)
    assert encoder_tensors(model) == 26
    unfreeze(model, "block5")
    assert encoder_tensors(model) == len(model.get_layer("encoder").weights) == 26


# What can go wrong


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "vgg.h5"
    with pytest.raises(FileNotFoundError, match=r"vgg\.h5: no such weights"):
        build_vgg_transfer(2, path)


def fails(**arguments):
    with pytest.raises(ValueError) as caught:
        build_vgg_transfer(2, **arguments)
    return sentence(caught)


def test_a_model_as_weights_is_an_error_that_names_encoder(tmp_path):
    encoder = tiny_vgg()
    assert "encoder=" in fails(weights=encoder)
    encoder.save(tmp_path / "encoder.keras")
    for path in (tmp_path / "encoder.keras", str(tmp_path / "encoder.keras")):
        said = fails(weights=path)
        assert str(path) in said and "encoder=" in said and "--encoder" in said


@pytest.mark.parametrize("weights", [None, "vgg.h5"])
def test_weights_and_encoder_together_are_an_error_that_names_both(weights):
    said = fails(weights=weights, encoder=tiny_vgg())
    assert said.startswith("weights: ") and "encoder" in said


def test_an_encoder_that_is_not_a_model_is_refused(tmp_path):
    assert fails(encoder=str(tmp_path / "encoder.keras")).startswith("encoder: ")


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04 half a zip file"])
@pytest.mark.parametrize("name", ["vgg.h5", "vgg"])
def test_a_file_without_weights_is_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert fails(weights=path).startswith(f"{path}: ")


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.weights.h5"
    tiny_vgg().save_weights(path)
    assert fails(weights=path).startswith(f"{path}: ")


def test_an_encoder_without_the_pooling_layers_is_refused():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layers.Conv2D(2, 3, name="only_conv")(inputs))
    said = fails(encoder=model, blocks=(1, 2))
    assert "block1_pool, block2_pool" in said and model.name in said and "no pooling" in said
    said = fails(encoder=tiny_vgg(convolutions=1), blocks=(3, 4))
    assert "block4_pool" in said and "block1_pool, block2_pool, block3_pool" in said


def test_a_wrong_block_is_not_blamed_on_the_weights():
    for blocks in ((6,), ("a",)):
        said = fails(weights=None, blocks=blocks)
        assert said.startswith(f"blocks: found {blocks!r}") and "weights" not in said


@pytest.mark.parametrize("reason", ["URL fetch failure\non https://example.org: no network", ""])
def test_a_failing_download_says_what_to_do(monkeypatch, reason):
    def vgg16(**arguments):
        raise Exception(reason)

    monkeypatch.setattr(keras.applications, "VGG16", vgg16)
    with pytest.raises(OSError) as caught:
        build_vgg_transfer(2)
    assert reason.split("\n")[0] in sentence(caught)
    assert "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5" in sentence(caught)
    assert "None" in sentence(caught)


def test_features_of_the_real_weights_are_those_of_keras_applications():
    path = ROOT.parent / "shared/vgg16/vgg16_imagenet_notop.h5"
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


def test_an_encoder_that_was_built_for_one_size_takes_any():
    x = inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(2, 3, padding="same", name="block1_conv1")(x)
    x = layers.MaxPooling2D(2, name="block1_pool")(x)
    encoder = keras.Model(inputs, x)
    model = build_vgg_transfer(2, encoder=encoder, blocks=(1,), filters=2)
    assert predict(model, np.zeros((1, 20, 25, 3), "float32")).shape == (1, 20, 25, 2)
    copied = model.get_layer("encoder").get_weights()
    for before, after in zip(encoder.get_weights(), copied, strict=True):
        np.testing.assert_array_equal(before, after)

"""Saved models: what they remember of their classes, and loading them."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from colours import CLASSES, colour_model, colour_pairs
from helpers import predict, random_images, sentence, tiny_vgg

from voc_seg import (
    VOC_CLASSES,
    build_encoder_decoder,
    build_patch_classifier,
    build_unet,
    build_vgg_transfer,
    get_classes,
    load_segmenter,
    predict_labels,
    set_classes,
    to_dense,
)
from voc_seg.models.saving import labels_windows

# `config.json` out of files that 0.1.0 saved: five small models that were told three classes.
SAVED_BY_0_1_0 = Path(__file__).parent / "saved_by_0_1_0"


@pytest.fixture(scope="module")
def model():
    """A colour model that no test changes."""
    return colour_model()


# What a model knows about its classes.


def test_the_classes_of_a_model_are_saved_in_its_file(tmp_path):
    model = colour_model(classes=None)
    assert get_classes(model) is None
    classes = {"background": 0, "person": 15, "cat": 8, "Bär": 3}  # neither sorted nor ASCII
    set_classes(model, classes, 48)
    model.save(tmp_path / "model.keras")
    loaded = load_segmenter(tmp_path / "model.keras")
    for each in (model, loaded):
        assert list(get_classes(each).items()) == list(classes.items())
        assert each.layers[-1].image_size == 48


def test_changing_what_get_classes_returns_does_not_change_the_model():
    model = colour_model()
    get_classes(model).clear()
    assert get_classes(model) == CLASSES


def test_another_number_of_classes_is_refused_and_changes_nothing():
    model = colour_model()
    for classes in ({"background": 0, "cat": 8}, dict.fromkeys(VOC_CLASSES, 0)):
        with pytest.raises(ValueError, match="4") as caught:
            set_classes(model, classes, 99)
        assert sentence(caught).startswith("classes: found ")
    assert get_classes(model) == CLASSES and model.layers[-1].image_size == 32


def test_a_model_that_cannot_remember_its_classes_is_refused():
    inputs = keras.Input((None, None, 3))
    plain = keras.Model(inputs, keras.layers.Conv2D(4, 1, activation="softmax")(inputs))
    with pytest.raises(ValueError, match="ClassProbabilities") as caught:
        set_classes(plain, CLASSES, 32)
    assert sentence(caught).startswith("model: ")
    assert get_classes(plain) is None


def test_the_classes_are_saved_even_if_other_layers_follow_the_probabilities(tmp_path):
    model = colour_model(classes=None)
    larger = keras.Model(model.inputs, keras.layers.UpSampling2D(2)(model.outputs[0]))
    set_classes(larger, CLASSES, 48)
    larger.save(tmp_path / "model.keras")
    for each in (larger, keras.models.load_model(tmp_path / "model.keras")):
        assert get_classes(each) == CLASSES


def test_a_model_labels_windows_or_images_or_neither():
    patch_classifier = build_patch_classifier(2, window=3, filters=2)
    assert labels_windows(patch_classifier) is True
    for model in (to_dense(patch_classifier), build_unet(2, filters=2, depth=1)):
        assert labels_windows(model) is False
    with pytest.raises(ValueError, match=r"^model: ") as caught:
        labels_windows(other_model("sequences"))
    assert sentence(caught)


# Loading.


def test_a_loaded_model_predicts_like_the_saved_one(model, tmp_path):
    model.save(tmp_path / "model.keras")
    images = [colour_pairs((20, 32))["image 0"][0]]
    before = predict_labels(model, images)
    after = predict_labels(load_segmenter(str(tmp_path / "model.keras")), images)
    assert np.array_equal(before, after)


def test_a_patch_classifier_is_made_dense_and_keeps_its_classes(tmp_path):
    model = build_patch_classifier(4, window=5, filters=2)
    set_classes(model, CLASSES, 24)
    model.save(tmp_path / "model.keras")
    loaded = load_segmenter(tmp_path / "model.keras")
    assert loaded.output_shape == (None, None, None, 4)
    assert get_classes(loaded) == CLASSES and loaded.layers[-1].image_size == 24
    window = np.random.default_rng(0).uniform(0, 255, (1, 5, 5, 3)).astype("float32")
    dense = np.asarray(loaded.predict_on_batch(window))[0, 2, 2]
    assert np.allclose(dense, np.asarray(model.predict_on_batch(window))[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_missing_model_is_named(tmp_path, kind):
    path = tmp_path / "model.keras" if kind == "missing" else tmp_path
    with pytest.raises(FileNotFoundError) as caught:
        load_segmenter(path)
    assert str(path) in sentence(caught)


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "other zip", "unknown ending"])
def test_a_file_that_is_not_a_model_is_named(tmp_path, kind):
    path = tmp_path / ("model.png" if kind == "unknown ending" else "model.keras")
    if kind == "truncated":
        colour_model().save(path)
        path.write_bytes(path.read_bytes()[:-500])
    elif kind == "other zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("readme.txt", "holidays")
    else:
        path.write_bytes(b"" if kind == "empty" else b"this is not a model")
    with pytest.raises(ValueError) as caught:
        load_segmenter(path)
    assert str(path) in sentence(caught)


def other_model(kind):
    layers = keras.layers
    image = keras.Input((None, None, 3))
    if kind == "grey images":
        inputs = keras.Input((None, None, 1))
        outputs = layers.Conv2D(2, 1)(inputs)
    elif kind == "classifier of images":
        inputs = image
        outputs = layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs)))
    elif kind == "classifier of numbers":
        inputs = keras.Input((3,))
        outputs = layers.Dense(2)(inputs)
    elif kind == "padded patch classifier":
        inputs = keras.Input((5, 5, 3))
        outputs = layers.Conv2D(2, 3, padding="same")(inputs)
        outputs = layers.Dense(2)(layers.Flatten()(outputs))
    elif kind == "sequences":
        inputs = keras.Input((None, 3))
        outputs = layers.Dense(2)(inputs)
    elif kind == "two outputs":
        inputs, outputs = image, [layers.Conv2D(2, 1)(image), layers.Conv2D(2, 1)(image)]
    elif kind == "two inputs":
        inputs = [image, keras.Input((None, None, 3))]
        outputs = layers.Conv2D(2, 1)(layers.add(inputs))
    else:  # the input shape is not set yet
        return keras.Sequential([layers.Conv2D(2, 1)])
    return keras.Model(inputs, outputs)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
@pytest.mark.parametrize(
    "kind",
    [
        "grey images",
        "classifier of images",
        "classifier of numbers",
        "padded patch classifier",
        "sequences",
        "two outputs",
        "two inputs",
        "not built",
    ],
)
def test_a_model_that_does_not_label_pixels_is_refused_and_named(tmp_path, kind):
    path = tmp_path / "model.keras"
    other_model(kind).save(path)
    with pytest.raises(ValueError) as caught:
        load_segmenter(path)
    assert str(path) in sentence(caught)


# Models that version 0.1.0 saved.


def same_models_today():
    patch_classifier = build_patch_classifier(3, window=9, filters=2)
    encoder = tiny_vgg((2, 2, 2), convolutions=1, normalise=False)
    return {
        "patch_classifier": patch_classifier,
        "dense": to_dense(patch_classifier),
        "encoder_decoder": build_encoder_decoder(3, filters=2, depth=1),
        "unet": build_unet(3, filters=2, depth=1),
        "vgg_transfer": build_vgg_transfer(3, blocks=(2, 3), filters=2, encoder=encoder),
    }


def weights_by_name(model):
    """{name of the layer and of the weight: variable}, the encoder's included."""
    found = {"/".join(weight.path.split("/")[-2:]): weight for weight in model.weights}
    assert len(found) == len(model.weights)
    return found


@pytest.mark.skipif(
    tuple(map(int, keras.version().split(".")[:2])) < (3, 15),
    reason="Keras 3.15 wrote these configurations, and an older Keras cannot read them",
)
@pytest.mark.parametrize(
    "name", ["patch_classifier", "dense", "encoder_decoder", "unet", "vgg_transfer"]
)
def test_a_model_saved_by_0_1_0_gives_the_same_probabilities(name, tmp_path):
    if name == "vgg_transfer" and keras.backend.backend() == "torch":
        pytest.skip("its x[..., ::-1] has never run on PyTorch")
    # A file as 0.1.0 wrote it: its configuration, and weights in the order of its layers.
    configuration = (SAVED_BY_0_1_0 / f"{name}.json").read_text(encoding="utf-8")
    old = keras.saving.deserialize_keras_object(json.loads(configuration))
    rng = np.random.default_rng(0)
    old.set_weights([rng.uniform(0.1, 0.5, w.shape) for w in old.get_weights()])
    old.save(tmp_path / "today.keras")
    path = tmp_path / "old.keras"
    with zipfile.ZipFile(tmp_path / "today.keras") as today, zipfile.ZipFile(path, "w") as file:
        for part in today.namelist():
            text = configuration if part == "config.json" else today.read(part)
            file.writestr(part, text)

    model = same_models_today()[name]
    weights, values = weights_by_name(model), weights_by_name(old)
    assert weights.keys() == values.keys()
    for key, weight in weights.items():
        weight.assign(values[key])
    images = random_images(2, 9, 9)
    expected = predict(model, images)
    assert np.ptp(expected) > 0.01  # they do depend on the image
    for loaded in (keras.models.load_model(path), load_segmenter(path)):
        assert get_classes(loaded) == {"background": 0, "cat": 8, "dog": 12}
        assert loaded.layers[-1].image_size == 24
        found = predict(loaded, images)
        if found.ndim > expected.ndim:  # the patch classifier, made dense
            found = found[:, 4, 4]
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_has_diverged_is_refused_by_its_name(tmp_path, value):
    model, path = build_unet(3, filters=2, depth=1), tmp_path / "diverged.keras"
    weights = model.get_weights()
    weights[-1][0] = value
    model.set_weights(weights)
    model.save(path)
    with pytest.raises(ValueError, match=r"diverged\.keras: its weights are NaN or infinite"):
        load_segmenter(path)


def test_a_model_that_cannot_be_loaded_names_the_keras_that_saved_it(tmp_path):
    path, newer = tmp_path / "unet.keras", tmp_path / "newer.keras"
    build_unet(2, filters=2, depth=1).save(path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(newer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "metadata.json":
                content = json.dumps({**json.loads(content), "keras_version": "9.1"})
            if name == "config.json":
                content = content.replace(b"CropLike", b"CropOfTheFuture")
            new.writestr(name, content)
    with pytest.raises(ValueError, match=r"newer\.keras: is not .*saved by Keras 9\.1"):
        load_segmenter(newer)

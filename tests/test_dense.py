"""The dense network against a naive sliding window, on any backend."""

import keras
import numpy as np
import pytest
from helpers import random_images, sentence
from keras import layers

from voc_seg import (
    ClassProbabilities,
    build_patch_classifier,
    build_unet,
    compile_model,
    sliding_window,
    to_dense,
)
from voc_seg.models.dense import copy_weights

WINDOWS = (1, 3, 9, 17, 33, 35)


def randomise(model, seed=0):
    """Gives a model random weights and biases that keep the maps in scale."""
    rng = np.random.default_rng(seed)
    weights = []
    for w in model.get_weights():
        fan_in = np.prod(w.shape[:-1]) if w.ndim > 1 else 10
        weights.append(rng.normal(0, np.sqrt(2 / fan_in), w.shape))
    model.set_weights(weights)
    return model


def classifier(window, classes=3, filters=2, seed=0):
    return randomise(build_patch_classifier(classes, window=window, filters=filters), seed)


def naive(model, image, batch=256):
    """The probabilities at each pixel, (H, W, C): cuts out one window after the other."""
    window = model.input_shape[1]
    radius = window // 2
    padded = np.pad(image, [(radius, radius), (radius, radius), (0, 0)], mode="reflect")
    height, width = image.shape[:2]
    windows = []
    for row in range(height):
        for column in range(width):
            windows.append(padded[row : row + window, column : column + window])
            assert (windows[-1][radius, radius] == image[row, column]).all()
    windows += windows[:1] * (-len(windows) % batch)  # full batches only: compiled once
    parts = [
        np.asarray(model.predict_on_batch(np.stack(windows[i : i + batch]).astype("float32")))
        for i in range(0, len(windows), batch)
    ]
    return np.concatenate(parts)[: height * width].reshape(height, width, -1)


def dense_probabilities(dense, *images):
    return np.asarray(dense.predict_on_batch(np.stack(images).astype("float32")))


@pytest.mark.parametrize("window", WINDOWS)
def test_dense_network_is_the_sliding_window_at_every_pixel(window):
    model = classifier(window)
    dense = to_dense(model)
    assert dense.output_shape == (None, None, None, 3)
    # Smaller and larger than the window, with odd and even sides.
    for size in ((1, 1), (6, 3), (window + 1, 20)):
        image = random_images(*size)
        expected = naive(model, image)
        (found,) = dense_probabilities(dense, image)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=f"{size}")
    assert np.ptp(expected, axis=(0, 1)).max() > 0.01  # the pixels do differ


def test_dense_network_of_a_trained_classifier_is_its_sliding_window():
    keras.utils.set_random_seed(0)
    model = compile_model(build_patch_classifier(2, window=17, filters=4), learning_rate=0.01)
    untrained = model.get_weights()
    windows = np.random.default_rng(0).integers(0, 256, (32, 17, 17, 3), np.uint8)
    labels = (windows[:, 8, 8, 0] > 127).astype("int32")
    for _ in range(10):
        model.train_on_batch(windows, labels)
    biases = [w for w in model.get_weights() if w.ndim == 1]
    assert all(bias.any() for bias in biases)
    assert not np.allclose(untrained[0], model.get_weights()[0])
    dense = to_dense(model)
    image = random_images(20, 19)
    np.testing.assert_allclose(dense_probabilities(dense, image)[0], naive(model, image), atol=1e-5)


def test_dense_network_treats_the_images_of_a_batch_one_by_one():
    dense = to_dense(classifier(9))
    images = [random_images(7, 11, seed=seed) for seed in (0, 1)]
    together = dense_probabilities(dense, *images)
    for image, found in zip(images, together, strict=True):
        np.testing.assert_allclose(found, dense_probabilities(dense, image)[0], atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 7, 256])
def test_sliding_window_gives_the_same_for_any_batch_size(batch_size):
    model = classifier(9)
    image = random_images(5, 8)
    found = sliding_window(model, image, batch_size=batch_size, progress=False)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, naive(model, image), atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (21, 4)], ids=str)
def test_sliding_window_takes_images_smaller_and_larger_than_the_window(size):
    model = classifier(9)
    image = random_images(*size).astype("float32")
    found = sliding_window(model, image, progress=False)
    np.testing.assert_allclose(found, naive(model, image), atol=1e-5)


@pytest.mark.parametrize("progress", [True, False])
def test_sliding_window_shows_its_progress_on_stderr_unless_told_not_to(progress, capfd):
    sliding_window(classifier(1), random_images(2, 2), progress=progress)
    assert ("sliding window" in capfd.readouterr().err) == progress


@pytest.mark.parametrize("window", WINDOWS)
def test_receptive_field_is_the_window_to_the_pixel(window):
    # Weighted means of bright pixels keep every ReLU active, so whatever can matter does. The
    # corner of a window passes through the corners of the kernels only: they weigh most.
    dense = to_dense(build_patch_classifier(2, window=window, filters=2))
    for layer in dense.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()  # (k, k, C, F), (F,)
            kernel[:] = 1
            kernel[:: max(1, len(kernel) - 1), :: max(1, len(kernel) - 1)] = 10
            layer.set_weights([kernel / kernel[..., 0].sum(), bias * 0])
    kernel, bias = dense.get_layer("logits").get_weights()
    dense.get_layer("logits").set_weights([kernel * [10, -10], bias])

    side = window + 4
    image = np.random.default_rng(1).integers(140, 160, (side, side, 3), np.uint8)
    first, last = 2, side - 3  # of the window around the middle
    outside = np.full_like(image, 255)
    outside[first : last + 1, first : last + 1] = image[first : last + 1, first : last + 1]
    images = [image, outside]
    for corner in ((first, first), (first, last), (last, first), (last, last)):
        images.append(image.copy())
        images[-1][corner] = 255
    middle = dense_probabilities(dense, *images)[:, side // 2, side // 2]  # (6, C)
    np.testing.assert_allclose(middle[1], middle[0], atol=1e-6)
    for changed in middle[2:]:
        assert np.abs(changed - middle[0]).max() > 1e-4


def test_dense_network_holds_a_copy_of_the_weights():
    model = classifier(3)
    dense = to_dense(model)
    image = random_images(4, 5)
    before = dense_probabilities(dense, image)
    randomise(model, seed=1)
    np.testing.assert_array_equal(dense_probabilities(dense, image), before)
    copy_weights(model, dense)  # now it has the classifier's new weights
    np.testing.assert_allclose(dense_probabilities(dense, image)[0], naive(model, image), atol=1e-5)
    dense.set_weights([w * 0 for w in dense.get_weights()])
    assert any(w.any() for w in model.get_weights())


def test_weights_are_copied_back_from_the_dense_network():
    model = classifier(9)
    dense = to_dense(model)
    before = model.get_weights()
    randomise(model, seed=1)
    copy_weights(dense, model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_dense_network_knows_the_classes_of_its_classifier():
    model = classifier(3)
    model.layers[-1].classes, model.layers[-1].image_size = {"a": 0, "b": 1, "c": 2}, 64
    layer = to_dense(model).layers[-1]
    assert isinstance(layer, ClassProbabilities)
    assert (layer.classes, layer.image_size) == ({"a": 0, "b": 1, "c": 2}, 64)


def test_an_even_window_has_no_middle():
    with pytest.raises(ValueError, match=r"^window: found 16, expected an odd number"):
        build_patch_classifier(2, window=16)


def chain(*middle, side=5):
    """A functional model: Conv2D, some layers, Dense."""
    inputs = keras.Input((side, side, 3))
    x = layers.Conv2D(4, 3)(inputs)
    for layer in middle:
        x = layer(x)
    return keras.Model(inputs, layers.Dense(2)(x))


def two_branches():
    """A functional model that adds two convolutions."""
    inputs = keras.Input((5, 5, 3))
    x = layers.Add()([layers.Conv2D(4, 3)(inputs), layers.Conv2D(4, 3)(inputs)])
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


@pytest.mark.parametrize(
    "model",
    [
        lambda: build_unet(2, filters=2, depth=1),
        lambda: to_dense(classifier(3)),
        lambda: chain(layers.GlobalAveragePooling2D()),
        lambda: chain(layers.MaxPooling2D(2), layers.Flatten()),
        lambda: chain(layers.Conv2D(4, 3, padding="same"), layers.Flatten()),
        two_branches,
    ],
    ids=["unet", "dense", "mean", "pooling", "padding", "two branches"],
)
def test_other_models_are_refused_in_one_sentence(model):
    with pytest.raises(ValueError, match=r"^patch_classifier: ") as caught:
        to_dense(model())
    assert sentence(caught)


def sequential():
    return keras.Sequential(
        [
            keras.Input((5, 5, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3),
            layers.Flatten(),
            layers.Dense(3, activation="relu"),
            layers.Dense(2),
        ]
    )


@pytest.mark.parametrize(
    "model",
    [
        lambda: chain(layers.Conv2D(3, 3, strides=2, activation="tanh"), layers.Flatten(), side=9),
        sequential,
        # The stride leaves out the last row and column of the convolution's map.
        lambda: chain(layers.Conv2D(3, 2, strides=2), layers.Flatten(), side=9),
        lambda: chain(layers.Flatten(), side=6),
        lambda: chain(layers.Conv2D(3, 2, dilation_rate=2), layers.Flatten()),
    ],
    ids=["odd", "sequential", "remainder", "even window", "dilated"],
)
def test_a_custom_chain_is_made_dense_exactly_or_refused(model):
    model = randomise(model())
    try:
        dense = to_dense(model)
    except ValueError as error:
        assert str(error).startswith("patch_classifier: ")
        return
    image = random_images(8, 7)
    expected = naive(model, image)
    (found,) = dense_probabilities(dense, image)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)


def test_a_dense_layer_without_bias_is_made_dense_exactly():
    x = inputs = keras.Input((5, 5, 3))
    x = layers.Conv2D(4, 3)(x)
    x = layers.Dense(2, use_bias=False)(layers.Flatten()(x))
    classifier = keras.Model(inputs, x)
    image = np.random.default_rng(0).uniform(0, 1, (1, 6, 7, 3)).astype("float32")
    dense = to_dense(classifier).predict(image, verbose=0)[0]
    np.testing.assert_allclose(dense, sliding_window(classifier, image[0]), atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "make"),
    [
        ((5, 5, 3), lambda x: layers.Dense(2)(layers.Flatten()(layers.Dense(4)(x)))),
        ((5, 7, 3), lambda x: layers.Dense(2)(layers.Flatten()(x))),
        ((5, 5, 3), lambda x: layers.Dense(2)(layers.Flatten()(layers.Conv2D(2, (3, 1))(x)))),
        ((5, 5, 3), lambda x: layers.Dense(2)(layers.Flatten()(layers.Conv2D(2, 1, (2, 1))(x)))),
    ],
)
def test_a_chain_that_is_not_square_or_in_another_order_is_refused(shape, make):
    inputs = keras.Input(shape)
    with pytest.raises(ValueError, match="patch_classifier: "):
        to_dense(keras.Model(inputs, make(inputs)))

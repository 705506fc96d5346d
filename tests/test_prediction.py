"""Predictions of any size: label maps against interpolation by hand, and the object cut out."""

from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest
from colours import CLASSES, COLOURS, colour_model, colour_pairs
from helpers import predict, random_images, sentence

from voc_seg import (
    ClassProbabilities,
    build_patch_classifier,
    build_unet,
    cut_out,
    predict_labels,
    predict_probabilities,
    resize_to_fit,
)
from voc_seg.prediction import label_values, resize_argmax


@pytest.fixture(scope="module")
def model():
    """A colour model that no test changes."""
    return colour_model()


def interpolate(values, length):
    """Linear interpolation of the first axis to another length, pixel centres on pixel centres."""
    positions = (np.arange(length) + 0.5) * len(values) / length - 0.5
    positions = np.clip(positions, 0, len(values) - 1)
    lower = np.floor(positions).astype(int)
    share = (positions - lower).reshape(-1, *[1] * (values.ndim - 1))
    upper = np.minimum(lower + 1, len(values) - 1)
    return (1 - share) * values[lower] + share * values[upper]


def interpolate_both(values, height, width):
    return interpolate(interpolate(values, height).swapaxes(0, 1), width).swapaxes(0, 1)


@pytest.mark.parametrize("shape", [(20, 32), (50, 41), (9, 14), (100, 30)])
def test_labels_are_those_of_the_interpolated_probabilities(model, shape):
    (image, _) = colour_pairs(shape)["image 0"]
    (labels,) = predict_labels(model, [image])

    small = resize_to_fit(image, 32).astype(float)
    logits = -1e-4 * ((small[:, :, None] - COLOURS) ** 2).sum(axis=-1)  # (h, w, C)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = interpolate_both(probabilities, *shape).argmax(axis=-1)
    assert labels.shape == shape and labels.dtype == np.uint8
    assert (labels == expected).mean() > 0.999
    assert set(np.unique(labels)) == {0, 1, 2, 3}


@pytest.mark.parametrize("size", [None, 8, 33])
def test_each_image_of_a_batch_gets_a_label_map_of_its_own_size(model, size):
    shapes = [(1, 1), (1, 300), (301, 7), (5, 5), (64, 48)]
    images = [np.full((*shape, 3), COLOURS[i % 4], np.uint8) for i, shape in enumerate(shapes)]
    found = predict_labels(model, images, size)
    for i, (labels, shape) in enumerate(zip(found, shapes, strict=True)):
        assert labels.shape == shape and labels.dtype == np.uint8
        assert (labels == i % 4).all()


def test_a_very_long_image_is_labelled_where_its_colours_are(model):
    image = np.full((3, 300, 3), COLOURS[1], np.uint8)
    image[:, 200:] = COLOURS[2]
    (labels,) = predict_labels(model, [image])
    assert (labels[:, :190] == 1).all() and (labels[:, 210:] == 2).all()


def test_anything_but_a_list_of_images_is_refused(model):
    image = np.zeros((4, 6, 3), np.uint8)
    for images in (image, [image[..., 0]], [image[:0]], [image / 255], [image.astype(int)]):
        with pytest.raises(ValueError, match=r"^images: .*expected uint8 \(H, W, 3\)"):
            predict_labels(model, images)
    with pytest.raises(ValueError, match=r"^model: .*to_dense"):
        predict_labels(build_patch_classifier(2, window=3, filters=2), [image])


def test_cut_out_refuses_another_size():
    image, labels = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
    for wrong in (labels.T, labels / 2, labels > 0):
        with pytest.raises(ValueError, match=r"^labels: .*expected integers \(4, 6\) as the image"):
            cut_out(image, wrong)
    with pytest.raises(ValueError, match=r"^image: .*expected uint8 \(H, W, 3\)"):
        cut_out(image / 255, labels)
    assert not cut_out(image, labels.tolist()).any()


def test_the_size_has_to_be_a_sensible_number(model):
    for size in (0, -1, 2.5, 10**9):
        with pytest.raises(ValueError, match=r"^size: "):
            predict_labels(model, [np.zeros((4, 6, 3), np.uint8)], size)


# Flip and several scales


@pytest.fixture(scope="module")
def unet():
    """A random U-Net that is sure of itself, so the labels of noise are many."""
    keras.utils.set_random_seed(0)
    model = build_unet(num_classes=4, filters=4, depth=2)
    *others, kernel, bias = model.get_weights()
    bias = np.add(bias, [0, 0.1, 0.2, 0.3])  # no tie where all features are zero
    model.set_weights([*others, 20 * kernel, bias])
    return model


def probabilities_by_hand(model, image, size, flip, scales):
    """The mean over all that the model sees: one image at a time, no shortcut; (H, W, C)."""
    height, width = image.shape[:2]
    seen = []
    for scale in scales:
        for mirrored in (False, True) if flip else (False,):
            part = resize_to_fit(image[:, ::-1].copy() if mirrored else image, round(size * scale))
            h, w = part.shape[:2]
            square = np.full((1, max(h, w), max(h, w), 3), 127, np.float32)
            square[0, :h, :w] = part
            found = predict(model, square)[0, :h, :w].astype(float)
            found = interpolate_both(found, height, width)
            seen.append(found[:, ::-1] if mirrored else found)
    return np.mean(seen, axis=0)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scales", [(1.0,), [0.7], (0.75, 1, 1.3)])
def test_probabilities_and_labels_equal_a_loop_over_all_that_the_model_sees(unet, flip, scales):
    shapes = [(30, 41), (50, 9), (1, 40), (24, 1), (1, 1), (16, 16)]
    images = [random_images(*shape, seed=sum(shape)) for shape in shapes]
    found = predict_probabilities(unet, images, 16, flip, scales)
    labels = predict_labels(unet, images, 16, flip, scales)
    for i, image in enumerate(images):
        expected = probabilities_by_hand(unet, image, 16, flip, scales)
        assert found[i].shape == (*image.shape[:2], 4) and found[i].dtype == np.float32
        np.testing.assert_allclose(found[i], expected, atol=1e-5)
        np.testing.assert_allclose(found[i].sum(axis=-1), 1, atol=1e-5)
        second, best = np.sort(expected, axis=-1)[..., -2:].T
        clear = (best - second).T > 2e-5  # elsewhere rounding decides
        assert np.array_equal(labels[i][clear], expected.argmax(axis=-1)[clear])
        assert np.array_equal(labels[i], found[i].argmax(axis=-1))  # the first, if several are
        assert clear.mean() > 0.99
    assert len(np.unique(labels[0])) > 1


def test_the_mirror_image_gets_the_mirrored_answer_with_flip_and_not_without(unet):
    image = random_images(16, 11)
    for flip in (False, True):
        pair = [image, image[:, ::-1]]
        plain, mirrored = predict_probabilities(unet, pair, 16, flip)
        assert np.allclose(plain, mirrored[:, ::-1], atol=1e-5) == flip


def test_a_model_that_sees_single_pixels_gains_nothing_from_flip(model):
    images = [pair[0] for pair in colour_pairs((32, 20), (17, 32)).values()]
    plain, flipped = (predict_probabilities(model, images, flip=flip) for flip in (False, True))
    for p, q in zip(plain, flipped, strict=True):
        np.testing.assert_allclose(p, q, atol=1e-5)


def test_scales_that_are_not_positive_numbers_are_refused(model):
    image = np.zeros((4, 6, 3), np.uint8)
    for scales in ((), 1.0, None, "1", [0], [1, -1], [np.nan], [np.inf], ["1"], [None], [[1]]):
        for function in (predict_labels, predict_probabilities):
            with pytest.raises(ValueError, match=r"^scales: .*expected numbers above 0") as caught:
                function(model, [image], scales=scales)
            assert sentence(caught)
    for scales in ([1, 0.01], [1, 1025]):  # of 32 pixels: none, and 32,800
        with pytest.raises(ValueError, match=r"^scales: .* pixels; expected 1 to 32768"):
            predict_labels(model, [image], scales=scales)
    (labels,) = predict_labels(model, [image], scales=np.array([0.02, 0.5]))  # 1 and 16 pixels
    assert labels.shape == (4, 6)


def test_logits_far_below_zero_are_compared_too():
    inputs = keras.Input((None, None, 3))
    outputs = keras.layers.Conv2D(3, 1, bias_initializer=keras.initializers.Constant(-9))(inputs)
    model = keras.Model(inputs, outputs)
    kernel, bias = model.get_weights()
    model.set_weights([kernel * 0, np.add(bias, [0, 1, 4])])  # -9, -8, -5
    (labels,) = predict_labels(model, [np.zeros((4, 6, 3), np.uint8)])
    assert (labels == 2).all()


def test_a_model_that_gives_nan_is_refused():
    diverged = colour_model()
    diverged.set_weights([w * np.nan for w in diverged.get_weights()])
    with pytest.raises(ValueError, match=r"^model: .*NaN") as caught:
        predict_labels(diverged, [np.zeros((4, 6, 3), np.uint8)])
    assert sentence(caught)


@pytest.mark.parametrize(
    ("classes", "size", "expected"), [(None, None, 30), (CLASSES, None, 20), (CLASSES, 48, 48)]
)
def test_the_model_sees_images_at_the_size_that_it_was_trained_at(classes, size, expected):
    shapes = []

    def predict(batch):
        shapes.append(batch.shape)
        assert batch.dtype == np.float32
        return np.full((*batch.shape[:3], 2), 0.5, np.float32)

    layer = ClassProbabilities(classes=classes, image_size=20 if classes else None)
    model = SimpleNamespace(
        layers=[layer],
        predict_on_batch=predict,
        input_shape=(None, None, None, 3),
        output_shape=(None, None, None, 2),
    )
    predict_labels(model, [np.zeros((10, 30, 3), np.uint8)] * 2, size)
    assert shapes == [(2, expected, expected, 3)]


@pytest.mark.parametrize("classes", [2, 3, 21])
@pytest.mark.parametrize("shape", [(48, 48), (30, 80), (300, 200), (7, 3), (1, 90)])
def test_resize_argmax_equals_argmax_of_the_interpolated_stack(classes, shape):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(classes), (48, 48)).astype("float32")
    h, w = (max(1, round(side * 48 / max(shape))) for side in shape)
    part, (height, width) = probabilities[:h, :w], shape
    channels = [cv2.resize(part[..., c].copy(), (width, height)) for c in range(classes)]
    labels = resize_argmax(probabilities, shape)
    assert np.array_equal(labels, np.argmax(channels, axis=0))
    assert (labels == interpolate_both(part, height, width).argmax(axis=-1)).mean() > 0.999


def test_the_first_of_equally_likely_classes_is_taken():
    probabilities = np.full((6, 6, 4), 0.25, np.float32)
    assert not resize_argmax(probabilities, (9, 13)).any()
    probabilities[..., 0] = 0
    assert (resize_argmax(probabilities, (9, 13)) == 1).all()


def test_label_values_are_those_of_the_mask_files():
    labels = np.array([[0, 1], [2, 3]], np.uint8)
    values = label_values(labels, CLASSES)
    assert values.tolist() == [[0, 8], [12, 15]] and values.dtype == np.uint8


def test_cut_out_keeps_the_object_and_hides_the_rest():
    rng = np.random.default_rng(0)
    image = rng.integers(1, 256, (5, 6, 3), dtype=np.uint8)
    labels = rng.integers(0, 3, (5, 6), dtype=np.uint8)
    found = cut_out(image, labels)
    assert found.shape == (5, 6, 4) and found.dtype == np.uint8
    for row, column in np.ndindex(labels.shape):
        visible = [*image[row, column], 255] if labels[row, column] else [0, 0, 0, 0]
        assert found[row, column].tolist() == visible


def test_cut_out_keeps_the_classes_that_are_asked_for():
    image = random_images(4, 6)
    labels = np.random.default_rng(1).integers(0, 4, (4, 6))
    for keep in ([2], [1, 3], [0], []):
        expected = np.dstack([image, np.full((4, 6), 255, np.uint8)])
        for row in range(4):
            for column in range(6):
                if labels[row, column] not in keep:
                    expected[row, column] = 0
        assert np.array_equal(cut_out(image, labels, keep), expected)


def test_cut_out_refuses_names():
    image, labels = random_images(4, 6), np.ones((4, 6), np.uint8)
    for keep in (["cat"], "cat", [1.5], {1}):
        with pytest.raises(ValueError, match=r"^keep: found .*expected class indices"):
            cut_out(image, labels, keep)


def test_an_empty_list_of_images_is_refused():
    with pytest.raises(ValueError, match=r"^images: found an empty list, expected"):
        predict_labels(build_unet(2, filters=2, depth=1), [])

"""The losses against NumPy: void never counts, and the weights are where they belong."""

import keras
import numpy as np
import pytest

from voc_seg import (
    VOID,
    WeightedCrossEntropy,
    class_weights,
    cross_entropy,
    cross_entropy_and_dice,
    open_folder,
    write_shapes,
)

CLASSES = 4
WEIGHTS = [0.5, 1.0, 2.0, 0.0]


def batch(seed=0, shape=(3, 5, 7)):
    """Masks with void, and probabilities."""
    rng = np.random.default_rng(seed)
    masks = rng.choice([0, 1, 2, VOID], shape).astype("int32")  # class 3 does not occur
    scores = np.exp(rng.normal(0, 2, (*shape, CLASSES)))
    return masks, (scores / scores.sum(-1, keepdims=True)).astype("float32")


def pixels_by_hand(masks, probabilities):
    """Pairs (class, probabilities) of the pixels that are not void, one at a time."""
    pairs = zip(masks.ravel(), probabilities.reshape(-1, CLASSES), strict=True)
    return [(label, p.astype("float64")) for label, p in pairs if label != VOID]


def cross_entropy_by_hand(masks, probabilities, weights=(1,) * CLASSES):
    pixels = pixels_by_hand(masks, probabilities)
    return sum(-weights[label] * np.log(p[label]) for label, p in pixels) / len(pixels)


def dice_by_hand(masks, probabilities):
    pixels, losses = pixels_by_hand(masks, probabilities), []
    for c in range(CLASSES):
        true = sum(label == c for label, _ in pixels)
        if true:
            hit = sum(p[c] for label, p in pixels if label == c)
            losses.append(1 - 2 * hit / (true + sum(p[c] for _, p in pixels)))
    return np.mean(losses)


EXPECTED = {
    "cross-entropy": (cross_entropy, cross_entropy_by_hand),
    "dice": (
        cross_entropy_and_dice,
        lambda *given: cross_entropy_by_hand(*given) + dice_by_hand(*given),
    ),
    "weighted": (
        WeightedCrossEntropy(WEIGHTS),
        lambda *given: cross_entropy_by_hand(*given, WEIGHTS),
    ),
}


@pytest.mark.parametrize("shape", [(3, 5, 7), (40,)], ids=["masks", "windows"])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_loss_is_what_numpy_computes(name, shape):
    loss, by_hand = EXPECTED[name]
    given = batch(shape=shape)
    found = np.mean(keras.ops.convert_to_numpy(loss(*given)))
    np.testing.assert_allclose(found, by_hand(*given), rtol=1e-5)


@pytest.mark.parametrize("name", EXPECTED)
def test_keras_trains_and_evaluates_with_it_and_void_does_not_matter(name):
    loss, by_hand = EXPECTED[name]
    masks, probabilities = batch()
    model = keras.Sequential([keras.Input((None, None, CLASSES)), keras.layers.Identity()])
    model.compile("sgd", loss)
    expected = by_hand(masks, probabilities)
    np.testing.assert_allclose(model.evaluate(probabilities, masks, verbose=0), expected, rtol=1e-5)
    other = probabilities.copy()
    other[masks == VOID] = np.eye(CLASSES)[0]
    np.testing.assert_allclose(model.evaluate(other, masks, verbose=0), expected, rtol=1e-5)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_batch_of_nothing_but_void_has_no_loss(name):
    _, probabilities = batch()
    loss = EXPECTED[name][0](np.full(probabilities.shape[:-1], VOID, "int32"), probabilities)
    assert np.all(keras.ops.convert_to_numpy(loss) == 0)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_model_compiled_with_it_is_saved_and_loaded_by_plain_keras(name, tmp_path):
    masks, probabilities = batch()
    inputs = keras.Input((None, None, CLASSES))
    model = keras.Model(inputs, keras.layers.Softmax()(inputs))
    model.compile("sgd", EXPECTED[name][0])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    values = [m.evaluate(probabilities, masks, verbose=0) for m in (model, loaded)]
    assert values[0] == values[1]


def test_sample_weights_scale_each_pixel():
    masks, probabilities = batch()
    weights = np.random.default_rng(1).uniform(0, 2, masks.shape).astype("float32")
    model = keras.Sequential([keras.Input((None, None, CLASSES)), keras.layers.Identity()])
    model.compile("sgd", cross_entropy)
    found = model.evaluate(probabilities, masks, sample_weight=weights, verbose=0)
    valid = masks != VOID
    picked = np.take_along_axis(probabilities, np.where(valid, masks, 0)[..., None], -1)[..., 0]
    expected = -(weights * np.log(picked))[valid].sum() / valid.sum()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_class_weights_are_one_on_average_and_fall_with_the_root_of_the_share(tmp_path):
    folder = open_folder(write_shapes(tmp_path / "shapes", train=6, val=2, size=24))
    ids = folder.ids("train")
    masks = np.concatenate([folder.pair(id)[1].ravel() for id in ids])
    counts = np.array([(masks == c).sum() for c in range(5)])
    weights = np.array(class_weights(folder, ids))
    share = counts / counts.sum()
    assert (weights * share).sum() == pytest.approx(1)
    shown = counts > 0
    ratios = weights[shown] * np.sqrt(share[shown])
    np.testing.assert_allclose(ratios, ratios[0])
    assert (weights[~shown] == 0).all()


def test_weights_that_do_not_fit_are_refused():
    for weights in ([1, -1], [1, float("nan")], 3, [[1, 2]]):
        with pytest.raises(ValueError, match=r"^weights: found "):
            WeightedCrossEntropy(weights)
    with pytest.raises(ValueError, match=r"^weights: found 2, expected one for each of the 4"):
        WeightedCrossEntropy([1, 2])(*batch())

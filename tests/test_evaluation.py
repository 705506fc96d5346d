"""Evaluation: confusion matrix and IoU against scikit-learn, Keras and a loop over the files."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from colours import CLASSES, COLOURS, colour_model, colour_pairs
from helpers import sentence
from PIL import Image
from sklearn import metrics
from sklearn.metrics import f1_score, precision_recall_fscore_support

from voc_seg import (
    VOID,
    build_unet,
    confusion_matrix,
    evaluate,
    evaluation,
    format_table,
    iou_from_confusion,
    open_folder,
    predict_labels,
)
from voc_seg.evaluation import object_dice


@pytest.fixture(scope="module")
def model():
    """A colour model that no test changes."""
    return colour_model()


def random_labels(seed, shape=(17, 23), classes=4, void=True):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, shape).astype(np.uint8)
    prediction = np.where(rng.random(shape) < 0.6, truth, rng.integers(0, classes, shape))
    if void:
        truth[rng.random(shape) < 0.2] = VOID
    return truth, prediction.astype(np.uint8)


# Confusion matrix and intersection over union.


@pytest.mark.parametrize("classes", [2, 4, 21])
@pytest.mark.parametrize("void", [True, False])
def test_the_confusion_matrix_equals_that_of_scikit_learn(classes, void):
    truth, prediction = random_labels(classes, classes=classes, void=void)
    seen = truth != VOID
    expected = metrics.confusion_matrix(truth[seen], prediction[seen], labels=range(classes))
    found = confusion_matrix(truth, prediction, classes)
    assert np.array_equal(found, expected)
    assert found.shape == (classes, classes) and found.dtype == np.int64


def test_a_mask_that_is_all_void_counts_nothing():
    truth, prediction = np.full((3, 4), VOID, np.uint8), np.ones((3, 4), np.uint8)
    assert not confusion_matrix(truth, prediction, 5).any()


@pytest.mark.parametrize("seed", range(3))
def test_the_mean_iou_equals_that_of_keras(seed):
    truth, prediction = random_labels(seed)
    metric = keras.metrics.MeanIoU(num_classes=6, ignore_class=VOID)  # two classes are absent
    metric.update_state(truth, prediction)
    iou = iou_from_confusion(confusion_matrix(truth, prediction, 6))
    assert np.isnan(iou[4:]).all() and iou.dtype == np.float64
    assert np.isclose(np.nanmean(iou), float(metric.result()), rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_iou_by_class_equals_the_jaccard_score_of_scikit_learn(seed):
    truth, prediction = random_labels(seed)
    seen = truth != VOID
    expected = metrics.jaccard_score(truth[seen], prediction[seen], average=None)
    assert np.allclose(iou_from_confusion(confusion_matrix(truth, prediction, 4)), expected)


def test_a_class_that_is_only_predicted_scores_zero_and_an_absent_one_has_no_iou():
    truth = np.array([[0, 0, 1, VOID, VOID]])
    prediction = np.array([[0, 2, 1, 3, 1]])
    iou = iou_from_confusion(confusion_matrix(truth, prediction, 4))
    assert iou[:3].tolist() == [0.5, 1, 0] and np.isnan(iou[3])


def test_iou_takes_nested_lists_and_large_counts():
    large = 2**53
    assert iou_from_confusion([[large, 0], [0, 5]]).tolist() == [1, 1]
    assert iou_from_confusion([[3 * 2**40, 2**40], [0, 0]]).tolist() == [0.75, 0]


@pytest.mark.parametrize("classes", [3, 21])
@pytest.mark.parametrize(
    ("truth", "prediction", "name"),
    [
        ([0, 1], [0, VOID], "prediction"),
        ([0, 1], [21, 1], "prediction"),
        ([0, 21], [0, 1], "truth"),
    ],
)
def test_an_unknown_label_is_never_counted_as_another_class(classes, truth, prediction, name):
    with pytest.raises(ValueError, match=name):
        confusion_matrix(np.array([truth]), np.array([prediction]), classes)


def test_label_maps_of_another_shape_or_of_floats_are_refused():
    labels = np.zeros((4, 6), np.uint8)
    for other in (labels.T, labels[None], labels.astype(float)):
        with pytest.raises(ValueError, match=r"\(4, 6\).*expected integers of one shape"):
            confusion_matrix(labels, other, 2)


def test_a_negative_prediction_is_never_counted_as_another_class():
    with pytest.raises(ValueError, match=r"prediction: found the label -1, expected 0\.\.2"):
        confusion_matrix(np.array([[1, 1]]), np.array([[-1, 1]]), 3)


# Evaluation over the files of a split.


def test_evaluate_equals_a_naive_loop_over_the_files(model, write_voc):
    path = write_voc(colour_pairs((20, 32), (32, 32), (40, 25), (64, 64), (11, 9)))
    folder, labels = open_folder(path, classes="cat,dog,person"), {}
    result = evaluate(model, folder, on_prediction=labels.__setitem__)
    assert list(labels) == folder.ids("val") and result["images"] == 5

    expected, truths, predictions = np.zeros((4, 4), int), [], []
    for id, predicted in labels.items():
        with Image.open(path / "SegmentationClass" / f"{id}.png") as file:
            values = np.array(file)
        assert predicted.shape == values.shape and predicted.dtype == np.uint8
        for row, column in np.ndindex(values.shape):
            if values[row, column] != VOID:
                truths.append(list(CLASSES.values()).index(values[row, column]))
                predictions.append(predicted[row, column])
                expected[truths[-1], predictions[-1]] += 1

    assert result["confusion"] == expected.tolist()
    assert result["classes"] == list(CLASSES)
    iou = metrics.jaccard_score(truths, predictions, average=None)
    assert np.allclose(result["iou"], iou) and np.isclose(result["mean_iou"], iou.mean())
    assert np.isclose(result["pixel_accuracy"], metrics.accuracy_score(truths, predictions))
    assert 0.5 < result["mean_iou"] < 0.99  # neither trivial nor broken


def test_a_model_that_is_right_everywhere_has_an_iou_of_one(model, write_voc):
    path = write_voc(colour_pairs((32, 20), (17, 32), noise=0))
    result = evaluate(model, open_folder(path, classes="cat,dog,person"))
    assert result["iou"] == [1, 1, 1, 1]
    assert result["mean_iou"] == 1 and result["pixel_accuracy"] == 1


def test_the_batch_size_does_not_change_the_result(model, write_voc):
    path = write_voc(colour_pairs((20, 32), (32, 32), (40, 25), (9, 64), (11, 9)))
    folder = open_folder(path, classes="cat,dog,person")
    results = [evaluate(model, folder, batch_size=size) for size in (1, 3, 8)]
    assert results[0] == results[1] == results[2]


def test_flip_and_scales_are_passed_on_and_change_nothing_but_the_predictions(write_voc):
    keras.utils.set_random_seed(0)
    model = build_unet(num_classes=4, filters=4, depth=1)  # not symmetric, as it is random
    folder = open_folder(write_voc(colour_pairs((20, 32), (40, 25))), classes="cat,dog,person")
    images, masks = zip(*map(folder.pair, folder.ids("val")), strict=True)
    results = []
    both = {"flip": True, "scales": (0.5, 1)}
    for how in ({}, {"flip": True}, {"scales": np.array([0.5])}, both):
        results.append(evaluate(model, folder, **how))
        predictions = predict_labels(model, images, **how)
        counts = [confusion_matrix(*pair, 4) for pair in zip(masks, predictions, strict=True)]
        assert results[-1]["confusion"] == np.sum(counts, axis=0).tolist()
    seen = [(result["flip"], result["scales"]) for result in results]
    assert seen == [(False, [1.0]), (True, [1.0]), (False, [0.5]), (True, [0.5, 1.0])]
    assert len({json.dumps(result["confusion"]) for result in results}) == 4
    json.dumps(results)
    with pytest.raises(ValueError, match=r"^scales: found \(\), expected numbers above 0"):
        evaluate(model, folder, scales=())


def test_a_list_of_ids_is_evaluated_alone(model, write_voc):
    path = write_voc(colour_pairs((20, 32), (32, 32), (40, 25)))
    folder = open_folder(path, classes="cat,dog,person")
    whole = np.array(evaluate(model, folder)["confusion"])
    parts = [evaluate(model, folder, [id]) for id in folder.ids("val")]
    assert [part["images"] for part in parts] == [1, 1, 1]
    assert np.array_equal(sum(np.array(part["confusion"]) for part in parts), whole)


def test_classes_that_are_absent_are_none_and_left_out_of_the_mean(model, write_voc):
    image, mask = np.full((32, 32, 3), 20, np.uint8), np.zeros((32, 32), np.uint8)
    image[:, 8:] = COLOURS[1]
    mask[:, 16:] = CLASSES["cat"]
    path = write_voc({"a": (image, mask)})
    result = evaluate(model, open_folder(path, classes="cat,dog,person"))
    assert result["iou"] == [0.5, 2 / 3, None, None]
    assert np.isclose(result["mean_iou"], (0.5 + 2 / 3) / 2)


def test_the_table_shows_every_score_and_calls_an_absent_class_absent():
    result = {"classes": ["background", "cat", "dog"], "iou": [0.5, None, 0.0]}
    result |= {"dice": [0.6, None, 0.0], "precision": [0.7, None, None], "recall": [0.8, None, 0.0]}
    result |= {"mean_iou": 0.25, "mean_dice": 0.3, "mean_precision": 0.7, "mean_recall": 0.4}
    result |= {"pixel_accuracy": 0.87654, "mean_image_dice": 0.43214}
    lines = [line.split() for line in format_table(result).splitlines()]
    assert lines[0] == ["class", "IoU", "Dice", "precision", "recall"]
    assert ["background", "0.5000", "0.6000", "0.7000", "0.8000"] in lines
    assert ["cat", "absent", "absent", "-", "-"] in lines
    assert ["dog", "0.0000", "0.0000", "-", "0.0000"] in lines  # there, but never predicted
    assert ["mean", "0.2500", "0.3000", "0.7000", "0.4000"] in lines
    assert ["pixel", "accuracy", "0.8765"] in lines
    assert ["mean", "image", "Dice", "0.4321"] in lines
    assert max(map(len, format_table(result).splitlines())) <= 78


def test_dice_precision_and_recall_equal_scikit_learn(model, write_voc):
    rng = np.random.default_rng(3)
    pairs, truth, prediction, by_image = {}, [], [], []
    for id in "abc":
        values = rng.integers(0, 4, (8, 8)).repeat(4, 0).repeat(4, 1)  # what the model will say
        labels = rng.integers(0, 4, (8, 8)).repeat(4, 0).repeat(4, 1)
        mask = np.array([*CLASSES.values()], np.uint8)[labels]
        mask[rng.random(mask.shape) < 0.2] = VOID
        pairs[id] = np.array(COLOURS, np.uint8)[values], mask
        (found,) = predict_labels(model, [pairs[id][0]])
        seen = mask != VOID
        truth += labels[seen].tolist()
        prediction += found[seen].tolist()
        stacks = [np.stack([x[seen] == c for c in (1, 2, 3)]) for x in (labels, found)]
        by_image.append(f1_score(stacks[0].ravel(), stacks[1].ravel()))
    result = evaluate(model, open_folder(write_voc(pairs), classes="cat,dog,person"))
    precision, recall, dice, _ = precision_recall_fscore_support(truth, prediction, labels=range(4))
    for name, expected in (("precision", precision), ("recall", recall), ("dice", dice)):
        np.testing.assert_allclose(result[name], expected, rtol=1e-12)
        np.testing.assert_allclose(result[f"mean_{name}"], expected.mean(), rtol=1e-12)
    np.testing.assert_allclose(result["mean_image_dice"], np.mean(by_image), rtol=1e-12)


@pytest.mark.parametrize(
    ("confusion", "score"),
    [
        ([[5, 0], [0, 0]], 1.0),  # no objects, and none predicted
        ([[5, 1], [0, 0]], 0.0),  # one that is not there
        ([[5, 0], [2, 0]], 0.0),  # one that is missed
        ([[5, 1], [1, 2]], 2 * 2 / (3 + 3)),
        ([[0, 0, 0], [0, 0, 3], [0, 3, 0]], 0.0),  # the right place, the wrong name
    ],
)
def test_the_dice_of_an_image_is_that_of_all_its_objects_together(confusion, score):
    assert object_dice(np.array(confusion)) == score


def test_a_split_of_void_alone_has_no_mean_and_no_warning(model, write_voc, recwarn):
    path = write_voc({"a": (np.zeros((32, 32, 3), np.uint8), np.full((32, 32), VOID, np.uint8))})
    result = evaluate(model, open_folder(path, classes="cat,dog,person"))
    assert result["iou"] == [None] * 4
    assert result["mean_iou"] is None and result["pixel_accuracy"] is None
    assert format_table(result).count("absent") >= 6
    assert result["mean_dice"] is None and result["mean_precision"] is None
    assert result["mean_image_dice"] == 1  # nothing to find, and nothing found
    assert not [warning for warning in recwarn if "mean" in str(warning.message).lower()]


def test_more_pixels_than_a_float32_can_count_are_counted_exactly(model, monkeypatch):
    mask = np.zeros((1, 2**20 + 2), np.uint8)  # 17 of them: more than 2**24, and an odd number
    mask[0, 0] = 1
    folder = SimpleNamespace(classes=CLASSES, pair=lambda id: (None, mask))
    monkeypatch.setattr(evaluation, "predict_labels", lambda _, images, **how: [mask] * len(images))
    result = evaluate(model, folder, list(range(17)), batch_size=4)
    assert result["confusion"][0][0] == 17 * (2**20 + 1) > 2**24
    assert result["confusion"][1][1] == 17


@pytest.mark.parametrize("classes", ["all", "object", "dog,cat,person", "cat,dog,horse"])
def test_classes_that_differ_from_the_models_are_refused(model, write_voc, classes):
    path = write_voc(colour_pairs((8, 8)))
    with pytest.raises(ValueError, match="cat, dog, person") as caught:
        evaluate(model, open_folder(path, classes=classes))
    assert sentence(caught)


def test_a_broken_file_is_named(model, write_voc):
    path = write_voc(colour_pairs((8, 8), (8, 8)))
    (path / "SegmentationClass" / "image 1.png").write_bytes(b"no mask")
    with pytest.raises(ValueError, match=r"image 1\.png"):
        evaluate(model, open_folder(path, classes="cat,dog,person"))

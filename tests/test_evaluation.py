"""Evaluation and prediction, with a model that knows the classes by their colours."""

import zipfile
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from voc_seg import evaluation
from voc_seg.evaluation import confusion_matrix, evaluate, format_table, iou_from_confusion
from voc_seg.images import resize_to_fit
from voc_seg.layers import ClassProbabilities
from voc_seg.patch_classifier import build_patch_classifier
from voc_seg.prediction import (
    cut_out,
    get_classes,
    label_values,
    load_segmenter,
    predict_labels,
    resize_argmax,
    set_classes,
)
from voc_seg.voc import VOC_CLASSES, VOID, open_folder

COLOURS = np.array([[20, 20, 20], [230, 30, 30], [30, 230, 30], [40, 40, 235]])
CLASSES = {"background": 0, "cat": 8, "dog": 12, "person": 15}


def colour_model(size=32, classes=CLASSES):
    """A model that gives each pixel the class whose colour is nearest; `size` as if trained at."""
    inputs = keras.Input((None, None, 3))
    logits = keras.layers.Conv2D(len(COLOURS), 1)
    outputs = ClassProbabilities()(logits(inputs))
    # |x - c|^2 = |x|^2 - (2 c x - |c|^2), and the first term is the same for all classes.
    logits.set_weights([2e-4 * COLOURS.T[None, None], -1e-4 * (COLOURS**2).sum(axis=1)])
    model = keras.Model(inputs, outputs)
    if classes:
        set_classes(model, classes, size)
    return model


@pytest.fixture(scope="module")
def model():
    """A colour model that no test changes."""
    return colour_model()


def random_pairs(*shapes, noise=60):
    """Images of blocks in the colours of the classes, with masks that say VOC's values."""
    rng = np.random.default_rng(0)
    pairs = {}
    for i, (height, width) in enumerate(shapes):
        blocks = rng.integers(0, 4, (-(-height // 6), -(-width // 6)))
        labels = np.kron(blocks, np.ones((6, 6), int))[:height, :width]
        image = COLOURS[labels] + rng.normal(0, noise, (height, width, 3))
        mask = np.array(list(CLASSES.values()))[labels]
        mask[rng.random(mask.shape) < 0.1] = VOID
        pairs[f"image {i}"] = np.clip(image, 0, 255).astype(np.uint8), mask.astype(np.uint8)
    return pairs


def interpolate(values, length):
    """Linear interpolation of the first axis to another length, pixel middles on pixel middles."""
    places = (np.arange(length) + 0.5) * len(values) / length - 0.5
    places = np.clip(places, 0, len(values) - 1)
    lower = np.floor(places).astype(int)
    share = (places - lower).reshape(-1, *[1] * (values.ndim - 1))
    upper = np.minimum(lower + 1, len(values) - 1)
    return (1 - share) * values[lower] + share * values[upper]


def interpolate_both(values, height, width):
    return interpolate(interpolate(values, height).swapaxes(0, 1), width).swapaxes(0, 1)


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


def test_a_class_that_is_predicted_but_not_there_has_zero_and_an_absent_one_none():
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
def test_a_label_that_is_no_class_is_never_counted_as_another(classes, truth, prediction, name):
    with pytest.raises(ValueError, match=name):
        confusion_matrix(np.array([truth]), np.array([prediction]), classes)


# Evaluation over the files of a split.


def test_evaluate_equals_a_naive_loop_over_the_files(model, write_voc):
    path = write_voc(random_pairs((20, 32), (32, 32), (40, 25), (64, 64), (11, 9)))
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
    path = write_voc(random_pairs((32, 20), (17, 32), noise=0))
    result = evaluate(model, open_folder(path, classes="cat,dog,person"))
    assert result["iou"] == [1, 1, 1, 1]
    assert result["mean_iou"] == 1 and result["pixel_accuracy"] == 1


def test_the_batch_size_does_not_change_the_result(model, write_voc):
    path = write_voc(random_pairs((20, 32), (32, 32), (40, 25), (9, 64), (11, 9)))
    folder = open_folder(path, classes="cat,dog,person")
    results = [evaluate(model, folder, batch_size=size) for size in (1, 3, 8)]
    assert results[0] == results[1] == results[2]


def test_a_list_of_ids_is_evaluated_alone(model, write_voc):
    path = write_voc(random_pairs((20, 32), (32, 32), (40, 25)))
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


def test_an_absent_class_is_called_absent_in_the_table():
    result = {"classes": ["background", "cat", "dog"], "iou": [0.5, None, 0.0]}
    result |= {"mean_iou": 0.25, "pixel_accuracy": 0.87654}
    lines = [line.split() for line in format_table(result).splitlines()]
    assert ["background", "0.5000"] in lines and ["dog", "0.0000"] in lines
    assert ["cat", "absent"] in lines
    assert ["pixel", "accuracy", "0.8765"] in lines
    (mean,) = (line for line in lines if line[:2] == ["mean", "IoU"])
    assert mean[2] == "0.2500" and "1" in " ".join(mean[3:])  # says how many are left out


def test_a_split_of_void_alone_has_no_mean_and_no_warning(model, write_voc, recwarn):
    path = write_voc({"a": (np.zeros((32, 32, 3), np.uint8), np.full((32, 32), VOID, np.uint8))})
    result = evaluate(model, open_folder(path, classes="cat,dog,person"))
    assert result["iou"] == [None] * 4
    assert result["mean_iou"] is None and result["pixel_accuracy"] is None
    assert format_table(result).count("absent") >= 6
    assert not [warning for warning in recwarn if "mean" in str(warning.message).lower()]


def test_more_pixels_than_a_float32_can_count_are_counted_exactly(model, monkeypatch):
    mask = np.zeros((1, 2**20 + 2), np.uint8)  # 17 of them: more than 2**24, and an odd number
    mask[0, 0] = 1
    folder = SimpleNamespace(classes=CLASSES, pair=lambda id: (None, mask))
    monkeypatch.setattr(evaluation, "predict_labels", lambda model, images: [mask] * len(images))
    result = evaluate(model, folder, list(range(17)), batch_size=4)
    assert result["confusion"][0][0] == 17 * (2**20 + 1) > 2**24
    assert result["confusion"][1][1] == 17


@pytest.mark.parametrize("classes", ["all", "object", "dog,cat,person", "cat,dog,horse"])
def test_other_classes_than_the_models_are_refused(model, write_voc, classes):
    path = write_voc(random_pairs((8, 8)))
    with pytest.raises(ValueError, match="cat, dog, person") as error:
        evaluate(model, open_folder(path, classes=classes))
    assert "\n" not in str(error.value)


def test_a_broken_file_is_named(model, write_voc):
    path = write_voc(random_pairs((8, 8), (8, 8)))
    (path / "SegmentationClass" / "image 1.png").write_bytes(b"no mask")
    with pytest.raises(ValueError, match=r"image 1\.png"):
        evaluate(model, open_folder(path, classes="cat,dog,person"))


# Predictions of any size.


@pytest.mark.parametrize("shape", [(20, 32), (50, 41), (9, 14), (100, 30)])
def test_labels_are_those_of_the_interpolated_probabilities(model, shape):
    (image, _) = random_pairs(shape)["image 0"]
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


def test_what_is_no_list_of_images_is_refused(model):
    image = np.zeros((4, 6, 3), np.uint8)
    for images in (image, [image[..., 0]], [image[:0]]):
        with pytest.raises(ValueError, match=r"^images: .*expected a list of \(H, W, 3\)"):
            predict_labels(model, images)
    with pytest.raises(ValueError, match=r"^model: .*to_dense"):
        predict_labels(build_patch_classifier(2, window=3, filters=2), [image])


def test_label_maps_of_another_shape_or_of_floats_are_refused():
    labels = np.zeros((4, 6), np.uint8)
    for other in (labels.T, labels[None], labels.astype(float)):
        with pytest.raises(ValueError, match=r"\(4, 6\).*expected integers of one shape"):
            confusion_matrix(labels, other, 2)


def test_cut_out_refuses_another_size():
    with pytest.raises(ValueError, match=r"^image: \(4, 6, 3\), expected \(6, 4, 3\)"):
        cut_out(np.zeros((4, 6, 3), np.uint8), np.zeros((6, 4), np.uint8))


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
        layers=[layer], predict_on_batch=predict, output_shape=(None, None, None, 2)
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


def test_of_equally_likely_classes_the_first_is_taken():
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


# What a model knows of its classes.


def test_a_model_is_told_its_classes_and_remembers_them_in_its_file(tmp_path):
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
        with pytest.raises(ValueError, match="4") as error:
            set_classes(model, classes, 99)
        assert str(len(classes)) in str(error.value)
    assert get_classes(model) == CLASSES and model.layers[-1].image_size == 32


# Loading.


def test_a_loaded_model_predicts_as_the_saved_one(model, tmp_path):
    model.save(tmp_path / "model.keras")
    images = [random_pairs((20, 32))["image 0"][0]]
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
def test_a_model_that_is_not_there_is_named(tmp_path, kind):
    path = tmp_path / "model.keras" if kind == "missing" else tmp_path
    with pytest.raises(FileNotFoundError) as error:
        load_segmenter(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "other zip", "unknown ending"])
def test_a_file_that_is_no_model_is_named(tmp_path, kind):
    path = tmp_path / ("model.png" if kind == "unknown ending" else "model.keras")
    if kind == "truncated":
        colour_model().save(path)
        path.write_bytes(path.read_bytes()[:-500])
    elif kind == "other zip":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("readme.txt", "holidays")
    else:
        path.write_bytes(b"" if kind == "empty" else b"this is no model")
    with pytest.raises(ValueError) as error:
        load_segmenter(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


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
    else:  # nobody has said yet what enters
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
def test_a_model_that_does_not_label_pixels_is_refused_by_its_name(tmp_path, kind):
    path = tmp_path / "model.keras"
    other_model(kind).save(path)
    with pytest.raises(ValueError) as error:
        load_segmenter(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_negative_prediction_is_never_counted_as_another_class():
    with pytest.raises(ValueError, match=r"prediction: holds the label -1, expected 0\.\.2"):
        confusion_matrix(np.array([[1, 1]]), np.array([[-1, 1]]), 3)

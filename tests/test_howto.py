"""The functions of the how-to pages, against oracles; test_docs.py runs the pages themselves."""

import ast
import csv
import importlib.metadata
import json

import keras
import numpy as np
import pytest
from helpers import ROOT, blocky_mask, predict, python, random_images
from markdown_reader import PART

from voc_seg import VOID, build_unet, open_folder, predict_labels, set_classes


def definitions(name):
    """The imports and functions of a page, without the rest of its code."""
    parts = PART.finditer((ROOT / f"docs/howto/{name}.md").read_text("utf-8"))
    code = "\n".join(part["code"] for part in parts if part["language"] == "python")
    kinds = ast.Import, ast.ImportFrom, ast.FunctionDef
    kept = [node for node in ast.parse(code).body if isinstance(node, kinds)]
    names = {"__name__": name}
    exec(compile(ast.Module(kept, []), name, "exec"), names)
    return names


COURSE, ATTACK = definitions("course_data"), definitions("attack")


# --- The course's Kaggle folder ------------------------------------------------------------------


def decode(text, shape):
    """Sets pixel after pixel, as the text says: starts from 1, lengths."""
    numbers = [int(word) for word in text.split()]
    flat = [False] * int(np.prod(shape))
    for k in range(0, len(numbers), 2):
        assert numbers[k] >= 1 and numbers[k + 1] >= 1
        for pixel in range(numbers[k], numbers[k] + numbers[k + 1]):
            assert not flat[pixel - 1], "a pixel in two runs"
            flat[pixel - 1] = True
    return np.array(flat).reshape(shape)


@pytest.mark.parametrize("shape", [(20,), (20, 5, 7), (1, 1, 1), (3, 1, 8)])
def test_a_run_length_encoding_is_decoded_to_the_same_masks(shape):
    rng = np.random.default_rng(0)
    masks = [rng.random(shape) < share for share in (0.1, 0.5, 0.9) for _ in range(5)]
    first, last = np.zeros(shape, bool), np.zeros(shape, bool)
    first.flat[0] = last.flat[-1] = True
    for mask in [*masks, first, last, np.zeros(shape, bool), np.ones(shape, bool)]:
        text = COURSE["encode"](mask)
        np.testing.assert_array_equal(decode(text, shape), mask)
        runs = len("".join("#" if x else " " for x in mask.flat).split())
        assert len(text.split()) == 2 * runs  # as short as can be


def test_the_split_gives_each_class_its_share_where_a_random_split_does_not():
    rng = np.random.default_rng(0)
    rates = np.append(np.geomspace(0.008, 0.05, 19), 0.3)  # rare classes, and one like "person"
    table = (rng.random((749, 20)) < rates).astype(int)
    counts = table.sum(axis=0)
    assert counts.min() < 10 and (table.sum(axis=1) > 1).any() and (table.sum(axis=1) == 0).any()

    def worst(in_val):
        """The largest deviation from a fifth of a class's images, in images."""
        return abs(table[in_val].sum(axis=0) - 0.2 * counts).max()

    for seed in range(5):
        in_val = COURSE["split_evenly"](table, 0.2, seed)
        assert in_val.dtype == bool and abs(in_val.sum() - 0.2 * 749) <= 5
        at_random = np.isin(np.arange(749), rng.permutation(749)[:150])
        assert worst(in_val) < 2 < worst(at_random)
    assert (in_val != COURSE["split_evenly"](table, 0.2, seed=0)).any()


def test_the_kaggle_folder_is_converted_without_loss_and_comes_back_as_a_submission(tmp_path):
    kaggle, course = tmp_path / "kaggle", tmp_path / "course"
    COURSE["draw_stand_in"](kaggle, train=10, test=3)
    COURSE["convert"](kaggle, course)
    folder = open_folder(course)
    assert list(folder.classes) == ["background", "disc", "square", "star", "ring"]
    ids = folder.ids("train") + folder.ids("val")
    assert sorted(ids) == [f"train_{i}" for i in range(10)]
    for id in ids:
        image, mask = folder.pair(id)
        np.testing.assert_array_equal(image, np.load(kaggle / f"train/img/{id}.npy"))
        np.testing.assert_array_equal(mask, np.load(kaggle / f"train/seg/{id}.npy"))

    keras.utils.set_random_seed(1)
    model = build_unet(5, filters=2, depth=1)
    set_classes(model, folder.classes, 48)
    COURSE["write_submission"](tmp_path / "submission.csv", kaggle, model, smallest=400)
    with open(tmp_path / "submission.csv", newline="") as file:
        (id_column, column), *rows = csv.reader(file)
    assert (id_column, column) == ("Id", "Predicted")
    rows = dict(rows)
    kinds = "classification", "segmentation"
    assert list(rows) == [f"{i}_{kind}" for i in range(3) for kind in kinds]
    seen = set()
    for i in range(3):
        (labels,) = predict_labels(model, [np.load(kaggle / f"test/img/test_{i}.npy")])
        stack = decode(rows[f"{i}_segmentation"], (4, 48, 48))
        shown = decode(rows[f"{i}_classification"], (4,))
        for c in range(1, 5):
            np.testing.assert_array_equal(stack[c - 1], labels == c)
            assert shown[c - 1] == (np.count_nonzero(labels == c) > 400)
        seen |= set(shown.tolist())
    assert seen == {True, False}


# --- Attack your own model -----------------------------------------------------------------------


def mean_loss(model, images, mask):
    """The mean cross-entropy of each image in float64, without void; one mask for all images."""
    probabilities = predict(model, images).astype("float64")
    pixels = np.argwhere(mask != VOID)
    return np.mean([-np.log(probabilities[:, y, x, mask[y, x]]) for y, x in pixels], axis=0)


def test_the_gradient_is_the_slope_of_the_loss_by_central_differences():
    keras.utils.set_random_seed(0)
    model = build_unet(3, filters=4, depth=1)
    image = random_images(6, 7).astype("float32")
    mask = blocky_mask(6, 7, [0, 1, 2, VOID], block=2).astype("int32")
    assert (mask == VOID).any()
    gradient = ATTACK["gradient_of"](model)(image[None], mask[None])[0]
    gradient = gradient / mask.size  # of the mean over the pixels
    # Small steps: a larger one would cross the kinks of ReLU and max-pooling.
    steps = np.eye(image.size, dtype="float32").reshape(-1, *image.shape) / 16  # (126, 6, 7, 3)
    up, down = (mean_loss(model, image + sign * steps, mask) for sign in (1, -1))
    error = (up - down).reshape(image.shape) * 8 - gradient
    assert np.linalg.norm(error) < 0.01 * np.linalg.norm(gradient)


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_an_attack_on_a_linear_model_finds_the_worst_image(attack):
    inputs = keras.Input((None, None, 3))
    layer = keras.layers.Conv2D(2, 1, activation="softmax")
    model = keras.Model(inputs, layer(inputs))
    weights = np.float32([[0.01, -0.01], [-0.02, 0.01], [0.005, 0.015]])  # (3, 2)
    layer.set_weights([weights[None, None], np.zeros(2, "float32")])
    images = np.concatenate(  # black, white and noise: the first two have to be clipped
        [np.zeros((1, 8, 8, 3)), np.full((1, 8, 8, 3), 255), random_images(1, 8, 8)]
    ).astype("float32")
    masks = np.stack([blocky_mask(8, 8, [0, 1, VOID], block=2)] * 3).astype("int32")
    attacked = ATTACK[attack](ATTACK["gradient_of"](model), images, masks, eps=4)
    valid = masks != VOID
    away = np.sign(weights[:, 1] - weights[:, 0]) * np.where(masks == 0, 1, -1)[..., None]
    np.testing.assert_array_equal(attacked[valid], np.clip(images + 4 * away, 0, 255)[valid])
    assert attacked.min() >= 0 and attacked.max() <= 255
    assert (attacked == np.round(attacked)).all() and abs(attacked - images).max() <= 4
    if attack == "fgsm":  # void has no gradient, so nothing moves there
        np.testing.assert_array_equal(attacked[~valid], images[~valid])


TWICE = """
import json

import keras
import numpy as np

from test_howto import ATTACK

model = keras.saving.load_model("model.keras")
data = np.load("data.npz")
images, masks = data["images"], data["masks"]
gradient = ATTACK["gradient_of"](model)
scores = {"clean": ATTACK["mean_iou"](model, images, masks)}
for name in ("fgsm", "pgd"):
    attacked = ATTACK[name](gradient, images, masks, 8)
    scores[name] = ATTACK["mean_iou"](model, attacked, masks)
np.save(keras.backend.backend(), gradient(images, masks))
print(json.dumps(scores))
"""


def test_both_backends_find_the_same_gradient_and_do_the_same_damage(tmp_path):
    try:
        importlib.metadata.version("jax")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs JAX")
    keras.utils.set_random_seed(0)
    model = build_unet(3, filters=4, depth=2)
    model.save(tmp_path / "model.keras")
    images = random_images(32, 24, 24).astype("float32")
    # What the model says counts as true: then it is right everywhere, and needs no training.
    np.savez(tmp_path / "data.npz", images=images, masks=predict(model, images).argmax(-1))
    scores = {}
    for backend in ("tensorflow", "jax"):
        done = python("-c", TWICE, cwd=tmp_path, KERAS_BACKEND=backend)
        scores[backend] = json.loads(done.stdout.splitlines()[-1])
    first, second = (np.load(tmp_path / f"{backend}.npy") for backend in scores)
    assert np.linalg.norm(first - second) < 1e-4 * np.linalg.norm(first)
    assert scores["jax"] == pytest.approx(scores["tensorflow"], abs=1e-4)
    assert scores["jax"]["clean"] > 0.99 and scores["jax"]["pgd"] < scores["jax"]["fgsm"] < 0.9

"""Training: the files that it writes, and killed runs that continue where they stopped."""

import csv
import importlib.util
import json
import math
import os
import shutil
import zipfile
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest
from helpers import count_pairs, mean_iou_by_hand, other_process_in, sentence
from PIL import Image

from voc_seg import (
    SegmentationDataset,
    WeightedCrossEntropy,
    WindowDataset,
    build_patch_classifier,
    build_unet,
    build_vgg_transfer,
    compile_model,
    cross_entropy_and_dice,
    get_classes,
    load_segmenter,
    open_folder,
    pretrain_encoder,
    to_dense,
    train,
    training,
    unfreeze,
)
from voc_seg.checkpoints import best_mean_iou

EPOCHS, RATE = 3, 0.02
COLUMNS = [
    "epoch",
    "loss",
    "mean_iou",
    "val_loss",
    "val_mean_iou",
    "learning_rate",
    "stage",
    "seconds",
]
FILES = {"best.keras", "last.keras", "history.csv", "curves.png", "examples.png", "settings.json"}
PICTURES = {"curves.png", "examples.png"}
SETTINGS = {"size": 32, "who": "a test"}
# How far apart two equal runs may be: float32 sums in another order.
SAME = {"rtol": 1e-3, "atol": 1e-4}


def ingredients(data, kind="unet", batch_size=None):
    """Model, training and validation data, always the same."""
    folder = open_folder(data)
    ids = folder.ids("train")
    keras.utils.set_random_seed(3)
    common = {"seed": 5, "augment": True, "size": 32}
    if kind == "unet":
        model = build_unet(5, filters=2, depth=1)
        batches = SegmentationDataset(
            folder, ids, batch_size=batch_size or 5, shuffle=True, **common
        )
    else:
        model = build_patch_classifier(5, window=5, filters=2)
        batches = WindowDataset(
            folder, ids, 5, batch_size=batch_size or 32, windows_per_image=8, **common
        )
    return model, batches, SegmentationDataset(folder, folder.ids("val"), size=32, batch_size=4)


def run(data, kind, out, **arguments):
    arguments = {"epochs": EPOCHS, "learning_rate": RATE, "settings": SETTINGS, **arguments}
    return train(*ingredients(data, kind), out, **arguments)


def read(out):
    """`history.csv` as {column: array}, without the seconds."""
    with open(out / "history.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in COLUMNS[:-1]}


def contents(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def assert_same_run(out, other):
    history, expected = read(out), read(other)
    for name in expected:
        np.testing.assert_allclose(history[name], expected[name], err_msg=name, **SAME)
    for name in ("last.keras", "best.keras"):
        found, wanted = stored(out / name), stored(other / name)
        assert found.keys() == wanted.keys()
        for key in found:
            np.testing.assert_allclose(found[key], wanted[key], err_msg=f"{name} {key}", **SAME)


def stored(path):
    """All arrays in a .keras file, those of the optimizer too: {path: array}."""
    arrays = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as file:
        h5py.File(file, "r").visititems(collect)
    return arrays


def uninterrupted(data, kind, folder):
    """A run that nothing interrupts, and copies of its folder as a kill would have left it.

    `copies[name, n]` is the folder at the moment when file `name` is about to be renamed to its
    final name for the n-th time: the file with the temporary name is there, and complete.
    """
    out, copies, batches = folder / "run", {}, []
    move, item = os.replace, {c: c.__getitem__ for c in (SegmentationDataset, WindowDataset)}

    def copy_and_move(source, target):
        n = sum(name == target.name for name, _ in copies) + 1
        copies[target.name, n] = folder / f"{target.name}-{n}"
        shutil.copytree(out, copies[target.name, n])
        move(source, target)

    def note_and_get(self, i):
        if self.augment:  # these are the training data
            batches.append((self.epoch, i))
        return item[type(self)](self, i)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", copy_and_move)
        for dataset in item:
            patch.setattr(dataset, "__getitem__", note_and_get)
        best, history = run(data, kind, out)
    return SimpleNamespace(
        data=data, kind=kind, out=out, copies=copies, batches=batches, best=best, history=history
    )


@pytest.fixture(scope="module")
def unet_run(shapes, tmp_path_factory):
    return uninterrupted(shapes, "unet", tmp_path_factory.mktemp("unet"))


@pytest.fixture(scope="module")
def patch_run(shapes, tmp_path_factory):
    return uninterrupted(shapes, "patch_classifier", tmp_path_factory.mktemp("patch"))


@pytest.fixture(params=["unet_run", "patch_run"])
def finished(request):
    return request.getfixturevalue(request.param)


def kill_in_epoch_2(monkeypatch):
    def interrupt(self, batch, logs=None):
        if self.epoch_now == 1 and batch == 1:
            raise KeyboardInterrupt

    def begin(self, epoch, logs=None, original=training.Checkpoint.on_epoch_begin):
        self.epoch_now = epoch
        original(self, epoch, logs)

    monkeypatch.setattr(training.Checkpoint, "on_epoch_begin", begin)
    monkeypatch.setattr(training.Checkpoint, "on_train_batch_end", interrupt, raising=False)


# A run without interruption


def test_a_run_leaves_its_six_files_and_no_others(finished):
    assert {path.name for path in finished.out.iterdir()} == FILES
    for name in ("curves.png", "examples.png"):
        with Image.open(finished.out / name) as picture:
            assert min(picture.size) > 100
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 5


def test_history_has_a_row_for_each_epoch(finished):
    with open(finished.out / "history.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert sorted(header) == sorted(COLUMNS)
    assert [float(row[header.index("epoch")]) for row in rows] == [1, 2, 3]
    assert np.isfinite(np.array(rows, float)).all()
    assert list(finished.history) == header
    np.testing.assert_array_equal(
        np.transpose([finished.history[name] for name in header]), np.array(rows, float)
    )


def test_learning_rate_falls_along_half_a_cosine(finished):
    expected = [RATE * (1 + math.cos(math.pi * e / EPOCHS)) / 2 for e in (1, 2, 3)]
    np.testing.assert_allclose(finished.history["learning_rate"], expected, rtol=1e-5, atol=1e-9)


def test_each_epoch_takes_each_of_its_batches_once(finished):
    trained = finished.batches[-3 * EPOCHS :]  # some backends look at a batch or two first
    first = min(trained)[0]
    expected = [(first + epoch, i) for epoch in range(EPOCHS) for i in range(3)]
    assert sorted(trained) == expected


def test_best_model_has_the_best_mean_iou_that_numpy_finds_on_whole_images(finished):
    _, _, validation = ingredients(finished.data, finished.kind)
    model = keras.models.load_model(finished.out / "best.keras")
    assert get_classes(model) == validation.folder.classes
    dense = to_dense(model) if finished.kind == "patch_classifier" else model
    confusion = np.zeros((5, 5), int)
    for images, masks in (validation[i] for i in range(len(validation))):
        confusion += count_pairs(masks, np.argmax(dense.predict_on_batch(images), axis=-1), 5)
    iou = mean_iou_by_hand(confusion)
    assert iou == pytest.approx(max(finished.history["val_mean_iou"]), abs=1e-4)
    # The model that is returned is this one.
    for found, saved in zip(finished.best.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, saved)


def test_settings_are_those_given_and_the_versions(finished):
    settings = json.loads((finished.out / "settings.json").read_text(encoding="utf-8"))
    assert SETTINGS.items() <= settings.items()
    assert (settings["epochs"], settings["learning_rate"]) == (EPOCHS, RATE)
    assert settings["parameters"] == finished.best.count_params()
    assert list(settings["classes"])[:2] == ["background", "disc"]
    assert settings["versions"]["keras"] == keras.__version__


def test_best_is_the_first_epoch_with_the_best_iou_and_last_the_last(tmp_path):
    model = compile_model(build_patch_classifier(2, window=1, filters=1))
    history = {}
    checkpoint = training.Checkpoint(tmp_path, history, stage=1)
    checkpoint.set_model(model)
    for epoch, iou in enumerate([0.2, 0.5, 0.5, 0.1]):
        model.set_weights([np.full(w.shape, epoch) for w in model.get_weights()])
        checkpoint.on_epoch_begin(epoch)
        checkpoint.on_epoch_end(epoch, {"loss": 1.0, "val_mean_iou": iou})
        best = keras.models.load_model(tmp_path / "best.keras")
        last = keras.models.load_model(tmp_path / "last.keras")
        assert {w.max() for w in best.get_weights()} == {min(epoch, 1)}
        assert {w.max() for w in last.get_weights()} == {epoch}
    assert history["val_mean_iou"] == [0.2, 0.5, 0.5, 0.1]


# Interrupted runs


def test_a_run_interrupted_in_epoch_2_continues_as_if_nothing_had_happened(
    patch_run, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        kill_in_epoch_2(patch)
        with pytest.raises(KeyboardInterrupt):
            run(patch_run.data, patch_run.kind, out)
    assert read(out)["epoch"].tolist() == [1]
    best, history = run(patch_run.data, patch_run.kind, out, resume=True)
    assert {path.name for path in out.iterdir()} == FILES
    assert_same_run(out, patch_run.out)
    np.testing.assert_allclose(history["val_loss"], patch_run.history["val_loss"], **SAME)
    for found, wanted in zip(best.get_weights(), patch_run.best.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, **SAME)


@pytest.mark.parametrize(
    ("finished", "moment"),
    [
        ("patch_run", ("history.csv", 1)),
        ("patch_run", ("last.keras", 1)),
        ("patch_run", ("last.keras", 2)),
        ("unet_run", ("last.keras", 2)),
    ],
    indirect=["finished"],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]} of epoch {value[1]}",
)
def test_a_run_killed_while_writing_a_file_continues_as_if_nothing_had_happened(
    finished, moment, tmp_path, monkeypatch
):
    name, epoch = moment
    out = tmp_path / "run"
    shutil.copytree(finished.copies[moment], out)
    (half,) = out.glob(".writing-*")
    half.write_bytes(half.read_bytes()[:100])  # killed soon after it started to write
    assert (out / "last.keras").exists() == (epoch == 2)
    if name == "last.keras":  # in between, the history is an epoch ahead of the model
        assert read(out)["epoch"].tolist() == list(range(1, epoch + 1))
    monkeypatch.setattr(training, "draw", lambda *arguments: None)
    run(finished.data, finished.kind, out, resume=True)
    assert {path.name for path in out.iterdir()} == FILES - PICTURES
    assert_same_run(out, finished.out)


def test_a_run_killed_before_its_pictures_draws_them_when_resumed(unet_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(unet_run.copies["examples.png", 1], out)
    before = contents(out)
    run(unet_run.data, unet_run.kind, out, resume=True)
    after = contents(out)
    assert set(after) == FILES
    for name in FILES - PICTURES:
        assert after[name] == before[name], name


def test_resuming_a_finished_run_changes_neither_history_nor_weights(finished, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(finished.out, out)
    before = contents(out)
    best, history = run(finished.data, finished.kind, out, resume=True)
    after = contents(out)
    for name in FILES - PICTURES:
        assert after[name] == before[name], name
    assert history == finished.history
    for found, wanted in zip(best.get_weights(), finished.best.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_run_that_accumulates_gradients_continues_where_it_was(unet_run, tmp_path, monkeypatch):
    out = tmp_path / "run"
    steps = 2 * len(ingredients(unet_run.data)[1])  # the optimizer updates every other epoch
    adam = {"gradient_accumulation_steps": steps}
    with monkeypatch.context() as patch:
        kill_in_epoch_2(patch)
        with pytest.raises(KeyboardInterrupt):
            run(unet_run.data, "unet", out, optimizer=keras.optimizers.Adam(**adam))
    _, history = run(
        unet_run.data, "unet", out, optimizer=keras.optimizers.Adam(**adam), resume=True
    )
    _, whole = run(
        unet_run.data, "unet", tmp_path / "whole", optimizer=keras.optimizers.Adam(**adam)
    )
    assert history["epoch"] == whole["epoch"]
    np.testing.assert_allclose(history["loss"], whole["loss"], **SAME)


def test_a_run_that_validates_every_other_epoch_continues_even_without_a_best_model(
    patch_run, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        kill_in_epoch_2(patch)
        with pytest.raises(KeyboardInterrupt):
            run(patch_run.data, patch_run.kind, out, validate_every=2)
    assert not (out / "best.keras").exists()
    best, history = run(patch_run.data, patch_run.kind, out, validate_every=2, resume=True)
    assert {path.name for path in out.iterdir()} == FILES
    for name in ("val_loss", "val_mean_iou"):  # after epoch 2 and after the last one
        expected = [math.nan, *patch_run.history[name][1:]]
        np.testing.assert_allclose(history[name], expected, **SAME)
        np.testing.assert_allclose(read(out)[name], expected, **SAME)
    np.testing.assert_allclose(history["loss"], patch_run.history["loss"], **SAME)
    assert np.isfinite(np.concatenate([w.ravel() for w in best.get_weights()])).all()


# What you compiled yourself


def weighted(shapes):
    return WeightedCrossEntropy([1, 2, 3, 4, 5])


def test_a_compiled_loss_optimizer_and_metric_are_kept(shapes, tmp_path):
    model, *data = ingredients(shapes)
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="mine")
    optimizer = keras.optimizers.SGD(0.01, momentum=0.5)
    model.compile(optimizer, weighted(shapes), metrics=[accuracy])
    _, history = train(model, *data, tmp_path / "run", epochs=1)
    assert history["learning_rate"] == [pytest.approx(0.01)]  # constant, as compiled
    assert {"mine", "val_mine", "mean_iou", "val_mean_iou"} < set(history)
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (settings["loss"], settings["optimizer"]) == ("weighted_cross_entropy", "SGD")
    # The same by hand, in plain Keras.
    expected, batches, _ = ingredients(shapes)
    expected.compile(keras.optimizers.SGD(0.01, momentum=0.5), weighted(shapes))
    by_hand = expected.fit(batches, shuffle=False, verbose=0)
    np.testing.assert_allclose(history["loss"], by_hand.history["loss"], rtol=1e-4)
    for found, wanted in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, **SAME)


def test_an_argument_wins_over_what_was_compiled(shapes, tmp_path):
    model, *data = ingredients(shapes)
    model.compile(keras.optimizers.SGD(0.5), weighted(shapes))
    train(
        model,
        *data,
        tmp_path / "run",
        epochs=1,
        loss=cross_entropy_and_dice,
        optimizer="adam",
        learning_rate=RATE,
    )
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert settings["loss"] == "cross_entropy_and_dice"
    assert (settings["optimizer"], settings["learning_rate"]) == ("Adam", RATE)


def test_a_saved_run_does_not_count_as_compiled(unet_run, shapes, tmp_path):
    _, *data = ingredients(shapes)
    for name in ("best", "last"):
        model = keras.models.load_model(unet_run.out / f"{name}.keras")
        assert not model.compiled
        train(model, *data, tmp_path / name, epochs=1)
        settings = json.loads((tmp_path / name / "settings.json").read_text())
        assert settings["learning_rate"] == 1e-3  # not what is left of the run's cosine


def test_a_model_that_train_has_compiled_does_not_count_as_compiled(shapes, tmp_path, monkeypatch):
    model, *data = ingredients(shapes)
    train(model, *data, tmp_path / "first", epochs=1, loss=cross_entropy_and_dice)
    assert not model.compiled
    train(model, *data, tmp_path / "second", epochs=2)  # the same model, in a notebook
    settings = json.loads((tmp_path / "second/settings.json").read_text())
    assert settings["learning_rate"] == 1e-3 and settings["loss"] == "cross_entropy"
    rates = read(tmp_path / "second")["learning_rate"]
    np.testing.assert_allclose(rates, [5e-4, 0], atol=1e-9)
    with monkeypatch.context() as patch:
        kill_in_epoch_2(patch)
        with pytest.raises(KeyboardInterrupt):
            train(model, *data, tmp_path / "third", epochs=2)
    train(model, *data, tmp_path / "third", epochs=2, resume=True)
    assert len(read(tmp_path / "third")["learning_rate"]) == 2


def test_a_loaded_model_in_float16_gets_its_loss_scaled(shapes, tmp_path):
    _, *data = ingredients(shapes)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        ingredients(shapes)[0].save(tmp_path / "half.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    model = load_segmenter(tmp_path / "half.keras")
    optimizers = []
    look = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: optimizers.append(model.optimizer)
    )
    train(model, *data, tmp_path / "run", epochs=1, callbacks=[look])
    (optimizer,) = optimizers
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert isinstance(optimizer.inner_optimizer, keras.optimizers.Adam)


def test_a_model_that_you_compiled_stays_compiled_as_it_was(shapes, tmp_path):
    model, *data = ingredients(shapes)
    mine = keras.optimizers.SGD(0.01)
    model.compile(mine, cross_entropy_and_dice)
    train(model, *data, tmp_path / "run", epochs=1, learning_rate=1e-3)
    assert model.compiled and model.optimizer is mine
    assert model.loss is cross_entropy_and_dice


def test_a_model_trained_with_a_loss_of_your_own_is_loaded_and_resumed_without_it(
    shapes, tmp_path, monkeypatch
):
    def mine(masks, probabilities):
        return 2 * cross_entropy_and_dice(masks, probabilities)

    reference, out = tmp_path / "reference", tmp_path / "run"
    run(shapes, "unet", reference, loss=mine)
    with monkeypatch.context() as patch:
        kill_in_epoch_2(patch)
        with pytest.raises(KeyboardInterrupt):
            run(shapes, "unet", out, loss=mine)
    assert keras.models.load_model(out / "best.keras").name == "unet"
    run(shapes, "unet", out, loss=mine, resume=True)
    assert_same_run(out, reference)


def test_early_stopping_and_tensorboard_work(shapes, tmp_path):
    stop = keras.callbacks.EarlyStopping("val_mean_iou", mode="max", patience=1, min_delta=2)
    seen = []
    look = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))
    _, history = run(shapes, "patch_classifier", tmp_path / "run", callbacks=[stop, look])
    assert history["epoch"] == [1, 2]  # no epoch is better than the first by 2
    assert "val_mean_iou" in seen[0]  # callbacks see the validation of windows too
    stop = keras.callbacks.EarlyStopping("val_mean_iou", mode="max", patience=1, min_delta=2)
    _, resumed = run(shapes, "patch_classifier", tmp_path / "run", callbacks=[stop], resume=True)
    assert resumed == history  # it is complete
    if importlib.util.find_spec("tensorboard"):
        board = keras.callbacks.TensorBoard(tmp_path / "logs")
        run(shapes, "unet", tmp_path / "board", epochs=1, callbacks=[board])
        assert any((tmp_path / "logs").rglob("events*"))


def test_a_callback_that_sets_the_learning_rate_needs_a_constant_one(shapes, tmp_path):
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    with pytest.raises(ValueError, match=r"^callbacks: LearningRateScheduler sets the learning"):
        run(shapes, "unet", tmp_path / "run", callbacks=[halve])
    assert not (tmp_path / "run").exists()
    constant = {"optimizer": keras.optimizers.Adam(0.02), "learning_rate": None}
    _, history = run(shapes, "unet", tmp_path / "run", epochs=2, callbacks=[halve], **constant)
    assert history["learning_rate"] == pytest.approx([0.01, 0.005])


# Two stages


def transfer(shapes, out, epochs=2, **arguments):
    """A run of a tiny transfer model, with a second stage from block 3."""
    _, *data = ingredients(shapes)
    encoder = pretrain_encoder(count=32, epochs=1)
    model = build_vgg_transfer(5, encoder=encoder, blocks=(1, 2, 3), filters=2)
    arguments = {"fine_tune": "block3", "fine_tune_epochs": 2, **arguments}
    return train(model, *data, out, epochs, **arguments)


@pytest.fixture(scope="module")
def transfer_run(shapes, tmp_path_factory):
    """A two-stage run, and copies of its folder before each of its saves of last.keras."""
    folder = tmp_path_factory.mktemp("transfer")
    move, copies = os.replace, []

    def copy_and_move(source, target):
        if target.name == "last.keras":
            copies.append(shutil.copytree(folder / "run", folder / f"copy{len(copies)}"))
        move(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", copy_and_move)
        best, history = transfer(shapes, folder / "run")
    return SimpleNamespace(out=folder / "run", copies=copies, best=best, history=history)


def test_two_stages_are_one_run(transfer_run):
    history = transfer_run.history
    assert history["epoch"] == [1, 2, 3, 4] and history["stage"] == [1, 1, 2, 2]
    cosine = [1e-3 / 2, 0, 1e-4 / 2, 0]  # each stage has its own
    np.testing.assert_allclose(history["learning_rate"], cosine, atol=1e-9)
    best = np.argmax(history["val_mean_iou"])
    assert best_mean_iou(history) == history["val_mean_iou"][best]
    last = keras.models.load_model(transfer_run.out / "last.keras")
    trained = {v.path.split("/")[-2] for v in last.get_layer("encoder").trainable_variables}
    assert trained and all(name.startswith("block3") for name in trained)


def test_the_encoder_changes_in_the_second_stage_only_and_only_from_the_block(transfer_run):
    start, one, two = (
        keras.models.load_model(folder / "last.keras").get_layer("encoder")
        for folder in (transfer_run.copies[1], transfer_run.copies[2], transfer_run.out)
    )  # after epochs 1, 2 and 4
    for old, new in zip(start.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    moved = {
        new.path
        for old, new in zip(one.weights, two.weights, strict=True)
        if (old != new).numpy().any()
    }
    assert moved == {weights.path for weights in two.trainable_variables} != set()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_run_killed_in_either_stage_continues_as_if_nothing_had_happened(
    transfer_run, shapes, tmp_path, monkeypatch, n
):
    out = shutil.copytree(transfer_run.copies[n], tmp_path / "run")
    monkeypatch.setattr(training, "draw", lambda *arguments: None)
    _, history = transfer(shapes, out, resume=True)
    assert history["stage"] == transfer_run.history["stage"]
    np.testing.assert_allclose(history["loss"], transfer_run.history["loss"], **SAME)
    assert_same_run(out, transfer_run.out)


def test_a_second_stage_alone_moves_the_block_of_a_saved_model(transfer_run, shapes, tmp_path):
    _, *data = ingredients(shapes)
    for number, arguments in enumerate(
        [{"epochs": 0, "fine_tune": "block3"}, {"epochs": 1, "learning_rate": 1e-5}]
    ):
        model = keras.models.load_model(transfer_run.out / "best.keras")
        if "fine_tune" not in arguments:
            unfreeze(model, "block3")
        encoder = model.get_layer("encoder")
        before = [weights.numpy() for weights in encoder.trainable_variables]
        train(model, *data, tmp_path / f"run{number}", fine_tune_epochs=1, **arguments)
        assert encoder.trainable_variables
        for old, new in zip(before, encoder.trainable_variables, strict=False):
            assert not np.array_equal(old, new)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fine_tune": "block9"}, "fine_tune: found 'block9', expected one of .*block3"),
        ({"fine_tune": None, "epochs": 0}, "epochs: found 0"),
        ({"fine_tune_epochs": 0}, "fine_tune_epochs: found 0"),
        ({"fine_tune_rate": 0}, "fine_tune_rate: found 0"),
    ],
)
def test_a_second_stage_that_cannot_be_is_refused_before_the_first(
    shapes, tmp_path, arguments, message
):
    with pytest.raises(ValueError, match=f"^{message}"):
        transfer(shapes, tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_only_a_frozen_encoder_has_a_second_stage(shapes, tmp_path):
    model, *data = ingredients(shapes)
    with pytest.raises(ValueError, match=r"^model: found no encoder"):
        train(model, *data, tmp_path / "run", fine_tune="block3")
    encoder = pretrain_encoder(count=32, epochs=1)
    model = unfreeze(build_vgg_transfer(5, encoder=encoder, blocks=(1, 2, 3)), "block2")
    with pytest.raises(ValueError, match=r"^fine_tune: found 'block3', but the encoder is trained"):
        train(model, *data, tmp_path / "run", fine_tune="block3")
    assert not (tmp_path / "run").exists()


# Refusals


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("epochs", {"epochs": EPOCHS + 1}),
        ("learning_rate", {"learning_rate": 1e-3}),
        ("size", {"settings": {**SETTINGS, "size": 64}}),
        ("validate_every", {"validate_every": 2}),
        ("new", {"settings": {**SETTINGS, "new": 1}}),
    ],
)
def test_resuming_with_another_setting_is_refused(unet_run, name, arguments):
    before = contents(unet_run.out)
    with pytest.raises(ValueError, match=f"^{name}: found .* started with") as caught:
        run(unet_run.data, unet_run.kind, unet_run.out, resume=True, **arguments)
    assert str(unet_run.out) in sentence(caught)
    assert contents(unet_run.out) == before


def refused_resume(unet_run, *given):
    before = contents(unet_run.out)
    with pytest.raises(ValueError) as caught:
        train(*given, unet_run.out, EPOCHS, RATE, settings=SETTINGS, resume=True)
    assert contents(unet_run.out) == before
    return str(caught.value)


def test_resuming_with_another_model_is_refused(unet_run):
    _, *data = ingredients(unet_run.data)
    sentence = refused_resume(unet_run, build_unet(5, filters=3, depth=1), *data)
    assert sentence.startswith("parameters: ")


def test_resuming_with_other_classes_is_refused(unet_run):
    folder = open_folder(unet_run.data, classes="ring,star,disc,square")
    model, batches, _ = ingredients(unet_run.data)
    validation = SegmentationDataset(folder, folder.ids("val"), size=32)
    batches.folder = folder
    assert refused_resume(unet_run, model, batches, validation).startswith("classes: ")


def test_resuming_with_other_batches_is_refused(unet_run):
    # Completed epochs are counted in steps; other batches would give a wrong count.
    assert refused_resume(unet_run, *ingredients(unet_run.data, batch_size=3))


def test_resuming_without_a_run_is_refused_and_leaves_nothing_behind(shapes, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(FileNotFoundError, match=r"run: .*no run to resume"):
        run(shapes, "unet", out, resume=True)
    assert not out.exists()
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(FileNotFoundError, match=r"run: holds no run to resume"):
        run(shapes, "unet", out, resume=True)
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


def test_a_run_that_ended_before_its_first_epoch_does_not_block_its_folder(shapes, tmp_path):
    (tmp_path / "settings.json").write_text("{}")
    run(shapes, "unet", tmp_path)
    assert (tmp_path / "best.keras").is_file()


def test_a_folder_with_something_in_it_is_refused_and_left_alone(shapes, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match="is not empty; give another folder, or resume"):
        run(shapes, "unet", tmp_path)
    assert contents(tmp_path) == before
    with pytest.raises(ValueError, match=r"notes\.txt: is a file"):
        run(shapes, "unet", tmp_path / "notes.txt")
    assert contents(tmp_path) == before


def test_a_model_with_another_number_of_classes_than_the_data_is_refused(shapes, tmp_path):
    _, *data = ingredients(shapes)
    with pytest.raises(ValueError, match=r"^classes: found background, disc.* the 4 outputs"):
        train(build_unet(4, filters=2, depth=1), *data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["epochs", "validate_every"])
def test_zero_epochs_are_refused_before_anything_is_written(shapes, tmp_path, name):
    with pytest.raises(ValueError, match=f"^{name}: found 0"):
        run(shapes, "patch_classifier", tmp_path / "run", **{name: 0})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["unet", "patch_classifier"])
def test_a_data_set_of_the_wrong_type_is_refused(shapes, tmp_path, kind):
    model, _, validation = ingredients(shapes, kind)
    _, other, _ = ingredients(shapes, "patch_classifier" if kind == "unet" else "unet")
    with pytest.raises(ValueError, match=f"^training: found a .*expected a .*{model.name}"):
        train(model, other, validation, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_training_and_validation_data_with_different_classes_are_refused(shapes, tmp_path):
    model, batches, _ = ingredients(shapes)
    for classes in ("ring,star,disc,square", {"round": ["disc", "ring"], "square": ["square"]}):
        folder = open_folder(shapes, classes=classes)
        validation = SegmentationDataset(folder, folder.ids("val"), size=32)
        with pytest.raises(ValueError, match=r"^validation: ") as caught:
            train(model, batches, validation, tmp_path / "run")
        assert "disc" in sentence(caught) and not (tmp_path / "run").exists()


def test_a_run_that_another_process_writes_is_left_alone(shapes, tmp_path):
    out = tmp_path / "run"
    with other_process_in(out):
        with pytest.raises(BlockingIOError, match=r"run: another process") as caught:
            run(shapes, "patch_classifier", out, epochs=1)
        assert sentence(caught)
    run(shapes, "patch_classifier", out, epochs=1)
    assert {path.name for path in out.iterdir()} == FILES


@pytest.mark.parametrize("name", ["last.keras", "settings.json"])
def test_resuming_from_a_file_that_is_cut_off_names_it(unet_run, shapes, tmp_path, name):
    out = shutil.copytree(unet_run.out, tmp_path / "run")
    (out / name).write_bytes((out / name).read_bytes()[:40])
    with pytest.raises(ValueError, match=f"{name}: is "):
        run(shapes, "unet", out, resume=True)


@pytest.mark.parametrize("learning_rate", [0, -1, float("nan"), float("inf"), "abc"])
def test_a_learning_rate_is_a_number_above_zero(shapes, tmp_path, learning_rate):
    with pytest.raises(ValueError, match=r"^learning_rate: "):
        run(shapes, "unet", tmp_path / "run", learning_rate=learning_rate)
    assert not (tmp_path / "run").exists()


def test_a_run_that_diverges_ends_with_a_sentence(shapes, tmp_path):
    with pytest.raises(ValueError, match=r"^learning_rate: the loss of epoch 1 is nan"):
        run(shapes, "unet", tmp_path / "run", learning_rate=1e30)
    assert not (tmp_path / "run" / "best.keras").exists()


def test_a_checkpoint_of_other_classes_is_not_resumed(unet_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(unet_run.out, out)
    last = keras.models.load_model(out / "last.keras")
    layer = last.get_layer("probabilities")
    layer.classes = dict(zip("abcde", layer.classes.values(), strict=True))
    last.save(out / "last.keras")
    with pytest.raises(ValueError, match=r"last\.keras: is of another run; classes: "):
        run(unet_run.data, unet_run.kind, out, resume=True)


@pytest.mark.parametrize(
    "text",
    ["", "epoch\n", "epoch,loss\n1\n", "epoch,loss\n1,a\n", "a,b\n1,2\n", "epoch,loss\n5,1\n"],
)
def test_a_damaged_history_is_not_resumed(unet_run, tmp_path, text):
    out = tmp_path / "run"
    shutil.copytree(unet_run.out, out)
    (out / "history.csv").write_text(text)
    with pytest.raises(ValueError, match=r"history\.csv: "):
        run(unet_run.data, unet_run.kind, out, resume=True)


def test_a_run_without_its_last_model_does_not_start_over(unet_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(unet_run.out, out)
    (out / "last.keras").unlink()
    with pytest.raises(FileNotFoundError, match=r"last\.keras: is missing"):
        run(unet_run.data, unet_run.kind, out, resume=True)

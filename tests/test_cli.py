"""The command line: what works from end to end, and what users get wrong."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from helpers import (
    count_pairs,
    iou_by_hand,
    mean_iou_by_hand,
    python,
    save_encoder,
    snapshot,
    without_graphs,
)
from PIL import Image

from voc_seg import (
    build_unet,
    evaluate,
    judging,
    open_folder,
    predict_labels,
    read_image,
    set_classes,
)
from voc_seg.checkpoints import read_history
from voc_seg.cli import main

TINY = ["--size", "16", "--epochs", "1", "--filters", "2"]


@pytest.fixture(scope="module")
def run(shapes, tmp_path_factory):
    """A tiny U-Net, trained for one epoch on all classes of the shapes."""
    out = tmp_path_factory.mktemp("run") / "unet"
    main(["train", "unet", "--data", str(shapes), "--out", str(out), *TINY])
    return out


@pytest.fixture
def broken(shapes, tmp_path):
    """A copy of the data set, to be broken."""
    return shutil.copytree(shapes, tmp_path / "data")


def first(data, part):
    return sorted((data / part).iterdir())[0]


# What works


@pytest.mark.parametrize("model", ["patch-classifier", "encoder-decoder", "unet", "vgg-transfer"])
def test_each_model_is_trained_evaluated_and_used(model, shapes, tmp_path, capsys):
    out = tmp_path / "run"
    extra = []
    if model == "patch-classifier":
        extra = ["--window", "5"]
    if model == "vgg-transfer":
        extra = ["--encoder", save_encoder(tmp_path / "encoder.keras")]
    arguments = ["--classes", "ring,disc", *TINY, *extra]
    main(["train", model, "--data", str(shapes), "--out", str(out), *arguments])
    best, json_file = str(out / "best.keras"), tmp_path / "result.json"
    files = ["--json", str(json_file), "--masks", str(tmp_path / "masks")]
    main(["evaluate", best, "--data", str(shapes), *files])
    image = first(shapes, "JPEGImages")
    main(["predict", best, str(image), "--out", str(tmp_path / "mine"), "--overlay", "--cutout"])

    result = json.loads(json_file.read_text())
    assert result["classes"] == ["background", "ring", "disc"]
    assert values_in(tmp_path / "masks") <= {0, 4, 1}
    assert "mean IoU" in capsys.readouterr().out
    names = {p.name for p in (tmp_path / "mine").iterdir()}
    assert names == {f"{image.stem}{ending}.png" for ending in ("", "_overlay", "_cutout")}
    for name in ("best.keras", "last.keras", "history.csv", "curves.png", "examples.png"):
        assert (out / name).stat().st_size > 0
    settings = json.loads((out / "settings.json").read_text())
    assert settings["classes"] == {"background": 0, "ring": 4, "disc": 1}
    assert settings["size"] == 16 and settings["seed"] == 0 and "keras" in settings["versions"]


def test_both_stages_are_one_command_and_a_model_can_be_fine_tuned_later(shapes, tmp_path, capsys):
    data = ["--data", str(shapes), *TINY]
    encoder = ["--encoder", save_encoder(tmp_path / "encoder.keras")]
    out, off, later = (tmp_path / name for name in ("out", "off", "later"))
    stages = ["--fine-tune", "block5", "--fine-tune-epochs", "2"]
    main(["train", "vgg-transfer", *data, *encoder, *stages, "--out", str(out)])
    assert "fine-tuning from block5" in capsys.readouterr().out
    assert read_history(out / "history.csv")["stage"] == [1, 2, 2]
    main(["train", "vgg-transfer", *data, *encoder, "--fine-tune", "off", "--out", str(off)])
    assert read_history(off / "history.csv")["stage"] == [1]
    start = ["--fine-tune-from", str(off / "best.keras"), "--learning-rate", "0.002"]
    capsys.readouterr()
    main(["train", "vgg-transfer", *data, *start, *stages, "--out", str(later)])
    assert "--epochs has no effect" in capsys.readouterr().err
    history = read_history(later / "history.csv")
    np.testing.assert_allclose(history["learning_rate"], [0.001, 0], atol=1e-9)  # half a cosine
    before, after = (
        keras.models.load_model(folder / "last.keras").get_layer("encoder")
        for folder in (off, later)
    )
    moved = [
        new.path.split("/")[-2]
        for old, new in zip(before.weights, after.weights, strict=True)
        if not np.array_equal(old, new)
    ]
    assert moved and all(name.startswith("block5") for name in moved)


def test_loss_limit_and_precision_are_options(shapes, tmp_path, capsys):
    policy = keras.config.dtype_policy()
    for loss in ("dice", "weighted"):
        options = ["--loss", loss, "--limit", "3", "--mixed-precision", "--learning-rate", "0.01"]
        out = tmp_path / loss
        try:
            main(["train", "unet", "--data", str(shapes), "--out", str(out), *TINY, *options])
        finally:
            keras.config.set_dtype_policy(policy)
        assert "3 images to train on, 3 to validate" in capsys.readouterr().out
        settings = json.loads((out / "settings.json").read_text())
        assert loss in settings["loss"] and settings["learning_rate"] == 0.01
        model = keras.models.load_model(out / "best.keras")
        halves = {"mixed_bfloat16", "mixed_float16"}
        assert model.get_layer("logits").dtype_policy.name in halves


def test_evaluation_equals_a_program_that_reads_the_masks(run, shapes, tmp_path):
    json_file, masks = tmp_path / "result.json", tmp_path / "masks"
    evaluate = ["evaluate", run / "best.keras", "--data", shapes, "--json", json_file]
    main([str(argument) for argument in (*evaluate, "--masks", masks)])
    result = json.loads(json_file.read_text())
    ids = (shapes / "ImageSets/Segmentation/val.txt").read_text().split()
    confusion = np.zeros((5, 5), int)
    for id in ids:
        truth = np.array(Image.open(shapes / "SegmentationClass" / f"{id}.png"))
        mask = Image.open(masks / f"{id}.png")
        assert mask.mode == "P"
        confusion += count_pairs(truth, np.array(mask), 5)
    assert result["confusion"] == confusion.tolist() and result["images"] == len(ids)
    assert result["iou"] == pytest.approx(iou_by_hand(confusion), abs=1e-9)
    assert result["mean_iou"] == pytest.approx(mean_iou_by_hand(confusion), abs=1e-9)
    accuracy = np.trace(confusion) / confusion.sum()
    assert result["pixel_accuracy"] == pytest.approx(accuracy, abs=1e-9)


def values_in(masks):
    """All values in the mask files of a folder."""
    return {int(value) for path in masks.iterdir() for value in np.unique(Image.open(path))}


def test_the_binary_task_has_two_values_in_its_masks(shapes, tmp_path):
    out, masks = tmp_path / "run", tmp_path / "masks"
    arguments = ["--classes", "object", "--out", str(out), *TINY]
    with without_graphs():
        main(["train", "encoder-decoder", "--data", str(shapes), *arguments])
    main(["evaluate", str(out / "last.keras"), "--data", str(shapes), "--masks", str(masks)])
    assert values_in(masks) <= {0, 1}


def test_predict_takes_images_as_a_viewer_shows_them(run, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    Image.new("RGB", (30, 20), "red").save(tmp_path / "turned.jpg", exif=exif)
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    Image.new("RGBA", (7, 3)).save(tmp_path / "clear.png")
    images = [str(tmp_path / name) for name in ("turned.jpg", "dot.png", "clear.png")]
    main(["predict", str(run / "best.keras"), *images, "--out", str(tmp_path / "out")])
    sizes = {p.stem: Image.open(p).size for p in (tmp_path / "out").iterdir()}
    assert sizes == {"turned": (20, 30), "dot": (1, 1), "clear": (7, 3)}


def test_shapes_writes_a_data_set(tmp_path, capsys):
    main(["shapes", "--data", str(tmp_path / "s"), "--train", "2", "--val", "1", "--seed", "4"])
    assert len(list((tmp_path / "s" / "JPEGImages").iterdir())) == 3
    assert "2 training and 1 validation" in capsys.readouterr().out


# What does not work: one sentence on standard error, status 2, and nothing touched


def refused(arguments, capsys, *expected):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    error = capsys.readouterr().err
    said = [line for line in error.replace("\r", "\n").splitlines() if "error:" in line]
    assert stop.value.code == 2
    assert len(said) == 1 and error.rstrip().endswith(said[0]), error
    assert "Traceback" not in error
    for text in expected:
        assert str(text) in said[0]


ARGUMENTS = {
    "empty path": (["train", "unet", "--data", "", "--out", "y"], "--data"),
    "seed too large": (["train", "unet", "--data", "x", "--out", "y", "--seed", 10**20], "--seed"),
    "no command": ([], "COMMAND"),
    "unknown command": (["segment"], "segment"),
    "unknown model": (["train", "resnet", "--data", "x", "--out", "y"], "resnet"),
    "no data": (["train", "unet", "--out", "y"], "--data"),
    "no out": (["train", "unet", "--data", "x"], "--out"),
    "size zero": (["train", "unet", "--data", "x", "--out", "y", "--size", "0"], "--size"),
    "size text": (["train", "unet", "--data", "x", "--out", "y", "--size", "big"], "big"),
    "epochs negative": (["train", "unet", "--data", "x", "--out", "y", "--epochs", "-1"], "-1"),
    "batch zero": (["train", "unet", "--data", "x", "--out", "y", "--batch-size", "0"], "batch"),
    "seed fraction": (["train", "unet", "--data", "x", "--out", "y", "--seed", "1.5"], "1.5"),
    "unknown option": (["demo", "--fast"], "--fast"),
    "no images": (["predict", "m.keras", "--out", "y"], "IMAGE"),
    "year text": (["download", "--data", "x", "--year", "last"], "last"),
    "year unknown": (["download", "--data", "x", "--year", "2013"], "2013"),
    "mirror scheme": (["download", "--data", "x", "--mirror", "ftp://host/"], "mirror"),
    "archive missing": (["download", "--data", "x", "--archive", "none.tar"], "none.tar"),
    "shapes without data": (["shapes"], "--data"),
    "shapes train zero": (["shapes", "--data", "x", "--train", "0"], "--train"),
    "data missing": (["train", "unet", "--data", "nowhere", "--out", "y"], "nowhere"),
    "model missing": (["predict", "none.keras", __file__, "--out", "y"], "none.keras"),
    "image missing": (["predict", __file__, "none.jpg", "--out", "y"], "none.jpg"),
    "rate text": (["train", "unet", "--data", "x", "--out", "y", "--learning-rate", "-1"], "-1"),
    "rate nan": (["train", "unet", "--data", "x", "--out", "y", "--learning-rate", "nan"], "nan"),
    "loss unknown": (["train", "unet", "--data", "x", "--out", "y", "--loss", "mse"], "mse"),
    "limit zero": (["train", "unet", "--data", "x", "--out", "y", "--limit", "0"], "--limit"),
    "fine-tune epochs zero": (
        ["train", "vgg-transfer", "--data", "x", "--out", "y", "--fine-tune-epochs", "0"],
        "--fine-tune-epochs",
    ),
    "fine-tune from nothing": (
        ["train", "vgg-transfer", "--data", "x", "--out", "y", "--fine-tune-from", "no.keras"],
        "no.keras",
    ),
    "two starts": (
        "train vgg-transfer --data x --out y --fine-tune-from a --weights b".split(),
        "--weights, --fine-tune-from",
    ),
    "fine-tune a unet": (
        ["train", "unet", "--data", "x", "--out", "y", "--fine-tune-from", __file__],
        "--fine-tune-from",
    ),
    "scales text": (["evaluate", "m.keras", "--data", "x", "--scales", "big"], "'big'"),
    "scales zero": (["predict", "m.keras", "i.jpg", "--out", "y", "--scales", "1,0"], "'1,0'"),
    "scales spaces": (["evaluate", "m.keras", "--data", "x", "--scales", "1,", "2"], "spaces"),
    "scales nan": (["evaluate", "m.keras", "--data", "x", "--scales", "nan"], "above 0"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_bad_arguments(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, expected = ARGUMENTS[case]
    refused(arguments, capsys, expected)
    assert not list(tmp_path.iterdir())


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def save(path, mode, size=(32, 32)):
    Image.new(mode, size).save(path)


def write(path, text):
    path.write_text(text)


LIST = "ImageSets/Segmentation/train.txt"
IMAGE = "JPEGImages/train_000000.jpg"
MASK = "SegmentationClass/train_000000.png"
FILES = {
    "image cut off": (IMAGE, cut),
    "image empty": (IMAGE, lambda p: p.write_bytes(b"")),
    "image is text": (IMAGE, lambda p: write(p, "hello")),
    "image missing": (IMAGE, lambda p: p.unlink()),
    "image of another size": (IMAGE, lambda p: save(p, "RGB", (31, 32))),
    "mask cut off": (MASK, cut),
    "mask missing": (MASK, lambda p: p.unlink()),
    "mask in colours": (MASK, lambda p: save(p, "RGB")),
    "mask of 16 bits": (MASK, lambda p: save(p, "I;16")),
    "mask with an unknown class": (MASK, lambda p: Image.new("L", (32, 32), 7).save(p)),
    "list empty": (LIST, lambda p: write(p, "\n")),
    "list missing": (LIST, lambda p: p.unlink()),
    "list with a path": (LIST, lambda p: write(p, "../secret\n")),
    "list with a repetition": (LIST, lambda p: write(p, "train_000000\n" * 2)),
    "labels twice": ("labels.txt", lambda p: write(p, "background\ndisc\ndisc\n")),
    "labels too few": ("labels.txt", lambda p: write(p, "background\n")),
    "labels with a gap": ("labels.txt", lambda p: write(p, "background\n\ndisc\n")),
}


@pytest.mark.parametrize("case", FILES)
def test_broken_data(case, broken, tmp_path, capsys):
    name, damage = FILES[case]
    damage(broken / name)
    before = snapshot(tmp_path)
    expected = MASK if case == "image of another size" else name
    out = tmp_path / "run"
    refused(["train", "unet", "--data", broken, "--out", out, *TINY], capsys, expected)
    assert snapshot(tmp_path) == before and not out.exists()


@pytest.mark.parametrize("part", ["JPEGImages", "SegmentationClass", "ImageSets/Segmentation"])
def test_a_folder_that_is_not_in_vocs_layout(part, broken, tmp_path, capsys):
    shutil.rmtree(broken / part)
    refused(["train", "unet", "--data", broken, "--out", tmp_path / "run"], capsys, part)


def test_classes_that_do_not_exist(shapes, tmp_path, capsys):
    for classes in ("cat", "disc,disc", "", "disc,,ring"):
        arguments = ["--data", shapes, "--out", tmp_path / "run", "--classes", classes]
        refused(["train", "unet", *arguments], capsys, "classes")
    assert not (tmp_path / "run").exists()


def test_weights_that_do_not_fit(shapes, tmp_path, capsys):
    (tmp_path / "bad.h5").write_text("hello")
    for weights in (tmp_path / "none.h5", tmp_path / "bad.h5", tmp_path):
        arguments = ["--data", shapes, "--out", tmp_path / "run", "--weights", weights]
        refused(["train", "vgg-transfer", *arguments, *TINY], capsys, weights)


def test_an_encoder_that_does_not_fit(shapes, tmp_path, capsys):
    (tmp_path / "bad.keras").write_text("hello")
    for encoder in (tmp_path / "none.keras", tmp_path / "bad.keras", tmp_path):
        arguments = ["--data", shapes, "--out", tmp_path / "run", "--encoder", encoder]
        refused(["train", "vgg-transfer", *arguments, *TINY], capsys, encoder)


def test_a_model_as_weights_names_the_option_for_encoders(shapes, tmp_path, capsys):
    encoder = save_encoder(tmp_path / "encoder.keras")
    arguments = ["train", "vgg-transfer", "--data", shapes, "--out", tmp_path / "run", *TINY]
    refused([*arguments, "--weights", encoder], capsys, encoder, "--encoder")
    for weights in ("none", "imagenet", tmp_path / "vgg.h5"):
        both = ["--weights", weights, "--encoder", encoder]
        refused([*arguments, *both], capsys, "weights", "encoder")


def test_what_cannot_be_fine_tuned(run, shapes, tmp_path, capsys):
    encoder = save_encoder(tmp_path / "encoder.keras")
    arguments = ["train", "vgg-transfer", "--data", shapes, "--out", tmp_path / "new", *TINY]
    refused(
        [*arguments, "--encoder", encoder, "--fine-tune", "block9"], capsys, "'block9'", "block5"
    )
    start = ["--fine-tune-from", run / "best.keras"]
    refused([*arguments, *start], capsys, "no encoder")  # it is a U-Net
    refused([*arguments, *start, "--fine-tune", "off"], capsys, "--fine-tune", "off")
    refused([*arguments, *start, "--classes", "ring"], capsys, "has 5 classes", "ring")


def test_an_even_window(shapes, tmp_path, capsys):
    arguments = ["--data", shapes, "--out", tmp_path / "run", "--window", "8"]
    refused(["train", "patch-classifier", *arguments], capsys, "window", "8")


def test_a_run_is_not_overwritten_nor_resumed_with_other_settings(run, shapes, tmp_path, capsys):
    before = snapshot(run)
    arguments = ["train", "unet", "--data", shapes, "--out", run]
    refused([*arguments, *TINY], capsys, run)
    refused([*arguments, *TINY, "--resume", "--seed", "1"], capsys, "seed")
    refused([*arguments[:-1], tmp_path / "new", *TINY, "--resume"], capsys, tmp_path / "new")
    assert snapshot(run) == before


def test_files_that_are_not_models(run, shapes, tmp_path, capsys):
    image = first(shapes, "JPEGImages")
    text, half = tmp_path / "text.keras", tmp_path / "half.keras"
    text.write_text("hello")
    half.write_bytes((run / "best.keras").read_bytes()[:5000])
    for model in (text, half, tmp_path, image):
        refused(["predict", model, image, "--out", tmp_path / "out"], capsys, model)
        refused(["evaluate", model, "--data", shapes], capsys, model)
    assert not (tmp_path / "out").exists()


def test_evaluation_never_writes_into_the_data_set(run, shapes, tmp_path, capsys):
    before = snapshot(shapes)
    for folder in (shapes, shapes / "SegmentationClass"):
        arguments = ["--data", shapes, "--masks", folder]
        refused(["evaluate", run / "best.keras", *arguments], capsys, folder)
    refused(["evaluate", run / "best.keras", "--data", shapes, "--split", "x"], capsys, "x.txt")
    arguments = ["--data", shapes, "--json", tmp_path]
    refused(["evaluate", run / "best.keras", *arguments], capsys, tmp_path)
    assert snapshot(shapes) == before


def test_evaluation_on_a_data_set_with_other_classes(run, broken, capsys):
    names = "background\na\nb\nc\nd\n"
    (broken / "labels.txt").write_text(names)
    refused(["evaluate", run / "best.keras", "--data", broken], capsys, "disc")


def test_predictions_overwrite_neither_images_nor_each_other(run, shapes, tmp_path, capsys):
    for name in ("a/x.png", "b/x.jpg", "a/x_overlay.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    before = snapshot(tmp_path)
    model, a, b = run / "best.keras", tmp_path / "a/x.png", tmp_path / "b/x.jpg"
    refused(["predict", model, a, "--out", tmp_path / "a"], capsys, a)
    overlay = tmp_path / "a/x_overlay.png"
    refused(["predict", model, b, overlay, "--out", tmp_path / "a"], capsys, overlay)
    refused(["predict", model, b, overlay, "--overlay", "--out", tmp_path / "out"], capsys, overlay)
    refused(["predict", model, a, b, "--out", tmp_path / "out"], capsys, a, b)
    refused(["predict", model, tmp_path, "--out", tmp_path / "out"], capsys, tmp_path)
    assert snapshot(tmp_path) == before
    main([str(x) for x in ("predict", model, b, overlay, "--out", tmp_path / "out")])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"x.png", "x_overlay.png"}


def test_predictions_respect_systems_that_ignore_case(run, tmp_path, capsys):
    # There IMG.PNG and IMG.png are two names of one file, as a hard link's are here.
    photo, other = tmp_path / "IMG.PNG", tmp_path / "img.jpg"
    for path in (photo, other):
        Image.new("RGB", (8, 8)).save(path)
    os.link(photo, tmp_path / "IMG.png")
    refused(["predict", run / "best.keras", photo, "--out", tmp_path], capsys, tmp_path / "IMG.png")
    refused(["predict", run / "best.keras", photo, other, "--out", tmp_path / "out"], capsys, other)


def test_a_broken_photo_among_good_ones(run, shapes, tmp_path, capsys):
    good, bad = first(shapes, "JPEGImages"), tmp_path / "bad.jpg"
    bad.write_bytes(good.read_bytes()[:300])
    refused(["predict", run / "best.keras", good, bad, "--out", tmp_path / "out"], capsys, bad)


def test_the_program_prints_one_line_and_no_traceback(tmp_path):
    arguments = ["-m", "voc_seg", "evaluate", "none.keras", "--data", "nowhere"]
    result = python(*arguments, check=False, cwd=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr == "voc-seg: error: nowhere: no such folder\n"


def test_an_option_without_effect_is_mentioned(tmp_path, capsys):
    options = ["--window", "9", "--weights", "none", "--encoder", "vgg.keras"]
    with pytest.raises(SystemExit):
        main(["train", "unet", "--data", str(tmp_path / "none"), "--out", "y", *options])
    error = capsys.readouterr().err
    assert "--window has no effect on unet, only on patch-classifier\n" in error
    assert "--weights has no effect on unet, only on vgg-transfer\n" in error
    assert "--encoder has no effect on unet, only on vgg-transfer\n" in error


@pytest.mark.parametrize("block", ["block4", "off"])
def test_without_pretrained_weights_a_second_stage_is_mentioned(tmp_path, capsys, block):
    data = ["--data", str(tmp_path / "none"), "--out", "y"]
    stages = ["--fine-tune", block, "--fine-tune-epochs", "2"]
    for weights, words in ("none", 1), ("imagenet", 0):
        with pytest.raises(SystemExit):
            main(["train", "vgg-transfer", *data, "--weights", weights, *stages])
        error = capsys.readouterr().err
        assert error.count("--fine-tune has no effect on an encoder") == words * (block != "off")
        assert error.count("--fine-tune-epochs has no effect on an encoder") == words
        off = "--fine-tune-epochs has no effect on a run with --fine-tune off"
        assert error.count(off) == (block == "off")


def test_masks_with_255_for_the_object_are_refused(broken, tmp_path, capsys):
    (broken / "labels.txt").write_text("background\ncell\n")
    for path in (broken / "SegmentationClass").iterdir():
        Image.fromarray((np.array(Image.open(path)) > 0).astype(np.uint8) * 255).save(path)
    arguments = ["train", "unet", "--data", broken, "--out", tmp_path / "run", *TINY]
    refused(arguments, capsys, broken, "1 for cell")


def test_evaluate_and_predict_overwrite_neither_the_model_nor_a_data_set(
    run, broken, tmp_path, capsys
):
    model = shutil.copy(run / "best.keras", tmp_path)
    image = first(broken, "JPEGImages")
    before = snapshot(tmp_path)
    for target in (model, broken / "labels.txt"):
        refused(["evaluate", model, "--data", broken, "--json", target], capsys, target)
    for folder in (broken, broken / "SegmentationClass"):
        refused(["predict", model, image, "--out", folder], capsys, folder)
    assert snapshot(tmp_path) == before


def test_a_file_where_a_folder_belongs(run, shapes, tmp_path, capsys):
    model, image, file = run / "best.keras", first(shapes, "JPEGImages"), tmp_path / "file"
    file.write_text("hello")
    refused(["predict", model, image, "--out", file], capsys, file, "folder")
    refused(["evaluate", model, "--data", file], capsys, file, "folder")
    refused(["evaluate", model, "--data", shapes, "--masks", file], capsys, file, "folder")
    refused(["evaluate", model, "--data", shapes, "--json", file / "x.json"], capsys, file)


def test_running_out_of_memory_is_reported_in_one_sentence(shapes, monkeypatch, capsys):
    class ResourceExhaustedError(Exception):
        """Like TensorFlow's; JAX says RESOURCE_EXHAUSTED, torch OutOfMemoryError."""

    def evaluate(*arguments):
        raise ResourceExhaustedError("OOM when allocating tensor with shape[3,3,9,9]")

    monkeypatch.setattr(judging, "evaluate", evaluate)
    refused(["evaluate", "m.keras", "--data", shapes], capsys, "memory", "smaller images")


# The terminal


def shell(command, folder):
    """Runs a line of bash in a folder, where `voc-seg` is this one."""
    line = command.replace("voc-seg", f"{shlex.quote(sys.executable)} -m voc_seg")
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True)


SHAPES = "voc-seg shapes --data s --train 2 --val 1"


@pytest.mark.parametrize(
    ("streams", "status", "message"),
    [
        ("2>&-", 0, ""),
        (">&- 2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        (">/dev/full", 2, "voc-seg: error: standard output: No space left on device\n"),
        ("2>/dev/null | true; exit ${PIPESTATUS[0]}", 1, ""),
    ],
)
def test_a_closed_or_full_stream_costs_no_result(tmp_path, streams, status, message):
    done = shell(f"{SHAPES} {streams}", tmp_path)
    assert (tmp_path / "s" / "labels.txt").is_file()
    assert done.returncode == status
    assert done.stderr.endswith(message) and "Traceback" not in done.stderr


def test_ctrl_c_is_one_line_even_where_it_arrives_as_another_error(shapes, monkeypatch, capsys):
    def evaluate(options):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt:
            raise ImportError("initialization failed") from None

    monkeypatch.setattr(judging, "evaluate", evaluate)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", "m.keras", "--data", str(shapes)])
    assert caught.value.code == 130
    assert capsys.readouterr().err == "voc-seg: interrupted\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_that_a_library_swallows_is_not_forgotten(shapes, monkeypatch, capsys):
    def evaluate(options):
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)

    monkeypatch.setattr(judging, "evaluate", evaluate)
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", "m.keras", "--data", str(shapes)])
    assert caught.value.code == 130
    assert capsys.readouterr().err == "voc-seg: interrupted\n"


def test_a_hint_names_the_help_of_its_command(capsys):
    for arguments in (
        ["train", "unet", "--data", "x", "--out", "y", "--foo"],
        ["shapes", "--data", "x", "--foo"],
    ):
        with pytest.raises(SystemExit):
            main(arguments)
        assert f"(see voc-seg {arguments[0]} --help)" in capsys.readouterr().err


def test_class_names_that_the_terminal_or_matplotlib_could_misread(shapes, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    (data / "labels.txt").write_text("background\n$$\n$x^\n猫\n_ring\n", encoding="utf-8")
    environment = "LC_ALL=C PYTHONUTF8=0 NO_COLOR=1 TF_CPP_MIN_LOG_LEVEL=3"
    options = "--size 16 --filters 2 --epochs 1 --batch-size 4"
    done = shell(f"{environment} voc-seg train unet --data data --out run {options}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr
    assert "\x1b" not in done.stdout  # no colours or moving cursor
    assert (tmp_path / "run" / "examples.png").is_file()


def test_a_model_of_merged_classes_needs_no_telling(shapes, tmp_path):
    run, masks = tmp_path / "run", tmp_path / "masks"
    data = ["--data", str(shapes)]
    main(["train", "unet", *data, "--classes", "round=ring+disc,star", "--out", str(run), *TINY])
    json_file = tmp_path / "r.json"
    model = str(run / "best.keras")
    main(["evaluate", model, *data, "--json", str(json_file), "--masks", str(masks)])
    confusion = np.zeros((3, 3), int)
    for path in masks.iterdir():
        truth = np.array(Image.open(shapes / "SegmentationClass" / path.name))
        found = np.array(Image.open(path))
        assert set(np.unique(found)) <= {0, 4, 3}  # a ring's value stands for round
        table = {0: 0, 1: 1, 4: 1, 3: 2, 2: 0}  # a disc is round, a square background
        for t, f in zip(truth[truth != 255], found[truth != 255], strict=True):
            confusion[table[t], table[f]] += 1
    result = json.loads(json_file.read_text())
    assert result["classes"] == ["background", "round", "star"]
    assert result["confusion"] == confusion.tolist()


def test_a_folder_of_images_is_predicted_and_one_class_is_cut_out(run, shapes, tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for i, path in enumerate(sorted((shapes / "JPEGImages").iterdir())[:3]):
        shutil.copy(path, photos / f"{i}.JPG")
    (photos / "notes.txt").write_text("not an image")
    arguments = ["predict", run / "best.keras", photos, "--out", out, "--cutout"]
    main([str(word) for word in [*arguments, "--keep", "ring,star"]])
    assert f"{photos}: skipped 1 of 4 files (not images)\n" in capsys.readouterr().err
    for i in range(3):
        mask = np.array(Image.open(out / f"{i}.png"))
        alpha = np.array(Image.open(out / f"{i}_cutout.png"))[..., 3]
        assert np.array_equal(alpha, np.where((mask == 3) | (mask == 4), 255, 0))
    refused([*arguments, "--keep", "cat"], capsys, "--keep", "cat", "ring")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(["predict", run / "best.keras", empty, "--out", out], capsys, empty, "no images")


@pytest.mark.parametrize(
    ("options", "how"),
    [
        (["--flip"], {"flip": True}),
        (["--scales", "0.5"], {"scales": [0.5]}),
        (["--flip", "--scales", "0.5,1,1.5"], {"flip": True, "scales": [0.5, 1, 1.5]}),
    ],
)
def test_flip_and_scales_on_the_command_line_are_those_of_python(options, how, shapes, tmp_path):
    folder, file, json_file = open_folder(shapes), tmp_path / "unet.keras", tmp_path / "r.json"
    image = first(shapes, "JPEGImages")
    keras.utils.set_random_seed(0)
    model = build_unet(5, filters=4, depth=1)  # not symmetric, as it is random
    set_classes(model, folder.classes, 32)
    model.save(file)
    evaluated = ["evaluate", file, "--data", shapes, "--json", json_file, *options]
    main([str(word) for word in evaluated])
    assert json.loads(json_file.read_text()) == evaluate(model, folder, **how)
    main([str(word) for word in ("predict", file, image, "--out", tmp_path / "out", *options)])
    written = Image.open(tmp_path / "out" / f"{image.stem}.png")
    (labels,) = predict_labels(model, [read_image(image)], **how)
    (plain,) = predict_labels(model, [read_image(image)])
    assert np.array_equal(written, labels) and not np.array_equal(written, plain)

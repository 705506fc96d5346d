"""What a training run saves, and how a killed run continues.

Each file is written under a temporary name and then renamed. If the run is killed, you have the old
file or the new one, never half of one. `last.keras` comes last: it marks its epoch as complete.
"""

import csv
import json
import math
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

from voc_seg.checks import first_line
from voc_seg.files import write_safely
from voc_seg.models.saving import class_layer, load_model

History = dict[str, list[float]]


class Checkpoint(keras.callbacks.Callback):
    """Writes history, best and last model after each epoch.

    Keras' own callbacks write in place: a kill during the write would destroy the best model.
    """

    def __init__(self, out: Path, history: History, stage: int) -> None:
        super().__init__()
        self.out, self.history, self.stage = out, history, stage

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        best = best_mean_iou(self.history)
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        seconds = round(time.perf_counter() - self.start, 2)
        unknown = {"val_loss": math.nan, "val_mean_iou": math.nan}  # if nothing was validated
        row = {"epoch": epoch + 1, **unknown, **(logs or {})}
        if not math.isfinite(row["loss"]):
            raise ValueError(
                f"learning_rate: the loss of epoch {epoch + 1} is {row['loss']}, so training has "
                "diverged; expected a smaller learning rate"
            )
        row |= {"learning_rate": rate, "seconds": seconds, "stage": self.stage}
        before = len(self.history.get("epoch", []))
        for name in {**self.history, **row}:  # a metric of your own may miss some epochs
            column = self.history.setdefault(name, [math.nan] * before)
            column.append(float(row.get(name, math.nan)))
        write_safely(self.out / "history.csv", lambda path: write_history(path, self.history))
        if row["val_mean_iou"] > best:
            write_safely(self.out / "best.keras", lambda path: save(self.model, path, False))
        # Written last: it marks the epoch as complete.
        write_safely(self.out / "last.keras", lambda path: save(self.model, path, True))


def save(model: keras.Model, path: Path, with_optimizer: bool) -> None:
    """Saves a model without its loss, so a loss of your own is not needed to load it.

    It is loaded as a model that has not been compiled. The optimizer's state is still in the file
    if you ask for it, and `load_weights` finds it there.
    """
    optimizer = model.optimizer
    model.compiled = False
    if not with_optimizer:
        model.optimizer = None
    try:
        model.save(path)
    finally:
        model.compiled, model.optimizer = True, optimizer


def best_mean_iou(history: History) -> float:
    """The best validation mean IoU in a history, -1 if there is none."""
    values = [value for value in history.get("val_mean_iou", []) if not math.isnan(value)]
    return max(values, default=-1)


def check_settings(out: Path, settings: dict[str, Any]) -> None:
    """Makes sure that a run is continued with the settings that it was started with."""
    path = out / "settings.json"
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        before = None
    if not isinstance(before, dict):
        raise ValueError(
            f"{path}: is damaged, so the settings of the run are unknown; start again in another "
            "folder"
        )
    for name, value in json.loads(json.dumps(settings)).items():
        if json.dumps(before.get(name)) != json.dumps(value):  # == ignores their order
            raise ValueError(
                f"{name}: found {value!r}, but the run in {out} was started with "
                f"{before.get(name)!r}; to change it, start a run in another folder"
            )


def write_settings(out: Path, settings: dict[str, Any]) -> None:
    """Writes `settings.json`: the settings, and the versions of what was used."""
    text = json.dumps(settings | versions(), indent=2) + "\n"
    write_safely(out / "settings.json", lambda path: path.write_text(text, encoding="utf-8"))


def versions() -> dict[str, Any]:
    """Versions and machine; results depend on these too."""
    packages = ("voc_seg", "keras", "numpy", "opencv-python-headless", keras.backend.backend())
    return {
        "versions": {"python": platform.python_version()} | {p: version(p) for p in packages},
        "backend": keras.backend.backend(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
    }


def read_checkpoint(out: Path, model: keras.Model) -> tuple[History, int]:
    """The history of a killed run and the stage, 1 or 2, of its last model; 0 if there is none.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or is not of a run of this model.
    """
    path, table, best = out / "last.keras", out / "history.csv", out / "best.keras"
    history = read_history(table) if table.is_file() else {}
    if not path.is_file():
        if len(history.get("epoch", [])) > 1:  # one row: killed before the first was complete
            raise FileNotFoundError(f"{path}: is missing; expected the model of the last epoch")
        return {}, 0
    last = load_model(path)
    for what, found, expected in zip(
        ("model", "inputs", "outputs", "parameters", "classes"),
        describe(last),
        describe(model),
        strict=True,
    ):
        if found != expected:
            raise ValueError(
                f"{path}: is of another run; {what}: found {found}, expected {expected}"
            )
    if best_mean_iou(history) >= 0 and not best.is_file():
        raise FileNotFoundError(f"{best}: is missing; expected the best model of the run")
    # The second stage trains more of the encoder than the first.
    return history, 1 + (len(last.trainable_variables) > len(model.trainable_variables))


def restore(out: Path, model: keras.Model, history: History, stage: int, batches: int) -> None:
    """Restores weights and optimizer of a run that was killed in a stage; cuts the history to it.

    Raises:
        ValueError: the model of the last epoch was not saved by this run.
    """
    path = out / "last.keras"
    try:
        model.load_weights(path)
    except Exception as error:  # h5py and Keras raise arbitrary exceptions
        raise ValueError(f"{path}: is not of this run ({first_line(error)})") from None
    # The first variable of the optimizer counts the steps of its stage. (`iterations` counts fewer
    # if it accumulates gradients.) Rounded, because with mixed precision Keras skips steps that
    # overflow, and does not count them.
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    finished = round(int(optimizer.variables[0]) / batches)
    if not finished:
        raise ValueError(f"{path}: has no optimizer, so it was not saved by a run")
    finished += sum(number < stage for number in history.get("stage", []))
    if len(history.get("epoch", [])) < finished:
        raise ValueError(f"{out / 'history.csv'}: has fewer rows than {path} has epochs")
    for column in history.values():
        del column[finished:]


def describe(model: keras.Model) -> tuple:
    """What has to be the same when a run is resumed: name, shapes, parameters, classes."""
    layer = class_layer(model)
    remembered = layer and (list((layer.classes or {}).items()), layer.image_size, layer.members)
    return model.name, model.input_shape, model.output_shape, model.count_params(), remembered


def write_history(path: Path, history: History) -> None:
    """Writes a history as CSV: a column for each name, a row for each epoch."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(history)
        writer.writerows(zip(*history.values(), strict=True))


def read_history(path: Path) -> History:
    """Reads a `history.csv`: column -> list of numbers."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            names, *rows = csv.reader(file)
        history = {name: [float(row[i]) for row in rows] for i, name in enumerate(names)}
        whole = all(len(row) == len(names) for row in rows)
        if not whole or history["epoch"] != [*range(1, len(rows) + 1)] or "loss" not in names:
            raise ValueError
    except (ValueError, KeyError, IndexError, csv.Error):
        raise ValueError(f"{path}: is damaged; expected the table of a run") from None
    return history

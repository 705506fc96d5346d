"""What a training run saves, and how a killed run continues.

Each file is written next to its place and renamed, so a kill at any moment leaves the old one or
the new one. `last.keras` comes last: it marks its epoch as complete.
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

from voc_seg.files import replace
from voc_seg.models.saving import load_model

History = dict[str, list[float]]


class Checkpoint(keras.callbacks.Callback):
    """Writes history, best and last model after each epoch.

    Keras' own callbacks write in place: a kill during the write would destroy the best model.
    """

    def __init__(self, out: Path, history: History) -> None:
        super().__init__()
        self.out, self.history = out, history

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        best = best_mean_iou(self.history)
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        seconds = round(time.perf_counter() - self.start, 2)
        unknown = {"val_loss": math.nan, "val_mean_iou": math.nan}  # if nothing was validated
        row = {"epoch": epoch + 1, **unknown, **(logs or {})}
        row |= {"learning_rate": rate, "seconds": seconds}
        for name, value in row.items():
            self.history.setdefault(name, []).append(float(value))
        replace(self.out / "history.csv", lambda path: write_history(path, self.history))
        if row["val_mean_iou"] > best:
            replace(self.out / "best.keras", self.model.save)
        # Written last: it marks the epoch as complete.
        replace(self.out / "last.keras", self.model.save)


def best_mean_iou(history: History) -> float:
    """The best validation mean IoU in a history, -1 if there is none."""
    values = [value for value in history.get("val_mean_iou", []) if not math.isnan(value)]
    return max(values, default=-1)


def check_settings(out: Path, settings: dict[str, Any]) -> None:
    """Makes sure that a run is continued with the settings that it was started with."""
    path = out / "settings.json"
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        before = None
    if not isinstance(before, dict):
        raise ValueError(f"{path}: is corrupt, so the settings of the run are unknown")
    for name, value in json.loads(json.dumps(settings)).items():
        if json.dumps(before.get(name)) != json.dumps(value):  # the order of classes counts too
            raise ValueError(
                f"{name}: found {value!r}, but the run in {out} was started with "
                f"{before.get(name)!r}"
            )


def write_settings(out: Path, settings: dict[str, Any]) -> None:
    """Writes `settings.json`: the settings, and the versions of what was used."""
    text = json.dumps(settings | versions(), indent=2) + "\n"
    replace(out / "settings.json", lambda path: path.write_text(text, encoding="utf-8"))


def versions() -> dict[str, Any]:
    """What a result depends on besides the settings: versions and machine."""
    packages = ("voc_seg", "keras", "numpy", "opencv-python-headless", keras.backend.backend())
    return {
        "versions": {"python": platform.python_version()} | {p: version(p) for p in packages},
        "backend": keras.backend.backend(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
    }


def read_checkpoint(
    out: Path, model: keras.Model, batches: int
) -> tuple[keras.Model, History, int]:
    """The model, the history and the number of completed epochs of a killed run.

    Raises:
        ValueError: a file is damaged, or is not of a run of this model.
    """
    path = out / "last.keras"
    last = load_model(path)
    if (last.name, last.input_shape, last.output_shape, last.count_params()) != (
        (model.name, model.input_shape, model.output_shape, model.count_params())
    ):
        raise ValueError(f"{path}: is not the {model.name} that this run trains")
    if not getattr(last, "optimizer", None):
        raise ValueError(f"{path}: has no optimizer, so it was not saved by a run")
    # Each step counts, so steps / batches are the completed epochs. Rounded, because in half
    # precision Keras leaves out, and does not count, steps that overflow.
    finished = round(int(last.optimizer.iterations) / batches)
    history = read_history(out / "history.csv")
    if min(map(len, history.values())) < finished:
        raise ValueError(f"{out / 'history.csv'}: has fewer rows than {path} has epochs")
    best = best_mean_iou({name: values[:finished] for name, values in history.items()})
    if best >= 0 and not (out / "best.keras").is_file():
        raise FileNotFoundError(f"{out / 'best.keras'}: is missing; expected the run's best model")
    return last, {name: values[:finished] for name, values in history.items()}, finished


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
        columns = list(zip(*rows, strict=True))
        return {n: [float(v) for v in c] for n, c in zip(names, columns, strict=True)}
    except (ValueError, csv.Error):
        raise ValueError(f"{path}: is damaged; expected a table of numbers") from None

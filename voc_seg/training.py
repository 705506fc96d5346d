"""Training: loss, metric, learning rate, and files from which a killed run goes on."""

import csv
import json
import math
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import keras

from voc_seg import plots
from voc_seg.dense import copy_weights, to_dense
from voc_seg.layers import check_arguments
from voc_seg.pipeline import SegmentationDataset, WindowDataset
from voc_seg.prediction import load_model, predict_labels, set_classes
from voc_seg.voc import VOID


def compile_model(model, learning_rate=1e-3):
    """Compiles a model with the loss and the metric of semantic segmentation.

    The loss is the cross-entropy averaged over the pixels that are not void; the metric the mean
    IoU without void. Both serve two classes and twenty-one, images (B, H, W) and, for the patch
    classifier, windows (B,).

    Args:
        model: a model by one of the builders.
        learning_rate: of Adam (Kingma & Ba 2015); a number or a Keras schedule.

    Returns:
        The same model.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=VOID),
        # sparse_y_pred=False: the model gives probabilities, the metric takes the largest
        metrics=[
            keras.metrics.MeanIoU(
                model.output_shape[-1], ignore_class=VOID, sparse_y_pred=False, name="mean_iou"
            )
        ],
    )
    # Or TensorFlow meets the optimizer's variables in the first step, and traces it twice: seconds.
    model.optimizer.build(model.trainable_variables)
    return model


def train(
    model, training, validation, out, epochs=20, learning_rate=1e-3, validate_every=1,
    settings=None, resume=False,
):  # fmt: skip
    """Trains a model and writes all that is worth keeping to a folder.

    - `best.keras`: the model of the epoch with the best mean IoU on the validation images.
    - `last.keras`: the model of the last finished epoch, from which `resume` goes on.
    - `history.csv`, `curves.png`: loss, mean IoU, learning rate and seconds by epoch.
    - `examples.png`: predictions of the best model for validation images.
    - `settings.json`: `settings` and the versions of what was used.

    Every file is written beside its place and moved there, so that a kill at any moment leaves
    the old one or the new one. The learning rate falls along half a cosine (Loshchilov & Hutter
    2017).

    Args:
        model: a model by one of the builders.
        training: a `SegmentationDataset`, or for a patch classifier a `WindowDataset`.
        validation: a `SegmentationDataset`, for the patch classifier, too: it is judged by the
            pixels of whole images, as the others are.
        out: the folder to write to.
        epochs: how often to go through the training data.
        learning_rate: that of the first step.
        validate_every: validate after every so many epochs, and after the last one.
        settings: a dictionary of what else should stand in `settings.json`.
        resume: whether to go on at the last finished epoch in `out`. The arguments have to be
            those of the run's beginning.

    Returns:
        model: the model as it was in its best epoch.
        history: a dictionary, column of `history.csv` -> list of numbers.

    Raises:
        FileExistsError: `out` holds a run, and `resume` is not set.
        FileNotFoundError: `resume` is set, and `out` holds no run.
        ValueError: `resume` is set, and a setting is not what it was, or a file is broken; or the
            model has another number of classes than the data, or the data are of the other kind.
    """
    out = Path(out)
    windows = model.output_shape[1:-1] == ()
    if isinstance(training, SegmentationDataset if windows else WindowDataset):
        kind = "WindowDataset" if windows else "SegmentationDataset"
        raise ValueError(f"training: expected a {kind}, from which {model.name} can learn")
    check_arguments(epochs=epochs, validate_every=validate_every)
    set_classes(model, validation.folder.classes, validation.size)
    settings = {**(settings or {}), "epochs": epochs, "learning_rate": learning_rate}
    settings |= {"parameters": model.count_params(), "classes": validation.folder.classes}
    settings |= {"batches": len(training), "validate_every": validate_every}
    check_out(out, settings, resume)
    history = {}
    if resume and (out / "last.keras").is_file():
        model = load_model(out / "last.keras")
        # Rounded: in half precision Keras leaves out, and does not count, steps that overflow.
        finished = round(int(model.optimizer.iterations) / len(training))
        history = {k: v[:finished] for k, v in read_history(out / "history.csv").items()}
    else:
        finished = 0
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(training))
        compile_model(model, rate)
        write_settings(out, settings)
    training.epoch = finished  # so that its chance goes on where it was, too

    judged = [e for e in range(1, epochs + 1) if e % validate_every == 0 or e == epochs]
    callbacks = [Checkpoint(out, history)]
    if windows:
        callbacks.insert(0, DenseValidation(validation, judged))
    if finished < epochs:
        model.fit(
            training,
            validation_data=None if windows else validation,  # windows: by the callback
            validation_freq=judged,
            epochs=epochs,
            initial_epoch=finished,
            shuffle=False,  # the data set shuffles by itself, from its own seed
            callbacks=callbacks,
        )
    best = load_model(out / "best.keras")
    draw(best, validation, history, out)
    return best, history


class Checkpoint(keras.callbacks.Callback):
    """Writes history, best and last model after each epoch.

    Keras' own callbacks write in place: a kill at that moment would cost the best model.
    """

    def __init__(self, out, history):
        super().__init__()
        self.out, self.history = out, history

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs):
        best = best_mean_iou(self.history)
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        seconds = round(time.perf_counter() - self.start, 2)
        unknown = {"val_loss": math.nan, "val_mean_iou": math.nan}  # where nothing was validated
        row = {"epoch": epoch + 1, **unknown, **logs, "learning_rate": rate, "seconds": seconds}
        for name, value in row.items():
            self.history.setdefault(name, []).append(float(value))
        replace(self.out / "history.csv", lambda path: write_history(path, self.history))
        if row["val_mean_iou"] > best:
            replace(self.out / "best.keras", self.model.save)
        # The last, because what it says is finished has to be there.
        replace(self.out / "last.keras", self.model.save)


class DenseValidation(keras.callbacks.Callback):
    """Validates a patch classifier on whole images, by the network that `to_dense` makes of it."""

    def __init__(self, validation, epochs):
        super().__init__()
        self.validation, self.epochs, self.dense = validation, epochs, None

    def on_epoch_end(self, epoch, logs):
        if epoch + 1 not in self.epochs:
            return
        if self.dense is None:
            self.dense = compile_model(to_dense(self.model))
        copy_weights(self.model, self.dense)
        result = self.dense.evaluate(self.validation, return_dict=True, verbose=0)
        logs.update({f"val_{name}": value for name, value in result.items()})


def best_mean_iou(history):
    """The best validation mean IoU in a history, -1 where there is none."""
    values = [v for v in history.get("val_mean_iou", []) if not math.isnan(v)]
    return max(values, default=-1)


def replace(path, write):
    """Calls `write` with a path beside `path`, and moves the result there in one step."""
    beside = path.with_name(f"writing-{path.name}")
    write(beside)
    os.replace(beside, path)


def check_out(out, settings, resume):
    """Sees to it that a run in `out` is neither overwritten nor continued with other settings."""
    path = out / "settings.json"
    if not resume and out.is_dir() and any(out.iterdir()):
        raise FileExistsError(f"{out}: is not empty; give another folder, or resume its run")
    if not resume:
        return
    if not path.is_file():
        raise FileNotFoundError(f"{out}: holds no run to resume (no settings.json)")
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{path}: is broken, so that nobody knows how the run was begun") from None
    for name, value in json.loads(json.dumps(settings)).items():
        if json.dumps(before.get(name)) != json.dumps(value):  # the order of classes counts, too
            raise ValueError(
                f"{name}: found {value!r}, but the run in {out} was begun with {before.get(name)!r}"
            )


def write_settings(out, settings):
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(settings | versions(), indent=2) + "\n"
    replace(out / "settings.json", lambda path: path.write_text(text, encoding="utf-8"))


def versions():
    """What a result depends on beside the settings: versions and machine, as a dictionary."""
    packages = ("voc_seg", "keras", "numpy", "opencv-python-headless", keras.backend.backend())
    return {
        "versions": {"python": platform.python_version()} | {p: version(p) for p in packages},
        "backend": keras.backend.backend(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
    }


def write_history(path, history):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(history)
        writer.writerows(zip(*history.values(), strict=True))


def read_history(path):
    """A `history.csv` as a dictionary, column -> list of numbers."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def draw(model, validation, history, out, count=6):
    """Draws `curves.png` and `examples.png`."""
    dense = to_dense(model) if model.output_shape[1:-1] == () else model
    folder, ids = validation.folder, validation.ids
    images, masks = zip(*(folder.pair(id) for id in ids[:: -(-len(ids) // count)]), strict=True)
    labels = predict_labels(dense, images, validation.size)
    figure = plots.plot_predictions(images, masks, labels, folder.classes)
    replace(out / "examples.png", figure.savefig)
    replace(out / "curves.png", plots.plot_history(history).savefig)

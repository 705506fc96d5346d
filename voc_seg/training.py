"""Training: loss, metric, learning rate, and one function that does it all.

What a run saves, and how a killed one continues, is in `checkpoints.py`.
"""

import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from voc_seg import plots
from voc_seg.checkpoints import (
    Checkpoint,
    History,
    check_settings,
    read_checkpoint,
    write_settings,
)
from voc_seg.checks import check_whole
from voc_seg.data.datasets import SegmentationDataset, WindowDataset
from voc_seg.data.images import VOID
from voc_seg.files import check_run, check_target, lock_folder, write_safely
from voc_seg.models.dense import copy_weights, to_dense
from voc_seg.models.saving import labels_windows, load_model, set_classes


def compile_model(model: keras.Model, learning_rate: Any = 1e-3) -> keras.Model:
    """Compiles a model with the loss and the metric of semantic segmentation.

    The loss is the cross-entropy, averaged over all pixels that are not void. The metric is the
    mean IoU without void, at training size. (`evaluate` computes it at the images' own size.) Both
    work for any number of classes, for masks (B, H, W) and for the labels (B,) of windows.

    Args:
        model: a model by one of the builders.
        learning_rate: of Adam (Kingma & Ba 2015); a number or a Keras schedule.

    Returns:
        The same model.

    Examples:
        >>> from voc_seg import build_unet, compile_model
        >>> model = compile_model(build_unet(num_classes=5, filters=4, depth=2))
        >>> float(model.optimizer.learning_rate) < 0.0011
        True
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
    # Build now; otherwise TensorFlow creates the optimizer's variables during the first step and
    # traces it twice, which costs seconds.
    model.optimizer.build(model.trainable_variables)
    return model


def train(
    model: keras.Model,
    training: SegmentationDataset | WindowDataset,
    validation: SegmentationDataset,
    out: str | Path,
    epochs: int = 20,
    learning_rate: float = 1e-3,
    validate_every: int = 1,
    settings: dict[str, Any] | None = None,
    resume: bool = False,
) -> tuple[keras.Model, History]:
    """Trains a model and saves the results to a folder.

    - `best.keras`: the model of the epoch with the best mean IoU on the validation images.
    - `last.keras`: the model of the last completed epoch, from which `resume` continues.
    - `history.csv`, `curves.png`: loss, mean IoU, learning rate and seconds by epoch.
    - `examples.png`: predictions of the best model for validation images.
    - `settings.json`: `settings`, and the versions of what was used.

    After a kill at any moment each file is the old one or the new one. The learning rate falls
    along half a cosine (Loshchilov & Hutter 2017).

    Args:
        model: a model by one of the builders.
        training: a `SegmentationDataset`, or for a patch classifier a `WindowDataset`.
        validation: a `SegmentationDataset`, also for the patch classifier: like the others, it
            is judged by the pixels of whole images.
        out: the folder to write to.
        epochs: the number of passes over the training data.
        learning_rate: the initial one.
        validate_every: validate after every so many epochs, and after the last one.
        settings: further entries for `settings.json`.
        resume: whether to continue from the last completed epoch in `out`. The arguments must
            match the original run.

    Returns:
        model: the model as it was in its best epoch.
        history: a dictionary, column of `history.csv` -> list of numbers.

    Raises:
        FileExistsError: `out` is not empty, and `resume` is not set.
        FileNotFoundError: `resume` is set, and `out` holds no run.
        BlockingIOError: another process is training into `out`.
        ValueError: `resume` is set, and a setting is not what it was, or a file is damaged; or the
            model has another number of classes than the data, the data set is of the wrong type,
            or training and validation data have different classes.

    Examples:
        >>> from voc_seg import SegmentationDataset, build_unet, open_folder, train, write_shapes
        >>> folder = open_folder(write_shapes("shapes", train=4, val=2))
        >>> training = SegmentationDataset(folder, folder.ids("train"), size=16)
        >>> validation = SegmentationDataset(folder, folder.ids("val"), size=16)
        >>> model = build_unet(num_classes=5, filters=2, depth=1)
        >>> model, history = train(model, training, validation, "run", epochs=1)
        >>> len(history["loss"])
        1
    """
    out = Path(out)
    check_whole("epochs", epochs, high=1_000_000)
    check_whole("validate_every", validate_every)
    if not isinstance(learning_rate, (int, float)) or not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate: found {learning_rate!r}, expected a number above 0")
    check_target(out)
    check_data(model, training, validation)
    folder = validation.folder
    set_classes(model, folder.classes, validation.size, dict(folder.members))
    settings = {
        **(settings or {}),
        "epochs": epochs,
        "learning_rate": learning_rate,
        "parameters": model.count_params(),
        "classes": folder.classes,
        "batches": len(training),
        "validate_every": validate_every,
    }
    with lock_folder(out):
        check_run(out, resume)
        if resume:
            check_settings(out, settings)
        for stale in out.glob(".writing-*"):  # left by a killed run
            stale.unlink()
        model, history, finished = read_checkpoint(out, model, len(training))
        if not finished:
            steps = epochs * len(training)
            compile_model(model, keras.optimizers.schedules.CosineDecay(learning_rate, steps))
            write_settings(out, settings)
        training.epoch = finished  # so it continues with the random numbers of the next epoch

        judged = [e for e in range(1, epochs + 1) if e % validate_every == 0 or e == epochs]
        windows = labels_windows(model)
        callbacks = [Checkpoint(out, history)]
        if windows:
            # First, because it adds the validation to the logs that the checkpoint writes.
            callbacks.insert(0, DenseValidation(validation, judged))
        if finished < epochs:
            model.fit(
                training,
                validation_data=None if windows else validation,  # windows: DenseValidation does it
                validation_freq=judged,
                epochs=epochs,
                initial_epoch=finished,
                shuffle=False,  # the data set shuffles by itself, from its own seed
                callbacks=callbacks,
                verbose=verbosity(),
            )
        best = load_model(out / "best.keras")
        draw(best, validation, history, out)
    return best, history


def verbosity() -> int:
    """Keras' progress bar on a terminal that takes it, otherwise a line for each epoch."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return 2 if plain or not sys.stdout.isatty() else 1


class DenseValidation(keras.callbacks.Callback):
    """Validates a patch classifier on whole images, through `to_dense`."""

    def __init__(self, validation: SegmentationDataset, epochs: Iterable[int]) -> None:
        super().__init__()
        self.validation, self.epochs = validation, set(epochs)
        self.dense: keras.Model | None = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if epoch + 1 not in self.epochs or logs is None:
            return
        if self.dense is None:
            self.dense = compile_model(to_dense(self.model))
        copy_weights(self.model, self.dense)
        result = self.dense.evaluate(self.validation, return_dict=True, verbose=0)
        logs.update({f"val_{name}": value for name, value in result.items()})


def check_data(
    model: keras.Model,
    training: SegmentationDataset | WindowDataset,
    validation: SegmentationDataset,
) -> None:
    """Raises a ValueError unless the data sets fit the model and each other."""
    wanted = WindowDataset if labels_windows(model) else SegmentationDataset
    for name, data, kind in (
        ("training", training, wanted),
        ("validation", validation, SegmentationDataset),
    ):
        if not isinstance(data, kind):
            raise ValueError(
                f"{name}: found a {type(data).__name__}, expected a {kind.__name__} for "
                f"{model.name}"
            )
    mine, theirs = training.folder, validation.folder
    if (mine.classes, mine.members) != (theirs.classes, theirs.members):
        raise ValueError(
            f"validation: found the classes {describe(theirs.members)}; expected those of the "
            f"training data, {describe(mine.members)}, with the same values"
        )


def describe(members: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    """The classes of a folder in words: `cat, animal (dog + cow)`."""
    return ", ".join(
        name if group == (name,) else f"{name} ({' + '.join(group)})" for name, group in members
    )


def draw(model: keras.Model, validation: SegmentationDataset, history: History, out: Path) -> None:
    """Draws `curves.png`, and `examples.png`: up to six validation images at training size."""
    model = to_dense(model) if labels_windows(model) else model
    chosen = range(0, len(validation.ids), math.ceil(len(validation.ids) / 6))
    images, masks = zip(*(validation.example(k) for k in chosen), strict=True)
    batch = np.stack(images)  # (B, size, size, 3)
    probabilities = np.asarray(model.predict_on_batch(batch.astype("float32")))
    figure = plots.plot_predictions(
        [*batch.astype("uint8")], masks, [*probabilities.argmax(-1)], validation.folder.classes
    )
    write_safely(out / "examples.png", figure.savefig)
    write_safely(out / "curves.png", plots.plot_history(history).savefig)

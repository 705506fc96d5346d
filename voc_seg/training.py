"""Training: loss, metric, learning rate, and one function that does it all.

What a run saves, and how a killed one continues, is in `checkpoints.py`.
"""

import contextlib
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from voc_seg import plots
from voc_seg.checkpoints import (
    Checkpoint,
    History,
    best_mean_iou,
    check_settings,
    read_checkpoint,
    restore,
    write_settings,
)
from voc_seg.checks import check_whole
from voc_seg.data.datasets import SegmentationDataset, WindowDataset
from voc_seg.data.images import VOID
from voc_seg.files import check_run, check_target, lock_folder, write_safely
from voc_seg.losses import cross_entropy
from voc_seg.models.dense import copy_weights, to_dense
from voc_seg.models.saving import labels_windows, load_model, set_classes
from voc_seg.models.vgg_transfer import layers_from, unfreeze


def compile_model(model: keras.Model, learning_rate: Any = 1e-3, loss: Any = None) -> keras.Model:
    """Compiles a model with the loss and the metric of semantic segmentation.

    The loss is the cross-entropy, averaged over all pixels that are not void. The metric is the
    mean IoU without void, at training size. (`evaluate` computes it at the images' own size.) Both
    work for any number of classes, for masks (B, H, W) and for the labels (B,) of windows.

    Args:
        model: a model by one of the builders.
        learning_rate: of Adam (Kingma & Ba 2015); a number or a Keras schedule.
        loss: another loss, such as `cross_entropy_and_dice`.

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
        loss=cross_entropy if loss is None else loss,
        metrics=[mean_iou(model)],
    )
    # Build now; otherwise TensorFlow creates the optimizer's variables during the first step and
    # traces it twice, which costs seconds.
    model.optimizer.build(model.trainable_variables)
    return model


def mean_iou(model: keras.Model) -> keras.metrics.Metric:
    """The mean IoU without void, as a metric for `compile`."""
    # sparse_y_pred=False: the model gives probabilities, the metric takes the largest
    return keras.metrics.MeanIoU(
        model.output_shape[-1], ignore_class=VOID, sparse_y_pred=False, name="mean_iou"
    )


def train(
    model: keras.Model,
    training: SegmentationDataset | WindowDataset,
    validation: SegmentationDataset,
    out: str | Path,
    epochs: int = 20,
    learning_rate: float | None = None,
    loss: Any = None,
    optimizer: Any = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    fine_tune: str | None = None,
    fine_tune_epochs: int = 10,
    fine_tune_rate: float = 1e-4,
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

    After a kill at any moment each file is the old one or the new one.

    Transfer learning has two stages, and `fine_tune` asks for the second: after `epochs` with the
    encoder frozen, the encoder is trained too, from the named block on, with its own learning
    rate. Both stages are one run, with one history and one best model. With `epochs=0` there is
    only the second stage, for a model that is trained already.

    What you compiled stays, and an argument that is given here wins. Without either, the loss is
    the cross-entropy without void, and the optimizer Adam, whose learning rate falls along half a
    cosine (Loshchilov & Hutter 2017). An optimizer always starts fresh, without momentum from
    earlier training. The two models that a run saves do not count as compiled.

    Args:
        model: a model by one of the builders.
        training: a `SegmentationDataset`, or for a patch classifier a `WindowDataset`.
        validation: a `SegmentationDataset`, also for the patch classifier: like the others, it
            is judged by the pixels of whole images.
        out: the folder to write to.
        epochs: the number of passes over the training data.
        learning_rate: the initial one, which falls along half a cosine to 0. Default: the
            optimizer's own if there is one, otherwise 1e-3.
        loss: of Keras, of `voc_seg.losses`, or a function (masks, probabilities) -> loss.
        optimizer: of Keras. Its kind and its settings are used, and if `learning_rate` is not
            given, its learning rate.
        callbacks: of Keras, for instance `EarlyStopping("val_mean_iou", mode="max", patience=5)`,
            which ends the current stage. They are called after the validation and before the
            epoch is saved.
        fine_tune: the block or layer of the encoder from which the second stage trains, such as
            "block4"; see `unfreeze`. None: there is no second stage.
        fine_tune_epochs: the number of passes in the second stage.
        fine_tune_rate: the learning rate of the second stage: far smaller than 1e-3, or the first
            steps destroy what the encoder knows.
        validate_every: validate after every so many epochs, and after the last one of a stage.
        settings: further entries for `settings.json`.
        resume: whether to continue from the last completed epoch in `out`. The arguments must
            match the original run. The continued run equals one that was never killed, with one
            exception: callbacks start fresh, because Keras does not save their state.

    Returns:
        model: the model as it was in its best epoch.
        history: a dictionary, column of `history.csv` -> list of numbers.

    Raises:
        FileExistsError: `out` is not empty, and `resume` is not set.
        FileNotFoundError: `resume` is set, and `out` holds no run.
        BlockingIOError: another process is training into `out`.
        ValueError: `resume` is set, and a setting is not what it was, or a file is damaged; the
            model has another number of classes than the data, the data set is of the wrong type,
            or training and validation data have different classes; the encoder has no such block,
            or is already trained from there; or a callback sets the learning rate of a cosine.

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
    check_whole("epochs", epochs, low=0 if fine_tune else 1, high=1_000_000)
    check_whole("fine_tune_epochs", fine_tune_epochs, high=1_000_000)
    check_whole("validate_every", validate_every)
    check_rate("learning_rate", learning_rate)
    check_rate("fine_tune_rate", fine_tune_rate)
    check_target(out)
    check_data(model, training, validation)
    if fine_tune is not None:
        frozen = [x for x in layers_from(model, fine_tune, "fine_tune") if not x.trainable]
        if epochs == 0:  # the only stage
            unfreeze(model, fine_tune)
        elif not frozen:
            wanted = "a frozen block, or epochs=0 to train only the second stage"
            if resume:  # the first call has unfrozen the model
                wanted = "a newly built model to resume with"
            raise ValueError(
                f"fine_tune: found {fine_tune!r}, but the encoder is trained from there already; "
                f"expected {wanted}"
            )
    arguments = compile_arguments(model, loss, optimizer)
    if learning_rate is None and optimizer is None and not model.compiled:
        learning_rate = 1e-3
    own = arguments["optimizer"].get_config()["learning_rate"]
    constant = learning_rate is None and isinstance(own, float)
    check_callbacks(callbacks, constant)
    stages: list[tuple] = [(None, epochs, learning_rate)] if epochs else []
    if fine_tune is not None:
        stages.append((fine_tune, fine_tune_epochs, fine_tune_rate))

    folder = validation.folder
    set_classes(model, folder.classes, validation.size, dict(folder.members))
    settings = {
        **(settings or {}),
        "epochs": epochs,
        "learning_rate": own if learning_rate is None else learning_rate,
        "loss": name_of(arguments["loss"]),
        "optimizer": type(arguments["optimizer"]).__name__,
        "fine_tune": fine_tune,
        "fine_tune_epochs": fine_tune_epochs if fine_tune else None,
        "fine_tune_rate": fine_tune_rate if fine_tune else None,
        "parameters": model.count_params(),
        "classes": folder.classes,
        "batches": len(training),
        "validate_every": validate_every,
    }
    with lock_folder(out), as_compiled(model):
        check_run(out, resume)
        if resume:
            check_settings(out, settings)
        for stale in out.glob(".writing-*"):  # left by a killed run
            stale.unlink()
        history, reached = read_checkpoint(out, model)
        complete = (out / "curves.png").is_file()  # drawn last; a callback may have ended the run
        if not reached:
            write_settings(out, settings)
        for stage, (first, length, rate) in enumerate(stages, start=1):
            if stage < reached or complete:
                continue
            if first is not None:
                print(f"fine-tuning from {first}")
                unfreeze(model, first)
            if rate is not None and not constant:
                rate = keras.optimizers.schedules.CosineDecay(rate, length * len(training))
            fresh = fresh_optimizer(arguments["optimizer"], rate)
            if any(layer.compute_dtype == "float16" for layer in model._flatten_layers()):
                # Keras does it by itself, but not for a model that was loaded.
                fresh = keras.optimizers.LossScaleOptimizer(fresh)
            for metric in arguments["metrics"]:  # the first epoch must not see the stage before
                if isinstance(metric, keras.metrics.Metric):
                    metric.reset_state()
            model.compile(**arguments | {"optimizer": fresh})
            model.optimizer.build(model.trainable_variables)  # see compile_model
            if stage == reached:
                restore(out, model, history, stage, len(training))
            finished = len(history.get("epoch", []))
            end = finished - history.get("stage", []).count(stage) + length
            fit(
                model,
                training,
                validation,
                [*callbacks],
                finished,
                end,
                validate_every,
                Checkpoint(out, history, stage),
            )
        if best_mean_iou(history) < 0:
            raise ValueError(
                "validate_every: the run ended before its first validation, so it has no best "
                f"model; expected less than {validate_every}"
            )
        best = load_model(out / "best.keras")
        draw(best, validation, history, out)
    return best, history


@contextlib.contextmanager
def as_compiled(model: keras.Model) -> Iterator[None]:
    """Leaves a model compiled as it was before, so that what we compile never counts as yours."""
    before = dict(model._compile_config.config) if model.compiled else None
    try:
        yield
    finally:
        model.compiled = False
        if before is not None:
            model.compile(**before)


def compile_arguments(model: keras.Model, loss: Any, optimizer: Any) -> dict[str, Any]:
    """The arguments for `compile`: what is given here, else what you compiled, else our own."""
    # The only place where Keras keeps them as they were given: loss, metrics, `jit_compile`, ...
    kept = dict(model._compile_config.config) if model.compiled else {}
    metrics = keras.tree.flatten(kept.get("metrics") or [])
    if "mean_iou" not in [getattr(metric, "name", metric) for metric in metrics]:
        metrics.append(mean_iou(model))
    kept["metrics"] = metrics
    kept["loss"] = loss or kept.get("loss") or cross_entropy
    optimizer = keras.optimizers.get(optimizer or kept.get("optimizer") or "adam")
    # In float16, Keras wraps the optimizer. It does so again in `compile`.
    kept["optimizer"] = getattr(optimizer, "inner_optimizer", optimizer)
    return kept


def fresh_optimizer(optimizer: Any, rate: Any) -> Any:
    """An optimizer like another one, without its memory; with its own rate if `rate` is None."""
    config = optimizer.get_config()
    if rate is not None:
        config["learning_rate"] = rate
    return type(optimizer).from_config(config)


def fit(
    model: keras.Model,
    training: SegmentationDataset | WindowDataset,
    validation: SegmentationDataset,
    callbacks: list[keras.callbacks.Callback],
    begin: int,
    end: int,
    validate_every: int,
    checkpoint: Checkpoint,
) -> None:
    """Trains from epoch `begin` (counted from 0) to `end`."""
    training.epoch = begin  # so a resumed run continues with the random numbers of its next epoch
    judged = [e for e in range(1, end + 1) if e % validate_every == 0 or e == end]
    windows = labels_windows(model)
    if windows:
        # First, because it adds the validation to the logs that the others read.
        callbacks = [DenseValidation(validation, judged), *callbacks]
    if begin < end:
        model.fit(
            training,
            validation_data=None if windows else validation,  # windows: DenseValidation does it
            validation_freq=judged,
            epochs=end,
            initial_epoch=begin,
            shuffle=False,  # the data set shuffles by itself, from its own seed
            callbacks=[*callbacks, checkpoint],
            verbose=verbosity(),
        )


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
            self.dense = to_dense(self.model)
            self.dense.compile(loss=self.model.loss, metrics=[mean_iou(self.model)])
        copy_weights(self.model, self.dense)
        result = self.dense.evaluate(self.validation, return_dict=True, verbose=0)
        logs.update({f"val_{name}": value for name, value in result.items()})


def check_rate(name: str, rate: object) -> None:
    """Raises a ValueError unless a learning rate is a number above 0, or None."""
    if rate is not None and (not isinstance(rate, (int, float)) or not 0 < rate < math.inf):
        raise ValueError(f"{name}: found {rate!r}, expected a number above 0")


def check_callbacks(callbacks: Sequence[keras.callbacks.Callback], constant: bool) -> None:
    """Raises a ValueError if a callback would set a learning rate that follows a schedule."""
    setters = keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau
    for callback in callbacks:
        if isinstance(callback, setters) and not constant:
            raise ValueError(
                f"callbacks: {type(callback).__name__} sets the learning rate, which falls along a "
                "cosine here; give a constant one: optimizer=keras.optimizers.Adam(1e-3), and no "
                "learning_rate"
            )


def name_of(loss: Any) -> str:
    """What a loss is called; it may be a function, an object or a name."""
    return getattr(loss, "name", None) or getattr(loss, "__name__", None) or str(loss)


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

"""The commands of `voc-seg` up to a trained model; each takes the parsed arguments.

`judging.py` has the commands that use the model, `voc-seg evaluate` and `predict`. Anything that
needs Keras is imported inside the functions, so `--help` and argument errors are instant. Each
result is saved before it is printed.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voc_seg.backend import load_backend
from voc_seg.data.images import VOID
from voc_seg.data.voc import VOCFolder, open_folder
from voc_seg.files import check_exists, check_run, check_target, lock_folder

if TYPE_CHECKING:
    import keras


def demo(options: Namespace) -> None:
    """`voc-seg demo`: trains five models and compares them."""
    check_target(options.out)
    load_backend()
    import voc_seg.demo

    voc_seg.demo.demo(options.out, options.seed)


def shapes(options: Namespace) -> None:
    """`voc-seg shapes`: writes the built-in data set."""
    from voc_seg.data.shapes import write_shapes

    path = write_shapes(options.data, options.train, options.val, options.seed)
    print(f"{path}: {options.train} training and {options.val} validation images")


def download(options: Namespace) -> None:
    """`voc-seg download`: fetches PASCAL VOC."""
    from voc_seg.data.download import download_voc

    path = download_voc(options.data, options.year, options.archive, options.mirror)
    print(f"{path} is complete")


def train(options: Namespace) -> None:
    """`voc-seg train`: trains a model on a folder in VOC's layout."""
    mention_unused(options)
    check_start(options)
    folder = open_folder(options.data, options.year, options.classes)
    train_ids, val_ids = folder.ids("train")[: options.limit], folder.ids("val")[: options.limit]
    check_target(options.out)
    with lock_folder(options.out):
        check_run(options.out, options.resume)
        names = ", ".join(folder.classes)
        print(f"{len(train_ids)} images to train on, {len(val_ids)} to validate; classes: {names}")
        load_backend()
        import keras

        from voc_seg.checkpoints import best_mean_iou
        from voc_seg.data.datasets import SegmentationDataset
        from voc_seg.training import train as train_model

        keras.utils.set_random_seed(options.seed)
        if options.mixed_precision:
            keras.config.set_dtype_policy(half_precision())
        model = build(options, folder)
        check_data(folder, sorted({*train_ids, *val_ids}))
        _, history = train_model(
            model,
            training_data(options, model, folder, train_ids),
            SegmentationDataset(folder, val_ids, options.size),
            options.out,
            loss=loss(options, folder, train_ids),
            **schedule(options),
            validate_every=options.validate_every,
            settings=settings(options),
            resume=options.resume,
        )
    best = best_mean_iou(history)
    print(f"best validation mean IoU {best:.4f} at {options.size} pixels; see {options.out}")


def mention_unused(options: Namespace) -> None:
    """Mentions options that the chosen model lacks; it is fine to give all models the same ones."""
    for name, model in (
        ("window", "patch-classifier"),
        ("weights", "vgg-transfer"),
        ("encoder", "vgg-transfer"),
        ("fine_tune", "vgg-transfer"),
        ("fine_tune_epochs", "vgg-transfer"),
    ):
        if getattr(options, name) is not None and options.model != model:
            say_unused(name, f"{options.model}, only on {model}")
    if options.fine_tune_from is not None:
        for name in ("filters", "epochs", "mixed_precision"):
            if getattr(options, name):
                say_unused(name, "a model that is fine-tuned")
    if options.model != "vgg-transfer":
        return
    if options.fine_tune == "off" and options.fine_tune_epochs is not None:
        say_unused("fine_tune_epochs", "a run with --fine-tune off")
    if options.weights == "none":
        for name in ("fine_tune", "fine_tune_epochs"):
            if getattr(options, name) not in (None, "off"):
                say_unused(name, "an encoder without pretrained weights, which is not frozen")


def say_unused(name: str, where: str) -> None:
    """Says on standard error that an option has no effect."""
    print(f"{option(name)} has no effect on {where}", file=sys.stderr)


def option(name: str) -> str:
    """An option as it is written: `fine_tune` is `--fine-tune`."""
    return f"--{name.replace('_', '-')}"


def check_start(options: Namespace) -> None:
    """Raises a ValueError if the options contradict each other about what training starts from."""
    names = ("weights", "encoder", "fine_tune_from")
    starts = [option(name) for name in names if getattr(options, name) is not None]
    if len(starts) > 1:
        raise ValueError(f"{', '.join(starts)}: found all of them, expected at most one")
    if options.fine_tune_from is None:
        return
    check_exists(options.fine_tune_from)
    if options.model != "vgg-transfer":
        raise ValueError(f"--fine-tune-from: found {options.model}, expected vgg-transfer")
    if options.fine_tune == "off":
        raise ValueError("--fine-tune: found off next to --fine-tune-from; expected a block")


def half_precision() -> str:
    """The dtype policy of `--mixed-precision`: older GPUs lack bfloat16, and CPUs lack float16."""
    import keras

    if keras.backend.backend() == "torch":  # Keras doesn't list its devices; all have bfloat16
        return "mixed_bfloat16"
    # list_devices("gpu") would be an error on JAX without a GPU.
    gpu = any(device.startswith("gpu") for device in keras.distribution.list_devices())
    return "mixed_float16" if gpu else "mixed_bfloat16"


def build(options: Namespace, folder: VOCFolder) -> "keras.Model":
    """Builds or loads the model; options that are not given keep the builder's defaults."""
    from voc_seg.evaluation import check_classes
    from voc_seg.models.encoder_decoder import build_encoder_decoder
    from voc_seg.models.patch_classifier import build_patch_classifier
    from voc_seg.models.saving import load_model, load_segmenter
    from voc_seg.models.unet import build_unet
    from voc_seg.models.vgg_transfer import build_vgg_transfer

    num_classes = len(folder.classes)
    given: dict[str, Any] = {} if options.filters is None else {"filters": options.filters}
    if options.model == "patch-classifier":
        given |= {} if options.window is None else {"window": options.window}
        return build_patch_classifier(num_classes, **given)
    if options.model == "encoder-decoder":
        return build_encoder_decoder(num_classes, **given)
    if options.model == "unet":
        return build_unet(num_classes, **given)
    if options.fine_tune_from is not None:
        model = load_segmenter(options.fine_tune_from)
        check_classes(model, folder)
        return model
    if options.weights is not None:
        given["weights"] = None if options.weights == "none" else options.weights
    if options.encoder is not None:
        given["encoder"] = load_model(options.encoder)
    return build_vgg_transfer(num_classes, **given)


def loss(options: Namespace, folder: VOCFolder, train_ids: Sequence[str]) -> Any:
    """The loss that `--loss` names."""
    from voc_seg import losses

    if options.loss == "dice":
        return losses.cross_entropy_and_dice
    if options.loss == "weighted":
        return losses.WeightedCrossEntropy(losses.class_weights(folder, train_ids))
    return losses.cross_entropy


def schedule(options: Namespace) -> dict[str, Any]:
    """The stages of `train`, their epochs and learning rates; the defaults are those of `train`."""
    epochs = {} if options.epochs is None else {"epochs": options.epochs}
    rate = {} if options.learning_rate is None else {"learning_rate": options.learning_rate}
    # Without pretrained weights the encoder is not frozen, so there is no second stage.
    if options.model != "vgg-transfer" or options.weights == "none" or options.fine_tune == "off":
        return epochs | rate
    tuned: dict[str, Any] = {"fine_tune": options.fine_tune or "block4"}
    if options.fine_tune_epochs is not None:
        tuned["fine_tune_epochs"] = options.fine_tune_epochs
    if options.fine_tune_from is None:
        return epochs | rate | tuned
    if options.learning_rate is not None:
        tuned["fine_tune_rate"] = options.learning_rate
    return tuned | {"epochs": 0}


def training_data(
    options: Namespace, model: "keras.Model", folder: VOCFolder, ids: Sequence[str]
) -> "keras.utils.PyDataset":
    """The augmented training data: windows for the patch classifier, images for the others."""
    from voc_seg.data.datasets import SegmentationDataset, WindowDataset

    common = {"size": options.size, "augment": True, "seed": options.seed}
    if options.batch_size is not None:
        common["batch_size"] = options.batch_size
    if options.model == "patch-classifier":
        return WindowDataset(folder, ids, model.input_shape[1], **common)
    return SegmentationDataset(folder, ids, shuffle=True, **common)


def settings(options: Namespace) -> dict[str, Any]:
    """What determines a run, for `settings.json`; `training.train` adds the rest."""
    return {
        "model": options.model,
        "data": str(options.data.resolve()),
        "year": options.year,
        "size": options.size,
        "batch_size": options.batch_size,
        "weights": options.weights,
        "encoder": options.encoder and str(options.encoder),
        "fine_tune_from": options.fine_tune_from and str(options.fine_tune_from),
        "mixed_precision": options.mixed_precision,
        "limit": options.limit,
        "window": options.window,
        "filters": options.filters,
        "seed": options.seed,
    }


def read_all(folder: VOCFolder, ids: Sequence[str]) -> set[int]:
    """Reads all images and masks, to find a damaged file early; returns the labels that occur."""
    from voc_seg.data.datasets import read_pairs

    found: set[int] = set()
    for _, mask in read_pairs(folder, ids, "checking the files"):
        found.update(np.unique(mask).tolist())
    return found


def check_data(folder: VOCFolder, ids: Sequence[str]) -> None:
    """Makes sure that images and masks are whole, and show something besides the background."""
    if read_all(folder, ids) <= {0, VOID}:
        raise ValueError(
            f"{folder.path}: its masks hold no class but the background and void (255); expected "
            f"{', '.join(f'{value} for {name}' for name, value in folder.classes.items())}"
        )

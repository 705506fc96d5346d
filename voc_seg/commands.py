"""The commands of `voc-seg`; each takes the parsed arguments.

What needs Keras is imported inside the functions, so that help and bad arguments answer at once.
"""

import json
import logging
import os
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from voc_seg.images import read_image, write_image, write_mask
from voc_seg.voc import VOID, open_folder, palette


def load_backend():
    """Imports Keras without the backend's messages about processors and missing GPUs.

    They come from C++, which writes to the file descriptor, and would bury what we have to say.
    """
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        import keras

        keras.ops.zeros(1)  # the devices are looked for when the first tensor is made
        # Several models in one process are no mistake.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


def demo(options):
    load_backend()
    from voc_seg.demo import demo

    demo(options.out, options.seed)


def shapes(options):
    from voc_seg.shapes import write_shapes

    path = write_shapes(options.data, options.train, options.val, options.seed)
    print(f"{path}: {options.train} training and {options.val} validation images")


def download(options):
    from voc_seg.download import download_voc

    path = download_voc(options.data, options.year, options.archive, options.mirror)
    print(f"{path} is complete")


def train(options):
    for name, model in (("window", "patch-classifier"), ("weights", "vgg-transfer")):
        if getattr(options, name) is not None and options.model != model:
            print(f"--{name} has no effect on {options.model}, only on {model}", file=sys.stderr)
    folder = open_folder(options.data, options.year, options.classes)
    train_ids, val_ids = folder.ids("train"), folder.ids("val")
    if options.out.is_dir() and any(options.out.iterdir()) and not options.resume:
        raise FileExistsError(f"{options.out}: is not empty; give another --out, or --resume")
    names = ", ".join(folder.classes)
    print(f"{len(train_ids)} images to train on, {len(val_ids)} to validate; classes: {names}")

    load_backend()
    import keras

    from voc_seg import training
    from voc_seg.pipeline import SegmentationDataset, WindowDataset, read_pairs

    keras.utils.set_random_seed(options.seed)
    model = build(options, len(folder.classes))
    found = set()  # all masks, since a broken file should be found now, not after an hour
    for _, mask in read_pairs(folder, sorted({*train_ids, *val_ids}), "checking the files"):
        found.update(np.unique(mask).tolist())
    if found <= {0, VOID}:
        raise ValueError(
            f"{folder.path}: its masks hold no class but the background and void (255); expected "
            f"{', '.join(f'{value} for {name}' for name, value in folder.classes.items())}"
        )
    common = {"size": options.size, "seed": options.seed}
    if options.model == "patch-classifier":
        data = WindowDataset(
            folder, train_ids, model.input_shape[1], batch_size=options.batch_size or 256,
            augment=True, **common,
        )  # fmt: skip
    else:
        data = SegmentationDataset(
            folder, train_ids, batch_size=options.batch_size or 8, augment=True, shuffle=True,
            **common,
        )  # fmt: skip
    validation = SegmentationDataset(folder, val_ids, **common)
    options.data = options.data.resolve()
    skipped = ("run", "resume", "out", "classes", "epochs")  # or written by `training.train`
    settings = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(options).items()
        if name not in skipped
    }
    _, history = training.train(
        model, data, validation, options.out, options.epochs,
        validate_every=options.validate_every, settings=settings, resume=options.resume,
    )  # fmt: skip
    best = training.best_mean_iou(history)
    print(f"best validation mean IoU {best:.4f} at {options.size} pixels; see {options.out}")


def build(options, num_classes):
    import voc_seg

    given = {"filters": options.filters}
    if options.model == "patch-classifier":
        given["window"] = options.window
    elif options.model == "vgg-transfer":
        given["weights"] = options.weights
    given = {name: value for name, value in given.items() if value is not None}
    if given.get("weights") == "none":
        given["weights"] = None
    builder = getattr(voc_seg, f"build_{options.model.replace('-', '_')}")
    return builder(num_classes, **given)  # what is not given has the builder's default


def evaluate(options):
    folder = open_folder(options.data, options.year)
    ids = folder.ids(options.split)
    check_files(options.model)
    load_backend()
    from voc_seg.evaluation import evaluate, format_table
    from voc_seg.prediction import get_classes, label_values, load_segmenter

    model = load_segmenter(options.model)
    classes = chosen(get_classes(model), folder.names)
    unknown = [] if isinstance(classes, str) else [c for c in classes if c not in folder.names]
    if unknown:
        raise ValueError(
            f"{options.model}: was trained on {', '.join(get_classes(model))}; the classes of "
            f"{folder.path} are {', '.join(folder.names)}"
        )
    folder = open_folder(options.data, options.year, classes)

    def write(id, labels):
        path = options.masks / f"{id}.png"
        write_mask(path, label_values(labels, folder.classes), palette())

    for path in filter(None, (options.masks, options.json)):  # before the work, not after it
        if path.resolve().is_relative_to(folder.path.resolve()):
            raise ValueError(f"{path}: lies in the data set; expected another place")
    if options.masks:
        make_folder(options.masks)
    if options.json:
        make_folder(options.json.parent)
        if options.json.is_dir() or options.json.resolve() == options.model.resolve():
            raise ValueError(f"{options.json}: would be overwritten; expected another file name")
    result = evaluate(model, folder, ids, on_prediction=write if options.masks else None)
    print(format_table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def chosen(classes, names):
    """The `classes` argument with which `open_folder` gives the classes of a model."""
    if classes is None or list(classes) == list(names):
        return "all"
    if list(classes)[1:] == ["object"] and "object" not in names:
        return "object"
    return list(classes)[1:]


def predict(options):
    check_files(options.model, *options.images)
    endings = [""] + ["_overlay"] * options.overlay + ["_cutout"] * options.cutout
    check_targets(options.images, options.out, endings)
    load_backend()
    from voc_seg import plots
    from voc_seg.prediction import (
        cut_out,
        get_classes,
        label_values,
        load_segmenter,
        predict_labels,
    )

    model = load_segmenter(options.model)
    classes = get_classes(model) or {f"class {i}": i for i in range(model.output_shape[-1])}
    make_folder(options.out)
    for path in tqdm(options.images, desc="predicting", unit="image"):
        image = read_image(path)
        (labels,) = predict_labels(model, [image])
        target = options.out / path.stem
        write_mask(f"{target}.png", label_values(labels, classes), palette())
        if options.overlay:
            plots.plot_overlay(image, labels, classes).savefig(f"{target}_overlay.png", dpi=200)
        if options.cutout:
            write_image(f"{target}_cutout.png", cut_out(image, labels))
            if not labels.any():
                tqdm.write(f"{path}: no object found, so the cut-out is empty", file=sys.stderr)
    print(f"{len(options.images)} predicted; see {options.out}")


def check_files(*paths):
    for path in paths:
        if not path.is_file():
            problem = "is a folder; expected a file" if path.is_dir() else "no such file"
            raise FileNotFoundError(f"{path}: {problem}")


def make_folder(path):
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{path}: is a file, or lies below one; expected a folder") from None


def check_targets(images, out, endings):
    """Sees to it that no result of `predict` overwrites an image, a mask, or another's result."""
    if any((path / "ImageSets").is_dir() for path in (out, out.parent)):
        raise ValueError(f"{out}: lies in a data set; expected another folder")
    inputs = {path.resolve(): path for path in images}
    sources = {}
    for path in images:
        for ending in endings:
            target = (out / f"{path.stem}{ending}.png").resolve()
            if target in inputs:
                raise ValueError(f"{inputs[target]}: would be overwritten; give another --out")
            if target in sources:
                raise ValueError(
                    f"{path}: its results would overwrite those of {sources[target]}; "
                    "predict images of the same name one at a time, into different --out"
                )
            sources[target] = path

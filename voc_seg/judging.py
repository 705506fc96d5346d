"""The commands of `voc-seg` that judge and use a trained model: `evaluate` and `predict`.

Each takes the parsed arguments. As in `commands.py`, Keras is imported inside the functions, and
each result is saved before it is printed.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from voc_seg.backend import load_backend
from voc_seg.commands import read_all
from voc_seg.data.images import read_image, write_image, write_mask
from voc_seg.data.voc import open_folder
from voc_seg.files import (
    check_exists,
    check_json,
    check_target,
    identity,
    make_folder,
    real_path,
    write_safely,
)

if TYPE_CHECKING:
    import keras

# Of a folder of images we take the files with these endings.
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".ppm")


def evaluate(options: Namespace) -> None:
    """`voc-seg evaluate`: scores a model on a split."""
    folder = open_folder(options.data, options.year)
    ids = folder.ids(options.split)
    check_exists(options.model)
    inputs = [options.model, folder.path / "labels.txt"]
    if options.masks:
        check_target(options.masks, inputs)
        inputs += [options.masks, *(options.masks / f"{id}.png" for id in ids)]
    if options.json:
        check_target(options.json, inputs)
        check_json(options.json)
    load_backend()
    from voc_seg.evaluation import check_classes, format_table
    from voc_seg.evaluation import evaluate as evaluate_model
    from voc_seg.models.saving import get_classes, load_segmenter
    from voc_seg.prediction import label_values

    model = load_segmenter(options.model)
    chosen = classes_argument(model, folder.names)
    if chosen is None:
        raise ValueError(
            f"{options.model}: was trained on {', '.join(get_classes(model) or ())}; the classes "
            f"of {folder.path} are {', '.join(folder.names)}"
        )
    folder = open_folder(options.data, options.year, chosen)
    check_classes(model, folder)

    def write(id: str, labels: np.ndarray) -> None:
        write_mask(options.masks / f"{id}.png", label_values(labels, folder.classes))

    if options.masks:
        read_all(folder, ids)  # before the first result is written
        make_folder(options.masks)
    if options.json:
        make_folder(options.json.parent)
    result = evaluate_model(
        model,
        folder,
        ids,
        on_prediction=write if options.masks else None,
        flip=options.flip,
        scales=options.scales,
    )
    if options.json:
        text = json.dumps(result, indent=2) + "\n"
        try:
            write_safely(options.json, lambda path: path.write_text(text, encoding="utf-8"))
        finally:  # a full disk does not cost the result
            print(format_table(result))
    else:
        print(format_table(result))


def classes_argument(model: "keras.Model", names: Sequence[str]) -> Any:
    """The `classes` with which `open_folder` gives the classes of a model.

    Returns:
        An argument for `open_folder`; None if the data set, with these names, lacks a class.
    """
    from voc_seg.models.saving import class_layer, get_classes

    classes, layer = get_classes(model), class_layer(model)
    if classes is None:
        return "all"
    members = layer.members if layer is not None else None
    if members is None:  # saved by version 0.1.0, which merged classes only as "object"
        if list(classes)[1:] == ["object"] and "object" not in names:
            return "object"
        members = {name: [name] for name in list(classes)[1:]}
    known = {*names[1:]}.issuperset(name for group in members.values() for name in group)
    return members if known and next(iter(classes)) == names[0] else None


def predict(options: Namespace) -> None:
    """`voc-seg predict`: labels images and writes one mask for each."""
    if options.keep is not None and not options.cutout:
        print("--keep has no effect without --cutout", file=sys.stderr)
    options.images = list_images(options.images)
    check_exists(options.model, *options.images)
    endings = ["", *(["_overlay"] if options.overlay else [])]
    endings += ["_cutout"] if options.cutout else []
    check_results(options, endings)
    for path in tqdm(options.images, desc="checking the images", unit="image"):
        read_image(path)  # before the first result is written
    load_backend()
    from voc_seg import plots
    from voc_seg.models.saving import get_classes, load_segmenter
    from voc_seg.prediction import cut_out, label_values, predict_labels

    model = load_segmenter(options.model)
    classes = get_classes(model) or {f"class {i}": i for i in range(model.output_shape[-1])}
    keep = None if options.keep is None else class_indices(options.keep, list(classes))
    make_folder(options.out)
    for path in tqdm(options.images, desc="predicting", unit="image"):
        image = read_image(path)
        (labels,) = predict_labels(model, [image], flip=options.flip, scales=options.scales)
        target = options.out / path.stem
        write_mask(f"{target}.png", label_values(labels, classes))
        if options.overlay:
            figure = plots.plot_overlay(image, labels, classes)
            write_safely(f"{target}_overlay.png", partial(figure.savefig, dpi=200))
        if options.cutout:
            pixels = cut_out(image, labels, keep)
            write_image(f"{target}_cutout.png", pixels)
            if not pixels[..., 3].any():
                tqdm.write(f"{path}: no object found, so the cut-out is empty", file=sys.stderr)
    print(f"{len(options.images)} predicted; see {options.out}")


def list_images(paths: Sequence[Path]) -> list[Path]:
    """The paths, with each folder replaced by the images in it."""
    images = []
    for path in paths:
        found = [path]
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if p.is_file())
            found = [p for p in files if p.suffix.lower() in ENDINGS]
            others = len(files) - len(found)
            if found and others:
                print(
                    f"{path}: skipped {others} of {len(files)} files (not images)", file=sys.stderr
                )
        if not found:
            raise ValueError(f"{path}: holds no images; expected files with {', '.join(ENDINGS)}")
        images += found
    return images


def class_indices(names: str, classes: Sequence[str]) -> list[int]:
    """The class indices of a comma-separated list of names."""
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in classes:
            raise ValueError(f"--keep: found {name!r}, expected one of {', '.join(classes)}")
    return [classes.index(name) for name in wanted]


def check_results(options: Namespace, endings: Sequence[str]) -> None:
    """Makes sure that no result of `predict` overwrites data, an input, or another result."""
    inputs = [options.model, *options.images]
    check_target(options.out, inputs)
    # Each path is followed once: a folder may hold thousands of images.
    taken = {identity(path) for path in inputs}
    sources: dict[str, Path] = {}
    for path in options.images:
        for ending in endings:
            target = options.out / f"{path.stem}{ending}.png"
            if identity(target) in taken:
                raise ValueError(f"{target}: would be overwritten; expected another path")
            name = str(real_path(target)).casefold()  # IMG and img may be one name
            if name in sources:
                raise ValueError(
                    f"{path}: its results would overwrite those of {sources[name]}; "
                    "predict images of the same name one at a time, into different --out"
                )
            sources[name] = path

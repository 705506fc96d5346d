"""Evaluation: one confusion matrix over all pixels of a split, and the scores that follow from it.

As in the VOC challenge (Everingham et al., IJCV 2010): at each image's own resolution, without
void, IoU = TP / (TP + FP + FN) by class, with the pixels counted over the whole split.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from voc_seg.checks import check_whole
from voc_seg.data.images import VOID
from voc_seg.data.voc import VOCFolder
from voc_seg.models.saving import class_layer, get_classes
from voc_seg.prediction import predict_labels


def evaluate(
    model: keras.Model,
    folder: VOCFolder,
    split: str | Sequence[str] = "val",
    batch_size: int = 8,
    on_prediction: Callable[[str, np.ndarray], object] | None = None,
) -> dict[str, Any]:
    """Evaluates a model on a split, each image at its original resolution.

    Args:
        model: a model (B, H, W, 3) -> (B, H, W, C).
        folder: a `VOCFolder`, opened with the model's classes.
        split: a split of the folder, or a list of image IDs.
        batch_size: the number of images to predict at a time.
        on_prediction: a function that is called with each image's ID and its (H, W) uint8 label
            map of class indices.

    Returns:
        A dictionary. `classes`: the C names. `iou`: by class, None if a class is absent from both
            truth and prediction. `mean_iou`: the mean over the other classes. `pixel_accuracy`:
            the share of pixels that are right. (Both are None if all pixels are void.)
            `confusion`: the (C, C) counts of pixels as nested lists, truth by row. `images`: the
            number of images.

    Raises:
        FileNotFoundError: there is no such split, or a file is missing.
        ValueError: the folder's classes are not the model's, or a file is damaged.

    Examples:
        >>> from voc_seg import build_unet, evaluate, open_folder, write_shapes
        >>> folder = open_folder(write_shapes("shapes", train=4, val=2))
        >>> result = evaluate(build_unet(num_classes=5, filters=2, depth=1), folder, "val")
        >>> result["images"], len(result["iou"])
        (2, 5)
    """
    check_whole("batch_size", batch_size)
    if not hasattr(folder, "pair"):
        raise ValueError(f"folder: found {folder!r}, expected a VOCFolder, see open_folder")
    check_classes(model, folder)
    names = list(folder.classes)
    ids = folder.ids(split) if isinstance(split, str) else split
    if not len(ids):
        raise ValueError("split: found an empty list, expected image IDs")
    confusion = np.zeros((len(names), len(names)), np.int64)
    with tqdm(total=len(ids), desc="evaluating", unit="image") as bar:
        for start in range(0, len(ids), batch_size):
            part = ids[start : start + batch_size]
            images, masks = zip(*map(folder.pair, part), strict=True)
            for id, mask, labels in zip(part, masks, predict_labels(model, images), strict=True):
                confusion += confusion_matrix(mask, labels, len(names))
                if on_prediction:
                    on_prediction(id, labels)
                bar.update()
    return summarise(confusion, names) | {"images": len(ids)}


def check_classes(model: keras.Model, folder: VOCFolder) -> None:
    """Raises a ValueError unless a folder was opened with the classes of a model."""
    names, known, layer = list(folder.classes), get_classes(model), class_layer(model)
    # If the model has no class names, only the number of classes is compared.
    if len(names) != model.output_shape[-1] or (known and names != list(known)):
        told = f" ({', '.join(known)})" if known else ""
        raise ValueError(
            f"model: has {model.output_shape[-1]} classes{told}, but "
            f"the folder was opened with {len(names)} ({', '.join(names)})"
        )
    if layer is not None and layer.members is not None:
        for name, group in folder.members:
            if set(group) != set(layer.members[name]):
                raise ValueError(
                    f"model: its class {name!r} is {', '.join(layer.members[name])}; in the "
                    f"folder it is {', '.join(group)}"
                )


def confusion_matrix(truth: ArrayLike, prediction: ArrayLike, num_classes: int) -> np.ndarray:
    """Counts pixels by true and predicted class; void in the truth is left out.

    Args:
        truth: (H, W) of class indices 0..C-1, and 255 for void.
        prediction: (H, W) of class indices 0..C-1.
        num_classes: C.

    Returns:
        (C, C) int64: entry [t, p] counts the pixels of class t that are predicted as p.

    Raises:
        ValueError: a label is not a class (void is allowed in the truth only), or the two label
            maps have different shapes.

    Examples:
        >>> from voc_seg import confusion_matrix
        >>> confusion_matrix([[0, 1, 255]], [[0, 0, 1]], num_classes=2).tolist()
        [[1, 0], [1, 0]]
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape or {truth.dtype.kind, prediction.dtype.kind} - set("biu"):
        raise ValueError(
            f"truth, prediction: found {truth.dtype} {truth.shape} and {prediction.dtype} "
            f"{prediction.shape}; expected integers of one shape"
        )
    valid = truth != VOID
    for name, labels in (("truth", truth[valid]), ("prediction", prediction[valid])):
        for label in (labels.min(), labels.max()) if labels.size else ():
            if not 0 <= label < num_classes:
                raise ValueError(f"{name}: found the label {label}, expected 0..{num_classes - 1}")
    pairs = truth[valid].astype(np.int64) * num_classes + prediction[valid]
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def iou_from_confusion(confusion: ArrayLike) -> np.ndarray:
    """Intersection over union by class: TP / (TP + FP + FN).

    Args:
        confusion: (C, C) counts, truth by row.

    Returns:
        (C,) float64, 0..1. A class absent from both truth and prediction has no IoU: it is NaN,
            and is left out of means. (A class that is predicted but absent has 0.)

    Examples:
        >>> from voc_seg import iou_from_confusion
        >>> iou_from_confusion([[3, 1], [0, 1]]).tolist()
        [0.75, 0.5]
    """
    counts = np.asarray(confusion, np.float64)
    hit = np.diag(counts)
    union = counts.sum(axis=0) + counts.sum(axis=1) - hit
    return np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0)


def summarise(confusion: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """The scores of a confusion matrix, as `evaluate` returns them."""
    iou = iou_from_confusion(confusion)
    pixels = confusion.sum()
    return {
        "classes": list(names),
        "iou": [None if np.isnan(value) else float(value) for value in iou],
        "mean_iou": float(np.nanmean(iou)) if pixels else None,
        "pixel_accuracy": float(np.trace(confusion) / pixels) if pixels else None,
        "confusion": confusion.tolist(),
    }


def format_table(result: dict[str, Any]) -> str:
    """Writes the result of an evaluation as a table.

    Args:
        result: the dictionary that `evaluate` returns.

    Returns:
        A string of several lines: IoU by class, mean IoU, pixel accuracy.

    Examples:
        >>> from voc_seg import format_table
        >>> result = {"classes": ["background", "cat"], "iou": [0.75, None]}
        >>> print(format_table({**result, "mean_iou": 0.75, "pixel_accuracy": 0.8}))
        class             IoU
        background      0.7500
        cat             absent
        mean IoU        0.7500  (without the 1 absent)
        pixel accuracy  0.8000
    """
    width = max(map(len, [*result["classes"], "pixel accuracy"]))
    absent = result["iou"].count(None)
    note = f"  (without the {absent} absent)" if absent else ""
    rows = [(name, iou, "") for name, iou in zip(result["classes"], result["iou"], strict=True)]
    rows += [("mean IoU", result["mean_iou"], note)]
    rows += [("pixel accuracy", result["pixel_accuracy"], "")]
    lines = [f"{'class':{width}}    IoU"]
    for name, value, note in rows:
        lines.append(f"{name:{width}}  " + ("absent" if value is None else f"{value:.4f}") + note)
    return "\n".join(lines)

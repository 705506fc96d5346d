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
from voc_seg.prediction import check_scales, predict_labels


def evaluate(
    model: keras.Model,
    folder: VOCFolder,
    split: str | Sequence[str] = "val",
    batch_size: int = 8,
    on_prediction: Callable[[str, np.ndarray], object] | None = None,
    flip: bool = False,
    scales: Sequence[float] = (1.0,),
) -> dict[str, Any]:
    """Evaluates a model on a split, each image at its original resolution.

    Args:
        model: a model (B, H, W, 3) -> (B, H, W, C).
        folder: a `VOCFolder`, opened with the model's classes.
        split: a split of the folder, or a list of image IDs.
        batch_size: the number of images to predict at a time.
        on_prediction: a function that is called with each image's ID and its (H, W) uint8 label
            map of class indices.
        flip: whether the model also sees the mirror images, see `predict_labels`.
        scales: the model sees the images at each of these multiples of its training size.

    Returns:
        A dictionary.

            - `classes`: the C names.
            - `iou`, `dice`, `precision`, `recall`: C numbers each, 0..1. IoU and Dice are None for
              a class absent from both truth and prediction, precision for a class that is never
              predicted, recall for one absent from the truth.
            - `mean_iou`, `mean_dice`, `mean_precision`, `mean_recall`: over the other classes.
            - `pixel_accuracy`: the share of pixels that are right; None if all are void.
            - `mean_image_dice`: the mean over the images of `2 |P and T| / (|P| + |T|)`, with the
              predicted and the true masks of all object classes stacked; 1 if both are empty.
            - `confusion`: the (C, C) counts of pixels as nested lists, truth by row.
            - `images`: the number of images.
            - `flip`, `scales`: as given.

    Raises:
        FileNotFoundError: there is no such split, or a file is missing.
        ValueError: the folder's classes are not the model's, a file is damaged, or the scales are
            not numbers above 0.

    Examples:
        >>> from voc_seg import build_unet, evaluate, open_folder, write_shapes
        >>> folder = open_folder(write_shapes("shapes", train=4, val=2))
        >>> result = evaluate(build_unet(num_classes=5, filters=2, depth=1), folder, "val")
        >>> result["images"], len(result["iou"])
        (2, 5)
    """
    check_whole("batch_size", batch_size)
    scales = check_scales(scales)
    if not hasattr(folder, "pair"):
        raise ValueError(f"folder: found {folder!r}, expected a VOCFolder, see open_folder")
    check_classes(model, folder)
    names = list(folder.classes)
    ids = folder.ids(split) if isinstance(split, str) else split
    if not len(ids):
        raise ValueError("split: found an empty list, expected image IDs")
    confusion = np.zeros((len(names), len(names)), np.int64)
    image_dice = []
    with tqdm(total=len(ids), desc="evaluating", unit="image") as bar:
        for start in range(0, len(ids), batch_size):
            part = ids[start : start + batch_size]
            images, masks = zip(*map(folder.pair, part), strict=True)
            predictions = predict_labels(model, images, flip=flip, scales=scales)
            for id, mask, labels in zip(part, masks, predictions, strict=True):
                counts = confusion_matrix(mask, labels, len(names))
                confusion += counts
                image_dice.append(object_dice(counts))
                if on_prediction:
                    on_prediction(id, labels)
                bar.update()
    result = summarise(confusion, names)
    result |= {"mean_image_dice": float(np.mean(image_dice)), "images": len(ids)}
    return result | {"flip": bool(flip), "scales": scales}


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
    hit = np.diag(confusion).astype(np.float64)  # (C,) true positives
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)  # (C,) each
    pixels = confusion.sum()
    scores = {
        "iou": iou_from_confusion(confusion),
        "dice": share(2 * hit, predicted + true),
        "precision": share(hit, predicted),
        "recall": share(hit, true),
    }
    result: dict[str, Any] = {"classes": list(names)}
    for name, values in scores.items():  # by class, then the mean over the classes that have one
        result[name] = [None if np.isnan(value) else float(value) for value in values]
        result[f"mean_{name}"] = float(np.nanmean(values)) if np.isfinite(values).any() else None
    result["pixel_accuracy"] = float(hit.sum() / pixels) if pixels else None
    result["confusion"] = confusion.tolist()
    return result


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and NaN where there is no whole."""
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def object_dice(confusion: np.ndarray) -> float:
    """The Dice score of one image over all its object classes together: 2 |P and T| / (|P| + |T|).

    P and T are the predicted and the true masks of all classes but the background, stacked. Void
    is left out, and an image without objects, where none are predicted, scores 1. This is the
    score of the course whose assignment the tutorials follow.
    """
    hit = np.diag(confusion)[1:].sum()
    total = confusion[:, 1:].sum() + confusion[1:].sum()
    return float(2 * hit / total) if total else 1.0


def format_table(result: dict[str, Any]) -> str:
    """Writes the result of an evaluation as a table.

    Args:
        result: the dictionary that `evaluate` returns.

    Returns:
        A string of several lines: IoU, Dice, precision and recall by class and in the mean, then
            pixel accuracy and the mean Dice of the images. A class without a score is "absent", or
            has "-".

    Examples:
        >>> from voc_seg import build_unet, evaluate, format_table, open_folder, write_shapes
        >>> folder = open_folder(write_shapes("shapes", train=4, val=2), classes="object")
        >>> model = build_unet(num_classes=2, filters=2, depth=1)
        >>> print(format_table(evaluate(model, folder)))
        class                IoU    Dice  precision  recall
        background        ...
        object            ...
        mean              ...
        pixel accuracy    ...
        mean image Dice   ...
    """
    columns = {"iou": "IoU", "dice": "Dice", "precision": "precision", "recall": "recall"}
    width = max(map(len, [*result["classes"], "mean image Dice"]))
    rows = [("class", [*columns.values()])]
    for i, name in enumerate(result["classes"]):
        rows.append((name, [decimal(result[column][i], column) for column in columns]))
    rows.append(("mean", [decimal(result[f"mean_{column}"], column) for column in columns]))
    lines = [f"{name:{width}}  {a:>6}  {b:>6}  {c:>9}  {d:>6}" for name, (a, b, c, d) in rows]
    if None in result["iou"]:
        lines.append("(absent: in neither truth nor prediction, so left out of the mean)")
    if None in [*result["precision"], *result["recall"]]:
        lines.append("(-: never predicted, so no precision; or not in the truth, so no recall)")
    for name, key in (("pixel accuracy", "pixel_accuracy"), ("mean image Dice", "mean_image_dice")):
        lines.append(f"{name:{width}}  {decimal(result[key]):>6}")
    return "\n".join(lines)


def decimal(value: float | None, column: str = "iou") -> str:
    """A score with four decimals; where there is none, the class is absent, or just "-"."""
    if value is None:
        return "absent" if column in ("iou", "dice") else "-"
    return f"{value:.4f}"

"""Judging a model: one confusion matrix over all pixels of a split, and what follows from it.

As the challenge does it (Everingham et al., IJCV 2010): at each image's own resolution, void left
out, IoU = TP / (TP + FP + FN) by class, from counts over the whole split and not image by image.
"""

import numpy as np
from tqdm import tqdm

from voc_seg.prediction import get_classes, predict_labels
from voc_seg.voc import VOID


def evaluate(model, folder, split="val", batch_size=8, on_prediction=None):
    """Evaluates a model on a split, each image at its original resolution.

    Args:
        model: a `keras.Model` (B, H, W, 3) -> (B, H, W, C).
        folder: a `VOCFolder` opened with the model's classes.
        split: a split of the folder, or a list of image IDs.
        batch_size: how many images to predict at once.
        on_prediction: a function that is called with each image's ID and its (H, W) uint8 label
            map of class indices.

    Returns:
        A dictionary: `classes`, the C names; `iou`, by class, None where the class is absent (see
            `iou_from_confusion`); `mean_iou`, over the others; `pixel_accuracy`; `confusion`, the
            (C, C) counts of pixels as nested lists, truth by row; `images`, how many.

    Raises:
        ValueError: the folder's classes are not the model's, or a file is broken.
    """
    names, known = list(folder.classes), get_classes(model)
    # A model that nobody has told its classes is taken at its size.
    if len(names) != model.output_shape[-1] or (known and names != list(known)):
        told = f" ({', '.join(known)})" if known else ""
        raise ValueError(
            f"model: tells {model.output_shape[-1]} classes apart{told}; "
            f"the folder was opened with {len(names)} ({', '.join(names)})"
        )
    ids = folder.ids(split) if isinstance(split, str) else split
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


def confusion_matrix(truth, prediction, num_classes):
    """Counts pixels by true and predicted class; void in the truth is left out.

    Args:
        truth: (H, W) of class indices 0..C-1, and 255 for void.
        prediction: (H, W) of class indices 0..C-1.
        num_classes: C.

    Returns:
        (C, C) int64: entry [t, p] counts the pixels of class t that are predicted as p.

    Raises:
        ValueError: a label is no class (void is allowed in the truth only), or the two label maps
            are not of one shape.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape or {truth.dtype.kind, prediction.dtype.kind} - set("biu"):
        raise ValueError(
            f"truth is {truth.dtype} {truth.shape}, prediction {prediction.dtype} "
            f"{prediction.shape}; expected integers of one shape"
        )
    valid = truth != VOID
    for name, labels in (("truth", truth[valid]), ("prediction", prediction[valid])):
        for label in (labels.min(), labels.max()) if labels.size else ():
            if not 0 <= label < num_classes:
                raise ValueError(f"{name}: holds the label {label}, expected 0..{num_classes - 1}")
    pairs = truth[valid].astype(np.int64) * num_classes + prediction[valid]
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def iou_from_confusion(confusion):
    """Intersection over union by class: TP / (TP + FP + FN).

    Args:
        confusion: (C, C) counts, truth by row.

    Returns:
        (C,) float64, 0..1. A class that is absent, in the truth as in the prediction, has none:
            it is NaN, and belongs in no mean. (One that is predicted, but not there, has 0.)
    """
    confusion = np.asarray(confusion, np.float64)
    hit = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hit
    return np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0)


def summarise(confusion, names):
    """What a confusion matrix says, as `evaluate` returns it (without the number of images)."""
    iou = iou_from_confusion(confusion)
    pixels = confusion.sum()
    return {
        "classes": list(names),
        "iou": [None if np.isnan(value) else float(value) for value in iou],
        "mean_iou": float(np.nanmean(iou)) if pixels else None,
        "pixel_accuracy": float(np.trace(confusion) / pixels) if pixels else None,
        "confusion": confusion.tolist(),
    }


def format_table(result):
    """Writes the result of an evaluation as a table.

    Args:
        result: the dictionary that `evaluate` returns.

    Returns:
        A string of several lines: IoU by class, mean IoU, pixel accuracy.
    """
    width = max(map(len, [*result["classes"], "pixel accuracy"]))
    rows = [f"{'class':{width}}    IoU"]
    for name, iou in zip(result["classes"], result["iou"], strict=True):
        rows.append(f"{name:{width}}  " + ("absent" if iou is None else f"{iou:.4f}"))
    absent = result["iou"].count(None)
    note = f"  (without the {absent} absent)" if absent else ""
    for label, key in (("mean IoU", "mean_iou"), ("pixel accuracy", "pixel_accuracy")):
        value = result[key]
        text = "absent" if value is None else f"{value:.4f}"
        rows.append(f"{label:{width}}  {text}" + (note if key == "mean_iou" else ""))
    return "\n".join(rows)

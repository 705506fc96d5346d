"""The check of `iou_with_void`: against the confusion matrix of the library."""

import numpy as np

from voc_seg import confusion_matrix, iou_from_confusion


def expected(truth, prediction, num_classes):
    return iou_from_confusion(confusion_matrix(truth, prediction, num_classes))


def view(answer):
    return np.array(list(answer), dtype=float)  # None becomes NaN


def void_in_union(truth, prediction, num_classes):
    return ratios(truth, prediction, num_classes, lambda t, p: np.sum(t | p))


def void_as_background(truth, prediction, num_classes):
    return expected(np.where(truth == 255, 0, truth), prediction, num_classes)


def recall(truth, prediction, num_classes):
    return ratios(*judged(truth, prediction), num_classes, lambda t, p: np.sum(t))


def dice(truth, prediction, num_classes):
    sums = sum_in_place_of_union(truth, prediction, num_classes)
    return [2 * value for value in sums]


def absent_in_truth(truth, prediction, num_classes):
    iou = expected(truth, prediction, num_classes)
    there = [np.any(truth == c) for c in range(num_classes)]
    return np.where(there, iou, np.nan)


def sum_in_place_of_union(truth, prediction, num_classes):
    return ratios(*judged(truth, prediction), num_classes, lambda t, p: np.sum(t) + np.sum(p))


def absent_as_zero(truth, prediction, num_classes):
    return np.nan_to_num(expected(truth, prediction, num_classes))


def absent_as_one(truth, prediction, num_classes):
    return np.nan_to_num(expected(truth, prediction, num_classes), nan=1)


def judged(truth, prediction):
    return truth[truth != 255], prediction[truth != 255]


def ratios(truth, prediction, num_classes, below):
    """Hits by class, over what `below(truth == c, prediction == c)` says."""
    values = []
    for c in range(num_classes):
        t, p = truth == c, prediction == c
        values.append(np.sum(t & p) / below(t, p) if below(t, p) else np.nan)
    return values


TRUTH = np.array([[0, 0, 0, 0], [0, 1, 1, 1]])
PREDICTION = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
CASES = [
    (
        "truth [[0, 0, 0, 0], [0, 1, 1, 1]], prediction [[0, 0, 1, 1], [0, 0, 1, 1]], two "
        "classes, no void",
        (TRUTH, PREDICTION, 2),
        "Count for class 1 by hand: how many pixels have a 1 in both maps, how many in at least "
        "one of them?",
    ),
    (
        "the same with a column of void, on which the prediction is 1 above and 0 below",
        (
            np.hstack([TRUTH, [[255], [255]]]),
            np.hstack([PREDICTION, [[1], [0]]]),
            2,
        ),
        "The scored pixels are those of the case before, and so are the right numbers. Which "
        "pixels of the last column does your function count?",
    ),
    (
        "the first case with four classes: class 2 is nowhere, class 3 nowhere either",
        (TRUTH, PREDICTION, 4),
        "What does your function return for a class whose union has no pixel? Catch the division "
        "of zero by zero before it happens.",
    ),
    (
        "truth [[0, 0], [0, 255]], prediction [[0, 2], [0, 1]]: class 2 is predicted and not "
        "there, class 1 is predicted on void only",
        (np.array([[0, 0], [0, 255]]), np.array([[0, 2], [0, 1]]), 3),
        "A class that is predicted and not there has a union of at least one pixel, and no hit. "
        "A class that is predicted on void only is nowhere.",
    ),
]
MISTAKES = [
    (
        void_in_union,
        "Void in the union: predictions on pixels of void count as false positives. Void pixels "
        "have to be gone from both maps before anything is counted.",
    ),
    (
        void_as_background,
        "Void became background: an object that is predicted there counts as an error, and a "
        "background as a hit. Void is not a class.",
    ),
    (
        dice,
        "This is the Dice score, twice the hits over the sum of both areas: another measure, which "
        "is never smaller. IoU divides the hits by the union.",
    ),
    (
        absent_in_truth,
        "Absent judged by the truth alone: a class that is predicted and not there is an error, "
        "and has the IoU 0. Only one that is in neither map has none.",
    ),
    (
        recall,
        "Divided by the pixels of the truth: this is recall. A prediction that paints a class over "
        "the whole image would get 1. Also count the pixels that were predicted and are wrong.",
    ),
    (
        sum_in_place_of_union,
        "Divided by the sum of both areas: the pixels in both are counted twice. A perfect "
        "prediction gets 1/2 by this formula.",
    ),
    (
        absent_as_zero,
        "Absent counted as 0: a class that is in neither map was not missed. It has no IoU, and "
        "must not pull a mean down.",
    ),
    (
        absent_as_one,
        "Absent counted as 1: a class that is in neither map was not found. It has no IoU, and "
        "must not push a mean up.",
    ),
]
READ = "IoU by hand"
GOOD_FOR = (
    "You can now ask of any published IoU how it treats void and absent classes; "
    "`iou_from_confusion` gives an absent class NaN, as you did."
)

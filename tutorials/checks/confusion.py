"""The check of `confusion`: against a count pixel by pixel."""

import numpy as np


def expected(truth, prediction, num_classes):
    counts = np.zeros((num_classes, num_classes), int)
    for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if t != 255:
            counts[t, p] += 1
    return counts


def prediction_by_row(truth, prediction, num_classes):
    return expected(truth, prediction, num_classes).T


def void_as_background(truth, prediction, num_classes):
    return expected(np.where(truth == 255, 0, truth), prediction, num_classes)


def too_few_bits(truth, prediction, num_classes):
    judged = truth != 255
    pairs = truth[judged] * num_classes + prediction[judged]  # uint8 begins again after 255
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def shares(truth, prediction, num_classes):
    counts = expected(truth, prediction, num_classes)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


CASES = [
    (
        "truth [[0, 0, 0, 2], [1, 1, 2, 2]], prediction [[0, 0, 1, 2], [1, 2, 0, 2]], three "
        "classes",
        (np.array([[0, 0, 0, 2], [1, 1, 2, 2]]), np.array([[0, 0, 1, 2], [1, 2, 0, 2]]), 3),
        "The first row of the answer belongs to the three pixels whose truth is 0: two of them are "
        "predicted as 0, one as 1, none as 2. (`np.bincount` takes one axis only: `ravel` the "
        "maps.)",
    ),
    (
        "the same with two pixels of void",
        (
            np.array([[0, 0, 0, 2, 255], [1, 1, 2, 2, 255]]),
            np.array([[0, 0, 1, 2, 0], [1, 2, 0, 2, 1]]),
            3,
        ),
        "The pair of void and p would have the number 255 * C + p, far beyond the table. Take "
        "the pixels of void out of both maps first; a boolean array as index does it.",
    ),
    (
        "truth [[0, 0, 1]], prediction [[0, 1, 0]], three classes: the last one does not occur",
        (np.array([[0, 0, 1]]), np.array([[0, 1, 0]]), 3),
        "`numpy.bincount` stops at the largest number that occurs, unless its argument "
        "`minlength` says how many counts it has to give.",
    ),
    (
        "two maps of 20 x 20 pixels, all of class 0",
        (np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8), 2),
        "Of which type are your counts? One byte ends at 255.",
    ),
    (
        "uint8 maps of 21 classes, as masks of PASCAL VOC are read",
        (
            np.array([[0, 8, 12, 255], [13, 20, 15, 20]], np.uint8),
            np.array([[0, 12, 12, 0], [13, 20, 20, 15]], np.uint8),
            21,
        ),
        "The largest pair has the number 20 * 21 + 20 = 440. Which dtype do your numbers have?",
    ),
]
MISTAKES = [
    (
        prediction_by_row,
        "Prediction by row: your answer is the transpose of what was asked for. The row is the "
        "factor that is multiplied by C.",
    ),
    (
        void_as_background,
        "Void counted as background: the first row holds pixels whose truth nobody knows.",
    ),
    (
        too_few_bits,
        "Too few bits: a uint8 array times 21 is a uint8 array, which starts again at 0 after 255. "
        "Change the dtype before you multiply.",
    ),
    (
        shares,
        "Shares instead of counts: you divided each row by its sum. You can add up only counts "
        "over images.",
    ),
]
READ = "One count over the whole split"
GOOD_FOR = (
    "`confusion_matrix` numbers the pairs in the same way, and everything that `evaluate` prints "
    "is computed from this one table."
)

"""The check of `sampling_weights`: by counting each pixel's class one pixel at a time."""

from collections import Counter

import numpy as np

VOID = 255


def expected(mask):
    counts = Counter(label for label in mask.ravel().tolist() if label != VOID)
    return np.reshape(
        [
            1 / (len(counts) * counts[label]) if label != VOID else 0
            for label in mask.ravel().tolist()
        ],
        mask.shape,
    )


def same_for_every_pixel(mask):
    return (mask != VOID) / (mask != VOID).sum()


def not_a_distribution(mask):
    return expected(mask) * len(set(mask.ravel().tolist()) - {VOID})


def same_for_every_class(mask):
    return (mask != VOID) / len(set(mask.ravel().tolist()) - {VOID})


def void_as_class(mask):
    labels, place, counts = np.unique(mask, return_inverse=True, return_counts=True)
    return 1 / (len(labels) * counts)[place.reshape(mask.shape)]


def void_counted(mask):
    """Void gets nothing, but its share is missing in the sum."""
    return np.where(mask == VOID, 0, void_as_class(mask))


def absent_counted(mask):
    weights = expected(mask)
    present = set(mask.ravel().tolist()) - {VOID}
    return weights * len(present) / (max(present) + 1)


def frequent_preferred(mask):
    counts = Counter(label for label in mask.ravel().tolist() if label != VOID)
    weights = np.array([counts.get(label, 0) for label in mask.ravel().tolist()], float)
    return (weights / weights.sum()).reshape(mask.shape)


def whole_numbers(mask):
    """In an array of the mask's type every fraction becomes 0."""
    return expected(mask).astype(mask.dtype)


def arguments(rows):
    return lambda: (np.array(rows, np.uint8),)


CASES = [
    (
        "three pixels of class 0, one of class 1: [[0, 0, 0, 1]]",
        arguments([[0, 0, 0, 1]]),
        "Two classes: each gets 1/2, to be divided among its pixels. The sum of all is 1.",
    ),
    (
        "with void: [[0, 0, 0, 255], [1, 255, 0, 0]]",
        arguments([[0, 0, 0, 255], [1, 255, 0, 0]]),
        "Void is not a class: it gets 0, and is left out when the classes are counted.",
    ),
    (
        "classes 0, 3 and 7, the others do not occur: [[0, 0, 0, 0], [3, 3, 7, 255]]",
        arguments([[0, 0, 0, 0], [3, 3, 7, 255]]),
        "Three classes occur, whatever their numbers are: each gets 1/3.",
    ),
    (
        "a single class: [[4, 4], [255, 4]]",
        arguments([[4, 4], [255, 4]]),
        "Background need not occur. One class gets everything.",
    ),
]
MISTAKES = [
    (
        same_for_every_pixel,
        "Every pixel got the same probability: that is drawing blindly, and the frequent class "
        "is drawn most. What is to be equal is the sum over each class.",
    ),
    (
        not_a_distribution,
        "The weights add up to 1 in each class, so to the number of classes in all. Probabilities "
        "add up to 1 over the whole mask.",
    ),
    (
        same_for_every_class,
        "A class's probability was given to each of its pixels. The pixels of a class have to "
        "share it.",
    ),
    (
        void_as_class,
        "Void is drawn as if it were a class. These pixels have no label: they get 0.",
    ),
    (
        void_counted,
        "Void gets nothing, but it is counted as a class, so the sum stays below 1.",
    ),
    (
        absent_counted,
        "Classes that do not occur are counted: their share is lost, and the sum stays below 1.",
    ),
    (
        whole_numbers,
        "All zeros: your array holds whole numbers, and there every fraction becomes 0. "
        "`np.zeros_like(mask)` takes over the mask's type, uint8; `np.zeros(mask.shape)` does not.",
    ),
    (
        frequent_preferred,
        "Upside down: pixels of the frequent class got more. The more pixels a class has, the "
        "less each of them gets.",
    ),
]
READ = "Which windows to learn from"
GOOD_FOR = (
    "`WindowDataset` draws its pixels for the same reason: it chooses a class first, so a rare "
    "class is learned from as often as the background."
)

"""The check of `pixel_weights`: class by class, from the definition."""

import numpy as np

VOID = 255


def expected(masks):
    labelled = masks[masks != VOID]
    classes = set(labelled.tolist())
    return weigh(masks, lambda c: len(labelled) / (len(classes) * np.sum(masks == c)))


def weigh(masks, weight_of_class, void=0.0):
    """An array of the shape of the masks, from a function of the class."""
    weights = np.full(masks.shape, void)
    for c in set(masks[masks != VOID].tolist()):
        weights[masks == c] = weight_of_class(c)
    return weights


def frequency(masks):
    labelled = np.sum(masks != VOID)
    return weigh(masks, lambda c: np.sum(masks == c) / labelled)


def not_scaled(masks):
    return expected(masks) * len(set(masks[masks != VOID].tolist()))


def inverse_count(masks):
    return weigh(masks, lambda c: 1 / np.sum(masks == c))


def void_in_the_total(masks):
    return expected(masks) * masks.size / np.sum(masks != VOID)


def void_as_a_class(masks):
    classes = set(masks.ravel().tolist())
    weights = weigh(masks, lambda c: masks.size / (len(classes) * np.sum(masks == c)))
    weights[masks == VOID] = masks.size / (len(classes) * max(np.sum(masks == VOID), 1))
    return weights


def void_weighs_one(masks):
    return np.where(masks == VOID, 1.0, expected(masks))


def up_to_the_largest(masks):
    labelled = masks[masks != VOID]
    return expected(masks) * len(set(labelled.tolist())) / (labelled.max() + 1)


def whole_numbers(masks):
    return expected(masks).astype(masks.dtype)


def each_mask_alone(masks):
    return np.stack([expected(mask) for mask in masks])


CASES = [
    (
        "one mask without void, [[0, 0, 0, 1]]",
        (np.array([[[0, 0, 0, 1]]]),),
        "N is 4, K is 2, and n is 3 for class 0 and 1 for class 1. Multiplied by how many pixels "
        "there are, both weights give the same.",
    ),
    (
        "one mask with void, [[0, 0, 0, 1], [1, 255, 2, 2]]",
        (np.array([[[0, 0, 0, 1], [1, 255, 2, 2]]]),),
        "N is 7: void is not counted. K is 3: void is not a class. A void pixel weighs 0.",
    ),
    (
        "classes with a gap, [[0, 0, 3, 255], [0, 0, 3, 3]]",
        (np.array([[[0, 0, 3, 255], [0, 0, 3, 3]]]),),
        "Only 0 and 3 occur, so K is 2. A class without pixels must not lead to a division by "
        "zero.",
    ),
    (
        "a weight that looks like a class: [[0, 1, 1], [1, 2, 2]]",
        (np.array([[[0, 1, 1], [1, 2, 2]]]),),
        "The weight of class 0 is 2 here. Do you write the weights over the masks, and then look "
        "for class 2? Write them into another array.",
    ),
    (
        "two masks, [[0, 0], [0, 1]] and [[0, 255], [2, 2]]",
        (np.array([[[0, 0], [0, 1]], [[0, 255], [2, 2]]]),),
        "Count over all masks together: N is 7, K is 3.",
    ),
    (
        "a batch of 8 masks of 40 x 40 pixels with unsigned bytes",
        lambda: (
            np.random.default_rng(0).choice(
                np.array([0, 1, 2, VOID], np.uint8), (8, 40, 40), p=(0.85, 0.07, 0.03, 0.05)
            ),
        ),
        "The small cases are right, and this one is not: do your counts fit their type? A uint8 "
        "starts again at 0 after 255.",
    ),
]
MISTAKES = [
    (
        whole_numbers,
        "Fractions cut off: `np.zeros_like(masks)` makes whole numbers, like those of the masks. "
        "Make yours with `np.zeros(masks.shape)`.",
    ),
    (
        frequency,
        "Frequencies, not their inverse: your frequent class has the large weight. It is the rare "
        "one that should have it.",
    ),
    (
        not_scaled,
        "K is missing: your weights are N / n, and the larger the number of classes, the larger "
        "the loss. What is the mean of your weights, and what should it be?",
    ),
    (
        inverse_count,
        "Only 1 / n: the ratio of the weights is right, their size is not; it would shrink with "
        "every image more. What is the mean of your weights, and what should it be?",
    ),
    (
        void_in_the_total,
        "Void in N: void weighs 0, which is right, but it is still counted among the N pixels, so "
        "that all weights are too large.",
    ),
    (
        void_as_a_class,
        "Void as a class: 255 has a weight like any other class. It is not to be learned: its "
        "weight is 0, and it belongs neither in N nor in K.",
    ),
    (
        void_weighs_one,
        "Void weighs 1: the classes are right. What is not to be learned has to weigh 0.",
    ),
    (
        up_to_the_largest,
        "K too large: you count all classes up to the largest index, also those that do not occur.",
    ),
    (
        each_mask_alone,
        "Mask by mask: you count in each mask alone, so the same class has different weights "
        "in two images of a batch. Count over all of them.",
    ),
]
READ = "Class weights"
GOOD_FOR = (
    "Give it to `fit` as `sample_weight`; `class_weights` and `WeightedCrossEntropy` do it inside "
    "the loss, with a square root, because full balance is usually too much."
)

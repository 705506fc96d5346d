"""The check of `class_shares`: against the heap of pixels itself."""

import numpy as np

VOID = 255


def expected(masks, num_classes):
    pixels = np.concatenate([mask[mask != VOID] for mask in masks])
    return np.array([np.mean(pixels == c) for c in range(num_classes)])


def void_in_the_total(masks, num_classes):
    pixels = np.concatenate([mask.ravel() for mask in masks])
    return np.array([np.mean(pixels == c) for c in range(num_classes)])


def void_as_background(masks, num_classes):
    return expected([np.where(mask == VOID, 0, mask) for mask in masks], num_classes)


def mean_over_masks(masks, num_classes):
    return np.mean([expected([mask], num_classes) for mask in masks], axis=0)


def share_of_masks(masks, num_classes):
    return np.array([np.mean([c in mask for mask in masks]) for c in range(num_classes)])


def mask_of(*rows):
    return np.array(rows, np.uint8)


CASES = [
    (
        "one mask without void, [[0, 0, 0, 1], [0, 0, 2, 2]], 3 classes",
        ([mask_of([0, 0, 0, 1], [0, 0, 2, 2])], 3),
        "Count the pixels of each class (`np.bincount` does it for whole numbers in one "
        "dimension), and divide by how many there are.",
    ),
    (
        "one mask with void, [[0, 0, 255, 1], [0, 255, 1, 1]], 2 classes",
        ([mask_of([0, 0, 255, 1], [0, 255, 1, 1])], 2),
        "Six of the eight pixels have a label. The shares have to add up to 1. If shapes do not "
        "fit: `np.bincount` counts up to the largest number, so a mask with 255 gives 256 counts. "
        "Take void out first.",
    ),
    (
        "4 classes, of which the mask [[0, 1, 1, 255]] shows two",
        ([mask_of([0, 1, 1, 255])], 4),
        "There have to be as many numbers as classes: one that does not occur has the share 0.",
    ),
    (
        "a mask of 2 x 2 and one of 4 x 4 pixels, 3 classes",
        ([mask_of([1, 1], [1, 255]), np.eye(4, dtype=np.uint8) * 2], 3),
        "Add up the counts of all masks first; divide once, at the end. The masks differ in size, "
        "so they cannot be stacked.",
    ),
    (
        "200 masks of 40 x 40 pixels, most of them background, 3 classes",
        lambda: (
            list(
                np.random.default_rng(0).choice(
                    np.array([0, 1, 2, VOID], np.uint8), (200, 40, 40), p=(0.85, 0.05, 0.05, 0.05)
                )
            ),
            3,
        ),
        "The small cases are right, and this large one is not: do your counts fit their type? A "
        "uint8 starts again at 0 after 255.",
    ),
]
MISTAKES = [
    (
        share_of_masks,
        "Shares of masks: this is in how many masks a class occurs. We asked how many pixels it "
        "has.",
    ),
    (
        void_in_the_total,
        "Void in the total: the shares do not add up to 1, because you divide by all pixels. Which "
        "of them have a label?",
    ),
    (
        void_as_background,
        "Void as background: class 0 has too large a share. 255 isn't a class: leave these "
        "pixels out of the numerator and of the denominator.",
    ),
    (
        mean_over_masks,
        "Mean over masks: you compute the shares mask by mask and take their mean, so a pixel of "
        "a small mask counts for more than one of a large mask.",
    ),
]
READ = "Imbalance"
GOOD_FOR = (
    "The largest share is the accuracy of an answer that finds nothing, so you know what a model "
    "has to beat, and `class_weights` in chapter 7 begins with the same counts."
)

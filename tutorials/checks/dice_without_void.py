"""The check of `dice_without_void`: against the loss of the library."""

import numpy as np

VOID = 255


def expected(probabilities, masks):
    from voc_seg import cross_entropy, cross_entropy_and_dice

    both = np.mean(cross_entropy_and_dice(masks, probabilities.astype("float32")))
    return float(both - np.mean(cross_entropy(masks, probabilities.astype("float32"))))


def parts(probabilities, masks, void=0.0):
    """Overlap, predicted area and true area by class; void pixels count `void` in the "
    "prediction."""
    valid = masks != VOID
    truth = np.eye(256)[masks][..., : probabilities.shape[-1]] * valid[..., None]
    p = probabilities * np.where(valid, 1.0, void)[..., None]
    return [a.sum(axis=(0, 1, 2)) for a in (truth * probabilities, p, truth)]


def score(probabilities, masks):
    return 1 - expected(probabilities, masks)


def void_predicted(probabilities, masks):
    overlap, predicted, true = parts(probabilities, masks, void=1.0)
    return 1 - np.mean((2 * overlap / (predicted + true))[true > 0])


def void_as_background(probabilities, masks):
    return expected(probabilities, np.where(masks == VOID, 0, masks))


def absent_counted(probabilities, masks):
    overlap, predicted, true = parts(probabilities, masks)
    return 1 - np.mean(2 * overlap / (predicted + true))


def without_two(probabilities, masks):
    overlap, predicted, true = parts(probabilities, masks)
    return 1 - np.mean((overlap / (predicted + true))[true > 0])


def iou_loss(probabilities, masks):
    overlap, predicted, true = parts(probabilities, masks)
    return 1 - np.mean((overlap / (predicted + true - overlap))[true > 0])


def one_heap(probabilities, masks):
    overlap, predicted, true = parts(probabilities, masks)
    return 1 - 2 * overlap.sum() / (predicted.sum() + true.sum())


def without_background(probabilities, masks):
    overlap, predicted, true = parts(probabilities, masks)
    return 1 - np.mean((2 * overlap / (predicted + true))[1:][true[1:] > 0])


def by_labels(probabilities, masks):
    return expected(np.eye(probabilities.shape[-1])[probabilities.argmax(axis=-1)], masks)


def mean_of_images(probabilities, masks):
    pairs = zip(probabilities, masks, strict=True)
    return np.mean([expected(p[None], mask[None]) for p, mask in pairs])


def batch(masks, num_classes):
    """Random probabilities for the given masks: (probabilities, masks)."""
    masks = np.array(masks)
    p = np.random.default_rng(1).uniform(0.1, 1, (*masks.shape, num_classes))
    return p / p.sum(axis=-1, keepdims=True), masks


CASES = [
    (
        "one image of 1 x 3 pixels, [[0, 1, 1]], with the probabilities (0.9, 0.1), (0.3, 0.7) and "
        "(0.9, 0.1)",
        (np.array([[[[0.9, 0.1], [0.3, 0.7], [0.9, 0.1]]]]), np.array([[[0, 1, 1]]])),
        "By hand for class 0: I = 0.9, P = 0.9 + 0.3 + 0.9 = 2.1, T = 1. For class 1: I = 0.7 + "
        "0.1, P = 0.9, T = 2.",
    ),
    (
        "one image of 2 x 3 pixels, 3 classes, two of the pixels void",
        lambda: batch([[[0, 2, 255], [1, 255, 0]]], 3),
        "Choose the labelled pixels with `masks != 255` before you compute any sum: void belongs "
        "in none of them.",
    ),
    (
        "the same with a fourth class that no pixel shows",
        lambda: batch([[[0, 2, 255], [1, 255, 0]]], 4),
        "Class 3 has T = 0, so it has nothing to find. Take the mean over the other three.",
    ),
    (
        "two images, one of them nearly all void",
        lambda: batch([[[0, 1, 2], [1, 1, 0]], [[255, 255, 2], [255, 255, 255]]], 3),
        "The batch is one heap of pixels, here seven with a label. It does not matter which image "
        "they are from.",
    ),
]
MISTAKES = [
    (score, "That is the score. The loss is one minus the score, so it falls when Dice rises."),
    (
        void_predicted,
        "Void in the prediction: it adds nothing to I and T, but its probabilities are still in P. "
        "The model would learn from pixels that nobody labelled.",
    ),
    (
        void_as_background,
        "Void as background: the void pixels count as class 0. They have no class.",
    ),
    (
        absent_counted,
        "An absent class is in your mean: it has no overlap to gain, so it always adds a loss of "
        "1. Leave it out.",
    ),
    (
        without_two,
        "The factor 2 is missing: a perfect prediction has P = T = I, and its score must be 1.",
    ),
    (
        iou_loss,
        "That is the IoU, I / (P + T - I). Dice is 2 I / (P + T).",
    ),
    (
        one_heap,
        "All classes in one sum: the frequent classes then dominate. Compute Dice class by class, "
        "then take the mean.",
    ),
    (
        without_background,
        "The background is missing: class 0 is a class like any other in this mean.",
    ),
    (
        by_labels,
        "You take the largest probability first. Labels have no gradient, so a loss needs the "
        "probabilities themselves.",
    ),
    (
        mean_of_images,
        "Image by image: you take the mean of the images' losses. Add up the pixels of the whole "
        "batch first.",
    ),
]
READ = "Dice"
GOOD_FOR = (
    "`cross_entropy_and_dice` adds this to the cross-entropy: each class counts the same, so a "
    "small one is not forgotten."
)

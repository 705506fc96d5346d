"""The check of `mean_loss_without_void`: against the loss of Keras."""

import numpy as np

VOID = 255


def expected(probabilities, masks):
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=VOID)
    return float(loss(masks, probabilities))


def losses(probabilities, masks):
    """The loss of each pixel, void taken for background: (B, H, W)."""
    classes = np.where(masks == VOID, 0, masks)
    return -np.log(np.take_along_axis(probabilities, classes[..., None], axis=-1))[..., 0]


def divided_by_all(probabilities, masks):
    return np.mean(np.where(masks == VOID, 0, losses(probabilities, masks)))


def void_as_background(probabilities, masks):
    return np.mean(losses(probabilities, masks))


def mean_of_images(probabilities, masks):
    pairs = zip(losses(probabilities, masks), masks, strict=True)
    return np.mean([loss[mask != VOID].mean() for loss, mask in pairs])


def without_minus(probabilities, masks):
    return -expected(probabilities, masks)


def log_of_the_mean(probabilities, masks):
    return -np.log(np.mean(np.exp(-losses(probabilities, masks)[masks != VOID])))


def sum_of_losses(probabilities, masks):
    return np.sum(losses(probabilities, masks)[masks != VOID])


def binary(probabilities, masks):
    truth = np.eye(256)[masks][..., : probabilities.shape[-1]]
    terms = truth * np.log(probabilities) + (1 - truth) * np.log(1 - probabilities)
    return -terms.sum(axis=-1)[masks != VOID].mean()


def base_two(probabilities, masks):
    return expected(probabilities, masks) / np.log(2)


def batch(masks, num_classes):
    """Random probabilities for the given masks: (probabilities, masks)."""
    masks = np.array(masks)
    p = np.random.default_rng(0).uniform(0.1, 1, (*masks.shape, num_classes))
    return p / p.sum(axis=-1, keepdims=True), masks


CASES = [
    (
        "one image of 1 x 3 pixels, [[0, 1, 1]], with the probabilities (0.8, 0.2), (0.7, 0.3) and "
        "(0.4, 0.6)",
        (np.array([[[[0.8, 0.2], [0.7, 0.3], [0.4, 0.6]]]]), np.array([[[0, 1, 1]]])),
        "Pick for each pixel the probability of its own class, here 0.8, 0.3 and 0.6. Take the "
        "logarithm of each, change the sign, and only then take the mean.",
    ),
    (
        "one image of 2 x 3 pixels, 3 classes, two of the pixels void",
        lambda: batch([[[0, 2, 255], [1, 255, 0]]], 3),
        "Four pixels have a label. 255 is not a class index: choose the labelled pixels, with "
        "`masks != 255`, before you pick probabilities by class.",
    ),
    (
        "two images, one of them nearly all void",
        lambda: batch([[[0, 1, 2], [1, 1, 0]], [[255, 255, 2], [255, 255, 255]]], 3),
        "The batch is one heap of pixels, here seven with a label. It does not matter which image "
        "they are from.",
    ),
]
MISTAKES = [
    (
        divided_by_all,
        "Divided by all pixels: void adds nothing to your sum, but it is still counted in the "
        "number by which you divide.",
    ),
    (
        void_as_background,
        "Void as background: the void pixels are in the sum, as if their class were 0. They have "
        "no class.",
    ),
    (
        mean_of_images,
        "Mean of means: you take the mean image by image first. A pixel of an image with much void "
        "then counts for more than others.",
    ),
    (
        without_minus,
        "The sign: logarithms of probabilities are negative. The loss is minus the logarithm.",
    ),
    (
        log_of_the_mean,
        "Logarithm of the mean: you take the mean of the probabilities first. The mean is over the "
        "losses.",
    ),
    (sum_of_losses, "A sum: divide it by the number of pixels that have a label."),
    (
        binary,
        "Binary cross-entropy: you also add log(1 - p) for the classes that are not the true one. "
        "With a softmax only the true class counts.",
    ),
    (base_two, "Base 2: `np.log2` measures in bits. Losses use the natural logarithm, `np.log`."),
]
READ = "The loss is a mean over pixels"
GOOD_FOR = (
    "`cross_entropy`, the library's default loss, is this number, and it is the one that `fit` "
    "prints after each epoch."
)

"""The check of `sigmoid_as_softmax`: against logarithms of the sigmoid."""

import numpy as np

ATOL = 1e-30  # a tiny probability counts: the loss takes its logarithm


def expected(z):
    # log(1 / (1 + e^-z)) = -log(e^0 + e^-z), which NumPy computes without overflow
    return np.exp(-np.stack([np.logaddexp(0, z), np.logaddexp(0, -z)], axis=-1))


def object_first(z):
    return expected(z)[..., ::-1]


def minus_z_and_z(z):
    return expected(2 * z)


def one_and_z(z):
    return expected(z - 1)


def sum_over_everything(z):
    powers = np.exp(np.stack([np.zeros_like(z), z], axis=-1))
    return powers / powers.sum()


def axis_in_front(z):
    return np.moveaxis(expected(z), -1, 0)


def overflow(z):
    with np.errstate(all="ignore"):
        powers = np.exp(np.stack([np.zeros_like(z), z], axis=-1))
        return powers / powers.sum(axis=-1, keepdims=True)


def clipped(z):
    return expected(np.clip(z, -30, 30))


def one_minus(z):
    p = np.exp(-np.logaddexp(0, -z))
    return np.stack([1 - p, p], axis=-1)


CASES = [
    (
        "one logit, z = [2.0]",
        (np.array([2.0]),),
        "Put a 0 next to z, exponentiate both, and divide by the sum of the two. The answer has "
        "the shape (1, 2).",
    ),
    (
        "three logits, z = [-1.0, 0.5, 3.0]",
        (np.array([-1.0, 0.5, 3.0]),),
        "Each pixel has a softmax of its own: the two numbers of each row have to add up to 1.",
    ),
    (
        "a map of 2 x 3 logits",
        (np.array([[-4.0, -2.0, 0.0], [1.0, 2.5, 5.0]]),),
        "The new axis comes last, as the classes do in the probabilities of our models: (2, 3, 2). "
        "`np.stack` has an argument for it.",
    ),
    (
        "sure logits, z = [-40.0, 40.0]",
        (np.array([-40.0, 40.0]),),
        "The smaller probability is e^-40, and has to be so to a few digits: the loss takes its "
        "logarithm. Exponentiate what is left after subtracting the larger of the two logits.",
    ),
    (
        "very sure logits, z = [-1000.0, 1000.0]",
        (np.array([-1000.0, 1000.0]),),
        "e^1000 is more than a floating-point number can hold. Subtract the larger one of a "
        "pixel's two logits from both, before you exponentiate (a maximum over the last axis, with "
        "`keepdims`; one for all pixels would not do).",
    ),
]
MISTAKES = [
    (
        object_first,
        "Object first: the numbers are right, their order is not. Class 0 is the background.",
    ),
    (
        minus_z_and_z,
        "Logits -z and z: their difference is 2 z, so you computed the sigmoid of 2 z. Which "
        "logit has the background?",
    ),
    (
        one_and_z,
        "Logits 1 and z: e^0 is 1, and you exponentiated this 1 once more. The background's logit "
        "is 0.",
    ),
    (
        sum_over_everything,
        "One sum for all pixels: you divide by the sum of all exponentials. Each pixel is divided "
        "by the sum of its own two; `sum` has the arguments `axis` and `keepdims`.",
    ),
    (
        axis_in_front,
        "Classes in front: the numbers are right, but the new axis is the first one. It has to be "
        "the last.",
    ),
    (
        overflow,
        "Overflow: right for small logits, but the exponential of 1000 is infinite, and infinity "
        "divided by infinity gives nan. What may be subtracted from all logits of a softmax?",
    ),
    (
        clipped,
        "Clipped logits: nothing overflows, but every logit beyond 30 now gets the same answer, "
        "and its gradient is 0. Subtract instead of clipping: that does not change the softmax.",
    ),
    (
        one_minus,
        "One minus the other: numbers just below 1 are 1e-16 apart, so 1 - p becomes 0 or loses "
        "its digits. Compute both probabilities from exponentials.",
    ),
]
READ = "Sigmoid and softmax"
GOOD_FOR = (
    "This is why the library has one loss and one metric for two classes and for twenty-one, and "
    "why subtracting the maximum is the first line of every softmax."
)

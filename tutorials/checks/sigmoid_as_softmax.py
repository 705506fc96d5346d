"""The check of `sigmoid_as_softmax`: against logarithms of the sigmoid."""

import numpy as np


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
]

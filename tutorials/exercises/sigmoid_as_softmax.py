"""Chapter 7: a sigmoid as a softmax.

Why: a network with one output channel becomes one with two by this function, and everything that is
made for any number of classes (loss, metric, label maps) works on it unchanged.
"""

import numpy as np


def sigmoid_as_softmax(z):
    """Turns the logits of one channel into the probabilities of two classes.

    The probabilities are the softmax over the logits 0 (background) and z (object). The exponential
    of a large number is infinite in floating point, and infinity divided by infinity is not a
    number. So never exponentiate anything large. (A softmax does not change if you subtract the
    same number from all its logits.) Do not clip the logits either: a probability of e^-40 is to
    come out as e^-40.

    For instance z = [0, 1.0986] gives [[0.5, 0.5], [0.25, 0.75]].

    Args:
        z: NumPy array of any shape, logits of the object; from -1000 to 1000.

    Returns:
        Array of the shape of z with an axis of length 2 appended: the probability of the
        background, then that of the object.
    """
    raise NotImplementedError

"""Chapter 8: the confusion matrix without a loop.

Why: the validation images of PASCAL VOC 2009 have more than a hundred million pixels. A Python loop
over them takes minutes, `numpy.bincount` seconds.
"""

import numpy as np


def confusion(truth, prediction, num_classes):
    """Counts pixels by true and predicted class, without a loop over pixels or classes.

    (A loop also gives the right counts. The check cannot see that you wait for them.)

    Number the pairs (t, p) as the cells of a table with C columns are numbered, row by row: the
    pair has the number t * C + p. Then count how often each number occurs (`numpy.bincount`), and
    give the C * C counts the shape of the table.

    For instance truth [0, 0, 1] and prediction [0, 1, 1], two classes: the pairs have the numbers
    0, 1, 3, which occur [1, 1, 0, 1] times: [[1, 1], [0, 1]].

    Args:
        truth: (H, W) array of class indices 0..C-1, and 255 for void, which is not counted.
            Its dtype is whatever the mask was read as, often uint8.
        prediction: (H, W) array of class indices 0..C-1, of any integer dtype.
        num_classes: C.

    Returns:
        (C, C) integer array; entry [t, p] counts the pixels of class t that are predicted as p.
    """
    raise NotImplementedError

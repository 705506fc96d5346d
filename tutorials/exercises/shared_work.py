"""Chapter 2: how much two windows have in common.

Why: the share of pixels that neighbouring windows both read is the share of the work that a sliding
window repeats; chapter 3 is about not repeating it.
"""


def shared_work(window, rows, columns):
    """Computes the share of a window's pixels that also lie in another window.

    For instance, with a window of 3 and the other one a column to the right, 2 of the 3 columns are
    shared: 6 of 9 pixels, 2/3. With the other one six columns to the right nothing is shared: 0.

    Args:
        window: height and width of both windows.
        rows: by how many rows the other window lies lower; negative: higher.
        columns: by how many columns it lies to the right; negative: to the left.

    Returns:
        A number from 0 to 1.
    """
    raise NotImplementedError

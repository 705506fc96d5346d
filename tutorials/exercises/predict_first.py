"""Chapter 1: predict first, then look.

Why: an experiment teaches most if you have said what will come out. Right
or wrong, you then have a question: why?
"""


def predict_first():
    """Predicts what a contour costs that is one pixel too wide.

    Two masks of 100 x 100 pixels show one object each, on background: a
    square of 60 x 60 pixels, and a pole, 60 pixels high and 4 wide. A model
    finds each of them, but one pixel too large on every side: 62 x 62 and
    62 x 6. All other pixels are right.

    Do not compute anything yet. Delete the first line, and replace each None
    by what you expect. The check then does the experiment.

    Returns:
        Dictionary of your three predictions.
    """
    raise NotImplementedError  # delete this line

    return {
        # Which mask has the lower pixel accuracy: "square" or "pole"?
        "lower accuracy": None,
        # Which object has the lower IoU: "square" or "pole"?
        "lower IoU": None,
        # Now the image is half as large (50 x 50, and the square 30 x 30),
        # and the contour is again one pixel too wide. A perfect IoU is 1.
        # The square's IoU lacks some of it: how many times as much as
        # before? About 1, 2 or 4?
        "times as much": None,
    }

"""The check of `predict_first`: it does the experiment, and counts pixels."""

import numpy as np

CHOICES = {
    "lower accuracy": ("square", "pole"),
    "lower IoU": ("square", "pole"),
    "times as much": (1, 2, 4),
}


def experiment(image, height, width):
    """Draws an object and a prediction that is one pixel too large; returns (accuracy, IoU)."""
    truth = np.zeros((image, image), bool)
    truth[5 : 5 + height, 5 : 5 + width] = True
    prediction = np.zeros_like(truth)
    prediction[4 : 6 + height, 4 : 6 + width] = True
    both, either = (truth & prediction).sum(), (truth | prediction).sum()
    return (truth == prediction).mean(), both / either


SQUARE, POLE, HALF = experiment(100, 60, 60), experiment(100, 60, 4), experiment(50, 30, 30)


def expected():
    factor = (1 - HALF[1]) / (1 - SQUARE[1])
    return {
        "lower accuracy": "square" if SQUARE[0] < POLE[0] else "pole",
        "lower IoU": "square" if SQUARE[1] < POLE[1] else "pole",
        "times as much": min(CHOICES["times as much"], key=lambda n: abs(np.log(n / factor))),
    }


def view(answer):
    """The predictions up to the first that does not come true, so that each gets its own hint."""
    right, seen = expected(), {}
    for key, choices in CHOICES.items():
        if answer[key] not in choices:
            raise ValueError(f"{key!r} has to be one of {', '.join(map(repr, choices))}")
        seen[key] = answer[key]
        if answer[key] != right[key]:
            break
    return seen


def pole_less_accurate():
    return {**expected(), "lower accuracy": "pole"}


def square_less_iou():
    return {**expected(), "lower IoU": "square"}


def as_much():
    return {**expected(), "times as much": 1}


def four_times():
    return {**expected(), "times as much": 4}


CASES = [
    (
        "the experiment",
        (),
        "Draw both objects on squared paper, with a ring of wrong pixels around each.",
    ),
]
MISTAKES = [
    (
        pole_less_accurate,
        "Accuracy counts wrong pixels, whatever they belong to. They form a ring around the "
        "object. Which of the two rings is longer?",
    ),
    (
        square_less_iou,
        "IoU divides by the pixels of object and prediction together. The pole's ring is shorter, "
        "but how does it compare with the pole, which is only 4 pixels wide?",
    ),
    (
        as_much,
        "Everything is half as large, except for the ring: it is still one pixel wide. So the "
        "ring has half as many pixels. And the square?",
    ),
    (
        four_times,
        "The square has a quarter of the pixels, that is the 4. But the ring around it has fewer "
        "pixels, too: half as many.",
    ),
]
READ = "What does it cost to find nothing?"
GOOD_FOR = (
    f"The square has an accuracy of {SQUARE[0]:.3f} and an IoU of {SQUARE[1]:.2f}, the pole "
    f"{POLE[0]:.3f} and {POLE[1]:.2f}, and at half the size the square's IoU is {HALF[1]:.2f}: "
    "contours grow with the side and areas with its square, so the same mistake costs thin and "
    "small objects most, and accuracy does not show it."
)

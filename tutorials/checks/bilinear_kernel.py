"""The check of `bilinear_kernel`: OpenCV's interpolation of one bright pixel among dark ones."""

import cv2
import numpy as np


def expected(stride):
    if stride % 2:  # OpenCV's tent is centred on a pixel then, ours never is
        side = range(2 * stride)
        line = [1 - abs((k + 0.5) / stride - 1) for k in side]
        return np.array([[line[i] * line[j] for j in side] for i in side])
    point = np.zeros((5, 5))
    point[2, 2] = 1
    large = cv2.resize(point, None, fx=stride, fy=stride, interpolation=cv2.INTER_LINEAR)
    start = 2 * stride - stride // 2  # where the tent of an even kernel begins
    return large[start : start + 2 * stride, start : start + 2 * stride]


def tent(stride, offset=0.5):
    return 1 - np.abs((np.arange(2 * stride) + offset) / stride - 1)


def corners(stride):
    return np.outer(tent(stride, offset=0), tent(stride, offset=0))


def sum_of_one(stride):
    kernel = np.outer(tent(stride), tent(stride))
    return kernel / kernel.sum()


def tents_added(stride):
    return tent(stride)[:, None] + tent(stride)


def cone(stride):
    x = (np.arange(2 * stride) + 0.5) / stride - 1
    return np.maximum(0, 1 - np.hypot(x[:, None], x))


def fcn(stride):
    size = 2 * stride - stride % 2
    centre = (size - 1) / 2
    line = 1 - np.abs(np.arange(size) - centre) / ((size + 1) // 2)
    return np.outer(line, line)


def box(stride):
    return np.full((2 * stride, 2 * stride), 0.25)


CASES = [
    (
        "stride 2",
        (2,),
        "Compute the tent by hand first: four numbers, the same from the left as from the right. "
        "Then the product of each number downwards with each to the right.",
    ),
    ("stride 4", (4,), "The tent has eight numbers: 1/8, 3/8, 5/8, 7/8 and back again."),
    ("stride 8", (8,), "The kernel has 2 * stride weights on each side: 16 of them."),
    (
        "stride 3",
        (3,),
        "For an odd stride nothing changes: 2 * stride weights, and the middle of weight k is at "
        "(k + 0.5) / stride.",
    ),
    ("stride 1", (1,), "Two weights on each side, both at a distance of 1/2 from the centre."),
]
MISTAKES = [
    (
        corners,
        "The tent begins at 0 and is not symmetric: you took the left edge of each weight, not its "
        "middle.",
    ),
    (
        sum_of_one,
        "The kernel adds up to 1. It has to add up to stride * stride: each pixel becomes that "
        "many, and each of these has to be as bright as it was.",
    ),
    (tents_added, "The two tents are added; along and across they have to be multiplied."),
    (
        cone,
        "This falls off with the distance from the centre, like a cone. Bilinear means: straight "
        "downwards times straight to the right.",
    ),
    (
        fcn,
        "That is FCN's formula, whose kernel has 2 * stride - 1 weights for an odd stride. Ours "
        "always has 2 * stride.",
    ),
    (
        box,
        "A constant is not a tent. It would make blocks, not slopes.",
    ),
]
READ = "A decoder on top"
GOOD_FOR = (
    "`build_vgg_transfer` starts its transposed convolution with this kernel, so before any "
    "training it already enlarges the map smoothly."
)

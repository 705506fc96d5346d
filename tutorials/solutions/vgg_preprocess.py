"""Chapter 6: VGG's preprocessing."""

import numpy as np


def vgg_preprocess(images):
    bgr = images[..., ::-1]
    return bgr - np.array([103.939, 116.779, 123.68])

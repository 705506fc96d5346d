"""Chapter 6: VGG's preprocessing.

Why: a pretrained network knows images only in the form in which it was trained on them. Once you
have written that form down, you will recognise every way of getting it wrong.
"""

import numpy as np


def vgg_preprocess(images):
    """Turns RGB images into what VGG16 expects.

    First reverse the order of the channels, from red, green, blue to blue, green, red. Then
    subtract from each channel its mean over ImageNet: 103.939 from blue, 116.779 from green, 123.68
    from red. Nothing is divided.

    For instance the red pixel (255, 0, 0) becomes (-103.939, -116.779, 131.32): blue comes first.

    Args:
        images: (..., 3) NumPy array, RGB, 0..255, of whole numbers (uint8) or floats: one pixel
            (3,), an image (H, W, 3) or a batch (B, H, W, 3). Do not change it.

    Returns:
        (..., 3) array of floats, BGR, the means subtracted.
    """
    raise NotImplementedError

"""Learn semantic segmentation by doing it: five ways to label every pixel of an image.

The public names are listed in `__init__.pyi`. Each is imported when you first use it, so
`import voc_seg` and `voc-seg --help` do not wait for Keras.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

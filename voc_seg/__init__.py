"""Learn semantic segmentation by doing it: five ways to label every pixel of an image.

The names below are loaded when they are first used: `import voc_seg` takes no time, since it does
not load Keras and the backend under it.
"""

import importlib.util
import sys

_HOME = {
    "build_patch_classifier": "patch_classifier",
    "to_dense": "dense",
    "sliding_window": "dense",
    "build_encoder_decoder": "encoder_decoder",
    "build_unet": "unet",
    "build_vgg_transfer": "vgg_transfer",
    "unfreeze": "vgg_transfer",
    "VOC_CLASSES": "voc",
    "VOID": "voc",
    "VOCFolder": "voc",
    "open_folder": "voc",
    "palette": "voc",
    "read_image": "images",
    "read_mask": "images",
    "write_mask": "images",
    "download_voc": "download",
    "write_shapes": "shapes",
    "SegmentationDataset": "pipeline",
    "WindowDataset": "pipeline",
    "compile_model": "training",
    "train": "training",
    "set_classes": "prediction",
    "get_classes": "prediction",
    "load_segmenter": "prediction",
    "predict_labels": "prediction",
    "cut_out": "prediction",
    "evaluate": "evaluation",
    "confusion_matrix": "evaluation",
    "iou_from_confusion": "evaluation",
    "format_table": "evaluation",
}
__all__ = list(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'voc_seg' has no attribute {name!r}")
    return getattr(importlib.import_module(f"voc_seg.{_HOME[name]}"), name)


def __dir__():
    return __all__


class _RegisterLayersAfterKeras:
    """Imports `voc_seg.layers` as soon as somebody has imported Keras.

    `keras.models.load_model` finds our layers only once they are registered, which needs
    Keras. Importing it here would make `import voc_seg` slow; not importing it would make
    `import voc_seg, keras; keras.models.load_model(...)` fail.
    """

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "keras":
            return None
        sys.meta_path.remove(cls)  # so that the others are asked
        try:
            spec = importlib.util.find_spec("keras")
        finally:
            sys.meta_path.insert(0, cls)  # to look Keras up is not to import it
        if spec and spec.loader:
            load = spec.loader.exec_module

            def load_and_register(module):
                load(module)
                if cls in sys.meta_path:
                    sys.meta_path.remove(cls)
                importlib.import_module("voc_seg.layers")

            spec.loader.exec_module = load_and_register
        return spec


if "keras" in sys.modules:
    importlib.import_module("voc_seg.layers")
else:
    sys.meta_path.insert(0, _RegisterLayersAfterKeras)

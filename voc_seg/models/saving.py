"""Saved models: what they remember of their classes, and how to load them.

A model remembers in its last layer, `ClassProbabilities`, so the memory is saved with it.
"""

import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from voc_seg.checks import check_whole, first_line
from voc_seg.data.images import LONGEST, VOID
from voc_seg.models.blocks import ClassProbabilities
from voc_seg.models.dense import to_dense


def set_classes(
    model: keras.Model,
    classes: Mapping[str, int],
    image_size: int | None,
    members: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Tells a model the names of its classes and its training size; both are saved with it.

    `train` does this for you.

    Args:
        model: a model by one of the builders, or another one with a `ClassProbabilities` layer.
        classes: `{class name: value in the mask files}`, background first: `VOCFolder.classes`.
        image_size: the side of the training images in pixels, or None for any.
        members: for each class but the background, the classes of the data set that it merges:
            `dict(VOCFolder.members)`. None if no class merges others.

    Raises:
        ValueError: the model has no `ClassProbabilities` layer or another number of classes, a
            value is not from 0 to 254 or is given twice, or the size is not at least 1.

    Examples:
        >>> from voc_seg import build_unet, get_classes, set_classes
        >>> model = build_unet(num_classes=3, filters=4, depth=2)
        >>> set_classes(model, {"background": 0, "cat": 8, "dog": 12}, image_size=224)
        >>> get_classes(model)
        {'background': 0, 'cat': 8, 'dog': 12}
    """
    layer = class_layer(model)
    if layer is None:
        raise ValueError(
            f"model: {model.name} cannot remember its classes; expected a model that ends in a "
            "voc_seg.ClassProbabilities layer"
        )
    check_memory(model, classes, image_size, members)
    layer.classes, layer.image_size = dict(classes), image_size
    layer.members = None
    if members is not None:
        layer.members = {name: list(group) for name, group in members.items()}


def get_classes(model: keras.Model) -> dict[str, int] | None:
    """Returns the classes of a model.

    Args:
        model: any `keras.Model`.

    Returns:
        `{class name: value in the mask files}`, background first; None if not set, see
            `set_classes`.

    Examples:
        >>> from voc_seg import build_unet, get_classes
        >>> get_classes(build_unet(num_classes=3, filters=4, depth=2)) is None
        True
    """
    layer = class_layer(model)
    return dict(layer.classes) if layer is not None and layer.classes else None


def class_layer(model: keras.Model) -> ClassProbabilities | None:
    """The layer that remembers the classes; None if the model has none."""
    found = [layer for layer in model.layers if isinstance(layer, ClassProbabilities)]
    return found[-1] if found else None


def check_memory(model: keras.Model, classes: object, image_size: object, members: object) -> None:
    """Raises a ValueError unless a model can have these classes and this training size."""
    outputs = model.output_shape[-1]
    if not isinstance(classes, Mapping) or len(classes) != outputs:
        found = ", ".join(map(str, classes)) if isinstance(classes, Mapping) else repr(classes)
        raise ValueError(f"classes: found {found}; expected one for each of the {outputs} outputs")
    for name, value in classes.items():
        check_whole(f"classes: the value of {name!r}", value, low=0, high=254)
    if len(set(classes.values())) < len(classes):
        raise ValueError(f"classes: found {dict(classes)!r}; expected a different value for each")
    if image_size is not None:
        check_whole("image_size", image_size, high=LONGEST)
    wanted = list(classes)[1:]
    if members is not None and not (
        isinstance(members, Mapping)
        and list(members) == wanted
        and all(isinstance(group, (list, tuple)) and group for group in members.values())
        and all(isinstance(name, str) for group in members.values() for name in group)
    ):
        raise ValueError(f"members: found {members!r}; expected a list for each of {wanted}")
    merged = [name for group in (members or {}).values() for name in group]
    if len(set(merged)) < len(merged):
        raise ValueError(f"members: found {members!r}; expected each name once")


def labels_windows(model: keras.Model) -> bool:
    """Whether a model labels windows, as the patch classifier does, rather than images.

    Raises:
        ValueError: it labels neither; (B, H, W, 3) -> (B, C) or (B, H, W, C) is expected.
    """
    taken: Any = getattr(model, "input_shape", None)
    given: Any = getattr(model, "output_shape", None)
    ranks = [len(shape) if isinstance(shape, tuple) else 0 for shape in (taken, given)]
    if ranks not in ([4, 2], [4, 4]) or taken[-1] != 3:
        raise ValueError(f"model: maps {taken} to {given}; expected images to classes")
    if given[-1] > VOID:  # 255 is void, so there is room for 0 to 254
        raise ValueError(f"model: has {given[-1]} classes; expected at most {VOID}")
    return ranks == [4, 2]


def load_segmenter(path: str | Path) -> keras.Model:
    """Loads a model that labels every pixel; a patch classifier is made dense.

    Args:
        path: a .keras file, by `voc-seg train` or `model.save`.

    Returns:
        A model: (B, H, W, 3) -> (B, H, W, num_classes).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a Keras model, does not label pixels, its stored classes are damaged,
            or its weights are not finite.

    Examples:
        >>> from voc_seg import build_unet, load_segmenter
        >>> build_unet(num_classes=5, filters=4, depth=2).save("unet.keras")
        >>> load_segmenter("unet.keras").output_shape
        (None, None, None, 5)
    """
    model = load_model(path)
    try:
        windows = labels_windows(model)
        layer = class_layer(model)
        if layer is not None and layer.classes is not None:
            check_memory(model, layer.classes, layer.image_size, layer.members)
        elif layer is not None and layer.image_size is not None:
            check_whole("image_size", layer.image_size, high=LONGEST)
        if not all(np.isfinite(values.astype("float32")).all() for values in model.get_weights()):
            raise ValueError("its weights are NaN or infinite; its training has diverged")
        return to_dense(model) if windows else model
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_model(path: str | Path) -> keras.Model:
    """Keras' `load_model`; where it fails, one sentence that names the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: " + ("is a folder; expected a model" if path.is_dir() else "no such model")
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: is not a .keras file, or is cut off")
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()  # Keras would go on with other weights
        if damaged:
            raise ValueError(f"its part {damaged} is damaged")
        with warnings.catch_warnings(action="ignore"):
            return keras.models.load_model(path, compile=False)  # so the loss is not needed
    except Exception as error:  # zipfile, h5py and Keras raise arbitrary exceptions
        raise ValueError(
            f"{path}: is not a model that Keras can load ({first_line(error)}){saved_by(path)}"
        ) from None


def saved_by(path: Path) -> str:
    """If a model was saved by another version of Keras, says so: it may be too new to load."""
    try:
        with zipfile.ZipFile(path) as file:
            version = json.loads(file.read("metadata.json"))["keras_version"]
    except Exception:  # a damaged file may raise anything
        return ""
    same = version == keras.__version__
    return "" if same else f"; it was saved by Keras {version}, and this is {keras.__version__}"

"""Using a trained model: label maps for images of any size, and the object cut out."""

import zipfile
from pathlib import Path

import cv2
import keras
import numpy as np

from voc_seg.augmentation import letterbox
from voc_seg.dense import to_dense
from voc_seg.layers import ClassProbabilities, first_line

LARGEST = 512  # for a model that does not say at which size it was trained


def load_segmenter(path):
    """Loads a model that labels every pixel; a patch classifier is made dense.

    Args:
        path: a .keras file, by `voc-seg train` or `model.save`.

    Returns:
        A `keras.Model`: (B, H, W, 3) -> (B, H, W, num_classes).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no Keras model, or one that does not label pixels.
    """
    model = load_model(path)
    shapes = [getattr(model, f"{end}_shape", None) for end in ("input", "output")]
    ranks = [len(s) if isinstance(s, tuple) else 0 for s in shapes]
    if ranks not in ([4, 2], [4, 4]) or shapes[0][-1] != 3:
        raise ValueError(f"{path}: maps {shapes[0]} to {shapes[1]}; expected images to classes")
    try:
        return to_dense(model) if ranks[1] == 2 else model
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def load_model(path):
    """Keras' `load_model`, with one sentence that names the file where it fails."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such model")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: is not a .keras file, or is cut off")
    try:
        return keras.models.load_model(path)
    except Exception as error:  # zipfile, h5py and Keras raise what they like
        raise ValueError(
            f"{path}: is not a model that Keras can load ({first_line(error)})"
        ) from None


def set_classes(model, classes, image_size):
    """Tells a model the names of its classes and the size that it is trained at; both are saved.

    Args:
        model: a model by one of the builders.
        classes: `{class name: value in the mask files}`, background first: `VOCFolder.classes`.
        image_size: the side of its training images, in pixels.

    Raises:
        ValueError: the model has another number of classes.
    """
    if len(classes) != model.output_shape[-1]:
        raise ValueError(
            f"classes: found {len(classes)} ({', '.join(classes)}), "
            f"expected the {model.output_shape[-1]} of the model"
        )
    layer = model.layers[-1]
    layer.classes, layer.image_size = dict(classes), image_size


def get_classes(model):
    """The classes of a model.

    Args:
        model: a `keras.Model` by one of the builders, or any other.

    Returns:
        `{class name: value in the mask files}`, background first; None where nobody has told the
            model, see `set_classes`.
    """
    layer = model.layers[-1]
    return dict(layer.classes) if isinstance(layer, ClassProbabilities) and layer.classes else None


def predict_labels(model, images, size=None):
    """Labels every pixel of images of any size.

    Each image goes through the model as in validation: resized so that its long side is the
    training size. The probabilities, not the labels, are then interpolated to the image's own size,
    one class at a time: a photo of 24 megapixels and 21 classes takes megabytes, not gigabytes.

    Args:
        model: a `keras.Model` (B, H, W, 3) -> (B, H, W, num_classes).
        images: list of (H, W, 3) uint8 arrays, RGB; one batch.
        size: the long side at which the model sees the images. Default: what it was trained at or,
            where the model does not say, that of the largest image, but at most 512.

    Returns:
        List of (H, W) uint8 arrays of class indices, each as large as its image.

    Raises:
        ValueError: the model labels windows, or the images are no list of RGB images.
    """
    if len(model.output_shape) != 4:
        raise ValueError("model: labels windows; expected one for images, such as to_dense(model)")
    for shape in map(np.shape, images):
        if len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise ValueError(f"images: found an array {shape}, expected a list of (H, W, 3) arrays")
    if size is None:
        size = getattr(model.layers[-1], "image_size", None)
    if size is None:
        size = min(LARGEST, max(max(image.shape[:2]) for image in images))
    batch = np.stack([letterbox(image, size) for image in images])  # (B, size, size, 3)
    probabilities = np.asarray(model.predict_on_batch(batch.astype("float32")))
    return [
        resize_argmax(p, image.shape[:2]) for p, image in zip(probabilities, images, strict=True)
    ]


def resize_argmax(probabilities, shape):
    """The likeliest class at each pixel of an image, from probabilities at another size.

    Args:
        probabilities: (size, size, C), of an image in a letterbox.
        shape: height and width of the image.

    Returns:
        (height, width) uint8 of class indices.
    """
    height, width = shape
    scale = len(probabilities) / max(shape)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))  # without the letterbox
    labels = np.zeros(shape, np.uint8)
    best = np.full(shape, -1, np.float32)
    for c in range(probabilities.shape[-1]):
        p = np.ascontiguousarray(probabilities[:h, :w, c], np.float32)
        p = cv2.resize(p, (width, height), interpolation=cv2.INTER_LINEAR)
        labels[p > best] = c
        np.maximum(best, p, out=best)
    return labels


def label_values(labels, classes):
    """The values by which VOC's mask files would hold a label map.

    They differ from the class indices where a model knows some of the classes only: the second
    class of a model of cats and dogs is 12 in a mask, as all dogs of VOC are.

    Args:
        labels: (H, W) of class indices 0..C-1.
        classes: `{class name: value in the mask files}` in class order.

    Returns:
        (H, W) uint8.
    """
    return np.array(list(classes.values()), np.uint8)[labels]


def cut_out(image, labels):
    """Cuts the object out of an image: everything that is not background.

    Args:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) uint8 of class indices, 0 being the background.

    Returns:
        (H, W, 4) uint8, RGBA: transparent where the background is. (Black, too: what cannot be
            seen should not be in the file.)

    Raises:
        ValueError: the sizes of image and label map differ, or the image is not RGB.
    """
    if image.shape != (*labels.shape, 3):
        raise ValueError(f"image: {image.shape}, expected {(*labels.shape, 3)} as the label map")
    alpha = np.where(labels == 0, 0, 255).astype(np.uint8)  # (H, W)
    return np.dstack([np.where(alpha[..., None], image, 0), alpha])

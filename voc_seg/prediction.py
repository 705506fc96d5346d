"""Use a trained model: label maps for images of any size, and the object cut out."""

from collections.abc import Mapping, Sequence

import cv2
import keras
import numpy as np

from voc_seg.checks import check_whole, first_line, is_out_of_memory
from voc_seg.data.images import LONGEST, check_image, letterbox
from voc_seg.models.saving import class_layer, labels_windows

DEFAULT_SIZE = 512  # pixels; used if the model's training size is unknown


def predict_labels(
    model: keras.Model, images: Sequence[np.ndarray], size: int | None = None
) -> list[np.ndarray]:
    """Labels every pixel of images of any size.

    Each image goes through the model as in validation: resized so that its long side is the
    training size. Then the probabilities, not the labels, are interpolated to the image's own
    size, one class at a time, so a photo of 24 megapixels and 21 classes needs megabytes, not
    gigabytes.

    Args:
        model: a model (B, H, W, 3) -> (B, H, W, num_classes).
        images: list of (H, W, 3) uint8 arrays, RGB; one batch.
        size: the long side at which the model sees the images. Default: the size that it was
            trained at; if it does not remember that, the size of the largest image, but at most
            512.

    Returns:
        List of (H, W) uint8 arrays of class indices, each as large as its image.

    Raises:
        ValueError: the model labels windows or gives NaN, or the images are not a list of uint8
            RGB images.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import build_unet, predict_labels
        >>> model = build_unet(num_classes=5, filters=4, depth=2)
        >>> photo = np.zeros((30, 40, 3), "uint8")
        >>> [labels.shape for labels in predict_labels(model, [photo])]
        [(30, 40)]
    """
    if labels_windows(model):
        raise ValueError("model: labels windows; expected one for images, such as to_dense(model)")
    for image in images:
        check_image("images", image)
    if size is None and (layer := class_layer(model)) is not None:
        size = layer.image_size
    if size is None:
        size = min(DEFAULT_SIZE, max(max(image.shape[:2]) for image in images))
    check_whole("size", size, high=LONGEST)
    batch = np.stack([letterbox(image, size) for image in images])  # (B, size, size, 3)
    try:
        probabilities = np.asarray(model.predict_on_batch(batch.astype("float32")))
    except Exception as error:  # a damaged model; the backends raise arbitrary exceptions
        if is_out_of_memory(error):
            raise
        raise ValueError(f"model: {model.name} cannot be run ({first_line(error)})") from None
    if not np.isfinite(probabilities).all():
        raise ValueError(
            f"model: {model.name} gives NaN or infinity in place of probabilities; its training "
            "has probably diverged"
        )
    return [
        resize_argmax(p, image.shape[:2]) for p, image in zip(probabilities, images, strict=True)
    ]


def resize_argmax(probabilities: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The likeliest class at each pixel of an image, from probabilities at another size.

    Args:
        probabilities: (size, size, C), of an image in a letterbox.
        shape: height and width of the image.

    Returns:
        (height, width) uint8 of class indices.
    """
    height, width = shape
    scale = len(probabilities) / max(shape)
    h, w = (
        max(1, round(height * scale)),
        max(1, round(width * scale)),
    )  # the part of the square that holds the image
    labels = np.zeros(shape, np.uint8)
    best = np.full(shape, -np.inf, np.float32)
    for c in range(probabilities.shape[-1]):
        p = np.ascontiguousarray(probabilities[:h, :w, c], np.float32)
        p = cv2.resize(p, (width, height), interpolation=cv2.INTER_LINEAR)
        labels[p > best] = c
        np.maximum(best, p, out=best)
    return labels


def label_values(labels: np.ndarray, classes: Mapping[str, int]) -> np.ndarray:
    """The values that VOC's mask files would hold for a label map.

    They differ from the class indices if a model knows only some of the classes: for a model of
    cats and dogs the second class is 12 in a mask, like all dogs of VOC.

    Args:
        labels: (H, W) of class indices 0..C-1.
        classes: `{class name: value in the mask files}` in class order.

    Returns:
        (H, W) uint8.
    """
    return np.array(list(classes.values()), np.uint8)[labels]


def cut_out(image: np.ndarray, labels: np.ndarray, keep: Sequence[int] | None = None) -> np.ndarray:
    """Cuts the object out of an image: everything that is not background, or the classes to keep.

    Args:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) integers, class indices; 0 is the background.
        keep: the class indices to keep. Default: all but 0.

    Returns:
        (H, W, 4) uint8, RGBA: transparent, and black, where nothing is kept.

    Raises:
        ValueError: the sizes of image and label map differ, or the image is not uint8 RGB.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import cut_out
        >>> cut_out(np.full((1, 2, 3), 200, "uint8"), np.array([[0, 1]])).tolist()
        [[[0, 0, 0, 0], [200, 200, 200, 255]]]
    """
    check_image("image", image)
    labels = np.asarray(labels)
    if labels.shape != image.shape[:2] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels: found {labels.dtype} {labels.shape}, expected integers {image.shape[:2]} as "
            "the image"
        )
    kept = labels != 0 if keep is None else np.isin(labels, keep)
    alpha = np.where(kept, 255, 0).astype(np.uint8)  # (H, W)
    return np.dstack([np.where(alpha[..., None], image, 0), alpha])

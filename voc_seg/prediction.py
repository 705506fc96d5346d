"""Use a trained model: probabilities and labels for images of any size; the object cut out."""

import numbers
from collections.abc import Iterable, Mapping, Sequence

import cv2
import keras
import numpy as np

from voc_seg.checks import check_whole, first_line, is_out_of_memory
from voc_seg.data.images import LONGEST, check_image, letterbox
from voc_seg.models.saving import class_layer, labels_windows

DEFAULT_SIZE = 512  # pixels; used if the model's training size is unknown


def predict_labels(
    model: keras.Model,
    images: Sequence[np.ndarray],
    size: int | None = None,
    flip: bool = False,
    scales: Sequence[float] = (1.0,),
) -> list[np.ndarray]:
    """Labels every pixel of images of any size.

    Each image goes through the model as in validation: resized so that its long side is the
    training size. Then the probabilities, not the labels, are interpolated to the image's own
    size, one class at a time, so a photo of 24 megapixels and 21 classes needs megabytes, not
    gigabytes.

    With `flip` and `scales` the model sees each image several times, and the probabilities are
    averaged before the likeliest class is taken, as DeepLab does (Chen et al., arXiv:1706.05587,
    2017).

    Args:
        model: a model (B, H, W, 3) -> (B, H, W, num_classes).
        images: list of (H, W, 3) uint8 arrays, RGB; one batch.
        size: the long side at which the model sees the images. Default: the size that it was
            trained at; if it does not remember that, the size of the largest image, but at most
            512.
        flip: whether the model also sees the mirror image, left and right exchanged.
        scales: the model sees the images at each of these multiples of `size`.

    Returns:
        List of (H, W) uint8 arrays of class indices, each as large as its image.

    Raises:
        ValueError: the model labels windows or gives NaN, the images are not a list of uint8 RGB
            images, or the scales are not numbers above 0.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import build_unet, predict_labels
        >>> model = build_unet(num_classes=5, filters=4, depth=2)
        >>> photo = np.zeros((30, 40, 3), "uint8")
        >>> [labels.shape for labels in predict_labels(model, [photo])]
        [(30, 40)]
        >>> (labels,) = predict_labels(model, [photo], flip=True, scales=(0.75, 1, 1.25))
    """
    maps = predict_maps(model, images, size, flip, scales)
    return [argmax_of_mean(m, image.shape[:2]) for m, image in zip(maps, images, strict=True)]


def predict_probabilities(
    model: keras.Model,
    images: Sequence[np.ndarray],
    size: int | None = None,
    flip: bool = False,
    scales: Sequence[float] = (1.0,),
) -> list[np.ndarray]:
    """The probability of every class at every pixel of images of any size.

    These are the probabilities that `predict_labels` compares. They take 4 * H * W * C bytes for
    each image: 2 GB for a photo of 24 megapixels and 21 classes. If you only need the labels,
    `predict_labels` needs far less, because it holds one class at a time.

    Args:
        model: a model (B, H, W, 3) -> (B, H, W, C).
        images: list of (H, W, 3) uint8 arrays, RGB; one batch.
        size: the long side at which the model sees the images; default as in `predict_labels`.
        flip: whether to average over each image and its mirror image.
        scales: the multiples of `size` to average over.

    Returns:
        List of (H, W, C) float32 arrays, 0..1, each as large as its image. At each pixel they sum
            to 1, up to rounding.

    Raises:
        ValueError: as `predict_labels`.

    Examples:
        >>> import numpy as np
        >>> from voc_seg import build_unet, predict_probabilities
        >>> model = build_unet(num_classes=5, filters=4, depth=2)
        >>> photo = np.zeros((30, 40, 3), "uint8")
        >>> (probabilities,) = predict_probabilities(model, [photo], flip=True)
        >>> probabilities.shape
        (30, 40, 5)
    """
    result = []
    for maps, image in zip(predict_maps(model, images, size, flip, scales), images, strict=True):
        shape = image.shape[:2]
        probabilities = np.empty((*shape, maps[0].shape[-1]), np.float32)  # (H, W, C)
        for c in range(probabilities.shape[-1]):
            probabilities[..., c] = resized_mean(maps, c, shape)
        result.append(probabilities)
    return result


def predict_maps(
    model: keras.Model,
    images: Sequence[np.ndarray],
    size: int | None,
    flip: bool,
    scales: Sequence[float],
) -> list[tuple[np.ndarray, ...]]:
    """What the model says about each image, at the sizes at which it sees the image.

    Returns:
        For each image, one (h, w, C) float32 map of probabilities for each scale.
    """
    if labels_windows(model):
        raise ValueError("model: labels windows; expected one for images, such as to_dense(model)")
    if not len(images):
        raise ValueError("images: found an empty list, expected (H, W, 3) uint8 arrays")
    for image in images:
        check_image("images", image)
    if size is None and (layer := class_layer(model)) is not None:
        size = layer.image_size
    if size is None:
        size = min(DEFAULT_SIZE, max(max(image.shape[:2]) for image in images))
    check_whole("size", size, high=LONGEST)
    sizes = [round(size * scale) for scale in check_scales(scales)]
    if not 1 <= min(sizes) <= max(sizes) <= LONGEST:
        raise ValueError(
            f"scales: found {scales!r}, which makes the size {size} from {min(sizes)} to "
            f"{max(sizes)} pixels; expected 1 to {LONGEST}"
        )
    by_scale = [predict_at_size(model, images, size, flip) for size in sizes]
    return list(zip(*by_scale, strict=True))  # by image


def check_scales(scales: Iterable[float]) -> list[float]:
    """Raises a ValueError unless scales are numbers above 0, at least one; returns them."""
    found = list(scales) if np.iterable(scales) else []
    fine = [isinstance(scale, numbers.Real) and 0 < scale <= LONGEST for scale in found]
    if not found or not all(fine):
        raise ValueError(f"scales: found {scales!r}, expected numbers above 0, such as (0.75, 1)")
    return [float(scale) for scale in found]


def predict_at_size(
    model: keras.Model, images: Sequence[np.ndarray], size: int, flip: bool
) -> list[np.ndarray]:
    """The probabilities for images whose long side is resized to `size`.

    Returns:
        For each image, (h, w, C) float32 with max(h, w) == size; with `flip`, the mean for the
            image and its mirror image.
    """
    maps = run_in_letterbox(model, images, size)
    if flip:
        # Mirrored before the letterbox, so in both squares the image is at the top left.
        mirrored = run_in_letterbox(model, [image[:, ::-1] for image in images], size)
        maps = [(p + q[:, ::-1]) / 2 for p, q in zip(maps, mirrored, strict=True)]
    return maps


def run_in_letterbox(
    model: keras.Model, images: Sequence[np.ndarray], size: int
) -> list[np.ndarray]:
    """Runs a model once: (h, w, C) float32 for each image, without the rest of the square."""
    batch = np.stack([letterbox(image, size) for image in images])  # (B, size, size, 3)
    try:
        probabilities = np.asarray(model.predict_on_batch(batch.astype("float32")), np.float32)
    except Exception as error:  # a damaged model; the backends raise arbitrary exceptions
        if is_out_of_memory(error):
            raise
        raise ValueError(f"model: {model.name} cannot be run ({first_line(error)})") from None
    if not np.isfinite(probabilities).all():
        raise ValueError(
            f"model: {model.name} gives NaN or infinity in place of probabilities; its training "
            "has probably diverged"
        )
    return [crop(p, image.shape[:2]) for p, image in zip(probabilities, images, strict=True)]


def crop(square: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The part of a letterbox that holds the image: (size, size, C) -> (h, w, C).

    Args:
        square: (size, size, C).
        shape: height and width of the image.
    """
    scale = len(square) / max(shape)
    h, w = (max(1, round(side * scale)) for side in shape)
    return square[:h, :w]


def resized_mean(maps: Sequence[np.ndarray], c: int, shape: tuple[int, ...]) -> np.ndarray:
    """The probability of one class at each pixel of an image: the mean over maps of several sizes.

    Args:
        maps: (h, w, C) arrays, each of the whole image.
        c: the index of the class.
        shape: height and width of the image.

    Returns:
        (height, width) float32.
    """
    total = resize_class(maps[0], c, shape)
    for probabilities in maps[1:]:
        total += resize_class(probabilities, c, shape)
    total /= len(maps)
    return total


def resize_class(probabilities: np.ndarray, c: int, shape: tuple[int, ...]) -> np.ndarray:
    """One class, interpolated to the size of an image: (h, w, C) -> (height, width) float32."""
    height, width = shape
    p = np.ascontiguousarray(probabilities[..., c], np.float32)
    return cv2.resize(p, (width, height), interpolation=cv2.INTER_LINEAR)


def argmax_of_mean(maps: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """The likeliest class at each pixel; the first of several that are equally likely.

    Args:
        maps: (h, w, C) arrays, each of the whole image; their mean counts.
        shape: height and width of the image.

    Returns:
        (height, width) uint8 of class indices.
    """
    labels = np.zeros(shape, np.uint8)
    best = np.full(shape, -np.inf, np.float32)
    for c in range(maps[0].shape[-1]):
        p = resized_mean(maps, c, shape)
        labels[p > best] = c
        np.maximum(best, p, out=best)
        del p  # otherwise it would be in memory together with the next one
    return labels


def resize_argmax(probabilities: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The likeliest class at each pixel of an image, from what a model gives for its letterbox.

    Args:
        probabilities: (size, size, C), of an image in a letterbox.
        shape: height and width of the image.

    Returns:
        (height, width) uint8 of class indices.
    """
    return argmax_of_mean([crop(probabilities, shape)], shape)


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
        ValueError: the sizes of image and label map differ, the image is not uint8 RGB, or `keep`
            holds something else than class indices, such as names.

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
    if keep is not None and np.size(keep) and np.asarray(keep).dtype.kind not in "iu":
        raise ValueError(
            f"keep: found {keep!r}, expected class indices such as [1]; those of a list of names "
            "are names.index('cat'), ..."
        )
    kept = labels != 0 if keep is None else np.isin(labels, keep)
    alpha = np.where(kept, 255, 0).astype(np.uint8)  # (H, W)
    return np.dstack([np.where(alpha[..., None], image, 0), alpha])

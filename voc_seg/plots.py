"""Pictures: label maps, predictions, IoU, confusion, and the curves of a training run.

`figure.savefig("plot.png")` writes a figure; a notebook that has imported `matplotlib.pyplot` shows
it. Label maps (H, W) hold class indices 0..C-1, and 255 for void; `classes` is {class name: value
in the mask files}, background first. Colours that do not stand for a class are from the set of
Okabe and Ito ("Color Universal Design", 2008), which colour-blind people can tell apart.
(`cut_out`, which cuts the object out of a photograph, is in `prediction.py`.)
"""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import fill
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from voc_seg.checks import check_whole
from voc_seg.data.augmentation import augment as our_augment
from voc_seg.data.augmentation import check_augmented
from voc_seg.data.images import VOID, check_image, letterbox, letterbox_mask, resize_to_fit
from voc_seg.data.palette import palette

# A name in a script that the font lacks is drawn as boxes; a warning would not help.
warnings.filterwarnings("ignore", message="Glyph .* missing from")
LONG_SIDE = 1600  # pixels; larger images are drawn downscaled, because no screen shows more
BLUE, VERMILLION = "#0072B2", "#D55E00"
NOTHING = {"no object found": (255, 255, 255)}  # RGB
ERRORS = {"wrong": (213, 94, 0), "not scored": (40, 40, 40)}  # RGB: vermillion, dark grey


def colorize(labels: ArrayLike, classes: Mapping[str, int]) -> np.ndarray:
    """Paints a label map with the colours of the PASCAL VOC development kit.

    Args:
        labels: (H, W) integers, class indices or 255 (void).
        classes: {class name: value in the mask files}.

    Returns:
        (H, W, 3) uint8 RGB array; void is (224, 224, 192).

    Raises:
        ValueError: a label is neither the index of a class nor void.

    Examples:
        >>> from voc_seg.plots import colorize
        >>> colorize([[0, 1, 255]], {"background": 0, "dog": 12}).tolist()
        [[[0, 0, 0], [64, 0, 128], [224, 224, 192]]]
    """
    values = [*classes.values()] + [VOID] * (256 - len(classes))  # from a label to its value
    return palette()[values][check_labels(labels, classes, "labels")]  # (H, W, 3)


def plot_predictions(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray] | Mapping[str, Sequence[np.ndarray]],
    classes: Mapping[str, int],
    titles: Sequence[object] | None = None,
) -> Figure:
    """Draws images next to their true and predicted label maps, one row for each image.

    With one model, a last column shows where it is wrong; void in the truth is not scored.

    Args:
        images: N images, (H, W, 3) uint8 RGB; sizes may differ.
        truths: N label maps.
        predictions: N label maps, or {model name: N label maps} to compare models.
        classes: {class name: value in the mask files}.
        titles: N texts to write below the images, or None.

    Returns:
        A figure.

    Raises:
        ValueError: numbers, sizes or labels do not match.

    Examples:
        >>> import numpy as np
        >>> from voc_seg.plots import plot_predictions
        >>> image, mask = np.zeros((30, 40, 3), "uint8"), np.zeros((30, 40), "uint8")
        >>> figure = plot_predictions([image], [mask], [mask], {"background": 0, "dog": 12})
        >>> figure.savefig("predictions.png")
    """
    models: dict[str, Any] = {"prediction": predictions}
    if isinstance(predictions, Mapping):
        models = dict(predictions)
    single = len(models) == 1
    titles = [""] * len(images) if titles is None else titles
    for what, found in {"truths": truths, "titles": titles, **models}.items():
        if len(found) != len(images) or not len(images):
            raise ValueError(
                f"{what}: found {len(found)} for {len(images)} images, expected one each"
            )
    rows, heights = [], []  # (an image, its label maps with the truth first); inches
    for i, image in enumerate(images):
        maps = [
            downscale(check_labels(labels[i], classes, f"{name} {i}", image))
            for name, labels in {"truth": truths, **models}.items()
        ]
        rows.append((downscale(image), maps))
        heights.append(0.2 + 2.7 * np.clip(len(image) / len(image[0]), 0.2, 1.6))
    columns = ["image", "truth", *models, *(["error"] if single else [])]
    figure = Figure((2.7 * len(columns), 0.4 + sum(heights)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False, height_ratios=heights)
    for ax, column in zip(grid[0], columns, strict=True):
        ax.set_title(escape_dollars(fill(column, 30)), fontsize=10)
    for axes, (image, maps), title in zip(grid, rows, titles, strict=True):
        axes[0].imshow(image)
        axes[0].set_xlabel(escape_dollars(fill(str(title), 36)), fontsize=9)
        for ax, labels in zip(axes[1:], maps, strict=False):
            ax.imshow(colorize(labels, classes), interpolation="nearest")
            draw_outlines(ax, labels)
        if single:
            axes[-1].imshow(mark_errors(image, *maps), interpolation="nearest")
        for ax in axes:
            ax.set(xticks=[], yticks=[], frame_on=False, anchor="N")
    label_maps = [labels for _, maps in rows for labels in maps]
    add_legend(figure, label_maps, classes, ERRORS if single else {})
    return figure


def plot_overlay(image: np.ndarray, labels: np.ndarray, classes: Mapping[str, int]) -> Figure:
    """Draws an image with the colours of its classes half transparent over it.

    The background keeps its colours.

    Args:
        image: (H, W, 3) uint8 RGB array.
        labels: (H, W) integers, class indices or 255 (void).
        classes: {class name: value in the mask files}.

    Returns:
        A figure.

    Raises:
        ValueError: the sizes differ, or a label is not a class.

    Examples:
        >>> import numpy as np
        >>> from voc_seg.plots import plot_overlay
        >>> image, labels = np.zeros((30, 40, 3), "uint8"), np.zeros((30, 40), "uint8")
        >>> plot_overlay(image, labels, {"background": 0, "dog": 12}).savefig("overlay.png")
    """
    labels = downscale(check_labels(labels, classes, "labels", image))
    width, height = np.multiply(labels.shape[::-1], 8 / max(labels.shape))  # inches
    layout = ConstrainedLayoutEngine(w_pad=0, h_pad=0)
    figure = Figure((width, max(height, 0.1)), layout=layout)
    ax = figure.add_subplot(anchor="N", xticks=[], yticks=[], frame_on=False)
    draw_overlay(ax, downscale(image), labels, classes)
    objects = labels[labels > 0]
    add_legend(figure, [objects], classes, {} if objects.size else NOTHING)
    return figure


def plot_augmentations(
    image: np.ndarray,
    mask: np.ndarray,
    classes: Mapping[str, int],
    size: int = 256,
    augment: Callable[..., tuple[np.ndarray, np.ndarray]] = our_augment,
    number: int = 5,
    seed: int = 0,
) -> Figure:
    """Draws an image with its mask half transparent over it, and then random versions of both.

    What is filled in is void, so it has the colour of void.

    Args:
        image: (H, W, 3) uint8 RGB array.
        mask: (H, W) uint8, class indices or 255 (void).
        classes: {class name: value in the mask files}.
        size: height and width of each version, in pixels.
        augment: `voc_seg.augment`, or a function of your own as for `SegmentationDataset`.
        number: the number of random versions.
        seed: random seed.

    Returns:
        A figure, three pictures in a row.

    Raises:
        ValueError: the sizes differ, a label is not a class, or the function returned something
            other than an image and a mask of this size.

    Examples:
        >>> from functools import partial
        >>> import numpy as np
        >>> from voc_seg import augment, draw_scene, plots
        >>> image, mask = draw_scene(np.random.default_rng(0), 64)
        >>> classes = {"background": 0, "disc": 1, "square": 2, "star": 3, "ring": 4}
        >>> figure = plots.plot_augmentations(image, mask, classes, 64, partial(augment, flip=0))
        >>> figure.savefig("augmentations.png")
    """
    mask = check_labels(mask, classes, "mask", image)
    check_whole("number", number)
    versions = [(letterbox(image, size), letterbox_mask(mask, size))]
    for n in range(number):
        versions.append(augment(image, mask, size, np.random.default_rng((seed, n))))
        check_augmented(versions[-1], mask, size)
    rows = math.ceil(len(versions) / 3)
    figure = Figure((8, 2.7 * rows), layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03))
    grid = figure.subplots(rows, 3, squeeze=False)
    for ax in grid.flat:
        ax.set(xticks=[], yticks=[], frame_on=False)
    for ax, (version, labels) in zip(grid.flat, versions, strict=False):
        draw_overlay(ax, downscale(version), downscale(labels), classes)
    grid[0, 0].set_title("without augmentation", fontsize=10)
    objects = np.concatenate([labels[labels > 0] for _, labels in versions])
    add_legend(figure, [objects], classes, {} if objects.size else NOTHING)
    return figure


def plot_iou(iou: Sequence[float | None], names: Sequence[str], mean: float | None) -> Figure:
    """Draws the IoU of every class as a bar, and their mean as a dashed line.

    Args:
        iou: C values in 0..1; NaN or None for a class that occurs nowhere ("absent").
        names: C class names.
        mean: mean IoU in 0..1; NaN or None if there is none.

    Returns:
        A figure.

    Raises:
        ValueError: there is not one value for each name.

    Examples:
        >>> from voc_seg.plots import plot_iou
        >>> plot_iou([0.9, 0.6], ["background", "dog"], mean=0.75).savefig("iou.png")
    """
    values = np.array(iou, dtype=float)  # None becomes NaN
    if values.shape != (len(names),):
        raise ValueError(
            f"iou: found the shape {values.shape}, expected ({len(names)},), one for each name"
        )
    figure = Figure((7, 1 + 0.28 * len(names)), layout="constrained")
    ax = figure.add_subplot(xlim=(0, 1.1), xticks=np.linspace(0, 1, 6), xlabel="IoU")
    bars = ax.barh(range(len(names)), np.nan_to_num(values), color=BLUE)
    written = ["absent" if np.isnan(value) else f"{value:.3f}" for value in values]
    ax.bar_label(bars, written, padding=4, fontsize=9, bbox={"fc": "white", "lw": 0, "pad": 1})
    if mean is not None and not np.isnan(mean):
        ax.axvline(mean, color=VERMILLION, linestyle="--")
        ax.set_title(f"mean {mean:.3f}", x=mean / 1.1, fontsize=10, color=VERMILLION)
    ax.set(
        yticks=range(len(names)),
        yticklabels=[escape_dollars(name) for name in names],
        ylim=(len(names) - 0.5, -0.5),
    )
    return figure


def plot_confusion(confusion: ArrayLike, names: Sequence[str]) -> Figure:
    """Draws which share of each true class's pixels was predicted to be which class.

    Rows without pixels are grey. With up to 8 classes, the cells show their percentages.

    Args:
        confusion: (C, C) numbers of pixels, rows = truth, columns = prediction.
        names: C class names.

    Returns:
        A figure.

    Raises:
        ValueError: the shape is not (C, C).

    Examples:
        >>> from voc_seg.plots import plot_confusion
        >>> plot_confusion([[90, 10], [20, 80]], ["background", "dog"]).savefig("confusion.png")
    """
    counts, size = np.asarray(confusion, dtype=float), len(names)
    if counts.shape != (size, size):
        raise ValueError(
            f"confusion: found the shape {counts.shape}, expected {(size, size)} as names"
        )
    totals = counts.sum(axis=1, keepdims=True)  # (C, 1)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    side = 2.5 + max(0.7 * min(size, 8), 0.3 * size)  # inches
    figure = Figure((side + 1, side), layout="constrained")
    ax = figure.add_subplot(facecolor="0.85")  # shows through where shares are NaN
    picture = ax.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    figure.colorbar(picture, label="share of the true class's pixels", shrink=0.8)
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9}
    for row in np.flatnonzero(totals == 0).tolist():
        ax.text((size - 1) / 2, row, "no pixels", **style)
    for row, column in np.argwhere(shares >= 0) if size <= 8 else []:
        share = shares[row, column]
        ax.text(column, row, f"{share:.1%}", color="white" if share < 0.5 else "black", **style)
    ax.set_xticks(range(size), [escape_dollars(name) for name in names], rotation=90)
    ax.set(
        yticks=range(size),
        yticklabels=[escape_dollars(name) for name in names],
        xlabel="prediction",
        ylabel="truth",
    )
    return figure


def plot_history(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draws loss and mean IoU over the epochs, of training and of validation.

    A dotted line marks the best epoch: the one with the largest val_mean_iou, or without that the
    smallest val_loss. If the run has two stages, the second is shaded.

    Args:
        history: {column: one number for each epoch}, with any of the columns epoch, loss,
            val_loss, mean_iou (0..1), val_mean_iou, stage (1 or 2); others are not drawn.

    Returns:
        A figure.

    Raises:
        ValueError: the columns differ in length or are empty.

    Examples:
        >>> from voc_seg.plots import plot_history
        >>> plot_history({"loss": [1.2, 0.8], "val_loss": [1.3, 1.0]}).savefig("curves.png")
    """
    lengths = {len(values) for values in history.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f"history: found columns of {sorted(lengths)} epochs, expected one length above 0"
        )
    curves = {column: np.array(values, dtype=float) for column, values in history.items()}
    epochs = curves.get("epoch", np.arange(1, max(lengths) + 1))
    stages = curves.get("stage", np.ones(len(epochs)))
    score = curves.get("val_mean_iou", -curves.get("val_loss", np.full(len(epochs), np.nan)))
    figure = Figure((9, 4), layout="constrained")
    kinds = ("", "o-", BLUE, "training"), ("val_", "s--", VERMILLION, "validation")
    for ax, name in zip(figure.subplots(1, 2), ["loss", "mean_iou"], strict=True):
        for prefix, style, colour, label in kinds:
            if prefix + name in curves:
                values = curves[prefix + name]
                seen = np.isfinite(values)  # some epochs may have had no validation
                ax.plot(epochs[seen], values[seen], style, ms=4, c=colour, label=label)
        if not np.isnan(score).all():
            best = epochs[np.nanargmax(score)]
            ax.axvline(best, color="0.4", linestyle=":", label=f"best validation: epoch {best:g}")
        ax.set(xlabel="epoch", ylabel=name.replace("_iou", " IoU"))
        ax.set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
        second = epochs[stages > 1]
        if 0 < len(second) < len(epochs):
            ax.axvspan(second[0] - 0.5, second[-1] + 0.5, color="0.92", label="fine-tuning")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_ylim(0, 1)
    drawn = {x.get_label(): x for ax in figure.axes for x in [*ax.lines, *ax.patches]}  # each once
    figure.legend(handles=[*drawn.values()], loc="outside lower center", ncols=4, frameon=False)
    return figure


def check_labels(
    labels: ArrayLike, classes: Mapping[str, int], what: str, image: np.ndarray | None = None
) -> np.ndarray:
    """Returns a label map as uint8; a ValueError says what is wrong with it or with its image."""
    labels = np.asarray(labels)
    if image is not None:
        check_image("image", image)
    if labels.ndim != 2 or labels.dtype.kind not in "iu":
        raise ValueError(f"{what}: found {labels.dtype} {labels.shape}, expected integers (H, W)")
    if image is not None and labels.shape != image.shape[:2]:
        raise ValueError(f"{what}: found {labels.shape}, expected {image.shape[:2]} as the image")
    unknown = labels[((labels < 0) | (labels >= len(classes))) & (labels != VOID)]
    if unknown.size:
        raise ValueError(
            f"{what}: found the label {unknown[0]}, expected 0..{len(classes) - 1} or {VOID}"
        )
    return labels.astype(np.uint8)


def downscale(array: np.ndarray) -> np.ndarray:
    """Shrinks a large image, or a label map without mixing labels, to LONG_SIDE."""
    interpolation = cv2.INTER_NEAREST_EXACT if array.ndim == 2 else cv2.INTER_AREA
    return resize_to_fit(array, min(LONG_SIDE, max(array.shape[:2])), interpolation)


def escape_dollars(text: str) -> str:
    """A name as it is: Matplotlib would read what is between two dollar signs as mathematics."""
    return text.replace("$", r"\$")


def draw_overlay(
    ax: Axes, image: np.ndarray, labels: np.ndarray, classes: Mapping[str, int]
) -> None:
    """Draws an image with the colours of its classes half transparent over it."""
    painted = cv2.addWeighted(image, 0.5, colorize(labels, classes), 0.5, 0)
    ax.imshow(np.where(labels[..., None] > 0, painted, image))
    draw_outlines(ax, labels)


def draw_outlines(ax: Axes, labels: np.ndarray) -> None:
    """Draws thin white lines between regions, for people who cannot tell their colours apart."""
    (y, x), (v, u) = np.nonzero(np.diff(labels, axis=1)), np.nonzero(np.diff(labels, axis=0))
    if len(y) + len(v) < 50_000:  # more are speckles, and the lines would hide them
        ax.vlines(x + 0.5, y - 0.5, y + 0.5, "white", linewidth=0.8)
        ax.hlines(v + 0.5, u - 0.5, u + 0.5, "white", linewidth=0.8)


def mark_errors(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """The image in pale grey, with wrong pixels and those that are not scored painted over it."""
    errors = np.dstack([128 + cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) // 2] * 3)  # (H, W, 3)
    errors[truth != prediction] = ERRORS["wrong"]
    errors[truth == VOID] = ERRORS["not scored"]
    return errors


def add_legend(
    figure: Figure,
    label_maps: Iterable[np.ndarray],
    classes: Mapping[str, int],
    others: Mapping[str, Any],
) -> None:
    """Adds a legend below the figure, for the classes and colours that occur; the figure grows."""
    names = dict(enumerate(classes)) | {VOID: "void"}
    occurring = {label for labels in label_maps for label in np.unique(labels).tolist()}
    colours = {names[i]: colorize([[i]], classes)[0, 0] for i in sorted(occurring)}
    colours |= others
    patches = [
        Patch(fc=np.divide(rgb, 255), ec="0.3", label=escape_dollars(k))
        for k, rgb in colours.items()
    ]
    entry = 0.7 + 0.095 * max(map(len, colours))  # inches
    width = max(figure.get_figwidth(), entry)
    ncols = int(width / entry)
    height = figure.get_figheight() + 0.1 + 0.23 * np.ceil(len(patches) / ncols)
    figure.set_size_inches(width, height)
    figure.legend(handles=patches, ncols=ncols, loc="outside lower center", frameon=False)

"""The scoreboard of the chapters: one row for each network, all on the same images.

Only the chapters use it. It is in the library because a downloaded notebook has nothing else.
"""

import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from voc_seg.data.datasets import SegmentationDataset
from voc_seg.data.voc import VOCFolder
from voc_seg.evaluation import evaluate
from voc_seg.files import write_safely
from voc_seg.models.dense import to_dense
from voc_seg.models.patch_classifier import sliding_window
from voc_seg.models.saving import labels_windows, set_classes


def add_row(
    name: str,
    model: keras.Model,
    folder: VOCFolder,
    ids: list[str],
    size: int,
    out: str | Path = "runs/tutorials",
) -> dict[str, dict[str, Any]]:
    """Scores a model and adds its row to the scoreboard; an older row of that name is replaced.

    There is a board for each data set, number of classes and number of images. A row with other
    classes starts a new board, so rows that you cannot compare never share one. A patch
    classifier is scored by its dense network, which gives the same labels; counted and timed is its
    sliding window.

    Args:
        name: the number of the chapter, then the network: "5 U-Net".
        model: a model (B, H, W, 3) -> (B, H, W, C), or a patch classifier.
        folder: a `VOCFolder`, opened with the model's classes.
        ids: the images.
        size: the side, in pixels, at which the model sees them.
        out: the folder of the boards.

    Returns:
        The rows of this chapter and of those before it. Each has `classes`, `iou` by class and
            `mean_iou`; the wrong pixels, `where` (object taken for background, or the reverse) and
            `what` (the name of another object); `multiplications` and `seconds` for one image.
    """
    set_classes(model, folder.classes, size, dict(folder.members))
    windows = labels_windows(model)
    result = evaluate(to_dense(model) if windows else model, folder, ids, batch_size=50)
    confusion = np.array(result["confusion"])  # truth by row, background first
    objects = confusion[1:, 1:]
    image = SegmentationDataset(folder, ids[:1], size)[0][0]  # (1, size, size, 3)
    once = multiplications(model, model.input_shape[1:] if windows else image.shape[1:])
    row = {key: result[key] for key in ("classes", "iou", "mean_iou")}
    row |= {
        "where": int(confusion[0, 1:].sum() + confusion[1:, 0].sum()),
        "what": int(objects.sum() - np.trace(objects)),
        "multiplications": once * size**2 if windows else once,  # a window around each pixel
        "seconds": seconds(model, image),
    }
    file = Path(out) / f"scoreboard-{folder.path.name}-{len(row['classes'])}-{len(ids)}.json"
    rows = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    rows = {key: old for key, old in rows.items() if old["classes"] == row["classes"]}
    rows = dict(sorted((rows | {name: row}).items(), key=lambda item: item[0][0]))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_safely(file, lambda path: path.write_text(json.dumps(rows, indent=1), encoding="utf-8"))
    return {key: value for key, value in rows.items() if key[0] <= name[0]}


def multiplications(model: keras.Model, shape: tuple[int, ...]) -> int:
    """How many numbers the convolutions and fully connected layers multiply, for one input.

    At each position of its output, a convolution multiplies once with each of its weights. A
    transposed convolution does so at each position of its input, of which there are fewer.
    """
    plain = [layer for layer in model.layers if not isinstance(layer, keras.Model)]
    maps = keras.Model(model.input, [layer.output for layer in plain])(keras.Input(shape))
    shapes = {layer.name: x.shape[1:] for layer, x in zip(plain, maps, strict=True)}
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):  # the encoder of transfer: reads the map before it
            total += multiplications(layer, shape)
            continue
        shape = shapes[layer.name]
        if hasattr(layer, "kernel"):
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            stride = math.prod(layer.strides) if transposed else 1
            total += math.prod(shape[:-1]) // stride * math.prod(layer.kernel.shape)
    return total


def seconds(model: keras.Model, image: np.ndarray, runs: int = 7) -> float:
    """The median time for one image (1, H, W, 3); a patch classifier slides its window."""

    def label() -> None:
        if labels_windows(model):
            sliding_window(model, image[0], progress=False)
        else:
            model.predict_on_batch(image)

    label()  # the first call compiles
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        label()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def format_rows(rows: dict[str, dict[str, Any]]) -> str:
    """Writes a scoreboard as text of at most 78 columns; too many classes are left out."""
    columns = [f"{name[:6]:>4}" for name in next(iter(rows.values()))["classes"]]
    if len(columns) + sum(map(len, columns)) > 29:
        columns = []
    titles = "".join(f" {column}" for column in columns)
    lines = [
        f"{'':19}{'mean':>6}{' IoU of':{len(titles)}}{'wrong pixels':^14}mult.",
        f"{'':19}{'IoU':>6}{titles}{'where':>7}{'what':>7}{'mln.':>5}{'ms':>5}",
    ]
    for name, row in rows.items():
        line = f"{name[:19]:19}{row['mean_iou']:6.3f}"
        for column, iou in zip(columns, row["iou"], strict=False):
            line += f" {'-' if iou is None else f'{iou:.2f}':>{len(column)}}"
        line += f"{row['where']:7,}{row['what']:7,}"
        line += f"{row['multiplications'] / 1e6:5.0f}{1000 * row['seconds']:5.3g}"
        lines.append(line)
    return "\n".join(lines)

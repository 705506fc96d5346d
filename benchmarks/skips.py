"""Are skip connections just more parameters? `python benchmarks/skips.py`

Chapter 5 asks this after five epochs. Here the networks train for 30, to the end of their cosine:
an encoder-decoder, a wider one with more parameters and more multiplications than the U-Net, and
the U-Net, on the same 700 images of shapes, each with three seeds. A finished run is a line in
runs/skips/runs.jsonl and is not run again; `--seeds` and `--epochs` change both.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import cv2
import keras
import numpy as np

from voc_seg import (
    VOID,
    SegmentationDataset,
    build_encoder_decoder,
    build_unet,
    compile_model,
    confusion_matrix,
    iou_from_confusion,
    open_folder,
    predict_labels,
    write_shapes,
)
from voc_seg.scoreboard import multiplications

SIZE, DEPTH = 40, 3
NETWORKS = {
    "encoder-decoder, 16 filters": (build_encoder_decoder, 16),
    "encoder-decoder, 18 filters": (build_encoder_decoder, 18),
    "U-Net, 16 filters": (build_unet, 16),
}


def contour_band(mask, width=2):
    """The pixels near one with another label, as in chapter 5: (H, W) bool."""
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return cv2.dilate(mask, square) != cv2.erode(mask, square)


def mean_iou(masks, answers, classes):
    matrix = sum(confusion_matrix(m, a, classes) for m, a in zip(masks, answers, strict=True))
    return float(np.nanmean(iou_from_confusion(matrix)))


def run(folder, name, seed, epochs):
    """Trains one network; returns the line for the file."""
    build, filters = NETWORKS[name]
    classes = len(folder.classes)
    keras.utils.set_random_seed(seed)
    model = build(classes, filters, DEPTH)
    training = SegmentationDataset(
        folder, folder.ids("train")[:700], SIZE, shuffle=True, seed=seed, cache=True
    )
    validation = SegmentationDataset(folder, folder.ids("val"), SIZE, batch_size=50, cache=True)
    compile_model(model, keras.optimizers.schedules.CosineDecay(3e-3, epochs * len(training)))
    start = time.perf_counter()
    history = model.fit(
        training, validation_data=validation, epochs=epochs, shuffle=False, verbose=2
    ).history
    seconds = time.perf_counter() - start
    images, masks = zip(*map(folder.pair, folder.ids("val")), strict=True)
    answers = predict_labels(model, images)
    near = [np.where(contour_band(mask), mask, VOID) for mask in masks]
    return {
        "name": name,
        "seed": seed,
        "epochs": epochs,
        "parameters": model.count_params(),
        "multiplications": multiplications(model, (SIZE, SIZE, 3)),
        "mean_iou": mean_iou(masks, answers, classes),
        "band_iou": mean_iou(near, answers, classes),
        "seconds": round(seconds),
        "history": {key: [round(x, 4) for x in values] for key, values in history.items()},
    }


def spread(values):
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/skips"))
    options = parser.parse_args()
    folder = open_folder(write_shapes(options.out / "shapes", train=1000, val=200, size=SIZE))
    file = options.out / "runs.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    rows = [row for row in rows if row["epochs"] == options.epochs]
    for seed in range(options.seeds):
        for name in NETWORKS:
            if not any((row["name"], row["seed"]) == (name, seed) for row in rows):
                print(f"\n{name}, seed {seed}", flush=True)
                rows.append(run(folder, name, seed, options.epochs))
                with file.open("a") as stream:
                    stream.write(json.dumps(rows[-1]) + "\n")

    print(f"\nKeras {keras.__version__} on {keras.backend.backend()}, {options.epochs} epochs\n")
    print("| network | parameters | multiplications | mean IoU | in the band | last quarter |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in NETWORKS:
        mine = [row for row in rows if row["name"] == name and row["seed"] < options.seeds]
        curves = [row["history"]["val_mean_iou"] for row in mine]
        late = statistics.mean(c[-1] - c[-1 - options.epochs // 4] for c in curves)
        print(
            f"| {name} | {mine[0]['parameters']:,} | {mine[0]['multiplications'] / 1e6:.1f} million"
            f" | {spread([row['mean_iou'] for row in mine])}"
            f" | {spread([row['band_iou'] for row in mine])} | {late:+.3f} |"
        )


if __name__ == "__main__":
    main()

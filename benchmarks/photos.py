"""Draws what the models of benchmarks/photographs.py make of four free photographs.

    python benchmarks/photos.py --runs runs/photographs

It writes docs/photographs.png, all photographs and models, and docs/journey.png, the picture that
opens the README: one photograph on its way from the patch classifier to the cut-out. For the two
photographs with a mask drawn by hand it prints the IoU of the animal.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from voc_seg import (
    VOID,
    cut_out,
    get_classes,
    load_segmenter,
    predict_labels,
    read_image,
    read_mask,
)
from voc_seg.plots import colorize

DOCS = Path(__file__).parents[1] / "docs"
PHOTOS = ("horse", "dog", "cat", "zebra")
MODELS = {
    "patch classifier": ("animals-patch", {}),
    "U-Net from scratch": ("animals-unet", {}),
    "VGG, frozen": ("animals-frozen", {}),
    "VGG, fine-tuned": ("animals-tuned8", {}),
    "with flip and scales": ("animals-tuned8", {"flip": True, "scales": (0.75, 1, 1.25)}),
}


def show(ax, picture, title):
    ax.imshow(picture, interpolation="nearest")
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[], yticks=[], frame_on=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/photographs"))
    options = parser.parse_args()
    images = {name: read_image(DOCS / "photos" / f"{name}.jpg") for name in PHOTOS}
    masks = {
        name: read_mask(path)
        for name in PHOTOS
        if (path := DOCS / "photos" / f"{name}_mask.png").is_file()
    }
    labels = {}  # (model, photograph) -> (H, W)
    for title, (run, how) in MODELS.items():
        model = load_segmenter(options.runs / run / "best.keras")
        classes = get_classes(model)
        for name, image in images.items():
            (labels[title, name],) = predict_labels(model, [image], **how)
            if name in masks:
                index = list(classes).index(name)
                true, found = masks[name] == classes[name], labels[title, name] == index
                counted = masks[name] != VOID
                hit, either = (true & found)[counted].sum(), (true | found)[counted].sum()
                print(f"{name}, {title}: IoU {hit / either:.3f}")

    columns = ["photograph", "mask by hand", *MODELS]
    heights = [len(image) / len(image[0]) for image in images.values()]
    figure = Figure((2.1 * len(columns), 0.5 + 2.1 * sum(heights)), layout="constrained")
    grid = figure.subplots(len(PHOTOS), len(columns), height_ratios=heights)
    values = {value: index for index, value in enumerate(classes.values())} | {VOID: VOID}
    for row, name in zip(grid, PHOTOS, strict=True):
        for ax in row:
            ax.set(xticks=[], yticks=[], frame_on=False)
        show(row[0], images[name], name)
        if name in masks:
            truth = np.vectorize(values.get)(masks[name]).astype(np.uint8)
            show(row[1], colorize(truth, classes), "mask by hand")
        for ax, title in zip(row[2:], MODELS, strict=True):
            show(ax, colorize(labels[title, name], classes), title if name == PHOTOS[0] else "")
    figure.savefig(DOCS / "photographs.png", dpi=90)

    image, last = images["horse"], labels["with flip and scales", "horse"]
    cut = cut_out(image, last, keep=[list(classes).index("horse")])
    white = np.where(cut[..., 3:] > 0, cut[..., :3], 255)
    steps = {"your photo": image}
    for title, text in (
        ("patch classifier", "1 patch classifier"),
        ("U-Net from scratch", "2 U-Net"),
        ("with flip and scales", "3 fine-tuned VGG"),
    ):
        steps[text] = colorize(labels[title, "horse"], classes)
    steps["4 cut out"] = white
    figure = Figure((2.4 * len(steps), 1.95), layout="constrained")
    for ax, (title, picture) in zip(figure.subplots(1, len(steps)), steps.items(), strict=True):
        show(ax, picture, title)
    figure.savefig(DOCS / "journey.png", dpi=110)


if __name__ == "__main__":
    main()

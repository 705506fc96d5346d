"""The table of photographs in docs/results.md: two tasks, two approaches, one command each.

    python benchmarks/photographs.py --data DATA --weights vgg16_notop.h5 --out runs/photographs

DATA is a folder that holds VOCdevkit/VOC2012 with the photographs of cats, dogs, horses, sheep and
cows of PASCAL VOC 2012. Each run is printed as the command that it is. What is finished is not run
again, and a run that was killed continues where it was.
"""

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

ANIMALS = "cat,dog,horse,sheep,cow"
UNET = "unet --size 128 --filters 16 --epochs 40 --validate-every 10 --loss dice --mixed-precision"
FROZEN = "vgg-transfer --size 256 --epochs 10 --validate-every 5 --fine-tune off --mixed-precision"
TUNED = "vgg-transfer --size 320 --fine-tune-epochs 8 --validate-every 4"
SCALES = "--flip --scales 0.75,1,1.25"
# The row of the table: the run, how to train it, and how to look at the images when judging.
ROWS = {
    "U-Net from scratch": ("unet", UNET, ""),
    "VGG transfer, frozen": ("frozen", FROZEN, ""),
    "VGG transfer, fine-tuned": ("tuned8", TUNED, ""),  # starts from the row above
    "the same with flip and scales": ("tuned8", TUNED, SCALES),
}
# Not in the table, but in the picture that benchmarks/photos.py draws.
PATCH = "patch-classifier --size 128 --window 33 --epochs 6 --validate-every 6"


def voc_seg(*arguments):
    """Prints a command of voc-seg and runs it."""
    print("voc-seg", shlex.join(map(str, arguments)), flush=True)
    subprocess.run([sys.executable, "-m", "voc_seg", *map(str, arguments)], check=True)


def result(options, task, classes, name, training, judging):
    """Trains and evaluates one cell of the table, unless that is done; returns the scores."""
    out = options.out / f"{task}-{name}"
    scores = out.with_name(f"{out.name}{'-scales' if judging else ''}.json")
    if not (out / "curves.png").is_file():  # drawn last
        start = ["--weights", options.weights] if name == "frozen" else []
        if name == "tuned8":
            start = ["--fine-tune-from", options.out / f"{task}-frozen/best.keras"]
        resume = ["--resume"] if (out / "settings.json").is_file() else []
        where = ["--data", options.data, "--year", "2012", "--classes", classes, "--out", out]
        voc_seg("train", *training.split(), *start, *where, *resume)
    if not scores.is_file():
        where = ["--data", options.data, "--year", "2012", "--json", scores]
        voc_seg("evaluate", out / "best.keras", *where, *judging.split())
    return json.loads(scores.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="VGG16's, without its top, .h5")
    parser.add_argument("--out", type=Path, default=Path("runs/photographs"))
    options = parser.parse_args()
    print(
        "about an hour and a half on two cores without a GPU; start it again to continue",
        flush=True,
    )
    lines = ["| mean IoU (mean Dice) | object or background | background and five animals |"]
    lines.append("| --- | --- | --- |")
    for row, how in ROWS.items():
        cells = []
        for task, classes in (("object", "object"), ("animals", ANIMALS)):
            scores = result(options, task, classes, *how)
            cells.append(f"{scores['mean_iou']:.4f} ({scores['mean_dice']:.4f})")
        lines.append(f"| {row} | {' | '.join(cells)} |")
    result(options, "animals", ANIMALS, "patch", PATCH, "")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

"""What a wrong preprocessing costs the real VGG16: mean IoU of a linear classifier of its features.

    python benchmarks/preprocessing.py --data ANIMALS --weights VGG16.h5

The encoder is frozen. On the last feature maps of its blocks 4 and 5, a linear classifier of
positions is fitted by least squares. It learns from 100 photographs of 128 pixels and labels 50
others; this is repeated for three random splits of the same 150. "use" means: fitted with the right
preprocessing, judged with the wrong one, as when an app feeds a good model the wrong images. "both"
means: fitted with the wrong one as well.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import cv2
import keras
import numpy as np

from voc_seg import VOID, SegmentationDataset, confusion_matrix, iou_from_confusion, open_folder

MEANS = np.array([123.68, 116.779, 103.939])  # RGB
WAYS = {  # of changing an image before the right preprocessing, as in chapter 6
    "right": lambda x: x,
    "twice": lambda x: x[..., ::-1] - MEANS[::-1],
    "forgotten": lambda x: x[..., ::-1] + MEANS,
    "channels reversed": lambda x: x[..., ::-1],
    "divided by 255": lambda x: x / 255,
}
CLASSES = ["cat", "dog", "horse", "sheep", "cow"]
SIZE = 128


def features(encoder, images):
    """Blocks 4 and 5 next to each other, at the resolution of block 4: (N, 16, 16, 1024)."""
    prepared = (images - MEANS)[..., ::-1]  # BGR without ImageNet's means
    fine, coarse = encoder.predict(prepared, batch_size=10, verbose=0)
    return np.concatenate([fine, coarse.repeat(2, axis=1).repeat(2, axis=2)], axis=-1)


def with_one(x):
    return np.concatenate([x, np.ones((*x.shape[:-1], 1), x.dtype)], axis=-1)


def fit(x, masks):
    """Least squares with a ridge: features (N, h, w, F) and masks -> weights (F + 1, classes)."""
    y = masks[:, 4::8, 4::8].ravel()  # the label in the middle of each position
    x = with_one(x).reshape(len(y), -1)[y != VOID].astype(np.float64)
    targets = np.eye(len(CLASSES) + 1)[y[y != VOID]]
    square = x.T @ x
    ridge = 1e-3 * np.trace(square) / len(square)
    return np.linalg.solve(square + ridge * np.eye(len(square)), x.T @ targets)


def mean_iou(weights, x, masks):
    """Scores are interpolated to the size of the masks, and the largest is the answer."""
    total = 0
    for scores, mask in zip(with_one(x) @ weights, masks, strict=True):
        labels = cv2.resize(scores, (SIZE, SIZE)).argmax(axis=-1)
        total += confusion_matrix(mask, labels, len(CLASSES) + 1)
    return np.nanmean(iou_from_confusion(total))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds VOCdevkit")
    parser.add_argument("--weights", type=Path, required=True, help="VGG16's, without the top")
    options = parser.parse_args()
    vgg = keras.applications.VGG16(
        include_top=False, weights=options.weights, input_shape=(SIZE, SIZE, 3)
    )
    outputs = [vgg.get_layer(name).output for name in ("block4_conv3", "block5_conv3")]
    encoder = keras.Model(vgg.inputs, outputs)
    folder = open_folder(options.data, year=2012, classes=CLASSES)

    rng = np.random.default_rng(0)
    ids = rng.choice(folder.ids("train"), 150, replace=False).tolist()
    images, masks = SegmentationDataset(folder, ids, SIZE, batch_size=len(ids))[0]
    splits = [(order[:100], order[100:]) for order in (rng.permutation(150) for _ in range(3))]
    print("mean IoU of three splits (smallest to largest)")
    for way, change in WAYS.items():
        x = features(encoder, change(images))
        weights = [fit(x[train], masks[train]) for train, _ in splits]
        if way == "right":
            right = weights
        for column, fitted in {"use": right, "both": weights}.items():
            scores = [
                mean_iou(w, x[val], masks[val]) for w, (_, val) in zip(fitted, splits, strict=True)
            ]
            spread = f"{min(scores):.3f} to {max(scores):.3f}"
            print(f"{way:18} {column:5} {np.mean(scores):.3f} ({spread})", flush=True)


if __name__ == "__main__":
    main()

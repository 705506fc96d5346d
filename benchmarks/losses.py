"""Which loss? `python benchmarks/losses.py --data DATA --weights vgg16_notop.h5`

Trains the decoder of `vgg-transfer` with four losses, three seeds each, on 342 of the training
photographs of `benchmarks/photographs.py`, and judges it on the other 100. The encoder is frozen,
so its features are computed once, at 128 pixels and without augmentation: what differs is the loss.
"""

import argparse
import statistics
from pathlib import Path

import keras
import numpy as np
from keras import ops

from voc_seg import (
    WeightedCrossEntropy,
    build_vgg_transfer,
    class_weights,
    confusion_matrix,
    cross_entropy,
    cross_entropy_and_dice,
    iou_from_confusion,
    open_folder,
)
from voc_seg.data.images import letterbox, letterbox_mask

ANIMALS = "cat,dog,horse,sheep,cow"
SIZE, EPOCHS, BATCH = 128, 15, 8


def hard_pixels(masks, probabilities, share=0.25):
    """The cross-entropy of the quarter of an image's pixels that has the largest: (B,)."""
    losses = cross_entropy(masks, probabilities)  # (B, H, W), 0 at void
    losses = ops.reshape(losses, (-1, SIZE * SIZE))
    return ops.mean(ops.top_k(losses, int(share * SIZE * SIZE))[0], axis=-1)


def features(model, folder, ids):
    """Images, what the encoder makes of them, and masks; each with the images along axis 0."""
    names = [f"decoder{block}_normalise" for block in (3, 4, 5)]
    encoder = keras.Model(model.input, [model.get_layer(name).input for name in names])
    images, masks = zip(*map(folder.pair, ids), strict=True)
    images = np.stack([letterbox(image, SIZE) for image in images]).astype("float32")
    masks = np.stack([letterbox_mask(mask, SIZE) for mask in masks])
    return [images, *encoder.predict(images, batch_size=BATCH, verbose=0)], masks


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    folder = open_folder(options.data, 2012, ANIMALS)
    ids = [str(id) for id in np.random.default_rng(1).permutation(folder.ids("train"))]
    judged, learned = sorted(ids[:100]), sorted(ids[100:])
    losses = {
        "cross-entropy": cross_entropy,
        "cross-entropy and Dice": cross_entropy_and_dice,
        "cross-entropy, weighted by class": WeightedCrossEntropy(class_weights(folder, learned)),
        "cross-entropy of the hardest quarter": hard_pixels,
    }
    classes = len(folder.classes)
    model = build_vgg_transfer(classes, weights=Path(options.weights))
    training = features(model, folder, learned)
    inputs, masks = features(model, folder, judged)
    print(f"{len(learned)} images to learn from, {len(judged)} to judge by, {SIZE} pixels")
    print("| loss | mean IoU | smallest to largest |\n| --- | --- | --- |", flush=True)
    for name, loss in losses.items():
        scores = []
        for seed in range(options.seeds):
            keras.utils.set_random_seed(seed)
            fresh = build_vgg_transfer(classes, weights=Path(options.weights))
            maps = [fresh.get_layer(f"decoder{block}_normalise").input for block in (3, 4, 5)]
            decoder = keras.Model([fresh.input, *maps], fresh.output)
            steps = EPOCHS * -(-len(learned) // BATCH)
            rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
            decoder.compile(keras.optimizers.Adam(rate), loss)
            decoder.fit(*training, batch_size=BATCH, epochs=EPOCHS, verbose=0)
            labels = decoder.predict(inputs, batch_size=BATCH, verbose=0).argmax(-1)
            masks_and_labels = zip(masks, labels.astype("uint8"), strict=True)
            matrix = sum(confusion_matrix(m, a, classes) for m, a in masks_and_labels)
            scores.append(float(np.nanmean(iou_from_confusion(matrix))))
        spread = f"{min(scores):.3f} to {max(scores):.3f}"
        print(f"| {name} | {statistics.mean(scores):.3f} | {spread} |", flush=True)


if __name__ == "__main__":
    main()

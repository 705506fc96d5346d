"""The demonstration: four ways of labelling every pixel, trained and compared in minutes, offline.

The networks are a fraction of their papers' size, and so are the images, so that two processor
cores are enough. The data set is `voc_seg.shapes`.
"""

import json
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

from voc_seg import plots
from voc_seg.dense import to_dense
from voc_seg.encoder_decoder import build_encoder_decoder
from voc_seg.evaluation import evaluate
from voc_seg.patch_classifier import build_patch_classifier
from voc_seg.pipeline import SegmentationDataset, WindowDataset
from voc_seg.prediction import predict_labels, set_classes
from voc_seg.shapes import SHAPE_CLASSES, draw_scene, write_shapes
from voc_seg.training import compile_model, replace, versions
from voc_seg.unet import build_unet
from voc_seg.vgg_transfer import build_vgg_transfer
from voc_seg.voc import open_folder

SIZE = 40  # side of the images in pixels
TRAIN, VAL, FEW = 1000, 200, 20  # images: for training, for validation, "a few labelled masks"


def demo(out="runs/demo", seed=0):
    """Trains five models on the shapes and compares them on the validation images.

    A patch classifier, an encoder-decoder and a U-Net learn from all training masks. Then only
    20 masks are given: to a U-Net that starts from nothing, and to a decoder on an encoder that has
    learned from images with one object each and the name of that object, but no mask, as VGG16
    learned from ImageNet.

    Args:
        out: the folder to write `report.json` and `comparison.png` to; the data set as well.
        seed: whole number that determines data and training.

    Returns:
        The report, a dictionary: see `report.json`.
    """
    out = Path(out)
    root = out / f"shapes-{seed}"
    if not root.exists():
        out.mkdir(parents=True, exist_ok=True)
        write_shapes(root, TRAIN, VAL, seed, SIZE)
    folder = open_folder(root)
    ids, classes = folder.ids("train"), len(folder.classes)
    keras.utils.set_random_seed(seed)

    def images(ids, augment):
        return SegmentationDataset(
            folder, ids, SIZE, augment=augment, shuffle=True, seed=seed, cache=True
        )

    windows = WindowDataset(folder, ids, 9, SIZE, windows_per_image=64, seed=seed)
    patch = build_patch_classifier(classes, window=9, filters=16)
    encoder_decoder = build_encoder_decoder(classes, filters=16, depth=3)
    unet = build_unet(classes, filters=16, depth=3)
    scratch = build_unet(classes, filters=16, depth=3)
    results = {}

    def run(title, model, data, masks, epochs):
        print(f"\n{title}: {model.count_params():,} parameters, {masks} masks", flush=True)
        seconds = fit(model, data, epochs)
        model = to_dense(model) if model is patch else model
        set_classes(model, folder.classes, SIZE)
        row = {"name": title, "parameters": model.count_params(), "training_images": masks}
        result = evaluate(model, folder, "val", batch_size=50)
        row |= {"seconds": round(seconds, 1), "mean_iou": result["mean_iou"]}
        row |= {"iou": dict(zip(result["classes"], result["iou"], strict=True))}
        results[title] = model, row

    run("patch classifier", patch, windows, TRAIN, 2)
    run("encoder-decoder", encoder_decoder, images(ids, augment=False), TRAIN, 7)
    run("U-Net", unet, images(ids, augment=False), TRAIN, 7)
    few = ids[:FEW]
    print("\nencoder for transfer: learns the names of single objects, from images without masks")
    encoder, pretraining = pretrain_encoder(seed)
    transfer = build_vgg_transfer(classes, weights=encoder, blocks=(1, 2, 3), filters=32)
    # An epoch shows each of the few images twenty times, each time changed in another way.
    run(f"U-Net, {FEW} masks", scratch, images(few * 20, augment=True), FEW, 4)
    run(f"transfer, {FEW} masks", transfer, images(few * 20, augment=True), FEW, 4)
    results[f"transfer, {FEW} masks"][1]["seconds_of_pretraining"] = round(pretraining, 1)

    rows = [row for _, row in results.values()]
    report = {"data": f"shapes, seed {seed}", "validation_images": VAL, "models": rows}
    report |= versions()
    text = json.dumps(report, indent=2) + "\n"
    replace(out / "report.json", lambda path: path.write_text(text, encoding="utf-8"))
    figure = compare({name: model for name, (model, _) in results.items()}, folder)
    replace(out / "comparison.png", figure.savefig)
    print(f"\n{table(rows)}\n\nnumbers: {out / 'report.json'}\npicture: {out / 'comparison.png'}")
    return report


def fit(model, data, epochs, learning_rate=3e-3):
    """Trains with a learning rate that falls to zero; returns the seconds that it took."""
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(data))
    compile_model(model, rate)
    start = time.perf_counter()
    model.fit(data, epochs=epochs, shuffle=False)
    return time.perf_counter() - start


def pretrain_encoder(seed, count=3000, epochs=2):
    """A small encoder in VGG's style that has learned to name the one object in an image.

    Returns:
        encoder: a `keras.Model` for `build_vgg_transfer`.
        seconds: how long the training took.
    """
    rng = np.random.default_rng((seed, 2))  # 0 and 1 are the masks' images, train and val
    labels = rng.integers(1, len(SHAPE_CLASSES), count)
    images = np.stack([draw_scene(rng, SIZE, [label])[0] for label in labels])  # (N, S, S, 3)

    inputs = keras.Input((None, None, 3))
    x = inputs
    for block, filters in enumerate((16, 32, 64), start=1):
        for i in (1, 2):
            name = f"block{block}_conv{i}"
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    encoder = keras.Model(inputs, x)

    photos = keras.Input((SIZE, SIZE, 3))
    x = encoder(keras.applications.vgg16.preprocess_input(photos))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(len(SHAPE_CLASSES), activation="softmax")(x)
    classifier = keras.Model(photos, x)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-count // 32))
    classifier.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    start = time.perf_counter()
    classifier.fit(images, labels, batch_size=32, epochs=epochs)
    return encoder, time.perf_counter() - start


def compare(models, folder, count=6):
    """A Figure: validation images, their masks, and what each model makes of them."""
    ids = folder.ids("val")
    ids = ids[:: max(1, len(ids) // count)][:count]
    images, masks = zip(*map(folder.pair, ids), strict=True)
    predictions = {name: predict_labels(model, images) for name, model in models.items()}
    return plots.plot_predictions(images, masks, predictions, folder.classes)


def table(rows):
    """The rows of the report as text."""
    lines = [f"{'model':22}{'parameters':>11}{'masks':>7}{'seconds':>9}{'mean IoU':>10}"]
    for row in rows:
        lines.append(
            f"{row['name']:22}{row['parameters']:>11,}{row['training_images']:>7}"
            f"{row['seconds']:>9.1f}{row['mean_iou']:>10.3f}"
        )
    return "\n".join(lines)

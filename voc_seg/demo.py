"""The demonstration: five models trained and compared in minutes, offline.

The networks and the images are much smaller than in the papers, so two processor cores are
enough. The data set is `voc_seg.data.shapes`.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from matplotlib.figure import Figure

from voc_seg import plots
from voc_seg.checkpoints import versions
from voc_seg.checks import check_whole
from voc_seg.data.datasets import SegmentationDataset, WindowDataset
from voc_seg.data.shapes import write_shapes
from voc_seg.data.voc import VOCFolder, open_folder
from voc_seg.evaluation import evaluate
from voc_seg.files import lock_folder, write_safely
from voc_seg.models.dense import to_dense
from voc_seg.models.encoder_decoder import build_encoder_decoder
from voc_seg.models.patch_classifier import build_patch_classifier
from voc_seg.models.saving import labels_windows, set_classes
from voc_seg.models.unet import build_unet
from voc_seg.models.vgg_transfer import build_vgg_transfer
from voc_seg.prediction import predict_labels
from voc_seg.pretraining import pretrain_encoder
from voc_seg.training import compile_model, verbosity

SIZE = 40  # side of the images in pixels
TRAIN, VAL, FEW = 1000, 200, 20  # images: for training, for validation, "a few labelled masks"


def demo(out: str | Path = "runs/demo", seed: int = 0) -> dict[str, Any]:
    """Trains five models on the shapes and compares them on the validation images.

    A patch classifier, an encoder-decoder and a U-Net learn from all training masks. Then two
    models get only 20 masks: a U-Net from scratch, and a decoder on an encoder that was
    pretrained to name single objects, without masks, as VGG16 was on ImageNet.

    Args:
        out: the folder to write `report.json` and `comparison.png` to, and the data set.
        seed: random seed of data and training.

    Returns:
        The report, a dictionary: the content of `report.json`.
    """
    check_whole("seed", seed, low=0)
    out = Path(out)
    with lock_folder(out):
        folder = open_folder(write_shapes(out / f"shapes-{seed}", TRAIN, VAL, seed, SIZE))
        ids, classes = folder.ids("train"), len(folder.classes)
        keras.utils.set_random_seed(seed)

        print("\nencoder for transfer: learns to name single objects, from images without masks")
        start = time.perf_counter()
        encoder = pretrain_encoder(seed, size=SIZE)
        pretraining = round(time.perf_counter() - start, 1)

        windows = WindowDataset(folder, ids, window=9, size=SIZE, seed=seed)
        images = SegmentationDataset(folder, ids, SIZE, shuffle=True, seed=seed, cache=True)
        # An epoch shows each of the few images twenty times, each time augmented differently.
        few = SegmentationDataset(
            folder, ids[:FEW] * 20, SIZE, augment=True, shuffle=True, seed=seed, cache=True
        )
        patch = build_patch_classifier(classes, window=9, filters=16)
        encoder_decoder = build_encoder_decoder(classes, filters=16, depth=3)
        unet = build_unet(classes, filters=16, depth=3)
        scratch = build_unet(classes, filters=16, depth=3)
        transfer = build_vgg_transfer(classes, blocks=(1, 2, 3), filters=32, encoder=encoder)
        runs = [  # name, model, data, masks, epochs
            ("patch classifier", patch, windows, TRAIN, 2),
            ("encoder-decoder", encoder_decoder, images, TRAIN, 7),
            ("U-Net", unet, images, TRAIN, 7),
            (f"U-Net, {FEW} masks", scratch, few, FEW, 4),
            (f"transfer, {FEW} masks", transfer, few, FEW, 4),
        ]
        models, rows = {}, []
        for name, model, data, masks, epochs in runs:
            print(f"\n{name}: {model.count_params():,} parameters, {masks} masks", flush=True)
            seconds = fit(model, data, epochs)
            model = to_dense(model) if labels_windows(model) else model
            set_classes(model, folder.classes, SIZE)
            result = evaluate(model, folder, "val", batch_size=50)
            models[name] = model
            rows.append(
                {
                    "name": name,
                    "parameters": model.count_params(),
                    "training_images": masks,
                    "seconds": round(seconds, 1),
                    "mean_iou": result["mean_iou"],
                    "iou": dict(zip(result["classes"], result["iou"], strict=True)),
                }
            )

        report = {"data": f"shapes, seed {seed}", "validation_images": VAL, "models": rows}
        report |= {"seconds_of_pretraining": pretraining} | versions()
        text = json.dumps(report, indent=2) + "\n"
        write_safely(out / "report.json", lambda path: path.write_text(text, encoding="utf-8"))
        write_safely(out / "comparison.png", compare(models, folder).savefig)
    print(f"\n{table(rows)}\n\nnumbers: {out / 'report.json'}\npicture: {out / 'comparison.png'}")
    return report


def fit(
    model: keras.Model,
    data: keras.utils.PyDataset,
    epochs: int,
    learning_rate: float = 3e-3,
) -> float:
    """Trains with a learning rate that falls to zero; returns the seconds that it took."""
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(data))
    compile_model(model, rate)
    data.epoch = 0  # every model sees the same batches
    start = time.perf_counter()
    model.fit(data, epochs=epochs, shuffle=False, verbose=verbosity())
    return time.perf_counter() - start


def compare(models: Mapping[str, keras.Model], folder: VOCFolder, count: int = 6) -> Figure:
    """Draws validation images, their masks, and the prediction of each model."""
    ids = folder.ids("val")
    ids = ids[:: max(1, len(ids) // count)][:count]
    images, masks = zip(*map(folder.pair, ids), strict=True)
    predictions = {name: predict_labels(model, images) for name, model in models.items()}
    return plots.plot_predictions(images, masks, predictions, folder.classes)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of the report as text."""
    lines = [f"{'model':22}{'parameters':>11}{'masks':>7}{'seconds':>9}{'mean IoU':>10}"]
    for row in rows:
        lines.append(
            f"{row['name']:22}{row['parameters']:>11,}{row['training_images']:>7}"
            f"{row['seconds']:>9.1f}{row['mean_iou']:>10.3f}"
        )
    return "\n".join(lines)

"""The command line: `voc-seg --help`.

Keras is imported inside the commands that need it, so that help and bad arguments answer at once.
"""

import argparse
import json
import os
import sys
from pathlib import Path

MODELS = ("patch-classifier", "encoder-decoder", "unet", "vgg-transfer")


def main(arguments=None):
    """Runs `voc-seg`; a failure is one sentence on standard error and exit status 2."""
    # The backends tell a lot about processors and missing GPUs that is no news to anybody.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        sentence = " ".join(str(error).split())
        sys.exit(fail(f"voc-seg: error: {sentence}", 2))
    except KeyboardInterrupt:
        sys.exit(fail("voc-seg: interrupted", 130))


def fail(sentence, status):
    print(sentence, file=sys.stderr)
    return status


def parser():
    top = argparse.ArgumentParser(
        prog="voc-seg", description="Semantic segmentation, step by step."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, help):
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        return sub

    sub = command("demo", run_demo, "train and compare all models on the embedded data set")
    sub.add_argument("--out", type=Path, default=Path("runs/demo"), help="default: %(default)s")
    sub.add_argument("--seed", type=whole(0), default=0, help="default: %(default)s")

    sub = command("shapes", run_shapes, "write the embedded data set, in VOC's layout")
    add_data(sub, help="the folder to write to")
    sub.add_argument("--train", type=whole(1), default=400, metavar="N", help="training images")
    sub.add_argument("--val", type=whole(1), default=100, metavar="N", help="validation images")
    sub.add_argument("--seed", type=whole(0), default=0, metavar="S", help="default: %(default)s")

    sub = command("download", run_download, "fetch PASCAL VOC, check it and unpack it")
    add_data(sub, help="the folder that will hold VOCdevkit")
    sub.add_argument("--year", type=int, default=2009, help="2007 to 2012; default: %(default)s")
    sub.add_argument("--archive", type=Path, metavar="FILE", help="the archive, if you have it")
    sub.add_argument("--mirror", metavar="URL", help="where else to fetch the archive from")

    sub = command("train", run_train, "train a model")
    sub.add_argument("model", choices=MODELS, metavar="MODEL", help=", ".join(MODELS))
    add_data(sub)
    add_year(sub)
    sub.add_argument(
        "--classes", default="all", help="all (default), object, or a list of names: cat,dog,cow"
    )
    sub.add_argument(
        "--size", type=whole(1), default=224, metavar="S", help="side of the images in pixels"
    )
    sub.add_argument(
        "--batch-size", type=whole(1), metavar="B",
        help="images (default: 8) or, for patch-classifier, windows (default: 256) in a batch",
    )  # fmt: skip
    sub.add_argument(
        "--epochs", type=whole(1), default=20, metavar="E", help="default: %(default)s"
    )
    sub.add_argument(
        "--weights", default="imagenet", metavar="imagenet|none|PATH",
        help="of the encoder of vgg-transfer; default: %(default)s",
    )  # fmt: skip
    sub.add_argument("--window", type=whole(1), default=33, help="of patch-classifier, in pixels")
    sub.add_argument(
        "--filters", type=whole(1), metavar="F", help="width of the network; default: the model's"
    )
    sub.add_argument("--seed", type=whole(0), default=0, metavar="S", help="default: %(default)s")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    sub.add_argument("--resume", action="store_true", help="go on with the run in DIR")

    sub = command("evaluate", run_evaluate, "judge a model: IoU by class at full resolution")
    sub.add_argument("model", type=Path, metavar="MODEL.keras")
    add_data(sub)
    add_year(sub)
    sub.add_argument("--split", default="val", help="default: %(default)s")
    sub.add_argument("--json", type=Path, metavar="FILE", help="write the result there")
    sub.add_argument("--masks", type=Path, metavar="DIR", help="write the predictions there")

    sub = command("predict", run_predict, "label the pixels of your own images")
    sub.add_argument("model", type=Path, metavar="MODEL.keras")
    sub.add_argument("images", type=Path, nargs="+", metavar="IMAGE")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR")
    sub.add_argument("--overlay", action="store_true", help="classes in colours, with a legend")
    sub.add_argument("--cutout", action="store_true", help="the object on transparent ground")
    return top


def add_data(sub, help="the folder that holds VOCdevkit, or the VOC20xx folder itself"):
    sub.add_argument("--data", type=Path, required=True, metavar="ROOT", help=help)


def add_year(sub):
    sub.add_argument("--year", type=int, metavar="Y", help="default: the only one there, or 2009")


def whole(low):
    def parse(text):
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < low:
            raise argparse.ArgumentTypeError(
                f"found {text!r}, expected a whole number of at least {low}"
            )
        return value

    return parse


def run_demo(options):
    from voc_seg.demo import demo

    demo(options.out, options.seed)


def run_shapes(options):
    from voc_seg.shapes import write_shapes

    path = write_shapes(options.data, options.train, options.val, options.seed)
    print(f"{path}: {options.train} training and {options.val} validation images")


def run_download(options):
    from voc_seg.download import download_voc

    path = download_voc(options.data, options.year, options.archive, options.mirror)
    print(f"{path} is complete")


def run_train(options):
    from voc_seg.pipeline import SegmentationDataset, WindowDataset, read_pairs
    from voc_seg.voc import open_folder

    folder = open_folder(options.data, options.year, options.classes)
    train_ids, val_ids = folder.ids("train"), folder.ids("val")
    if options.out.is_dir() and any(options.out.iterdir()) and not options.resume:
        raise FileExistsError(f"{options.out}: is not empty; give another --out, or --resume")

    import keras

    from voc_seg import training
    from voc_seg.prediction import set_classes

    keras.utils.set_random_seed(options.seed)
    model = build(options, len(folder.classes))
    set_classes(model, folder.classes, options.size)
    for _ in read_pairs(folder, sorted({*train_ids, *val_ids}), "checking the files"):
        pass  # a broken file is found now, not after an hour
    common = {"size": options.size, "seed": options.seed}
    if options.model == "patch-classifier":
        data = WindowDataset(
            folder, train_ids, options.window, batch_size=options.batch_size or 256, augment=True,
            **common,
        )  # fmt: skip
    else:
        data = SegmentationDataset(
            folder, train_ids, batch_size=options.batch_size or 8, augment=True, shuffle=True,
            **common,
        )  # fmt: skip
    validation = SegmentationDataset(folder, val_ids, **common)
    settings = {k: str(v) for k, v in vars(options).items() if k not in ("run", "resume", "out")}
    _, history = training.train(
        model, data, validation, options.out, options.epochs, settings=settings,
        resume=options.resume,
    )  # fmt: skip
    best = max(history["val_mean_iou"])
    print(f"best validation mean IoU {best:.4f} at {options.size} pixels; see {options.out}")


def build(options, num_classes):
    import voc_seg

    width = {} if options.filters is None else {"filters": options.filters}
    if options.model == "patch-classifier":
        return voc_seg.build_patch_classifier(num_classes, window=options.window, **width)
    if options.model == "vgg-transfer":
        weights = None if options.weights == "none" else options.weights
        return voc_seg.build_vgg_transfer(num_classes, weights=weights, **width)
    if options.model == "unet":
        return voc_seg.build_unet(num_classes, **width)
    return voc_seg.build_encoder_decoder(num_classes, **width)


def run_evaluate(options):
    from voc_seg.evaluation import evaluate, format_table
    from voc_seg.images import write_mask
    from voc_seg.prediction import get_classes, label_values, load_segmenter
    from voc_seg.voc import open_folder, palette

    folder = open_folder(options.data, options.year)
    ids = folder.ids(options.split)
    model = load_segmenter(options.model)
    classes = get_classes(model)
    folder = open_folder(options.data, options.year, chosen(classes, folder.names))

    def write(id, labels):
        path = options.masks / f"{id}.png"
        write_mask(path, label_values(labels, classes), palette())

    if options.masks:
        options.masks.mkdir(parents=True, exist_ok=True)
    result = evaluate(model, folder, ids, on_prediction=write if options.masks else None)
    print(format_table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def chosen(classes, names):
    """The `classes` argument with which `open_folder` gives the classes of a model."""
    if list(classes) == list(names):
        return "all"
    if list(classes)[1:] == ["object"] and "object" not in names:
        return "object"
    return list(classes)[1:]


def run_predict(options):
    from tqdm import tqdm

    from voc_seg import plots
    from voc_seg.images import read_image, write_image, write_mask
    from voc_seg.prediction import (
        cut_out,
        get_classes,
        label_values,
        load_segmenter,
        predict_labels,
    )
    from voc_seg.voc import palette

    for path in options.images:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such image")
        twins = [other for other in options.images if other.stem == path.stem]
        if len(twins) > 1:
            raise ValueError(
                f"{twins[1]}: its results would overwrite those of {twins[0]}; "
                "give images of the same name one at a time, to different --out"
            )
        if (options.out / f"{path.stem}.png").resolve() == path.resolve():
            raise ValueError(f"{path}: would be overwritten by its mask; give another --out")
    model = load_segmenter(options.model)
    classes = get_classes(model)
    options.out.mkdir(parents=True, exist_ok=True)
    for path in tqdm(options.images, desc="predicting", unit="image"):
        image = read_image(path)
        (labels,) = predict_labels(model, [image])
        target = options.out / path.stem
        write_mask(f"{target}.png", label_values(labels, classes), palette())
        if options.overlay:
            plots.plot_overlay(image, labels, classes).savefig(f"{target}_overlay.png")
        if options.cutout:
            write_image(f"{target}_cutout.png", cut_out(image, labels))
            if not labels.any():
                tqdm.write(f"{path}: no object found, so the cut-out is empty", file=sys.stderr)
    print(f"{len(options.images)} predicted; see {options.out}")

"""The command line: `voc-seg --help`.

Here stand the arguments, in `voc_seg.commands` what is done with them.
"""

import argparse
import sys
from pathlib import Path

from voc_seg import commands

MODELS = ("patch-classifier", "encoder-decoder", "unet", "vgg-transfer")


def main(arguments=None):
    """Runs `voc-seg`; a failure is one sentence on standard error and exit status 2."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("voc-seg: interrupted", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        fail(": ".join(str(e) for e in (error.filename, error.strerror) if e) or error)
    except (ValueError, ImportError) as error:  # ImportError: KERAS_BACKEND is not installed
        fail(error)
    except Exception as error:
        # Beside Python's MemoryError each backend has an error of its own for what is too large.
        name = f"{type(error).__name__} {error}".upper().replace("_", "")
        known = isinstance(error, MemoryError) or "RESOURCEEXHAUSTED" in name
        if not known and "OUTOFMEMORY" not in name:
            raise
        fail("not enough memory; try a smaller --size, --batch-size or --filters")


def fail(error):
    print("voc-seg: error:", " ".join(str(error).split()), file=sys.stderr)
    sys.exit(2)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without repeating the usage."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def parser():
    top = Parser(prog="voc-seg", description="Semantic segmentation, step by step.")
    subparsers = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, help):
        sub = subparsers.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        return sub

    sub = command("demo", commands.demo, "train and compare all models on the embedded data set")
    sub.add_argument("--out", type=path, default=Path("runs/demo"), help="default: %(default)s")
    sub.add_argument("--seed", type=whole(0), default=0, help="default: %(default)s")

    sub = command("shapes", commands.shapes, "write the embedded data set, in VOC's layout")
    add_data(sub, help="the folder to write to")
    sub.add_argument(
        "--train",
        type=whole(1),
        default=400,
        metavar="N",
        help="training images; default: %(default)s",
    )
    sub.add_argument(
        "--val",
        type=whole(1),
        default=100,
        metavar="N",
        help="validation images; default: %(default)s",
    )
    sub.add_argument("--seed", type=whole(0), default=0, metavar="S", help="default: %(default)s")

    sub = command("download", commands.download, "fetch PASCAL VOC, check it and unpack it")
    add_data(sub, help="the folder that will hold VOCdevkit")
    sub.add_argument("--year", type=int, default=2009, help="2007 to 2012; default: %(default)s")
    sub.add_argument("--archive", type=path, metavar="FILE", help="the archive, if you have it")
    sub.add_argument(
        "--mirror", metavar="URL", help="where else to fetch the archive from: the URL of the file "
        "or of its folder",
    )  # fmt: skip

    sub = command("train", commands.train, "train a model")
    sub.add_argument("model", choices=MODELS, metavar="MODEL", help=", ".join(MODELS))
    add_data(sub)
    add_year(sub)
    sub.add_argument(
        "--classes",
        default="all",
        help="all (default), object, or a list without the background: cat,dog,cow",
    )
    sub.add_argument(
        "--size",
        type=whole(1),
        default=224,
        metavar="S",
        help="side of the images in pixels; default: %(default)s",
    )
    sub.add_argument(
        "--batch-size", type=whole(1), metavar="B",
        help="images (default: 8) or, for patch-classifier, windows (default: 256) in a batch",
    )  # fmt: skip
    sub.add_argument(
        "--epochs", type=whole(1), default=20, metavar="E", help="default: %(default)s"
    )
    sub.add_argument(
        "--validate-every", type=whole(1), default=1, metavar="E", help="epochs; default: 1"
    )
    sub.add_argument(
        "--weights", metavar="imagenet|none|PATH",
        help="of the encoder, for vgg-transfer only; default: imagenet",
    )  # fmt: skip
    sub.add_argument(
        "--window", type=whole(1), help="in pixels, for patch-classifier only; default: 33"
    )
    sub.add_argument(
        "--filters",
        type=whole(1),
        metavar="F",
        help="width of the network; default: 64, patch-classifier 32",
    )
    sub.add_argument("--seed", type=whole(0), default=0, metavar="S", help="default: %(default)s")
    sub.add_argument("--out", type=path, required=True, metavar="DIR", help="a new folder")
    sub.add_argument(
        "--resume", action="store_true", help="go on with the run in DIR, all else given as before"
    )

    sub = command("evaluate", commands.evaluate, "judge a model: IoU by class at full resolution")
    sub.add_argument("model", type=path, metavar="MODEL.keras")
    add_data(sub)
    add_year(sub)
    sub.add_argument("--split", default="val", help="default: %(default)s")
    sub.add_argument("--json", type=path, metavar="FILE", help="write the result there")
    sub.add_argument("--masks", type=path, metavar="DIR", help="write the predictions there")

    sub = command("predict", commands.predict, "label the pixels of your own images")
    sub.add_argument("model", type=path, metavar="MODEL.keras")
    sub.add_argument("images", type=path, nargs="+", metavar="IMAGE")
    sub.add_argument("--out", type=path, required=True, metavar="DIR")
    sub.add_argument("--overlay", action="store_true", help="classes in colours, with a legend")
    sub.add_argument("--cutout", action="store_true", help="the object on transparent ground")
    return top


def add_data(sub, help="a folder in VOC's layout, or one that holds VOCdevkit"):
    sub.add_argument("--data", type=path, required=True, metavar="ROOT", help=help)


def add_year(sub):
    sub.add_argument("--year", type=int, metavar="Y", help="default: the only one there, or 2009")


def path(text):
    if not text:  # not the present folder: a variable of the shell's is not set
        raise argparse.ArgumentTypeError("found nothing, expected a path")
    return Path(text)


def whole(low, high=2**32 - 1):
    def parse(text):
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"found {text!r}, expected a whole number from {low} to {high}"
            )
        return value

    return parse

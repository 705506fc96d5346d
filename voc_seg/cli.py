"""The command line: `voc-seg --help`.

The arguments are defined here, one function for each command; `voc_seg.commands` and
`voc_seg.judging` act on them.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from voc_seg.checks import is_out_of_memory
from voc_seg.terminal import safe_terminal

MODELS = ("patch-classifier", "encoder-decoder", "unet", "vgg-transfer")
LOSSES = ("cross-entropy", "dice", "weighted")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs `voc-seg`.

    A failure is one sentence on standard error and exit status 2; Ctrl-C ends with 130, a closed
    pipe with 1.
    """
    with safe_terminal() as interrupted:
        try:
            options, unknown = parser().parse_known_args(arguments)
            if unknown:
                options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
            options.run(options)
            if interrupted:  # a library caught Ctrl-C as if it were its own error
                raise KeyboardInterrupt
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of the output has seen enough
            sys.exit(1)
        except (Exception, KeyboardInterrupt) as error:
            # Where Ctrl-C hits a C extension, it can arrive as another exception.
            if interrupted or isinstance(error, KeyboardInterrupt):
                print("voc-seg: interrupted", file=sys.stderr)
                sys.exit(130)
            sentence = explain(error)
            if sentence is None:
                raise
            print("voc-seg: error:", " ".join(sentence.split()), file=sys.stderr)
            sys.exit(2)


def explain(error: BaseException) -> str | None:
    """What a failure means, in one sentence; None for an unexpected error."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, (OSError, ValueError, ImportError)):  # a backend is not installed
        return str(error)
    if is_out_of_memory(error):
        return "not enough memory; try smaller images, batches or networks"
    return None


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without repeating the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    """The parser of all commands."""
    from voc_seg import __version__

    top = Parser(prog="voc-seg", description="Semantic segmentation, step by step.")
    top.add_argument("--version", action="version", version=f"voc-seg {__version__}")
    top.set_defaults(parser=top)
    subparsers = top.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for add in (add_demo, add_shapes, add_download, add_train, add_evaluate, add_predict):
        add(subparsers)
    return top


def add_command(subparsers: Any, run: Callable[[argparse.Namespace], None], help: str) -> Parser:
    """Adds a subcommand, named after the function that runs it."""
    sub = subparsers.add_parser(run.__name__, help=help, description=help)
    sub.set_defaults(run=run, parser=sub)
    return sub


def add_demo(subparsers: Any) -> None:
    """Defines `voc-seg demo`."""
    from voc_seg.commands import demo

    sub = add_command(subparsers, demo, "train and compare five models on the built-in data set")
    sub.add_argument("--out", type=path, default=Path("runs/demo"), help="default: %(default)s")
    sub.add_argument("--seed", type=whole(0), default=0, help="default: %(default)s")


def add_shapes(subparsers: Any) -> None:
    """Defines `voc-seg shapes`."""
    from voc_seg.commands import shapes

    sub = add_command(subparsers, shapes, "write the built-in data set, in VOC's layout")
    sub.add_argument("--data", **DATA, help="the folder to write to")
    sub.add_argument("--train", **number(1, 400, 10**6), help="training images; default: 400")
    sub.add_argument("--val", **number(1, 100, 10**6), help="validation images; default: 100")
    sub.add_argument("--seed", **number(0, 0), help="default: 0")


def add_download(subparsers: Any) -> None:
    """Defines `voc-seg download`."""
    from voc_seg.commands import download

    sub = add_command(subparsers, download, "fetch PASCAL VOC, check it and unpack it")
    sub.add_argument("--data", **DATA, help="the folder that will hold VOCdevkit")
    sub.add_argument("--year", type=int, default=2009, help="2007 to 2012; default: 2009")
    sub.add_argument("--archive", type=path, metavar="FILE", help="the archive, if you have it")
    sub.add_argument(
        "--mirror", metavar="URL", help="where else to fetch the archive: its URL or its folder's"
    )


def add_train(subparsers: Any) -> None:
    """Defines `voc-seg train`."""
    from voc_seg.commands import train

    sub = add_command(subparsers, train, "train a model")
    sub.add_argument("model", choices=MODELS, metavar="MODEL", help=", ".join(MODELS))
    sub.add_argument("--data", **DATA, help="a folder in VOC's layout, or one that holds VOCdevkit")
    sub.add_argument("--year", **YEAR)
    sub.add_argument(
        "--classes",
        default="all",
        help="all (default), object, or a list without the background: cat,dog or pet=cat+dog,cow",
    )
    sub.add_argument(
        "--size", **number(1, 224, 1 << 14), help="side of the images in pixels; default: 224"
    )
    sub.add_argument(
        "--batch-size",
        **number(1, None, 10**6),
        help="images (default: 8) or, for patch-classifier, windows (default: 256) in a batch",
    )
    sub.add_argument("--epochs", **number(1, None, 10**6), help="default: 20")
    sub.add_argument(
        "--learning-rate",
        type=rate,
        metavar="R",
        help="at the beginning; default: 0.001, with --fine-tune-from 0.0001",
    )
    sub.add_argument(
        "--loss",
        choices=LOSSES,
        default=LOSSES[0],
        help="cross-entropy (default), dice: cross-entropy plus Dice, or weighted: rare classes "
        "count more",
    )
    sub.add_argument(
        "--mixed-precision",
        action="store_true",
        help="compute in 16 bits: faster on most GPUs, and on CPUs that know bfloat16",
    )
    sub.add_argument(
        "--limit",
        **number(1, None, 10**9),
        help="use only the first N training and N validation images, for a quick trial",
    )
    sub.add_argument(
        "--validate-every", **number(1, 1, 10**6), help="validate every N epochs; default: 1"
    )
    sub.add_argument(
        "--weights",
        metavar="imagenet|none|FILE.h5",
        help="of VGG16, for vgg-transfer only; default: imagenet",
    )
    sub.add_argument(
        "--encoder",
        type=path,
        metavar="FILE.keras",
        help="your own encoder in place of VGG16, for vgg-transfer only",
    )
    sub.add_argument(
        "--fine-tune",
        metavar="BLOCK|off",
        help="after --epochs, vgg-transfer also trains its encoder from this block on; default: "
        "block4",
    )
    sub.add_argument("--fine-tune-epochs", **number(1, None, 10**6), help="default: 10")
    sub.add_argument(
        "--fine-tune-from",
        type=path,
        metavar="BEST.keras",
        help="fine-tune this vgg-transfer model, in place of training a new decoder first",
    )
    sub.add_argument(
        "--window",
        **number(1, None, 1 << 14),
        help="pixels, for patch-classifier only; default: 33",
    )
    sub.add_argument(
        "--filters",
        **number(1, None, 1 << 14),
        help="width of the network; default: 64, patch-classifier 32",
    )
    sub.add_argument("--seed", **number(0, 0), help="default: 0")
    sub.add_argument("--out", type=path, required=True, metavar="DIR", help="a new folder")
    sub.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in DIR; give the same options as before",
    )


def add_evaluate(subparsers: Any) -> None:
    """Defines `voc-seg evaluate`."""
    from voc_seg.judging import evaluate

    sub = add_command(
        subparsers, evaluate, "score a model: IoU, Dice, precision and recall at full resolution"
    )
    sub.add_argument("model", type=path, metavar="MODEL.keras")
    sub.add_argument("--data", **DATA, help="a folder in VOC's layout, or one that holds VOCdevkit")
    sub.add_argument("--year", **YEAR)
    sub.add_argument("--split", default="val", help="default: val")
    sub.add_argument("--json", type=path, metavar="FILE", help="write the result to this file")
    sub.add_argument("--masks", type=path, metavar="DIR", help="write the predictions here")
    add_test_time(sub)


def add_predict(subparsers: Any) -> None:
    """Defines `voc-seg predict`."""
    from voc_seg.judging import predict

    sub = add_command(subparsers, predict, "label the pixels of your own images")
    sub.add_argument("model", type=path, metavar="MODEL.keras")
    sub.add_argument("images", type=path, nargs="+", metavar="IMAGE", help="files, or folders")
    sub.add_argument("--out", type=path, required=True, metavar="DIR")
    sub.add_argument("--overlay", action="store_true", help="classes in colours, with a legend")
    sub.add_argument("--cutout", action="store_true", help="the object on a transparent background")
    sub.add_argument("--keep", metavar="CLASSES", help="which classes to cut out; default: all")
    add_test_time(sub)


def add_test_time(sub: Parser) -> None:
    """Defines what the model sees of each image, for `evaluate` and `predict`."""
    sub.add_argument(
        "--flip", action="store_true", help="average the probabilities with the mirror image's"
    )
    sub.add_argument(
        "--scales",
        type=scales,
        default=[1.0],
        metavar="LIST",
        help="average over these multiples of the training size, such as 0.75,1,1.25; default: 1",
    )


def path(text: str) -> Path:
    """Turns an argument into a path; an empty one usually comes from an unset shell variable."""
    if not text:
        raise argparse.ArgumentTypeError("found nothing, expected a path")
    return Path(text)


def rate(text: str) -> float:
    """Turns an argument into a learning rate."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected a number above 0")
    return value


def whole(low: int, high: int = 2**32 - 1) -> Callable[[str], int]:
    """A function that turns an argument into a whole number from `low` to `high`."""

    def parse(text: str) -> int:
        value = int(text) if text.isdecimal() and len(text) < 20 else None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"found {text[:40]!r}, expected a whole number from {low} to {high}"
            )
        return value

    return parse


def scales(text: str) -> list[float]:
    """Turns an argument into numbers above 0; commas separate them."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(0 < value < math.inf for value in values):
        raise argparse.ArgumentTypeError(
            f"found {text[:40]!r}, expected numbers above 0, with commas and without spaces, such "
            "as 0.75,1,1.25"
        )
    return values


def number(low: int, default: int | None, high: int = 2**32 - 1) -> dict[str, Any]:
    """What argparse needs to know of an option that takes a whole number."""
    return {"type": whole(low, high), "default": default, "metavar": "N"}


DATA: dict[str, Any] = {"type": path, "required": True, "metavar": "ROOT"}
YEAR: dict[str, Any] = {"type": int, "metavar": "Y", "help": "default: the only one, or 2009"}

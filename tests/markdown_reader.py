"""Runs a Markdown page: an interpreter for the code samples of the README and the site.

A reader works through a page from top to bottom, in a folder of their own. So does `Reader`:

- `python` blocks run one after the other in one namespace. A block with `title="NAME.py"` is
  written to that file instead, and a later command must run it.
- `bash` blocks are commands, line by line. `voc-seg` really runs, on a few small images; a
  download and the demo are only parsed. Scripts of the page run; `make` targets and scripts of the
  repository must exist. Lines of a notebook begin with `!` or `%`.
- `text` blocks, or blocks without a language, are output, or (in the README) commands. Output
  directly below Python or commands must be what was printed; `...` matches anything.
- `pip install X` does not install. If X is missing here, the rest of the section (up to the next
  heading) is skipped, and so is a script that only such sections run.

To take seconds rather than hours, constants such as `SIZE = 320` get the values in `SMALLER`, and
the options of `voc-seg train` those in `TRAIN`. `data` holds shapes in place of VOC. Models and
photos that a sample only uses are provided by `world`, the folder of samples.

    reader = Reader(world)
    reader.read(page)  # in the present folder; an AssertionError says what went wrong
    reader.skipped     # the packages that were missing
"""

import contextlib
import doctest
import importlib.metadata
import io
import os
import re
import shlex
import shutil
from pathlib import Path
from textwrap import dedent

from helpers import ROOT, python, without_graphs

from voc_seg import cli

PART = re.compile(  # a fenced block, or a heading
    r"^(?P<indent> *)```(?P<language>\w*)(?P<info>.*)\n(?P<code>(?:.*\n)*?)(?P=indent)```[ ]*$"
    r"|^#+ (?P<heading>.*)$",
    re.MULTILINE,
)
SMALLER = {"SIZE": 16, "EPOCHS": 1, "TRANSFER_EPOCHS": 1, "FINE_TUNE_EPOCHS": 1, "FILTERS": 2}
SMALLER |= {"BATCH_SIZE": 4, "SEEDS": 1, "WEIGHTS": "'vgg16.weights.h5'"}
TRAIN = ["--size", "16", "--epochs", "1", "--filters", "2", "--batch-size", "4"]
ELSEWHERE = {"nvidia-smi", "git", "cd", "cp", "tar", "source"}  # programs that are not ours
COMMAND = re.compile(r"(\.venv/bin/)?(voc-seg|make|python|pip) ")
QUICKLY = "--xla_backend_optimization_level=0"  # for JAX: what runs twice needs no fast code
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Reader:
    """Does what a page says, in the present folder."""

    def __init__(self, world):
        self.world = (
            world  # a folder with data, encoder.keras, vgg16.weights.h5, model.keras and photo.jpg
        )
        self.names = {"__name__": "__main__"}  # what the page's Python has defined
        self.printed = None  # by the block before, unless it was changed or skipped
        self.scripts, self.done = {}, set()  # the page's scripts; those that ran or were skipped
        self.lacks, self.skipped = None, set()  # a missing package; all of them

    def read(self, page):
        text = page.read_text("utf-8")
        parts = list(PART.finditer(text))
        fences = len(re.findall(r"^ *(?:```|~~~)", text, re.MULTILINE))
        blocks = sum(part["code"] is not None for part in parts)
        assert fences == 2 * blocks, f"{page}: a block of unknown form"
        end = 0
        for part in parts:
            if part["heading"]:
                self.lacks = None
                continue
            print(f"\n{page}, line {text.count(chr(10), 0, part.start()) + 1}")
            between = text[end : part.start()]
            self.block(part["language"], part["info"], dedent(part["code"]), not between.strip())
            end = part.end()
        assert self.scripts.keys() == self.done, "a script that no command runs"

    def block(self, language, info, code, directly):
        """One block; `directly` if nothing but blank lines separates it from the one before."""
        title = re.search(r'title="(.+?)"', info)
        if language == "python" and title:
            self.scripts[title[1]] = smaller(code)
            Path(title[1]).write_text(self.scripts[title[1]], encoding="utf-8")
            if self.lacks:
                self.done.add(title[1])
        elif language == "python":
            self.printed = None if self.lacks else self.python(code)
        elif language in ("bash", "sh"):
            self.printed = ""
            for line in lines(code):
                self.command(line)
        elif language in ("text", ""):
            for line in lines(code):
                line = line.replace(".venv\\Scripts\\", ".venv/bin/")  # Windows
                if COMMAND.match(line):
                    self.command(line)
            if directly and self.printed is not None and not self.lacks:
                same = doctest.OutputChecker().check_output(code, self.printed, SAME)
                assert same, f"printed:\n{self.printed}\nthe page says:\n{code}"
        else:
            raise AssertionError(f"language {language!r}: expected python, bash or text")

    def python(self, code):
        self.provide(code)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(smaller(code), "sample", "exec"), self.names)
        return printed.getvalue()

    def command(self, line):
        line = line.lstrip("!%")  # a notebook's; its disks are here below the present folder
        words = shlex.split(re.sub(r"(?<= )/(?=\w)", "", line), comments=True)
        settings = {}
        while "=" in words[0]:  # NAME=value, an environment variable
            name, _, value = words.pop(0).partition("=")
            settings[name] = value
        name, *arguments = words
        name = name.removeprefix(".venv/bin/")
        if name == "python" and arguments[0] == "-m":
            name, *arguments = arguments[1:]
        if name == "pip":
            self.install(arguments)
        elif self.lacks:
            self.done |= self.scripts.keys() & set(arguments)
        elif name in ("voc-seg", "voc_seg"):
            self.voc_seg(arguments, settings)
        elif name == "make":
            makefile = (ROOT / "Makefile").read_text("utf-8")
            assert re.search(rf"^{arguments[0]}:", makefile, re.MULTILINE), line
        elif name == "python" and arguments[0] in self.scripts:
            self.script(*arguments, settings=settings)
        elif name == "python":
            assert (ROOT / arguments[0]).is_file(), line
        else:
            assert name in {"venv", "pytest", *ELSEWHERE}, f"unknown command: {line}"

    def install(self, arguments):
        assert arguments[0] in ("install", "download")
        if arguments[0] == "download":
            return
        for word in arguments[1:]:
            name, _, extras = word.rstrip("]").partition("[")
            ours = name == "." or name.endswith(".whl")
            for package in extras.split(",") if ours else [name]:
                if package in ("", "test", "docs") or package.startswith("-"):
                    continue
                try:
                    importlib.metadata.version(package)
                except importlib.metadata.PackageNotFoundError:
                    self.lacks = package
                    self.skipped.add(package)

    def script(self, name, *arguments, settings):
        self.done.add(name)
        self.provide(self.scripts[name])
        options = shorten(arguments) if "train" in arguments else arguments
        printed = run([name, *options], settings)
        self.printed = None if self.printed is None else self.printed + printed

    def voc_seg(self, arguments, settings):
        options = cli.parser().parse_args(arguments)
        self.printed = None  # the command is shortened, so it prints something else
        if arguments[0] in ("download", "demo"):
            return
        if arguments[0] in ("train", "evaluate") and not options.data.exists():
            shutil.copytree(self.world / "data", options.data)
            if options.year:
                devkit = options.data / "VOCdevkit"
                (devkit / "VOC2009").rename(devkit / f"VOC{options.year}")
        self.provide(" ".join(arguments))
        arguments = shorten(arguments)
        if settings or "--mixed-precision" in arguments:
            run(["-m", "voc_seg", *arguments], settings)
        else:
            with without_graphs():
                cli.main(arguments)

    def provide(self, code):
        """Copies models and photos that a sample mentions to where it expects them."""
        for name in re.findall(r"[\w./-]+\.(?:keras|jpg)\b", code):
            if not Path(name).exists():
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                source = "model.keras" if name.endswith("keras") else "photo.jpg"
                shutil.copy(self.world / source, name)


def lines(code):
    """The lines of a block, without comments; a backslash at the end joins two."""
    code = re.sub(r"\\\n", " ", code)
    return [line for line in code.splitlines() if line.strip() and not line.startswith("#")]


def smaller(code):
    """The same code with the constants of `SMALLER`."""
    for name, value in SMALLER.items():
        code = re.sub(rf"^{name} = .*$", f"{name} = {value}", code, flags=re.MULTILINE)
    return code


def shorten(arguments):
    """The arguments of `voc-seg` with options that make it quick: the last one counts."""
    arguments = list(arguments)
    if arguments[0] == "shapes":
        return [*arguments, "--train", "4", "--val", "2"]
    if arguments[0] != "train":
        return arguments
    if "--weights" in arguments:  # the small encoder replaces them
        at = arguments.index("--weights")
        del arguments[at : at + 2]
    special = {
        "patch-classifier": ["--window", "5"],
        "vgg-transfer": ["--fine-tune-epochs", "1"],
    }
    if arguments[1] == "vgg-transfer" and "--fine-tune-from" not in arguments:
        special["vgg-transfer"] += ["--encoder", "encoder.keras"]
    return [*arguments, *TRAIN, *special.get(arguments[1], [])]


def run(arguments, settings):
    """Runs Python in its own process, for other backends, devices and policies."""
    flags = settings.get("XLA_FLAGS", os.environ.get("XLA_FLAGS", ""))
    settings = {**settings, "XLA_FLAGS": f"{flags} {QUICKLY}".strip()}
    return python(*arguments, **settings).stdout

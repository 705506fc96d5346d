"""Every code sample of the README and the site runs as it stands.

A page is worked through from top to bottom, as a reader would, in a folder of its own:

- `python` blocks run one after the other in one namespace; one with `title="NAME.py"` is written to
  that file instead, and some later command has to run it.
- `bash` blocks are commands, line by line. `voc-seg` runs on a few small images; a download and the
  demonstration are only parsed. Scripts of the page run, `make` and the repository's own scripts
  have to exist, `pip install` says what the rest of the section needs.
- `text`, or no language, is output (or, in the README, commands): where it follows directly on
  Python it has to be what was printed, `...` standing for anything.

So that it takes seconds, `SIZE = 320` and the like get the values in `SMALLER`, and so do the
options of `voc-seg train`. `data` holds the shapes in place of VOC; models and photos that a sample
merely uses are provided. The chapters' pages are left out: the site's build runs them.
"""

import contextlib
import doctest
import importlib.metadata
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import keras
import numpy as np
import pytest

from voc_seg import VOID, build_unet, cli, palette, read_mask, set_classes, write_mask, write_shapes
from voc_seg.voc import VOC_CLASSES

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if not page.match("docs/tutorials/0*")]

PART = re.compile(  # a fenced block, or a heading
    r"^(?P<indent> *)```(?P<language>\w*)(?P<info>.*)\n(?P<code>(?:.*\n)*?)(?P=indent)```[ ]*$"
    r"|^#+ (?P<heading>.*)$",
    re.MULTILINE,
)
SMALLER = {"SIZE": 16, "EPOCHS": 1, "FILTERS": 2, "BATCH_SIZE": 4, "WEIGHTS": "'encoder.keras'"}
TRAIN = ["--size", "16", "--epochs", "1", "--filters", "2", "--batch-size", "4"]
QUICKLY = "--xla_backend_optimization_level=0"  # JAX compiles quickly what runs for two steps
ELSEWHERE = {"nvidia-smi"}  # not ours


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What the samples take for granted: VOC, an encoder, a photo, a model."""
    path = tmp_path_factory.mktemp("world")
    (path / "data/VOCdevkit").mkdir(parents=True)
    voc = write_shapes(path / "data/VOCdevkit/VOC2009", train=8, val=4, size=24)
    (voc / "labels.txt").unlink()  # so that the classes are VOC's: cat, chair, cow, diningtable
    for mask in (voc / "SegmentationClass").iterdir():
        values = read_mask(mask)
        write_mask(mask, np.where((values > 0) & (values < VOID), values + 7, values), palette())
    x = inputs = keras.Input((None, None, 3))
    for block in range(1, 6):
        x = keras.layers.Conv2D(2, 3, padding="same", name=f"block{block}_conv1")(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    keras.Model(inputs, x).save(path / "encoder.keras")
    model = build_unet(filters=2, depth=1)
    set_classes(model, {name: i for i, name in enumerate(VOC_CLASSES)}, 16)
    model.save(path / "model.keras")
    shutil.copy(next(voc.glob("JPEGImages/*.jpg")), path / "photo.jpg")
    return path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_samples_of_a_page_run(page, world, tmp_path, monkeypatch):
    text = page.read_text("utf-8")
    parts = list(PART.finditer(text))
    fences = len(re.findall(r"^ *(?:```|~~~)", text, re.MULTILINE))
    assert fences == 2 * sum(part["code"] is not None for part in parts), "a block of unknown form"
    shutil.copytree(world / "data", tmp_path / "data")
    shutil.copy(world / "encoder.keras", tmp_path)
    monkeypatch.chdir(tmp_path)
    reader = Reader(world)
    for part in parts:
        if part["heading"]:
            reader.lacks = None
        else:
            print(f"\n{page}, line {text.count(chr(10), 0, part.start()) + 1}")
            between = text[reader.end : part.start()]
            reader.end = part.end()
            reader.block(part, directly=not between.strip())
    assert reader.scripts.keys() == reader.ran, "a script that no command runs"
    if reader.skipped:
        pytest.skip(f"all ran but for what needs {', '.join(sorted(reader.skipped))}")


class Reader:
    """Does what a page says."""

    def __init__(self, world):
        self.world, self.names, self.end = world, {"__name__": "__main__"}, 0
        self.printed = None  # by the last block, if it ran as it stands
        self.scripts, self.ran = {}, set()
        self.lacks, self.skipped = None, set()

    def block(self, part, directly):
        language, code = part["language"], dedent(part["code"])
        title = re.search(r'title="(.+?)"', part["info"])
        if language == "python" and title:
            self.scripts[title[1]] = smaller(code)
            Path(title[1]).write_text(self.scripts[title[1]], encoding="utf-8")
            if self.lacks:
                self.ran.add(title[1])
        elif language == "python":
            self.printed = None if self.lacks else self.python(code)
        elif language in ("bash", "sh"):
            self.printed = ""
            for line in lines(code):
                self.command(line)
        elif language in ("text", ""):
            for line in lines(code):
                if re.match(r"(\.venv/bin/)?(voc-seg|make|python|pip) ", line):
                    self.command(line)
            if directly and self.printed is not None and not self.lacks:
                flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                same = doctest.OutputChecker().check_output(code, self.printed, flags)
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
        words = shlex.split(line, comments=True)
        settings = {}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            settings[name] = value
        name, *arguments = words
        name = name.removeprefix(".venv/bin/")
        if name == "python" and arguments[0] == "-m":
            name, *arguments = arguments[1:]
        if name == "pip":
            return self.install(arguments)
        if self.lacks:
            return None
        if name in ("voc-seg", "voc_seg"):
            return self.voc_seg(arguments, settings)
        if name == "make":
            assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.M), line
        elif name == "python" and arguments[0] in self.scripts:
            self.ran.add(arguments[0])
            self.provide(self.scripts[arguments[0]])
            options = shorten(arguments[1:]) if "train" in arguments else arguments[1:]
            printed = run([arguments[0], *options], settings)
            self.printed = None if self.printed is None else self.printed + printed
        elif name == "python":
            assert (ROOT / arguments[0]).is_file(), line
        else:
            assert name in {"venv", "pytest", *ELSEWHERE}, f"unknown command: {line}"

    def install(self, arguments):
        assert arguments[0] == "install"
        for word in arguments[1:]:
            name, _, extras = word.rstrip("]").partition("[")
            ours = name == "."
            for package in extras.split(",") if ours else [name]:
                if package in ("test", "docs") or package.startswith("-"):
                    continue
                try:
                    importlib.metadata.version(package)
                except importlib.metadata.PackageNotFoundError:
                    self.lacks = package
                    self.skipped.add(package)

    def voc_seg(self, arguments, settings):
        options = cli.parser().parse_args(arguments)
        self.printed = None  # it does not run as it stands
        if arguments[0] in ("download", "demo"):
            return
        if arguments[0] in ("train", "evaluate") and not options.data.exists():
            shutil.copytree(self.world / "data", options.data)
            if options.year:
                devkit = options.data / "VOCdevkit"
                (devkit / "VOC2009").rename(devkit / f"VOC{options.year}")
        self.provide(" ".join(arguments))
        arguments = shorten(arguments)
        if settings:
            run(["-m", "voc_seg", *arguments], settings)
        else:
            cli.main(arguments)

    def provide(self, code):
        """Puts models and photos that are mentioned and missing in their places."""
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
    if arguments[0] == "shapes":
        return [*arguments, "--train", "4", "--val", "2"]
    if arguments[0] != "train":
        return arguments
    special = {
        "patch-classifier": ["--window", "5"],
        "vgg-transfer": ["--weights", "encoder.keras"],
    }
    return [*arguments, *TRAIN, *special.get(arguments[1], [])]


def run(arguments, settings):
    """Runs Python in a process of its own, for other backends, devices and policies."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, **settings, "PYTHONUTF8": "1"}
    environment["XLA_FLAGS"] = f"{environment.get('XLA_FLAGS', '')} {QUICKLY}".strip()
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout

"""The package as a whole: its names, what importing it loads, and what it never imports."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import voc_seg

SOURCES = sorted(Path(voc_seg.__file__).parent.glob("*.py"))
HEAVY = {"keras", "tensorflow", "jax", "torch"}
COMMANDS = ("demo", "shapes", "download", "train", "evaluate", "predict")


def python(*arguments, **environment):
    """Runs Python in a process of its own; returns its stdout and stderr."""
    # With -S nothing is loaded beforehand by what happens to be installed; hence the path.
    path = os.pathsep.join([str(SOURCES[0].parent.parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, **environment}
    done = subprocess.run(
        [sys.executable, "-S", *arguments], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def loaded(script):
    """Which of the heavy packages are loaded after a script."""
    out, _ = python("-c", f"import sys\n{script}\nprint(*sys.modules)")
    return HEAVY & set(out.splitlines()[-1].split())


def test_importing_the_package_loads_no_backend():
    assert not loaded("import voc_seg\ndir(voc_seg)\nvoc_seg.__all__\nimport voc_seg.cli")


def test_what_needs_no_keras_does_not_load_it():
    names = "VOC_CLASSES, VOID, open_folder, palette, read_image, read_mask, write_mask"
    script = f"from voc_seg import {names}, download_voc, write_shapes\nimport voc_seg.plots"
    assert not loaded(script)


@pytest.mark.parametrize("command", [(), *[(name,) for name in COMMANDS]], ids=" ".join)
def test_help_loads_no_backend(command):
    out, log = python("-X", "importtime", "-m", "voc_seg", *command, "--help")
    assert out.startswith(f"usage: {' '.join(('voc-seg', *command))} ")
    imported = {line.rpartition("|")[2].strip() for line in log.splitlines()}
    assert "voc_seg.cli" in imported
    assert not HEAVY & imported


def test_help_names_the_commands():
    out, _ = python("-m", "voc_seg", "--help")
    for command in COMMANDS:
        assert f"\n    {command} " in out


@pytest.mark.parametrize(
    "order",
    [
        "import voc_seg, keras",
        "import keras, voc_seg",
        "import importlib.util, voc_seg; importlib.util.find_spec('keras'); import keras",
    ],
)
def test_layers_are_registered_whichever_is_imported_first(order):
    script = f"""{order}
for name in ("ReflectPadding2D", "PadToMultiple", "CropLike", "ClassProbabilities"):
    print(keras.saving.get_registered_object(f"voc_seg>{{name}}").__name__)"""
    out, _ = python("-c", script, KERAS_BACKEND="numpy")
    assert out.split() == ["ReflectPadding2D", "PadToMultiple", "CropLike", "ClassProbabilities"]


@pytest.mark.parametrize("name", voc_seg.__all__)
def test_every_public_name_is_there_and_documents_its_arguments(name):
    value = getattr(voc_seg, name)
    assert name in dir(voc_seg)
    if not callable(value):
        assert name in ("VOC_CLASSES", "VOID")
        return
    assert value.__name__ == name
    documentation = inspect.cleandoc(value.__doc__)
    assert documentation[0].isupper()
    described = re.split(r"\n(?:Args|Attributes):\n", documentation)[-1]
    for parameter in inspect.signature(value).parameters:
        assert re.search(rf"^    (\w+, )*{parameter}(, \w+)*: ", described, re.M), parameter


def test_a_star_import_gives_every_public_name():
    namespace = {}
    exec("from voc_seg import *", namespace)
    assert set(voc_seg.__all__) <= set(namespace)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'voc_seg' has no attribute 'segment'"):
        voc_seg.segment  # noqa: B018
    with pytest.raises(ImportError):
        exec("from voc_seg import segment", {})
    assert not hasattr(voc_seg, "__wrapped__")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_backend_is_imported_by_name(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert not imported & (HEAVY - {"keras"})


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_every_module_is_importable_by_its_name():
    for path in SOURCES:
        if path.stem != "__main__":
            name = "voc_seg" if path.stem == "__init__" else f"voc_seg.{path.stem}"
            assert importlib.import_module(name).__name__ == name


def test_the_package_says_that_it_is_typed():
    assert files("voc_seg").joinpath("py.typed").is_file()

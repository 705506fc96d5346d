"""The package as a whole: its names and types, what importing it loads, how its parts depend."""

import ast
import importlib
import inspect
import re
from graphlib import TopologicalSorter
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import keras
import pytest
from helpers import ROOT, python

import voc_seg
from voc_seg import plots

PACKAGE = Path(voc_seg.__file__).parent
SOURCES = {
    ".".join(("voc_seg", *path.relative_to(PACKAGE).with_suffix("").parts)): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
SOURCES = {name.removesuffix(".__init__"): path for name, path in SOURCES.items()}
HEAVY = {"keras", "tensorflow", "jax", "torch"}
COMMANDS = ("demo", "shapes", "download", "train", "evaluate", "predict")
# Public names that have nothing to do with Keras.
FILES = [
    *("VOC_CLASSES", "VOCFolder", "open_folder", "download_voc", "write_shapes", "draw_scene"),
    *("VOID", "palette", "read_image", "read_mask", "write_image", "write_mask"),
    *("resize_to_fit", "letterbox", "augment", "augment_window", "plots"),
]
LOSSES = {"cross_entropy", "cross_entropy_and_dice", "WeightedCrossEntropy", "class_weights"}
# Public names that build, load, train, evaluate or predict.
OTHERS = {*FILES, *LOSSES, "SegmentationDataset", "WindowDataset"}
MODELS = sorted({*voc_seg.__all__} - OTHERS)
LAYERS = ("ReflectPadding2D", "PadToMultiple", "CropLike", "ClassProbabilities")


# What is loaded when


def start(*arguments):
    """Runs Python with -S, so that nothing is loaded beforehand by packages installed here."""
    return python("-S", *arguments)


def loaded(script):
    """Which of the heavy packages are loaded after a script."""
    out = start("-c", f"import sys\n{script}\nprint(*sys.modules)").stdout
    return HEAVY & set(out.splitlines()[-1].split())


def test_importing_the_package_loads_no_backend():
    assert not loaded("import voc_seg\ndir(voc_seg)\nvoc_seg.__all__\nimport voc_seg.cli")


def test_names_that_need_no_keras_do_not_load_it():
    assert not loaded(f"from voc_seg import {', '.join(FILES)}")


@pytest.mark.parametrize("command", [(), *[(name,) for name in COMMANDS]], ids=" ".join)
def test_help_loads_no_backend(command):
    done = start("-X", "importtime", "-m", "voc_seg", *command, "--help")
    assert done.stdout.startswith(f"usage: {' '.join(('voc-seg', *command))} ")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "voc_seg.cli" in imported
    assert not HEAVY & imported


def test_help_names_the_commands():
    out = start("-m", "voc_seg", "--help").stdout
    for command in COMMANDS:
        assert f"\n    {command} " in out


def test_the_version_is_that_of_the_installed_package():
    assert voc_seg.__version__ == version("voc_seg")
    assert start("-m", "voc_seg", "--version").stdout == f"voc-seg {voc_seg.__version__}\n"


def test_every_name_that_has_to_do_with_models_registers_the_layers():
    # One process for all names, because Keras takes seconds to start: before each name, the
    # package and what Keras knows of it are forgotten.
    script = f"""
import sys
import keras
for name in {MODELS}:
    for module in [m for m in sys.modules if m.partition(".")[0] == "voc_seg"]:
        del sys.modules[module]
    keras.saving.get_custom_objects().clear()
    exec(f"from voc_seg import {{name}}")
    known = [keras.saving.get_registered_object(f"voc_seg>{{x}}") for x in {LAYERS}]
    print(name, *[layer.__name__ for layer in known if layer])
"""
    found = [line.split() for line in python("-c", script).stdout.splitlines()]
    assert found == [[name, *LAYERS] for name in MODELS]


def test_the_layers_are_registered_if_keras_is_imported_later(tmp_path):
    voc_seg.build_unet(2, filters=2, depth=1).save(tmp_path / "unet.keras")
    script = """
import sys
from voc_seg import get_classes
import keras
print(keras.models.load_model(sys.argv[1]).output_shape)"""
    assert python("-c", script, tmp_path / "unet.keras").stdout == "(None, None, None, 2)\n"


# The public names


def test_the_stub_and_all_and_the_reference_list_the_same_names():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    names = [alias.asname for node in imports for alias in node.names]
    assert all(alias.name == alias.asname for node in imports for alias in node.names)
    pages = sorted((ROOT / "docs" / "reference").glob("*.md"))
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    reference = re.findall(r"^::: (.*)$", text, re.MULTILINE)
    for found in (names, voc_seg.__all__, [name.removeprefix("voc_seg.") for name in reference]):
        assert len(set(found)) == len(found)
        assert sorted(found) == sorted(names)
    assert all(name.startswith("voc_seg.") for name in reference)


def parameters(function):
    """The parameters that a docstring must explain: not `**kwargs`, nor those of every layer."""
    signature = inspect.signature(function)
    keras_own = {}
    if inspect.isclass(function) and issubclass(function, keras.layers.Layer):
        keras_own = inspect.signature(keras.layers.Layer.__init__).parameters
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        p.name
        for p in signature.parameters.values()
        if p.kind not in variadic and p.name not in keras_own
    ]


@pytest.mark.parametrize("name", voc_seg.__all__)
def test_every_public_name_is_there_and_documents_its_arguments(name):
    value = getattr(voc_seg, name)
    assert name in dir(voc_seg)
    if not callable(value):
        assert name in ("VOC_CLASSES", "VOID", "plots")
        return
    assert value.__name__ == name
    documentation = inspect.cleandoc(value.__doc__)
    assert documentation[0].isupper() or documentation[0].isdigit()
    described = re.split(r"\n(?:Args|Attributes):\n", documentation)[-1]
    for parameter in parameters(value):
        assert re.search(rf"^    (\w+, )*{parameter}(, \w+)*: ", described, re.M), parameter


def functions(name, value):
    """A public function, or the public methods of a class, with their names."""
    if inspect.isfunction(inspect.unwrap(value)):
        yield name, inspect.unwrap(value)
        return
    for key, member in vars(value).items():
        member = getattr(member, "fget", None) or getattr(member, "func", member)  # properties
        dunder = key in ("__init__", "__len__", "__getitem__")
        if inspect.isfunction(member) and (dunder or not key.startswith("_")):
            yield f"{name}.{key}", member


PUBLIC = {name: getattr(voc_seg, name) for name in voc_seg.__all__}
PUBLIC |= {
    f"plots.{name}": value
    for name, value in vars(plots).items()
    if inspect.isfunction(value) and value.__module__ == plots.__name__
}


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if callable(value)])
def test_every_public_function_and_method_is_annotated(name):
    for where, function in functions(name, PUBLIC[name]):
        signature = inspect.signature(function)
        # A dataclass's own __init__ has no file and needs no check: its fields are annotated.
        for parameter in list(signature.parameters.values()):
            if parameter.name != "self":
                assert parameter.annotation is not parameter.empty, f"{where}: {parameter}"
        assert signature.return_annotation is not signature.empty, where


def test_every_public_attribute_is_annotated():
    for name, value in PUBLIC.items():
        if inspect.isclass(value):
            attributes = {
                key
                for key, member in vars(value).items()
                if not key.startswith("_")
                and not callable(member)
                and not isinstance(member, property)
                and not hasattr(member, "func")
            }
            assert attributes <= set(inspect.get_annotations(value)), name


def test_a_star_import_gives_every_public_name():
    namespace = {}
    exec("from voc_seg import *", namespace)
    assert set(voc_seg.__all__) <= set(namespace)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="segment"):
        voc_seg.segment  # noqa: B018
    with pytest.raises(ImportError):
        exec("from voc_seg import segment", {})
    assert not hasattr(voc_seg, "__wrapped__")


def test_every_module_is_importable_by_its_name():
    for name in SOURCES:
        if not name.endswith("__main__"):
            assert importlib.import_module(name).__name__ == name


def test_the_package_says_that_it_is_typed():
    assert files("voc_seg").joinpath("py.typed").is_file()
    assert files("voc_seg").joinpath("__init__.pyi").is_file()


# Imports run one way


def imports(name):
    """The modules of the package that a module imports, anywhere in its text."""
    found = set()
    for node in ast.walk(ast.parse(SOURCES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: a relative import"
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                found.add(module if module in SOURCES else node.module)
    return {module for module in found if module in SOURCES} - {"voc_seg"}


def test_imports_run_one_way():
    graph = {name: imports(name) for name in SOURCES}
    TopologicalSorter(graph).prepare()  # raises a CycleError that names the circle
    top = {name for name in SOURCES if name.count(".") == 1} - {"voc_seg.data", "voc_seg.models"}
    users = top - {"voc_seg.checks", "voc_seg.files", "voc_seg.backend"}
    assert {f"voc_seg.{name}" for name in ("training", "evaluation", "prediction")} <= users
    for name, imported in graph.items():
        if name.startswith(("voc_seg.data", "voc_seg.models")):
            assert not imported & users, name
        if name.startswith("voc_seg.data"):
            assert not any(module.startswith("voc_seg.models") for module in imported), name
    assert "voc_seg.prediction" not in graph["voc_seg.training"]
    assert "voc_seg.data.augmentation" not in graph["voc_seg.prediction"]
    assert len(graph) > 20 and graph["voc_seg.models.unet"]  # the graph was really read

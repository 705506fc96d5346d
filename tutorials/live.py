"""Writes what a live figure needs, networks, images and names, as a script that a page can load.

The site's build calls `write` in the cells of a chapter that have the tag `live`. A page opened
from a file may not read other files, only load scripts; so the contents are text in a script.
"""

import base64
import io
import json
import tempfile
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np


def write(path, things):
    """Writes a dictionary of models, arrays, and whatever JSON can hold.

    In the page it is `live.chapters["02_sliding_window"]` if the file is `02_sliding_window.js`.
    """
    path = Path(path)
    text = json.dumps({name: encode(thing) for name, thing in things.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    script = f"var live = window.live || {{}};\n(live.chapters ??= {{}})[{json.dumps(path.stem)}] ="
    path.write_text(f"{script}\n{text};\n", encoding="utf-8")


def read(path):
    """The dictionary in such a file, as JSON has it; `decode` makes models and arrays of it."""
    return json.loads(Path(path).read_text("utf-8").split("=\n", 1)[1].rstrip().rstrip(";"))


def encode(thing):
    """A model or an array as text in a dictionary; anything else stays as it is."""
    if isinstance(thing, keras.Model):
        return {"keras": base64.b64encode(halve(thing)).decode()}
    if isinstance(thing, np.ndarray):
        data = base64.b64encode(thing.tobytes()).decode()
        return {"shape": thing.shape, "type": str(thing.dtype), "base64": data}
    return thing


def decode(thing):
    """The opposite of `encode`."""
    if isinstance(thing, dict) and "keras" in thing:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(base64.b64decode(thing["keras"]))
            return keras.models.load_model(path, compile=False)
    if isinstance(thing, dict) and "base64" in thing:
        array = np.frombuffer(base64.b64decode(thing["base64"]), thing["type"])
        return array.reshape(thing["shape"])
    return thing


def halve(model):
    """The .keras file of a model, with its weights in half precision and packed: a quarter.

    Half precision moves probabilities by about 0.001. Keras and the page read the same file, so
    they can be compared exactly.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with zipfile.ZipFile(path) as file:
            parts = {name: file.read(name) for name in file.namelist()}
    weights = io.BytesIO()
    with h5py.File(io.BytesIO(parts["model.weights.h5"])) as old, h5py.File(weights, "w") as new:

        def copy(name, item):
            if isinstance(item, h5py.Group):
                new.require_group(name)
            elif name.startswith("layers"):  # the rest is the optimizer's memory
                new.create_dataset(name, data=item[()].astype("float16"))

        old.visititems(copy)
    parts["model.weights.h5"] = weights.getvalue()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return packed.getvalue()

"""Functions that several test files need: small models, random images, oracles, processes."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
# Heights and widths of images that resizing must get right.
SHAPES = [(30, 20), (20, 30), (24, 24), (1, 50), (50, 1), (1, 1), (37, 5), (7, 100)]


def tiny_vgg(channels=(2, 3, 4), convolutions=2, normalise=True):
    """A Keras model with VGG16's layer names and strides.

    With `normalise`, each block ends in a batch normalisation, which VGG16 itself lacks.
    """
    import keras  # here, so that tests of files and pictures do not wait for it
    from keras import layers

    inputs = x = keras.Input((None, None, 3))
    for block, filters in enumerate(channels, start=1):
        for i in range(1, convolutions + 1):
            name = f"block{block}_conv{i}"
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        if normalise:
            x = layers.BatchNormalization(name=f"block{block}_bn")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(inputs, x, name="tiny_vgg")


def save_encoder(path):
    """Saves an encoder with VGG16's five blocks, of two filters each; returns the path as text."""
    tiny_vgg((2,) * 5, convolutions=1, normalise=False).save(path)
    return str(path)


def random_images(*shape, seed=0):
    """Noise: uint8 of the shape (*shape, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def blocky_mask(height, width, values, block=8):
    """A mask of square blocks, each with one of these values: (height, width) uint8."""
    coarse = np.random.default_rng(1).choice(values, (-(-height // block), -(-width // block)))
    return np.kron(coarse, np.ones((block, block)))[:height, :width].astype(np.uint8)


def randomise(model, seed):
    """Gives biases and the statistics of normalisation random values: new ones are 0 or 1."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if any(word in weight.path for word in ("gamma", "variance")):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif any(word in weight.path for word in ("bias", "beta", "mean")):
            weight.assign(rng.normal(0, 0.2, weight.shape))
    return model


def predict(model, images):
    return np.asarray(model.predict_on_batch(images))


def iou_by_hand(confusion):
    """The IoU of each class from a confusion matrix, as a list; None where a class is absent."""
    iou = []
    for c in range(len(confusion)):
        union = confusion[c].sum() + confusion[:, c].sum() - confusion[c, c]
        iou.append(confusion[c, c] / union if union else None)
    return iou


def mean_iou_by_hand(confusion):
    """The mean over the classes that occur in the truth or in the prediction."""
    return np.mean([value for value in iou_by_hand(confusion) if value is not None])


def count_pairs(truth, prediction, classes):
    """The confusion matrix of two label maps; void is left out."""
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (truth[truth < 255], prediction[truth < 255]), 1)
    return confusion


def sentence(caught):
    """The text of an error that `pytest.raises` caught; it must be a single line."""
    text = str(caught.value)
    assert text and "\n" not in text
    return text


def snapshot(folder):
    """Every file below a folder with its content: {path relative to the folder: bytes}."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def python(*arguments, check=True, cwd=None, **environment):
    """Runs Python in its own process, which finds what this one finds.

    Args:
        arguments: the command line after `python`.
        check: whether the process must succeed.
        cwd: the folder in which it runs.
        environment: variables to set in addition to those of this process.

    Returns:
        The `subprocess.CompletedProcess`, with stdout and stderr as text.
    """
    path = os.pathsep.join([str(ROOT), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1", **environment}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, cwd=cwd)
    assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@contextlib.contextmanager
def without_graphs():
    """Computes step by step: for a step or two, TensorFlow needs longer to trace a graph."""
    import keras

    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@contextlib.contextmanager
def other_process_in(folder):
    """Runs another process that keeps a folder to itself, as a training run does."""
    script = """
import sys
from pathlib import Path
from voc_seg.files import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().strip() == b"locked"
        yield
        process.stdin.close()

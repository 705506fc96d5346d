"""Does loading overlap the device? `python benchmarks/overlap.py --data DATA`

Measures how long 50 batches of augmented images take to load. Then `fit` gets a model whose
training step does nothing but sleep, as long as a batch takes to load. If both overlap, an epoch
takes as long as one of them (1.0); one after the other, it takes twice as long (2.0). We time the
second epoch of two, so that what `fit` does only once, before and after, doesn't count. The second
column switches off what the data set prepares ahead. The third has nothing to load, only the same
sleep: anything above 1.0 there is Keras' own work. Set KERAS_BACKEND for another backend.

Where other programs use the processor, too, the times are not what they should be. Then
`--pause 0.1` helps: loading a batch sleeps for 0.1 s as well, as if it waited for a slow disk.
"""

import argparse
import statistics
import time

import keras

from voc_seg import SegmentationDataset, WindowDataset, augment, augment_window, open_folder
from voc_seg.data import datasets

BATCHES = 50


class Sleeper(keras.Model):
    """A model whose training step sleeps."""

    seconds = 0.0

    def call(self, images):
        return images

    def train_step(self, *state_and_data):
        time.sleep(self.seconds)
        if keras.backend.backend() == "jax":
            return {"loss": 0.0}, state_and_data[0]
        return {"loss": 0.0}


class Loaded(keras.utils.PyDataset):
    """An epoch of a single batch, which is there already."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return BATCHES

    def __getitem__(self, i):
        return self.batch


class Clock(keras.callbacks.Callback):
    """Notes when each epoch ends."""

    def on_train_begin(self, logs=None):
        self.ends = []

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(time.perf_counter())


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--data", required=True, help="a folder in VOC's layout")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--pause", type=float, default=0, help="seconds, for each batch")
options = parser.parse_args()
folder = open_folder(options.data)
ids = folder.ids("train")


def slow_augment(*arguments):
    time.sleep(options.pause / 8 * 2)  # 8 images in a batch, on two threads
    return augment(*arguments)


def slow_augment_window(*arguments):
    time.sleep(options.pause / 256)
    return augment_window(*arguments)


images = SegmentationDataset(folder, ids[: BATCHES * 8], 256, 8, slow_augment, shuffle=True)
windows = WindowDataset(folder, ids[:200], 33, 224, 256, 64, slow_augment_window)
model = Sleeper()
model.compile(loss=lambda truth, prediction: keras.ops.mean(prediction), run_eagerly=True)
print(f"Keras {keras.__version__} on {keras.backend.backend()}, {BATCHES} batches")
print("data     a batch   epoch / loading   with nothing prepared ahead   with nothing to load")
for name, dataset in ("images", images), ("windows", windows):
    assert len(dataset) == BATCHES
    model.fit(dataset, verbose=0)  # warms up
    ways, loads = [(dataset, 2), (dataset, 0), (Loaded(dataset[0]), 0)], []
    ratios = [[], [], []]
    for _ in range(options.rounds):
        for (data, datasets.AHEAD), found in zip(ways, ratios, strict=True):
            alone = seconds(lambda d=dataset: [d[i] for i in range(BATCHES)])
            model.seconds = alone / BATCHES
            clock = Clock()
            model.fit(data, epochs=2, verbose=0, callbacks=[clock])
            found.append((clock.ends[1] - clock.ends[0]) / alone)
            loads.append(alone / BATCHES)
    columns = (f"{min(r):.2f}, median {statistics.median(r):.2f}" for r in ratios)
    print(f"{name:8} {statistics.median(loads):.4f} s  " + "   ".join(columns), flush=True)

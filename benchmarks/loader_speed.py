"""How many augmented images a second, against torchvision and tf.data?

`python benchmarks/loader_speed.py ENVIRONMENTS --data DATA`

Reads the training images of a folder in VOC's layout and makes batches of 8 with masks, 256 pixels,
in random order, on two threads or processes. All three do the same: flip, scale by 0.7 to 1.4 of
the image that just fits (antialiased; the mask by nearest neighbour), crop or fill with grey and
void, change the colours by one affine map of RGB, and return float32 images.

The first call installs the other two, each in an environment of its own in the folder ENVIRONMENTS
(about 8 GB: PyTorch comes with CUDA). Then every round measures all three, one after the other. The
best epoch of each counts, because other programs can only slow one down. CPU time, of all threads
and processes, depends less on them.

Two favours for the others: TensorFlow gets grey masks, since it would decode palettes to colours;
and both use the affine map, which is faster than their own functions for colours.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import venv
from pathlib import Path

SIZE, BATCH_SIZE, WORKERS = 256, 8, 2
PACKAGES = {
    "torchvision": ["torch==2.14.1", "torchvision==0.29.1", "numpy", "pillow"],
    "tf.data": ["tensorflow==2.21.0", "numpy", "pillow"],
}


def ours(data):
    """Epochs of batches from voc_seg."""
    from voc_seg import SegmentationDataset, open_folder

    folder = open_folder(data)
    ids = folder.ids("train")
    dataset = SegmentationDataset(
        folder, ids, SIZE, BATCH_SIZE, augment=True, shuffle=True, workers=WORKERS
    )
    while True:
        yield (dataset[i] for i in range(len(dataset)))
        dataset.on_epoch_end()


def paths(data):
    """The files of all training pairs, [(image, mask)]."""
    (folder,) = [p.parent for p in Path(data).rglob("ImageSets")]
    ids = (folder / "ImageSets" / "Segmentation" / "train.txt").read_text().split()
    images, masks = folder / "JPEGImages", folder / "SegmentationClass"
    return [(str(images / f"{id}.jpg"), str(masks / f"{id}.png")) for id in ids]


def torchvision(data):
    """Epochs of batches from torchvision's transforms, version 2, in a DataLoader."""
    import numpy as np
    import torch
    from PIL import Image
    from torchvision.io import ImageReadMode, decode_image
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as F

    class Pairs(torch.utils.data.Dataset):
        def __init__(self):
            self.paths = paths(data)

        def __len__(self):
            return len(self.paths)

        def __getitem__(self, k):
            image = decode_image(self.paths[k][0], ImageReadMode.RGB)  # (3, H, W) uint8
            mask = torch.from_numpy(np.array(Image.open(self.paths[k][1])))[None]  # (1, H, W)
            scale = SIZE * np.exp(np.random.uniform(*np.log((0.7, 1.4)))) / max(mask.shape)
            shape = [max(1, round(n * scale)) for n in mask.shape[1:]]
            image = F.resize(image, shape, InterpolationMode.BILINEAR, antialias=True)
            mask = F.resize(mask, shape, InterpolationMode.NEAREST_EXACT)
            if np.random.random() < 0.5:
                image, mask = F.horizontal_flip(image), F.horizontal_flip(mask)
            top, left = (
                np.random.randint(min(0, n), max(0, n) + 1) for n in np.subtract(shape, SIZE)
            )
            box = max(0, top), max(0, left), min(SIZE, shape[0]), min(SIZE, shape[1])
            image, mask = F.crop(image, *box), F.crop(mask, *box)
            rows, columns = SIZE - box[2], SIZE - box[3]
            above, before = max(0, -top), max(0, -left)
            pad = [before, above, columns - before, rows - above]
            image, mask = F.pad(image, pad, fill=127), F.pad(mask, pad, fill=255)
            stretch, saturate = np.random.uniform(0.75, 1.25, 2)
            matrix = stretch * (saturate * np.eye(3) + (1 - saturate) / 3)
            offset = 128 + np.random.uniform(-30, 30) - stretch * 128
            matrix = torch.from_numpy(matrix.astype("float32"))
            image = (matrix @ image.reshape(3, -1).float()).add_(offset).clamp_(0, 255)
            return image.to(torch.uint8).reshape(3, SIZE, SIZE), mask[0]

    loader = torch.utils.data.DataLoader(
        Pairs(), BATCH_SIZE, shuffle=True, num_workers=WORKERS, persistent_workers=True
    )
    while True:
        yield ((images.float(), masks) for images, masks in loader)


def tf_data(data):
    """Epochs of batches from tf.data."""
    import tempfile

    import numpy as np
    import tensorflow as tf
    from PIL import Image

    grey = Path(tempfile.mkdtemp())
    pairs = []
    for image, mask in paths(data):
        pairs.append((image, str(grey / Path(mask).name)))
        Image.fromarray(np.array(Image.open(mask))).save(pairs[-1][1])

    def load(image, mask):
        image = tf.io.decode_jpeg(tf.io.read_file(image), channels=3)  # (H, W, 3) uint8
        mask = tf.io.decode_png(tf.io.read_file(mask), channels=1)  # (H, W, 1) uint8
        shape = tf.cast(tf.shape(mask)[:2], tf.float32)
        scale = tf.exp(tf.random.uniform((), *np.log((0.7, 1.4)).tolist()))
        shape = tf.cast(tf.round(shape * (SIZE * scale / tf.reduce_max(shape))), tf.int32)
        image = tf.image.resize(image, shape, "bilinear", antialias=True)  # float32
        mask = tf.image.resize(mask, shape, "nearest")
        if tf.random.uniform(()) < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        room = shape - SIZE
        low, high = tf.minimum(room, 0), tf.maximum(room, 0)
        corner = low + tf.cast(
            tf.random.uniform((2,)) * tf.cast(high - low + 1, tf.float32), "int32"
        )
        first, size = tf.maximum(corner, 0), tf.minimum(shape, SIZE)
        image = image[first[0] : first[0] + size[0], first[1] : first[1] + size[1]]
        mask = mask[first[0] : first[0] + size[0], first[1] : first[1] + size[1]]
        before = tf.maximum(-corner, 0)
        pad = tf.stack([before, SIZE - size - before], axis=1)
        pad = tf.concat([pad, [[0, 0]]], axis=0)
        image = tf.pad(image, pad, constant_values=127)
        mask = tf.pad(mask, pad, constant_values=255)
        stretch, saturate = tf.unstack(tf.random.uniform((2,), 0.75, 1.25))
        matrix = stretch * (saturate * tf.eye(3) + (1 - saturate) / 3)
        offset = 128 + tf.random.uniform((), -30, 30) - stretch * 128
        image = tf.clip_by_value(tf.tensordot(image, matrix, 1) + offset, 0, 255)
        return tf.ensure_shape(image, (SIZE, SIZE, 3)), tf.ensure_shape(mask[..., 0], (SIZE, SIZE))

    dataset = tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*pairs, strict=True))))
    dataset = dataset.shuffle(len(pairs)).map(load, num_parallel_calls=WORKERS)
    dataset = dataset.batch(BATCH_SIZE).prefetch(2)
    while True:
        yield dataset.as_numpy_iterator()


LOADERS = {"voc_seg": ours, "torchvision": torchvision, "tf.data": tf_data}


def cpu_time():
    """Seconds of CPU that this process and its finished children have used."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF,))


def children_cpu_time():
    """Seconds of CPU of the running children, from Linux's /proc; 0 elsewhere."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[1]) == os.getpid():
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def measure(name, data, epochs):
    """Prints images a second of the best epoch, and the smallest CPU time of an image in ms."""
    epochs_of_batches, speeds, costs = LOADERS[name](data), [], []
    for epoch in range(epochs + 1):
        start, cpu = time.perf_counter(), cpu_time() + children_cpu_time()
        images = sum(len(batch) for batch, _ in next(epochs_of_batches))
        if epoch:  # the first one warms up
            speeds.append(images / (time.perf_counter() - start))
            costs.append(1000 * (cpu_time() + children_cpu_time() - cpu) / images)
    print(json.dumps([max(speeds), min(costs)]))


def environment(name, folder):
    """The Python of an environment with a competitor, which is made first if it is not there."""
    folder = Path(folder) / name
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True)
        (folder / "ready").touch()
    return python


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("environments", help="the folder for the other libraries")
    parser.add_argument("--data", required=True, help="a folder in VOC's layout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="epochs of each loader in a round")
    parser.add_argument("--measure", choices=LOADERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.data, options.epochs)
        raise SystemExit
    pythons = {name: environment(name, options.environments) for name in PACKAGES}
    results = {name: [] for name in LOADERS}
    for _ in range(options.rounds):
        for name in LOADERS:
            command = [pythons.get(name, sys.executable), __file__, options.environments]
            command += ["--data", options.data, "--epochs", str(options.epochs), "--measure", name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            results[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{name:12} {results[name][-1][0]:6.1f} images/s", flush=True)
    print(
        "\n| loader | images/s | CPU time of an image | voc_seg is faster by |\n|---|---|---|---|"
    )
    best = {n: (max(r[0] for r in rows), min(r[1] for r in rows)) for n, rows in results.items()}
    for name, (speed, cost) in best.items():
        ratio = best["voc_seg"][0] / speed
        print(f"| {name} | {speed:.0f} | {cost:.1f} ms | {ratio:.2f} |")

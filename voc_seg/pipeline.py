"""From files to batches: what the models are trained on.

Both data sets are Keras `PyDataset`s that give NumPy arrays, so that they feed every backend and a
single batch can be looked at: `images, masks = dataset[0]`. All chance comes from generators that
are seeded with the data set's seed, the epoch and a number: the batches are the same whatever the
number of threads.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import cv2
import keras
import numpy as np
from tqdm import tqdm

from voc_seg.augmentation import augment, change_colours, letterbox, letterbox_mask
from voc_seg.images import resize_to_fit
from voc_seg.layers import check_arguments
from voc_seg.voc import VOID


class SegmentationDataset(keras.utils.PyDataset):
    """Batches of images with their masks, for models that label every pixel.

    Each image is resized so that its long side is `size`, keeping the aspect ratio, and the square
    is filled up at the bottom or the right: grey in the image, void in the mask.

    Args:
        folder: a `VOCFolder`.
        ids: list of the image IDs to use, for instance `folder.ids("train")`.
        size: height and width of the images in a batch, in pixels.
        batch_size: how many images a batch has; the last one of an epoch may have fewer.
        augment: whether to flip, scale, crop and change the colours at random; see `augment`.
        shuffle: whether each epoch has an order of its own.
        seed: whole number from which all chance is derived.
        cache: whether to keep the decoded files in memory (three quarters of a megabyte for each
            photograph of VOC).
        workers: threads that read and prepare the images of a batch.

    Raises:
        ValueError: there are no IDs, or a number is no whole number of at least 1.
    """

    def __init__(
        self, folder, ids, size, batch_size=8, augment=False, shuffle=False, seed=0, cache=False,
        workers=2,
    ):  # fmt: skip
        super().__init__()
        check_ids(ids)
        check_arguments(size=size, batch_size=batch_size)
        self.folder, self.ids, self.size, self.batch_size = folder, list(ids), size, batch_size
        self.augment, self.shuffle, self.seed = augment, shuffle, seed
        self.cache = {} if cache else None
        self.epoch = 0
        # Keras' own workers lose a batch on JAX (3.15), and with it the reproducible order.
        self.pool = ThreadPoolExecutor(workers)

    def __len__(self):
        return math.ceil(len(self.ids) / self.batch_size)

    def __getitem__(self, i):
        """Batch i of the present epoch.

        Returns:
            images: (B, size, size, 3) float32, RGB, 0..255.
            masks: (B, size, size) int32, class indices 0..C-1 and 255 for void.
        """
        check_batch(self, i)
        order = np.arange(len(self.ids))
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
        chosen = order[i * self.batch_size : (i + 1) * self.batch_size]
        images, masks = zip(*self.pool.map(self.example, chosen), strict=True)
        return np.stack(images).astype("float32"), np.stack(masks).astype("int32")

    def example(self, k):
        """Image k of the list, with its mask, as it is in the present epoch."""
        image, mask = self.read(self.ids[k])
        if self.augment:
            rng = np.random.default_rng((self.seed, self.epoch, k))
            return augment(image, mask, self.size, rng)
        return letterbox(image, self.size), letterbox_mask(mask, self.size)

    def on_epoch_end(self):
        self.epoch += 1

    def read(self, id):
        if self.cache is None:
            return self.folder.pair(id)
        if id not in self.cache:
            self.cache[id] = self.folder.pair(id)
        return self.cache[id]


class WindowDataset(keras.utils.PyDataset):
    """Batches of windows with the class of their central pixel, for the patch classifier.

    The images are resized as in `SegmentationDataset`, without the padding, and kept in memory.
    For each window a class is drawn, each with the same probability, then an image that shows it,
    then a pixel of that class: or nearly all windows would be background. At the border of an
    image the window sees its reflection, as NumPy's `pad(mode="reflect")` makes it.

    Args:
        folder: a `VOCFolder`.
        ids: list of the image IDs to use.
        window: height and width of the windows, odd.
        size: the long side to which the images are resized, in pixels.
        batch_size: how many windows a batch has.
        windows_per_image: an epoch has as many windows as images times this, in whole batches.
        augment: whether to flip the windows left-right and change their colours at random.
        seed: whole number from which all chance is derived.

    Raises:
        ValueError: the window is even, all pixels are void, there are no IDs, or a number is
            no whole number of at least 1.
    """

    def __init__(
        self, folder, ids, window, size, batch_size=256, windows_per_image=64, augment=False,
        seed=0,
    ):  # fmt: skip
        super().__init__()
        check_ids(ids)
        check_arguments(window=window, size=size, batch_size=batch_size)
        self.window, self.batch_size, self.augment, self.seed = window, batch_size, augment, seed
        self.batches = max(1, len(ids) * windows_per_image // batch_size)
        self.epoch = 0
        radius = window // 2
        pad = [(radius, radius), (radius, radius), (0, 0)]
        self.images, self.masks = [], []
        for image, mask in read_pairs(folder, ids, "reading images"):
            image = resize_to_fit(image, size)  # (h, w, 3)
            self.images.append(np.pad(image, pad, mode="reflect"))
            self.masks.append(resize_to_fit(mask, size, cv2.INTER_NEAREST_EXACT))  # (h, w)
        # Per class that occurs: the images that show it.
        present = [np.unique(mask[mask != VOID]) for mask in self.masks]
        classes = sorted(set(np.concatenate(present)))
        if not classes:
            raise ValueError(f"{folder.path}: all pixels of these {len(ids)} masks are void")
        self.shown_in = {c: [k for k, p in enumerate(present) if c in p] for c in classes}

    def __len__(self):
        return self.batches

    def __getitem__(self, i):
        """Batch i of the present epoch.

        Returns:
            windows: (B, window, window, 3) float32, RGB, 0..255.
            labels: (B,) int32, class indices 0..C-1.
        """
        check_batch(self, i)
        rng = np.random.default_rng((self.seed, self.epoch, i))
        labels = rng.choice(list(self.shown_in), self.batch_size)
        windows = []
        for label in labels:
            k = rng.choice(self.shown_in[label])
            row, column = divmod(
                rng.choice(np.flatnonzero(self.masks[k] == label)), self.masks[k].shape[1]
            )
            # The padding shifts the pixel by the radius: to the middle of this window.
            window = self.images[k][row : row + self.window, column : column + self.window]
            if self.augment:
                window = change_colours(window[:, :: rng.choice((1, -1))], rng)
            windows.append(window)
        return np.stack(windows).astype("float32"), labels.astype("int32")

    def on_epoch_end(self):
        self.epoch += 1


def check_ids(ids):
    if isinstance(ids, str) or not len(ids):
        raise ValueError(f"ids: found {ids!r}, expected a list such as folder.ids('train')")


def check_batch(dataset, i):
    """Raises an IndexError where there is no batch i."""
    if not 0 <= i < len(dataset):
        raise IndexError(f"batch {i}: there are {len(dataset)}, from 0 on")


def read_pairs(folder, ids, description):
    """Reads many pairs on several threads, in order, with a progress bar: yields (image, mask).

    A broken file is reported here, by its name, and not in the middle of the training.
    """
    with ThreadPoolExecutor() as pool, tqdm(total=len(ids), desc=description, unit="image") as bar:
        # In chunks, or a data set that is read only to be checked would fill the memory.
        for start in range(0, len(ids), 32):
            for pair in pool.map(folder.pair, ids[start : start + 32]):
                bar.update()
                yield pair

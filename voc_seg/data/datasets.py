"""From files to batches: what the models are trained on.

Both data sets are Keras `PyDataset`s that return NumPy arrays, so they feed every backend, and you
can look at a single batch: `images, masks = dataset[0]`. All randomness comes from generators
seeded with (seed, epoch, index), so the batches do not depend on the number of threads.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import keras
import numpy as np
from tqdm import tqdm

from voc_seg.checks import check_whole, check_window
from voc_seg.data.augmentation import augment, change_colours
from voc_seg.data.images import VOID, letterbox, letterbox_mask, resize_to_fit
from voc_seg.data.voc import VOCFolder


class SegmentationDataset(keras.utils.PyDataset):
    """Batches of images with their masks, for models that label every pixel.

    Without augmentation, each image is resized so that its long side is `size`, keeping the aspect
    ratio; the rest of the square, at the bottom or on the right, is grey, and void in the mask.
    With augmentation see `augment`.

    Args:
        folder: a `VOCFolder`.
        ids: the image IDs to use, for instance `folder.ids("train")`.
        size: height and width of the images in a batch, in pixels.
        batch_size: the number of images in a batch; the last one of an epoch may have fewer.
        augment: whether to flip, scale, crop and change the colours at random; see `augment`.
        shuffle: whether to reshuffle every epoch.
        seed: random seed.
        cache: whether to keep the decoded files in memory (three quarters of a megabyte for each
            photograph of VOC).
        workers: the number of threads that read and prepare the images of a batch.

    Raises:
        ValueError: there are no IDs, or a number is not a whole number of at least 1.

    Examples:
        >>> from voc_seg import SegmentationDataset, open_folder, write_shapes
        >>> folder = open_folder(write_shapes("shapes", train=4, val=2))
        >>> images, masks = SegmentationDataset(folder, folder.ids("train"), size=32)[0]
        >>> images.shape, masks.shape
        ((4, 32, 32, 3), (4, 32, 32))
    """

    def __init__(
        self,
        folder: VOCFolder,
        ids: Sequence[str],
        size: int,
        batch_size: int = 8,
        augment: bool = False,
        shuffle: bool = False,
        seed: int = 0,
        cache: bool = False,
        workers: int = 2,
    ) -> None:
        super().__init__()
        check_ids(folder, ids)
        for name, value in (("size", size), ("batch_size", batch_size), ("workers", workers)):
            check_whole(name, value)
        check_whole("seed", seed, low=0)
        self.folder, self.ids, self.size, self.batch_size = folder, list(ids), size, batch_size
        self.augment, self.shuffle, self.seed = augment, shuffle, seed
        self.cache: dict[str, tuple[np.ndarray, np.ndarray]] | None = {} if cache else None
        self.epoch = 0
        # Keras' own workers lose a batch on JAX (3.15), and with it the reproducible order.
        self.pool = ThreadPoolExecutor(workers)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return math.ceil(len(self.ids) / self.batch_size)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch i of the current epoch.

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

    def example(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Image k of the list with its mask, as it is in the current epoch."""
        image, mask = self.read(self.ids[k])
        if self.augment:
            rng = np.random.default_rng((self.seed, self.epoch, k))
            return augment(image, mask, self.size, rng)
        return letterbox(image, self.size), letterbox_mask(mask, self.size)

    def on_epoch_end(self) -> None:
        """Called by Keras: the next epoch has its own order and its own random changes."""
        self.epoch += 1

    def read(self, id: str) -> tuple[np.ndarray, np.ndarray]:
        """An image and its mask, from the cache if there is one."""
        if self.cache is None:
            return self.folder.pair(id)
        if id not in self.cache:
            self.cache[id] = self.folder.pair(id)
        return self.cache[id]


class WindowDataset(keras.utils.PyDataset):
    """Batches of windows with the class of their central pixel, for the patch classifier.

    The images are resized as in `SegmentationDataset`, without the padding, and kept in memory.
    For each window we draw a class, each with the same probability, then an image that shows it,
    then a pixel of that class; otherwise nearly all windows would be background. Beyond its border
    an image is continued by reflection, as by NumPy's `pad(mode="reflect")`.

    Args:
        folder: a `VOCFolder`.
        ids: the image IDs to use.
        window: height and width of the windows in pixels, odd.
        size: the long side to which the images are resized, in pixels.
        batch_size: the number of windows in a batch.
        windows_per_image: the number of windows for each image in an epoch, rounded down to whole
            batches (at least one).
        augment: whether to flip the windows left-right and change their colours at random.
        seed: random seed.

    Raises:
        ValueError: the window is even, all pixels are void, there are no IDs, or a number is not
            a whole number of at least 1.

    Examples:
        >>> from voc_seg import WindowDataset, open_folder, write_shapes
        >>> folder = open_folder(write_shapes("shapes", train=4, val=2))
        >>> data = WindowDataset(folder, folder.ids("train"), window=17, size=32, batch_size=64)
        >>> windows, labels = data[0]
        >>> windows.shape, labels.shape
        ((64, 17, 17, 3), (64,))
    """

    def __init__(
        self,
        folder: VOCFolder,
        ids: Sequence[str],
        window: int,
        size: int,
        batch_size: int = 256,
        windows_per_image: int = 64,
        augment: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_ids(folder, ids)
        check_window(window)
        for name, value in (("size", size), ("batch_size", batch_size)):
            check_whole(name, value)
        check_whole("windows_per_image", windows_per_image)
        check_whole("seed", seed, low=0)
        self.folder, self.window, self.batch_size = folder, window, batch_size
        self.augment, self.seed = augment, seed
        self.batches = max(1, len(ids) * windows_per_image // batch_size)
        self.epoch = 0
        radius = window // 2
        pad = [(radius, radius), (radius, radius), (0, 0)]
        self.images, self.masks = [], []
        for image, mask in read_pairs(folder, ids, "reading images"):
            image = resize_to_fit(image, size)  # (h, w, 3)
            self.images.append(np.pad(image, pad, mode="reflect"))
            self.masks.append(resize_to_fit(mask, size, cv2.INTER_NEAREST_EXACT))  # (h, w)
        # For each class that occurs: the images that show it.
        present = [np.unique(mask[mask != VOID]) for mask in self.masks]
        classes = sorted(set(np.concatenate(present)))
        if not classes:
            raise ValueError(f"{folder.path}: all pixels of these {len(ids)} masks are void")
        self.shown_in = {c: [k for k, p in enumerate(present) if c in p] for c in classes}

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return self.batches

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch i of the current epoch.

        Returns:
            windows: (B, window, window, 3) float32, RGB, 0..255.
            labels: (B,) int32, class indices 0..C-1.
        """
        check_batch(self, i)
        rng = np.random.default_rng((self.seed, self.epoch, i))
        labels = rng.choice(list(self.shown_in), self.batch_size)
        windows = [self.draw_window(label, rng) for label in labels]
        return np.stack(windows).astype("float32"), labels.astype("int32")

    def draw_window(self, label: int, rng: np.random.Generator) -> np.ndarray:
        """A window (window, window, 3) around a random pixel of a class."""
        k = rng.choice(self.shown_in[label])
        pixel = rng.choice(np.flatnonzero(self.masks[k] == label))
        row, column = divmod(pixel, self.masks[k].shape[1])
        # The padding shifts the pixel by the radius: to the middle of this window.
        window = self.images[k][row : row + self.window, column : column + self.window]
        if not self.augment:
            return window
        if rng.choice((1, -1)) == -1:
            window = window[:, ::-1]
        return change_colours(window, rng)

    def on_epoch_end(self) -> None:
        """Called by Keras: the next epoch draws other windows."""
        self.epoch += 1


def check_ids(folder: VOCFolder, ids: Sequence[str]) -> None:
    """Raises a ValueError unless there is a folder and a list of IDs."""
    if not hasattr(folder, "pair"):
        raise ValueError(f"folder: found {folder!r}, expected a VOCFolder, see open_folder")
    if isinstance(ids, str) or not len(ids):
        raise ValueError(f"ids: found {ids!r}, expected a list such as folder.ids('train')")


def check_batch(dataset: keras.utils.PyDataset, i: int) -> None:
    """Raises an IndexError if there is no batch i."""
    if not 0 <= i < len(dataset):
        raise IndexError(f"batch {i}: there are {len(dataset)}, counted from 0")


def read_pairs(
    folder: VOCFolder, ids: Sequence[str], description: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Reads many pairs on several threads, in order, with a progress bar: yields (image, mask).

    A damaged file raises an error here that names it, and not in the middle of training.
    """
    with ThreadPoolExecutor() as pool, tqdm(total=len(ids), desc=description, unit="image") as bar:
        # Read in chunks; otherwise merely checking a data set would fill memory.
        for start in range(0, len(ids), 32):
            for pair in pool.map(folder.pair, ids[start : start + 32]):
                bar.update()
                yield pair

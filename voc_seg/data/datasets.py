"""From files to batches: what the models are trained on.

Both data sets are Keras `PyDataset`s that return NumPy arrays, so they feed every backend, and you
can look at a single batch: `images, masks = dataset[0]`. All randomness comes from generators
seeded with (seed, epoch, index), so the batches do not depend on the number of threads.

While the device works on a batch, threads prepare the next two.
"""

import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import keras
import numpy as np
from tqdm import tqdm

from voc_seg.checks import check_whole, check_window
from voc_seg.data.augmentation import augment, augment_window, check_augmented, describe
from voc_seg.data.images import VOID, letterbox, letterbox_mask, resize_to_fit
from voc_seg.data.voc import VOCFolder

AHEAD = 2  # batches to prepare ahead
Batch = tuple[np.ndarray, np.ndarray]  # images and masks, or windows and labels


class PreparedAhead(keras.utils.PyDataset):
    """The base of both data sets: prepares the next batches while the device works on this one.

    A child's `start(epoch, i)` submits the tasks that fill batch i of an epoch to `self.pool`, and
    returns them with the arrays that they fill. No task waits for another one.
    """

    def __init__(self, workers: int) -> None:
        super().__init__()
        self.epoch = 0
        # Keras' own workers lose a batch on JAX (3.15), and with it the reproducible order.
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="voc_seg")
        self.lock = threading.Lock()  # several threads may ask for batches
        # Batches are counted through all epochs: batch i of epoch e is number e * len(self) + i.
        self.started: dict[int, tuple[list[Future], Batch]] = {}
        self.next = -1  # the number that we expect to be asked for
        self.given: int | None = None  # in an epoch of Keras: how many batches it has had

    def take(self, i: int) -> Batch:
        """Batch i of the current epoch, and starts the next ones if we are asked in order.

        If we are not, you look at single batches, and the next one is unknown. `fit` shuffles the
        numbers i, in an order that only Keras knows. So when Keras asks, we ignore i and give one
        batch after the other: the data set does its own shuffling. On TensorFlow, Keras looks at
        two batches before an epoch, to learn their shapes. We give it the first ones of the coming
        epoch, and keep them.
        """
        if not 0 <= i < len(self):
            raise IndexError(f"batch {i}: there are {len(self)}, counted from 0")
        with self.lock:
            early = False
            if asked_by_keras():
                if self.given is None:
                    i, early = i + len(self), True
                else:
                    i = self.given % len(self)
                    self.given += 1
            number = self.epoch * len(self) + i
            wanted = [number, *self.started]
            if number == self.next:
                wanted = [number + n for n in range(AHEAD + 1)]
            for n in self.started.keys() - wanted:  # out of date
                for task in self.started[n][0]:
                    task.cancel()
            self.started = {
                n: self.started.get(n) or self.start(*divmod(n, len(self))) for n in wanted
            }
            tasks, batch = self.started.pop(number)
            if not early:
                self.next = number + 1
        for task in tasks:
            task.result()  # waits, and raises what the task raised
        if early:
            with self.lock:
                self.started[number] = tasks, batch
        return batch

    def start(self, epoch: int, i: int) -> tuple[list[Future], Batch]:
        """Starts to prepare batch i of an epoch: the tasks, and the arrays that they fill."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Batch]:
        """All batches of the current epoch, in order."""
        # Keras' own would be the caller of `__getitem__`, and we would take it for `fit`.
        return (self[i] for i in range(len(self)))

    def on_epoch_begin(self) -> None:
        """Called by Keras: its next batch is the first one of this epoch."""
        self.given, self.next = 0, self.epoch * len(self)

    def on_epoch_end(self) -> None:
        """Called by Keras: the next epoch has its own order and its own random numbers."""
        self.epoch += 1
        self.given = None


def asked_by_keras() -> bool:
    """Whether it is Keras that evaluates `dataset[i]`, in the loop of `fit`, and not you."""
    # Only the caller tells them apart: after an interrupted `fit`, Keras does not call us.
    caller = sys._getframe(3)  # of `__getitem__`, which called `take`, which called us
    return caller.f_globals["__name__"].startswith("keras.")


class SegmentationDataset(PreparedAhead):
    """Batches of images with their masks, for models that label every pixel.

    Without augmentation, each image is resized so that its long side is `size`, keeping the aspect
    ratio; the rest of the square, at the bottom or on the right, is grey, and void in the mask.
    With augmentation see `augment`.

    While a model trains on a batch, threads prepare the next two. In `fit`, the batches come in the
    order of this data set, whatever Keras' own `shuffle` says.

    Args:
        folder: a `VOCFolder`.
        ids: the image IDs to use, for instance `folder.ids("train")`.
        size: height and width of the images in a batch, in pixels.
        batch_size: the number of images in a batch; the last one of an epoch may have fewer.
        augment: whether to flip, scale, crop and change the colours at random, see `augment`; or a
            function of your own, `(image, mask, size, rng) -> (image, mask)`. It gets and returns
            the same arrays as `augment`, and its mask must not have new labels, except void.
        shuffle: whether to reshuffle every epoch.
        seed: random seed.
        cache: whether to keep the decoded files in memory (three quarters of a megabyte for each
            photograph of VOC).
        workers: the number of threads that read and prepare images.

    Raises:
        ValueError: there are no IDs, `augment` is something else, or a number is not a whole number
            of at least 1. When a batch is read: your function returned something else.

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
        augment: bool | Callable[..., Batch] = False,
        shuffle: bool = False,
        seed: int = 0,
        cache: bool = False,
        workers: int = 2,
    ) -> None:
        check_ids(folder, ids)
        for name, value in (("size", size), ("batch_size", batch_size), ("workers", workers)):
            check_whole(name, value)
        check_whole("seed", seed, low=0)
        check_augment(augment)
        super().__init__(workers)
        self.folder, self.ids, self.size, self.batch_size = folder, list(ids), size, batch_size
        self.augment, self.shuffle, self.seed = augment, shuffle, seed
        self.cache: dict[str, Batch] | None = {} if cache else None

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return math.ceil(len(self.ids) / self.batch_size)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch i of the current epoch.

        Returns:
            images: (B, size, size, 3) float32, RGB, 0..255.
            masks: (B, size, size) int32, class indices 0..C-1 and 255 for void.
        """
        return self.take(i)

    def start(self, epoch: int, i: int) -> tuple[list[Future], Batch]:
        """Starts to prepare batch i of an epoch, with a task for each image."""
        order = np.arange(len(self.ids))
        if self.shuffle:
            order = np.random.default_rng((self.seed, epoch)).permutation(order)
        chosen = order[i * self.batch_size : (i + 1) * self.batch_size]
        images = np.empty((len(chosen), self.size, self.size, 3), "float32")
        masks = np.empty((len(chosen), self.size, self.size), "int32")

        def fill(n: int) -> None:
            images[n], masks[n] = self.example(chosen[n], epoch)

        return [self.pool.submit(fill, n) for n in range(len(chosen))], (images, masks)

    def example(self, k: int, epoch: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Image k of the list with its mask, as it is in an epoch (default: the current one)."""
        image, mask = self.read(self.ids[k])
        if not self.augment:
            return letterbox(image, self.size), letterbox_mask(mask, self.size)
        rng = np.random.default_rng((self.seed, self.epoch if epoch is None else epoch, k))
        if not callable(self.augment):
            return augment(image, mask, self.size, rng)
        result = self.augment(image, mask, self.size, rng)
        check_augmented(result, mask, self.size)
        return result

    def read(self, id: str) -> tuple[np.ndarray, np.ndarray]:
        """An image and its mask, from the cache if there is one."""
        if self.cache is None:
            return self.folder.pair(id)
        if id not in self.cache:
            self.cache[id] = self.folder.pair(id)
        image, mask = self.cache[id]
        return image.copy(), mask.copy()  # an augmentation may change them


class WindowDataset(PreparedAhead):
    """Batches of windows with the class of their central pixel, for the patch classifier.

    The images are resized as in `SegmentationDataset`, without the padding, and kept in memory.
    For each window we draw a class, each with the same probability, then an image that shows it,
    then a pixel of that class; otherwise nearly all windows would be background. Beyond its border
    an image is continued by reflection, as by NumPy's `pad(mode="reflect")`.

    While a model trains on a batch, a thread prepares the next two, as for a
    `SegmentationDataset`.

    Args:
        folder: a `VOCFolder`.
        ids: the image IDs to use.
        window: height and width of the windows in pixels, odd.
        size: the long side to which the images are resized, in pixels.
        batch_size: the number of windows in a batch.
        windows_per_image: the number of windows for each image in an epoch, rounded down to whole
            batches (at least one).
        augment: whether to flip the windows left-right and change their colours at random, see
            `augment_window`; or a function of your own, `(window, rng) -> window`.
        seed: random seed.

    Raises:
        ValueError: the window is even, all pixels are void, there are no IDs, `augment` is
            something else, or a number is not a whole number of at least 1. When a batch is read:
            your function returned something else.

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
        augment: bool | Callable[..., np.ndarray] = False,
        seed: int = 0,
    ) -> None:
        check_ids(folder, ids)
        check_window(window)
        for name, value in (("size", size), ("batch_size", batch_size)):
            check_whole(name, value)
        check_whole("windows_per_image", windows_per_image)
        check_whole("seed", seed, low=0)
        check_augment(augment)
        super().__init__(workers=1)  # small steps in Python, which threads can't do side by side
        self.folder, self.window, self.batch_size = folder, window, batch_size
        self.augment, self.seed = augment, seed
        self.batches = max(1, len(ids) * windows_per_image // batch_size)
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
        return self.take(i)

    def start(self, epoch: int, i: int) -> tuple[list[Future], Batch]:
        """Starts to prepare batch i of an epoch, as a single task."""
        rng = np.random.default_rng((self.seed, epoch, i))
        labels = rng.choice(list(self.shown_in), self.batch_size).astype("int32")
        windows = np.empty((self.batch_size, self.window, self.window, 3), "float32")

        def fill() -> None:
            for n, label in enumerate(labels):
                windows[n] = self.draw_window(label, rng)

        return [self.pool.submit(fill)], (windows, labels)

    def draw_window(self, label: int, rng: np.random.Generator) -> np.ndarray:
        """A window (window, window, 3) around a random pixel of a class."""
        k = rng.choice(self.shown_in[label])
        pixel = rng.choice(np.flatnonzero(self.masks[k] == label))
        row, column = divmod(pixel, self.masks[k].shape[1])
        # The padding shifts the pixel by the radius: to the middle of this window.
        window = self.images[k][row : row + self.window, column : column + self.window]
        if not self.augment:
            return window
        function = self.augment if callable(self.augment) else augment_window
        result = function(window.copy(), rng)  # an augmentation may change it
        if describe(result) != describe(window):
            found, expected = describe(result), describe(window)
            raise ValueError(f"augment: the function returned {found}; expected {expected}")
        return result


def check_ids(folder: VOCFolder, ids: Sequence[str]) -> None:
    """Raises a ValueError unless there is a folder and a list of IDs."""
    if not hasattr(folder, "pair"):
        raise ValueError(f"folder: found {folder!r}, expected a VOCFolder, see open_folder")
    if isinstance(ids, str) or not len(ids):
        raise ValueError(f"ids: found {ids!r}, expected a list such as folder.ids('train')")


def check_augment(augment: object) -> None:
    """Raises a ValueError unless an argument says whether or how to augment."""
    if not isinstance(augment, bool) and not callable(augment):
        raise ValueError(f"augment: found {augment!r}, expected True, False or a function")


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

"""Batches of images and windows: what is in them, their order, their randomness."""

import functools
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest
from helpers import blocky_mask, python, random_images

from voc_seg import (
    VOID,
    SegmentationDataset,
    VOCFolder,
    WindowDataset,
    augment,
    augment_window,
    letterbox,
    open_folder,
    resize_to_fit,
)
from voc_seg.data.datasets import AHEAD, read_pairs
from voc_seg.data.images import letterbox_mask


@pytest.fixture
def folder(shapes):
    return open_folder(shapes)


def make_batches(kind, folder, **options):
    """A data set of one of the two kinds, with everything random that it has."""
    ids = folder.ids("train")
    if kind == "images":
        return SegmentationDataset(folder, ids, 24, 5, augment=True, shuffle=True, **options)
    return WindowDataset(folder, ids, 9, 24, 64, augment=True, **options)


def all_batches(dataset):
    return [dataset[i] for i in range(len(dataset))]


def same(batches, others):
    """Whether two lists of batches hold the same numbers."""
    pairs = zip(batches, others, strict=True)
    return all(np.array_equal(a, b) for x, y in pairs for a, b in zip(x, y, strict=True))


def read_epochs(dataset, epochs):
    """The batches of several epochs, read in order on a single thread."""
    batches = []
    for _ in range(epochs):
        batches += all_batches(dataset)
        dataset.on_epoch_end()
    return batches


def fit(dataset, epochs, **options):
    """The batches that `fit` gives to a model, in order."""
    images, truths = [], []

    def record(values, where):
        with suppress(Exception):  # JAX traces the model first, without numbers
            where.append(keras.ops.convert_to_numpy(values))

    class Recorder(keras.layers.Layer):
        def call(self, x):
            record(x, images)
            return x

        def compute_output_shape(self, shape):
            return shape

    def loss(truth, prediction):
        record(truth, truths)
        return keras.ops.mean(prediction)

    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1)(Recorder()(inputs)))
    model.compile(optimizer="sgd", loss=loss, run_eagerly=True)
    model.fit(dataset, epochs=epochs, verbose=0, **options)  # Keras would shuffle: in vain
    return list(zip(images, truths, strict=True))


# Batches of images.


def test_a_plain_data_set_gives_each_image_in_its_letterbox(write_voc):
    pairs = {
        f"image {i}": (random_images(*shape, seed=i), blocky_mask(*shape, [0, 1, 2]))
        for i, shape in enumerate([(20, 30), (30, 20), (60, 60), (9, 40), (16, 16)])
    }
    folder = open_folder(write_voc(pairs))
    dataset = SegmentationDataset(folder, folder.ids("train"), 24, batch_size=2)
    assert len(dataset) == 3
    assert [len(images) for images, _ in all_batches(dataset)] == [2, 2, 1]
    images, masks = (np.concatenate(part) for part in zip(*all_batches(dataset), strict=True))
    assert images.shape == (5, 24, 24, 3) and images.dtype == np.float32
    assert masks.shape == (5, 24, 24) and masks.dtype == np.int32
    for i, (image, mask) in enumerate(pairs.values()):
        assert np.array_equal(images[i], letterbox(image, 24))
        assert np.array_equal(masks[i], letterbox_mask(mask, 24))


@pytest.mark.parametrize("kind", ["images", "windows"])
def test_a_loop_over_a_data_set_gives_the_batches_of_its_epoch(folder, kind):
    dataset = make_batches(kind, folder)
    for _ in range(2):
        expected = all_batches(dataset)
        assert same([*dataset], expected) and same([*dataset], expected)
        assert len(dataset.started) <= AHEAD  # it keeps no batch
        dataset.on_epoch_end()


@pytest.mark.parametrize("options", [{}, {"augment": True}, {"shuffle": True}])
def test_epochs_differ_if_and_only_if_something_is_random(folder, options):
    dataset = SegmentationDataset(folder, folder.ids("train"), 24, batch_size=4, **options)
    first = all_batches(dataset)
    assert same(all_batches(dataset), first)
    dataset.on_epoch_end()
    assert same(all_batches(dataset), first) == (not options)


def test_a_shuffled_epoch_gives_every_image_once(folder):
    ids = folder.ids("train")
    plain = SegmentationDataset(folder, ids, 24, batch_size=12)
    dataset = SegmentationDataset(folder, ids, 24, batch_size=5, shuffle=True)
    positions = {image.tobytes(): i for i, image in enumerate(plain[0][0])}
    masks = plain[0][1]
    orders = []
    for _ in range(3):
        order = []
        for images, truths in all_batches(dataset):
            order += [positions[image.tobytes()] for image in images]
            assert np.array_equal(truths, masks[order[-len(images) :]])
        assert sorted(order) == list(range(12))
        orders.append(order)
        dataset.on_epoch_end()
    assert orders[0] != orders[1] != orders[2] != list(range(12))


@pytest.mark.parametrize("kind", ["images", "windows"])
def test_the_seed_determines_every_batch(folder, kind):
    def make(seed):
        return make_batches(kind, folder, seed=seed)

    assert same(read_epochs(make(3), 2), read_epochs(make(3), 2))
    assert not same(read_epochs(make(3), 1), read_epochs(make(4), 1))
    resumed = make(3)
    resumed.epoch = 1
    assert same(all_batches(resumed), read_epochs(make(3), 2)[len(resumed) :])


@pytest.mark.parametrize("kind", ["images", "windows"])
def test_batches_do_not_depend_on_the_order_or_thread_that_asks_for_them(folder, kind):
    ids = folder.ids("train")
    if kind == "images":
        dataset = SegmentationDataset(folder, ids, 24, 2, augment=True, shuffle=True, cache=True)
    else:
        dataset = WindowDataset(folder, ids, 9, 24, 64, augment=True)
    expected = all_batches(dataset)
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(len(dataset)), 3))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(dataset.__getitem__, order))
    assert same(found, [expected[i] for i in order])


@pytest.mark.parametrize(
    "kind, workers", [("images", 1), ("images", 2), ("images", 4), ("windows", None)]
)
def test_fit_gets_the_same_batches_whatever_the_number_of_workers(folder, kind, workers):
    def make(workers):
        options = {"augment": True, "seed": 7}
        if kind == "images":
            options |= {"shuffle": True, "workers": workers}
            return SegmentationDataset(folder, folder.ids("train"), 24, 5, **options)
        return WindowDataset(folder, folder.ids("train"), 9, 24, 200, **options)

    found = fit(make(workers), 3)
    lengths = [5, 5, 2] if kind == "images" else [200, 200, 200]
    assert [len(images) for images, _ in found] == 3 * lengths
    expected = read_epochs(make(1), 4)
    # Keras may end an epoch before the first one starts; a data set can't tell it from the others.
    assert same(found, expected[:9]) or same(found, expected[3:])


def test_validation_does_not_change_the_training_batches(folder):
    def make():
        return SegmentationDataset(folder, folder.ids("train"), 24, 5, augment=True, shuffle=True)

    validation = SegmentationDataset(folder, folder.ids("val"), 24, 6)
    alone = fit(make(), 2)
    found = fit(make(), 2, validation_data=validation)
    assert same(found, [*alone[:3], validation[0], *alone[3:], validation[0]])


def test_fit_continues_in_the_middle_as_if_it_had_never_stopped(folder):
    def make():
        return SegmentationDataset(folder, folder.ids("train"), 24, 5, augment=True, shuffle=True)

    rest = make()
    rest.epoch = 2
    assert same(fit(rest, 3, initial_epoch=2), fit(make(), 3)[6:])


def test_the_cache_gives_the_same_and_reads_each_file_once(folder, monkeypatch):
    read, pair = [], VOCFolder.pair
    monkeypatch.setattr(VOCFolder, "pair", lambda self, id: read.append(id) or pair(self, id))
    options = {"batch_size": 5, "augment": True, "shuffle": True}
    ids = folder.ids("train")
    plain = SegmentationDataset(folder, ids, 24, **options)
    expected = read_epochs(plain, 2)
    plain.pool.shutdown()  # waits until the next epoch's first batches are read, too
    assert all(read.count(id) >= 2 for id in ids)
    read.clear()
    # With several threads, two of them may read the same file at the same time.
    cached = SegmentationDataset(folder, ids, 24, cache=True, workers=1, **options)
    assert same(read_epochs(cached, 2), expected)
    assert sorted(read) == sorted(ids)


def test_changing_a_batch_does_not_change_the_cache(folder):
    dataset = SegmentationDataset(folder, folder.ids("val"), 32, cache=True)
    images, masks = dataset[0]
    before = images.copy(), masks.copy()
    images[:], masks[:] = 0, 0
    assert same([dataset[0]], [before])


# Augmentation of your own.


def test_other_ranges_are_given_by_partial(folder):
    ids = folder.ids("train")
    dataset = SegmentationDataset(folder, ids, 24, augment=functools.partial(augment, flip=1))
    k, rng = 3, np.random.default_rng((0, 0, 3))
    expected = augment(*folder.pair(ids[k]), 24, rng, flip=1)
    assert np.array_equal(dataset[0][0][k], expected[0])
    assert np.array_equal(dataset[0][1][k], expected[1])
    same_as_true = WindowDataset(folder, ids, 5, 16, augment=functools.partial(augment_window))
    assert same([same_as_true[0]], [WindowDataset(folder, ids, 5, 16, augment=True)[0]])


@pytest.mark.parametrize("cache", [False, True])
def test_a_function_of_your_own_may_change_what_it_gets(folder, cache):
    def black(image, mask, size, rng):
        image[:] = 0
        return augment(image, mask, size, rng, brightness=0, contrast=0)

    def black_window(window, rng):
        window[:] = 0
        return window

    ids = folder.ids("train")
    dataset = SegmentationDataset(folder, ids, 24, augment=black, cache=cache)
    images, masks = dataset[0]
    assert set(np.unique(images)) <= {0, 127} and (images[masks != VOID] == 0).all()
    if cache:
        assert all(np.array_equal(dataset.read(id)[0], folder.pair(id)[0]) for id in ids)
    windows = WindowDataset(folder, ids, 5, 16, augment=black_window)
    before = [image.copy() for image in windows.images]
    assert not windows[0][0].any()
    assert all(map(np.array_equal, windows.images, before))


def linear(image, mask, size, rng):
    return letterbox(image, size), resize_to_fit(mask, size, cv2.INTER_LINEAR)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image, mask, size, rng: image, r"returned uint8 \(48, 48, 3\); expected uint8"),
        (lambda image, mask, size, rng: None, "returned NoneType; expected uint8"),
        (lambda image, mask, size, rng: (image, mask), r"returned uint8 \(48, 48, 3\), uint8 \(48"),
        (
            lambda *given: (augment(*given)[0] / 255, augment(*given)[1]),
            r"returned float64 \(24, 24, 3\), uint8 \(24, 24\); expected uint8 \(24, 24, 3\), ui",
        ),
        (
            lambda *given: (augment(*given)[0], augment(*given)[1].astype(int)),
            r"returned uint8 \(24, 24, 3\), int64 \(24, 24\); expected",
        ),
        (linear, "returned a mask with the label [0-9]+, which was not there before"),
    ],
)
def test_a_function_that_returns_something_else_is_named(write_voc, function, message):
    mask = np.zeros((48, 48), np.uint8)
    mask[:, 17:] = 20
    folder = open_folder(write_voc({"a": (random_images(48, 48), mask)}))
    with pytest.raises(ValueError, match=f"^augment: the function {message}"):
        SegmentationDataset(folder, ["a"], 24, augment=function)[0]


def test_void_may_be_new_in_a_mask(write_voc):
    pair = random_images(48, 48), np.zeros((48, 48), np.uint8)
    folder = open_folder(write_voc({"a": pair}))

    def all_void(image, mask, size, rng):
        return letterbox(image, size), np.full((size, size), VOID, np.uint8)

    assert (SegmentationDataset(folder, ["a"], 24, augment=all_void)[0][1] == VOID).all()


def test_a_window_of_another_size_or_type_is_named(folder):
    for change in (lambda window, rng: window[1:], lambda window, rng: window / 255):
        with pytest.raises(ValueError, match=r"^augment: .* returned .*; expected uint8 \(5, 5, 3"):
            WindowDataset(folder, folder.ids("train"), 5, 16, augment=change)[0]


@pytest.mark.parametrize("kind", [SegmentationDataset, WindowDataset])
def test_augment_is_true_false_or_a_function(folder, kind):
    more = {"window": 5} if kind is WindowDataset else {}
    with pytest.raises(ValueError, match=r"^augment: found 'yes', expected True, False or a func"):
        kind(folder, folder.ids("train"), size=16, augment="yes", **more)


# Preparing batches ahead.


class Reading:
    """A folder of eight pairs of one colour; `events[id]` tells that a pair was read."""

    def __init__(self, broken=()):
        self.events = {str(k): threading.Event() for k in range(8)}
        self.broken = broken

    def pair(self, id):
        self.events[id].set()
        if id in self.broken:
            raise ValueError(f"{id}.png: is broken")
        return np.full((8, 8, 3), int(id), np.uint8), np.zeros((8, 8), np.uint8)


def colour(batch):
    images, _ = batch
    assert (images == images.flat[0]).all()
    return images.flat[0]


@pytest.mark.parametrize("kind", ["images", "windows"])
def test_batches_prepared_ahead_are_those_of_a_plain_loop(folder, kind):
    dataset = make_batches(kind, folder, seed=2)
    expected = []
    for dataset.epoch in (0, 1, 2):
        for i in reversed(range(len(dataset))):  # against the order: nothing is prepared ahead
            expected.insert(dataset.epoch * len(dataset), dataset[i])
    if kind == "windows":
        assert same(read_epochs(make_batches(kind, folder, seed=2), 3), expected)
        return
    for workers in (1, 2, 4):
        found = read_epochs(make_batches(kind, folder, seed=2, workers=workers), 3)
        assert same(found, expected)


def test_the_next_two_batches_are_prepared_before_they_are_asked_for():
    folder = Reading()
    dataset = SegmentationDataset(folder, list("0123"), 8, batch_size=1)
    assert colour(dataset[0]) == 0
    assert not folder.events["1"].is_set()  # someone who looks at one batch needs no other
    assert colour(dataset[1]) == 1
    assert folder.events["2"].wait(60) and folder.events["3"].wait(60)
    assert colour(dataset[2]) == 2
    folder.events["1"].clear()  # before batch 3, which starts batch 1 of the next epoch
    assert colour(dataset[3]) == 3
    assert folder.events["1"].wait(60)  # in order across the end of the epoch
    dataset.on_epoch_end()
    assert colour(dataset[0]) == 0


def test_the_first_batches_of_an_epoch_are_prepared_together():
    folder = Reading()
    dataset = SegmentationDataset(folder, list("0123"), 8, batch_size=1)
    dataset.on_epoch_begin()
    assert colour(dataset[0]) == 0
    assert folder.events["1"].wait(60) and folder.events["2"].wait(60)


def test_a_batch_that_is_out_of_date_is_not_prepared():
    cancelled, prepared = threading.Event(), []

    def wait(image, mask, size, rng):
        prepared.append(image[0, 0, 0])
        if prepared[-1] == 2:
            cancelled.wait(60)
        return image, mask

    dataset = SegmentationDataset(Reading(), list("0123"), 8, 1, wait, workers=1)
    dataset[0], dataset[1]  # the only thread prepares batch 2 now, and then batch 3
    dataset.started[3][0][0].add_done_callback(lambda task: cancelled.set())
    dataset.on_epoch_end()
    dataset.on_epoch_begin()
    assert colour(dataset[0]) == 0
    assert 3 not in prepared


@pytest.mark.parametrize("kind", ["images", "windows"])
def test_after_an_interrupted_fit_batch_i_is_batch_i(folder, kind):
    def interrupt(batch, logs):
        if batch == 1:
            raise KeyboardInterrupt

    dataset, fresh = make_batches(kind, folder), make_batches(kind, folder)
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            fit(dataset, 1, callbacks=[stop])
        fresh.epoch = dataset.epoch
        backwards = [dataset[i] for i in reversed(range(len(dataset)))]
        assert same(backwards[::-1], all_batches(fresh))
    assert same(fit(dataset, 1), fit(fresh, 1))


def test_fit_loads_the_next_batch_while_the_device_works():
    folder, late = Reading(), []

    class Wait(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):  # before Keras asks for the next one
            if 1 <= batch <= 6 and not folder.events[str(batch + 1)].wait(60):
                late.append(batch)

    dataset = SegmentationDataset(folder, list("01234567"), 8, batch_size=1)
    fit(dataset, 1, callbacks=[Wait()])
    assert not late


def test_never_more_than_two_batches_wait():
    dataset = SegmentationDataset(Reading(), list("0123"), 8, batch_size=1)
    for i in [0, 1, 2, 3, 0, 1, 3, 2, 3, 0, 0, 1, 2]:
        assert colour(dataset[i]) == i
        assert len(dataset.started) <= 2


@pytest.mark.parametrize("kind", ["images", "windows"])
def test_an_epoch_set_from_outside_gets_its_own_batches(folder, kind):
    dataset, other = make_batches(kind, folder), make_batches(kind, folder)
    for epoch in (0, 7, 3, 4):
        dataset.epoch = other.epoch = epoch
        backwards = [other[i] for i in reversed(range(len(other)))]
        assert same(all_batches(dataset), backwards[::-1])


def test_an_error_in_a_batch_prepared_ahead_arrives_with_the_batch():
    dataset = SegmentationDataset(Reading(broken="2"), list("0123"), 8, batch_size=1)
    assert [colour(dataset[i]) for i in (0, 1)] == [0, 1]
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^2\.png: is broken"):
            dataset[2]
    assert colour(dataset[3]) == 3


@pytest.mark.parametrize("kind", ["images", "windows"])
def test_a_deleted_data_set_leaves_no_threads(folder, kind):
    before = set(threading.enumerate())
    dataset = make_batches(kind, folder)
    dataset[0], dataset[1]  # two more are being prepared
    threads = set(threading.enumerate()) - before
    assert threads
    del dataset
    gc.collect()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize("end", ["pass", "raise KeyboardInterrupt"])
def test_a_program_ends_while_batches_are_being_prepared(shapes, end):
    script = f"""
from voc_seg import SegmentationDataset, open_folder
folder = open_folder({str(shapes)!r})
dataset = SegmentationDataset(folder, folder.ids("train"), 32, batch_size=2)
dataset[0], dataset[1]
print("read", flush=True)
{end}
"""
    done = python("-c", script, check=False, KERAS_BACKEND=keras.backend.backend())
    assert "read" in done.stdout
    assert (done.returncode == 0) == (end == "pass"), done.stderr


# Reading many files.


def test_read_pairs_gives_every_pair_in_order():
    folder = SimpleNamespace(pair=lambda id: (id, -id))
    assert list(read_pairs(folder, range(70), "")) == [(id, -id) for id in range(70)]


def test_read_pairs_names_a_broken_file(write_voc):
    pair = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
    path = write_voc({"a": pair, "b": pair, "c": pair})
    (path / "SegmentationClass" / "b.png").write_text("no mask")
    with pytest.raises(ValueError, match=r"b\.png"):
        list(read_pairs(open_folder(path), ["a", "b", "c"], ""))


# Batches of windows.


def mirrored(index, length):
    """Which pixel an index outside an axis shows if reflection repeats back and forth."""
    while not 0 <= index < length:
        index = -index if index < 0 else 2 * (length - 1) - index
        index = 0 if length == 1 else index
    return index


def naive_windows(pairs, window, size):
    """All windows as bytes, with the labels of their central pixels: {window: set of labels}."""
    found, radius = {}, window // 2
    for image, mask in pairs:
        image, mask = resize_to_fit(image, size), letterbox_mask(mask, size)
        height, width = image.shape[:2]
        rows = [mirrored(i, height) for i in range(-radius, height + radius)]
        columns = [mirrored(i, width) for i in range(-radius, width + radius)]
        padded = image[np.ix_(rows, columns)].astype("float32")
        for row, column in np.ndindex(height, width):
            cut = padded[row : row + window, column : column + window]
            assert np.array_equal(cut[radius, radius], image[row, column])
            found.setdefault(cut.tobytes(), set()).add(int(mask[row, column]))
    return found


def random_pairs(*shapes, values=(0, 1, 2, VOID)):
    return {
        f"image {i}": (random_images(*shape, seed=i), blocky_mask(*shape, values, 3))
        for i, shape in enumerate(shapes)
    }


@pytest.mark.parametrize("window", [1, 5, 9, 41])  # the last is larger than the images
@pytest.mark.parametrize("size", [16, 24])
def test_each_window_is_reflected_around_a_pixel_of_its_label(write_voc, window, size):
    pairs = random_pairs((16, 16), (12, 20), (20, 7), (1, 15))
    folder = open_folder(write_voc(pairs))
    expected = naive_windows(pairs.values(), window, size)
    dataset = WindowDataset(folder, folder.ids("train"), window, size, batch_size=100)
    windows, labels = dataset[0]
    assert windows.shape == (100, window, window, 3) and windows.dtype == np.float32
    assert labels.shape == (100,) and labels.dtype == np.int32
    for cut, label in zip(windows, labels, strict=True):
        assert label in expected[cut.tobytes()]


def test_augmented_windows_are_flipped_around_the_same_pixel(write_voc):
    pairs = random_pairs((16, 16), (12, 20))
    folder = open_folder(write_voc(pairs))
    expected = naive_windows(pairs.values(), 5, 16)
    flip_only = functools.partial(augment_window, brightness=0, contrast=0, saturation=0)
    flipped = 0
    for cut, label in zip(
        *WindowDataset(folder, folder.ids("train"), 5, 16, 200, augment=flip_only)[0], strict=True
    ):
        flip = cut.tobytes() not in expected
        assert label in expected[(cut[:, ::-1] if flip else cut).tobytes()]
        flipped += flip
    assert abs(flipped - 100) < 5 * np.sqrt(200 / 4)


def test_augmented_windows_change_their_colours_within_the_range(folder):
    no_flip = functools.partial(augment_window, flip=0, saturation=0, contrast=0, brightness=9)
    windows, labels = WindowDataset(folder, folder.ids("train"), 9, 32, augment=no_flip)[0]
    plain, same_labels = WindowDataset(folder, folder.ids("train"), 9, 32)[0]
    assert windows.dtype == np.float32 and windows.min() >= 0 and windows.max() <= 255
    assert np.array_equal(labels, same_labels)  # drawn before the colours are
    change = (windows - plain)[0]  # the later windows are others: the first one's colours are drawn
    assert 0 < np.abs(change).max() <= 9


def test_every_class_that_occurs_is_drawn_equally_often_and_no_other(write_voc):
    mask = np.zeros((16, 16), np.uint8)
    mask[3, 4] = 7  # a single pixel
    mask[5:9, 5:9] = 12
    mask[0] = VOID
    image = np.arange(16 * 16 * 3).reshape(16, 16, 3).astype(np.uint8)
    other = np.zeros((8, 16, 3), np.uint8), np.zeros((8, 16), np.uint8)
    folder = open_folder(write_voc({"a": (image, mask), "b": other}))
    dataset = WindowDataset(folder, ["a", "b"], 3, 16, batch_size=256, windows_per_image=1280)
    labels = np.concatenate([labels for _, labels in all_batches(dataset)])
    assert len(labels) == 2560
    assert set(labels) == {0, 7, 12}
    for label in (0, 7, 12):
        assert abs((labels == label).sum() - 2560 / 3) < 5 * np.sqrt(2560 * 2 / 9)


def test_every_image_that_shows_a_class_is_drawn_equally_often(write_voc):
    pairs = {}
    for value in (10, 20, 30, 40):
        mask = np.zeros((8, 8), np.uint8)
        mask[:, : value // 10] = 1  # the class is larger in each
        pairs[str(value)] = np.full((8, 8, 3), value, np.uint8), mask
    folder = open_folder(write_voc(pairs))
    windows, labels = WindowDataset(folder, list(pairs), 3, 8, batch_size=2000)[0]
    for label in (0, 1):
        drawn = windows[labels == label][:, 0, 0, 0]
        for value in (10, 20, 30, 40):
            expected = len(drawn) / 4
            assert abs((drawn == value).sum() - expected) < 5 * np.sqrt(expected * 3 / 4)


def test_an_epoch_has_as_many_windows_as_promised(folder):
    ids = folder.ids("train")
    assert len(WindowDataset(folder, ids, 5, 16, batch_size=64, windows_per_image=16)) == 3
    assert len(WindowDataset(folder, ids, 5, 16, batch_size=64, windows_per_image=1)) == 1


def test_masks_that_are_all_void_are_refused(write_voc):
    pair = np.zeros((4, 4, 3), np.uint8), np.full((4, 4), VOID, np.uint8)
    path = write_voc({"a": pair})
    with pytest.raises(ValueError, match="void") as error:
        WindowDataset(open_folder(path), ["a"], 3, 4)
    assert str(path) in str(error.value)


def test_a_batch_beyond_the_last_is_refused(folder):
    images = SegmentationDataset(folder, folder.ids("train"), 8)
    windows = WindowDataset(folder, folder.ids("train"), 3, 8)
    for dataset in (images, windows):
        for i in (-1, len(dataset)):
            with pytest.raises(IndexError, match=f"batch {i}: there are {len(dataset)}"):
                dataset[i]


def test_an_even_window_is_refused(folder):
    with pytest.raises(ValueError, match="window: found 8, expected an odd number"):
        WindowDataset(folder, folder.ids("train"), 8, 8)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"ids": []}, "ids"),
        ({"ids": "train"}, "ids"),
        ({"size": 0}, "size"),
        ({"size": (64, 32)}, "size"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
@pytest.mark.parametrize("kind", [SegmentationDataset, WindowDataset])
def test_a_data_set_without_ids_or_with_a_wrong_number_is_refused(folder, kind, arguments, name):
    more = {"window": 5} if kind is WindowDataset else {}
    with pytest.raises(ValueError, match=f"^{name}: found "):
        kind(folder, **{"ids": folder.ids("train"), "size": 16, **more, **arguments})

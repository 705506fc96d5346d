"""Batches of images and windows: what is in them, their order, their randomness."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from helpers import blocky_mask, random_images

from voc_seg import (
    VOID,
    SegmentationDataset,
    VOCFolder,
    WindowDataset,
    letterbox,
    open_folder,
    resize_to_fit,
)
from voc_seg.data import datasets
from voc_seg.data.datasets import read_pairs
from voc_seg.data.images import letterbox_mask


@pytest.fixture
def folder(shapes):
    return open_folder(shapes)


@pytest.fixture
def no_colour_change(monkeypatch):
    monkeypatch.setattr(datasets, "change_colours", lambda image, rng: image.astype("float32"))


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
    model.fit(dataset, epochs=epochs, shuffle=False, verbose=0, **options)
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
        ids = folder.ids("train")
        if kind == "images":
            return SegmentationDataset(folder, ids, 24, 5, augment=True, shuffle=True, seed=seed)
        return WindowDataset(folder, ids, 9, 24, 64, augment=True, seed=seed)

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
    expected = read_epochs(SegmentationDataset(folder, ids, 24, **options), 2)
    assert sorted(read) == sorted(2 * ids)
    read.clear()
    assert same(
        read_epochs(SegmentationDataset(folder, ids, 24, cache=True, **options), 2), expected
    )
    assert sorted(read) == sorted(ids)


def test_changing_a_batch_does_not_change_the_cache(folder):
    dataset = SegmentationDataset(folder, folder.ids("val"), 32, cache=True)
    images, masks = dataset[0]
    before = images.copy(), masks.copy()
    images[:], masks[:] = 0, 0
    assert same([dataset[0]], [before])


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


def test_augmented_windows_are_flipped_around_the_same_pixel(write_voc, no_colour_change):
    pairs = random_pairs((16, 16), (12, 20))
    folder = open_folder(write_voc(pairs))
    expected = naive_windows(pairs.values(), 5, 16)
    flipped = 0
    for cut, label in zip(
        *WindowDataset(folder, folder.ids("train"), 5, 16, 200, augment=True)[0], strict=True
    ):
        flip = cut.tobytes() not in expected
        assert label in expected[(cut[:, ::-1] if flip else cut).tobytes()]
        flipped += flip
    assert abs(flipped - 100) < 5 * np.sqrt(200 / 4)


def test_augmented_windows_change_their_colours_within_the_range(folder):
    windows, labels = WindowDataset(folder, folder.ids("train"), 9, 32, augment=True)[0]
    plain, same_labels = WindowDataset(folder, folder.ids("train"), 9, 32)[0]
    assert windows.dtype == np.float32 and windows.min() >= 0 and windows.max() <= 255
    assert np.array_equal(labels, same_labels)  # drawn before the colours are
    assert (windows != np.round(windows)).any() and (plain == np.round(plain)).all()


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

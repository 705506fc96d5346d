from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from voc_seg import augmentation, pipeline
from voc_seg.augmentation import GREY, augment, change_colours, letterbox, letterbox_mask
from voc_seg.images import resize_to_fit
from voc_seg.pipeline import SegmentationDataset, WindowDataset, read_pairs
from voc_seg.voc import VOID, VOCFolder, open_folder

SHAPES = [(30, 20), (20, 30), (24, 24), (1, 50), (50, 1), (1, 1), (37, 5), (7, 100)]


@pytest.fixture
def folder(shapes):
    return open_folder(shapes)


@pytest.fixture
def no_colour_change(monkeypatch):
    for module in (augmentation, pipeline):
        monkeypatch.setattr(module, "change_colours", lambda image, rng: image.astype("float32"))


def generators(number):
    return [np.random.default_rng(seed) for seed in range(number)]


def blocks(height, width, values, block=8):
    """A mask of square blocks of these values: (height, width) uint8."""
    coarse = np.random.default_rng(1).choice(values, (-(-height // block), -(-width // block)))
    return np.kron(coarse, np.ones((block, block)))[:height, :width].astype(np.uint8)


def paint(mask):
    """An image whose colours say which value the mask has there; none of them is grey."""
    return np.stack([mask % 2 * 255, mask // 2 % 2 * 255, mask // 4 % 2 * 255], -1).astype(np.uint8)


def inner(mask):
    """Where all eight neighbours are there and have the pixel's own value."""
    same = np.zeros(mask.shape, bool)
    windows = np.lib.stride_tricks.sliding_window_view(mask, (3, 3))
    same[1:-1, 1:-1] = windows.min(axis=(2, 3)) == windows.max(axis=(2, 3))
    return same


def all_batches(dataset):
    return [dataset[i] for i in range(len(dataset))]


def same(batches, others):
    """Whether two lists of batches hold the same numbers."""
    pairs = zip(batches, others, strict=True)
    return all(np.array_equal(a, b) for x, y in pairs for a, b in zip(x, y, strict=True))


def read_epochs(dataset, epochs):
    """The batches of several epochs, one after the other and on a single thread."""
    batches = []
    for _ in range(epochs):
        batches += all_batches(dataset)
        dataset.on_epoch_end()
    return batches


def fit(dataset, epochs, **options):
    """The batches that a model is given by `fit`, in the order in which they come."""
    images, truths = [], []

    def record(values, where):
        with suppress(Exception):  # JAX first traces the model, without any numbers
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


# Letterbox.


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 16, 64])
def test_letterbox_keeps_the_aspect_ratio_and_fills_up_at_the_bottom_or_right(shape, size):
    image = letterbox(np.full((*shape, 3), 200, np.uint8), size)
    mask = letterbox_mask(np.full(shape, 3, np.uint8), size)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    assert mask.shape == (size, size) and mask.dtype == np.uint8
    h, w = (max(1, round(side * size / max(shape))) for side in shape)
    expected = np.full((size, size), VOID)
    expected[:h, :w] = 3
    assert np.array_equal(mask, expected)
    assert np.array_equal(image, np.where(expected == 3, 200, GREY)[..., None].repeat(3, -1))


def test_an_image_of_the_right_size_is_not_changed():
    image = np.random.default_rng(0).integers(0, 256, (20, 32, 3), dtype=np.uint8)
    mask = blocks(20, 32, [0, 5, VOID], block=1)
    assert np.array_equal(letterbox(image, 32)[:20], image)
    assert np.array_equal(letterbox_mask(mask, 32)[:20], mask)


@pytest.mark.parametrize("shape", SHAPES)
def test_letterbox_never_makes_a_new_class(shape):
    values = [0, 1, 20, 200]
    for size in (1, 5, 16, 33, 64):
        assert set(np.unique(letterbox_mask(blocks(*shape, values, 1), size))) <= {*values, VOID}


@pytest.mark.parametrize(("size", "factor"), [(3, 3), (7, 5), (27, 1 / 3)])
def test_the_resized_mask_lies_where_the_resized_image_lies(size, factor):
    # The middle of a pixel of the result is the middle of the pixels that the image averages.
    mask = blocks(round(size * factor), round(size * factor), range(200), 1)
    places = np.floor((np.arange(size) + 0.5) * factor).astype(int)
    assert np.array_equal(letterbox_mask(mask, size), mask[np.ix_(places, places)])


# Augmentation.


@pytest.mark.parametrize("shape", SHAPES)
def test_augment_never_makes_a_new_class_and_always_fills_the_square(shape):
    values = [0, 1, 20, 200]
    mask = blocks(*shape, values, 3)
    image = np.zeros((*shape, 3), np.uint8)
    for rng in generators(100):
        new_image, new_mask = augment(image, mask, 24, rng)
        assert new_image.shape == (24, 24, 3) and new_image.dtype == np.float32
        assert new_mask.shape == (24, 24) and new_mask.dtype == np.uint8
        assert set(np.unique(new_mask)) <= {*values, VOID}


@pytest.mark.parametrize("shape", [(48, 48), (80, 40), (30, 90), (200, 150)])
def test_augment_moves_image_and_mask_alike(no_colour_change, shape):
    mask = blocks(*shape, [0, 1, 2, 4, 7], block=max(shape) // 5)
    image = paint(mask)
    agreement = []
    for rng in generators(60):
        new_image, new_mask = augment(image, mask, 48, rng)
        seen = new_mask != VOID
        assert seen.sum() > 50
        pure = (new_image == paint(new_mask)).all(axis=-1)
        assert pure[seen & inner(new_mask)].all()
        # At the borders the colours are mixed, and the stronger one has to be that of the mask.
        strongest = (new_image > 127.5) @ [1, 2, 4]
        agreement.extend((strongest == new_mask)[seen])
    assert np.mean(agreement) > 0.98


@pytest.mark.parametrize("shape", [(48, 48), (80, 40), (30, 90)])
def test_what_augment_fills_in_is_grey_in_the_image_and_void_in_the_mask(no_colour_change, shape):
    filled = []
    for rng in generators(60):
        image, mask = augment(
            np.full((*shape, 3), 200, np.uint8), np.ones(shape, np.uint8), 48, rng
        )
        assert np.array_equal(image, np.where(mask == VOID, GREY, 200)[..., None].repeat(3, -1))
        filled.append((mask == VOID).mean())
    assert max(filled) > 0.3


def test_augment_does_not_change_what_it_is_given():
    image, mask = np.full((20, 30, 3), 99, np.uint8), blocks(20, 30, [0, 1])
    before = image.copy(), mask.copy()
    for rng in generators(20):
        augment(image, mask, 24, rng)
    assert np.array_equal(image, before[0]) and np.array_equal(mask, before[1])


def test_augment_flips_half_of_the_images_left_right_and_none_upside_down():
    quarters = np.kron([[1, 2], [3, 4]], np.ones((40, 40))).astype(np.uint8)
    image = np.zeros((80, 80, 3), np.uint8)
    flipped = 0
    for rng in generators(300):
        _, mask = augment(image, quarters, 64, rng)
        middle = {value: np.argwhere(mask == value).mean(axis=0) for value in (1, 2, 3, 4)}
        flipped += middle[1][1] > middle[2][1]
        assert middle[1][0] < middle[3][0] and middle[2][0] < middle[4][0]
    assert abs(flipped - 150) < 5 * np.sqrt(300 / 4)


def test_augment_scales_within_its_bounds_and_puts_the_image_anywhere():
    image, mask = np.zeros((60, 60, 3), np.uint8), np.ones((60, 60), np.uint8)
    sides, corners = [], set()
    for rng in generators(300):
        rows, columns = np.nonzero(augment(image, mask, 60, rng)[1] == 1)
        sides.append(np.ptp(rows) + 1)
        corners.add((rows.min(), columns.min()))
    assert 42 <= min(sides) <= 44  # 0.7
    # On a logarithmic scale the factor is as often above 1 as below.
    assert abs(np.mean(np.array(sides) == 60) - np.log(1.4) / np.log(2)) < 0.15
    assert len(corners) > 50


def test_change_colours_keeps_to_the_range_and_leaves_the_shape():
    image = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    for rng in generators(100):
        changed = change_colours(image, rng)
        assert changed.shape == image.shape and changed.dtype == np.float32
        assert changed.min() >= 0 and changed.max() <= 255
        assert not np.array_equal(changed, image)


def test_change_colours_keeps_grey_grey_and_its_order():
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=-1)  # (1, 256, 3)
    for rng in generators(50):
        changed = change_colours(ramp, rng)[0]
        assert np.allclose(changed, changed[:, :1], atol=1e-3)
        assert (np.diff(changed[:, 0]) >= 0).all()
        assert abs(changed[128, 0] - 128) <= 30
        assert 0.75 * 40 - 1e-3 <= changed[148, 0] - changed[108, 0] <= 1.25 * 40 + 1e-3


def test_change_colours_changes_saturation_and_keeps_the_hue():
    red = np.array([[[150, 100, 110]]], np.uint8)
    ratios = []
    for rng in generators(50):
        r, g, b = change_colours(red, rng)[0, 0]
        assert np.isclose((r - g) / (b - g), 5, rtol=1e-3)
        ratios.append((r - g) / 50)
    assert 0.75**2 <= min(ratios) < 0.9 and 1.1 < max(ratios) <= 1.25**2


# Batches of images.


def test_a_plain_data_set_gives_each_image_in_its_letterbox(write_voc):
    rng = np.random.default_rng(0)
    pairs = {
        f"image {i}": (rng.integers(0, 256, (*shape, 3), dtype=np.uint8), blocks(*shape, [0, 1, 2]))
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
def test_epochs_differ_if_there_is_chance_and_only_then(folder, options):
    dataset = SegmentationDataset(folder, folder.ids("train"), 24, batch_size=4, **options)
    first = all_batches(dataset)
    assert same(all_batches(dataset), first)
    dataset.on_epoch_end()
    assert same(all_batches(dataset), first) == (not options)


def test_a_shuffled_epoch_gives_every_image_once(folder):
    ids = folder.ids("train")
    plain = SegmentationDataset(folder, ids, 24, batch_size=12)
    dataset = SegmentationDataset(folder, ids, 24, batch_size=5, shuffle=True)
    places = {image.tobytes(): i for i, image in enumerate(plain[0][0])}
    masks = plain[0][1]
    orders = []
    for _ in range(3):
        order = []
        for images, truths in all_batches(dataset):
            order += [places[image.tobytes()] for image in images]
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
    # Keras ends an epoch before the first one begins, which a data set cannot tell from others.
    assert same(found, expected[:9]) or same(found, expected[3:])


def test_validation_does_not_change_the_batches_of_the_training(folder):
    def make():
        return SegmentationDataset(folder, folder.ids("train"), 24, 5, augment=True, shuffle=True)

    validation = SegmentationDataset(folder, folder.ids("val"), 24, 6)
    alone = fit(make(), 2)
    found = fit(make(), 2, validation_data=validation)
    assert same(found, [*alone[:3], validation[0], *alone[3:], validation[0]])


def test_fit_goes_on_in_the_middle_as_if_it_had_not_stopped(folder):
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


def test_a_batch_may_be_changed_without_harm_to_the_cache(folder):
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
    """Which pixel stands at a place outside of an axis that is reflected to and fro."""
    while not 0 <= index < length:
        index = -index if index < 0 else 2 * (length - 1) - index
        index = 0 if length == 1 else index
    return index


def naive_windows(pairs, window, size):
    """All windows, as bytes, with the labels in their middle: {window: set of labels}."""
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
    rng = np.random.default_rng(2)
    return {
        f"image {i}": (rng.integers(0, 256, (*shape, 3), dtype=np.uint8), blocks(*shape, values, 3))
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
    assert np.array_equal(labels, same_labels)  # drawn before the colours
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

"""Augmentation: image and mask move together, nothing new gets into the mask."""

import functools

import numpy as np
import pytest
from helpers import SHAPES, blocky_mask, random_images

from voc_seg import VOID, augment, augment_window, letterbox
from voc_seg.data.augmentation import change_colours
from voc_seg.data.images import GREY, letterbox_mask

NO_COLOURS = {"brightness": 0, "contrast": 0, "saturation": 0}
NOTHING = {"flip": 0, "scale": (1, 1), **NO_COLOURS}
only_move = functools.partial(augment, **NO_COLOURS)


def generators(number):
    return [np.random.default_rng(seed) for seed in range(number)]


def paint(mask):
    """An image whose colours tell the mask's value at each pixel; none of them is grey."""
    return np.stack([mask % 2 * 255, mask // 2 % 2 * 255, mask // 4 % 2 * 255], -1).astype(np.uint8)


def inner(mask):
    """Where all eight neighbours exist and have the pixel's own value."""
    same = np.zeros(mask.shape, bool)
    windows = np.lib.stride_tricks.sliding_window_view(mask, (3, 3))
    same[1:-1, 1:-1] = windows.min(axis=(2, 3)) == windows.max(axis=(2, 3))
    return same


@pytest.mark.parametrize("shape", SHAPES)
def test_augment_never_makes_a_new_class_and_always_fills_the_square(shape):
    values = [0, 1, 20, 200]
    mask = blocky_mask(*shape, values, 3)
    image = np.zeros((*shape, 3), np.uint8)
    for rng in generators(100):
        new_image, new_mask = augment(image, mask, 24, rng)
        assert new_image.shape == (24, 24, 3) and new_image.dtype == np.uint8
        assert new_mask.shape == (24, 24) and new_mask.dtype == np.uint8
        assert set(np.unique(new_mask)) <= {*values, VOID}


@pytest.mark.parametrize("shape", [(48, 48), (80, 40), (30, 90), (200, 150)])
def test_augment_moves_image_and_mask_alike(shape):
    mask = blocky_mask(*shape, [0, 1, 2, 4, 7], block=max(shape) // 5)
    image = paint(mask)
    agreement = []
    for rng in generators(60):
        new_image, new_mask = only_move(image, mask, 48, rng)
        seen = new_mask != VOID
        assert seen.sum() > 50
        pure = (new_image == paint(new_mask)).all(axis=-1)
        assert pure[seen & inner(new_mask)].all()
        # At borders the colours are mixed; the stronger one must be the mask's.
        strongest = (new_image > 127.5) @ [1, 2, 4]
        agreement.extend((strongest == new_mask)[seen])
    assert np.mean(agreement) > 0.98


@pytest.mark.parametrize("shape", [(48, 48), (80, 40), (30, 90)])
def test_what_augment_fills_in_is_grey_in_the_image_and_void_in_the_mask(shape):
    filled = []
    for rng in generators(60):
        image, mask = only_move(
            np.full((*shape, 3), 200, np.uint8), np.ones(shape, np.uint8), 48, rng
        )
        assert np.array_equal(image, np.where(mask == VOID, GREY, 200)[..., None].repeat(3, -1))
        filled.append((mask == VOID).mean())
    assert max(filled) > 0.3


def test_augment_does_not_change_what_it_is_given():
    image, mask = np.full((20, 30, 3), 99, np.uint8), blocky_mask(20, 30, [0, 1])
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


def test_augment_scales_within_its_bounds_and_places_the_image_anywhere():
    image, mask = np.zeros((60, 60, 3), np.uint8), np.ones((60, 60), np.uint8)
    sides, corners = [], set()
    for rng in generators(300):
        rows, columns = np.nonzero(augment(image, mask, 60, rng)[1] == 1)
        sides.append(np.ptp(rows) + 1)
        corners.add((rows.min(), columns.min()))
    assert 42 <= min(sides) <= 44  # 0.7 of 60
    # The factor is drawn on a logarithmic scale: log(1.4) / log(2) of the images are enlarged.
    assert abs(np.mean(np.array(sides) == 60) - np.log(1.4) / np.log(2)) < 0.15
    assert len(corners) > 50


@pytest.mark.parametrize("shape", SHAPES)
def test_augment_with_empty_ranges_is_the_letterbox_somewhere_in_the_square(shape):
    image, mask = random_images(*shape), blocky_mask(*shape, [0, 1, 20])
    expected, labels = letterbox(image, 24), letterbox_mask(mask, 24)
    for rng in generators(10):
        new_image, new_mask = augment(image, mask, 24, rng, **NOTHING)
        row, column = np.argwhere(new_mask != VOID)[0]
        assert np.array_equal(new_image, np.roll(expected, (row, column), (0, 1)))
        assert np.array_equal(new_mask, np.roll(labels, (row, column), (0, 1)))


def test_the_ranges_of_augment_are_respected():
    mask = np.repeat([[1, 2]], 40, axis=0).repeat(40, axis=1).astype(np.uint8)  # (40, 80)
    image = np.zeros((40, 80, 3), np.uint8)
    for flip in (0, 1):
        widths = []
        for rng in generators(50):
            _, new = augment(image, mask, 60, rng, flip=flip, scale=(0.5, 0.8))
            columns = np.flatnonzero((new != VOID).any(axis=0))
            widths.append(len(columns))
            middle = new[new[:, columns[0]] != VOID][0]
            assert middle[columns[0]] == 1 + flip and middle[columns[-1]] == 2 - flip
        assert 30 <= min(widths) <= 32 and 46 <= max(widths) <= 48


def change_by_hand(image, seed, brightness, contrast, saturation):
    """Saturation, then contrast and brightness, in float64, without rounding."""
    rng = np.random.default_rng(seed)
    stretch = 1 + rng.uniform(-contrast, contrast)
    saturate = 1 + rng.uniform(-saturation, saturation)
    add = rng.uniform(-brightness, brightness)
    changed = np.empty(image.shape)
    for row, column in np.ndindex(image.shape[:2]):
        colour = image[row, column].astype(float)
        grey = colour.sum() / 3
        colour = grey + saturate * (colour - grey)
        changed[row, column] = 128 + add + stretch * (colour - 128)
    return np.clip(changed, 0, 255)


@pytest.mark.parametrize("ranges", [(30, 0.25, 0.25), (255, 1, 1), (0, 0.5, 0), (0, 0, 0.9)])
def test_colours_change_as_in_a_loop_over_the_pixels(ranges):
    image = random_images(9, 11)
    for seed in range(50):
        found = change_colours(image, np.random.default_rng(seed), *ranges)
        assert found.shape == image.shape and found.dtype == np.uint8
        # OpenCV computes with whole numbers, so it may miss the nearest one by one.
        assert np.abs(found - change_by_hand(image, seed, *ranges)).max() < 1


def test_without_ranges_colours_stay_as_they_are():
    image = random_images(20, 30)
    for rng in generators(20):
        assert np.array_equal(change_colours(image, rng, 0, 0, 0), image)


def test_changed_colours_keep_grey_grey_and_its_order():
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=-1)  # (1, 256, 3)
    for rng in generators(50):
        changed = change_colours(ramp, rng, 30, 0.25, 0.25)[0].astype(int)
        assert (changed == changed[:, :1]).all()
        assert (np.diff(changed[:, 0]) >= 0).all()
        assert abs(changed[128, 0] - 128) <= 31
        assert 0.75 * 40 - 2 <= changed[148, 0] - changed[108, 0] <= 1.25 * 40 + 2


def test_a_window_is_flipped_or_not_and_nothing_else_without_colours():
    window = random_images(9, 9)
    found = [augment_window(window, rng, **NO_COLOURS) for rng in generators(200)]
    flipped = [np.array_equal(w, window[:, ::-1]) for w in found]
    assert all(f or np.array_equal(w, window) for w, f in zip(found, flipped, strict=True))
    assert abs(sum(flipped) - 100) < 5 * np.sqrt(200 / 4)
    for flip in (0, 1):
        found = [augment_window(window, rng, flip, **NO_COLOURS) for rng in generators(20)]
        assert all(np.array_equal(w, window[:, ::-1] if flip else window) for w in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flip": 1.5}, "flip: found 1.5, expected a number from 0 to 1"),
        ({"flip": True}, "flip: found True, expected a number from 0 to 1"),
        ({"brightness": -1}, "brightness: found -1, expected a number from 0 to 255"),
        ({"contrast": (0.7, 1.3)}, r"contrast: found \(0.7, 1.3\), expected a number from 0 to 1"),
        ({"saturation": float("nan")}, "saturation: found nan, expected a number from 0 to 1"),
        ({"scale": 0.5}, "scale: found 0.5, expected the smallest and the largest scale"),
        ({"scale": (0.5, "2")}, "scale: found '2', expected a number from 0.1 to 10"),
        ({"scale": (0, 1)}, "scale: found 0, expected a number from 0.1 to 10"),
        ({"scale": (2, 0.5)}, r"scale: found \(2, 0.5\), expected the smaller number first"),
    ],
)
def test_a_range_that_is_none_is_refused(arguments, message):
    image, mask = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.uint8)
    with pytest.raises(ValueError, match=f"^{message}$"):
        augment(image, mask, 8, np.random.default_rng(0), **arguments)
    if "scale" not in arguments:
        with pytest.raises(ValueError, match=f"^{message}$"):
            augment_window(image, np.random.default_rng(0), **arguments)


def test_a_mask_of_another_size_or_type_is_refused():
    image, rng = np.zeros((8, 9, 3), np.uint8), np.random.default_rng(0)
    for mask in (np.zeros((9, 8), np.uint8), np.zeros((8, 9), int), [[0]]):
        with pytest.raises(ValueError, match=r"^mask: found .*, expected uint8 \(8, 9\) as"):
            augment(image, mask, 8, rng)

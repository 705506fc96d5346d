"""Augmentation: image and mask move together, nothing new gets into the mask."""

import numpy as np
import pytest
from helpers import SHAPES, blocky_mask

from voc_seg import VOID, augment
from voc_seg.data import augmentation
from voc_seg.data.augmentation import change_colours
from voc_seg.data.images import GREY


@pytest.fixture
def no_colour_change(monkeypatch):
    monkeypatch.setattr(augmentation, "change_colours", lambda image, rng: image.astype("float32"))


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
        assert new_image.shape == (24, 24, 3) and new_image.dtype == np.float32
        assert new_mask.shape == (24, 24) and new_mask.dtype == np.uint8
        assert set(np.unique(new_mask)) <= {*values, VOID}


@pytest.mark.parametrize("shape", [(48, 48), (80, 40), (30, 90), (200, 150)])
def test_augment_moves_image_and_mask_alike(no_colour_change, shape):
    mask = blocky_mask(*shape, [0, 1, 2, 4, 7], block=max(shape) // 5)
    image = paint(mask)
    agreement = []
    for rng in generators(60):
        new_image, new_mask = augment(image, mask, 48, rng)
        seen = new_mask != VOID
        assert seen.sum() > 50
        pure = (new_image == paint(new_mask)).all(axis=-1)
        assert pure[seen & inner(new_mask)].all()
        # At borders the colours are mixed; the stronger one must be the mask's.
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


def test_change_colours_stays_in_the_range_and_keeps_the_shape():
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

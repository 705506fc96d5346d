"""The live figures of the chapters in a real browser, against Keras, NumPy and scikit-learn.

Each test runs twice: with networks of random weights on a page of its own, which a figure with
prepared answers would fail, and on the page of the built site, with the file that the site ships.
"""

import base64
import io
import shutil

import keras
import numpy as np
import pytest
from helpers import ROOT, predict, random_images
from live import decode, read, write
from PIL import Image

from voc_seg import build_patch_classifier, palette, sliding_window

SITE = ROOT / "site"
NAMES = ["background", "disc", "square", "star", "ring"]
VALUES = [0, 1, 2, 3, 4]


@pytest.fixture(params=["random weights", "the site"])
def open_figure(request, tmp_path, served, open_page):
    """A function that opens a page with a figure: returns the page and what the figure was given.

    On the site, the figure has what the chapter wrote, and `things` do not count.
    """

    def open_figure(name, chapter, things):
        requests = []
        if request.param == "the site":
            folder, path = SITE, f"tutorials/{chapter}.html"
            if not (SITE / path).is_file():
                pytest.skip("the site is not built; `make docs` does it")
        else:
            folder, path = tmp_path, "page.html"
            shutil.copytree(ROOT / "docs/live", folder / "live", dirs_exist_ok=True)
            write(folder / "live/chapters" / f"{chapter}.js", things | {"fast": True})
            (folder / path).write_text(
                '<!doctype html><link rel="icon" href="data:,"><meta charset="utf-8">'
                f'<figure data-live="{name}"><p><img alt="still" src="data:,"></p>'
                '<figcaption>A caption.</figcaption></figure><script src="live/live.js"></script>'
            )
        address = folder.as_uri() + "/" if len(request.node.name) % 2 else served(folder)
        page = open_page(address + path)
        page.locator(f"[data-live={name}].live-ready").wait_for()
        page.on("request", lambda asked: requests.append(asked.url))
        page.requests = requests
        written = read(folder / "live/chapters" / f"{chapter}.js")
        return page, {key: decode(thing) for key, thing in written.items()}

    return open_figure


def pixels_of(page, title):
    """What the canvas above a title shows: (H, W, 3) uint8."""
    canvas = page.locator("figure figure", has_text=title).locator("canvas")
    address = canvas.evaluate("canvas => canvas.toDataURL()")
    picture = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    return np.array(picture.convert("RGB"))


def point(page, title, row, column, shape, press=True):
    """Moves the mouse to the middle of a pixel of a picture, and presses the button there."""
    box = page.locator("figure figure", has_text=title).locator(".live-picture")
    box.scroll_into_view_if_needed()
    place = box.bounding_box()
    x = place["x"] + (column + 0.5) * place["width"] / shape[1]
    y = place["y"] + (row + 0.5) * place["height"] / shape[0]
    page.mouse.move(x, y)
    if press:
        page.mouse.down()
        page.mouse.up()


def bars_of(page):
    """The numbers of the bars, unrounded."""
    return [float(cell.get_attribute("data-value")) for cell in page.locator(".live-number").all()]


def said(page):
    """What the figure tells screen readers."""
    return page.locator(".live-status").inner_text()


def two_pixels(answers):
    """The two pixels about which a network is least sure: rows and columns."""
    unsure = answers.max(-1)
    return [np.unravel_index(i, unsure.shape) for i in np.argsort(unsure, axis=None)[[0, 40]]]


def test_the_window_names_its_middle_pixel_as_keras_does(open_figure):
    keras.utils.set_random_seed(1)
    things = {
        "model": build_patch_classifier(5, window=9, filters=4),
        "window": 9,
        "images": np.stack([random_images(24, 24, seed=s) for s in range(2)]),
        "masks": np.random.default_rng(0).integers(0, 5, (2, 24, 24), np.uint8),
        "names": NAMES,
        "values": VALUES,
        "starts": [(3, 4), (5, 6)],
    }
    page, things = open_figure("window", "02_sliding_window", things)
    image, model = things["images"][0], things["model"]
    shape = image.shape[:2]
    expected = sliding_window(model, image, progress=False)  # (H, W, C)
    np.testing.assert_allclose(bars_of(page), expected[tuple(things["starts"][0])], atol=1e-5)
    for row, column in two_pixels(expected):
        point(page, "Drag the window", row, column, shape)
        # The window cut by NumPy, not by the library.
        padded = np.pad(image, [(n, n) for n in (things["window"] // 2,) * 2] + [(0, 0)], "reflect")
        window = padded[row : row + things["window"], column : column + things["window"]]
        wanted = predict(model, window[None].astype("float32"))[0]
        np.testing.assert_allclose(bars_of(page), wanted, rtol=0, atol=1e-5)
        assert (pixels_of(page, "What the network sees") == window).all()
        assert f"Row {row}, column {column}" in said(page)
        assert f"says {things['names'][wanted.argmax()]}" in said(page)
    page.keyboard.press("ArrowLeft")
    page.get_by_text(f"Row {row}, column {max(column - 1, 0)}:").wait_for()
    page.get_by_role("button", name="Classify every window").click()
    page.get_by_text("answers: the label map").wait_for()
    colours = palette()[things["values"]]
    labels = (pixels_of(page, "The label map so far")[..., None, :] == colours).all(-1)
    top = np.sort(expected, -1)
    sure = top[..., -1] - top[..., -2] > 2e-5
    assert (labels.argmax(-1) == expected.argmax(-1))[sure].all()
    assert sure.mean() > 0.9 and labels.any(-1).all()
    assert not page.requests  # nothing is loaded once the figure is there

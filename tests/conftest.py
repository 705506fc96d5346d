"""Fixtures that several test files share."""

import functools
import http.server
import os
import shutil
import threading

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

import pytest
from helpers import ROOT
from PIL import Image

from voc_seg import write_mask, write_shapes

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A small data set in VOC's layout, 12 + 6 images of 32 x 32 pixels; read it only."""
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", train=12, val=6, size=32)


@pytest.fixture(scope="session")
def voc2012_animals():
    """A part of VOC 2012, photographs with their masks, in a folder next to the repository."""
    path = ROOT.parent / "shared" / "voc2012-animals"
    if not path.is_dir():
        pytest.skip("needs photographs of VOC 2012 in ../shared/voc2012-animals")
    return path


@pytest.fixture
def write_voc(tmp_path):
    """A function that writes pairs {id: (image, mask)} in VOC's layout and returns the folder.

    The images are PNGs, so reading gives exactly what was written; train and val list them all.
    """

    def write(pairs, labels=None, path=tmp_path / "data"):
        for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
            (path / part).mkdir(parents=True)
        for id, (image, mask) in pairs.items():
            Image.fromarray(image).save(path / "JPEGImages" / f"{id}.png")
            write_mask(path / "SegmentationClass" / f"{id}.png", mask)
        for split in ("train", "val"):
            (path / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(pairs))
        if labels:
            (path / "labels.txt").write_text("\n".join(labels), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if not (CHROMIUM and sync_playwright):
        reason = "needs Chromium and Playwright: pip install -e .[browser]"
        pytest.fail(reason) if os.environ.get("BROWSER") == "required" else pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """A function that opens an address; it fails at the end if the page reports an error."""
    pages, errors = [], []

    def open_page(address, **options):
        page = browser.new_page(**options)
        page.set_default_timeout(90_000)  # machines that run tests are busy
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: m.type == "error" and errors.append(m.text))
        page.goto(address)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not errors


@pytest.fixture(scope="session")
def served():
    """A function that serves a folder over http and returns its address."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    def serve(folder):
        handler = functools.partial(Quiet, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)  # any free port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()

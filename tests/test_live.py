"""The live figures in a real browser, against Keras and the library.

Playwright drives Debian's Chromium. Without a browser the tests are skipped, but under CI=true they
fail. Where the site is built, the figures are tested on its own pages as well.
"""

import base64
import io
import json
import re
import shutil

import keras
import numpy as np
import pytest
from helpers import ROOT, SHAPES, predict, random_images, randomise, tiny_vgg
from live import halve
from PIL import Image

from voc_seg import (
    build_encoder_decoder,
    build_patch_classifier,
    build_unet,
    build_vgg_transfer,
    load_segmenter,
    palette,
    predict_labels,
    read_image,
    set_classes,
    to_dense,
    write_image,
)
from voc_seg.data.images import letterbox
from voc_seg.prediction import resize_argmax

LIVE = ROOT / "docs/live"
SITE = ROOT / "site"
CLASSES = {"background": 0, "cat": 8, "dog": 12, "horse": 13, "person": 15}
# Each builds a model of one of the project's kinds.
MODELS = {
    "u-net": lambda: build_unet(5, filters=4, depth=3),
    "encoder-decoder": lambda: build_encoder_decoder(5, filters=4, depth=2),
    "patch classifier": lambda: build_patch_classifier(5, window=17, filters=4),
    "dense": lambda: to_dense(build_patch_classifier(5, window=9, filters=4)),
    "transfer": lambda: build_vgg_transfer(5, encoder=tiny_vgg(), blocks=(2, 3), filters=4),
    "transfer, all blocks": lambda: build_vgg_transfer(
        5, encoder=tiny_vgg(normalise=False), blocks=(1, 2, 3), filters=4
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small site: a page with the playground as docs/playground.md has it."""
    path = tmp_path_factory.mktemp("site")
    shutil.copytree(LIVE, path / "live")
    shutil.copytree(ROOT / "docs/photos", path / "photos")
    text = (ROOT / "docs/playground.md").read_text("utf-8")
    (figure,) = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    figure = re.sub(r"!\[(.*?)\]\((.*?)\)", r'<img alt="\1" src="\2">', figure)
    html = f'<!doctype html><link rel="icon" href="data:,"><meta charset="utf-8">{figure}'
    (path / "index.html").write_text(f'{html}<script src="live/live.js"></script>', "utf-8")
    return path


@pytest.fixture(params=["file", "http", "site from a file", "site over http"])
def playground(request, folder, served, open_page):
    """The playground's page, opened from a file and over http; the built site's, too."""
    page = "index.html"
    if request.param.startswith("site"):
        pages = ("playground.html", "playground/index.html")
        found = [path for path in pages if (SITE / path).is_file()]
        if not found:
            pytest.skip("the site is not built; `make docs` does it")
        folder, page = SITE, found[0]
    return open_page((served(folder) if "http" in request.param else folder.as_uri() + "/") + page)


def random_model(kind, seed):
    """A model with random weights, statistics of normalisation included."""
    keras.utils.set_random_seed(seed)
    model = randomise(MODELS[kind](), seed)
    set_classes(model, CLASSES, image_size=40)
    return model


def base64_of(data):
    return base64.b64encode(data).decode()


RUN = """async ([model, image, shape]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const { run, toDense } = live.engine();
  let network = await live.kerasFile().readKeras(bytes(model));
  if (network.layers.some(({ kind }) => kind === "Flatten") && shape[0] !== 17) {
    network = toDense(network);
  }
  const [y] = run(network, { shape, data: Float32Array.from(bytes(image)) });
  return [y.shape, [...y.data]];
}"""


def run_in_page(page, path, image):
    """The engine's answer: (H, W, C) float64."""
    model = base64_of(path.read_bytes())
    shape, numbers = page.evaluate(RUN, [model, base64_of(image.tobytes()), list(image.shape)])
    return np.reshape(numbers, shape)


@pytest.mark.parametrize("kind", MODELS)
def test_the_engine_gives_the_probabilities_of_keras(kind, open_page, folder, tmp_path):
    page = open_page((folder / "index.html").as_uri())
    path = tmp_path / "model.keras"
    for seed, shape in enumerate([(45, 61), (16, 8), (1, 23)]):
        random_model(kind, seed).save(path)
        if seed == 1:
            path.write_bytes(halve(load_segmenter(path)))
        image = random_images(*shape, seed=seed)
        expected = predict(load_segmenter(path), image[None].astype("float32"))[0]  # (H, W, C)
        assert np.ptp(expected, axis=(0, 1)).max() > 0.01  # it depends on the image
        found = run_in_page(page, path, image)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        first, second = np.sort(expected, axis=-1)[..., :-3:-1].transpose(2, 0, 1)
        sure = first - second > 2e-5
        assert sure.mean() > 0.9
        assert (found.argmax(-1) == expected.argmax(-1))[sure].all()


def test_the_engine_runs_a_vgg_model_saved_by_0_1_0(open_page, folder, tmp_path):
    # It turns the channels round with x[..., ::-1]; today it is keras.ops.flip.
    configuration = (ROOT / "tests/saved_by_0_1_0/vgg_transfer.json").read_text("utf-8")
    model = randomise(keras.saving.deserialize_keras_object(json.loads(configuration)), 0)
    model.save(tmp_path / "model.keras")
    page = open_page((folder / "index.html").as_uri())
    image = random_images(20, 27)
    found = run_in_page(page, tmp_path / "model.keras", image)
    expected = predict(model, image[None].astype("float32"))[0]
    assert np.ptp(expected, axis=(0, 1)).max() > 0.01
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_the_engine_runs_a_single_window(open_page, folder, tmp_path):
    page = open_page((folder / "index.html").as_uri())
    model = random_model("patch classifier", seed=3)
    model.save(tmp_path / "model.keras")
    window = random_images(17, 17)
    found = run_in_page(page, tmp_path / "model.keras", window)
    expected = predict(model, window[None].astype("float32"))
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-5)


def test_photographs_are_resized_and_labelled_as_in_the_library(open_page, folder):
    page = open_page((folder / "index.html").as_uri())
    script = """([height, width, pixels, size, square, channels]) => {
      const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const image = { height, width, data: bytes(pixels) };
      const { letterbox, argmax } = live.photo();
      const map = { shape: [size, size, channels], data: new Float32Array(bytes(square).buffer) };
      return [[...letterbox(image, size).data], [...argmax(map, image)]];
    }"""
    rng = np.random.default_rng(0)
    for height, width in [*SHAPES, (90, 60), (61, 83)]:
        for size in (20, 30, 41):
            image = random_images(height, width)
            rgba = np.dstack([image, np.full((height, width), 255, np.uint8)])
            square = rng.random((size, size, 4), np.float32)
            texts = base64_of(rgba.tobytes()), base64_of(square.tobytes())
            found, labels = page.evaluate(script, [height, width, texts[0], size, texts[1], 4])
            difference = np.reshape(found, (size, size, 3)) - letterbox(image, size).astype(float)
            assert abs(difference).max() <= 1, (height, width, size)  # OpenCV rounds differently
            expected = resize_argmax(square, (height, width))
            assert (np.reshape(labels, (height, width)) == expected).mean() > 0.999


def choose(page, model=None, photo=None):
    """Chooses files as a reader does, by the names of the buttons."""
    if model:
        page.get_by_label("Your model").set_input_files(model)
    if photo:
        page.get_by_label("Your photograph").set_input_files(photo)


def shares(page):
    """Waits for the answer: {class: pixels}, and the label map as the canvas shows it."""
    page.wait_for_selector("[data-result]", state="visible")
    rows = page.locator("tr[data-pixels]").all()
    pixels = {row.locator("th").inner_text(): int(row.get_attribute("data-pixels")) for row in rows}
    address = page.locator("canvas").first.evaluate("canvas => canvas.toDataURL()")
    picture = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    return pixels, np.array(picture.convert("RGB"))


def check_answer(page, path, photo):
    """Compares the page's answer with `predict_labels`."""
    page.get_by_text(f"{path.name} labelled {photo.name}").wait_for()
    pixels, picture = shares(page)
    (labels,) = predict_labels(load_segmenter(path), [read_image(photo)])
    colours = palette()[list(CLASSES.values())]
    same = (picture == colours[labels]).all(-1)
    assert same.mean() >= 0.999
    for c, name in enumerate(CLASSES):
        assert abs(pixels.get(name, 0) - (labels == c).sum()) <= (~same).sum(), name
    return pixels


def test_the_playground_labels_the_readers_photo_with_the_readers_model(playground, tmp_path):
    page, requests = playground, []
    page.wait_for_selector(".live-panel")
    page.on("request", lambda request: requests.append(request.url))
    photo = tmp_path / "cat.png"
    # As a PNG: browsers decode a JPEG a little differently, and random weights magnify it.
    write_image(photo, read_image(ROOT / "docs/photos/cat.jpg"))
    answers = []
    for kind, seed in [("u-net", 0), ("u-net", 1), ("patch classifier", 2)]:
        path = tmp_path / f"{kind} {seed}.keras"
        random_model(kind, seed).save(path)
        choose(page, path, None if answers else photo)
        answers.append(check_answer(page, path, photo))
    assert len({str(answer) for answer in answers}) == 3  # other weights, other answers
    write_image(tmp_path / "new.png", random_images(30, 41))
    choose(page, photo=tmp_path / "new.png")
    page.get_by_text("new.png, seen at 40 pixels").wait_for()
    check_answer(page, path, tmp_path / "new.png")
    assert all(url.startswith("blob:") for url in requests)  # the worker is the page's own text


def test_files_can_be_dropped_and_the_status_is_announced(folder, open_page, tmp_path):
    page = open_page((folder / "index.html").as_uri())
    path, photo = tmp_path / "best.keras", tmp_path / "photo.png"
    random_model("encoder-decoder", 4).save(path)
    write_image(photo, random_images(50, 40))
    script = """([model, photo]) => {
      const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes(model)], "best.keras"));
      dataTransfer.items.add(new File([bytes(photo)], "photo.png", { type: "image/png" }));
      const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
      document.querySelector("[data-live]").dispatchEvent(event);
    }"""
    page.evaluate(script, [base64_of(path.read_bytes()), base64_of(photo.read_bytes())])
    pixels = check_answer(page, path, photo)
    said = page.get_by_role("status").inner_text()
    assert max(pixels, key=pixels.get) in said and "photo.png" in said


def test_classes_whose_names_are_numbers_keep_their_order(playground, tmp_path):
    path, photo = tmp_path / "coins.keras", tmp_path / "coins.png"
    model = random_model("u-net", 0)
    set_classes(model, {"background": 0, "10": 3, "2": 2, "cent": 1, "5": 9}, 40)
    model.save(path)
    write_image(photo, random_images(30, 41))
    choose(playground, path, photo)
    pixels, _ = shares(playground)
    (labels,) = predict_labels(model, [read_image(photo)])
    names, counts = ["background", "10", "2", "cent", "5"], np.bincount(labels.ravel(), minlength=5)
    in_javascript = ["2", "5", "10", "background", "cent"]  # numbers first
    assert names[counts.argmax()] != in_javascript[counts.argmax()]
    for name, count in zip(names, counts, strict=True):
        assert abs(pixels.get(name, 0) - count) <= 0.001 * labels.size


def save_foreign_models(path):
    """Models that the page must refuse, since it would run them wrongly."""
    inputs, others = keras.Input((None, None, 3)), keras.Input((None, None, 3))
    window = keras.Input((5, 7, 3))
    models = {
        "other": keras.Model(inputs, keras.layers.LayerNormalization()(inputs)),
        "operation": keras.Model(inputs, keras.ops.add(inputs, inputs)),
        "flip": keras.Model(inputs, keras.ops.flip(inputs, axis=1)),
        "constant": keras.Model(inputs, 2.0 * inputs),
        "two": keras.Model([inputs, others], keras.layers.Add()([inputs, others])),
        "wide": keras.Model(window, keras.layers.Dense(2)(keras.layers.Flatten()(window))),
    }
    oblong = keras.Input((40, 30, 3))
    models["oblong"] = keras.Model(oblong, keras.layers.Conv2D(2, 1)(oblong))
    small = keras.layers.Conv2D(2, 1, dtype="bfloat16")
    models["bfloat16"] = keras.Model(inputs, small(inputs))
    for name, model in models.items():
        model.save(path / f"{name}.keras")


def test_a_bad_file_gets_one_sentence_that_says_what_is_wrong(folder, open_page, tmp_path):
    page = open_page((folder / "index.html").as_uri())
    write_image(tmp_path / "photo.png", random_images(20, 20))
    random_model("u-net", 0).save(tmp_path / "good.keras")
    good = (tmp_path / "good.keras").read_bytes()
    save_foreign_models(tmp_path)
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1  # in the weights
    directory = good.rfind(b"PK\x01\x02", 0, good.rfind(b"model.weights.h5"))
    bomb = bytearray(good)
    bomb[directory + 24 : directory + 28] = b"\xff\xff\xff\x7f"  # its size when unpacked
    bad = {
        "cut.keras": (good[: len(good) // 2], "not a .keras file, or is cut off"),
        "empty.keras": (b"", "not a .keras file, or is cut off"),
        "flipped.keras": (bytes(flipped), "model.weights.h5 is damaged"),
        "bomb.keras": (bytes(bomb), "more than a gigabyte"),
    }
    foreign = {
        "other.keras": "LayerNormalization",
        "operation.keras": "cannot run its layers keras.src.ops.numpy.Add",
        "flip.keras": "another axis",
        "constant.keras": "multiply reads something that is not a tensor",
        "oblong.keras": "takes images of 40 x 30 pixels only",
        "two.keras": "has 2 inputs",
        "wide.keras": "windows of 5 x 7; expected a square",
        "bfloat16.keras": "weights that are not floats of 16, 32 or 64 bits",
    }
    bad |= {name: ((tmp_path / name).read_bytes(), reason) for name, reason in foreign.items()}
    choose(page, tmp_path / "good.keras", tmp_path / "photo.png")
    shares(page)
    for name, (data, reason) in bad.items():
        (tmp_path / name).write_bytes(data)
        choose(page, tmp_path / name)
        page.get_by_text(f"{name}: ").wait_for()
        said = page.get_by_role("status").inner_text()
        assert reason in said and said.endswith(".") and "\n" not in said
        assert not page.locator("[data-result]").is_visible()  # not the last model's answer
    (tmp_path / "broken.png").write_bytes((tmp_path / "photo.png").read_bytes()[:40])
    choose(page, photo=tmp_path / "broken.png")
    page.get_by_text("broken.png: is not an image").wait_for()
    page.evaluate("""() => {
      const dataTransfer = new DataTransfer();
      for (const name of ["a.png", "b.png"]) {
        dataTransfer.items.add(new File([], name, { type: "image/png" }));
      }
      document.querySelector("[data-live]").dispatchEvent(new DragEvent("drop", { dataTransfer }));
    }""")
    page.get_by_text("Found 2 photographs and 0 other files; expected one model").wait_for()
    choose(page, tmp_path / "good.keras", tmp_path / "photo.png")  # and the page still works
    check_answer(page, tmp_path / "good.keras", tmp_path / "photo.png")


def test_a_model_of_a_fixed_size_sees_images_of_that_size(folder, open_page, tmp_path):
    keras.utils.set_random_seed(5)
    inputs = keras.Input((24, 24, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 5, padding="same")(inputs))
    model.save(tmp_path / "fixed.keras")
    photo = random_images(60, 45)
    write_image(tmp_path / "photo.png", photo)
    page = open_page((folder / "index.html").as_uri())
    choose(page, tmp_path / "fixed.keras", tmp_path / "photo.png")
    page.get_by_text("photo.png, seen at 24 pixels").wait_for()
    (labels,) = predict_labels(model, [photo], 24)
    _, picture = shares(page)
    assert (picture == palette()[labels]).all(-1).mean() >= 0.999


def test_a_photo_that_leaves_the_canvas_empty_is_too_large(folder, open_page, tmp_path):
    page = open_page((folder / "index.html").as_uri())
    write_image(tmp_path / "photo.png", random_images(20, 30))
    # As Safari does it, above 16 megapixels: no error, but nothing is drawn.
    page.evaluate("""() => {
      CanvasRenderingContext2D.prototype.getImageData = (x, y, w, h) => new ImageData(w, h);
    }""")
    choose(page, photo=tmp_path / "photo.png")
    page.get_by_text("photo.png: has 30 x 20 pixels, more than this browser can draw.").wait_for()


def test_the_inputs_name_the_files_after_a_drop_and_a_cancelled_dialog(folder, open_page, tmp_path):
    page = open_page((folder / "index.html").as_uri())
    random_model("u-net", 0).save(tmp_path / "best.keras")
    choose(page, tmp_path / "best.keras")
    page.get_by_text("Now choose a photograph").wait_for()
    files = """() => [...document.querySelectorAll("input[type=file]")].map(
      (input) => [...input.files].map((file) => file.name))"""
    assert page.evaluate(files) == [["best.keras"], []]
    page.evaluate("""() => {
      const input = document.querySelector("[data-choose=model]");
      input.value = ""; // what opening the dialog does
      input.dispatchEvent(new Event("cancel"));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["?"], "dropped.png", { type: "image/png" }));
      document.querySelector("[data-live]").dispatchEvent(new DragEvent("drop", { dataTransfer }));
    }""")
    page.get_by_text("dropped.png: is not an image").wait_for()
    assert page.evaluate(files) == [["best.keras"], ["dropped.png"]]


def test_the_playground_works_by_keyboard_and_offers_its_own_photograph(folder, served, open_page):
    page = open_page(served(folder))
    page.wait_for_selector(".live-panel")
    focused = []
    for _ in range(3):
        page.keyboard.press("Tab")
        style = "[getComputedStyle(document.activeElement).outlineWidth, document.activeElement"
        focused.append(page.evaluate(f"{style}.closest('label, button').innerText]"))
    assert [name for _, name in focused] == [
        "1. Your model",
        "2. Your photograph",
        "Use the photograph below",
    ]
    assert all(width == "3px" for width, _ in focused)  # the focus can be seen
    page.keyboard.press("Enter")
    page.get_by_text("Now choose a model").wait_for()


def test_without_javascript_picture_and_caption_remain(folder, open_page):
    page = open_page((folder / "index.html").as_uri(), java_script_enabled=False)
    assert page.get_by_role("img").is_visible()
    assert page.get_by_text("Without JavaScript").is_visible()


def test_every_figure_is_in_the_list_for_contributors():
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "tutorials").glob("0*.py")]
    used = {name for p in pages for name in re.findall(r'live="(\w+)"', p.read_text("utf-8"))}
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    listed = re.findall(r"^- `(\w+)`(?: \(chapter \d\))?: ", contributing, re.MULTILINE)
    assert {"playground", "window"} <= used <= set(listed)

"""The live figures of the chapters in a real browser, against Keras, NumPy and scikit-learn.

Each test runs twice: with networks of random weights on a page of its own, which a figure with
prepared answers would fail, and on the page of the built site, with the file that the site ships.
"""

import base64
import io
import itertools
import shutil

import cv2
import keras
import numpy as np
import pytest
from helpers import ROOT, predict, random_images, randomise, tiny_vgg
from live import decode, read, write
from PIL import Image
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from voc_seg import (
    VOC_CLASSES,
    build_encoder_decoder,
    build_patch_classifier,
    build_unet,
    palette,
    sliding_window,
    write_mask,
)

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
        file = folder / "live/chapters" / f"{chapter}.js"  # some figures need nothing
        written = read(file) if file.is_file() else {}
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


def labels_of(page, title, things):
    """The class of each pixel of a label map, by its colour: (H, W) int."""
    found = (pixels_of(page, title)[..., None, :] == palette()[things["values"]]).all(-1)
    assert found.any(-1).all()
    return found.argmax(-1)


def assert_same_labels(labels, probabilities):
    """Compares labels with probabilities (H, W, C), but for pixels that are nearly a tie."""
    second, first = np.sort(probabilities)[..., -2:].transpose(2, 0, 1)
    sure = first - second > 2e-5
    assert (labels == probabilities.argmax(-1))[sure].all()
    assert sure.mean() > 0.9


def answers_of(page, title):
    """The unrounded probabilities of a map, one after the other."""
    canvas = page.locator("figure figure", has_text=title).locator("canvas")
    return canvas.evaluate("canvas => [...canvas.answers]")


def test_paint_moves_the_pinned_pixel_only_inside_its_receptive_field(open_figure):
    keras.utils.set_random_seed(2)
    things = {
        "model": randomise(build_patch_classifier(5, window=9, filters=4), 2),
        "window": 9,
        "image": random_images(24, 28, seed=3),
        "pin": (11, 12),
        "names": NAMES,
        "values": VALUES,
    }
    page, things = open_figure("field", "03_one_pass", things)
    image, (row, column) = things["image"].copy(), things["pin"]
    shape, radius = image.shape[:2], things["window"] // 2
    side = 1 if column < shape[1] / 2 else -1

    def expected():
        return sliding_window(things["model"], image, progress=False)

    before = bars_of(page)
    np.testing.assert_allclose(before, expected()[row, column], rtol=0, atol=1e-5)
    # The brush paints 3 x 3 pixels: beside the receptive field, then over its last column.
    for distance, inside in ((radius + 2, 0), (radius + 1, 3)):
        middle = column + side * distance
        point(page, "Paint over it", row, middle, shape)
        image[row - 1 : row + 2, middle - 1 : middle + 2] = 213, 94, 0
        assert (pixels_of(page, "Paint over it") == image).all()
        assert f"{9 + inside} pixels are painted, {inside} of them" in said(page)
        if inside:
            assert bars_of(page) != before
            np.testing.assert_allclose(bars_of(page), expected()[row, column], rtol=0, atol=1e-5)
        else:
            assert bars_of(page) == before  # to the last digit
            assert "exactly 0" in said(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    image[row + 2, middle - 1 : middle + 2] = 213, 94, 0
    page.mouse.down()  # and drag along the upper border
    point(page, "Paint over it", 0, 0, shape, press=False)
    page.mouse.up()
    image[:2, :2] = 213, 94, 0
    assert (pixels_of(page, "Paint over it") == image).all()
    np.testing.assert_allclose(bars_of(page), expected()[row, column], rtol=0, atol=1e-5)

    assert not np.any(answers_of(page, "Window by window"))  # it waits for the race
    page.get_by_role("button", name="Start the race").click()
    page.get_by_text(f"{image.shape[0] * image.shape[1]} windows took").wait_for()
    for title in ("One pass", "Window by window"):
        answers = np.reshape(answers_of(page, title), expected().shape)
        np.testing.assert_allclose(answers, expected(), rtol=0, atol=1e-5)
        assert_same_labels(labels_of(page, title, things), expected())
    page.get_by_role("button", name="Wipe off the paint").click()
    assert bars_of(page) == before
    assert (pixels_of(page, "Paint over it") == things["image"]).all()
    assert "painted" not in said(page)
    assert not page.requests


def cut(model, scales):
    """A copy of a U-Net whose decoder ignores what the skip connections at some scales bring."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for scale in scales:
        (kernel,) = copy.get_layer(f"decoder{scale}_conv1").get_weights()
        kernel[:, :, : kernel.shape[2] // 2] = 0  # the first half of the channels that it reads
        copy.get_layer(f"decoder{scale}_conv1").set_weights([kernel])
    return copy


def test_skip_connections_are_cut_as_in_the_chapter(open_figure):
    keras.utils.set_random_seed(3)
    masks = np.random.default_rng(1).integers(0, 5, (2, 20, 28), np.uint8)
    masks[:, 7] = 255
    things = {
        "unet": randomise(build_unet(5, filters=4, depth=3), 3),
        "encoderDecoder": randomise(build_encoder_decoder(5, filters=4, depth=3), 4),
        "images": np.stack([random_images(20, 28, seed=s) for s in range(2)]),
        "masks": masks,
        "names": NAMES,
        "values": VALUES,
    }
    page, things = open_figure("skips", "05_unet", things)

    def check_panel(name, model, i):
        image, mask = things["images"][i], things["masks"][i]
        labels = labels_of(page, f"{name}:", things)
        assert_same_labels(labels, predict(model, image[None].astype("float32"))[0])
        right = (labels == mask).sum()
        assert f"{name}: {right} right" in page.locator("figure figcaption").all_inner_texts()
        assert f"{right} of {(mask != 255).sum()} pixels" in said(page)
        wrong = (labels != mask) & (mask != 255)
        errors = pixels_of(page, f"Errors: {name}")
        assert (errors[wrong] == palette()[things["values"]][labels[wrong]]).all()
        assert (np.ptp(errors[~wrong], axis=-1) == 0).all()  # grey

    boxes = page.locator("[data-live=skips] input[type=checkbox]")
    assert boxes.count() == 3 and all(box.is_checked() for box in boxes.all())
    for keep in itertools.product([True, False], repeat=3):
        for box, wanted in zip(boxes.all(), keep, strict=True):
            if box.is_checked() != wanted:
                box.press(" ")
        check_panel("U-Net", cut(things["unet"], [i + 1 for i in range(3) if not keep[i]]), 0)
    assert "without skip 1 and 2 and 3" in said(page)
    check_panel("Encoder-decoder", things["encoderDecoder"], 0)
    page.get_by_role("radio", name="2").click()
    boxes.nth(1).click()
    check_panel("U-Net", cut(things["unet"], [1, 3]), 1)
    check_panel("Encoder-decoder", things["encoderDecoder"], 1)
    assert not page.requests


def test_a_resized_mask_has_the_classes_that_opencv_invents(open_figure, tmp_path):
    blocks = np.random.default_rng(5).choice(np.uint8([0, 3, 7, 12, 255]), (10, 10))
    things = {
        "mask": np.kron(blocks, np.ones((6, 6), np.uint8)),
        "corner": [5, 7],
        "names": list(VOC_CLASSES),
    }
    page, things = open_figure("resize", "01_pixels_and_masks", things)
    mask, (top, left), side = things["mask"], things["corner"], len(things["mask"])
    counted, pointed = page.locator(".live-status").all()
    if "tutorials" in page.url:  # Pillow reads the file that the chapter read
        file = Image.open(ROOT / "docs/photos/horse_mask.png")
        file = file.crop((left, top, left + side, top + side))
    else:
        write_mask(tmp_path / "mask.png", mask)
        file = Image.open(tmp_path / "mask.png")
    indices, colours = np.array(file), np.array(file.convert("RGB"))
    called = dict(enumerate(VOC_CLASSES)) | {255: "void"}
    assert (pixels_of(page, "The mask in the file") == colours).all()
    for index in np.unique(indices):
        row, column = np.argwhere(indices == index)[7]
        point(page, "The mask in the file", row, column, mask.shape, press=False)
        text = pointed.inner_text()
        assert f"Row {top + row}, column {left + column}: " in text
        assert f"the index is {index}, {called[index]}." in text
        assert f"({', '.join(map(str, colours[row, column]))})" in text

    careless = np.where(indices == 255, 0, indices).astype(np.uint8)
    kinds = {"bilinear": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST_EXACT}
    slider = page.get_by_label("New size")
    for name, kind in kinds.items():
        page.get_by_label(name).click()
        slider.fill(str(side // 5))
        for _ in range(10):
            size = int(slider.input_value())
            wanted = cv2.resize(careless, (size, size), interpolation=kind)
            invented = ~np.isin(wanted, careless)
            found = pixels_of(page, "Resized")
            assert ((found == [255, 60, 0]).all(-1) == invented).all()
            sure = ~invented
            if name == "nearest":  # leave out centres on the border of two pixels, as near to both
                inside = (np.arange(size) + 0.5) * side / size % 1 > 1e-6
                sure &= inside[:, None] & inside
            assert (found[sure] == palette()[wanted[sure]]).all() and sure.mean() > 0.7
            names = [VOC_CLASSES[index] for index in np.unique(wanted[invented])]
            if names:
                start = f"{invented.sum()} red pixels, of {len(names)} classes "
                assert counted.inner_text().startswith(start)
                assert counted.inner_text().endswith(f": {', '.join(names)}.")
            else:
                assert counted.inner_text().startswith("No new class")
            for row, column in np.argwhere(invented)[:1]:
                point(page, "Resized", row, column, wanted.shape, press=False)
                text = f"the index is {wanted[row, column]}, {called[wanted[row, column]]}."
                assert text in pointed.inner_text()
            for _ in range(5):
                slider.press("ArrowRight")
        assert size > side and (name == "bilinear") == invented.any()
    assert not page.requests


def stamps_of_keras(image, kernel, stride):
    """What a transposed convolution with a kernel of ones makes of an image (H, W)."""
    layer = keras.layers.Conv2DTranspose(
        1, kernel, strides=stride, use_bias=False, kernel_initializer="ones"
    )
    return keras.ops.convert_to_numpy(layer(np.float32(image)[None, ..., None]))[0, ..., 0]


def test_stamps_are_counted_as_keras_adds_them(open_figure):
    page, _ = open_figure("stamps", "04_encoder_decoder", {})
    input_canvas = page.locator("[data-live=stamps] canvas")
    verdict, stamped = page.locator(".live-status").all()
    frame = page.locator(".live-counts .live-line")

    def frame_of(names):
        return [float(frame.get_attribute(name)) for name in names]

    assert verdict.inner_text().startswith("Kernel 3, stride 2: uneven.")
    for kernel, stride in itertools.product(range(1, 7), range(1, 5)):
        page.get_by_label("kernel").fill(str(kernel))
        page.get_by_label("stride").fill(str(stride))
        inputs = int(input_canvas.get_attribute("height"))
        texts = page.locator(".live-counts text").all_text_contents()
        side = int(len(texts) ** 0.5)
        wanted = stamps_of_keras(np.ones((inputs, inputs)), kernel, stride)
        assert (np.reshape(texts, (side, side)).astype(float) == wanted).all()
        # The inside of a map so large that its middle knows nothing of the border.
        middle = np.s_[6 * stride : 7 * stride, 6 * stride : 7 * stride]
        inside = stamps_of_keras(np.ones((13, 13)), kernel, stride)[middle]
        kind = "even" if inside.min() == inside.max() else "uneven"
        assert verdict.inner_text().startswith(f"Kernel {kernel}, stride {stride}: {kind}.")
        least = f"from {inside.min():g} to " if kind == "uneven" else "gets "
        assert f"{least}{inside.max():g} stamp" in verdict.inner_text()

        row, column = inputs - 2, 1
        point(page, "The input", row, column, (inputs, inputs))
        page.keyboard.press("ArrowRight")
        dot = np.zeros((inputs, inputs))
        dot[row, column + 1] = 1
        rows, columns = np.nonzero(stamps_of_keras(dot, kernel, stride))
        assert frame_of("yx") == [rows.min(), columns.min()]
        assert frame_of(["height", "width"]) == [np.ptp(rows) + 1, np.ptp(columns) + 1]
        ends = [(line.min(), line.max()) for line in (rows, columns)]
        if kernel > 1:
            text = "stamps rows {} to {} and columns {} to {} of".format(*ends[0], *ends[1])
        else:
            text = f"stamps row {ends[0][0]} and column {ends[1][0]} of"
        assert text in stamped.inner_text()
    assert not page.requests


def test_a_painted_answer_is_scored_as_by_scikit_learn(open_figure):
    blocks = np.random.default_rng(6).choice(np.uint8([0, 0, 1, 255]), (2, 6, 6))
    things = {
        "masks": np.kron(blocks, np.ones((1, 4, 4), np.uint8)),
        "names": ["first", "second"],
    }
    page, things = open_figure("judge", "08_judge_and_use", things)
    height, width = shape = things["masks"].shape[1:]
    # What the mask and the answer say in a pixel of each colour of the chapter; 255 is void.
    meaning = {
        (0, 114, 178): (1, 1),
        (213, 94, 0): (0, 1),
        (230, 159, 0): (1, 0),
        (255, 255, 255): (0, 0),
        (204, 204, 204): (255, 0),
        (150, 150, 150): (255, 1),
    }

    def check(mask, answer):
        shown = [meaning[tuple(c)] for c in pixels_of(page, "Your answer").reshape(-1, 3).tolist()]
        truth, painted = np.reshape(shown, (*shape, 2)).transpose(2, 0, 1)
        assert (truth == mask).all() and (painted == answer).all()
        truth, painted = mask[mask != 255], answer[mask != 255]
        wanted = [
            metrics.jaccard_score(truth, painted, zero_division=0),
            metrics.f1_score(truth, painted, zero_division=0),
            metrics.accuracy_score(truth, painted),
        ]
        np.testing.assert_allclose(bars_of(page), wanted, rtol=0, atol=1e-12)
        assert f"= {wanted[0]:.3f}, Dice {wanted[1]:.3f}, accuracy {wanted[2]:.3f}" in said(page)
        (tn, fp), (fn, tp) = metrics.confusion_matrix(truth, painted)
        counts = page.locator(".live-legend li").all_inner_texts()
        assert counts[:2] == [f"TP, found: {tp}", f"FP, too much: {fp}"]
        assert counts[2:4] == [f"FN, missed: {fn}", f"TN, rightly left out: {tn}"]
        assert f"IoU = {tp} / ({tp} + {fp} + {fn})" in said(page)

    def presets(mask):
        inside = (mask == 1).astype(np.uint8)
        return {
            "Shifted": np.pad(inside, ((2, 0), (2, 0)))[:height, :width],
            "Too wide": cv2.dilate(inside, np.ones((5, 5))),
            "Empty": np.zeros_like(inside),
            "Full": np.ones_like(inside),
        }

    check(things["masks"][0], presets(things["masks"][0])["Shifted"])
    for name, answer in presets(things["masks"][0]).items():
        page.get_by_role("button", name=name).click()
        check(things["masks"][0], answer)
    for name, mask in zip(things["names"], things["masks"], strict=True):
        page.get_by_label(name).click()
        check(mask, np.ones(shape))  # the same answer over another mask
    mask, answer = things["masks"][-1], np.ones(shape, np.uint8)

    def drag(row, column, to_row, to_column):
        point(page, "Your answer", row, column, shape, press=False)
        page.mouse.down()
        point(page, "Your answer", to_row, to_column, shape, press=False)
        page.mouse.up()

    page.get_by_label("erases").click()
    drag(9, 4, 9, 15)  # the mouse jumps; the line has no gaps
    answer[8:11, 3:17] = 0
    check(mask, answer)
    drag(0, 3, 20, 3)
    answer[:22, 2:5] = 0
    check(mask, answer)
    page.get_by_label("paints").click()
    drag(9, 10, 9, 10)
    answer[8:11, 9:12] = 1
    check(mask, answer)
    for key in "ArrowUp", "ArrowLeft", "ArrowLeft", "Enter":
        page.locator(".live-pointable").press(key)
    answer[7:10, 7:10] = 1
    check(mask, answer)
    page.locator(".live-pointable").press("ArrowRight")
    assert said(page).startswith("Row 8, column 9: ")
    page.locator(".live-pointable").press("Control+ArrowRight")  # the browser's
    assert said(page).startswith("Row 8, column 9: ")
    page.get_by_label("erases").click()
    point(page, "Your answer", 8, 8, shape, press=False)
    page.mouse.down(button="right")  # opens a menu, and doesn't paint
    point(page, "Your answer", 8, 14, shape, press=False)
    page.mouse.up(button="right")
    page.keyboard.press("Escape")
    page.mouse.move(0, 0)
    page.mouse.down()  # a drag that begins elsewhere doesn't paint
    point(page, "Your answer", 8, 8, shape, press=False)
    point(page, "Your answer", 8, 14, shape, press=False)
    page.mouse.up()
    check(mask, answer)
    page.get_by_label(things["names"][0]).click()
    check(things["masks"][0], np.ones(shape))
    assert not page.requests


def run_in_page(page, chapter, model, image):
    """What the page's own engine makes of an image: the map of one of the chapter's networks."""
    shape, values = page.evaluate(
        """async ([chapter, model, image]) => {
            const kit = live.kit();
            const things = live.chapters[chapter];
            const network = await kit.readModel(things[model]);
            const input = kit.toMap(kit.item(kit.array(things.images), image));
            const [{ shape, data }] = live.engine().run(network, input);
            return [shape, [...data]];
        }""",
        [chapter, model, image],
    )
    return np.reshape(values, shape)


def test_a_threshold_has_the_scores_of_scikit_learn(open_figure):
    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    masks = (rng.random((3, 16, 16)) < [[[0.02]], [[0.2]], [[0.5]]]).astype(np.uint8)
    masks[:, 3, :9] = 255
    things = {
        "model": randomise(build_unet(3, filters=4, depth=2), 7),
        "target": 2,
        "name": "square",
        "images": random_images(3, 16, 16, seed=7),
        "masks": masks,
    }
    page, things = open_figure("threshold", "07_two_or_twenty_one", things)
    slider = page.get_by_role("slider", name="threshold")
    maps = predict(things["model"], things["images"].astype("float32"))  # (3, H, W, C)

    def check(i, p, threshold):
        truth, found = things["masks"][i], p > threshold
        valid = truth != 255
        y, called = truth[valid], found[valid].astype(int)
        wanted = [
            metrics.precision_score(y, called, zero_division=np.nan),
            metrics.recall_score(y, called),
            metrics.jaccard_score(y, called),
            metrics.accuracy_score(y, called),
        ]
        np.testing.assert_allclose(bars_of(page), wanted, rtol=0, atol=1e-12)
        (_, alarms), (missed, hits) = metrics.confusion_matrix(y, called)
        assert f"{hits} of {hits + missed} {things['name']} pixels" in said(page)
        assert f"with {alarms} false alarms" in said(page)
        colours = np.array([[255, 255, 255], [213, 94, 0], [230, 159, 0], [0, 114, 178]])
        drawn = np.where(valid[..., None], colours[np.where(valid, 2 * truth + found, 0)], 204)
        assert (pixels_of(page, "Right and wrong") == drawn).all()
        cut_out = pixels_of(page, "What is cut out")
        assert (cut_out == things["images"][i])[found].all()
        assert np.isin(cut_out[~found], (170, 255)).all()
        dot = page.locator(".live-dot")
        assert dot.is_visible() == called.any()
        if called.any():
            place = [float(dot.get_attribute(name)) for name in ("cx", "cy")]
            np.testing.assert_allclose(place, [100 * wanted[1], 100 - 100 * wanted[0]], atol=1e-9)
        return wanted

    for i, truth in enumerate(things["masks"]):
        page.locator("figure").get_by_role("radio").nth(i).click()
        p = run_in_page(page, "07_two_or_twenty_one", "model", i)
        np.testing.assert_allclose(p, maps[i], rtol=0, atol=1e-5)
        p = p[..., things["target"]]
        for threshold in (0.05, 0.3, 0.73, 0.91, 0.5):
            slider.fill(str(threshold))
            check(i, p, threshold)
        # All the curve. scikit-learn begins with the lowest threshold, and ends with (0, 1).
        curve = metrics.precision_recall_curve(truth[truth != 255], p[truth != 255])
        precision, recall = (values[-2::-1] for values in curve[:2])
        drawn = page.locator(".live-curve").get_attribute("points").replace(",", " ").split()
        drawn = np.reshape(drawn, (-1, 2)).astype(float)
        assert drawn[-1, 0] == 100  # with the lowest threshold everything is found
        last = len(drawn)  # scikit-learn stops at the first that finds everything
        np.testing.assert_allclose(drawn, 100 * np.stack([recall, 1 - precision], 1)[:last])
        page.get_by_role("button", name="Say background everywhere").click()
        assert check(i, p, 1)[1:] == [0, 0, np.mean(truth[truth != 255] == 0)]
    slider.fill("0.5")
    slider.press("ArrowRight")
    check(i, p, 0.51)
    assert slider.get_attribute("aria-valuetext") == "0.51"
    assert not page.requests


def test_clicks_teach_what_scikit_learn_learns_from_them(open_figure):
    def features(seed):
        keras.utils.set_random_seed(seed)
        encoder = tiny_vgg((4, 5))
        pools = [encoder.get_layer(f"block{i}_pool").input for i in (1, 2)]
        photos = keras.Input((None, None, 3))
        x = keras.layers.Rescaling(1 / 128, -1)(photos[..., ::-1])
        fine, coarse = keras.Model(encoder.inputs, pools)(x)
        maps = [fine, keras.layers.UpSampling2D(2)(coarse)]
        return randomise(keras.Model(photos, keras.layers.Concatenate()(maps)), seed)

    rng = np.random.default_rng(8)
    masks = np.kron(rng.integers(0, 5, (4, 6, 6)), np.ones((1, 4, 4))).astype(np.uint8)
    masks[:, 7] = 255
    pixels = [rng.permutation(np.argwhere(masks[0] == c))[:5] for c in range(5)]
    things = {
        "random": features(8),
        "pretrained": features(9),
        "images": random_images(4, 24, 24, seed=8),
        "masks": masks,
        "names": NAMES,
        "values": VALUES,
        "rounds": np.stack(pixels, axis=1).tolist(),
    }
    page, things = open_figure("clicks", "06_transfer", things)
    images, masks = things["images"], things["masks"]
    shape = masks.shape[1:]
    kinds = {"colour": images.astype("float32")}
    for name in ("random", "pretrained"):
        kinds[f"{name} encoder"] = predict(things[name], images.astype("float32"))
        for i in range(4):
            own, wanted = run_in_page(page, "06_transfer", name, i), kinds[f"{name} encoder"][i]
            # Features aren't between 0 and 1: float32 rounds in proportion to the largest.
            np.testing.assert_allclose(own, wanted, rtol=0, atol=1e-5 * max(1, wanted.max()))

    def shown(name):
        page.get_by_label(name).click()
        titles = ["Labels of this image", *(f"Labels of image {i}" for i in (1, 2, 3))]
        return np.stack([labels_of(page, title, things) for title in titles])

    def check(clicks):
        """Compares with scikit-learn after clicks on these pixels (row, column)."""
        where = tuple(np.transpose(sorted(set(map(tuple, clicks)))))
        here, there = [], []
        for name, maps in kinds.items():
            maps = maps.astype("float64")
            scaler = StandardScaler().fit(maps[0].reshape(-1, maps.shape[-1]))
            x = scaler.transform(maps.reshape(-1, maps.shape[-1])).reshape(maps.shape)
            x = np.concatenate([x, np.ones((*x.shape[:-1], 1))], -1)  # the bias is a weight, too
            learner = LogisticRegression(C=1, tol=1e-8, max_iter=10_000, fit_intercept=False)
            learner.fit(x[0][where], masks[0][where])
            labels = shown(name)
            wanted = learner.predict(x.reshape(-1, x.shape[-1])).reshape(labels.shape)
            assert (labels == wanted).mean() >= 0.999, name
            for part, scores in ((slice(0, 1), here), (slice(1, 4), there)):
                valid = masks[part] != 255
                y, answers = masks[part][valid], labels[part][valid]
                scores.append(metrics.jaccard_score(y, answers, average="macro"))
        np.testing.assert_allclose(bars_of(page), here + there, rtol=0, atol=1e-12)
        assert f"{len(where[0])} pixels are clicked" in said(page)

    clicks = [pixel for three in things["rounds"][:3] for pixel in three]
    check(clicks)
    page.get_by_role("button", name="One more pixel of each class").click()
    clicks += things["rounds"][3]
    check(clicks)
    row, column = np.argwhere(masks[0] == 1)[-1]
    point(page, "Click here", row, column, shape)
    assert f"Row {row}, column {column} is {things['names'][1]}." in said(page)
    clicks.append((row, column))
    check(clicks)
    page.locator(".live-pointable").press("ArrowLeft")
    page.locator(".live-pointable").press("Enter")
    if masks[0, row, column - 1] != 255:
        clicks.append((row, column - 1))
    check(clicks)
    row, column = np.argwhere(masks[0] == 255)[0]
    point(page, "Click here", row, column, shape)
    assert "void" in said(page)
    check(clicks)  # nothing was added
    painted = pixels_of(page, "Click here")
    for row, column in clicks:
        assert (painted[row, column] == palette()[things["values"]][masks[0, row, column]]).all()
    page.get_by_role("button", name="Remove all").click()
    assert np.isnan(bars_of(page)).all() and "0 pixels are clicked." in said(page)
    assert (pixels_of(page, "Click here") == images[0]).all()
    point(page, "Click here", row, column, shape)  # one class is the answer to everything
    assert (shown("pretrained encoder") == masks[0, row, column]).all()
    for _ in range(2):  # a key that was pressed before is up again
        page.get_by_role("button", name="Remove all").click()
        page.locator(".live-pointable").press("Enter")
        assert not np.isnan(bars_of(page)).any()
    assert not page.requests

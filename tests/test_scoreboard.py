"""The scoreboard of the chapters: errors and multiplications counted one by one, and the table."""

import re

import numpy as np
import pytest
from check import load
from helpers import tiny_vgg
from test_tutorials import CHAPTERS, TUTORIALS

import voc_seg
from voc_seg.scoreboard import add_row, format_rows, multiplications


@pytest.fixture
def folder(shapes):
    return voc_seg.open_folder(shapes)


@pytest.fixture
def unet():
    return voc_seg.build_unet(5, filters=2, depth=1)


def test_wrong_pixels_are_counted_one_by_one(folder, unet, tmp_path):
    ids = folder.ids("val")
    row = add_row("5 U-Net", unet, folder, ids, 32, tmp_path)["5 U-Net"]
    where = what = 0
    for id in ids:
        image, mask = folder.pair(id)
        (labels,) = voc_seg.predict_labels(unet, [image])
        for truth, label in zip(mask.flat, labels.flat, strict=True):
            if truth != 255 and truth != label:
                where += truth == 0 or label == 0
                what += truth > 0 and label > 0
    assert (row["where"], row["what"]) == (where, what)
    result = voc_seg.evaluate(unet, folder, ids)
    assert row["iou"] == result["iou"] and row["mean_iou"] == result["mean_iou"]
    assert row["seconds"] > 0


def test_a_row_with_other_classes_starts_a_new_board(shapes, tmp_path):
    for classes in (["disc", "square"], ["star", "ring"]):
        folder = voc_seg.open_folder(shapes, classes=classes)
        model = voc_seg.build_unet(3, filters=2, depth=1)
        rows = add_row(f"5 {classes[0]}", model, folder, folder.ids("val"), 32, tmp_path)
        assert [row["classes"][1:] for row in rows.values()] == [classes]
        assert classes[1] in format_rows(rows)


def test_the_multiplications_of_a_unet_are_those_on_paper(unet):
    # 6 x 6 pixels, two filters, then four on 3 x 3 positions, and up again.
    down = 36 * (9 * 3 * 2 + 9 * 2 * 2) + 9 * (9 * 2 * 4 + 9 * 4 * 4)
    up = 9 * (4 * 4 * 2) + 36 * (9 * 4 * 2 + 9 * 2 * 2) + 36 * 2 * 5
    assert multiplications(unet, (6, 6, 3)) == down + up
    # 5 x 5 pixels are padded to 6 x 6, and the padding costs as much as pixels do.
    assert multiplications(unet, (5, 5, 3)) == down + up


def test_the_encoder_of_transfer_is_counted_too():
    encoder = tiny_vgg((2, 3, 4), convolutions=1)
    model = voc_seg.build_vgg_transfer(5, encoder=encoder, blocks=(1, 2), filters=2)
    inside = 64 * 9 * 3 * 2 + 16 * 9 * 2 * 3  # 8 x 8 and 4 x 4; block 3 is not used
    project = 64 * 2 * 2 + 16 * 3 * 4 + 3 * 4  # the last: the mean over the image, once
    decode = 16 * 9 * 4 * 4 + 64 * 9 * (4 + 2) * 2 + 64 * 2 * 5
    assert multiplications(model, (8, 8, 3)) == inside + project + decode


def test_a_patch_classifier_slides_its_window_over_every_pixel(folder, tmp_path):
    count = load(TUTORIALS / "solutions" / "count_multiplications.py").count_multiplications
    model = voc_seg.build_patch_classifier(5, window=9, filters=4)
    rows = add_row("2 sliding window", model, folder, folder.ids("val")[:1], 32, tmp_path)
    once = count(9, 3, [(3, 1, 4), (3, 2, 4)], [model.get_layer("hidden").units, 5])
    assert rows["2 sliding window"]["multiplications"] == 32**2 * once


def test_a_row_is_replaced_and_later_chapters_are_left_out(folder, unet, tmp_path):
    ids = folder.ids("val")
    add_row("5 U-Net", unet, folder, ids, 32, tmp_path)
    early = add_row("4 encoder-decoder", unet, folder, ids, 32, tmp_path)
    assert list(early) == ["4 encoder-decoder"]
    unet.set_weights([np.zeros_like(w) for w in unet.get_weights()])  # now it is all background
    both = add_row("5 U-Net", unet, folder, ids, 32, tmp_path)
    assert list(both) == ["4 encoder-decoder", "5 U-Net"]
    assert both["5 U-Net"]["what"] == 0 and both["5 U-Net"]["iou"][1] == 0


def test_other_images_or_classes_have_a_board_of_their_own(shapes, folder, unet, tmp_path):
    ids = folder.ids("val")
    add_row("4 a", unet, folder, ids[:2], 32, tmp_path)
    assert list(add_row("5 b", unet, folder, ids[:3], 32, tmp_path)) == ["5 b"]
    objects = voc_seg.open_folder(shapes, classes="object")
    two = voc_seg.build_unet(2, filters=2, depth=1)
    assert list(add_row("5 c", two, objects, ids[:2], 32, tmp_path)) == ["5 c"]


def test_the_fast_mode_of_each_chapter_has_a_board_of_its_own():
    chapters = [path.read_text(encoding="utf-8") for path in CHAPTERS[1:]]
    for text in chapters:
        assert text.count("rows = add_row(") == 1
        assert re.search(r"^(TRAIN, )?VAL = .*\b200  # fast: .*\b(20|12)$", text, re.M)


@pytest.mark.parametrize("classes", [2, 5, 21])
def test_the_table_is_at_most_78_columns_wide(classes):
    names = ["background", "a long name", "disc", "star", "ring", *"abcdefghijklmnop"][:classes]
    row = {"classes": names, "iou": [0.5] * (classes - 1) + [None], "mean_iou": 1.0}
    row |= {"where": 99_999, "what": 9, "multiplications": 999e6, "seconds": 0.1234}
    lines = format_rows({"6 a name that is too long": row, "7 b": row}).splitlines()
    assert len({len(line) for line in lines[1:]}) == 1 and len(lines[1]) <= 78
    assert len(lines) == 4 and lines[3].split()[:3] == ["7", "b", "1.000"]
    assert lines[3].split()[-4:] == ["99,999", "9", "999", "123"]

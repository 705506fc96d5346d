"""The built-in data set: its files, what its scenes show, and that colours do not tell classes."""

import cv2
import numpy as np
import pytest
from helpers import sentence, snapshot
from matplotlib.path import Path as Polygon
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.tree import DecisionTreeClassifier

from voc_seg import VOID, draw_scene, open_folder, palette, write_shapes
from voc_seg.data import shapes as drawing
from voc_seg.data.shapes import OUTLINES, SHAPE_CLASSES, coverage


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(np.random.default_rng((7, i)), size=32) for i in range(400)]


def test_open_folder_reads_the_layout(shapes):
    folder = open_folder(shapes)
    assert folder.path == shapes and folder.names == SHAPE_CLASSES
    assert len(folder.ids("train")) == 12 and len(folder.ids("val")) == 6
    assert folder.ids("trainval") == folder.ids("train") + folder.ids("val")
    for id in folder.ids("trainval"):
        image, mask = folder.pair(id)
        assert image.shape == (32, 32, 3) and mask.shape == (32, 32)
        assert set(np.unique(mask)) <= {*range(len(SHAPE_CLASSES)), VOID}
        with Image.open(folder.image_path(id)) as file:
            assert file.format == "JPEG"
        with Image.open(shapes / "SegmentationClass" / f"{id}.png") as file:
            assert file.mode == "P"
            assert np.array_equal(np.reshape(file.getpalette(), (-1, 3)), palette())


def test_the_files_hold_what_draw_scene_draws(shapes):
    folder = open_folder(shapes)
    for split in ("train", "val"):
        image, mask = folder.pair(folder.ids(split)[2])
        rng = np.random.default_rng((0, split == "val", 2))
        drawn_image, drawn_mask = draw_scene(rng, 32)
        assert np.array_equal(mask, drawn_mask)
        assert np.corrcoef(image.ravel(), drawn_image.ravel())[0, 1] > 0.95  # JPEG loses a little


def test_the_same_seed_writes_the_same_bytes(shapes, tmp_path):
    again = write_shapes(tmp_path / "again", train=12, val=6, size=32, seed=0)
    assert snapshot(again) == snapshot(shapes)


def test_another_seed_draws_other_images(shapes, tmp_path):
    first = snapshot(shapes)
    other = snapshot(write_shapes(tmp_path / "other", train=12, val=6, size=32, seed=1))
    assert first.keys() == other.keys()
    for name in first:
        assert (first[name] == other[name]) == name.endswith(".txt"), name


def test_an_image_does_not_depend_on_how_many_there_are(shapes, tmp_path):
    many = snapshot(shapes)
    few = snapshot(write_shapes(tmp_path / "few", train=3, val=2, size=32))
    pictures = [name for name in few if not name.endswith(".txt")]
    assert len(pictures) == 2 * 5
    for name in pictures:
        assert few[name] == many[name]


def test_no_image_occurs_twice_nor_in_both_splits(shapes):
    images = [path.read_bytes() for path in (shapes / "JPEGImages").iterdir()]
    assert len(images) == len(set(images)) == 18


def test_every_class_occurs(scenes):
    found = [set(np.unique(mask)) - {VOID} for _, mask in scenes]
    shown = [sum(label in labels for labels in found) for label in range(len(SHAPE_CLASSES))]
    # A scene has one or two objects of four classes: each class is in about a third of the scenes.
    assert min(shown[1:]) > 0.2 * len(scenes)


@pytest.mark.parametrize("label", range(1, len(SHAPE_CLASSES)))
def test_a_wanted_object_is_drawn_and_no_other(label):
    for seed in range(10):
        _, mask = draw_scene(np.random.default_rng(seed), 64, [label])
        assert set(np.unique(mask)) == {0, label, VOID}


def test_without_objects_there_is_background_only():
    image, mask = draw_scene(np.random.default_rng(0), 64, [])
    assert not mask.any() and image.std() > 10  # clutter is there


def test_void_separates_all_regions(scenes):
    for _, mask in scenes[:100]:
        padded = np.pad(mask, 1, constant_values=VOID)
        for down, right in np.ndindex(3, 3):
            neighbour = padded[down : down + 32, right : right + 32]
            same = (neighbour == mask) | (neighbour == VOID) | (mask == VOID)
            assert same.all()  # two labels never touch each other


def test_void_is_a_thin_contour_around_objects(scenes):
    touching = []
    for _, mask in scenes:
        solid = ((mask > 0) & (mask != VOID)).astype(np.uint8)
        # One pixel wide; where a second object hides the first, its contour may lie in between.
        assert cv2.dilate(solid, np.ones((5, 5)))[mask == VOID].all()
        touching.extend(cv2.dilate(solid, np.ones((3, 3)))[mask == VOID])
    assert np.mean(touching) > 0.95


@pytest.mark.parametrize("label", range(1, len(SHAPE_CLASSES)))
def test_an_object_covers_the_inside_of_its_outline(label):
    outlines = [outline * 0.4 + 0.5 for outline in OUTLINES[label]]
    points = (np.mgrid[:128, :128].reshape(2, -1).T[:, ::-1] + 0.5) / 128  # (x, y)
    inside = sum(Polygon(outline).contains_points(points) for outline in outlines) % 2
    expected = inside.reshape(32, 4, 32, 4).mean(axis=(1, 3))
    assert np.abs(coverage(outlines, 32) - expected).mean() < 0.02


@pytest.mark.parametrize("kind", ["linear", "tree"])
def test_the_colour_of_an_object_does_not_tell_its_class(scenes, kind):
    rng = np.random.default_rng(0)
    colours, labels, numbers = [], [], []
    for number, (image, mask) in enumerate(scenes):
        for label in set(np.unique(mask)) - {0, VOID}:
            colours.extend(rng.choice(image[mask == label], 5) / 255)
            labels.extend([label] * 5)
            numbers.extend([number] * 5)
    colours, labels, known = np.array(colours), np.array(labels), np.array(numbers) < 300
    guess, margin = 1 / (len(SHAPE_CLASSES) - 1), 0.06  # a guess: one of four classes

    def accuracy(colours):
        if kind == "linear":
            classifier = LogisticRegression(class_weight="balanced")
        else:
            classifier = DecisionTreeClassifier(max_depth=6, class_weight="balanced")
        classifier.fit(colours[known], labels[known])
        return balanced_accuracy_score(labels[~known], classifier.predict(colours[~known]))

    assert accuracy(colours) < guess + margin
    # Colours that do tell are noticed: a little more red with each class.
    assert accuracy(colours + np.outer(labels * guess, [1, 0, 0])) > guess + 2 * margin


# The folder.


def test_an_empty_folder_is_filled(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    assert write_shapes(str(folder), train=1, val=1, size=16) == folder
    assert len(open_folder(folder).ids("trainval")) == 2
    assert list(tmp_path.iterdir()) == [folder]  # nothing is left next to it


def test_a_folder_in_missing_folders_is_made(tmp_path):
    folder = write_shapes(tmp_path / "a" / "b", train=1, val=1, size=16)
    assert open_folder(folder).ids("val") == ["val_000000"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_existing_files_are_refused_and_left_untouched(tmp_path, kind):
    path = tmp_path / "data"
    if kind == "folder":
        path.mkdir()
    precious = path / "precious" if kind == "folder" else path
    precious.write_text("years of work")
    with pytest.raises(FileExistsError) as caught:
        write_shapes(path, train=1, val=1, size=16)
    assert str(path) in sentence(caught)
    assert precious.read_text() == "years of work"
    assert len(list(tmp_path.rglob("*"))) == (2 if kind == "folder" else 1)


def test_an_existing_data_set_with_the_same_arguments_is_returned_as_it_is(tmp_path):
    arguments = {"train": 3, "val": 2, "seed": 5, "size": 16}
    folder = write_shapes(tmp_path / "data", **arguments)
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert write_shapes(str(tmp_path / "data"), **arguments) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times


@pytest.mark.parametrize("other", [{"train": 4}, {"val": 1}, {"seed": 6}, {"size": 17}])
def test_an_existing_data_set_with_other_arguments_is_refused(tmp_path, other):
    arguments = {"train": 3, "val": 2, "seed": 5, "size": 16}
    folder = write_shapes(tmp_path / "data", **arguments)
    before = snapshot(folder)
    with pytest.raises(FileExistsError) as caught:
        write_shapes(folder, **{**arguments, **other})
    assert str(folder) in sentence(caught)
    assert snapshot(folder) == before


@pytest.mark.parametrize("name", ["train", "val", "size", "seed"])
def test_a_number_that_is_not_whole_is_refused_before_anything_is_written(tmp_path, name):
    for value in (-1, 1.5, "4"):
        with pytest.raises(ValueError, match=f"^{name}: found ") as caught:
            write_shapes(tmp_path / "data", **{name: value})
        assert sentence(caught)
    assert not any(tmp_path.iterdir())


def test_an_interrupted_call_leaves_no_data_set_and_the_next_one_succeeds(tmp_path, monkeypatch):
    calls = []

    def draw(rng, size):
        calls.append(size)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return draw_scene(rng, size)

    monkeypatch.setattr(drawing, "draw_scene", draw)
    with pytest.raises(KeyboardInterrupt):
        write_shapes(tmp_path / "data", train=4, val=1, size=16)
    assert not any((tmp_path / "data").iterdir())
    write_shapes(tmp_path / "data", train=4, val=1, size=16)
    assert len(open_folder(tmp_path / "data").ids("trainval")) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_nothing_outside_the_folder_is_touched(tmp_path):
    for name in ("writing-data", "unfinished-data"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "essay.txt").write_text("years of work")
    (tmp_path / "data").mkdir()  # such as a mount point, which cannot be replaced
    write_shapes(tmp_path / "data", train=1, val=1, size=16)
    assert len(list(tmp_path.glob("*-data/essay.txt"))) == 2
    parts = {path.name for path in (tmp_path / "data").iterdir()}
    assert parts == {"JPEGImages", "SegmentationClass", "ImageSets", "labels.txt"}

"""The folders of PASCAL VOC: where they are, their classes, their lists, their files."""

import shutil

import cv2
import numpy as np
import pytest
from helpers import sentence
from PIL import Image

from voc_seg import VOC_CLASSES, VOID, VOCFolder, open_folder

LABELS = ("background", "disc", "square")


def pair(height=6, width=8, value=1):
    mask = np.zeros((height, width), np.uint8)
    mask[2:4, 3:6] = value
    mask[0] = VOID
    return np.full((height, width, 3), 90, np.uint8), mask


def write_list(folder, content, split="train"):
    (folder / "ImageSets" / "Segmentation" / f"{split}.txt").write_bytes(content)
    return open_folder(folder)


def test_voc_has_twenty_one_classes_with_their_published_values():
    assert len(VOC_CLASSES) == 21
    values = {"background": 0, "aeroplane": 1, "cat": 8, "dog": 12, "person": 15, "tvmonitor": 20}
    assert {name: VOC_CLASSES.index(name) for name in values} == values


# Finding the data set.


@pytest.mark.parametrize("start", [".", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_the_only_year_is_found_from_every_level(write_voc, tmp_path, start):
    write_voc({"a": pair()}, path=tmp_path / "VOCdevkit" / "VOC2012")
    folder = open_folder(tmp_path / start)
    assert folder.path.resolve() == (tmp_path / "VOCdevkit" / "VOC2012").resolve()
    assert folder.ids("train") == ["a"]


def test_data_may_be_a_string_and_the_folder_may_have_any_name(write_voc):
    path = write_voc({"a": pair()})
    assert open_folder(str(path), year=2009).ids("val") == ["a"]


def test_a_folder_that_holds_voc20xx_itself_is_found(write_voc, tmp_path):
    path = write_voc({"a": pair()}, path=tmp_path / "VOC2007")
    assert open_folder(tmp_path).path == path


@pytest.mark.parametrize(("year", "name"), [(None, "VOC2009"), (2012, "VOC2012")])
def test_the_wanted_year_is_opened_by_default_2009(write_voc, tmp_path, year, name):
    for each in ("VOC2007", "VOC2009", "VOC2012"):
        write_voc({each: pair()}, path=tmp_path / "VOCdevkit" / each)
    assert open_folder(tmp_path, year).ids("train") == [name]


@pytest.mark.parametrize("year", [None, 2010])
def test_a_missing_year_is_refused_and_the_error_names_the_others(write_voc, tmp_path, year):
    for each in ("VOC2007", "VOC2012"):
        write_voc({"a": pair()}, path=tmp_path / "VOCdevkit" / each)
    with pytest.raises(FileNotFoundError) as caught:
        open_folder(tmp_path, year)
    for part in (str(tmp_path), "VOC2007, VOC2012", f"VOC{year or 2009}"):
        assert part in sentence(caught)


def test_the_only_year_there_is_not_taken_for_another(write_voc, tmp_path):
    write_voc({"a": pair()}, path=tmp_path / "VOCdevkit" / "VOC2012")
    with pytest.raises(FileNotFoundError, match="VOC2009"):
        open_folder(tmp_path, 2009)


def test_a_year_that_contradicts_the_folder_is_refused(write_voc, tmp_path):
    path = write_voc({"a": pair()}, path=tmp_path / "VOC2012")
    assert open_folder(path, 2012).path == path
    with pytest.raises(FileNotFoundError) as caught:
        open_folder(path, 2009)
    assert "VOC2012" in sentence(caught) and "VOC2009" in sentence(caught)


def test_an_archive_next_to_the_data_set_is_not_taken_for_a_second_year(write_voc, tmp_path):
    path = write_voc({"a": pair()}, path=tmp_path / "VOCdevkit" / "VOC2012")
    (tmp_path / "VOC2012.tar").write_bytes(b"an archive")
    assert open_folder(tmp_path).path == path


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_without_a_data_set_the_error_names_the_folder(tmp_path, kind):
    path = tmp_path / "nothing"
    if kind == "empty":
        path.mkdir()
    if kind == "file":
        path.write_text("not a folder")
    with pytest.raises(FileNotFoundError) as caught:
        open_folder(path)
    assert str(path) in sentence(caught)


@pytest.mark.parametrize("part", ["JPEGImages", "SegmentationClass", "ImageSets/Segmentation"])
def test_a_folder_that_lacks_a_part_is_refused_and_the_part_named(write_voc, tmp_path, part):
    path = write_voc({"a": pair()}, path=tmp_path / "VOC2009")
    shutil.rmtree(path / part)
    with pytest.raises(FileNotFoundError) as caught:
        open_folder(tmp_path)
    assert part in sentence(caught) and str(path) in sentence(caught)


# The names of the classes.


def test_without_labels_txt_the_classes_are_those_of_voc(write_voc):
    folder = open_folder(write_voc({"a": pair()}))
    assert folder.names == VOC_CLASSES
    assert list(folder.classes.items()) == [(name, i) for i, name in enumerate(VOC_CLASSES)]


@pytest.mark.parametrize(
    "content",
    [
        b"background\ndisc\nsquare\n",
        b"background\ndisc\nsquare",
        b"background\r\ndisc\r\nsquare\r\n",
        b"\xef\xbb\xbfbackground\ndisc\nsquare\n",  # as Windows' editors begin a file
        b"background \n disc\nsquare\n\n",
        b"background\rdisc\rsquare\r",
    ],
)
def test_labels_txt_gives_the_names(write_voc, content):
    path = write_voc({"a": pair()})
    (path / "labels.txt").write_bytes(content)
    folder = open_folder(path)
    assert folder.names == LABELS
    assert folder.classes == {"background": 0, "disc": 1, "square": 2}


def test_only_line_endings_end_a_class_name(write_voc):
    path = write_voc({"a": pair()})
    names = ["background", "a\u2028b", "c\fd", "e\x85f"]  # Python's `splitlines` would split these
    (path / "labels.txt").write_text("\n".join(names), encoding="utf-8")
    assert open_folder(path).names == tuple(names)


def test_a_labels_txt_that_is_a_link_to_nowhere_is_refused(write_voc):
    path = write_voc({"a": pair()})
    (path / "labels.txt").symlink_to(path / "gone.txt")
    with pytest.raises(ValueError, match=r"labels\.txt: is a link that leads nowhere"):
        open_folder(path)


def test_labels_txt_may_hold_255_names_in_any_script(write_voc):
    names = ["Hintergrund", "Bär", "кошка", "猫"] + [f"name {i}" for i in range(251)]
    folder = open_folder(write_voc({"a": pair(value=3)}, names))
    assert folder.names == tuple(names)
    assert set(np.unique(folder.pair("a")[1])) == {0, 3, VOID}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"background\n\ndisc\n", "line 2"),
        (b"\nbackground\ndisc\n", "line 1"),  # otherwise all names would move up by one value
        (b"background\ndisc\ndisc\n", "'disc'"),
        (b"background\ndisc,square\n", "'disc,square'"),
        (b"background\n", "1 class name"),
        (b"", "0 class names"),
        ("\n".join(map(str, range(256))).encode(), "256 class names"),
        (b"background\nB\xe4r\n", "UTF-8"),
    ],
)
def test_a_bad_labels_txt_is_refused_and_named(write_voc, content, what):
    path = write_voc({"a": pair()})
    (path / "labels.txt").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        open_folder(path)
    assert str(path / "labels.txt") in sentence(caught) and what in sentence(caught)


# The classes of the task.


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("all", {name: i for i, name in enumerate(VOC_CLASSES)}),
        ("object", {"background": 0, "object": 1}),
        ("cat,dog", {"background": 0, "cat": 8, "dog": 12}),
        ("dog, cat", {"background": 0, "dog": 12, "cat": 8}),
        (["person"], {"background": 0, "person": 15}),
        (("tvmonitor", "aeroplane"), {"background": 0, "tvmonitor": 20, "aeroplane": 1}),
    ],
)
def test_classes_and_table_say_what_each_value_of_a_mask_becomes(write_voc, classes, expected):
    folder = open_folder(write_voc({"a": pair()}), classes=classes)
    assert list(folder.classes.items()) == list(expected.items())
    assert folder.table.shape == (256,) and folder.table.dtype == np.uint8
    for value, name in enumerate(VOC_CLASSES):
        if classes == "object":
            index = int(value > 0)
        else:
            index = list(expected).index(name) if name in expected else 0
        assert folder.table[value] == index
    assert folder.table[VOID] == VOID


@pytest.mark.parametrize(
    ("classes", "what"),
    [
        ("cat,unicorn", "'unicorn'"),
        ("cat,dog,cat", "'cat' is listed twice"),
        ("background,cat", "'background'"),
        ("", "''"),
        ("cat,", "''"),
        (["Cat"], "'Cat'"),
    ],
)
def test_unknown_and_repeated_classes_are_refused(write_voc, classes, what):
    path = write_voc({"a": pair()})
    with pytest.raises(ValueError) as caught:
        open_folder(path, classes=classes)
    for part in ("classes", what, "tvmonitor"):
        assert part in sentence(caught)


def test_pair_gives_image_and_mask_with_the_classes_of_the_task(write_voc):
    mask = np.array([[0, 8, 12, 15, VOID]], np.uint8)
    image = np.arange(15, dtype=np.uint8).reshape(1, 5, 3)
    path = write_voc({"a": (image, mask)})
    for classes, expected in {
        "all": [0, 8, 12, 15, VOID],
        "object": [0, 1, 1, 1, VOID],
        "dog,cat": [0, 2, 1, 0, VOID],
    }.items():
        found, labels = open_folder(path, classes=classes).pair("a")
        assert np.array_equal(found, image)
        assert labels.tolist() == [expected] and labels.dtype == np.uint8


def test_photographs_of_voc_are_read_with_their_masks(voc2012_animals):
    folder = open_folder(voc2012_animals, classes="cat,dog,horse,sheep,cow")
    for id in folder.ids("val")[:3]:
        image, mask = folder.pair(id)
        with Image.open(folder.path / "SegmentationClass" / f"{id}.png") as file:
            values = np.array(file)
        assert image.shape == (*mask.shape, 3) and image.dtype == np.uint8
        indices = {0: 0, 8: 1, 12: 2, 13: 3, 17: 4, 10: 5, VOID: VOID}
        assert mask.tolist() == [[indices.get(v, 0) for v in row] for row in values.tolist()]


def test_a_class_of_the_task_may_merge_several_of_the_data_set(write_voc):
    path = write_voc({"a": pair()})
    folder = open_folder(path, classes={"pet": ["cat", "dog"], "person": ["person"]})
    assert folder.members == (("pet", ("cat", "dog")), ("person", ("person",)))
    assert list(folder.classes.items()) == [("background", 0), ("pet", 8), ("person", 15)]
    for value, name in enumerate(VOC_CLASSES):
        assert folder.table[value] == {"cat": 1, "dog": 1, "person": 2}.get(name, 0)
    assert folder.table[VOID] == VOID


def test_folders_opened_alike_are_equal_and_hash_alike(write_voc, tmp_path):
    path = write_voc({"a": pair()})
    for classes in ("all", "object", "cat,dog"):
        first, second = open_folder(path, classes=classes), open_folder(str(path), classes=classes)
        assert first == second and hash(first) == hash(second)
        assert {first: "known"}[second] == "known"
        assert first.table is not second.table  # looking at the table does not matter
        assert first == second and hash(first) == hash(second)
    assert open_folder(path, classes="cat,dog") == open_folder(path, classes=["cat", "dog"])
    other = write_voc({"a": pair()}, path=tmp_path / "other")
    different = [
        *(
            open_folder(path, classes=classes)
            for classes in ("all", "object", "cat,dog", "dog,cat")
        ),
        open_folder(other),
    ]
    assert len(set(different)) == len(different)
    assert different[0] != str(path)


def test_a_folder_may_be_made_from_its_three_attributes(write_voc):
    path = write_voc({"a": pair()})
    opened = open_folder(path, classes="cat,dog")
    made = VOCFolder(path, VOC_CLASSES, (("cat", ("cat",)), ("dog", ("dog",))))
    assert made == opened and made.classes == {"background": 0, "cat": 8, "dog": 12}


# The splits.


@pytest.mark.parametrize(
    "content", [b"b\na\n", b"b\na", b"b\r\na\r\n", b"\n b \n\n\ta\n\n", b"\xef\xbb\xbfb\na\n"]
)
def test_ids_come_in_the_order_of_the_list(write_voc, content):
    folder = write_list(write_voc({"a": pair(), "b": pair()}), content)
    assert folder.ids("train") == ["b", "a"]


def test_every_list_in_the_folder_is_a_split(write_voc):
    folder = write_list(write_voc({"a": pair()}), b"a\n", split="my own")
    assert folder.ids("my own") == ["a"]


@pytest.mark.parametrize("split", ["test", "", "../Segmentation/train", "train.txt"])
def test_a_missing_list_is_refused_and_the_error_names_the_others(write_voc, split):
    folder = open_folder(write_voc({"a": pair()}))
    with pytest.raises(FileNotFoundError, match="train, val"):
        folder.ids(split)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"\n \r\n", "empty"),
        (b"a\nb\na\n", "'a'"),
        (b"a\n../../secret\n", "'../../secret'"),
        (b"a\n/etc/passwd\n", "'/etc/passwd'"),
        (b"a\n..\n", "'..'"),
        (b"a\n..\\secret\n", "secret"),
        (b"a\nB\xe4r\n", "UTF-8"),
    ],
)
def test_a_bad_list_is_refused_and_named(write_voc, content, what):
    folder = write_list(write_voc({"a": pair()}), content)
    with pytest.raises(ValueError) as caught:
        folder.ids("train")
    path = folder.path / "ImageSets" / "Segmentation" / "train.txt"
    assert str(path) in sentence(caught) and what in sentence(caught)


# The images and masks.


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"])
def test_images_are_found_with_every_usual_ending(write_voc, suffix):
    path = write_voc({"my.photo.1": pair()})
    (path / "JPEGImages" / "my.photo.1.png").unlink()
    Image.fromarray(pair()[0]).save(path / "JPEGImages" / f"my.photo.1{suffix}")
    image, _ = open_folder(path).pair("my.photo.1")
    assert image.shape == (6, 8, 3) and np.abs(image.astype(int) - 90).max() <= 1


@pytest.mark.parametrize("part", ["JPEGImages", "SegmentationClass"])
def test_a_missing_image_or_mask_is_named(write_voc, part):
    path = write_voc({"a": pair()})
    (path / part / "a.png").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        open_folder(path).pair("a")
    assert str(path / part / "a.") in sentence(caught)


def test_a_broken_image_is_named(write_voc):
    path = write_voc({"a": pair()})
    broken = path / "JPEGImages" / "a.png"
    broken.write_bytes(broken.read_bytes()[:-20])
    with pytest.raises(ValueError) as caught:
        open_folder(path).pair("a")
    assert str(broken) in sentence(caught)


def rgb_png(path):
    Image.new("RGB", (8, 6)).save(path, format="PNG")


def jpeg(path):
    Image.new("L", (8, 6)).save(path, format="JPEG")


def sixteen_bits(path):
    cv2.imwrite(str(path), np.ones((6, 8), np.uint16))


def other_size(path):
    Image.new("L", (6, 8)).save(path, format="PNG")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-30])


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("version https://git-lfs.github.com/spec/v1")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (rgb_png, "RGB"),
        (jpeg, "JPEG"),
        (sixteen_bits, "16"),
        (other_size, "6 x 8 pixels, its image 8 x 6"),
        (truncated, "cut off"),
        (empty, "empty"),
        (text, "unknown format"),
    ],
)
def test_a_bad_mask_is_refused_and_named(write_voc, spoil, what):
    path = write_voc({"a": pair()})
    mask = path / "SegmentationClass" / "a.png"
    spoil(mask)
    with pytest.raises(ValueError) as caught:
        open_folder(path).pair("a")
    assert str(mask) in sentence(caught) and what.lower() in sentence(caught).lower()


@pytest.mark.parametrize(("labels", "value"), [(None, 21), (None, 254), (LABELS, 3)])
@pytest.mark.parametrize("classes", ["all", "object"])
def test_a_mask_with_an_unknown_value_is_refused(write_voc, labels, value, classes):
    path = write_voc({"a": pair(value=value)}, labels)
    with pytest.raises(ValueError) as caught:
        open_folder(path, classes=classes).pair("a")
    assert str(path / "SegmentationClass" / "a.png") in sentence(caught)
    assert f"the value {value}" in sentence(caught)


def test_ids_with_an_ending_labels_below_the_background_and_odd_years_are_refused(
    write_voc, tmp_path
):
    path = write_voc({"a": pair()}, path=tmp_path / "mine")
    lists = path / "ImageSets" / "Segmentation" / "train.txt"
    lists.write_text("a.JPG\n")
    with pytest.raises(ValueError, match=r"train\.txt.*'a\.JPG'.*without ending"):
        open_folder(path).ids("train")
    with pytest.raises(ValueError, match=r"^year: found 'cat'"):
        open_folder(path, "cat")
    (path / "labels.txt").write_text("disc\nbackground\n")
    with pytest.raises(ValueError, match=r"labels\.txt.*background.*line 1"):
        open_folder(path)
    (path / "labels.txt").unlink()
    (path / "labels.txt").mkdir()  # then nobody means VOC's names
    with pytest.raises(ValueError, match=r"labels\.txt.*expected a text file"):
        open_folder(path)


def test_merged_classes_can_be_written_as_text_and_as_a_dictionary(write_voc):
    labels = ["background", "cat", "dog", "car", "a=b"]
    mask = np.array([[0, 1, 2, 3, 4, VOID]], np.uint8)
    path = write_voc({"a": (np.zeros((1, 6, 3), np.uint8), mask)}, labels)
    written = open_folder(path, classes=" animal = dog + cat , car")
    assert written == open_folder(path, classes=["animal=dog+cat", "car"])
    assert written == open_folder(path, classes={"animal": ["dog", "cat"], "car": ["car"]})
    assert written.classes == {"background": 0, "animal": 2, "car": 3}  # a dog's value
    assert written.pair("a")[1].tolist() == [[0, 1, 1, 2, 0, VOID]]
    assert open_folder(path, classes="a=b").classes == {"background": 0, "a=b": 4}


@pytest.mark.parametrize(
    "classes",
    [
        "pet=",
        "pet=cat+",
        "pet=cat+cat",
        "pet=cat,cat",
        "pet=cow",
        "background=cat",
        "=cat",
        "pet=cat,pet=dog",
    ],
)
def test_merged_classes_that_make_no_sense_are_refused(write_voc, classes):
    image, mask = np.zeros((1, 6, 3), np.uint8), np.zeros((1, 6), np.uint8)
    path = write_voc({"a": (image, mask)}, ["background", "cat", "dog"])
    with pytest.raises(ValueError, match=r"^classes: ") as caught:
        open_folder(path, classes=classes)
    assert "\n" not in str(caught.value)

"""Results on disk: written in one step, never over data, and one process to a folder."""

import pytest
from helpers import other_process_in, sentence, snapshot

from voc_seg.files import check_target, one_process, replace


def test_a_file_that_fails_while_it_is_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")

    def write(half):
        half.write_text("ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(path, write)
    assert snapshot(tmp_path) == {"result.json": b"old"}
    replace(path, lambda temporary: temporary.write_text("new"))
    assert snapshot(tmp_path) == {"result.json": b"new"}


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    path = tmp_path / "missing" / "result.json"
    with pytest.raises(OSError) as caught:
        replace(path, lambda temporary: temporary.write_text("new"))
    assert caught.value.filename == str(path) and ".writing-" not in sentence(caught)


@pytest.mark.parametrize("way", ["", "SegmentationClass", "JPEGImages/new/folder", "../shapes/x"])
def test_nothing_is_written_into_a_data_set_by_whatever_way(shapes, tmp_path, way):
    (tmp_path / "link").symlink_to(shapes)
    for root in (shapes, tmp_path / "link"):
        with pytest.raises(ValueError, match="is in the data set") as caught:
            check_target(root / way)
        assert str(root / way) in sentence(caught)
    check_target(shapes.parent / "results")


def test_no_input_is_overwritten_by_whatever_way(tmp_path):
    model = tmp_path / "model.keras"
    model.write_text("a model")
    (tmp_path / "link.keras").symlink_to(model)
    for path in (model, tmp_path / "link.keras", tmp_path / "x" / ".." / "model.keras"):
        with pytest.raises(ValueError, match="would be overwritten"):
            check_target(path, [model])
    check_target(tmp_path / "result.json", [model])


def test_a_folder_belongs_to_one_process_at_a_time(tmp_path):
    def take():
        with one_process(tmp_path / "run"):
            raise AssertionError("both have it")

    with (
        other_process_in(tmp_path / "run"),
        pytest.raises(BlockingIOError, match="another process"),
    ):
        take()
    with one_process(tmp_path / "run"), one_process(tmp_path / "run"):  # the same process may nest
        pass
    assert snapshot(tmp_path) == {}

"""Results on disk: written in one step, never over data, and one process to a folder."""

import errno
import shutil
from pathlib import Path

import filelock
import pytest
from helpers import other_process_in, sentence, snapshot

from voc_seg.files import (
    check_json,
    check_run,
    check_target,
    lock_folder,
    make_folder,
    write_safely,
)


def test_a_file_that_fails_while_it_is_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")

    def write(half):
        half.write_text("ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_safely(path, write)
    assert snapshot(tmp_path) == {"result.json": b"old"}
    write_safely(path, lambda temporary: temporary.write_text("new"))
    assert snapshot(tmp_path) == {"result.json": b"new"}


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    path = tmp_path / "missing" / "result.json"
    with pytest.raises(OSError) as caught:
        write_safely(path, lambda temporary: temporary.write_text("new"))
    assert caught.value.filename == str(path) and ".writing-" not in sentence(caught)


@pytest.mark.parametrize("way", ["", "SegmentationClass", "JPEGImages/new/folder", "../shapes/x"])
def test_nothing_is_written_into_a_data_set_by_whatever_way(shapes, tmp_path, way):
    (tmp_path / "link").symlink_to(shapes)
    for root in (shapes, tmp_path / "link"):
        with pytest.raises(ValueError, match="is in a data set") as caught:
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
        with lock_folder(tmp_path / "run"):
            raise AssertionError("both have it")

    with (
        other_process_in(tmp_path / "run"),
        pytest.raises(BlockingIOError, match="another process"),
    ):
        take()
    with lock_folder(tmp_path / "run"), lock_folder(tmp_path / "run"):  # the same process may nest
        pass
    assert snapshot(tmp_path) == {}


def test_masks_are_safe_where_their_folder_is_a_link(shapes, tmp_path, monkeypatch):
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    elsewhere = tmp_path / "elsewhere"
    (data / "SegmentationClass").rename(elsewhere)
    (data / "SegmentationClass").symlink_to(elsewhere)
    image = next((data / "JPEGImages").iterdir())
    for target in (data / "SegmentationClass", elsewhere, elsewhere / "x" / ".."):
        with pytest.raises(ValueError, match="is in a data set"):
            check_target(target, [image])
    check_target(tmp_path / "results", [image])
    monkeypatch.chdir(data / "SegmentationClass")  # as a shell does
    monkeypatch.setenv("PWD", str(data / "SegmentationClass"))
    with pytest.raises(ValueError, match="is in a data set"):
        check_target(Path("."))
    monkeypatch.setenv("PWD", str(tmp_path))  # not where we are
    check_target(Path("."))


def test_a_circle_of_links_is_no_target(tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    check_target(tmp_path / "circle")  # does not hang or fail
    with pytest.raises(ValueError, match="expected a folder"):
        make_folder(tmp_path / "circle")


def test_only_a_result_of_evaluate_is_replaced_by_json(tmp_path):
    result, settings, other = (tmp_path / name for name in ("r.json", "s.json", "a.png"))
    result.write_text('{"confusion": []}')
    settings.write_text('{"model": "unet"}')
    other.write_bytes(b"\x89PNG")
    check_json(result)
    check_json(tmp_path / "new.json")
    for path in (settings, other, tmp_path):
        with pytest.raises(ValueError, match=path.name):
            check_json(path)


@pytest.mark.parametrize("name", [".writing-0123.json", "writing-settings.json", ".lock"])
def test_what_a_kill_leaves_in_the_first_moment_is_not_a_run(tmp_path, name):
    (tmp_path / name).write_text("{")
    check_run(tmp_path, resume=False)
    with pytest.raises(FileNotFoundError, match="start one without resume"):
        check_run(tmp_path, resume=True)


@pytest.mark.parametrize("error", [OSError(errno.ENOSYS, "no"), NotImplementedError("no flock")])
def test_a_file_system_without_locks_gets_one_warning(tmp_path, monkeypatch, capsys, error):
    def acquire(lock, *arguments):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    with lock_folder(tmp_path / "run"):
        write_safely(tmp_path / "run" / "a.txt", lambda path: path.write_text("a"))
    assert snapshot(tmp_path / "run") == {"a.txt": b"a"}
    (warning,) = capsys.readouterr().err.splitlines()
    assert "warning" in warning and str(tmp_path / "run") in warning and "no locks" in warning

"""Results on disk: written in one step, never over data, and one process to a folder."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import filelock

NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


def replace(path: str | Path, write: Callable[[Path], object]) -> None:
    """Writes a file in one step: a kill at any moment leaves the old one or the new one.

    Args:
        path: the file to write.
        write: a function that writes the file to the path that it is given: one next to `path`.

    Raises:
        OSError: the file cannot be written; the message names it.
    """
    path = Path(path)
    temporary = path.with_name(f".writing-{path.name}")
    try:
        temporary.unlink(missing_ok=True)  # left by a killed run, or a link that leads elsewhere
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if error.strerror is None:  # a sentence already
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def make_folder(path: Path) -> None:
    """Makes a folder, with those above it; a ValueError if a file is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{path}: is a file, or below one; expected a folder") from None


def check_target(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raises a ValueError unless a result may be written to `path`, a file or a folder.

    It may not be anywhere in a data set, through links or `..` either, and not one of the files
    that the command reads.
    """
    real = path.resolve()
    for folder in (real, *real.parents):
        if (folder / "ImageSets").is_dir():
            raise ValueError(f"{path}: is in the data set {folder}; expected another place")
    if real in {other.resolve() for other in inputs}:
        raise ValueError(f"{path}: would be overwritten; expected another place")


def check_run(out: Path, resume: bool) -> None:
    """Makes sure that a run in `out` is not overwritten, and that there is one to resume.

    A lock, or a file half-written when the run was killed in its first moment, is not a run.
    """
    found = [path.name for path in out.iterdir()] if out.is_dir() else []
    found = [name for name in found if not name.startswith((".writing-", ".lock"))]
    if found and not resume:
        raise FileExistsError(f"{out}: is not empty; give another folder, or resume its run")
    if resume and "settings.json" not in found:
        raise FileNotFoundError(
            f"{out}: holds no run to resume (no settings.json); start one without resume"
        )


@contextlib.contextmanager
def one_process(folder: Path) -> Iterator[None]:
    """Keeps a folder to this process; the system frees it when the process ends, however it ends.

    Args:
        folder: the folder; it gets a hidden file for as long as this takes.

    Raises:
        BlockingIOError: another process has it.
    """
    new = not folder.exists()
    make_folder(folder)
    # One lock for each path in this process, so `voc-seg train` and `train` can both take it.
    lock = filelock.FileLock(folder / ".lock", timeout=0, is_singleton=True, fallback_to_soft=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BlockingIOError(
            f"{folder}: another process is writing there; wait for its end, or choose another "
            "folder"
        ) from None
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        print(
            f"voc-seg: warning: {folder}: this file system has no locks; make sure that no other "
            "process writes there",
            file=sys.stderr,
        )
    try:
        yield
    finally:
        if lock.lock_counter == 1:
            with contextlib.suppress(OSError):  # Windows keeps a file that is open
                (folder / ".lock").unlink()
        lock.release()
        if new:
            with contextlib.suppress(OSError):  # only an empty folder goes: nothing came of it
                folder.rmdir()

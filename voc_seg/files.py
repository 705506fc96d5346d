"""Write results safely: in one step, never over data, one process to a folder."""

import contextlib
import errno
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import filelock

NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


def write_safely(path: str | Path, write: Callable[[Path], object]) -> None:
    """Writes a file in one step: a kill leaves the old file or the new one, never half of one.

    Args:
        path: the file to write.
        write: a function that writes the file to the path that it is given: one next to `path`.

    Raises:
        OSError: the file cannot be written; the message names it.
    """
    path = Path(path)
    temporary = path.with_name(f".writing-{secrets.token_hex(8)}{path.suffix}")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if error.strerror is None:  # our own error, and complete
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

    It must not be inside a data set, whatever links lead there, nor be one of the files that the
    command reads.
    """
    real = real_path(path)
    around = data_sets(path / "result")
    parts = [
        real_path(folder / part)
        for folder in data_sets(*inputs)
        for part in ("JPEGImages", "SegmentationClass", "ImageSets")
    ]
    if around or any(real.is_relative_to(part) for part in parts):
        raise ValueError(f"{path}: is in a data set; expected another path")
    if identity(path) in map(identity, inputs):
        raise ValueError(f"{path}: would be overwritten; expected another path")


def data_sets(*paths: Path) -> list[Path]:
    """The data sets that paths are in, as they are written or after following links."""
    # Inside a linked folder the system knows only where the link leads; the shell remembers it.
    here = os.environ.get("PWD", "")
    here = here if os.path.isdir(here) and os.path.samefile(here, ".") else os.getcwd()
    written = [Path(os.path.normpath(os.path.join(here, path))) for path in paths]
    above = {folder for path in (*written, *map(real_path, paths)) for folder in path.parents}
    return [folder for folder in above if (folder / "ImageSets").is_dir()]


def real_path(path: Path) -> Path:
    """A path after following its links. (`Path.resolve` raises where links run in a circle.)"""
    return Path(os.path.realpath(path))


def identity(path: Path) -> Path | tuple[int, int]:
    """Equal for two names of one file, such as links, and IMG.PNG and IMG.png on macOS."""
    real = real_path(path)
    try:
        file = real.stat()
    except OSError:  # there is none yet
        return real
    return file.st_dev, file.st_ino


def check_exists(*paths: Path) -> None:
    """Raises a FileNotFoundError unless all paths are files."""
    for path in paths:
        if not path.is_file():
            problem = "is a folder; expected a file" if path.is_dir() else "no such file"
            raise FileNotFoundError(f"{path}: {problem}")


def check_json(path: Path) -> None:
    """Raises a ValueError unless a result of `evaluate` may be written to `path`."""
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; expected a file")
    if path.exists():
        try:
            known = "confusion" in json.loads(path.read_bytes())
        except (ValueError, TypeError, RecursionError):
            known = False
        if not known:
            raise ValueError(
                f"{path}: exists, and is not a result of evaluate; expected a new name"
            )


def check_run(out: Path, resume: bool) -> None:
    """Makes sure that a run in `out` is not overwritten, and that there is one to resume.

    Locks and half-written files do not count. (Version 0.1.0 called the latter writing-NAME.)
    """
    found = [path.name for path in out.iterdir()] if out.is_dir() else []
    found = [name for name in found if not name.startswith((".writing-", "writing-", ".lock"))]
    if found not in ([], ["settings.json"]) and not resume:  # this alone: not an epoch was done
        raise FileExistsError(f"{out}: is not empty; give another folder, or resume its run")
    if resume and "settings.json" not in found:
        raise FileNotFoundError(
            f"{out}: holds no run to resume (no settings.json); start one without resume"
        )


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Locks a folder for this process; the system frees it when the process ends, however it ends.

    Args:
        folder: the folder; meanwhile it has a hidden lock file.

    Raises:
        BlockingIOError: another process has it.
    """
    new = not folder.exists()
    make_folder(folder)
    # `train` inside `voc-seg train` takes the same lock a second time, so it has to be one object.
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
        if lock.lock_counter == 1:  # the outermost of them
            with contextlib.suppress(OSError):  # Windows keeps a file that is open
                (folder / ".lock").unlink()
        lock.release()
        if new:
            with contextlib.suppress(OSError):  # only an empty folder goes: nothing came of it
                folder.rmdir()

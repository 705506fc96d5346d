"""Safe printing and Ctrl-C, whether a terminal is closed, full or in another language."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def safe_terminal() -> Iterator[list[int]]:
    """Makes printing safe, and notes Ctrl-C in the list that it yields."""
    interrupted: list[int] = []

    def note(signum: int, frame: object) -> None:
        interrupted.append(signum)
        raise KeyboardInterrupt

    streams, handler = (sys.stdout, sys.stderr), signal.getsignal(signal.SIGINT)
    try:
        with contextlib.suppress(ValueError):  # only the main thread may set a handler
            signal.signal(signal.SIGINT, note)
        sys.stdout, sys.stderr = Output(sys.stdout), ErrorOutput(sys.stderr)
        yield interrupted
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        sys.stdout, sys.stderr = streams
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGINT, handler)


class Output(io.TextIOBase):
    """Standard output: a closed one is discarded, and unknown characters are escaped."""

    def __init__(self, stream: Any) -> None:
        self.stream = open(os.devnull, "w") if stream is None else stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        text = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        with self.named():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self.named():
            self.stream.flush()

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Names the stream in an error, and closes it so Python does not try again at its end."""
        try:
            yield
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
            raise OSError(error.errno, error.strerror, "standard output") from None

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()


class ErrorOutput(Output):
    """Standard error: if a message cannot be shown, we go on without it."""

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        with contextlib.suppress(OSError):
            yield

"""Load Keras without its backend's log messages."""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator

ONE_AT_A_TIME = threading.Lock()


def load_backend() -> None:
    """Imports Keras without the backend's messages about processors and missing GPUs.

    C++ writes them straight to file descriptor 2, and they would bury our own output.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no remarks during training either
    with silent_stderr():
        import keras

        keras.ops.zeros(1)  # the devices are looked for when the first tensor is made
        # Silence the retracing warning: building several models is intended.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Discards what is written to file descriptor 2; does nothing if it is closed."""
    with ONE_AT_A_TIME:  # it belongs to the whole process
        try:
            stderr = os.dup(2)
        except OSError:
            yield
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(null)

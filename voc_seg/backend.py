"""Keras and the backend under it, loaded without their noise."""

import contextlib
import logging
import os
from collections.abc import Iterator


def load_backend() -> None:
    """Imports Keras without the backend's messages about processors and missing GPUs.

    They come from C++, which writes to the file descriptor, and would bury what we have to say.
    """
    with silent_stderr():
        import keras

        keras.ops.zeros(1)  # the devices are looked for when the first tensor is made
        # Silence the retracing warning: building several models is intended.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Sends file descriptor 2 nowhere for a while; where it is closed, there is nothing to do."""
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

"""Check arguments; shorten an error to one line."""

import numbers


def check_whole(name: str, value: object, low: int = 1, high: int | None = None) -> None:
    """Raises a ValueError unless an argument is a whole number from `low` to `high`.

    Args:
        name: what the argument is called.
        value: what was given.
        low: the smallest number allowed.
        high: the largest number allowed; None for no limit.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):  # type: ignore[operator]
        limit = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name}: found {value!r}, expected a whole number {limit}")


def check_window(window: object) -> None:
    """Raises a ValueError unless a window is odd; an even one has no middle pixel."""
    check_whole("window", window)
    if window % 2 == 0:  # type: ignore[operator]
        raise ValueError(f"window: found {window}, expected an odd number, so there is a middle")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out; each backend has its own kind."""
    name = f"{type(error).__name__} {error}".upper().replace("_", "")
    known = "RESOURCEEXHAUSTED" in name or "OUTOFMEMORY" in name
    return known or isinstance(error, MemoryError)


def first_line(error: BaseException) -> str:
    """The first line of an exception's message; its type if the message is empty."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]

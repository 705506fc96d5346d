"""Chapter 2: how much two windows have in common."""


def shared_work(window, rows, columns):
    height = max(0, window - abs(rows))
    width = max(0, window - abs(columns))
    return height * width / window**2

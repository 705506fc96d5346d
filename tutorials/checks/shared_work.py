"""The check of `shared_work`: both windows are listed pixel by pixel."""


def expected(window, rows, columns):
    def pixels(top, left):
        sides = range(window)
        return {(top + row, left + column) for row in sides for column in sides}

    return len(pixels(0, 0) & pixels(rows, columns)) / window**2


def sign_ignored(window, rows, columns):
    return max(0, window - rows) * max(0, window - columns) / window**2


def never_apart(window, rows, columns):
    return (window - abs(rows)) * (window - abs(columns)) / window**2


def of_the_union(window, rows, columns):
    both = expected(window, rows, columns) * window**2
    return both / (2 * window**2 - both)


def pixels(window, rows, columns):
    return expected(window, rows, columns) * window**2


def not_shared(window, rows, columns):
    return 1 - expected(window, rows, columns)


def one_direction(window, rows, columns):
    return max(0, window - max(abs(rows), abs(columns))) / window


def steps_added(window, rows, columns):
    return max(0, window - abs(rows) - abs(columns)) / window


CASES = [
    (
        "the neighbour one row lower: shared_work(9, 1, 0)",
        (9, 1, 0),
        "All columns are shared, and all rows but one: how many pixels of how many?",
    ),
    (
        "two rows lower and three columns to the right: shared_work(9, 2, 3)",
        (9, 2, 3),
        "What both windows cover is a rectangle. How high is it, how wide?",
    ),
    (
        "higher and to the left: shared_work(9, -4, -1)",
        (9, -4, -1),
        "Whether the other window lies to the left or to the right, as much is shared.",
    ),
    (
        "far apart in both directions: shared_work(9, 11, 12)",
        (9, 11, 12),
        "Windows that do not meet share nothing: 0.",
    ),
    (
        "far apart in one direction: shared_work(9, 0, 10)",
        (9, 0, 10),
        "Windows that do not meet share nothing: 0.",
    ),
    (
        "the same window: shared_work(5, 0, 0)",
        (5, 0, 0),
        "A window shares everything with itself: 1.",
    ),
]
MISTAKES = [
    (
        of_the_union,
        "You divided by the pixels of both windows together: that is the IoU. Asked for is the "
        "share of one window.",
    ),
    (
        pixels,
        "You returned the number of shared pixels: divide it by the number of a window's pixels.",
    ),
    (
        not_shared,
        "You returned the share that is new in the other window; asked for is what both have.",
    ),
    (
        steps_added,
        "You took the rows and the columns off the same side. Two directions: a height and a "
        "width, whose product is the area.",
    ),
    (
        one_direction,
        "Only the larger one of the two steps counts in your answer. Both directions matter: the "
        "common rectangle has a height and a width.",
    ),
    (
        sign_ignored,
        "A negative step makes your rectangle larger than the window: a step to the left parts "
        "the windows as much as one to the right.",
    ),
    (
        never_apart,
        "Windows that lie apart: a side of your rectangle becomes negative, and with it the share; "
        "two negative sides even give a positive one. A side cannot be shorter than 0.",
    ),
]
READ = "The work that is repeated"
GOOD_FOR = (
    "Neighbouring windows share nearly all their pixels, and this share is what the dense network "
    "of chapter 3 saves by computing it once."
)

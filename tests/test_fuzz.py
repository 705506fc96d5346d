"""Damaged files, a fixed selection: `python tests/fuzz.py --seconds 600` tries as many as you like.

The last tests break the library on purpose: a fuzz suite that cannot fail proves nothing.
"""

import fuzz
import numpy as np
import pytest
from helpers import ROOT, python
from PIL import Image, ImageOps

# Pillow warns of odd files; the library's own filter does not reach into pytest.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

SEED = 9
BLOCKS, ROUNDS = 5, 10  # pytest-xdist spreads the blocks; each has so many rounds


def cases(family, rounds):
    size = fuzz.FAMILIES[family][3]
    return range(size * rounds.start, size * rounds.stop)


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("family", fuzz.FAMILIES)
def test_damaged_files_give_the_right_result_or_one_sentence(family, block, tmp_path):
    for index in cases(family, range(ROUNDS * block, ROUNDS * (block + 1))):
        fuzz.run_case(family, SEED, index, tmp_path)


# The suite finds what it looks for.


def missing_rows_are_background(path):
    """Pillow alone, which fills the rows that a PNG lacks with zeros."""
    try:
        with Image.open(path) as image:
            return np.array(image)
    except Exception as error:
        raise ValueError(f"{path}: {error}") from None


def damage_is_grey(path):
    """Pillow alone, which reads a JPEG that was cut short and then given an end marker."""
    try:
        with Image.open(path) as image:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except Exception as error:
        raise ValueError(f"{path}: {error}") from None


def no_check(*arguments):
    """Takes whatever a model remembers."""


def split_anywhere(path):
    return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]


def traceback(path):
    raise IndexError("list index out of range")


def unnamed(path):
    raise ValueError("is damaged")


BROKEN = {
    "mask": ("fuzz.read_mask", missing_rows_are_background, "is damaged .*, but was read"),
    "jpeg": ("fuzz.read_image", damage_is_grey, "was cut short, with an end marker, but was read"),
    "png": ("fuzz.read_image", traceback, "IndexError: list index out of range"),
    "other": ("fuzz.read_image", unnamed, "does not name"),
    "list": ("voc_seg.data.voc.read_lines", split_anywhere, "found|name"),
    "labels": ("voc_seg.data.voc.read_lines", split_anywhere, "found|name"),
    "model": ("voc_seg.models.saving.check_memory", no_check, "remembers"),
}


@pytest.mark.parametrize("family", BROKEN)
def test_a_broken_reader_is_caught(family, tmp_path, monkeypatch):
    name, broken, problem = BROKEN[family]
    monkeypatch.setattr(name, broken)
    with pytest.raises(fuzz.Wrong, match=problem) as caught:
        for index in cases(family, range(ROUNDS)):
            fuzz.run_case(family, SEED, index, tmp_path)
    assert f"--family {family} --seed {SEED} --index {index}" in str(caught.value)
    (kept,) = [path for path in tmp_path.iterdir() if path.stem == f"{family}-{SEED}-{index}"]
    assert str(kept) in str(caught.value)


def test_what_a_c_library_prints_is_caught(tmp_path):
    def noisy(path):
        fuzz.os.write(2, b"libpng warning: IDAT: CRC error")
        return path

    with pytest.raises(fuzz.Wrong, match="libpng warning"):
        fuzz.attempt("x", noisy, tmp_path)


def test_the_script_counts_cases_by_family():
    arguments = "--family", "list", "--family", "labels", "--seed", "1", "--seconds", "0.5"
    lines = python(ROOT / "tests" / "fuzz.py", *arguments).stdout.splitlines()
    assert lines[0] == "seed 1"
    assert lines[1].split() == ["accepted", "refused", "wrong"]
    assert [line.split()[0] for line in lines[2:]] == ["list", "labels"]
    assert all(line.split()[-1] == "0" for line in lines[2:])

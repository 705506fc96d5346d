"""The exercises check themselves as they should, and chapters become pages."""

import re
import sys

import check
import numpy as np
import pytest
from check import load
from helpers import ROOT, python

import voc_seg

TUTORIALS = ROOT / "tutorials"
COLOURED = np.count_nonzero(voc_seg.palette())  # entries that are not 0
CHAPTERS = sorted(TUTORIALS.glob("0*.py"))
NAMES = sorted(path.stem for path in (TUTORIALS / "checks").glob("*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_an_untouched_exercise_is_reported_as_not_begun(name):
    assert check.check(name).startswith("not begun: complete the function")


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes(name):
    assert check.check(name, "solutions") is None


@pytest.mark.parametrize("name", NAMES)
def test_each_usual_mistake_gets_its_own_hint(name):
    mistakes = load(TUTORIALS / "checks" / f"{name}.py").MISTAKES
    hints = [hint for _, hint in mistakes]
    assert len(set(hints)) == len(hints) >= 2
    for wrong, hint in mistakes:
        answer = check.check(name, wrong)
        assert answer is not None, f"{wrong.__name__} passes"
        assert answer.endswith(hint), f"{wrong.__name__}: {answer}"


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_says_what_and_why(name):
    module = load(TUTORIALS / "exercises" / f"{name}.py")
    assert re.match(r"Chapter [1-8]: ", module.__doc__)
    assert "Why: " in module.__doc__
    assert "Returns:" in getattr(module, name).__doc__


def test_every_exercise_belongs_to_one_chapter_and_has_its_three_files():
    text = "\n".join(path.read_text(encoding="utf-8") for path in CHAPTERS)
    asked = re.findall(r"check\.py (\w+)`", text)
    for folder in ("exercises", "checks", "solutions"):
        assert sorted(path.stem for path in (TUTORIALS / folder).glob("*.py")) == sorted(asked)
    assert len(CHAPTERS) == 8
    for chapter in CHAPTERS:
        asked = re.findall(r"check\.py (\w+)`", chapter.read_text(encoding="utf-8"))
        assert 3 <= len(asked) <= 5, chapter
        for name in asked:
            doc = load(TUTORIALS / "exercises" / f"{name}.py").__doc__
            assert doc.startswith(f"Chapter {int(chapter.stem[:2])}: ")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_visible_code_is_at_most_78_columns_wide(chapter):
    text = chapter.read_text(encoding="utf-8")
    if 'tags=["figure"]' not in text:
        pytest.skip("the chapter has no cell with the tag `figure` yet")
    hidden = re.compile(r'\[markdown\]|tags=\["(figure|source|see|check|claim)"\]')
    wide, visible = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("# %%"):
            visible = not hidden.search(line)
        line = line.partition("  # fast: ")[0]
        if visible and len(line) > 78 and not line.startswith("# %%"):
            wide.append(f"tutorials/{chapter.name}:{number}: {len(line)} columns: {line}")
    assert not wide, "\n".join(wide)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: None, "returned None"),
        (lambda: 3, "has the shape (), expected (256, 3)"),
        (lambda: "dark red", "expected numbers"),
        (
            lambda: [(0, 0, 0)] * 256,
            f"{COLOURED} of 768 numbers differ; the first is [1, 0]: found 0, expected 128",
        ),
        (lambda: [0] + {}, "TypeError"),
        (lambda x: x, "TypeError"),
    ],
)
def test_a_wrong_answer_is_told_what_came_out(answer, said):
    text = check.check("palette", answer)
    assert text.startswith("Case: all 256 colours.")
    assert said in text


def run_check(*arguments):
    return python(TUTORIALS / "check.py", *arguments, check=False)


def test_the_command_says_what_is_open():
    done = run_check("palette")
    assert done.returncode == 1
    assert done.stdout.strip() == (
        "not begun: complete the function in tutorials/exercises/palette.py"
    )


def test_the_command_names_the_exercises_when_one_does_not_exist():
    done = run_check("colours")
    assert done.returncode == 2
    assert done.stderr.startswith("colours: no such exercise; there are palette, ")


CHAPTER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # 9. A chapter
#
# The void, `void` and void again; $a_1$.

# %% alt="A dot."
import matplotlib.pyplot as plt

EPOCHS = 7  # fast: 1
plt.plot(0, 0, "o")
plt.show()

# %% tags=["figure"] alt="A line."
plt.plot([0, 1])

plt.show()

# %%
import inspect


def twice(x):
    '''Twice a number.'''
    return x + x  # the sum


# %% tags=["source"]
print(inspect.getsource(twice))

# %%
print("Epoch 9/9\\n8/8 - 5s - 596ms/step - loss: 1.8123 - val_mean_iou: 0.1612")

# %% [markdown]
# ??? question "What about void?"
#     It's *void*.

# %% tags=["see"]
print(f"It took {EPOCHS} epochs.")

# %% tags=["check"]
assert EPOCHS in (1, 7)

# %% tags=["claim"]
assert EPOCHS == 7

# %% [markdown]
# ## Exercises
#
# ### 1. The palette
#
# Complete it, then run `python tutorials/check.py palette`.
"""


@pytest.fixture
def build(tmp_path, monkeypatch):
    for tool in ("jupytext", "nbconvert", "mkdocs"):
        pytest.importorskip(tool, reason="the site's tools are not installed; `make docs` does it")
    module = load(TUTORIALS / "build.py")
    monkeypatch.setattr(module, "PAGES", tmp_path / "pages")
    monkeypatch.setattr(module, "CACHE", tmp_path / "cache")
    (tmp_path / "09_chapter.py").write_text(CHAPTER, encoding="utf-8")
    return module


def test_a_chapter_becomes_a_page(build, tmp_path):
    chapter = str(tmp_path / "09_chapter.py")
    build.main([chapter])
    page = (tmp_path / "pages" / "09_chapter.md").read_text(encoding="utf-8")
    assert page.startswith("# 9. A chapter\n")
    assert "[Download this chapter as a notebook](09_chapter.ipynb)" in page
    assert "The [void](../glossary.md#void), `void` and void again; $a_1$." in page
    assert "EPOCHS = 7\n" in page
    assert '!!! success "What you should see"\n\n    It took 7 epochs.' in page
    assert "assert" not in page.split("## Exercises")[0]
    line = page.index("![A line.](")
    code = page.index("    plt.plot([0, 1])\n")
    assert line < page.index('??? figure "How this figure is drawn"\n\n    ```python\n') < code
    assert "\nplt.plot([0, 1])" not in page
    assert 'docstring"\ndef twice(x):\n    return x + x  # the sum\n```' in page
    assert "getsource" not in page
    assert "\nEpoch 9: loss 1.8123, val_mean_iou 0.1612\n```" in page
    assert '??? question "What about void?"\n    It\'s *void*.' in page
    (picture,) = re.findall(r"!\[A dot\.\]\((.*?)\)", page)
    assert (tmp_path / "pages" / picture).read_bytes().startswith(b"\x89PNG")
    assert '??? tip "One solution"' in page
    assert (tmp_path / "pages" / "09_chapter.ipynb").is_file()


@pytest.mark.parametrize("missing", [False, True])
def test_the_first_cell_of_a_notebook_installs_voc_seg_only_if_it_is_missing(
    build, tmp_path, monkeypatch, missing
):
    nbformat = pytest.importorskip("nbformat")
    transform = pytest.importorskip("IPython.core.inputtransformer2").TransformerManager()
    build.main([str(tmp_path / "09_chapter.py")])
    notebook = nbformat.read(tmp_path / "pages" / "09_chapter.ipynb", as_version=4)
    nbformat.validate(notebook)
    cell = notebook.cells[0]
    assert notebook.cells[1].source.startswith("# 9. A chapter")
    assert "%pip" not in (tmp_path / "pages" / "09_chapter.md").read_text(encoding="utf-8")

    class Shell:  # in place of IPython's
        said = ()

        def run_line_magic(self, name, line):
            Shell.said = name, line.format(**names)

    if missing:
        monkeypatch.setitem(sys.modules, "voc_seg", None)  # so that importing it fails
    names = {"get_ipython": Shell}
    exec(transform.transform_cell(cell.source), names)
    wheel = "install --quiet --find-links . ./voc_seg-*.whl"
    assert Shell.said == (("pip", wheel) if missing else ())


def test_an_unchanged_chapter_is_not_run_again_and_a_changed_one_is(build, tmp_path, capsys):
    path = tmp_path / "09_chapter.py"
    build.main([str(path)])
    assert "unchanged" not in capsys.readouterr().out
    build.main([str(path)])
    assert "09_chapter: unchanged" in capsys.readouterr().out
    path.write_text(CHAPTER.replace("took", "needed"), encoding="utf-8")
    build.main([str(path)])
    assert "unchanged" not in capsys.readouterr().out
    page = (tmp_path / "pages" / "09_chapter.md").read_text(encoding="utf-8")
    assert "It needed 7 epochs." in page


def test_the_fast_mode_trains_less_makes_no_claims_and_says_so(build, tmp_path):
    build.main([str(tmp_path / "09_chapter.py"), "--fast"])
    page = (tmp_path / "pages" / "09_chapter.md").read_text(encoding="utf-8")
    assert "It took 1 epochs." in page
    assert "Built in the fast mode" in page
    assert "[Download this chapter as a notebook](09_chapter.ipynb)" in page


def test_a_claim_that_fails_stops_the_build(build, tmp_path):
    path = tmp_path / "09_chapter.py"
    path.write_text(CHAPTER.replace("assert EPOCHS == 7", "assert EPOCHS == 8"), encoding="utf-8")
    with pytest.raises(Exception, match="AssertionError"):
        build.main([str(path)])
    assert not (tmp_path / "pages" / "09_chapter.md").exists()


def test_a_picture_without_alternative_text_is_refused(build, tmp_path):
    path = tmp_path / "09_chapter.py"
    path.write_text(CHAPTER.replace(' alt="A dot."', ""), encoding="utf-8")
    with pytest.raises(ValueError, match="has no alt"):
        build.main([str(path)])

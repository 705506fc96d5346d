"""The exercises check themselves as they should, and chapters become pages."""

import base64
import json
import os
import re
import shutil
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
    result = check.check(name)
    assert result["status"] == "untouched"
    assert result["message"].startswith("not begun: complete the function")


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes(name):
    result = check.check(name, TUTORIALS / "solutions")
    assert result["status"] == "right", result
    assert not result["hint"]


@pytest.mark.parametrize("name", NAMES)
def test_each_usual_mistake_gets_its_own_hint(name):
    mistakes = load(TUTORIALS / "checks" / f"{name}.py").MISTAKES
    hints = [hint for _, hint in mistakes]
    assert len(set(hints)) == len(hints) >= 2
    for wrong, hint in mistakes:
        result = check.check(name, wrong)
        assert result["status"] == "wrong", f"{wrong.__name__}: {result}"
        assert result["hint"] == hint, f"{wrong.__name__}: {result}"


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_says_where_to_read_and_what_it_was_good_for(name):
    checks = load(TUTORIALS / "checks" / f"{name}.py")
    chapter = check.chapters()[name].read_text(encoding="utf-8")
    assert re.search(rf"^# ##+ {re.escape(checks.READ)}$", chapter, flags=re.M)
    assert re.fullmatch(r"[^?!\n]{60,}[^.]\.", checks.GOOD_FOR)
    others = [load(path).GOOD_FOR for path in (TUTORIALS / "checks").glob("*.py")]
    assert others.count(checks.GOOD_FOR) == 1


def test_hints_come_in_stages():
    hint = "Colour 1 is dark red."
    result = check.result("palette", "wrong", "Case: one.", hint, "The palette")
    where = 'Read: chapter 1, "The palette", in tutorials/01_pixels_and_masks.py'
    said = [check.say(result, stage=stage) for stage in (1, 2, 3)]
    assert said[0] == "Case: one."
    assert said[1] == f"Case: one.\nHint: {hint}"
    assert said[2] == f"Case: one.\nHint: {hint}\n{where}"


def test_train_step_is_compared_with_the_gradient_on_paper():
    checks = load(TUTORIALS / "checks" / "train_step.py")
    model, loss_function, optimizer, images, masks = checks.CASES[0][1]()
    kernel, bias = (np.array(w) for w in model.get_weights())
    rate = float(optimizer.learning_rate)
    p = np.exp(images @ kernel[0, 0] + bias)
    p /= p.sum(axis=-1, keepdims=True)  # (B, H, W, C)
    true = np.eye(3)[masks]
    slope = (p - true) / masks.size  # of the mean cross-entropy, with respect to the logits
    found = checks.view(checks.expected(model, loss_function, optimizer, images, masks))
    np.testing.assert_allclose(found["the loss"], -np.log(p[true == 1]).mean(), rtol=1e-5)
    wanted = kernel[0, 0] - rate * np.einsum("bhwi,bhwo->io", images, slope)
    np.testing.assert_allclose(found["probabilities/kernel"][0, 0], wanted, atol=1e-6)
    wanted = bias - rate * slope.sum(axis=(0, 1, 2))
    np.testing.assert_allclose(found["probabilities/bias"], wanted, atol=1e-6)


def test_the_experiment_of_predict_first_agrees_with_arithmetic():
    checks = load(TUTORIALS / "checks" / "predict_first.py")
    for result, size, h, w in ((checks.SQUARE, 100, 60, 60), (checks.POLE, 100, 60, 4)):
        ring = (h + 2) * (w + 2) - h * w
        np.testing.assert_allclose(result, (1 - ring / size**2, h * w / (h * w + ring)))
    assert 1.5 < (1 - 30**2 / 32**2) / (1 - 60**2 / 62**2) < 2.5  # nearer to 2 than to 1 or 4
    assert checks.expected()["times as much"] == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"lower accuracy": "circle"}, "'lower accuracy' has to be one of 'square', 'pole'"),
        ({"lower accuracy": None}, "'lower accuracy' has to be one of 'square', 'pole'"),
        ({"lower accuracy": "square"}, "'lower IoU'"),
        ("square", "not what we asked for"),
    ],
)
def test_a_prediction_that_is_missing_is_named(answer, said):
    result = check.check("predict_first", lambda: answer)
    assert result["status"] == "wrong"
    assert said in result["message"]


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
        assert 4 <= len(asked) <= 5, chapter
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
    text = check.check("palette", answer)["message"]
    assert text.startswith("Case: all 256 colours.")
    assert said in text


@pytest.mark.parametrize(
    ("answer", "right", "said"),
    [
        (4, 4, None),
        (np.int64(4), 4, None),
        (4.0, 4.0, None),
        (4.0, 4, "Your function returned 4.0, a float; expected 4, an int"),
        ({"a": 1.0}, {"a": 1.0}, None),
        ({"a": [1, 2]}, {"a": np.array([1.0, 3.0])}, "a: 1 of 2 numbers differ; the first is [1]"),
        ({"a": 1.0}, {"a": 1.0, "b": 2.0}, "Your answer lacks 'b'."),
        (1.0, {"a": 1.0}, "Your function returned 1, expected a dictionary."),
    ],
)
def test_ints_and_dictionaries_are_compared(answer, right, said):
    found = check.difference(answer, right)
    assert found is None if said is None else found.startswith(said)


def run_check(*arguments):
    return python(TUTORIALS / "check.py", *arguments, check=False)


PALETTE = (TUTORIALS / "solutions" / "palette.py").read_text(encoding="utf-8")
BLACK = "def palette():\n    return [(0, 0, 0)] * 256\n"
ANSWERS = {  # of a learner, by exercise
    "palette": "print('hello')\n" + PALETTE,
    "class_shares": "def class_shares(masks, num_classes):\n    return [0.5] * num_classes\n",
    "nearest_resize": "def nearest_resize(mask, height, width:\n",
    "extract_window": "import os\n\n\ndef extract_window(*arguments):\n    os._exit(0)\n",
    "sampling_weights": "def sampling_weights(mask):\n    raise SystemExit\n",
    "shared_work": "def shared_work(window, rows, columns):\n    while True:\n        pass\n",
}


@pytest.fixture
def answers(tmp_path):
    for name, text in ANSWERS.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


def test_an_answer_may_hang_or_end_the_process(answers, monkeypatch):
    monkeypatch.setattr(check, "SECONDS", 10)
    ask = check.check_elsewhere(answers)
    hung = ask("shared_work")
    assert (hung["status"], hung["name"], hung["chapter"]) == ("error", "shared_work", 2)
    assert "after 10 seconds" in hung["message"]
    ended = ask("extract_window")
    assert (ended["status"], "ended the process" in ended["message"]) == ("error", True)
    assert ask("palette")["status"] == "right"


def test_json_has_an_entry_for_each_exercise_that_was_asked_for(answers):
    names = ["palette", "class_shares", "nearest_resize", "sampling_weights", "pad_to_multiple"]
    done = run_check("--json", "--answers", answers, *names)
    assert done.returncode == 1
    results = json.loads(done.stdout)
    assert [result["name"] for result in results] == names
    assert [result["chapter"] for result in results] == [1, 1, 1, 2, 5]
    statuses = ["right", "wrong", "error", "error", "untouched"]
    assert [result["status"] for result in results] == statuses
    assert "expected" in results[1]["message"] and results[1]["hint"]
    assert "nearest_resize.py cannot be loaded:\n  SyntaxError" in results[2]["message"]
    assert "SystemExit" in results[3]["message"]
    assert results[4]["message"] == f"there is no {answers / 'pad_to_multiple.py'}"
    assert "hello" in done.stderr
    assert run_check("--json", "--answers", answers, "palette").returncode == 0


def test_the_command_gives_hints_when_asked(answers):
    hint = check.check("palette", lambda: [(0, 0, 0)] * 256)["hint"]
    (answers / "palette.py").write_text(BLACK, encoding="utf-8")
    command = ["palette", "--answers", answers]
    said = [run_check(*command, *["--hint"] * times).stdout for times in (0, 1, 2)]
    assert [hint in text for text in said] == [False, True, True]
    assert ["Read: chapter 1" in text for text in said] == [False, False, True]
    assert "--hint" in said[0] and "--hint" not in said[1]


def only(names, monkeypatch):
    """Lets `check` know these exercises only."""
    chapters = check.chapters()
    monkeypatch.setattr(check, "chapters", lambda: {name: chapters[name] for name in names})


def test_watch_checks_on_every_save_and_moves_on(tmp_path, monkeypatch, capsys):
    """Instead of waiting, the learner saves a file; the last time, they press Ctrl-C."""
    only(["palette", "class_shares", "nearest_resize"], monkeypatch)
    for name in check.chapters():
        shutil.copy(TUTORIALS / "exercises" / f"{name}.py", tmp_path)
    saves = [
        ("palette", "def palette(:\n"),
        ("palette", BLACK),
        ("palette", BLACK),
        ("palette", BLACK),
        ("palette", PALETTE),
        ("nearest_resize", (TUTORIALS / "solutions" / "nearest_resize.py").read_text("utf-8")),
    ]
    said = []

    def save(_):
        said.append(capsys.readouterr().out)
        if len(said) > len(saves):
            raise KeyboardInterrupt
        name, text = saves[len(said) - 1]
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        os.utime(path, (0, len(said)))  # no two saves at the same time

    monkeypatch.setattr(check.time, "sleep", save)
    assert check.main(["--watch", "--answers", str(tmp_path)]) == 0
    start, broken, first, second, third, palette, resized = said
    assert "0 of 3 right. Now: palette, chapter 1." in start
    assert "SyntaxError" in broken
    assert "Case: " in first and "Hint: " not in first
    assert "Hint: " in second and "Read: " not in second
    assert "Hint: " in third and "Read: chapter 1" in third
    assert "palette: right. `voc_seg.palette` builds" in palette
    assert "1 of 3 right. Now: class_shares, chapter 1." in palette
    # Another exercise than the one that was proposed may be saved. What is open comes next.
    assert "nearest_resize: right." in resized
    assert "2 of 3 right. Now: class_shares, chapter 1." in resized


def test_watch_ends_when_everything_is_right(monkeypatch, capsys):
    only(["palette"], monkeypatch)
    assert check.main(["--watch", "--answers", str(TUTORIALS / "solutions")]) == 0
    assert capsys.readouterr().out.endswith("All 1 right.\n")


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


def test_a_folder_of_answers_that_does_not_exist_is_named(tmp_path):
    done = run_check("palette", "--answers", tmp_path / "anna")
    assert (done.returncode, done.stderr) == (2, f"{tmp_path / 'anna'}: no such folder\n")


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


def test_a_notebook_carries_the_pictures_of_its_text(build, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    picture = "![A horse.](../journey.png)"
    path = tmp_path / "09_chapter.py"
    path.write_text(CHAPTER.replace("The void,", f"{picture} The void,"), encoding="utf-8")
    build.main([str(path)])
    assert picture in (tmp_path / "pages" / "09_chapter.md").read_text(encoding="utf-8")
    notebook = nbformat.read(tmp_path / "pages" / "09_chapter.ipynb", as_version=4)
    nbformat.validate(notebook)
    cell = notebook.cells[1]
    assert "![A horse.](attachment:journey.png) The void," in cell.source
    data = base64.b64decode(cell.attachments["journey.png"]["image/png"])
    assert data == (ROOT / "docs" / "journey.png").read_bytes()


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

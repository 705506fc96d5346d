"""Checks your answer to an exercise: `python tutorials/check.py NAME`.

Without a name, it lists the exercises and your progress.

Each exercise has three files with its name:

- `exercises/NAME.py`: the function for you to complete.
- `checks/NAME.py`: `CASES`, a list of (description, arguments, hint); `expected(*arguments)`, the
  right answer; `MISTAKES`, a list of (function, hint) with the usual mistakes. If the arguments are
  a function, it is called to make them. If there is a `view(answer)`, it converts an answer before
  it is compared.
- `solutions/NAME.py`: one solution.
"""

import argparse
import copy
import importlib.util
import sys
import traceback
from pathlib import Path

try:
    import numpy as np

    from voc_seg.backend import load_backend
except ModuleNotFoundError as error:
    sys.exit(f"{error}. Activate the environment first: source .venv/bin/activate")

HERE = Path(__file__).resolve().parent


def check(name, answers="exercises"):
    """Checks one exercise.

    Args:
        name: name of the exercise.
        answers: the folder with the answers ("exercises" or "solutions"), or the answer itself, a
            function.

    Returns:
        A text that says what is wrong and gives a hint; None if the answer is right.
    """
    checks = load(HERE / "checks" / f"{name}.py")
    view = getattr(checks, "view", lambda answer: answer)
    function = answers
    if isinstance(answers, str):
        try:
            function = getattr(load(HERE / answers / f"{name}.py"), name)
        except Exception as error:
            return f"tutorials/{answers}/{name}.py cannot be loaded:\n{explain(error)}"
    for what, make, think in checks.CASES:
        right = view(checks.expected(*fresh(make)))
        try:
            with np.errstate(over="raise"):
                answer = function(*fresh(make))
        except NotImplementedError:
            return f"not begun: complete the function in tutorials/exercises/{name}.py"
        except Exception as error:
            return f"Case: {what}.\nYour function raised an error:\n{explain(error)}\n{think}"
        problem = difference(answer, right, view)
        if problem:
            hints = [hint for wrong, hint in checks.MISTAKES if same(wrong, make, answer, view)]
            advice = hints[0] if hints else think
            return f"Case: {what}.\n{problem}\n{advice}"
    return None


def fresh(make):
    """New arguments, so that no call sees what another one changed."""
    return make() if callable(make) else copy.deepcopy(make)


def same(wrong, make, answer, view):
    """Whether a usual mistake gives the same answer as the learner's function did."""
    try:
        with np.errstate(all="ignore"):
            return difference(answer, view(wrong(*fresh(make))), view) is None
    except Exception:
        return False  # some mistakes do not work in every case


def difference(answer, right, view=lambda answer: answer):
    """How an answer differs from the right one, in a sentence; None if they agree.

    Args:
        answer: what the learner's function returned.
        right: the right answer, already converted by `view`.
        view: converts the answer before it is compared.
    """
    if answer is None and right is not None:
        return "Your function returned None: is the `return` missing?"
    try:
        answer = view(answer)
    except Exception as error:
        return f"Your function returned {show(answer)}, which is not what we asked for ({error})."
    if isinstance(right, (str, bool, type(None), list, dict)):
        if type(answer) is type(right) and answer == right:
            return None
        return f"Your function returned {show(answer)}, expected {show(right)}."
    try:
        found, wanted = np.asarray(answer, dtype=float), np.asarray(right, dtype=float)
    except (TypeError, ValueError):
        return f"Your function returned {show(answer)}, expected numbers such as {show(right)}."
    if found.shape != wanted.shape:
        return f"Your answer has the shape {found.shape}, expected {wanted.shape}."
    wrong = ~np.isclose(found, wanted, rtol=1e-4, atol=1e-6, equal_nan=True)
    if not wrong.any():
        return None
    if wanted.ndim == 0:
        return f"Your function returned {show(answer)}, expected {show(right)}."
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"{wrong.sum()} of {wrong.size} numbers differ; the first is {list(place)}: "
        f"found {found[place]:g}, expected {wanted[place]:g}."
    )


def show(value):
    text = f"{value:.6g}" if isinstance(value, (float, np.floating)) else repr(value)
    return text if len(text) <= 200 else text[:200] + " …"


def explain(error):
    """The type and message of an error, and the line of the learner's code that raised it."""
    lines = traceback.extract_tb(error.__traceback__)
    lines = [
        f for f in lines if Path(f.filename).parent in (HERE / "exercises", HERE / "solutions")
    ]
    where = f"  line {lines[-1].lineno}: {lines[-1].line}\n" if lines else ""
    return f"{where}  {type(error).__name__}: {error}"


def load(path):
    """Imports a file by its path, as it is on the disk now."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names():
    """The names of all exercises, in the order in which the chapters ask for them."""
    chapters = sorted(HERE.glob("0*.py"))
    text = "\n".join(path.read_text(encoding="utf-8") for path in chapters)
    found = [path.stem for path in sorted((HERE / "exercises").glob("*.py"))]
    return sorted(found, key=lambda name: text.find(f"check.py {name}`"))


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Check your answers to the exercises.")
    parser.add_argument("name", nargs="?", help="name of an exercise; without it, all are listed")
    name = parser.parse_args(arguments).name
    if name is None:
        load_backend()
        for name in names():
            problem = check(name)
            begun = "open" if (problem or "").startswith("not begun") else "wrong so far"
            print(f"{begun if problem else 'right':14}{name}")
        return 0
    name = Path(name).stem
    if name not in names():
        print(f"{name}: no such exercise; there are {', '.join(names())}", file=sys.stderr)
        return 2
    text = (HERE / "checks" / f"{name}.py").read_text(encoding="utf-8")
    if "keras" in text or "from voc_seg" in text:
        load_backend()  # otherwise the backend prints its messages first
    problem = check(name)
    print(problem or f"{name}: right.")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())

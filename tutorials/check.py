"""Checks your answers to the exercises.

    python tutorials/check.py palette          # checks one exercise
    python tutorials/check.py palette --hint   # gives a hint; --hint --hint says where to read
    python tutorials/check.py --watch          # checks whenever you save, and moves on
    python tutorials/check.py                  # lists all exercises and your progress
    python tutorials/check.py --json           # the same for programs

The exit status is 0 if everything that was checked is right, 1 if not, and 2 if there is no such
exercise.

Each exercise has three files with its name:

- `exercises/NAME.py`: the function for you to complete.
- `checks/NAME.py`: `CASES`, a list of (description, arguments, hint), the smallest first;
  `expected(*arguments)`, the right answer; `MISTAKES`, a list of (function, hint) with the usual
  mistakes; `READ`, the heading of the chapter under which to read; `GOOD_FOR`, a sentence for those
  who have solved it. If the arguments are a function, it is called to make them. If there is a
  `view(answer)`, it converts an answer before it is compared. If there is an `ATOL`, numbers may
  differ by as much as that.
- `solutions/NAME.py`: one solution.
"""

import argparse
import copy
import importlib.util
import json
import multiprocessing
import operator
import os
import re
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

try:
    import numpy as np

    from voc_seg.backend import load_backend
except ModuleNotFoundError as error:
    sys.exit(f"{error}. Activate the environment first: source .venv/bin/activate")

HERE = Path(__file__).resolve().parent
EXERCISES = HERE / "exercises"
SECONDS = 30  # for one check; whatever takes longer hangs
WORDS = {"right": "right", "wrong": "wrong so far", "error": "error", "untouched": "open"}


def check(name, answers=EXERCISES):
    """Checks one exercise.

    Args:
        name: name of the exercise.
        answers: the folder with the answers, or the answer itself, a function.

    Returns:
        Dictionary of texts, and a number for `chapter`: what `--json` prints. `status` is "right",
        "wrong", "error" (the answer cannot be run) or "untouched". `message` says what differs, or
        what the exercise was good for; `hint` what to think about, and `read` where to read.
    """
    checks = load(HERE / "checks" / f"{name}.py")
    status, message, hint = judge(name, checks, answers)
    return result(name, status, message, hint, checks.READ)


def result(name, status, message, hint="", read=""):
    chapter = chapters()[name]
    number = int(chapter.stem[:2])
    if read:
        read = f'chapter {number}, "{read}", in tutorials/{chapter.name}'
    return {
        "name": name,
        "chapter": number,
        "status": status,
        "message": message,
        "hint": hint,
        "read": read,
    }


def judge(name, checks, answers):
    """Checks an answer case by case; returns (status, message, hint)."""
    function, path = answers, None
    if not callable(answers):
        path = answers / f"{name}.py"
        if not path.is_file():
            return "untouched", f"there is no {show_path(path)}", ""
        try:
            module = load(path)
        except (Exception, SystemExit) as error:
            return "error", f"{show_path(path)} cannot be loaded:\n{explain(error, path)}", ""
        if not hasattr(module, name):
            return "error", f"{show_path(path)}: there is no function {name} in it", ""
        function = getattr(module, name)
    view = getattr(checks, "view", lambda answer: answer)
    atol = getattr(checks, "ATOL", 1e-6)
    for what, make, think in checks.CASES:
        right = view(checks.expected(*fresh(make)))
        try:
            given = fresh(make)
            with np.errstate(over="raise"):
                answer = function(*given)
        except NotImplementedError:
            where = show_path(path or EXERCISES / f"{name}.py")
            return "untouched", f"not begun: complete the function in {where}", ""
        except (Exception, SystemExit) as error:
            said = f"Case: {what}.\nYour function raised an error:\n{explain(error, path)}"
            return "error", said, think
        problem = difference(answer, right, view, atol)
        if problem:
            hints = [
                hint for wrong, hint in checks.MISTAKES if same(wrong, make, answer, view, atol)
            ]
            return "wrong", f"Case: {what}.\n{problem}", (hints or [think])[0]
        if not equal(given, fresh(make)):
            said = f"Case: {what}.\nThe answer is right, but your function changed its arguments."
            return (
                "wrong",
                said,
                "The caller may need them again. Work on a copy: `x.copy()`.",
            )
    return "right", checks.GOOD_FOR, ""


def fresh(make):
    """New arguments, so that no call sees what another one changed."""
    return make() if callable(make) else copy.deepcopy(make)


def equal(given, others):
    """Whether arguments are still what they were; models and data sets are not compared."""
    if isinstance(given, (list, tuple)):
        pairs = zip(given, others, strict=False)
        return len(given) == len(others) and all(equal(a, b) for a, b in pairs)
    return not isinstance(given, np.ndarray) or np.array_equal(given, others, equal_nan=True)


def same(wrong, make, answer, view, atol):
    """Whether a usual mistake gives the same answer as the learner's function did."""
    try:
        with np.errstate(all="ignore"):
            return difference(answer, view(wrong(*fresh(make))), view, atol) is None
    except Exception:
        return False  # some mistakes do not work in every case


def difference(answer, right, view=lambda answer: answer, atol=1e-6):
    """How an answer differs from the right one, in a sentence; None if they agree.

    Args:
        answer: what the learner's function returned.
        right: the right answer, already converted by `view`.
        view: converts the answer before it is compared.
        atol: by how much numbers may differ, in addition to one part in ten thousand.
    """
    if answer is None and right is not None:
        return "Your function returned None: is the `return` missing?"
    try:
        answer = view(answer)
    except Exception as error:
        return f"Your function returned {show(answer)}, which is not what we asked for ({error})."
    if isinstance(right, dict):
        if not isinstance(answer, dict):
            return f"Your function returned {show(answer)}, expected a dictionary."
        for key, value in right.items():
            if key not in answer:
                return f"Your answer lacks {key!r}."
            problem = difference(answer[key], value, atol=atol)
            if problem:
                return f"{key}: {problem}"
        return None
    if isinstance(right, (str, bool, type(None), list)):
        if type(answer) is type(right) and answer == right:
            return None
        return f"Your function returned {show(answer)}, expected {show(right)}."
    try:
        found, wanted = np.asarray(answer, dtype=float), np.asarray(right, dtype=float)
    except (TypeError, ValueError):
        return f"Your function returned {show(answer)}, expected numbers such as {show(right)}."
    if found.shape != wanted.shape:
        return f"Your answer has the shape {found.shape}, expected {wanted.shape}."
    wrong = ~np.isclose(found, wanted, rtol=1e-4, atol=atol, equal_nan=True)
    if not wrong.any():
        if isinstance(right, (int, np.integer)):  # sizes and counts are ints
            try:
                operator.index(answer)
            except TypeError:
                said = f"Your function returned {answer!r}, a {type(answer).__name__}"
                return f"{said}; expected {right}, an int (`//` gives one, `/` does not)."
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


def explain(error, path):
    """The type and message of an error, and the line of the learner's file that raised it."""
    lines = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    where = f"  line {lines[-1].lineno}: {lines[-1].line}\n" if lines else ""
    return f"{where}  {type(error).__name__}: {error}"


def show_path(path):
    return str(path.relative_to(HERE.parent) if path.is_relative_to(HERE) else path)


def load(path):
    """Imports a file by its path, as it is on the disk now."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def chapters():
    """{name of an exercise: file of its chapter}, in the order in which the chapters ask."""
    return {
        name: path
        for path in sorted(HERE.glob("0*.py"))
        for name in re.findall(r"check\.py (\w+)`", path.read_text(encoding="utf-8"))
    }


def load_keras(name):
    """Loads Keras if the check needs it; otherwise its backend would print messages first."""
    text = (HERE / "checks" / f"{name}.py").read_text(encoding="utf-8")
    if "keras" in text or "from voc_seg" in text:
        load_backend()


def check_elsewhere(answers=EXERCISES):
    """Makes a function that checks as `check` does, in another process, which may hang or crash.

    The process is kept for the next exercise: loading Keras takes seconds.
    """
    spawn = multiprocessing.get_context("spawn")
    process = connection = None

    def ask(name):
        nonlocal process, connection
        if process is None:
            connection, end = spawn.Pipe()
            process = spawn.Process(target=work, args=(end, answers), daemon=True)
            process.start()
            end.close()  # so that `recv` notices when the process ends
        try:
            connection.send(name)
            connection.recv()  # Keras is loaded, and the time runs
            if connection.poll(SECONDS):
                return connection.recv()
            said = f"stopped after {SECONDS} seconds: is there a loop that never ends?"
        except (EOFError, OSError):
            said = "your file ended the process that ran it"
        process.kill()
        process.join()
        process = None
        return result(name, "error", said)

    return ask


def work(connection, answers):
    """The other process: checks the exercises whose names arrive."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    os.dup2(2, 1)  # what an exercise prints must not get into the JSON
    while True:
        try:
            name = connection.recv()
        except EOFError:
            return
        load_keras(name)
        connection.send("ready")
        connection.send(check(name, answers))


def say(result, stage=1):
    """What to tell the learner: in stage 1 what differs, in 2 also a hint, in 3 where to read."""
    if result["status"] == "right":
        return f"{result['name']}: right. {result['message']}"
    lines = [result["message"]]
    if result["hint"]:
        lines += [f"Hint: {result['hint']}"] if stage > 1 else []
        lines += [f"Read: {result['read']}"] if stage > 2 else []
    return "\n".join(lines)


def watch(name, answers):
    """Checks an exercise whenever it is saved, and moves on when it is right."""
    ask = check_elsewhere(answers)
    names = list(chapters())
    times = saved(names, answers)
    print(f"Checking all {len(names)} exercises once ...", flush=True)
    results = {name: ask(name) for name in names}
    tries = Counter()  # wrong answers; each gets a stage more of the hints
    name = name or following(names, results)
    while name:
        right = sum(result["status"] == "right" for result in results.values())
        print(f"\n{right} of {len(names)} right. Now: {name}, chapter {results[name]['chapter']}.")
        print(f"Save {show_path(answers / f'{name}.py')} to check it; Ctrl-C ends.", flush=True)
        if results[name]["status"] in ("wrong", "error"):
            print(say(results[name], stage=tries[name]), flush=True)
        changed = []
        while not changed:
            time.sleep(0.3)
            before, times = times, saved(names, answers)
            changed = [name for name in names if times[name] not in (None, before[name])]
        for name in changed:
            results[name] = ask(name)
            tries[name] += bool(results[name]["hint"])
            if results[name]["status"] == "right":
                print(f"\n{say(results[name])}", flush=True)
        if results[name]["status"] == "right":
            name = following(names, results, name)
    print(f"\nAll {len(names)} right.")


def following(names, results, name=None):
    """The next exercise that is not right; after the last chapter, the first again. Or None."""
    first = names.index(name) + 1 if name else 0
    turned = names[first:] + names[:first]
    return next((name for name in turned if results[name]["status"] != "right"), None)


def saved(names, answers):
    """{name: when its file was saved}; None while an editor replaces it."""
    times = {}
    for name in names:
        try:
            times[name] = (answers / f"{name}.py").stat().st_mtime_ns
        except FileNotFoundError:
            times[name] = None
    return times


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Check your answers to the exercises.")
    parser.add_argument("names", nargs="*", help="exercises; without one, all are listed")
    parser.add_argument(
        "--hint", action="count", default=0, help="a hint; given twice, also where to read"
    )
    parser.add_argument("--watch", action="store_true", help="check on every save, and move on")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument(
        "--answers", type=Path, default=EXERCISES, help="another folder with the answers"
    )
    options = parser.parse_args(arguments)
    answers = options.answers.resolve()
    names = [Path(name).stem for name in options.names]
    for name in names:
        if name not in chapters():
            print(f"{name}: no such exercise; there are {', '.join(chapters())}", file=sys.stderr)
            return 2
    if not answers.is_dir():
        print(f"{options.answers}: no such folder", file=sys.stderr)
        return 2
    if options.watch:
        try:
            watch(names[0] if names else None, answers)
        except KeyboardInterrupt:
            print()
        return 0

    if len(names) == 1 and not options.json:  # in this process, where `breakpoint()` works
        load_keras(names[0])
        result = check(names[0], answers)
        print(say(result, stage=1 + options.hint))
        if result["hint"] and not options.hint:
            print("(For a hint, add --hint.)")
        return 0 if result["status"] == "right" else 1

    ask = check_elsewhere(answers)
    results = []
    for name in names or chapters():
        results.append(ask(name))
        if not options.json:
            print(f"{WORDS[results[-1]['status']]:14}{name}", flush=True)
    right = sum(result["status"] == "right" for result in results)
    print(json.dumps(results, indent=2) if options.json else f"{right} of {len(results)} right")
    return 0 if right == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())

"""The README's code runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_python_samples_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    samples = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.M)
    assert len(samples) == 3
    names = {}
    for sample in samples:
        exec(compile(sample, str(README), "exec"), names)
    assert (tmp_path / "runs/readme/best.keras").is_file()

"""Run by `.ci/run` outside the repository, where only the wheel is installed.

Imports every public name, and reports where the package is.
"""

from importlib.resources import files
from pathlib import Path

import voc_seg
from voc_seg import plots

assert "site-packages" in Path(voc_seg.__file__).parts, voc_seg.__file__
for name in voc_seg.__all__:
    assert getattr(voc_seg, name) is not None, name
assert plots.plot_iou and files("voc_seg").joinpath("py.typed").is_file()
print(f"voc_seg {voc_seg.__version__}: {len(voc_seg.__all__)} public names from {voc_seg.__file__}")

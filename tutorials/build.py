"""Runs the chapters and turns them into pages of the site: `python tutorials/build.py [--fast]`.

A chapter is a plain Python file in percent format. Jupytext turns it into a notebook, nbclient runs
the notebook, and nbconvert writes it to `docs/tutorials` as Markdown. If neither the chapter nor
the library has changed, the last run is used again.

A chapter controls its page with the tags and the metadata of its cells:

- `tags=["figure"]`: only draws a picture. The page shows the picture and folds the code under "How
  this figure is drawn". Whatever computes, trains or measures is in a cell before it.
- `tags=["source"]`: shows code of the library with `print(inspect.getsource(build_unet))`. The page
  shows what it prints as Python, without the docstrings, and hides the cell's own code.
- `tags=["see"]`: prints what you should see in the results above, with the numbers of this run. The
  page shows the output and hides the code.
- `tags=["check"]`: asserts that something is correct. The page leaves the cell out.
- `tags=["claim"]`: asserts that a statement about the results is true for this run. The page leaves
  the cell out, and the fast mode does not run it.
- `tags=["live"]`: assigns `live`, a dictionary of the models, arrays and texts that the chapter's
  live figures need. The build writes it to `docs/live/chapters`, see `tutorials/live.py`. Page and
  notebook leave the cell out.
- `live="window" caption="..."`: the cell's picture becomes the still picture of the live figure
  `docs/live/window.js`, with this caption. Readers without JavaScript see both.
- `alt="..."`: describes the cell's picture for readers who cannot see it. Every picture needs one.
- `TRAIN = 1000  # fast: 50`: in the fast mode the value is 50.

Everything else that a cell contains is visible on the page, so it has at most 78 columns. What
Keras prints while it trains becomes one line per epoch. A notebook shows all code and all output.

A question comes before its answer, which the page folds away:

    # ??? question "What will happen to the edges?"
    #     They will be smeared, because ...
"""

import argparse
import ast
import base64
import hashlib
import os
import re
import shutil
import time
from pathlib import Path
from textwrap import dedent, indent

import jupytext
import nbformat
from jinja2 import DictLoader
from markdown.extensions.toc import slugify
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import (
    CoalesceStreamsPreprocessor,
    TagRemovePreprocessor,
)
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "tutorials"
CACHE = ROOT / "runs" / "site"
LIVE = ROOT / "docs" / "live" / "chapters"

# The first cell of a notebook to download. The script and the page do without it.
INSTALL = """\
# On Colab or Kaggle, first upload the wheel: see "Colab and Kaggle" in the how-to pages. Where
# voc_seg is installed already, this cell does nothing.
WHEELS = "."  # the folder that holds the wheel; on Kaggle, your data set: "/kaggle/input/..."
try:
    import voc_seg
except ModuleNotFoundError:
    %pip install --quiet --find-links {WHEELS} {WHEELS}/voc_seg-*.whl"""

TEMPLATE = """
{%- extends 'markdown/index.md.j2' -%}
{%- block stream -%}
{% if 'see' in cell.metadata.tags %}
!!! success "What you should see"

{{ output.text.strip('\\n') | indent }}
{% elif 'source' in cell.metadata.tags %}
```python title="From the library, without the docstring"
{{ output.text | without_docstrings }}
```
{% else %}
```text title="Output"
{{ output.text | one_line_per_epoch }}
```
{% endif %}
{%- endblock -%}
{%- block data_text -%}
```text title="Output"
{{ output.data['text/plain'] }}
```
{%- endblock -%}
{%- block data_png %}
{% set picture -%}
![{{ cell.metadata.alt }}]({{ output.metadata.filenames['image/png'] }})
{%- endset %}
{% if cell.metadata.live %}
<figure data-live="{{ cell.metadata.live }}" markdown>

{{ picture }}

<figcaption markdown>
{{ cell.metadata.caption }}
</figcaption>

</figure>
{% else %}
{{ picture }}
{% endif %}
{% endblock -%}
{%- block codecell -%}
{{ super() }}
{%- if 'figure' in cell.metadata.tags %}
??? figure "How this figure is drawn"

    ```python
{{ cell.source | indent }}
    ```
{% endif %}
{%- endblock -%}
"""


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Run the chapters and write their pages.")
    parser.add_argument("chapters", nargs="*", type=Path, help="chapters to build; default: all")
    parser.add_argument("--fast", action="store_true", help="train less and skip the claims")
    options = parser.parse_args(arguments)
    for path in options.chapters or sorted((ROOT / "tutorials").glob("0*.py")):
        notebook, seconds = run(path.resolve(), options.fast)
        write_page(path.resolve(), notebook, seconds, options.fast)


def run(path, fast):
    """Runs a chapter, or reads its last run from the cache; returns (notebook, seconds)."""
    notebook = jupytext.read(path)
    if fast:
        notebook.cells = [c for c in notebook.cells if "claim" not in c.metadata.get("tags", [])]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        if fast:
            cell.source = re.sub(r"= [^#\n]*?  # fast: (.*)", r"= \1", cell.source)
        cell.source = re.sub(r"  # fast: .*", "", cell.source)
    data = live_data(path, fast)
    live = [cell for cell in code if "live" in cell.metadata.get("tags", [])]
    for cell in live:
        cell.source += "\nfrom tutorials.live import write\n"
        cell.source += f"write({str(data)!r}, live | {{'fast': {fast}}})"
    text = "".join(f"{cell.cell_type}{cell.metadata}{cell.source}" for cell in notebook.cells)
    for file in [Path(__file__).with_name("live.py"), *sorted((ROOT / "voc_seg").rglob("*.py"))]:
        text += file.read_text(encoding="utf-8")
    key = hashlib.sha256(text.encode()).hexdigest()
    cached = CACHE / f"{path.stem}{'-fast' if fast else ''}.ipynb"
    if cached.is_file() and (data.is_file() or not live):
        before = nbformat.read(cached, as_version=4)
        if before.metadata.build["key"] == key:
            print(f"{path.stem}: unchanged")
            return before, before.metadata.build["seconds"]

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    start = time.perf_counter()
    with tqdm(total=len(code), desc=path.stem, unit="cell") as bar:
        NotebookClient(
            notebook,
            timeout=None,
            startup_timeout=300,  # seconds; a busy machine can be slow
            kernel_name="python3",
            resources={"metadata": {"path": str(ROOT)}},
            on_cell_complete=lambda **_: bar.update(),
        ).execute()
    seconds = round(time.perf_counter() - start)
    for cell in code:  # drop progress bars and the backend's messages
        for output in cell.outputs:
            if output.get("name") == "stdout":
                output.text = re.sub(r"^WARNING:tensorflow:.*\n", "", output.text, flags=re.M)
        cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr" and o.get("text", "-")]
    notebook.metadata.build = {"key": key, "seconds": seconds}
    CACHE.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, cached)
    return notebook, seconds


def live_data(path, fast):
    """The script that holds what a chapter's live figures need, as the last run wrote it."""
    return CACHE / f"{path.stem}{'-fast' if fast else ''}" / f"{path.stem}.js"


def write_page(path, notebook, seconds, fast):
    """Writes the page, its pictures and the downloadable notebook to `docs/tutorials`.

    What its live figures need goes to `docs/live/chapters`.
    """
    PAGES.mkdir(parents=True, exist_ok=True)
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    if any("live" in found for found in tags):
        LIVE.mkdir(parents=True, exist_ok=True)
        shutil.copy(live_data(path, fast), LIVE)
    notebook.cells = [
        c for c, found in zip(notebook.cells, tags, strict=True) if "live" not in found
    ]
    install = nbformat.v4.new_code_cell(INSTALL, id="install")
    cells = [install, *map(with_pictures, notebook.cells)]
    download = nbformat.NotebookNode(notebook, cells=cells)
    nbformat.write(download, PAGES / f"{path.stem}.ipynb")
    for cell in notebook.cells:
        pictures = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        if pictures and not cell.metadata.get("alt"):
            raise ValueError(f"{path}: a cell with a picture has no alt:\n{cell.source}")
        for picture in pictures:  # otherwise the page also shows "<Figure size ...>"
            picture.data.pop("text/plain", None)
    prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    link_terms(prose)
    for cell in prose:
        cell.source = add_folds(cell.source)
    exporter = MarkdownExporter(
        extra_loaders=[DictLoader({"page.md.j2": TEMPLATE})],
        template_file="page.md.j2",
        preprocessors=[
            CoalesceStreamsPreprocessor(enabled=True),
            TagRemovePreprocessor(
                enabled=True,
                remove_cell_tags=("check", "claim"),
                remove_input_tags=("see", "source", "figure"),  # a figure's comes after it
            ),
        ],
        filters={
            "without_docstrings": without_docstrings,
            "one_line_per_epoch": one_line_per_epoch,
        },
    )
    resources = {"unique_key": path.stem, "output_files_dir": f"{path.stem}_files"}
    body, resources = exporter.from_notebook_node(notebook, resources)
    shutil.rmtree(PAGES / f"{path.stem}_files", ignore_errors=True)
    for name, data in resources["outputs"].items():
        (PAGES / name).parent.mkdir(exist_ok=True)
        (PAGES / name).write_bytes(data)
    note = f"[Download this chapter as a notebook]({path.stem}.ipynb){{ .md-button }}\n\n"
    if fast:
        note += (
            '!!! warning "Built in the fast mode"\n\n'
            "    The numbers differ from those in the text.\n"
        )
    else:
        note += f"This page was generated by running the chapter ({seconds} s).\n"
    title, rest = body.lstrip().split("\n", 1)
    (PAGES / f"{path.stem}.md").write_text(f"{title}\n\n{note}\n{rest}", encoding="utf-8")


def with_pictures(cell):
    """Puts the pictures that a text shows, such as `../journey.png`, into the notebook's cell."""
    link = r"\]\(\.\./(\w+\.png)\)"
    names = re.findall(link, cell.source) if cell.cell_type == "markdown" else []
    if not names:
        return cell
    files = {name: (ROOT / "docs" / name).read_bytes() for name in names}
    attached = {name: {"image/png": base64.b64encode(files[name]).decode()} for name in names}
    source = re.sub(link, r"](attachment:\1)", cell.source)
    return nbformat.NotebookNode(cell, source=source, attachments=attached)


def without_docstrings(code):
    """Leaves out the docstrings of functions and classes: a page of the reference has them."""
    code = dedent(code.strip("\n"))
    lines = code.split("\n")
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            first, last = node.body[0].lineno - 1, node.body[0].end_lineno
            lines[first:last] = [None] * (last - first)  # the numbers of later lines stay the same
    return "\n".join(line for line in lines if line is not None)


def one_line_per_epoch(text):
    """Shortens what `fit` prints with `verbose=2`, which is wider than a page."""

    def line(match):
        return f"Epoch {match[1] or 1}: " + match[2].replace(": ", " ").replace(" - ", ", ")

    # The only epoch of a run has no first line.
    log = r"^(?:Epoch (\d+)/.*\n)?\d+/\d+ - .*?/step - (.*)"
    return re.sub(log, line, text.strip("\n"), flags=re.M)


def add_folds(text):
    """Adds the function to complete and a solution to each exercise, both folded away."""

    def folds(match):
        name = match[1]
        parts = [match[0]]
        for kind, folder, title in (
            ("example", "exercises", f"The function to complete: tutorials/exercises/{name}.py"),
            ("tip", "solutions", "One solution"),
        ):
            code = (ROOT / "tutorials" / folder / f"{name}.py").read_text(encoding="utf-8")
            code = f"```python\n{code}```"
            parts.append(f'??? {kind} "{title}"\n\n{indent(code, "    ")}')
        return "\n\n".join(parts) + "\n"

    return re.sub(r"^.*check\.py (\w+)`.*$", folds, text, flags=re.M)


def link_terms(cells):
    """Links the first use of each glossary term in a chapter to its entry.

    Headings, the titles of boxes, code, formulas, links and the titles under "Further reading" are
    left alone. A term inside a longer term is not linked either.
    """
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^## (.+)$", glossary, flags=re.M)
    patterns = {term: re.escape(term).replace(r"\ ", r"\s+") for term in terms}
    for term, name in patterns.items():
        longer = [p for t, p in patterns.items() if term.lower() in t.lower() and t != term]
        skip = [r"^(?:#|\?\?\?|!!!).*$", r"`[^`]*`", r"\$[^$]*\$", r"\[[^]]*\]\([^)]*\)", *longer]
        pattern = rf"{'|'.join(skip)}|\b({name})(?:s\b|\b)"
        for cell in cells:
            text = cell.source.partition("## Further reading")[0]
            found = (m for m in re.finditer(pattern, text, re.M | re.I) if m[1])
            match = next(found, None)
            if match:
                link = f"[{match[0]}](../glossary.md#{slugify(term, '-')})"
                cell.source = cell.source[: match.start()] + link + cell.source[match.end() :]
                break


if __name__ == "__main__":
    main()

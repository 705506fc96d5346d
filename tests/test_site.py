"""The built site is complete: nothing from other hosts, every picture described, no broken link.

Skipped if the site has not been built; `.ci/run` builds it first.
"""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from urllib.parse import unquote, urlparse

import pytest
from helpers import ROOT

import voc_seg

SITE = ROOT / "site"
PAGES = sorted(SITE.rglob("*.html"))
CHAPTERS = sorted((ROOT / "docs" / "tutorials").glob("0*.md"))

pytestmark = pytest.mark.skipif(not PAGES, reason="the site is not built; `make docs` does it")


class Page(HTMLParser):
    """Collects what a page loads, what it links to, and the names of its parts."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.anchors, self.pictures = [], [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        if tag == "img":
            self.pictures.append(attributes)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag == "link" and attributes.get("rel") != "canonical":
            self.loads.append(attributes["href"])
        if tag in ("img", "script", "iframe", "source", "video") and attributes.get("src"):
            self.loads.append(attributes["src"])


@pytest.fixture(scope="module")
def pages():
    return {path: Page(path.read_text(encoding="utf-8")) for path in PAGES}


def test_every_chapter_and_every_page_of_the_navigation_is_there(pages):
    names = {path.relative_to(SITE).as_posix() for path in pages}
    chapters = {path: page for path, page in pages.items() if path.match("tutorials/0*.html")}
    assert len(chapters) == 8
    for path, page in chapters.items():
        assert any(link.endswith(f"{path.stem}.ipynb") for link in page.links), path
    assert {"index.html", "results.html", "trouble.html", "cheat_sheet.html"} <= names
    assert {"glossary.html", "howto/export.html"} <= names


def test_nothing_is_loaded_from_another_host(pages):
    for path, page in pages.items():
        hosts = [url for url in page.loads if urlparse(url).netloc]
        assert not hosts, path
    for path in SITE.rglob("*.css"):
        remote = re.findall(
            r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)]*", path.read_text("utf-8")
        )
        assert not remote, path


def test_every_picture_is_described(pages):
    described = 0
    for path, page in pages.items():
        for picture in page.pictures:
            assert len(picture.get("alt") or "") > 10, (path, picture)
            described += 1
    assert described > 20


def test_every_internal_link_leads_somewhere(pages):
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links start at the root
        for link in page.links + page.loads:
            url = urlparse(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), (path, link)
            if url.fragment and target in pages:
                assert unquote(url.fragment) in pages[target].anchors, (path, link)


def test_formulas_are_written_as_mathml(pages):
    texts = {path: path.read_text(encoding="utf-8") for path in pages}
    assert sum("<math " in text for text in texts.values()) > 5
    for path, text in texts.items():
        assert 'class="arithmatex"' not in text, path
        prose = re.sub(r"<(code|script)\b.*?</\1>", "", text, flags=re.DOTALL)
        assert not re.search(r"\\[(\[]", prose), path  # \( and \[ begin a formula


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_nothing_in_a_chapter_is_wider_than_the_page(chapter):
    """At 1280 pixels, a page has room for 81 columns of code. Printed output is wrapped."""
    text = chapter.read_text(encoding="utf-8")
    if "??? figure" not in text:
        pytest.skip("the chapter has no cell with the tag `figure` yet")
    wide, fenced, shown = [], False, False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
            shown = fenced and '"Output"' not in line
        elif shown and len(line) > 78:
            wide.append(f"{chapter.name}:{number}: {len(line)} columns: {line}")
    assert not wide, "\n".join(wide)


def test_each_search_result_is_a_page_and_pages_opened_from_a_file_can_search(pages):
    text = (SITE / "search" / "search_index.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("var __index = "))
    found = {(SITE / urlparse(entry["location"]).path).resolve() for entry in index["docs"]}
    assert SITE / "cheat_sheet.html" in found
    assert {path if path.suffix else path / "index.html" for path in found} <= set(pages)
    for path, page in pages.items():
        assert any(link.endswith("iframe-worker.js") for link in page.loads), path


def test_a_page_opened_from_a_file_finds_what_is_searched_for(tmp_path):
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("there is no Chromium")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
    flags += f" --disable-background-networking --user-data-dir={tmp_path}"
    flags += " --virtual-time-budget=15000 --dump-dom"  # wait until the page has searched
    address = f"{(SITE / 'index.html').as_uri()}?q=checkerboard"
    command = [browser, *flags.split(), address]
    page = Page(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert any(link.endswith("glossary.html#checkerboard") for link in page.links), page.links


def test_every_public_name_is_in_the_reference(pages):
    anchors = set().union(*(p.anchors for path, p in pages.items() if "reference" in path.parts))
    for name in voc_seg.__all__:
        assert f"voc_seg.{name}" in anchors, name

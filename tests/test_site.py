"""The built site is complete: nothing from other hosts, every picture described, no broken link.

Skipped if the site has not been built; `.ci/run` builds it first.
"""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlparse

import pytest
from helpers import ROOT

import voc_seg

SITE = ROOT / "site"
PAGES = sorted(SITE.rglob("*.html"))

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
    chapters = {path: page for path, page in pages.items() if path.parent.match("tutorials/0*")}
    assert len(chapters) == 8
    for path, page in chapters.items():
        assert any(link.endswith(f"{path.parent.name}.ipynb") for link in page.links), path
    assert {"index.html", "results/index.html", "trouble/index.html"} <= names
    assert {"glossary/index.html", "howto/export/index.html"} <= names


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
    texts = [path.read_text(encoding="utf-8") for path in pages]
    assert any("<math " in text for text in texts)
    assert not any('class="arithmatex"' in text for text in texts)


def test_every_public_name_is_in_the_reference(pages):
    anchors = set().union(*(p.anchors for path, p in pages.items() if "reference" in path.parts))
    for name in voc_seg.__all__:
        assert f"voc_seg.{name}" in anchors, name

"""Writes formulas as MathML while the site is built, so that no script has to draw them later."""

import re
from html import unescape

from latex2mathml.converter import convert


def on_page_content(html, **_):
    """Called by mkdocs with the page as HTML: replaces the formulas that arithmatex has marked."""

    def formula(match):
        text = unescape(match[2]).strip()
        inline = text.startswith(r"\(")
        return convert(text[2:-2].strip(), display="inline" if inline else "block")

    return re.sub(r'<(span|div) class="arithmatex">(.*?)</\1>', formula, html, flags=re.S)

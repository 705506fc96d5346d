"""What mkdocs calls for each page while it builds the site."""

import re
from html import unescape

from latex2mathml.converter import convert


def on_page_content(html, **_):
    """Writes formulas as MathML, so that no script has to draw them later: HTML -> HTML."""

    def formula(match):
        text = unescape(match[2]).strip()
        inline = text.startswith(r"\(")
        return convert(text[2:-2].strip(), display="inline" if inline else "block")

    html = re.sub(r'<(span|div) class="arithmatex">(.*?)</\1>', formula, html, flags=re.DOTALL)
    # mkdocstrings puts a dash before what is returned, also where no name or type stands before it.
    return re.sub(r'(<li class="doc-section-item field-body">)\s*–', r"\1", html)


def on_post_page(output, **_):
    """Gives the theme's search dialog the name that screen readers ask for: HTML -> HTML."""
    search = '<div class="md-search" data-md-component="search" role="dialog"'
    return output.replace(search, f'{search} aria-label="Search"')

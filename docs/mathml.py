"""A Markdown extension that writes formulas as MathML, which browsers draw without a script.

It follows `pymdownx.arithmatex` with `generic: true`, which finds the formulas. Because it extends
Markdown and not mkdocs, every program that builds a site from mkdocs.yml runs it.
"""

import re
from html import unescape

from latex2mathml.converter import convert
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor


class Formulas(Postprocessor):
    def run(self, text):
        pattern = r'<(span|div) class="arithmatex">(.*?)</\1>'
        return re.sub(pattern, self.formula, text, flags=re.DOTALL)

    def formula(self, match):
        text = unescape(match[2]).strip()  # in \( and \), or in \[ and \]
        display = "inline" if text.startswith(r"\(") else "block"
        return convert(text[2:-2].strip(), display=display)


class MathML(Extension):
    def extendMarkdown(self, md):
        md.postprocessors.register(Formulas(md), "mathml", priority=0)  # after all others


def makeExtension(**options):
    return MathML(**options)

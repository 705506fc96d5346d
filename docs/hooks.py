"""Functions that mkdocs calls while it builds the site."""

import re
import tomllib
from pathlib import Path


def on_config(config):
    """Makes links to the repository from `[project.urls]` in pyproject.toml, if it has one."""
    pyproject = Path(config.config_file_path).with_name("pyproject.toml")
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    if url := project.get("urls", {}).get("Repository"):
        config.repo_url = url.rstrip("/")
        config.repo_name = project["name"]
        config.edit_uri = "edit/main/docs/"
    return config


def on_page_markdown(markdown, page, config, **_):
    """Puts the clone command in front of `make demo` on the home page: Markdown -> Markdown."""
    if page.is_homepage and config.repo_url:
        clone = f"git clone {config.repo_url} voc_seg\ncd voc_seg\n"
        return re.sub(r"^make demo ", lambda match: clone + match[0], markdown, flags=re.MULTILINE)
    return markdown


def on_pre_page(page, **_):
    """Leads from a chapter's page to the file it is made from, which is not in `docs`."""
    if page.edit_url:
        page.edit_url = re.sub(r"docs/(tutorials/0\w+)\.md$", r"\1.py", page.edit_url)
    return page


def on_page_content(html, **_):
    """Mends what mkdocstrings writes: it puts a dash before a return value without a name."""
    return re.sub(r'(<li class="doc-section-item field-body">)\s*–', r"\1", html)


def on_post_page(output, **_):
    """Mends what the theme writes into every page: HTML -> HTML."""
    # Screen readers ask for the name of the search dialog.
    search = '<div class="md-search" data-md-component="search" role="dialog"'
    output = output.replace(search, f'{search} aria-label="Search"')
    # Without this mark, the theme's script doesn't ask GitHub how many stars the project has.
    return output.replace(' data-md-component="source"', "")

"""Lighthouse judges four kinds of pages of the built site: accessibility and best practices.

It also prints the performance, which depends on the machine and is not asserted. Needs Chromium and
`npm install --prefix .venv-node lighthouse@12`. Without them the test is skipped, but under
BROWSER=required it fails.
"""

import json
import os
import subprocess

import pytest
from conftest import CHROMIUM
from helpers import ROOT

SITE = ROOT / "site"
LIGHTHOUSE = ROOT / ".venv-node/node_modules/.bin/lighthouse"
CATEGORIES = ("accessibility", "best-practices", "performance")
PAGES = ("index", "tutorials/02_sliding_window", "playground", "reference/models")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_accessible_and_follows_best_practices(page, served, tmp_path):
    if not (CHROMIUM and LIGHTHOUSE.is_file() and (SITE / f"{page}.html").is_file()):
        reason = "needs the built site, Chromium and Lighthouse"
        pytest.fail(reason) if os.environ.get("BROWSER") == "required" else pytest.skip(reason)
    report = tmp_path / "report.json"
    command = [LIGHTHOUSE, f"{served(SITE)}{page}.html", "--quiet", "--output=json"]
    command += [f"--output-path={report}", f"--only-categories={','.join(CATEGORIES)}"]
    command += ["--chrome-flags=--headless --no-sandbox --disable-gpu --disable-quic"]
    subprocess.run(command, check=True, env=os.environ | {"CHROME_PATH": CHROMIUM})
    found = json.loads(report.read_text("utf-8"))
    scores = {name: found["categories"][name]["score"] for name in CATEGORIES}
    print(page, scores)
    wrong = [
        f"{audit['title']}: {item['node']['snippet']}"
        for audit in found["audits"].values()
        if audit["score"] == 0
        for item in (audit.get("details") or {}).get("items", [])
        if "node" in item
    ]
    assert scores["accessibility"] >= 0.95, wrong
    assert scores["best-practices"] >= 0.95, wrong

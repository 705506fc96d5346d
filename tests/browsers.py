"""The live figures in Firefox and WebKitGTK, against Chromium: `make browsers`, by hand.

Playwright's own builds of these browsers have to be downloaded; Debian's firefox-esr and
webkit2gtk-driver (with xvfb) don't. Each figure of the built site must be there, over http and
from a file, and its pictures and its status must equal those in Chromium: JavaScript computes
alike everywhere.
"""

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "site"
# Waits for the figures of a page, and returns what each of them shows.
LOOK = """
const figures = [...document.querySelectorAll("[data-live]")];
const ready = () => figures.every((figure) => figure.classList.contains("live-ready"));
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
for (let tries = 0; tries < 300 && !ready(); tries++) await wait(100);
await wait(500);
const sum = (canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((hash, value) => (hash * 31 + value) % 2147483647, 7);
};
return figures.map((figure) => [
  figure.dataset.live,
  figure.classList.contains("live-ready"),
  figure.querySelector(".live-status")?.textContent ?? "",
  [...figure.querySelectorAll("canvas")].filter((c) => c.width > 0).map(sum),
]);
"""


def chromium(addresses):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        for address in addresses:
            page.goto(address)
            yield page.evaluate(f"async () => {{ {LOOK} }}")


def firefox(addresses):
    program = f"""
    import puppeteer from "puppeteer-core";
    const options = {{ browser: "firefox", executablePath: "{shutil.which("firefox-esr")}" }};
    const browser = await puppeteer.launch(options);
    const page = await browser.newPage();
    for (const address of {json.dumps(addresses)}) {{
      await page.goto(address);
      console.log(JSON.stringify(await page.evaluate(async () => {{ {LOOK} }})));
    }}
    await browser.close();
    """
    folder = ROOT / ".venv-node"  # where puppeteer-core is
    script = folder / "firefox.mjs"
    script.write_text(program, encoding="utf-8")
    run = subprocess.run(["node", script], cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"Firefox: {run.stderr}")
    yield from map(json.loads, run.stdout.splitlines())


def webkitgtk(addresses):
    from selenium import webdriver
    from selenium.webdriver.webkitgtk.options import Options
    from selenium.webdriver.webkitgtk.service import Service

    options = Options()
    options.binary_location = str(next(Path("/usr/lib").glob("*/webkit2gtk-*/MiniBrowser")))
    options.add_argument("--automation")
    driver = webdriver.WebKitGTK(options=options, service=Service("/usr/bin/WebKitWebDriver"))
    driver.set_script_timeout(60)
    look = f"const done = arguments[0]; (async () => {{ {LOOK} }})().then(done);"
    for address in addresses:
        driver.get(address)
        yield driver.execute_async_script(look)
    driver.quit()


def main():
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=SITE)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pages = [p for p in sorted(SITE.rglob("*.html")) if "data-live=" in p.read_text("utf-8")]
    if not pages:
        sys.exit("the site is not built; `make docs` does it")
    names = [page.relative_to(SITE).as_posix() for page in pages]
    roots = [f"http://127.0.0.1:{server.server_port}/", SITE.as_uri() + "/"]
    addresses = [root + name for root in roots for name in names]
    expected = list(chromium(addresses))
    failures = 0
    for browser in firefox, webkitgtk:
        for address, wanted, found in zip(addresses, expected, browser(addresses), strict=True):
            same = found == wanted and all(ready for _, ready, *_ in found)
            failures += not same
            print(browser.__name__, address, "as in Chromium" if same else f"{wanted} != {found}")
    sys.exit(f"{failures} pages differ" if failures else 0)


if __name__ == "__main__":
    main()

"""Take the pictures of docs/page.md: every page on the demo's calls, light, dark and narrow.

    python scripts/page_pictures.py demo/warehouse.duckdb

Needs chromium, and an analyzed demo (`make demo`). Pictures are reduced to few colours, so that
none is larger than 150 kB.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Playwright, sync_playwright

TO = Path(__file__).resolve().parents[1] / "docs" / "page"
LARGEST_BYTES = 150_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
CALL = "/call?id=third-call-broadband"
#: Name, address, colour scheme, width and height.
PICTURES = (
    ("call-light", f"{CALL}#t=36.2", "light", 1200, 1500),
    ("call-dark", f"{CALL}#t=36.2", "dark", 1200, 1000),
    ("call-narrow", CALL, "light", 320, 1300),
    ("calls-light", "/calls", "light", 1200, 640),
    ("calls-dark", "/calls?measure=unanswered", "dark", 1200, 480),
    ("calls-narrow", "/calls", "dark", 320, 700),
    ("phrase-light", "/calls?phrase=third+time&days=all", "light", 1200, 560),
    ("people-light", "/people", "light", 1200, 520),
    ("agent-light", "/agent?id=marcus.reed", "light", 1200, 900),
    ("team-dark", "/team?id=north", "dark", 1200, 440),
    ("measures-light", "/measures", "light", 1200, 600),
    ("score-light", "/call/score?id=lost-card&form=conversation", "light", 1200, 700),
)


def take(page: Any, name: str, address: str) -> None:
    """Open a page and keep what is seen of it."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    if address.startswith(CALL):
        page.evaluate("scrollTo(0, 0)")
    path = TO / f"{name}.png"
    page.screenshot(path=path)
    for colours in (128, 64, 32):
        reduced = Image.open(path).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        reduced.save(path, optimize=True)
        if path.stat().st_size <= LARGEST_BYTES:
            return
    raise SystemExit(f"{path}: {path.stat().st_size} bytes, more than {LARGEST_BYTES}")


def main() -> None:
    """Serve the warehouse that is named, and take all pictures."""
    TO.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "warmline", "serve", "--port", "0", "--warehouse", sys.argv[1]]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        sync_playwright() as playwright,
    ):
        assert server.stdout is not None
        found = re.search(r"(http://\S+?)/open\S+", server.stdout.readline())
        assert found, "the server did not say its link"
        try:
            _take_all(playwright, found[1], found[0])
        finally:
            server.terminate()


def _take_all(playwright: Playwright, base: str, link: str) -> None:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
    first = browser.new_context()
    first.new_page().goto(link)
    for name, address, scheme, width, height in PICTURES:
        context = browser.new_context(
            base_url=base,
            storage_state=first.storage_state(),
            color_scheme=scheme,
            viewport={"width": width, "height": height},
        )
        take(context.new_page(), name, address)
        context.close()
    browser.close()


if __name__ == "__main__":
    main()

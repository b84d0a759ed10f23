"""Take the pictures of docs/page.md: every page on the demo's calls, light, dark and narrow.

    python scripts/page_pictures.py demo/warehouse.duckdb

Needs chromium, and an analyzed demo (`make demo`), which is copied first: the pictures show a week
of a quality programme, with a sample, scores, an appeal, coaching, a calibration and a playlist.
Pictures are reduced to few colours, so that none is larger than 150 kB.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

TO = Path(__file__).resolve().parents[1] / "docs" / "page"
LARGEST_BYTES = 150_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
PASSWORD = "a password of pictures"
USERS = {"lead": "lead", "first-reviewer": "reviewer", "second-reviewer": "reviewer"}
CALL = "/call?id=third-call-broadband"
#: Name, address, and the height of the wide and of the narrow picture.
PAGES = (
    ("call", f"{CALL}#t=36.2", 1500, 1300),
    ("calls", "/calls", 640, 900),
    ("feelings", "/feelings", 640, 900),
    ("phrase", "/calls?phrase=third+time&days=all", 640, 800),
    ("work", "/work", 760, 900),
    ("score", "/call/score?id=lost-card&form=quick", 800, 900),
    ("form", "/form?name=quick", 620, 800),
    ("evaluation", "/evaluation?id=1", 800, 900),
    ("people", "/people", 560, 800),
    ("agent", "/agent?id=marcus.reed", 1500, 1300),
    ("team", "/team?id=north", 640, 800),
    ("playlist", "/playlist?id=1", 420, 640),
    ("calibrations", "/calibrations", 520, 800),
    ("calibration", "/calibration?id=1", 760, 900),
    ("report", "/report", 1700, 1300),
    ("measures", "/measures", 700, 900),
)
LOOKS = (("light", "light", 1200), ("dark", "dark", 1200), ("narrow", "light", 320))


def take(page: Any, name: str, address: str) -> None:
    """Open a page and keep what is seen of it."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0)")
    path = TO / f"{name}.png"
    page.screenshot(path=path)
    for colours in (64, 32, 16):
        reduced = Image.open(path).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        reduced.save(path, optimize=True)
        if path.stat().st_size <= LARGEST_BYTES:
            return
    raise SystemExit(f"{path}: {path.stat().st_size} bytes, more than {LARGEST_BYTES}")


@contextmanager
def serving(warehouse: Path) -> Iterator[str]:
    """Serve the warehouse to its users; gives the address."""
    command = [sys.executable, "-m", "warmline", "serve", "--port", "0", "--warehouse"]
    with subprocess.Popen([*command, str(warehouse)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"http://[^\s/]+", server.stdout.readline())
        assert found, "the server did not say its address"
        try:
            yield found[0]
        finally:
            server.terminate()


def logged_in(browser: Browser, base: str, name: str, **look: Any) -> Any:
    """Return a browser in which a user has logged in."""
    context = browser.new_context(base_url=base, **look)
    send(context, base, "/login", name=name, password=PASSWORD)
    return context


def send(context: Any, base: str, path: str, **fields: str) -> str:
    """Send a form as a page of the server does; returns the page that it leads to."""
    headers = {"Origin": base, "Sec-Fetch-Site": "same-origin"}
    answer = context.request.post(f"{base}{path}", form=fields, headers=headers)
    assert answer.ok, f"{path}: {answer.text()}"
    return str(answer.text())


def a_week(browser: Browser, base: str) -> None:
    """Score, appeal, coach and calibrate, so that no page is empty."""
    lead = logged_in(browser, base, "lead")
    first, second = (logged_in(browser, base, f"{name}-reviewer") for name in ("first", "second"))
    question = re.compile(r'name="(\w+)" value="yes"')
    text = lead.request.get(f"{base}/call/score?id=lost-card&form=conversation").text()
    yes = dict.fromkeys(question.findall(text), "yes") | {"form": "conversation", "save": "final"}
    send(first, base, "/call/score", id="third-call-broadband", **yes | {"understood": "no"})
    said = "She says it back to him at 1:02, in her own words."
    send(lead, base, "/evaluation/answer", id="1", step="appealed", text=said)
    send(lead, base, "/sample", n="5", seed="1", days="all")
    begin = {"title": "First round", "form": "conversation", "n": "3", "seed": "2", "days": "all"}
    people = {"person.1": "first-reviewer", "person.2": "second-reviewer"}
    round_page = send(lead, base, "/calibration/begin", **begin, **people)
    for i, name in enumerate(dict.fromkeys(re.findall(r"/call\?id=([\w-]+)", round_page))):
        send(first, base, "/call/score", id=name, **yes | {"greeted": "no" if i else "yes"})
        send(second, base, "/call/score", id=name, **yes | {"next_step": "na" if i == 1 else "yes"})
    agent = {"id": "marcus.reed", "kind": "goal", "due": "2026-12-18"}
    send(lead, base, "/agent/coach", **agent, text="Name the feeling before the next question.")
    page = lead.request.get(f"{base}/agent?id=marcus.reed").text()
    chosen = re.findall(r'name="(clip\.\w+\.\d+)" value="([^"]+)"', page)[:4]
    send(lead, base, "/playlist/add", **dict(chosen), title="Feelings that were left")
    kind, text = "recognition", "Stayed calm, and said what happens next."
    send(lead, base, "/agent/coach", id="marcus.reed", kind=kind, text=text)
    send(lead, base, "/searches", title="Left unanswered", query="measure=unanswered&days=all")


def main() -> None:
    """Serve a copy of the warehouse that is named, and take all pictures."""
    TO.mkdir(exist_ok=True)
    given = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        place = Path(folder) / "demo"
        shutil.copytree(given.parent, place)
        for left in place.glob("*.web.sqlite*"):
            left.unlink()
        warehouse, secret = place / given.name, Path(folder) / "password"
        secret.write_text(PASSWORD)
        for name, role in USERS.items():
            words = ["serve", "user", "add", name, "--role", role, "--password-file", str(secret)]
            command = [sys.executable, "-m", "warmline", *words, "--warehouse", str(warehouse)]
            subprocess.run(command, check=True)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        with serving(warehouse) as base:
            a_week(browser, base)
            for look, scheme, width in LOOKS:
                lead = logged_in(browser, base, "lead", color_scheme=scheme)
                page = lead.new_page()
                for name, address, wide, narrow in PAGES:
                    height = narrow if look == "narrow" else wide
                    page.set_viewport_size({"width": width, "height": height})
                    take(page, f"{name}-{look}", address)
                lead.close()
        browser.close()


if __name__ == "__main__":
    main()

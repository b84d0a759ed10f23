"""The pages in a browser: Debian's chromium, let in to a server as its command starts it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.factories import measured, moment
from support.pages import PASSWORD, audible, publish_calls, told_apart
from support.warehouses import put
from support.week import day
from warmline.analysis import CallAnalysis
from warmline.values import Span
from warmline.web.accounts import Accounts, Role
from warmline.web.store import open_store, store_path

CHROMIUM = Path("/usr/bin/chromium")
#: Elsewhere tests in a browser are skipped, and say so.
needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="no chromium here; scripts/system-packages.sh installs it"
)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--in-process-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@dataclass
class Visitor:
    """A browser that is let in, at this address; `problems` is what it complained of.

    Its pages are windows that `opener` opens: those share a process, and each further process takes
    longer to start than a page to load.
    """

    opener: Any
    base: str
    state: Any
    folder: Path
    problems: list[str] = field(default_factory=list)

    @property
    def context(self) -> Any:
        return self.opener.context

    def page(self, width: int = 1200, height: int = 900) -> Any:
        with self.context.expect_page() as opened:
            self.opener.evaluate("void open('about:blank')")
        page = opened.value
        page.set_viewport_size({"width": width, "height": height})
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._hear)
        return page

    def forget(self) -> None:
        """Close what was opened, and keep nothing but who is logged in."""
        for page in self.context.pages:
            if page != self.opener:
                page.close()
        self.opener.evaluate("localStorage.clear()")
        self.context.clear_cookies()
        self.context.add_cookies(self.state["cookies"])
        self.problems.clear()

    def _hear(self, message: Any) -> None:
        is_refusal = "server responded with a status of 4" in message.text  # asked for by a test
        if message.type == "error" and not is_refusal:
            self.problems.append(message.text)


@contextmanager
def browsing(folder: Path) -> Iterator[Visitor]:
    """Serve two calls that can be heard, and start a browser that an administrator is let in to."""
    from playwright.sync_api import sync_playwright

    publish_calls(folder)
    silent = told_apart(audible(folder, "no-sound", agent_id="bob", started_at=day(3)), -5)
    Path(silent.recording.path).unlink()
    put(folder, _promising(folder), silent)
    accounts = Accounts(open_store(store_path(folder / "w.duckdb")))
    accounts.add("lea", Role.ADMIN, PASSWORD)
    accounts.add("rea", Role.REVIEWER, PASSWORD)
    command = [sys.executable, "-m", "warmline", "serve", "--port", "0", "--warehouse"]
    with (
        subprocess.Popen(
            [*command, str(folder / "w.duckdb")], stdout=subprocess.PIPE, text=True
        ) as process,
        sync_playwright() as playwright,
    ):
        assert process.stdout is not None
        found = re.search(r"log in: (http://\S+)/", process.stdout.readline())
        assert found
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        try:
            yield let_in(browser, found[1], "lea", folder)
        finally:
            browser.close()
            process.terminate()


def _promising(folder: Path) -> CallAnalysis:
    """A call whose agent makes a promise, which speaks for a yes."""
    said = [
        ("B", 0.0, 3.0, "Good morning, this is Bo."),
        ("A", 3.2, 9.0, "I moved house, and the bill went to my old address."),
        ("B", 9.5, 14.0, "I see. I will send you a new one today. It takes two days."),
        ("A", 14.5, 17.0, "Thank you."),
    ]
    promise = moment("commitment", 2, 10.0, 12.0, "I will send you a new one")
    found = measured("commitments", "B", 1.0, evidence=(Span(10.0, 12.0),))
    parts = {"says": said, "cues": [], "quotes": [], "moments": [promise], "metrics": [found]}
    return told_apart(audible(folder, "cat-1", agent_id="bob", started_at=day(2), **parts), -3)


def let_in(browser: Any, base: str, name: str, folder: Path) -> Visitor:
    """Return a browser in which somebody has logged in."""
    page = browser.new_context(base_url=base).new_page()
    page.goto("/work")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/work")
    return Visitor(page, base, page.context.storage_state(), folder)


def until(page: Any, condition: str) -> None:
    """Wait for a condition in the page; the page itself may evaluate no text (CSP)."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within 30 s: {condition}")


def until_played(page: Any, at: float) -> None:
    """Wait until the bar at the foot of the page plays after a second of a call."""
    sound = "document.querySelector('#clip audio')"
    until(page, f"{sound}.currentTime > {at} && !{sound}.paused")

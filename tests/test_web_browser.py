"""The pages in a browser: a morning of listening and checking, and what axe finds wrong.

Debian's chromium is used where it is installed (`scripts/system-packages.sh`); elsewhere these
tests are skipped and say so.
"""

import math
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.factories import call
from support.pages import PASSWORD, publish_calls
from support.warehouses import put
from support.week import day
from warmline.web.accounts import Accounts, Role
from warmline.web.store import open_store, store_path

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="no chromium here; scripts/system-packages.sh installs it"
)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--in-process-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PAGES = (
    "/calls",
    "/calls?queue=none",
    "/calls?sort=-length&days=all",
    "/feelings",
    "/feelings?queue=none",
    "/calls?phrase=worried",
    "/call?id=ann-1",
    "/call?id=broken",
    "/call?id=nobody",
    "/call/score?id=ann-1&form=conversation",
    "/work",
    "/evaluation?id=1",
    "/playlist?id=1",
    "/calibrations",
    "/calibration?id=1",
    "/report",
    "/report?queue=none",
    "/people",
    "/agent?id=ann",
    "/team?id=red",
    "/measures",
    "/audit",
)


@dataclass
class Visitor:
    """A browser that is let in, at this address; `problems` is what it complained of."""

    browser: Any
    base: str
    state: Any
    folder: Path
    problems: list[str] = field(default_factory=list)

    def page(self, scheme: str = "light", width: int = 1200) -> Any:
        context = self.browser.new_context(
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            storage_state=self.state,
            base_url=self.base,
        )
        page = context.new_page()
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._hear)
        return page

    def _hear(self, message: Any) -> None:
        is_refusal = "server responded with a status of 4" in message.text  # asked for by a test
        if message.type == "error" and not is_refusal:
            self.problems.append(message.text)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """The address of a server as its command starts it, whom it asks to log in, its folder."""
    folder = tmp_path_factory.mktemp("browsed")
    publish_calls(folder)
    accounts = Accounts(open_store(store_path(folder / "w.duckdb")))
    accounts.add("lea", Role.ADMIN, PASSWORD)
    accounts.add("rea", Role.REVIEWER, PASSWORD)
    command = [sys.executable, "-m", "warmline", "serve", "--port", "0", "--warehouse"]
    with subprocess.Popen(
        [*command, str(folder / "w.duckdb")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"log in: (http://\S+)/", process.stdout.readline())
        assert found
        try:
            yield found[1], "lea", folder
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def visitor(served: tuple[str, str, Path]) -> Iterator[Visitor]:
    from playwright.sync_api import sync_playwright

    base, name, folder = served
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield Visitor(browser, base, let_in(browser, base, name), folder)
        browser.close()


@pytest.fixture(autouse=True)
def closed(visitor: Visitor) -> Iterator[None]:
    """Whatever a test opens is closed after it: a page that plays on draws sixty times a second."""
    yield
    for context in visitor.browser.contexts:
        context.close()


def let_in(browser: Any, base: str, name: str) -> Any:
    """Return what a browser keeps after somebody has logged in."""
    context = browser.new_context(base_url=base)
    page = context.new_page()
    page.goto("/work")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/work")
    return context.storage_state()


def until(page: Any, condition: str) -> None:
    """Wait for a condition in the page; the page itself may evaluate no text (CSP)."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within 30 s: {condition}")


def test_a_call_is_found_heard_and_checked(visitor: Visitor) -> None:
    page = visitor.page()
    ranges: list[tuple[int, str]] = []
    page.on(
        "response",
        lambda r: "/sound/" in r.url and ranges.append((r.status, r.headers["content-type"])),
    )
    page.goto("/calls")
    page.get_by_text("Only where").click()
    page.get_by_role("link", name="a feeling found was left unanswered").click()
    page.get_by_role("link", name="ann-1", exact=True).click()

    page.locator("#cue-0 .time").first.click()
    until(page, "document.getElementById('sound').currentTime > 3.3")
    assert (206, "audio/wav") in ranges
    assert page.locator("#turn-1").get_attribute("aria-current") == "true"
    page.evaluate("document.getElementById('sound').pause()")

    assert page.get_by_text("never interrupted").is_visible(), "the reason stands in place"
    page.locator("#cue-0 summary").click()
    page.locator("#cue-0").get_by_label("What became of it").select_option("affective")
    page.locator("#cue-0").get_by_label("Why").fill("she did answer")
    page.locator("#cue-0").get_by_role("button", name="Wrong").click()
    page.locator("#cue-0 .verdict.wrong").wait_for()
    assert "she did answer" in page.locator("#cue-0").inner_text()
    told = page.locator("#answered-corrected").inner_text()
    assert "corrected by review 1 of 1" in told, "at once, above"
    page.reload()
    assert "should be felt with the customer" in page.locator("#cue-0").inner_text()

    page.locator("#cue-0 summary").click()
    page.locator("#cue-0").get_by_role("button", name="Wrong").click()
    told = page.locator("#cue-0 [role=alert]").inner_text()
    assert "what it should be" in told and "why it is wrong" in told, "both at once"
    assert page.locator("#cue-0 .verdict.wrong").is_visible(), "the row is left as it was"
    page.locator("#cue-0").get_by_role("button", name="Right").click()
    page.locator("#cue-0 .verdict.right").wait_for()
    assert visitor.problems == []


def test_the_worst_unanswered_feeling_is_heard_in_two_clicks(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/calls")
    page.get_by_role("link", name="The worst unanswered feelings of the last seven days").click()
    first = page.locator("table.feelings tbody tr").first
    assert "I am worried" in first.inner_text() and "ignored" in first.inner_text()
    first.get_by_role("button", name="Play").click()
    until(page, "document.querySelector('#clip audio').currentTime > 2.3")
    assert visitor.problems == []


def test_keys_words_and_links_lead_to_seconds(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/call?id=ann-1#t=14.5")
    until(page, "document.getElementById('sound').currentTime > 14")
    assert page.locator("#turn-3").get_attribute("aria-current") == "true"
    page.keyboard.press("j")
    until(page, "Math.abs(document.getElementById('sound').currentTime - 11.5) < 0.1")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.locator("#letters").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press(">")
    assert page.evaluate("document.getElementById('sound').playbackRate") == 1, "switched off"
    page.get_by_role("button", name="Keys").click()
    page.locator("#letters").check()
    page.keyboard.press("Escape")
    page.keyboard.press(">")
    assert page.evaluate("document.getElementById('sound').playbackRate") == 1.25
    until(page, "document.querySelector('.wave path').getAttribute('d').length > 500")

    word = page.evaluate(
        """() => {
            const node = document.querySelector('#turn-1 .words').firstChild;
            const range = new Range();
            const at = node.data.indexOf('stolen');
            range.setStart(node, at);
            range.setEnd(node, at + 6);
            const box = range.getBoundingClientRect();
            return [box.left + box.width / 2, box.top + box.height / 2];
        }"""
    )
    page.wait_for_load_state("networkidle")
    page.mouse.click(*word)
    until(page, "Math.abs(document.getElementById('sound').currentTime - 8.3) < 0.7")
    until(page, "document.getElementById('sound').paused")
    ends = float(page.locator("#turn-1").get_attribute("data-end"))
    assert ends <= page.evaluate("document.getElementById('sound').currentTime") < ends + 1
    assert page.get_by_text("Stopped at the end of the turn; Space goes on.").is_visible()
    assert visitor.problems == []


def test_a_party_can_be_muted_and_the_other_goes_on(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/call?id=ann-1")
    page.locator("#turn-0 .time").click()
    until(page, "document.getElementById('sound').currentTime > 0.2")
    button = page.get_by_role("button", name="Mute agent")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    at = page.evaluate("document.getElementById('sound').currentTime")
    until(page, f"document.getElementById('sound').currentTime > {at} + 0.5")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert visitor.problems == []


def test_a_comment_and_a_scorecard_are_saved(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/call?id=ann-1#t=9.5")
    page.get_by_label("Comment", exact=True).fill("Asks before she listens")
    page.get_by_role("button", name="Add").click()
    page.locator("#comments .said").wait_for()
    assert page.locator("#comments").inner_text().startswith("0:09 Asks before she listens")
    page.get_by_role("link", name="Score: Conversation").click()
    page.locator("#q-feelings_answered").click()
    page.locator("#q-feelings_answered .evidence .hear-it").first.click()
    until(page, "document.getElementById('sound').currentTime > 3.3")
    assert "/call/score" in page.url and page.locator("#turn-1.now").is_visible()
    *rest, last = page.get_by_label("yes", exact=True).all()
    for choice in rest:
        choice.check()
    page.get_by_role("button", name="Save as final").click()
    assert "1 of 7 left" in page.locator("#so-far").inner_text()
    assert page.evaluate("document.activeElement.name") == last.get_attribute("name"), "it is shown"
    assert rest[0].is_checked(), "what was answered is kept"
    last.check()
    page.get_by_role("button", name="Save as final").click()
    page.wait_for_url("**/evaluation?id=*")
    assert "100%" in page.locator("main").inner_text()
    page.goto("/call?id=ann-1")
    assert "Conversation: 100%" in page.get_by_role("region", name="Scorecards").inner_text()
    assert visitor.problems == []


def test_a_call_is_scored_by_keys_and_what_was_found_is_taken_over(visitor: Visitor) -> None:
    page = replace(visitor, state=let_in(visitor.browser, visitor.base, "rea")).page()
    page.goto("/calls?days=all")
    page.get_by_role("link", name="Score it: bob-1").click()
    page.get_by_role("link", name="Conversation", exact=True).click()
    page.wait_for_url("**/call/score*form=conversation")
    offered = page.locator("fieldset[data-offered]").count()
    questions = page.locator("fieldset[data-weight]").count()
    assert page.locator("input[type=radio]:checked").count() == 0 and 0 < offered < questions
    page.keyboard.press("h")
    until(page, "document.getElementById('sound').currentTime > 0.5")
    until(page, "document.getElementById('sound').paused")
    (stop,) = {
        float(e.get_attribute("data-stop") or 0) for e in page.locator("#q-greeted .hear-it").all()
    }
    assert page.evaluate("document.getElementById('sound').currentTime") < stop + 1.5, "no further"
    page.get_by_role("button", name="Hear what was found").click()
    page.locator(".scrolls a.time").first.click()  # the pointer, then keys
    page.keyboard.press("y")
    assert page.locator("[name=greeted][value=yes]").is_checked()
    page.keyboard.press("2")
    assert page.locator("[name=let_tell][value=no]").is_checked(), "the next one was asked"
    page.get_by_role("button", name="Hear what was found").click()
    until(page, "!document.getElementById('sound').paused")
    until(page, "document.getElementById('sound').paused")
    assert page.evaluate("document.getElementById('sound').currentTime") > 9, "the last of them"
    page.locator("#q-owned").click(position={"x": 5, "y": 5})
    page.get_by_role("button", name="Take over what was found").click()
    assert page.locator("fieldset.asked").get_attribute("id") == "q-identity_checked", "first left"
    page.keyboard.press("h")
    assert page.locator(".told-now").inner_text() == "h plays the first place again", "only one"
    page.evaluate("document.getElementById('sound').pause()")
    page.locator("#q-owned").click(position={"x": 5, "y": 5})
    page.keyboard.press("3")
    assert "always applies" in page.locator(".told-now").inner_text()
    assert page.locator("[name=let_tell][value=no]").is_checked(), "an answer of a person stays"
    taken = page.locator(".badge.taken:visible").count()
    assert taken == page.locator("input[name$='.by'][value=machine]").count() > 0
    first = page.locator("fieldset:has(.badge.taken:visible)").first
    assert f"{taken} of 7 answer" in page.locator(".machines").inner_text()
    first.get_by_role("button", name="Agree").click()
    assert page.locator(".badge.taken:visible").count() == taken - 1, "agreed to, it is one's own"
    while page.locator("fieldset[data-weight]:not(:has(:checked))").count():
        page.keyboard.press("1")
    figure = page.locator("#so-far .figure").inner_text()
    page.get_by_role("button", name="Save as final").click()
    page.wait_for_url("**/evaluation?id=*")
    shown = page.locator("main").inner_text()
    assert figure in shown and shown.count("as the machine found, taken over") == taken - 1
    assert visitor.problems == []


def test_answers_that_are_not_saved_are_not_left_without_a_word(visitor: Visitor) -> None:
    page = visitor.page()
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.goto("/call/score?id=bob-1&form=conversation")
    page.get_by_role("link", name="Calls", exact=True).click()
    page.wait_for_url("**/calls")
    assert asked == [], "nothing was changed"
    page.goto("/call/score?id=bob-1&form=conversation")
    page.get_by_label("yes", exact=True).first.check()
    page.get_by_role("link", name="Calls", exact=True).click()
    until(page, "true")
    assert asked == ["beforeunload"] and "/call/score" in page.url
    page.get_by_role("button", name="Save as final").click()
    page.locator("#so-far .problem").wait_for()
    page.get_by_role("link", name="Calls", exact=True).click()
    assert asked == ["beforeunload"] * 2, "what was refused is not saved"
    page.remove_listener("dialog", stay)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Calls", exact=True).click()
    page.wait_for_url("**/calls")
    assert visitor.problems == []


def test_enter_sends_no_other_answer_than_the_one_that_is_filled_in(visitor: Visitor) -> None:
    page = visitor.page()
    posted: list[str] = []
    page.on("request", lambda r: r.method == "POST" and posted.append(r.url))
    page.goto("/call?id=bob-1")
    page.locator("#cue-0 summary").click()
    page.locator("#cue-0").get_by_label("Why").fill("she was angry")
    page.locator("#cue-0").get_by_label("Why").press("Enter")
    row = page.locator("#m-dead_air_s-call")
    row.locator("summary").click()
    row.get_by_label("Why").fill("music")
    row.get_by_label("Why").press("Enter")
    page.wait_for_load_state("networkidle")
    assert page.locator(".verdict").count() == 0
    page.goto("/call/score?id=bob-1&form=conversation")
    for choice in page.get_by_label("yes", exact=True).all():
        choice.check()
    page.locator("#q-greeted").click(position={"x": 5, "y": 5})
    page.get_by_label("Note").first.fill("well done")
    page.get_by_label("Note").first.press("Enter")
    page.wait_for_load_state("networkidle")
    assert "/call/score" in page.url
    assert [url for url in posted if "played" not in url] == []
    assert visitor.problems == []


def test_what_cannot_be_kept_is_said_by_its_field_and_stays_filled_in(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/call?id=ann-1")
    page.get_by_text("A feeling was missed").click()
    form = page.locator("form:has([value=missed_cue])")
    form.get_by_label("At", exact=True).fill("abc")
    form.get_by_label("The words").fill("my card")
    form.get_by_role("button", name="Note it").click()
    form.get_by_role("alert").wait_for()
    assert form.get_by_role("alert").inner_text() == ("Write the time as 0:11 or 11.2, not 'abc'")
    assert page.evaluate("document.activeElement.name") == "start_s"
    assert form.get_by_label("The words").input_value() == "my card"
    page.goto("/agent?id=ann")
    page.get_by_label("Write").select_option("goal")
    words = page.locator(".coach").get_by_label("In your words")
    words.fill("listen longer")
    page.get_by_role("button", name="Save").click()
    page.locator(".coach").get_by_role("alert").wait_for()
    assert "A goal needs a day" in page.locator(".coach").inner_text()
    assert words.input_value() == "listen longer" and "/agent?id=ann" in page.url
    assert visitor.problems == []


def test_a_clip_is_paused_and_goes_on_where_it_was(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/agent?id=ann")
    button = page.locator(".moments .play").first
    button.click()
    shown = "getComputedStyle(document.querySelector('.moments .play .{}')).display !== 'none'"
    plays, rests = shown.format("hold"), shown.format("go")
    until_played(page, 2.5)
    until(page, f"{plays} && !({rests})")
    button.click()
    until(page, f"document.querySelector('#clip audio').paused && {rests}")
    assert not page.evaluate(plays)
    at = page.evaluate("document.querySelector('#clip audio').currentTime")
    assert page.locator("#clip").is_visible()
    button.click()
    until_played(page, at)
    assert visitor.problems == []


def test_the_next_feeling_is_the_next_one_however_fast_it_is_asked_for(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/call?id=ann-1")
    for seconds, next_s in ((2.2, 13.5), (13.5, math.inf)):
        page.get_by_role("button", name="Next feeling").click()
        at = page.evaluate("document.getElementById('sound').currentTime")
        assert seconds - 0.01 <= at < next_s - 0.01
    page.keyboard.press("p")
    assert page.evaluate("document.getElementById('sound').currentTime") < 13
    assert visitor.problems == []


def until_played(page: Any, at: float) -> None:
    """Wait until the bar at the foot of the page plays after a second of a call."""
    sound = "document.querySelector('#clip audio')"
    until(page, f"{sound}.currentTime > {at} && !{sound}.paused")


def test_a_monday_of_a_lead(visitor: Visitor, tmp_path: Path) -> None:
    """Pick ten calls, hear three moments, score, decide an appeal, coach, print the report."""
    page = visitor.page()
    page.goto("/calls?days=all")
    page.get_by_text("Draw a sample").click()
    page.get_by_label("How many").fill("10")
    page.get_by_role("button", name="Draw").click()
    page.wait_for_url("**/work")
    waiting = page.get_by_role("region", name="Calls to listen to")
    assert waiting.get_by_role("row").count() == 3, "a head, and both calls that were analyzed"

    page.goto("/agent?id=ann")
    page.locator(".moments .play").click()
    until_played(page, 2.5)
    page.goto("/calls?phrase=worried&days=all")
    for moment in page.locator(".hits .play").all():
        moment.click()
        until_played(page, float(moment.get_attribute("data-start")) + 0.3)
        assert moment.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Stop").click()
    assert page.locator("#clip").is_hidden()
    for box in page.locator(".hits input").all():
        box.check()
    page.get_by_label("Its name, if it is new").fill("To hear with Ann")
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/playlist?id=*")
    page.get_by_role("button", name="Play one after the other").click()
    until_played(page, 0.0)
    second = page.locator("[data-clip]").nth(1)
    until(page, "document.querySelectorAll('[data-clip]')[1].ariaPressed === 'true'")
    until_played(page, float(second.get_attribute("data-start")))

    page.goto("/work")
    waiting.get_by_role("link", name="Score it").first.click()
    for choice in page.get_by_label("yes", exact=True).all():
        choice.check()
    page.get_by_label("no", exact=True).first.check()
    page.get_by_role("button", name="Save as final").click()
    page.get_by_label("In your words").fill("The greeting is there, at 0:01")
    page.get_by_role("button", name="Appeal").click()
    page.get_by_text("? appealed").first.wait_for()
    page.goto("/work")
    page.get_by_role("link", name="Quick scorecard: ").first.click()
    page.get_by_label("Why").fill("It is")
    page.get_by_text("Overturn: change answers").click()
    page.get_by_label("yes", exact=True).first.check()
    page.get_by_role("button", name="Overturn with these answers").click()
    page.get_by_text("overturned").first.wait_for()
    assert page.get_by_role("region", name="Versions").get_by_role("listitem").count() == 2

    page.goto("/agent?id=ann")
    page.get_by_label("Write").select_option("goal")
    page.locator(".coach").get_by_label("In your words").fill("Name the feeling first")
    in_a_month = datetime.now(UTC).date() + timedelta(days=30)
    page.get_by_label("Due date, for a goal").fill(str(in_a_month))
    page.get_by_role("button", name="Save").click()
    page.locator(".goals .badge").wait_for()
    assert f"due {in_a_month}" in page.locator(".goals").inner_text()

    take_the_report_along(visitor, page, tmp_path / "report.html")
    assert visitor.problems == []


def take_the_report_along(visitor: Visitor, page: Any, file: Path) -> None:
    """Save it as a file that opens without a network, and print it."""
    page.get_by_role("link", name="Report").click()
    assert page.get_by_role("button", name="One file without personal data").is_disabled()
    assert "a file without names needs 5 calls of " in page.locator("#no-file").inner_text()
    put(visitor.folder, *(call(f"c{i}", agent_id=f"a{i}", started_at=day(17)) for i in range(3)))
    page.goto("/report")
    page.get_by_role("heading", name="Report").wait_for()
    with page.expect_download() as sent:
        page.get_by_role("button", name="One file without personal data").click()
    sent.value.save_as(file)
    alone = visitor.browser.new_context(offline=True).new_page()
    alone.goto(file.as_uri())
    assert "Feelings answered" in alone.locator("body").inner_text()
    assert "ann" not in alone.locator("main, body").inner_text().split()
    page.emulate_media(media="print")
    assert page.get_by_role("heading", name="What customers say").is_visible()
    assert not page.locator(".top").is_visible()
    assert page.pdf()[:5] == b"%PDF-"


@pytest.fixture(scope="module")
def furnished(visitor: Visitor) -> Visitor:
    """An evaluation, a playlist and a calibration are there, so that no page is empty."""
    page = visitor.page()
    page.goto("/calls")
    send = """async (forms) => {
        for (const [path, fields] of forms)
            await fetch(path, { method: "POST", body: new URLSearchParams(fields) });
    }"""
    clip = {"clip.1": "3 9 ann-1", "title": "clips", "playlist": ""}
    score = {"id": "ann-1", "form": "conversation", "save": "draft", "greeted": "yes"}
    begin = {"title": "round", "form": "conversation", "n": "2", "seed": "1", "days": "all"}
    begin |= {"person.1": "lea", "person.2": "rea"}
    forms = [["/playlist/add", clip], ["/call/score", score], ["/calibration/begin", begin]]
    page.evaluate(send, [*forms, ["/calibration/close", {"id": "1"}]])
    return visitor


def test_menus_close_on_escape_and_elsewhere_and_what_has_the_focus_is_seen(
    visitor: Visitor,
) -> None:
    page = visitor.page()
    page.goto("/feelings")
    days, opened = page.locator(".filter summary").first, page.locator(".filter[open]")
    days.click()
    assert opened.count() == 1
    page.keyboard.press("Escape")
    assert opened.count() == 0
    assert page.evaluate("document.activeElement.matches('.filter summary')")
    page.keyboard.press("Enter")
    assert opened.count() == 1
    page.locator("h1").click()
    assert opened.count() == 0
    for _ in range(8):
        page.keyboard.press("Tab")
        width = "parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
        assert page.evaluate(width) >= 3, page.evaluate("document.activeElement.outerHTML")
    assert visitor.problems == []


def test_a_narrow_screen_has_a_menu_of_one_line_and_the_share_beside_the_name(
    visitor: Visitor,
) -> None:
    page = visitor.page(width=320)
    page.goto("/people")
    report = page.get_by_role("link", name="Report", exact=True)
    assert page.locator(".top").bounding_box()["height"] < 60 and not report.is_visible()
    share = page.get_by_role("columnheader", name="Feelings answered").bounding_box()
    assert share["x"] + share["width"] <= 320
    page.locator(".menu summary").click()
    assert report.is_visible()
    page.keyboard.press("Escape")
    assert not report.is_visible()
    page.set_viewport_size({"width": 1200, "height": 900})
    until(page, "document.querySelector('.menu').open")
    assert report.is_visible() and not page.locator(".menu summary").is_visible()


def test_a_page_is_printed_without_what_can_only_be_clicked(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/report?days=all&team=red")
    weeks, removing = page.locator(".weeks table"), page.get_by_text("remove", exact=True)
    ticks = page.locator("input[type=checkbox]")
    assert ticks.count() and ticks.first.is_visible() and removing.is_visible()
    assert not weeks.is_visible()
    page.emulate_media(media="print")
    assert not ticks.first.is_visible() and not removing.is_visible()
    assert weeks.bounding_box()["height"] > 20
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert weeks.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not weeks.is_visible(), "it is as it was"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_on_any_page(furnished: Visitor, scheme: str) -> None:
    """Everything in light; in dark, where only colours differ, their contrast."""
    from axe_playwright_python.sync_playwright import Axe

    page = furnished.page(scheme)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    options = {"runOnly": tags if scheme == "light" else ["color-contrast"]}
    found = []
    for address in PAGES:
        page.goto(address)
        page.evaluate(
            """() => { for (const it of document.querySelectorAll("details")) {
                it.open = true; it.removeAttribute("name"); } }"""
        )
        results = Axe().run(page, options=options).response
        assert any(rule["id"] == "color-contrast" for rule in results["passes"]), "it did look"
        found += [
            f"{address}: {each['id']}: {each['help']}: {node['html'][:150]} {node['target']}"
            for each in results["violations"]
            for node in each["nodes"][:3]
        ]
    assert found == []


def test_no_page_is_wider_than_the_screen(furnished: Visitor) -> None:
    page = furnished.page()
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for address in PAGES:
        page.goto(address)
        for width in (1200, 320):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(over) == 0, (address, width)


def test_the_list_of_calls_fits_a_screen_in_german(visitor: Visitor) -> None:
    context = visitor.browser.new_context(
        locale="de",
        viewport={"width": 1280, "height": 800},
        storage_state=visitor.state,
        base_url=visitor.base,
    )
    page = context.new_page()
    page.goto("/calls?days=all")
    wide = page.locator(".wide").first
    assert wide.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert "Ergebnis" in wide.inner_text(), "a column is not called what a button does"


def test_a_printed_report_keeps_where_in_the_call_a_feeling_is(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/report?days=all")
    page.emulate_media(media="print")
    time = page.locator(".moments [data-clip]").first
    assert time.is_visible() and re.fullmatch(r"\d+:\d\d", time.inner_text().strip())
    assert not time.locator(".sign").is_visible()


def test_a_form_about_a_number_lies_over_the_table(visitor: Visitor) -> None:
    page = visitor.page(width=1280)
    page.goto("/call?id=ann-1")
    row = page.locator("#m-dead_air_s-call")
    before = row.bounding_box()["height"]
    row.locator(".judge summary").click()
    assert row.get_by_label("It should be").is_visible()
    assert row.bounding_box()["height"] == pytest.approx(before, abs=2)


def test_what_stays_in_view_leaves_room_on_a_telephone(visitor: Visitor) -> None:
    page = visitor.page(width=320)
    page.goto("/call/score?id=ann-1&form=conversation")
    assert page.locator(".score-bar").bounding_box()["height"] < 110
    page.goto("/call?id=ann-1")
    shown = """[...document.querySelectorAll('.ticks text')]
        .map(text => text.getBoundingClientRect()).filter(box => box.width)"""
    assert page.evaluate(f"{shown}.every((box, i, all) => !i || box.left >= all[i - 1].right)")

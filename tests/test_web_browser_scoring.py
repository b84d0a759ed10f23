"""Scoring in a browser, and a morning of a lead from a sample to the report."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.browsing import Visitor, let_in, needs_chromium, until, until_played
from support.factories import call
from support.warehouses import put
from support.week import day

pytestmark = needs_chromium


def test_a_call_is_scored_by_keys_and_what_was_found_is_taken_over(visitor: Visitor) -> None:
    rea = let_in(visitor.context.browser, visitor.base, "rea", visitor.folder)
    page = rea.page()
    page.goto("/calls?days=all")
    page.get_by_role("link", name="Score it: bob-1").click()
    page.get_by_role("link", name="Conversation", exact=True).click()
    page.wait_for_url("**/call/score*form=conversation*")
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
    assert page.locator(".told-now").inner_text() == "place 1 of 1 plays"
    page.evaluate("document.getElementById('sound').pause()")
    until(page, "document.querySelector('.told-now').textContent.includes('first place again')")
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
    assert rea.problems == []
    rea.context.close()


def test_what_the_machine_filled_in_is_heard_read_and_agreed_to(visitor: Visitor) -> None:
    page = visitor.page(width=1280, height=720)
    sound = "document.getElementById('sound')"
    page.goto("/call/score?id=cat-1&list=days%3Dall")
    row, filled = page.locator("#q-settled"), page.locator("#filled-in")
    assert page.locator("#so-far").inner_text().split() == ["2", "of", "3", "questions", "left"]
    words = row.locator(".rests").inner_text()
    assert "I moved house" in words, "what was said before it"
    assert "I see. I will send you a new one today. It takes two days." in words
    page.keyboard.press("h")
    until(page, f"{sound}.currentTime > 0.2")
    assert page.locator(".told-now").inner_text() == "place 1 of 1 plays"
    page.keyboard.press("1")
    assert page.locator("fieldset.asked").get_attribute("id") == "q-feelings_answered"
    until(page, f"{sound}.currentTime > 2.5")
    assert not page.evaluate(f"{sound}.paused"), "with h, the next question is heard"
    page.keyboard.press("3")
    assert page.locator("fieldset.asked").get_attribute("id") == "q-settled", (
        "unheard, no one's own"
    )
    page.locator("#q-greeted legend").click()
    agree = row.get_by_role("button", name="Agree")
    before = agree.bounding_box()
    row.locator(".rests .hear-it").click()
    until(page, f"{sound}.currentTime > 9.6")
    assert agree.bounding_box() == before, "nothing moves while something plays"
    assert filled.inner_text().startswith("Filled in by the machine")
    agree.click()
    assert page.evaluate(f"{sound}.paused"), "the sound of a question ends with it"
    assert filled.inner_text() == "You agreed to what the machine filled in."
    assert page.evaluate("document.activeElement.value") == "final"
    page.get_by_role("button", name="Save as final").click()
    page.wait_for_url("**/evaluation?id=*&list=days*")
    assert re.search(r"\d of \d in this list", page.locator("main").inner_text())
    page.get_by_role("link", name="Back to the list").click()
    page.wait_for_url("**/calls?days=all#call-cat-1")
    assert visitor.problems == []


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (320, 640)])
def test_what_gets_the_focus_lies_under_no_bar(visitor: Visitor, width: int, height: int) -> None:
    page = visitor.page(width=width, height=height)
    page.goto("/call/score?id=ann-1&form=conversation")
    covered = """() => {
        const { top, bottom } = document.activeElement.getBoundingClientRect();
        const bars = [...document.querySelectorAll(".player, .score-bar")].filter((bar) =>
            getComputedStyle(bar).position === "sticky" && !bar.contains(document.activeElement));
        const hidden = bars.map((bar) => bar.getBoundingClientRect())
            .some((bar) => bottom > bar.top + 1 && top < bar.bottom - 1);
        return hidden || bottom < 0 || top > innerHeight ? document.activeElement.outerHTML : "";
    }"""
    for _ in range(70):
        page.keyboard.press("Tab")
        assert page.evaluate(covered) == ""


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
    assert "1 of 7 questions left" in page.locator("#so-far").inner_text()
    assert page.evaluate("document.activeElement.name") == last.get_attribute("name"), "it is shown"
    assert rest[0].is_checked(), "what was answered is kept"
    last.check()
    page.get_by_role("button", name="Save as final").click()
    page.wait_for_url("**/evaluation?id=*")
    assert "100%" in page.locator("main").inner_text()
    page.goto("/call?id=ann-1")
    assert "Conversation: 100%" in page.get_by_role("region", name="Scorecards").inner_text()
    assert visitor.problems == []


def test_a_monday_of_a_lead(visitor: Visitor, tmp_path: Path) -> None:
    """Pick ten calls, hear three moments, score, decide an appeal, coach, print the report."""
    page = visitor.page()
    page.goto("/calls?days=all")
    page.get_by_text("Draw a sample").click()
    page.get_by_label("How many").fill("10")
    page.get_by_role("button", name="Draw").click()
    page.wait_for_url("**/work")
    waiting = page.get_by_role("region", name="Calls to listen to")
    assert waiting.get_by_role("row").count() == 5, "a head, and all calls that were analyzed"

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
    page.wait_for_url("**/call/score?*")
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
    assert "A file without names needs 5 calls of " in page.locator("#no-file").inner_text()
    put(visitor.folder, *(call(f"c{i}", agent_id=f"a{i}", started_at=day(17)) for i in range(3)))
    page.goto("/report")
    page.get_by_role("heading", name="Report").wait_for()
    with page.expect_download() as sent:
        page.get_by_role("button", name="One file without personal data").click()
    sent.value.save_as(file)
    alone = visitor.context.browser.new_context(offline=True).new_page()
    alone.goto(file.as_uri())
    assert "Feelings answered" in alone.locator("body").inner_text()
    assert "ann" not in alone.locator("main, body").inner_text().split()
    alone.context.close()
    page.emulate_media(media="print")
    assert page.get_by_role("heading", name="What customers say").is_visible()
    assert not page.locator(".top").is_visible()
    assert page.pdf()[:5] == b"%PDF-"


def test_what_two_places_share_is_heard_once(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/call/score?id=bob-1&form=conversation")
    page.evaluate(
        """() => {
            const places = [...document.querySelectorAll('.hear-it[data-stop]')].slice(0, 2);
            const spans = [[1, 2], [1.5, 3.5]], sound = document.getElementById('sound');
            places.forEach((place, i) => [place.dataset.from, place.dataset.stop] = spans[i]);
            for (const other of document.querySelectorAll('.hear-it[data-stop]'))
                if (!places.includes(other)) other.remove();
            window.begun = [];
            sound.addEventListener('seeking', () => window.begun.push(sound.currentTime));
        }"""
    )
    page.get_by_role("button", name="Hear what was found").click()
    until(page, "!document.getElementById('sound').paused")
    until(page, "document.getElementById('sound').paused")
    first, second = page.evaluate("window.begun.slice(-2)")
    assert abs(first - 1) < 0.2 and 1.9 < second < 3, "and not from 1.5 on"
    assert visitor.problems == []

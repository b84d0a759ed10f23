"""The pages in a browser: calls are found, heard, checked and written about."""

import math
from itertools import pairwise

from support.browsing import Visitor, needs_chromium, until, until_played

pytestmark = needs_chromium


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
    page.evaluate(
        """() => {
            const sound = document.getElementById('sound');
            sound.addEventListener('seeking', () => { sound.dataset.from = sound.currentTime; });
        }"""
    )
    page.mouse.click(*word)
    until(page, "Math.abs(document.getElementById('sound').dataset.from - 8.3) < 0.7")
    until(page, "document.getElementById('sound').paused")
    ends = float(page.locator("#turn-1").get_attribute("data-end"))
    assert ends <= page.evaluate("document.getElementById('sound').currentTime") < ends + 1
    assert page.get_by_text("Stopped at the end of the turn; Space goes on.").is_visible()
    assert visitor.problems == []


def test_what_is_silent_is_skipped(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/call?id=ann-1#t=16.8")  # dead air from 17.0 to 19.5
    page.get_by_label("Skip silence").check()
    heard = page.evaluate(
        """() => new Promise((done) => {
            const sound = document.getElementById('sound'), heard = [];
            const look = () => {
                heard.push([performance.now() / 1000, sound.currentTime]);
                if (sound.currentTime > 19.3) done(heard); else requestAnimationFrame(look);
            };
            sound.play();
            look();
        })"""
    )
    # Where it went furthest ahead of what could have been heard meanwhile, however busy this is.
    looks = [(t - then - (at - now), then, t) for (now, then), (at, t) in pairwise(heard)]
    _, left, reached = max(looks)
    assert 17.0 < left < 18.5 and 19.0 < reached < 19.5, "nobody waits for what is silent"
    assert visitor.problems == []


def test_a_party_can_be_muted_and_the_other_goes_on(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/call?id=ann-1")
    page.locator("#turn-0 .time").click()
    until(page, "document.getElementById('sound').currentTime > 0.2")
    button = page.get_by_role("button", name="Mute agent")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    page.mouse.move(0, 0)
    ink = "getComputedStyle(document.querySelector('[aria-pressed=true]')).color"
    for scheme, ground in (("light", "rgb(246, 247, 249)"), ("dark", "rgb(26, 33, 43)")):
        page.emulate_media(color_scheme=scheme)
        until(page, f"{ink} === '{ground}'")  # the colour of the page, on that of its words
    at = page.evaluate("document.getElementById('sound').currentTime")
    until(page, f"document.getElementById('sound').currentTime > {at} + 0.5")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
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

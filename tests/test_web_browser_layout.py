"""What a browser shows: on small screens, in print, to the keyboard, and what axe finds wrong."""

import re
from typing import Any

import pytest

from support.browsing import Visitor, needs_chromium, until

pytestmark = needs_chromium
PAGES = (
    "/calls",
    "/calls?queue=none",
    "/calls?sort=-length&days=all",
    "/feelings",
    "/feelings?queue=none",
    "/calls?phrase=worried",
    "/call?id=ann-1&list=days%3Dall",
    "/call?id=broken",
    "/call?id=nobody",
    "/call/score?id=ann-1&form=conversation",
    "/call/score?id=cat-1&list=days%3Dall",
    "/call/score?id=no-sound",
    "/work",
    "/form?name=quick",
    "/evaluation?id=1",
    "/playlist?id=1",
    "/calibrations",
    "/calibration?id=1",
    "/report",
    "/report?queue=none",
    "/people",
    "/agent?id=ann",
    "/agent?id=bob",
    "/team?id=red",
    "/measures",
    "/audit",
)


@pytest.fixture(scope="module")
def furnished(browsed: Visitor) -> None:
    """An evaluation, a playlist and a calibration are there, so that no page is empty."""
    page = browsed.page()
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
    browsed.forget()


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


@pytest.mark.usefixtures("furnished")
def test_every_page_fits_the_screen_and_axe_finds_nothing_wrong(visitor: Visitor) -> None:
    """Everything in light; in dark, where only colours differ, their contrast."""
    page = visitor.page()
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    wider, found = [], []
    for address in PAGES:
        page.goto(address)
        for width in (320, 1200):
            page.set_viewport_size({"width": width, "height": 900})
            if page.evaluate(over) != 0:
                wider.append((address, width))
        page.evaluate(
            """() => { for (const it of document.querySelectorAll("details")) {
                it.open = true; it.removeAttribute("name"); } }"""
        )
        for scheme, rules in (("dark", ["color-contrast"]), ("light", tags)):
            page.emulate_media(color_scheme=scheme)
            page.evaluate("Promise.all(document.getAnimations().map(it => it.finished))")
            found += [f"{address}, {scheme}: {wrong}" for wrong in wrong_for_axe(page, rules)]
    assert wider == []
    assert found == []


def wrong_for_axe(page: Any, rules: list[str]) -> list[str]:
    """Return what these rules find wrong, where colours are among what they look at."""
    from axe_playwright_python.sync_playwright import Axe

    # What is right is not described element by element.
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    results = Axe().run(page, options=options).response
    assert any(rule["id"] == "color-contrast" for rule in results["passes"]), "it did look"
    return [
        f"{each['id']}: {each['help']}: {node['html'][:150]} {node['target']}"
        for each in results["violations"]
        for node in each["nodes"][:3]
    ]


def test_the_list_of_calls_fits_a_screen_in_german(visitor: Visitor) -> None:
    page = visitor.page(1280, 800)
    page.set_extra_http_headers({"Accept-Language": "de"})
    page.goto("/calls?days=all")
    wide = page.locator(".wide").first
    assert wide.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert "Ergebnis" in wide.inner_text(), "a column is not called what a button does"


def test_a_printed_report_keeps_where_in_the_call_a_feeling_is(visitor: Visitor) -> None:
    page = visitor.page()
    page.goto("/report?days=all")
    page.emulate_media(media="print")
    time = page.locator(".moments [data-clip]").first
    assert time.is_visible() and re.fullmatch(r"from \d+:\d\d", time.inner_text().strip())
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

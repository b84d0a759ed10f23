"""The pages that list calls, feelings left unanswered, and what somebody said."""

import csv
import html
import io
import re
import zipfile
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from support.factories import call, cue
from support.pages import BASE, FROM_HERE, PASSWORD, SAYS, Served, log_in, serving, text_of
from support.warehouses import put
from support.week import day
from warmline.analysis import rate
from warmline.web import filters, listing
from warmline.web.accounts import Role
from warmline.web.evidence import is_overruled
from warmline.web.scorecards import forms
from warmline.web.site import marked
from warmline.web.store import audit


def test_the_worst_unanswered_feelings_are_one_click_from_the_first_page(served: Served) -> None:
    lead, ann = served.logged_in(Role.LEAD), served.logged_in(Role.AGENT, "ann", "ann")
    assert '<a href="/feelings">' in lead.get("/calls").text
    page = lead.get("/feelings").text
    assert "ann-1" in page and "bob-1" in page and "I am worried" in page
    assert "you are not listening" not in page, "no agent turn followed, so nobody left it"
    assert "Not in these days: 1 call without a date. All days" in text_of(lead.get("/calls"))
    named = text_of(lead.get("/calls?phrase=Ann-1"))
    assert "1 call of that name ann-1 2026-11-16" in named
    assert named.index("call of that name") < named.index("Queue"), "above filters and results"
    assert "No call is left" not in named and "Nobody said “Ann-1” in the calls" in named
    own = ann.get("/feelings").text
    assert "ann-1" in own and "bob-1" not in own
    assert "bob-1" not in lead.get("/feelings?agent=ann").text
    assert 'aria-sort="descending"><a href="/feelings' in lead.get("/feelings?order=newest").text
    assert "There are no calls in these days" in lead.get("/feelings?queue=none").text
    wrong = {"id": "ann-1", "start_s": "3.2", "verdict": "wrong", "reason": "she did"}
    lead.post("/call/review-cue", data=wrong | {"answer": "affective"}, headers=FROM_HERE)
    told = "▽ ignored ✗ 1 listener says this is wrong (lead); should be felt with the customer “"
    assert text_of(lead.get("/feelings")).count(told) == 1, "before the agent's words"
    order = re.findall(r'data-call="([\w-]+)"', lead.get("/feelings").text)
    assert order[-1] == "ann-1" and "bob-1" in order, "what is wrong stands at the end"
    researcher = served.logged_in(Role.RESEARCHER).get("/feelings").text
    assert ">ann<" not in researcher and "data-clip " not in researcher


@pytest.mark.parametrize(
    ("verdict", "should_be", "is_last"),
    [
        ("wrong", "no_cue", True),
        ("wrong", "affective", True),
        ("wrong", "anger_frustration+cognitive", True),
        ("wrong", "ignored, no_answer", True),
        ("wrong", None, True),
        ("wrong", "anger_frustration", False),
        ("wrong", "anger_frustration+dismissed, problem_solved_only", False),
        ("disputed", "affective", False),
        ("right", None, False),
    ],
)
def test_a_feeling_by_another_name_is_still_unanswered(
    verdict: str, should_be: str | None, is_last: bool
) -> None:
    assert is_overruled({"verdict": verdict, "should_be": should_be}) is is_last


def test_the_days_that_a_list_begins_with_are_those_of_the_calls_it_shows(tmp_path: Path) -> None:
    """Simulated calls have dates; real ones may have none, or older ones."""
    felt = [cue(1, 3.2, 5.0, "I am worried", answer="ignored")]
    given = {"says": SAYS, "cues": felt, "duration_s": 20.0}
    played = {"is_simulated": True, "started_at": day(16), "path": "/calls/p.wav"}
    put(
        tmp_path,
        call("bare", path="/calls/b.wav", agent_id="ann", started_at=None, **given),
        call("played", agent_id="ben", **played, **given),
    )
    with serving(tmp_path) as served:
        lead, ann = served.logged_in(Role.LEAD), served.logged_in(Role.AGENT, "ann", "ann")
        for page in (lead, ann):
            shown = page.get("/calls").text, page.get("/feelings").text
            assert all("id=bare" in each and "have no date to count" in each for each in shown)
        assert "the last seven days, " not in shown[1]
        assert "id=bare" in lead.get("/report").text
        both = re.search(r'href="([^"]+)">Both', lead.get("/calls").text)
        assert both and "days" not in both[1] and "from" not in both[1]
        shown_both = text_of(lead.get(html.unescape(both[1])))
        assert "played" in shown_both and "Not in these days: 1 call without a date." in shown_both
        assert "played" in text_of(lead.get("/feelings")), "both are kept, on other lists, too"
        report = lead.get("/report").text
        assert "id=bare" in report, "a report is of real calls"
        number = re.search(r'href="(/calls\?[^"]+)" title="The calls of this number"', report)
        assert number and "played" not in text_of(lead.get(html.unescape(number[1])))
        assert "played" in text_of(lead.get("/calls")), "a link to a number's calls chooses nothing"
        real = re.search(r'href="([^"]+)">Real ones only', lead.get("/calls").text)
        assert real and "played" not in text_of(lead.get(html.unescape(real[1])))
        assert "played" not in text_of(lead.get("/calls")), "until the real ones are chosen"
        instead = re.search(r'href="([^"]+)">Show these instead', report)
        assert instead and "nobody said any of this" in lead.get(html.unescape(instead[1])).text
        assert lead.get("/people").status_code == 200
        kept = lead.get("/report").text
        assert "nobody said any of this" in kept, "who comes back to the report finds the same"
        assert "played" not in text_of(lead.get("/calls")), "which lists do not follow"
        back = re.search(r'href="([^"]+)">Show the real ones', kept)
        assert back and lead.get(html.unescape(back[1])).status_code == 200
        assert "nobody said any of this" not in lead.get("/report").text
        for days in ("", "&days=all"):
            menus = [lead.get(f"/calls?simulated={kind}{days}").text for kind in "01"]
            assert ["agent=ben" in menu for menu in menus] == [False, True], "those that are shown"
        none = text_of(lead.get("/feelings?from=2020-01-01&to=2020-01-07"))
        assert "There are no calls in these days" in none and "No feeling was left" not in none


def test_the_strongest_feeling_comes_first_and_of_equals_the_dismissed_one(tmp_path: Path) -> None:
    def with_cue(name: str, strength: float, answer: str, at: int) -> Any:
        felt = replace(cue(1, 3.2, 5.0, f"said in {name}", answer=answer), strength=strength)
        path = f"/calls/{name}.wav"
        return call(name, path=path, says=SAYS, cues=[felt], started_at=day(at), duration_s=20.0)

    put(
        tmp_path,
        with_cue("solved", 0.9, "problem_solved_only", 16),
        with_cue("ignored", 0.9, "ignored", 15),
        with_cue("dismissed", 0.9, "dismissed", 14),
        with_cue("strong", 0.95, "ignored", 13),
        with_cue("heard", 1.0, "affective", 16),
        with_cue("old", 1.0, "ignored", 3),
    )
    with serving(tmp_path) as served:
        page = served.alone()
        order = re.findall(r"“said in (\w+)”", page.get("/feelings").text)
        assert order == ["strong", "dismissed", "ignored", "solved"], "of the last seven days"
        assert re.findall(r"“said in (\w+)”", page.get("/feelings?days=all").text)[0] == "old"
        newest = page.get("/feelings?order=newest").text
        assert re.findall(r"“said in (\w+)”", newest)[0] == "solved"


def test_how_sure_the_machine_is_stands_beside_a_feeling(tmp_path: Path) -> None:
    def with_cue(name: str, probability: float | None) -> Any:
        felt = replace(cue(1, 3.2, 5.0, "no", answer="ignored"), probability=probability)
        return call(name, path=f"/calls/{name}.wav", says=SAYS, cues=[felt], duration_s=20.0)

    put(tmp_path, with_cue("sure", 0.93), with_cue("unsure", 0.17), with_cue("unread", None))
    with serving(tmp_path) as served:
        page = served.alone().get("/feelings?days=all").text
    for name, told in (("sure", "93% sure"), ("unsure", "? only 17% sure"), ("unread", "not read")):
        (row,) = (r for r in page.split("<tr>") if f"id={name}#" in r)
        assert told in row, name


def test_a_list_is_sorted_by_its_headings_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_ROWS", 2)
    lengths = {"a": 30.0, "b": 90.0, "c": 60.0, "d": 60.0, "e": 10.0}
    put(
        tmp_path,
        *(
            call(name, path=f"/calls/{name}.wav", duration_s=length, started_at=day(16))
            for name, length in lengths.items()
        ),
    )
    with serving(tmp_path) as served:
        page = served.alone()

        def walked(address: str) -> list[str]:
            found = []
            while address:
                text = page.get(address).text
                found += re.findall(r'<th scope="row"><a href="/call\?id=(\w)[&"]', text)
                more = re.search(r'role="button" class="secondary" href="([^"]+)"', text)
                address = html.unescape(more[1]) if more else ""
            return found

        first = page.get("/calls").text
        assert 'aria-sort="descending"' in first and "sort=-length" in first
        assert walked("/calls?sort=-length") == ["b", "d", "c", "a", "e"]
        assert walked("/calls?sort=length") == ["e", "a", "d", "c", "b"]
        assert sorted(walked("/calls?sort=answered")) == list("abcde"), "none has a rate"
        refused = page.get("/calls?sort=mood")
        assert refused.status_code == 422 and "sort: one of began, length" in refused.text


OTHERS = ("", "days=all", "from=2026-11-16", "to=2026-11-16", "agent=ann", "team=red")
SORTS = [way + name for name in filters.SORTS for way in ("", "-")]
CHOSEN = ("", *filters.MEASURES)
SIMULATED = ("", "0", "1")


def test_every_filter_and_order_can_be_asked_for_with_every_other(reading: Any) -> None:
    """Each two of them, but for some measures with some orders."""
    others = (*OTHERS, "queue=cards", "reason=fraud", "phrase=card")
    asked = [
        (
            CHOSEN[(place + 5 * turn) % len(CHOSEN)],
            SORTS[place % len(SORTS)],
            SIMULATED[(place + turn) % len(SIMULATED)],
            other,
        )
        for turn, other in enumerate(others)
        for place in range(max(len(CHOSEN), len(SORTS)))
    ]
    kinds = (CHOSEN, SORTS, SIMULATED, others)
    for i, j in combinations(range(len(kinds)), 2):
        met, pairs = len({(each[i], each[j]) for each in asked}), len(kinds[i]) * len(kinds[j])
        assert met == pairs or ((i, j) == (0, 1) and met > 0.75 * pairs)
    for measure, sort, simulated, other in asked:
        address = f"/calls?simulated={simulated}&measure={measure}&sort={sort}&{other}"
        assert reading.get(address).status_code == 200, address
    for simulated in SIMULATED:
        shown = reading.get(f"/calls?sort=-length&measure=unanswered&simulated={simulated}").text
        assert ("call?id=ann-1" in shown) == (simulated != "1"), "none of these is simulated"


def test_a_fault_of_ours_leaves_the_menu_and_quotes_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.logged_in(Role.LEAD)
    monkeypatch.setattr(listing, "_COLUMNS", "my_secret_column")
    client = TestClient(served.app, base_url=BASE, raise_server_exceptions=False)
    log_in(client, "lead", PASSWORD)
    answer = client.get("/calls")
    assert answer.status_code == 500 and "A fault in warmline" in answer.text
    assert '<a href="/work"' in answer.text and "my_secret_column" not in answer.text
    assert "default-src" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_list_begins_with_four_weeks_and_filters_are_links(reading: Any) -> None:
    page = reading.get("/calls").text
    assert page.index("bob-1") < page.index("ann-1"), "newest first"
    assert "days: <strong>" in page
    only = reading.get("/calls", params={"queue": "cards"}).text
    assert "call?id=ann-1" in only and "call?id=bob-1" not in only
    assert "call?id=ann-1" in reading.get("/calls", params={"measure": "unanswered"}).text
    refused = reading.get("/calls", params={"measure": "not-analyzed", "days": "all"}).text
    assert "call?id=broken" in refused
    interrupted = reading.get("/calls", params={"measure": "interrupted"}).text
    assert "call?id=ann-1" in interrupted, "whatever its kind, as the column counts"


def test_days_are_links_too(reading: Any) -> None:
    page = reading.get("/calls").text.replace("&amp;", "&")
    assert 'href="/calls?from=2026-11-17&to=2026-11-17">2026-11-17</a>' in page
    one_day = reading.get("/calls?from=2026-11-17&to=2026-11-17").text
    assert "call?id=bob-1" in one_day and "call?id=ann-1" not in one_day


def test_why_a_filter_leaves_nothing(reading: Any) -> None:
    text = reading.get("/calls", params={"queue": "cards", "agent": "bob"}).text
    assert "No call is left" in text
    assert "without “queue cards”</a>: 1 call" in " ".join(text.split())
    assert "without “agent bob”</a>: 1 call" in " ".join(text.split())


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from": "soon"}, "A day is written 2026-11-20"),
        ({"measure": "charm"}, "measure: one of"),
        ({"after": "x|y"}, "not the key of a row"),
        ({"after": "soon|3"}, "not the key of a row"),
    ],
)
def test_an_address_that_cannot_be_read_is_one_line(reading: Any, query: Any, said: str) -> None:
    answer = reading.get("/calls", params=query)
    assert answer.status_code == 422 and said in answer.text


def test_pages_of_the_list_hold_every_call_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [call(f"c{i}", started_at=day(10 + i // 3)) for i in range(9)]
    put(tmp_path, *calls, call("undated-1", started_at=None), call("undated-2", started_at=None))
    monkeypatch.setattr(listing, "PAGE_ROWS", 2)
    seen: list[str] = []
    with serving(tmp_path) as served:
        browser = served.alone()
        address = "/calls?days=all"
        for _ in range(9):
            text = browser.get(address).text
            links = [part.split('"')[0] for part in text.split('href="')[1:]]
            found = [
                parse_qs(urlsplit(x.replace("&amp;", "&")).query)["id"][0]
                for x in links
                if x.startswith("/call?")
            ]
            seen += found
            following = [x for x in links if "after=" in x]
            if not following:
                break
            address = following[0].replace("&amp;", "&")
    assert sorted(seen) == sorted([f"c{i}" for i in range(9)] + ["undated-1", "undated-2"])


def test_days_that_are_swapped_are_said_and_turned_round(reading: Any) -> None:
    for path in ("/calls", "/report"):
        page = reading.get(path, params={"from": "2026-11-20", "to": "2026-11-10"}).text
        assert "The first day is after the last one" in page
        assert f'href="{path}?from=2026-11-10&amp;to=2026-11-20"' in page
        right = reading.get(path, params={"from": "2026-11-10", "to": "2026-11-20"}).text
        assert "The first day is after" not in right


def test_who_said_just_the_phrase_comes_first_and_its_words_are_marked(tmp_path: Path) -> None:
    said = {"near": "sorry about that", "just": "well then I am so sorry about it"}
    calls = [
        call(name, says=[("B", 0.0, 3.0, text)], is_simulated=name == "just")
        for name, text in said.items()
    ]
    put(tmp_path, *calls)
    with serving(tmp_path) as served:
        page = (
            served.alone()
            .get("/calls", params={"phrase": "so sorry", "days": "all", "simulated": "all"})
            .text
        )
    places = [page.index(f"<strong>{name}</strong>") for name in ("just", "near") if name in page]
    assert places == sorted(places)
    assert "I am <mark>so</mark> <mark>sorry</mark> about it" in page
    assert "simulated" in page[places[0] :].partition("</li>")[0]
    assert marked("So, <i>", "so i") == [("So", True), (", <", False), ("i", True), (">", False)]


@pytest.mark.parametrize("asked", [{"queue": "cards"}, {"measure": "unanswered"}])
def test_the_best_places_of_a_phrase_are_those_of_the_calls_that_are_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str]
) -> None:
    monkeypatch.setattr(listing, "_MOST_HITS", 1)
    metrics = [rate("answered_rate", None, 0, 1, no_answer="")]
    felt = cue(0, 0.0, 3.0, "a refund", answer="ignored")
    better = call("better", says=[("A", 0.0, 3.0, "my refund")])
    worse = [("A", 0.0, 3.0, "well what I want to ask of you is a refund for all of it")]
    meant = call("meant", says=worse, queue="cards", metrics=metrics, cues=[felt])
    put(tmp_path, better, meant)
    with serving(tmp_path) as served:
        lead = served.alone()
        first = text_of(lead.get("/calls", params={"phrase": "refund", "days": "all"}))
        found = text_of(lead.get("/calls", params={"phrase": "refund", "days": "all"} | asked))
    assert "my refund" in first and "well what" not in first
    assert "well what I want" in found and "my refund" not in found


def test_a_search_that_cannot_be_made_keeps_the_page_and_what_was_asked(reading: Any) -> None:
    page = reading.get("/calls", params={"phrase": "a", "queue": "cards", "days": "all"})
    assert page.status_code == 200
    assert re.search(r'name="phrase" value="a"[^>]*aria-describedby="phrase-problem"', page.text)
    assert re.search(r'id="phrase-problem" role="alert">\S', page.text)
    assert 'name="queue" value="cards"' in page.text and "No call is left" not in page.text


def test_phrases_lead_to_their_second(reading: Any) -> None:
    text = reading.get("/calls", params={"phrase": "worried", "queue": "cards"}).text
    assert "call?id=ann-1#t=3.2" in text and "bob-1" not in text
    assert "nobody said" in reading.get("/calls", params={"phrase": "zebra"}).text


def test_the_list_says_which_calls_were_scored(served: Served) -> None:
    rea = served.logged_in(Role.REVIEWER, "rea")
    form = forms(served.site.warehouse.path)["conversation"]
    yes = {"id": "ann-1", "form": form.name} | {q.id: "yes" for q in form.questions}
    rea.post("/call/score", data=yes | {"greeted": "no", "save": "final"}, headers=FROM_HERE)
    rea.post("/call/score", data=yes | {"id": "bob-1", "save": "draft"}, headers=FROM_HERE)

    def scores(browser: Any) -> list[str]:
        return re.findall(
            r'<a href="/evaluation\?id=\d+"><strong>(\d+%)', browser.get("/calls").text
        )

    assert scores(rea) == ["89%"]
    assert "100% so far Conversation ✎ draft" in text_of(rea.get("/calls")), "her draft, of a form"
    assert "89% Conversation" in text_of(rea.get("/calls"))
    assert "✎ draft" in text_of(rea.get("/call?id=bob-1"))
    work = rea.get("/work").text
    assert "Your drafts" in work and "/call/score?id=bob-1&amp;form=conversation" in work
    assert "Your drafts" not in served.logged_in(Role.LEAD).get("/work").text
    rea.post("/call/score", data=yes | {"save": "draft", "owned": "no"}, headers=FROM_HERE)
    assert "89% Conversation ✎ draft" in text_of(rea.get("/calls")), (
        "what counts is still the final one"
    )
    assert scores(served.logged_in(Role.LEAD)) == ["89%"]
    assert scores(served.logged_in(Role.AGENT, "bob", "bob")) == []
    assert "89%" in served.logged_in(Role.RESEARCHER).get("/calls").text


def test_last_week_is_said_where_nobody_asked_for_days(reading: Any) -> None:
    assert "Feelings left unanswered: the last seven days," in reading.get("/feelings").text
    assert "the last seven days," not in reading.get("/feelings?days=all").text


def test_a_list_says_how_many_calls_match_and_is_exported_as_filtered(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead, rea = served.logged_in(Role.LEAD), served.logged_in(Role.REVIEWER, "rea")
    assert " 3 calls · This list: for Excel · CSV" in text_of(lead.get("/calls?days=all"))
    assert " 1 call · " in text_of(lead.get("/calls?days=all&agent=ann"))
    assert "/calls.csv" not in rea.get("/calls?days=all").text
    wrong = {"id": "ann-1", "start_s": "3.2", "verdict": "wrong", "reason": "she did"}
    lead.post("/call/review-cue", data=wrong | {"answer": "affective"}, headers=FROM_HERE)
    rows = list(csv.DictReader(io.StringIO(lead.get("/calls.csv?days=all&sort=length").text)))
    assert [row["call_id"] for row in rows][:2] == ["bob-1", "ann-1"] and len(rows) == 3
    (ann,) = (row for row in rows if row["call_id"] == "ann-1")
    assert (ann["answered"], ann["answerable"], ann["answered_by_review"]) == ("0.0", "1.0", "1.0")
    one = lead.get("/calls.csv?days=all&agent=bob").text
    assert "bob-1" in one and "ann-1" not in one
    (broken,) = (row for row in rows if row["call_id"] == "broken")
    assert broken["answered_rate"] == "" and broken["no_rate_reason"] == broken["reason"] != ""
    assert ann["no_rate_reason"] == ""
    names = ("status", "reason", "no_ledger_reason", "answered_rate", "opportunities")
    for values, told in (
        (("analyzed", None, "it is in French", None, None), "it is in French"),
        (("analyzed", None, None, None, 0.0), "no feeling was recognised"),
        (("analyzed", None, None, None, 2.0), "no feeling that could be answered was found"),
        (("analyzed", None, None, 0.5, 2.0), None),
    ):
        assert listing.no_rate_reason(dict(zip(names, values, strict=True))) == told
    for language, heading, reason in (
        ("en", "Why there is no share", broken["reason"]),
        ("de", "Warum es keinen Anteil gibt", "abgewiesen"),
    ):
        sent = lead.get("/calls.xlsx?days=all", headers={"Accept-Language": language})
        book = zipfile.ZipFile(io.BytesIO(sent.content))
        texts = book.read("xl/sharedStrings.xml").decode()
        assert f">{heading}<" in texts and f">{reason}<" in texts, language
        assert "answered_rate" not in texts and "no_ledger_reason" not in texts
        assert 'formatCode="0%"' in book.read("xl/styles.xml").decode(), "shares are percentages"
    assert lead.get("/calls.csv?phrase=card").status_code == 422
    noted = served.site.store.read(sa.select(audit).where(audit.c.action == "exported"))
    assert [row["detail"] for row in noted][1] == "calls, 1: agent=bob&days=all"
    assert rea.get("/calls.csv").status_code == 403
    monkeypatch.setattr(listing, "MOST_COUNTED", 2)
    assert " More than 1,000 calls" in text_of(lead.get("/calls?days=all"))
    assert " 1 call · " in text_of(lead.get("/calls?days=all&agent=ann"))


def test_the_page_of_a_call_opens_though_another_recording_claims_its_id(tmp_path: Path) -> None:
    given = {"says": SAYS, "duration_s": 20.0}
    twins = [call("twin", path=f"/calls/{n}.wav", audio=str(n), **given) for n in (1, 2)]
    put(tmp_path, *twins)
    with serving(tmp_path) as served:
        page = served.alone()
        links = re.findall(r'<th scope="row"><a href="(/call\?[^"]+)"', page.get("/calls").text)
        assert len({*links}) == 2
        assert [page.get(html.unescape(link)).status_code for link in links] == [200, 200]

"""Scorecards: forms, what is proposed for a call, drafts and versions of a score."""

import html
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any, cast
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa

from support.factories import definitions_of, measured, moment
from support.pages import (
    FROM_HERE,
    Served,
    answers,
    audible,
    number_in,
    send,
    serving,
    text_of,
)
from warmline import landing
from warmline.analysis import missing_metric, rate
from warmline.errors import QueryError
from warmline.query.questions import ask
from warmline.values import Span
from warmline.warehouse.publishing import publish
from warmline.web.accounts import Role
from warmline.web.evidence import Corrected
from warmline.web.scorecards import (
    BY,
    MACHINE,
    Question,
    forms,
    parse_form,
    score,
)
from warmline.web.scoring import Finding, filled_in
from warmline.web.store import audit


def test_a_scorecard_keeps_drafts_and_every_version(browser: Any, served: Served) -> None:
    form = forms(served.site.warehouse.path)["conversation"]
    blank = {"id": "ann-1", "form": form.name}
    shown = browser.get("/call/score", params=blank)
    assert "Greeted the customer" in shown.text and "never interrupted" in shown.text
    yes = {question.id: "yes" for question in form.questions}
    post = {"url": "/call/score", "headers": FROM_HERE}
    assert browser.post(data=blank | {"greeted": "yes", "save": "draft"}, **post).status_code == 303
    assert "questions open" in browser.get("/call", params={"id": "ann-1"}).text
    unfinished = browser.post(data=blank | {"greeted": "yes", "save": "final"}, **post)
    assert unfinished.status_code == 422
    open_ones = [question for question in form.questions if question.id != "greeted"]
    assert f"Not saved yet: {len(open_ones)} questions have no answer." in unfinished.text
    assert all(f'href="#q-{question.id}"' in unfinished.text for question in open_ones)
    assert 'name="greeted" value="yes" checked' in unfinished.text, "what was answered is kept"
    final = blank | yes | {"feelings_answered": "no", "greeted.note": "=cmd()", "save": "final"}
    saved = browser.post(data=final, **post)
    assert saved.status_code == 303 and saved.headers["location"].startswith("/evaluation?id=")
    assert "78%" in browser.get(saved.headers["location"]).text
    assert "78%" in browser.get("/call", params={"id": "ann-1"}).text, "7 of 9 by weight"
    table = browser.get("/scores.csv").text
    assert "'=cmd()" in table and table.count("ann-1") == len(form.questions)
    assert browser.post(data=blank | {"owned": "na"}, **post).status_code == 422


@pytest.mark.parametrize("name", ["id", "step", "text", "save", "form", "calibration"])
def test_a_question_has_no_name_that_the_page_sends_itself(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "w.forms"
    folder.mkdir()
    question = f'[[section.question]]\nid = "{name}"\ntext = "A"\n'
    (folder / "f.toml").write_text(f'title = "t"\n[[section]]\ntitle = "s"\n{question}')
    with pytest.raises(QueryError, match=rf"f\.toml: the id '{name}' is reserved"):
        forms(tmp_path / "w.duckdb")


def test_a_call_is_scored_beside_its_sound_its_words_and_what_was_found(tmp_path: Path) -> None:
    found = Span(15.0, 17.0)
    said = [
        rate("next_step", None, 0, 1, no_answer=""),
        measured("opening_story_s", None, 8.5, observations=0),
        measured("interruptions", "B", 1.0),
        measured("reasks", "B", 1.0, evidence=(found,)),
        measured("misplaced_offers", "B", 0.0),
        rate("answered_rate", None, 0, 1, no_answer=""),
        missing_metric("ownership", "B", "the agent is not heard"),
        measured("commitments", "B", 1.0, evidence=(Span(9.5, 12.0),)),
    ]
    asked = moment("slot_request", 2, 9.5, 12.0, "your account number")
    scored = audible(tmp_path, "ann-1", metrics=said, moments=[asked])
    landing.write(scored, tmp_path / "landing")
    units = {"next_step": "share", "answered_rate": "share", "opening_story_s": "s"}
    defined = [replace(d, unit=units.get(d.name, "count")) for d in definitions_of([scored])]
    publish(tmp_path / "landing", tmp_path / "w.duckdb", defined)
    with serving(tmp_path) as served:
        rea = served.logged_in(Role.REVIEWER, "rea")
        page = rea.get("/call/score?id=ann-1&form=conversation").text
        german = rea.get(
            "/call/score?id=ann-1&form=conversation", headers={"Accept-Language": "de"}
        ).text
        opened = served.site.store.read(sa.select(audit).where(audit.c.action == "opened"))
        quick = rea.get("/call/score?id=ann-1").text
        first = {"id": "ann-1", "form": "quick", "greeted": "yes"}
        given = first | {"feelings_answered": "no", "settled": "yes", "settled.by": "machine"}
        lead = served.logged_in(Role.LEAD, "lou")
        two = {"person.1": "rea", "person.2": "lou", "n": "1", "by": "any", "seed": "1"}
        asked_of = {"title": "blind", "form": "quick", "days": "all"} | two
        assert send(lead, "/calibration/begin", **asked_of).status_code == 303
        blind = rea.get("/call/score?id=ann-1&form=quick").text
        refused = send(rea, "/call/score", save="final", **given)
    filled = re.findall(r'name="(\w+)" value="(\w+)" checked', quick)
    folded = quick.partition('<section class="found"')[2]
    assert filled == [("settled", "yes")] and 'id="q-settled"' in folded, "found, and to be heard"
    assert 'name="settled.by" value="machine"' in folded and "2 of 3 questions left" in quick
    asked_now = quick.partition('<section class="found"')[0]
    rests = re.search(r'class="rests taken">(.*?)</div>', folded, re.DOTALL)
    assert rests and "what is your account number" in rests[1], "the whole sentence"
    assert "I am worried that my card was stolen" in rests[1], "and what was said before it"
    assert 'data-offered="no"' in asked_now, "what counts against the agent"
    assert " checked" not in blind.partition('id="scoring"')[2].partition("</form>")[0]
    assert refused.status_code == 422 and "every answer is your own" in refused.text
    assert '<audio id="sound"' in page and 'data-turn="3"' in page, "sound and words beside it"
    assert "fear, anxiety: not answered" in page and ">asks for a detail</a>" in page
    shown = {
        name: " ".join(re.sub("<[^>]+>", " ", html.unescape(text)).split())
        for name, text in re.findall(
            r'<fieldset id="q-(\w+)"[^>]*>(.*?)</fieldset>', page, re.DOTALL
        )
    }
    for name, ending in {
        "greeted": "How the agent began: ▶ from 0:00 0:00 agent thank you for calling how can I",
        "let_tell": "The machine: the customer's story, up to any interruption: not interrupted 1 "
        "interruption helped, and does not count",
        "identity_checked": "The machine: details asked for: 1 ▶ from 0:09",
        "feelings_answered": "The machine: feelings answered: 0 of 1 ▶ from 0:03",
        "understood": "statements of understanding, by rule: not measured in this call",
        "next_step": "The machine: next step named: none found Where it would be said: ▶",
    }.items():
        assert ending in shown[name], name
    assert "taking the matter on: the agent is not heard" in shown["owned"]
    assert 'data-t="9.5" data-end="12.0"' in page, "where it is, is heard"
    assert "customer I am worried" in shown["identity_checked"], "the words around it"
    hear = re.findall(r"Hear what was found, ([\d:]+)</button>", page)
    assert hear == ["0:17"], "each second once"
    assert 'data-from="9.0" data-stop="12.5"' in page, "and no more of it than the passage"
    assert "nächster Schritt genannt" in german and "fragt nach einer Angabe" in german
    assert len(opened) == 2, "who reads a transcript to score it has opened the call"


_FORM = """
title = "Ours"
title_in.de = "Unsere"
[[section]]
title = "Listening"
title_in.de = "Zuhören"
[[section.question]]
id = "answered"
text = "Answered what was felt"
text_in.de = "Auf Gefühle eingegangen"
measure = "answered_rate"
yes_if = ">= 0.5"
[[section.question]]
id = "again"
text = "Asked for nothing twice"
measure = "reasks"
yes_if = "= 0"
[[section.question]]
id = "named"
text = "Said the name"
is_critical = true
measure = "opening"
"""


def with_own_form(folder: Path) -> None:
    """A warehouse of one call, of whose feelings none was answered, and a form of the centre's."""
    said = [rate("answered_rate", None, 0, 1, no_answer=""), measured("reasks", "B", 0.0)]
    scored = audible(folder, "ann-1", metrics=said)
    landing.write(scored, folder / "landing")
    units = {"answered_rate": "share"}
    defined = [replace(d, unit=units.get(d.name, "count")) for d in definitions_of([scored])]
    publish(folder / "landing", folder / "w.duckdb", defined)
    (folder / "w.forms").mkdir()
    (folder / "w.forms" / "ours.toml").write_text(_FORM)


def test_what_was_found_is_taken_over_only_by_a_person_and_is_kept_as_that(tmp_path: Path) -> None:
    with_own_form(tmp_path)
    with serving(tmp_path) as served:
        rea, lead = served.logged_in(Role.REVIEWER, "rea"), served.logged_in(Role.LEAD)
        page = rea.get("/call/score?id=ann-1&form=ours").text
        asked = dict(re.findall(r'<fieldset id="q-(\w+)"([^>]*)>', page))
        given = {"answered": "no", "again": "no", "named": "yes"}
        by = {f"{name}.by": "machine" for name in given}
        sent = {"id": "ann-1", "form": "ours", "save": "final"} | given | by
        saved = rea.post("/call/score", data=sent, headers=FROM_HERE)
        shown = text_of(rea.get(saved.headers["location"]))
        table = lead.get("/scores.csv").text
        corrected = sent | {"answered": "yes", ".why": "she does at 0:12"}
        for who, seconds in ((rea, "42"), (lead, "100")):
            who.post("/call/played", data={"id": "ann-1", "seconds": seconds}, headers=FROM_HERE)
        saved = rea.post("/call/score", data=corrected, headers=FROM_HERE)
        heard = text_of(lead.get(saved.headers["location"]))
        again = lead.get("/scores.csv").text
        found = ask(tmp_path / "w.duckdb", "FROM evaluation_answers ORDER BY ALL").rows
        names = ask(tmp_path / "w.duckdb", "FROM evaluation_answers LIMIT 1").columns
        reasons = ask(
            tmp_path / "w.duckdb",
            "SELECT taken_over, correction_reason FROM evaluation_detail ORDER BY evaluated_at",
        ).rows
    assert 'data-offered="no"' in asked["answered"] and 'data-offered="yes"' in asked["again"]
    assert "data-offered" not in asked["named"], "a critical question is a person's"
    assert (
        " checked"
        not in page.partition('<form method="post" action="/call/score"')[2].partition("</form>")[0]
    ), "nothing is filled in"
    assert shown.count("as the machine found, taken over") == 1, "where it is what was found"
    assert "Nothing of the call had been played" in shown and "0:42 of sound had been" in heard
    header, *rows = [line.split(",") for line in table.splitlines()]
    at = header.index("is_taken_over")
    assert [row[at] for row in rows] == ["True", "False", "False"]
    assert "she does at 0:12" in again and "correction_reason" in again
    assert sorted(row[names.index("is_taken_over")] for row in found) == [False] * 5 + [True]
    assert reasons == ((1, None), (0, "she does at 0:12"))


@pytest.mark.parametrize(
    ("yes_if", "values", "answer"),
    [
        ("found", (0.0, 2.0), "yes"),
        ("found", (0.0, 0.0), None),
        ("found", (0.0, None), None),
        ("found", (1.0, None), "yes"),
        ("none found", (0.0,), None),
        ("none found", (3.0, None), "no"),
        ("none found", (0.0, None), None),
        (">= 0.5", (0.5,), "yes"),
        (">= 0.5", (0.4,), "no"),
        ("< 2", (2.0,), "no"),
        ("= 1", (None,), None),
        (None, (1.0,), None),
    ],
)
def test_a_form_says_what_speaks_for_a_yes(
    yes_if: str | None, values: tuple[float | None, ...], answer: str | None
) -> None:
    question = Question(id="q", text="Q", measure=("reasks",), yes_if=yes_if)
    assert question.proposed(values) == answer


def test_what_a_reviewer_said_is_not_filled_in_as_the_machines_answer() -> None:
    own = Finding("rate", "answered_rate", {"value": 0.5}, (cast(Any, "a place"),))
    reviewed = replace(own, corrected=Corrected(1, 1))
    offered = {"own": "yes", "reviewed": "yes"}
    filled = filled_in(offered, {"own": [own], "reviewed": [reviewed]}, {})
    assert filled == {"own": "yes", f"own{BY}": MACHINE}


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ('measure = "reasks"\nyes_if = "often"', 'yes_if: "found", "none found", or a comparison'),
        ('yes_if = "found"', "yes_if: say of which measure"),
        ('measure = "reasks"\nis_critical = true\nyes_if = "found"', "answered by a person alone"),
    ],
)
def test_a_form_that_cannot_be_proposed_says_why(lines: str, why: str) -> None:
    text = 'title = "t"\n[[section]]\ntitle = "s"\n[[section.question]]\nid = "a"\ntext = "A"\n'
    with pytest.raises(QueryError, match=why):
        parse_form("f", text + lines)


def test_a_form_that_somebody_takes_away_meanwhile_is_passed_over(tmp_path: Path) -> None:
    warehouse, done = tmp_path / "w.duckdb", Event()
    (tmp_path / "w.forms").mkdir()
    others = list(forms(warehouse).values())

    def put_and_take_away() -> None:
        while not done.is_set():
            for form in others:
                (tmp_path / "w.forms" / f"{form.name}.new").write_text(form.text)
                (tmp_path / "w.forms" / f"{form.name}.new").rename(
                    tmp_path / "w.forms" / f"{form.name}.toml"
                )
            for form in others:
                (tmp_path / "w.forms" / f"{form.name}.toml").unlink()

    with ThreadPoolExecutor(1) as somebody:
        going = somebody.submit(put_and_take_away)
        try:
            assert all(forms(warehouse) for _ in range(1500))
        finally:
            done.set()
        going.result()


def test_a_form_speaks_the_language_of_the_page(tmp_path: Path) -> None:
    with_own_form(tmp_path)
    german = {"Accept-Language": "de"}
    with serving(tmp_path) as served:
        rea = served.logged_in(Role.REVIEWER, "rea")
        shown = text_of(rea.get("/call/score?id=ann-1&form=ours", headers=german))
        english = text_of(rea.get("/call/score?id=ann-1&form=ours"))
        given = {"answered": "yes", "again": "yes", "named": "no"}
        sent = {"id": "ann-1", "form": "ours", "save": "final"} | given
        saved = rea.post("/call/score", data=sent, headers=FROM_HERE).headers["location"]
        result = text_of(rea.get(saved, headers=german))
    assert "Unsere: ann-1" in shown and "Zuhören" in shown and "Auf Gefühle eingegangen" in shown
    assert "Asked for nothing twice" in shown, "what has no German is there in its own words"
    assert "Ours: ann-1" in english and "Answered what was felt" in english
    assert "Said the name" in result and "Auf Gefühle eingegangen" in result


def test_after_a_score_the_next_call_that_waits_is_offered(browser: Any, served: Served) -> None:
    listed = browser.get("/calls?days=all&sort=length").text
    link = re.search(r'href="(/call/score\?id=ann-1[^"]+)"', listed)
    assert link, "scored from the list"
    form = browser.get(html.unescape(link[1])).text
    assert 'name=".list" value="sort=length&amp;days=all"' in form
    from_list = {".list": "sort=length&days=all"} | answers(served)
    saved = send(browser, "/call/score", id="bob-1", save="final", **from_list)
    shown = text_of(browser.get(saved.headers["location"]))
    assert "Score the next call: ann-1 1 of 3 in this list" in shown
    back = '<a href="/calls?sort=length&amp;days=all#call-bob-1">Back to the list</a>'
    assert back in browser.get(saved.headers["location"]).text
    dated, every = "sort%3Dlength", "sort%3Dlength%26days%3Dall"
    assert "3 of 3 in this list" in browser.get(f"/call?id=broken&list={every}").text
    assert "not in this list any more" in browser.get(f"/call?id=broken&list={dated}").text
    send(browser, "/sample", n="5", seed="1", days="all")
    work = browser.get("/work").text
    waiting = re.findall(r'<th scope="row"><a href="/call\?id=([\w-]+)"', work)
    assert len(waiting) > 1 and work.count("/call/score?") == len(waiting)
    saved = send(browser, "/call/score", id=waiting[0], save="final", **answers(served))
    shown = browser.get(saved.headers["location"]).text
    assert f"Score the next call: {waiting[1]}</a>" in shown
    assert f'href="/call/score?id={waiting[1]}&amp;form=conversation"' in shown


def test_ones_own_result_can_be_corrected_until_somebody_acts_on_it(served: Served) -> None:
    rea, lead = served.logged_in(Role.REVIEWER, "rea"), served.logged_in(Role.LEAD)
    form = forms(served.site.warehouse.path)["conversation"]
    score_it = {"id": "ann-1", "form": form.name, "save": "final"}
    yes = score_it | {question.id: "yes" for question in form.questions}
    first = rea.post("/call/score", data=yes | {"greeted": "no"}, headers=FROM_HERE)
    shown = rea.get(first.headers["location"]).text
    address = f"/call/score?{urlencode({'id': 'ann-1', 'form': form.name})}"
    assert f'<a href="{html.escape(address)}">Correct these answers</a>' in shown
    assert "Correct these answers" not in lead.get(first.headers["location"]).text
    assert 'name="greeted" value="no" checked' in rea.get(address).text
    assert 'name=".why"' in rea.get(address).text
    silent = rea.post("/call/score", data=yes, headers=FROM_HERE | {"X-Form": "1"})
    assert silent.status_code == 422 and silent.headers["X-Field"] == ".why"
    assert "Say why you correct it" in silent.text
    yes[".why"] = "she greets at 0:01"
    second = rea.post("/call/score", data=yes, headers=FROM_HERE)
    corrected = rea.get(second.headers["location"]).text
    assert "100%" in corrected and "was no" in corrected and "Correct these answers" in corrected
    assert "she greets at 0:01" in corrected, "who was evaluated reads why"
    assert '<ol class="steps" reversed>' in corrected, "the first version is number 1"
    before = first.headers["location"]
    assert "There is a newer version" in rea.get(before).text and "100%" in rea.get(before).text
    (opened,) = set(
        re.findall(r'href="/evaluation\?id=(\d+)&amp;version=\1"', rea.get(before).text)
    ) - {number_in(second.headers["location"])}
    earlier = rea.get(f"/evaluation?id={opened}&version={opened}").text
    assert "This is an earlier version" in earlier and "she greets" not in earlier
    assert "<td>✗ no</td>" in earlier, "as it was answered then"
    number = second.headers["location"].rpartition("=")[2]
    appeal = {"id": number, "step": "appealed", "text": "she did not"}
    assert lead.post("/evaluation/answer", data=appeal, headers=FROM_HERE).status_code == 303
    shut = rea.get(second.headers["location"]).text
    assert "Correct these answers" not in shut and "you cannot correct it any more" in shut
    assert rea.post("/call/score", data=yes, headers=FROM_HERE).status_code == 422


def test_who_scored_a_call_or_appealed_decides_only_where_no_other_lead_is(served: Served) -> None:
    lead = served.logged_in(Role.LEAD)
    address = send(
        lead, "/call/score", id="ann-1", save="final", **answers(served, identity_checked="no")
    ).headers["location"]
    page = text_of(lead.get(address))
    assert "0% ✗ critical question answered no: Checked the customer" in page
    assert "Why it was corrected" not in page, "it is the first version"
    number = number_in(address)
    send(lead, "/evaluation/answer", id=number, step="appealed", text="she did")
    decide = {"id": number, "step": "upheld", "text": "no"}
    assert 'value="upheld"' in lead.get(address).text, "nobody else could"
    other = served.logged_in(Role.LEAD, "olga")
    assert 'value="upheld"' not in lead.get(address).text
    refused = send(lead, "/evaluation/decide", **decide)
    assert refused.status_code == 422 and "another lead decides: olga" in refused.text
    work = text_of(lead.get("/work"))
    assert "None is waiting for you" in work and "olga decides" in work
    assert "What you scored last" in work
    assert "You appealed, so a lead" in text_of(lead.get(address))
    assert "customer: “I am worried" in text_of(lead.get(address)), "the words behind a no"
    of_yes = lead.get(address).text.partition("<details><summary>What it rests on</summary>")[2]
    assert "data-clip" in of_yes.partition("</details>")[0], "and those behind a yes"
    assert send(other, "/evaluation/decide", **decide).status_code == 303
    assert "A lead has decided, so these answers stay." in lead.get(address).text
    again = send(other, "/call/score", id="bob-1", save="final", **answers(served))
    number = number_in(again.headers["location"])
    send(lead, "/evaluation/answer", id=number, step="appealed", text="he did")
    refused = send(lead, "/evaluation/decide", **decide | {"id": number})
    assert refused.status_code == 422 and "another lead decides: olga" in refused.text, (
        "one who appealed does not decide, even where the other one scored"
    )
    assert 'value="upheld"' in other.get(again.headers["location"]).text


def test_scores_count_what_applied_and_a_critical_no_fails() -> None:
    text = (
        'title = "t"\n[[section]]\ntitle = "s"\n'
        '[[section.question]]\nid = "a"\ntext = "A"\nweight = 3\n'
        '[[section.question]]\nid = "b"\ntext = "B"\nis_critical = true\n'
    )
    form = parse_form("f", text)
    assert score(form, {"a": "yes", "b": "na"}).value == 1.0
    assert score(form, {"a": "no", "b": "yes"}).value == 0.25
    assert score(form, {"a": "yes", "b": "no"}).value == 0.0
    assert score(form, {"a": "yes"}).value is None
    assert score(form, {"a": "na", "b": "na"}).value is None
    with pytest.raises(QueryError, match="more than once"):
        parse_form("f", text.replace('"b"', '"a"'))
    with pytest.raises(QueryError, match=r"f\.toml: section\.0\.question\.0\.wieght"):
        parse_form("f", text.replace("weight", "wieght"))

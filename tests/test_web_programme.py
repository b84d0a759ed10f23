"""A quality programme on the pages: disputes, coaching, calibration, samples, clips, a report."""

import base64
import io
import re
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from support.factories import call, cue, definitions_of, measured
from support.pages import FROM_HERE, Served, _told_apart, audible, serving
from support.warehouses import put
from support.week import day
from warmline import landing
from warmline.analysis import CallAnalysis, Quote, rate
from warmline.cli import app as commands
from warmline.encryption import current_key
from warmline.errors import WarehouseError
from warmline.query.questions import ask, ask_named
from warmline.settings import ProfileSettings
from warmline.warehouse import check_warehouse, publish
from warmline.web import store as tables
from warmline.web.accounts import Role
from warmline.web.people import OUTCOMES
from warmline.web.scorecards import Evaluation, forms, land_evaluations
from warmline.web.store import METADATA, Store, change_key, now, open_store, store_path

WORD = "xylocarp"


@dataclass(frozen=True)
class Programme:
    """A served warehouse, and the browsers of the people of a centre."""

    served: Served
    folder: Path
    ann: Any
    rea: Any
    rob: Any
    lea: Any


@pytest.fixture(scope="module")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programme]:
    """One server for all tests here; each uses calls of its own."""
    folder = tmp_path_factory.mktemp("programme")
    others = [
        call(
            f"c{i}",
            agent_id=f"agent-{i % 3}",
            team="blue",
            queue="bills",
            started_at=day(10 + i % 5),
            reason="billing" if i % 4 else "address",
            duration_s=120.0,
            quotes=[Quote(2.5, 5.0, 1, "my card is lost and nobody calls me back", "complaint")],
            cues=[cue(1, 2.5, 5.0, "my card is lost", answer="affective" if i % 2 else "ignored")],
            metrics=[
                measured("opportunities", None, 1.0),
                rate("answered_rate", None, i % 2, 1, no_answer=""),
                measured("hostile", "A", float(i == 3)),
                *(measured(f"friction_{kind}", "A", 0.0) for kind in ("repeat", "transfer")),
                measured("friction_hold", "A", float(i % 3 == 0)),
            ],
        )
        for i in range(12)
    ]
    bob = audible(folder, "bob-1", agent_id="bob", queue="bills", started_at=day(17))
    put(folder, audible(folder, "ann-1"), _told_apart(folder, bob), *others)
    with serving(folder) as served:
        yield Programme(
            served,
            folder,
            served.logged_in(Role.AGENT, "ann", "ann"),
            served.logged_in(Role.REVIEWER, "rea"),
            served.logged_in(Role.REVIEWER, "rob"),
            served.logged_in(Role.LEAD, "lea"),
        )


def send(browser: Any, path: str, **fields: Any) -> Any:
    return browser.post(path, data=fields, headers=FROM_HERE)


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


def answers(served: Served, **changed: str) -> dict[str, str]:
    (form,) = forms(served.site.warehouse.path).values()
    return {"form": form.name} | {q.id: "yes" for q in form.questions} | changed


def evaluated(programme: Programme, reviewer: Any, call_id: str) -> str:
    """Score a call with one no; returns the address of the evaluation."""
    fields = answers(programme.served, greeted="no")
    assert send(reviewer, "/call/score", id=call_id, save="final", **fields).status_code == 303
    page = reviewer.get("/call", params={"id": call_id}).text
    return re.findall(r'href="(/evaluation\?id=\d+)"', page)[0]


def now_utc() -> datetime:
    return datetime.now(UTC)


def number_in(address: str) -> str:
    return address.rpartition("=")[2]


def evaluations_in(programme: Programme, call_id: str, columns: str) -> list[tuple[Any, ...]]:
    """What the warehouse, as a query sees it, has of the evaluations of a call, oldest first."""
    sql = f"SELECT {columns} FROM evaluation_detail WHERE call_id = '{call_id}' ORDER BY noted_at"
    return list(ask(programme.served.site.warehouse.path, sql).rows)


def test_an_evaluation_is_a_row_of_the_warehouse_in_every_version(programme: Programme) -> None:
    ann, lea = programme.ann, programme.lea
    sue = programme.served.logged_in(Role.REVIEWER, "sue")
    columns = "evaluator, given_by, round(score, 2), status, is_current"
    send(sue, "/call/score", id="ann-1", save="draft", **answers(programme.served))
    mine = "evaluator = 'sue' AND call_id = 'ann-1'"

    def kept(of: str = "evaluation_detail") -> list[tuple[Any, ...]]:
        sql = f"SELECT {columns} FROM {of} WHERE {mine} ORDER BY evaluated_at"
        return list(ask(programme.served.site.warehouse.path, sql).rows)

    assert kept() == [], "a draft is nobody's but the author's"
    noted = {"greeted.note": "said nothing"}
    fields = answers(programme.served, greeted="no", **noted)
    send(sue, "/call/score", id="ann-1", save="final", **fields)
    assert kept() == [("sue", "sue", 0.91, "final", True)], "before any publishing"
    chosen = f"SELECT note, answer FROM evaluation_answers WHERE {mine} AND question = 'greeted'"
    assert ask(programme.served.site.warehouse.path, chosen).rows == (("said nothing", "no"),)
    found = programme.served.site.store.read(
        sa.select(tables.evaluations).where(
            tables.evaluations.c.user_name == "sue", ~tables.evaluations.c.is_draft
        )
    )
    number = str(found[0]["evaluation_id"])
    send(ann, "/evaluation/answer", id=number, step="appealed", text="I did")
    assert kept() == [("sue", "sue", 0.91, "appealed", True)], "one version, its last status"
    decide = {"id": number, "step": "overturned", "text": "she did"}
    send(lea, "/evaluation/decide", **decide, **answers(programme.served))
    both = [("sue", "sue", 0.91, "overturned", False), ("sue", "lea", 1.0, "overturned", True)]
    assert kept() == both
    files = sorted((programme.folder / "landing" / "evaluations").rglob("*.json"))
    land_evaluations(programme.served.site)
    assert sorted((programme.folder / "landing" / "evaluations").rglob("*.json")) == files, "once"
    for path in files:
        path.unlink()
    land_evaluations(programme.served.site)
    assert kept() == both, "what was filled in before there were rows of it becomes some"
    put(programme.folder)
    assert kept() == both and check_warehouse(programme.served.site.warehouse.path)
    (score,) = [
        row
        for row in ask_named(
            programme.served.site.warehouse.path, "scores_by_agent", {"agent": "ann", "since": None}
        ).rows
        if row[1] == "conversation"
    ]
    assert score[0] == "ann" and 0.9 < score[5] <= 1.0
    (greeted,) = [
        row
        for row in ask_named(
            programme.served.site.warehouse.path, "scores_by_question", {"since": None}
        ).rows
        if row[2] == "greeted"
    ]
    assert greeted[4] >= 1, "the version that counts says yes"


def test_evaluations_are_exported_for_spreadsheets(programme: Programme) -> None:
    sid = programme.served.logged_in(Role.REVIEWER, "sid")
    fields = answers(programme.served, **{"greeted.note": "=1+1"})
    send(sid, "/call/score", id="bob-1", save="final", **fields)
    sent = programme.lea.get("/scores.xlsx")
    assert sent.headers["content-disposition"] == 'attachment; filename="evaluations.xlsx"'
    book = zipfile.ZipFile(io.BytesIO(sent.content))
    texts = book.read("xl/sharedStrings.xml").decode()
    assert ">sid<" in texts and ">=1+1<" in texts and "evaluated_by" in texts
    assert b"<f>" not in book.read("xl/worksheets/sheet1.xml"), "no cell is a formula"
    assert sid.get("/scores.xlsx").status_code == 403


def test_an_appeal_is_decided_and_every_version_stays(programme: Programme) -> None:
    ann, rea, lea = programme.ann, programme.rea, programme.lea
    address = evaluated(programme, rea, "ann-1")
    number = number_in(address)
    assert address in ann.get("/work").text, "the agent finds it"
    assert send(ann, "/evaluation/answer", id=number, step="appealed").status_code == 422
    appealed = {"id": number, "step": "appealed", "text": "I did greet her at 0:01"}
    assert send(ann, "/evaluation/answer", **appealed).status_code == 303
    assert "I did greet her at 0:01" in text_of(lea.get("/work"))
    shut = send(rea, "/call/score", id="ann-1", save="final", **answers(programme.served))
    assert shut.status_code == 422 and "a lead decides" in shut.text
    decide = {"id": number, "step": "overturned", "text": "she did"}
    same = send(lea, "/evaluation/decide", **decide, **answers(programme.served, greeted="no"))
    assert same.status_code == 422 and "those of before" in same.text
    done = send(lea, "/evaluation/decide", **decide, **answers(programme.served))
    assert done.status_code == 303
    for who in (ann, rea, lea):
        page = text_of(who.get(done.headers["location"]))
        assert "100%" in page and "91%" in page, "both versions"
        assert "overturned lea" in page and "was no" in page and "she did" in page
    assert "100%" in text_of(ann.get("/call?id=ann-1"))
    again = send(lea, "/evaluation/decide", **decide, **answers(programme.served, owned="no"))
    assert again.status_code == 422 and "nobody has appealed" in again.text
    table = lea.get("/scores.csv").text
    assert table.count(",overturned,True,") == table.count(",overturned,False,") > 0


def test_an_evaluation_is_acknowledged_or_upheld(programme: Programme) -> None:
    address = evaluated(programme, programme.rob, "ann-1")
    number = number_in(address)
    assert send(programme.ann, "/evaluation/answer", id=number, step="upheld").status_code == 422
    seen = {"id": number, "step": "acknowledged", "text": ""}
    assert send(programme.ann, "/evaluation/answer", **seen).status_code == 303
    assert "acknowledged" in text_of(programme.rob.get(address))
    assert send(programme.ann, "/evaluation/answer", **seen).status_code == 422, "once"
    fields = {"id": number, "step": "appealed", "text": "on second thought, no"}
    assert send(programme.ann, "/evaluation/answer", **fields).status_code == 303
    bare = send(programme.lea, "/evaluation/decide", id=number, step="upheld")
    assert bare.status_code == 422 and "say why" in bare.text
    fields = {"id": number, "step": "upheld", "text": "the greeting is missing"}
    assert send(programme.lea, "/evaluation/decide", **fields).status_code == 303
    assert "upheld lea" in text_of(programme.ann.get(address))


def test_an_answer_is_to_the_version_that_was_read(programme: Programme) -> None:
    rea, ann = programme.served.logged_in(Role.REVIEWER, "ray"), programme.ann
    address = evaluated(programme, rea, "ann-1")
    number = number_in(address)
    seen = {"step": "acknowledged", "text": ""}
    assert send(ann, "/evaluation/answer", id=number, **seen).status_code == 303
    worse = answers(programme.served, greeted="no", owned="no")
    assert send(rea, "/call/score", id="ann-1", save="final", **worse).status_code == 303
    assert "✓ final ray" in text_of(ann.get(address)), "nobody has acknowledged what it says now"
    stale = send(ann, "/evaluation/answer", id=number, **seen)
    assert stale.status_code == 409 and "open it again" in stale.text
    (newest, *_) = re.findall(r'name="id" value="(\d+)"', ann.get(address).text)
    assert send(ann, "/evaluation/answer", id=newest, **seen).status_code == 303
    assert "acknowledged ray" in text_of(ann.get(address))


def test_of_two_who_decide_at_once_one_is_told(programme: Programme) -> None:
    reviewer = programme.served.logged_in(Role.REVIEWER, "roy")
    number = number_in(evaluated(programme, reviewer, "ann-1"))
    appealed = {"id": number, "step": "appealed", "text": "I did greet her"}
    leads = [programme.served.logged_in(Role.LEAD, f"lead-{i}") for i in range(4)]

    def at_once(path: str, browsers: list[Any], *fields: dict[str, str]) -> list[int]:
        ready = Barrier(len(browsers))

        def sent(browser: Any, what: dict[str, str]) -> int:
            ready.wait()
            return int(send(browser, path, **what).status_code)

        with ThreadPoolExecutor(len(browsers)) as pool:
            return sorted(pool.map(sent, browsers, fields))

    assert send(programme.ann, "/evaluation/answer", **appealed).status_code == 303
    decided = [{"id": number, "step": "upheld", "text": "it is missing"}] * 2
    decided += [
        {"id": number, "step": "overturned", "text": "it is there", **answers(programme.served)}
    ] * 2
    done = at_once("/evaluation/decide", leads, *decided)
    assert done[0] == 303 and set(done[1:]) <= {409, 422}, done
    steps = programme.served.site.store.read(sa.select(tables.dispute_steps))
    said = [row["step"] for row in steps if row["evaluation_id"] == int(number)]
    assert len(said) == 2 and said[0] == "appealed" and said[1] in ("upheld", "overturned")
    goal = {"id": "bob", "kind": "goal", "text": "wait", "due": "2026-12-24"}
    assert send(programme.lea, "/agent/coach", **goal).status_code == 303
    page = programme.lea.get("/agent?id=bob").text
    (which,) = re.findall(r'name="goal" value="(\d+)"', page)
    ends = [{"goal": which, "outcome": each, "text": ""} for each in OUTCOMES]
    assert at_once("/agent/goal", leads[:3], *ends) == [303, 422, 422]


def test_what_changed_since_it_was_read_is_not_written_over(programme: Programme) -> None:
    store = programme.served.site.store
    reviewer = programme.served.logged_in(Role.REVIEWER, "ron")
    number = int(number_in(evaluated(programme, reviewer, "ann-1")))
    (row,) = store.read(
        sa.select(tables.evaluations).where(tables.evaluations.c.evaluation_id == number)
    )
    found = Evaluation((row,), ())
    changed = sa.select(sa.literal(1)).where(found.changed_since())
    assert store.write_unless(changed) and not store.read(changed)
    again = answers(programme.served, owned="no")
    send(reviewer, "/call/score", id="ann-1", save="draft", **again)
    assert store.write_unless(changed), "a draft is seen by nobody else"
    send(reviewer, "/call/score", id="ann-1", save="final", **again)
    forget = tables.evaluations.delete()
    assert not store.write_unless(changed, forget) and store.read(sa.select(tables.evaluations))


def test_nobody_appeals_for_an_agent_who_has_a_login(programme: Programme) -> None:
    """An appeal that a lead files and turns down would be the agent's only one."""
    reviewer = programme.served.logged_in(Role.REVIEWER, "rex")
    own = number_in(evaluated(programme, reviewer, "ann-1"))
    fields = {"step": "appealed", "text": "filed by somebody else"}
    refused = send(programme.lea, "/evaluation/answer", id=own, **fields)
    assert refused.status_code == 422 and "ann has a login" in refused.text
    assert 'value="appealed"' not in programme.lea.get(f"/evaluation?id={own}").text
    of_bob = number_in(evaluated(programme, reviewer, "bob-1"))
    assert send(programme.lea, "/evaluation/answer", id=of_bob, **fields).status_code == 303


def test_what_review_overturned_is_beside_the_machines_rate(programme: Programme) -> None:
    fields = {"id": "bob-1", "start_s": "3.2", "verdict": "wrong", "reason": "she reads aloud"}
    said = send(programme.rea, "/call/review-cue", **fields, should_be="no_cue")
    assert said.status_code == 303
    told = "0 of 1 corrected by review 0 of 0"
    assert told in text_of(programme.rea.get("/call?id=bob-1"))
    assert told in text_of(programme.rea.get("/people"))
    assert told in text_of(programme.rea.get("/team?id=red"))
    assert "corrected by review 0 of 0" in text_of(programme.rea.get("/agent?id=bob"))
    report = text_of(programme.lea.get("/report?agent=bob"))
    assert "0 of 1 corrected by review 0 of 0" in report
    assert "corrected" not in text_of(programme.lea.get("/report?agent=agent-1"))
    for page, machine, people in (
        ("/calls?agent=bob", "0 of 1", "0 of 0"),
        ("/team?id=red", "0 of 2", "0 of 1"),
        ("/agent?id=bob", "0 of 1", "0 of 0"),
        ("/report?agent=bob", "0 of 1", "0 of 0"),
    ):
        rows = re.findall(r"<tr>.*?</tr>", programme.lea.get(page).text, re.DOTALL)
        found = [row for row in rows if machine in row and "2026-11-1" in row]
        assert len(found) == 1 and f"corrected by review {people}" in found[0], page
    together = programme.lea.get("/agent?id=bob").text.partition("Worth hearing together")[2]
    assert "listeners say this is wrong" in together
    assert "listeners say this is wrong" in programme.lea.get("/report?agent=bob").text
    send(programme.rob, "/call/review-cue", id="bob-1", start_s="3.2", verdict="right")
    assert "corrected" not in text_of(programme.rea.get("/people")), "they differ: it stays"
    fields["reason"] = "so it was"
    send(programme.rob, "/call/review-cue", **fields, should_be="no_cue")
    assert told in text_of(programme.rea.get("/people"))


def test_a_feeling_that_listeners_missed_stands_beside_the_number(programme: Programme) -> None:
    told = "listeners noted 1 feeling that the machine missed: it is not counted"
    fields = {"id": "c3", "kind": "missed_cue", "label": "fear_anxiety", "start_s": "3"}
    pages = ("/call?id=c3", "/calls?agent=agent-0", "/agent?id=agent-0", "/report?agent=agent-0")
    assert all(told not in text_of(programme.lea.get(page)) for page in pages)
    assert send(programme.rea, "/call/comment", **fields, text="my card").status_code == 303
    for page in (*pages, "/team?id=blue"):
        assert told in text_of(programme.lea.get(page)), page
    assert "listeners noted" not in text_of(programme.lea.get("/agent?id=agent-1"))


def test_the_file_is_off_with_its_reason_where_it_would_be_about_people(
    programme: Programme,
) -> None:
    page = programme.lea.get("/report?agent=agent-1&days=all").text
    assert "/report.html" not in page and "disabled aria-describedby" in page
    assert "a file without names needs 5 calls of 2 agents" in page and "remove a filter" in page
    few = text_of(programme.lea.get("/report?from=2000-01-01&to=2000-01-02"))
    assert "remove a filter" not in few
    assert "/report.html" in programme.lea.get("/report?days=all").text


def test_goals_have_a_day_and_an_outcome_and_the_agent_reads_all(programme: Programme) -> None:
    lea, ann = programme.lea, programme.ann
    coach = {"id": "ann", "text": "name the feeling first"}
    assert send(lea, "/agent/coach", **coach, kind="goal").status_code == 422, "a goal has a day"
    late = (now() - timedelta(days=3)).date()
    assert send(lea, "/agent/coach", **coach, kind="goal", due=str(late)).status_code == 303
    note = {"id": "ann", "text": "calm voice", "kind": "recognition", "call": "ann-1", "at": "0:09"}
    assert send(lea, "/agent/coach", **note).status_code == 303
    foreign = send(lea, "/agent/coach", **note | {"call": "bob-1"})
    assert foreign.status_code == 422 and "none of this agent" in foreign.text
    page = ann.get("/agent?id=ann")
    assert f"was due {late}" in text_of(page) and "calm voice" in page.text
    assert 'data-call="ann-1" data-start="9.0"' in page.text, "with the moment, to be played"
    assert "/agent/goal" not in page.text, "the agent does not close it"
    (number,) = re.findall(r'name="goal" value="(\d+)"', lea.get("/agent?id=ann").text)
    ended = {"goal": number, "outcome": "reached", "text": "in 4 of 5 calls"}
    assert send(lea, "/agent/goal", **ended).status_code == 303
    assert send(lea, "/agent/goal", **ended).status_code == 422, "once"
    assert "reached" in text_of(ann.get("/agent?id=ann"))
    for other in (programme.rea, programme.served.logged_in(Role.RESEARCHER)):
        name = "ann" if other is programme.rea else programme.served.site.pseudonym("ann")
        assert "calm voice" not in other.get("/agent", params={"id": name}).text


def begun(programme: Programme, **changed: str) -> str:
    fields = {"title": "week 47", "form": "conversation", "n": "3", "by": "any", "seed": "4"}
    fields |= {"person.1": "rea", "person.2": "rob", "queue": "bills", "days": "all"} | changed
    answer = send(programme.lea, "/calibration/begin", **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_calibration_is_blind_until_all_have_scored(programme: Programme) -> None:
    rea, rob, lea = programme.rea, programme.rob, programme.lea
    address = begun(programme)
    calls = sorted(set(re.findall(r"/call\?id=([\w-]+)", rea.get(address).text)))
    assert len(calls) == 3
    assert all(f"id={name}&amp;form=conversation" in rea.get("/work").text for name in calls)
    for i, name in enumerate(calls):
        fields = answers(programme.served, greeted="no" if i else "yes")
        assert send(rea, "/call/score", id=name, save="final", **fields).status_code == 303
    for who in (rob, lea):
        assert "Not scored yet" in who.get("/call", params={"id": calls[1]}).text, "blind"
        assert "91%" not in who.get(address).text
        assert calls[1] not in who.get("/scores.csv").text
    assert not evaluations_in(programme, calls[1], "evaluator"), "open, and no row of it"
    assert programme.ann.get(address).status_code == 403
    for name in calls:
        send(rob, "/call/score", id=name, save="final", **answers(programme.served))
    rounds = text_of(rob.get("/calibrations"))
    assert "week 47 ■ closed 6 of 6 scores" in rounds
    page = text_of(rob.get(address))
    assert "closed" in page and "91%" in page, "the last score opens it"
    questions = len(forms(programme.served.site.warehouse.path)["conversation"].questions)
    same = 1 - 2 / (3 * questions)
    assert f"All questions {3 * questions} {same:.2f}" in page
    assert "Greeted the customer and said who is speaking 3 0.33" in page
    assert "cannot be said" in page, "of a question that all answered alike"
    assert calls[1] in lea.get("/scores.csv").text
    rows = evaluations_in(programme, calls[1], "evaluator, calibration_id IS NOT NULL")
    assert sorted(rows) == [("rea", True), ("rob", True)], "of both, when the last has scored"


def test_a_draft_does_not_count_as_what_was_said_blind(programme: Programme) -> None:
    rea, rob = programme.rea, programme.rob
    address = begun(programme, n="1", seed="77")
    (name,) = set(re.findall(r"/call\?id=([\w-]+)", rea.get(address).text))
    fields = answers(programme.served)
    send(rea, "/call/score", id=name, save="draft", form=fields["form"], greeted="no")
    for who in (rea, rob):
        send(who, "/call/score", id=name, save="final", **fields)
    send(rob, "/call/score", id=name, save="draft", **fields)
    pages = [text_of(who.get(address)) for who in (rea, rob, programme.lea)]
    shown = {page[page.index("Call rea rob") : page.index("Data as of")] for page in pages}
    assert len(shown) == 1 and "100% 100%" in shown.pop(), "all see the same"


def test_a_score_of_another_round_is_not_taken_for_a_blind_one(programme: Programme) -> None:
    address = begun(programme, n="1", seed="78")
    (name,) = set(re.findall(r"/call\?id=([\w-]+)", programme.rea.get(address).text))
    form = programme.rea.get("/call/score", params={"id": name, "form": "conversation"}).text
    (meant,) = re.findall(r'name="calibration" value="(\d*)"', form)
    assert meant == number_in(address)
    assert send(programme.lea, "/calibration/close", id=meant).status_code == 303
    late = answers(programme.served, calibration=meant)
    refused = send(programme.rea, "/call/score", id=name, save="final", **late)
    assert refused.status_code == 409 and "closed since the form was opened" in refused.text
    late["calibration"] = ""
    assert send(programme.rea, "/call/score", id=name, save="final", **late).status_code == 303


def test_a_lead_can_close_a_calibration(programme: Programme) -> None:
    address = begun(programme, n="2", seed="9")
    waiting = programme.rea.get("/work").text.count(f'href="{address}"')
    assert waiting == 2
    number = number_in(address)
    assert send(programme.rea, "/calibration/close", id=number).status_code == 403
    assert send(programme.lea, "/calibration/close", id=number).status_code == 303
    assert "no call has been scored by two people" in text_of(programme.lea.get(address))
    assert f'href="{address}"' not in programme.rea.get("/work").text
    one = {"title": "t", "form": "conversation", "n": "1", "seed": "1", "person.1": "rea"}
    assert "at least 2 people" in send(programme.lea, "/calibration/begin", **one).text


def drawn(programme: Programme, **fields: str) -> list[str]:
    """Draw into rob's queue, and take out what was drawn; returns the calls in order."""
    fields = {"queue": "bills", "days": "all", "person": "rob", **fields}
    assert send(programme.lea, "/sample", **fields).status_code == 303
    page = programme.rob.get("/work").text
    rows = [row for row in page.split("<tr>") if 'name="assignment"' in row]
    found = [re.findall(r"/call\?id=([\w-]+)", row)[0] for row in rows]
    for number in re.findall(r'name="assignment" value="(\d+)"', page):
        assert send(programme.rob, "/done", assignment=number).status_code == 303
    return found


def test_a_seed_draws_the_same_calls_and_each_agent_its_share(programme: Programme) -> None:
    first = drawn(programme, n="4", seed="7")
    assert len(first) == 4 and drawn(programme, n="4", seed="7") == first
    assert drawn(programme, n="4", seed="8") != first
    by_agent = drawn(programme, n="2", seed="1", by="agent")
    of = [int(name[1:]) % 3 for name in by_agent if name.startswith("c")]
    assert sorted(of) == [0, 0, 1, 1, 2, 2]
    assert len(drawn(programme, n="3", seed="1", reason="address")) == 3
    refused = send(programme.lea, "/sample", n="0", seed="1")
    assert refused.status_code == 422 and "a whole number from 1" in refused.text
    nothing = send(programme.lea, "/sample", n="1", seed="1", queue="none")
    assert nothing.status_code == 422 and "loosen one" in nothing.text
    other = send(programme.rea, "/sample", n="1", seed="1", days="all", person="rob")
    assert other.status_code == 422, "a reviewer fills the own queue only"


def test_clips_are_kept_in_order_and_searches_by_name(programme: Programme) -> None:
    rea = programme.rea
    chosen = {"clip.1": "3.2 9.0 ann-1", "clip.2": "14.5 17 bob-1", "title": "first feelings"}
    made = send(rea, "/playlist/add", **chosen)
    assert made.status_code == 303
    address = made.headers["location"]
    more = {"call": "c1", "from": "0:02", "to": "0:05", "text": "short", "title": ""}
    send(rea, "/playlist/add", playlist=number_in(address), **more)
    page = rea.get(address).text
    assert re.findall(r'data-call="([\w-]+)" data-start="([\d.]+)"', page) == [
        ("ann-1", "3.2"),
        ("bob-1", "14.5"),
        ("c1", "2.0"),
    ]
    assert "Play one after the other" in page and address in programme.lea.get("/work").text
    late = send(rea, "/playlist/add", **{"clip.1": "21 25 ann-1", "title": "t"})
    assert late.status_code == 422 and "ann-1 has 20.0 s" in late.text
    cut = send(rea, "/playlist/add", **{"clip.1": "18 500 ann-1", "title": "cut"})
    assert 'data-start="18.0" data-end="20.0"' in rea.get(cut.headers["location"]).text
    for bad in ("9 3 ann-1", "x y ann-1", "0 5 nobody", "0 9999 ann-1"):
        answer = send(rea, "/playlist/add", **{"clip.1": bad, "title": "t"})
        assert answer.status_code in (404, 422), bad
    (number, *_) = re.findall(r'name="clip" value="(\d+)"', page)
    assert 'name="clip"' not in programme.rob.get(address).text, "another's clips"
    refused = send(programme.rob, "/playlist/drop", clip=number)
    assert refused.status_code == 403 and 'data-call="ann-1"' in rea.get(address).text
    joined = {"playlist": number_in(address), "clip.1": "1 2 c2", "title": ""}
    assert send(programme.rob, "/playlist/add", **joined).status_code == 303
    assert programme.rob.get(address).text.count('name="clip"') == 1, "the own one"
    assert programme.lea.get(address).text.count('name="clip"') == 4, "a lead, all"
    send(rea, "/playlist/drop", clip=number)
    assert 'data-call="ann-1"' not in rea.get(address).text
    saved = {"title": "bills on hold", "query": "queue=bills&measure=hold&from=2026-11-01&x=1"}
    assert send(rea, "/searches", **saved).status_code == 303
    found = re.findall(r'href="(/calls\?[^"]*measure=hold[^"]*)"', rea.get("/work").text)
    assert found == ["/calls?queue=bills&amp;measure=hold&amp;from=2026-11-01"]
    assert "bills on hold" not in programme.rob.get("/work").text
    (number,) = re.findall(r'name="forget" value="(\d+)"', rea.get("/work").text)
    send(programme.rob, "/searches", forget=number)
    assert "bills on hold" in rea.get("/work").text, "somebody else's"
    send(rea, "/searches", forget=number)
    assert "bills on hold" not in rea.get("/work").text


def test_the_report_counts_a_period_and_its_file_names_nobody(programme: Programme) -> None:
    lea = programme.lea
    page = text_of(lea.get("/report?days=all&queue=bills"))
    assert "Calls 13" in page and "6 of 13" in page
    assert "billing 9" in page and "address 3" in page
    assert "“my card is lost and nobody calls me back”" in page
    assert "address 1 of 3" in page, "who waited, by reason"
    worst = re.findall(r'data-call="([\w-]+)" data-start="1.5"', lea.get("/report?team=blue").text)
    assert worst and all(int(name[1:]) % 2 == 0 for name in worst), "odd ones were answered"
    assert "bills 1 of 13 2 24" in page, "minutes of the calls with hostile words"
    refused = lea.get("/report.html?days=all&agent=bob")
    assert refused.status_code == 422 and "about people" in refused.text
    file = lea.get("/report.html?days=all&queue=bills")
    assert file.headers["content-disposition"].startswith("attachment")
    for name in ("ann", "bob", "agent-0", "c1", "nobody calls me back", "lea", "/call?"):
        assert f">{name}" not in file.text and f"“{name}" not in file.text, name
    assert "nobody calls" not in file.text and "/call?" not in file.text
    assert ">address<" not in file.text, "3 calls are too few"
    assert "billing" not in file.text, "of 13 it would leave 4, which are too few"
    whole = lea.get("/report.html?days=all").text
    assert "billing" in whole and ">address<" not in whole and ">fraud<" not in whole
    assert "<script" not in file.text and "src=" not in file.text and "href=" not in file.text
    assert programme.rea.get("/report.html?days=all").status_code == 403
    assert "fraud 0 of 0" in text_of(lea.get("/report?days=all&team=red")), "friction unknown"
    empty = text_of(lea.get("/report?queue=none&days=all"))
    assert "These days and filters leave no analyzed call" in empty


def test_the_file_of_a_report_has_no_group_that_is_one_agent(tmp_path: Path) -> None:
    def taken(name: str, agent: str | None, on: int, reason: str, **more: Any) -> CallAnalysis:
        metrics = [
            measured("opportunities", None, 1.0),
            rate("answered_rate", None, 1, 1, no_answer=""),
        ]
        cues = [cue(1, 2.5, 5.0, "my card is lost", answer="affective")]
        parts = {"agent_id": agent, "cues": cues, "metrics": metrics, "duration_s": 60.0}
        return call(name, started_at=day(on), reason=reason, **parts | more)

    calls = [
        *(taken(f"b{i}", f"a{i % 3}", 10, "billing", queue="bills") for i in range(6)),
        *(taken(f"e{i}", f"a{i % 3}", 11, "fees", queue="bills") for i in range(7)),
        *(taken(f"f{i}", "a0", 17, "fraud", queue="cards") for i in range(6)),
        *(taken(f"s{i}", f"s{i}", 17, "tried", is_simulated=True, queue="cards") for i in range(4)),
        *(taken(f"n{i}", None, 18, "nobody", queue="night") for i in range(3)),
        taken("before", "a0", 3, "billing", queue="bills"),
    ]
    for each in calls:
        landing.write(each, tmp_path / "landing")
    known = [
        landing.read_landed(tmp_path / "landing", key)
        for key in landing.known(tmp_path / "landing")
    ]
    settings = ProfileSettings(smallest_group=3)
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions_of(known), settings)
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        days = {"from": "2026-11-09", "to": "2026-11-22"}
        file = lead.get("/report.html", params=days)
        assert "fewer than 5 calls or 3 agents" in file.text
        assert "fees" in file.text and "Calls 22" in text_of(file)
        assert "billing" not in file.text, "what is left of 22 would be a0's and nobody's"
        assert "fraud" not in file.text and "2026-11-16" not in file.text, "all of them are a0's"
        assert "2026-11-09" not in file.text.partition("<h2")[2], "the only other week"
        assert "cards" not in file.text and "before: 1" not in file.text, "one call was before"
        assert "before: 1" in lead.get("/report", params=days).text
        named = lead.get("/report.html", params=days | {"queue": "bills"})
        assert "billing" in named.text, "nobody else's calls are among them"
        assert "queue: bills" in text_of(named).replace(" : ", ": "), "it says what it is of"
        alone = lead.get("/report.html", params=days | {"queue": "cards"})
        assert alone.status_code == 422 and "6 calls of 1 agent" in alone.text
        few = lead.get("/report.html", params=days | {"queue": "night"})
        assert few.status_code == 422 and "3 calls of 0 agents" in few.text
        words = lead.get("/report", params={"phrase": "hello"})
        assert words.status_code == 422 and "remove the phrase" in words.text


def planted(store: Store, key: str) -> None:
    """Write a word into every column of text of every table, for the call of this key."""
    for table in METADATA.sorted_tables:
        if table.name in ("users", "sessions", "attempts", "secrets"):
            continue
        values: dict[str, Any] = {}
        for column in table.columns:
            if column.primary_key or (column.nullable and column.name != "landing_key"):
                continue
            kinds = {sa.Float: 1.0, sa.Integer: 1, sa.Boolean: False, sa.DateTime: now()}
            values[column.name] = kinds.get(type(column.type), "x")
        values |= {"landing_key": key} if "landing_key" in table.columns else {}
        for column, _ in tables._TEXTS:
            if column.table is table:
                values[column.name] = store.seal(f"{WORD} of {table.name}.{column.name}")
        store.write(table.insert().values(values))


def test_forgetting_reaches_every_table_that_names_a_call(tmp_path: Path) -> None:
    put(tmp_path, call("gone", customer_id="c1"), call("stays", customer_id="c2"))
    store = open_store(store_path(tmp_path / "w.duckdb"))
    import duckdb

    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as con:
        keys = dict(con.execute("SELECT call_id, landing_key FROM calls").fetchall())
    planted(store, keys["gone"])
    planted(store, keys["stays"])
    of_calls = [t for t in METADATA.sorted_tables if "landing_key" in t.columns]
    assert len(of_calls) == 7
    told = store.additions({keys["gone"]})
    assert len(told) == 6 and all(WORD in str(row) for row in told if "text" in row)
    at = ("--warehouse", str(tmp_path / "w.duckdb"), "--landing", str(tmp_path / "landing"))
    gone = CliRunner().invoke(commands, ["forget", "--call", "gone", "--yes", *at])
    assert gone.exit_code == 0, gone.output
    for table in of_calls:
        left = [row["landing_key"] for row in store.read(sa.select(table))]
        assert keys["gone"] not in left and keys["stays"] in left, table.name
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("w.web.sqlite*"))
    for table in of_calls[1:]:
        words = f"{WORD} of {table.name}.".encode()
        assert raw.count(words) == sum(c.table is table for c, _ in tables._TEXTS), table.name


@pytest.mark.parametrize("how", ["forgotten", "words too old"])
def test_titles_that_quote_a_call_alone_go_with_its_words(tmp_path: Path, how: str) -> None:
    says = [("A", 0.0, 5.0, "My name is Quirrelmore and the boiler burst last Tuesday.")]
    common = [("A", 0.0, 5.0, "The boiler burst again, last Monday, on a Tuesday bus: my refund?")]
    gone = call("x-77", says=says, customer_id="c-4711", started_at=day(1))
    put(tmp_path, gone, call("stays", says=common, customer_id="c2", started_at=now_utc()))
    quoting = ("Mrs. QUIRRELMORE's", "burst last tuesday!", "all of c-4711")
    kept = ("refund", "boiler burst", "Tuesday, last", "what nobody said", "of 2026")
    with serving(tmp_path) as served:
        lea = served.logged_in(Role.LEAD)
        store = served.site.store
        for title in (*quoting, *kept):
            send(lea, "/searches", title=title, query="queue=q")
            clip = {"clip.1": "0 2 stays", "title": title}
            assert send(lea, "/playlist/add", **clip).status_code == 303
            values = {"at": now(), "user_name": "lea", "form": "f", "form_text": "x"}
            store.write(tables.calibrations.insert().values(values | {"title": store.seal(title)}))
        send(lea, "/searches", title="found", query="phrase=quirrelmore+and")
        send(lea, "/searches", title="lost", query="phrase=my+refund")
        at = ("--warehouse", str(tmp_path / "w.duckdb"), "--landing", str(tmp_path / "landing"))
        settings = tmp_path / "warmline.toml"
        settings.write_text("[retention]\nwords_days = 1\n")
        by_age = ("--by-retention", "--settings", str(settings))
        options = ("--customer", "c-4711") if how == "forgotten" else by_age
        done = CliRunner().invoke(commands, ["forget", *options, "--yes", *at])
        assert done.exit_code == 0, done.output
        titles = list(store.titles().values())
        day_alone = f"{now():%Y-%m-%d}"
        assert sorted(titles) == sorted([*kept * 3, *[day_alone] * 6, "lost my refund"])
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("w.web.sqlite*")).lower()
    assert b"quirrelmore" not in raw and b"c-4711" not in raw and b"last tuesday" not in raw


@pytest.mark.parametrize("left_before", [False, True])
def test_whoever_has_the_name_next_inherits_nothing(tmp_path: Path, left_before: bool) -> None:
    put(tmp_path, audible(tmp_path, "ann-1"))
    with serving(tmp_path) as served:
        first = served.logged_in(Role.REVIEWER, "kim")
        send(first, "/searches", title="my own search", query="queue=cards")
        draft = answers(served) | {"id": "ann-1"}
        send(first, "/call/score", save="draft", **draft)
        send(first, "/sample", n="1", seed="1", days="all")
        assert (
            "1 of 1" in text_of(first.get("/work")) and "my own search" in first.get("/work").text
        )
        listed = send(first, "/playlist/add", **{"clip.1": "1 2 ann-1", "title": "for all"})
        playlist = listed.headers["location"]
        assert 'name="clip"' in first.get(playlist).text, "who made it may take clips out"
        store = served.site.store
        if left_before:  # by a version that left all this behind
            store.write(tables.users.delete().where(tables.users.c.name == "kim"))
        else:
            served.site.accounts.remove("kim")
            for table in (tables.searches, tables.evaluations, tables.assignments):
                assert not store.read(sa.select(table)), table.name
        again = served.logged_in(Role.REVIEWER, "kim")
        assert first.get("/calls").status_code == 303, "a session of before lets nobody in"
        page = again.get("/work").text
        assert "my own search" not in page and "ann-1" not in page and "for all" in page
        assert 'name="clip"' not in again.get(playlist).text
        (clip,) = store.read(sa.select(tables.clips))
        assert send(again, "/playlist/drop", clip=clip["clip_id"]).status_code == 403
        assert "draft" not in text_of(again.get("/call?id=ann-1"))
        assert not store.read(sa.select(tables.evaluations))


def test_nothing_counts_as_erased_while_the_log_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "w.web.sqlite"
    store = open_store(path)
    planted(store, "gone")
    hurried = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 0.01})
    with hurried.connect() as reader:
        reader.exec_driver_sql("BEGIN")
        assert reader.exec_driver_sql("SELECT count(*) FROM comments").scalar() == 1
        with pytest.raises(WarehouseError, match="another program reads it"):
            replace(store, engine=hurried).forget_calls({"gone"})
    store.forget_calls({"gone"})
    assert not (tmp_path / "w.web.sqlite-wal").stat().st_size
    hurried.dispose()


def test_words_that_were_said_are_erased_with_the_words_of_their_call(tmp_path: Path) -> None:
    put(tmp_path, call("old", started_at=day(1)))
    with serving(tmp_path) as served:
        lead = served.alone()
        missed = {"kind": "missed_cue", "label": "fear_anxiety", "text": WORD, "start_s": "3"}
        assert send(lead, "/call/comment", id="old", **missed).status_code == 303
        kept = {"kind": "comment", "text": "well explained", "start_s": "4"}
        send(lead, "/call/comment", id="old", **kept)
        settings = tmp_path / "warmline.toml"
        settings.write_text("[retention]\nwords_days = 1\n")
        at = ("--warehouse", str(tmp_path / "w.duckdb"), "--landing", str(tmp_path / "landing"))
        options = ("--by-retention", "--yes", "--settings", str(settings))
        done = CliRunner().invoke(commands, ["forget", *options, *at])
        assert done.exit_code == 0, done.output
        page = text_of(lead.get("/call?id=old"))
    assert "missed feeling, fear, anxiety words erased" in page and "well explained" in page
    for path in tmp_path.glob("w.web.sqlite*"):
        assert WORD.encode() not in path.read_bytes()


def test_every_text_is_encrypted_and_follows_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key(letter: bytes) -> Any:
        monkeypatch.setenv("WARMLINE_KEY", base64.b64encode(letter * 32).decode())
        return current_key()

    first = key(b"k")
    warehouse = tmp_path / "w.duckdb"
    store = open_store(store_path(warehouse))
    planted(store, "key")
    texts = sum(1 for table in METADATA.sorted_tables for c, _ in tables._TEXTS if c.table is table)
    store.empty_log()
    for path in tmp_path.glob("w.web.sqlite*"):
        assert WORD.encode() not in path.read_bytes()
    assert change_key(warehouse, first, key(b"j")) == texts == len(tables._TEXTS)
    told = open_store(store_path(warehouse)).additions({"key"})
    assert sum(WORD in str(row) for row in told) == 5, "assignments hold no text of people"


def test_what_was_kept_before_there_was_a_programme_is_upgraded(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    path = tmp_path / "old.web.sqlite"
    engine = sa.create_engine(f"sqlite:///{path}")
    config = Config()
    folder = Path(tables.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        row = "1, 'k', '2026-11-01 09:00:00', 'kim', 'f', 'x', 'text', 0, '{}'"
        connection.exec_driver_sql(f"INSERT INTO evaluations VALUES ({row})")
    engine.dispose()
    store = open_store(path)
    (kept,) = store.read(sa.select(tables.evaluations))
    assert (kept["user_name"], kept["calibration_id"], kept["replaces"]) == ("kim", None, None)
    made = sa.inspect(store.engine)
    for table in METADATA.sorted_tables:
        columns = {column["name"] for column in made.get_columns(table.name)}
        assert columns == set(table.columns.keys()), table.name

"""Evaluations as rows of the warehouse, and what their agents and leads may do with them."""

import io
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from support.pages import (
    Programme,
    answers,
    number_in,
    send,
    text_of,
)
from support.warehouses import put
from warmline.query.questions import ask, ask_named
from warmline.warehouse.tables import check_warehouse
from warmline.web import store as tables
from warmline.web.accounts import Role
from warmline.web.people import OUTCOMES
from warmline.web.scorecards import (
    Evaluation,
    forms,
    land_evaluations,
)


def evaluated(programme: Programme, reviewer: Any, call_id: str) -> str:
    """Score a call with one no; returns the address of the evaluation."""
    fields = answers(programme.served, greeted="no")
    assert send(reviewer, "/call/score", id=call_id, save="final", **fields).status_code == 303
    page = reviewer.get("/call", params={"id": call_id}).text
    return re.findall(r'href="(/evaluation\?id=\d+)"', page)[0]


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
    assert kept() == [("sue", "sue", 0.89, "final", True)], "before any publishing"
    chosen = f"SELECT note, answer FROM evaluation_answers WHERE {mine} AND question = 'greeted'"
    assert ask(programme.served.site.warehouse.path, chosen).rows == (("said nothing", "no"),)
    found = programme.served.site.store.read(
        sa.select(tables.evaluations).where(
            tables.evaluations.c.user_name == "sue", ~tables.evaluations.c.is_draft
        )
    )
    number = str(found[0]["evaluation_id"])
    send(ann, "/evaluation/answer", id=number, step="appealed", text="I did")
    assert kept() == [("sue", "sue", 0.89, "appealed", True)], "one version, its last status"
    decide = {"id": number, "step": "overturned", "text": "she did"}
    send(lea, "/evaluation/decide", **decide, **answers(programme.served))
    both = [("sue", "sue", 0.89, "overturned", False), ("sue", "lea", 1.0, "overturned", True)]
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
    at = programme.served.site.warehouse.path
    scores = ask_named(at, "scores_by_agent", {"agent": "ann", "since": None}).rows
    (score,) = [row for row in scores if row[1] == "conversation"]
    counted = "is_current AND calibration_id IS NULL AND agent_id = 'ann' AND form = 'conversation'"
    each = [row[0] for row in ask(at, f"SELECT score FROM evaluation_detail WHERE {counted}").rows]
    assert score[0] == "ann" and 1.0 in each, "beside those of other tests"
    assert (score[2], score[5]) == (len(each), pytest.approx(sum(each) / len(each)))
    scores = ask_named(at, "scores_by_question", {"since": None}).rows
    (greeted,) = [row for row in scores if row[2] == "greeted"]
    assert greeted[4] >= 1, "the version that counts says yes"


def test_evaluations_are_exported_for_spreadsheets(programme: Programme) -> None:
    sid = programme.served.logged_in(Role.REVIEWER, "sid")
    fields = answers(programme.served, **{"greeted.note": "=1+1"})
    send(sid, "/call/score", id="bob-1", save="final", **fields)
    sent = programme.lea.get("/scores.xlsx")
    assert sent.headers["content-disposition"] == 'attachment; filename="evaluations.xlsx"'
    book = zipfile.ZipFile(io.BytesIO(sent.content))
    texts = book.read("xl/sharedStrings.xml").decode()
    assert ">sid<" in texts and ">=1+1<" in texts and ">Scored by<" in texts
    assert ">greeted<" not in texts and ">Greeted the customer and said who is" in texts
    names = re.findall(r'sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
    assert names == ["Evaluations", "Answers", "Earlier versions"]
    lines = [book.read(f"xl/worksheets/sheet{n}.xml").count(b"<row ") for n in (1, 2)]
    questions = len(forms(programme.served.site.warehouse.path)["conversation"].questions)
    assert lines[1] - 1 == (lines[0] - 1) * questions, "a row each, and then one for each answer"
    assert ">does not apply<" not in texts and ">yes<" in texts and ">na<" not in texts
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
        assert "100%" in page and "89%" in page, "both versions"
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
    assert bare.status_code == 422 and "Say why" in bare.text
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
    goal = {"id": "bob", "kind": "goal", "text": "wait", "due": str(tables.now().date())}
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
    assert refused.status_code == 422 and "The agent, ann, has a login" in refused.text
    assert 'value="appealed"' not in programme.lea.get(f"/evaluation?id={own}").text
    of_bob = number_in(evaluated(programme, reviewer, "bob-1"))
    assert send(programme.lea, "/evaluation/answer", id=of_bob, **fields).status_code == 303

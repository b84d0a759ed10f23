"""Reviews: a person's word stays beside the machine's, through every rebuilding."""

import csv
import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from support.factories import ANALYZED_AT, call, cue, definitions_of, measured
from support.once import Once
from support.warehouses import read_rows
from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.cli import app
from warmline.errors import QueryError
from warmline.landing.feedback import review_files
from warmline.query.calls import read_page
from warmline.query.questions import ask_named
from warmline.query.reviews import (
    Judgement,
    Verdict,
    all_reviews,
    review_cue,
    review_metric,
)
from warmline.warehouse.publishing import publish

WRONG = Judgement("kim", Verdict.WRONG, "it was heard", "affective")
RIGHT = Judgement("lee", Verdict.RIGHT)
SAYS = [
    ("B", 0.0, 2.0, "how can I help"),
    ("A", 2.5, 9.0, "I am worried and I am furious"),
    ("B", 9.5, 14.0, "let me see"),
]


def reviewed_call(answer: str = "ignored", shift_s: float = 0.0, **changes: Any) -> CallAnalysis:
    cues = [
        cue(1, 3.0 + shift_s, 5.0 + shift_s, "I am worried", answer=answer),
        cue(1, 6.0, 9.0, "I am furious", "anger_frustration", answer="ignored"),
    ]
    metrics = [
        measured("offers", "B", 2.0),
        measured("talk_s", "A", 6.5),
        measured("talk_s", "B", 6.5),
        measured("dead_air_s", None, 0.5),
    ]
    return call("c1", says=SAYS, cues=cues, metrics=metrics, **changes)


def put(folder: Path, *analyses: CallAnalysis) -> None:
    for analysis in analyses:
        landing.write(analysis, folder / "w.landing")
    publish(folder / "w.landing", folder / "w.duckdb", definitions_of([reviewed_call()]))


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as con:
        return con.execute(sql).fetchall()


LEDGER = (
    "SELECT start_s, answer, review_verdict, review_should_be, review_remarks "
    "FROM opportunity_detail ORDER BY start_s"
)


def publish_reviewed(tmp_path: Path) -> None:
    put(tmp_path, reviewed_call())


@pytest.fixture
def folder(once: Once, tmp_path: Path) -> Path:
    return once.copied("reviewed", publish_reviewed, tmp_path)


def mark(folder: Path, at_s: float, judgement: Judgement) -> None:
    review_cue(folder / "w.duckdb", folder / "w.landing", "c1", at_s, judgement)


def test_a_review_stands_beside_the_machines_word_after_the_next_publishing(folder: Path) -> None:
    mark(folder, 3.4, WRONG)
    review_metric(folder / "w.duckdb", folder / "w.landing", "c1", "talk_s", "agent", RIGHT)
    put(folder)
    assert rows(folder, LEDGER) == [
        (3.0, "ignored", "wrong", "affective", "kim: it was heard"),
        (6.0, "ignored", None, None, None),
    ]
    assert rows(folder, "SELECT name, role FROM metric_detail WHERE review_verdict = 'right'") == [
        ("talk_s", "agent")
    ]


def test_reviews_outlive_rebuilding_and_reprocessing(folder: Path) -> None:
    mark(folder, 3.0, WRONG)
    (folder / "w.duckdb").unlink()
    put(folder)
    assert rows(folder, LEDGER)[0][2] == "wrong"
    later = ANALYZED_AT + timedelta(days=1)
    put(folder, reviewed_call(shift_s=0.3, analyzed_at=later))  # the words lie a little elsewhere
    assert rows(folder, LEDGER)[0][:3] == (3.3, "ignored", "wrong")
    landing.compact(folder / "w.landing")
    put(folder)
    assert rows(folder, LEDGER)[0][2] == "wrong"


def test_what_the_machine_says_otherwise_by_now_is_not_called_wrong(folder: Path) -> None:
    mark(folder, 3.0, WRONG)
    later = ANALYZED_AT + timedelta(days=1)
    put(folder, reviewed_call("affective", analyzed_at=later))
    assert rows(folder, LEDGER)[0][2] is None
    assert rows(
        folder, "SELECT machine_said, machine_says, is_there, is_unchanged FROM review_detail"
    ) == [("ignored", "affective", True, False)]
    put(folder, _no_cues())
    assert rows(
        folder, "SELECT call_id, opportunity_index, machine_says, is_there FROM review_detail"
    ) == [("c1", None, None, False)]


def _no_cues() -> CallAnalysis:
    plain = reviewed_call(analyzed_at=ANALYZED_AT + timedelta(days=2))
    assert plain.empathy is not None
    return replace(plain, empathy=replace(plain.empathy, opportunities=()))


def test_of_one_reviewer_the_last_word_counts_and_two_may_disagree(folder: Path) -> None:
    mark(folder, 3.0, WRONG)
    mark(folder, 3.0, replace(WRONG, verdict=Verdict.RIGHT, should_be=None))
    put(folder)
    assert rows(folder, LEDGER)[0][2] == "right"
    mark(folder, 3.0, replace(WRONG, reviewer="lee"))
    put(folder)
    assert rows(folder, LEDGER)[0][2:4] == ("disputed", "affective")
    assert rows(folder, "SELECT reviews, said_right, said_wrong FROM review_summary") == [(2, 1, 1)]


def test_a_verdict_that_is_withdrawn_counts_no_more_and_is_kept(folder: Path) -> None:
    withdrawn = Judgement("kim", Verdict.WITHDRAWN)
    with pytest.raises(QueryError, match="kim has no verdict here to withdraw"):
        mark(folder, 3.0, withdrawn)
    mark(folder, 3.0, WRONG)
    mark(folder, 3.0, replace(RIGHT, reviewer="lou"))
    mark(folder, 3.2, withdrawn)
    with pytest.raises(QueryError, match="kim has no verdict here to withdraw"):
        mark(folder, 3.0, withdrawn)
    ((name, verdict),) = read_rows(
        folder / "w.duckdb", "SELECT reviewers, verdict FROM review_summary"
    )
    assert (list(name), verdict) == (["lou"], "right"), "kim's counts no more, lou's does"
    put(folder)
    assert [row[2] for row in rows(folder, LEDGER)] == ["right", None]
    kept = rows(folder, "SELECT reviewer, verdict FROM review_detail ORDER BY ALL")
    assert kept == [("kim", "withdrawn"), ("lou", "right")]
    assert len(review_files(folder / "w.landing")) == 3, "each word is kept"
    mark(folder, 3.0, WRONG)
    put(folder)
    assert rows(folder, LEDGER)[0][2] == "disputed", "who withdrew may judge again"


def test_a_damaged_review_is_said_and_stops_nothing(folder: Path) -> None:
    mark(folder, 3.0, WRONG)
    mark(folder, 6.0, WRONG)
    put(folder)
    first, second = (folder / "w.landing" / f.name for f in review_files(folder / "w.landing"))
    first.write_text("{")
    second.unlink()
    put(folder)
    assert rows(folder, "SELECT count(*) FROM reviews") == [(1,)]
    assert rows(folder, "SELECT count(*) FROM failures WHERE path LIKE 'reviews/%'") == [(1,)]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda w, f: review_cue(w, f, "c9", 3.0, WRONG), "no call is called 'c9'"),
        (
            lambda w, f: review_cue(w, f, "c1", 20.0, WRONG),
            r"c1: no cue begins at 20 s \(those of the ledger: 3\.0, 6\.0\)",
        ),
        (
            lambda w, f: review_cue(w, f, "c1", 3.0, replace(WRONG, should_be="nice")),
            "--should-be nice: a cue's is ignored, dismissed",
        ),
        (
            lambda w, f: review_metric(w, f, "c1", "talk_s", None, RIGHT),
            "talk_s of the call: it is there of: agent, customer; say --role",
        ),
        (lambda w, f: review_metric(w, f, "c1", "charm", None, RIGHT), "no measure of that name"),
        (
            lambda w, f: review_metric(w, f, "c1", "offers", "agent", WRONG),
            "--should-be affective: a measure's is a number",
        ),
        (
            lambda w, f: review_metric(
                w, f, "c1", "offers", "agent", replace(WRONG, should_be=None)
            ),
            "needs to say what is true instead: --should-be a number, or cannot_be_known",
        ),
        (
            lambda w, f: review_cue(w, f, "c1", 3.0, replace(WRONG, should_be=None)),
            "needs to say what is true instead: --should-be ignored",
        ),
        (
            lambda w, f: review_cue(w, f, "c1", 3.0, replace(WRONG, should_be="ignored")),
            r"that is what the machine found \(\w+, ignored\): mark it right",
        ),
        (
            lambda w, f: review_metric(
                w, f, "c1", "offers", "agent", replace(WRONG, should_be="2")
            ),
            r"that is what the machine found \(2\.0\): mark it right",
        ),
        (lambda w, f: Judgement("kim", Verdict.WRONG, " "), "needs a reason"),
        (lambda w, f: Judgement(" ", Verdict.RIGHT), "needs the name of the reviewer"),
        (lambda w, f: Judgement("kim", Verdict.RIGHT, should_be="x"), "needs no --should-be"),
    ],
)
def test_a_review_that_fits_nothing_is_refused_by_name(folder: Path, act: Any, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        act(folder / "w.duckdb", folder / "w.landing")
    assert list(all_reviews(folder / "w.landing")) == []


def shell(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["review", *words, "--warehouse", str(folder / "w.duckdb")])


def test_the_command_marks_lists_and_exports(folder: Path) -> None:
    why = ("--reason", "=cmd()", "--should-be", "affective", "--by", "kim")
    marked = shell(folder, "mark", "c1", "wrong", "--cue", "0:03", *why)
    assert marked.stdout == (
        "c1, cue fear_anxiety at 3.0 s: ignored is wrong, should be affective (kim): =cmd()\n"
    )
    right = shell(folder, "mark", "c1", "right", "--metric", "offers", "--role", "agent")
    assert right.exit_code == 0
    assert len(shell(folder, "list").stdout.splitlines()) == 2
    (only,) = json.loads(shell(folder, "list", "--verdict", "wrong", "--json").stdout)
    assert (only["start_s"], only["machine_said"]) == (3.0, "ignored")
    assert "no reviews" in shell(folder, "list", "--call", "c2").output
    shell(folder, "export", str(folder / "out.csv"))
    with (folder / "out.csv").open(newline="") as handle:
        first, second = csv.DictReader(handle)
    assert (first["reason"], second["name"], second["machine_said"]) == ("'=cmd()", "offers", "2.0")
    assert shell(folder, "mark", "c1", "right").exit_code == 2
    assert shell(folder, "mark", "c1", "right", "--cue", "soon").exit_code == 1


def test_a_review_counts_at_once_and_the_same_after_the_next_publishing(folder: Path) -> None:
    def told() -> list[Any]:
        questions = [
            "SELECT subject, name, verdict, remarks FROM review_summary ORDER BY ALL",
            LEDGER,
            "SELECT name, role, review_verdict FROM metric_detail ORDER BY ALL",
            "SELECT reviewer, name FROM reviews ORDER BY ALL",
        ]
        named = [ask_named(folder / "w.duckdb", name).rows for name in SUMMED_UP]
        page = read_page(folder / "w.duckdb", "c1").reviews
        return [*(read_rows(folder / "w.duckdb", question) for question in questions), *named, page]

    before = told()
    mark(folder, 3.0, WRONG)
    review_metric(folder / "w.duckdb", folder / "w.landing", "c1", "talk_s", "agent", RIGHT)
    at_once = told()
    assert all(now != then for now, then in zip(at_once, before, strict=True))
    assert rows(folder, "SELECT count(*) FROM reviews") == [(0,)], "nothing was published"
    out = folder / "out.csv"
    exporting = ("export", "--query", "disputes", "--format", "csv", "--to", str(out))
    CliRunner().invoke(app, [*exporting, "--warehouse", str(folder / "w.duckdb")])
    assert "it was heard" in out.read_text()
    put(folder)
    assert told() == at_once
    mark(folder, 6.0, RIGHT)
    assert [row[2] for row in read_rows(folder / "w.duckdb", LEDGER)] == ["wrong", "right"]


def test_a_landed_review_that_is_damaged_stops_no_question(folder: Path) -> None:
    mark(folder, 3.0, WRONG)
    mark(folder, 6.0, RIGHT)
    first, _ = (folder / "w.landing" / f.name for f in review_files(folder / "w.landing"))
    first.write_text("{")
    assert read_rows(folder / "w.duckdb", "SELECT count(*) FROM reviews") == ((1,),)
    shutil.rmtree(folder / "w.landing")
    assert read_rows(folder / "w.duckdb", "SELECT count(*) FROM reviews") == ((0,),)


def test_a_review_of_an_encrypted_call_counts_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMLINE_KEY", "A" * 43 + "=")
    put(tmp_path, reviewed_call())
    mark(tmp_path, 3.0, WRONG)
    assert read_rows(tmp_path / "w.duckdb", LEDGER)[0][2] == "wrong"


SUMMED_UP = ("disputes", "review_agreement")


def test_a_call_is_shown_with_what_people_say_beside_the_machines_word(folder: Path) -> None:
    show = ["show", "c1", "--warehouse", str(folder / "w.duckdb"), "--width", "120"]
    assert "reviewed" not in CliRunner().invoke(app, show).output
    mark(folder, 3.0, WRONG)
    mark(folder, 6.0, RIGHT)
    review_metric(folder / "w.duckdb", folder / "w.landing", "c1", "talk_s", "agent", RIGHT)
    put(folder)
    page = CliRunner().invoke(app, show).output
    assert "reviewed: wrong, should be affective; kim: it was heard" in page
    assert page.count("reviewed: right") == 2
    told = json.loads(CliRunner().invoke(app, [*show, "--json"]).output)["reviews"]
    assert [(r["subject"], r["name"], r["verdict"]) for r in told] == [
        ("cue", "fear_anxiety", "wrong"),
        ("cue", "anger_frustration", "right"),
        ("metric", "talk_s", "right"),
    ]

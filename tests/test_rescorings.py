"""What analyzing calls again changed is kept: which stage, which calls, which measures, how far."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from support.factories import ANALYZED_AT, measured, without_analysis
from support.once import Once
from support.pages import serving, text_of
from support.warehouses import put, rich, rows
from warmline.analysis import CallAnalysis, StageKey, missing_metric
from warmline.landing.rewriting import Selection, erase
from warmline.query.questions import ask_named
from warmline.web.accounts import Role

SCORED = {"speech": "s1", "words": "w1", "language": "l1", "empathy": "e1"}
RESCORED = SCORED | {"language": "l2", "empathy": "e2"}
SUMMARY = """
SELECT stage, calls_rescored, name, calls_changed, calls_with_a_value_now, mean_before, mean_after,
    largest_change, most_changed_call_id
FROM rescorings ORDER BY name
"""
EACH = "SELECT call_id, run_id, stage, changes FROM rescored_calls ORDER BY call_id"
SILENT = {"name": "hold_s", "before": None, "after": 4.0}


def scored(
    call_id: str, stages: dict[str, str], day: int, *, dead_air_s: float, **others: str
) -> CallAnalysis:
    """A call with a measure that changes, one that stays, and one that comes with `RESCORED`."""
    on_hold = measured("hold_s", None, 4.0)
    if stages is SCORED:
        on_hold = missing_metric("hold_s", None, "not heard")
    metrics = [measured("dead_air_s", None, dead_air_s), measured("non_talk_s", None, 9.0), on_hold]
    parts = {"metrics": metrics, "cues": [], "moments": [], "stages": stages}
    return rich(call_id, **parts, analyzed_at=ANALYZED_AT + timedelta(days=day), **others)


def rescore(folder: Path) -> None:
    """Two calls are analyzed again with another reader, of which one has another value."""
    put(folder, *(scored(name, SCORED, 0, dead_air_s=1.0) for name in "abc"))
    assert rows(folder, EACH) == []
    put(folder, scored("a", RESCORED, 1, dead_air_s=1.0), scored("b", RESCORED, 1, dead_air_s=3.0))


@pytest.fixture
def rescored(once: Once, tmp_path: Path) -> Path:
    return once.copied("rescored", rescore, tmp_path)


def test_what_changed_is_said_by_stage_and_measure(rescored: Path) -> None:
    """Calls without another value count, and a value that could not be given is told apart."""
    assert rows(rescored, SUMMARY) == [
        ("language", 2, "dead_air_s", 1, 0, 1.0, 3.0, 2.0, "b"),
        ("language", 2, "hold_s", 2, 2, None, None, None, "a"),
    ]


def test_what_rescoring_changed(rescored: Path) -> None:
    """The named query has a line for each stage and measure, rounded."""
    answer = ask_named(rescored / "w.duckdb", "what_rescoring_changed", {})
    assert [row[1:6] for row in answer.rows] == [
        ("language", 2, "hold_s", 2, 2),
        ("language", 2, "dead_air_s", 1, 0),
    ]


def test_it_stays_until_the_call_is_scored_again(rescored: Path) -> None:
    """Other metadata, another name and tables that are built anew leave it as it was."""
    before = rows(rescored, EACH)
    assert before == [
        ("a", 2, "language", [SILENT]),
        ("b", 2, "language", [{"name": "dead_air_s", "before": 1.0, "after": 3.0}, SILENT]),
    ]
    put(rescored, scored("b", RESCORED, 2, dead_air_s=3.0, team="loans"))
    assert rows(rescored, EACH) == before
    with duckdb.connect(str(rescored / "w.duckdb")) as con:
        con.execute("UPDATE runs SET tables_sha256 = 'of before'")
    put(rescored)
    assert rows(rescored, EACH) == before
    put(rescored, scored("b", RESCORED | {"words": "w2"}, 3, dead_air_s=2.0))
    assert rows(rescored, EACH)[1:] == [
        ("b", 5, "words", [{"name": "dead_air_s", "before": 3.0, "after": 2.0}])
    ]


def test_it_is_noted_when_the_tables_are_built_anew_at_the_same_time(tmp_path: Path) -> None:
    """A new version has other tables and other stages: its first night compares the two."""
    put(tmp_path, *(scored(name, SCORED, 0, dead_air_s=1.0) for name in "ab"))
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("UPDATE runs SET tables_sha256 = 'of before'")
        con.execute("DROP VIEW rescorings")
        con.execute("DROP VIEW rescored_calls")
    put(tmp_path, scored("a", RESCORED, 1, dead_air_s=1.5))
    assert [(row[0], row[3][0]["after"]) for row in rows(tmp_path, EACH)] == [("a", 1.5)]


def test_a_call_that_is_refused_now_has_lost_its_values(tmp_path: Path) -> None:
    put(tmp_path, scored("a", SCORED, 0, dead_air_s=1.0))
    refused = without_analysis("a", audio="a", analyzed_at=ANALYZED_AT + timedelta(days=1))
    put(tmp_path, replace(refused, stage_keys=(StageKey("speech", "s2", 1.0),)))
    told = "SELECT stage, name, calls_without_a_value_now FROM rescorings WHERE name = 'dead_air_s'"
    assert rows(tmp_path, told) == [("speech", "dead_air_s", 1)]


def test_it_goes_with_the_call(rescored: Path) -> None:
    """Nothing is kept of a call that was erased."""
    erase(rescored / "landing", Selection(calls=frozenset({"b"})), rescored / "w.duckdb")
    put(rescored)
    assert [call_id for call_id, *_ in rows(rescored, EACH)] == ["a"]


def test_the_page_of_measures_says_what_changed(rescored: Path) -> None:
    """With the call that changed most for who may see it, without for a researcher."""
    with serving(rescored) as served:
        lead, researcher, agent = (
            text_of(served.logged_in(role, agent_id="7").get("/measures"))
            for role in (Role.LEAD, Role.RESEARCHER, Role.AGENT)
        )
    assert "stage “language” 2 calls were analyzed again from this stage on." in lead
    assert "dead air 1 0 0 1.00 → 3.00 2.00 b 2.00" in lead
    assert "dead air 1 0 0 1.00 → 3.00 2.00 2.00" in researcher
    assert "No call has been analyzed again" in agent and "→ 3.00" not in agent

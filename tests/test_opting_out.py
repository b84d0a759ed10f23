"""Customers who opted out are analyzed no more; retention erases what is old."""

import json
import os
import stat
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.factories import call, cue, measured, moment
from support.forgetting import calls, command, forget, holding, publish_three, republish
from support.marked import MARKS
from support.once import Once
from support.plans import MODELS
from support.warehouses import read_rows
from warmline import landing
from warmline.analysis import CallAnalysis, Quote, TurnFeelings
from warmline.cli import app
from warmline.landing import erasures
from warmline.landing.erasures import Erasure
from warmline.pipeline.calls import RunSummary, _previous
from warmline.pipeline.plan import Plan, make_plan
from warmline.pipeline.stages import CacheKeys, all_measures
from warmline.privacy.erasing import without_words
from warmline.reports.report import NightReport, RunFacts, as_markdown
from warmline.settings import RetentionSettings, Settings
from warmline.warehouse.outcomes import load_outcomes
from warmline.warehouse.tables import check_warehouse


@pytest.fixture
def folder(once: Once, tmp_path: Path) -> Path:
    """Two calls of a customer who will be forgotten, one packed, and one of somebody else."""
    return once.copied("forgetting", publish_three, tmp_path)


def planned(folder: Path, settings: Settings | None = None) -> Plan:
    """What a run over the folder `rec` would do."""
    cache_keys = CacheKeys(settings or Settings(), MODELS, "rules")
    return make_plan([folder / "rec"], folder / "w.landing", cache_keys)


def record(folder: Path, name: str, **metadata: str) -> Path:
    """A recording in `rec` that has settled, with what is known of it beside it."""
    path = folder / "rec" / f"{name}.wav"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(name.encode() * 100)
    path.with_suffix(".json").write_text(json.dumps(metadata))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def test_later_calls_of_who_opted_out_are_not_analyzed_and_are_counted(folder: Path) -> None:
    record(folder, "n1", customer_id=MARKS[1].upper(), started_at="2030-01-01T00:00:00Z")
    record(folder, "n2", customer_id="ben")
    assert len(planned(folder).pending) == 2
    forget(folder, "--customer", MARKS[1], "--and-later")
    plan = planned(folder)
    assert [Path(path).name for path in plan.opted_out] == ["n1.wav"]
    assert [Path(call.path).name for call in plan.pending] == ["n2.wav"]
    assert RunSummary(plan, (), 0.0).as_dict()["opted_out"] == 1
    report = as_markdown(
        NightReport(
            date(2026, 11, 20),
            {},
            {},
            0,
            0,
            (),
            0,
            (),
            0,
            (),
            run=RunFacts.of(RunSummary(plan, (), 0.0)),
        )
    )
    assert "1 of customers who opted out" in report
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    later = call("c8", customer_id=MARKS[1], started_at=tomorrow)
    landing.write(later, folder / "w.landing")
    republish(folder)
    assert calls(folder) == ["c3"]
    assert holding(folder, *MARKS) == set()


def test_an_opt_out_needs_no_call_and_can_be_taken_back(folder: Path) -> None:
    record(folder, "n1", customer_id="dora")
    forget(folder, "--customer", "dora", "--and-later")
    assert len(planned(folder).opted_out) == 1
    back = command(folder, "forget", "--customer", "dora", "--allow-later")
    assert back.exit_code == 0, back.output
    plan = planned(folder)
    assert (plan.opted_out, len(plan.forgotten) + len(plan.pending)) == ((), 1)
    again = command(folder, "forget", "--customer", "dora", "--allow-later")
    assert again.exit_code == 1
    assert "not among the customers who opted out" in " ".join(again.output.split())


def test_who_opts_out_again_has_opted_out_whatever_the_clock_says(folder: Path) -> None:
    """The clock is set back between: the last word counts, not the latest time."""
    places = folder / "w.landing"
    digests = (erasures.digest(erasures.digest_key(places, make=True), "dora"),)
    at = datetime(2030, 1, 1, tzinfo=UTC)
    for hours, said in ((0, "opted_out"), (-1, "opted_in"), (-2, "opted_out")):
        note = Erasure(at + timedelta(hours=hours), finished=True, **{said: digests})
        erasures.note(places, note)
        assert landing.left_out(places).has_opted_out("dora") is (said == "opted_out")


def test_what_was_recorded_before_the_erasing_does_not_come_back(folder: Path) -> None:
    """Recordings that no run had reached when their customer was forgotten."""
    record(folder, "old", customer_id=MARKS[1])
    record(folder, "new", customer_id=MARKS[1], started_at="2099-01-01T00:00:00Z")
    forget(folder, "--customer", MARKS[1])
    plan = planned(folder)
    assert [Path(path).name for path in plan.forgotten] == ["old.wav"]
    assert [Path(call.path).name for call in plan.pending] == ["new.wav"]


def test_outcomes_of_who_was_forgotten_are_not_taken_in_again(folder: Path) -> None:
    forget(folder, "--customer", MARKS[1])
    report = load_outcomes(
        folder / "o.csv", folder / "w.landing", folder / "w.duckdb", all_measures()
    )
    assert (report.forgotten, report.known) == (1, 1)
    assert holding(folder, *MARKS) == set()


def test_who_opted_out_is_in_no_note_and_the_key_of_digests_is_private(folder: Path) -> None:
    forget(folder, "--customer", MARKS[1], "--and-later")
    key = folder / "w.landing" / "digests" / "key.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.unlink()
    refused = command(folder, "retry")
    done = CliRunner().invoke(
        app, ["outcomes", "load", str(folder / "o.csv"), "--warehouse", str(folder / "w.duckdb")]
    )
    assert done.exit_code == 1
    assert "restore it from a backup" in " ".join(done.output.split())
    assert refused.exit_code == 0


# Retention


def feeling(one: CallAnalysis, text: str) -> CallAnalysis:
    """The call with the feeling that a model read in the customer's turn, and its sentence."""
    assert one.empathy is not None
    felt = TurnFeelings(3.0, 6.0, 1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.8, 0.1, text)
    return replace(one, empathy=replace(one.empathy, feelings=(felt,)))


def publish_aged(tmp_path: Path) -> None:
    for name, days, mark in (
        ("new", 10, "ybandorf"),
        ("mid", 100, MARKS[0]),
        ("old", 1000, MARKS[1]),
    ):
        says = [("B", 0.0, 2.0, "how can I help"), ("A", 3.0, 6.0, f"I am worried {mark}")]
        cues = [cue(1, 3.0, 6.0, f"worried {mark}", answer="affective")]
        at = datetime.now(UTC) - timedelta(days=days)
        one = call(
            name,
            says=says,
            cues=cues,
            quotes=[Quote(3.0, 6.0, 1, f"I am worried {mark}", "fear_anxiety")],
            moments=[moment("affective", 0, 0.0, 2.0, f"help {mark}")],
            metrics=[measured("dead_air_s", None, 2.5)],
            started_at=at,
        )
        landing.write(feeling(one, f"I am worried {mark}"), tmp_path / "w.landing")
    landing.compact(tmp_path / "w.landing")
    republish(tmp_path)
    (tmp_path / "s.toml").write_text("[retention]\nwords_days = 30\ncalls_days = 365\n")


@pytest.fixture
def aged(once: Once, tmp_path: Path) -> Path:
    """Calls of 10, 100 and 1000 days ago, each with a word of its own, packed and published."""
    return once.copied("aged", publish_aged, tmp_path)


def test_retention_erases_old_calls_and_the_words_of_others(aged: Path) -> None:
    words = ("forget", "--by-retention", "--settings", aged / "s.toml", "--yes", "--json")
    dry = command(aged, *words, "--dry-run")
    assert json.loads(dry.stdout) == {"calls": 1, "words": 1}
    assert len(calls(aged)) == 3
    done = command(aged, *words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"calls": 1, "words": 1}
    assert holding(aged, "ybandorf", MARKS[0], MARKS[1]) == {"ybandorf"}
    found = read_rows(
        aged / "w.duckdb",
        "SELECT call_id, word_count, words_erased_at IS NOT NULL, "
        "(SELECT value FROM metrics AS m WHERE m.call_id = calls.call_id) FROM calls "
        "ORDER BY 1",
    )
    assert found == (("mid", None, True, 2.5), ("new", 8, False, 2.5))
    cues = "SELECT text, answer FROM opportunities WHERE call_id = 'mid'"
    assert read_rows(aged / "w.duckdb", cues) == (("", "affective"),)
    assert json.loads(command(aged, *words).stdout) == {"calls": 0, "words": 0}
    assert all(result.passed for result in check_warehouse(aged / "w.duckdb"))


def test_sentences_that_an_earlier_version_left_are_erased_with_the_words(aged: Path) -> None:
    """It erased the words of a call, and not the sentences that its feelings rest on."""
    folder = aged / "w.landing"
    (mid,) = (known for known in landing.known(folder) if known.call_id == "mid")
    now = datetime.now(UTC)
    bare = without_words(landing.read_landed(folder, mid), now)
    landing.write(feeling(bare, f"so worried {MARKS[0]}"), folder)
    landing.compact(folder)
    republish(aged)
    assert holding(aged, MARKS[0]) == {MARKS[0]}
    words = ("forget", "--by-retention", "--settings", aged / "s.toml", "--yes", "--json")
    for count in (1, 0):
        assert json.loads(command(aged, *words).stdout)["words"] == count
    assert holding(aged, MARKS[0]) == set()


def test_words_that_were_erased_are_not_taken_for_heard(tmp_path: Path) -> None:
    """Nothing that rests on words is taken over from an analysis without them."""
    path = record(tmp_path, "a")
    (pending,) = planned(tmp_path).pending
    stages = {
        "sound": "1",
        "speech": "2",
        "words": "3",
        "turns": "4",
        "floor": "5",
        "language": "6",
    }
    one = replace(call("a", stages=stages), recording=pending.recording)
    landing.write(without_words(one, datetime.now(UTC)), tmp_path / "w.landing")
    (again,) = planned(tmp_path).pending
    kept = _previous(tmp_path / "w.landing", again)
    assert kept is not None
    assert [key.stage for key in kept.stage_keys] == ["sound", "speech"]
    old = Settings(retention=RetentionSettings(words_days=30))
    plan = planned(tmp_path, old)
    assert (plan.pending, plan.unchanged) == ((), (str(path),))


def test_retention_that_is_not_set_is_said(aged: Path) -> None:
    refused = command(aged, "forget", "--by-retention")
    assert refused.exit_code == 1
    assert "retention.calls_days" in refused.output

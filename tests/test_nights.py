"""A night's report: counts that add up, alarms that are neither chance nor trifles, no words."""

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from support.factories import (
    CUSTOMER_AND_AGENT,
    NO_ROLES,
    call,
    definitions_of,
    measured,
    without_analysis,
)
from support.firms import land_together
from warmline import landing
from warmline.cli import app
from warmline.errors import Status, WarehouseError
from warmline.files import Places
from warmline.landing import Selection
from warmline.pipeline.calls import Outcome, RunSummary
from warmline.pipeline.plan import Plan
from warmline.privacy.erasing import erase_calls
from warmline.reports.monitoring import (
    as_metrics,
    last_night,
    note_end,
    noted,
    read_health,
    read_night,
    refresh_reports,
    report_files,
    run_file,
    write_report,
)
from warmline.reports.report import (
    WATCHED,
    Day,
    RunFacts,
    as_html,
    as_markdown,
    compare,
    in_markdown,
    shares_too_large,
)
from warmline.settings import NightSettings, Settings
from warmline.warehouse.publishing import publish

SETTINGS = NightSettings(drift_min_calls=4, drift_min_days=5)
NIGHT = date(2026, 11, 20)
SECRET = "xylocarp quillwort"
SHARE = next(watched for watched in WATCHED if watched.column == "without_roles")
MEAN = next(watched for watched in WATCHED if watched.column == "words_per_min")
FALLING = next(watched for watched in WATCHED if watched.kind == "falling")


def days(*means: float, deviation: float = 1.0, calls: int = 100) -> list[Day]:
    return [
        Day(NIGHT - timedelta(days=i + 1), mean, deviation, calls) for i, mean in enumerate(means)
    ]


def night(mean: float, calls: int = 100) -> Day:
    return Day(NIGHT, mean, 1.0, calls)


# What is an alarm


@pytest.mark.parametrize(
    ("value", "is_alarm"),
    [(0.05, False), (0.09, False), (0.11, True), (0.5, True), (0.0, False)],
)
def test_a_share_that_doubled_is_an_alarm_and_one_that_fell_is_not(value, is_alarm):
    found = compare(SHARE, night(value, 1000), days(*[0.05] * 10, calls=1000), NightSettings())
    assert found.is_alarm is is_alarm
    assert found.usual == pytest.approx(0.05)


def test_a_share_that_doubled_by_chance_is_none():
    """2 of 20 where 5 % are usual: one call more than expected."""
    settings = NightSettings()
    assert not compare(SHARE, night(0.10, 20), days(*[0.05] * 10, calls=20), settings).is_alarm
    assert compare(SHARE, night(0.10, 2000), days(*[0.05] * 10, calls=2000), settings).is_alarm


def test_a_trifle_is_none_however_sure():
    """From 0.1 % to 0.5 % of a million calls: sure, and nobody's concern (drift_share_change)."""
    usual = days(*[0.001] * 10, calls=1_000_000)
    found = compare(SHARE, night(0.005, 1_000_000), usual, NightSettings())
    assert found.z is not None and found.z > 50
    assert not found.is_alarm


def test_what_was_never_seen_can_happen_once_but_not_often():
    usual = days(*[0.0] * 10)
    assert not compare(SHARE, night(0.02), usual, NightSettings()).is_alarm
    assert compare(SHARE, night(0.3), usual, NightSettings()).is_alarm


def test_days_that_vary_widely_raise_no_alarm_and_one_odd_day_hides_none():
    wide = days(*[100.0, 160.0] * 5)
    assert not compare(MEAN, night(200.0, 1000), wide, NightSettings()).is_alarm
    odd = days(*[100.0] * 9, 900.0)
    assert compare(MEAN, night(150.0), odd, NightSettings()).is_alarm


def test_some_measures_may_rise():
    usual = days(*[0.9] * 10, deviation=0.1)
    assert compare(FALLING, night(0.5), usual, NightSettings()).is_alarm
    assert not compare(FALLING, night(1.5), usual, NightSettings()).is_alarm
    assert compare(MEAN, night(0.5), usual, NightSettings()).is_alarm
    assert compare(MEAN, night(1.5), usual, NightSettings()).is_alarm


def test_too_little_to_compare_is_said_and_no_alarm():
    few = compare(MEAN, night(9.0, 3), days(*[1.0] * 10), NightSettings())
    assert (few.is_alarm, few.z, few.why_not) == (False, None, "fewer than 20 calls")
    new = compare(MEAN, night(9.0), days(*[1.0] * 6), NightSettings())
    assert (new.is_alarm, new.z, new.why_not) == (
        False,
        None,
        "fewer than 7 days to compare with",
    )
    none = compare(MEAN, None, days(*[1.0] * 10), NightSettings())
    assert (none.value, none.why_not) == (None, "no call has it")


VALUES = st.lists(st.floats(1.0, 100.0), min_size=7, max_size=20)


@given(VALUES, st.floats(1.0, 100.0), st.floats(0.1, 10.0))
def test_another_unit_is_no_other_verdict(means, value, factor):
    one = compare(MEAN, night(value), days(*means), NightSettings())
    scaled = days(*[mean * factor for mean in means], deviation=factor)
    other = compare(MEAN, night(value * factor), scaled, NightSettings())
    assert one.z is not None
    assert other.z == pytest.approx(one.z, rel=1e-6, abs=1e-6)


@given(VALUES, st.floats(1.0, 100.0), st.randoms())
def test_the_order_of_the_days_does_not_matter(means, value, random):
    one = compare(MEAN, night(value), days(*means), NightSettings())
    mixed = days(*means)
    random.shuffle(mixed)
    assert compare(MEAN, night(value), mixed, NightSettings()).z == one.z


# From the warehouse


def at(day: date, hour: int = 2) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def put(folder: Path, lost: int) -> Path:
    """Eight days of six calls, analyzed the night after; then eight, `lost` without roles."""
    said = [("B", 0.0, 2.0, "how can I help"), ("A", 2.5, 5.0, SECRET)]
    analyses = [
        call(
            f"d{back}-{i}",
            says=said,
            analyzed_at=at(NIGHT - timedelta(days=back - 1)),
            started_at=at(NIGHT - timedelta(days=back), 10),
            metrics=[measured("dead_air_s", None, 3.0)],
        )
        for back in range(2, 10)
        for i in range(6)
    ]
    tonight = {"analyzed_at": at(NIGHT), "started_at": at(NIGHT - timedelta(days=1), 10)}
    analyses += [
        call(f"t{i}", says=said, roles=NO_ROLES if i < lost else CUSTOMER_AND_AGENT, **tonight)
        for i in range(8)
    ]
    failed = without_analysis(
        "slow", status=Status.FAILED, code="timeout", reason="gave up after 9 s"
    )
    analyses += [
        without_analysis("bad-1", analyzed_at=at(NIGHT)),
        without_analysis("bad-2", analyzed_at=at(NIGHT)),
        replace(failed, analyzed_at=at(NIGHT), failed_runs=3),
    ]
    land_together(analyses, folder / "w.landing")
    publish(folder / "w.landing", folder / "w.duckdb", definitions_of(analyses))
    return folder / "w.duckdb"


@pytest.fixture(scope="module")
def bad(tmp_path_factory) -> Path:
    return put(tmp_path_factory.mktemp("bad"), lost=8)


def test_counts_and_reasons_are_those_of_the_night(bad):
    report = read_night(bad, NIGHT, SETTINGS)
    assert report.by_status == {"analyzed": 8, "refused": 2, "failed": 1}
    assert report.by_reason == {("refused", "empty_file"): 2, ("failed", "timeout"): 1}
    assert [(c.call_id, c.is_last_try) for c in report.failed] == [("slow", True)]
    assert report.given_up == 1
    assert report.audio_s == 480.0
    assert len(report.slowest) == 8
    assert last_night(bad) == NIGHT


def test_a_night_in_which_roles_were_lost_asks_for_a_person(bad):
    report = read_night(bad, NIGHT, SETTINGS)
    assert any("agent and customer not known: 100.0% of 8 calls; 0.0%" in a for a in report.alarms)
    assert any("wait for `warmline retry`: 1" in alarm for alarm in report.alarms)
    usual = next(drift for drift in report.drifts if drift.watched == SHARE)
    assert [day.calls for day in usual.days] == [6] * 8


def test_a_night_like_the_others_asks_for_nobody(tmp_path):
    warehouse = put(tmp_path, lost=0)
    report = read_night(warehouse, NIGHT, SETTINGS)
    roles = next(drift for drift in report.drifts if drift.watched == SHARE)
    assert (roles.value, roles.z, roles.is_alarm) == (0.0, 0.0, False)
    assert not any("not known" in alarm for alarm in report.alarms)


def test_a_night_without_calls_is_an_alarm_where_calls_come_every_day(bad):
    settings = replace_settings(drift_days=8)
    empty = read_night(bad, NIGHT + timedelta(days=1), settings)
    assert empty.calls == 0
    assert any("no calls came in; 6 a day are usual" in alarm for alarm in empty.alarms)
    weekends = read_night(bad, NIGHT + timedelta(days=1), replace_settings(drift_days=20))
    assert not any("no calls came in" in alarm for alarm in weekends.alarms)


def replace_settings(**values: object) -> NightSettings:
    return SETTINGS.model_copy(update=values)


def test_a_run_past_midnight_belongs_to_the_day_it_began_on(bad):
    day_before = NIGHT - timedelta(days=1)
    short = read_night(bad, day_before, SETTINGS)
    long = read_night(bad, day_before, SETTINGS, until=at(NIGHT, 3))
    assert (short.calls, long.calls) == (6, 17)


def test_the_report_names_no_word_and_needs_nothing_else(bad):
    run = RunFacts(60.0, 5, 2, 1, ("folder | cannot be read",))
    report = read_night(bad, NIGHT, SETTINGS, run=run)
    markdown, page = as_markdown(report), as_html(report)
    for text in (markdown, page):
        assert "xylocarp" not in text
        assert "gave up after 9 s" in text
        assert "2 left alone after failing too often" in text
    assert "| refused | empty_file | 2 |" in markdown
    assert "folder \\| cannot be read" in markdown
    assert not re.search(r"(src|href)=|<script|@import|url\(", page)
    assert "<svg" in page
    assert page.count("<tr") == page.count("</tr>")


def test_what_a_name_holds_is_shown_and_never_run(bad):
    report = read_night(bad, NIGHT, SETTINGS, run=RunFacts(1, 0, 0, 0, ("<script>x</script>",)))
    assert "<script>" not in as_html(report)


def test_reports_lie_beside_the_warehouse_and_follow_what_is_forgotten(bad, tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    warehouse = shutil.copytree(bad.parent, tmp_path, dirs_exist_ok=True) / "w.duckdb"
    page = write_report(read_night(warehouse, NIGHT, SETTINGS), warehouse)
    files = report_files(warehouse, NIGHT)
    assert page == files[-1]
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {
        "w-2026-11-20.md",
        "w-2026-11-20.html",
    }
    assert all("slow" in path.read_text() for path in files)
    place = ["--warehouse", str(warehouse)]
    done = CliRunner().invoke(app, ["forget", "--call", "slow", "--yes", *place])
    assert done.exit_code == 0, done.output
    for path in files:
        assert "gave up after" not in path.read_text()
    everything = [f"--call={c}" for c in ("bad-1", "bad-2", *(f"t{i}" for i in range(8)))]
    assert CliRunner().invoke(app, ["forget", *everything, "--yes", *place]).exit_code == 0
    assert not any(path.exists() for path in files)
    assert refresh_reports(warehouse, SETTINGS) == 0


def test_a_report_that_cannot_be_written_is_named(bad, tmp_path):
    (tmp_path / "reports").write_text("in the way")
    with pytest.raises(WarehouseError, match=r"reports.*cannot write the report"):
        write_report(read_night(bad, NIGHT, SETTINGS), tmp_path / "w.duckdb")


def test_the_command_prints_the_last_night_and_says_when_it_asks_for_a_person(bad, tmp_path):
    settings = tmp_path / "s.toml"
    settings.write_text("[night]\ndrift_min_calls = 4\ndrift_min_days = 5\n")
    place = ["--warehouse", str(bad), "--settings", str(settings)]
    last = CliRunner().invoke(app, ["report", *place])
    assert last.exit_code == 4
    assert last.stdout.startswith("# Night of 2026-11-20")
    page = CliRunner().invoke(app, ["report", "--html", *place])
    assert page.stdout.startswith("<!doctype html>")
    told = CliRunner().invoke(app, ["report", "--json", *place])
    assert told.exit_code == 4
    values = json.loads(told.stdout)
    assert values["night"] == "2026-11-20"
    assert values["calls"] == sum(values["by_status"].values())
    for line in values["needs_attention"]:
        assert in_markdown(line) in last.stdout
    assert [m["name"] for m in values["measures"]] == [w.column for w in WATCHED]
    both = CliRunner().invoke(app, ["report", "--json", "--html", *place])
    assert both.exit_code == 2
    quiet = CliRunner().invoke(app, ["report", "--night", "2026-11-15", *place])
    assert quiet.exit_code == 0, quiet.output
    assert "Nothing needs attention." in quiet.stdout
    wrong = CliRunner().invoke(app, ["report", "--night", "yesterday", *place])
    assert wrong.exit_code == 2


# What needs no days before


@pytest.mark.parametrize(
    ("by_status", "lines"),
    [
        ({"refused": 3}, ["calls without an analysis (refused, no speech): 3 of 3"]),
        (
            {"no_speech": 3, "analyzed": 1},
            ["calls without an analysis (refused, no speech): 3 of 4"],
        ),
        ({"failed": 3}, ["calls that failed: 3 of 3"]),
        ({"refused": 1}, []),
        ({"failed": 2}, []),
        ({"failed": 3, "analyzed": 7}, ["calls that failed: 3 of 10"]),
        ({"failed": 2, "refused": 5, "analyzed": 3}, ["calls without an analysis"]),
        ({"failed": 1, "refused": 1, "analyzed": 8}, []),
        ({"refused": 1, "analyzed": 1}, []),
        ({"duplicate": 9, "analyzed": 1}, []),
        ({}, []),
    ],
)
def test_a_share_that_could_not_be_analyzed_needs_no_history(by_status, lines):
    found = shares_too_large(by_status, NightSettings())
    assert len(found) == len(lines)
    assert all(a.startswith(b) for a, b in zip(found, lines, strict=True))
    assert shares_too_large(by_status, NightSettings(alarm_unanalyzed_share=1.0)) == tuple(
        line for line in found if "failed" in line
    )


def test_a_first_night_of_refused_calls_asks_for_a_person(tmp_path):
    for name in ("a", "b", "c"):
        landing.write(without_analysis(name, analyzed_at=at(NIGHT)), tmp_path / "w.landing")
    publish(tmp_path / "w.landing", tmp_path / "w.duckdb", {})
    report = read_night(tmp_path / "w.duckdb", NIGHT, NightSettings())
    assert report.alarms == ("calls without an analysis (refused, no speech): 3 of 3",)
    assert "Nothing needs attention" not in as_markdown(report) + as_html(report)


def test_one_refused_recording_of_a_quiet_day_pages_nobody() -> None:
    assert shares_too_large({"refused": 1}, NightSettings()) == ()
    assert shares_too_large({"refused": 1}, NightSettings(alarm_min_calls=1))


def test_files_that_are_still_being_written_are_named() -> None:
    files = tuple(f"/in/call-{i}.wav" for i in range(7))
    plan = Plan((), (), (), files, ("another note",))
    facts = RunFacts.of(RunSummary(plan, (), 1.0))
    assert facts.problems == (
        "another note",
        "7 files still being written, left for the next run: call-0.wav, call-1.wav, call-2.wav, "
        "call-3.wav, call-4.wav and 2 more",
    )
    assert RunFacts.of(RunSummary(Plan((), (), (), (), ()), (), 1.0)).problems == ()


def run_of(hour: int, **values: object) -> RunFacts:
    return replace(RunFacts(60.0, 5, 0, 0, ()), started_at=at(NIGHT, hour), **values)


def publish_two_runs(tmp_path: Path) -> None:
    said = [("B", 0.0, 2.0, "how can I help")]
    landed = [
        without_analysis("early-1", analyzed_at=at(NIGHT, 3)),
        without_analysis("early-2", analyzed_at=at(NIGHT, 3)),
        call("late", says=said, analyzed_at=at(NIGHT, 10)),
    ]
    for analysis in landed:
        landing.write(analysis, tmp_path / "w.landing")
    publish(tmp_path / "w.landing", tmp_path / "w.duckdb", definitions_of(landed))


@pytest.fixture
def two_runs(once, tmp_path) -> Path:
    """Two calls refused at three, and one analyzed at ten."""
    return once.copied("two-runs", publish_two_runs, tmp_path) / "w.duckdb"


def test_a_second_run_leaves_the_report_of_the_first(two_runs):
    pages = []
    for hour, end in ((2, 4), (9, 11)):
        report = read_night(
            two_runs, NIGHT, NightSettings(), until=at(NIGHT, end), run=run_of(hour)
        )
        pages.append(write_report(report, two_runs))
    assert [page.name for page in pages] == [
        "w-2026-11-20T020000Z.html",
        "w-2026-11-20T090000Z.html",
    ]
    first, second = (page.with_suffix(".md").read_text() for page in pages)
    assert first.startswith("# Night of 2026-11-20, run of 02:00:00 UTC\n\n2 calls.")
    assert second.startswith("# Night of 2026-11-20, run of 09:00:00 UTC\n\n1 call.")
    assert "| refused | 2 |" in first and "refused" not in second.partition("## Beside")[0]


def note_both(two_runs: Path) -> None:
    """Both runs end, the first without a source that it was to read."""
    plan = Plan((), (), (), (), ("there: cannot be read",), away=("there: cannot be read",))
    for hour, missing in ((2, plan), (9, replace(plan, away=(), problems=()))):
        summary = RunSummary(missing, (), 60.0)
        run = RunFacts.of(summary, started_at=at(NIGHT, hour))
        run = replace(run, calls_reported=2 if hour == 2 else 1)
        report = read_night(two_runs, NIGHT, NightSettings(), until=at(NIGHT, hour + 2), run=run)
        write_report(report, two_runs)
        note_end(two_runs, at(NIGHT, hour), summary, run, report.alarms)


def test_the_report_of_a_day_has_all_of_its_runs(two_runs):
    note_both(two_runs)
    done = CliRunner().invoke(app, ["report", "--night", str(NIGHT), "--warehouse", str(two_runs)])
    assert done.exit_code == 4
    assert "3 calls." in done.stdout
    assert "| 02:00:00 UTC | 1.0 | 2 | 0 | sources that cannot be read: 1 |" in done.stdout
    assert "| 09:00:00 UTC | 1.0 | 1 | 0 |  |" in done.stdout
    assert "- **sources that cannot be read: 1 (run of 02:00:00 UTC)**" in done.stdout
    assert refresh_reports(two_runs, NightSettings()) == 2
    first = report_files(two_runs, NIGHT, at(NIGHT, 2))[0].read_text()
    assert "sources that cannot be read: 1" in first  # its counts outlive a forgotten call
    assert "2 calls." in first


def test_counts_before_and_after_an_erasure_explain_each_other(two_runs: Path) -> None:
    note_both(two_runs)
    places = Places(two_runs.with_suffix(".landing"), two_runs)
    erase_calls(places, Selection(frozenset({"early-2", "late"})), Settings())
    markdown = report_files(two_runs, NIGHT, at(NIGHT, 2))[0].read_text()
    assert "1 call. 2 were reported when the run ended; 1 of them has been erased" in markdown
    record = json.loads(run_file(two_runs, at(NIGHT, 2)).read_text())
    assert (record["calls_reported"], record["calls_left"]) == (2, 1)
    last = read_health(two_runs).last_run
    assert (last.calls_reported, last.calls_left) == (1, 0)
    done = CliRunner().invoke(app, ["report", "--night", str(NIGHT), "--warehouse", str(two_runs)])
    assert "1 call. 3 were reported when the runs ended; 2 of them have been" in done.stdout
    assert "| 09:00:00 UTC | 1.0 | 1 | 0 |  |" in done.stdout, "though its report is gone"


def test_the_runs_of_a_day_are_shown_in_the_zone_that_is_asked_for(two_runs):
    note_both(two_runs)
    place = ["report", "--night", "2026-11-20", "--warehouse", str(two_runs)]
    done = CliRunner().invoke(app, [*place, "--timezone", "Asia/Tokyo"])
    assert "sources that cannot be read: 1 (run of 11:00:00 JST)" in done.stdout
    assert "| 18:00:00 JST |" in done.stdout
    far = CliRunner().invoke(app, [*place, "--timezone", "America/Los_Angeles"])
    assert "| 2026-11-19 18:00:00 PST |" in far.stdout, "its day is another there"
    refused = CliRunner().invoke(app, [*place, "--timezone", "Nowhere"])
    assert refused.exit_code == 1
    assert "--timezone Nowhere: not a time zone" in refused.stderr


def test_calls_that_an_earlier_run_of_the_day_took_are_no_calls_missing(bad):
    settings = replace_settings(drift_days=8)
    run = run_of(20)
    report = read_night(bad, NIGHT, settings, until=at(NIGHT, 21), run=run)
    assert report.calls == 0
    assert not any("no calls came in" in alarm for alarm in report.alarms)


def test_what_a_killed_run_did_is_in_the_report_of_the_next(two_runs: Path) -> None:
    """Else nobody would be told of calls that it refused: the next run finds them done."""
    with noted(two_runs, at(NIGHT, 1)) as before:
        assert before is None
    with pytest.raises(WarehouseError), noted(two_runs, at(NIGHT, 2)) as before:
        assert before == at(NIGHT, 1), "it ended without a word"
        raise WarehouseError("not published")
    with noted(two_runs, at(NIGHT, 20)) as before:
        assert before == at(NIGHT, 1)
        facts = replace(run_of(20), unreported_since=before)
        every = NightSettings(alarm_min_calls=2)
        report = read_night(two_runs, NIGHT, every, until=at(NIGHT, 21), run=facts)
        assert report.by_status == {"refused": 2, "analyzed": 1}
        assert "calls without an analysis (refused, no speech): 2 of 3" in report.alarms
        assert "Calls of an earlier run, of 01:00:00 UTC, count as well" in as_markdown(report)
        note_end(two_runs, at(NIGHT, 20), RunSummary(Plan((), (), (), (), ()), (), 60.0), facts, ())
    with noted(two_runs, at(NIGHT, 22)) as before:
        assert before is None, "told once"
    assert refresh_reports(two_runs, NightSettings()) == 0
    write_report(report, two_runs)
    refresh_reports(two_runs, NightSettings())
    assert "3 calls." in report_files(two_runs, NIGHT, at(NIGHT, 20))[0].read_text()


# What a monitoring system reads


def metrics_of(warehouse: Path) -> dict[tuple[str, str], float]:
    parser = pytest.importorskip("prometheus_client.parser")
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in parser.text_string_to_metric_families(as_metrics(warehouse))
        for sample in family.samples
    }


def test_health_and_metrics_say_how_the_last_night_ended(two_runs):
    assert read_health(two_runs) is None
    assert metrics_of(two_runs)["warmline_night_succeeded_timestamp_seconds", ""] == 0
    with noted(two_runs, at(NIGHT, 2)):
        health = read_health(two_runs)
        assert (health.state, health.succeeded_at) == ("running", None)
        outcome = Outcome("/c/a.wav", "a", Status.FAILED, "timeout", "gave up", 60.0, 1.0)
        summary = RunSummary(Plan((), ("/c/z.wav",), (), (), ()), (outcome,), 30.0)
        note_end(
            two_runs, at(NIGHT, 2), summary, RunFacts.of(summary), ["calls that failed: 1 of 1"]
        )
    health = read_health(two_runs)
    assert health.state == "attention" and health.last_run.calls["failed"] == 1
    assert health.last_run.reasons == {"timeout": 1}
    found = metrics_of(two_runs)
    assert found["warmline_night_calls", "failed"] == 1
    assert found["warmline_night_calls", "unchanged"] == 1
    assert found["warmline_night_state", "attention"] == 1
    assert found["warmline_night_state", "failed"] == 0
    assert found["warmline_night_alarms", ""] == 1
    assert found["warmline_night_started_timestamp_seconds", ""] == at(NIGHT, 2).timestamp()
    assert found["warmline_warehouse_calls", "refused"] == 2
    assert found["warmline_warehouse_calls", "analyzed"] == 1
    ended = health.succeeded_at
    with pytest.raises(WarehouseError), noted(two_runs, at(NIGHT, 9)):
        raise WarehouseError("early-1 is in this text, and in no file")
    failed = read_health(two_runs)
    assert (failed.state, failed.error, failed.succeeded_at) == ("failed", "WarehouseError", ended)
    assert metrics_of(two_runs)["warmline_night_state", "failed"] == 1
    for path in (two_runs.parent / "reports").iterdir():
        assert "early-1" not in path.read_text()


def test_a_night_that_somebody_stopped_is_no_failure(two_runs):
    with pytest.raises(KeyboardInterrupt), noted(two_runs, at(NIGHT, 2)):
        raise KeyboardInterrupt
    health = read_health(two_runs)
    assert (health.state, health.error, health.succeeded_at) == ("interrupted", None, None)
    found = metrics_of(two_runs)
    assert found["warmline_night_state", "interrupted"] == 1
    assert found["warmline_night_state", "failed"] == 0


def test_metrics_are_written_for_a_collector_of_another_user(two_runs, tmp_path):
    pytest.importorskip("prometheus_client")
    to = tmp_path / "collected" / "warmline.prom"
    done = CliRunner().invoke(app, ["metrics", "--warehouse", str(two_runs), "--to", str(to)])
    assert done.exit_code == 0, done.output
    assert 'warmline_warehouse_calls{status="refused"} 2.0' in to.read_text()
    assert to.stat().st_mode & 0o777 == 0o644
    shown = CliRunner().invoke(app, ["metrics", "--warehouse", str(two_runs)])
    assert shown.stdout == to.read_text()


def test_a_night_without_a_place_for_its_report_ends_before_its_work(tmp_path):
    (tmp_path / "reports").write_text("in the way")
    refused = pytest.raises(WarehouseError, match="cannot write the health of nights")
    with refused, noted(tmp_path / "w.duckdb", at(NIGHT)):
        raise AssertionError("the work had begun")

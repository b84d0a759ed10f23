"""What the views make of the rows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from support.factories import (
    NO_ROLES,
    call,
    cue,
    definitions_of,
    measured,
    moment,
    without_analysis,
)
from support.firms import land_together
from support.warehouses import LATER, SAYS, put, rich, rows
from warmline import statistics
from warmline.analysis import CallAnalysis, MetricDefinition, rate
from warmline.errors import Status
from warmline.query.questions import ask_named
from warmline.research import Design
from warmline.research.sample import read_calls
from warmline.values import SpeakerSource
from warmline.warehouse.publishing import publish


def agent_week(agent: str, answered: int, cues: int, *, name: str) -> CallAnalysis:
    ledger = [
        cue(1, 3.2, 9.0, "worried", answer="affective" if i < answered else "ignored")
        for i in range(cues)
    ]
    metrics = [
        rate("answered_rate", None, answered, cues, no_answer="no cue"),
        measured("opportunities", None, float(cues)),
    ]
    return rich(name, cues=ledger, metrics=metrics, agent_id=agent)


def test_cues_of_a_call_with_two_agents_are_charged_to_none_of_them(tmp_path: Path) -> None:
    alone = agent_week("ann", 1, 2, name="alone")
    passed_on = agent_week("ann", 0, 2, name="passed-on")
    assert passed_on.empathy is not None
    greets = moment("handover", 2, 9.5, 12.0, "Billing, how can I help you?")
    of_both = measured("interruptions", "B", 1.0)  # which of the two it was is not known
    met_by_both = measured("hostile", "A", 2.0)
    metrics = (*passed_on.empathy.metrics, of_both, met_by_both)
    empathy = replace(passed_on.empathy, moments=(greets,), metrics=metrics)
    put(tmp_path, alone, replace(passed_on, empathy=empathy))
    assert rows(tmp_path, "SELECT calls, answered, answerable FROM agent_week") == [(2, 1, 2)]
    assert rows(tmp_path, "SELECT call_id, agents, answerable FROM call_summary ORDER BY 1") == [
        ("alone", 1, 2),
        ("passed-on", 2, 2),
    ]
    by_agent = "SELECT agent_interruptions FROM call_summary WHERE call_id = 'passed-on'"
    assert rows(tmp_path, by_agent) == [(None,)]
    whose = "SELECT DISTINCT call_id, agent_id FROM opportunity_detail ORDER BY 1"
    assert rows(tmp_path, whose) == [("alone", "ann"), ("passed-on", None)]
    asked = ask_named(tmp_path / "w.duckdb", "unanswered_cues", {})
    at, who = (asked.columns.index(name) for name in ("call_id", "agent_id"))
    assert {(row[at], row[who]) for row in asked.rows} == {("alone", "ann"), ("passed-on", None)}
    latency = ask_named(tmp_path / "w.duckdb", "agent_latency", {"min_pauses": 1})
    assert latency.rows[0][latency.columns.index("pauses")] == 1  # of two
    assert rows(tmp_path, "SELECT hostile FROM agent_week") == [(None,)]
    assert not ask_named(tmp_path / "w.duckdb", "hostile_exposure").rows
    profile = "SELECT amount, exposure FROM agent_profile WHERE component = 'answering'"
    assert rows(tmp_path, profile) == [(1, 2)]
    studied = read_calls(tmp_path / "w.duckdb", Design(measures=("answered_rate",)))
    named = dict(zip(studied["call_id"], studied["agent_id"].fillna("nobody"), strict=True))
    assert named == {"alone": "ann", "passed-on": "nobody"}


def test_agent_week_adds_counts_and_compares_only_what_is_enough(tmp_path: Path) -> None:
    put(
        tmp_path,
        agent_week("good", 18, 20, name="g1"),
        agent_week("good", 20, 20, name="g2"),
        agent_week("poor", 2, 20, name="p1"),
        agent_week("few", 1, 1, name="f1"),
        agent_week("none", 0, 0, name="n1"),
    )
    found = rows(
        tmp_path,
        "SELECT agent_id, week, calls, answered, answerable, answered_rate, answered_low, "
        "answered_high, answered_shrunken, others_rate, is_above_team, design_effect, "
        "answered_reliability FROM agent_week ORDER BY 1",
    )
    assert [row[0] for row in found] == ["few", "good", "none", "poor"]
    assert all(str(row[1]) == "2026-11-16" for row in found)
    few, good, none, poor = (row[2:] for row in found)
    team_rate = 41 / 61
    assert good[:3] == (2, 38, 40)
    assert good[3] == pytest.approx(0.95)
    # Two calls of 18 and 20 answered where 19 are expected: 2 over 0.95 * 0.05 * (40 - 20).
    worth = 2 / 0.95
    assert good[9] == pytest.approx(worth)
    assert good[4:6] == pytest.approx(wilson(38 / worth, 40 / worth), abs=1e-3)
    # What agents differ by beyond chance, after DerSimonian and Laird, written out.
    ns, rates = np.array([1, 40, 20]) / worth, np.array([1.0, 0.95, 0.1])
    chance = team_rate * (1 - team_rate)
    q = (ns * (rates - team_rate) ** 2).sum() / chance
    between = (q - 2) / ((ns.sum() - (ns**2).sum() / ns.sum()) / chance)
    reliability = between / (between + chance / ns[1])
    assert good[10] == pytest.approx(reliability)
    assert good[6] == pytest.approx(team_rate + reliability * (0.95 - team_rate))
    assert good[7] == pytest.approx(3 / 21)
    assert good[8] is True
    assert poor[8] is False
    assert few[3] == 1.0
    assert few[8] is None
    assert none[:4] == (1, 0, 0, None)
    assert none[8] is None


def test_a_teams_interval_allows_for_cues_of_one_call_being_alike(tmp_path: Path) -> None:
    counts = [("ann", 18, 20), ("ben", 20, 20), ("cleo", 2, 20), ("dan", 1, 1)]
    put(tmp_path, *(agent_week(name, *each, name=f"{name}-1") for name, *each in counts))
    ((answered, answerable, low, high, worth, calls),) = rows(
        tmp_path,
        "SELECT answered, answerable, answered_low, answered_high, design_effect, calls "
        "FROM team_week",
    )
    assert (answered, answerable, calls) == (41, 61, 4)
    hits, n = np.array([each[1:] for each in counts], dtype=float).T
    rate = 41 / 61
    scatter = ((hits - rate * n) ** 2).sum()
    by_chance = rate * (1 - rate) * (61 - (n**2).sum() / 61)
    assert worth == pytest.approx(scatter / by_chance) and worth > 10
    assert (low, high) == pytest.approx(wilson(41 / worth, 61 / worth), abs=1e-3)
    assert high - low > 0.5, "four calls say little of a team, however many cues they hold"


def wilson(hits: float, n: float) -> tuple[float, float]:
    found = statistics.wilson(hits, n)
    assert found and found.low is not None and found.high is not None
    return found.low, found.high


@pytest.mark.parametrize("z", [0.0, 0.5, 1.0, 1.96, 3.0, 5.0])
def test_the_tail_of_the_normal_distribution(sound: Path, z: float) -> None:
    ((found,),) = rows(sound, f"SELECT upper_tail({z})")
    assert found == pytest.approx(1 - NormalDist().cdf(z), abs=1e-7)


def test_agents_who_are_all_alike_are_not_told_apart(tmp_path: Path) -> None:
    """Calls whose cues are alike, of agents who are: nominally 2.5 % would be above their team."""
    random = np.random.default_rng(11)
    weeks = [datetime(2026, 9, 7, tzinfo=UTC) + timedelta(weeks=w) for w in range(4)]
    analyses = []
    for agent in range(10):
        for week in weeks:
            for number in range(6):
                answered = int(random.binomial(4, random.choice([0.2, 0.8])))
                one = agent_week(f"a{agent}", answered, 4, name=f"{agent}-{week:%d%m}-{number}")
                metadata = replace(one.metadata, started_at=week + timedelta(hours=number))
                analyses.append(replace(one, metadata=metadata))
    land_together(analyses, tmp_path / "landing")
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions_of(analyses))
    flagged, enough, worth = rows(
        tmp_path,
        "SELECT count(*) FILTER (is_above_team), count(*) FILTER (is_enough), "
        "max(design_effect) FROM agent_week",
    )[0]
    assert enough == 40
    assert flagged / enough <= 0.03
    assert 1.5 < worth < 3.0  # 1 + 3 * 0.36, give or take


def test_where_few_feelings_are_answered_chance_puts_nobody_above_the_team(tmp_path: Path) -> None:
    """Twenty agents answer one feeling in twenty, as Binomial(12, 0.05) has it, and one of them 4.

    Among 40 such weeks that happens to one firm in eleven by chance: 40 * P(4 or more) = 0.09.
    """
    answered = (4, 2, 2, *(1,) * 6, *(0,) * 11)
    analyses = [
        replace(one, metadata=replace(one.metadata, started_at=monday))
        for week, monday in enumerate(datetime(2026, 9, day, tzinfo=UTC) for day in (7, 14))
        for agent, hits in enumerate(answered)
        for one in [
            agent_week(f"a{agent:02}", hits - 3 * week * (hits == 4), 12, name=f"{week}-{agent}")
        ]
    ]
    land_together(analyses, tmp_path / "landing")
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions_of(analyses))
    flagged = "SELECT count(*) FILTER (is_above_team), count(is_above_team) FROM agent_week"
    assert rows(tmp_path, flagged) == [(0, 40)]
    # P(4 or more of 12 at 0.05) is 0.0022; the z of two proportions would say 0.00003.
    ((z,),) = rows(tmp_path, "SELECT shares_z(4 / 12, 12, 0.05, 228)")
    assert 0.0005 < 1 - NormalDist().cdf(z) < 0.0022
    assert rows(tmp_path, "SELECT shares_z(0, 9, 0, 9), shares_z(1, 9, 1, 9)") == [(0, 0)]


def test_an_agent_of_two_teams_has_one_of_them_every_time(tmp_path: Path) -> None:
    put(tmp_path, rich("a", team="south"), rich("b", team="north"))
    assert rows(tmp_path, "SELECT team, calls FROM agent_week") == [("north", 2)]


def test_simulated_calls_are_never_added_to_real_ones(tmp_path: Path) -> None:
    put(tmp_path, rich("real"), rich("played", is_simulated=True))
    assert rows(tmp_path, "SELECT is_simulated, calls FROM team_week ORDER BY 1") == [
        (False, 1),
        (True, 1),
    ]


def test_friction_is_counted_by_step(tmp_path: Path) -> None:
    metrics = [
        measured("friction_repeat", "A", 2.0),
        measured("friction_transfer", "A", 0.0),
        measured("friction_hold", "A", 0.0),
    ]
    quiet = [replace(m, value=0.0) for m in metrics]
    put(
        tmp_path,
        rich("a", metrics=metrics, cues=[], reason="billing"),
        rich("b", metrics=quiet, cues=[], extra={"journey_step": "billing"}),
        rich("c", metrics=quiet, cues=[], queue="cards"),
    )
    assert rows(
        tmp_path,
        "SELECT step, calls, calls_with_friction, friction_rate, repeats FROM friction_by_step "
        "ORDER BY step",
    ) == [("billing", 2, 1, 0.5, 2.0), ("cards", 1, 0, 0.0, 0.0)]


def test_the_night_report_counts_what_became_of_everything(tmp_path: Path) -> None:
    put(
        tmp_path,
        rich("a"),
        call("b", roles=NO_ROLES, source=SpeakerSource.DIARIZATION),
        without_analysis("c"),
        without_analysis("d", status=Status.FAILED, code="fault", reason="stage words: fault"),
        without_analysis("e", status=Status.NO_SPEECH, code="no_speech", reason="no voice"),
        rich("later", analyzed_at=LATER),
    )
    assert rows(
        tmp_path,
        "SELECT night::VARCHAR, calls, analyzed, no_speech, refused, failed, duplicates, "
        "audio_h, times_real_time, stereo_share, without_roles_share, without_ledger_share "
        "FROM night_report ORDER BY night",
    ) == [
        ("2026-11-20", 5, 2, 1, 1, 1, 0, 120 / 3600, 30.0, 0.5, 0.5, 0.5),
        ("2026-11-21", 1, 1, 0, 0, 0, 0, 60 / 3600, 30.0, 1.0, 0.0, 0.0),
    ]
    assert rows(tmp_path, "SELECT call_id, status, reason_code FROM failures ORDER BY 1") == [
        ("c", "refused", "empty_file"),
        ("d", "failed", "fault"),
        ("e", "no_speech", "no_speech"),
    ]


def test_damaged_files_of_every_kind_are_among_the_failures(tmp_path: Path) -> None:
    put(tmp_path, rich("a"))
    for name in ("outcomes/ab/1.parquet", "reviews/ab/1.json", "evaluations/ab/1.json"):
        damaged = tmp_path / "landing" / name
        damaged.parent.mkdir(parents=True)
        damaged.write_text("{}")
    put(tmp_path)
    found = rows(tmp_path, "SELECT split_part(path, '/', 1) FROM failures ORDER BY 1")
    assert found == [("evaluations",), ("outcomes",), ("reviews",)]


def test_an_opportunity_has_the_words_around_it_and_a_clip(tmp_path: Path) -> None:
    put(tmp_path, rich())
    assert rows(
        tmp_path,
        "SELECT customer_turn, agent_turn, clip_start_s, clip_end_s, agent_id "
        "FROM opportunity_detail",
    ) == [(SAYS[1][3], SAYS[2][3], pytest.approx(1.2), 11.0, "7")]


def test_definitions_alone_can_change(tmp_path: Path) -> None:
    put(tmp_path, rich())
    definition = MetricDefinition("charm", "call", "1", "charm", "nobody")
    folder = tmp_path / "landing"
    report = publish(folder, tmp_path / "w.duckdb", [*definitions_of([rich()]), definition])
    assert (report.rebuilt, report.loaded, report.unchanged) == (True, 0, 1)
    assert rows(tmp_path, "SELECT unit FROM metric_definitions WHERE name = 'charm'") == [("1",)]

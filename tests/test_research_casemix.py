"""Agents beside each other: the mix of their calls is no merit, luck no rank, deafness no fault."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from support.factories import call, definitions_of, measured
from support.firms import firm, land_together
from warmline.cli import app
from warmline.research import Design
from warmline.research.fairness import (
    dif,
    read_groups,
    read_written,
    with_word_errors,
    word_error_gap,
)
from warmline.research.reliability import CaseMix, case_mix, read_case_mix
from warmline.warehouse.publishing import publish

DESIGN = Design(measures=("m",), controls=("contact_reason",))
MONDAY = datetime(2026, 6, 1, 9)


def mixed(seed: int, own: float) -> tuple[Any, Any]:
    """Twenty agents who differ by `own`; half of them take nearly all of the complaints."""
    random = np.random.default_rng(seed)
    skill = own * random.normal(size=20)
    agent = np.repeat(np.arange(20), 120)
    complains = random.random(len(agent)) < np.where(agent < 10, 0.8, 0.2)
    values = 0.6 + skill[agent] - 0.3 * complains + 0.3 * random.normal(size=len(agent))
    frame = pd.DataFrame(
        {
            "agent_id": [f"a{a:02}" for a in agent],
            "started_at": [MONDAY + timedelta(hours=3 * (i % 120)) for i in range(len(agent))],
            "contact_reason": np.where(complains, "complaint", "order"),
            "m": values,
        }
    )
    return frame, skill


def test_who_takes_the_complaints_is_not_taken_for_a_poor_agent() -> None:
    frame, skill = mixed(1, 0.1)
    found = case_mix(frame, "m", DESIGN)
    by_name = {c.agent_id: c for c in found.agents}
    raw = np.array([by_name[f"a{a:02}"].observed for a in range(20)])
    own = np.array([by_name[f"a{a:02}"].own.value for a in range(20)])
    # Side by side the first ten look worse by 18 points; their own work is no worse.
    assert raw[:10].mean() - raw[10:].mean() < -0.1
    gap = own[:10].mean() - own[10:].mean() - (skill[:10].mean() - skill[10:].mean())
    assert abs(gap) < 0.03
    assert np.corrcoef(own, skill)[0, 1] > 0.9
    assert found.is_ranked and found.held_equal == ("contact_reason",)
    assert [c.own.value for c in found.agents] == sorted(own, reverse=True)
    holds = [
        c.own.low <= skill[int(c.agent_id[1:])] - skill.mean() <= c.own.high for c in found.agents
    ]
    assert np.mean(holds) >= 0.8


def test_an_interval_of_few_agents_allows_for_how_little_is_known_of_their_differences() -> None:
    """In every fifth such firm they seem not to differ at all: 0 to 0 is no interval."""
    holds = []
    for seed in range(40):
        frame, skill = mixed(seed, 0.05)
        few = frame[frame["agent_id"].isin(["a00", "a04", "a08", "a12", "a16"])]
        few = few[few.groupby("agent_id").cumcount() < 30]
        for agent in case_mix(few, "m", DESIGN).agents:
            truth = skill[int(agent.agent_id[1:])] - skill[[0, 4, 8, 12, 16]].mean()
            assert agent.own.low is not None and agent.own.high is not None
            holds.append(agent.own.low <= truth <= agent.own.high)
    assert np.mean(holds) > 0.92


def test_an_agents_share_stays_between_0_and_1() -> None:
    frame = mixed(1, 0.1)[0].iloc[::15].assign(contact_reason=None)
    agent = frame["agent_id"].str[1:].astype(int)
    for top in (1.0, 2.0):
        of = frame.assign(m=(np.arange(len(frame)) % 8 < np.where(agent < 10, 0, 8)) * top)
        ends = [
            (c.expected + c.own.low, c.expected + c.own.high)
            for c in case_mix(of, "m", DESIGN).agents
        ]
        is_within = all(-1e-9 <= low <= high <= 1 + 1e-9 for low, high in ends)
        assert is_within is (top == 1.0), "only of a share is it known where it ends"


def test_agents_who_are_alike_are_not_ranked() -> None:
    found = [case_mix(mixed(seed, 0.0)[0], "m", DESIGN) for seed in range(8)]
    assert not any(f.is_ranked for f in found)
    spread = [np.std([c.own.value for c in f.agents]) for f in found]
    raw = [np.std([c.difference for c in f.agents]) for f in found]
    assert np.mean(spread) < 0.6 * np.mean(raw)
    assert [c.agent_id for c in found[0].agents] == [f"a{a:02}" for a in range(20)]


def test_too_little_has_a_reason() -> None:
    frame, _ = mixed(2, 0.1)
    few = case_mix(frame[frame["agent_id"] < "a03"], "m", DESIGN)
    assert (few.reason or "").endswith("at least 30 calls of 5 agents are needed")
    assert "in all calls" in (case_mix(frame.assign(m=1.0), "m", DESIGN).reason or "")


@pytest.fixture(scope="module")
def unheard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty calls; of forty in German half have no answered rate, of those in English none."""
    folder = tmp_path_factory.mktemp("unheard")
    analyses = []
    for i in range(80):
        lacks = i % 4 == 1
        metrics = [] if lacks else [measured("ownership", "B", float(i % 3))]
        at = MONDAY.replace(tzinfo=UTC) + timedelta(hours=i)
        made = call(f"c{i}", metrics=metrics, agent_id=f"a{i % 8}", started_at=at)
        assert made.transcript
        heard = replace(made.transcript, language="de" if i % 2 else "en")
        analyses.append(replace(made, transcript=heard))
    land_together(analyses, folder / "l")
    publish(folder / "l", folder / "w.duckdb", definitions_of(analyses))
    return folder / "w.duckdb"


def test_agents_are_not_compared_where_calls_are_not_heard_alike(unheard: Path) -> None:
    design = Design(measures=("ownership",), controls=())
    groups, gaps = read_groups(unheard, design)
    languages = {g.group: g for g in groups if g.of == "language"}
    assert languages["de"].missing["ownership"] == 0.5
    assert languages["en"].missing["ownership"] == 0.0
    unfair = [g for g in gaps if g.is_unfair]
    assert {(g.group, round(g.difference, 2)) for g in unfair} >= {("de", 0.5), ("en", -0.5)}
    (found,) = read_case_mix(unheard, design)
    assert isinstance(found, CaseMix) and found.agents == ()
    assert "no ownership are 50 in 100 more than in all other calls" in (found.reason or "")


def test_many_groups_of_nothing_are_not_called_unlike(tmp_path: Path) -> None:
    """Of some forty differences that are looked at, chance alone makes several exceed 5 points."""
    random = np.random.default_rng(5)
    analyses = []
    for i in range(240):
        metrics = [] if random.random() < 0.3 else [measured("ownership", "B", 1.0)]
        at = MONDAY.replace(tzinfo=UTC) + timedelta(hours=i)
        made = call(f"c{i}", metrics=metrics, agent_id=f"a{i % 8}", started_at=at)
        assert made.transcript
        spoken = str(random.choice(["de", "en", "fr", "es", "it"]))
        analyses.append(replace(made, transcript=replace(made.transcript, language=spoken)))
    land_together(analyses, tmp_path / "l")
    publish(tmp_path / "l", tmp_path / "w.duckdb", definitions_of(analyses))
    design = Design(measures=("ownership",), controls=())
    _, gaps = read_groups(tmp_path / "w.duckdb", design)
    assert any(abs(gap.difference) > 0.05 for gap in gaps)
    assert not any(gap.is_unfair for gap in gaps)


def turns_of_two_groups(seed: int, log_odds: float) -> tuple[Any, Any]:
    """Labelled turns; the ledger flags one inside the group more often, the truth being equal."""
    random = np.random.default_rng(seed)
    inside, felt = random.random(6000) < 0.4, random.random(6000) < 0.15
    flagged = random.random(6000) < 1 / (1 + np.exp(3.2 - 3.0 * felt - log_odds * inside))
    drawn = np.concatenate([np.flatnonzero(flagged == f)[:240] for f in (True, False)])
    turns = pd.DataFrame(
        {
            "call_id": drawn,
            "flagged": flagged[drawn] * 1.0,
            "felt": felt[drawn] * 1.0,
            "seen": np.nan,
            "answered": np.nan,
        }
    )
    return turns, np.where(inside[drawn], "in", "out")


def test_a_group_that_is_read_otherwise_is_told_from_one_that_feels_otherwise() -> None:
    found = [dif("group", *turns_of_two_groups(seed, 1.0))[0] for seed in range(6)]
    odds = [d.log_odds for d in found if d.log_odds]
    assert np.mean([e.value for e in odds]) == pytest.approx(1.0, abs=0.25)
    assert np.mean([e.low < 1.0 < e.high for e in odds]) >= 0.8
    assert (found[0].of, found[0].group, found[0].what) == ("group", "in", "finds a feeling")
    assert "finds a feeling more often than in all other calls" in str(found[0])
    assert "odds" in str(found[0]) and "in turns that people see alike" in str(found[0])
    alike = [dif("group", *turns_of_two_groups(seed, 0.0))[0] for seed in range(10)]
    assert sum((d.p_corrected or 1.0) < 0.05 for d in alike) <= 2
    few = dif("group", *(part[:40] for part in turns_of_two_groups(1, 0.0)))
    assert "labelled turns, at least 30 needed" in (few[0].reason or "")
    assert "no answer" not in str(few[0])


def test_the_same_script_in_other_voices_is_compared_script_by_script(tmp_path: Path) -> None:
    """Six scripts in two voices: one voice has ten points more of doubtful words in each."""
    analyses = []
    for script in range(6):
        for voice, doubtful in (("slt", script), ("awb", script + 2)):
            says = [("A", 0.0, 9.0, " ".join(["word"] * 20))]
            made = call(f"s{script}-{voice}", says=says, agent_id="a1", is_simulated=True)
            assert made.transcript
            words = tuple(
                replace(w, probability=0.1 if i < doubtful else 0.95)
                for i, w in enumerate(made.transcript.words)
            )
            told = {"title": f"script {script}", "customer_voice": voice}
            analyses.append(
                replace(
                    made,
                    transcript=replace(made.transcript, words=words),
                    metadata=replace(made.metadata, extra=told),
                )
            )
    land_together(analyses, tmp_path / "l")
    publish(tmp_path / "l", tmp_path / "w.duckdb", definitions_of(analyses))
    design = Design(measures=("answered_rate",), is_simulated=True)
    groups, gaps = read_groups(tmp_path / "w.duckdb", design, "customer_voice")
    assert {g.group: g.calls for g in groups} == {"slt": 6, "awb": 6}
    (awb,) = [g for g in gaps if (g.group, g.what) == ("awb", "doubtful")]
    assert awb.difference == pytest.approx(0.1) and awb.is_unfair


def test_words_that_people_wrote_down_say_whom_the_recogniser_mishears(tmp_path: Path) -> None:
    """Ten words a call; of one queue two in ten are heard as another, of the other none."""
    analyses, folder = [], tmp_path / "written"
    folder.mkdir()
    wrote = "one two three four five six seven eight nine ten"
    for number in range(16):
        queue = ("billing", "orders")[number % 2]
        heard = wrote if queue == "orders" else wrote.replace("two", "too").replace("ten", "den")
        says = [("A", 0.0, 9.0, heard), ("B", 9.0, 12.0, "words of the agent do not count")]
        analyses.append(call(f"c{number}", says=says, agent_id="a1", queue=queue))
        (folder / f"c{number}.txt").write_text(f"{wrote.capitalize()}.")
    land_together(analyses, tmp_path / "l")
    publish(tmp_path / "l", tmp_path / "w.duckdb", definitions_of(analyses))
    frame = with_word_errors(
        pd.DataFrame({"call_id": ["c0", "c1", "unknown"]}),
        tmp_path / "w.duckdb",
        read_written(folder),
    )
    assert frame["misheard"].tolist()[:2] == [2.0, 0.0] and np.isnan(frame["written"][2])
    asked = ["research", "fairness", "--warehouse", str(tmp_path / "w.duckdb"), "--by", "queue"]
    done = CliRunner().invoke(app, [*asked, "--words", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    (tmp_path / "empty").mkdir()
    refused = CliRunner().invoke(app, [*asked, "--words", str(tmp_path / "empty")])
    assert "no file CALL_ID.txt" in " ".join(refused.output.split())
    (folder / "c1.json").write_text("{}")
    wrong = CliRunner().invoke(app, [*asked, "--words", str(folder)])
    assert "neither words nor the truth of a simulated call" in " ".join(wrong.output.split())


def test_word_errors_of_groups_are_compared_call_by_call() -> None:
    """By hand: 20 of 100 words against 5 of 100, each call alike, and what is unknown left out."""
    misheard = np.array([2.0] * 10 + [0.5] * 10 + [np.nan])
    written = np.array([10.0] * 20 + [np.nan])
    inside = np.arange(21) < 10
    alike = word_error_gap("queue", "a", misheard, written, inside, ~inside)
    assert alike and (alike.difference, alike.p) == (pytest.approx(0.15), 0.0)
    misheard[:20] += np.tile([0.5, -0.5], 10)
    found = word_error_gap("queue", "a", misheard, written, inside, ~inside)
    # Of each side the variance of a mean is 0.05^2 / 9; 18 degrees of freedom.
    half = 2.1009 * np.sqrt(2 * 0.05**2 / 9)
    assert found and found.difference == pytest.approx(0.15)
    assert found.low == pytest.approx(0.15 - half, abs=1e-4)
    assert found.high == pytest.approx(0.15 + half, abs=1e-4)
    assert replace(found, p_corrected=0.01).is_unfair and "word errors" in str(found)
    assert (
        word_error_gap("queue", "a", misheard, written, inside & (np.arange(21) < 4), ~inside)
        is None
    )


def test_the_commands_say_so(unheard: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    asked = ["--measure", "ownership", "--warehouse", str(unheard)]
    told = " ".join(run(app, ["research", "fairness", *asked]).output.split())
    assert (
        "not alike: where language is de, calls that have no ownership are 50 in 100 more" in told
    )
    assert "Digest of calls" in told
    refused = " ".join(run(app, ["research", "agents", *asked]).output.split())
    assert "agents are not compared, because calls are not heard alike" in refused
    none = run(app, ["research", "fairness", *asked, "--by", "shoe_size"])
    assert none.exit_code == 1
    assert "of no call a 'shoe_size' is known" in " ".join(none.output.split())
    made = firm(tmp_path)
    asked = ["research", "agents", "--measure", "ownership", "--warehouse", str(made.warehouse)]
    shown = " ".join(run(app, asked).output.split())
    assert "observed expected" in shown and "By name: to rank them would be luck" in shown
    assert "expected ratio" not in shown and "cannot tell that from luck" in shown
    (mix,) = json.loads(run(app, [*asked, "--json"]).stdout)["measures"]
    assert len(mix["agents"]) == 6 and mix["is_ranked"] is False
    assert set(mix["agents"][0]["own"]) == {"value", "low", "high", "n"}  # and no p of 1
    by_queue = json.loads(
        run(app, ["research", "fairness", *asked[2:], "--by", "queue", "--json"]).stdout
    )
    assert {g["group"] for g in by_queue["groups"]} == {"billing", "orders"}

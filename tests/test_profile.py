"""The empathy profile: scores worked out by hand, and no score where too little was measured."""

from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import duckdb
import pytest
from statsmodels.stats.multitest import multipletests
from typer.testing import CliRunner

from support.factories import call, cue, definitions_of, measured
from support.once import Once
from support.warehouses import read_rows
from warmline import landing
from warmline.analysis import CallAnalysis, rate
from warmline.cli import app
from warmline.query.questions import ask, ask_named
from warmline.settings import ProfileSettings
from warmline.warehouse.publishing import publish

FEW = ProfileSettings(min_reference_calls=4)


def service(call_id: str, agent: str, answered: int, of: int, **more: float) -> CallAnalysis:
    """A call with this many answered cues, and other measures of the agent by name."""
    return call(
        call_id,
        agent_id=agent,
        team="red",
        cues=[
            cue(1, 2.5, 5.0, "my card", answer="affective" if i < answered else "ignored")
            for i in range(of)
        ],
        metrics=[
            rate("answered_rate", None, answered, of, no_answer="no cue"),
            measured("talk_s", "A", 60.0),
            *(measured(name, "B", value) for name, value in more.items()),
        ],
    )


def published(folder: Path, calls: list[CallAnalysis], profile: ProfileSettings = FEW) -> Path:
    for analysis in calls:
        landing.write(analysis, folder / "landing")
    publish(folder / "landing", folder / "w.duckdb", definitions_of(calls), profile)
    return folder / "w.duckdb"


def week() -> list[CallAnalysis]:
    """Pooled 10 of 16: Ann answers 8 of 8 in two calls, Bob 2 of 8."""
    return [
        service("a1", "ann", 4, 4, competitive_interruptions=0.0),
        service("a2", "ann", 4, 4, competitive_interruptions=0.0),
        service("b1", "bob", 1, 4, competitive_interruptions=2.0),
        service("b2", "bob", 1, 4, competitive_interruptions=2.0),
    ]


@pytest.fixture
def reported(once: Once, tmp_path: Path) -> Path:
    """The warehouse of that week, published with `FEW`."""
    once.copied("profiled", lambda to: published(to, week()), tmp_path)
    return tmp_path / "w.duckdb"


def scores(warehouse: Path, view: str, key: str, component: str) -> dict[str, tuple]:
    answer = ask(
        warehouse,
        f"SELECT {key}, value, score, score_low, score_high, reason FROM {view} "
        f"WHERE component = '{component}'",
    )
    return {row[0]: row[1:] for row in answer.rows}


def test_an_agents_score_is_the_distance_from_the_mean_of_all_calls(reported: Path):
    found = scores(reported, "agent_profile", "agent_id", "answering")
    # Mean 0.625; every call is 0.375 off, so that the spread is 0.375 and Ann is one spread above.
    assert found["ann"][:2] == (1.0, pytest.approx(60.0))
    assert found["bob"][:2] == (0.25, pytest.approx(40.0))
    # noise = sqrt(16 * 0.375**2 / 3); its share of the spread at 8 cues: 1.96 * 10 * 0.8165
    assert found["ann"][3] - found["ann"][1] == pytest.approx(19.6 * (16 / 3 / 8) ** 0.5)
    assert found["ann"][1] - found["ann"][2] == pytest.approx(19.6 * (16 / 3 / 8) ** 0.5)


def test_less_is_better_where_it_is(reported: Path):
    found = scores(reported, "agent_profile", "agent_id", "giving_room")
    assert found["ann"][0] == 0.0 and found["ann"][1] == pytest.approx(60.0)
    assert found["bob"][0] == 2.0 and found["bob"][1] == pytest.approx(40.0)


def test_a_call_has_a_wider_interval_than_its_agent(reported: Path):
    one = scores(reported, "call_profile", "call_id", "answering")["a1"]
    whole = scores(reported, "agent_profile", "agent_id", "answering")["ann"]
    assert one[1] == pytest.approx(whole[1])
    assert one[3] - one[2] == pytest.approx((whole[3] - whole[2]) * 2**0.5)


def test_without_enough_calls_there_is_no_score_but_a_reason(tmp_path: Path):
    warehouse = published(tmp_path, week(), ProfileSettings())
    value, score, low, high, reason = scores(warehouse, "agent_profile", "agent_id", "answering")[
        "ann"
    ]
    assert (value, score, low, high) == (1.0, None, None, None)
    assert "too few calls" in reason


def test_what_was_never_asked_for_has_no_row_and_simulated_calls_are_apart(tmp_path: Path):
    calls = [*week(), service("c1", "cid", 0, 0)]
    made_up = replace(calls[0].metadata, call_id="s1", is_simulated=True, agent_id="sim")
    calls.append(
        replace(
            calls[0],
            metadata=made_up,
            recording=replace(calls[0].recording, audio_sha256="0" * 64, path="/calls/s1.wav"),
        )
    )
    found = scores(published(tmp_path, calls), "agent_profile", "agent_id", "answering")
    assert set(found) == {"ann", "bob", "sim"}
    assert found["ann"][1] == pytest.approx(60.0)
    assert found["sim"][1] is None


def test_there_is_no_index_without_weights_and_none_of_too_little(reported: Path, tmp_path: Path):
    assert read_rows(reported, "SELECT * FROM agent_index") == ()
    weighed = FEW.model_copy(update={"weight_answering": 3.0, "weight_giving_room": 1.0})
    publish(tmp_path / "landing", reported, definitions_of(week()), weighed)
    index = "SELECT agent_id, empathy_index, weight_measured FROM agent_index ORDER BY agent_id"
    assert read_rows(reported, index) == (
        ("ann", pytest.approx(60.0), 1.0),
        ("bob", pytest.approx(40.0), 1.0),
    )
    # Steadiness was never measured; with most of the weight on it nothing can be said.
    heavy = weighed.model_copy(update={"weight_steadiness": 8.0})
    publish(tmp_path / "landing", reported, definitions_of(week()), heavy)
    assert {row[1] for row in read_rows(reported, index)} == {None}
    weights = "SELECT value FROM profile_settings WHERE name = 'weight_steadiness'"
    assert read_rows(reported, weights) == ((8.0,),)


def test_publishing_without_settings_keeps_the_weights_there_are(tmp_path: Path):
    weighed = FEW.model_copy(update={"weight_answering": 1.0})
    warehouse = published(tmp_path, week(), weighed)
    publish(tmp_path / "landing", warehouse, definitions_of(week()))
    assert len(read_rows(warehouse, "SELECT * FROM agent_index")) == 2


def test_empathy_profile(reported: Path):
    answer = ask_named(reported, "empathy_profile", {"agent": "ann"})
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    assert {row["component"] for row in rows} == {"answering", "giving_room"}
    assert {row["empathy_index"] for row in rows} == {None}
    for row in ask_named(reported, "empathy_profile").rows:
        told = dict(zip(answer.columns, row, strict=True))
        low, high = told["score_low"], told["score_high"]
        p = told["p_corrected"]
        is_apart = p is not None and p <= 0.05
        assert not is_apart or low > 50 or high < 50
        words = told["reading"]
        assert words.startswith(("above the mean", "below the mean")) is is_apart, told
        assert words
    every = [
        dict(zip(answer.columns, row, strict=True))
        for row in ask_named(reported, "empathy_profile").rows
    ]
    scored = [row for row in every if row["score"] is not None]
    z = [3.92 * abs(row["score"] - 50) / (row["score_high"] - row["score_low"]) for row in scored]
    p = [2 * (1 - NormalDist().cdf(one)) for one in z]
    assert [row["p_corrected"] for row in scored] == pytest.approx(
        multipletests(p, method="fdr_bh")[1].tolist(), abs=1e-6
    )


def test_no_component_is_about_what_an_agent_feels(reported: Path):
    """Components are made of counted behaviour: no emotion or pitch of an agent goes into them."""
    with duckdb.connect(str(reported), read_only=True) as con:
        (sql,) = con.execute(
            "SELECT macro_definition FROM duckdb_functions() WHERE function_name = 'profile_of'"
        ).fetchone()
    assert not {"emotion", "pitch", "sentiment", "mood"} & set(sql.lower().split("_"))


def test_show_has_the_profile_of_a_call_or_says_why_not(reported: Path, tmp_path: Path):
    shown = CliRunner().invoke(app, ["show", "a1", "--warehouse", str(reported)])
    assert shown.exit_code == 0, shown.output
    assert "answering" in shown.output and "1.00 = 4/4" in shown.output and "60, " in shown.output
    few = published(tmp_path / "few", week()[:2], ProfileSettings())
    told = CliRunner().invoke(app, ["show", "a1", "--warehouse", str(few)])
    assert "No score: too few calls to compare with" in told.output

"""The models of the research room: right by hand, lawful, honest where the truth is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from support.firms import world
from warmline.research import Correction, Design, Effects, Model
from warmline.research.associations import Association, associations, corrected, dose
from warmline.research.regression import cr2, fit, independent_columns

DESIGN = Design(measures=("m",), controls=("opening",), min_n=50)


def one(frame: Any, design: Design = DESIGN) -> Association:
    (found,) = associations(frame, design)
    return found


# Standard errors


def by_definition(x: Any, e: Any, groups: Any, c: Any, dummies: Any) -> tuple[float, float]:
    """CR2 and its degrees of freedom with matrices of all rows, agents as columns of the model."""
    whole = np.column_stack([dummies, x])
    hat = whole @ np.linalg.pinv(whole)
    rest = np.eye(len(e)) - hat
    bread = np.linalg.inv(x.T @ x)
    parts, meat = [], 0.0
    for g in np.unique(groups):
        own = np.flatnonzero(groups == g)
        block = np.eye(len(own)) - x[own] @ bread @ x[own].T
        values, vectors = np.linalg.eigh(block)
        root = vectors @ np.diag(np.where(values > 1e-9, values.clip(1e-9) ** -0.5, 0)) @ vectors.T
        weights = root @ x[own] @ bread @ c
        meat += (weights @ e[own]) ** 2
        parts.append(rest[:, own] @ weights)
    products = np.array(parts) @ np.array(parts).T
    return float(np.sqrt(meat)), float(np.trace(products) ** 2 / (products**2).sum())


@pytest.mark.parametrize("absorbed", [True, False])
def test_cr2_is_what_its_definition_says(absorbed: bool) -> None:
    random = np.random.default_rng(3)
    groups = np.sort(random.integers(0, 6, 60))
    x = random.normal(size=(60, 3)) + 0.5 * random.normal(size=(6, 3))[groups]
    y = x @ [1.0, 0.0, -1.0] + random.normal(size=6)[groups] + random.normal(size=60)
    dummies = (groups[:, None] == np.arange(6)).astype(float) if absorbed else np.empty((60, 0))
    if absorbed:
        x, y = (v - dummies @ np.linalg.pinv(dummies) @ v for v in (x, y))
    e = y - x @ np.linalg.pinv(x) @ y
    contrasts = np.array([[1.0, 0, 0], [0, 1.0, -1.0]])
    found = cr2(x, e, groups, contrasts)
    for row, se, df in zip(contrasts, found.se, found.df, strict=True):
        assert (se, df) == pytest.approx(by_definition(x, e, groups, row, dummies))


def test_an_agent_who_alone_decides_a_coefficient_gives_a_finite_error() -> None:
    groups = np.repeat(np.arange(4), 5)
    only = (groups == 0) * np.tile([0.0, 0, 0, 1, 1], 4)
    x = np.column_stack([np.ones(20), only])
    e = np.random.default_rng(1).normal(size=20)
    found = cr2(x, e - x @ np.linalg.pinv(x) @ e, groups, np.eye(2))
    assert np.isfinite(found.se).all()
    assert (found.df > 0).all()


# Least squares within agents


def test_taking_off_the_means_is_a_column_for_each_agent() -> None:
    frame = world(5, effect=0.1, agents=5, each=30)
    groups = frame["agent_id"].factorize()[0]
    x = frame[["m", "opening_cues"]].to_numpy(float)
    y = frame["outcome"].to_numpy(float)
    columns = sm.OLS(y, np.column_stack([x, pd.get_dummies(groups).to_numpy(float)])).fit()
    model = fit(y, x, ("m", "opening_cues"), groups, Effects.FIXED)
    assert model.params == pytest.approx(columns.params[:2])
    assert model.dof == int(columns.df_resid)
    assert fit(y, x, ("m", "cues"), groups, Effects.NONE).params[1:] == pytest.approx(
        sm.OLS(y, sm.add_constant(x)).fit().params[1:]
    )


def test_random_effects_lie_between_comparing_within_and_comparing_all() -> None:
    frame = world(5, agents=8, each=25)
    within, between, pooled = (
        one(frame, replace(DESIGN, effects=e)).adjusted
        for e in (Effects.FIXED, Effects.RANDOM, Effects.NONE)
    )
    assert within and between and pooled
    assert within.value < between.value < pooled.value


def test_columns_that_say_nothing_new_are_found() -> None:
    a, b = np.arange(6.0), np.array([1.0, 0, 0, 2, 1, 0])
    x = np.column_stack([a, b, a + 2 * b, np.zeros(6), np.ones(6)])
    assert independent_columns(x) == [0, 1, 4]


@given(st.lists(st.floats(-5, 5), min_size=6, max_size=6), st.floats(0.1, 10))
@settings(max_examples=20, deadline=None)
def test_what_is_the_same_in_all_calls_of_an_agent_changes_nothing(
    skills: list[float], unit: float
) -> None:
    frame = world(9, effect=0.1, agents=6, each=20, is_share=False)
    shift = np.repeat(skills, 20)
    moved = frame.assign(outcome=(frame["outcome"] + shift) * unit, m=frame["m"] * unit + 3)
    before, after = one(frame).adjusted, one(moved.sample(frac=1, random_state=1)).adjusted
    assert before and after
    assert after.value == pytest.approx(before.value * unit, rel=1e-6, abs=1e-9)
    assert (after.p, after.df) == pytest.approx((before.p, before.df), rel=1e-6)


# Honest by simulation


def intervals(runs: int, effect: float, design: Design, **more: Any) -> tuple[Any, Any, Any]:
    """For each run: whether the adjusted and the raw interval hold the truth, and the p-value."""
    adjusted, raw, p = [], [], []
    for seed in range(runs):
        found = one(world(seed, effect, **more), design)
        assert found.adjusted and found.raw and found.sd
        truth = effect * found.sd
        adjusted.append(found.adjusted.low <= truth <= found.adjusted.high)
        raw.append(found.raw.low <= truth <= found.raw.high)
        p.append(found.adjusted.p)
    return np.mean(adjusted), np.mean(raw), np.array(p)


@pytest.mark.parametrize("effect", [0.0, 0.05])
def test_a_planted_confounder_fools_the_raw_comparison_and_not_the_adjusted_one(
    effect: float,
) -> None:
    adjusted, raw, _ = intervals(80, effect, DESIGN, is_share=False)
    assert raw < 0.5
    assert adjusted >= 0.87  # of 95 %; 80 runs fall below once in a thousand


def test_the_customers_state_alone_is_enough_to_fool_who_compares_agents_only() -> None:
    only_agents = replace(DESIGN, controls=())
    without, _, _ = intervals(40, 0.0, only_agents, is_share=False, each=150)
    with_state, _, _ = intervals(40, 0.0, DESIGN, is_share=False, each=150)
    assert without < 0.5 < 0.85 <= with_state


@pytest.mark.parametrize("effects", [Effects.FIXED, Effects.NONE])
def test_nothing_is_found_where_there_is_nothing(effects: Effects) -> None:
    design = replace(DESIGN, effects=effects)
    _, _, p = intervals(150, 0.0, design, is_confounded=False, agents=6, each=20)
    assert (p < 0.05).mean() <= 0.107  # 150 runs at 5 % lie above once in a thousand
    assert 0.35 < np.median(p) < 0.65


@pytest.mark.slow
@pytest.mark.parametrize("effects", list(Effects))
@pytest.mark.parametrize(("agents", "each"), [(5, 30), (12, 40), (40, 15)])
def test_intervals_hold_the_truth_as_often_as_they_say(
    effects: Effects, agents: int, each: int
) -> None:
    design = replace(DESIGN, effects=effects)
    holds, _, p = intervals(400, 0.03, design, is_confounded=False, agents=agents, each=each)
    assert 0.92 <= holds <= 0.98
    _, _, p = intervals(400, 0.0, design, is_confounded=False, agents=agents, each=each)
    assert 0.02 <= (p < 0.05).mean() <= 0.08


def test_of_many_measures_of_nothing_none_is_clear_after_the_correction() -> None:
    alarms = {Correction.NONE: 0, Correction.BH: 0, Correction.HOLM: 0}
    names = tuple(f"m{i}" for i in range(10))
    for seed in range(12):
        frame = world(seed, is_confounded=False, agents=6, each=20)
        random = np.random.default_rng(seed)
        for name in names:
            frame[name] = random.normal(size=len(frame))
        design = replace(DESIGN, measures=names, correction=Correction.NONE)
        raw = [a.p_corrected for a in associations(frame, design)]
        for correction in alarms:
            alarms[correction] += any((p or 1) < 0.05 for p in corrected(raw, correction))
    holm = associations(frame, replace(design, correction=Correction.HOLM))
    assert [a.p_corrected for a in holm] == corrected(raw, Correction.HOLM)
    assert alarms[Correction.NONE] >= 3
    assert alarms[Correction.HOLM] <= alarms[Correction.BH] <= 2


def test_corrections_by_hand() -> None:
    p = [0.01, None, 0.02, 0.04]
    assert corrected(p, Correction.BH) == [pytest.approx(0.03), None, pytest.approx(0.03), 0.04]
    assert corrected(p, Correction.HOLM) == [
        pytest.approx(v) if v else v for v in (0.03, None, 0.04, 0.04)
    ]
    assert corrected(p, Correction.NONE) == p
    assert corrected([None], Correction.BH) == [None]


# NULL is not zero, and too little is said to be too little


def test_what_is_missing_is_counted_and_never_filled_in() -> None:
    frame = world(1)
    frame.loc[:99, "m"] = np.nan
    frame.loc[50:149, "opening_cues"] = np.nan
    frame.loc[470:, "agent_id"] = None
    found = one(frame)
    assert found.missing == {"agent_id": 10, "m": 100, "opening_cues": 50}
    assert found.n == 480 - 160
    alone = one(frame.dropna(subset=["m", "opening_cues", "agent_id"]))
    assert found.adjusted == alone.adjusted


def constant_within(frame: Any) -> Any:
    return frame.assign(m=frame["agent_id"].factorize()[0].astype(float))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.iloc[:40], "only 40 calls have all that this needs, and it takes at least 50"),
        (lambda f: f.iloc[:0], "no call has all that this needs"),
        (lambda f: f.assign(m=np.nan), "no call has all that this needs"),
        (lambda f: f.assign(agent_id="a"), "1 agents; at least 3"),
        (lambda f: f.assign(outcome=1.0), "the outcome is 1 in all rows"),
        (lambda f: f.assign(outcome=(f.index < 4) * 1.0), "the outcome is 1 in 4 rows, at least"),
        (lambda f: f.assign(m=2.0), "the measure is 2 in all rows"),
        (constant_within, "the measure differs between agents only"),
        (lambda f: f.assign(m=f["opening_cues"] * 2.0), "the controls tell the measure exactly"),
        (lambda f: f.assign(outcome=f["m"]), "the model predicts the outcome exactly"),
    ],
)
def test_too_little_has_a_reason_and_no_number(change: Any, said: str) -> None:
    found = one(change(world(2)))
    assert said in (found.reason or "")
    assert (found.adjusted, found.raw, found.p_corrected) == (None, None, None)
    assert dose(change(world(2)), "m", DESIGN) is None or "exactly" in said


def test_a_share_that_the_measure_all_but_tells_has_an_error_or_a_reason() -> None:
    frame = world(2)
    found = one(frame.assign(outcome=(frame["m"] > frame["m"].median()) * 1.0))
    assert found.adjusted is not None and found.adjusted.se > 0


def test_a_control_that_says_nothing_is_named_and_rare_words_are_taken_together() -> None:
    from warmline.research import design_matrix, usable

    frame = world(4, agents=4, each=30).assign(
        queue=["a"] * 70 + ["b"] * 45 + ["c"] * 3 + ["d"] * 2, contact_reason=None, log_duration=4.0
    )
    controls = usable(frame, ("queue", "contact_reason", "duration"))
    assert controls.columns == ("queue",)
    assert controls.unusable == {
        "contact_reason": "not known of any call",
        "log_duration": "the same in all calls",
    }
    matrix, names = design_matrix(frame, controls.columns)
    assert names == ("queue=a", "queue=b")
    assert matrix.sum(axis=0).tolist() == [70, 45]


# Along a measure


def test_without_agents_and_controls_levels_are_the_means_of_the_parts() -> None:
    frame = world(6).assign(m=lambda f: f["opening_cues"].clip(upper=3).astype(float))
    found = dose(frame, "m", replace(DESIGN, controls=(), effects=Effects.NONE))
    assert found is not None
    means = frame.groupby("m")["outcome"].agg(["mean", "size"])
    assert [p.n for p in found.parts] == means["size"].tolist()
    assert [p.raw for p in found.parts] == pytest.approx(means["mean"].tolist())
    assert [p.adjusted.value for p in found.parts if p.adjusted] == pytest.approx(
        means["mean"].tolist()
    )


def test_a_share_along_a_measure_stays_between_0_and_1() -> None:
    """Least squares do not know that nobody stays with a chance of 1.04."""
    frame = world(10).assign(m=lambda f: f["opening_cues"].clip(upper=3).astype(float))
    stays = np.random.default_rng(10).random(len(frame)) < np.where(frame["m"] >= 3, 0.97, 0.93)
    found = dose(frame.assign(outcome=stays * 1.0), "m", replace(DESIGN, controls=()))
    assert found is not None
    levels = [part.adjusted for part in found.parts if part.adjusted is not None]
    assert len(levels) == 4 and max(e.high for e in levels) == 1.0
    assert all(0 <= e.low <= e.value <= e.high <= 1 for e in levels)


def test_parts_hold_all_calls_and_none_is_tiny() -> None:
    frame = world(6, effect=0.08, is_confounded=False)
    frame.loc[0, "m"] = 40.0
    found = dose(frame, "m", DESIGN)
    assert found is not None
    assert sum(part.n for part in found.parts) == len(frame)
    assert min(part.n for part in found.parts) >= 10
    levels = [part.adjusted.value for part in found.parts if part.adjusted]
    assert levels[-1] > levels[0]


# A logit with agents' effects


def test_a_logits_average_effect_is_that_of_planted_shares() -> None:
    """By hand: half of each agent's calls with the measure at 1, which adds 1 to the log odds."""
    values, holds = [], []
    for seed in range(12):
        random = np.random.default_rng(seed)
        agent = np.repeat(np.arange(15), 60)
        m = random.integers(0, 2, 900).astype(float)
        odds = random.normal(0.5, 1.0, 15)[agent]
        y = (random.random(900) < 1 / (1 + np.exp(-odds - m))) * 1.0
        truth = float(np.mean(1 / (1 + np.exp(-odds - 1)) - 1 / (1 + np.exp(-odds))))
        frame = pd.DataFrame({"agent_id": agent.astype(str), "outcome": y, "m": m})
        found = one(frame, replace(DESIGN, controls=(), model=Model.LOGIT))
        assert found.adjusted and found.sd
        values.append(found.adjusted.value / found.sd - truth)
        holds.append(found.adjusted.low / found.sd < truth < found.adjusted.high / found.sd)
    assert abs(np.mean(values)) < 0.02
    assert sum(holds) >= 10


def test_a_logit_says_why_it_has_no_estimate() -> None:
    frame = world(3)
    logit = replace(DESIGN, model=Model.LOGIT)
    assert "yes or no" in (one(world(3, is_share=False), logit).reason or "")
    assert "within agents" in (one(frame, replace(logit, effects=Effects.NONE)).reason or "")
    told = frame.assign(m=frame["outcome"] + 0.1 * np.random.default_rng(1).random(len(frame)))
    assert "predicts the outcome exactly" in (one(told, logit).reason or "")


def test_calls_of_a_week_that_are_alike_widen_the_interval() -> None:
    """What a week does to both, whoever takes the calls, is no evidence of many agents."""
    random = np.random.default_rng(4)
    week = np.tile(np.arange(16), 60)
    agent = np.repeat(np.arange(12), 80)
    shock = random.normal(size=16)[week]
    frame = pd.DataFrame(
        {
            "agent_id": agent.astype(str),
            "m": random.normal(size=16)[week] + 0.3 * random.normal(size=960),
            "outcome": shock + random.normal(size=960),
        }
    )
    alone = one(frame, replace(DESIGN, controls=())).adjusted
    dated = frame.assign(started_at=pd.Timestamp("2026-01-05") + pd.to_timedelta(week * 7, "D"))
    shared = one(dated, replace(DESIGN, controls=())).adjusted
    assert alone and shared
    assert shared.value == alone.value
    assert shared.se > 2 * alone.se
    assert shared.df <= 15


def test_agents_who_differ_otherwise_are_told_where_effects_are_random() -> None:
    random = replace(DESIGN, effects=Effects.RANDOM)
    confounded = one(world(0, agents=25, each=30), random).p_mundlak
    assert confounded is not None and confounded < 0.05
    alike = [one(world(s, each=25, is_confounded=False), random).p_mundlak for s in range(4)]
    assert sum(p is not None and p < 0.05 for p in alike) <= 1
    assert one(world(1)).p_mundlak is None

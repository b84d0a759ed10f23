"""Estimates and their intervals, against values worked out elsewhere."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.annotation.agreement import coefficient, gwet_ac1, weighted_kappa
from warmline.statistics import (
    Estimate,
    bootstrap,
    cohen_kappa,
    precision_at,
    specificity_from,
    wilson,
)


@pytest.mark.parametrize("n", [4, 10, 14, 33])
def test_wilson_ends_at_0_and_1_without_a_trace(n: float) -> None:
    none, every = wilson(0, n), wilson(n, n)
    assert none and every
    assert (none.low, every.high) == (0.0, 1.0)


def test_wilson_is_the_interval_of_the_textbook():
    # Newcombe 1998, table I: 81 of 263, and 0 of 20.
    some, none = wilson(81, 263), wilson(0, 20)
    assert some is not None and none is not None
    assert (some.low, some.high) == (
        pytest.approx(0.2553, abs=1e-4),
        pytest.approx(0.3662, abs=1e-4),
    )
    assert (none.low, none.high) == (0.0, pytest.approx(0.1611, abs=1e-4))
    assert wilson(0, 0) is None


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_mirrors(counts: tuple[int, int]):
    hits, n = counts
    found, other = wilson(hits, n), wilson(n - hits, n)
    assert found is not None and other is not None
    assert 0 <= found.low <= found.value + 1e-12 <= found.high + 2e-12 <= 1 + 2e-12
    assert found.low == pytest.approx(1 - other.high, abs=1e-12)


def test_kappa_is_the_one_of_the_textbook():
    # Cohen's table as in Landis & Koch: 20 both yes, 5 and 10 apart, 15 both no.
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(*map(list, zip(*pairs, strict=True))) == pytest.approx(0.4)
    assert math.isnan(cohen_kappa(["y"] * 4, ["y"] * 4))
    assert math.isnan(cohen_kappa([], []))


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=30))
def test_kappa_is_one_for_equal_raters_and_knows_no_order(labels: list[str]):
    other = labels[::-1]
    ours, theirs = cohen_kappa(labels, other), cohen_kappa(other, labels)
    assert ours == pytest.approx(theirs, nan_ok=True)
    if len(set(labels)) > 1:
        assert cohen_kappa(labels, labels) == pytest.approx(1.0)


def test_the_bootstrap_of_a_mean_is_about_its_standard_error():
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = bootstrap(lambda rows: float(values[rows].mean()), range(400), seed=1)
    assert found is not None
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)
    assert found == bootstrap(lambda rows: float(values[rows].mean()), range(400), seed=1)


def test_rows_of_one_cluster_are_drawn_together():
    """Forty copies of ten people say no more than the ten."""
    values = np.repeat(np.random.default_rng(0).normal(0, 1, 10), 40)
    people = np.repeat(range(10), 40).tolist()
    alone = bootstrap(lambda rows: float(values[rows].mean()), range(400), seed=1)
    together = bootstrap(lambda rows: float(values[rows].mean()), people, seed=1)
    assert alone is not None and together is not None
    assert together.high - together.low > 4 * (alone.high - alone.low)


def test_one_cluster_alone_has_no_interval():
    """Drawn anew, one call is always the same call: that is no certainty."""
    values = np.arange(40.0)
    found = bootstrap(lambda rows: float(values[rows].mean()), ["a call"] * 40, seed=1)
    assert found == Estimate(19.5, None, None, 40)
    ratings = [(i % 2 == 0, i % 3 == 0) for i in range(40)]
    kappa = coefficient(weighted_kappa, ratings, np.ones(40), ["a call"] * 40, 1)
    assert kappa is not None and kappa.low is None and kappa.high is None


def test_where_every_draw_is_the_same_there_is_no_interval():
    """Of three calls in which all was found, other calls need not be so: [1, 1] is no interval."""
    found = bootstrap(lambda rows: 1.0, range(3), seed=1)
    assert found == Estimate(1.0, None, None, 3)
    agreed = [(True, True), (False, False), (True, True)] * 3
    ac1 = coefficient(gwet_ac1, agreed, np.ones(9), [f"call {i // 3}" for i in range(9)], 1)
    assert ac1 is not None and (ac1.value, ac1.low) == (pytest.approx(1.0), None)


def test_what_is_no_number_has_no_estimate():
    assert bootstrap(lambda rows: float("nan"), range(3), seed=1) is None
    only = bootstrap(lambda rows: 1.0 if len(set(rows)) == 3 else float("nan"), [1, 2, 3], seed=1)
    assert only is not None and (only.value, only.low) == (1.0, None)
    assert str(Estimate(0.5, None, None, 3)) == "0.500"
    assert str(Estimate(0.5, 0.4, 0.6, 3)) == "0.500 [0.400, 0.600]"


@given(st.floats(0.05, 0.95), st.floats(0.1, 1.0), st.floats(0.05, 0.6))
def test_precision_at_the_prevalence_it_was_found_at_is_itself(
    precision: float, recall: float, share: float
) -> None:
    specificity = specificity_from(precision, recall, share)
    assert precision_at(recall, specificity, share) == pytest.approx(precision)
    assert precision_at(recall, specificity, share / 2) < precision

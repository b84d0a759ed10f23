"""Short calls go to a process together: each of them once, and none idle for long at the end."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from warmline.pipeline.plan import PlannedCall
from warmline.pipeline.workers import time_limit_s
from warmline.processes import batches
from warmline.values import Recording

LONG = 5_000_000
SIZES = st.lists(st.integers(0, 2 * LONG), max_size=60)


def dealt(sizes: list[int], jobs: int) -> list[tuple[int, ...]]:
    """The sizes of the calls of each batch."""
    return list(batches(sizes, int, jobs))


@given(SIZES, st.integers(1, 8))
def test_every_call_is_in_one_batch(sizes, jobs):
    assert sorted(size for batch in dealt(sizes, jobs) for size in batch) == sorted(sizes)


@given(SIZES, st.integers(1, 8))
def test_a_long_call_is_alone(sizes, jobs):
    for batch in dealt(sizes, jobs):
        if any(size >= LONG for size in batch):
            assert len(batch) == 1


@given(SIZES, st.integers(1, 8))
def test_towards_the_end_no_process_is_given_more_than_its_share(sizes, jobs):
    end = dealt([LONG, *sizes[: 6 * jobs - 1]], jobs)
    for place, batch in enumerate(end):
        left = sum(map(sum, end[place:]))
        assert len(batch) == 1 or sum(batch) <= left / jobs
    assert all(max(batch) >= max(after) for batch, after in pairwise(end)), "the largest first"


def test_six_calls_of_a_minute_are_shared_by_two_processes():
    sizes = [1_700_000, 1_650_000, 2_000_000, 1_900_000, 1_700_000, 2_800_000]
    even = [sum(batch) for batch in dealt(sizes, 2)]
    assert even == [6_150_000, 5_600_000]
    assert [len(batch) for batch in dealt(sizes * 2, 2)] == [2, 3, 3, 2, 1, 1]
    assert {len(batch) for batch in dealt(sizes * 20, 2)[:-4]} == {2, 3}


def test_few_calls_are_dealt_one_to_each_process():
    assert [len(batch) for batch in dealt([1000, 1000, 1000], 4)] == [1, 1, 1]


def test_a_recording_of_three_hours_may_take_three_times_as_long():
    when = datetime(2026, 1, 1, tzinfo=UTC)

    def call(size: int) -> PlannedCall:
        return PlannedCall(Recording("0.wav", size, when, "0"), "new")

    long = call(3 * 3600 * 8000 * 2)
    assert time_limit_s((long,), 3600, 14400) == 3 * 3600
    encoded = replace(long, recording=replace(long.recording, path="0.opus"))
    assert time_limit_s((encoded,), 3600, 14400) == 4 * 3600
    assert time_limit_s((call(LONG), call(LONG)), 0.2, 14400) == 0.2

"""Short calls go to a process together: every call once, evenly, and none lost for another."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.pipeline.plan import PlannedCall
from warmline.pipeline.workers import batches, time_limit_s
from warmline.values import Recording

LONG = 5_000_000
SIZES = st.lists(st.integers(0, 2 * LONG), max_size=60)


def calls(sizes: list[int]) -> list[PlannedCall]:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        PlannedCall(Recording(f"{i}.wav", size, when, str(i)), "new")
        for i, size in enumerate(sizes)
    ]


@given(SIZES, st.integers(1, 8))
def test_every_call_is_on_one_tray(sizes, jobs):
    given_ = calls(sizes)
    dealt = [call for batch in batches(given_, jobs) for call in batch]
    assert sorted(call.path for call in dealt) == sorted(call.path for call in given_)


@given(SIZES, st.integers(1, 8))
def test_a_long_call_is_alone(sizes, jobs):
    for batch in batches(calls(sizes), jobs):
        if any(call.recording.size_bytes >= LONG for call in batch):
            assert len(batch) == 1


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_processes_have_as_much_to_do(jobs):
    sizes = [1_700_000, 1_650_000, 2_000_000, 1_900_000, 1_700_000, 2_800_000]
    loads = [sum(c.recording.size_bytes for c in batch) for batch in batches(calls(sizes), jobs)]
    assert len(loads) >= jobs
    assert max(loads) - min(loads) <= max(sizes)
    assert loads == sorted(loads, reverse=True)


def test_few_calls_are_dealt_one_to_each_process():
    assert [len(batch) for batch in batches(calls([1000, 1000, 1000]), 4)] == [1, 1, 1]


def test_a_recording_of_three_hours_may_take_three_times_as_long():
    three_hours = 3 * 3600 * 8000 * 2
    (long,) = calls([three_hours])
    assert time_limit_s((long,), 3600, 14400) == 3 * 3600
    encoded = replace(long, recording=replace(long.recording, path="0.opus"))
    assert time_limit_s((encoded,), 3600, 14400) == 4 * 3600
    assert all(time_limit_s(batch, 0.2, 14400) == 0.2 for batch in batches(calls([LONG] * 9), 2))

"""Calls that failed too often and are left alone, put back by a person who has looked at them."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from warmline import landing
from warmline.errors import Status
from warmline.landing import Landed
from warmline.pipeline.failures import dated_after


def failed_calls(
    landing_dir: Path, calls: Collection[str] = (), reasons: Collection[str] = ()
) -> list[Landed]:
    """Calls that have failed, in order of path: those named, and those of a named reason code.

    A call is named by its id, by that with `~` and its digest, or by its recording's path. Without
    a name or reason, all of them. Raises `LandingError` when the folder cannot be read.
    """
    failed = [
        call
        for call in landing.known(landing_dir)
        if call.status is Status.FAILED
        and (
            not (calls or reasons)
            or not names_of(call).isdisjoint(calls)
            or call.reason_code in reasons
        )
    ]
    return sorted(failed, key=lambda call: call.path)


def names_of(call: Landed) -> frozenset[str]:
    """Return what a landed call may be called: its id, its exact name, its recording's path."""
    return frozenset((call.call_id, exact_name_of(call), call.path))


def exact_name_of(call: Landed) -> str:
    """Return the name that no other call has, also where others claim the same id."""
    return f"{call.call_id}~{call.landing_key.rpartition('/')[2][:8]}"


def put_back(landing_dir: Path, failed: Iterable[Landed]) -> int:
    """Forget how often calls have failed, so that the next run takes them; returns how many.

    Stages that they had passed are kept. Raises `LandingError` when a file cannot be written.
    """
    count = 0
    for call in failed:
        analysis = landing.read_landed(landing_dir, call)
        fresh = dated_after(replace(analysis, failed_runs=0), analysis.analyzed_at)
        landing.write(fresh, landing_dir)
        count += 1
    return count

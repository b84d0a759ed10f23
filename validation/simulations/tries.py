"""A try of a method on a world whose truth is known, and how columns become what a study reads."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from warmline.research import Design

from . import worlds

MONDAY = pd.Timestamp("2026-01-05")
DESIGN = Design(measures=("measure",), controls=("opening",), min_n=50)


@dataclass(frozen=True)
class Try:
    """One number that was said, or why none was. `alarm`: it was called clear of chance."""

    what: str
    truth: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    alarm: bool | None = None
    refused: bool = False


def of_estimate(what: str, found: Any, truth: float, scale: float = 1.0) -> Try:
    """Return an estimate (with value, low, high and perhaps p) as a Try; None is a refusal."""
    if found is None or found.low is None or found.high is None:
        return Try(what, truth, refused=True)
    p = getattr(found, "p", None)
    alarm = None if truth or p is None else bool(p < 0.05)
    return Try(what, truth, found.value * scale, found.low * scale, found.high * scale, alarm)


def frame_of(columns: worlds.Columns) -> Any:
    """Return columns as a study reads them."""
    frame = pd.DataFrame(dict(columns)).rename(columns={"agent": "agent_id"})
    frame["agent_id"] = "agent " + frame["agent_id"].astype(str)
    state = frame.pop("state") if "state" in frame else 0.0
    if "customer" in frame:
        frame["customer_id"] = "customer " + frame.pop("customer").astype(str)
    if "week" in frame:
        frame["started_at"] = MONDAY + pd.to_timedelta(frame["week"] * 7 + 1.4, "D")
    if "day" in frame:
        frame["started_at"] = MONDAY + pd.to_timedelta(frame["day"], "D")
    if "reason" in frame:
        frame["contact_reason"] = frame["reason"]
    return frame.assign(
        opening_cues=state, opening_hostile=0, opening_friction=0, opening_rate_words_per_s=2.0
    )

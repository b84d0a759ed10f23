"""What methods find in a warehouse of made-up calls, one replicate at a time."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from warmline.research import Design
from warmline.research.associations import associations
from warmline.research.fairness import read_groups
from warmline.research.sample import Sample, read_sample
from warmline.research.survival import hazards
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import tables_of_calls

from . import worlds, worlds_heard
from .tries import DESIGN, MONDAY, Try, frame_of, of_estimate


class Warehouses:
    """Warehouses with made-up rows, copies of an empty one that warmline itself has made."""

    def __init__(self, folder: Path) -> None:
        """Make the empty one."""
        (folder / "landing").mkdir(parents=True)
        self._empty, self._one = folder / "empty.duckdb", folder / "one.duckdb"
        publish(folder / "landing", self._empty, ())

    def holding(self, **tables: Any) -> Path:
        """Return a warehouse whose tables hold these rows, until the next is asked for."""
        copyfile(self._empty, self._one)
        stored = {file.name: file.table for file in tables_of_calls()}
        with duckdb.connect(str(self._one)) as con:
            for name, rows in tables.items():
                con.register("rows", rows)
                con.execute(f"INSERT INTO {stored.get(name, name)} BY NAME SELECT * FROM rows")
                con.unregister("rows")
        return self._one


_MEMORY = Path("/dev/shm")
_FOLDER = TemporaryDirectory(
    prefix="simulations-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None
)
_MADE: list[Warehouses] = []


def _warehouse(**tables: Any) -> Path:
    if not _MADE:
        _MADE.append(Warehouses(Path(_FOLDER.name)))
    return _MADE[0].holding(**tables)


def _calls(agent: Any, started_at: Any, customer: Any = None) -> Any:
    n = len(agent)
    names = [f"call-{i}" for i in range(n)]
    rows = {"call_id": names, "claimed_call_id": names, "path": names, "landing_key": names}
    rows |= {"content_sha256": names, "call_no": np.arange(n), "status": "analyzed"}
    rows |= {"agent_id": [f"agent {a}" for a in agent], "started_at": started_at, "team": "one"}
    rows |= {"customer_id": None if customer is None else [f"customer {c}" for c in customer]}
    rows |= {"duration_s": 300.0, "is_simulated": False, "analyzed_at": MONDAY}
    return pd.DataFrame(rows)


def _firm(firm: worlds.Firm) -> Path:
    """Return a warehouse of a firm's calls and of who stayed."""
    calls, told = firm.calls, firm.outcomes
    started = MONDAY + pd.to_timedelta(calls["day"], "D").round("s")
    measures = pd.DataFrame({"call_no": np.arange(len(started)), "answered_rate": calls["share"]})
    at = (MONDAY + pd.to_timedelta(told["day"], "D")).round("s")
    outcomes = pd.DataFrame(
        {
            "name": "retained",
            "value": told["value"],
            "customer_id": [f"customer {c}" for c in told["customer"]],
            "occurred_at": at,
            "is_whole_day": False,
            "source": "made up",
            "line": np.arange(len(at)) + 2,
        }
    )
    return _warehouse(
        calls=_calls(calls["agent"], started, calls["customer"]),
        call_measures=measures,
        outcomes=outcomes.assign(loaded_at=MONDAY),
        outcome_calls=outcomes.assign(at_latest=at, is_simulated=False),
    )


_RETAINED = Design(measures=("answered_rate",), controls=("month",), min_n=50)


def _retained(firm: worlds.Firm, design: Design) -> tuple[Sample, Try]:
    sample = read_sample(_firm(firm), design)
    (found,) = associations(sample.frame, design)
    scale = 1 / found.sd if found.sd else 1.0
    return sample, of_estimate("estimate", found.adjusted, firm.truth, scale)


def retained(seed: int, **given: Any) -> Iterator[Try]:
    """Being retained 90 days after a call, read from a warehouse."""
    yield _retained(worlds.retention(seed, **given), _RETAINED)[1]


def retained_and_survival(seed: int, **given: Any) -> Iterator[Try]:
    """The same, and how long customers stay."""
    sample, found = _retained(worlds.retention(seed, **given), _RETAINED)
    yield found
    (hazard,) = hazards(sample.spells, _RETAINED)
    yield of_estimate("log hazard ratio", hazard.ratio, 0.0)


def survival(seed: int, **given: Any) -> Iterator[Try]:
    """How long customers stay, beside a measure."""
    world = worlds.hazards(seed, **given)
    frame = frame_of(world.columns).rename(columns={"left": "outcome"})
    (found,) = hazards(frame, replace(DESIGN, controls=()))
    yield of_estimate("log hazard ratio", found.ratio, world.truth, 1 / (found.sd or 1.0))


def fairness(seed: int, **given: Any) -> Iterator[Try]:
    """Whether all calls are heard alike, from a warehouse."""
    world = worlds_heard.heard(seed, **given)
    c = world.columns
    n = len(c["agent"])
    calls = _calls(c["agent"], MONDAY + pd.to_timedelta(np.arange(n) / 10, "D")).assign(
        language=c["language"],
        codec=c["codec"],
        word_count=c["words"],
        doubtful_words=c["doubtful"],
        mean_word_probability=c["sure"],
        agent_party="B",
        no_ledger_reason=np.where(c["suppressed"], "it is not known who is the agent", None),
    )
    measures = pd.DataFrame({"call_no": np.arange(n)})
    path = _warehouse(calls=calls, call_measures=measures.assign(answered_rate=c["share"]))
    _, gaps = read_groups(path, Design(measures=("answered_rate",)))
    if not world.truth:
        yield Try("called not alike", alarm=any(gap.is_unfair for gap in gaps))
    for gap in gaps:
        if (gap.group, gap.what) == ("de", "suppressed"):
            yield Try("gap of a language", world.truth, gap.difference, gap.low, gap.high)


def agent_weeks(seed: int, **given: Any) -> Iterator[Try]:
    """The view agent_week, when all agents are alike: is anybody above the team?"""
    made = worlds.alike_agents(seed, **given)
    c = made.columns
    started = MONDAY + pd.to_timedelta(c["week"] * 7 + 1.4, "D")
    measures = pd.DataFrame({"call_no": np.arange(len(started))})
    measures = measures.assign(
        opportunities=c["cues"],
        answerable=c["cues"],
        answered=c["answered"],
        answered_rate=np.where(c["cues"] > 0, c["answered"] / np.maximum(c["cues"], 1), np.nan),
    )
    path = _warehouse(calls=_calls(c["agent"], started), call_measures=measures)
    with duckdb.connect(str(path), read_only=True) as con:
        flags = con.execute(
            "SELECT is_above_team FROM agent_week WHERE is_above_team IS NOT NULL"
        ).fetchall()
    yield Try("anybody above the team", alarm=any(flag for (flag,) in flags))

"""A plan for a study, from what is given and from what the warehouse has."""

from collections.abc import Mapping
from dataclasses import fields
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from warmline.errors import QueryError
from warmline.research.associations import complete_cases
from warmline.research.design import Design
from warmline.research.power import Plan, intraclass
from warmline.research.sample import count_calls, read_sample, require_libraries
from warmline.research.terms import Controls

_LEAST_ROWS = 30


def plan_from(
    warehouse: Path,
    design: Design | None,
    base_rate: float | None,
    outcome_sd: float | None,
    given: Mapping[str, Any],
) -> Plan:
    """A plan; what is given (and not None) counts, then what the calls of a design show.

    Raises QueryError when the spread of the outcome is not to be had, or the calls are too few to
    say anything; and as `read_sample`.
    """
    values = _observed(warehouse, design) if design is not None else {}
    values |= {name: value for name, value in given.items() if value is not None}
    if base_rate is not None:
        if not 0 < base_rate < 1:
            raise QueryError(f"base_rate = {base_rate:g} is not between 0 and 1")
        values["outcome_sd"] = sqrt(base_rate * (1 - base_rate))
    if outcome_sd is not None:
        values["outcome_sd"] = outcome_sd
    if "outcome_sd" not in values:
        raise QueryError(
            "how the outcome differs is not known: --base-rate, --outcome-sd, or "
            "--outcome with a warehouse"
        )
    known = {field.name for field in fields(Plan)}
    return Plan(**{name: value for name, value in values.items() if name in known})


def _observed(warehouse: Path, design: Design) -> dict[str, Any]:
    """Spread, ICCs, calls per agent and the share of usable calls, as the warehouse has them."""
    require_libraries()
    frame = read_sample(warehouse, design).frame
    cases = complete_cases(frame, design.measures[0], Controls((), {}))
    if len(cases.y) < _LEAST_ROWS:
        raise QueryError(
            f"{len(cases.y)} calls have {design.outcome} and {design.measures[0]}, at least "
            f"{_LEAST_ROWS} are needed to plan from; give --base-rate or --outcome-sd instead"
        )
    sd = float(np.std(cases.y, ddof=1))
    if sd == 0:
        raise QueryError(f"{design.outcome} is {cases.y[0]:g} in all calls: nothing to plan from")
    calls = count_calls(warehouse, design)
    return {
        "outcome_sd": sd,
        "icc_outcome": intraclass(cases.y, cases.clusters),
        "icc_measure": intraclass(cases.measure, cases.clusters),
        "calls_per_agent": max(2.0, len(cases.y) / cases.agents),
        "usable": len(cases.y) / max(calls, len(cases.y)),
    }

"""The page of simulations: bias, coverage and false alarms of each scenario, and what misses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from warmline import __version__
from warmline.statistics import Estimate, wilson

from .scenarios import Scenario, Try

_MOST_ALARMS, _LEAST_COVERAGE, _MOST_APART = 0.075, 0.92, 0.05
_PREFACE = """\
<!-- Written by `python -m validation.simulations`; every number is computed, none is typed. -->

# What the research methods are worth where the truth is known

`python -m validation.simulations` makes firms by its own rules
([worlds.py](../validation/simulations/worlds.py) and worlds_heard.py: numpy alone, nothing of
warmline), gives them
to the methods that users call, and counts. Seeded: the same command gives the same page.

- **tries**: 200 firms a scenario, each of which may have several agents or weeks; 400 for how many
  studies see an effect, which varies most.
- **mean** beside **truth**: the mean of what was estimated, to see bias.
- **coverage**: in how many firms the 95 % interval holds the truth; the aim is at least 0.92.
- **false alarms**: where nothing was planted, how often something is called clear of chance
  (p < 0.05); the aim is at most 0.075.
- **seen**: what share of studies see an effect (p < 0.05) that power promised to so many of them;
  the aim is to be at most 0.05 off.
- **refused**: how often there was a reason in place of a number. A refusal is not an error.

Brackets hold the interval (Wilson) for that many firms; **bold** is what misses its aim.
"""


@dataclass(frozen=True)
class Row:
    """A number of a scenario over all its replicates."""

    part: str
    title: str
    what: str
    tries: int
    truth: float | None
    mean: float | None
    coverage: Estimate | None
    alarms: Estimate | None
    refused: float
    known: str | None = None

    @property
    def misses(self) -> list[str]:
        """Return which aims are missed, in words."""
        found = []
        if self.coverage and self.coverage.value < _LEAST_COVERAGE:
            found.append(f"coverage {self.coverage.value:.3f}")
        if self.alarms and self.alarms.value > _MOST_ALARMS:
            found.append(f"false alarms {self.alarms.value:.3f}")
        promised = self.truth if self.what.startswith("seen") else None
        if promised and self.mean is not None and abs(self.mean - promised) > _MOST_APART:
            found.append(f"{self.mean:.2f} of studies see it")
        return found


def rows_of(scenario: Scenario, worlds: Sequence[Sequence[Try]]) -> list[Row]:
    """Return a row for each number that a scenario's worlds were tried for."""
    tries = [t for world in worlds for t in world]
    return [
        _row(scenario, what, [t for t in tries if t.what == what])
        for what in dict.fromkeys(t.what for t in tries)
    ]


def _row(scenario: Scenario, what: str, tries: Sequence[Try]) -> Row:
    told = [t for t in tries if not t.refused]
    truths = [t.truth for t in told if t.truth is not None]
    values = [t.value for t in told if t.value is not None]
    holds = [
        t.low <= t.truth <= t.high
        for t in told
        if t.low is not None and t.high is not None and t.truth is not None
    ]
    alarms = [t.alarm for t in told if t.alarm is not None]
    return Row(
        scenario.part,
        scenario.title,
        what,
        len(tries),
        float(np.mean(truths)) if truths else None,
        float(np.mean(values)) if values else None,
        wilson(sum(holds), len(holds)),
        wilson(sum(alarms), len(alarms)),
        1 - len(told) / len(tries),
        scenario.known.get(what),
    )


def write_page(rows: Sequence[Row], to: Path, replicates: int, seed: int) -> None:
    """Write the page: a table for each part, then what misses."""
    parts = [_PREFACE]
    parts += [
        f"## {part}\n\n{_table(row for row in rows if row.part == part)}"
        for part in dict.fromkeys(row.part for row in rows)
    ]
    missing = [row for row in rows if row.misses and not row.known]
    parts.append(f"## What misses its aim\n\n{_list(missing) or 'Nothing.'}\n")
    if told := [row for row in rows if row.misses and row.known]:
        parts.append(f"## Misses with a known reason\n\n{_list(told)}\n")
    parts.append(
        f"*warmline {__version__}, seed {seed}, {replicates} firms a scenario where the table does "
        "not say otherwise.*\n"
    )
    to.write_text("\n".join(parts), encoding="utf-8")


def _list(rows: Iterable[Row]) -> str:
    return "\n".join(
        f"- {row.part}, {row.title}, {row.what}: {' and '.join(row.misses)}"
        + (f"; {row.known}" if row.known else "")
        for row in rows
    )


def _table(rows: Iterable[Row]) -> str:
    headings = (
        "scenario",
        "number",
        "tries",
        "truth",
        "mean",
        "coverage",
        "false alarms",
        "refused",
    )
    lines = [_line(headings), _line(["---"] * len(headings))]
    before = ""
    for row in rows:
        cells = ("" if row.title == before else row.title, row.what, str(row.tries))
        shares = (
            _share(row.coverage, row.coverage is not None and row.coverage.value < _LEAST_COVERAGE),
            _share(row.alarms, row.alarms is not None and row.alarms.value > _MOST_ALARMS),
            f"{row.refused:.2f}" if row.refused else "",
        )
        lines.append(_line((*cells, _number(row.truth), _number(row.mean), *shares)))
        before = row.title
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _share(found: Estimate | None, misses: bool) -> str:
    if found is None:
        return ""
    mark = "**" if misses else ""
    return f"{mark}{found.value:.3f}{mark} [{found.low:.3f}, {found.high:.3f}]"

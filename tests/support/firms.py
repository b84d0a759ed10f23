"""A small firm whose calls and churn are made by known rules, for tests of research.

Upset customers show more feelings early, are answered less and leave more; good agents answer more
and keep more. Both make answering look better than it is. What answering itself does is `effect`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from support.factories import call, cue, definitions_of, measured, sha
from warmline.analysis import CallAnalysis, MetricDefinition, rate
from warmline.landing import rows, store
from warmline.landing.store import compacted_file, key_of
from warmline.warehouse.outcomes import load_outcomes

START = datetime(2026, 6, 1, 9, tzinfo=UTC)
CUES = 4


@dataclass(frozen=True)
class Firm:
    """Where things lie, and what was published."""

    landing: Path
    warehouse: Path
    outcomes: Path
    definitions: tuple[MetricDefinition, ...]


def world(
    seed: int,
    effect: float = 0.0,
    *,
    agents: int = 12,
    each: int = 40,
    is_confounded: bool = True,
    is_share: bool = True,
) -> Any:
    """Rows as a study reads them: a measure `m`, its noise-free effect on the outcome `effect`.

    Customers' state (`opening_cues`) and agents' skill move measure and outcome; without
    `is_confounded` they move the outcome only.
    """
    import pandas as pd

    random = np.random.default_rng(seed)
    n = agents * each
    agent = np.repeat(np.arange(agents), each)
    skill = random.normal(size=agents)[agent]
    upset = random.poisson(1.0, n)
    own = random.normal(size=n) + 0.6 * random.normal(size=agents)[agent]
    m = 0.6 * skill - 0.5 * upset + random.normal(size=n) if is_confounded else own
    level = 0.6 + effect * m + 0.08 * skill - 0.07 * (upset - 1)
    y = (random.random(n) < np.clip(level, 0, 1)) * 1.0 if is_share else level
    if not is_share:
        y = y + 0.4 * random.normal(size=n)
    return pd.DataFrame(
        {
            "agent_id": [f"agent-{a}" for a in agent],
            "outcome": y,
            "m": m,
            "opening_cues": upset,
            "opening_hostile": 0,
            "opening_friction": 0,
            "opening_rate_words_per_s": 2.0,
        }
    )


def firm_in(folder: Path) -> Firm:
    """The firm that was made in this folder, or in the one that this is a copy of."""
    one = _call(0, "agent-0", START, 0, CUES, CUES, {"ownership": 0, "reflections": 0})
    return Firm(
        folder / "landing", folder / "firm.duckdb", folder / "out.csv", definitions_of([one])
    )


def firm(folder: Path, *, calls: int = 180, agents: int = 6, effect: float = 0.0) -> Firm:
    """A published warehouse of calls with outcomes; one call in nine shows no feeling at all."""
    random = np.random.default_rng(7)
    lines = ["customer_id,date,churned,nps"]
    analyses = []
    for i in range(calls):
        skill = (i % agents) / (agents - 1) - 0.5
        upset = int(random.integers(0, 2))
        chance = 0.5 + 0.4 * skill - 0.25 * upset
        cues = 0 if i % 9 == 8 else CUES
        answered = int(random.binomial(cues, chance)) if cues else 0
        share = answered / cues if cues else 0.5
        stays = random.random() < np.clip(
            0.65 + 0.3 * skill - 0.25 * upset + effect * (share - 0.5), 0, 1
        )
        at = START + timedelta(hours=7 * i)
        owned, reflected = int(random.integers(0, 3)), int(random.poisson(1.5))
        counts = {"ownership": owned, "reflections": reflected}
        analyses.append(_call(i, f"agent-{i % agents}", at, upset, cues, answered, counts))
        rated = at + timedelta(days=int(random.integers(5, 60)))
        # Who leaves does so within the horizon of 90 days; who stays is seen after it.
        end = at + timedelta(days=120) if stays else rated + timedelta(days=5)
        nps = int(np.clip(round(6 + 3 * skill - 2 * upset + random.normal()), 0, 10))
        lines.append(f"customer-{i},{end:%Y-%m-%d},{'no' if stays else 'yes'},")
        lines.append(f"customer-{i},{rated:%Y-%m-%d},,{nps}")
    places = firm_in(folder)
    land_together(analyses, places.landing)
    places.outcomes.write_text("\n".join(lines) + "\n", encoding="utf-8")
    load_outcomes(places.outcomes, places.landing, places.warehouse, places.definitions)
    return places


def land_together(analyses: Sequence[CallAnalysis], folder: Path) -> None:
    """Land many calls as one pack: a file for each would wait for the disk each time."""
    found = [
        store.to_row(analysis)
        | {rows.KEY: key_of(analysis), rows.CONTENT: sha(str(analysis)), rows.METADATA: ""}
        for analysis in analyses
    ]
    path = compacted_file(folder, sha("pack"))
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(found, schema=rows.landing_schema()), path)


def _call(
    i: int,
    agent: str,
    at: datetime,
    upset: int,
    cues: int,
    answered: int,
    counts: Mapping[str, int],
) -> CallAnalysis:
    """Half of the cues lie in the first quarter when the customer is upset, none otherwise."""
    said = [("B", 0.0, 2.0, "how can I help"), ("A", 2.0, 10.0, "well it is about my order")]
    said += [("B", 10.0, 20.0, "let me see"), ("A", 20.0, 30.0, "that would be good")]
    said += [("B", 30.0, 40.0, "goodbye")]
    early = cues // 2 if upset else 0
    found = [
        cue(
            1 if c < early else 3,
            *((3.0 + c, 4.0 + c) if c < early else (21.0 + c, 22.0 + c)),
            "I am worried",
            answer="affective" if c < answered else "ignored",
        )
        for c in range(cues)
    ]
    metrics = [
        measured("opportunities", None, float(cues)),
        rate("answered_rate", None, answered, cues, no_answer="no cue"),
        *(measured(name, "B", float(count)) for name, count in counts.items()),
        measured("hostile", "A", 0.0),
    ]
    return call(
        f"call-{i}",
        says=said,
        cues=found,
        metrics=metrics,
        agent_id=agent,
        team="north",
        queue="orders" if i % 3 else "billing",
        customer_id=f"customer-{i}",
        started_at=at,
        duration_s=60.0 + i % 50,
        reason=("invoice", "delivery")[i // 2 % 2],
    )

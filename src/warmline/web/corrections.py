"""What people who listened change in what the machine says: counts, verdicts, missed feelings."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from warmline.query.reviews import BOTH, CUE_ANSWERS, FEELINGS, UNANSWERED
from warmline.web.site import Visit
from warmline.web.store import comments
from warmline.web.warehouse import Reader, Row

_REVIEWED = """
SELECT call_id, opportunity_index, verdict, should_be, reviews, reviewers FROM review_summary
WHERE subject = 'cue' AND call_id IN $ids
"""


#: What may be true of a feeling that was left unanswered: which it was, and what became of it.
_LEFT = {*FEELINGS, *UNANSWERED}
#: By how much people who listened change the counts of an answered rate, group by group.
_CORRECTIONS = """
WITH said AS (  -- of a feeling and an answer, the answer changes the counts
    SELECT * REPLACE (split_part(should_be, '+', -1) AS should_be) FROM review_summary
)
SELECT
    {by} AS name, count(*) AS changed,
    sum((r.should_be IN ('attentive', 'affective', 'cognitive'))::INTEGER
        - coalesce(o.answered, false)::INTEGER)::BIGINT AS answered,
    sum((r.should_be NOT IN ('no_cue', 'no_answer'))::INTEGER
        - (o.answer IS NOT NULL)::INTEGER)::BIGINT AS answerable
FROM said AS r
INNER JOIN opportunities AS o
    ON o.call_id = r.call_id AND o.opportunity_index = r.opportunity_index
INNER JOIN call_summary AS calls ON calls.call_id = o.call_id
WHERE r.subject = 'cue' AND r.verdict = 'wrong' AND list_contains($truths, r.should_be)
    AND r.should_be <> coalesce(o.answer, 'no_answer')
    AND calls.call_id IN (SELECT call_id FROM call_summary AS calls WHERE {where})
GROUP BY 1
"""
_MISSED = """
SELECT call_id, landing_key FROM calls
WHERE landing_key IN $keys
    AND call_id IN (SELECT call_id FROM call_summary AS calls WHERE {where})
"""


@dataclass(frozen=True)
class Condition:
    """A condition in SQL, with the values of its parameters."""

    sql: str
    values: dict[str, Any]
    reads_measures: bool = False


def corrections(reader: Reader, by: str, where: Condition | None = None) -> dict[str, Row]:
    """Return by how much review changes answered and answerable cues, group by group.

    As on a call's page: a cue on which reviewers differ, or of which nobody says what it should be,
    stays as it is. The reader shows reviews that have just landed.
    """
    if not reader.value("SELECT count(*) FROM reviews"):
        return {}
    among = where or Condition("true", {})
    rows = reader.rows(
        _CORRECTIONS.format(by=by, where=among.sql), among.values | {"truths": list(CUE_ANSWERS)}
    )
    return {str(row["name"]): row for row in rows}


def corrected_rows(rows: list[Row], changed: dict[str, Row], name: str) -> list[Row]:
    """Return rows with `corrected`: their counts after review; None where they are the same."""
    found = []
    for row in rows:
        change = changed.get(str(row[name]))
        told = change and row["answered"] is not None and row["answerable"] is not None
        counts = (
            {part: row[part] + change[part] for part in ("answered", "answerable")}
            if change and told and (change["answered"] or change["answerable"])
            else None
        )
        found.append(row | {"corrected": counts})
    return found


def missed_feelings(visit: Visit, reader: Reader, where: Condition) -> dict[str, int]:
    """Return how many feelings listeners noted that the machine missed, by call that has any."""
    query = (
        sa.select(comments.c.landing_key, sa.func.count().label("missed"))
        .where(comments.c.kind == "missed_cue")
        .group_by(comments.c.landing_key)
    )
    noted = {row["landing_key"]: row["missed"] for row in visit.site.store.read(query)}
    if not noted:
        return {}
    rows = reader.rows(_MISSED.format(where=where.sql), where.values | {"keys": [*noted]})
    return {row["call_id"]: noted[row["landing_key"]] for row in rows}


def verdicts(visit: Visit, reader: Reader, rows: list[Row]) -> dict[tuple[str, int], Row]:
    """Return what listeners say of rows of the ledger, by call and place in it: the verdict, who
    says so, and what it should be if they say that.
    """
    said = _verdicts(reader, rows)
    return {
        place: row | {"by": ", ".join(visit.name_of(name) or "" for name in row["reviewers"])}
        for place, row in said.items()
    }


def _verdicts(reader: Reader, rows: list[Row]) -> dict[tuple[str, int], Row]:
    ids = sorted({row["call_id"] for row in rows})
    if not ids or not reader.value("SELECT count(*) FROM reviews"):
        return {}
    found = reader.rows(_REVIEWED, {"ids": ids})
    return {(row["call_id"], row["opportunity_index"]): row for row in found}


def is_overruled(said: Row | None) -> bool:
    """Return whether listeners say that a feeling was not left unanswered.

    Another name for the feeling, or another way of leaving it unanswered, does not say so.
    """
    if said is None or said["verdict"] != "wrong":
        return False
    told = (said["should_be"] or "").split(", ")
    return not all(part in _LEFT for truth in told for part in truth.split(BOTH))


def uncorrected_feelings(reader: Reader, rows: list[Row]) -> Counter[str]:
    """Return how many feelings of calls listeners called wrong, and not what they should be."""
    reviewed = _verdicts(reader, rows).items()
    return Counter(
        call_id
        for (call_id, _), said in reviewed
        if said["verdict"] == "wrong" and not said["should_be"]
    )

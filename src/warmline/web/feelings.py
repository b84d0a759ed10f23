"""Feelings on the pages: what is heard of one, and what people who listened change in them.

Every page plays the same of a feeling, and allows for their verdicts and notes in what it counts.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from warmline.query.calls import CallPage
from warmline.query.reviews import ANSWERS, BOTH, CUE_ANSWERS, FEELINGS, NO_ANSWER, UNANSWERED
from warmline.web.store import comments
from warmline.web.warehouse import Condition, Reader, Row

if TYPE_CHECKING:
    from warmline.web.site import Visit

#: The measure that pages of agents, teams and periods are about.
ANSWERED = "answered_rate"
#: The worst first: how strong a feeling was, and of those alike how it was treated; then the calls
#: that came last.
WORST_FIRST = """o.strength DESC,
    list_position(
        ['dismissed', 'ignored', 'minimal_acknowledgement', 'problem_solved_only'], o.answer),
    o.call_no DESC, o.start_s"""
#: What is played before a moment and after it, so that no word is cut.
LEAD_S = 0.5
#: The longest moment, and how much longer it may be where a sentence still runs then.
_LONGEST_S, _TO_END_OF_SENTENCE_S = 20.0, 5.0
#: A sentence of which a feeling is the last words is heard from so long before them at most.
_MOST_BEFORE_S = 5.0
_END_OF_SENTENCE = re.compile(r"[.?!…]+(?=\s|$)")
_TURNS = """
SELECT call_no, turn_index, role, party, start_s, end_s, text FROM facts.turns
WHERE call_no IN $numbers ORDER BY call_no, start_s
"""


@dataclass(frozen=True)
class FeelingExcerpt:
    """The seconds to hear of a feeling, and the turns to read.

    `goes_on_to_s` is where the answer ends, of a moment that is cut before that; else None.
    """

    start_s: float
    end_s: float
    turns: tuple[Row, ...]
    goes_on_to_s: float | None = None

    @property
    def heard_from_s(self) -> float:
        """Return where it is played from."""
        return max(0.0, self.start_s - LEAD_S)

    @property
    def heard_to_s(self) -> float:
        """Return where playing it ends."""
        return self.end_s + LEAD_S

    @property
    def reply(self) -> Row | None:
        """Return the agent's turn that answers, or comes next; None where none follows."""
        last = self.turns[-1] if self.turns else None
        return last if last and last["role"] == "agent" else None


def moment_of(cue: Row, turns: Sequence[Row]) -> FeelingExcerpt:
    """Return what is heard of a row of the ledger, among the turns of its call in order of time.

    From the start of the customer's sentence to the end of the turn in which the agent answered, or
    of the agent's next turn where nobody did: 20 s at most, or to the end of the sentence that runs
    then.
    """
    at = next((i for i, t in enumerate(turns) if t["turn_index"] == cue["turn_index"]), None)
    if at is None:
        return FeelingExcerpt(cue["start_s"], cue["end_s"], ())
    answered = cue.get("answer_turn_index")
    later = enumerate(turns[at + 1 :], at + 1)
    last = next(
        (
            i
            for i, turn in later
            if (turn["turn_index"] == answered if answered is not None else turn["role"] == "agent")
        ),
        at,
    )
    start_s, end_s = _start_s(cue, turns[at]), max(cue["end_s"], turns[last]["end_s"])
    shown = tuple(turns[at : last + 1])
    if end_s - start_s <= _LONGEST_S:
        return FeelingExcerpt(start_s, end_s, shown)
    cut_s = _end_of_sentence_s(shown, start_s + _LONGEST_S)
    if end_s - cut_s < 1.0:
        return FeelingExcerpt(start_s, end_s, shown)
    return FeelingExcerpt(start_s, cut_s, shown, end_s)


def with_moments(reader: Reader, rows: Sequence[Row]) -> list[Row]:
    """Return rows of the ledger of any calls, each with its `moment`; they have a `call_no`."""
    numbers = sorted({row["call_no"] for row in rows})
    said: dict[int, list[Row]] = {number: [] for number in numbers}
    for turn in reader.rows(_TURNS, {"numbers": numbers}) if numbers else []:
        said[turn["call_no"]].append(turn)
    return [row | {"moment": moment_of(row, said[row["call_no"]])} for row in rows]


def _start_s(cue: Row, turn: Row) -> float:
    """Return when the customer's sentence begins, worked out from its place in the turn."""
    text, start_s = str(turn["text"] or ""), float(turn["start_s"])
    said = str(cue["text"] or "").split(" … ")[0].strip().casefold()
    at = text.casefold().find(said) if said else -1
    if at < 0:
        return max(start_s, float(cue["start_s"]) - _MOST_BEFORE_S)
    begins = max((m.end() for m in _END_OF_SENTENCE.finditer(text[:at])), default=0)
    share = begins / at if at else 0.0
    found_s = start_s + share * (float(cue["start_s"]) - start_s)
    return max(found_s, float(cue["start_s"]) - _MOST_BEFORE_S)


def _end_of_sentence_s(turns: Sequence[Row], t: float) -> float:
    """The end of the sentence that runs at a time, if that comes soon; else that time."""
    for turn in turns:
        text, lasts_s = str(turn["text"] or ""), float(turn["end_s"] - turn["start_s"])
        for found in _END_OF_SENTENCE.finditer(text):
            ends_s = float(turn["start_s"]) + lasts_s * found.end() / len(text)
            if t <= ends_s <= t + _TO_END_OF_SENTENCE_S and turn["start_s"] < t:
                return ends_s
    return t


# What people who listened change in what the machine says, and how often they agree with it.

_REVIEWED = """
SELECT call_id, opportunity_index, verdict, should_be, reviews, reviewers FROM review_summary
WHERE subject = 'cue' AND call_id IN $ids
"""
_AGAINST_MACHINE = """
SELECT
    subject, name, count(*) AS rows_reviewed, sum(reviews)::BIGINT AS reviews,
    count_if(verdict = 'right') AS agreed, count_if(verdict = 'disputed') AS disputed,
    (agreed + disputed / 2) / rows_reviewed AS agreement,
    wilson(agreed + disputed / 2, rows_reviewed) AS bounds
FROM review_parts WHERE subject <> 'cue' GROUP BY subject, name
ORDER BY subject = 'metric', name, subject DESC
"""
#: Answers that count as one, in the words of the ledger.
_WARM_ANSWERS = ("attentive", "affective", "cognitive")
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


def missed_feelings(visit: "Visit", reader: Reader, where: Condition) -> dict[str, int]:
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


def verdicts(visit: "Visit", reader: Reader, rows: list[Row]) -> dict[tuple[str, int], Row]:
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


def against_machine(reader: Reader) -> list[Row]:
    """Return how often people who listened agree with the machine, with its 95 % interval.

    One row a measure, and two a kind of cue: whether it is that feeling, and what became of it.
    Rows on which they differ count as half.
    """
    return reader.rows(_AGAINST_MACHINE)


@dataclass(frozen=True)
class Corrected:
    """The counts of a rate as people who listened leave them."""

    answered: int
    answerable: int


def corrected(page: CallPage) -> Corrected | None:
    """Return the answered rate of a call with what review overturned; None where it stays.

    A cue on which reviewers differ, or of which nobody says what it should be, stays as it is.
    """
    answered = answerable = 0
    found = [cue["answer"] or NO_ANSWER for cue in page.opportunities]
    for cue in page.opportunities:
        review = page.review_of_cue(cue["opportunity_index"])
        said = review["should_be"] if review and review["verdict"] == "wrong" else None
        truth = said.rpartition(BOTH)[2] if said else None
        truth = truth if truth in CUE_ANSWERS else None
        answer = cue["answer"] or NO_ANSWER if truth is None else truth
        answerable += answer in ANSWERS
        answered += answer in _WARM_ANSWERS
    counted = sum(answer in _WARM_ANSWERS for answer in found), sum(a in ANSWERS for a in found)
    return None if counted == (answered, answerable) else Corrected(answered, answerable)


def uncorrected(page: CallPage) -> int:
    """Return how many feelings were called wrong without one word for what they should be."""
    said = (page.review_of_cue(cue["opportunity_index"]) for cue in page.opportunities)
    return sum(1 for one in said if one and one["verdict"] == "wrong" and not one["should_be"])

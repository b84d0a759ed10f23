"""What is heard of a feeling, a number and a question, and what people who listened change in it.

Every page plays the same of a feeling, and allows for their verdicts and notes in what it counts.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import sqlalchemy as sa

from warmline.query.calls import CallPage
from warmline.query.questions import FEELINGS
from warmline.query.reviews import ANSWERS, BOTH, CUE_ANSWERS, NO_ANSWER, NO_CUE, UNANSWERED
from warmline.web.quoting import excerpt
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
        answer = _answer(page, cue)
        answerable += answer in ANSWERS
        answered += answer in _WARM_ANSWERS
    counted = sum(answer in _WARM_ANSWERS for answer in found), sum(a in ANSWERS for a in found)
    return None if counted == (answered, answerable) else Corrected(answered, answerable)


def _answer(page: CallPage, cue: Row) -> str:
    """Return what became of a feeling, by those who listened where they say so."""
    review = page.review_of_cue(cue["opportunity_index"])
    said = review["should_be"] if review and review["verdict"] == "wrong" else None
    truth = str(said).rpartition(BOTH)[2] if said else None
    return truth if truth in CUE_ANSWERS else cue["answer"] or NO_ANSWER


def uncorrected(page: CallPage) -> int:
    """Return how many feelings were called wrong without one word for what they should be."""
    said = (page.review_of_cue(cue["opportunity_index"]) for cue in page.opportunities)
    return sum(1 for one in said if one and one["verdict"] == "wrong" and not one["should_be"])


# What of a call stands for a question, as a quote, and for a number, as what can be heard.


#: What tells how a call ended where nobody said whether it is solved: a promise, or what is left.
_OUTCOMES = ("commitment", "next_step", "expectation", "complaint", "friction_transfer", "relief")
#: How people take their leave: it tells that a call ended, and not how.
_PARTING = re.compile(
    r"(?i)\b(?:thanks?|(?:good)?bye|welcome|pleasure|cheers|take care|anything else|for calling"
    r"|the rest of your|(?:nice|good|great|lovely|wonderful) "
    r"(?:day|evening|afternoon|night|weekend|one))\b"
)
_LEAST_WORDS = 4  # of a turn that says something: "Goodbye." does not
_SENTENCE = re.compile(r"[^.?!]+[.?!]*")
#: How people begin before they say what it is about.
_GREETING = re.compile(
    r"(?i)(?:(?:yes|yeah|hello|hi|hey|there|good (?:morning|afternoon|evening|day)|thank you|"
    r"thanks|how are you(?: doing| today)*|okay|ok|well|oh|um|uh|please)\b[\s,.!?]*)+"
)
_INTRODUCTION = re.compile(
    r"(?i:my (?:full |first |last )?name(?:'s| is)|this is|i am|i'm|it's|it is)\s+"
    r"(?:(?i:mr|mrs|ms|miss|dr)\.?\s+)?(?:(?:[A-Z][\w'-]*|\[\w+\])[\s,]*){1,4}"
    r"(?i:here|speaking|calling|and|from|with|the|i|you|are|talking|to|[\s,])*[.!?]*"
)
_PROMISES = ("commitment", "next_step", "expectation")


@dataclass(frozen=True)
class Quote:
    """One of the five: the question, what was said and when, or why there is nothing."""

    question: str
    text: str | None
    start_s: float | None
    who: str | None
    missing: str


def five_quotes(page: CallPage) -> list[Quote]:
    """Return what the customer wanted and felt, what was promised, how it ended, what is open.

    Each is a sentence that was said, taken from the rows of the call; nothing is put into words
    here.
    """
    wanted = _quote(
        page, "What the customer wanted", _wanted(page), "no turn of the customer is known"
    )
    promised = _promised(page)
    return [
        wanted,
        _quote(page, "What it felt like", _felt(page, wanted.text or ""), _no_cue(page)),
        _quote(page, "What was promised", promised, "no promise was recognised"),
        _quote(page, "How it ended", _ended(page, promised), "nobody said how it ended"),
        _quote(page, "What is open", _open(page), _nothing_open(page)),
    ]


def _quote(page: CallPage, question: str, row: Row | None, missing: str) -> Quote:
    if row is None or not row["text"]:
        return Quote(question, None, None, None, missing)
    who = row.get("role") or "customer"
    return Quote(question, _sentence(page, row), row["start_s"], who, missing)


def _sentence(page: CallPage, row: Row) -> str:
    """Return what is quoted of a row: the sentence that its words are in, else these words."""
    words = str(row["text"])
    turn = next((t for t in page.turns if t["turn_index"] == row["turn_index"]), None)
    sentences = _SENTENCE.findall(turn["text"]) if turn else []
    beginning = words.split(" … ")[0].strip().casefold()
    whole = next((s.strip() for s in sentences if beginning in s.casefold()), words)
    return excerpt(whole, words)


def _wanted(page: CallPage) -> Row | None:
    """Return what the customer said first that is no greeting and no name: why they call."""
    own = [turn for turn in page.turns if turn["role"] == "customer"]
    for turn in own:
        sentences = _SENTENCE.findall(turn["text"] or "")
        for i, sentence in enumerate(sentences):
            said = _GREETING.sub("", sentence.strip())
            if len(said.split()) >= _LEAST_WORDS and not _INTRODUCTION.fullmatch(said):
                return turn | {"text": "".join(sentences[i:]).strip()}
    return own[0] if own else None


def _felt(page: CallPage, quoted: str) -> Row | None:
    """Return the strongest feeling, if there is another, one that is not in what is quoted."""
    shown = _shown_feelings(page)
    others = [cue for cue in shown if _sentence(page, cue) not in quoted]
    return max(others or shown, key=lambda cue: cue["strength"], default=None)


def _shown_feelings(page: CallPage) -> list[Row]:
    """Return the feelings but for those that listeners say are none."""
    return [cue for cue in page.opportunities if _answer(page, cue) != NO_CUE]


def _no_cue(page: CallPage) -> str:
    if page.opportunities:
        return "those who listened heard no feeling"
    return page.call["no_ledger_reason"] or "no feeling was recognised"


def _nothing_open(page: CallPage) -> str:
    if _shown_feelings(page):
        return "every feeling that was found was answered"
    if page.opportunities:
        return _no_cue(page)
    return page.call["no_ledger_reason"] or "cannot be said: no feeling was recognised"


def _promised(page: CallPage) -> Row | None:
    """Return the last promise of the agent: "may I put you on hold" comes early in a call.

    "It is cancelled" is a next step that says how the matter was resolved, and no promise.
    """
    solved = {m["start_s"] for m in page.moments if m["kind"] == "resolution"}
    for kind in _PROMISES:
        own = [m for m in page.moments if m["kind"] == kind and m["role"] == "agent"]
        rows = [m for m in own if m["start_s"] not in solved]
        if rows:
            return rows[-1]
    return None


def _ended(page: CallPage, promised: Row | None) -> Row | None:
    """Return what the last third of a call says of its end.

    That is whether it is solved; else the last promise, complaint or deed of the agent's, or what
    was said after it where that is quoted as the promise; a goodbye only where there is nothing
    else.
    """
    late_s = (page.call["duration_s"] or 0.0) * 2 / 3
    late = [m for m in page.moments if m["start_s"] > late_s]
    if solved := [m for m in late if m["kind"] == "resolution"]:
        return solved[-1]
    told = [m for m in late if m["kind"] in _OUTCOMES and _is_whose(m)]
    told += [deed for deed in _deeds(page) if deed["start_s"] > late_s]
    last = max(told, key=lambda row: row["start_s"], default=None)
    if last and not (promised and _sentence(page, last) == _sentence(page, promised)):
        return last
    full = [turn for turn in page.turns if turn["word_count"] >= _LEAST_WORDS]
    found = _last_words(full, last["start_s"] if last else late_s) or last
    ended = full or page.turns
    return found or (ended[-1] if ended else None)


def _deeds(page: CallPage) -> list[Row]:
    """Return what the agent did about the matter where a feeling had been shown."""
    return [
        {
            "turn_index": cue["answer_turn_index"],
            "start_s": cue["answer_start_s"],
            "text": cue["answer_text"],
            "role": "agent",
        }
        for cue in page.opportunities
        if cue.get("answer") == "problem_solved_only" and cue["answer_text"]
    ]


def _is_whose(moment: Row) -> bool:
    """Return whether a promise is the agent's; of what is no promise, it may be anybody's."""
    return moment["kind"] not in _PROMISES or moment["role"] == "agent"


def _last_words(turns: list[Row], after_s: float) -> Row | None:
    """Return the last sentence of the turns that begin after a time that is no goodbye."""
    for turn in reversed([turn for turn in turns if turn["start_s"] > after_s]):
        for sentence in reversed(_SENTENCE.findall(turn["text"] or "")):
            if len(sentence.split()) >= _LEAST_WORDS and not _PARTING.search(sentence):
                return turn | {"text": sentence.strip()}
    return None


def _open(page: CallPage) -> Row | None:
    """Return the strongest cue that was not answered, the later of two."""
    left = [cue for cue in _shown_feelings(page) if _answer(page, cue) not in _WARM_ANSWERS]
    return max(left, key=lambda cue: (cue["strength"], cue["start_s"]), default=None)


#: How much is heard of what was said before an answer, and of the answer.
_AROUND_S = 1.5
_OF_FEELINGS = frozenset({"answered_rate", "opportunities_expected"})


def heard_in(page: CallPage, row: Row) -> Sequence[Row]:
    """Return the passages in which the value of a measure can be heard, in order of time.

    They are those that it names; else the feelings, silences or overlaps that it counts, the
    answers that it times, or the turns that it was taken from. None where nothing was found.
    """
    if row["evidence"] or row["value"] is None:
        return row["evidence"] or ()
    if row["name"] in _OF_FEELINGS:
        return page.opportunities
    if not row["value"]:
        return ()
    if row["name"] == "non_talk_s":
        return page.silences
    if row["name"] == "overlap_s":
        return page.overlaps
    if row["name"].startswith(("response_latency", "fto_")):
        return [
            {
                "start_s": max(0.0, before["end_s"] - _AROUND_S),
                "end_s": after["start_s"] + _AROUND_S,
            }
            for before, after in pairwise(page.turns)
            if before["party"] != after["party"] and row["party"] in (None, after["party"])
        ]
    return [turn for turn in page.turns if row["party"] in (None, turn["party"])]

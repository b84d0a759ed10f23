"""What is heard, and read, of a feeling: one rule for every page that plays one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from warmline.web.warehouse import Reader, Row

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

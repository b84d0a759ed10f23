"""What of a call stands for a question, as a quote, and for a number, as what can be heard."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from warmline.query.calls import CallPage
from warmline.web.warehouse import Row

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
_LONGEST_PART = 120  # characters: a whole turn is shown as it is
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
    """Return the sentence of the turn that the words of a row are in; those words if none is."""
    words = str(row["text"])
    turn = next((t for t in page.turns if t["turn_index"] == row["turn_index"]), None)
    sentences = _SENTENCE.findall(turn["text"]) if turn else []
    beginning = words.split(" … ")[0].strip().casefold()
    if len(beginning) > _LONGEST_PART:
        return words
    return next((s.strip() for s in sentences if beginning in s.casefold()), words)


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
    others = [cue for cue in page.opportunities if _sentence(page, cue) not in quoted]
    return max(others or page.opportunities, key=lambda cue: cue["strength"], default=None)


def _no_cue(page: CallPage) -> str:
    return page.call["no_ledger_reason"] or "no feeling was recognised"


def _nothing_open(page: CallPage) -> str:
    if page.opportunities:
        return "every feeling that was found was answered"
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
    if last and last != promised:
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
    """The strongest cue that was not answered, the later of two."""
    left = [cue for cue in page.opportunities if not cue["answered"]]
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

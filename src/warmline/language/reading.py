"""Reads a call turn by turn with the rules: every moment that was recognised, with its evidence."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from warmline.analysis import Moment
from warmline.language.kinds import QUOTED_KINDS, Speaker
from warmline.language.passages import Passage
from warmline.language.questions import marked_questions
from warmline.language.reasks import reasks
from warmline.language.reflections import echoes
from warmline.language.rulebook import LanguageRule, Rulebook
from warmline.values import RoleName

Found = tuple[LanguageRule, int, int]

# A quote without sentence marks reaches this many words to each side of what was recognised.
_QUOTE_REACH = 15
_SPEAKERS = frozenset({RoleName.AGENT, RoleName.CUSTOMER})


def read_passages(passages: Sequence[Passage], book: Rulebook) -> tuple[Moment, ...]:
    """All moments of a call, in order of start.

    Only turns whose role is agent or customer are read: what a party of unknown role says is
    nobody's empathy and nobody's cue.
    """
    read = [p for p in passages if p.turn.role in _SPEAKERS and p.said.words]
    moments: list[Moment] = []
    for passage in read:
        moments += _of_one_turn(passage, book)
    moments += echoes(read, moments)
    moments += reasks(read, moments)
    return in_order(moments)


def in_order(moments: Iterable[Moment]) -> tuple[Moment, ...]:
    """Moments by start; the rest of the key only makes the order the same every time."""
    return tuple(sorted(moments, key=lambda m: (m.start_s, m.turn_index, m.kind, m.end_s, m.rule)))


def _of_one_turn(passage: Passage, book: Rulebook) -> list[Moment]:
    found = _strongest(book.find(passage.said, passage.turn.role))
    moments = [
        passage.moment(rule.kind, rule.label, first, past, rule.id, rule.strength)
        for rule, first, past in found
    ]
    if passage.turn.role.value == Speaker.AGENT.value:
        moments += marked_questions(passage, found)
    else:
        moments += _quotes(passage, found)
    return moments


def _strongest(found: Iterable[Found]) -> list[Found]:
    """Of overlapping matches of one meaning, the strongest; then the longest, then the first."""

    def meaning(match: Found) -> tuple[str, str]:
        rule = match[0]
        # A question is open or closed, never both.
        kind = "question" if rule.kind.startswith("question_") else rule.kind
        return kind, rule.label or ""

    kept: list[Found] = []
    for _, group in groupby(sorted(found, key=meaning), key=meaning):
        ranked = sorted(group, key=lambda f: (-f[0].strength, f[1] - f[2], f[1], f[0].id))
        chosen: list[Found] = []
        for match in ranked:
            if all(match[2] <= other[1] or other[2] <= match[1] for other in chosen):
                chosen.append(match)
        kept += chosen
    return sorted(kept, key=lambda f: (f[1], f[2], f[0].id))


def _quotes(passage: Passage, found: Sequence[Found]) -> list[Moment]:
    """The customer's sentences around what is worth reading, each once and named once."""
    quoted: list[tuple[int, int]] = []
    moments = []
    for rule, first, past in sorted(found, key=lambda f: (-f[0].strength, f[1], f[0].id)):
        if rule.kind not in QUOTED_KINDS or any(q[0] < past and first < q[1] for q in quoted):
            continue
        around = _sentence(passage, first, past)
        quoted.append(around)
        label = rule.label or rule.kind
        moments.append(passage.moment("quote", label, *around, rule.id, rule.strength))
    return moments


def _sentence(passage: Passage, first: int, past: int) -> tuple[int, int]:
    touched = [s for s in passage.said.sentences() if s[0] < past and first < s[1]]
    start, end = touched[0][0], touched[-1][1]
    return max(start, first - _QUOTE_REACH), min(end, past + _QUOTE_REACH)

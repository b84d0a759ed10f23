"""Reads a call turn by turn with the rules: every moment that was recognised, with its evidence."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType

from warmline.analysis import Moment
from warmline.language.kinds import QUOTED_KINDS
from warmline.language.listening import Heard
from warmline.language.passages import Passage
from warmline.language.questions import marked_questions
from warmline.language.reasks import reasks
from warmline.language.reflections import act_moments, acts_of_talk
from warmline.language.rulebook import Rulebook
from warmline.language.speech_acts import Act, Found, SaidAct
from warmline.values import RoleName

Windows = Mapping[int, Sequence[Heard]]

# A quote without sentence marks reaches this many words to each side of what was recognised.
_QUOTE_REACH = 15
_SPEAKERS = frozenset({RoleName.AGENT, RoleName.CUSTOMER})
_UNHEARD: Windows = MappingProxyType({})


def read_passages(
    passages: Sequence[Passage], book: Rulebook, heard: Windows = _UNHEARD
) -> tuple[Moment, ...]:
    """All moments of a call, in order of start.

    Only turns whose role is agent or customer are read: what a party of unknown role says is
    nobody's empathy and nobody's cue. `heard` are the models' windows by turn index; what they
    interpret is one sign of a reflection.
    """
    read = _readable(passages)
    found = _found(read, book)
    acts = acts_of_talk(read, found, heard)
    moments: list[Moment] = []
    for passage in read:
        index = passage.turn.index
        moments += _of_one_turn(passage, found[index], acts.get(index, ()))
    moments += reasks(read, moments)
    return in_order(moments)


def read_acts(
    passages: Sequence[Passage], book: Rulebook, heard: Windows = _UNHEARD
) -> dict[int, tuple[SaidAct, ...]]:
    """What each clause of every agent's turn does, by turn index."""
    read = _readable(passages)
    return acts_of_talk(read, _found(read, book), heard)


def without_denied(
    heard: Sequence[Moment], passages: Sequence[Passage], book: Rulebook
) -> list[Moment]:
    """Return what models heard, less the feelings that the customer denies in the same words.

    A model hears fear in "I'm not like, you know, terrified": where the words of a feeling are
    denied, what a model heard in them and its quote are left out.
    """
    denied: dict[int, list[Moment]] = {}
    for passage in _readable(passages):
        if passage.turn.role is RoleName.CUSTOMER:
            denied[passage.turn.index] = [
                passage.moment(r.kind, r.label, first, past, r.id, r.strength)
                for r, first, past in book.denied(passage.said, passage.turn.role)
                if r.kind == "cue"
            ]
    return [
        m
        for m in heard
        if m.kind not in ("cue", "quote")
        or not any(
            d.start_s < m.end_s and m.start_s < d.end_s for d in denied.get(m.turn_index, ())
        )
    ]


def in_order(moments: Iterable[Moment]) -> tuple[Moment, ...]:
    """Moments by start; the rest of the key only makes the order the same every time."""
    return tuple(sorted(moments, key=lambda m: (m.start_s, m.turn_index, m.kind, m.end_s, m.rule)))


def _readable(passages: Sequence[Passage]) -> list[Passage]:
    return [p for p in passages if p.turn.role in _SPEAKERS and p.said.words]


def _found(read: Sequence[Passage], book: Rulebook) -> dict[int, list[Found]]:
    return {p.turn.index: _strongest(book.find(p.said, p.turn.role)) for p in read}


def _of_one_turn(passage: Passage, found: Sequence[Found], acts: Sequence[SaidAct]) -> list[Moment]:
    reflected = [(a.first, a.past) for a in acts if a.act is Act.REFLECTION]
    found = [f for f in found if not _under_a_statement(f, reflected)]
    moments = [
        passage.moment(rule.kind, rule.label, first, past, rule.id, rule.strength)
        for rule, first, past in found
    ]
    if passage.turn.role is RoleName.CUSTOMER:
        return [*moments, *_quotes(passage, found)]
    moments += marked_questions(passage, found, reflected)
    moments += act_moments(passage, acts, found)
    return moments


def _under_a_statement(match: Found, stated: Sequence[tuple[int, int]]) -> bool:
    """A question inside of what is said back ("you wonder what would help") asks nothing."""
    rule, first, _ = match
    asks = rule.kind.startswith("question_")
    return asks and any(begin <= first < end for begin, end in stated)


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

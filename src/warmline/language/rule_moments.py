"""Read a call turn by turn with the rules: every moment that was recognised, with its evidence."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from math import inf
from types import MappingProxyType

from warmline.analysis import Moment
from warmline.language.rulebook import QUOTED_KINDS, LanguageRule, Rulebook, Unread
from warmline.language.speech_acts import Act, Found, SaidAct, acts_of_turn, content
from warmline.language.windows import TurnText, WindowScores
from warmline.phrases import spoken
from warmline.turns import listens
from warmline.values import RoleName

# Questions that only the question mark gives away ("You live in Leeds?").


_QUESTION_RULE = "question.marked"
_QUESTION_STRENGTH = 0.6
# "Okay?", "All right?" ask nothing.
_LEAST_WORDS = 3
_NO_QUESTION = frozenset({"question_open", "question_closed", "formula"})


def marked_questions(
    turn_text: TurnText,
    found: Sequence[tuple[LanguageRule, int, int]],
    reflected: Sequence[tuple[int, int]],
) -> list[Moment]:
    """Return a closed question for each sentence with a question mark in which no rule matched.

    Service formulas ("Is there anything else?") are not counted as questions, nor are reflections
    with a rising voice (`reflected`).
    """
    moments = []
    for first, past in turn_text.said.sentences():
        if turn_text.said.marks[past - 1] != "?" or past - first < _LEAST_WORDS:
            continue
        told = [(a, b) for r, a, b in found if r.kind in _NO_QUESTION]
        if not any(a < past and first < b for a, b in (*told, *reflected)):
            moments.append(
                turn_text.moment(
                    "question_closed", None, first, past, _QUESTION_RULE, _QUESTION_STRENGTH
                )
            )
    return moments


# Information that was asked for again although the customer had given it.


_REASK_RULE = "reask.slot"
_REASK_STRENGTH = 0.8
_AGAIN = frozenset({"again", "repeat"})
_AGAIN_WITHIN = 2


def reasks(turn_texts: Sequence[TurnText], moments: Sequence[Moment]) -> list[Moment]:
    """Return one moment for each request for an item that was requested before and answered since.

    A request that says so itself ("repeat that zip code") needs no earlier one, as a customer may
    have given the item unasked. The label is the item. Any agent may be the one who asks again.
    """
    by_index = {p.turn.index: p for p in turn_texts}
    unanswered = {m.turn_index for m in moments if m.kind == "no_answer"}
    asked_s: dict[str, float] = {}
    again: list[Moment] = []
    for moment in sorted(moments, key=lambda m: (m.start_s, m.turn_index)):
        if moment.kind != "slot_request" or moment.label is None:
            continue
        since_s = asked_s.get(moment.label)
        if since_s is None and _says_again(moment, by_index[moment.turn_index]):
            since_s = -inf
        asked_s[moment.label] = moment.end_s
        if since_s is None:
            continue
        between = [
            p for p in turn_texts if p.turn.end_s > since_s and p.turn.start_s < moment.start_s
        ]
        if _answered(between, unanswered):
            again.append(replace(moment, kind="reask", rule=_REASK_RULE, strength=_REASK_STRENGTH))
    return again


_HANDOVER_RULE = "handover.greets"
_HANDOVER_STRENGTH = 0.8
# How an agent greets who has not spoken yet; somebody who comes back says "again".
_GREETING = re.compile(r"\bhow (can|may|could) (i|we) (help|assist)\b")


def handovers(turn_texts: Sequence[TurnText], moments: Sequence[Moment]) -> list[Moment]:
    """Return the greeting of each agent who takes over on the channel of another.

    Desks often share a channel, and so are one party: who greets there after the call was passed on
    is somebody else. Of an agent with a party of one's own nothing is returned.
    """
    passed_on = {
        (m.party, m.turn_index)
        for m in moments
        if m.kind == "friction_transfer" and m.role is RoleName.AGENT
    }
    named = {m.turn_index for m in moments if m.kind == "identification"}
    leaving: set[str] = set()
    found = []
    for turn_text in turn_texts:
        turn, said = turn_text.turn, turn_text.said
        if turn.role is not RoleName.AGENT:
            continue
        greets = turn.index in named or _GREETING.search(" ".join(said.words))
        if turn.party in leaving and greets and said.present.isdisjoint(_AGAIN):
            words = (0, len(said.words))
            found.append(
                turn_text.moment("handover", None, *words, _HANDOVER_RULE, _HANDOVER_STRENGTH)
            )
            leaving.discard(turn.party)
        if (turn.party, turn.index) in passed_on:
            leaving.add(turn.party)
    return found


def _says_again(request: Moment, turn_text: TurnText) -> bool:
    """Return whether the request itself says that it is a repeat: "repeat ...", "... again"."""
    after = turn_text.turn.text.partition(request.text)[2].split()[:_AGAIN_WITHIN]
    words = spoken([*request.text.split(), *after]).present
    return not words.isdisjoint(_AGAIN)


def _answered(between: Sequence[TurnText], unanswered: set[int]) -> bool:
    """Return whether the customer said anything but "yes" or "I don't know" in between."""
    return any(
        p.turn.role is RoleName.CUSTOMER and p.turn.index not in unanswered and not listens(p.said)
        for p in between
    )


# Moments of what an agent does with words: reflecting, advising, confronting, supporting.


SIMPLE, COMPLEX = "reflection.simple", "reflection.complex"
# What an agent may be reflecting: the customer's last turns, back to this many content words.
_REMEMBERED_WORDS = 40
_MOSTLY_RETURNING = 0.5
_SHOWN = (Act.ADVICE, Act.CONFRONTATION, Act.AFFIRMATION, Act.AUTONOMY, Act.COLLABORATION)
# A match under one of these kinds keeps its kind.
_SHOWS_LISTENING = frozenset({"attentive", "affective"})


def acts_of_talk(
    turn_texts: Sequence[TurnText],
    found: Mapping[int, Sequence[Found]],
    heard: Mapping[int, Sequence[WindowScores]],
) -> dict[int, tuple[SaidAct, ...]]:
    """Return the acts of every agent's turn, by turn index.

    `found` are the rules' matches and `heard` the models' windows by turn index; without models the
    second is empty.
    """
    said: list[frozenset[str]] = []
    acts: dict[int, tuple[SaidAct, ...]] = {}
    for turn_text in turn_texts:
        index = turn_text.turn.index
        if turn_text.turn.role is RoleName.CUSTOMER:
            said.append(frozenset(content(turn_text.said.words)))
        elif turn_text.turn.role is RoleName.AGENT:
            theirs = _remembered(said)
            interprets = [
                (h.first, h.past, h.at_least_weak("interpretation")) for h in heard.get(index, ())
            ]
            acts[index] = acts_of_turn(turn_text.said, found.get(index, ()), theirs, interprets)
    return acts


def _remembered(said: Sequence[frozenset[str]]) -> frozenset[str]:
    words: frozenset[str] = frozenset()
    for turn in reversed(said):
        if len(words) >= _REMEMBERED_WORDS:
            break
        words |= turn
    return words


def act_moments(
    turn_text: TurnText, acts: Sequence[SaidAct], found: Sequence[Found]
) -> Iterator[Moment]:
    """Yield the moments of a turn's acts, except listening that a rule has already found."""
    told = [(a, b) for r, a, b in found if r.kind in _SHOWS_LISTENING]
    for act in _runs([a for a in acts if a.act is Act.REFLECTION]):
        if not any(a < act.past and act.first < b for a, b in told):
            rule = SIMPLE if act.returning >= _MOSTLY_RETURNING else COMPLEX
            words = (act.first, act.past)
            yield turn_text.moment("attentive", "reflection", *words, rule, act.strength)
    for kind in _SHOWN:
        for act in _runs([a for a in acts if kind in a.does]):
            words = (act.first, act.past)
            yield turn_text.moment(kind.value, None, *words, f"act.{kind.value}", act.strength)


def _runs(acts: Sequence[SaidAct]) -> list[SaidAct]:
    """Return adjacent clauses joined into one."""
    runs: list[SaidAct] = []
    for act in acts:
        if runs and runs[-1].past == act.first:
            last = runs[-1]
            runs[-1] = replace(
                last,
                past=act.past,
                strength=max(last.strength, act.strength),
                returning=min(last.returning, act.returning),
            )
        else:
            runs.append(act)
    return runs


Windows = Mapping[int, Sequence[WindowScores]]

# A quote without sentence marks extends this many words to each side of the match.
_QUOTE_REACH = 15
_SPEAKERS = frozenset({RoleName.AGENT, RoleName.CUSTOMER})
_UNHEARD: Windows = MappingProxyType({})


def rule_moments(
    turn_texts: Sequence[TurnText], book: Rulebook, heard: Windows = _UNHEARD
) -> tuple[Moment, ...]:
    """Return all moments of a call, in order of start.

    Only turns whose role is agent or customer are read: the words of a party of unknown role are
    nobody's empathy and nobody's cue. `heard` are the models' windows by turn index; an
    interpretation in them is one sign of a reflection.
    """
    read = _readable(turn_texts)
    found = _found(read, book)
    acts = acts_of_talk(read, found, heard)
    moments: list[Moment] = []
    for turn_text in read:
        index = turn_text.turn.index
        moments += _of_one_turn(turn_text, found[index], acts.get(index, ()))
    moments += reasks(read, moments)
    moments += handovers(read, moments)
    return in_order(moments)


def read_acts(
    turn_texts: Sequence[TurnText], book: Rulebook, heard: Windows = _UNHEARD
) -> dict[int, tuple[SaidAct, ...]]:
    """Return the function of each clause of every agent's turn, by turn index."""
    read = _readable(turn_texts)
    return acts_of_talk(read, _found(read, book), heard)


def without_denied(
    heard: Sequence[Moment], turn_texts: Sequence[TurnText], unread: Mapping[int, Unread]
) -> list[Moment]:
    """Return the models' windows without the feelings that the customer denies in the same words.

    A model finds fear in "I'm not like, you know, terrified": where the words of a feeling are
    denied, what a model found in them and its quote are left out.
    """
    denied = {
        p.turn.index: [p.span(*words) for words in unread[p.turn.index].sentences]
        for p in turn_texts
        if p.turn.index in unread
    }
    return [
        m
        for m in heard
        if m.kind not in ("cue", "quote")
        or not any(
            d.start_s < m.end_s and m.start_s < d.end_s for d in denied.get(m.turn_index, ())
        )
    ]


def in_order(moments: Iterable[Moment]) -> tuple[Moment, ...]:
    """Return moments by start; the rest of the key only makes the order reproducible."""
    return tuple(sorted(moments, key=lambda m: (m.start_s, m.turn_index, m.kind, m.end_s, m.rule)))


def _readable(turn_texts: Sequence[TurnText]) -> list[TurnText]:
    return [p for p in turn_texts if p.turn.role in _SPEAKERS and p.said.words]


def _found(read: Sequence[TurnText], book: Rulebook) -> dict[int, list[Found]]:
    return {p.turn.index: _strongest(book.find(p.said, p.turn.role)) for p in read}


def _of_one_turn(
    turn_text: TurnText, found: Sequence[Found], acts: Sequence[SaidAct]
) -> list[Moment]:
    reflected = [(a.first, a.past) for a in acts if a.act is Act.REFLECTION]
    found = [f for f in found if not _under_a_statement(f, reflected)]
    moments = [
        turn_text.moment(rule.kind, rule.label, first, past, rule.id, rule.strength)
        for rule, first, past in found
    ]
    if turn_text.turn.role is RoleName.CUSTOMER:
        return [*moments, *_quotes(turn_text, found)]
    moments += marked_questions(turn_text, found, reflected)
    moments += act_moments(turn_text, acts, found)
    return moments


def _under_a_statement(match: Found, stated: Sequence[tuple[int, int]]) -> bool:
    """Return whether a question lies inside a reflection ("you wonder what would help")."""
    rule, first, _ = match
    asks = rule.kind.startswith("question_")
    return asks and any(begin <= first < end for begin, end in stated)


def _strongest(found: Iterable[Found]) -> list[Found]:
    """Return the strongest of overlapping matches of one meaning; then the longest, the first."""

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


def _quotes(turn_text: TurnText, found: Sequence[Found]) -> list[Moment]:
    """Return the customer's sentences around what is worth reading, each once with one label."""
    quoted: list[tuple[int, int]] = []
    moments = []
    for rule, first, past in sorted(found, key=lambda f: (-f[0].strength, f[1], f[0].id)):
        if rule.kind not in QUOTED_KINDS or any(q[0] < past and first < q[1] for q in quoted):
            continue
        around = _sentence(turn_text, first, past)
        quoted.append(around)
        label = rule.label or rule.kind
        moments.append(turn_text.moment("quote", label, *around, rule.id, rule.strength))
    return moments


def _sentence(turn_text: TurnText, first: int, past: int) -> tuple[int, int]:
    touched = [s for s in turn_text.said.sentences() if s[0] < past and first < s[1]]
    start, end = touched[0][0], touched[-1][1]
    return max(start, first - _QUOTE_REACH), min(end, past + _QUOTE_REACH)

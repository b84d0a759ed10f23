"""Moments of what an agent does with words: reflecting, advising, confronting, supporting.

The acts are read clause by clause (`speech_acts.py`); neighbouring clauses of one act are one
moment. A reflection whose content words are mostly the customer's own is a simple one, else it adds
meaning and is complex (MISC 2.5).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from warmline.analysis import Moment
from warmline.language.clauses import content
from warmline.language.listening import Heard
from warmline.language.passages import Passage
from warmline.language.speech_acts import Act, Found, SaidAct, acts_of_turn
from warmline.values import RoleName

SIMPLE, COMPLEX = "reflection.simple", "reflection.complex"
# What an agent can be saying back: the customer's last turns, back to so many content words.
_REMEMBERED_WORDS = 40
_MOSTLY_RETURNING = 0.5
_SHOWN = (Act.ADVICE, Act.CONFRONTATION, Act.AFFIRMATION, Act.AUTONOMY, Act.COLLABORATION)
# What was found under one of these is counted as what it is.
_SHOWS_LISTENING = frozenset({"attentive", "affective"})


def acts_of_talk(
    passages: Sequence[Passage],
    found: Mapping[int, Sequence[Found]],
    heard: Mapping[int, Sequence[Heard]],
) -> dict[int, tuple[SaidAct, ...]]:
    """The acts of every agent's turn, by turn index.

    `found` are the rules' matches and `heard` the models' windows by turn index; without models the
    second is empty.
    """
    said: list[frozenset[str]] = []
    acts: dict[int, tuple[SaidAct, ...]] = {}
    for passage in passages:
        index = passage.turn.index
        if passage.turn.role is RoleName.CUSTOMER:
            said.append(frozenset(content(passage.said.words)))
        elif passage.turn.role is RoleName.AGENT:
            theirs = _remembered(said)
            interprets = [
                (h.first, h.past, h.at_least_weak("interpretation")) for h in heard.get(index, ())
            ]
            acts[index] = acts_of_turn(passage.said, found.get(index, ()), theirs, interprets)
    return acts


def _remembered(said: Sequence[frozenset[str]]) -> frozenset[str]:
    words: frozenset[str] = frozenset()
    for turn in reversed(said):
        if len(words) >= _REMEMBERED_WORDS:
            break
        words |= turn
    return words


def act_moments(
    passage: Passage, acts: Sequence[SaidAct], found: Sequence[Found]
) -> Iterator[Moment]:
    """The moments of a turn's acts. What a rule found to show listening is not shown twice."""
    told = [(a, b) for r, a, b in found if r.kind in _SHOWS_LISTENING]
    for act in _runs([a for a in acts if a.act is Act.REFLECTION]):
        if not any(a < act.past and act.first < b for a, b in told):
            rule = SIMPLE if act.returning >= _MOSTLY_RETURNING else COMPLEX
            words = (act.first, act.past)
            yield passage.moment("attentive", "reflection", *words, rule, act.strength)
    for kind in _SHOWN:
        for act in _runs([a for a in acts if kind in a.does]):
            words = (act.first, act.past)
            yield passage.moment(kind.value, None, *words, f"act.{kind.value}", act.strength)


def _runs(acts: Sequence[SaidAct]) -> list[SaidAct]:
    """Clauses that follow each other, as one."""
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

"""Dialogues written by hand, with a clock: every word lasts a quarter of a second.

All times are multiples of 1/4 s, so that shifting them is exact in floating point.
"""

from dataclasses import replace

from warmline.analysis import Empathy, Floor, Metric, Moment, Silence
from warmline.empathy import measure
from warmline.language import read
from warmline.settings import Settings
from warmline.values import Conversation, Role, RoleName, Transcript, Turn, Word

WORD_S = 0.25
PAUSE_S = 0.5
NO_FLOOR = Floor((), (), (), (), ())
NAMES = {"agent": RoleName.AGENT, "customer": RoleName.CUSTOMER, "ivr": RoleName.IVR}

Dialogue = tuple[Conversation, Transcript]


def dialogue(*said: str, roles: dict[str, str] | None = None, confidence: float = 0.9) -> Dialogue:
    """`"agent: how can I help"` lines as a conversation and its transcript.

    A speaker is a role, or a party whose role `roles` gives ("A", "B", ...).
    """
    parts = [line.split(": ", 1) for line in said]
    parties = list(dict.fromkeys(speaker for speaker, _ in parts))
    known = {p: NAMES.get((roles or {}).get(p, p), RoleName.UNKNOWN) for p in parties}
    turns: list[Turn] = []
    words: list[Word] = []
    at = 1.0
    for index, (party, text) in enumerate(parts):
        tokens = text.split()
        start = at
        for token in tokens:
            words.append(Word(at, at + WORD_S, party, token, 0.9))
            at += WORD_S
        turns.append(Turn(start, at, index, party, known[party], text, len(tokens), at - start))
        at += PAUSE_S
    given = tuple(Role(p, name, confidence, "by hand", "by hand") for p, name in known.items())
    transcript = Transcript("en", 0.99, tuple(words), (), {})
    return Conversation(given, tuple(turns)), transcript


def moments_of(call: Dialogue) -> tuple[Moment, ...]:
    """What the language stage reads in a dialogue."""
    return read(*call, Settings().language)


def empathy_of(call: Dialogue, *, holds: tuple[Silence, ...] = (), **chosen: object) -> Empathy:
    """What the empathy stage gives for a dialogue; `chosen` are settings of [empathy]."""
    settings = Settings().empathy.model_copy(update=chosen)
    floor = replace(NO_FLOOR, silences=holds)
    return measure(call[0], moments_of(call), floor, settings)


def metric(empathy: Empathy, name: str, party: str | None = None) -> Metric:
    """The one measure with this name and party."""
    (found,) = [m for m in empathy.metrics if m.name == name and m.party == party]
    return found


def shifted(call: Dialogue, by_s: float) -> Dialogue:
    """The same call, later."""
    conversation, transcript = call
    return (
        replace(
            conversation,
            turns=tuple(
                replace(t, start_s=t.start_s + by_s, end_s=t.end_s + by_s)
                for t in conversation.turns
            ),
        ),
        replace(
            transcript,
            words=tuple(
                replace(w, start_s=w.start_s + by_s, end_s=w.end_s + by_s) for w in transcript.words
            ),
        ),
    )

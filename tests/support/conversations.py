"""Conversations written by hand, and generated ones, for tests of turns, floor and prosody.

Times are multiples of 1/64 s so that shifting them is exact in floating point.
"""

from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st

from warmline.settings import Settings
from warmline.turns import build_turns
from warmline.values import (
    Conversation,
    Role,
    RoleName,
    Span,
    SpeakerSource,
    Speech,
    SpeechSegment,
    ToneSegment,
    Transcript,
    Word,
    subtract,
    union,
)

GRID = 64
S = TypeVar("S", bound=Span)


def speech_of(
    parties: dict[str, list[tuple[float, float]]],
    *,
    source: SpeakerSource = SpeakerSource.CHANNEL,
    tones: tuple[ToneSegment, ...] = (),
    confidence: float = 1.0,
) -> Speech:
    """Speech from `{"A": [(start, end), ...]}`; where two speak, the first letter is exclusive."""
    segments = tuple(
        sorted(
            (SpeechSegment(s, e, p) for p, spans in parties.items() for s, e in spans),
            key=lambda s: (s.start_s, s.party),
        )
    )
    taken: list[Span] = []
    exclusive: list[SpeechSegment] = []
    for party in sorted(parties):
        own = [s for s in segments if s.party == party]
        exclusive += [SpeechSegment(s.start_s, s.end_s, party) for s in subtract(own, taken)]
        taken = union([*taken, *own])
    exclusive.sort(key=lambda s: s.start_s)
    return Speech(
        source, tuple(sorted(parties)), segments, tuple(exclusive), tones, confidence, "by hand"
    )


def words_of(*said: tuple[str, float, float, str]) -> Transcript:
    """Transcript from `(party, start, end, "several words")`, the words sharing the time evenly."""
    words: list[Word] = []
    for party, start_s, end_s, text in said:
        parts = text.split()
        step = (end_s - start_s) / len(parts)
        words += [
            Word(start_s + i * step, start_s + (i + 1) * step, party, part, 0.9)
            for i, part in enumerate(parts)
        ]
    words.sort(key=lambda w: (w.start_s, w.party))
    return Transcript("en", 1.0, tuple(words), (), {})


NO_WORDS = words_of()


def conversation_of(
    speech: Speech, transcript: Transcript = NO_WORDS, roles: dict[str, RoleName] | None = None
) -> Conversation:
    """Turns as the turns stage builds them, with the roles given."""
    known = roles or {}
    turns = build_turns(speech, transcript, Settings().turns)
    return Conversation(
        tuple(
            Role(p, known.get(p, RoleName.UNKNOWN), 1.0, "by hand", "by hand")
            for p in speech.parties
        ),
        tuple(replace(t, role=known.get(t.party, RoleName.UNKNOWN)) for t in turns),
    )


_TEXTS = ["yeah", "mm-hm", "okay", "no", "what?", "so", "I'm", "sorry", "the", "bill.", "right"]


@st.composite
def calls(draw: st.DrawFn, parties: str = "AB") -> tuple[Speech, Transcript]:
    """Any speech of these parties, bridged as by the speech stage, and words in and near it."""
    spans: dict[str, list[tuple[float, float]]] = {}
    words: list[tuple[str, float, float, str]] = []
    for party in parties:
        at = 0
        spans[party] = []
        for _ in range(draw(st.integers(0, 7))):
            at += draw(st.integers(13, 4 * GRID))
            length = draw(st.integers(7, 4 * GRID))
            spans[party].append((at / GRID, (at + length) / GRID))
            for _ in range(draw(st.integers(0, 3))):
                start = at + draw(st.integers(-8, length))
                words.append(
                    (
                        party,
                        start / GRID,
                        (start + draw(st.integers(0, 20))) / GRID,
                        draw(st.sampled_from(_TEXTS)),
                    )
                )
            at += length
    return speech_of(spans), words_of(*words)


def shifted(speech: Speech, by_s: float) -> Speech:
    """The same speech, later."""
    return replace(
        speech,
        segments=tuple(_later(s, by_s) for s in speech.segments),
        exclusive=tuple(_later(s, by_s) for s in speech.exclusive),
        tones=tuple(_later(s, by_s) for s in speech.tones),
    )


def shifted_words(transcript: Transcript, by_s: float) -> Transcript:
    """The same words, later."""
    return replace(transcript, words=tuple(_later(w, by_s) for w in transcript.words))


def _later(span: S, by_s: float) -> S:
    return replace(span, start_s=span.start_s + by_s, end_s=span.end_s + by_s)


SWAP = {"A": "B", "B": "A"}


def swapped(speech: Speech) -> Speech:
    """The same speech with A and B exchanged."""
    return replace(
        speech,
        segments=tuple(replace(s, party=SWAP.get(s.party, s.party)) for s in speech.segments),
        exclusive=tuple(replace(s, party=SWAP.get(s.party, s.party)) for s in speech.exclusive),
    )


def swapped_words(transcript: Transcript) -> Transcript:
    """The same words with A and B exchanged."""
    return replace(
        transcript,
        words=tuple(replace(w, party=SWAP.get(w.party, w.party)) for w in transcript.words),
    )

"""A perfect listener's output for a simulated call: the input of the measuring stages.

With it a measure can be tested on what is really in a call, apart from how well it was heard.
"""

from dataclasses import replace

from warmline.simulate.truth import Truth
from warmline.values import (
    Conversation,
    Role,
    RoleName,
    SpeakerSource,
    Speech,
    SpeechSegment,
    ToneSegment,
    Transcript,
    Turn,
    Word,
)

_REASON = "known from the script"


def true_speech(truth: Truth, bridge_s: float = 0.2) -> Speech:
    """Return who spoke when, with pauses of a party shorter than `bridge_s` closed."""
    parties = _parties(truth)
    segments = [
        SpeechSegment(span.start_s, span.end_s, party)
        for party, names in parties.items()
        for span in truth.speech(names, bridge_s)
    ]
    segments.sort(key=lambda s: (s.start_s, s.end_s))
    exclusive: list[SpeechSegment] = []
    for segment in segments:  # the floor stays with the one who has it
        free_s = max((s.end_s for s in exclusive), default=0.0)
        if segment.end_s > free_s:
            exclusive.append(replace(segment, start_s=max(segment.start_s, free_s)))
    tones = [ToneSegment(s.start_s, s.end_s, "music") for s in truth.silences if s.kind == "hold"]
    source = SpeakerSource.CHANNEL if truth.layout == "stereo" else SpeakerSource.DIARIZATION
    return Speech(
        source, tuple(parties), tuple(segments), tuple(exclusive), tuple(tones), 1.0, _REASON
    )


def true_transcript(truth: Truth) -> Transcript:
    """Return every word with its time."""
    words = tuple(
        Word(w.start_s, w.end_s, truth.party_of(w.speaker), w.text, 1.0) for w in truth.words
    )
    return Transcript("en", 1.0, words, (), {})


def true_conversation(truth: Truth) -> Conversation:
    """Return the script's lines as turns, without backchannels; `Turn.index` counts only these."""
    roles = {
        truth.party_of(s.name): Role(
            truth.party_of(s.name), RoleName(s.role), 1.0, "script", _REASON
        )
        for s in truth.speakers
    }
    floor = [turn for turn in truth.turns if not turn.backchannel]
    turns = tuple(
        Turn(
            turn.start_s,
            turn.end_s,
            index=index,
            party=truth.party_of(turn.speaker),
            role=RoleName(turn.role),
            text=turn.text,
            word_count=len(turn.text.split()),
            speech_s=sum(w.duration_s for w in truth.words if w.turn == turn.index),
        )
        for index, turn in enumerate(floor)
    )
    return Conversation(tuple(roles[party] for party in sorted(roles)), turns)


def _parties(truth: Truth) -> dict[str, list[str]]:
    parties: dict[str, list[str]] = {}
    for speaker in sorted(truth.speakers, key=lambda s: s.party):
        parties.setdefault(speaker.party, []).append(speaker.name)
    return parties

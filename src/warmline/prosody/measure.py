"""The prosody room: from sound, speech, words and turns to how it was said."""

from collections.abc import Sequence

from warmline.analysis import PartyProsody, Prosody
from warmline.metrics import Metric, rate, unsaid
from warmline.prosody.entrainment import entrainment_metrics
from warmline.prosody.frames import party_frames
from warmline.prosody.heat import heat_metrics
from warmline.prosody.turns import PartySound, party_prosody, party_sound, turn_prosody
from warmline.recordings.sound import Sound
from warmline.settings import ProsodySettings
from warmline.spans import subtract, total_s, union
from warmline.values import ChannelLayout, Conversation, Span, Speech, Transcript


def measure(
    sound: Sound,
    layout: ChannelLayout,
    speech: Speech,
    transcript: Transcript,
    conversation: Conversation,
    settings: ProsodySettings,
    hostile: Sequence[Span] = (),
) -> Prosody:
    """Pitch, level, rate, pauses and spectrum of every turn and party, and steadiness under heat.

    Where parties share a channel, speech over which another speaks is left out. `hostile` are
    stretches of hostile words, which make a customer's turn a heated one. Memory grows with the
    length of speech by about 12 kB/s.
    """
    turns = conversation.turns
    parties = tuple(sorted({*speech.parties, *(t.party for t in turns)}))
    heard = {
        p: party_sound(
            p,
            party_frames(sound, _channel_of(p, layout), _own_speech(p, speech, layout), settings),
            turns,
            settings,
        )
        for p in parties
    }
    references = {p: party_prosody(heard[p], settings) for p in parties}
    rows = tuple(turn_prosody(t, heard[t.party], references[t.party], settings) for t in turns)
    metrics = [
        metric
        for p in parties
        for metric in _party_metrics(heard[p], references[p], speech, transcript)
    ]
    metrics += heat_metrics(conversation, rows, parties, settings, hostile, speech.confidence)
    metrics += entrainment_metrics(turns, rows, speech.confidence)
    return Prosody(tuple(references.values()), rows, tuple(metrics))


def _channel_of(party: str, layout: ChannelLayout) -> int:
    return ord(party) - ord("A") if layout.kind == "stereo" else 0


def _own_speech(party: str, speech: Speech, layout: ChannelLayout) -> list[Span]:
    """Where this party, and on a shared channel nobody else, is heard."""
    own = union(s for s in speech.segments if s.party == party)
    if layout.kind == "stereo":
        return own
    return subtract(own, [s for s in speech.segments if s.party != party])


def _party_metrics(
    heard: PartySound, reference: PartyProsody, speech: Speech, transcript: Transcript
) -> list[Metric]:
    party, frames = heard.party, heard.frames
    spoken_s = total_s(s for s in speech.segments if s.party == party)
    coverage = min(1.0, frames.heard_s / spoken_s) if spoken_s > 0 else 0.0
    voiced, active = int((frames.pitch_hz > 0).sum()), int(frames.active.sum())

    def said(name: str, value: float | None, observations: int, no_answer: str) -> Metric:
        if value is None:
            return unsaid(name, party, no_answer)
        return Metric(
            name,
            party,
            value,
            observations=observations,
            coverage=coverage,
            confidence=speech.confidence,
        )

    few_voiced = f"only {voiced * frames.hop_s:.1f} s of voiced speech"
    few_turns = f"{len(heard.levels_db)} turns with enough speech"
    no_words = "too few words in any turn" if transcript.words else "no words were recognised"
    return [
        said("pitch_median_hz", reference.pitch_median_hz, voiced, few_voiced),
        said("pitch_iqr_st", reference.pitch_iqr_st, voiced, few_voiced),
        said("level_median_db", reference.level_median_db, len(heard.levels_db), few_turns),
        said("level_iqr_db", reference.level_iqr_db, len(heard.levels_db), few_turns),
        said("loudness_lufs", reference.loudness_lufs, active, "no stretch of 0.4 s of speech"),
        said(
            "rate_median_words_per_s",
            reference.rate_median_words_per_s,
            len(heard.rates),
            no_words,
        ),
        rate(
            "pause_share",
            party,
            sum(max(0.0, t.duration_s - t.speech_s) for t in heard.turns),
            sum(t.duration_s for t in heard.turns),
            no_answer="the party has no turn",
            confidence=speech.confidence,
        ),
        rate(
            "voiced_share",
            party,
            int((frames.pitch_hz[frames.active] > 0).sum()),
            active,
            no_answer="no speech to analyze",
            coverage=coverage,
            confidence=speech.confidence,
        ),
    ]

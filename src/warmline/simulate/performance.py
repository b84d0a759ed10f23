"""One line of a scene as it is heard on the telephone: band, level, and the time of every word."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from warmline.simulate import acoustics
from warmline.simulate.flite import RATE_HZ, VOICES, Spoken, speak
from warmline.simulate.scene import Line, Speaker
from warmline.values import Span

_FADE_S = 0.01
_MARGIN_S = 0.05
_PAUSE_S = 0.05


def perform(line: Line, speaker: Speaker, level_db: float) -> Spoken:
    """Say a line in the telephone band; words are timed from the first sample.

    A little is left before the first and after the last word: breath and soft consonants. The
    level is set over the words alone, so that `gain_db` is exact whatever is said. Formants are
    moved by resampling, and speed and pitch are set so that they stay as asked for.
    """
    voice = VOICES[speaker.voice]
    own_pitch_hz = speaker.pitch_hz or voice.pitch_hz
    pitch_hz = own_pitch_hz and own_pitch_hz * 2 ** (line.pitch_st / 12) / speaker.formants
    stretch = speaker.formants / (speaker.rate * line.rate)
    said = _resized(speak(line.spoken, voice, stretch, pitch_hz), speaker.formants)
    said = replace(said, samples=acoustics.telephone_band(said.samples, RATE_HZ))
    said = _trimmed(replace(said, words=_heard_words(said)))
    target_db = level_db + speaker.gain_db + line.gain_db
    gain = acoustics.amplitude(target_db) / acoustics.rms(said.samples, RATE_HZ, said.words)
    return replace(said, samples=said.samples * gain)


def cut_short(said: Spoken, after_s: float) -> Spoken:
    """What was said up to the end of the word that is being said at `after_s`."""
    last = next((i for i, w in enumerate(said.words) if w.end_s >= after_s), len(said.words) - 1)
    count = round(said.words[last].end_s * RATE_HZ)
    samples = said.samples[:count].copy()
    fade = min(round(_FADE_S * RATE_HZ), count)
    samples[count - fade :] *= np.linspace(1, 0, fade)
    return Spoken(samples, said.words[: last + 1])


def _resized(said: Spoken, formants: float) -> Spoken:
    if formants == 1:
        return said
    samples = acoustics.resample(said.samples, 1 / formants)
    return Spoken(
        samples, tuple(Span(w.start_s / formants, w.end_s / formants) for w in said.words)
    )


def _trimmed(said: Spoken) -> Spoken:
    """The words with a margin, faded in and out."""
    margin = round(_MARGIN_S * RATE_HZ)
    first = max(0, round(said.words[0].start_s * RATE_HZ) - margin)
    samples = said.samples[first : round(said.words[-1].end_s * RATE_HZ) + margin].copy()
    ramp = np.linspace(0, 1, round(_FADE_S * RATE_HZ))
    samples[: ramp.size] *= ramp
    samples[-ramp.size :] *= ramp[::-1]
    offset_s = first / RATE_HZ
    return Spoken(
        samples, tuple(Span(w.start_s - offset_s, w.end_s - offset_s) for w in said.words)
    )


def _heard_words(said: Spoken) -> tuple[Span, ...]:
    """The words, beside a pause from or to the sample where they are heard.

    The engine counts the silence before a `b` or after a `t` to the word. Between words that run
    together its boundary is kept.
    """
    heard = np.flatnonzero(acoustics.is_audible(said.samples))
    pauses = [i for i, (a, b) in enumerate(pairwise(said.words)) if b.start_s - a.end_s > _PAUSE_S]
    middles_s = [(said.words[i].end_s + said.words[i + 1].start_s) / 2 for i in pauses]
    limits = np.searchsorted(heard / RATE_HZ, [0.0, *middles_s, np.inf])
    firsts, lasts = [0, *(i + 1 for i in pauses)], [*pauses, len(said.words) - 1]
    words = list(said.words)
    for (low, high), first, last in zip(pairwise(limits), firsts, lasts, strict=True):
        start_s, end_s = int(heard[low]) / RATE_HZ, (int(heard[high - 1]) + 1) / RATE_HZ
        words[first] = Span(start_s, max(words[first].end_s, start_s))
        words[last] = Span(min(words[last].start_s, end_s), end_s)
    return tuple(words)

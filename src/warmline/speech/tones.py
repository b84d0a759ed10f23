"""Sound that is not speech and not silence: hold music, ringing, tones; found between speech."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
from warmline.values import SpeechSegment, ToneSegment

_FRAME_S = 0.05
_FRAME = int(_FRAME_S * SAMPLE_RATE_HZ)
_MIN_TONE_S = 2.0
_AUDIBLE_DBFS = -50.0
_SOUNDING_SHARE = 0.6
_TONAL_FLATNESS = 0.15  # spectral flatness of white noise is about 0.56, of a pure tone near 0
_STEADY_SHARE = 0.8


def find_tones(sound: Sound, speech: Sequence[SpeechSegment]) -> tuple[ToneSegment, ...]:
    """Stretches of at least 2 s without speech in which some channel holds tonal sound.

    `kind` is `tone` when the strongest frequency hardly moves (ringing, DTMF held, a beep), else
    `music`. Noise without tonality (a street, a fan) is neither.
    """
    tones = []
    for start_s, end_s in _gaps(speech, sound.duration_s):
        for first, last in _sounding(sound, start_s, end_s):
            kind = _kind(sound, first, last)
            if kind is not None:
                tones.append(ToneSegment(first, last, kind))
    return tuple(tones)


def _gaps(speech: Sequence[SpeechSegment], duration_s: float) -> list[tuple[float, float]]:
    gaps, end = [], 0.0
    for segment in sorted(speech, key=lambda s: s.start_s):
        if segment.start_s - end >= _MIN_TONE_S:
            gaps.append((end, segment.start_s))
        end = max(end, segment.end_s)
    if duration_s - end >= _MIN_TONE_S:
        gaps.append((end, duration_s))
    return gaps


def _sounding(sound: Sound, start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Parts of a gap with audible sound most of the time, at least 2 s long."""
    loud = np.zeros(int((end_s - start_s) / _FRAME_S), bool)
    for channel in range(sound.channel_count):
        frames = _frames(sound.channel(channel, start_s, end_s))[: loud.size]
        loud[: len(frames)] |= _level_db(frames) > _AUDIBLE_DBFS
    window = int(_MIN_TONE_S / _FRAME_S)
    if loud.size < window:
        return []
    share = np.convolve(loud, np.ones(window) / window, mode="same")
    on = np.flatnonzero(np.diff(np.r_[0, share >= _SOUNDING_SHARE, 0]))
    spans = [
        (start_s + int(a) * _FRAME_S, start_s + int(b) * _FRAME_S) for a, b in on.reshape(-1, 2)
    ]
    return [(a, min(b, end_s)) for a, b in spans if b - a >= _MIN_TONE_S]


def _kind(sound: Sound, start_s: float, end_s: float) -> str | None:
    best = max(
        range(sound.channel_count),
        key=lambda c: float(np.square(sound.channel(c, start_s, end_s)).mean()),
    )
    frames = _frames(sound.channel(best, start_s, end_s))
    frames = frames[_level_db(frames) > _AUDIBLE_DBFS]
    if len(frames) == 0:
        return None
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(_FRAME), axis=1))) + 1e-12
    # Only the telephone band says anything: above it many recordings are empty.
    hz = np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE_HZ)
    power = power[:, (hz >= 250) & (hz <= 3400)]
    flatness = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    if float(np.median(flatness)) > _TONAL_FLATNESS:
        return None
    peak = power.argmax(axis=1)
    steady = float(np.mean(np.abs(peak - np.median(peak)) <= 1))
    return "tone" if steady >= _STEADY_SHARE else "music"


def _frames(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    count = samples.size // _FRAME
    return samples[: count * _FRAME].reshape(count, _FRAME)


def _level_db(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    level: NDArray[np.float32] = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-12)
    return level

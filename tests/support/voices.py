"""Synthetic voices of known pitch and level, for tests of prosody."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, oaconvolve, sosfilt, tf2sos

from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound

Samples = NDArray[np.float64]

# Formants of a man's vowels (Peterson & Barney 1952), Hz, with usual bandwidths.
VOWELS = {"a": (730, 1090, 2440), "i": (270, 2290, 3010), "u": (300, 870, 2240)}
_BANDWIDTHS_HZ = (80, 100, 120)


def vowel(
    pitch_hz: float | Samples, duration_s: float, formants_hz: tuple[int, ...] = VOWELS["a"]
) -> Samples:
    """A voice's harmonics through formant resonators, peak 0.5; pitch may vary.

    Harmonics and not pulses: a pulse sits on a sample, and a period of 61.5 samples would be 123.
    """
    n = round(duration_s * SAMPLE_RATE_HZ)
    track = np.broadcast_to(np.asarray(pitch_hz, float), n)
    phase = 2 * np.pi * np.cumsum(track / SAMPLE_RATE_HZ)
    voice = np.zeros(n)
    for k in range(1, int(7000 / track.max()) + 1):
        voice += np.cos(k * phase) / k  # the glottis: -6 dB per octave after radiation
    for hz, width in zip(formants_hz, _BANDWIDTHS_HZ, strict=True):
        radius = np.exp(-np.pi * width / SAMPLE_RATE_HZ)
        poles = [1, -2 * radius * np.cos(2 * np.pi * hz / SAMPLE_RATE_HZ), radius**2]
        voice = sosfilt(tf2sos([1], poles), voice)
    return 0.5 * voice / np.abs(voice).max()


@cache
def said(pitch_hz: float, duration_s: float) -> Samples:
    """A vowel through a telephone, mean power -20 dB re full scale whatever its pitch."""
    voice = telephone(vowel(pitch_hz, duration_s))
    return 0.1 * voice / np.sqrt(np.mean(voice**2))


def noise(duration_s: float, level: float = 0.1, seed: int = 1) -> Samples:
    """White noise with this standard deviation."""
    return np.random.default_rng(seed).normal(0, level, round(duration_s * SAMPLE_RATE_HZ))


def telephone(samples: Samples, rate_hz: int = SAMPLE_RATE_HZ) -> Samples:
    """The same through a telephone: 300 to 3400 Hz, steep."""
    taps = firwin(1023, [300, 3400], pass_zero=False, fs=rate_hz)
    return oaconvolve(samples, taps, mode="same")


def sound_of(*channels: Samples) -> Sound:
    """A Sound of these channels, cut to the shortest."""
    n = min(len(c) for c in channels)
    pcm = np.round(np.clip(np.stack([c[:n] for c in channels]), -1, 1) * 32767).astype(np.int16)
    return Sound(pcm, 8_000, "synthetic")

"""Loudness against the values that its recommendation names."""

import numpy as np
import pytest

from warmline.prosody.frames import block_energies, integrated_lufs
from warmline.recordings.sound import SAMPLE_RATE_HZ


def tone(level_db: float, seconds: float, hz: float = 997.0) -> np.ndarray:
    at = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (10 ** (level_db / 20) * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def lufs(samples: np.ndarray) -> float | None:
    return integrated_lufs(block_energies(samples, SAMPLE_RATE_HZ))


def test_a_full_scale_tone_reads_what_the_recommendation_says():
    assert lufs(tone(0.0, 5.0)) == pytest.approx(-3.01, abs=0.1)


def test_quiet_parts_are_gated_out():
    # EBU Tech 3341, case 3, for one channel: -36, -23, -36 dBFS read as -23 + the mono offset.
    parts = [tone(-36, 10.0), tone(-23, 60.0), tone(-36, 10.0)]
    assert lufs(np.concatenate(parts)) == pytest.approx(-26.0, abs=0.1)


def test_low_tones_count_less_and_silence_has_none():
    assert lufs(tone(-20, 5.0, hz=40.0)) < lufs(tone(-20, 5.0)) - 4
    assert lufs(np.zeros(SAMPLE_RATE_HZ, np.float32)) is None
    assert lufs(tone(-20, 0.3)) is None

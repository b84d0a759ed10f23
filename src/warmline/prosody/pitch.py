"""Track the pitch of speech, fast, in the telephone band.

A telephone passes 300 to 3400 Hz, so the fundamental of most voices is missing and only the spacing
of its harmonics is left. The autocorrelation still finds it, but a strong first formant pulls it an
octave up. So the spectrum is compressed before it is turned into an autocorrelation, so that no
single formant dominates (Tolonen & Karjalainen 2000). The rest is Boersma 1993: a windowed
autocorrelation divided by the window's own, parabolic peaks, and a path through the candidates.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Of two equally good candidates the higher is right: every period also occurs at twice its length.
# Boersma's 0.01 is too little for peaks that lie between samples.
OCTAVE_COST = 0.02
CANDIDATES = 6
_COMPRESSION = np.float32(2 / 3)
_PERIODS = 3
# Lags are half a sample apart, by zero-padding the spectrum, so that peaks keep their height.
_LAGS_PER_SAMPLE = 2


@dataclass(frozen=True, eq=False)
class Candidates:
    """The best periodicities of each frame, both arrays of shape (frames, 6).

    `strength` is the height of the autocorrelation's peak, at most 1. Where a frame has fewer
    peaks, `pitch_hz` is 0 and `strength` -1.
    """

    pitch_hz: Floats
    strength: Floats


@dataclass(frozen=True)
class PitchAnalyzer:
    """The settings and tables for finding a frame's candidates; one for all frames of a call."""

    rate_hz: int
    floor_hz: float
    ceiling_hz: float

    @property
    def frame_length(self) -> int:
        """Return the samples in one frame: three periods of the lowest pitch, an even number."""
        return 2 * round(_PERIODS * self.rate_hz / self.floor_hz / 2)

    @property
    def fft_length(self) -> int:
        """Return a power of two that leaves the lags of interest free of wrap-around."""
        need = self.frame_length + self.rate_hz / self.floor_hz
        return 1 << int(np.ceil(np.log2(need)))

    @property
    def window(self) -> Floats:
        """Return the Hann window without its zeros."""
        return np.hanning(self.frame_length + 2)[1:-1].astype(np.float32)

    def power(self, frames: Floats) -> Floats:
        """Return power spectra of frames, shape (frames, bins)."""
        centred = frames - frames.mean(axis=1, keepdims=True)
        spectrum = self._spectrum(centred * self.window)
        return spectrum.real**2 + spectrum.imag**2

    def candidates(self, power: Floats) -> Candidates:
        """Return the best periodicities of frames with these power spectra."""
        lag_rate_hz = self.rate_hz * _LAGS_PER_SAMPLE
        lags = int(lag_rate_hz / self.floor_hz) + 2
        taper = self._autocorrelation(np.abs(self._spectrum(self.window[None, :])) ** 2, lags)
        correlation = self._autocorrelation(power, lags) / taper
        return _peaks(correlation, lag_rate_hz, self.floor_hz, self.ceiling_hz)

    def _spectrum(self, frames: Floats) -> NDArray[np.complex64]:
        from scipy.fft import rfft

        spectrum: NDArray[np.complex64] = rfft(frames, self.fft_length, axis=1)
        return spectrum

    def _autocorrelation(self, power: Floats, lags: int) -> Floats:
        """Return autocorrelations of the compressed spectra, 1 at lag 0; shape (frames, lags)."""
        from scipy.fft import irfft

        length = self.fft_length * _LAGS_PER_SAMPLE
        raw = irfft(power**_COMPRESSION, length, axis=1)[:, :lags]
        correlation: Floats = raw / np.maximum(raw[:, :1], np.finfo(np.float32).tiny)
        return correlation


def _peaks(correlation: Floats, rate_hz: int, floor_hz: float, ceiling_hz: float) -> Candidates:
    first = int(rate_hz / ceiling_hz)
    middle = correlation[:, first:-1]
    is_peak = (middle > correlation[:, first - 1 : -2]) & (middle >= correlation[:, first + 1 :])
    lags = np.arange(first, correlation.shape[1] - 1)
    rank = np.where(is_peak, middle - OCTAVE_COST * np.log2(floor_hz * lags / rate_hz), -np.inf)
    best = np.argpartition(-rank, CANDIDATES, axis=1)[:, :CANDIDATES]
    there = np.isfinite(np.take_along_axis(rank, best, axis=1))
    at = best + first
    left, centre, right = (np.take_along_axis(correlation, at + i, axis=1) for i in (-1, 0, 1))
    bend = left - 2 * centre + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1), 0)
    height = np.minimum(centre - 0.25 * (left - right) * shift, 1.0)
    pitch = rate_hz / (at + shift)
    return Candidates(
        np.where(there, pitch, 0).astype(np.float32),
        np.where(there, height, -1).astype(np.float32),
    )


# Which frames are voiced, and which of their pitch candidates is right.

# Boersma's costs. Peaks of a compressed spectrum are lower than those of a plain autocorrelation:
# the voicing threshold is 0.375 where Praat has 0.45.
_VOICING_THRESHOLD = 0.375
_SILENCE_THRESHOLD = 0.03
_OCTAVE_JUMP_COST = 0.35
_VOICING_COST = 0.14
# Factors of the lower and upper quartile. De Looze & Hirst: 0.75 and 1.5; heat needs a little more
# range.
_OWN_RANGE = (0.7, 1.7)
_MIN_VOICED_FOR_RANGE = 50
# Long spans are cut here, so that the paths of a party can be found in parallel.
_BLOCK = 500


def pitch_track(
    candidates: Candidates, peak: Floats, run: NDArray[np.int32], floor_hz: float
) -> Floats:
    """Return the pitch of each frame of one party in Hz, 0 where it is not voiced.

    `peak` is the largest sample of each frame; `run` numbers the contiguous span it belongs to.
    Frames are in order of time. `floor_hz` is the lowest pitch searched.
    """
    pitch, strength = candidates.pitch_hz, candidates.strength
    if not len(peak):
        return np.zeros(0, np.float32)
    loud = max(float(np.percentile(peak, 99.5)), float(np.finfo(np.float32).tiny))
    quiet = 2 - peak / loud / (_SILENCE_THRESHOLD / (1 + _VOICING_THRESHOLD))
    unvoiced = (_VOICING_THRESHOLD + np.maximum(0, quiet)).astype(np.float32)
    octave = np.log2(np.maximum(pitch, 1)).astype(np.float32)
    # The octave cost prefers the higher of two equally good candidates.
    preferred = strength + OCTAVE_COST * (octave - np.float32(np.log2(floor_hz)))
    reward = np.where(pitch > 0, preferred, -np.inf).astype(np.float32)
    blocks = _Blocks(run)
    track = _paths(pitch, octave, reward, unvoiced, blocks)
    voiced = track[track > 0]
    if len(voiced) < _MIN_VOICED_FOR_RANGE:
        return track
    low, high = np.percentile(voiced, [25, 75]) * _OWN_RANGE
    reward[(pitch < low) | (pitch > high)] = -np.inf
    return _paths(pitch, octave, reward, unvoiced, blocks)


class _Blocks:
    """Contiguous frames, none too long, the longest first, to be walked through in step."""

    def __init__(self, run: NDArray[np.int32]) -> None:
        edges = [0, *(np.flatnonzero(np.diff(run)) + 1).tolist(), len(run)]
        spans = [
            (at, min(_BLOCK, past - at))
            for first, past in pairwise(edges)
            for at in range(first, past, _BLOCK)
        ]
        spans.sort(key=lambda s: -s[1])
        self._starts = np.array([start for start, _ in spans])
        self._lengths = np.array([length for _, length in spans])
        self.longest = int(self._lengths[0])

    def at(self, step: int) -> NDArray[np.int64]:
        """Return the frames at this step, of all blocks that are long enough."""
        count = int(np.searchsorted(-self._lengths, -step))
        frames: NDArray[np.int64] = self._starts[:count] + step
        return frames


def _paths(
    pitch: Floats, octave: Floats, reward: Floats, unvoiced: Floats, blocks: _Blocks
) -> Floats:
    """Return Viterbi's best path per block; state 0 is "unvoiced", the others candidates."""
    score = np.concatenate([unvoiced[:, None], reward], axis=1)
    came_from = np.zeros(score.shape, np.int8)
    total = score[blocks.at(0)]
    for step in range(1, blocks.longest):
        now = blocks.at(step)
        cost = np.full((len(now), score.shape[1], score.shape[1]), _VOICING_COST, np.float32)
        jump = octave[now - 1][:, :, None] - octave[now][:, None, :]
        cost[:, 1:, 1:] = _OCTAVE_JUMP_COST * np.abs(jump)
        cost[:, 0, 0] = 0
        through = total[: len(now), :, None] - cost
        came_from[now] = through.argmax(axis=1)
        total[: len(now)] = through.max(axis=1) + score[now]
    state = total.argmax(axis=1)
    track = np.zeros(len(pitch), np.float32)
    for step in range(blocks.longest - 1, -1, -1):
        now = blocks.at(step)
        here = state[: len(now)]
        track[now] = np.where(here > 0, pitch[now, np.maximum(here - 1, 0)], 0)
        state[: len(now)] = came_from[now, here]
    return track

"""Candidates for the pitch of each frame, fast, and honest in the telephone band.

A telephone passes 300 to 3400 Hz, so the fundamental of most voices is missing and only the spacing
of its harmonics is left. The autocorrelation still finds it, but a strong first formant pulls it an
octave up. So the spectrum is compressed before it is turned into an autocorrelation, that no single
formant dominates (Tolonen & Karjalainen 2000). The rest is Boersma 1993: a windowed autocorrelation
divided by the window's own, and parabolic peaks. Which candidate it is, or none: see `voicing`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Of two equally good candidates the higher is right: every period is also there twice as long.
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
    """What a frame's candidates depend on; one for all frames of a call."""

    rate_hz: int
    floor_hz: float
    ceiling_hz: float

    @property
    def frame_length(self) -> int:
        """Samples in one frame: three periods of the lowest pitch, an even number."""
        return 2 * round(_PERIODS * self.rate_hz / self.floor_hz / 2)

    @property
    def fft_length(self) -> int:
        """A power of two that leaves the lags of interest free of wrap-around."""
        need = self.frame_length + self.rate_hz / self.floor_hz
        return 1 << int(np.ceil(np.log2(need)))

    @property
    def window(self) -> Floats:
        """Hann window without its zeros."""
        return np.hanning(self.frame_length + 2)[1:-1].astype(np.float32)

    def power(self, frames: Floats) -> Floats:
        """Power spectra of frames, shape (frames, bins)."""
        centred = frames - frames.mean(axis=1, keepdims=True)
        spectrum = self._spectrum(centred * self.window)
        return spectrum.real**2 + spectrum.imag**2

    def candidates(self, power: Floats) -> Candidates:
        """The best periodicities of frames with these power spectra."""
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
        """Of the compressed spectra, 1 at lag 0; shape (frames, lags)."""
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

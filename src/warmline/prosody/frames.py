"""Analyze one party's speech frame by frame: level, pitch, spectrum; and its loudness.

Speech is read and analyzed some seconds at a time, so that memory does not grow with the length of
a call beyond what is kept of each frame (about 120 bytes).
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from warmline.prosody.pitch import CANDIDATES, Candidates, Floats, PitchAnalyzer, pitch_track
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
from warmline.settings import ProsodySettings
from warmline.values import Span

# Loudness of speech in LUFS, by ITU-R BS.1770-5 for one channel.


BLOCK_S = 0.4
_STEP_S = 0.1
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_OFFSET_DB = -0.691
# The analogue prototypes behind the coefficients that BS.1770 prints for 48 kHz.
_SHELF_HZ, _SHELF_Q, _SHELF_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347
_SHELF_EXPONENT = 0.4996667741545416
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773


def block_energies(samples: Floats, rate_hz: int) -> NDArray[np.float64]:
    """Return mean squares of the K-weighted gating blocks of a span; none if it is under 0.4 s."""
    from scipy.signal import sosfilt

    if len(samples) < round(BLOCK_S * rate_hz):
        return np.zeros(0)
    weighted = sosfilt(_k_weighting(rate_hz), samples.astype(np.float64))
    summed = np.concatenate([[0.0], np.cumsum(weighted**2)])
    block, step = round(BLOCK_S * rate_hz), round(_STEP_S * rate_hz)
    starts = np.arange(0, len(samples) - block + 1, step)
    energies: NDArray[np.float64] = (summed[starts + block] - summed[starts]) / block
    return energies


def integrated_lufs(energies: NDArray[np.float64]) -> float | None:
    """Return the loudness of all blocks that pass both gates; None when there is none."""
    audible = energies[_lufs(energies) > _ABSOLUTE_GATE_LUFS]
    if not len(audible):
        return None
    gate = _lufs(audible.mean()) + _RELATIVE_GATE_LU
    return float(_lufs(audible[_lufs(audible) > gate].mean()))


def _lufs(energy: NDArray[np.float64]) -> NDArray[np.float64]:
    level: NDArray[np.float64] = _OFFSET_DB + 10 * np.log10(np.maximum(energy, 1e-20))
    return level


def _k_weighting(rate_hz: int) -> NDArray[np.float64]:
    """Return the two filters of K-weighting as second-order sections for any sampling rate."""
    k = np.tan(np.pi * _SHELF_HZ / rate_hz)
    high = 10 ** (_SHELF_DB / 20)
    band = high**_SHELF_EXPONENT
    scale = 1 + k / _SHELF_Q + k * k
    shelf = [
        (high + band * k / _SHELF_Q + k * k) / scale,
        2 * (k * k - high) / scale,
        (high - band * k / _SHELF_Q + k * k) / scale,
        1,
        2 * (k * k - 1) / scale,
        (1 - k / _SHELF_Q + k * k) / scale,
    ]
    k = np.tan(np.pi * _HIGH_PASS_HZ / rate_hz)
    scale = 1 + k / _HIGH_PASS_Q + k * k
    high_pass = [1, -2, 1, 1, 2 * (k * k - 1) / scale, (1 - k / _HIGH_PASS_Q + k * k) / scale]
    return np.array([shelf, high_pass])


# A telephone has nothing above 4 kHz; other recordings are brought to the same band, so that levels
# and spectra can be compared.
BAND_RATE_HZ = 8_000
THIRD_OCTAVES_HZ = 1000 * 2 ** (np.arange(-5, 6) / 3)
_AT_ONCE_S = 20.0
_ACTIVE_WITHIN_DB = 30.0
# Below the last bit of 16: nothing was recorded.
_NOTHING_DB = -90.0


@dataclass(frozen=True, eq=False)
class PartyFrames:
    """Frames of one party's speech, in order of time, all arrays of the same length.

    `time_s` is a frame's centre; `energy` its mean square (full scale 1); `pitch_hz` 0 where it is
    not voiced; `active` false in the short pauses that voice activity bridges; `bands` the power
    density in eleven third-octave bands from 315 to 3150 Hz. `loudness_lufs` is over all spans.
    """

    time_s: NDArray[np.float64]
    energy: Floats
    pitch_hz: Floats
    active: NDArray[np.bool_]
    bands: Floats
    hop_s: float
    loudness_lufs: float | None

    @property
    def heard_s(self) -> float:
        """Return seconds of speech that could be analyzed."""
        return len(self.time_s) * self.hop_s

    def within(self, span: Span) -> slice:
        """Return the frames whose centres lie in this span."""
        first, past = np.searchsorted(self.time_s, [span.start_s, span.end_s])
        return slice(int(first), int(past))


@dataclass(frozen=True, eq=False)
class _Batch:
    """Frame values that are kept before pitch is decided; `block_energy` is for the loudness."""

    time_s: NDArray[np.float64]
    piece: NDArray[np.int32]
    energy: Floats
    peak: Floats
    candidate_hz: Floats
    strength: Floats
    bands: Floats
    block_energy: NDArray[np.float64]

    @classmethod
    def none(cls, *blocks: NDArray[np.float64]) -> "_Batch":
        """Return no frames, but perhaps blocks."""
        nothing = np.zeros(0, np.float32)
        wide = np.zeros((0, CANDIDATES), np.float32)
        bands = np.zeros((0, len(THIRD_OCTAVES_HZ)), np.float32)
        no_pieces = np.zeros(0, np.int32)
        energy = np.concatenate([np.zeros(0), *blocks])
        return cls(np.zeros(0), no_pieces, nothing, nothing, wide, wide, bands, energy)

    @classmethod
    def joined(cls, batches: Sequence["_Batch"]) -> "_Batch":
        """Return all batches concatenated."""
        return cls(*(np.concatenate([getattr(b, f.name) for b in batches]) for f in fields(cls)))


def party_frames(
    sound: Sound, channel: int, spans: Sequence[Span], settings: ProsodySettings
) -> PartyFrames:
    """Analyze the spans (in order, disjoint) of one channel in which one party alone is heard."""
    analyzer = PitchAnalyzer(BAND_RATE_HZ, settings.pitch_floor_hz, settings.pitch_ceiling_hz)
    hop = max(1, round(settings.hop_s * BAND_RATE_HZ))
    batches = [
        _Batch.none(),
        *(_analyzed(sound, channel, group, analyzer, hop) for group in _groups(spans)),
    ]
    whole = _Batch.joined(batches)
    pitch_hz = pitch_track(
        Candidates(whole.candidate_hz, whole.strength),
        whole.peak,
        whole.piece,
        settings.pitch_floor_hz,
    )
    return PartyFrames(
        whole.time_s,
        whole.energy,
        pitch_hz,
        _active(whole.energy),
        whole.bands,
        hop / BAND_RATE_HZ,
        integrated_lufs(whole.block_energy),
    )


def decibels(energy: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return mean squares as dB re full scale."""
    level: NDArray[np.float64] = 10 * np.log10(np.maximum(energy.astype(np.float64), 1e-20))
    return level


def _active(energy: Floats) -> NDArray[np.bool_]:
    if not len(energy):
        return np.zeros(0, np.bool_)
    level_db = decibels(energy)
    floor_db = max(float(np.percentile(level_db, 95)) - _ACTIVE_WITHIN_DB, _NOTHING_DB)
    active: NDArray[np.bool_] = level_db > floor_db
    return active


def _groups(spans: Sequence[Span]) -> Iterator[list[tuple[int, Span]]]:
    """Yield numbered pieces of the spans, some seconds together."""
    group: list[tuple[int, Span]] = []
    for number, piece in enumerate(p for s in spans for p in _pieces(s)):
        group.append((number, piece))
        if sum(p.duration_s for _, p in group) >= _AT_ONCE_S:
            yield group
            group = []
    if group:
        yield group


def _pieces(span: Span) -> Iterator[Span]:
    count = max(1, int(np.ceil(span.duration_s / _AT_ONCE_S)))
    edges = np.linspace(span.start_s, span.end_s, count + 1).tolist()
    for start_s, end_s in pairwise(edges):
        yield Span(start_s, end_s)


@cache
def _librosa() -> Any:
    """Return librosa, imported by one process at a time.

    On its first import it compiles its loops and caches them beside its code; two processes that do
    so at once can corrupt the cache, and the next one to read it crashes.
    """
    lock = Path(tempfile.gettempdir()) / f"warmline-librosa-{os.getuid()}.lock"
    with FileLock(lock):
        import librosa.core
        import librosa.util
    return librosa


def _analyzed(
    sound: Sound,
    channel: int,
    pieces: Sequence[tuple[int, Span]],
    analyzer: PitchAnalyzer,
    hop: int,
) -> _Batch:
    librosa = _librosa()
    times, numbers, frames, blocks = [], [], [], []
    for number, piece in pieces:
        samples = sound.channel(channel, piece.start_s, piece.end_s)
        blocks.append(block_energies(samples, SAMPLE_RATE_HZ))
        band = librosa.resample(
            samples, orig_sr=SAMPLE_RATE_HZ, target_sr=BAND_RATE_HZ, res_type="soxr_hq"
        )
        if len(band) < analyzer.frame_length:
            continue
        framed = librosa.util.frame(
            band, frame_length=analyzer.frame_length, hop_length=hop, axis=0
        )
        centres = np.arange(len(framed)) * hop + analyzer.frame_length / 2
        times.append(piece.start_s + centres / BAND_RATE_HZ)
        numbers.append(np.full(len(framed), number, np.int32))
        frames.append(framed)
    if not frames:
        return _Batch.none(*blocks)
    together = np.concatenate(frames)
    power = analyzer.power(together)
    candidates = analyzer.candidates(power)
    return _Batch(
        np.concatenate(times),
        np.concatenate(numbers),
        np.var(together, axis=1),
        np.abs(together).max(axis=1),
        candidates.pitch_hz,
        candidates.strength,
        power @ _band_weights(analyzer),
        np.concatenate(blocks),
    )


def _band_weights(analyzer: PitchAnalyzer) -> Floats:
    """Return weights that average spectral bins into third-octave bands: (bins, bands)."""
    bins_hz = np.arange(analyzer.fft_length // 2 + 1) * analyzer.rate_hz / analyzer.fft_length
    edge = 2 ** (1 / 6)
    inside = (bins_hz[:, None] >= THIRD_OCTAVES_HZ / edge) & (
        bins_hz[:, None] < THIRD_OCTAVES_HZ * edge
    )
    weights: Floats = (inside / inside.sum(axis=0)).astype(np.float32)
    return weights

"""Analyze one party's speech, frame by frame and turn by turn: level, pitch, spectrum, loudness.

Speech is read and analyzed some seconds at a time, so that memory does not grow with the length of
a call beyond what is kept of each frame (about 120 bytes).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.polynomial.polynomial import polyval
from numpy.typing import NDArray

from warmline.analysis import PartyProsody, TurnProsody
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
from warmline.settings import ProsodySettings
from warmline.values import Span, Turn

# Track the pitch of speech, fast, in the telephone band.


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
_RINGING_S = 0.2  # what is left of it then is beyond the twelfth digit


def block_energies(samples: Floats, rate_hz: int) -> NDArray[np.float64]:
    """Return mean squares of the K-weighted gating blocks of a span; none if it is under 0.4 s."""
    if len(samples) < round(BLOCK_S * rate_hz):
        return np.zeros(0)
    weighted = _k_weighted(samples, rate_hz)
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


def _k_weighted(samples: Floats, rate_hz: int) -> NDArray[np.float64]:
    """Return samples after both filters, by way of their spectrum.

    It is long enough for the filters to ring out. (scipy.signal, which has recursive filters, takes
    three quarters of a second to import.)
    """
    from scipy.fft import irfft, next_fast_len, rfft

    length = next_fast_len(len(samples) + round(_RINGING_S * rate_hz), real=True)
    delay = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    spectrum = rfft(samples.astype(np.float64), length)
    for section in _k_weighting(rate_hz):
        above, below = section[:3], section[3:]
        spectrum *= polyval(delay, above) / polyval(delay, below)
    weighted: NDArray[np.float64] = irfft(spectrum, length)[: len(samples)]
    return weighted


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


def _in_band(samples: Floats) -> Floats:
    """Return samples at 16 kHz brought to the band of a telephone, at 8 kHz.

    As `librosa.resample` does by the same library, but librosa takes a second to import.
    """
    import soxr

    band: Floats = soxr.resample(samples, SAMPLE_RATE_HZ, BAND_RATE_HZ, quality="HQ")
    count = -(-len(samples) * BAND_RATE_HZ // SAMPLE_RATE_HZ)
    return np.pad(band[:count], (0, max(0, count - len(band))))


def _analyzed(
    sound: Sound,
    channel: int,
    pieces: Sequence[tuple[int, Span]],
    analyzer: PitchAnalyzer,
    hop: int,
) -> _Batch:
    times, numbers, frames, blocks = [], [], [], []
    for number, piece in pieces:
        samples = sound.channel(channel, piece.start_s, piece.end_s)
        blocks.append(block_energies(samples, SAMPLE_RATE_HZ))
        band = _in_band(samples)
        if len(band) < analyzer.frame_length:
            continue
        framed = sliding_window_view(band, analyzer.frame_length)[::hop]
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


# How each turn sounded, relative to the same speaker's own call.


Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class PartySound:
    """One party's frames and turns, with the level and rate of the turns that have one."""

    party: str
    frames: PartyFrames
    turns: tuple[Turn, ...]
    levels_db: Mapping[int, float]
    rates: Mapping[int, float]


def party_sound(
    party: str, frames: PartyFrames, turns: Sequence[Turn], settings: ProsodySettings
) -> PartySound:
    """Gather the data of a party's reference; keys are turn indices."""
    own = tuple(t for t in turns if t.party == party)
    levels_db = {t.index: db for t in own if (db := _level_db(t, frames, settings)) is not None}
    rates = {
        t.index: t.word_count / t.speech_s
        for t in own
        if t.speech_s >= settings.min_turn_s and t.word_count >= settings.min_rate_words
    }
    return PartySound(party, frames, own, levels_db, rates)


def party_prosody(sound: PartySound, settings: ProsodySettings) -> PartyProsody:
    """Return the party's reference over the whole call; None where there is too little speech."""
    levels, rates = list(sound.levels_db.values()), list(sound.rates.values())
    voiced = sound.frames.pitch_hz[sound.frames.pitch_hz > 0]
    has_pitch = len(voiced) * sound.frames.hop_s >= settings.min_reference_s
    return PartyProsody(
        party=sound.party,
        pitch_median_hz=float(np.median(voiced)) if has_pitch else None,
        pitch_iqr_st=_interquartile(12 * np.log2(voiced)) if has_pitch else None,
        level_median_db=float(np.median(levels)) if levels else None,
        level_iqr_db=_interquartile(levels) if len(levels) >= settings.min_turns else None,
        loudness_lufs=sound.frames.loudness_lufs,
        rate_median_words_per_s=float(np.median(rates)) if rates else None,
    )


def turn_prosody(
    turn: Turn, sound: PartySound, reference: PartyProsody, settings: ProsodySettings
) -> TurnProsody:
    """Return one turn's row; fields with too little speech are None."""
    part = sound.frames.within(turn)
    pitch_hz, active = sound.frames.pitch_hz[part], sound.frames.active[part]
    voiced = pitch_hz > 0
    above = None
    if voiced.sum() * sound.frames.hop_s >= settings.min_voiced_s and reference.pitch_median_hz:
        above = 12 * np.log2(pitch_hz[voiced] / reference.pitch_median_hz)
    level_db, usual_db = sound.levels_db.get(turn.index), reference.level_median_db
    paused = max(0.0, 1 - turn.speech_s / turn.duration_s) if turn.duration_s > 0 else None
    return TurnProsody(
        turn_index=turn.index,
        party=turn.party,
        pitch_median_st=None if above is None else float(np.median(above)),
        pitch_iqr_st=None if above is None else _interquartile(above),
        pitch_slope_st_per_s=(
            None if above is None else _slope(sound.frames.time_s[part][voiced], above)
        ),
        level_db=level_db,
        level_rel_db=None if level_db is None or usual_db is None else level_db - usual_db,
        rate_words_per_s=sound.rates.get(turn.index),
        pause_share=paused if turn.speech_s >= settings.min_turn_s else None,
        spectral_tilt_db_per_octave=(
            None if above is None else _tilt(sound.frames.bands[part][voiced])
        ),
        voiced_share=None if level_db is None else float(voiced[active].mean()),
    )


def _level_db(turn: Turn, frames: PartyFrames, settings: ProsodySettings) -> float | None:
    """Return the mean power of the turn's speech, without the bridged pauses."""
    part = frames.within(turn)
    active = frames.active[part]
    if active.sum() * frames.hop_s < settings.min_turn_s:
        return None
    return float(decibels(np.mean(frames.energy[part][active], keepdims=True))[0])


def _interquartile(values: Numbers | Sequence[float]) -> float:
    low, high = np.percentile(values, [25, 75])
    return float(high - low)


def _slope(at: Numbers, values: Numbers) -> float:
    """Return the least-squares slope of `values` over `at`."""
    centred = at - at.mean()
    return float(centred @ (values - values.mean()) / (centred @ centred))


def _tilt(bands: Numbers) -> float:
    """Return the slope of the turn's long-term average spectrum, 300 to 3400 Hz, dB per octave."""
    return _slope(np.log2(THIRD_OCTAVES_HZ), decibels(bands.mean(axis=0)))

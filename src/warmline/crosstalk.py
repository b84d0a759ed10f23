"""How loud each channel's voice is on another channel, from their levels alone.

Levels are taken every 10 ms in the telephone band. Where channel A is loud and furthest above B,
A's own voice speaks, and the distance is how much weaker that voice is on B; the other way round
for B's. The two distances together do not depend on the channels' gains. Half their sum, as an
amplitude ratio, is the `similarity` of two channels: 1 when both voices are equally on both, 0.1
when each voice is 20 dB weaker on the other's channel.

Levels are used and not waveforms because they survive what separates copies in practice: another
codec, inverted phase, a delay, an equaliser.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound

_BAND_HZ = (300.0, 3000.0)
_BLOCK_SAMPLES = SAMPLE_RATE_HZ // 100
_BLOCKS_AT_ONCE = 1_000
_SMOOTHED_BLOCKS = 5
_FLOOR_DB = -80.0
_TOP_BLOCKS = 50
_LOUD_RANGE_DB = 20.0
_ABOVE_NOISE_DB = 10.0
_MAX_LAG_BLOCKS = 100
_MIN_LAG_CORRELATION = 0.5
_TAIL_PERCENT = 5.0
_OWN_VOICE_RANGE_DB = 3.0


@dataclass(frozen=True, eq=False)
class LevelTrack:
    """One channel's level every 10 ms, dB re full scale, 300 to 3000 Hz, smoothed over 50 ms."""

    channel: int
    level_db: NDArray[np.float64]

    @property
    def top_db(self) -> float:
        """The level that is reached for half a second in all (a quarter of a very short call)."""
        size = self.level_db.size
        rank = size - 1 - min(_TOP_BLOCKS, size // 4)
        return float(np.partition(self.level_db, rank)[rank])

    @property
    def noise_db(self) -> float:
        """The level between the words: its tenth percentile."""
        return float(np.percentile(self.level_db, 10))

    @property
    def range_db(self) -> float:
        """How far the voice stands above the noise; 1 or 2 dB for noise alone."""
        return self.top_db - self.noise_db


@dataclass(frozen=True)
class Crosstalk:
    """One channel's voice on another channel.

    `relative_db` is its level there re its level on its own channel; `own_db` re the other
    channel's own voice; `is_audible` when it is 10 dB above the other channel's noise.
    """

    relative_db: float
    own_db: float
    is_audible: bool


@dataclass(frozen=True)
class Comparison:
    """Two channels: the first's voice on the second, and the second's on the first."""

    of_first: Crosstalk
    of_second: Crosstalk

    @property
    def similarity(self) -> float:
        """Mean crosstalk as an amplitude ratio, 0..1, whatever the channels' gains."""
        return amplitude((self.of_first.relative_db + self.of_second.relative_db) / 2)

    @property
    def swapped(self) -> "Comparison":
        """The same with the channels in the other order."""
        return Comparison(self.of_second, self.of_first)


def amplitude(level_db: float) -> float:
    """An amplitude ratio from dB, at most 1."""
    return float(min(1.0, 10 ** (level_db / 20)))


def level_track(sound: Sound, channel: int) -> LevelTrack:
    """The level of one channel, in steps of ten seconds so that memory stays small."""
    from scipy.signal import butter, sosfilt

    sections = butter(2, _BAND_HZ, "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    state = np.zeros((sections.shape[0], 2))
    powers = []
    pcm = sound.pcm[channel]
    step = _BLOCK_SAMPLES * _BLOCKS_AT_ONCE
    for start in range(0, pcm.size // _BLOCK_SAMPLES * _BLOCK_SAMPLES, step):
        part = pcm[start : start + step]
        part = part[: part.size // _BLOCK_SAMPLES * _BLOCK_SAMPLES] / 32768.0
        band, state = sosfilt(sections, part, zi=state)
        blocks = band.reshape(-1, _BLOCK_SAMPLES)
        powers.append(np.einsum("ij,ij->i", blocks, blocks) / _BLOCK_SAMPLES)
    power = np.concatenate(powers) if powers else np.zeros(1)
    smooth = np.convolve(power, np.full(_SMOOTHED_BLOCKS, 1 / _SMOOTHED_BLOCKS), "same")
    floor = 10 ** (_FLOOR_DB / 10)
    return LevelTrack(channel, 10 * np.log10(np.maximum(smooth[: power.size], floor)))


def compare(first: LevelTrack, second: LevelTrack) -> Comparison:
    """The crosstalk between two channels of one recording, a delay up to 1 s taken away."""
    level_a, level_b = _aligned(first, second)
    loud_a, loud_b = _loud(level_a, first), _loud(level_b, second)
    apart_db = level_a - level_b
    most_db = float(np.percentile(apart_db[loud_a], 100 - _TAIL_PERCENT))
    least_db = float(np.percentile(apart_db[loud_b], _TAIL_PERCENT))
    only_a = loud_a & (apart_db >= most_db - _OWN_VOICE_RANGE_DB)
    only_b = loud_b & (apart_db <= least_db + _OWN_VOICE_RANGE_DB)
    a_on_b, b_on_b = np.median(level_b[only_a]), np.median(level_b[only_b])
    b_on_a, a_on_a = np.median(level_a[only_b]), np.median(level_a[only_a])
    audible_a, audible_b = (track.noise_db + _ABOVE_NOISE_DB for track in (first, second))
    return Comparison(
        Crosstalk(-most_db, float(a_on_b - b_on_b), bool(a_on_b >= audible_b)),
        Crosstalk(least_db, float(b_on_a - a_on_a), bool(b_on_a >= audible_a)),
    )


def _loud(level_db: NDArray[np.float64], track: LevelTrack) -> NDArray[np.bool_]:
    """Within 20 dB of the top and 10 dB above the noise; never nothing."""
    wanted_db = max(track.top_db - _LOUD_RANGE_DB, track.noise_db + _ABOVE_NOISE_DB)
    return level_db >= min(wanted_db, track.top_db, float(level_db.max()))


def _aligned(
    first: LevelTrack, second: LevelTrack
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both levels, shifted to where they agree best if they do agree there."""
    a, b = first.level_db, second.level_db
    lag = _lag_blocks(a - a.mean(), b - b.mean())
    if lag == 0:
        return a, b
    return (a[lag:], b[:-lag]) if lag > 0 else (a[:lag], b[-lag:])


def _lag_blocks(a: NDArray[np.float64], b: NDArray[np.float64]) -> int:
    """Blocks by which `a` is later than `b`; 0 if they are not alike at any lag."""
    energy = float(np.linalg.norm(a) * np.linalg.norm(b))
    reach = min(_MAX_LAG_BLOCKS, a.size // 4)
    if energy == 0 or reach == 0:
        return 0
    padded = 1 << (2 * a.size - 1).bit_length()
    spectrum = np.fft.rfft(a, padded) * np.conj(np.fft.rfft(b, padded))
    lags = np.arange(-reach, reach + 1)
    correlation = np.fft.irfft(spectrum, padded)[lags] / energy
    best = int(np.argmax(correlation))
    return int(lags[best]) if correlation[best] > _MIN_LAG_CORRELATION else 0

"""Detect whether the channels of a recording are separate people, or the same voices twice.

What decides is the crosstalk between channels (see `speech.crosstalk`). Measured on the first two
minutes of seven real calls with two channels and on modified copies of them, `similarity` from
lowest to highest:

- two people: as recorded 0.00; noise 5 dB below each voice 0.14 to 0.17; crosstalk of -20 dB 0.10,
  also with unequal gains; of -12 dB 0.25;
- in between: crosstalk of -8 dB 0.40, of -6 dB 0.50, of -3 dB 0.71;
- their mono mix on both channels 1.00; with a gain, inverted, in mu-law, GSM or AMR 4.75 kbit/s on
  one channel, cut to another band, up to 0.2 s late, in noise as loud as the voices 0.76 to 1.00.

The default threshold of 0.4 is crosstalk of -8 dB.
"""

from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from math import log10

import numpy as np
from numpy.typing import NDArray

from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
from warmline.settings import ChannelSettings
from warmline.values import ChannelCopy, ChannelLayout

# How loud each channel's voice is on another channel, from their levels alone.


_BAND_HZ = (300.0, 3000.0)
_RINGING_SAMPLES = 2_000  # after 400, what the filter gives has died away to 1e-15
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
        """Return the level that is reached for half a second in all (a quarter of a very short
        call).
        """
        size = self.level_db.size
        rank = size - 1 - min(_TOP_BLOCKS, size // 4)
        return float(np.partition(self.level_db, rank)[rank])

    @property
    def noise_db(self) -> float:
        """Return the level between the words: the tenth percentile."""
        return float(np.percentile(self.level_db, 10))

    @property
    def range_db(self) -> float:
        """Return how far the voice stands above the noise; 1 or 2 dB for noise alone."""
        return self.top_db - self.noise_db


@dataclass(frozen=True)
class Crosstalk:
    """One channel's voice on another channel.

    `relative_db` is its level there relative to its level on its own channel, `own_db` relative to
    the other channel's own voice; `is_audible` when it is 10 dB above the other channel's noise.
    """

    relative_db: float
    own_db: float
    is_audible: bool


@dataclass(frozen=True)
class Comparison:
    """Two channels compared: the first's voice on the second, and the second's on the first."""

    of_first: Crosstalk
    of_second: Crosstalk

    @property
    def similarity(self) -> float:
        """Return the mean crosstalk as an amplitude ratio, 0..1, whatever the channels' gains."""
        return amplitude((self.of_first.relative_db + self.of_second.relative_db) / 2)

    @property
    def swapped(self) -> "Comparison":
        """Return the same comparison with the channels in the other order."""
        return Comparison(self.of_second, self.of_first)


def amplitude(level_db: float) -> float:
    """Return dB as an amplitude ratio, at most 1."""
    return float(min(1.0, 10 ** (level_db / 20)))


def level_track(sound: Sound, channel: int) -> LevelTrack:
    """Return the level of one channel, computed in steps of ten seconds to keep memory small."""
    powers = []
    pcm = sound.pcm[channel]
    step = _BLOCK_SAMPLES * _BLOCKS_AT_ONCE
    for start in range(0, pcm.size // _BLOCK_SAMPLES * _BLOCK_SAMPLES, step):
        before = min(start, _RINGING_SAMPLES)
        part = pcm[start - before : start + step] / 32768.0
        spectrum = np.fft.rfft(part, step + _RINGING_SAMPLES) * _band_response()
        band = np.fft.irfft(spectrum)[before : part.size]
        blocks = band[: band.size // _BLOCK_SAMPLES * _BLOCK_SAMPLES].reshape(-1, _BLOCK_SAMPLES)
        powers.append(np.einsum("ij,ij->i", blocks, blocks) / _BLOCK_SAMPLES)
    power = np.concatenate(powers) if powers else np.zeros(1)
    smooth = np.convolve(power, np.full(_SMOOTHED_BLOCKS, 1 / _SMOOTHED_BLOCKS), "same")
    floor = 10 ** (_FLOOR_DB / 10)
    return LevelTrack(channel, 10 * np.log10(np.maximum(smooth[: power.size], floor)))


@cache
def _band_response() -> NDArray[np.complex128]:
    """Return the response of a Butterworth band-pass of second order, for the spectrum of a step.

    By the bilinear transform. scipy.signal has it as well, and takes three quarters of a second to
    import.
    """
    low, high = np.tan(np.pi * np.array(_BAND_HZ) / SAMPLE_RATE_HZ)
    length = _BLOCK_SAMPLES * _BLOCKS_AT_ONCE + _RINGING_SAMPLES
    s = 1j * np.tan(np.pi * np.arange(length // 2 + 1) / length)
    wide, around = (high - low) * s, s**2 + low * high
    response: NDArray[np.complex128] = wide**2 / (around**2 + np.sqrt(2) * around * wide + wide**2)
    return response


def compare(first: LevelTrack, second: LevelTrack) -> Comparison:
    """Return the crosstalk between two channels of one recording, aligned for delays up to 1 s."""
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
    """Return which blocks are within 20 dB of the top and 10 dB above the noise; never none."""
    wanted_db = max(track.top_db - _LOUD_RANGE_DB, track.noise_db + _ABOVE_NOISE_DB)
    return level_db >= min(wanted_db, track.top_db, float(level_db.max()))


def _aligned(
    first: LevelTrack, second: LevelTrack
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both levels, shifted to their best agreement if they agree there."""
    a, b = first.level_db, second.level_db
    lag = _lag_blocks(a - a.mean(), b - b.mean())
    if lag == 0:
        return a, b
    return (a[lag:], b[:-lag]) if lag > 0 else (a[:lag], b[-lag:])


def _lag_blocks(a: NDArray[np.float64], b: NDArray[np.float64]) -> int:
    """Return by how many blocks `a` lags `b`; 0 if they are not alike at any lag."""
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


_HEARD_OWN_DB = -20.0  # a voice this far below the channel's own counts as crosstalk, not as a mix
_QUIETER_PARTY_DB = 15.0
_EVEN_DB = 1.0  # copies within this difference in quality are not ranked: the first is kept


def resolve(sound: Sound, settings: ChannelSettings) -> tuple[ChannelLayout, Sound]:
    """Return how many voices the channels tell apart, and the sound with only those channels.

    Kinds: `mono`: there is one channel, or only one carries a voice. `fake_stereo`: all channels
    with a voice hold the same voices, or one of two holds both; the best of them is kept. `stereo`:
    each kept channel is a party. Of more than two channels, copies of others and mixes of all
    others are dropped first.
    """
    count = sound.channel_count
    if count == 1:
        return ChannelLayout("mono", 1, None, "the recording has one channel", (0,)), sound
    tracks = [level_track(sound, channel) for channel in range(count)]
    # In a faint recording a voice is faint, too.
    loudest_db = max(track.top_db for track in tracks)
    least_db = min(settings.voice_level_db, loudest_db - _QUIETER_PARTY_DB)
    voiced = [
        track
        for track in tracks
        if track.top_db >= least_db and track.range_db >= settings.voice_range_db
    ] or tracks
    layout = _layout(voiced, count, settings.fake_stereo_similarity)
    if 1 < len(voiced) < count:
        silent = ", ".join(str(t.channel) for t in tracks if t not in voiced)
        layout = replace(layout, reason=f"{layout.reason}; no voice on channel {silent}")
    return layout, kept_of(sound, layout)


def kept_of(sound: Sound, layout: ChannelLayout) -> Sound:
    """Return the sound with only the channels that the layout keeps."""
    if len(layout.kept) == sound.channel_count:
        return sound
    kept = sound.pcm[list(layout.kept)] if len(layout.kept) > 1 else sound.only(layout.kept[0]).pcm
    return replace(sound, pcm=kept)


def with_one_left(layout: ChannelLayout, place: int) -> ChannelLayout:
    """Return the layout when speech was found only on the kept channel at index `place`."""
    live = layout.kept[place]
    reason = f"channel {live} of {layout.channel_count} alone holds speech; {layout.reason}"
    return replace(layout, kind="mono", similarity=None, reason=reason, kept=(live,))


def _layout(tracks: list[LevelTrack], count: int, threshold: float) -> ChannelLayout:
    """Return the layout of channels that all carry a voice."""
    if len(tracks) == 1:
        only = tracks[0].channel
        reason = f"channel {only} of {count} alone carries a voice"
        return ChannelLayout("mono", count, None, reason, (only,))
    kept, similarity, copies, reasons = _without_copies(tracks, threshold)
    if len(kept) == 1:
        best = (kept[0].channel,)
        return ChannelLayout("fake_stereo", count, similarity, "; ".join(reasons), best, copies)
    kept, mixes = _without_mixes(kept, threshold)
    if len(kept) == 2:
        comparison = compare(*kept)
        for first, pair in ((0, comparison), (1, comparison.swapped)):
            if _first_holds_both(pair, threshold):
                return _one_holds_both(kept[first], kept[1 - first], pair, count)
    similarity = max(compare(a, b).similarity for a, b in combinations(kept, 2))
    weaker_db = -20 * log10(max(similarity, 1e-4))
    weaker = f"the voices are {weaker_db:.0f} dB weaker on each other's channel"
    reason = "; ".join([*reasons, *mixes, weaker])
    left = tuple(track.channel for track in kept)
    return ChannelLayout("stereo", count, similarity, reason, left, copies)


def _without_copies(
    tracks: list[LevelTrack], threshold: float
) -> tuple[list[LevelTrack], float, tuple[ChannelCopy, ...], list[str]]:
    """Return the distinct channels, the highest similarity, the dropped copies, and why.

    Of two alike, the one whose voice stands further above its noise is kept.
    """
    kept = list(tracks)
    copies: list[ChannelCopy] = []
    reasons = []
    highest = 0.0
    while len(kept) > 1:
        similarity, a, b = max(
            ((compare(a, b).similarity, a, b) for a, b in combinations(kept, 2)),
            key=lambda found: found[0],
        )
        highest = max(highest, similarity)
        if similarity < threshold:
            break
        better, worse = (a, b) if a.range_db >= b.range_db - _EVEN_DB else (b, a)
        kept.remove(worse)
        copies.append(ChannelCopy(worse.channel, better.channel))
        reasons.append(
            f"channels {a.channel} and {b.channel} hold the same voices "
            f"(similarity {similarity:.2f}); {better.channel} is kept, its voices "
            f"{better.range_db:.0f} dB above its noise against {worse.range_db:.0f} dB"
        )
    return kept, highest, tuple(copies), reasons


def _without_mixes(
    tracks: list[LevelTrack], threshold: float
) -> tuple[list[LevelTrack], list[str]]:
    """Return, of three channels or more, those that do not hold the voices of two others."""
    if len(tracks) < 3:
        return tracks, []
    mixes = [
        track
        for track in tracks
        if sum(
            _first_holds_both(compare(track, other), threshold)
            for other in tracks
            if other is not track
        )
        > 1
    ]
    if len(tracks) - len(mixes) < 2:
        return tracks, []
    reasons = [f"channel {track.channel} is a mix of others" for track in mixes]
    return [track for track in tracks if track not in mixes], reasons


def _first_holds_both(comparison: Comparison, threshold: float) -> bool:
    """Return whether the second's voice is plain on the first, but the first's not audible on the
    second.
    """
    heard = comparison.of_second
    return (
        amplitude(heard.relative_db) >= threshold
        and heard.own_db >= _HEARD_OWN_DB
        and heard.is_audible
        and not comparison.of_first.is_audible
    )


def _one_holds_both(
    both: LevelTrack, other: LevelTrack, comparison: Comparison, count: int
) -> ChannelLayout:
    similarity = amplitude(comparison.of_second.relative_db)
    reason = (
        f"channel {both.channel} holds both voices, channel {other.channel} one of them "
        f"(similarity {similarity:.2f} one way)"
    )
    return ChannelLayout("fake_stereo", count, similarity, reason, (both.channel,))

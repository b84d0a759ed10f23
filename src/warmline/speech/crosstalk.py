"""Remove other people's voices from a channel's speech: crosstalk, and talk in the background.

Crosstalk in a hybrid or a headset arrives at once; echo from the far end of a line, or of a
speakerphone, up to a second late. Either way it is a copy of the other channel's voice, so its
level follows that channel's level at a constant distance and delay, which a voice of its own does
not. Measured in windows of a minute on ten real and simulated calls, the levels of two clean
channels correlate by 0.27 at most where only the other party speaks, at any delay; crosstalk (12 to
30 dB weaker, up to 0.35 s late, band-limited, clipped, in GSM, with room echoes, of wandering level
or delay) by 0.39 to 1.0.

Voices in the background, other agents' or a family's, are fainter than who holds the telephone,
and go on while the other party of the call speaks; whoever takes part in the call is quiet then.
On four real calls, faint speech is there for 0.01 of the time in which the other party speaks at
most; with the voices of other calls 5 to 25 dB below each party for 0.24 to 0.85. Unlike crosstalk
they go on while nobody in the call speaks, too: for 0.47 of that time or more at 10 to 25 dB, where
clean channels have 0.07 at most.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations

import numpy as np
from numpy.typing import NDArray

from warmline.recordings.sound import Sound
from warmline.speech.activity import FRAME_STEP_S, SAMPLES_PER_FRAME, frame_time_s
from warmline.speech.channels import LevelTrack, level_track

_SMOOTHING_S = 0.25
_FRAMES_AT_ONCE = 40_000
_BLOCKS_A_SECOND = 100
_SMOOTHING_BLOCKS = 25
# (length, least correlation) of the windows searched for crosstalk, longest first.
_WINDOWS = ((6_000, 0.37), (3_000, 0.55), (1_500, 0.62))
_REACH_BLOCKS = 3_000
_USUAL_DELAY_BLOCKS = 50
_MAX_DELAY_BLOCKS = 100
_PLAINER = 0.2  # so much more alike are levels at the delay of an echo that is later than usual
_MAX_EARLY_BLOCKS = 20  # a recorder may delay one channel
_LAG_STEP = 2
_CONTRAST = 0.1
_PLAIN_CORRELATION = 0.6
_USUAL_CORRELATION = 0.4  # 0.8 and more on ten calls with crosstalk, 0.2 where noise is usual
_BELOW_LIMIT_DB = 0.5
_MIN_BLOCKS = 300
_LOUD_RANGE_DB = 25.0
_ABOVE_NOISE_DB = 10.0
_BELOW_OWN_DB = 4.0
_BELOW_SOURCE_DB = 6.0
_NEAR_DB = 8.0
_MARGIN_DB = (3.0, 8.0)
_CLOSE_DB = (-2.0, 3.0)
_CLOSE_SHARES = (0.02, 0.42)  # from here on there is a doubt, and here nothing is certain
_SAFE_HEADROOM_DB = 8.0
# Background voices: share with faint speech of the other party's time, and of the time in which
# nobody in the call speaks, with the seconds that there must be of each; and how far below the
# channel's own voice faint speech is (from where all is doubtful to where nothing is).
_BACKGROUND_SHARE, _LEAST_OTHER_S = 0.2, 3.0
_SILENT_SHARE, _LEAST_SILENT_S = 0.3, 1.0
_BACKGROUND_BELOW_DB = (6.0, 16.0)
_TOP_PERCENTILE = 95
_LOUD_DB, _LOUDEST_DB = 10.0, 5.0  # below the top of a voice
_LOUD_AROUND_S = 0.25  # around loud speech, faint speech is the beginning or the end of a word
# Of the way from the background up to the top of the channel's own voice; and at most so far above
# the background, for so long. With voices 10 dB behind, DER is 0.60 on six bank calls and 0.18 on
# five others; where half of the way is enough, 0.78 and 0.21. 12 dB would leave out more of voices
# 15 dB behind, and with them an eighth of what quiet people say.
_BORDER, _PLAIN, _PLAIN_DB = 0.5, 0.65, 7.5
_PLAIN_FRAMES = 2
_KEPT_AROUND_S = 0.12
_SPEECH = 0.5


@dataclass(frozen=True)
class CrosstalkSpan:
    """The voice of channel `source` on channel `target`, for 10 ms blocks `start:end`.

    It arrives `delay` blocks later there and `level_db` louder (fainter where negative) than on its
    own channel; a tenth of the time it is more than `spread_db` above that. `headroom_db` is how
    far the target's own voice stands above it.
    """

    source: int
    target: int
    start: int
    end: int
    delay: int
    level_db: float
    spread_db: float
    headroom_db: float

    @property
    def margin_db(self) -> float:
        """Return how far above the expected crosstalk a level may be and still be crosstalk."""
        low, high = _MARGIN_DB
        return min(max(low, self.spread_db + 2.0), high)


@dataclass(frozen=True)
class BackgroundVoices:
    """Speech on a channel that is not of the call: how long, and how far below the channel's own.

    `below_db` is the difference of the mean levels of the two.
    """

    channel: int
    duration_s: float
    below_db: float

    @property
    def reason(self) -> str:
        """Return what was found, for a person."""
        return (
            f"voices in the background of channel {self.channel}, {self.below_db:.0f} dB weaker, "
            f"{self.duration_s:.0f} s left out"
        )


@dataclass(frozen=True)
class OwnSpeech:
    """Each channel's own speech: probabilities per frame, 0 where the voice is another channel's.

    `confidence` (0..1) is lower where other voices are nearly as loud as the channel's own, or
    cannot be told from it by their level; `crosstalk` are the crosstalk spans that were found, and
    `background` what was left out because it was said in the background of a channel.
    """

    probabilities: tuple[NDArray[np.float32], ...]
    crosstalk: tuple[CrosstalkSpan, ...]
    background: tuple["BackgroundVoices", ...]
    confidence: float

    @property
    def reason(self) -> str:
        """Return what was found, for a person; empty without crosstalk."""
        pairs = dict.fromkeys((span.source, span.target) for span in self.crosstalk)
        crosstalk = [
            _sentence([span for span in self.crosstalk if (span.source, span.target) == pair])
            for pair in pairs
        ]
        return "; ".join([*crosstalk, *(voices.reason for voices in self.background)])


def own_speech(sound: Sound, speech: Sequence[NDArray[np.float32]], leakage_db: float) -> OwnSpeech:
    """Return each channel's speech (frames,) without another channel's voice.

    Removed is speech where another channel is louder by `leakage_db` at the same time (two people
    who speak at once differ by less), where the level is no higher than crosstalk explains, and
    what is faint on a channel on which faint voices go on while the other party speaks.
    """
    levels = levels_of(sound, speech)
    tracks = [level_track(sound, channel) for channel in range(len(speech))]
    voices = _Voices.of(speech, levels)
    # What goes on all the time is no copy of the other channel, however alike levels may be.
    ceaseless = [voices.are_ceaseless(channel, p) for channel, p in enumerate(speech)]
    spans = tuple(span for span in find_crosstalk(tracks) if not ceaseless[span.target])
    confidence = min([1.0, *(_headroom_confidence(span) for span in spans)])
    heard = without_crosstalk(levels, speech, leakage_db)
    own = list(speech)
    for channel, probability in enumerate(heard):
        found = [span for span in spans if span.target == channel]
        if not found:
            continue
        above_db = _above_crosstalk_db(tracks, channel, found, len(probability))
        own[channel] = np.where(above_db < 0, np.float32(0), speech[channel])
        low_db, high_db = _CLOSE_DB
        close = (probability > _SPEECH) & (above_db >= low_db) & (above_db < high_db)
        share = float(close.sum() / max(1, ((probability > _SPEECH) & (above_db >= 0)).sum()))
        confidence = min(confidence, float(np.interp(share, _CLOSE_SHARES, (1.0, 0.0))))
    found_behind: list[BackgroundVoices] = []
    for channel, probability in enumerate(own):
        borders_db = voices.borders_db(channel, probability)
        if borders_db is None:
            continue
        above = _rising_above(levels[channel], *borders_db, where=probability > _SPEECH)
        kept = _widened_by(above, _KEPT_AROUND_S)
        faint = (probability > _SPEECH) & ~kept
        if not (above.any() and faint.any()):
            continue
        below_db = float(levels[channel][above].mean() - levels[channel][faint].mean())
        found_behind.append(BackgroundVoices(channel, float(faint.sum() * FRAME_STEP_S), below_db))
        own[channel] = np.where(kept, probability, np.float32(0))
        confidence = min(confidence, float(np.interp(below_db, _BACKGROUND_BELOW_DB, (0.0, 1.0))))
    own = without_crosstalk(levels, own, leakage_db)
    return OwnSpeech(tuple(own), spans, tuple(found_behind), confidence)


@dataclass(frozen=True, eq=False)
class _Voices:
    """How loud the channels' own voices are.

    `levels` (channels, frames) in dB, `tops_db` the level that a channel's speech exceeds for a
    twentieth of the time, `loud` (channels, frames) where it is near that, and a moment around it.
    """

    levels: NDArray[np.float32]
    tops_db: tuple[float, ...]
    loud: NDArray[np.bool_]

    @classmethod
    def of(cls, speech: Sequence[NDArray[np.float32]], levels: NDArray[np.float32]) -> "_Voices":
        tops = [
            float(np.percentile(level_db[said > _SPEECH], _TOP_PERCENTILE))
            if (said > _SPEECH).any()
            else np.inf
            for said, level_db in zip(speech, levels, strict=True)
        ]
        loud = [
            _widened_by(level_db >= top_db - _LOUD_DB, _LOUD_AROUND_S)
            for level_db, top_db in zip(levels, tops, strict=True)
        ]
        return cls(levels, tuple(tops), np.array(loud))

    def are_ceaseless(self, channel: int, probability: NDArray[np.float32]) -> bool:
        """Tell whether faint voices go on whoever in the call speaks, and when nobody does."""
        nobody = ~self.loud.any(axis=0)
        return (
            nobody.sum() * FRAME_STEP_S >= _LEAST_SILENT_S
            and float((probability[nobody] > _SPEECH).mean()) >= _SILENT_SHARE
            and self._go_on(channel, probability)
        )

    def borders_db(
        self, channel: int, probability: NDArray[np.float32]
    ) -> tuple[float, float] | None:
        """Return the levels that part a channel's own voice from voices behind it, if there are.

        The own voice is above the first all the time, and above the second for a moment. The first
        lies half-way between what is usual while another channel is at its loudest and the top of
        the own voice, the second at two thirds of the way, or 7.5 dB above what is usual.
        """
        if not self._go_on(channel, probability):
            return None
        own_db, top_db = self.levels[channel], self.tops_db[channel]
        others = [i for i in range(len(self.tops_db)) if i != channel]
        loudest = np.any([self.levels[i] >= self.tops_db[i] - _LOUDEST_DB for i in others], axis=0)
        behind = own_db[loudest & (probability > _SPEECH) & (own_db < top_db - _LOUDEST_DB)]
        if not behind.size:
            return None
        usual_db = float(np.median(behind))
        border_db = usual_db + _BORDER * (top_db - usual_db)
        plain_db = usual_db + min(_PLAIN * (top_db - usual_db), _PLAIN_DB)
        return border_db, max(border_db, plain_db)

    def _go_on(self, channel: int, probability: NDArray[np.float32]) -> bool:
        """Tell whether faint speech goes on while another party speaks."""
        others = np.delete(self.loud, channel, axis=0).any(axis=0) & ~self.loud[channel]
        return bool(
            others.sum() * FRAME_STEP_S >= _LEAST_OTHER_S
            and (probability[others] > _SPEECH).mean() >= _BACKGROUND_SHARE
        )


def _rising_above(
    level_db: NDArray[np.float32], border_db: float, plain_db: float, *, where: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the frames of stretches above a border that reach the other one for a moment."""
    above = where & (level_db >= border_db)
    starts, ends = np.flatnonzero(np.diff(np.pad(above.astype(np.int8), 1))).reshape(-1, 2).T
    plain = np.concatenate([[0], np.cumsum(above & (level_db >= plain_db))])
    for start, end in zip(starts, ends, strict=True):
        if plain[end] - plain[start] < _PLAIN_FRAMES:
            above[start:end] = False
    return above


def _widened_by(frames: NDArray[np.bool_], around_s: float) -> NDArray[np.bool_]:
    """Return the chosen frames and those within so many seconds of one."""
    reach = round(around_s / FRAME_STEP_S)
    near = np.convolve(frames, np.ones(2 * reach + 1, int))[reach : reach + frames.size]
    return np.asarray(near > 0)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two channels; the first alone speaks above `least_db`, the other `most_db` apart at most."""

    source: LevelTrack
    target: LevelTrack
    least_db: float
    most_db: float
    top_apart_db: float

    @classmethod
    def of(cls, source: LevelTrack, target: LevelTrack) -> "_Pair":
        top_db, apart_db = source.top_db, target.top_db - source.top_db
        least_db = max(top_db - _LOUD_RANGE_DB, source.noise_db + _ABOVE_NOISE_DB)
        return cls(
            source, target, least_db, max(-_BELOW_SOURCE_DB, apart_db - _BELOW_OWN_DB), apart_db
        )

    def only_source(
        self, start: int, end: int, lag: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return levels of both channels, `lag` blocks apart, where the source speaks alone."""
        a, b = self.source.level_db[start:end], self.target.level_db[start:end]
        size = max(0, a.size - abs(lag))
        a, b = a[max(0, -lag) :][:size], b[max(0, lag) :][:size]
        chosen = (a > self.least_db) & (b - a < self.most_db)
        return a[chosen], b[chosen]

    def correlation(self, start: int, end: int, lag: int) -> float:
        """Return the correlation of the levels there, -1..1; -1 when too little is heard."""
        loud, faint = self.only_source(start, end, lag)
        return _correlation(loud, faint) if loud.size >= _MIN_BLOCKS else -1.0


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the correlation of two levels, -1 where one of them does not change."""
    first, second = first - first.mean(), second - second.mean()
    energy = float(first @ first) * float(second @ second)
    return float(first @ second) / energy**0.5 if energy > 1e-9 else -1.0


def find_crosstalk(tracks: Sequence[LevelTrack]) -> Iterator[CrosstalkSpan]:
    """Yield voices that are heard on a channel other than their own, window by window."""
    for source, target in permutations(tracks, 2):
        size = source.level_db.size
        found = list(_crosstalk_between(_Pair.of(source, target), 0, size, 0))
        yield from _widened(found, size)


def _widened(spans: Sequence[CrosstalkSpan], size: int) -> Iterator[CrosstalkSpan]:
    """Yield the crosstalk of one pair, extended past windows: few begin with one."""
    for i, span in enumerate(spans):
        before = spans[i - 1].end if i else 0
        after = spans[i + 1].start if i + 1 < len(spans) else size
        yield replace(
            span,
            start=max(before, span.start - _REACH_BLOCKS),
            end=min(after, span.end + _REACH_BLOCKS),
        )


def _crosstalk_between(pair: _Pair, start: int, end: int, scale: int) -> Iterator[CrosstalkSpan]:
    """Yield crosstalk in windows of this scale; where there is none, in shorter ones inside."""
    if scale == len(_WINDOWS):
        return
    length, least = _WINDOWS[scale]
    count = max(1, round((end - start) / length))
    borders = np.linspace(start, end, count + 1).astype(int)
    for first, last in pairwise(borders.tolist()):
        span = _crosstalk_in(pair, first, last, least)
        if span is not None:
            yield span
        else:
            yield from _crosstalk_between(pair, first, last, scale + 1)


def _crosstalk_in(pair: _Pair, start: int, end: int, least: float) -> CrosstalkSpan | None:
    """Return the crosstalk between two channels in one window, if their levels correlate there."""
    delay, at_lags = _delay(pair, start, end)
    # Where both speak all the time, choosing the fainter ones makes levels alike at every lag.
    contrasting = min(float(np.median(at_lags)) + _CONTRAST, _PLAIN_CORRELATION)
    if pair.correlation(start, end, delay) < max(least, contrasting):
        return None
    loud, faint = pair.only_source(start, end, delay)
    apart_db = faint - loud
    counts, edges = np.histogram(apart_db, np.arange(-100.0, 100.0))
    usual_db = float(edges[np.convolve(counts, np.ones(5), "same").argmax()]) + 0.5
    usual = np.abs(apart_db - usual_db) < _NEAR_DB
    near = apart_db[usual]
    level_db = float(np.median(near))
    if level_db > pair.most_db - _BELOW_LIMIT_DB:
        return None
    # If there is none in most of the window, its noise is what is usual; shorter windows tell.
    if _correlation(loud[usual], faint[usual]) < _USUAL_CORRELATION:
        return None
    return CrosstalkSpan(
        pair.source.channel,
        pair.target.channel,
        start,
        end,
        delay,
        level_db,
        float(np.percentile(near, 90)) - level_db,
        pair.top_apart_db - level_db,
    )


def _delay(pair: _Pair, start: int, end: int) -> tuple[int, NDArray[np.float64]]:
    """Return the lag at which the levels are most alike, and their correlations at usual lags."""
    lags = np.arange(-_MAX_EARLY_BLOCKS, _MAX_DELAY_BLOCKS + 1, _LAG_STEP)
    alike = np.array([pair.correlation(start, end, lag) for lag in lags.tolist()])
    usual = lags <= _USUAL_DELAY_BLOCKS
    is_later = alike[~usual].max() > alike[usual].max() + _PLAINER
    delay = int(lags[np.argmax(alike if is_later else alike[usual])])
    near_by = range(delay - _LAG_STEP + 1, delay + _LAG_STEP)
    return max(near_by, key=lambda lag: pair.correlation(start, end, lag)), alike[usual]


def _above_crosstalk_db(
    tracks: Sequence[LevelTrack], target: int, spans: Sequence[CrosstalkSpan], frames: int
) -> NDArray[np.float64]:
    """Return how far each frame's level is above its expected crosstalk; infinite without any."""
    level_db = _smooth_db(tracks[target])
    above_db = np.full(level_db.size, np.inf)
    sources = {span.source: _smooth_db(tracks[span.source]) for span in spans}
    for span in spans:
        blocks = np.arange(span.start, span.end)
        origin = np.clip(blocks - span.delay, 0, level_db.size - 1)
        explained_db = sources[span.source][origin] + span.level_db + span.margin_db
        above_db[blocks] = np.minimum(above_db[blocks], level_db[blocks] - explained_db)
    times_s = frame_time_s(0) + np.arange(frames) * FRAME_STEP_S
    places = np.minimum((times_s * _BLOCKS_A_SECOND).astype(int), level_db.size - 1)
    return np.asarray(above_db[places])


def _smooth_db(track: LevelTrack) -> NDArray[np.float64]:
    power = 10 ** (track.level_db / 10)
    smooth = np.convolve(power, np.ones(_SMOOTHING_BLOCKS) / _SMOOTHING_BLOCKS, "same")
    return np.asarray(10 * np.log10(np.maximum(smooth[: power.size], 1e-9)))


def _headroom_confidence(span: CrosstalkSpan) -> float:
    return float(np.clip(span.headroom_db / _SAFE_HEADROOM_DB, 0.0, 1.0))


def _sentence(spans: Sequence[CrosstalkSpan]) -> str:
    first = spans[0]
    seconds = np.array([span.end - span.start for span in spans], float)
    level_db = float(np.average([span.level_db for span in spans], weights=seconds))
    delay_s = float(np.average([span.delay for span in spans], weights=seconds)) / _BLOCKS_A_SECOND
    late = f", {delay_s:.2f} s late" if delay_s >= 0.015 else ""
    apart = f"{abs(level_db):.0f} dB {'weaker' if level_db < 0 else 'louder'}"
    return f"channel {first.source}'s voice on channel {first.target}, {apart}{late}, left out"


def without_crosstalk(
    levels: NDArray[np.float32], speech: Sequence[NDArray[np.float32]], leakage_db: float
) -> list[NDArray[np.float32]]:
    """Return speech probabilities per channel, 0 where another channel is far louder.

    `speech` is (frames,) per channel, `levels` (channels, frames) in dB. Two people who speak at
    once differ by less than `leakage_db`; what crosses over in a telephone's hybrid or a headset is
    fainter than that.
    """
    heard = []
    for channel, probability in enumerate(speech):
        others = np.delete(levels, channel, axis=0)
        own = levels[channel] > others.max(axis=0, initial=-np.inf) - leakage_db
        heard.append(np.where(own, probability, np.float32(0)))
    return heard


def levels_of(sound: Sound, speech: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return each channel's level, (channels, frames), dB re full scale, smoothed over 0.25 s."""
    return np.stack([_levels_db(sound, c, len(p)) for c, p in enumerate(speech)])


def _levels_db(sound: Sound, channel: int, frames: int) -> NDArray[np.float32]:
    """Return the level of each segmentation frame's step, smoothed over a syllable, dB re full
    scale.
    """
    power = np.zeros(frames, np.float32)
    for first in range(0, frames, _FRAMES_AT_ONCE):
        start_s, end_s = first * FRAME_STEP_S, (first + _FRAMES_AT_ONCE) * FRAME_STEP_S
        samples = sound.channel(channel, start_s, end_s)
        whole = samples[: samples.size // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME]
        steps = np.square(whole).reshape(-1, SAMPLES_PER_FRAME).mean(axis=1)
        power[first : first + steps.size] = steps[: frames - first]
    width = max(1, round(_SMOOTHING_S / FRAME_STEP_S))
    smooth = np.convolve(power, np.ones(width, np.float32) / width, mode="same")
    return np.asarray(10 * np.log10(smooth[:frames] + 1e-10), np.float32)

"""Detect speech: pyannote's segmentation network over overlapping 10 s windows.

The network (Plaquet & Bredin 2023, "Powerset multi-class cross entropy loss for neural speaker
diarization") gives, for each frame, probabilities of seven sets of at most two out of three local
speakers. Their complement of "nobody" is voice activity; which local speaker is louder tells where
the voice changes.

Windows overlap by half also where a party has a channel. (Tried: steps of 7 to 10 s there take 30
to 45 % less time, but more speech is missed or added: DER 0.095 to 0.106 in place of 0.093 on six
calls, 0.036 in place of 0.033 on simulated ones, and at 8.5 and 10 s WER 0.110 and 0.104 in place
of 0.099.)
"""

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from warmline.models.engines import Engines
from warmline.processes import ProgressCallback, no_progress
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
from warmline.settings import SpeechSettings
from warmline.values import SpeechSegment, ToneSegment

WINDOW_S = 10.0
SAMPLES_PER_FRAME = 270
FRAME_STEP_S = SAMPLES_PER_FRAME / SAMPLE_RATE_HZ
FRAME_LENGTH_S = 991 / SAMPLE_RATE_HZ
_POWERSET = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.float32
)
_PAIRS = slice(4, 7)
_WINDOWS_AT_ONCE = 16

Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Activity:
    """The segmentation network's output for one channel.

    `starts_s` (windows,), `local` (windows, frames, 3) the probability that each local speaker is
    active, `speech` (frames of the whole recording,) the probability that anybody is, and `both`
    (frames,) that two are at once.
    """

    starts_s: NDArray[np.float64]
    local: NDArray[np.float32]
    speech: NDArray[np.float32]
    both: NDArray[np.float32]

    def owner(self, frame: int) -> int:
        """Return the window whose centre is nearest to a frame of the recording."""
        return int(np.abs(self.starts_s + WINDOW_S / 2 - frame * FRAME_STEP_S).argmin())

    def local_between(self, window: int, start: int, end: int) -> NDArray[np.float32]:
        """Return `local` of a window for frames `start:end` of the recording; fewer at edges."""
        offset = round(self.starts_s[window] / FRAME_STEP_S)
        return self.local[window, max(0, start - offset) : max(0, end - offset)]


def frame_time_s(frame: float) -> float:
    """Return the middle of a frame on the call's clock."""
    return frame * FRAME_STEP_S + FRAME_LENGTH_S / 2


def hear_activity(
    sound: Sound,
    channel: int,
    settings: SpeechSettings,
    engines: Engines,
    progress: ProgressCallback = no_progress,
) -> Activity:
    """Run the segmentation network over one channel."""
    starts = _window_starts(sound.duration_s, settings.segmentation_step_s)
    total = int(sound.duration_s / FRAME_STEP_S) + 1
    speech, both = np.zeros(total, np.float32), np.zeros(total, np.float32)
    weight = np.full(total, 1e-9, np.float32)
    local = []
    for number, batch in enumerate(_windows(sound, channel, starts)):
        done = number * _WINDOWS_AT_ONCE
        progress(done / len(starts))
        probabilities = engines.powerset(batch)
        local.append(probabilities @ _POWERSET)
        # The network is surest in the middle of its window.
        taper = (np.hamming(probabilities.shape[1]) + 1e-3).astype(np.float32)
        for start_s, window in zip(starts[done:], probabilities, strict=False):
            first = round(start_s / FRAME_STEP_S)
            count = min(len(window), total - first)
            speech[first : first + count] += taper[:count] * (1 - window[:count, 0])
            both[first : first + count] += taper[:count] * window[:count, _PAIRS].sum(axis=1)
            weight[first : first + count] += taper[:count]
    return Activity(np.asarray(starts), np.concatenate(local), speech / weight, both / weight)


def _window_starts(duration_s: float, step_s: float) -> list[float]:
    count = max(1, int(np.ceil((duration_s - WINDOW_S) / step_s)) + 1)
    return [i * step_s for i in range(count)]


def _windows(sound: Sound, channel: int, starts: Sequence[float]) -> Iterator[NDArray[np.float32]]:
    for i in range(0, len(starts), _WINDOWS_AT_ONCE):
        group = starts[i : i + _WINDOWS_AT_ONCE]
        batch = np.zeros((len(group), int(WINDOW_S * SAMPLE_RATE_HZ)), np.float32)
        for row, start in zip(batch, group, strict=True):
            samples = sound.channel(channel, start, start + WINDOW_S)
            row[: samples.size] = samples
        yield batch


def speech_frames(
    probability: NDArray[np.float32], settings: SpeechSettings
) -> list[tuple[int, int]]:
    """Return runs of frames with speech: on above `onset`, off below `offset`, gaps bridged."""
    return _runs(probability, settings.onset, settings.offset, settings)


def audible_frames(
    probability: NDArray[np.float32], settings: SpeechSettings
) -> list[tuple[int, int]]:
    """Return runs of frames that may contain speech; each run with speech lies inside one."""
    onset = min(settings.audible_onset, settings.onset)
    offset = min(settings.audible_offset, settings.offset)
    return _runs(probability, onset, offset, settings)


def _runs(
    probability: NDArray[np.float32], onset: float, offset: float, settings: SpeechSettings
) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    start: int | None = None
    for i, p in enumerate(probability):
        if start is None and p > onset:
            start = i
        elif start is not None and p < offset:
            runs.append((start, i))
            start = None
    if start is not None:
        runs.append((start, len(probability)))
    bridged: list[tuple[int, int]] = []
    for first, last in runs:
        if bridged and (first - bridged[-1][1]) * FRAME_STEP_S < settings.bridge_gap_s:
            bridged[-1] = (bridged[-1][0], last)
        else:
            bridged.append((first, last))
    return [r for r in bridged if (r[1] - r[0]) * FRAME_STEP_S >= settings.min_speech_s]


def to_times(runs: Sequence[tuple[int, int]], duration_s: float) -> list[Interval]:
    """Return runs of frames as start and end in seconds, inside the recording."""
    times = ((frame_time_s(a), min(duration_s, frame_time_s(b))) for a, b in runs)
    return [(a, b) for a, b in times if b > a]


# Sound that is neither speech nor silence: hold music, ringing, tones; found between speech.


_FRAME_S = 0.05
_FRAME = int(_FRAME_S * SAMPLE_RATE_HZ)
_MIN_TONE_S = 2.0
_AUDIBLE_DBFS = -50.0
_SOUNDING_SHARE = 0.6
_TONAL_FLATNESS = 0.15  # spectral flatness of white noise is about 0.56, of a pure tone near 0
_STEADY_SHARE = 0.8


def find_tones(sound: Sound, speech: Sequence[SpeechSegment]) -> tuple[ToneSegment, ...]:
    """Return spans of at least 2 s without speech in which some channel holds tonal sound.

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
    """Return parts of a gap with audible sound most of the time, at least 2 s long."""
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


# Cut a channel's speech into segments of one voice, and find where two voices overlap.


_SAME_VOICE = 0.7  # cosine of local activities across a window's border
_LOOK_S = 1.0
_BOTH = 0.5


@dataclass(frozen=True)
class VoiceSegment:
    """Frames `start:end` of the recording in which one voice speaks.

    `window` and `local` identify the window and its local speaker.
    """

    start: int
    end: int
    window: int
    local: int

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return (self.end - self.start) * FRAME_STEP_S


def cut_at_changes(
    activity: Activity, runs: list[tuple[int, int]], min_stretch_s: float
) -> list[VoiceSegment]:
    """Return segments of one voice, in order; together they cover `runs` exactly."""
    return [s for first, last in runs for s in _cut_run(activity, first, last, min_stretch_s)]


def _cut_run(activity: Activity, first: int, last: int, min_stretch_s: float) -> list[VoiceSegment]:
    pieces: list[VoiceSegment] = []
    for start, end, window in _by_owner(activity, first, last):
        local = activity.local_between(window, start, end).argmax(axis=1)
        if local.size == 0:
            local = np.zeros(end - start, np.int64)
        borders = [0, *(np.flatnonzero(np.diff(local)) + 1), local.size]
        for a, b in itertools.pairwise(borders):
            stop = end if b == local.size else start + int(b)
            pieces.append(VoiceSegment(start + int(a), stop, window, int(local[a])))
    return _joined(activity, _absorbed(pieces, min_stretch_s))


def _by_owner(activity: Activity, first: int, last: int) -> list[tuple[int, int, int]]:
    owners = [activity.owner(f) for f in range(first, last)]
    borders = [0, *(np.flatnonzero(np.diff(owners)) + 1), len(owners)]
    return [
        (first + int(a), first + int(b), owners[int(a)]) for a, b in itertools.pairwise(borders)
    ]


def _absorbed(pieces: list[VoiceSegment], min_stretch_s: float) -> list[VoiceSegment]:
    """Return the pieces with flickers of the label merged into their neighbours."""
    pieces = list(pieces)
    while len(pieces) > 1:
        i = min(range(len(pieces)), key=lambda k: pieces[k].duration_s)
        if pieces[i].duration_s >= min_stretch_s:
            break
        gone = pieces.pop(i)
        if i == 0:
            after = pieces[0]
            pieces[0] = VoiceSegment(gone.start, after.end, after.window, after.local)
        else:
            before = pieces[i - 1]
            pieces[i - 1] = VoiceSegment(before.start, gone.end, before.window, before.local)
    return pieces


def _joined(activity: Activity, pieces: list[VoiceSegment]) -> list[VoiceSegment]:
    """Return the pieces, joining a voice that goes on across the border between two windows.

    Inside a window another local speaker is another voice, however much the two overlap.
    """
    joined = pieces[:1]
    for before, piece in itertools.pairwise(pieces):
        last = joined[-1]
        if before.window != piece.window and _goes_on(activity, before, piece):
            joined[-1] = VoiceSegment(last.start, piece.end, last.window, last.local)
        else:
            joined.append(piece)
    return joined


def _goes_on(activity: Activity, before: VoiceSegment, after: VoiceSegment) -> bool:
    """Return whether a voice goes on across a border, and is the louder one on both sides of it.

    Where two speak at once before the border, one of whom stops, the local speakers are alike.
    """
    look = int(_LOOK_S / FRAME_STEP_S)
    cosines, stays = [], False
    for window in {before.window, after.window}:
        x = activity.local_between(window, max(before.start, before.end - look), before.end)
        y = activity.local_between(window, after.start, min(after.end, after.start + look))
        if len(x) and len(y):
            mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
            cosines.append(_cosine(mean_x, mean_y))
            stays = stays or mean_x.argmax() == mean_y.argmax()
    return bool(stays) and float(np.mean(cosines)) > _SAME_VOICE


def _cosine(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    return float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y) + 1e-9))


def share_with_two_voices(activity: Activity) -> float:
    """Return the share of windows with speech in which two voices were heard for 0.5 s each."""
    seconds = (activity.local > _BOTH).sum(axis=1) * FRAME_STEP_S
    with_speech = seconds.max(axis=1) >= _BOTH
    two = np.sort(seconds, axis=1)[:, -2] >= _BOTH
    return float(two[with_speech].mean()) if with_speech.any() else 0.0


# Two voices at once.

# Inside a turn, the probability of two voices must reach a height and add up to some seconds: so it
# did in 106 of 119 planted backchannels, and in 9 places where one voice was taken for two.
_BOTH_ONSET, _BOTH_WITHIN, _BOTH_WITHIN_S = 0.4, 0.66, 0.27
# Where the speaker changes without a pause, the new party is heard from where it is on, and the old
# one until it is off. Half of the planted edges are within 50 ms of these; before a change of
# speaker the network expects the next voice, but less surely than this.
# Of 179 planted overlaps at the end of a turn, 0.87 are at most 0.3 s long by the first of these,
# and 0.89 of 423 interruptions longer; by 0.8, 0.84 and 0.92.
_ON = (0.85, 0.7, 0.6, 0.5)  # the first at which the two meet, for so long:
_LEAST_TOGETHER_S = 0.03
_LONG_TOGETHER_S = 0.3  # longer than this it must be plain, as inside a turn
_NEAR_S = 0.5
# Of 30 interruptions that were found beside a planted one, 18 were of who had been interrupted,
# after a lapse of up to so long; both were heard for so long before and after it.
_LAPSE_MAX_S, _LAPSE_AROUND_S = 0.65, 0.3
_UNSHARED = 0.01  # what a local speaker's time counts that it shares with no party


@dataclass(frozen=True)
class Stretch:
    """Frames `start:end` of the recording in which one party is heard."""

    start: int
    end: int
    party: str


@dataclass(frozen=True)
class _Change:
    """A frame at which the louder of two parties changes without a pause.

    `before` and `after` are their places, `reach` the changes before and after it.
    """

    frame: int
    before: int
    after: int
    reach: tuple[int, int]


def with_overlaps(
    activity: Activity, stretches: Sequence[Stretch], settings: SpeechSettings
) -> list[Stretch]:
    """Return when each party is heard, others at the same time included.

    `stretches`, of who is heard alone or is the louder, do not overlap and are in order.
    """
    names = sorted({s.party for s in stretches})
    spoken = np.zeros((len(names), len(activity.both)), bool)
    for s in stretches:
        spoken[names.index(s.party), s.start : s.end] = True
    if len(names) > 1:
        heard = party_activity(activity, spoken)
        for change in _changes(stretches, names, len(activity.both)):
            _meet(change, activity, heard, spoken)
        for first, last in _inside_turns(activity, spoken, settings):
            for party in np.argsort(-heard[:, first:last].mean(axis=1))[:2]:
                spoken[party, first:last] = True
        spoken = _with_lapses(spoken)
    found = [
        Stretch(start, end, name)
        for name, own in zip(names, spoken, strict=True)
        for start, end in _spans(own)
    ]
    return sorted(found, key=lambda s: (s.start, s.party))


def party_activity(activity: Activity, spoken: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the probability that each party is heard (parties, frames), averaged over windows.

    In each window a local speaker is the party in whose time it is heard most, and no two of them
    are the same. `spoken` (parties, frames) says which party is the louder.
    """
    parties, total = spoken.shape
    orders = list(itertools.permutations(range(max(parties, 3)), 3))
    heard = np.zeros((max(parties, 3), total), np.float32)
    weight = np.full(total, 1e-9, np.float32)
    taper = (np.hamming(activity.local.shape[1]) + 1e-3).astype(np.float32)
    for start_s, window in zip(activity.starts_s, activity.local, strict=True):
        first = round(float(start_s) / FRAME_STEP_S)
        local = window[: total - first]
        here = slice(first, first + len(local))
        shared = np.zeros((len(heard), 3), np.float32)
        shared[:parties] = spoken[:, here] @ local + _UNSHARED * local.sum(axis=0)
        order = max(orders, key=lambda o: sum(shared[p, i] for i, p in enumerate(o)))
        heard[list(order), here] += (taper[: len(local), None] * local).T
        weight[here] += taper[: len(local)]
    averaged: NDArray[np.float32] = (heard[:parties] / weight).astype(np.float32)
    return averaged


def _changes(stretches: Sequence[Stretch], names: Sequence[str], total: int) -> list[_Change]:
    found = [
        (after.start, names.index(before.party), names.index(after.party))
        for before, after in itertools.pairwise(stretches)
        if before.party != after.party and before.end == after.start
    ]
    frames = [0, *(frame for frame, _, _ in found), total]
    return [_Change(*c, (frames[i], frames[i + 2])) for i, c in enumerate(found)]


def _meet(
    change: _Change,
    activity: Activity,
    heard: NDArray[np.float32],
    spoken: NDArray[np.bool_],
) -> None:
    """Have both parties of a change speak where both are heard."""
    least = _LEAST_TOGETHER_S / FRAME_STEP_S
    found = (_edges(change, heard, on) for on in _ON)
    start, end = next((f for f in found if f is not None and f[1] - f[0] >= least), (0, 0))
    if start == end:
        return
    is_long = (end - start) * FRAME_STEP_S > _LONG_TOGETHER_S
    if is_long and not _is_plain(activity.both[start:end]):
        return
    spoken[change.after, start : change.frame] = True
    spoken[change.before, change.frame : end] = True
    spoken[change.after, change.frame : start] = False
    spoken[change.before, end : change.frame] = False


def _edges(change: _Change, heard: NDArray[np.float32], least: float) -> tuple[int, int] | None:
    """Return where the new party begins and where the old one ends, near the change."""
    first, last = change.reach
    near = round(_NEAR_S / FRAME_STEP_S)
    around = slice(max(first, change.frame - near), min(last, change.frame + near))
    on = [
        around.start + np.flatnonzero(heard[p, around] > least)
        for p in (change.after, change.before)
    ]
    if not (on[0].size and on[1].size):
        return None
    begun, going = (int(frames[np.abs(frames - change.frame).argmin()]) for frames in on)
    before = np.flatnonzero(heard[change.after, first:begun] <= least)
    after = np.flatnonzero(heard[change.before, going:last] <= least)
    start = first + int(before[-1]) + 1 if before.size else first
    return start, going + int(after[0]) if after.size else last


def _inside_turns(
    activity: Activity, spoken: NDArray[np.bool_], settings: SpeechSettings
) -> list[tuple[int, int]]:
    """Return the runs of frames in which two voices are plain and two parties not known at all.

    Where a change of speaker has told who is heard until when, this would only make it longer: the
    network goes on to expect both for up to a second.
    """
    found = []
    for first, last in _runs(activity.both, _BOTH_ONSET, _BOTH_ONSET, settings):
        is_known = bool((spoken[:, first:last].sum(axis=0) > 1).any())
        if not is_known and _is_plain(activity.both[first:last]):
            likely = first + np.flatnonzero(activity.both[first:last] > _BOTH)
            found.append((int(likely[0]), int(likely[-1]) + 1))
    return found


def _with_lapses(spoken: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (parties, frames) with the lapses of a party that speaks over another filled.

    While two speak at once the network loses one of them for a while. That is no pause after which
    the party would come in again: it is heard with the same other one before and after it.
    """
    filled = spoken.copy()
    around, longest = round(_LAPSE_AROUND_S / FRAME_STEP_S), _LAPSE_MAX_S / FRAME_STEP_S
    for one, other in itertools.permutations(range(len(spoken)), 2):
        together = _spans(spoken[one] & spoken[other])
        for (first, start), (end, last) in itertools.pairwise(together):
            is_short = end - start <= longest and min(start - first, last - end) >= around
            if is_short and spoken[other, start:end].all() and not spoken[one, start:end].any():
                filled[one, start:end] = True
    return filled


def _spans(frames: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return where the frames are true, as starts and ends."""
    borders = np.flatnonzero(np.diff(np.pad(frames.astype(np.int8), 1)))
    return [(int(start), int(end)) for start, end in borders.reshape(-1, 2)]


def _is_plain(both: NDArray[np.float32]) -> bool:
    """Return whether two voices are heard surely enough, and for long enough."""
    return bool(both.max() >= _BOTH_WITHIN and both.sum() * FRAME_STEP_S >= _BOTH_WITHIN_S)


# The faint edges of speech, in which a word may begin or end.


def with_padding(
    segments: Sequence[SpeechSegment], audible: Sequence[Interval]
) -> list[SpeechSegment]:
    """Return the segments in order, widened to cover all of the `audible` intervals they lie in.

    The first reaches back to the interval's beginning, each on to the next, the last to its end.
    `segments` do not overlap, and each lies in one interval; an interval without any is left out,
    since whatever is in it was too faint to be speech.
    """
    ordered = sorted(segments, key=lambda s: s.start_s)
    starts = [start_s for start_s, _ in audible]
    homes = [bisect_right(starts, s.start_s) - 1 for s in ordered]
    widened = []
    for i, (segment, home) in enumerate(zip(ordered, homes, strict=True)):
        first = i == 0 or homes[i - 1] != home
        last = i == len(ordered) - 1 or homes[i + 1] != home
        start_s = audible[home][0] if first else segment.start_s
        end_s = audible[home][1] if last else ordered[i + 1].start_s
        widened.append(replace(segment, start_s=start_s, end_s=end_s))
    return widened

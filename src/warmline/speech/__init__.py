"""Find each party's speech: by channel where channels are people, by voice where they are not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from warmline.models.engines import Engines
from warmline.processes import ProgressCallback, no_progress, part_of
from warmline.recordings.sound import Sound
from warmline.settings import SpeechSettings
from warmline.speech.activity import (
    Stretch,
    VoiceSegment,
    audible_frames,
    cut_at_changes,
    find_tones,
    frame_time_s,
    hear_activity,
    share_with_two_voices,
    speech_frames,
    to_times,
    with_overlaps,
    with_padding,
)
from warmline.speech.crosstalk import own_speech
from warmline.values import ChannelLayout, SpeakerSource, Speech, SpeechSegment


def listen(
    sound: Sound,
    layout: ChannelLayout,
    settings: SpeechSettings,
    engines: Engines,
    progress: ProgressCallback = no_progress,
) -> Speech:
    """Detect who speaks when.

    Separate channels make a party each; otherwise there is a party per voice. Where one of two
    channels carries no voice, the other is expected to hold one party, and the second party is
    there without speech. A recording without speech has no segments, and a reason that says what it
    contains instead. `progress` is called with the share that is done.
    """
    if layout.kind == "stereo":
        return _by_channel(sound, settings, engines, progress)
    heard = _by_voice(sound, settings, engines, progress, one_expected=layout.lacks_a_party)
    if layout.lacks_a_party and layout.channel_count == 2 and len(heard.parties) == 1:
        return replace(heard, parties=("A", "B"), reason=f"{heard.reason}; {layout.reason}")
    return heard


def live_channel(heard: Speech) -> int | None:
    """Return the place of the only channel with speech, where each party has a channel."""
    speaking = {segment.party for segment in heard.segments}
    if heard.source is not SpeakerSource.CHANNEL or len(speaking) != 1 or len(heard.parties) < 2:
        return None
    return heard.parties.index(speaking.pop())


# Speaker clustering: one embedding per segment, with a confidence.


Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]

# Two voices where one was expected: margin, share of windows with both, share of the smaller.
_PLAIN_MARGIN = 0.15
_PLAIN_WINDOWS = 0.3
_PLAIN_SHARE = 0.08
# Where each part has several segments, one voice cut in two has a margin of at most 0.10, and two
# voices one of 0.13 or more, in the recordings this was set on; in others up to 0.19 and from 0.07.
_ONE_VOICE_MARGIN = 0.11
_SEGMENTS_FOR_MARGIN, _SCRAP_S = 3, 1.5
# A voice's segments are at least so much like the rest of it, by their length.
_ALIKE_S, _ALIKE_COSINE = (0.4, 0.7, 1.0, 2.0, 3.0), (0.18, 0.33, 0.38, 0.52, 0.58)
_LONE_SEGMENT_COSINE = 0.08  # so much more unlike the others must a voice of one segment be
# A voice that speaks for less than this must be more unlike the others, by so much for each second.
_BRIEF_S, _BRIEF_COSINE_PER_S = 4.0, 0.09
_STARTS, _MOST_ROUNDS = 16, 100  # of the clustering
_LONGEST_WEIGHT_S = 3.0  # beyond this a longer segment tells no more about a voice


@dataclass(frozen=True, eq=False)
class Voices:
    """A speaker label per segment, with a confidence (0..1). `margin` is what decided."""

    labels: Labels
    count: int
    margin: float
    confidence: float
    reason: str


def cluster_speakers(
    embeddings: Vectors,
    durations_s: NDArray[np.float64],
    two_voice_share: float,
    settings: SpeechSettings,
    one_expected: bool = False,
) -> Voices:
    """Cluster segments by voice.

    `embeddings` is (segments, dimension), unit length; `durations_s` (segments,); `two_voice_share`
    the share of windows in which the segmentation heard two voices. Two voices are expected, unless
    `one_expected`: then they must be clearly two.
    """
    n = len(embeddings)
    weights = np.minimum(durations_s, _LONGEST_WEIGHT_S)
    wanted = settings.expected_parties
    if n < 2 or wanted == 1:
        return Voices(np.zeros(n, np.int64), 1, 0.0, 1.0 if wanted == 1 else 0.5, "one segment")
    if wanted > 1:
        labels = _cluster(embeddings, weights, min(wanted, n))
        return _judged(embeddings, weights, labels, "told how many")
    two = _cluster(embeddings, weights, 2)
    judged = _judged(embeddings, weights, two, "two voices expected")
    if one_expected:
        is_one = not _plainly_two(judged, durations_s, two_voice_share)
    else:
        is_one = _is_one_cut_in_two(
            embeddings, durations_s, judged, two_voice_share < settings.one_voice_share, settings
        )
    if is_one:
        return Voices(np.zeros(n, np.int64), 1, judged.margin, 0.5, "one voice heard")
    for count in range(min(settings.max_parties, n), 2, -1):
        labels = _cluster(embeddings, weights, count)
        if _stand_apart(embeddings, weights, durations_s, labels, settings):
            return _judged(embeddings, weights, labels, f"{count} voices stand apart")
    return judged


def _plainly_two(judged: Voices, durations_s: NDArray[np.float64], two_voice_share: float) -> bool:
    """Return whether nothing suggests that one voice was cut in two.

    Of eight mixes all pass this, of sixteen channels of one voice none: those have a margin of 0.14
    at most, or a smaller voice of 0.03, or two voices in a fifth of the windows.
    """
    first_s = float(durations_s[judged.labels == 0].sum())
    smaller = min(first_s, float(durations_s.sum()) - first_s) / float(durations_s.sum())
    return (
        judged.margin >= _PLAIN_MARGIN
        and two_voice_share >= _PLAIN_WINDOWS
        and smaller >= _PLAIN_SHARE
    )


def _is_one_cut_in_two(
    embeddings: Vectors,
    durations_s: NDArray[np.float64],
    judged: Voices,
    windows_hold_one: bool,
    settings: SpeechSettings,
) -> bool:
    """Return whether the two that were found are parts of one voice.

    The margin tells where each has several segments. Where the smaller has but one or two, or
    little speech, its likeness to the other does: a short segment is unlike its own voice. (In
    windows full of one voice, as a message left has them, the segmentation often hears two.)
    """
    if windows_hold_one and judged.margin < settings.one_voice_margin:
        return True
    parts = [judged.labels == k for k in range(judged.count)]
    counts = [int(part.sum()) for part in parts]
    if len(parts) < 2 or (min(counts) > 1 and judged.margin < _ONE_VOICE_MARGIN):
        return True
    seconds = [float(durations_s[part].sum()) for part in parts]
    small = int(np.argmin(seconds))
    if counts[small] >= _SEGMENTS_FOR_MARGIN and seconds[small] >= _SCRAP_S:
        return False
    weights = np.minimum(durations_s, _LONGEST_WEIGHT_S)
    first, second = (_centroid(embeddings[part], weights[part]) for part in parts)
    return float(first @ second) > float(np.interp(seconds[small], _ALIKE_S, _ALIKE_COSINE))


def _cluster(embeddings: Vectors, weights: NDArray[np.float64], count: int) -> Labels:
    """Return the labels of k-means, the best of some starts far apart (k-means++).

    The starts are drawn from the same seed every time. scikit-learn has it as well, and takes a
    second to import.
    """
    rng = np.random.default_rng(0)
    found = [
        _nearest(embeddings, weights, _far_apart(embeddings, weights, count, rng))
        for _ in range(_STARTS)
    ]
    _, labels = min(found, key=lambda one: one[0])
    return np.asarray(np.unique(labels, return_inverse=True)[1], np.int64)


def _far_apart(
    embeddings: Vectors, weights: NDArray[np.float64], count: int, rng: np.random.Generator
) -> Vectors:
    """Return segments to begin with, each likelier the farther it is from those before it."""
    chance = weights
    chosen: list[int] = []
    while len(chosen) < count and chance.sum() > 0:
        chosen.append(int(rng.choice(len(weights), p=chance / chance.sum())))
        chance = weights * _distances(embeddings, embeddings[chosen]).min(axis=1)
    return embeddings[chosen]


def _nearest(
    embeddings: Vectors, weights: NDArray[np.float64], centres: Vectors
) -> tuple[float, Labels]:
    """Return the sum of squared distances and each segment's nearest centre, when none moves."""
    labels = np.full(len(embeddings), -1)
    for _ in range(_MOST_ROUNDS):
        distances = _distances(embeddings, centres)
        before, labels = labels, distances.argmin(axis=1)
        if (labels == before).all():
            break
        mine = (labels[:, None] == np.arange(len(centres))) * weights[:, None]
        total = mine.sum(axis=0)[:, None]
        centres = np.where(total > 0, mine.T @ embeddings / np.maximum(total, 1e-9), centres)
    return float(weights @ distances.min(axis=1)), labels


def _distances(embeddings: Vectors, centres: Vectors) -> NDArray[np.float64]:
    """Return the squared distance of each segment, of unit length, from each centre."""
    apart: NDArray[np.float64] = 1 - 2 * embeddings @ centres.T + np.square(centres).sum(axis=1)
    return np.maximum(0.0, apart)


def _centroid(embeddings: Vectors, weights: NDArray[np.float64]) -> Vectors:
    total = (weights[:, None] * embeddings).sum(axis=0)
    return np.asarray(total / (np.linalg.norm(total) + 1e-9), np.float32)


def _judged(
    embeddings: Vectors, weights: NDArray[np.float64], labels: Labels, reason: str
) -> Voices:
    margin = _left_out_margin(embeddings, weights, labels)
    # Two real voices had margins from 0.16 to 0.65, one voice cut in two from -0.1 to 0.16.
    confidence = float(1 / (1 + np.exp(-(margin - 0.14) / 0.05)))
    return Voices(labels, int(labels.max()) + 1, margin, confidence, reason)


def _left_out_margin(embeddings: Vectors, weights: NDArray[np.float64], labels: Labels) -> float:
    """Return how much nearer, in cosine, a segment is to the other segments of its own voice.

    Nearer than to the nearest other voice, averaged by duration; a voice's only segment counts as
    0.
    """
    margins = np.zeros(len(embeddings))
    for i, label in enumerate(labels):
        own = labels == label
        own[i] = False
        if not own.any():
            continue
        others = [
            float(embeddings[i] @ _centroid(embeddings[labels == k], weights[labels == k]))
            for k in np.unique(labels)
            if k != label
        ]
        mine = float(embeddings[i] @ _centroid(embeddings[own], weights[own]))
        margins[i] = mine - max(others, default=0.0)
    return float((weights * margins).sum() / weights.sum())


def _stand_apart(
    embeddings: Vectors,
    weights: NDArray[np.float64],
    durations_s: NDArray[np.float64],
    labels: Labels,
    settings: SpeechSettings,
) -> bool:
    kinds = np.unique(labels)
    least_s = min(float(durations_s[labels == k].sum()) for k in kinds)
    if least_s < settings.further_voice_min_s:
        return False
    most_alike = settings.further_voice_cosine
    most_alike -= _BRIEF_COSINE_PER_S * max(0.0, _BRIEF_S - least_s)
    if any((labels == k).sum() == 1 for k in kinds):  # one segment may be unlike its own voice
        most_alike -= _LONE_SEGMENT_COSINE
    centroids = np.stack([_centroid(embeddings[labels == k], weights[labels == k]) for k in kinds])
    cosines = centroids @ centroids.T
    return bool(cosines[~np.eye(len(kinds), dtype=bool)].max() < most_alike)


_SHORTEST_PRINT_S = 0.4
_LONGEST_PRINT_S = 8.0
_PRINTS_AT_ONCE = 32
_ACTIVITY = 0.4  # the share of the time it takes, when voices are clustered


def _party_label(index: int) -> str:
    """Return `A`, `B`, ... for the first, second, ... party."""
    return chr(ord("A") + index)


def _by_channel(
    sound: Sound,
    settings: SpeechSettings,
    engines: Engines,
    progress: ProgressCallback = no_progress,
) -> Speech:
    """Return one party per channel; confidence depends on how well crosstalk could be removed."""
    count = sound.channel_count
    heard = [
        hear_activity(
            sound, c, settings, engines, part_of(progress, c / count, (c + 1) / count)
        ).speech
        for c in range(count)
    ]
    found = own_speech(sound, heard, settings.leakage_db)
    segments, audible = [], []
    for channel, speech in enumerate(found.probabilities):
        own = [
            SpeechSegment(start_s, end_s, _party_label(channel))
            for start_s, end_s in to_times(speech_frames(speech, settings), sound.duration_s)
        ]
        segments += own
        audible += with_padding(own, to_times(audible_frames(speech, settings), sound.duration_s))
    return _speech(
        sound,
        SpeakerSource.CHANNEL,
        [_party_label(c) for c in range(count)],
        _Heard(segments, segments, audible),
        found.confidence,
        "; ".join(filter(None, ["each party has a channel", found.reason])),
    )


def _by_voice(
    sound: Sound,
    settings: SpeechSettings,
    engines: Engines,
    progress: ProgressCallback = no_progress,
    one_expected: bool = False,
) -> Speech:
    """Return one party per voice, in order of first speech; `one_expected` as in
    `cluster_speakers`.
    """
    activity = hear_activity(sound, 0, settings, engines, part_of(progress, 0.0, _ACTIVITY))
    runs = speech_frames(activity.speech, settings)
    if not runs:
        return _speech(sound, SpeakerSource.NONE, [], _Heard([], [], []), 0.0, "no speech")
    voice_segments = cut_at_changes(activity, runs, settings.min_stretch_s)
    voices = cluster_speakers(
        _embeddings(sound, voice_segments, engines, part_of(progress, _ACTIVITY, 1.0)),
        np.array([s.duration_s for s in voice_segments]),
        share_with_two_voices(activity),
        settings,
        one_expected,
    )
    stretches = _stretches(voice_segments, _parties(voices))
    exclusive = _segments(stretches, sound)
    segments = _segments(with_overlaps(activity, stretches, settings), sound)
    reach = to_times(audible_frames(activity.speech, settings), sound.duration_s)
    return _speech(
        sound,
        SpeakerSource.DIARIZATION,
        sorted({s.party for s in stretches}),
        _Heard(segments, exclusive, with_padding(exclusive, reach)),
        voices.confidence,
        f"{voices.reason}; margin {voices.margin:.2f}",
    )


def _embeddings(
    sound: Sound,
    voice_segments: Sequence[VoiceSegment],
    engines: Engines,
    progress: ProgressCallback,
) -> NDArray[np.float32]:
    prints = []
    for first in range(0, len(voice_segments), _PRINTS_AT_ONCE):
        progress(first / len(voice_segments))
        some = voice_segments[first : first + _PRINTS_AT_ONCE]
        prints.append(engines.embeddings([_samples(sound, s) for s in some]))
    return np.concatenate(prints)


def _samples(
    sound: Sound, voice_segment: VoiceSegment
) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Return the samples for an embedding: a very short segment is padded with its surroundings."""
    start_s, end_s = frame_time_s(voice_segment.start), frame_time_s(voice_segment.end)
    middle_s = (start_s + end_s) / 2
    half_s = min(max(end_s - start_s, _SHORTEST_PRINT_S), _LONGEST_PRINT_S) / 2
    start_s = min(max(0.0, middle_s - half_s), max(0.0, sound.duration_s - 2 * half_s))
    samples: np.ndarray[tuple[int], np.dtype[np.float32]] = sound.channel(
        0, start_s, start_s + 2 * half_s
    )
    return samples


def _parties(voices: Voices) -> list[str]:
    order = list(dict.fromkeys(voices.labels.tolist()))
    return [_party_label(order.index(label)) for label in voices.labels]


def _stretches(voice_segments: Sequence[VoiceSegment], parties: Sequence[str]) -> list[Stretch]:
    """Return the segments in order, with those of one party that touch joined."""
    joined: list[Stretch] = []
    for segment, party in zip(voice_segments, parties, strict=True):
        last = joined[-1] if joined else None
        if last and last.party == party and last.end == segment.start:
            joined[-1] = Stretch(last.start, segment.end, party)
        else:
            joined.append(Stretch(segment.start, segment.end, party))
    return joined


def _segments(stretches: Sequence[Stretch], sound: Sound) -> list[SpeechSegment]:
    return [
        SpeechSegment(start_s, end_s, stretch.party)
        for stretch in stretches
        for start_s, end_s in to_times([(stretch.start, stretch.end)], sound.duration_s)
    ]


@dataclass(frozen=True)
class _Heard:
    """The segments of a `Speech`, in any order."""

    segments: Sequence[SpeechSegment]
    exclusive: Sequence[SpeechSegment]
    audible: Sequence[SpeechSegment]


def _speech(
    sound: Sound,
    source: SpeakerSource,
    parties: list[str],
    heard: _Heard,
    confidence: float,
    reason: str,
) -> Speech:
    tones = find_tones(sound, heard.segments)
    if not heard.segments:
        kinds = sorted({t.kind for t in tones})
        reason = "no speech" + (
            f", only {' and '.join(kinds)}" if kinds else ", only silence or noise"
        )
    return Speech(
        source if heard.segments else SpeakerSource.NONE,
        tuple(parties),
        _in_order(heard.segments),
        _in_order(heard.exclusive),
        tones,
        confidence if heard.segments else 0.0,
        reason,
        _in_order(heard.audible),
    )


def _in_order(segments: Sequence[SpeechSegment]) -> tuple[SpeechSegment, ...]:
    return tuple(sorted(segments, key=lambda s: (s.start_s, s.party)))

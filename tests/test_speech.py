"""Who speaks when: laws of the parts, and truth from a recording nobody here labelled."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate

from warmline.models.engines import Engines
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound, decode
from warmline.settings import RecordingSettings, SpeechSettings
from warmline.speech import _cluster, cluster_speakers, listen
from warmline.speech.activity import (
    FRAME_STEP_S,
    Activity,
    Stretch,
    audible_frames,
    cut_at_changes,
    find_tones,
    speech_frames,
    with_overlaps,
    with_padding,
)
from warmline.speech.crosstalk import levels_of, without_crosstalk
from warmline.values import (
    ChannelLayout,
    Span,
    SpeakerSource,
    Speech,
    SpeechSegment,
    total_s,
    union,
)

SETTINGS = SpeechSettings()
MONO = ChannelLayout("mono", 1, None, "one channel")
STEREO = ChannelLayout("stereo", 2, 0.0, "two channels")

probabilities = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=300).map(
    lambda values: np.array(values, np.float32)
)


@given(probabilities)
def test_speech_runs_are_ordered_apart_and_long_enough(probability: np.ndarray) -> None:
    runs = speech_frames(probability, SETTINGS)
    for first, last in runs:
        assert (last - first) * FRAME_STEP_S >= SETTINGS.min_speech_s
        assert probability[first] > SETTINGS.onset
    for (_, end), (start, _) in pairwise(runs):
        assert (start - end) * FRAME_STEP_S >= SETTINGS.bridge_gap_s


offset_and_onset = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


@example(np.array([1, 0, 0, 0, 0.25, 0.5], np.float32), [0.25, 0.25], [0.0, 1.0])
@given(probabilities, offset_and_onset, offset_and_onset)
def test_what_is_audible_holds_all_speech_whatever_the_thresholds(
    probability: np.ndarray, sharp: list[float], faint: list[float]
) -> None:
    settings = SpeechSettings(
        offset=sharp[0], onset=sharp[1], audible_offset=faint[0], audible_onset=faint[1]
    )
    wide = audible_frames(probability, settings)
    for first, last in speech_frames(probability, settings):
        assert sum(start <= first and last <= end for start, end in wide) == 1


@given(st.lists(st.integers(0, 2), min_size=20, max_size=589), st.integers(0, 2))
def test_stretches_cover_the_speech_exactly_once(voices: list[int], seed: int) -> None:
    noise = np.random.default_rng(seed).random((1, 589, 3)).astype(np.float32) * 0.1
    for frame, voice in enumerate(voices):
        noise[0, frame, voice] += 0.8
    one = np.ones(589, np.float32)
    activity = Activity(np.array([0.0]), noise, one, np.zeros_like(one))
    stretches = cut_at_changes(activity, [(0, len(voices))], SETTINGS.min_stretch_s)
    edges = [stretches[0].start, *(s.end for s in stretches)]
    assert edges[0] == 0
    assert edges[-1] == len(voices)
    assert [s.start for s in stretches[1:]] == edges[1:-1]


def test_a_change_just_after_a_border_between_windows_is_not_taken_for_one_voice() -> None:
    frame = (np.arange(589) * FRAME_STEP_S).astype(np.float32)
    windows = np.zeros((2, 589, 3), np.float32)
    for window, start_s in zip(windows, (0.0, 5.0), strict=True):
        window[:, 0] = frame + start_s < 8.5
        window[:, 1] = frame + start_s > 7.5  # comes in while the other still speaks
    one = np.ones(889, np.float32)
    activity = Activity(np.array([0.0, 5.0]), windows, one, np.zeros_like(one))
    first, second = cut_at_changes(activity, [(0, 880)], SETTINGS.min_stretch_s)
    assert (first.start, second.end) == (0, 880)
    assert first.end * FRAME_STEP_S == pytest.approx(8.5, abs=0.05)


def test_a_voice_that_began_before_a_border_between_windows_is_not_the_one_that_ends_after_it() -> (
    None
):
    at_s = (np.arange(589) * FRAME_STEP_S)[None] + np.array([[0.0], [5.0]])
    windows = np.zeros((2, 589, 3), np.float32)
    windows[..., 0] = np.where(at_s < 7.5, 1.0, 0.8) * (at_s < 7.9)
    windows[..., 1] = at_s > 6.8  # both are on at the border, at 7.5 s
    one = np.ones(889, np.float32)
    activity = Activity(np.array([0.0, 5.0]), windows, one, np.zeros_like(one))
    first, second = cut_at_changes(activity, [(0, 880)], SETTINGS.min_stretch_s)
    assert (first.local, second.local) == (0, 1)
    assert first.end * FRAME_STEP_S == pytest.approx(7.5, abs=0.05)


Spans = list[tuple[int, int, float]]
APART = [Stretch(0, 400, "A"), Stretch(450, 560, "B")]
IN_TURN = [Stretch(0, 200, "A"), Stretch(200, 500, "B")]


def _voices_on(first: Spans, second: Spans) -> Activity:
    """Return ten seconds in which two voices have these probabilities at these frames."""
    local = np.zeros((1, 589, 3), np.float32)
    for voice, spans in enumerate((first, second)):
        for start, end, probability in spans:
            local[0, start:end, voice] = probability
    both = local[0, :, 0] * local[0, :, 1]
    return Activity(np.array([0.0]), local, np.ones(589, np.float32), both)


@pytest.mark.parametrize(
    ("stretches", "first", "second", "wanted"),
    [
        # inside a turn: half a second is a second voice, a flicker or a long doubt is none
        (APART, [(0, 400, 1)], [(100, 130, 0.9), (450, 560, 1)], [(100, 130)]),
        (APART, [(0, 400, 1)], [(100, 115, 0.9), (450, 560, 1)], []),
        (APART, [(0, 400, 1)], [(100, 150, 0.6), (450, 560, 1)], []),
        # a drop of the probability does not make two of one
        (APART, [(0, 400, 1)], [(100, 130, 0.9), (135, 300, 0.9), (450, 560, 1)], [(100, 300)]),
        # at a change of speaker: from where the new one is on to where the old one is off
        (IN_TURN, [(0, 212, 0.9)], [(185, 500, 0.9)], [(185, 212)]),
        # a lapse of who speaks over another is no pause, unless it is long or at one's beginning
        (APART, [(0, 400, 0.9)], [(100, 130, 0.9), (160, 190, 0.9), (450, 560, 1)], [(100, 190)]),
        (
            APART,
            [(0, 400, 0.9)],
            [(100, 130, 0.9), (170, 200, 0.9), (450, 560, 1)],
            [(100, 130), (170, 200)],
        ),
        (
            IN_TURN,
            [(0, 210, 0.9), (235, 260, 0.9)],
            [(195, 500, 0.9)],
            [(195, 210), (235, 260)],
        ),
        # and no longer, however long the network goes on to expect both
        (IN_TURN, [(0, 205, 0.9), (205, 280, 0.6)], [(195, 500, 0.95)], [(195, 205)]),
        (IN_TURN, [(0, 200, 0.9), (200, 215, 0.82)], [(190, 500, 0.9)], [(190, 200)]),
        # and not where the network only expects the new one
        (IN_TURN, [(0, 212, 0.9)], [(165, 200, 0.6), (200, 500, 0.9)], [(200, 212)]),
        # also where the louder one changes late
        (IN_TURN, [(0, 180, 0.9)], [(170, 500, 0.9)], [(170, 180)]),
        # both may be in doubt, as long as they meet, but not for long
        (
            IN_TURN,
            [(0, 195, 0.9), (195, 204, 0.55)],
            [(198, 204, 0.55), (204, 500, 0.9)],
            [(198, 204)],
        ),
        (
            IN_TURN,
            [(0, 190, 0.9), (190, 220, 0.55)],
            [(190, 220, 0.55), (220, 500, 0.9)],
            [],
        ),
        (IN_TURN, [(0, 200, 0.9)], [(200, 500, 0.9)], []),
    ],
)
def test_parties_speak_at_once_where_both_are_heard(
    stretches: list[Stretch], first: Spans, second: Spans, wanted: list[tuple[int, int]]
) -> None:
    found = with_overlaps(_voices_on(first, second), stretches, SETTINGS)
    own = {p: {f for s in found if s.party == p for f in range(s.start, s.end)} for p in "AB"}
    together = sorted(own["A"] & own["B"])
    assert together == [f for start, end in wanted for f in range(start, end)]
    assert own["A"] | own["B"] == {f for s in stretches for f in range(s.start, s.end)}


SPANS = st.lists(st.tuples(st.integers(0, 560), st.integers(1, 90), st.floats(0, 1)), max_size=6)


@given(SPANS, SPANS)
def test_who_speaks_at_once_takes_no_speech_away(first: Spans, second: Spans) -> None:
    voices = [[(a, a + length, p) for a, length, p in spans] for spans in (first, second)]
    found = with_overlaps(_voices_on(*voices), IN_TURN, SETTINGS)
    spoken = {f for s in found for f in range(s.start, s.end)}
    assert spoken >= set(range(500))
    for party in "AB":
        own = [s for s in found if s.party == party]
        assert all(s.start < s.end for s in own)
        assert all(before.end < after.start for before, after in pairwise(own))


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=8))
def test_what_is_audible_is_all_given_away_where_there_is_speech(
    shapes: list[tuple[int, int]],
) -> None:
    segments, audible, covered, at = [], [], [], 0.0
    for faint, count in shapes:  # a faint edge, so many segments with gaps between, a faint edge
        start_s, at = at, at + faint
        for party in "AB" * count:
            segments.append(SpeechSegment(at, at + 1, party))
            at += 1.5
        audible.append((start_s, at + faint))
        covered += audible[-1:] if count else []
        at += faint + 1
    given_ = with_padding(segments[::-1], audible)
    assert union(given_) == [Span(*interval) for interval in covered]
    assert total_s(given_) == pytest.approx(sum(s.duration_s for s in given_))
    for own, wide in zip(segments, given_, strict=True):
        assert own.party == wide.party
        assert wide.start_s <= own.start_s < own.end_s <= wide.end_s


def _voice(seed: int, count: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=192)
    vectors = centre / np.linalg.norm(centre) + spread * rng.normal(size=(count, 192)) / 14
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1)[:, None], np.float32)


def test_two_voices_are_found_without_being_told_and_one_stays_one() -> None:
    two = np.concatenate([_voice(1, 12, 0.8), _voice(2, 6, 0.8)])
    found = cluster_speakers(two, np.ones(18), 0.5, SETTINGS)
    assert found.count == 2
    assert len(set(found.labels[:12])) == 1
    assert len(set(found.labels[12:])) == 1
    assert found.confidence > 0.9
    alone = cluster_speakers(_voice(3, 18, 0.8), np.ones(18), 0.0, SETTINGS)
    assert alone.count == 1


@pytest.mark.parametrize(("each_s", "count"), [(0.2, 2), (0.3, 3)])
def test_a_third_voice_counts_only_when_it_speaks_for_a_while(each_s: float, count: int) -> None:
    three = np.concatenate([_voice(1, 9, 0.5), _voice(2, 9, 0.5), _voice(3, 9, 0.5)])
    assert cluster_speakers(three, np.ones(27), 0.5, SETTINGS).count == 3
    brief = np.r_[np.ones(18), np.full(9, each_s)]
    assert cluster_speakers(three, brief, 0.5, SETTINGS).count == count


def _alike(alike: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two voices without spread, their cosine given."""
    one, other = _voice(1, 1, 0.0)[0], _voice(2, 1, 0.0)[0]
    other = other - (other @ one) * one
    second = alike * one + (1 - alike**2) ** 0.5 * other / np.linalg.norm(other)
    return np.tile(one, (count, 1)), np.asarray(second, np.float32)


@pytest.mark.parametrize(
    ("alike", "seconds", "count"),
    [(0.43, 0.7, 1), (0.2, 0.7, 2), (0.65, 3.0, 1), (0.5, 3.0, 2)],
)
def test_one_segment_is_another_voice_if_it_is_unlike_for_its_length(
    alike: float, seconds: float, count: int
) -> None:
    """The windows hold two, as they often do where somebody leaves a message."""
    many, other = _alike(alike, 5)
    voices = np.concatenate([many, other[None]]).astype(np.float32)
    found = cluster_speakers(voices, np.r_[np.full(5, 2.0), seconds], 0.7, SETTINGS)
    assert found.count == count


@pytest.mark.parametrize(("alike", "count"), [(0.55, 3), (0.65, 2)])
def test_a_third_voice_is_told_from_one_that_is_cut_in_two(alike: float, count: int) -> None:
    """Of 66 pairs of voices in real calls 64 are less alike than 0.56; one cut in two is so by 0.63
    or more.
    """
    one, two, three = (_voice(seed, 9, 0.0) for seed in (1, 2, 3))
    three = three - (three @ two[0])[:, None] * two
    near = alike * two + (1 - alike**2) ** 0.5 * three / np.linalg.norm(three, axis=1)[:, None]
    voices = np.concatenate([one, two, near]).astype(np.float32)
    assert cluster_speakers(voices, np.ones(27), 0.5, SETTINGS).count == count


def _as_annotation(segments: tuple[SpeechSegment, ...]) -> Annotation:
    annotation = Annotation()
    for i, s in enumerate(segments):
        annotation[Segment(s.start_s, s.end_s), i] = s.party
    return annotation


def _der(reference: Annotation, speech: Speech, end_s: float, collar_s: float) -> float:
    metric = DiarizationErrorRate(collar=collar_s)
    uem = Timeline([Segment(0, end_s)])
    return float(metric(reference, _as_annotation(speech.segments), uem=uem))


@pytest.mark.models
def test_a_real_conversation_on_one_channel(engines: Engines, two_speakers: Path) -> None:
    sound = decode(two_speakers, RecordingSettings())
    speech = listen(sound, MONO, SETTINGS, engines)
    (reference,) = load_rttm(two_speakers.with_suffix(".rttm")).values()
    assert speech.source is SpeakerSource.DIARIZATION
    assert speech.parties == ("A", "B")
    assert _der(reference, speech, sound.duration_s, 0.5) < 0.10
    assert _der(reference, speech, sound.duration_s, 0.0) < 0.16


@pytest.mark.models
@pytest.mark.parametrize("who", ["speaker90", "speaker91"])
def test_a_real_voice_alone_is_one_party(engines: Engines, two_speakers: Path, who: str) -> None:
    """As in a message that was left: what one of the two says, with short pauses."""
    pcm = decode(two_speakers, RecordingSettings()).pcm[0]
    (reference,) = load_rttm(two_speakers.with_suffix(".rttm")).values()
    pause = np.random.default_rng(1).normal(0, 10, round(0.7 * SAMPLE_RATE_HZ)).astype(np.int16)
    parts = [pause]
    other = reference.subset([who], invert=True).get_timeline()
    for segment in reference.label_timeline(who).extrude(other):
        if segment.duration >= 0.6:
            first, last = (round(t * SAMPLE_RATE_HZ) for t in (segment.start, segment.end))
            parts += [pcm[first:last], pause]
    alone = Sound(np.concatenate(parts)[None], 16000, "pcm")
    assert listen(alone, MONO, SETTINGS, engines).parties == ("A",)


@pytest.mark.models
def test_two_channels_swap_with_their_parties(engines: Engines, two_speakers: Path) -> None:
    mono = decode(two_speakers, RecordingSettings()).pcm
    late = np.roll(mono, 5 * SAMPLE_RATE_HZ, axis=1)
    one = listen(Sound(np.concatenate([mono, late]), 16000, "pcm"), STEREO, SETTINGS, engines)
    other = listen(Sound(np.concatenate([late, mono]), 16000, "pcm"), STEREO, SETTINGS, engines)
    swap = {"A": "B", "B": "A"}
    swapped = {(s.start_s, s.end_s, swap[s.party]) for s in one.segments}
    assert swapped == {(s.start_s, s.end_s, s.party) for s in other.segments}
    assert one.confidence == 1.0


def test_a_faint_copy_of_the_other_party_is_not_speech() -> None:
    rng = np.random.default_rng(4)
    voice = (rng.normal(size=4 * SAMPLE_RATE_HZ) * 3000).astype(np.int16)
    quiet = np.zeros_like(voice)
    left = np.concatenate([voice, quiet, voice])
    right = np.concatenate([voice // 40, voice // 3, voice // 3])
    sound = Sound(np.stack([left, right]), 8000, "pcm")
    everywhere = np.ones(int(12 / FRAME_STEP_S), np.float32)
    heard = without_crosstalk(
        levels_of(sound, [everywhere, everywhere]), [everywhere, everywhere], SETTINGS.leakage_db
    )
    seconds = [(h > 0).sum() * FRAME_STEP_S for h in heard]
    assert seconds[0] == pytest.approx(8, abs=0.5)  # not while only the right one speaks
    assert seconds[1] == pytest.approx(8, abs=0.5)  # its first 4 s are a leak, 32 dB down


def _hold_music(seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    notes = np.array([262, 330, 392, 523, 440, 349, 294, 494])[(t / 0.5).astype(int) % 8]
    melody = sum(np.sin(2 * np.pi * np.cumsum(notes * k) / SAMPLE_RATE_HZ) / k for k in (1, 2, 3))
    return (melody * 4000).astype(np.int16)[None]


def _tone(seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (6000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)[None]


def _noise(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=int(seconds * SAMPLE_RATE_HZ)) * 1500).astype(np.int16)[None]


@pytest.mark.models
@pytest.mark.parametrize(
    ("pcm", "kinds"),
    [
        (_tone(20), {"tone"}),
        (_hold_music(20), {"music"}),
        (_noise(20), set()),
        (np.zeros((1, 20 * SAMPLE_RATE_HZ), np.int16), set()),
    ],
    ids=["tone", "music", "noise", "silence"],
)
def test_what_is_not_speech_has_no_speech(
    pcm: np.ndarray, kinds: set[str], engines: Engines
) -> None:
    speech = listen(Sound(pcm, 8000, "pcm"), MONO, SETTINGS, engines)
    assert speech.segments == ()
    assert speech.source is SpeakerSource.NONE
    assert {t.kind for t in speech.tones} == kinds
    assert "no speech" in speech.reason


def test_hold_music_between_speech_is_found_where_it_is() -> None:
    pcm = np.concatenate(
        [np.zeros((1, 5 * SAMPLE_RATE_HZ), np.int16), _hold_music(10), _noise(5) // 30], axis=1
    )
    spoken = (SpeechSegment(0, 4, "A"), SpeechSegment(15.5, 20, "A"))
    (tone,) = find_tones(Sound(pcm, 8000, "pcm"), spoken)
    assert tone.kind == "music"
    assert tone.start_s == pytest.approx(5, abs=1.0)
    assert tone.end_s == pytest.approx(15, abs=1.0)


@pytest.mark.parametrize("count", [2, 3])
def test_voices_are_clustered_as_well_as_by_scikit_learn(count: int) -> None:
    """By the weighted sum of squared distances from the centres, which both make small."""
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(5)
    for _ in range(5):
        voices = rng.normal(size=(count, 192))[rng.integers(count, size=60)]
        segments = voices + rng.normal(scale=rng.uniform(0.3, 2.0), size=voices.shape)
        segments /= np.linalg.norm(segments, axis=1, keepdims=True)
        weights = rng.uniform(0.1, 3.0, len(segments))
        labels = _cluster(segments.astype(np.float32), weights, count)
        theirs = KMeans(count, n_init=16, random_state=0).fit(segments, sample_weight=weights)
        assert set(labels) == set(range(count))
        assert _scatter(segments, weights, labels) <= 1.001 * theirs.inertia_


def _scatter(segments: np.ndarray, weights: np.ndarray, labels: np.ndarray) -> float:
    """The weighted sum of squared distances from the means of the clusters."""
    scatter = 0.0
    for label in set(labels):
        mine, weight = segments[labels == label], weights[labels == label]
        away = np.square(mine - np.average(mine, axis=0, weights=weight)).sum(axis=1)
        scatter += float(weight @ away)
    return scatter

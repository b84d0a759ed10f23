"""Speech of each party: by channel where channels are people, by voice where they are not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmline.engines import Engines
from warmline.recordings.sound import Sound
from warmline.settings import SpeechSettings
from warmline.speech.activity import (
    Activity,
    Interval,
    audible_frames,
    frame_time_s,
    hear_activity,
    speech_frames,
    to_times,
)
from warmline.speech.edges import with_edges
from warmline.speech.leakage import own_speech
from warmline.speech.stretches import Stretch, cut_at_changes, overlapped, share_with_two_voices
from warmline.speech.tones import find_tones
from warmline.speech.voices import Voices, tell_apart
from warmline.telling import Tell, nobody, within
from warmline.values import SpeakerSource, Speech, SpeechSegment

_SHORTEST_PRINT_S = 0.4
_LONGEST_PRINT_S = 8.0
_PRINTS_AT_ONCE = 32
_ACTIVITY = 0.4  # the share of the time that it takes, where voices are told apart


def party_label(index: int) -> str:
    """`A`, `B`, ... for the first, second, ... party."""
    return chr(ord("A") + index)


def by_channel(
    sound: Sound, settings: SpeechSettings, engines: Engines, tell: Tell = nobody
) -> Speech:
    """A party per channel; how sure depends on how well a leaked voice could be left out."""
    count = sound.channel_count
    heard = [
        hear_activity(sound, c, settings, engines, within(tell, c / count, (c + 1) / count)).speech
        for c in range(count)
    ]
    found = own_speech(sound, heard, settings.leakage_db)
    segments, audible = [], []
    for channel, speech in enumerate(found.probabilities):
        own = [
            SpeechSegment(start_s, end_s, party_label(channel))
            for start_s, end_s in to_times(speech_frames(speech, settings), sound.duration_s)
        ]
        segments += own
        audible += with_edges(own, to_times(audible_frames(speech, settings), sound.duration_s))
    return _speech(
        sound,
        SpeakerSource.CHANNEL,
        [party_label(c) for c in range(count)],
        _Heard(segments, segments, audible),
        found.confidence,
        "; ".join(filter(None, ["each party has a channel", found.reason])),
    )


def by_voice(
    sound: Sound,
    settings: SpeechSettings,
    engines: Engines,
    tell: Tell = nobody,
    one_expected: bool = False,
) -> Speech:
    """A party per voice, labelled in order of first speech; `one_expected` as in `tell_apart`."""
    activity = hear_activity(sound, 0, settings, engines, within(tell, 0.0, _ACTIVITY))
    runs = speech_frames(activity.speech, settings)
    if not runs:
        return _speech(sound, SpeakerSource.NONE, [], _Heard([], [], []), 0.0, "no speech")
    stretches = cut_at_changes(activity, runs, settings.min_stretch_s)
    voices = tell_apart(
        _voiceprints(sound, stretches, engines, within(tell, _ACTIVITY, 1.0)),
        np.array([s.duration_s for s in stretches]),
        share_with_two_voices(activity),
        settings,
        one_expected,
    )
    parties = _parties(voices)
    exclusive = [
        SpeechSegment(a, b, party)
        for party in dict.fromkeys(parties)
        for a, b in _times(stretches, parties, party, sound.duration_s)
    ]
    entering = _overlaps(activity, stretches, parties)
    segments = exclusive + [s for s in entering if s.duration_s >= settings.min_speech_s]
    reach = to_times(audible_frames(activity.speech, settings), sound.duration_s)
    return _speech(
        sound,
        SpeakerSource.DIARIZATION,
        sorted(set(parties)),
        _Heard(segments, exclusive, with_edges(exclusive, reach)),
        voices.confidence,
        f"{voices.reason}; margin {voices.margin:.2f}",
    )


def _voiceprints(
    sound: Sound, stretches: Sequence[Stretch], engines: Engines, tell: Tell
) -> NDArray[np.float32]:
    prints = []
    for first in range(0, len(stretches), _PRINTS_AT_ONCE):
        tell(first / len(stretches))
        some = stretches[first : first + _PRINTS_AT_ONCE]
        prints.append(engines.voiceprints([_samples(sound, s) for s in some]))
    return np.concatenate(prints)


def _samples(sound: Sound, stretch: Stretch) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """What an embedding is taken from: a very short stretch with a little more around it."""
    start_s, end_s = frame_time_s(stretch.start), frame_time_s(stretch.end)
    middle_s = (start_s + end_s) / 2
    half_s = min(max(end_s - start_s, _SHORTEST_PRINT_S), _LONGEST_PRINT_S) / 2
    start_s = min(max(0.0, middle_s - half_s), max(0.0, sound.duration_s - 2 * half_s))
    samples: np.ndarray[tuple[int], np.dtype[np.float32]] = sound.channel(
        0, start_s, start_s + 2 * half_s
    )
    return samples


def _parties(voices: Voices) -> list[str]:
    order = list(dict.fromkeys(voices.labels.tolist()))
    return [party_label(order.index(label)) for label in voices.labels]


def _times(
    stretches: Sequence[Stretch], parties: Sequence[str], party: str, duration_s: float
) -> list[Interval]:
    own = [s for s, p in zip(stretches, parties, strict=True) if p == party]
    runs: list[tuple[int, int]] = []
    for s in own:
        if runs and runs[-1][1] == s.start:
            runs[-1] = (runs[-1][0], s.end)
        else:
            runs.append((s.start, s.end))
    return to_times(runs, duration_s)


def _overlaps(
    activity: Activity, stretches: Sequence[Stretch], parties: Sequence[str]
) -> list[SpeechSegment]:
    """Speech of a second party inside a stretch of the first.

    Which party it is follows from what the same local speaker of the same window was elsewhere;
    between two parties it can only be the other one.
    """
    votes: dict[tuple[int, int], Counter[str]] = {}
    for stretch, party in zip(stretches, parties, strict=True):
        vote = votes.setdefault((stretch.window, stretch.local), Counter())
        vote[party] += stretch.end - stretch.start
    everybody = sorted(set(parties))
    found = []
    for stretch, party in zip(stretches, parties, strict=True):
        for start, end, window, local in overlapped(activity, stretch):
            heard = votes.get((window, local), Counter()).most_common(1)
            other = [p for p in everybody if p != party]
            who = heard[0][0] if heard and heard[0][0] != party else None
            if who is None and len(other) == 1:
                who = other[0]
            if who is not None:
                found.append(SpeechSegment(frame_time_s(start), frame_time_s(end), who))
    return found


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

"""Calls ask one recogniser side by side: none hears another's words, or meets its faults."""

from collections.abc import Generator, Sequence
from pathlib import Path

import jiwer
import numpy as np
import pytest

from hearing import transcribe
from warmline.engines import Engines
from warmline.errors import ModelError
from warmline.recordings.decode import decode
from warmline.settings import RecordingSettings, WordSettings
from warmline.values import ChannelLayout, SpeakerSource, Speech, SpeechSegment
from warmline.words import recogniser, together, transcription
from warmline.words.recogniser import Clip, Recognised, Recognition, Request

MONO = ChannelLayout("mono", 1, None, "one channel")
SETTINGS = WordSettings(whisper_model="tiny.en", precision="float32")


@pytest.mark.models
def test_calls_side_by_side_are_heard_as_if_alone(engines: Engines, two_speakers: Path) -> None:
    sound = decode(two_speakers, RecordingSettings())
    calls = [_speech(6.7, 14.9), _speech(18.0, 29.0), _speech(7.0, 8.5)]
    told: list[float] = []
    asking = [transcription(sound, MONO, heard, SETTINGS, "en", told.append) for heard in calls]
    found = dict(together(asking, lambda: recogniser(SETTINGS, engines)))
    for place, heard in enumerate(calls):
        alone = transcribe(sound, MONO, heard, SETTINGS, engines, "en")
        texts = [" ".join(w.text for w in t.words) for t in (alone, found[place])]
        assert jiwer.wer(*texts) < 0.1
        (own,) = heard.segments
        assert all(own.start_s - 0.3 < w.start_s < own.end_s + 0.3 for w in found[place].words)
    assert told[0] == 0.0


def _speech(start_s: float, end_s: float) -> Speech:
    segments = (SpeechSegment(start_s, end_s, "A"),)
    return Speech(
        *(SpeakerSource.DIARIZATION, ("A",), segments, segments, (), 1.0, "given"), segments
    )


class _Counting:
    """Answers with how much it was given, and fails at a window of a certain length."""

    def __init__(self, fails_at: int) -> None:
        self.fails_at = fails_at
        self.asked: list[int] = []

    def recognise(self, requests: Sequence[Request]) -> list[Recognition]:
        self.asked.append(len(requests))
        if any(request.samples == self.fails_at for request in requests):
            raise RuntimeError("a window that cannot be read")
        nothing = Recognised("", (), 0.0, 0.0, 1.0)
        return [Recognition("en", None, (nothing,)) for _ in requests]


def _asking(samples: int, times: int) -> Generator[Request, Recognition, str]:
    try:
        for _ in range(times):
            answer = yield Request([Clip(samples, lambda: np.zeros(samples, np.float32))], "en")
            assert answer.seconds >= 0
    except RuntimeError:
        return f"{samples} failed"
    return f"{samples} done"


def test_a_fault_is_raised_only_where_it_was_met() -> None:
    engine = _Counting(fails_at=20)
    ended = dict(together([_asking(10, 2), _asking(20, 1), _asking(30, 0)], lambda: engine))
    assert ended == {0: "10 done", 1: "20 failed", 2: "30 done"}
    assert engine.asked == [2, 1, 1, 1], "together, then each alone, then what one asked further"


def test_what_befalls_all_ends_all() -> None:
    def missing() -> _Counting:
        raise ModelError("no model")

    with pytest.raises(ModelError, match="no model"):
        list(together([_asking(10, 1), _asking(20, 1)], missing))


def test_nobody_who_asks_nothing_needs_an_engine() -> None:
    def never() -> _Counting:
        raise AssertionError("loaded for nothing")

    assert list(together([_asking(10, 0)], never)) == [(0, "10 done")]

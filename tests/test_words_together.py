"""The words of several calls are recognised together: none hears another's, or meets its faults."""

from collections.abc import Sequence
from pathlib import Path

import jiwer
import numpy as np
import pytest

from support.transcribing import transcribe as transcribe_one
from warmline import words
from warmline.errors import ModelError
from warmline.models.engines import Engines
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound, decode
from warmline.settings import RecordingSettings, Settings, WordSettings
from warmline.values import ChannelLayout, SpeakerSource, Speech, SpeechSegment
from warmline.words import SpeechToTranscribe, Transcribed, transcribe
from warmline.words.recognisers import (
    Clip,
    OpenAIWhisper,
    Recognised,
    Recognition,
    Request,
    TimedWord,
    recognise_each,
)

MONO = ChannelLayout("mono", 1, None, "one channel")
SETTINGS = WordSettings(whisper_model="tiny.en", precision="float32")


def speech(*spans: tuple[float, float]) -> Speech:
    """Speech of one party, told apart by voice, as given."""
    segments = tuple(SpeechSegment(start_s, end_s, "A") for start_s, end_s in spans)
    return Speech(
        *(SpeakerSource.DIARIZATION, ("A",), segments, segments, (), 1.0, "given"), segments
    )


@pytest.mark.models
def test_calls_side_by_side_are_heard_as_if_alone(engines: Engines, two_speakers: Path) -> None:
    sound = decode(two_speakers, RecordingSettings())
    spans = [(6.7, 14.9), (18.0, 29.0), (7.0, 8.5)]
    told: list[float] = []
    found = transcribe(
        [SpeechToTranscribe(sound, MONO, speech(span), "en", told.append) for span in spans],
        *(SETTINGS, engines),
    )
    for (start_s, end_s), result in zip(spans, found, strict=True):
        assert isinstance(result, Transcribed)
        alone = transcribe_one(sound, MONO, speech((start_s, end_s)), SETTINGS, engines, "en")
        texts = [" ".join(w.text for w in t.words) for t in (alone, result.transcript)]
        assert jiwer.wer(*texts) < 0.1
        assert all(start_s - 0.3 < w.start_s < end_s + 0.3 for w in result.transcript.words)
        assert result.seconds > 0
    assert told[0] == 0.0


class Listening:
    """A recogniser that hears one word a window, and fails at a call of a certain length.

    With `deaf` it hears no word the first time, so that all is decoded again.
    """

    def __init__(self, fails_at: int = -1, deaf: bool = False) -> None:
        self.fails_at = fails_at
        self.deaf = deaf
        self.asked: list[list[Request]] = []

    def recognise(self, requests: Sequence[Request]) -> list[Recognition]:
        self.asked.append(list(requests))
        if any(request.samples == self.fails_at for request in requests):
            raise RuntimeError("a window that cannot be read")
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Recognition:
        silent = self.deaf and len(self.asked) == 1
        hello = Recognised("hello", (TimedWord("hello", 0.3, 2.3, 0.9),), -0.1, 0.0, 1.0)
        nothing = Recognised("", (), -0.1, 0.0, 1.0)
        heard = tuple(nothing if silent else hello for _ in request.windows)
        return Recognition(request.language or "de", None, heard)


def call(*spans: tuple[float, float], language: str | None = "en") -> SpeechToTranscribe:
    sound = Sound(np.zeros((1, 30 * SAMPLE_RATE_HZ), np.int16), 8000, "pcm")
    return SpeechToTranscribe(sound, MONO, speech(*spans), language)


def texts(found: Sequence[Transcribed | Exception]) -> list[list[str] | str]:
    return [
        str(one) if isinstance(one, Exception) else [w.text for w in one.transcript.words]
        for one in found
    ]


@pytest.fixture
def nobody() -> Engines:
    return Engines.from_settings(Settings())


def use(recogniser: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "recogniser", lambda *_: recogniser)


def test_a_fault_ends_only_the_call_that_met_it(nobody, monkeypatch) -> None:
    recogniser = Listening(fails_at=round(2.4 * SAMPLE_RATE_HZ))
    use(recogniser, monkeypatch)
    found = transcribe([call((1, 2)), call((1, 3)), call(), call((1, 4))], SETTINGS, nobody)
    assert texts(found) == [["hello"], "a window that cannot be read", [], ["hello"]]
    assert [len(requests) for requests in recogniser.asked] == [3, 1, 1, 1], "together, then alone"


def test_a_call_whose_windows_cannot_be_made_ends_alone(nobody, monkeypatch) -> None:
    recogniser = Listening()
    use(recogniser, monkeypatch)
    torn = SpeechToTranscribe(call().sound, MONO, None, "en")  # type: ignore[arg-type]
    found = transcribe([torn, call((1, 2))], SETTINGS, nobody)
    assert isinstance(found[0], AttributeError)
    assert texts(found)[1] == ["hello"]
    assert [len(requests) for requests in recogniser.asked] == [1]


def test_windows_of_all_calls_are_decoded_again_together(nobody, monkeypatch) -> None:
    recogniser = Listening(deaf=True)
    use(recogniser, monkeypatch)
    calls = [call((1, 5), (6.4, 10), language="auto"), call((1, 2)), call((2, 6), (7.4, 12))]
    found = transcribe(calls, SETTINGS, nobody)
    first, second = recogniser.asked
    assert [request.language for request in first] == [None, "en", "en"]
    assert [request.language for request in second] == ["de", "en"], "as detected; 1 s is no gap"
    assert [len(request.windows) for request in second] == [2, 2]
    assert texts(found) == [["hello"] * 2, [], ["hello"] * 2]
    assert [f.transcript.language for f in found if isinstance(f, Transcribed)] == [
        *("de", "en", "en")
    ]


def test_time_is_shared_by_how_much_sound_each_call_has() -> None:
    requests = [Request([Clip(size, lambda: np.zeros(1, np.float32))], "en") for size in (10, 30)]
    short, long = recognise_each(requests, Listening())
    assert isinstance(short, Recognition) and isinstance(long, Recognition)
    assert long.seconds == pytest.approx(3 * short.seconds)
    assert long.seconds > 0


def test_what_befalls_all_ends_all(nobody, monkeypatch) -> None:
    def missing(*_: object) -> Listening:
        raise ModelError("no model")

    monkeypatch.setattr(words, "recogniser", missing)
    with pytest.raises(ModelError, match="no model"):
        transcribe([call((1, 2)), call((1, 3))], SETTINGS, nobody)


def test_calls_without_speech_need_no_engine(nobody, monkeypatch) -> None:
    def never(*_: object) -> Listening:
        raise AssertionError("loaded for nothing")

    monkeypatch.setattr(words, "recogniser", never)
    assert texts(transcribe([call(), call()], SETTINGS, nobody)) == [[], []]
    assert transcribe([], SETTINGS, nobody) == []


@pytest.mark.models
def test_a_long_window_may_end_before_a_shorter_one_beside_it(
    engines: Engines, two_speakers: Path
) -> None:
    """It has few words, and leaves the batch; what the others attended to is as before."""
    sound = decode(two_speakers, RecordingSettings())
    spoken = sound.channel(0, 6.7, 10.7)
    sparse = np.zeros(9 * SAMPLE_RATE_HZ, np.float32)
    sparse[:SAMPLE_RATE_HZ] = sound.channel(0, 6.7, 7.7)
    clips = [Clip(samples.size, lambda own=samples: own) for samples in (spoken, sparse)]
    recogniser = OpenAIWhisper(engines, SETTINGS)
    together = recogniser.recognise([Request(clips, "en")])[0].results
    alone = [recogniser.recognise([Request([clip], "en")])[0].results[0] for clip in clips]
    assert len(together[0].words) > len(together[1].words) > 0
    for one, other in zip(together, alone, strict=True):
        assert [w.text for w in one.words] == [w.text for w in other.words]
        assert [w.start_s for w in one.words] == pytest.approx(
            [w.start_s for w in other.words], abs=0.05
        )

"""faster-whisper as the recogniser: the same weights in CTranslate2's own arithmetic.

Its batched pipeline takes one long sound and the stretches to read, so the windows are laid one
after the other, each in a slot of its own.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from warmline.recordings.sound import SAMPLE_RATE_HZ
from warmline.settings import WordSettings
from warmline.words.recogniser import Clip, Recognised, Recognition, Request, TimedWord

if TYPE_CHECKING:
    from warmline.models.engines import Engines

_SLOT_S = 30
_AT_ONCE = 64  # windows; the pipeline keeps the features of all that it is given
_LANGUAGE_WINDOWS = 12
_COMPUTE_TYPES = {"auto": "default", "float32": "float32", "bfloat16": "bfloat16", "int8": "int8"}


class FasterWhisper:
    """A `Recogniser` on faster-whisper's batched pipeline, with its own beam search."""

    def __init__(self, engines: "Engines", settings: WordSettings) -> None:
        precision = settings.precision
        compute_type = "int8" if precision == "auto" and engines.device.type == "cpu" else precision
        self._pipeline = engines.faster_whisper(
            settings.whisper_model, _COMPUTE_TYPES[compute_type]
        )
        self._batch_size = settings.batch_size
        self._beam_size = settings.beam_size

    def recognise(self, requests: Sequence[Request]) -> list[Recognition]:
        """Return the words of each window; the language is detected from up to 12 windows of a
        call.
        """
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Recognition:
        language, probability = request.language, None
        if language is None:
            language, probability = self._detect_language(request.windows)
        results: list[Recognised] = []
        for first in range(0, len(request.windows), _AT_ONCE):
            request.progress(first / len(request.windows))
            results += self._recognise(request.windows[first : first + _AT_ONCE], language)
        return Recognition(language, probability, tuple(results))

    def _detect_language(self, windows: Sequence[Clip]) -> tuple[str, float]:
        if not self._pipeline.model.model.is_multilingual:
            return "en", 1.0
        spread = np.unique(np.linspace(0, len(windows) - 1, _LANGUAGE_WINDOWS).round().astype(int))
        language, probability, _ = self._pipeline.model.detect_language(
            _in_slots([windows[i] for i in spread]),
            language_detection_segments=len(spread),
            language_detection_threshold=1.0,
        )
        return language, float(probability)

    def _recognise(self, windows: Sequence[Clip], language: str) -> Iterator[Recognised]:
        clips = [
            {"start": float(i * _SLOT_S), "end": i * _SLOT_S + w.size / SAMPLE_RATE_HZ}
            for i, w in enumerate(windows)
        ]
        segments, _ = self._pipeline.transcribe(
            _in_slots(windows),
            language=language,
            clip_timestamps=clips,
            batch_size=self._batch_size,
            beam_size=self._beam_size,
            word_timestamps=True,
            vad_filter=False,
        )
        by_window: defaultdict[int, list[Any]] = defaultdict(list)
        for segment in segments:
            # `seek` is where its clip begins, in frames of 10 ms.
            by_window[segment.seek // (100 * _SLOT_S)].append(segment)
        return (_recognised(by_window[i], i * _SLOT_S) for i in range(len(windows)))


def _in_slots(windows: Sequence[Clip]) -> NDArray[np.float32]:
    slots = np.zeros((len(windows), _SLOT_S * SAMPLE_RATE_HZ), np.float32)
    for slot, window in zip(slots, windows, strict=True):
        slot[: window.size] = window.read()
    return slots.reshape(-1)


def _recognised(segments: Sequence[Any], from_s: float) -> Recognised:
    """Return one window's text; its confidence is that of the least certain of its segments."""
    words = tuple(
        TimedWord(w.word.strip(), w.start - from_s, w.end - from_s, w.probability)
        for segment in segments
        for w in segment.words or ()
        if w.word.strip()
    )
    return Recognised(
        " ".join(w.text for w in words),
        words,
        min((s.avg_logprob for s in segments), default=0.0),
        max((s.no_speech_prob for s in segments), default=0.0),
        max((s.compression_ratio for s in segments), default=0.0),
    )

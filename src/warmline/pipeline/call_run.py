"""The way of one call through every room of the house."""

import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

from warmline import channels, empathy, floor, language, prosody, speech, turns, words
from warmline.analysis import CallAnalysis, StageKey
from warmline.engines import Engines
from warmline.errors import RecordingRefusedError, Status
from warmline.pipeline.failures import base_analysis
from warmline.pipeline.stages import CacheKeys, all_measures
from warmline.pipeline.suppression import (
    doubt_about_parties,
    missing_party,
    suppress_empathy,
    suppress_floor,
    suppress_prosody,
)
from warmline.progress import ProgressCallback, part_of
from warmline.recordings.decode import decode
from warmline.recordings.sound import Sound
from warmline.redaction import redact
from warmline.values import CallMetadata, ChannelLayout, Recording, Redaction, Speech, Transcript

T = TypeVar("T")
_Kept = tuple[Transcript, tuple[Redaction, ...] | None]

# About where in a call's time each stage begins and ends, with the model `base`.
_SHARES = {
    "sound": (0.0, 0.02),
    "channels": (0.02, 0.03),
    "speech": (0.03, 0.35),
    "words": (0.35, 0.92),
    "turns": (0.92, 0.93),
    "prosody": (0.93, 0.96),
    "floor": (0.96, 0.97),
    "language": (0.97, 0.99),
    "empathy": (0.99, 1.0),
}
# Stages that hold no spoken words, so that an unforeseen error's own text can be kept.
_WORDLESS = ("sound", "channels", "speech")


class _SoundFacts(NamedTuple):
    duration_s: float
    sample_rate_hz: int
    codec: str


class CallRun:
    """One call on its way: the stages it has passed, and what they gave.

    `local_copy` gives a file with the recording's bytes where it does not lie on this machine.
    """

    def __init__(
        self,
        recording: Recording,
        metadata: CallMetadata,
        cache_keys: CacheKeys,
        engines: Engines,
        previous: CallAnalysis | None,
        progress: ProgressCallback,
        local_copy: Callable[[], Path] | None = None,
    ) -> None:
        self.recording = recording
        self.metadata = metadata
        self.cache_keys = cache_keys
        self.engines = engines
        self.previous = previous
        self.progress = progress
        self.local_copy = local_copy or (lambda: Path(recording.path))
        self.keys = cache_keys.keys(recording.audio_sha256, metadata)
        self.passed: list[StageKey] = []
        self.parts: dict[str, Any] = {}
        self.at = "sound"

    def run_stages(self) -> words.Asking[None]:
        """Every stage in order, each from frozen values to frozen values.

        The recogniser is asked by way of whoever leads the calls: several are led together.
        """
        s, parts, stage = self.cache_keys.settings, self.parts, self._stage
        facts = stage("sound", lambda: _facts(self._decoded), _known_facts)
        parts |= facts._asdict()
        parts["layout"] = stage(
            "channels",
            lambda: channels.resolve(self._decoded, s.channels)[0],
            lambda old: old.layout,
        )
        heard = parts["speech"] = stage("speech", self._listen, lambda old: old.speech)
        layout = parts["layout"]
        _require_speech(heard)
        said, hidden = yield from self._words(layout, heard)
        parts |= {"transcript": said, "redactions": hidden}
        talk = parts["conversation"] = stage(
            "turns",
            lambda: turns.converse(heard, said, layout, self.metadata, s.turns),
            lambda old: old.conversation,
        )
        doubt = doubt_about_parties(heard, s.speech.min_confidence)
        missing = missing_party(heard, layout)
        parts["prosody"] = stage(
            "prosody",
            lambda: suppress_prosody(
                prosody.measure(self._voices, layout, heard, said, talk, s.prosody), doubt
            ),
            lambda old: old.prosody,
        )
        held = parts["floor"] = stage(
            "floor",
            lambda: suppress_floor(
                floor.measure(heard, said, talk, facts.duration_s, s.floor), doubt, missing
            ),
            lambda old: old.floor,
        )
        read = stage(
            "language",
            lambda: language.read_call(talk, said, s.language, self.engines),
            lambda old: (
                language.Reading(old.empathy.moments, old.empathy.feelings) if old.empathy else None
            ),
        )
        parts["empathy"] = stage(
            "empathy",
            lambda: suppress_empathy(
                empathy.measure(
                    talk,
                    read.moments,
                    held,
                    s.empathy,
                    unread_reason=language.unread_reason(said),
                    unheard_reason=language.unheard_reason(s.language),
                    feelings=read.feelings,
                ),
                doubt or missing,
            ),
            lambda old: old.empathy,
        )

    def _listen(self) -> Speech:
        """Who speaks when; of several channels one alone may turn out to hold speech."""
        settings, layout = self.cache_keys.settings.speech, self.parts["layout"]
        heard = speech.listen(self._voices, layout, settings, self.engines, self._told())
        live = speech.live_channel(heard)
        if live is None:
            return heard
        layout = self.parts["layout"] = channels.with_one_left(layout, live)
        return speech.listen(self._voices, layout, settings, self.engines, self._told())

    def _words(self, layout: ChannelLayout, heard: Speech) -> words.Asking[_Kept]:
        """What was said, as it may be kept: what is private goes no further than this."""
        known = self._recall("words", _known_words)
        if known is not None:
            return known
        s = self.cache_keys.settings
        asking = words.transcription(
            self._voices, layout, heard, s.words, self._language, self._told()
        )
        seconds, answer = 0.0, None
        while True:
            started = perf_counter()
            try:
                request = next(asking) if answer is None else asking.send(answer)
            except StopIteration as end:
                said: Transcript = end.value
                break
            seconds += perf_counter() - started
            answer = yield request
            seconds += answer.seconds
        kept = redact(said, s.redaction) if s.redaction.enabled else (said, None)
        self._pass(seconds + perf_counter() - started)
        return kept

    def close(self, status: Status, code: str | None, reason: str | None) -> CallAnalysis:
        """The analysis of what was passed, ended with this status."""
        return replace(
            base_analysis(self.recording, self.metadata, status, code, reason),
            models=dict(self.cache_keys.models),
            stage_keys=tuple(self.passed),
            metric_versions={m.name: m.version for m in all_measures()},
            **self.parts,
        )

    def note_refusal(self) -> None:
        """The stage that refused the recording gave its answer: it need not be asked again."""
        if self.at not in {key.stage for key in self.passed}:
            self._pass(0.0)

    def describe(self, error: Exception) -> str:
        """One line on an unforeseen fault: stage, kind and place, and never a spoken word."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:200] if self.at in _WORDLESS else ""
        kind = type(error).__name__ + (f": {text}" if text else "")
        return f"stage {self.at}: {kind} ({Path(frame.filename).name}:{frame.lineno})"

    def _stage(
        self, name: str, compute: Callable[[], T], recall: Callable[[CallAnalysis], T | None]
    ) -> T:
        value = self._recall(name, recall)
        if value is None:
            started = perf_counter()
            value = compute()
            self._pass(perf_counter() - started)
        return value

    def _recall(self, name: str, recall: Callable[[CallAnalysis], T | None]) -> T | None:
        """Begin a stage: what it gave before, if that still holds."""
        self.at = name
        kept = next((k for k in self._previous_keys if k.key == self.keys[name]), None)
        if kept is not None and self.previous is not None:
            value = recall(self.previous)
            if value is not None:
                self.passed.append(kept)
                return value
        self._told()(0.0)
        return None

    def _pass(self, seconds: float) -> None:
        self.passed.append(StageKey(self.at, self.keys[self.at], seconds))

    def _told(self) -> ProgressCallback:
        """Tells of the stage that the call is at."""
        return part_of(self.progress, *_SHARES[self.at])

    @property
    def _previous_keys(self) -> tuple[StageKey, ...]:
        return self.previous.stage_keys if self.previous else ()

    @property
    def _language(self) -> str | None:
        chosen = self.cache_keys.settings.words.language
        return self.metadata.language if chosen == "auto" else chosen

    @cached_property
    def _decoded(self) -> Sound:
        return decode(self.local_copy(), self.cache_keys.settings.recordings)

    @property
    def _voices(self) -> Sound:
        return channels.kept_of(self._decoded, self.parts["layout"])


def _facts(sound: Sound) -> _SoundFacts:
    return _SoundFacts(sound.duration_s, sound.native_rate_hz, sound.codec)


def _known_facts(old: CallAnalysis) -> _SoundFacts | None:
    if old.duration_s is None or old.sample_rate_hz is None or old.codec is None:
        return None
    return _SoundFacts(old.duration_s, old.sample_rate_hz, old.codec)


def _known_words(old: CallAnalysis) -> _Kept | None:
    return (old.transcript, old.redactions) if old.transcript else None


def _require_speech(speech: Speech) -> None:
    if speech.segments:
        return
    kinds = sorted({tone.kind for tone in speech.tones})
    heard = f"only {', '.join(kinds)}" if kinds else "no voice"
    raise RecordingRefusedError(
        "no_speech", f"no speech in it: {heard} was heard", Status.NO_SPEECH
    )

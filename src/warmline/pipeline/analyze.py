"""One recording, through every room of the house, to one analysis."""

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
from warmline.errors import RecordingRefusedError, Status, WarmlineError
from warmline.pipeline.stages import Addressing, all_measures
from warmline.pipeline.unanalyzed import fault_code, not_analyzed, unread_recording
from warmline.pipeline.withholding import (
    doubt_about_parties,
    withhold_empathy,
    withhold_floor,
    withhold_prosody,
)
from warmline.recordings.decode import decode
from warmline.recordings.identify import identify
from warmline.recordings.metadata import MetadataTable, read_metadata
from warmline.recordings.sound import Sound
from warmline.redaction import redact
from warmline.telling import Tell, nobody, within
from warmline.values import (
    CallMetadata,
    ChannelLayout,
    Recording,
    Redaction,
    Speech,
    Transcript,
)

T = TypeVar("T")

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


def analyze_recording(
    path: Path,
    addressing: Addressing,
    engines: Engines,
    table: MetadataTable | None = None,
    previous: CallAnalysis | None = None,
    tell: Tell = nobody,
) -> CallAnalysis:
    """Everything that can be known of one recording; the file is read, never changed.

    `addressing` has the settings. Results of `previous` whose keys are today's are not computed
    again, and the sound is decoded only when a stage needs it; `tell` hears how far it has come.
    A recording that cannot be analyzed
    gives an analysis with its status and reason; so does an unforeseen fault, with the stage it
    happened in. Raises `WarmlineError` only for what would befall every call, such as a missing
    model.
    """
    metadata = read_metadata(path, addressing.settings.recordings, table)
    try:
        recording = identify(path)
    except RecordingRefusedError as e:
        return not_analyzed(unread_recording(path), metadata, e.status, e.code, str(e))
    except OSError as e:  # a disk or share that may be back at the next try
        reason = f"{path.name}: cannot be read now ({e.strerror or e})"
        return not_analyzed(unread_recording(path), metadata, Status.FAILED, fault_code(e), reason)
    run = _Run(recording, metadata, addressing, engines, previous, tell)
    try:
        run.through_the_house()
    except RecordingRefusedError as e:
        run.note_refusal()
        return run.close(e.status, e.code, str(e))
    except WarmlineError:
        raise
    except Exception as e:  # a fault of ours ends this call, not the night
        return run.close(Status.FAILED, fault_code(e), run.describe(e))
    return run.close(Status.ANALYZED, None, None)


class _Run:
    """One call on its way: the stages it has passed, and what they gave."""

    def __init__(
        self,
        recording: Recording,
        metadata: CallMetadata,
        addressing: Addressing,
        engines: Engines,
        previous: CallAnalysis | None,
        tell: Tell,
    ) -> None:
        self.recording = recording
        self.metadata = metadata
        self.addressing = addressing
        self.engines = engines
        self.previous = previous
        self.tell = tell
        self.keys = addressing.keys(recording.audio_sha256, metadata)
        self.passed: list[StageKey] = []
        self.parts: dict[str, Any] = {}
        self.at = "sound"

    def through_the_house(self) -> None:
        """Every stage in order, each from frozen values to frozen values."""
        s, parts, stage = self.addressing.settings, self.parts, self._stage
        facts = stage("sound", lambda: _facts(self._decoded), _known_facts)
        parts |= facts._asdict()
        layout = parts["layout"] = stage(
            "channels", lambda: self._resolved[0], lambda old: old.layout
        )
        heard = parts["speech"] = stage(
            "speech",
            lambda: speech.listen(self._voices, layout, s.speech, self.engines, self._told()),
            lambda old: old.speech,
        )
        _require_speech(heard)
        said, hidden = stage("words", lambda: self._words(layout, heard), _known_words)
        parts |= {"transcript": said, "redactions": hidden}
        talk = parts["conversation"] = stage(
            "turns",
            lambda: turns.converse(heard, said, layout, self.metadata, s.turns),
            lambda old: old.conversation,
        )
        doubt = doubt_about_parties(heard, s.speech.min_confidence)
        parts["prosody"] = stage(
            "prosody",
            lambda: withhold_prosody(
                prosody.measure(self._voices, layout, heard, said, talk, s.prosody), doubt
            ),
            lambda old: old.prosody,
        )
        held = parts["floor"] = stage(
            "floor",
            lambda: withhold_floor(
                floor.measure(heard, said, talk, facts.duration_s, s.floor), doubt
            ),
            lambda old: old.floor,
        )
        moments = stage(
            "language",
            lambda: language.read(talk, said, s.language, self.engines),
            lambda old: old.empathy.moments if old.empathy else None,
        )
        parts["empathy"] = stage(
            "empathy",
            lambda: withhold_empathy(
                empathy.measure(
                    talk,
                    moments,
                    held,
                    s.empathy,
                    unread_reason=language.unread_reason(said),
                    unheard_reason=language.unheard_reason(s.language),
                ),
                doubt,
            ),
            lambda old: old.empathy,
        )

    def _words(
        self, layout: ChannelLayout, heard: Speech
    ) -> tuple[Transcript, tuple[Redaction, ...] | None]:
        """What was said, as it may be kept: what is private goes no further than this."""
        s = self.addressing.settings
        said = words.transcribe(self._voices, layout, heard, s.words, self.engines, self._language)
        return redact(said, s.redaction) if s.redaction.enabled else (said, None)

    def close(self, status: Status, code: str | None, reason: str | None) -> CallAnalysis:
        """The analysis of what was passed, ended with this status."""
        return replace(
            not_analyzed(self.recording, self.metadata, status, code, reason),
            models=dict(self.addressing.models),
            stage_keys=tuple(self.passed),
            metric_versions={m.name: m.version for m in all_measures()},
            **self.parts,
        )

    def note_refusal(self) -> None:
        """The stage that refused the recording gave its answer: it need not be asked again."""
        if self.at not in {key.stage for key in self.passed}:
            self.passed.append(StageKey(self.at, self.keys[self.at], 0.0))

    def describe(self, error: Exception) -> str:
        """One line on an unforeseen fault: stage, kind and place, and never a spoken word."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:200] if self.at in _WORDLESS else ""
        kind = type(error).__name__ + (f": {text}" if text else "")
        return f"stage {self.at}: {kind} ({Path(frame.filename).name}:{frame.lineno})"

    def _stage(
        self, name: str, compute: Callable[[], T], recall: Callable[[CallAnalysis], T | None]
    ) -> T:
        self.at = name
        kept = next((k for k in self._previous_keys if k.key == self.keys[name]), None)
        if kept is not None and self.previous is not None:
            value = recall(self.previous)
            if value is not None:
                self.passed.append(kept)
                return value
        self._told()(0.0)
        started = perf_counter()
        value = compute()
        self.passed.append(StageKey(name, self.keys[name], perf_counter() - started))
        return value

    def _told(self) -> Tell:
        """Tells of the stage that the call is at."""
        return within(self.tell, *_SHARES[self.at])

    @property
    def _previous_keys(self) -> tuple[StageKey, ...]:
        return self.previous.stage_keys if self.previous else ()

    @property
    def _language(self) -> str | None:
        chosen = self.addressing.settings.words.language
        return self.metadata.language if chosen == "auto" else chosen

    @cached_property
    def _decoded(self) -> Sound:
        return decode(Path(self.recording.path), self.addressing.settings.recordings)

    @cached_property
    def _resolved(self) -> tuple[ChannelLayout, Sound]:
        return channels.resolve(self._decoded, self.addressing.settings.channels)

    @property
    def _voices(self) -> Sound:
        return self._resolved[1]


def _facts(sound: Sound) -> _SoundFacts:
    return _SoundFacts(sound.duration_s, sound.native_rate_hz, sound.codec)


def _known_facts(old: CallAnalysis) -> _SoundFacts | None:
    if old.duration_s is None or old.sample_rate_hz is None or old.codec is None:
        return None
    return _SoundFacts(old.duration_s, old.sample_rate_hz, old.codec)


def _known_words(
    old: CallAnalysis,
) -> tuple[Transcript, tuple[Redaction, ...] | None] | None:
    return (old.transcript, old.redactions) if old.transcript else None


def _require_speech(speech: Speech) -> None:
    if speech.segments:
        return
    kinds = sorted({tone.kind for tone in speech.tones})
    heard = f"only {', '.join(kinds)}" if kinds else "no voice"
    raise RecordingRefusedError(
        "no_speech", f"no speech in it: {heard} was heard", Status.NO_SPEECH
    )

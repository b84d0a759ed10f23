"""The way of a call from its recording to its analysis, for a batch of calls at a time.

Each call's sound, channels and speech come first, then the words of all calls together, then each
call's turns, prosody, floor, language and empathy. Wherever a call turns out not to be analyzable
it ends with its status and a reason, and the others go on.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

from warmline import empathy, floor, language, prosody, speech, turns, words
from warmline.analysis import (
    CallAnalysis,
    Empathy,
    Floor,
    Prosody,
    StageKey,
    base_analysis,
    missing_metric,
    suppress_parties,
)
from warmline.errors import RecordingRefusedError, Status, WarmlineError, fault_code
from warmline.models.engines import Engines
from warmline.pipeline.stages import CacheKeys, all_measures
from warmline.processes import ProgressCallback, give_memory_back, no_progress, part_of
from warmline.recordings import identify, unread_recording
from warmline.recordings.metadata import MetadataTable, read_metadata
from warmline.recordings.remote import RemoteFile
from warmline.recordings.sound import Sound, decode, level_peaks
from warmline.redaction import redact
from warmline.speech import channels
from warmline.values import (
    CallMetadata,
    ChannelLayout,
    Recording,
    Redaction,
    SpeakerSource,
    Speech,
    Transcript,
)
from warmline.words import SpeechToTranscribe, Transcribed

T = TypeVar("T")
_Words = tuple[Transcript, tuple[Redaction, ...] | None]

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


@dataclass(frozen=True)
class Remote:
    """A remote recording whose bytes are known; `copy` gives a local file of them when needed."""

    file: RemoteFile
    audio_sha256: str
    copy: Callable[[], Path]


@dataclass(frozen=True)
class CallInput:
    """A recording to analyze, what is known from before, and who hears how far it has come.

    `takes_row` is that of the planned call.
    """

    source: Path | Remote
    previous: CallAnalysis | None = None
    progress: ProgressCallback = no_progress
    takes_row: bool = True


def analyze_recording(
    path: Path,
    cache_keys: CacheKeys,
    engines: Engines,
    table: MetadataTable | None = None,
    previous: CallAnalysis | None = None,
    progress: ProgressCallback = no_progress,
) -> CallAnalysis:
    """Return everything that can be known of one recording; see `analyze_recordings`."""
    given = CallInput(path, previous, progress)
    ((_, analysis),) = analyze_recordings([given], cache_keys, engines, table)
    return analysis


def analyze_recordings(
    inputs: Sequence[CallInput],
    cache_keys: CacheKeys,
    engines: Engines,
    table: MetadataTable | None = None,
) -> Iterator[tuple[int, CallAnalysis]]:
    """Yield (index, analysis) pairs of recordings as they finish; files are read, never changed.

    `cache_keys` has the settings. Results of `previous` whose keys are today's are not computed
    again, and the sound is decoded only when a stage needs it. A recording that cannot be analyzed
    gives an analysis with its status and reason; so does an unforeseen fault, with the stage it
    happened in. Raises `WarmlineError` only for what would befall every call, such as a missing
    model.
    """
    waiting: dict[int, _AwaitsWords] = {}
    for i, given in enumerate(inputs):
        found = _begin(given, cache_keys, engines, table if given.takes_row else None)
        if isinstance(found, CallAnalysis):
            yield i, found
        else:
            waiting[i] = found
    transcribed = words.transcribe(
        [call.speech for call in waiting.values()], cache_keys.settings.words, engines
    )
    give_memory_back()  # a third of a gigabyte, which the stages to come would be on top of
    for i, result in zip(list(waiting), transcribed, strict=True):
        yield i, waiting.pop(i).finish(result)  # its sound is let go with it


def _begin(
    given: CallInput, cache_keys: CacheKeys, engines: Engines, table: MetadataTable | None
) -> "_AwaitsWords | CallAnalysis":
    """Analyze a call up to its words; as a whole if these are known, or it cannot be analyzed."""
    source, s = given.source, cache_keys.settings
    before = given.previous.metadata if given.previous and given.takes_row else None
    if isinstance(source, Remote):
        recording = source.file.recording(source.audio_sha256)
        metadata = read_metadata(source.file, s.recordings, table, s.redaction, before)
        local_copy = source.copy
    else:
        metadata = read_metadata(source, s.recordings, table, s.redaction, before)
        try:
            recording = identify(source)
        except RecordingRefusedError as e:
            unread = unread_recording(source)
            return base_analysis(unread, metadata, e.status, e.code, str(e))
        except OSError as e:  # a disk or share that may be back at the next try
            unread, code = unread_recording(source), fault_code(e)
            reason = f"{source.name}: cannot be read now ({e.strerror or e})"
            return base_analysis(unread, metadata, Status.FAILED, code, reason)
        local_copy = partial(Path, source)
    run = CallRun(recording, metadata, cache_keys, engines, given, local_copy)
    return run.attempt(run.begin)


class _SoundFacts(NamedTuple):
    duration_s: float
    sample_rate_hz: int
    codec: str
    peaks: tuple[bytes, ...]


class _Heard(NamedTuple):
    duration_s: float
    layout: ChannelLayout
    speech: Speech


@dataclass(frozen=True, eq=False)
class _AwaitsWords:
    """A call that has come as far as its words, and what is to be transcribed of it."""

    run: "CallRun"
    heard: _Heard
    speech: SpeechToTranscribe

    def finish(self, result: Transcribed | Exception) -> CallAnalysis:
        """Return the call's analysis, given its transcript or the exception it ran into."""
        return self.run.attempt(lambda: self.run.finish(self.heard, result))


class CallRun:
    """One call on its way: the stages that it has passed, and what they gave.

    `local_copy` gives a file on this machine with the recording's bytes.
    """

    def __init__(
        self,
        recording: Recording,
        metadata: CallMetadata,
        cache_keys: CacheKeys,
        engines: Engines,
        given: CallInput,
        local_copy: Callable[[], Path],
    ) -> None:
        self.recording = recording
        self.metadata = metadata
        self.cache_keys = cache_keys
        self.engines = engines
        self.previous = given.previous
        self.progress = given.progress
        self.local_copy = local_copy
        self.keys = cache_keys.keys(recording.audio_sha256, metadata)
        self.passed: list[StageKey] = []
        self.parts: dict[str, Any] = {}  # fields of the analysis, by name
        self.at = "sound"

    def attempt(self, stages: Callable[[], T]) -> T | CallAnalysis:
        """Return what some stages give, or the analysis of the call if they end it."""
        try:
            return stages()
        except RecordingRefusedError as e:
            self._note_refusal()
            return self._close(e.status, e.code, str(e))
        except WarmlineError:
            raise
        except Exception as e:  # a fault of ours ends this call, not the night
            return self._close(Status.FAILED, fault_code(e), self._describe(e))

    def begin(self) -> _AwaitsWords | CallAnalysis:
        """Run the stages up to the words; all of them if the words are known from before."""
        s = self.cache_keys.settings
        facts = self._stage("sound", lambda: _facts(self._decoded), _known_facts)
        self.parts |= facts._asdict()
        layout = self.parts["layout"] = self._stage(
            "channels",
            lambda: channels.resolve(self._decoded, s.channels)[0],
            lambda old: old.layout,
        )
        layout, found = self._stage("speech", lambda: self._listen(layout), _known_speech)
        self.parts |= {"layout": layout, "speech": found}
        _require_speech(found)
        heard = _Heard(facts.duration_s, layout, found)
        known = self._recall("words", _known_words)
        if known is not None:
            return self._measure(heard, known)
        sound, told = self._voices(layout), self._told()
        return _AwaitsWords(
            self, heard, SpeechToTranscribe(sound, layout, found, self._language, told)
        )

    def finish(self, heard: _Heard, result: Transcribed | Exception) -> CallAnalysis:
        """Run the stages from the words on; what is private in them goes no further than this."""
        if isinstance(result, Exception):
            raise result
        s = self.cache_keys.settings.redaction
        started = perf_counter()
        said = redact(result.transcript, s) if s.enabled else (result.transcript, None)
        self._pass(result.seconds + perf_counter() - started)
        return self._measure(heard, said)

    def _measure(self, heard: _Heard, kept: _Words) -> CallAnalysis:
        """Run the stages after the words, which end the analysis."""
        s, parts, stage = self.cache_keys.settings, self.parts, self._stage
        duration_s, layout, found = heard
        said, hidden = kept
        parts |= {"transcript": said, "redactions": hidden}
        doubt = doubt_about_parties(found, s.speech.min_confidence)
        talk = parts["conversation"] = stage(
            "turns",
            lambda: turns.converse(
                *(found, said, layout, self.metadata, s.turns),
                read=language.party_reader(s.language, self.engines),
                doubt=doubt,
            ),
            lambda old: old.conversation,
        )
        missing = missing_party(found, layout)
        parts["prosody"] = stage(
            "prosody",
            lambda: suppress_prosody(
                prosody.measure(self._voices(layout), layout, found, said, talk, s.prosody), doubt
            ),
            lambda old: old.prosody,
        )
        held = parts["floor"] = stage(
            "floor",
            lambda: suppress_floor(
                floor.measure(found, said, talk, duration_s, s.floor), doubt, missing
            ),
            lambda old: old.floor,
        )
        read = stage(
            "language",
            lambda: language.read_call(talk, said, s.language, self.engines),
            lambda old: (
                language.Reading(old.empathy.moments, old.empathy.feelings, old.empathy.agent_turns)
                if old.empathy
                else None
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
                    agent_turns=read.agent_turns,
                ),
                doubt or missing,
            ),
            lambda old: old.empathy,
        )
        return self._close(Status.ANALYZED, None, None)

    def _listen(self, layout: ChannelLayout) -> tuple[ChannelLayout, Speech]:
        """Find who speaks when; of several channels one alone may turn out to hold speech."""
        settings = self.cache_keys.settings.speech
        heard = speech.listen(self._voices(layout), layout, settings, self.engines, self._told())
        live = speech.live_channel(heard)
        if live is None:
            return layout, heard
        layout = channels.with_one_left(layout, live)
        sound = self._voices(layout)
        return layout, speech.listen(sound, layout, settings, self.engines, self._told())

    def _stage(
        self, name: str, compute: Callable[[], T], recall: Callable[[CallAnalysis], T | None]
    ) -> T:
        """Return what a stage gave before, if that still holds, else what it gives now."""
        value = self._recall(name, recall)
        if value is None:
            started = perf_counter()
            value = compute()
            self._pass(perf_counter() - started)
        return value

    def _recall(self, name: str, recall: Callable[[CallAnalysis], T | None]) -> T | None:
        """Begin a stage; return what it gave before, if that still holds."""
        self.at = name
        before = self.previous.stage_keys if self.previous else ()
        kept = next((k for k in before if k.key == self.keys[name]), None)
        if kept is not None and self.previous is not None:
            value = recall(self.previous)
            if value is not None:
                self.passed.append(kept)
                return value
        self._told()(0.0)
        return None

    def _pass(self, seconds: float) -> None:
        self.passed.append(StageKey(self.at, self.keys[self.at], seconds))

    def _note_refusal(self) -> None:
        """The stage that refused the recording gave its answer: it need not be asked again."""
        if self.at not in {key.stage for key in self.passed}:
            self._pass(0.0)

    def _close(self, status: Status, code: str | None, reason: str | None) -> CallAnalysis:
        """Return the analysis of what was passed, ended with this status."""
        return replace(
            base_analysis(self.recording, self.metadata, status, code, reason),
            models=dict(self.cache_keys.models),
            stage_keys=tuple(self.passed),
            metric_versions={m.name: m.version for m in all_measures()},
            **self.parts,
        )

    def _describe(self, error: Exception) -> str:
        """Return one line on an unforeseen fault: stage, kind and place, and never a word said."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:200] if self.at in _WORDLESS else ""
        kind = type(error).__name__ + (f": {text}" if text else "")
        return f"stage {self.at}: {kind} ({Path(frame.filename).name}:{frame.lineno})"

    def _told(self) -> ProgressCallback:
        """Return the progress callback of the current stage."""
        return part_of(self.progress, *_SHARES[self.at])

    @property
    def _language(self) -> str | None:
        chosen = self.cache_keys.settings.words.language
        return self.metadata.language if chosen == "auto" else chosen

    @cached_property
    def _decoded(self) -> Sound:
        return decode(self.local_copy(), self.cache_keys.settings.recordings)

    def _voices(self, layout: ChannelLayout) -> Sound:
        return channels.kept_of(self._decoded, layout)


def _facts(sound: Sound) -> _SoundFacts:
    peaks = level_peaks(sound.pcm)
    return _SoundFacts(sound.duration_s, sound.native_rate_hz, sound.codec, peaks)


def _known_facts(old: CallAnalysis) -> _SoundFacts | None:
    if old.duration_s is None or old.sample_rate_hz is None or old.codec is None:
        return None
    return _SoundFacts(old.duration_s, old.sample_rate_hz, old.codec, old.peaks)


def _known_speech(old: CallAnalysis) -> tuple[ChannelLayout, Speech] | None:
    return (old.layout, old.speech) if old.layout and old.speech else None


def _known_words(old: CallAnalysis) -> _Words | None:
    return (old.transcript, old.redactions) if old.transcript else None


def _require_speech(speech: Speech) -> None:
    if speech.segments:
        return
    kinds = sorted({tone.kind for tone in speech.tones})
    heard = f"only {', '.join(kinds)}" if kinds else "no voice"
    raise RecordingRefusedError(
        "no_speech", f"no speech in it: {heard} was heard", Status.NO_SPEECH
    )


# What is not said of a call whose parties could not be told apart well enough. Which party said
# what is then a guess: measures of one party, and everything that says "the agent" or "the
# customer", lose their value and gain the reason. Measures of the call as a whole stay.


_OF_ONE_PARTY = {"talk_s", "turns", "words"}


def doubt_about_parties(speech: Speech, min_confidence: float) -> str | None:
    """Return why the measures of single parties are suppressed; None when they can be said."""
    if speech.confidence >= min_confidence:
        return None
    if speech.source is SpeakerSource.CHANNEL:
        return (
            f"the other party's voice on a channel could not be told from its own: confidence "
            f"{speech.confidence:.2f}, below speech.min_confidence = {min_confidence:.2f}"
        )
    return (
        f"parties were told apart with a confidence of {speech.confidence:.2f}, "
        f"below speech.min_confidence = {min_confidence:.2f}"
    )


def suppress_prosody(prosody: Prosody, doubt: str | None) -> Prosody:
    """Return the prosody without the measures that name a party, if there is a doubt."""
    if doubt is None:
        return prosody
    return replace(prosody, metrics=suppress_parties(prosody.metrics, doubt))


def missing_party(speech: Speech, layout: ChannelLayout) -> str | None:
    """Return why nothing is said that takes two parties: one channel of several has a voice."""
    speaking = {segment.party for segment in speech.segments}
    if layout.channel_count == 1 or len(speaking) != 1:
        return None
    return f"only one party was recorded: {layout.reason}"


def suppress_floor(floor: Floor, doubt: str | None, missing: str | None = None) -> Floor:
    """Return the floor without the measures that name a party, if there is a doubt.

    Where a party is missing, only how much the other one speaks is left.
    """
    if doubt is None and missing is None:
        return floor
    if missing is None:
        return replace(floor, metrics=suppress_parties(floor.metrics, doubt or ""))
    silent = {m.party for m in floor.metrics if m.name == "talk_s" and not m.value}
    return replace(
        floor,
        metrics=tuple(
            m
            if doubt is None and m.name in _OF_ONE_PARTY and m.party not in silent
            else missing_metric(m.name, m.party, doubt or missing)
            for m in floor.metrics
        ),
    )


def suppress_empathy(empathy: Empathy, doubt: str | None) -> Empathy:
    """Return no ledger and no measure of it in doubt: all tell the agent from the customer."""
    if doubt is None:
        return empathy
    return Empathy(
        moments=empathy.moments,
        opportunities=(),
        quotes=(),
        metrics=tuple(missing_metric(m.name, m.party, doubt) for m in empathy.metrics),
        no_ledger_reason=doubt,
        feelings=empathy.feelings,
        agent_turns=empathy.agent_turns,
    )

"""Recordings on their way through the stages, as `warmline analyze` sends them, and kept."""

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from warmline.analysis import CallAnalysis, Empathy, Floor, Prosody
from warmline.errors import DataError
from warmline.floor import measure
from warmline.landing import known, read_landed, write
from warmline.models.engines import Engines
from warmline.pipeline.analyze import analyze_recording
from warmline.pipeline.stages import CacheKeys
from warmline.recordings import identify
from warmline.recordings.sound import decode
from warmline.settings import Settings
from warmline.simulate import SimulatedCall
from warmline.simulate import write as write_call
from warmline.simulate.sounds import encode
from warmline.values import Conversation, Speech, Transcript

from .context import Context

# The callers of the real calls are on the left, the agents on the right.
_ROLES = {"channel_roles": {"0": "customer", "1": "agent"}, "language": "en"}


@dataclass(frozen=True)
class Heard:
    """What was heard in a recording, and its floor: measures of parties included.

    `is_suppressed` says that `warmline analyze` does not say these of single parties, because the
    voices could not be told apart surely.
    """

    speech: Speech
    transcript: Transcript
    talk: Conversation
    floor: Floor
    prosody: Prosody
    empathy: Empathy
    duration_s: float
    is_suppressed: bool


class Listener:
    """Analyzes recordings, each once: what was heard is kept in the work folder.

    Raises `ModelError` when the model store has not got what listening needs.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._landing = context.work / "landing"

    def heard(self, recording: Path) -> Heard:
        """What is heard in a recording; raises `DataError` when it could not be analyzed."""
        self._context.say(f"listening to {recording.parent.name}/{recording.name}")
        landed = known(self._landing).by_audio(identify(recording).audio_sha256)
        previous = read_landed(self._landing, landed) if landed else None
        analysis = analyze_recording(recording, self._addressing, self.engines, None, previous)
        heard = _heard(analysis, self._context.settings)
        if heard is None:
            raise DataError(f"{recording}: not analyzed: {analysis.reason}")
        write(analysis, self._landing)
        return heard

    @cached_property
    def _addressing(self) -> CacheKeys:
        return CacheKeys.of(self._context.settings)

    @cached_property
    def engines(self) -> Engines:
        """The networks that listen."""
        return Engines.from_settings(self._context.settings)


def _heard(analysis: CallAnalysis, settings: Settings) -> Heard | None:
    speech, transcript, talk = analysis.speech, analysis.transcript, analysis.conversation
    prosody, empathy, duration_s = analysis.prosody, analysis.empathy, analysis.duration_s
    if speech is None or transcript is None or talk is None or duration_s is None:
        return None
    if prosody is None or empathy is None or analysis.floor is None:
        return None
    floor = measure(speech, transcript, talk, duration_s, settings.floor)
    is_suppressed = floor.metrics != analysis.floor.metrics
    return Heard(speech, transcript, talk, floor, prosody, empathy, duration_s, is_suppressed)


def play(call: SimulatedCall, folder: Path) -> Path:
    """Lay a simulated call down as a file, without its truth."""
    written = write_call(call, folder)
    written.truth.unlink()
    return written.audio


def real_calls(data: Path) -> list[Path]:
    """The real recordings with a channel for each party: customer left, agent right."""
    found = [*(data / "calls" / "harper").glob("*.wav"), *(data / "calls").glob("*repair/*.wav")]
    if not found:
        raise DataError(f"{data / 'calls'}: no real calls there; name the data folder: --data DIR")
    return sorted(found)


def as_two_channels(recording: Path, folder: Path) -> Path:
    """A copy of a real call with what is known of it: who is on which channel."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / recording.name
    shutil.copyfile(recording, path)
    path.with_suffix(".json").write_text(json.dumps(_ROLES), encoding="utf-8")
    return path


def as_mono_mix(recording: Path, folder: Path, context: Context) -> Path:
    """A real call as a recorder with one channel keeps it; nothing is told of who is who."""
    folder.mkdir(parents=True, exist_ok=True)
    sound = decode(recording, context.settings.recordings)
    mixed = sound.pcm.mean(axis=0, keepdims=True).astype("int16")
    path = folder / recording.name
    path.write_bytes(encode(mixed, 16_000, "wav", "pcm_s16le"))
    path.with_suffix(".json").write_text(json.dumps({"language": "en"}), encoding="utf-8")
    return path

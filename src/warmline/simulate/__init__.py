"""Render scenes of service calls: the samples of a recording, its ground truth and its metadata."""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from warmline.errors import SceneLineError, ScriptError
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
from warmline.simulate.sounds import (
    RATE_HZ,
    TELEPHONE_RATE_HZ,
    VOICES,
    Samples,
    amplitude,
    companded,
    encode,
    hold_music,
    line_noise,
    resample,
    telephone_band,
)
from warmline.simulate.timeline import (
    Call,
    Line,
    LineSound,
    Scene,
    SimulatedSpeaker,
    Timeline,
    check,
    lay_out,
)
from warmline.simulate.truth import (
    Truth,
    ground_truth,
    load_truth,
    true_conversation,
    true_speech,
    true_transcript,
    truth_json,
)
from warmline.values import CallMetadata

__all__ = [
    "TRUTH_FOLDER",
    "Call",
    "Line",
    "LineSound",
    "Scene",
    "SimulatedCall",
    "SimulatedSpeaker",
    "Truth",
    "Written",
    "join",
    "load_truth",
    "mono_mix",
    "read_script",
    "render",
    "render_in_voices",
    "render_script",
    "true_conversation",
    "true_speech",
    "true_transcript",
    "write",
]

_FULL_SCALE = 32767
_SECOND_COPY = 0.8


@dataclass(frozen=True, eq=False)
class SimulatedCall:
    """A simulated call. `pcm` is int16, shape (channels, samples), at `rate_hz`."""

    pcm: NDArray[np.int16]
    rate_hz: int
    format: str
    truth: Truth
    metadata: CallMetadata

    def sound(self) -> Sound:
        """Return the call as the listening stages take it, without writing a file."""
        wide = resample(self.pcm.astype(np.float64), SAMPLE_RATE_HZ / self.rate_hz)
        return Sound(_as_pcm(wide), self.rate_hz, self.format)


def render(scene: Scene) -> SimulatedCall:
    """Render a scene. The same scene gives the same samples with the same version of flite.

    Raises `SceneLineError` for a line that cannot be rendered as asked, `ScriptError` for a call
    that is too loud, `SynthesisError` without flite.
    """
    check(scene)
    timeline = lay_out(scene)
    samples = telephone_band(_mixed(scene, timeline), RATE_HZ)
    samples = samples[:, :: RATE_HZ // TELEPHONE_RATE_HZ]  # the band is below half the new rate
    noise_db = scene.sound.level_db - scene.sound.snr_db
    rng = np.random.default_rng(scene.sound.seed)
    samples = samples + line_noise(samples.shape, TELEPHONE_RATE_HZ, noise_db, rng)
    peak = float(np.abs(samples).max())
    if peak > 1:
        excess_db = 20 * np.log10(peak)
        raise ScriptError(f"the call clips by {excess_db:.1f} dB; lower sound.level_db or gain_db")
    pcm = _as_pcm(samples * _FULL_SCALE)
    if scene.sound.format == "wav-mulaw":
        pcm = companded(pcm, TELEPHONE_RATE_HZ)
    truth = ground_truth(scene, timeline)
    return SimulatedCall(pcm, TELEPHONE_RATE_HZ, scene.sound.format, truth, _metadata(scene))


def mono_mix(call: SimulatedCall) -> SimulatedCall:
    """Return the same call as a recorder with one channel keeps it: both channels added up."""
    heard = list(dict.fromkeys(turn.speaker for turn in call.truth.turns))
    speakers = tuple(
        replace(speaker, party=chr(65 + heard.index(speaker.name)))
        for speaker in call.truth.speakers
    )
    return replace(
        call,
        pcm=_as_pcm(call.pcm.sum(axis=0, keepdims=True).astype(np.float64)),
        truth=replace(call.truth, layout="mono", speakers=speakers),
        metadata=replace(call.metadata, channel_roles={}),
    )


def join(calls: Sequence[SimulatedCall], call_id: str) -> SimulatedCall:
    """Return one long call, the given ones concatenated; for measuring growth with length.

    All must have the same rate and layout. Speakers of the same name are the same person.
    """
    if len({(call.rate_hz, call.truth.layout) for call in calls}) != 1:
        raise ScriptError("only calls of one rate and one layout can be joined")
    truth = calls[0].truth
    for call in calls[1:]:
        truth = truth.followed_by(call.truth)
    return replace(
        calls[0],
        pcm=np.concatenate([call.pcm for call in calls], axis=1),
        truth=replace(truth, call_id=call_id),
        metadata=replace(calls[0].metadata, call_id=call_id),
    )


def _mixed(scene: Scene, timeline: Timeline) -> Samples:
    channels = np.zeros((2, round(timeline.duration_s * TELEPHONE_RATE_HZ) * 2))
    for placed in timeline.placed.values():
        channel = scene.speakers[placed.line.speaker].channel
        said = placed.said.samples
        channels[channel, placed.start : placed.start + said.size] += said
    for music in timeline.music:
        notes = hold_music(music.duration_s, RATE_HZ, scene.sound.level_db)
        start = round(music.start_s * RATE_HZ)
        channels[music.channel, start : start + notes.size] += notes
    if scene.sound.crosstalk_db is not None:
        channels = channels + channels[::-1] * amplitude(scene.sound.crosstalk_db)
    if scene.sound.layout == "stereo":
        return channels
    both: Samples = channels.sum(axis=0, keepdims=True)
    return both if scene.sound.layout == "mono" else np.concatenate([both, both * _SECOND_COPY])


def _as_pcm(samples: Samples) -> NDArray[np.int16]:
    return np.clip(np.round(samples), -_FULL_SCALE - 1, _FULL_SCALE).astype(np.int16)


def _metadata(scene: Scene) -> CallMetadata:
    call = scene.call
    tells = call.tells_roles and scene.sound.layout == "stereo"
    roles: dict[str, str] = {str(s.channel): s.role for s in reversed(scene.speakers.values())}
    return CallMetadata(
        call_id=call.call_id,
        agent_id=call.agent_id,
        team=call.team,
        queue=call.queue,
        customer_id=call.customer_id,
        started_at=call.started_at,
        direction=call.direction,
        reason=call.reason,
        language="en",
        is_simulated=True,
        channel_roles=roles if tells else {},
        extra={"title": call.title},
        source="sidecar",
    )


# Writes a simulated call: the recording, its metadata beside it, its truth in a folder below.


TRUTH_FOLDER = "truth"
_CONTAINERS = {
    "flac": ("flac", "flac"),
    "wav": ("wav", "pcm_s16le"),
    "wav-mulaw": ("wav", "pcm_mulaw"),
    "ogg": ("ogg", "libopus"),
}


@dataclass(frozen=True)
class Written:
    """The files of one simulated call."""

    audio: Path
    metadata: Path
    truth: Path


def write(call: SimulatedCall, folder: Path) -> Written:
    """Write `<call_id>.wav` or `.flac`, `<call_id>.json` and `truth/<call_id>.json`.

    An earlier simulated call of that name is replaced. Raises `ScriptError` when a recording of
    that name is there that is not marked as simulated: no real recording is ever overwritten.
    """
    container, codec = _CONTAINERS[call.format]
    name = call.metadata.call_id
    files = Written(
        folder / f"{name}.{container}",
        folder / f"{name}.json",
        folder / TRUTH_FOLDER / f"{name}.json",
    )
    _refuse_real(files)
    files.truth.parent.mkdir(parents=True, exist_ok=True)
    _replace(files.truth, truth_json(call.truth).encode())
    metadata = json.dumps(_sidecar(call), indent=2, ensure_ascii=False) + "\n"
    _replace(files.metadata, metadata.encode())
    _replace(files.audio, encode(call.pcm, call.rate_hz, container, codec))
    return files


def _sidecar(call: SimulatedCall) -> dict[str, Any]:
    known = call.metadata
    started_at = known.started_at.isoformat() if known.started_at else None
    fields = {
        "call_id": known.call_id,
        "agent_id": known.agent_id,
        "team": known.team,
        "queue": known.queue,
        "customer_id": known.customer_id,
        "started_at": started_at,
        "direction": known.direction,
        "reason": known.reason,
        "language": known.language,
        "channel_roles": known.channel_roles or None,
        "is_simulated": known.is_simulated,
        **known.extra,
    }
    return {key: value for key, value in fields.items() if value is not None}


def _refuse_real(files: Written) -> None:
    if not files.audio.exists():
        return
    try:
        sidecar = json.loads(files.metadata.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        sidecar = None
    if not (isinstance(sidecar, dict) and sidecar.get("is_simulated") is True):
        raise ScriptError(
            f"{files.audio} is there and not marked as simulated; choose another folder with --to"
        )


def _replace(path: Path, content: bytes) -> None:
    """Replace a file without ever leaving half of it under the final name."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as e:
        raise ScriptError(f"{path}: cannot be written ({e.strerror})") from e


# Read a scene script, and report where in the file something is wrong.


_HEADER = re.compile(r"\s*(\[{1,2})\s*([^\[\]]+?)\s*\]{1,2}")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")

Place = tuple[str | int, ...]


def read_script(path: Path) -> Scene:
    """Return the scene of a script. `call.call_id` is the file's stem where the script has none.

    Raises `ScriptError` with file, line and key for everything that is invalid.
    """
    text = _text(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ScriptError(f"{path}: not valid TOML: {e}") from e
    if isinstance(call := table.get("call"), dict):
        call.setdefault("call_id", path.stem)
    try:
        return Scene.model_validate(table, by_alias=True, by_name=False)
    except ValidationError as e:
        places = _places(text)
        raise ScriptError("\n".join(_explain(path, error, places) for error in e.errors())) from e


def render_script(path: Path) -> SimulatedCall:
    """Render a script. Raises `ScriptError` with file, line and key if it cannot be rendered."""
    scene = read_script(path)
    try:
        return render(scene)
    except SceneLineError as e:
        number = _nearest(("line", e.index, e.key), _places(_text(path)))
        raise ScriptError(f"{path}, line {number}: {e.key}: {e.problem}") from e
    except ScriptError as e:
        raise ScriptError(f"{path}: {e}") from e


def render_in_voices(path: Path) -> Iterator[SimulatedCall]:
    """Yield the call of a script with its customers in each voice, all else being the same.

    Call ids end in the voice, and so do the metadata (`customer_voice`). Both parties have a
    channel of their own, and customers keep their voice's own pitch, which some voices cannot
    change: so only what is heard can differ. Raises as `render_script`.
    """
    scene = read_script(path)
    sound = scene.sound.model_copy(update={"layout": "stereo"})
    customers = {name for name, s in scene.speakers.items() if s.role == "customer"}
    lines = tuple(
        line.model_copy(update={"pitch_st": 0.0}) if line.speaker in customers else line
        for line in scene.lines
    )
    for voice in VOICES:
        plain = {"voice": voice, "pitch_hz": None, "formants": 1.0}
        speakers = {
            name: speaker.model_copy(
                update={"channel": int(speaker.role == "agent")}
                | (plain if name in customers else {})
            )
            for name, speaker in scene.speakers.items()
        }
        call = scene.call.model_copy(update={"call_id": f"{scene.call.call_id}.{voice}"})
        changed = {"call": call, "sound": sound, "speakers": speakers, "lines": lines}
        try:
            made = render(scene.model_copy(update=changed))
        except SceneLineError as e:
            raise ScriptError(
                f"{path}: line {e.index + 1} in the voice {voice}: {e.problem}"
            ) from e
        told = {**made.metadata.extra, "customer_voice": voice}
        yield replace(made, metadata=replace(made.metadata, extra=told))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as e:
        raise ScriptError(f"{path}: cannot read the script ({e.strerror})") from e
    except UnicodeDecodeError as e:
        raise ScriptError(f"{path}: not UTF-8 text (byte {e.start})") from e


def _places(text: str) -> dict[Place, int]:
    """Return the line number, from 1, of every table and key as the script writes them."""
    places: dict[Place, int] = {(): 1}
    table: Place = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            name = header[2]
            table = tuple(part.strip(" \"'") for part in name.split("."))
            if header[1] == "[[":
                table = (*table, counts.get(name, 0))
                counts[name] = counts.get(name, 0) + 1
            places[table] = number
        elif key := _KEY.match(line):
            places[(*table, key[1])] = number
    return places


def _nearest(place: Place, places: dict[Place, int]) -> int:
    while place not in places:
        place = place[:-1]
    return places[place]


def _explain(path: Path, error: Any, places: dict[Place, int]) -> str:
    place: Place = error["loc"]
    where = f"{path}, line {_nearest(place, places)}"
    key = ".".join(part for part in place if isinstance(part, str))
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key '{key}'"
    if error["type"] == "missing":
        return f"{where}: '{key}' is missing"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {key}: {message}"
    return f"{where}: {key} = {error['input']!r}: {message}"

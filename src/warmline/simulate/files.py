"""Writes a simulated call: the recording, its metadata beside it, its truth in a folder below."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warmline.errors import ScriptError
from warmline.simulate.acoustics import encode
from warmline.simulate.rendering import SimulatedCall
from warmline.simulate.truth import truth_json

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
    """Never leaves half a file under the final name."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as e:
        raise ScriptError(f"{path}: cannot be written ({e.strerror})") from e

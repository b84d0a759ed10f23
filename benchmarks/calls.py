"""The calls of the listening benchmark: as they are, mixed to mono, long, and without speech."""

import json
import shutil
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scoring import Truth

from warmline.simulate.sounds import hold_music

RATE_HZ = 8000
_SILENCE_S = 60.0

Pcm = NDArray[np.int16]


def truths(folder: Path) -> list[Truth]:
    """The calls of a folder that have a human transcript beside them."""
    found = []
    for path in sorted(folder.glob("*.wav")):
        transcript = json.loads(path.with_suffix(".json").read_text())
        with wave.open(str(path)) as file:
            duration_s = file.getnframes() / file.getframerate()
        found.append(Truth(path.stem, tuple(transcript), duration_s))
    return found


def lay_out(calls: Iterable[Truth], source: Path, work: Path) -> None:
    """Copy the calls as they are and as mono mixes, without their transcripts."""
    for kind in ("stereo", "mono"):
        (work / kind).mkdir(parents=True)
    for truth in calls:
        path = source / f"{truth.call}.wav"
        shutil.copy(path, work / "stereo" / path.name)
        pcm, rate_hz = _read(path)
        write(work / "mono" / path.name, mixed(pcm), rate_hz)


def mixed(pcm: Pcm) -> Pcm:
    """Two channels as one, at half their level each, so that nothing clips."""
    return (pcm.astype(np.int32).sum(axis=1) // 2).astype(np.int16)


def long_mono_call(source: Path, duration_s: float, to: Path) -> None:
    """The mono mixes of a folder's calls, one after the other, over and over, up to a length."""
    parts, total, rate_hz = [], 0, RATE_HZ
    mixes = []
    for path in sorted(source.glob("*.wav")):
        pcm, rate_hz = _read(path)
        mixes.append(mixed(pcm))
    while total < duration_s * rate_hz:
        part = mixes[len(parts) % len(mixes)]
        parts.append(part)
        total += part.size
    write(to, np.concatenate(parts)[: round(duration_s * rate_hz)], rate_hz)


def without_speech(folder: Path) -> None:
    """A minute each of silence, line noise, a tone, a ringing tone and hold music."""
    folder.mkdir()
    count = round(_SILENCE_S * RATE_HZ)
    time_s = np.arange(count) / RATE_HZ
    rng = np.random.default_rng(7)
    ringing = np.sin(2 * np.pi * 440 * time_s) + np.sin(2 * np.pi * 480 * time_s)
    sounds = {
        "silence": np.zeros(count),
        "noise": rng.normal(0, 0.01, count),
        "tone": 0.2 * np.sin(2 * np.pi * 440 * time_s),
        "ringing": 0.1 * ringing * (time_s % 6 < 2),
        "music": hold_music(_SILENCE_S, RATE_HZ, -20.0),
    }
    for name, samples in sounds.items():
        pcm = np.clip(samples * 32767, -32768, 32767).astype(np.int16)
        write(folder / f"{name}.wav", pcm, RATE_HZ)


def write(path: Path, pcm: Pcm, rate_hz: int) -> None:
    """One channel of 16-bit sound as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())


def _read(path: Path) -> tuple[Pcm, int]:
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return pcm.reshape(-1, file.getnchannels()), file.getframerate()

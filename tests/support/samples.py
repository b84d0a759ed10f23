"""Beginnings of the sample calls, and settings that hear them quickly."""

import json
import shutil
from pathlib import Path

import numpy as np
import soundfile

from support.sounds import write
from warmline.files import folder
from warmline.recordings.sound import SAMPLE_RATE_HZ, decode
from warmline.settings import RecordingSettings, Settings, with_overrides

SAMPLES = folder("audio") / "samples"
TINY = {"words.whisper_model": "tiny.en", "words.language": "en"}


def cut(sample: str, path: Path, seconds: float) -> Path:
    """The beginning of a sample call as a WAV file, with its metadata beside it."""
    source = next(p for p in SAMPLES.glob(f"{sample}.*") if p.suffix not in {".json", ".toml"})
    sound = decode(source, RecordingSettings())
    samples = sound.pcm[:, : round(seconds * SAMPLE_RATE_HZ)].astype(np.float32) / 32768
    metadata = json.loads((SAMPLES / f"{sample}.json").read_text())
    path.with_suffix(".json").write_text(json.dumps(metadata | {"call_id": path.stem}))
    return write(path, samples, SAMPLE_RATE_HZ)


def install_with_beginnings(to: Path, seconds: float, whole: str) -> None:
    """Install warmline in a folder with the beginnings of the sample calls, and `whole` as it is.

    To hear all of them to their ends takes a minute of computing. Each keeps its encoding.
    """
    root = SAMPLES.parents[1]
    for name in ("src", "warehouse", "flows"):
        shutil.copytree(root / name, to / name)  # with what Python has compiled of it
    shutil.copytree(SAMPLES, to / "audio" / "samples")
    for path in (to / "audio" / "samples").iterdir():
        if path.is_file() and path.suffix not in {".json", ".toml"} and path.stem != whole:
            of = soundfile.info(path)
            sound, rate_hz = soundfile.read(path, round(seconds * of.samplerate))
            soundfile.write(path, sound, rate_hz, format=of.format, subtype=of.subtype)


def settings(**values: object) -> Settings:
    given = {name.replace("__", "."): value for name, value in values.items()}
    return with_overrides(Settings(), TINY | given)

"""A copy of a recording with a tone where something was redacted; the recording stays as it is."""

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warmline.analysis import CallAnalysis
from warmline.errors import QueryError
from warmline.export.formats import session_id
from warmline.recordings.decode import decode
from warmline.recordings.identify import identify
from warmline.recordings.remote import is_remote
from warmline.recordings.sound import SAMPLE_RATE_HZ
from warmline.settings import RecordingSettings
from warmline.values import Span
from warmline.whole_files import write_whole

ENDING = "bleeped.wav"
TONE_HZ = 1000.0
_TONE_LEVEL = 0.1  # of full scale, -23 dBFS: as loud as talk
# The times of words are good to a tenth or two of a second, and a digit is short.
MARGIN_S = 0.3


def write_bleeped(
    analysis: CallAnalysis, settings: RecordingSettings, folder: Path, stem: str | None = None
) -> Path:
    """Write the copy: WAV, 16 bits, 16 kHz, channels as they were; returns the file.

    `stem` begins the file's name (see `file_stems`).

    The tone is on every channel, as a voice is often faint on the other one, too, and begins 0.3 s
    before the words and ends 0.3 s after. What rules did not find is heard. Raises QueryError when
    nothing was looked for in the call, or its recording is no longer the one that was heard;
    RecordingRefusedError when that cannot be read.
    """
    call, path = analysis.metadata.call_id, Path(analysis.recording.path)
    if analysis.redactions is None:
        raise QueryError(f"{call}: analyzed without redaction; a copy would hide nothing")
    if is_remote(analysis.recording.path):
        raise QueryError(
            f"{call}: its recording lies at {analysis.recording.path}; a copy is made only of one "
            "on this machine: fetch it, analyze it into a warehouse of its own, and export that"
        )
    if identify(path).audio_sha256 != analysis.recording.audio_sha256:
        raise QueryError(f"{call}: {path} is another recording now; analyze it again")
    pcm = bleeped(decode(path, settings).pcm, analysis.redactions)
    target = folder / f"{stem or session_id(analysis)}.{ENDING}"
    return write_whole(target, lambda file: _write(file, pcm), QueryError, "the copy")


def bleeped(pcm: NDArray[np.int16], hidden: Sequence[Span]) -> NDArray[np.int16]:
    """The sound, shape (channels, samples) at 16 kHz, with a tone over these spans."""
    copy = pcm.copy()
    for span in hidden:
        first = min(max(0, round((span.start_s - MARGIN_S) * SAMPLE_RATE_HZ)), pcm.shape[1])
        past = max(first, min(round((span.end_s + MARGIN_S) * SAMPLE_RATE_HZ), pcm.shape[1]))
        phase = 2 * np.pi * TONE_HZ / SAMPLE_RATE_HZ * np.arange(first, past)
        copy[:, first:past] = np.round(_TONE_LEVEL * 32767 * np.sin(phase))
    return copy


def _write(path: Path, pcm: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(pcm.shape[0])
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(pcm.T.astype("<i2").tobytes())

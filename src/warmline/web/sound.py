"""The sound of a call as a browser plays it: PCM in WAV, byte range by byte range.

A recording is decoded when somebody opens its call, by the decoder that analyzed it, and kept in
memory as long as there is room: nothing decoded is ever written to the disk.
"""

import re
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warmline.errors import QueryError
from warmline.query.export import bleeped
from warmline.recordings.find import identify
from warmline.recordings.remote import is_remote
from warmline.recordings.sound import SAMPLE_RATE_HZ, decode
from warmline.settings import RecordingSettings
from warmline.values import Span

HEADER_BYTES = 44
PEAKS_PER_S = 20
_BLOCK_BYTES = 1 << 17
_KEPT_BYTES = 400 * 2**20
_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})")


class RangeError(Exception):
    """A byte range that lies outside the sound, or is none."""


@dataclass(frozen=True)
class Recording:
    """The recording of a call that is to be played; `hidden` is to be heard as a tone."""

    call_id: str
    path: str
    audio_sha256: str | None
    hidden: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Wav:
    """Decoded sound, shape (channels, samples), read as the bytes of a WAV file."""

    pcm: NDArray[np.int16]

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return HEADER_BYTES + self.pcm.size * 2

    @property
    def duration_s(self) -> float:
        """Length of the sound."""
        return float(self.pcm.shape[1] / SAMPLE_RATE_HZ)

    def blocks(self, first: int, last: int) -> Iterator[bytes]:
        """Yield the bytes from `first` to `last`, both included, some at a time."""
        for start in range(first, last + 1, _BLOCK_BYTES):
            yield self.bytes_between(start, min(start + _BLOCK_BYTES - 1, last))

    def bytes_between(self, first: int, last: int) -> bytes:
        """Return the bytes from `first` to `last`, both included."""
        header = self._header()[first : last + 1]
        if last < HEADER_BYTES:
            return header
        frame = 2 * self.pcm.shape[0]
        begin, end = max(0, first - HEADER_BYTES), last - HEADER_BYTES + 1
        from_sample, to_sample = begin // frame, -(-end // frame)
        body = self.pcm[:, from_sample:to_sample].T.astype("<i2").tobytes()
        skipped = begin - from_sample * frame
        return header + body[skipped : skipped + end - begin]

    def peaks(self, columns: int) -> NDArray[np.int8]:
        """Return least and greatest level, shape (channels, columns, 2), -127 to 127."""
        edges = np.linspace(0, self.pcm.shape[1], columns + 1).astype(np.int64)[:-1]
        edges = np.minimum(edges, max(self.pcm.shape[1] - 1, 0))
        least = np.minimum.reduceat(self.pcm, edges, axis=1)
        most = np.maximum.reduceat(self.pcm, edges, axis=1)
        both = np.stack([least, most], axis=2).astype(np.float32) / 32768 * 127
        return np.clip(np.round(both), -127, 127).astype(np.int8)

    def _header(self) -> bytes:
        channels, size = self.pcm.shape[0], self.pcm.size * 2
        rate = SAMPLE_RATE_HZ
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, channels, rate),
            *(rate * channels * 2, channels * 2, 16, b"data", size),
        )


def parse_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Return first and last byte that a `Range` header asks for; None when it asks for all.

    Raises RangeError for several ranges at once, for one that is malformed, or that lies outside.
    """
    if header is None:
        return None
    found = _RANGE.fullmatch(header.strip())
    if not found or not (found["first"] or found["last"]):
        raise RangeError(header)
    if not found["first"]:
        length = int(found["last"])
        if length == 0:
            raise RangeError(header)
        return max(0, size_bytes - length), size_bytes - 1
    first = int(found["first"])
    last = min(int(found["last"]), size_bytes - 1) if found["last"] else size_bytes - 1
    if first > last:
        raise RangeError(header)
    return first, last


@dataclass
class SoundCache:
    """Sounds that were decoded lately, up to a bound of memory; the longest unused goes first."""

    settings: RecordingSettings
    kept_bytes: int = _KEPT_BYTES
    _kept: OrderedDict[Recording, Wav] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _decoding: dict[Recording, threading.Lock] = field(default_factory=dict)

    def require_there(self, recording: Recording) -> None:
        """Raise QueryError when the recording is not on this machine, without reading it."""
        if recording not in self._kept:
            _require_here(recording)

    def sound_of(self, recording: Recording) -> Wav:
        """Return the sound of a call, decoded now unless it is kept.

        Raises QueryError when its recording is elsewhere or another one by now,
        RecordingRefusedError when it cannot be read.
        """
        with self._lock:
            busy = self._decoding.setdefault(recording, threading.Lock())
        with busy:  # two requests for one call decode it once
            with self._lock:
                if recording in self._kept:
                    self._kept.move_to_end(recording)
                    return self._kept[recording]
            try:
                wav = _decoded(recording, self.settings)
                with self._lock:
                    self._kept[recording] = wav
                    self._drop_oldest()
            finally:
                with self._lock:
                    self._decoding.pop(recording, None)
            return wav

    def _drop_oldest(self) -> None:
        while len(self._kept) > 1 and sum(w.pcm.nbytes for w in self._kept.values()) > (
            self.kept_bytes
        ):
            self._kept.popitem(last=False)


def _decoded(recording: Recording, settings: RecordingSettings) -> Wav:
    _require_here(recording)
    call, path = recording.call_id, Path(recording.path)
    if identify(path).audio_sha256 != recording.audio_sha256:
        raise QueryError(f"{call}: {path} is another recording now; analyze it again")
    pcm = decode(path, settings).pcm
    return Wav(bleeped(pcm, recording.hidden) if recording.hidden else pcm)


def _require_here(recording: Recording) -> None:
    call = recording.call_id
    if is_remote(recording.path):
        raise QueryError(f"{call}: its recording lies at {recording.path}, not on this machine")
    if not Path(recording.path).is_file():
        raise QueryError(f"{call}: its recording is not at {recording.path} any more")


def hidden_spans(rows: Sequence[dict[str, float]]) -> tuple[Span, ...]:
    """Return the stretches that give way to a tone, from rows of the table `redactions`."""
    return tuple(Span(row["start_s"], row["end_s"]) for row in rows)

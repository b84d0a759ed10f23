"""The sound of a call: who may hear what of it, and how a browser plays it.

It is PCM in WAV, sent byte range by byte range. What a browser asks for is decoded when it asks,
ten seconds at a time, by the decoder that analyzed the recording; it is kept in memory as long as
there is room, and nothing is written to the disk.
"""

import os
import re
import struct
import threading
from asyncio import sleep
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool

from warmline.errors import QueryError, RecordingRefusedError, WarmlineError
from warmline.landing import peaks_of
from warmline.query.calls import NamedCall
from warmline.query.export import TONE_LEVEL, bleeped, with_margin
from warmline.recordings import identify, modified_at
from warmline.recordings.remote import is_remote
from warmline.recordings.sound import (
    PEAKS_PER_S,
    SAMPLE_RATE_HZ,
    decode_between,
    decode_in_memory,
    level_peaks,
)
from warmline.settings import RecordingSettings
from warmline.values import Span
from warmline.warehouse.landing_folder import noted_folder
from warmline.web.accounts import Right
from warmline.web.site import RefusedError, Visit
from warmline.web.warehouse import Reader, Row

HEADER_BYTES = 44
_PART_SAMPLES = 10 * SAMPLE_RATE_HZ
_BLOCK_BYTES = 1 << 17
_AT_ONCE_BYTES = 1 << 20  # of a part that is asked for, before the rest is paced
_TIMES_FASTER = 8
_KEPT_BYTES = 400 * 2**20
_AT_ONCE = 4  # sounds that are opened before anybody asks for a byte of them
_COMPARED = 2  # of those that play, how many are compared with what was analyzed at a time
_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})")


class RangeError(Exception):
    """A byte range that lies outside the sound, or is none."""


@dataclass(frozen=True)
class Recording:
    """The recording of a call that is to be played; `hidden` is to be heard as a tone.

    `channels` and `samples` (at 16 kHz, of each channel), size and time of change (UTC) are as the
    analysis found them; None, it did not come so far, or nobody knows.
    """

    call_id: str
    path: str
    audio_sha256: str | None
    channels: int | None
    samples: int | None
    hidden: tuple[Span, ...] = ()
    size_bytes: int | None = None
    modified_at: datetime | None = None

    def is_as_analyzed(self, stamp: "Stamp") -> bool:
        """Return whether a file has the size and time of change that the analysis found."""
        return (stamp.size_bytes, stamp.modified_at) == (self.size_bytes, self.modified_at)


class Stamp(NamedTuple):
    """Tell a file from a changed one without reading it.

    The number of a file that was deleted is given to the next one, and the time of change can be
    set; `status_changed_ns` cannot. `modified_at` is as an analysis notes it, UTC.
    """

    size_bytes: int
    modified_at: datetime
    modified_ns: int
    status_changed_ns: int
    inode: int


class Wav:
    """The sound of a recording, read as the bytes of a WAV file; of it, what was asked for so far
    is decoded.

    A file that has the size and time of change that the analysis found is played at once;
    `compare`, which whoever opens it has to call, reads all of its bytes meanwhile, and nothing is
    played any more where they differ. Any other file is compared before it is played.

    Raises QueryError when its recording is elsewhere or another one by now, RecordingRefusedError
    when it cannot be read.
    """

    def __init__(self, recording: Recording, settings: RecordingSettings) -> None:
        self.recording = recording
        self._settings = settings
        self._path = Path(recording.path)
        self._lock = threading.Lock()
        self._parts: dict[int, NDArray[np.int16]] = {}
        self._whole: NDArray[np.int16] | None = None
        self._kept_bytes = 0
        self.stamp = _stamp(recording.call_id, recording.path)
        self._is_compared = self._is_different = False
        if not recording.is_as_analyzed(self.stamp):
            self.compare()
            self.require_unchanged()
        shape = (recording.channels, recording.samples)
        if None in shape:
            shape = self.whole().shape
        self.channels, self.samples = (int(size or 0) for size in shape)

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return HEADER_BYTES + self.channels * self.samples * 2

    @property
    def kept_bytes(self) -> int:
        """Memory that the decoded sound takes; it can be read while more of it is decoded."""
        return self._kept_bytes

    async def blocks(
        self, first: int, last: int, at_once: int = _AT_ONCE_BYTES
    ) -> AsyncIterator[bytes]:
        """Yield the bytes from `first` to `last`, both included, some at a time.

        A browser takes minutes ahead of where it plays. After so many bytes it gets them no faster
        than they could be heard at eight times the speed: what it asks for next does not wait.
        """
        for start in range(first, last + 1, _BLOCK_BYTES):
            if start - first >= at_once:
                await sleep(_BLOCK_BYTES / (_TIMES_FASTER * self.bytes_a_second))
            end = min(start + _BLOCK_BYTES - 1, last)
            yield await run_in_threadpool(self.bytes_between, start, end)

    @property
    def bytes_a_second(self) -> int:
        """Bytes of a second of sound."""
        return 2 * self.channels * SAMPLE_RATE_HZ

    def bytes_between(self, first: int, last: int) -> bytes:
        """Return the bytes from `first` to `last`, both included."""
        if self._is_different:
            raise self._is_another()
        header = self._header()[first : last + 1]
        if last < HEADER_BYTES:
            return header
        frame = 2 * self.channels
        begin, end = max(0, first - HEADER_BYTES), last - HEADER_BYTES + 1
        from_sample, to_sample = begin // frame, -(-end // frame)
        body = self.between(from_sample, to_sample).T.astype("<i2").tobytes()
        skipped = begin - from_sample * frame
        return header + body[skipped : skipped + end - begin]

    def between(self, first: int, past: int) -> NDArray[np.int16]:
        """Return the samples from `first` until before `past`, shape (channels, samples)."""
        numbers = range(first // _PART_SAMPLES, -(-past // _PART_SAMPLES))
        pieces = [self._part(number) for number in numbers]
        offset = numbers.start * _PART_SAMPLES
        joined = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)
        return joined[:, first - offset : past - offset]

    def whole(self) -> NDArray[np.int16]:
        """Return all samples of all channels."""
        with self._lock:
            return self._decoded_whole()

    def _part(self, number: int) -> NDArray[np.int16]:
        with self._lock:  # two requests for one part decode it once
            if number not in self._parts:
                part = self._decoded(number)
                if part.shape[0] != self.channels:
                    raise self._is_another()
                if self._whole is not None:
                    return part
                self._parts[number] = part
                self._kept_bytes += part.nbytes
            return self._parts[number]

    def _decoded(self, number: int) -> NDArray[np.int16]:
        first = number * _PART_SAMPLES
        past = min(first + _PART_SAMPLES, self.samples)
        found = None
        if self._whole is None:
            found = decode_between(self._path, self._settings, first, past)
            self.require_unchanged()
        if found is None:
            found = self._decoded_whole()[:, first:past]
            return np.pad(found, ((0, 0), (0, past - first - found.shape[1])))
        at_s = first / SAMPLE_RATE_HZ
        hidden = [Span(span.start_s - at_s, span.end_s - at_s) for span in self.recording.hidden]
        return bleeped(found, hidden) if hidden else found

    def _decoded_whole(self) -> NDArray[np.int16]:
        if self._whole is None:
            pcm = decode_in_memory(self._path, self._settings).pcm
            self.require_unchanged()
            self._whole = bleeped(pcm, hidden) if (hidden := self.recording.hidden) else pcm
            self._parts.clear()
            self._kept_bytes = self._whole.nbytes
        return self._whole

    @property
    def is_compared(self) -> bool:
        """Return whether its bytes were compared with those that were analyzed."""
        return self._is_compared

    def compare(self) -> None:
        """Read the bytes of the file, and note whether they are those that were analyzed.

        Raises RecordingRefusedError or QueryError when it cannot be read; it is not played any more
        then, either.
        """
        try:
            digest = identify(self._path).audio_sha256
        except RecordingRefusedError:
            self._is_different = True
            raise
        except OSError as e:
            self._is_different = True
            raise _unreadable(self.recording.call_id, self.recording.path, e) from e
        self._is_different = digest != self.recording.audio_sha256
        self._is_compared = True

    def require_unchanged(self) -> None:
        """Raise QueryError when the file has changed since it was opened, or was another one."""
        stamp = _stamp(self.recording.call_id, self.recording.path)
        if self._is_different or stamp != self.stamp:
            raise self._is_another()

    def _is_another(self) -> QueryError:
        call = self.recording.call_id
        return QueryError(f"{call}: {self._path} is another recording now; analyze it again")

    def _header(self) -> bytes:
        channels, size = self.channels, self.channels * self.samples * 2
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
    """Sounds that were asked for lately, up to a bound of memory; the longest unused goes first."""

    settings: RecordingSettings
    kept_bytes: int = _KEPT_BYTES
    _kept: OrderedDict[Recording, Wav] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _opening: dict[Recording, threading.Lock] = field(default_factory=dict)
    _preparing: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))
    _comparing: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_COMPARED))

    @property
    def kept(self) -> dict[Recording, Wav]:
        """Return the sounds that are kept, the longest unused first."""
        with self._lock:
            return dict(self._kept)

    @property
    def is_busy(self) -> bool:
        """Return whether a sound is being opened."""
        with self._lock:
            return bool(self._opening)

    def prepare(self, recording: Recording) -> None:
        """Begin to open the sound of a call that is about to be played, and do not wait for it.

        A file that was copied or touched since has to be read whole before it is played; meanwhile
        the page is made. What is wrong is said when it plays.
        """
        if self._preparing.acquire(blocking=False):
            threading.Thread(target=self._prepare, args=(recording,), daemon=True).start()

    def _prepare(self, recording: Recording) -> None:
        try:
            with suppress(WarmlineError):
                self.sound_of(recording).between(0, 1)
        finally:
            self._preparing.release()

    def sound_of(self, recording: Recording) -> Wav:
        """Return the sound of a call. Raises as `Wav`."""
        with self._lock:
            busy = self._opening.setdefault(recording, threading.Lock())
        with busy:  # two requests for one call read it once
            try:
                wav = self._kept_one(recording) or self._opened(recording)
            finally:
                with self._lock:
                    self._opening.pop(recording, None)
            with self._lock:
                self._kept[recording] = wav
                self._kept.move_to_end(recording)
                self._drop_oldest()
            return wav

    def _opened(self, recording: Recording) -> Wav:
        wav = Wav(recording, self.settings)
        if not wav.is_compared:
            self._comparing.submit(wav.compare)
        return wav

    def _kept_one(self, recording: Recording) -> Wav | None:
        """The sound that is kept, unless its file has changed since; what was found to be another
        recording is not opened again.
        """
        stamp = _stamp(recording.call_id, recording.path)
        with self._lock:
            wav = self._kept.get(recording)
        if wav is None or wav.stamp != stamp:
            return None
        wav.require_unchanged()
        return wav

    def _drop_oldest(self) -> None:
        while len(self._kept) > 1 and sum(w.kept_bytes for w in self._kept.values()) > (
            self.kept_bytes
        ):
            self._kept.popitem(last=False)


def require_here(call_id: str, path: str) -> None:
    """Raise QueryError when the recording of a call is not on this machine, or nobody may look for
    it, without reading it.
    """
    _stamp(call_id, path)


def _stamp(call_id: str, path: str) -> Stamp:
    if is_remote(path):
        raise QueryError(f"{call_id}: its recording lies at {path}, not on this machine")
    try:
        status = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError, ValueError):
        status = None
    except OSError as e:
        raise _unreadable(call_id, path, e) from e
    if status is None or not S_ISREG(status.st_mode):
        raise QueryError(f"{call_id}: its recording is not at {path} any more")
    at = modified_at(status).replace(tzinfo=None)
    return Stamp(status.st_size, at, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _unreadable(call_id: str, path: str, error: OSError) -> QueryError:
    why = error.strerror or str(error)
    return QueryError(f"{call_id}: its recording at {path} cannot be read ({why})")


def decoded_peaks(wav: Wav) -> NDArray[np.int8]:
    """Return the peaks of a sound, shape (channels, columns, 2); it is decoded as a whole."""
    return drawable(level_peaks(wav.whole()))


def drawable(stored: Sequence[bytes], hidden: Sequence[Span] = ()) -> NDArray[np.int8]:
    """Return stored peaks, shape (channels, columns, 2), with a tone in the place of what is
    hidden.
    """
    peaks = np.stack([np.frombuffer(one, np.int8).reshape(-1, 2) for one in stored]).copy()
    for span in hidden:
        start_s, end_s = with_margin(span)
        first, past = max(0, int(start_s * PEAKS_PER_S)), int(end_s * PEAKS_PER_S) + 1
        peaks[:, first : max(first, past)] = np.round(127 * TONE_LEVEL) * np.array([-1, 1])
    return peaks


def in_columns(peaks: NDArray[np.int8], most: int) -> NDArray[np.int8]:
    """Return peaks in at most so many columns, each of which holds as many of those given."""
    at_once = max(1, -(-peaks.shape[1] // most))
    starts = np.arange(0, peaks.shape[1], at_once)
    least = np.minimum.reduceat(peaks[:, :, 0], starts, axis=1)
    return np.stack([least, np.maximum.reduceat(peaks[:, :, 1], starts, axis=1)], axis=2)


def hidden_spans(rows: Sequence[dict[str, float]]) -> tuple[Span, ...]:
    """Return the stretches that give way to a tone, from rows of the table `redactions`."""
    return tuple(Span(row["start_s"], row["end_s"]) for row in rows)


# What a user may hear of a call, and why a call cannot be heard.

_REDACTIONS = "SELECT start_s, end_s FROM redactions WHERE call_id = $id ORDER BY start_s"
#: The file that holds an analysis: what was read last was written last.
_LANDED = "SELECT file FROM landing.entries WHERE landing_key = $key ORDER BY analyzed_at DESC"
_CALLS = "SELECT call_id, path, redactions FROM calls WHERE call_id IN $ids"


def sound_link(visit: Visit, call: NamedCall) -> str:
    """Return the address of a call's sound, for this session and a short time."""
    return f"/sound/{visit.site.signer.sign(call.call_id, visit.session.digest)}"


def begin_sound(visit: Visit, reader: Reader, call: Row) -> str | None:
    """Begin to open the sound of a call whose page is made; returns why it cannot be heard."""
    problem = no_sound(visit, call)
    if problem is None:
        visit.site.sounds.prepare(recording_of(visit, reader, call))
    return problem


def no_sound(visit: Visit, call: Row) -> str | None:
    """Return why this user cannot hear the call; None when nothing is known against it."""
    try:
        _require_hearing(visit, call)
        require_here(call["call_id"], call["path"])
    except WarmlineError as e:
        return str(e)
    return None


def silent_calls(visit: Visit, reader: Reader, call_ids: Collection[str]) -> dict[str, str]:
    """Return those of these calls that this user cannot hear, each with the reason."""
    if not call_ids:
        return {}
    return silent_among(visit, reader.rows(_CALLS, {"ids": sorted(set(call_ids))}))


def silent_among(visit: Visit, rows: Sequence[Row]) -> dict[str, str]:
    """Return the same of rows that have a `call_id`, a `path` and `redactions`."""
    calls = {row["call_id"]: row for row in rows}
    said = {call_id: no_sound(visit, row) for call_id, row in calls.items()}
    return {call_id: reason for call_id, reason in said.items() if reason is not None}


def recording_of(visit: Visit, reader: Reader, call: Row) -> Recording:
    """Return what this user may hear of a call, with a tone over what is hidden from them.

    Raises RefusedError (403) when that is nothing: the role may not hear calls, or not what was
    redacted, and nobody has looked for it in this call.
    """
    _require_hearing(visit, call)
    hidden: tuple[Span, ...] = ()
    if not visit.user.may(Right.HEAR_HIDDEN):
        hidden = hidden_spans(reader.rows(_REDACTIONS, {"id": call["call_id"]}))
    duration_s = call["duration_s"]
    samples = None if duration_s is None else round(duration_s * SAMPLE_RATE_HZ)
    channels = call["channel_count"]
    return Recording(
        call_id=call["call_id"],
        path=call["path"],
        audio_sha256=call["audio_sha256"],
        channels=channels,
        samples=samples,
        hidden=hidden,
        size_bytes=call["size_bytes"],
        modified_at=call["modified_at"],
    )


def _require_hearing(visit: Visit, call: Row) -> None:
    visit.require(Right.HEAR)
    if call["redactions"] is None and not visit.user.may(Right.HEAR_HIDDEN):
        raise RefusedError(
            403,
            f"{call['call_id']}: analyzed without redaction, so that nothing could be hidden; "
            f"your role, {visit.user.role}, may not {Right.HEAR_HIDDEN.value}",
        )


def stored_peaks(visit: Visit, reader: Reader, landing_key: str) -> tuple[bytes, ...]:
    """Return the peaks that landed with the analysis of a call; none with one of before."""
    at = visit.site.warehouse.path
    noted = noted_folder(reader.cursor)
    folder = next((f for f in noted.candidates(at) if noted.is_at(f, at)), None) if noted else None
    if folder is None:
        return ()
    files = [str(row["file"]) for row in reader.rows(_LANDED, {"key": landing_key})]
    return peaks_of(folder, landing_key, files)

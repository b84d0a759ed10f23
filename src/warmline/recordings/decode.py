"""Decode a file to sound: any codec a call centre uses, channels kept apart, length bounded.

The decoder is FFmpeg as shipped with PyAV. It gets an open file, the containers that hold audio,
and no protocol, so that a crafted playlist cannot make it open anything else.
"""

import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from warmline.errors import RecordingRefusedError
from warmline.recordings.find import open_recording
from warmline.recordings.sound import SAMPLE_RATE_HZ, FrameWriter, Sound, loudest_db, too_long
from warmline.settings import RecordingSettings

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

# What the first bytes of a file promise, where the decoding library does not tell.


_UNKNOWN_LENGTH_FROM = 0x7FFF_0000  # writers to a pipe put 2**31 - something, or all ones, or zero
_CHUNK_LIMIT = 1000
_BLOCK_BYTES = 1 << 20
_OVERLAP_BYTES = 64
_MP3_TAGS = (b"Xing", b"Info", b"VBRI")

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (8, b"WAVE", "WAV"),
    (4, b"ftyp", "MP4"),
    (0, b"OggS", "Ogg"),
    (0, b"fLaC", "FLAC"),
    (0, b"ID3", "MP3"),
    (0, b"#!AMR", "AMR"),
    (0, b".snd", "AU"),
    (8, b"AIFF", "AIFF"),
    (8, b"AIFC", "AIFF"),
    (8, b"AVI ", "AVI"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA"),
)


@dataclass(frozen=True)
class Header:
    """A file's statements about itself.

    `kind` is the container that its first bytes announce, None when we know none. `wav_bytes` are
    the bytes of sound that a WAV header promises and those that are there; None when it is not WAV,
    or was written by a recorder that did not know the length (zero, or the limit of 32 bits).
    `lacks_mp4_index`: an MP4 file that ends before its index, as a copy that was cut short does.
    `has_mp3_length`: an MP3 file that says how long it is, in a tag in its first frame.
    `wav_rest_bytes` follow the sound that a WAV header promises and are neither chunks nor padding:
    the recorder went on without telling the header. `second_at`: where another file of the same
    kind begins inside this one. `wav_bytes_a_second` is 0 when it is not known.
    """

    size_bytes: int
    kind: str | None
    wav_bytes: tuple[int, int] | None
    lacks_mp4_index: bool
    has_mp3_length: bool
    wav_rest_bytes: int = 0
    second_at: int | None = None
    wav_bytes_a_second: int = 0


def read_header(file: BinaryIO) -> Header:
    """Read a few small pieces of the file, and leave its position at the start."""
    size_bytes = file.seek(0, 2)
    head = _at(file, 0, 16)
    kind = next((name for at, magic, name in _MAGIC if head[at : at + len(magic)] == magic), None)
    header = Header(
        size_bytes,
        kind,
        _wav_bytes(file, size_bytes) if kind == "WAV" else None,
        kind == "MP4" and _lacks_mp4_index(file, size_bytes),
        _has_mp3_length(file, head),
    )
    if kind == "WAV":
        header = _with_wav_rest(file, header)
    elif kind == "MP4":
        header = replace(header, second_at=_second_mp4(file, size_bytes))
    elif kind == "AIFF":
        (length,) = struct.unpack(">I", head[4:8])
        after = _at(file, 8 + length + length % 2, 12)
        if after[:4] == b"FORM" and after[8:12] in (b"AIFF", b"AIFC"):
            header = replace(header, second_at=8 + length + length % 2)
    file.seek(0)
    return header


def _with_wav_rest(file: BinaryIO, header: Header) -> Header:
    """Add what follows the sound of a WAV file."""
    chunks = dict(_wav_chunks(file))
    start, size = chunks.get(b"data", (0, 0))
    if not start:
        return header
    format_at, format_size = chunks.get(b"fmt ", (0, 0))
    rate = _at(file, format_at + 8, 4) if format_size >= 16 else b""
    header = replace(
        header, wav_bytes_a_second=struct.unpack("<I", rate)[0] if len(rate) == 4 else 0
    )
    if header.wav_bytes is None:  # the length is not known: all is sound, up to another file
        return replace(header, second_at=_second_wav(file, start, header.size_bytes))
    rest_at = min(start + size, header.size_bytes)
    explained = max(_end_of_chunks(file, at, header.size_bytes) for at in (rest_at, rest_at + 1))
    rest = max(0, header.size_bytes - explained)
    second_at = _second_wav(file, rest_at, header.size_bytes) if rest else None
    if second_at is not None or _is_padding(file, explained, header.size_bytes):
        rest = 0
    return replace(header, wav_rest_bytes=rest, second_at=second_at)


def _wav_chunks(file: BinaryIO) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield names of the chunks up to the sound, each with its position and size."""
    position = 12
    for _ in range(_CHUNK_LIMIT):
        chunk = _at(file, position, 8)
        if len(chunk) < 8:
            return
        name, size = struct.unpack("<4sI", chunk)
        yield name, (position + 8, size)
        if name == b"data":
            return
        position += 8 + size + size % 2


def _end_of_chunks(file: BinaryIO, position: int, end: int) -> int:
    """Return where the chunks that begin here end; here, if none does."""
    for _ in range(_CHUNK_LIMIT):
        chunk = _at(file, position, 8)
        if len(chunk) < 8:
            break
        name, size = struct.unpack("<4sI", chunk)
        is_chunk = name.isascii() and name.decode("ascii", "replace").isprintable()
        if not is_chunk or name in (b"RIFF", b"RIFX", b"RF64") or position + 8 + size > end:
            break
        position += 8 + size + size % 2
    return position


def _second_wav(file: BinaryIO, position: int, end: int) -> int | None:
    """Return where the next WAV file begins, at or after a position."""
    block = b""
    while position < end:
        more = _at(file, position, _BLOCK_BYTES)
        found = (block + more).find(b"WAVEfmt ")
        if found >= 8 and (block + more)[found - 8 : found - 4] in (b"RIFF", b"RIFX", b"RF64"):
            return position - len(block) + found - 8
        position += len(more)
        block = (block + more)[-_OVERLAP_BYTES:]
        if not more:
            break
    return None


def _is_padding(file: BinaryIO, position: int, end: int) -> bool:
    """Return whether all bytes are equal: zeros up to the end of a block, the silence of mu-law."""
    first = _at(file, position, 1)
    while position < end:
        block = _at(file, position, _BLOCK_BYTES)
        if not block or block.strip(first):
            return False
        position += len(block)
    return True


def _second_mp4(file: BinaryIO, end: int) -> int | None:
    """Return where a second MP4 file begins: a second atom of the kind that opens each."""
    position = 0
    for _ in range(_CHUNK_LIMIT):
        atom = _at(file, position, 16)
        if len(atom) < 8 or position >= end:
            return None
        size, name = struct.unpack(">I4s", atom[:8])
        if name == b"ftyp" and position > 0:
            return position
        if size == 1 and len(atom) == 16:
            size = struct.unpack(">Q", atom[8:])[0]
        if size < 8:
            return None
        position += size
    return None


def _wav_bytes(file: BinaryIO, end: int) -> tuple[int, int] | None:
    position = 12
    for _ in range(_CHUNK_LIMIT):
        chunk = _at(file, position, 8)
        if len(chunk) < 8:
            return None
        name, size = struct.unpack("<4sI", chunk)
        position += 8
        if name == b"data":
            known = 0 < size < _UNKNOWN_LENGTH_FROM
            return (size, min(size, end - position)) if known else None
        position += size + size % 2
    return None


def _lacks_mp4_index(file: BinaryIO, end: int) -> bool:
    position = 0
    for _ in range(_CHUNK_LIMIT):
        atom = _at(file, position, 16)
        if len(atom) < 8:
            return True
        size, name = struct.unpack(">I4s", atom[:8])
        if size == 1 and len(atom) == 16:
            size = struct.unpack(">Q", atom[8:])[0]
        if size == 0:  # reaches to the end of the file
            return bool(name != b"moov")
        if position + size > end:
            return True
        if name == b"moov" or size < 8:
            return False
        position += size
    return False


def _has_mp3_length(file: BinaryIO, head: bytes) -> bool:
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        digits = zip(head[6:10], (21, 14, 7, 0), strict=True)
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in digits)
    frame = _at(file, start, 4096)
    return any(tag in frame for tag in _MP3_TAGS)


def _at(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)


_CONTAINERS = (
    *("wav", "w64", "mp3", "mov", "mp4", "m4a", "3gp", "3g2", "aac", "ogg", "flac", "amr"),
    *("amrnb", "amrwb", "gsm", "asf", "matroska", "webm", "au", "aiff", "avi", "mpegts", "mpeg"),
)
_OPTIONS = {
    "format_whitelist": ",".join(_CONTAINERS),
    "protocol_whitelist": "none",
    "max_size": "65536",  # larger packets of plain PCM: half the time
}
_TIMESTAMPED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "ogg"}
_TELL_LENGTH = _TIMESTAMPED | {"wav", "w64", "aiff", "au", "flac"}
_LEAST_MISSING_S = 0.5  # encoders pad and trim: a tenth of a second is not a cut
_GIVE_UP_AFTER_BAD = 1_000
_SEEK_FORCE = 0x20000  # FFmpeg's flag beside SEEK_SET, SEEK_CUR, SEEK_END


class _Source:
    """A file as FFmpeg reads it. A seek that is not possible returns an error number.

    (PyAV would print a Python exception on the terminal.)
    """

    def __init__(self, file: BinaryIO) -> None:
        self.name = file.name
        self.read = file.read
        self.tell = file.tell
        self._file = file

    def seek(self, offset: int, whence: int = 0) -> int:
        """Return the new position, or a negative error number."""
        try:
            return self._file.seek(offset, whence & ~_SEEK_FORCE)
        except (OSError, ValueError, OverflowError):
            return -errno.EINVAL


@dataclass
class _Counts:
    """Packets seen, those with an error instead of sound, and whether the file went on."""

    packets: int = 0
    bad: int = 0
    ended_early: bool = False

    @property
    def is_hopeless(self) -> bool:
        return self.bad >= _GIVE_UP_AFTER_BAD and 2 * self.bad > self.packets


def decode(path: Path, settings: RecordingSettings) -> Sound:
    """Return the sound of a recording, at 16 kHz and 16 bits, with channels kept apart.

    The first audio stream is taken. Memory is that of the result, 32 kB per second and channel.
    Raises `RecordingRefusedError` with one of these codes: those of `open_recording` and of
    `FrameWriter`, `not_audio`, `no_audio_stream`, `two_files` (one appended to another),
    `unsupported_codec`, `too_short`, `too_long` (from the header where it tells, else as soon as it
    is seen), `truncated` (more than `max_missing_share` of the promised sound is missing),
    `corrupt`, `silent`.
    """
    import av

    name = path.name
    with open_recording(path) as file:
        header = read_header(file)
        _refuse_cut_wav(name, header, settings)
        _refuse_second_file(name, header)
        options = _OPTIONS | ({"ignore_length": "1"} if _goes_on(header, settings) else {})
        try:
            container = av.open(_Source(file), mode="r", options=options, metadata_errors="replace")
        except av.error.FFmpegError as e:
            raise _not_openable(name, header, e) from e
        with container:
            stream = _audio_stream(name, container)
            promised_s = _promised_s(container, stream, header)
            if promised_s is not None and promised_s > settings.max_duration_s:
                raise too_long(name, f"{promised_s:.0f} s", settings)
            expected_samples = round((promised_s or 0.0) * SAMPLE_RATE_HZ)
            is_timestamped = container.format.name in _TIMESTAMPED
            writer = FrameWriter(name, settings, expected_samples, is_timestamped)
            counts = _read(container, stream, writer)
            pcm = writer.finish()
            codec = stream.codec_context.codec.canonical_name
    _refuse_damaged(name, writer.duration_s, promised_s, counts, header, settings)
    _refuse_unheard(name, pcm, settings)
    return Sound(pcm, writer.native_rate_hz, codec)


def _refuse_cut_wav(name: str, header: Header, settings: RecordingSettings) -> None:
    """Refuse a WAV file shorter than its header says, which FFmpeg would accept silently."""
    if header.wav_bytes is None:
        return
    promised, present = header.wav_bytes
    if present < promised * (1 - settings.max_missing_share):
        raise RecordingRefusedError(
            "truncated",
            f"{name}: the header promises {promised} bytes of sound, {present} "
            f"({present / promised:.0%}) are there; copy the file again",
        )


def _goes_on(header: Header, settings: RecordingSettings) -> bool:
    """Return whether more sound follows than a WAV header states, as when a recorder was killed."""
    promised = header.wav_bytes[0] if header.wav_bytes else 0
    least = max(promised * settings.max_missing_share, header.wav_bytes_a_second * _LEAST_MISSING_S)
    return header.wav_rest_bytes > least


def _refuse_second_file(name: str, header: Header) -> None:
    """Refuse two files joined into one, of which FFmpeg would read only the first."""
    if header.second_at is None:
        return
    lengths = f"after {header.second_at} of {header.size_bytes} bytes"
    if rate := header.wav_bytes_a_second:
        lengths += f" (about {header.second_at / rate:.1f} of {header.size_bytes / rate:.1f} s)"
    raise RecordingRefusedError(
        "two_files", f"{name}: a second {header.kind} file begins {lengths}; split it into two"
    )


def _not_openable(name: str, header: Header, error: Exception) -> RecordingRefusedError:
    if header.lacks_mp4_index:
        return RecordingRefusedError(
            "truncated",
            f"{name}: an MP4 file of {header.size_bytes} bytes that ends before its index; "
            "copy the file again",
        )
    if header.kind is not None:
        return RecordingRefusedError(
            "corrupt", f"{name}: begins as {header.kind} but cannot be read on ({error})"
        )
    return RecordingRefusedError("not_audio", f"{name}: not a sound file of any kind known here")


def _audio_stream(name: str, container: "InputContainer") -> "AudioStream":
    if not container.streams.audio:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise RecordingRefusedError("no_audio_stream", f"{name}: holds no sound, only {kinds}")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise RecordingRefusedError("unsupported_codec", f"{name}: its codec is not known")
    stream.codec_context.thread_count = 1
    return stream


def _promised_s(container: "InputContainer", stream: "AudioStream", header: Header) -> float | None:
    """Return the length that the file states; None where FFmpeg could only estimate it."""
    kind = container.format.name
    if kind not in _TELL_LENGTH and not (kind == "mp3" and header.has_mp3_length):
        return None
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / 1e6
    return None


def _read(container: "InputContainer", stream: "AudioStream", writer: FrameWriter) -> _Counts:
    """Decode to the end, or until nothing more can be decoded."""
    import av

    counts = _Counts()
    packets = container.demux(stream)
    while not counts.is_hopeless:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, IndexError):  # raised when a stream begins on the way
            counts.ended_early = True
            break
        if packet is None:
            break
        counts.packets += 1
        try:
            for frame in packet.decode():
                writer.write(frame)
        except av.error.FFmpegError:
            counts.bad += 1
    return counts


def _refuse_damaged(
    name: str,
    decoded_s: float,
    promised_s: float | None,
    counts: _Counts,
    header: Header,
    settings: RecordingSettings,
) -> None:
    """Refuse a file with a material share of bad packets or missing length; a few are a scratch."""
    failed = counts.bad > 0 or counts.ended_early
    if decoded_s == 0 and failed and header.kind is None:
        raise RecordingRefusedError("not_audio", f"{name}: nothing in it can be decoded as sound")
    if counts.ended_early and promised_s is None:
        raise RecordingRefusedError(
            "corrupt", f"{name}: cannot be read on after {decoded_s:.1f} s of sound"
        )
    if counts.bad > 1 and counts.bad > counts.packets * settings.max_missing_share:
        raise RecordingRefusedError(
            "corrupt",
            f"{name}: {counts.bad} of {counts.packets} packets cannot be decoded "
            f"({decoded_s:.1f} s of sound could)",
        )
    missing_s = (promised_s or 0.0) - decoded_s
    if promised_s and missing_s > max(_LEAST_MISSING_S, promised_s * settings.max_missing_share):
        raise RecordingRefusedError(
            "truncated",
            f"{name}: the header promises {promised_s:.1f} s, {decoded_s:.1f} s "
            f"({decoded_s / promised_s:.0%}) are there; copy the file again",
        )


def _refuse_unheard(name: str, pcm: NDArray[np.int16], settings: RecordingSettings) -> None:
    duration_s = pcm.shape[1] / SAMPLE_RATE_HZ
    if duration_s < settings.min_duration_s or duration_s == 0:
        raise RecordingRefusedError(
            "too_short",
            f"{name}: {duration_s:.2f} s of sound, less than recordings.min_duration_s = "
            f"{settings.min_duration_s:g}",
        )
    level_db = loudest_db(pcm)
    if level_db < settings.silence_db:
        raise RecordingRefusedError(
            "silent",
            f"{name}: silent all over, never above {level_db:.0f} dBFS "
            f"(recordings.silence_db = {settings.silence_db:g})",
        )

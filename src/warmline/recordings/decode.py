"""Decode a file to sound: any codec a call centre uses, channels kept apart, length bounded.

The decoder is FFmpeg as shipped with PyAV. It gets an open file, the containers that hold audio,
and no protocol, so that a crafted playlist cannot make it open anything else.
"""

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from warmline.errors import RecordingRefusedError
from warmline.recordings.find import open_recording
from warmline.recordings.header import Header, MendedFile, read_header
from warmline.recordings.sound import SAMPLE_RATE_HZ, FrameWriter, Sound, loudest_db, too_long
from warmline.settings import RecordingSettings

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

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

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self.name = file.name
        self.read = MendedFile(file, header.mended).read if header.mended else file.read
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
        _refuse_cut_samples(name, header, settings)
        _refuse_second_file(name, header)
        options = _OPTIONS | ({"ignore_length": "1"} if _goes_on(header, settings) else {})
        try:
            container = av.open(
                _Source(file, header), mode="r", options=options, metadata_errors="replace"
            )
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


def _refuse_cut_samples(name: str, header: Header, settings: RecordingSettings) -> None:
    """Refuse plain samples fewer than the header says, which FFmpeg would accept silently."""
    if header.sound_bytes is None:
        return
    promised, present = header.sound_bytes
    if present < promised * (1 - settings.max_missing_share):
        raise RecordingRefusedError(
            "truncated",
            f"{name}: the header promises {promised} bytes of sound, {present} "
            f"({present / promised:.0%}) are there; copy the file again",
        )


def _goes_on(header: Header, settings: RecordingSettings) -> bool:
    """Return whether sound is to be read to the end of the file, whatever its header states."""
    if header.kind == "WAV" and header.sound_bytes is None:
        return True  # the header does not say
    promised = header.sound_bytes[0] if header.sound_bytes else 0
    least = max(promised * settings.max_missing_share, header.bytes_a_second * _LEAST_MISSING_S)
    return header.rest_bytes > least


def _refuse_second_file(name: str, header: Header) -> None:
    """Refuse two files joined into one, of which FFmpeg would read only the first."""
    if header.second is None:
        return
    kind, at = header.second
    what = kind if kind.startswith("piece") else f"{kind} file"
    lengths = f"after {at} of {header.size_bytes} bytes"
    if rate := header.bytes_a_second:
        lengths += f" (about {at / rate:.1f} of {header.size_bytes / rate:.1f} s)"
    raise RecordingRefusedError(
        "two_files", f"{name}: a second {what} begins {lengths}; split it into two"
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

"""From a file to sound: any codec a call centre has, channels kept apart, length bounded.

The decoder is FFmpeg as PyAV carries it. It is given an open file, the containers that hold audio,
and no protocol, so that a crafted playlist can make it open nothing else.
"""

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from warmline.errors import RecordingRefusedError
from warmline.recordings.headers import Header, read_header
from warmline.recordings.identify import open_recording
from warmline.recordings.pcm import loudest_db
from warmline.recordings.resample import FrameWriter, too_long
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
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
    """A file as FFmpeg reads it. To a seek that cannot be done the answer is an error number.

    (PyAV prints a Python exception on the terminal.)
    """

    def __init__(self, file: BinaryIO) -> None:
        self.name = file.name
        self.read = file.read
        self.tell = file.tell
        self._file = file

    def seek(self, offset: int, whence: int = 0) -> int:
        """The new position, or a negative error number."""
        try:
            return self._file.seek(offset, whence & ~_SEEK_FORCE)
        except (OSError, ValueError, OverflowError):
            return -errno.EINVAL


@dataclass
class _Tally:
    """Packets seen, those that gave an error instead of sound, and whether the file went on."""

    packets: int = 0
    bad: int = 0
    ended_early: bool = False

    @property
    def is_hopeless(self) -> bool:
        return self.bad >= _GIVE_UP_AFTER_BAD and 2 * self.bad > self.packets


def decode(path: Path, settings: RecordingSettings) -> Sound:
    """The sound of a recording, at 16 kHz and 16 bits, every channel by itself.

    The first audio stream is taken. Memory is that of the result, 32 kB a second and channel.

    Raises `RecordingRefusedError` with one of these codes: those of `open_recording` and of
    `FrameWriter`, `not_audio`, `no_audio_stream`, `two_files` (one appended to another),
    `unsupported_codec`, `too_short`, `too_long` (from the header where it tells, else as soon as it
    is seen), `truncated` (more than `max_missing_share` of the promised sound is not there),
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
            tally = _read(container, stream, writer)
            pcm = writer.finish()
            codec = stream.codec_context.codec.canonical_name
    _refuse_damaged(name, writer.duration_s, promised_s, tally, header, settings)
    _refuse_unheard(name, pcm, settings)
    return Sound(pcm, writer.native_rate_hz, codec)


def _refuse_cut_wav(name: str, header: Header, settings: RecordingSettings) -> None:
    """FFmpeg quietly shortens a WAV file to what is there; the header tells what should be."""
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
    """Whether more sound follows than a WAV header promises, as where a recorder was killed."""
    promised = header.wav_bytes[0] if header.wav_bytes else 0
    least = max(promised * settings.max_missing_share, header.wav_bytes_a_second * _LEAST_MISSING_S)
    return header.wav_rest_bytes > least


def _refuse_second_file(name: str, header: Header) -> None:
    """FFmpeg ends where the first of two files that were joined ends."""
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
    """Length that the file states; None where FFmpeg could only estimate it."""
    kind = container.format.name
    if kind not in _TELL_LENGTH and not (kind == "mp3" and header.has_mp3_length):
        return None
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / 1e6
    return None


def _read(container: "InputContainer", stream: "AudioStream", writer: FrameWriter) -> _Tally:
    """Decode to the end, or to where nothing more can be decoded."""
    import av

    tally = _Tally()
    packets = container.demux(stream)
    while not tally.is_hopeless:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, IndexError):  # PyAV's when a stream begins on the way
            tally.ended_early = True
            break
        if packet is None:
            break
        tally.packets += 1
        try:
            for frame in packet.decode():
                writer.write(frame)
        except av.error.FFmpegError:
            tally.bad += 1
    return tally


def _refuse_damaged(
    name: str,
    decoded_s: float,
    promised_s: float | None,
    tally: _Tally,
    header: Header,
    settings: RecordingSettings,
) -> None:
    """A few bad packets are a scratch; a material share of them, or of the length, is damage."""
    failed = tally.bad > 0 or tally.ended_early
    if decoded_s == 0 and failed and header.kind is None:
        raise RecordingRefusedError("not_audio", f"{name}: nothing in it can be decoded as sound")
    if tally.ended_early and promised_s is None:
        raise RecordingRefusedError(
            "corrupt", f"{name}: cannot be read on after {decoded_s:.1f} s of sound"
        )
    if tally.bad > 1 and tally.bad > tally.packets * settings.max_missing_share:
        raise RecordingRefusedError(
            "corrupt",
            f"{name}: {tally.bad} of {tally.packets} packets cannot be decoded "
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

"""The sound of one call, and how a file is decoded to it: any codec a call centre uses.

It is kept small: 16-bit samples at 16 kHz, one row per channel, its length bounded. The decoder is
FFmpeg as shipped with PyAV. It gets an open file, the containers that hold audio, and no protocol,
so that a crafted playlist cannot make it open anything else (`container`).
"""

import math
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from warmline.errors import RecordingRefusedError
from warmline.recordings.container import LEAST_MISSING_S, Header, opened
from warmline.settings import RecordingSettings

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler
    from av.audio.stream import AudioStream
    from av.container import InputContainer

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, eq=False)
class Sound:
    """Decoded audio, used by the listening stages only.

    `pcm` is int16, shape (channels, samples), at `SAMPLE_RATE_HZ`; 16 bits hold telephone audio
    without loss, and a three-hour stereo call in under 700 MB. Of a long recording they lie in a
    file, and in memory are those that are being read. `native_rate_hz` and `codec` are the
    recording's own.
    """

    pcm: NDArray[np.int16]
    native_rate_hz: int
    codec: str

    @property
    def channel_count(self) -> int:
        """Return the number of channels."""
        return int(self.pcm.shape[0])

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return float(self.pcm.shape[1]) / SAMPLE_RATE_HZ

    def channel(
        self, index: int, start_s: float = 0.0, end_s: float | None = None
    ) -> NDArray[np.float32]:
        """Return samples of one channel in -1..1, float32, between two times (seconds)."""
        start = max(0, round(start_s * SAMPLE_RATE_HZ))
        end = None if end_s is None else max(start, round(end_s * SAMPLE_RATE_HZ))
        samples = self.pcm[index, start:end].astype(np.float32) / np.float32(32768.0)
        _leave_to_the_disk(self.pcm)
        return samples

    def only(self, index: int) -> "Sound":
        """Return the same sound with only one channel."""
        return Sound(self.pcm[index : index + 1], self.native_rate_hz, self.codec)


# A growing block of 16-bit samples, and how loud it gets.


def scratch_folder(named: str) -> Path:
    """Return the folder for temporary copies: the folder named, else one in the user's cache."""
    if named:
        return Path(named).expanduser()
    return platformdirs.user_cache_path("warmline") / "scratch"


_FIRST_SAMPLES = 600 * SAMPLE_RATE_HZ
_MOST_IN_MEMORY_BYTES = 64_000_000  # 33 minutes of one channel
_BLOCK_SAMPLES = SAMPLE_RATE_HZ // 10
_BLOCKS_AT_ONCE = 50
_FLOOR_DB = -120.0


class GrowingPcm:
    """Samples of all channels, appended as they are decoded, in one array from the start.

    With the right `expected_samples` nothing is ever copied; memory that is never written to is not
    taken from the system. What is long lies in a file in `folder`, if it is given and has room.
    """

    def __init__(
        self, channels: int, expected_samples: int = 0, folder: Path | None = None
    ) -> None:
        self._folder = folder
        self._pcm = self._room(channels, max(expected_samples + SAMPLE_RATE_HZ, _FIRST_SAMPLES))
        self.samples = 0

    def append(self, chunk: NDArray[np.int16]) -> None:
        """Add samples, shape (channels, n)."""
        end = self._reserve(chunk.shape[1])
        self._pcm[:, self.samples : end] = chunk
        self.samples = end

    def append_silence(self, samples: int) -> None:
        """Add digital silence."""
        end = self._reserve(samples)
        self._pcm[:, self.samples : end] = 0
        self.samples = end

    def array(self) -> NDArray[np.int16]:
        """Return all samples so far, shape (channels, samples)."""
        return self._pcm[:, : self.samples]

    def _reserve(self, samples: int) -> int:
        end = self.samples + samples
        if end > self._pcm.shape[1]:
            larger = self._room(self._pcm.shape[0], max(end, self._pcm.shape[1] * 3 // 2))
            larger[:, : self.samples] = self.array()
            self._pcm = larger
        return end

    def _room(self, channels: int, samples: int) -> NDArray[np.int16]:
        if self._folder is not None and 2 * channels * samples > _MOST_IN_MEMORY_BYTES:
            # a full disk, or one that is only read; macOS reserves no room
            with suppress(OSError, AttributeError):
                return _on_disk(self._folder, channels, samples)
        return np.empty((channels, samples), np.int16)


def _on_disk(folder: Path, channels: int, samples: int) -> NDArray[np.int16]:
    """Return samples in a file without a name, gone with them; OSError where there is no room."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    size = 2 * channels * samples
    with TemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, size)
        mapped = mmap.mmap(file.fileno(), size)
    return np.frombuffer(mapped, np.int16).reshape(channels, samples)


def _leave_to_the_disk(pcm: NDArray[np.int16]) -> None:
    """Let go of the memory of samples that lie in a file, until they are read again."""
    base: object = pcm
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview) and isinstance(base.obj, mmap.mmap):
        base.obj.madvise(mmap.MADV_DONTNEED)


def _loudest_db(pcm: NDArray[np.int16]) -> float:
    """Return the level of the loudest tenth of a second on any channel, dB re full scale, >= -120.

    The mean of each tenth of a second is taken away first, so that a constant offset, as cheap
    8-bit recorders have, is silence. `pcm` has shape (channels, samples).
    """
    loudest = 0.0
    step = _BLOCK_SAMPLES * _BLOCKS_AT_ONCE
    for start in range(0, pcm.shape[1], step):
        part = pcm[:, start : start + step]
        size = min(_BLOCK_SAMPLES, part.shape[1])
        whole = part[:, : part.shape[1] // size * size].reshape(part.shape[0], -1, size)
        loudest = max(loudest, float((whole / np.float32(32768.0)).var(axis=2).max()))
    return max(_FLOOR_DB, 10 * float(np.log10(loudest))) if loudest > 0 else _FLOOR_DB


PEAKS_PER_S = 20


def level_peaks(pcm: NDArray[np.int16]) -> tuple[bytes, ...]:
    """Return what a waveform is drawn from: for each channel, the extremes of its twentieths of a
    second.

    They are signed bytes, least and greatest in turn, of which 127 is full scale. `pcm` has shape
    (channels, samples).
    """
    step = SAMPLE_RATE_HZ // PEAKS_PER_S
    starts = np.arange(0, pcm.shape[1], step)
    if not len(starts):
        return tuple(b"" for _ in pcm)
    extremes = [f.reduceat(pcm, starts, axis=1) for f in (np.minimum, np.maximum)]
    scaled = np.round(np.stack(extremes, axis=2).astype(np.float32) / 32768 * 127)
    return tuple(channel.tobytes() for channel in scaled.astype(np.int8))


# Decoded frames of any rate, format and channel count become samples at 16 kHz, in place.


_RATES_HZ = range(4_000, 192_001)
_LEAST_GAP_S = 0.1


class FrameWriter:
    """Writes frames one after another, every channel by itself.

    Where `timestamped` frames leave a gap of 0.1 s or more there is silence, so that times agree
    with what a player shows. `native_rate_hz` is that of the first frame. Raises
    `RecordingRefusedError`: `too_long`, `too_many_channels`, `unsupported_rate`, and `corrupt` when
    the number of channels changes on the way. What is long lies in a file in `folder`, if it is
    given.
    """

    def __init__(
        self,
        name: str,
        settings: RecordingSettings,
        expected_samples: int,
        timestamped: bool,
        folder: Path | None = None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._folder = folder
        self._expected_samples = expected_samples
        self._timestamped = timestamped
        self._pcm: GrowingPcm | None = None
        self._resampler: AudioResampler | None = None
        self._input: tuple[Any, ...] = ()
        self._channels = 0
        self._first_time_s: float | None = None
        self.native_rate_hz = 0

    @property
    def duration_s(self) -> float:
        """Return the seconds written so far."""
        return self._pcm.samples / SAMPLE_RATE_HZ if self._pcm else 0.0

    def write(self, frame: "AudioFrame") -> None:
        """Append one frame. Its planes are left alone: PyAV crashes on those of eight channels."""
        if frame.samples == 0:
            return
        pcm = self._start(frame) if self._pcm is None else self._pcm
        channels = frame.layout.nb_channels
        if channels != self._channels:
            raise self._refusal(
                "corrupt",
                f"it changes from {self._channels} to {channels} channels after "
                f"{self.duration_s:.1f} s",
            )
        self._fill_gap(frame, pcm)
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if source != self._input:
            self._drain(pcm)
            self._resampler = self._new_resampler(frame.sample_rate)
            self._input = source
        if self._resampler is not None:
            for resampled in self._resampler.resample(frame):
                pcm.append(self._rows(resampled))
        if self.duration_s > self._settings.max_duration_s:
            raise _too_long(self._name, f"more than {self.duration_s:.0f} s", self._settings)

    def finish(self) -> NDArray[np.int16]:
        """Return all samples written, shape (channels, samples)."""
        if self._pcm is None:
            return np.empty((1, 0), np.int16)
        self._drain(self._pcm)
        return self._pcm.array()

    def _start(self, frame: "AudioFrame") -> GrowingPcm:
        self._channels = frame.layout.nb_channels
        if self._channels > self._settings.max_channels:
            raise self._refusal(
                "too_many_channels",
                f"it has {self._channels} channels, more than "
                f"recordings.max_channels = {self._settings.max_channels}",
            )
        self.native_rate_hz = frame.sample_rate
        self._first_time_s = frame.time
        self._pcm = GrowingPcm(self._channels, self._expected_samples, self._folder)
        return self._pcm

    def _fill_gap(self, frame: "AudioFrame", pcm: GrowingPcm) -> None:
        if not self._timestamped or frame.time is None or self._first_time_s is None:
            return
        gap_s = frame.time - self._first_time_s - self.duration_s
        if gap_s < _LEAST_GAP_S:
            return
        if self.duration_s + gap_s > self._settings.max_duration_s:
            raise _too_long(
                self._name, f"time stamps of {self.duration_s + gap_s:.0f} s", self._settings
            )
        self._drain(pcm)
        self._input = ()
        pcm.append_silence(round((frame.time - self._first_time_s) * SAMPLE_RATE_HZ) - pcm.samples)

    def _drain(self, pcm: GrowingPcm) -> None:
        if self._resampler is not None:
            for resampled in self._resampler.resample(None):
                pcm.append(self._rows(resampled))
            self._resampler = None

    def _new_resampler(self, rate_hz: int) -> "AudioResampler":
        import av

        if rate_hz not in _RATES_HZ:
            raise self._refusal(
                "unsupported_rate",
                f"{rate_hz} samples a second; {_RATES_HZ.start} to {_RATES_HZ.stop - 1} are read",
            )
        return av.AudioResampler(format="s16", rate=SAMPLE_RATE_HZ)

    def _rows(self, frame: "AudioFrame") -> NDArray[np.int16]:
        return np.asarray(frame.to_ndarray(), np.int16).reshape(-1, self._channels).T

    def _refusal(self, code: str, what: str) -> RecordingRefusedError:
        return RecordingRefusedError(code, f"{self._name}: {what}")


def _too_long(name: str, what: str, settings: RecordingSettings) -> RecordingRefusedError:
    """Return the refusal of a recording that is longer than the settings allow."""
    return RecordingRefusedError(
        "too_long",
        f"{name}: {what} of sound, more than recordings.max_duration_s = "
        f"{settings.max_duration_s:g} allows",
    )


_TIMESTAMPED = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "ogg"}
_TELL_LENGTH = _TIMESTAMPED | {"wav", "w64", "aiff", "au", "flac"}
_GIVE_UP_AFTER_BAD = 1_000


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
    return _decoded(path, settings, scratch_folder(settings.scratch))


def decode_in_memory(path: Path, settings: RecordingSettings) -> Sound:
    """Return the same with all of it in memory, however long it is. Raises as `decode`."""
    return _decoded(path, settings, None)


def _decoded(path: Path, settings: RecordingSettings, folder: Path | None) -> Sound:
    name = path.name
    with opened(path, settings) as (container, stream, header):
        promised_s = _promised_s(container, stream, header)
        if promised_s is not None and promised_s > settings.max_duration_s:
            raise _too_long(name, f"{promised_s:.0f} s", settings)
        expected_samples = round((promised_s or 0.0) * SAMPLE_RATE_HZ)
        is_timestamped = container.format.name in _TIMESTAMPED
        writer = FrameWriter(name, settings, expected_samples, is_timestamped, folder)
        counts = _read(container, stream, writer)
        pcm = writer.finish()
        codec = stream.codec_context.codec.canonical_name
    _refuse_damaged(name, writer.duration_s, promised_s, counts, header, settings)
    _refuse_unheard(name, pcm, settings)
    return Sound(pcm, writer.native_rate_hz, codec)


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
    if promised_s and missing_s > max(LEAST_MISSING_S, promised_s * settings.max_missing_share):
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
    level_db = _loudest_db(pcm)
    if level_db < settings.silence_db:
        raise RecordingRefusedError(
            "silent",
            f"{name}: silent all over, never above {level_db:.0f} dBFS "
            f"(recordings.silence_db = {settings.silence_db:g})",
        )


# Decode a part of a recording alone: seek to a little before it, and stop after it.


#: Containers in which FFmpeg finds a sample by its number; elsewhere it can only guess.
_SEEKABLE = {"wav", "w64", "aiff", "au", "flac", "mp3", "ogg", "mov,mp4,m4a,3gp,3g2,mj2"}
_PROBED_BYTES = 65_536  # the 5 MB of `decode` take longer than decoding the part
_BEFORE_S = 1.0  # decoders and the resampler need something before what is right
_AFTER_S = 0.2
_MOST_CHANNELS = 2  # PyAV crashes on the planes of eight
_END_MISSING_S = 0.1  # how much less than promised the end may have


def decode_between(
    path: Path, settings: RecordingSettings, first: int, past: int
) -> NDArray[np.int16] | None:
    """Return the samples from `first` until before `past` of what `decode` would return.

    No more than these and a second around them is decoded. None where that cannot be done to the
    sample: in containers without an exact index, with more than two channels, or where something
    is damaged; `decode` says what.
    """
    import av

    try:
        with opened(path, settings, _PROBED_BYTES) as (container, stream, _):
            if container.format.name not in _SEEKABLE:
                return None
            return _decoded_between(path.name, settings, container, stream, first, past)
    except (av.error.FFmpegError, RecordingRefusedError, IndexError):
        return None


def _decoded_between(
    name: str,
    settings: RecordingSettings,
    container: "InputContainer",
    stream: "AudioStream",
    first: int,
    past: int,
) -> NDArray[np.int16] | None:
    origin = next(container.decode(stream), None)
    begins = None if origin is None else _time_s(origin)
    if origin is None or begins is None or origin.layout.nb_channels > _MOST_CHANNELS:
        return None
    rate_hz = origin.sample_rate
    # Output and input agree at every so many input samples: there the part has to begin.
    grid = rate_hz // math.gcd(rate_hz, SAMPLE_RATE_HZ)
    target_s = Fraction(first, SAMPLE_RATE_HZ) - Fraction(_BEFORE_S)
    frames: Iterator[AudioFrame] = container.decode(stream)
    if target_s > 0 and stream.time_base is not None:
        container.seek(int((begins + target_s) / stream.time_base), stream=stream)
        frames = container.decode(stream)
    else:
        frames = chain([origin], frames)
    writer = FrameWriter(name, settings, past - first, timestamped=True)
    offset = 0
    for frame in frames:
        time_s = _time_s(frame)
        if time_s is None or frame.sample_rate != rate_hz:
            return None
        at = round((time_s - begins) * rate_hz)
        if writer.native_rate_hz == 0:
            skipped = -at % grid
            if skipped >= frame.samples or at < 0:
                continue
            offset = (at + skipped) * SAMPLE_RATE_HZ // rate_hz
            if offset > first:
                return None
            frame = _without(frame, skipped, time_s) if skipped else frame
        writer.write(frame)
        if at * SAMPLE_RATE_HZ > (past + _AFTER_S * SAMPLE_RATE_HZ) * rate_hz:
            break
    pcm = writer.finish()[:, first - offset : past - offset]
    missing = past - first - pcm.shape[1]
    if missing > _END_MISSING_S * SAMPLE_RATE_HZ:
        return None
    return np.pad(pcm, ((0, 0), (0, missing)))


def _time_s(frame: "AudioFrame") -> Fraction | None:
    if frame.pts is None or frame.time_base is None:
        return None
    return frame.pts * frame.time_base


def _without(frame: "AudioFrame", samples: int, time_s: Fraction) -> "AudioFrame":
    """Return a frame, which begins at a time, without its first samples."""
    import av

    width = 1 if frame.format.is_planar else frame.layout.nb_channels
    rest: Any = np.ascontiguousarray(frame.to_ndarray()[:, samples * width :])
    cut = av.AudioFrame.from_ndarray(rest, format=frame.format.name, layout=frame.layout.name)
    cut.sample_rate, cut.time_base = frame.sample_rate, Fraction(1, frame.sample_rate)
    cut.pts = round(time_s * frame.sample_rate) + samples
    return cut

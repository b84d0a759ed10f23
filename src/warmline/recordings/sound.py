"""The sound of one call, kept small: 16-bit samples at 16 kHz, one row per channel."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from warmline.errors import RecordingRefusedError
from warmline.settings import RecordingSettings

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, eq=False)
class Sound:
    """Decoded audio, used by the listening stages only.

    `pcm` is int16, shape (channels, samples), at `SAMPLE_RATE_HZ`; 16 bits hold telephone audio
    without loss and keep a three-hour stereo call under 700 MB. `native_rate_hz` and `codec` are
    the file's own.
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
        return self.pcm[index, start:end].astype(np.float32) / np.float32(32768.0)

    def only(self, index: int) -> "Sound":
        """Return the same sound with only one channel."""
        return Sound(self.pcm[index : index + 1], self.native_rate_hz, self.codec)


# A growing block of 16-bit samples, and how loud it gets.


_FIRST_SAMPLES = 600 * SAMPLE_RATE_HZ
_BLOCK_SAMPLES = SAMPLE_RATE_HZ // 10
_BLOCKS_AT_ONCE = 50
_FLOOR_DB = -120.0


class GrowingPcm:
    """Samples of all channels, appended as they are decoded, in one array from the start.

    With the right `expected_samples` nothing is ever copied; memory that is never written to is not
    taken from the system.
    """

    def __init__(self, channels: int, expected_samples: int = 0) -> None:
        capacity = max(expected_samples + SAMPLE_RATE_HZ, _FIRST_SAMPLES)
        self._pcm = np.empty((channels, capacity), np.int16)
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
            larger = np.empty((self._pcm.shape[0], max(end, self._pcm.shape[1] * 3 // 2)), np.int16)
            larger[:, : self.samples] = self.array()
            self._pcm = larger
        return end


def loudest_db(pcm: NDArray[np.int16]) -> float:
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


# Decoded frames of any rate, format and channel count become samples at 16 kHz, in place.


_RATES_HZ = range(4_000, 192_001)
_LEAST_GAP_S = 0.1


class FrameWriter:
    """Writes frames one after another, every channel by itself.

    Where `timestamped` frames leave a gap of 0.1 s or more there is silence, so that times agree
    with what a player shows. `native_rate_hz` is that of the first frame. Raises
    `RecordingRefusedError`: `too_long`, `too_many_channels`, `unsupported_rate`, and `corrupt` when
    the number of channels changes on the way.
    """

    def __init__(
        self, name: str, settings: RecordingSettings, expected_samples: int, timestamped: bool
    ) -> None:
        self._name = name
        self._settings = settings
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
            raise too_long(self._name, f"more than {self.duration_s:.0f} s", self._settings)

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
        self._pcm = GrowingPcm(self._channels, self._expected_samples)
        return self._pcm

    def _fill_gap(self, frame: "AudioFrame", pcm: GrowingPcm) -> None:
        if not self._timestamped or frame.time is None or self._first_time_s is None:
            return
        gap_s = frame.time - self._first_time_s - self.duration_s
        if gap_s < _LEAST_GAP_S:
            return
        if self.duration_s + gap_s > self._settings.max_duration_s:
            raise too_long(
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


def too_long(name: str, what: str, settings: RecordingSettings) -> RecordingRefusedError:
    """Return the refusal of a recording that is longer than the settings allow."""
    return RecordingRefusedError(
        "too_long",
        f"{name}: {what} of sound, more than recordings.max_duration_s = "
        f"{settings.max_duration_s:g} allows",
    )

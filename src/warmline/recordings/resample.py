"""Decoded frames of any rate, format and channel count become samples at 16 kHz, in their place."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from warmline.errors import RecordingRefusedError
from warmline.recordings.pcm import GrowingPcm
from warmline.recordings.sound import SAMPLE_RATE_HZ
from warmline.settings import RecordingSettings

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler

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
        """Seconds written so far."""
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
        """Everything written, shape (channels, samples)."""
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
    """The refusal of a recording that is longer than the settings allow."""
    return RecordingRefusedError(
        "too_long",
        f"{name}: {what} of sound, more than recordings.max_duration_s = "
        f"{settings.max_duration_s:g} allows",
    )

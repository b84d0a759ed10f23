"""The sound of one call, kept small: 16-bit samples at 16 kHz, one row per channel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, eq=False)
class Sound:
    """Decoded audio; never leaves the rooms that listen.

    `pcm` is int16, shape (channels, samples), at `SAMPLE_RATE_HZ`; 16 bits hold telephone audio
    without loss and keep a three-hour stereo call under 700 MB. `native_rate_hz` and `codec` are
    the file's own.
    """

    pcm: NDArray[np.int16]
    native_rate_hz: int
    codec: str

    @property
    def channel_count(self) -> int:
        """Number of channels."""
        return int(self.pcm.shape[0])

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.pcm.shape[1]) / SAMPLE_RATE_HZ

    def channel(
        self, index: int, start_s: float = 0.0, end_s: float | None = None
    ) -> NDArray[np.float32]:
        """Samples of one channel in -1..1, float32, between two times (seconds)."""
        start = max(0, round(start_s * SAMPLE_RATE_HZ))
        end = None if end_s is None else max(start, round(end_s * SAMPLE_RATE_HZ))
        return self.pcm[index, start:end].astype(np.float32) / np.float32(32768.0)

    def only(self, index: int) -> "Sound":
        """The same sound with one channel left."""
        return Sound(self.pcm[index : index + 1], self.native_rate_hz, self.codec)

"""A growing block of 16-bit samples, and how loud it gets."""

import numpy as np
from numpy.typing import NDArray

from warmline.recordings.sound import SAMPLE_RATE_HZ

_FIRST_SAMPLES = 600 * SAMPLE_RATE_HZ
_BLOCK_SAMPLES = SAMPLE_RATE_HZ // 10
_BLOCKS_AT_ONCE = 50
_FLOOR_DB = -120.0


class GrowingPcm:
    """Samples of all channels, appended as they are decoded, in one array from the start.

    With the right `expected_samples` nothing is ever copied; memory that was asked for but never
    written to is not taken from the system.
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
        """All samples so far, shape (channels, samples)."""
        return self._pcm[:, : self.samples]

    def _reserve(self, samples: int) -> int:
        end = self.samples + samples
        if end > self._pcm.shape[1]:
            larger = np.empty((self._pcm.shape[0], max(end, self._pcm.shape[1] * 3 // 2)), np.int16)
            larger[:, : self.samples] = self.array()
            self._pcm = larger
        return end


def loudest_db(pcm: NDArray[np.int16]) -> float:
    """Level of the loudest tenth of a second on any channel, dB re full scale, not below -120.

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

"""Loudness of speech in LUFS, by ITU-R BS.1770-5 for one channel.

A library exists (pyloudnorm) but wants the whole signal at once, and without other voices in it;
here a party's speech comes stretch by stretch.
"""

import numpy as np
from numpy.typing import NDArray

from warmline.prosody.pitch import Floats

BLOCK_S = 0.4
_STEP_S = 0.1
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_OFFSET_DB = -0.691
# The analogue prototypes behind the coefficients that BS.1770 prints for 48 kHz.
_SHELF_HZ, _SHELF_Q, _SHELF_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347
_SHELF_EXPONENT = 0.4996667741545416
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773


def block_energies(samples: Floats, rate_hz: int) -> NDArray[np.float64]:
    """Mean squares of the K-weighted gating blocks of one stretch; none if it is under 0.4 s."""
    from scipy.signal import sosfilt

    if len(samples) < round(BLOCK_S * rate_hz):
        return np.zeros(0)
    weighted = sosfilt(_k_weighting(rate_hz), samples.astype(np.float64))
    summed = np.concatenate([[0.0], np.cumsum(weighted**2)])
    block, step = round(BLOCK_S * rate_hz), round(_STEP_S * rate_hz)
    starts = np.arange(0, len(samples) - block + 1, step)
    energies: NDArray[np.float64] = (summed[starts + block] - summed[starts]) / block
    return energies


def integrated_lufs(energies: NDArray[np.float64]) -> float | None:
    """Loudness of all blocks that pass both gates; None when there is none."""
    audible = energies[_lufs(energies) > _ABSOLUTE_GATE_LUFS]
    if not len(audible):
        return None
    gate = _lufs(audible.mean()) + _RELATIVE_GATE_LU
    return float(_lufs(audible[_lufs(audible) > gate].mean()))


def _lufs(energy: NDArray[np.float64]) -> NDArray[np.float64]:
    level: NDArray[np.float64] = _OFFSET_DB + 10 * np.log10(np.maximum(energy, 1e-20))
    return level


def _k_weighting(rate_hz: int) -> NDArray[np.float64]:
    """The two filters of K-weighting as second-order sections for any sampling rate."""
    k = np.tan(np.pi * _SHELF_HZ / rate_hz)
    high = 10 ** (_SHELF_DB / 20)
    band = high**_SHELF_EXPONENT
    scale = 1 + k / _SHELF_Q + k * k
    shelf = [
        (high + band * k / _SHELF_Q + k * k) / scale,
        2 * (k * k - high) / scale,
        (high - band * k / _SHELF_Q + k * k) / scale,
        1,
        2 * (k * k - 1) / scale,
        (1 - k / _SHELF_Q + k * k) / scale,
    ]
    k = np.tan(np.pi * _HIGH_PASS_HZ / rate_hz)
    scale = 1 + k / _HIGH_PASS_Q + k * k
    high_pass = [1, -2, 1, 1, 2 * (k * k - 1) / scale, (1 - k / _HIGH_PASS_Q + k * k) / scale]
    return np.array([shelf, high_pass])

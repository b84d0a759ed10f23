"""The telephone line: band, level, noise, hold music, companding.

Filters work on whole signals by their spectrum, without phase, so that nothing moves in time.
"""

import io
from typing import cast

import numpy as np
from numpy.typing import NDArray

from warmline.values import Span

Samples = NDArray[np.float64]

TELEPHONE_RATE_HZ = 8_000
BAND_HZ = (300.0, 3400.0)

_EDGE_HZ = 60.0
_FFT_BLOCK = 4096
_BITS_PER_S = 32_000
_AUDIBLE_DB = -46.0
_CHORDS_HZ = (
    (392.0, 494.0, 587.0),
    (330.0, 392.0, 494.0),
    (440.0, 523.0, 659.0),
    (370.0, 440.0, 587.0),
)
_NOTE_S = 0.4
_NOTES_PER_CHORD = 4


def telephone_band(samples: Samples, rate_hz: int) -> Samples:
    """Return only what a telephone carries, 300-3400 Hz (ITU-T G.712's band), along time."""
    count = _padded(samples.shape[-1])
    frequency_hz = np.fft.rfftfreq(count, 1 / rate_hz)
    low, high = BAND_HZ
    rise = np.clip((frequency_hz - low) / _EDGE_HZ + 0.5, 0, 1)
    fall = np.clip((high - frequency_hz) / _EDGE_HZ + 0.5, 0, 1)
    shape = np.sin(0.5 * np.pi * np.minimum(rise, fall)) ** 2
    filtered: Samples = np.fft.irfft(np.fft.rfft(samples, count) * shape, count)
    return filtered[..., : samples.shape[-1]]


def resample(samples: Samples, factor: float) -> Samples:
    """Return the same signal with `factor` times as many samples, last axis being time."""
    count = _padded(samples.shape[-1])
    wanted = round(count * factor)
    spectrum = np.fft.rfft(samples, count)[..., : wanted // 2 + 1]
    resampled: Samples = np.fft.irfft(spectrum, wanted) * factor
    return resampled[..., : round(samples.shape[-1] * factor)]


def _padded(count: int) -> int:
    """Return a length with a fast transform, with silence at the end for what rings on."""
    return (count // _FFT_BLOCK + 2) * _FFT_BLOCK


def is_audible(samples: Samples) -> NDArray[np.bool_]:
    """Return which samples are within 46 dB of the peak."""
    loud: NDArray[np.bool_] = np.abs(samples) > np.abs(samples).max() * amplitude(_AUDIBLE_DB)
    return loud


def rms(samples: Samples, rate_hz: int, spans: tuple[Span, ...]) -> float:
    """Return the root mean square inside the spans."""
    inside = [samples[round(s.start_s * rate_hz) : round(s.end_s * rate_hz)] for s in spans]
    return float(np.sqrt(np.mean(np.concatenate(inside) ** 2)))


def amplitude(level_db: float) -> float:
    """Return dB re full scale as a factor."""
    return float(10 ** (level_db / 20))


def line_noise(
    shape: tuple[int, ...], rate_hz: int, level_db: float, rng: np.random.Generator
) -> Samples:
    """Return hiss in the telephone band, shape (channels, samples), with an RMS of `level_db`."""
    noise = telephone_band(rng.standard_normal(shape), rate_hz)
    scaled: Samples = noise * (amplitude(level_db) / np.sqrt(np.mean(noise**2)))
    return scaled


def hold_music(duration_s: float, rate_hz: int, level_db: float) -> Samples:
    """Return broken chords, each note plucked, with an RMS of `level_db`."""
    count = round(duration_s * rate_hz)
    music = np.zeros(count)
    time_s = np.arange(round(3 * _NOTE_S * rate_hz)) / rate_hz
    for index in range(int(duration_s / _NOTE_S) + 1):
        chord = _CHORDS_HZ[index // _NOTES_PER_CHORD % len(_CHORDS_HZ)]
        pitch_hz = chord[index % len(chord)]
        note = sum(np.sin(2 * np.pi * pitch_hz * k * time_s) / k**2 for k in (1, 2, 3))
        note = note * np.exp(-3 * time_s) * np.minimum(1, time_s / 0.01)
        start = round(index * _NOTE_S * rate_hz)
        music[start : start + note.size] += note[: max(0, count - start)]
    scaled: Samples = music * (amplitude(level_db) / np.sqrt(np.mean(music**2)))
    return scaled


def encode(pcm: NDArray[np.int16], rate_hz: int, container: str, codec: str) -> bytes:
    """Return a sound file's bytes, equal for equal samples; `pcm` is (channels, samples)."""
    import av

    layout = "mono" if pcm.shape[0] == 1 else "stereo"
    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"fflags": "+bitexact"}) as out:
        stream = cast("av.AudioStream", out.add_stream(codec, rate=rate_hz, layout=layout))
        stream.bit_rate = _BITS_PER_S  # only Opus, which chooses, takes notice
        interleaved = np.ascontiguousarray(pcm.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
        frame.sample_rate = rate_hz
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def companded(pcm: NDArray[np.int16], rate_hz: int) -> NDArray[np.int16]:
    """Return the samples after a mu-law codec (ITU-T G.711), as in a telephone exchange."""
    import av

    with av.open(io.BytesIO(encode(pcm, rate_hz, "wav", "pcm_mulaw")), "r") as file:
        parts = [frame.to_ndarray() for frame in file.decode(audio=0)]
    return np.concatenate(parts, axis=1).reshape(-1, pcm.shape[0]).T.astype(np.int16)

"""Sound made for tests: tones, talk without words, and files in every format.

Talk is a harmonic sound with the rhythm and the formants of syllables: enough for everything that
looks at levels and bands, and nothing that a recogniser would take for words.
"""

from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from warmline.recordings.sound import Sound

RATE_HZ = 16_000
Samples = NDArray[np.float32]


def tone(rate_hz: int, channels: int = 2, hz: float = 440.0) -> Samples:
    """Five seconds, shape (channels, samples): on the first channel a tone from 2.0 to 3.0 s."""
    time_s = np.arange(5 * rate_hz) / rate_hz
    sound = np.zeros((channels, time_s.size), np.float32)
    sound[0] = 0.3 * np.sin(2 * np.pi * hz * time_s) * ((time_s >= 2) & (time_s < 3))
    return sound


def talk(seconds: float, pitch_hz: float, seed: int) -> Samples:
    """Talk of one voice without a pause, at 16 kHz, RMS about 0.1."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE_HZ)
    time_s = np.arange(count) / RATE_HZ
    glide = np.cumsum(pitch_hz * (1 + 0.1 * np.sin(2 * np.pi * 0.4 * time_s + seed))) / RATE_HZ
    source = 2 * (glide % 1) - 1 + 0.1 * rng.standard_normal(count)
    for hz, width in ((500 + 5 * pitch_hz % 300, 90), (1500, 150), (2600, 250)):
        radius = np.exp(-np.pi * width / RATE_HZ)
        source = lfilter(
            [1.0], [1, -2 * radius * np.cos(2 * np.pi * hz / RATE_HZ), radius**2], source
        )
    syllables = np.repeat(rng.uniform(0.02, 1.0, round(seconds * 5) + 1), RATE_HZ // 5)[:count]
    voice = source * np.convolve(syllables, np.hanning(800) / 400, "same")
    return (0.1 * voice / np.sqrt(np.mean(voice**2))).astype(np.float32)


def conversation(turns: int = 8, turn_s: float = 1.5, seed: int = 0) -> Samples:
    """Two voices in turn, each on its own channel, a pause of 0.3 s between, faint noise."""
    rng = np.random.default_rng(seed)
    period = round((turn_s + 0.3) * RATE_HZ)
    sound = (1e-4 * rng.standard_normal((2, turns * period))).astype(np.float32)
    for turn in range(turns):
        voice = talk(turn_s, (110.0, 210.0)[turn % 2], seed * 100 + turn)
        start = turn * period
        sound[turn % 2, start : start + voice.size] += voice
    return sound


def sound_of(samples: Samples) -> Sound:
    """A decoded sound from samples in -1..1, shape (channels, samples), at 16 kHz."""
    pcm = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    return Sound(pcm, RATE_HZ, "pcm_s16le")


def encode(
    path: Path,
    samples: Samples,
    rate_hz: int,
    codec: str,
    *,
    picture: bool = False,
) -> Path:
    """Write samples with one of PyAV's encoders, in the container of the file's extension.

    With `picture` there is a video stream before the audio.
    """
    layout = {1: "mono", 2: "stereo"}[samples.shape[0]]
    with av.open(str(path), "w") as container:
        if picture:
            video = container.add_stream("mpeg4", rate=5)
            video.width = video.height = 64
            video.pix_fmt = "yuv420p"
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        if picture:
            for index in range(25):
                image = av.VideoFrame.from_ndarray(
                    np.full((64, 64, 3), 9 * index, np.uint8), "rgb24"
                )
                container.mux(video.encode(image))
            container.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", layout)
        frame.sample_rate = rate_hz
        frame.pts = 0
        resampler = av.AudioResampler(
            stream.format, stream.layout, rate_hz, stream.codec_context.frame_size or 1024
        )
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def write(path: Path, samples: Samples, rate_hz: int, subtype: str = "PCM_16") -> Path:
    """Write samples with libsndfile: what PyAV has no encoder for, GSM and Vorbis."""
    kind = {".gsm": "RAW", ".ogg": "OGG"}.get(path.suffix, "WAV")
    with path.open("wb") as file:
        soundfile.write(file, samples.T, rate_hz, format=kind, subtype=subtype)
    return path

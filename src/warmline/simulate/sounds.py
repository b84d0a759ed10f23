"""The sounds of a simulated call: the telephone line, and voices by flite.

The line is its band, level, noise, hold music and companding. Filters work on whole signals by
their spectrum, without phase, so that nothing moves in time.

Voices come with the time of every word, through flite's own C library: the command `flite` prints
sounds with their times but not which word they belong to; the library knows both. Word times are
those by which the waveform was made, on a grid of 5 ms frames.
"""

import ctypes
import io
from ctypes import POINTER, Structure, c_char_p, c_float, c_int, c_short, c_void_p
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from warmline.errors import SynthesisError
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


# Speech by flite, with the time of every word.

RATE_HZ = 16_000

_LIBRARY = "libflite.so.1"
_STRETCH = b"duration_stretch"  # flite keeps the pointer to a feature's name: these must live on
_PITCH = b"int_f0_target_mean"
_SEED = 1
_FIRST_SOUND = b"R:SylStructure.daughter1.daughter1.R:Segment.p.end"
_LAST_SOUND = b"R:SylStructure.daughtern.daughtern.R:Segment.end"


@dataclass(frozen=True)
class Voice:
    """A voice of flite. `pitch_hz` is its own mean pitch, None where it cannot be changed."""

    name: str
    description: str
    pitch_hz: float | None


VOICES = {
    voice.name: voice
    for voice in (
        Voice("slt", "woman, United States", 172.0),
        Voice("rms", "man, United States", None),
        Voice("awb", "man, Scotland", 132.0),
    )
}


@dataclass(frozen=True, eq=False)
class Synthesized:
    """The speech of a voice: samples in -1..1 at `RATE_HZ`, and one span per word of the text."""

    samples: NDArray[np.float64]
    words: tuple[Span, ...]


class _Wave(Structure):
    _fields_ = (
        ("type", c_char_p),
        ("rate_hz", c_int),
        ("count", c_int),
        ("channels", c_int),
        ("samples", POINTER(c_short)),
    )


class _FliteVoice(Structure):
    _fields_ = (("name", c_char_p), ("features", c_void_p))


_SIGNATURES = {
    "flite_init": (c_int, ()),
    "flite_synth_text": (c_void_p, (c_char_p, POINTER(_FliteVoice))),
    "flite_feat_set_float": (None, (c_void_p, c_char_p, c_float)),
    "flite_ffeature_float": (c_float, (c_void_p, c_char_p)),
    "utt_wave": (POINTER(_Wave), (c_void_p,)),
    "utt_relation": (c_void_p, (c_void_p, c_char_p)),
    "relation_head": (c_void_p, (c_void_p,)),
    "item_next": (c_void_p, (c_void_p,)),
    "item_daughter": (c_void_p, (c_void_p,)),
    "item_as": (c_void_p, (c_void_p, c_char_p)),
    "delete_utterance": (None, (c_void_p,)),
}


def speak(text: str, voice: Voice, stretch: float, pitch_hz: float | None) -> Synthesized:
    """Speak `text`, `stretch` times as slowly as the voice's own rate.

    Without `pitch_hz` the voice has its own mean pitch. The same words, voice and numbers give the
    same samples with the same version of flite. Raises `SynthesisError` when flite is not on this
    machine, or makes other words of the text.
    """
    lib = _library()
    features = _voice(voice.name)
    lib.flite_feat_set_float(features.contents.features, _STRETCH, stretch)
    if voice.pitch_hz is not None:
        lib.flite_feat_set_float(features.contents.features, _PITCH, pitch_hz or voice.pitch_hz)
    ctypes.CDLL(None).srand(_SEED)  # breath is C's rand(): the same every time
    utterance = lib.flite_synth_text(text.encode("ascii"), features)
    if not utterance:
        raise SynthesisError(f"flite could not say with voice '{voice.name}': {text!r}")
    try:
        wave = lib.utt_wave(utterance).contents
        pcm = np.ctypeslib.as_array(wave.samples, (wave.count,)).astype(np.float64) / 32768.0
        rate_hz = wave.rate_hz
        words = _words(lib, utterance)
    finally:
        lib.delete_utterance(utterance)
    if rate_hz != RATE_HZ:
        raise SynthesisError(f"flite's voice '{voice.name}' has {rate_hz} Hz, not {RATE_HZ}")
    if len(words) != len(text.split()):
        raise SynthesisError(
            f"flite hears {len(words)} words in a text of {len(text.split())}: {text!r}; "
            "write them in another way"
        )
    return Synthesized(pcm, words)


@cache
def _library() -> ctypes.CDLL:
    lib = _load(_LIBRARY)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(lib, name)
        function.restype = result
        function.argtypes = arguments
    lib.flite_init()
    return lib


@cache
def _voice(name: str) -> "ctypes._Pointer[_FliteVoice]":
    register = getattr(_load(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
    register.restype = POINTER(_FliteVoice)
    register.argtypes = (c_char_p,)
    voice: ctypes._Pointer[_FliteVoice] = register(None)
    return voice


def _load(library: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(library)
    except OSError as e:
        raise SynthesisError(
            f"speech synthesis needs flite, and {library} is not on this machine; "
            "on Debian or Ubuntu: sudo apt-get install flite"
        ) from e


def _words(lib: ctypes.CDLL, utterance: int) -> tuple[Span, ...]:
    """Return the span of each word as written; `fifty-two` is two words to flite."""
    words = []
    token = lib.relation_head(lib.utt_relation(utterance, b"Token"))
    while token:
        edges: list[float] = []
        part = lib.item_daughter(token)
        while part:
            word = lib.item_as(part, b"SylStructure")
            if word:
                edges.append(lib.flite_ffeature_float(word, _FIRST_SOUND))
                edges.append(lib.flite_ffeature_float(word, _LAST_SOUND))
            part = lib.item_next(part)
        if edges:
            words.append(Span(edges[0], edges[-1]))
        token = lib.item_next(token)
    return tuple(words)

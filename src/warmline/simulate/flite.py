"""Speech by flite, with the time of every word, through the engine's own C library.

The command `flite` prints sounds with their times but not which word they belong to; the library
knows both. Word times are those by which the waveform was made, on a grid of 5 ms frames.
"""

import ctypes
from ctypes import POINTER, Structure, c_char_p, c_float, c_int, c_short, c_void_p
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from warmline.errors import SynthesisError
from warmline.values import Span

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

"""Real voices, person by person, and recordings on one channel that are put together from them."""

import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from warmline.models.engines import Engines
from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound, decode
from warmline.settings import Settings
from warmline.speech import listen
from warmline.values import ChannelLayout, Span

from .context import Context
from .listening import real_calls

Samples = NDArray[np.float32]

_SIDES = ("caller", "agent")
_STEREO = ChannelLayout("stereo", 2, 0.0, "a channel for each party", (0, 1))
_MARGIN_S = 0.1
_SHORTEST_S, _SHORTEST_ALONE_S = 0.2, 0.6
_LEAST_S = 6.5  # of a voice, so that it can be told at all
_LEVEL = 0.06
_FLOOR = 3e-4
# Persons on whom the count of voices was tuned: of every other call, meeting and conversation.
_TUNED_CALLS = ("0002", "01f7", "3a20")
BANK_CALLS = frozenset({*_TUNED_CALLS, "00d6", "02e4", "eb82"})
_TUNED_PEOPLE = ("FEE078", "FEE087", "MEE012", "MÉO069", "speaker90", "speaker91")


@dataclass(frozen=True, eq=False)
class Clip:
    """One utterance of a person, and where it stood in its recording."""

    samples: Samples
    start_s: float = 0.0


@dataclass(frozen=True, eq=False)
class Voice:
    """A person and what they say, in order; `call` is the call or meeting they are from."""

    name: str
    call: str
    clips: tuple[Clip, ...]
    is_tuned_on: bool

    @property
    def duration_s(self) -> float:
        """How long they speak."""
        return sum(clip.samples.size for clip in self.clips) / SAMPLE_RATE_HZ


@dataclass
class Tape:
    """A recording in the making: clips one after the other, with pauses, and who spoke when."""

    rng: Random
    parts: list[Samples] = field(default_factory=list)
    spoken: dict[str, list[Span]] = field(default_factory=dict)
    end_s: float = 0.0

    def pause(self, least_s: float, most_s: float) -> None:
        """Nobody speaks for a while."""
        self._add(np.zeros(round(self.rng.uniform(least_s, most_s) * SAMPLE_RATE_HZ), np.float32))

    def play(self, who: str, samples: Samples, gain: float = 1.0) -> None:
        """Somebody speaks, and a short pause follows."""
        start_s = self.end_s
        self._add(samples * np.float32(gain))
        self.spoken.setdefault(who, []).append(Span(start_s, self.end_s))
        self.pause(0.15, 0.7)

    def pcm(self) -> NDArray[np.int16]:
        """One channel of 16-bit sound, with the faint noise of a line."""
        samples = np.concatenate(self.parts)
        noise = np.random.default_rng(self.rng.randrange(1 << 30)).normal(0, _FLOOR, samples.size)
        return np.asarray(np.clip(samples + noise, -1, 1) * 32767, np.int16)[None]

    def _add(self, samples: Samples) -> None:
        self.parts.append(np.asarray(samples, np.float32))
        self.end_s += samples.size / SAMPLE_RATE_HZ


def real_voices(context: Context, engines: Engines) -> list[Voice]:
    """The people of the labelled recordings, in the band and at the level of a telephone.

    Six acted bank calls and a call to a garage with a channel for each party, meetings, and the
    conversation that pyannote.audio ships. Only what a person says alone is taken.
    """
    said: dict[tuple[str, str], list[Clip]] = {}
    for path in real_calls(context.data):
        said.update(_of_call(path, context.settings, engines))
    for path, rttm in _conversations(context.data):
        for key, clips in _of_conversation(path, rttm, context.settings).items():
            said.setdefault(key, []).extend(clips)
    voices = [_voice(name, call, clips) for (call, name), clips in sorted(said.items())]
    return [voice for voice in voices if voice.duration_s >= _LEAST_S]


def mixed(voices: Sequence[Voice], rng: Random, each_s: float) -> Tape:
    """A conversation of these people: turns in an order of chance, of up to `each_s` a person."""
    tape = Tape(rng)
    tape.pause(0.3, 1.5)
    gain = {voice.name: 10 ** (rng.uniform(-3, 3) / 20) for voice in voices}
    left = {voice.name: list(voice.clips) for voice in voices}
    said_s = dict.fromkeys(left, 0.0)
    last = None
    while waiting := [name for name in left if left[name] and said_s[name] < each_s]:
        last = rng.choice([name for name in waiting if name != last] or waiting)
        for _ in range(min(rng.choice((1, 1, 2, 2, 3)), len(left[last]))):
            clip = left[last].pop(0)
            tape.play(last, clip.samples, gain[last])
            said_s[last] += clip.samples.size / SAMPLE_RATE_HZ
    return tape


def as_sound(tape: Tape) -> Sound:
    """A tape as the stages take it."""
    return Sound(tape.pcm(), 8_000, "pcm")


def levelled(clips: Iterable[Clip]) -> tuple[Clip, ...]:
    """The clips of one person, brought to the common level together."""
    clips = list(clips)
    square = np.mean(np.square(np.concatenate([clip.samples for clip in clips])))
    gain = np.float32(_LEVEL / (np.sqrt(square) + 1e-9))
    return tuple(Clip(clip.samples * gain, clip.start_s) for clip in clips)


def _voice(name: str, call: str, clips: Sequence[Clip]) -> Voice:
    is_tuned_on = call in _TUNED_CALLS or name in _TUNED_PEOPLE
    return Voice(f"{call} {name}", call, levelled(clips), is_tuned_on)


def _of_call(
    path: Path, settings: Settings, engines: Engines
) -> Mapping[tuple[str, str], list[Clip]]:
    """What each side of a call says, by the human transcript, or as it is heard without one."""
    sound = decode(path, settings.recordings)
    transcript = path.with_suffix(".json")
    if transcript.is_file():
        rows = [
            (_SIDES.index(row["speaker"]), row["start"], row["end"])
            for row in json.loads(transcript.read_text(encoding="utf-8"))
        ]
    else:
        heard = listen(sound, _STEREO, settings.speech, engines)
        rows = [("AB".index(s.party), s.start_s, s.end_s) for s in heard.segments]
    found: dict[tuple[str, str], list[Clip]] = {}
    for channel, start_s, end_s in rows:
        if end_s - start_s >= _SHORTEST_S:
            samples = sound.channel(channel, max(0.0, start_s - _MARGIN_S), end_s + _MARGIN_S)
            found.setdefault((path.stem[:4], _SIDES[channel]), []).append(Clip(samples, start_s))
    return found


def _conversations(data: Path) -> list[tuple[Path, Path]]:
    """Recordings of several people on one channel, each with the file that says who speaks."""
    folder = data / "diarization"
    found = [(path, folder / "reference.rttm") for path in sorted(folder.glob("*.wav"))]
    spec = importlib.util.find_spec("pyannote.audio")
    if spec is not None and spec.origin is not None:
        sample = Path(spec.origin).parent / "sample" / "sample.wav"
        found += [(sample, sample.with_suffix(".rttm"))] if sample.is_file() else []
    return found


def _of_conversation(
    path: Path, rttm: Path, settings: Settings
) -> Mapping[tuple[str, str], list[Clip]]:
    lines = [line.split() for line in rttm.read_text(encoding="utf-8").splitlines()]
    rows = [
        (float(line[3]), float(line[3]) + float(line[4]), line[7])
        for line in lines
        if line and line[0] == "SPEAKER" and line[1] == path.stem
    ]
    sound = decode(path, settings.recordings)
    samples = _in_telephone_band(sound.channel(0, 0.0, sound.duration_s))
    found: dict[tuple[str, str], list[Clip]] = {}
    for start_s, end_s, who in rows:
        others = [(a, b) for a, b, other in rows if other != who and a < end_s and b > start_s]
        for first_s, last_s in _without((start_s, end_s), others):
            clip = samples[round(first_s * SAMPLE_RATE_HZ) : round(last_s * SAMPLE_RATE_HZ)]
            found.setdefault(("meeting", who), []).append(Clip(clip, first_s))
    return found


def _without(
    span: tuple[float, float], others: Iterable[tuple[float, float]]
) -> list[tuple[float, float]]:
    """What is left of a span, in parts that are long enough to tell a voice."""
    left = [span]
    for first_s, last_s in others:
        left = [part for a, b in left for part in ((a, min(b, first_s)), (max(a, last_s), b))]
        left = [(a, b) for a, b in left if b - a >= _SHORTEST_ALONE_S]
    return left


def _in_telephone_band(samples: Samples) -> Samples:
    narrow = resample_poly(resample_poly(samples, 1, 2), 2, 1)
    return np.asarray(narrow[: samples.size], np.float32)

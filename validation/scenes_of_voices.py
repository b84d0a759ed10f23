"""Scenes of one channel with more or fewer than two people, from real voices; who is said to be."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from warmline.recordings.sound import SAMPLE_RATE_HZ
from warmline.simulate.sounds import RATE_HZ, VOICES, encode, speak, telephone_band
from warmline.values import RoleName, Span, intersect, total_s

from .context import Context
from .listening import Heard, Listener
from .parties import matched, speech_by_party
from .voices import Clip, Tape, Voice, levelled

_MACHINE, _CUSTOMER = "awb", "slt"
_GREETING = (
    "Hello. The person you are calling is not available right now.",
    "Please leave a message after the tone.",
)
_MENU = (
    "Thank you for calling. This call may be recorded for quality and training purposes.",
    "For cards press one. For accounts press two.",
    "Please hold for the next available agent.",
)
_OPENING = "Hello, I have lost my debit card and I need a new one."
_FEELINGS = (
    "I am really frustrated, this is the third time I call about this card.",
    "I am very worried that somebody is using my money.",
)
_CLOSING = "All right, thank you very much, goodbye."
_TONE_HZ, _TONE_S = 1000.0, 0.8


@dataclass(frozen=True)
class Played:
    """A scene that was heard: what was said of each person, and of each feeling."""

    kind: str
    people: int
    found: int
    roles: tuple[str, ...]
    cues: tuple[str, ...]


@dataclass(frozen=True)
class _Feeling:
    span: Span
    agent: str


@dataclass(frozen=True, eq=False)
class _Cast:
    """The people of two calls; `first` are those of the one that the scene is about."""

    caller: Voice
    agent: Voice
    other_caller: Voice
    other_agent: Voice


Scene = Callable[[_Cast, Tape], list[_Feeling]]


def _message(cast: _Cast, tape: Tape) -> list[_Feeling]:
    """A message that somebody left."""
    _talk(tape, {"caller": cast.caller.clips})
    return []


def _announcement(cast: _Cast, tape: Tape) -> list[_Feeling]:
    """An agent alone."""
    _talk(tape, {"agent": cast.agent.clips})
    return []


def _voicemail(cast: _Cast, tape: Tape) -> list[_Feeling]:
    """A greeting, a tone, a message."""
    _say(tape, "machine", _MACHINE, _GREETING)
    time_s = np.arange(round(_TONE_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tape.parts.append((0.1 * np.sin(2 * np.pi * _TONE_HZ * time_s)).astype(np.float32))
    tape.end_s += _TONE_S
    tape.pause(0.5, 1.5)
    _talk(tape, {"caller": cast.caller.clips})
    return []


def _menu(cast: _Cast, tape: Tape) -> list[_Feeling]:
    """A machine speaks before the call."""
    _say(tape, "machine", _MACHINE, _MENU)
    tape.pause(2, 4)
    _talk(tape, {"caller": cast.caller.clips, "agent": cast.agent.clips})
    return []


def _transfer(cast: _Cast, tape: Tape) -> list[_Feeling]:
    """Half of a call, then another agent, who goes on with the same customer."""
    caller, agent = cast.caller.clips, cast.agent.clips
    middle_s = max(clip.start_s for clip in agent) / 2
    before = {"caller": _until(caller, middle_s), "agent": _until(agent, middle_s)}
    after = {"caller": _after(caller, middle_s), "other agent": cast.other_agent.clips}
    _talk(tape, before)
    tape.pause(1, 3)
    _talk(tape, after)
    return []


def _conference(cast: _Cast, tape: Tape) -> list[_Feeling]:
    """Another person takes part in the whole of a call."""
    _talk(
        tape,
        {
            "caller": cast.caller.clips,
            "agent": cast.agent.clips,
            "other caller": cast.other_caller.clips,
        },
    )
    return []


def _feelings_before_and_after(cast: _Cast, tape: Tape) -> list[_Feeling]:
    """A transfer, and a feeling before and after it."""
    found = _with_a_feeling(tape, "agent", cast.agent, _FEELINGS[0], (_OPENING,))
    tape.pause(1, 3)
    found += _with_a_feeling(tape, "other agent", cast.other_agent, _FEELINGS[1], (_OPENING,))
    _say(tape, "caller", _CUSTOMER, (_CLOSING,))
    return found


def _feelings_after_a_menu(cast: _Cast, tape: Tape) -> list[_Feeling]:
    """A machine speaks before a call in which the customer shows a feeling."""
    _say(tape, "machine", _MACHINE, _MENU)
    tape.pause(2, 4)
    found = _with_a_feeling(tape, "agent", cast.agent, _FEELINGS[0], (_OPENING,))
    _say(tape, "caller", _CUSTOMER, (_CLOSING,))
    return found


SCENES: Mapping[str, Scene] = {
    "a message": _message,
    "an agent alone": _announcement,
    "a voicemail's greeting, then a message": _voicemail,
    "a menu, then a call": _menu,
    "a transfer": _transfer,
    "a conference": _conference,
    "a transfer with feelings": _feelings_before_and_after,
    "a menu, then a call with a feeling": _feelings_after_a_menu,
}
_ROLES = {
    "caller": (RoleName.CUSTOMER,),
    "other caller": (RoleName.CUSTOMER, RoleName.OTHER),
    "agent": (RoleName.AGENT,),
    "other agent": (RoleName.AGENT,),
    "machine": (RoleName.IVR,),
}


def played(
    kind: str, calls: tuple[str, str], voices: Sequence[Voice], listener: Listener, context: Context
) -> Played:
    """Put a scene together from two calls, have it analyzed, and compare."""
    by_name = {voice.name: voice for voice in voices}
    cast = _Cast(*(by_name[f"{call} {side}"] for call in calls for side in ("caller", "agent")))
    tape = Tape(Random(f"{context.seed} {kind} {calls}"))
    tape.pause(0.3, 1.0)
    feelings = SCENES[kind](cast, tape)
    folder = context.work / "scenes-of-voices"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind.replace(' ', '-').replace(',', '')}-{calls[0]}.wav"
    path.write_bytes(encode(tape.pcm(), SAMPLE_RATE_HZ, "wav", "pcm_s16le"))
    path.with_suffix(".json").write_text(json.dumps({"language": "en"}), encoding="utf-8")
    heard = listener.heard(path)
    names = matched(speech_by_party(heard.speech), tape.spoken)
    return Played(
        kind,
        len(tape.spoken),
        len(heard.speech.parties),
        (*(_role(who, names, heard) for who in tape.spoken), *_of_nobody(names, heard)),
        tuple(_charged(feeling, names, heard) for feeling in feelings),
    )


def _role(who: str, names: Mapping[str, str], heard: Heard) -> str:
    party = next((party for party, name in names.items() if name == who), None)
    if party is None:
        return "not told apart"
    role = next(role.name for role in heard.talk.roles if role.party == party)
    if role is RoleName.UNKNOWN:
        return "unknown"
    return "right" if role in _ROLES[who] else "wrong"


def _of_nobody(names: Mapping[str, str], heard: Heard) -> list[str]:
    """What was said of parties that are none of the people."""
    extra = [role.name for role in heard.talk.roles if role.party not in names]
    return ["wrong" for name in extra if name is not RoleName.UNKNOWN]


def _charged(feeling: _Feeling, names: Mapping[str, str], heard: Heard) -> str:
    turns = {turn.index: turn for turn in heard.talk.turns}
    rows = [
        row
        for row in heard.empathy.opportunities
        if total_s(intersect([Span(row.start_s, row.end_s)], [feeling.span])) > 0
        and row.turn_index in turns
    ]
    charged = [row.heard_by for row in rows if row.heard_by is not None]
    if not charged:
        return "none"
    return "right" if all(names.get(party) == feeling.agent for party in charged) else "wrong"


def _with_a_feeling(
    tape: Tape, who: str, agent: Voice, feeling: str, before: Sequence[str]
) -> list[_Feeling]:
    """An agent's call, in which a customer says something, and after that shows a feeling."""
    third = max(1, len(agent.clips) // 3)
    _talk(tape, {who: agent.clips[:third]})
    _say(tape, "caller", _CUSTOMER, before)
    _talk(tape, {who: agent.clips[third : 2 * third]})
    start_s = tape.end_s
    _say(tape, "caller", _CUSTOMER, (feeling,))
    span = Span(start_s, tape.end_s)
    _talk(tape, {who: agent.clips[2 * third :]})
    return [_Feeling(span, who)]


def _talk(tape: Tape, said: Mapping[str, Sequence[Clip]]) -> None:
    """Play what these people say, in the order of their recordings' clocks."""
    rows = [(clip.start_s, who, clip) for who, clips in said.items() for clip in clips]
    for _, who, clip in sorted(rows, key=lambda row: row[:2]):
        tape.play(who, clip.samples)


def _say(tape: Tape, who: str, voice: str, texts: Sequence[str]) -> None:
    """Have a synthetic voice say these sentences, as a telephone sends them."""
    clips = []
    for text in texts:
        samples = telephone_band(speak(text, VOICES[voice], 1.0, None).samples[None], RATE_HZ)
        clips.append(Clip(np.asarray(samples[0], np.float32)))
    for clip in levelled(clips):
        tape.play(who, clip.samples)


def _until(clips: Sequence[Clip], end_s: float) -> list[Clip]:
    return [clip for clip in clips if clip.start_s < end_s]


def _after(clips: Sequence[Clip], start_s: float) -> list[Clip]:
    return [clip for clip in clips if clip.start_s >= start_s]

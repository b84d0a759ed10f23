"""The scene of a call: who speaks, on what line, what is said and planted; and its place in time.

A scene is built in memory (`Scene(...)`) or read from a script, a TOML file that a person can read
as the scene it is:

    [call]
    title = "A card is gone"
    agent_id = "dana.wells"

    [speakers.Dana]
    role = "agent"
    channel = 1
    voice = "slt"

    [[line]]
    speaker = "Dana"
    text = "Thank you for calling Northgate Bank, this is Dana. How can I help you?"

An interruption that would not be one by its definition is refused, with the line and the figures:
the ground truth of a simulated call is never a matter of opinion.
"""

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from warmline.errors import SceneLineError, ScriptError
from warmline.simulate import sounds
from warmline.simulate.sounds import (
    RATE_HZ,
    VOICES,
    Synthesized,
    speak,
)
from warmline.values import Span, union

Layout = Literal["stereo", "mono", "fake_stereo"]
Format = Literal["flac", "wav", "wav-mulaw", "ogg"]
CueKind = Literal[
    "fear_anxiety", "anger_frustration", "sadness_disappointment", "confusion_powerlessness"
]
Answer = Literal[
    "dismissed",
    "minimal_acknowledgement",
    "problem_solved_only",
    "attentive",
    "affective",
    "cognitive",
]
Mark = Literal["apology", "commitment", "repeat_contact", "transfer", "complaint", "resolution"]

_ROLE_OF = {"cue": "customer", "answers": "agent", "offer": "agent", "asks": "agent"}
_SPOKEN = re.compile(r"[A-Za-z',.?!;: -]*[A-Za-z][A-Za-z',.?!;: -]*")
_FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_by_name=True, validate_by_alias=True
    )


class Call(_Table):
    """[call] what is known of the call besides its sound; becomes its metadata.

    `call_id` also names the files. With `tells_roles = false` the metadata do not tell which
    channel is the agent's.
    """

    call_id: _FileName
    title: str
    agent_id: str | None = None
    team: str | None = None
    queue: str | None = None
    customer_id: str | None = None
    started_at: AwareDatetime | None = None
    direction: Literal["inbound", "outbound"] = "inbound"
    reason: str | None = None
    tells_roles: bool = True


class LineSound(_Table):
    """[sound] the telephone line and the recorder. Levels are RMS of speech, dB re full scale.

    `snr_db` is speech over line noise; `crosstalk_db` lets each channel be heard on the other, so
    much lower; `pause_s` is the usual gap between lines; `lead_s` and `tail_s` are silence before
    the first and after the last.
    """

    layout: Layout = "stereo"
    format: Format = "flac"
    level_db: float = Field(default=-24.0, ge=-50, le=-12)
    snr_db: float = Field(default=36.0, ge=0, le=80)
    crosstalk_db: float | None = Field(default=None, ge=-80, le=-10)
    pause_s: float = Field(default=0.4, ge=0, le=10)
    lead_s: float = Field(default=0.6, ge=0.1, le=60)
    tail_s: float = Field(default=0.8, ge=0.1, le=60)
    seed: int = Field(default=0, ge=0)


class SimulatedSpeaker(_Table):
    """[speakers.NAME] a voice on a channel.

    `pitch_hz` is the voice's mean pitch (not for voices whose pitch is fixed); `formants` above 1
    makes the speaker smaller, below 1 larger, and with it another person; `rate` is times the
    voice's own speed.
    """

    role: Literal["agent", "customer", "ivr", "other"]
    channel: Literal[0, 1]
    voice: str
    pitch_hz: float | None = Field(default=None, ge=60, le=350)
    formants: float = Field(default=1.0, ge=0.8, le=1.25)
    rate: float = Field(default=1.0, ge=0.5, le=2)
    gain_db: float = Field(default=0.0, ge=-30, le=12)

    @field_validator("voice")
    @classmethod
    def _is_known(cls, voice: str) -> str:
        if voice not in VOICES:
            raise ValueError(f"no voice '{voice}'; there are: {', '.join(VOICES)}")
        return voice

    @model_validator(mode="after")
    def _pitch_can_be_set(self) -> Self:
        if self.pitch_hz is not None and VOICES[self.voice].pitch_hz is None:
            raise ValueError(f"the pitch of voice '{self.voice}' is fixed; leave out pitch_hz")
        return self


class Line(_Table):
    """[[line]] one thing said, or hold music, in order.

    When: `pause_s` is the gap after all that was said before (negative: overlap). Inside the line
    of another: `at_word` is the word of it, from 1, at whose start this one begins; it then either
    `interrupts` or is a `backchannel`. An interrupted line stops at the end of the word that is
    being said `holder_stops_s` after the interruption began; without it the holder goes on.

    How: `gain_db`, `rate` (times) and `pitch_st` (semitones), relative to the speaker's own.

    What is planted: a customer's `cue` (in `cue_words`, or the whole line), the agent's `answers`
    to it, an `offer`, the slot that the agent `asks` for (asked twice, it is a re-asked one), and
    `marks`.
    """

    speaker: str
    text: str | None = None
    hold_music_s: float | None = Field(default=None, ge=1, le=600)
    pause_s: float | None = Field(default=None, ge=-5, le=600)
    at_word: int | None = Field(default=None, ge=1)
    interrupts: Literal["competitive", "cooperative"] | None = None
    holder_stops_s: float | None = Field(default=None, ge=0.3, le=1)
    backchannel: bool = False
    gain_db: float = Field(default=0.0, ge=-30, le=12)
    rate: float = Field(default=1.0, ge=0.5, le=2)
    pitch_st: float = Field(default=0.0, ge=-12, le=12)
    cue: CueKind | None = None
    cue_words: str | None = None
    answers: Answer | None = None
    offer: Literal["misplaced", "welcome"] | None = None
    asks: str | None = None
    marks: tuple[Mark, ...] = Field(default=(), strict=False)

    @field_validator("text")
    @classmethod
    def _can_be_said(cls, text: str | None) -> str | None:
        if text is not None and not _SPOKEN.fullmatch(text):
            raise ValueError(
                "only letters and . , ? ! ; : ' - can be said; write numbers and signs as spoken"
            )
        return text

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.text is None) == (self.hold_music_s is None):
            raise ValueError("a line has either text or hold_music_s")
        inside = self.backchannel or self.interrupts is not None
        if self.backchannel and self.interrupts:
            raise ValueError("a line interrupts or is a backchannel, not both")
        if inside != (self.at_word is not None):
            raise ValueError("at_word goes with interrupts or backchannel, and they with it")
        if self.at_word is not None and self.pause_s is not None:
            raise ValueError("at_word says when the line begins: leave out pause_s")
        if self.holder_stops_s is not None and self.interrupts is None:
            raise ValueError("holder_stops_s goes with interrupts")
        if self.cue_words is not None and (self.cue is None or self.cue_words not in self.spoken):
            raise ValueError("cue_words are words of the text, and go with cue")
        return self

    @property
    def spoken(self) -> str:
        """Return the text; empty for hold music."""
        return self.text or ""


class Scene(_Table):
    """A whole call, ready to be rendered."""

    call: Call
    sound: LineSound = Field(default_factory=LineSound)
    speakers: dict[str, SimulatedSpeaker]
    lines: tuple[Line, ...] = Field(alias="line", strict=False)


def check(scene: Scene) -> None:
    """Raise `SceneLineError` for the first line that does not fit its scene.

    A scene in which nobody speaks is a `ScriptError`.
    """
    if not any(line.text for line in scene.lines):
        raise ScriptError("nobody says anything in this scene; give it a [[line]] with text")
    for index, line in enumerate(scene.lines):
        speaker = scene.speakers.get(line.speaker)
        if speaker is None:
            names = ", ".join(scene.speakers)
            raise SceneLineError(index, "speaker", f"'{line.speaker}' is not one of: {names}")
        for key, role in _ROLE_OF.items():
            if getattr(line, key) is not None and speaker.role != role:
                raise SceneLineError(index, key, f"needs role {role}; {line.speaker} has not")
        if line.pitch_st and VOICES[speaker.voice].pitch_hz is None:
            raise SceneLineError(index, "pitch_st", f"pitch of voice '{speaker.voice}' is fixed")


# One line of a scene as it is heard on the telephone: band, level, and the time of every word.


_FADE_S = 0.01
_MARGIN_S = 0.05
_PAUSE_S = 0.05


def _perform(line: Line, speaker: SimulatedSpeaker, level_db: float) -> Synthesized:
    """Synthesise a line in the telephone band; words are timed from the first sample.

    A little is left before the first and after the last word: breath and soft consonants. The level
    is set over the words alone, so that `gain_db` is exact whatever is said. Formants are moved by
    resampling, and speed and pitch are adjusted so that they stay as asked for.
    """
    voice = VOICES[speaker.voice]
    own_pitch_hz = speaker.pitch_hz or voice.pitch_hz
    pitch_hz = own_pitch_hz and own_pitch_hz * 2 ** (line.pitch_st / 12) / speaker.formants
    stretch = speaker.formants / (speaker.rate * line.rate)
    said = _resized(speak(line.spoken, voice, stretch, pitch_hz), speaker.formants)
    said = replace(said, samples=sounds.telephone_band(said.samples, RATE_HZ))
    said = _trimmed(replace(said, words=_heard_words(said)))
    target_db = level_db + speaker.gain_db + line.gain_db
    gain = sounds.amplitude(target_db) / sounds.rms(said.samples, RATE_HZ, said.words)
    return replace(said, samples=said.samples * gain)


def _cut_short(said: Synthesized, after_s: float) -> Synthesized:
    """Return the text up to the end of the word that is being said at `after_s`."""
    last = next((i for i, w in enumerate(said.words) if w.end_s >= after_s), len(said.words) - 1)
    count = round(said.words[last].end_s * RATE_HZ)
    samples = said.samples[:count].copy()
    fade = min(round(_FADE_S * RATE_HZ), count)
    samples[count - fade :] *= np.linspace(1, 0, fade)
    return Synthesized(samples, said.words[: last + 1])


def _resized(said: Synthesized, formants: float) -> Synthesized:
    if formants == 1:
        return said
    samples = sounds.resample(said.samples, 1 / formants)
    return Synthesized(
        samples, tuple(Span(w.start_s / formants, w.end_s / formants) for w in said.words)
    )


def _trimmed(said: Synthesized) -> Synthesized:
    """Return the words with a margin, faded in and out."""
    margin = round(_MARGIN_S * RATE_HZ)
    first = max(0, round(said.words[0].start_s * RATE_HZ) - margin)
    samples = said.samples[first : round(said.words[-1].end_s * RATE_HZ) + margin].copy()
    ramp = np.linspace(0, 1, round(_FADE_S * RATE_HZ))
    samples[: ramp.size] *= ramp
    samples[-ramp.size :] *= ramp[::-1]
    offset_s = first / RATE_HZ
    return Synthesized(
        samples, tuple(Span(w.start_s - offset_s, w.end_s - offset_s) for w in said.words)
    )


def _heard_words(said: Synthesized) -> tuple[Span, ...]:
    """Return the words, padded from or to the sample where they are heard.

    The engine counts the silence before a `b` or after a `t` as part of the word. Between words
    that run together its boundary is kept.
    """
    heard = np.flatnonzero(sounds.is_audible(said.samples))
    pauses = [i for i, (a, b) in enumerate(pairwise(said.words)) if b.start_s - a.end_s > _PAUSE_S]
    middles_s = [(said.words[i].end_s + said.words[i + 1].start_s) / 2 for i in pauses]
    limits = np.searchsorted(heard / RATE_HZ, [0.0, *middles_s, np.inf])
    firsts, lasts = [0, *(i + 1 for i in pauses)], [*pauses, len(said.words) - 1]
    words = list(said.words)
    for (low, high), first, last in zip(pairwise(limits), firsts, lasts, strict=True):
        start_s, end_s = int(heard[low]) / RATE_HZ, (int(heard[high - 1]) + 1) / RATE_HZ
        words[first] = Span(start_s, max(words[first].end_s, start_s))
        words[last] = Span(min(words[last].start_s, end_s), end_s)
    return tuple(words)


# Definitions of docs/metrics.md: what an overlap of each class is.
BRIDGE_S = 0.2
BACKCHANNEL_MAX_S = 1.0
TERMINAL_OVERLAP_S = 0.3
INTERRUPTION_OVERLAP_S = 0.3
INTERRUPTION_ENTRANT_S = 1.0
YIELD_WITHIN_S = 1.0


@dataclass(frozen=True, eq=False)
class Placed:
    """A line placed in time.

    `index` is its position in the scene; `start` (at `RATE_HZ`) is where its samples begin.
    """

    index: int
    line: Line
    start: int
    said: Synthesized

    @property
    def start_s(self) -> float:
        """Return the start of the first word, seconds."""
        return self.words[0].start_s

    @property
    def end_s(self) -> float:
        """Return the end of the last word, seconds."""
        return self.words[-1].end_s

    @property
    def words(self) -> tuple[Span, ...]:
        """Return the words on the call's clock."""
        at = self.start / RATE_HZ
        return tuple(Span(at + w.start_s, at + w.end_s) for w in self.said.words)

    def stretch_at(self, time_s: float) -> Span | None:
        """Return the span of speech without a pause that covers this time."""
        found = (s for s in union(self.words, BRIDGE_S) if s.start_s <= time_s < s.end_s)
        return next(found, None)


@dataclass(frozen=True)
class Entry:
    """A line that begins while another is being said; both by their index in the scene."""

    kind: str
    holder: int
    entrant: int


@dataclass(frozen=True)
class Music(Span):
    """Hold music on a channel."""

    channel: int


@dataclass(frozen=True)
class Timeline:
    """The whole scene in time. `placed` maps the index of a spoken line to its place."""

    placed: dict[int, Placed]
    entries: tuple[Entry, ...]
    music: tuple[Music, ...]
    duration_s: float


def lay_out(scene: Scene) -> Timeline:
    """Synthesise and place every line; `SceneLineError` for what cannot be placed as asked."""
    placed: dict[int, Placed] = {}
    entries: list[Entry] = []
    music: list[Music] = []
    front_s = scene.sound.lead_s
    for index, line in enumerate(scene.lines):
        speaker = scene.speakers[line.speaker]
        start_s = front_s + (_pause_s(scene, line) if index else 0.0)
        if line.hold_music_s is not None:
            music.append(Music(start_s, start_s + line.hold_music_s, speaker.channel))
            front_s = music[-1].end_s
            continue
        said = _perform(line, speaker, scene.sound.level_db)
        entry = _entry(index, line, placed, start_s < front_s)
        if entry and line.at_word is not None:
            start_s = _word_start_s(index, line.at_word, placed[entry.holder])
            _stop_holder(index, line, placed, entry.holder, start_s)
        start = round((start_s - said.words[0].start_s) * RATE_HZ)
        placed[index] = Placed(index, line, max(0, start), said)
        entries += [entry] if entry else []
        _check_own_lines(placed[index], placed)
        front_s = max([p.end_s for p in placed.values()] + [m.end_s for m in music])
    for entry in entries:
        _CHECKS[entry.kind](placed[entry.holder], placed[entry.entrant])
    return Timeline(placed, tuple(entries), tuple(music), front_s + scene.sound.tail_s)


def is_successful(holder: Placed, entrant: Placed) -> bool:
    """Return the holder's line, cut short in time for the interruption."""
    return holder.end_s - entrant.start_s <= YIELD_WITHIN_S


def _pause_s(scene: Scene, line: Line) -> float:
    return scene.sound.pause_s if line.pause_s is None else line.pause_s


def _entry(index: int, line: Line, placed: dict[int, Placed], overlaps: bool) -> Entry | None:
    if line.at_word is None and not overlaps:
        return None
    key = "pause_s" if line.at_word is None else "at_word"
    others = [p for p in placed.values() if p.line.speaker != line.speaker]
    holders = [p for p in others if not p.line.backchannel]
    if not holders:
        raise SceneLineError(index, key, "nobody else has spoken yet")
    kind = "interruption" if line.interrupts else "backchannel" if line.backchannel else None
    return Entry(kind or "terminal_overlap", holders[-1].index, index)


def _word_start_s(index: int, number: int, holder: Placed) -> float:
    if number > len(holder.words):
        said = f"{holder.line.speaker}'s line has {len(holder.words)} words"
        raise SceneLineError(index, "at_word", f"{number}, but {said}")
    return holder.words[number - 1].start_s


def _stop_holder(
    index: int, line: Line, placed: dict[int, Placed], holder_index: int, start_s: float
) -> None:
    if line.holder_stops_s is None:
        return
    holder = placed[holder_index]
    said = _cut_short(holder.said, start_s - holder.start / RATE_HZ + line.holder_stops_s)
    if len(said.words) == len(holder.words):
        raise SceneLineError(index, "holder_stops_s", "the line is over by then; interrupt earlier")
    placed[holder_index] = replace(holder, said=said)


def _check_own_lines(new: Placed, placed: dict[int, Placed]) -> None:
    for old in placed.values():
        is_own = old.line.speaker == new.line.speaker and old.index != new.index
        if is_own and new.start_s < old.end_s:
            key = "pause_s" if new.line.at_word is None else "at_word"
            raise SceneLineError(new.index, key, f"{new.line.speaker} is still speaking then")


def _check_interruption(holder: Placed, entrant: Placed) -> None:
    own, held = entrant.stretch_at(entrant.start_s), holder.stretch_at(entrant.start_s)
    if held is None:
        raise SceneLineError(entrant.index, "at_word", "falls into a pause; choose another word")
    overlap_s = min(held.end_s, entrant.end_s) - entrant.start_s
    goes_on_s = held.end_s - entrant.start_s
    if overlap_s < INTERRUPTION_OVERLAP_S:
        problem = f"both speak for {overlap_s:.2f} s, at least {INTERRUPTION_OVERLAP_S} s is needed"
        raise SceneLineError(entrant.index, "interrupts", problem)
    if own is None or own.duration_s < INTERRUPTION_ENTRANT_S:
        problem = (
            f"begins with {own.duration_s if own else 0:.2f} s of speech without a pause, at least "
            f"{INTERRUPTION_ENTRANT_S} s is needed"
        )
        raise SceneLineError(entrant.index, "text", problem)
    if (entrant.line.holder_stops_s is None) == (goes_on_s <= YIELD_WITHIN_S):
        problem = (
            f"the holder goes on for {goes_on_s:.2f} s; a success is within {YIELD_WITHIN_S} s "
            "and has holder_stops_s, a failure is not and has none"
        )
        raise SceneLineError(entrant.index, "interrupts", problem)


def _check_backchannel(holder: Placed, entrant: Placed) -> None:
    held = holder.stretch_at(entrant.start_s)
    length_s = entrant.end_s - entrant.start_s
    if length_s > BACKCHANNEL_MAX_S:
        problem = f"lasts {length_s:.2f} s, at most {BACKCHANNEL_MAX_S} s is a backchannel"
        raise SceneLineError(entrant.index, "backchannel", problem)
    if held is None or held.end_s < max(entrant.end_s, entrant.start_s + TERMINAL_OVERLAP_S):
        problem = f"reaches into a pause of {holder.line.speaker}; choose another word"
        raise SceneLineError(entrant.index, "at_word", problem)


def _check_terminal_overlap(holder: Placed, entrant: Placed) -> None:
    overlap_s = holder.end_s - entrant.start_s
    if not 0 < overlap_s < TERMINAL_OVERLAP_S or entrant.end_s <= holder.end_s:
        problem = (
            f"both speak for {overlap_s:.2f} s; less than {TERMINAL_OVERLAP_S} s at the end of the "
            "other's line is a terminal overlap, anything else needs at_word"
        )
        raise SceneLineError(entrant.index, "pause_s", problem)


_CHECKS = {
    "interruption": _check_interruption,
    "backchannel": _check_backchannel,
    "terminal_overlap": _check_terminal_overlap,
}

"""The scene of a call: who speaks, on what line, what each says, and what is planted in it.

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
"""

import re
from typing import Annotated, Literal, Self

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
from warmline.simulate.sounds import VOICES

Layout = Literal["stereo", "mono", "fake_stereo"]
Format = Literal["flac", "wav", "wav-mulaw", "ogg"]
CueKind = Literal[
    "fear_anxiety", "anger_frustration", "sadness_disappointment", "confusion_powerlessness"
]
Answer = Literal["dismissed", "problem_solved_only", "attentive", "affective", "cognitive"]
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

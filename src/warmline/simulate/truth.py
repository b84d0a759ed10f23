"""The ground truth of a simulated call: who says which word when, and which events it contains.

All times are seconds on the call's clock, taken from the rendered samples. `turn` is the index of a
turn in `Truth.turns`. Definitions are those of the measures (docs/metrics.md).
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from warmline.errors import ScriptError
from warmline.spans import union
from warmline.values import Span

_DECIMALS = 4
_TURN_REFERENCES = ("index", "turn", "holder_turn", "entrant_turn", "answer_turn")


@dataclass(frozen=True)
class TrueSpeaker:
    """A voice of the call. `party` is the label that a perfect listener gives it.

    In stereo a party is a channel (two speakers on one channel are one party), in mono a voice, in
    order of first speech.
    """

    name: str
    role: str
    channel: int
    party: str
    voice: str


@dataclass(frozen=True)
class TrueTurn(Span):
    """One line of the scene, from the start of its first to the end of its last word.

    An interrupted line has only the text that was said. Two lines of one speaker in a row are two
    turns here. `gain_db`, `rate` (times) and `pitch_st` are relative to the speaker's other lines.
    """

    index: int
    speaker: str
    role: str
    text: str
    backchannel: bool
    gain_db: float
    rate: float
    pitch_st: float


@dataclass(frozen=True)
class TrueWord(Span):
    """One word as written in the script, punctuation included."""

    turn: int
    speaker: str
    text: str


@dataclass(frozen=True)
class TrueOverlap(Span):
    """Both speak, from the entrant's start to whoever ends first.

    `kind`: `interruption`, `backchannel` or `terminal_overlap`. `successful` and `cooperative` are
    said of interruptions only.
    """

    kind: str
    holder: str
    entrant: str
    holder_turn: int
    entrant_turn: int
    successful: bool | None
    cooperative: bool | None


@dataclass(frozen=True)
class TrueSilence(Span):
    """Nobody speaks: `dead_air` (2 s or more without a sound) or `hold` (music)."""

    kind: str


@dataclass(frozen=True)
class TrueCue(Span):
    """A customer's cue and how the agent answered it within two agent turns.

    `answer` is None when no agent turn followed; `answer_turn` None also when it was ignored.
    """

    turn: int
    speaker: str
    kind: str
    text: str
    answer: str | None
    answer_turn: int | None


@dataclass(frozen=True)
class TrueMoment(Span):
    """A line that does something, by `kind`.

    `offer` (label `misplaced`, `welcome`), `ask` and `reask` (label: the slot), `apology`,
    `commitment`, `repeat_contact`, `transfer`, `complaint`, `resolution`.
    """

    turn: int
    speaker: str
    kind: str
    label: str | None


@dataclass(frozen=True)
class Truth:
    """The ground truth of one simulated call, known because it was rendered.

    `layout` is `stereo`, `mono` or `fake_stereo`. Turns, words and events are in order of start.
    """

    call_id: str
    title: str
    layout: str
    duration_s: float
    speakers: tuple[TrueSpeaker, ...]
    turns: tuple[TrueTurn, ...]
    words: tuple[TrueWord, ...]
    overlaps: tuple[TrueOverlap, ...]
    silences: tuple[TrueSilence, ...]
    cues: tuple[TrueCue, ...]
    moments: tuple[TrueMoment, ...]

    def speaker(self, name: str) -> TrueSpeaker:
        """Return the speaker of this name; KeyError if there is none."""
        return {speaker.name: speaker for speaker in self.speakers}[name]

    def party_of(self, name: str) -> str:
        """Return the party label of a speaker."""
        return self.speaker(name).party

    def speech(self, speakers: Iterable[str], bridge_s: float = 0.2) -> list[Span]:
        """Return when any of these speakers talks: their words, gaps shorter than `bridge_s`
        closed.
        """
        names = set(speakers)
        return union((word for word in self.words if word.speaker in names), bridge_s)

    def followed_by(self, other: "Truth") -> "Truth":
        """Return this call followed by the other. Speakers of one name are the same person."""
        known = {speaker.name for speaker in self.speakers}
        later: dict[str, tuple[Any, ...]] = {
            name: tuple(
                _moved(item, self.duration_s, len(self.turns)) for item in getattr(other, name)
            )
            for name in ("turns", "words", "overlaps", "silences", "cues", "moments")
        }
        return replace(
            self,
            duration_s=self.duration_s + other.duration_s,
            speakers=self.speakers + tuple(s for s in other.speakers if s.name not in known),
            **{name: getattr(self, name) + items for name, items in later.items()},
        )


def load_truth(path: Path) -> Truth:
    """Return the truth of a simulated call from its file; raises `ScriptError` naming file and
    field.
    """
    try:
        return TypeAdapter(Truth).validate_json(path.read_bytes(), strict=False)
    except OSError as e:
        raise ScriptError(f"{path}: cannot read the truth ({e.strerror})") from e
    except ValidationError as e:
        first = e.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ScriptError(f"{path}: {field}: {first['msg']}") from e


def truth_json(truth: Truth) -> str:
    """Return the truth as JSON: one record a line, times to a tenth of a millisecond."""
    parts = []
    for name, value in asdict(truth).items():
        if isinstance(value, tuple):
            rows = ",\n".join("  " + json.dumps(_rounded(row)) for row in value)
            parts.append(f' "{name}": [\n{rows}\n ]' if rows else f' "{name}": []')
        else:
            parts.append(f' "{name}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _moved(item: Any, by_s: float, by_turns: int) -> Any:
    """Return the same call shifted in time, with its references to turns."""
    turns = {
        name: getattr(item, name) + by_turns
        for name in _TURN_REFERENCES
        if getattr(item, name, None) is not None
    }
    return replace(item, start_s=item.start_s + by_s, end_s=item.end_s + by_s, **turns)


def _rounded(row: dict[str, object]) -> dict[str, object]:
    return {k: round(v, _DECIMALS) if isinstance(v, float) else v for k, v in row.items()}

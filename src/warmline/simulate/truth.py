"""The ground truth of a simulated call: who says which word when, and which events it contains.

All times are seconds on the call's clock, taken from the rendered samples. `turn` is the index of a
turn in `Truth.turns`. Definitions are those of the measures (docs/metrics.md).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from warmline.errors import SceneLineError, ScriptError
from warmline.simulate.timeline import Placed, Scene, Timeline, is_successful
from warmline.values import (
    Conversation,
    Role,
    RoleName,
    Span,
    SpeakerSource,
    Speech,
    SpeechSegment,
    ToneSegment,
    Transcript,
    Turn,
    Word,
    gaps,
    union,
)

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


# A perfect listener's output for a simulated call: the input of the measuring stages.


_REASON = "known from the script"


def true_speech(truth: Truth, bridge_s: float = 0.2) -> Speech:
    """Return who spoke when, with pauses of a party shorter than `bridge_s` closed."""
    parties = _parties(truth)
    segments = [
        SpeechSegment(span.start_s, span.end_s, party)
        for party, names in parties.items()
        for span in truth.speech(names, bridge_s)
    ]
    segments.sort(key=lambda s: (s.start_s, s.end_s))
    exclusive: list[SpeechSegment] = []
    for segment in segments:  # the floor stays with the one who has it
        free_s = max((s.end_s for s in exclusive), default=0.0)
        if segment.end_s > free_s:
            exclusive.append(replace(segment, start_s=max(segment.start_s, free_s)))
    tones = [ToneSegment(s.start_s, s.end_s, "music") for s in truth.silences if s.kind == "hold"]
    source = SpeakerSource.CHANNEL if truth.layout == "stereo" else SpeakerSource.DIARIZATION
    return Speech(
        source, tuple(parties), tuple(segments), tuple(exclusive), tuple(tones), 1.0, _REASON
    )


def true_transcript(truth: Truth) -> Transcript:
    """Return every word with its time."""
    words = tuple(
        Word(w.start_s, w.end_s, truth.party_of(w.speaker), w.text, 1.0) for w in truth.words
    )
    return Transcript("en", 1.0, words, (), {})


def true_conversation(truth: Truth) -> Conversation:
    """Return the script's lines as turns, without backchannels; `Turn.index` counts only these."""
    roles = {
        truth.party_of(s.name): Role(
            truth.party_of(s.name), RoleName(s.role), 1.0, "script", _REASON
        )
        for s in truth.speakers
    }
    floor = [turn for turn in truth.turns if not turn.backchannel]
    turns = tuple(
        Turn(
            turn.start_s,
            turn.end_s,
            index=index,
            party=truth.party_of(turn.speaker),
            role=RoleName(turn.role),
            text=turn.text,
            word_count=len(turn.text.split()),
            speech_s=sum(w.duration_s for w in truth.words if w.turn == turn.index),
        )
        for index, turn in enumerate(floor)
    )
    return Conversation(tuple(roles[party] for party in sorted(roles)), turns)


def _parties(truth: Truth) -> dict[str, list[str]]:
    parties: dict[str, list[str]] = {}
    for speaker in sorted(truth.speakers, key=lambda s: s.party):
        parties.setdefault(speaker.party, []).append(speaker.name)
    return parties


# Derive the ground truth of a scene from its timeline.


DEAD_AIR_S = 2.0
TURN_PAUSE_S = 2.0
ANSWER_WITHIN_TURNS = 2


def ground_truth(scene: Scene, timeline: Timeline) -> Truth:
    """Return the ground truth of a scene; `SceneLineError` where a label refers to nothing."""
    in_order = sorted(timeline.placed.values(), key=lambda p: (p.start_s, p.index))
    turn_of = {placed.index: turn for turn, placed in enumerate(in_order)}
    words = [word for turn, placed in enumerate(in_order) for word in _words(turn, placed)]
    cues = _cues(scene, in_order)
    _check_answers(cues, in_order)
    return Truth(
        call_id=scene.call.call_id,
        title=scene.call.title,
        layout=scene.sound.layout,
        duration_s=timeline.duration_s,
        speakers=_speakers(scene, in_order),
        turns=tuple(_turn(scene, turn, placed) for turn, placed in enumerate(in_order)),
        words=tuple(sorted(words, key=lambda w: (w.start_s, w.turn))),
        overlaps=tuple(_overlaps(timeline, turn_of)),
        silences=tuple(_silences(words, timeline)),
        cues=cues,
        moments=tuple(_moments(in_order)),
    )


def _speakers(scene: Scene, in_order: list[Placed]) -> tuple[TrueSpeaker, ...]:
    heard = list(dict.fromkeys(placed.line.speaker for placed in in_order))
    return tuple(
        TrueSpeaker(
            name,
            scene.speakers[name].role,
            scene.speakers[name].channel,
            "AB"[scene.speakers[name].channel] if scene.sound.layout == "stereo" else chr(65 + i),
            scene.speakers[name].voice,
        )
        for i, name in enumerate(heard)
    )


def _turn(scene: Scene, turn: int, placed: Placed) -> TrueTurn:
    line = placed.line
    return TrueTurn(
        start_s=placed.start_s,
        end_s=placed.end_s,
        index=turn,
        speaker=line.speaker,
        role=scene.speakers[line.speaker].role,
        text=" ".join(line.spoken.split()[: len(placed.words)]),
        backchannel=line.backchannel,
        gain_db=line.gain_db,
        rate=line.rate,
        pitch_st=line.pitch_st,
    )


def _words(turn: int, placed: Placed) -> Iterator[TrueWord]:
    for text, span in zip(placed.line.spoken.split(), placed.words, strict=False):  # may be cut
        yield TrueWord(span.start_s, span.end_s, turn, placed.line.speaker, text)


def _overlaps(timeline: Timeline, turn_of: dict[int, int]) -> Iterator[TrueOverlap]:
    for entry in timeline.entries:
        holder, entrant = timeline.placed[entry.holder], timeline.placed[entry.entrant]
        is_interruption = entry.kind == "interruption"
        yield TrueOverlap(
            entrant.start_s,
            min(holder.end_s, entrant.end_s),
            entry.kind,
            holder.line.speaker,
            entrant.line.speaker,
            turn_of[holder.index],
            turn_of[entrant.index],
            is_successful(holder, entrant) if is_interruption else None,
            entrant.line.interrupts == "cooperative" if is_interruption else None,
        )


def _silences(words: Iterable[Span], timeline: Timeline) -> Iterator[TrueSilence]:
    sounds = union([*words, *timeline.music])
    dead = gaps(sounds, sounds[0].start_s, sounds[-1].end_s)
    found = [TrueSilence(m.start_s, m.end_s, "hold") for m in timeline.music]
    found += [
        TrueSilence(s.start_s, s.end_s, "dead_air") for s in dead if s.duration_s >= DEAD_AIR_S
    ]
    yield from sorted(found, key=lambda s: s.start_s)


def _cues(scene: Scene, in_order: list[Placed]) -> tuple[TrueCue, ...]:
    cues = []
    for turn, placed in enumerate(in_order):
        if placed.line.cue is None:
            continue
        span, text = _cue_words(placed)
        answer_turn = _answer_turn(scene, in_order, turn)
        followed = any(_is_agent_turn(scene, p) for p in in_order[turn + 1 :])
        answer = in_order[answer_turn].line.answers if answer_turn is not None else None
        cues.append(
            TrueCue(
                *(span.start_s, span.end_s, turn, placed.line.speaker, placed.line.cue, text),
                answer=answer or ("ignored" if followed else None),
                answer_turn=answer_turn,
            )
        )
    return tuple(cues)


def _cue_words(placed: Placed) -> tuple[Span, str]:
    text = placed.line.spoken
    wanted = placed.line.cue_words or text
    first = len(text[: text.index(wanted)].split())
    last = first + len(wanted.split()) - 1
    if last >= len(placed.words):
        raise SceneLineError(placed.index, "cue", "the interruption cuts it off; interrupt later")
    return Span(placed.words[first].start_s, placed.words[last].end_s), wanted


def _answer_turn(scene: Scene, in_order: list[Placed], cue_turn: int) -> int | None:
    """Return the first answer in the agent turns that follow; lines without a long pause are one
    turn.
    """
    floor = [(i, p) for i, p in enumerate(in_order) if i >= cue_turn and not p.line.backchannel]
    agent_turns = 0
    for (_, before), (turn, placed) in pairwise(floor):
        if not _is_agent_turn(scene, placed):
            continue
        goes_on = placed.line.speaker == before.line.speaker
        agent_turns += not goes_on or placed.start_s - before.end_s > TURN_PAUSE_S
        if agent_turns > ANSWER_WITHIN_TURNS:
            return None
        if placed.line.answers:
            return turn
    return None


def _is_agent_turn(scene: Scene, placed: Placed) -> bool:
    return scene.speakers[placed.line.speaker].role == "agent" and not placed.line.backchannel


def _check_answers(cues: tuple[TrueCue, ...], in_order: list[Placed]) -> None:
    used = {cue.answer_turn for cue in cues}
    for turn, placed in enumerate(in_order):
        if placed.line.answers and turn not in used:
            problem = f"no cue in the {ANSWER_WITHIN_TURNS} agent turns before that is unanswered"
            raise SceneLineError(placed.index, "answers", problem)


def _moments(in_order: list[Placed]) -> Iterator[TrueMoment]:
    asked: set[str] = set()
    for turn, placed in enumerate(in_order):
        line = placed.line
        labels: list[tuple[str, str | None]] = [(mark, None) for mark in line.marks]
        if line.offer:
            labels.append(("offer", line.offer))
        if line.asks:
            labels.append(("reask" if line.asks in asked else "ask", line.asks))
            asked.add(line.asks)
        for kind, label in labels:
            yield TrueMoment(placed.start_s, placed.end_s, turn, line.speaker, kind, label)

"""Derive the ground truth of a scene from its timeline."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from warmline.errors import SceneLineError
from warmline.simulate.scene import Scene
from warmline.simulate.timeline import Placed, Timeline, is_successful
from warmline.simulate.truth import (
    TrueCue,
    TrueMoment,
    TrueOverlap,
    TrueSilence,
    TrueSpeaker,
    TrueTurn,
    TrueWord,
    Truth,
)
from warmline.spans import gaps, union
from warmline.values import Span

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

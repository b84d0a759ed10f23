"""Turns: what one party says until another takes the floor."""

from bisect import bisect_right
from collections.abc import Sequence

from warmline.settings import TurnSettings
from warmline.turns.contributions import Contribution, Kind, contributions
from warmline.values import RoleName, Span, Speech, Transcript, Turn


def build_turns(speech: Speech, transcript: Transcript, settings: TurnSettings) -> tuple[Turn, ...]:
    """The turns of a call in order of start, roles not yet known.

    Another party takes the floor by speaking in a pause of the one who holds it; a pause longer
    than `settings.max_pause_s` ends a turn by itself. A backchannel neither ends a turn nor is one.
    A short remark spoken over the holder is a turn, and does not end the holder's. Speech without
    recognised words is a turn with empty text, if it lasts `settings.min_wordless_s`.

    Every word is in exactly one turn or one backchannel; turns of one party never overlap.
    Times are edges of sound or words, seconds; `speech_s` is the party's speech inside the turn.
    """
    said = contributions(speech, transcript, settings)
    turns = [turn for party in said for turn in _turns_of(party, said, settings)]
    turns.sort(key=lambda parts: (parts[0].start_s, parts[-1].end_s, parts[0].party))
    return tuple(_turn(index, parts) for index, parts in enumerate(turns))


def _turns_of(
    party: str, said: dict[str, tuple[Contribution, ...]], settings: TurnSettings
) -> list[list[Contribution]]:
    own = [c for c in said[party] if c.kind in (Kind.FLOOR, Kind.ASIDE)]
    rivals = [_Rival([c for c in said[p] if c.kind is Kind.FLOOR]) for p in said if p != party]
    turns: list[list[Contribution]] = []
    for part in own:
        if turns:
            pause = Span(turns[-1][-1].end_s, part.start_s)
            ended = pause.duration_s > settings.max_pause_s
            if not ended and not any(rival.takes(pause, settings) for rival in rivals):
                turns[-1].append(part)
                continue
        turns.append([part])
    return turns


class _Rival:
    """One party's floor-taking speech, to ask whether it takes the floor in another's pause."""

    def __init__(self, parts: Sequence[Contribution]) -> None:
        self._parts = parts
        self._ends = [p.end_s for p in parts]

    def takes(self, pause: Span, settings: TurnSettings) -> bool:
        """Falls into the pause with half of itself, or fills half of one between two phrases.

        An overlap that merely reaches into a pause, or runs through a short one, takes nothing.
        """
        between_phrases = pause.duration_s > settings.phrase_pause_s
        for part in self._parts[bisect_right(self._ends, pause.start_s) :]:
            if part.start_s >= pause.end_s:
                return False
            shared_s = min(part.end_s, pause.end_s) - max(part.start_s, pause.start_s)
            filled = between_phrases and shared_s >= pause.duration_s / 2
            if filled or shared_s >= part.duration_s / 2:
                return True
        return False


def _turn(index: int, parts: Sequence[Contribution]) -> Turn:
    words = [w for p in parts for w in p.words]
    return Turn(
        start_s=parts[0].start_s,
        end_s=parts[-1].end_s,
        index=index,
        party=parts[0].party,
        role=RoleName.UNKNOWN,
        text=" ".join(w.text.strip() for w in words),
        word_count=len(words),
        speech_s=sum(p.duration_s for p in parts),
    )

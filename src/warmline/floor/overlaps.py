"""Overlaps: who held the floor, who came in, and what kind of entry it was."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import combinations

from warmline.analysis import Overlap
from warmline.floor.cooperation import Said, is_cooperative
from warmline.floor.heard import PartyTurns
from warmline.settings import FloorSettings
from warmline.values import Span, Turn

INTERRUPTION = "interruption"
BACKCHANNEL = "backchannel"
TERMINAL = "terminal_overlap"
OTHER = "other"


def overlaps_of(
    talk: Mapping[str, Sequence[Span]],
    turns: Sequence[Turn],
    said: Mapping[str, Said] | None,
    settings: FloorSettings,
) -> tuple[Overlap, ...]:
    """Every overlap of two parties' speech, classed, in order of time.

    `talk` has each party's speech, apart and in order; `turns` are cut to their sound. The holder
    is who began first. Classes, the first that fits (Heldner & Edlund 2010; Cho 2022):

    - `other` when both began together (`settings.simultaneous_s`): nobody held the floor;
    - `backchannel`: the entrant speaks for at most `backchannel_max_s` and the holder goes on;
    - `terminal_overlap`: it starts less than `terminal_overlap_s` before the holder ends;
    - `interruption`: `interruption_overlap_s` of overlap, `interruption_entrant_s` of the entrant;
    - `other`.

    The holder goes on by speaking past the entrant's end, or by a turn that does. An interruption
    is successful if the holder stops within `yield_within_s` of its start and does not go on.
    `said` are the words by party, None where they cannot be judged: then nothing is cooperative.
    """
    turns_of = {party: PartyTurns(party, turns) for party in talk}
    found = [
        _classed(*_roles(one, a, other, b), turns_of, said, settings)
        for one, other in combinations(sorted(talk), 2)
        for a, b in _meetings(talk[one], talk[other])
    ]
    return tuple(sorted(found, key=lambda o: (o.start_s, o.end_s, o.holder, o.entrant)))


def _meetings(left: Sequence[Span], right: Sequence[Span]) -> list[tuple[Span, Span]]:
    ends = [s.end_s for s in right]
    pairs = []
    for a in left:
        for b in right[bisect_right(ends, a.start_s) :]:
            if b.start_s >= a.end_s:
                break
            pairs.append((a, b))
    return pairs


def _roles(one: str, a: Span, other: str, b: Span) -> tuple[str, Span, str, Span]:
    """(holder, its speech, entrant, its speech): who began first held; if both, who went on."""
    if (a.start_s, -a.end_s) <= (b.start_s, -b.end_s):
        return one, a, other, b
    return other, b, one, a


def _classed(
    holder: str,
    holding: Span,
    entrant: str,
    entry: Span,
    turns_of: Mapping[str, PartyTurns],
    said: Mapping[str, Said] | None,
    settings: FloorSettings,
) -> Overlap:
    overlap = Span(entry.start_s, min(holding.end_s, entry.end_s))
    turn = turns_of[holder].holding(holding)
    kind = _kind(holding, entry, overlap, turn, settings)
    is_interruption = kind == INTERRUPTION
    stops = holding.end_s - overlap.start_s <= settings.yield_within_s
    successful = stops and holding.end_s < entry.end_s and turn.end_s <= entry.end_s
    cooperative = None
    if is_interruption and said is not None:
        cooperative = is_cooperative(said[holder], said[entrant], overlap, entry)
    return Overlap(
        start_s=overlap.start_s,
        end_s=overlap.end_s,
        holder=holder,
        entrant=entrant,
        kind=kind,
        successful=successful if is_interruption else None,
        cooperative=cooperative,
    )


def _kind(holding: Span, entry: Span, overlap: Span, turn: Span, settings: FloorSettings) -> str:
    if entry.start_s - turn.start_s < settings.simultaneous_s:
        return OTHER
    if entry.duration_s <= settings.backchannel_max_s and turn.end_s > entry.end_s:
        return BACKCHANNEL
    if holding.end_s - entry.start_s < settings.terminal_overlap_s:
        return TERMINAL
    long_enough = entry.duration_s >= settings.interruption_entrant_s
    if long_enough and overlap.duration_s >= settings.interruption_overlap_s:
        return INTERRUPTION
    return OTHER

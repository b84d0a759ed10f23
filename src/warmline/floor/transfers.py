"""Changes of speaker: how long the next waits, or how early it comes in."""

from collections.abc import Sequence

from warmline.analysis import FloorTransfer
from warmline.values import Turn


def transfers_of(turns: Sequence[Turn]) -> tuple[FloorTransfer, ...]:
    """Every change of speaker in order, with the floor transfer offset in seconds.

    `turns` are in order and cut to their sound. A turn wholly inside another's took no floor.
    """
    found: list[FloorTransfer] = []
    holder: Turn | None = None
    for turn in turns:
        if holder is not None and turn.end_s <= holder.end_s:
            continue
        if holder is not None and turn.party != holder.party:
            offset_s = turn.start_s - holder.end_s
            found.append(FloorTransfer(turn.start_s, holder.party, turn.party, offset_s))
        holder = turn
    return tuple(found)

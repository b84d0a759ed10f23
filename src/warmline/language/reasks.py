"""Information that was asked for again although the customer had given it."""

from collections.abc import Sequence

from warmline.analysis import Moment
from warmline.language.passages import Passage
from warmline.turns.listening import listens
from warmline.values import RoleName

_RULE = "reask.slot"
_STRENGTH = 0.8


def reasks(passages: Sequence[Passage], moments: Sequence[Moment]) -> list[Moment]:
    """One moment for each request for an item that was requested before and answered since.

    The label is the item. Whichever agent asks again: the customer has told it already.
    """
    places = {p.turn.index: place for place, p in enumerate(passages)}
    unanswered = {m.turn_index for m in moments if m.kind == "no_answer"}
    asked: dict[str, int] = {}
    again: list[Moment] = []
    for moment in sorted(moments, key=lambda m: (m.turn_index, m.start_s)):
        if moment.kind != "slot_request" or moment.label is None:
            continue
        place = places[moment.turn_index]
        before = asked.get(moment.label)
        asked[moment.label] = place
        if before is not None and _answered(passages[before + 1 : place], unanswered):
            again.append(_again(moment))
    return again


def _again(request: Moment) -> Moment:
    return Moment(
        start_s=request.start_s,
        end_s=request.end_s,
        kind="reask",
        label=request.label,
        turn_index=request.turn_index,
        party=request.party,
        role=request.role,
        text=request.text,
        rule=_RULE,
        strength=_STRENGTH,
    )


def _answered(between: Sequence[Passage], unanswered: set[int]) -> bool:
    """Whether the customer said anything but "yes" or "I don't know" in between."""
    return any(
        p.turn.role is RoleName.CUSTOMER and p.turn.index not in unanswered and not listens(p.said)
        for p in between
    )

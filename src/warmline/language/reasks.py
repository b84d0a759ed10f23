"""Information that was asked for again although the customer had given it."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from warmline.analysis import Moment
from warmline.language.passages import Passage
from warmline.phrases import spoken
from warmline.turns.listening import listens
from warmline.values import RoleName

_RULE = "reask.slot"
_STRENGTH = 0.8
_AGAIN = frozenset({"again", "repeat"})
_AGAIN_WITHIN = 2


def reasks(passages: Sequence[Passage], moments: Sequence[Moment]) -> list[Moment]:
    """One moment for each request for an item that was requested before and answered since.

    A request that says so itself ("repeat that zip code") needs no earlier one, as a customer may
    have given the item unasked. The label is the item. Any agent may be the one who asks again.
    """
    by_index = {p.turn.index: p for p in passages}
    unanswered = {m.turn_index for m in moments if m.kind == "no_answer"}
    asked_s: dict[str, float] = {}
    again: list[Moment] = []
    for moment in sorted(moments, key=lambda m: (m.start_s, m.turn_index)):
        if moment.kind != "slot_request" or moment.label is None:
            continue
        since_s = asked_s.get(moment.label)
        if since_s is None and _says_again(moment, by_index[moment.turn_index]):
            since_s = -inf
        asked_s[moment.label] = moment.end_s
        if since_s is None:
            continue
        between = [
            p for p in passages if p.turn.end_s > since_s and p.turn.start_s < moment.start_s
        ]
        if _answered(between, unanswered):
            again.append(replace(moment, kind="reask", rule=_RULE, strength=_STRENGTH))
    return again


def _says_again(request: Moment, passage: Passage) -> bool:
    """Whether the request itself says that it is not the first: "repeat ...", "... again"."""
    after = passage.turn.text.partition(request.text)[2].split()[:_AGAIN_WITHIN]
    words = spoken([*request.text.split(), *after]).present
    return not words.isdisjoint(_AGAIN)


def _answered(between: Sequence[Passage], unanswered: set[int]) -> bool:
    """Whether the customer said anything but "yes" or "I don't know" in between."""
    return any(
        p.turn.role is RoleName.CUSTOMER and p.turn.index not in unanswered and not listens(p.said)
        for p in between
    )

"""Mechanisms of empathy that models find in agents' turns with enough confidence to show.

Customers' feelings are read by `feelings.py`. Thresholds were chosen where people agreed with the
model in 85 % of cases, on pairs that were not in its training data (`networks/networks.toml`);
below them nothing is shown.
"""

from collections.abc import Iterator, Mapping, Sequence

from warmline.analysis import Moment
from warmline.language.features import SERVICE
from warmline.language.heads import MECHANISMS, network_settings
from warmline.language.turn_text import TurnText
from warmline.language.windows import WindowScores
from warmline.values import RoleName

MECHANISM_MODEL = "model:epitome"
WEAK, STRONG = "weak", "strong"
# Turns with fewer words are left to the rules: a model finds too much in "no, that's all".
_LEAST_WORDS = 4
# A window is not judged for empathy when more of it than this is the business of service.
_MOST_SERVICE = 0.3


def model_moments(
    turn_texts: Sequence[TurnText],
    heard: Mapping[int, Sequence[WindowScores]],
    moments: Sequence[Moment],
) -> list[Moment]:
    """Return for each agent's turn the mechanisms shown.

    A mechanism is shown once per turn, at its level: `weak` or `strong` (EPITOME's 1 and 2);
    strength is half the expected level.
    """
    by_turn: dict[int, list[Moment]] = {}
    for moment in moments:
        by_turn.setdefault(moment.turn_index, []).append(moment)
    found: list[Moment] = []
    for turn_text in turn_texts:
        index = turn_text.turn.index
        long = [h for h in heard.get(index, ()) if h.past - h.first >= _LEAST_WORDS]
        if turn_text.turn.role is RoleName.AGENT:
            found += _mechanisms(turn_text, long, by_turn.get(index, []))
    return found


def _is_more_than_service(
    turn_text: TurnText, window: WindowScores, service: Sequence[Moment]
) -> bool:
    """Return whether a sentence of the window is neither courtesy, a hold, nor other business."""
    inside = [
        (max(first, window.first), min(past, window.past))
        for first, past in turn_text.said.sentences()
        if first < window.past and window.first < past
    ]
    return any(
        past - first >= _LEAST_WORDS and turn_text.share(first, past, service) <= _MOST_SERVICE
        for first, past in inside
    )


def _mechanisms(
    turn_text: TurnText, heard: Sequence[WindowScores], known: Sequence[Moment]
) -> Iterator[Moment]:
    thresholds = network_settings("mechanisms")["thresholds"]
    service = [m for m in known if m.kind in SERVICE]
    own = [
        h
        for h in heard
        if turn_text.share(h.first, h.past, service) <= _MOST_SERVICE
        and _is_more_than_service(turn_text, h, service)
    ]
    for mechanism in MECHANISMS if own else ():
        window = max(own, key=lambda h: h.at_least_weak(mechanism))
        if window.at_least_weak(mechanism) < thresholds[mechanism]:
            continue
        _, weak, strong = window.levels[mechanism]
        yield turn_text.moment(
            mechanism,
            STRONG if strong > weak else WEAK,
            window.first,
            window.past,
            MECHANISM_MODEL,
            weak / 2 + strong,
        )

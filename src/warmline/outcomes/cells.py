"""One cell of a table of outcomes as a value: numbers, yes and no, churned and retained, days."""

import math
import re
from datetime import datetime, tzinfo

from warmline.recordings.times import read_moment

#: Names that people give to one outcome.
_NAMES = {
    **dict.fromkeys(("churn", "churned", "cancelled", "canceled", "retention"), "retained"),
    **dict.fromkeys(("nps_score", "net_promoter_score"), "nps"),
    **dict.fromkeys(("csat_score", "customer_satisfaction"), "csat"),
    **dict.fromkeys(("stars", "star_rating", "review"), "review_stars"),
    **dict.fromkeys(("repurchase", "repurchased", "repeat_purchases"), "repeat_purchase"),
}
_TURNED_ROUND = frozenset({"churn", "churned", "cancelled", "canceled"})
#: What values of a known outcome may be: least, most, and whether only the two ends.
_BOUNDS = {
    "retained": (0.0, 1.0, True),
    "nps": (0.0, 10.0, False),
    "review_stars": (0.0, 5.0, False),
    "repeat_purchase": (0.0, math.inf, False),
}
_WORDS = {
    **dict.fromkeys(("true", "yes", "y"), 1.0),
    **dict.fromkeys(("false", "no", "n"), 0.0),
}
_FATES = {"retained": 1.0, "stayed": 1.0, "churned": 0.0, "left": 0.0, "cancelled": 0.0}
_SHOWN = 40


def snake(text: str) -> str:
    """A name in lower_snake_case, as it is stored."""
    return re.sub(r"\W+", "_", text.strip()).strip("_").lower()


def outcome_name(text: str) -> str:
    """The outcome that a name stands for: `Churned` is about being `retained`."""
    name = snake(text)
    return _NAMES.get(name, name)


def is_fate(text: str) -> bool:
    """Whether a text says by itself what became of a customer: churned, retained."""
    return snake(text) in _FATES


def read_value(said_name: str, text: str) -> float | str:
    """The value of an outcome as a number, or as text where it is none.

    `churned` is turned round into `retained`: 1 stays, 0 leaves. Raises ValueError for what the
    outcome cannot be.
    """
    name, word = outcome_name(said_name), text.strip().lower()
    if name == "retained" and word in _FATES:
        return _FATES[word]
    number = _WORDS.get(word, _number(word))
    if name not in _BOUNDS:
        return text.strip() if number is None else number
    least, most, ends_only = _BOUNDS[name]
    if number is None:
        raise ValueError(f"{text.strip()[:_SHOWN]!r} is not a number")
    if not least <= number <= most or (ends_only and number not in (least, most)):
        between = "0 or 1 (no or yes)" if ends_only else f"between {least:g} and {most:g}"
        raise ValueError(f"{number:g} is not {between}")
    return 1.0 - number if snake(said_name) in _TURNED_ROUND else number


def read_day(text: str, zone: tzinfo) -> tuple[datetime, bool]:
    """When, UTC without a zone, and whether only the day is said. Raises ValueError for no time."""
    at, is_whole_day = read_moment(text, zone)
    return at.replace(tzinfo=None), is_whole_day


def _number(text: str) -> float | None:
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None

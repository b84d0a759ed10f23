"""Which of two parties behaves like the agent, whatever the language: who opens, and who asks.

A logistic model of differences between the two parties, whose weights and their origin stand in
`behaviour.toml`. It only leans: without words of both that speak of a service call (`roles.toml`,
`languages/`) nothing is concluded from it.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from warmline.values import Turn

# The model looks at the opening, as a call's middle is alike on both sides.
_TURNS = 16
_QUESTION = re.compile(r"\?")


def behaves_like_the_agent(
    turns: Sequence[Turn], first: str, second: str, direction: str | None
) -> float:
    """Return the log-odds that of two parties `first` is the agent, by what the two do."""
    weights = _weights()
    found = differences(turns, first, second)
    opens = found["opens"] * (-1.0 if direction == "outbound" else 1.0)
    return sum(weights[name] * value for name, value in {**found, "opens": opens}.items())


def differences(turns: Sequence[Turn], first: str, second: str) -> Mapping[str, float]:
    """Return what `first` does more than `second` in the opening, feature by feature.

    `opens` is 1 when it speaks first, -1 when the other does; `questions` is the difference of the
    shares of turns that hold a question.
    """
    opening = [t for t in turns if t.text.strip()][:_TURNS]
    own, other = ([t for t in opening if t.party == p] for p in (first, second))
    opens = 0.0 if not opening else 1.0 if opening[0].party == first else -1.0
    return {
        "opens": opens,
        "questions": _share(own, _QUESTION) - _share(other, _QUESTION),
    }


def _share(turns: Sequence[Turn], pattern: re.Pattern[str]) -> float:
    return sum(bool(pattern.search(t.text)) for t in turns) / max(1, len(turns))


@cache
def _weights() -> Mapping[str, float]:
    text = files("warmline.turns").joinpath("behaviour.toml").read_text(encoding="utf-8")
    return {name: float(weight) for name, weight in tomllib.loads(text)["weights"].items()}

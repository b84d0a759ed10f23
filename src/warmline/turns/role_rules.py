"""The rules of `roles.toml`: which words speak for which role, and how loudly."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import Field

from warmline.phrases import Matcher, PhraseRule, RuleFile, parse_rules, spoken_text
from warmline.values import RoleName, Turn

_FILE = "roles.toml"
# Turns of the call, of all parties, that open and close it. What is said in between counts less:
# the longer two people talk, the likelier either says anything once.
_OPENING_TURNS = 10
_CLOSING_TURNS = 8
_IN_BETWEEN = 0.4


class RoleRule(PhraseRule):
    """A `[[rule]]` of `roles.toml`: log-odds of saying this, by role."""

    weights: dict[RoleName, float] = Field(min_length=1)
    over_sentences: bool = True
    at: Literal["opening", "closing", "either"] = "either"
    direction: Literal["inbound", "outbound"] | None = None

    def weight_for(self, role: RoleName) -> float:
        """Log-odds of this rule for a role; zero for a role it says nothing about."""
        return self.weights.get(role, 0.0)

    def place_factor(self, index: int, turn_count: int) -> float:
        """How much of the weight counts at this place in the call."""
        opens = index < _OPENING_TURNS and self.at != "closing"
        closes = index >= turn_count - _CLOSING_TURNS and self.at != "opening"
        return 1.0 if opens or closes else _IN_BETWEEN


@cache
def role_rules() -> tuple[tuple[RoleRule, Matcher], ...]:
    """The rules, compiled."""
    text = files("warmline.turns").joinpath(_FILE).read_text(encoding="utf-8")
    rules, _ = parse_rules(RuleFile(_FILE, text), RoleRule, {})
    return tuple(rules)


def role_evidence(
    turns: Sequence[Turn], party: str, direction: str | None
) -> tuple[tuple[RoleRule, float], ...]:
    """What a party's words say: the rules that match, and how much of each one's weight counts."""
    own = [(place, spoken_text(t.text)) for place, t in enumerate(turns) if t.party == party]
    evidence = []
    for rule, matcher in role_rules():
        if rule.direction not in (None, direction):
            continue
        places = [place for place, said in own if matcher.find(said)]
        if places:
            factor = max(rule.place_factor(place, len(turns)) for place in places)
            evidence.append((rule, factor))
    return tuple(evidence)

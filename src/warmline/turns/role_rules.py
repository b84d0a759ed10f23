"""The rules of `roles.toml` and `languages/`: which words speak for which role, and how loudly."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import Field

from warmline.phrases import Matcher, PhraseRule, RuleFile, parse_rules, spoken_text
from warmline.values import RoleName, Turn

_FILE, _LANGUAGES, _ENGLISH = "roles.toml", "languages", "en"
# Turns of the call, of all parties, that open and close it. What is said in between counts less:
# the longer two people talk, the likelier either says anything once.
_OPENING_TURNS = 10
_CLOSING_TURNS = 8
_IN_BETWEEN = 0.4
# A service call names what it is about early; a long talk of anything names everything once.
_TOPIC, _TOPIC_TURNS, _FEW_WORDS = "service.topic", 16, 80


class RoleRule(PhraseRule):
    """A `[[rule]]` of `roles.toml`: log-odds of saying this, by role.

    One that `needs_topic` holds of any talk in which somebody seeks help, and is heard only where
    things of service are spoken of.
    """

    weights: dict[RoleName, float] = Field(min_length=1)
    over_sentences: bool = True
    needs_topic: bool = False
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
def role_rules(language: str = _ENGLISH) -> tuple[tuple[RoleRule, Matcher], ...]:
    """Return the rules for calls in a language (`en`, `de`, ...), compiled; none where none are."""
    name = _FILE if language == _ENGLISH else f"{_LANGUAGES}/{language}.toml"
    file = files("warmline.turns").joinpath(name)
    if not file.is_file():
        return ()
    rules, _ = parse_rules(RuleFile(name, file.read_text(encoding="utf-8")), RoleRule, {}, language)
    return tuple(rules)


def is_about_service(turns: Sequence[Turn], language: str | None) -> bool:
    """Return whether things of service are named early: two, or one in a few words."""
    language = language or _ENGLISH
    opening = [spoken_text(turn.text, language) for turn in turns[:_TOPIC_TURNS]]
    matchers = [matcher for rule, matcher in role_rules(language) if rule.id == _TOPIC]
    named = {s.words[past - 1] for m in matchers for s in opening for _, past in m.find(s)}
    word_count = sum(len(said.words) for said in opening)
    return len(named) >= (1 if word_count < _FEW_WORDS else 2)


@cache
def role_languages() -> tuple[str, ...]:
    """Return the languages that have role words."""
    folder = files("warmline.turns").joinpath(_LANGUAGES)
    names = (file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    return (_ENGLISH, *sorted(name.removesuffix(".toml") for name in names))


def role_evidence(
    turns: Sequence[Turn], party: str, direction: str | None, language: str | None = None
) -> tuple[tuple[RoleRule, float], ...]:
    """Return what a party's words say: the rules that match, with how much of each weight counts.

    A call of unknown language is read as English.
    """
    language = language or _ENGLISH
    on_topic = is_about_service(turns, language)
    own = [
        (place, spoken_text(t.text, language)) for place, t in enumerate(turns) if t.party == party
    ]
    evidence = []
    for rule, matcher in role_rules(language):
        if rule.direction not in (None, direction) or rule.id == _TOPIC:
            continue
        if rule.needs_topic and not on_topic:
            continue
        places = [place for place, said in own if matcher.find(said)]
        if places:
            factor = max(rule.place_factor(place, len(turns)) for place in places)
            evidence.append((rule, factor))
    return tuple(evidence)

"""Recognise words that are only a listener's: continuers, acknowledgements, tokens of surprise.

The words are data: `listener.toml`.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from warmline.phrases import Matcher, PhraseRule, RuleFile, Spoken, parse_rules, spoken

_FILE = "listener.toml"


def only_listens(words: Sequence[str]) -> bool:
    """Return whether only listener's words and fillers were said; true when nothing was."""
    return listens(spoken(words))


def listens(said: Spoken) -> bool:
    """Return whether the listener's rules cover every word."""
    covered: set[int] = set()
    for _, matcher in listener_rules():
        for first, past in matcher.find(said):
            covered.update(range(first, past))
    return len(covered) == len(said.words)


@cache
def listener_rules() -> tuple[tuple[PhraseRule, Matcher], ...]:
    """Return the rules of `listener.toml`, compiled."""
    text = files("warmline.turns").joinpath(_FILE).read_text(encoding="utf-8")
    rules, _ = parse_rules(RuleFile(_FILE, text), PhraseRule, {})
    return tuple(rules)

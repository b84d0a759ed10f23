"""Whether an interruption works with the speaker: it agrees, or it completes what he was saying.

The words are data: `cooperation.toml`, English. Everything that is neither is competitive.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from warmline.phrases import Matcher, PhraseRule, RuleFile, Spoken, parse_rules, spoken
from warmline.values import Span, Transcript, Word

_FILE = "cooperation.toml"
# How soon after a completion the one who was interrupted must take it up.
_TAKEN_UP_WITHIN_S = 3.0
_COMPLETION_MAX_WORDS = 8


@dataclass(frozen=True)
class Said:
    """One party's words in order of start."""

    words: tuple[Word, ...]
    starts: tuple[float, ...]

    def between(self, start_s: float, end_s: float) -> list[str]:
        """The words whose middle lies in this stretch."""
        first = bisect_left(self.starts, start_s - 5.0)
        past = bisect_left(self.starts, end_s)
        return [
            w.text for w in self.words[first:past] if start_s <= (w.start_s + w.end_s) / 2 < end_s
        ]


def said_by(party: str, transcript: Transcript) -> Said:
    """The words of one party."""
    words = tuple(sorted((w for w in transcript.words if w.party == party), key=_start_s))
    return Said(words, tuple(w.start_s for w in words))


def is_cooperative(holder: Said, entrant: Said, overlap: Span, entry: Span) -> bool | None:
    """True if the entrant agrees or completes, False if not, None if the words were not recognised.

    A completion: the holder left a phrase open, the entrant says no more than a few words, and the
    holder takes them up, by agreeing or by saying the same.
    """
    entered = spoken(entrant.between(entry.start_s, entry.end_s))
    if not entered.words:
        return None
    if opens_with_agreement(entered):
        return True
    left_open = leaves_open(spoken(holder.between(overlap.start_s - 5.0, overlap.end_s)))
    if not left_open or len(entered.words) > _COMPLETION_MAX_WORDS:
        return False
    reply = spoken(holder.between(overlap.end_s, entry.end_s + _TAKEN_UP_WITHIN_S))
    return opens_with_agreement(reply) or reply.words[:2] == entered.words[:2] != ()


def opens_with_agreement(said: Spoken) -> bool:
    """Whether the first words agree."""
    return any(first == 0 for first, _ in _matcher("agreement.opening").find(said))


def leaves_open(said: Spoken) -> bool:
    """Whether the last word cannot be a phrase's last."""
    return any(past == len(said.words) for _, past in _matcher("phrase.open").find(said))


@cache
def cooperation_rules() -> tuple[tuple[PhraseRule, Matcher], ...]:
    """The rules of `cooperation.toml`, compiled."""
    text = files("warmline.floor").joinpath(_FILE).read_text(encoding="utf-8")
    rules, _ = parse_rules(RuleFile(_FILE, text), PhraseRule, {})
    return tuple(rules)


def _matcher(rule_id: str) -> Matcher:
    return next(matcher for rule, matcher in cooperation_rules() if rule.id == rule_id)


def _start_s(word: Word) -> float:
    return word.start_s

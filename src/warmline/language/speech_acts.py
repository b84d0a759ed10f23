"""Classify what an agent does with each clause: asks, reflects, advises, confronts, informs,
supports.

The acts are those of the coding manuals of motivational interviewing (MISC 2.5; MITI 4.2), which
apply to any talk in which one person listens to another. A reflection is a statement, not a
question by form, that is about the other's own experience, takes up what the other has said, and
brings no advice. Form is read first, then what a phrase is evidence of (`rules/acts`), then who is
spoken of and whose words return. The weights are judgements and not fitted to data; the validation
report says which of them were changed after labels had been looked at.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field

from warmline.language.rulebook import LanguageRule, built_in_lists
from warmline.phrases import Index, Matcher, PhraseRule, Spoken, parse_rules, rule_files

# The phrases that are evidence of an act: `rules/acts`, with examples as tests.


FOLDER = Path(__file__).parent / "rules" / "acts"

# What a phrase is evidence of. `stem` makes a statement a reflection, `sign` counts towards one;
# `tag` asks whether a reflection is right; `fact` gives information; `frame` greets, thanks, or
# says what the talk will be about.
Evidence = Literal[
    "stem",
    "sign",
    "tag",
    "advice",
    "confrontation",
    "fact",
    "affirmation",
    "autonomy",
    "collaboration",
    "frame",
]


class ActRule(PhraseRule):
    """A `[[rule]]` of `rules/acts`: what a phrase is evidence of; `strength` 0..1."""

    act: Evidence
    strength: float = Field(ge=0, le=1)
    negatable: bool = False


@dataclass(frozen=True)
class ActBook:
    """All rules of acts."""

    rules: tuple[tuple[ActRule, Matcher], ...]

    @cached_property
    def _index(self) -> Index[ActRule]:
        return Index(self.rules)

    @cached_property
    def _tags(self) -> Index[ActRule]:
        return Index([r for r in self.rules if r[0].act == "tag"])

    def evidence(self, said: Spoken) -> Mapping[str, float]:
        """Return strength by evidence: of signs the sum, of all else the strongest."""
        found: dict[str, float] = {}
        for rule, matcher, among in self._index(said):
            if not matcher.find(said, among):
                continue
            before = found.get(rule.act, 0.0)
            sums = rule.act == "sign"
            found[rule.act] = before + rule.strength if sums else max(before, rule.strength)
        return found

    def tag(self, said: Spoken) -> int:
        """Return where a tag begins with which the clause ends; past the last word without one."""
        past = len(said.words)
        begins = [
            first
            for _, matcher, among in self._tags(said)
            for first, end in matcher.find(said, among)
            if end == past
        ]
        return min(begins, default=past)


@cache
def act_book() -> ActBook:
    """Return the rules that ship, compiled once. Raises `SettingsError` when a file is broken."""
    lists = built_in_lists()
    found = [parse_rules(file, ActRule, lists)[0] for file in rule_files(FOLDER)]
    return ActBook(tuple(rule for rules in found for rule in rules))


# Turns split into clauses: one speech act each, even where nobody wrote a mark.


_COORDINATORS = frozenset({"and", "but", "so", "or", "then", "okay", "alright"})
SUBJECTS = frozenset(
    {"i", "we", "you", "he", "she", "it", "they", "that", "this", "there", "your", "my", "those"}
)
_INTERROGATIVES = frozenset({"what", "how", "why", "when", "where", "who", "which"})
_AUXILIARIES = frozenset(
    {
        *("do", "does", "did", "is", "are", "was", "were", "have", "has", "had"),
        *("can", "could", "will", "would", "should", "might", "may"),
    }
)
# Before one of these, inversion starts no new question ("more than do you", "how are you").
_GOVERNORS = _INTERROGATIVES | frozenset(
    {"that", "than", "as", "so", "because", "if", "like", "and", "but", "or", "whether"}
)
_OPENERS = frozenset({"sounds", "seems", "part", "maybe"}).union(
    _INTERROGATIVES, _AUXILIARIES, SUBJECTS
)
# Words that open a clause without belonging to it.
_MARKERS = frozenset(
    {
        *("okay", "alright", "right", "yes", "no", "so", "and", "now", "oh", "well", "then"),
        *("sure", "but", "or", "because", "great", "actually", "also", "basically"),
    }
)
_ASIDES = (("i", "see"), ("i", "mean"), ("you", "know"), ("of", "course"), ("i", "guess"))
_FIRST_PERSON = frozenset({"i", "we", "me", "my", "us", "our", "myself"})
OTHERS = frozenset({"he", "she", "they", "it", "that", "this", "there", "his", "her", "their"})
_FORETELLING = frozenset({"will", "can", "may", "shall"})
_LEAST_CLAUSE_WORDS = 3


def clauses(said: Spoken) -> list[tuple[int, int]]:
    """Return ranges of words [first, past) of clauses, together all of them."""
    return [part for sentence in said.sentences() for part in _parts(said.words, *sentence)]


def lead(words: Sequence[str], first: int, past: int) -> tuple[frozenset[str], int]:
    """Return the markers that open a clause, and where it goes on."""
    at = first
    while at < past:
        if words[at] in _MARKERS and tuple(words[at : at + 2]) != ("so", "that"):
            at += 1
        elif tuple(words[at : at + 2]) in _ASIDES and at + 2 < past and _goes_on(words[at + 2]):
            at += 2
        else:
            break
    return frozenset(words[first:at]), at


def is_inverted(words: Sequence[str]) -> bool:
    """Return whether an auxiliary stands before its subject: a question by form."""
    return words[0] in _AUXILIARIES and words[1] in SUBJECTS - {"your", "my", "that"}


def foretells(after: Sequence[str]) -> bool:
    """Return whether the words after "you" say what they will or can do, not what they feel."""
    return bool(after) and after[0] in _FORETELLING and "not" not in after[1:2]


def content(words: Sequence[str]) -> Iterator[str]:
    """Yield content words without their endings, so that "charged" meets "charge"."""
    for word in words:
        if word not in _function_words() and not word.isdigit():
            yield _stem(word)


def part(said: Spoken, first: int, past: int) -> Spoken:
    """Return a range of words as if it were the whole text."""
    return Spoken(said.words[first:past], said.sources[first:past], said.marks[first:past])


def _parts(words: Sequence[str], first: int, past: int) -> Iterator[tuple[int, int]]:
    start = first
    for index in range(first + _LEAST_CLAUSE_WORDS, past - _LEAST_CLAUSE_WORDS + 1):
        if index - start >= _LEAST_CLAUSE_WORDS and _begins(words, index):
            yield start, index
            start = index
    yield start, past


def _begins(words: Sequence[str], at: int) -> bool:
    word, after = words[at], words[at + 1]
    if word in _COORDINATORS:
        return after in _OPENERS
    if word in _INTERROGATIVES and after in _AUXILIARIES:
        return words[at + 2] in SUBJECTS and words[at - 1] not in _COORDINATORS
    return word in _AUXILIARIES and after == "you" and words[at - 1] not in _GOVERNORS | SUBJECTS


def _goes_on(word: str) -> bool:
    return word in OTHERS | _FIRST_PERSON | {"you", "your", "so", "but", "and", "what", "the", "a"}


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "ed", "es", "ly", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


@cache
def _function_words() -> frozenset[str]:
    text = files("warmline.language").joinpath("function_words.toml").read_text(encoding="utf-8")
    return frozenset(tomllib.loads(text)["words"])


class Act(StrEnum):
    """A speech act of a clause."""

    QUESTION = "question"
    REFLECTION = "reflection"
    CONFRONTATION = "confrontation"
    ADVICE = "advice"
    AFFIRMATION = "affirmation"
    AUTONOMY = "autonomy"
    COLLABORATION = "collaboration"
    INFORMATION = "information"
    OTHER = "other"


@dataclass(frozen=True)
class SaidAct:
    """One clause [first, past) of a turn's comparable words, and its acts.

    `does` has all of its acts: a question may also advise or ask permission. `strength` 0..1.
    `returning` is the share of its content words that the customer had said.
    """

    first: int
    past: int
    act: Act
    does: frozenset[Act]
    strength: float
    returning: float


Found = tuple[LanguageRule, int, int]

_SPEAKER = frozenset({"i", "we"})
_LISTENING = frozenset(
    {"understand", "hear", "see", "know", "get", "appreciate", "realize", "sorry", "agree"}
)
_TELLS = frozenset({Act.INFORMATION, Act.OTHER, Act.ADVICE})
# "But you said ..." holds the other to their words.
_REPORTS = frozenset({"said", "told", "mentioned", "saying", "telling"})
_QUESTIONS = frozenset({"question_open", "question_closed", "slot_request"})
# The business of a call: it may speak of the customer, but reflects nothing.
_BUSINESS = frozenset(
    {
        *("solution", "next_step", "expectation", "commitment", "offer", "ownership"),
        *("identification", "resolution"),
    }
)
# Taking the customer's side ("you should not have to ...") is neither advice nor argument.
_SIDES_WITH = frozenset({"affective", "cognitive"})
_SUPPORT = (Act.AFFIRMATION, Act.AUTONOMY, Act.COLLABORATION)
_MOST_BUSINESS = 0.3
# What counts towards a reflection, and how much makes one.
_REFLECTS = 1.0
# A statement about what only the other can know is given to them to confirm (Labov & Fanshel 1977).
_YOU, _YOUR, _OF_OTHERS, _SO, _GOES_ON, _TAGGED = 0.75, 0.4, 0.35, 0.3, 0.4, 0.5
_FRONTED_WORDS = 8
_FRAGMENT_WORDS = range(3, 7)
_A_WORD_RETURNS, _ALL_RETURN = 0.3, 0.65
_INTERPRETS = 0.6
_BRINGS_FACTS = 0.8
_INFORMS_WORDS = 8
_FACT_WORDS = 4
_LEAST_WORDS = 3


def acts_of_turn(
    said: Spoken,
    found: Sequence[Found],
    theirs: Collection[str],
    interprets: Sequence[tuple[int, int, float]] = (),
) -> tuple[SaidAct, ...]:
    """Return the acts of an agent's turn, clause by clause.

    `found` are the rulebook's matches in the turn, `theirs` the content words of what the customer
    said before (`content`), `interprets` EPITOME's probabilities of an interpretation, by range of
    words.
    """
    acts: list[SaidAct] = []
    for first, past in clauses(said):
        heard = max((p for a, b, p in interprets if a < past and first < b), default=0.0)
        clause = _Clause(said, first, past, theirs, heard)
        acts.append(clause.said_act(found, acts))
    return tuple(acts)


class _Clause:
    """A clause while it is being read."""

    def __init__(
        self, said: Spoken, first: int, past: int, theirs: Collection[str], interprets: float
    ) -> None:
        self.first, self.past = first, past
        self._words = said.words
        self.lead, self.start = lead(said.words, first, past)
        book = act_book()
        whole = part(said, self.start, past)
        tag = book.tag(whole)
        self.tagged = 0 < tag < len(whole.words)
        self.body = part(whole, 0, tag) if self.tagged else whole
        self.ends = self.start + len(self.body.words)
        self.asked = bool(past > first and said.marks[past - 1] == "?")
        self.evidence = _evidence(self.body) if self.body.words else {}
        self._interprets = interprets
        own = set(content(self.body.words))
        self._shared = len(own & set(theirs))
        self.returning = self._shared / len(own) if own else 0.0

    def said_act(self, found: Sequence[Found], before: Sequence[SaidAct]) -> SaidAct:
        """Return the function of the clause, given the turn and what came before it."""
        reflecting = self._reflecting(before)
        against = self._against(before)
        act = self._act(found, reflecting, against)
        does = {act}
        if act is not Act.REFLECTION and not self._share(found, _SIDES_WITH):
            # A reflection is not the speaker's own advice or blame.
            does |= {Act(e) for e in self.evidence if e in frozenset(Act)}
        strength = 0.8 if "stem" in self.evidence else 0.4 + 0.35 * self.returning
        if act is not Act.REFLECTION:
            strength = self.evidence.get(act.value, 0.6)
        return SaidAct(self.first, self.past, act, frozenset(does), strength, self.returning)

    def _act(self, found: Sequence[Found], reflecting: float, against: bool) -> Act:
        if not self.body.words:
            return Act.OTHER
        if self._asks(found):
            return Act.QUESTION
        if "stem" in self.evidence and not against:
            return Act.REFLECTION
        opposed = Act.CONFRONTATION if against or "confrontation" in self.evidence else None
        opposed = opposed or (Act.ADVICE if "advice" in self.evidence else None)
        if opposed:
            return Act.OTHER if self._share(found, _SIDES_WITH) else opposed
        support = [a for a in _SUPPORT if a.value in self.evidence]
        if support:
            return max(support, key=lambda a: self.evidence[a.value])
        if "frame" in self.evidence:
            return Act.OTHER
        if self._share(found, _BUSINESS) > _MOST_BUSINESS:
            return Act.INFORMATION
        if reflecting >= _REFLECTS:
            return Act.REFLECTION
        words = len(self.body.words)
        least = _FACT_WORDS if "fact" in self.evidence else _INFORMS_WORDS
        return Act.INFORMATION if words >= least else Act.OTHER

    def _asks(self, found: Sequence[Found]) -> bool:
        """Return a question by form; one under a statement about the other person asks nothing."""
        stated = "stem" in self.evidence or (
            self.body.words[0] in OTHERS | {"you", "your"} and not self.asked
        )
        inverted = len(self.body.words) > 1 and is_inverted(self.body.words)
        formed = inverted or any(
            r.kind in _QUESTIONS and self.first <= a < self.ends for r, a, _ in found
        )
        if formed:
            return not stated or (self.asked and "stem" not in self.evidence)
        rising = self.asked and not self.tagged and "stem" not in self.evidence
        # A statement whose voice rises at its end has become a closed question (MISC).
        return rising and len(self.body.words) >= _LEAST_WORDS

    def _against(self, before: Sequence[SaidAct]) -> bool:
        """Return whether a clause argues: "But you ..." that follows no reflection of one's own."""
        if "but" not in self.lead or not self.body.words:
            return False
        if "stem" in self.evidence and _REPORTS.isdisjoint(self.body.words[:4]):
            return False
        if any(a.act is Act.REFLECTION for a in before):
            return False
        if self.body.words[0] in {"you", "your", "if"}:
            return True
        # "It was late, but it comes tomorrow" contrasts one fact with another.
        explains = any(a.act in _TELLS and self._is_statement(a) for a in before)
        return not explains and self.body.words[0] in OTHERS

    def _is_statement(self, earlier: SaidAct) -> bool:
        """Return whether an earlier clause tells something: more than "I hear you"."""
        words = self._words[earlier.first : earlier.past]
        listens = words[0] in _SPEAKER and not _LISTENING.isdisjoint(words[1:4])
        return len(words) >= _LEAST_WORDS and not listens

    def _reflecting(self, before: Sequence[SaidAct]) -> float:
        words = self.body.words
        if len(words) < _LEAST_WORDS and words[:1] != ("you",):
            return 0.0
        if words[:2] == ("so", "that"):
            return 0.0
        score = self.evidence.get("sign", 0.0) + self._about()
        score += _SO if "so" in self.lead else 0.0
        score += _TAGGED if self.tagged else 0.0
        if before and before[-1].act is Act.REFLECTION and "fact" not in self.evidence:
            score += _GOES_ON
        if self._shared:
            score += _A_WORD_RETURNS + _ALL_RETURN * self.returning
        score += _INTERPRETS * self._interprets
        score -= _BRINGS_FACTS * self.evidence.get("fact", 0.0)
        return score - 1.0 if _SPEAKER.intersection(words) else score

    def _about(self) -> float:
        """Return whose matter it is, by the subject of the statement; without one it is theirs."""
        words = self.body.words
        if words[0] == "your":
            return _YOUR
        fronted = words[:_FRONTED_WORDS]
        at, subject = next(((i, w) for i, w in enumerate(fronted) if w in SUBJECTS), (0, ""))
        if subject == "you":
            return _OF_OTHERS if foretells(words[at + 1 :]) else _YOU
        if subject or words[0] in OTHERS:
            return _OF_OTHERS
        return _OF_OTHERS if len(words) in _FRAGMENT_WORDS and self._shared else 0.0

    def _share(self, found: Sequence[Found], kinds: Collection[str]) -> float:
        """Return the share of the words that rules of these kinds found."""
        inside = [(a, b) for r, a, b in found if r.kind in kinds]
        own = range(self.start, self.past)
        return sum(any(a <= i < b for a, b in inside) for i in own) / max(1, len(own))


def _evidence(body: Spoken) -> Mapping[str, float]:
    """Return the evidence of phrases; signs count also where "you" follows what is fronted."""
    found = dict(act_book().evidence(body))
    at = next((i for i, w in enumerate(body.words[:_FRONTED_WORDS]) if w == "you"), 0)
    if at and "sign" not in found:
        later = act_book().evidence(part(body, at, len(body.words)))
        found |= {name: strength for name, strength in later.items() if name == "sign"}
    return found

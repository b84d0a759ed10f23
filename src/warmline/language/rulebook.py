"""The rules of the language stage, and its vocabulary: the kinds of moments that they find.

Rules are the built-in files in `rules/`, then the user's own. The kinds are those of the ledger and
of the tables, too.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property, lru_cache
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from warmline.errors import SettingsError
from warmline.phrases import (
    Index,
    Matcher,
    Negation,
    PhraseRule,
    RuleFile,
    Spoken,
    broken_examples,
    parse_rules,
    rule_files,
)
from warmline.settings import LanguageSettings
from warmline.values import RoleName

CUE_LABELS = (
    "fear_anxiety",
    "anger_frustration",
    "sadness_disappointment",
    "confusion_powerlessness",
)
POLITENESS_LABELS = ("gratitude", "please", "indirect_request", "deference", "greeting")
SLOT_LABELS = (
    *("account_number", "card_number", "security_code", "date_of_birth", "name", "address"),
    *("postcode", "phone_number", "email", "order_number", "last_four", "problem"),
)


class SpeakerScope(StrEnum):
    """Whose words a rule reads."""

    AGENT = "agent"
    CUSTOMER = "customer"
    ANY = "any"


#: The label of a solution that the agent offers to carry out.
OFFERED_ACTION = "action"
# Kind -> (whose words, what it means).
KINDS: dict[str, tuple[SpeakerScope, str]] = {
    "cue": (SpeakerScope.CUSTOMER, "the customer expresses a feeling; label says which"),
    "hostile": (SpeakerScope.CUSTOMER, "insult, threat or swearing at the agent or the firm"),
    "complaint": (
        SpeakerScope.CUSTOMER,
        "the customer complains openly, or comes to give feedback",
    ),
    "problem": (
        SpeakerScope.CUSTOMER,
        "something is late, broken or wrong; told without a feeling",
    ),
    "thanks": (SpeakerScope.CUSTOMER, "the customer thanks"),
    "relief": (SpeakerScope.CUSTOMER, "the customer is relieved or glad"),
    "friction_repeat": (SpeakerScope.CUSTOMER, "again, the third time, already told you"),
    "friction_transfer": (SpeakerScope.ANY, "passed on to someone else"),
    "friction_hold": (SpeakerScope.ANY, "kept waiting; the agent's are announcements of a hold"),
    "affective": (SpeakerScope.AGENT, "names, shares or acknowledges the customer's feeling"),
    "attentive": (
        SpeakerScope.AGENT,
        "shows having listened: mirror, paraphrase, check, give time",
    ),
    "cognitive": (SpeakerScope.AGENT, "takes the customer's view; explains cause or plan for it"),
    "dismissive": (SpeakerScope.AGENT, "waves the customer's concern away"),
    "formula": (SpeakerScope.AGENT, "politeness formula of service; alone it is no empathy"),
    "apology": (SpeakerScope.AGENT, "says sorry or apologizes"),
    "politeness": (SpeakerScope.AGENT, "a strategy of politeness; label says which"),
    "question_open": (SpeakerScope.AGENT, "a question that invites the customer's own account"),
    "question_closed": (SpeakerScope.AGENT, "a question for a yes, a no, or one fact"),
    "slot_request": (SpeakerScope.AGENT, "asks for one item of information; label says which"),
    "no_answer": (SpeakerScope.CUSTOMER, "does not give what was asked for"),
    "reask": (SpeakerScope.AGENT, "asks again for an item that had been answered"),
    "commitment": (SpeakerScope.AGENT, "promises or reports an action of one's own, or the firm's"),
    "ownership": (SpeakerScope.AGENT, "takes responsibility for the matter"),
    "solution": (
        SpeakerScope.AGENT,
        "proposes or names a way to solve it; label `action` where the agent offers to do it",
    ),
    "next_step": (SpeakerScope.AGENT, "says what happens next, or that it is done"),
    "expectation": (SpeakerScope.AGENT, "says by when, or how long"),
    "feedback": (SpeakerScope.AGENT, "asks for the customer's opinion: a feedback call"),
    "offer": (SpeakerScope.AGENT, "offers something for sale or upgrade"),
    "advice": (SpeakerScope.AGENT, "says what the customer ought to do, also as a question"),
    "confrontation": (SpeakerScope.AGENT, "disagrees, argues, blames, warns or shames"),
    "affirmation": (SpeakerScope.AGENT, "appreciates what the customer does, is or brings"),
    "autonomy": (SpeakerScope.AGENT, "leaves the choice to the customer"),
    "collaboration": (SpeakerScope.AGENT, "asks leave, or for the customer's own view of a plan"),
    "resolution": (
        SpeakerScope.ANY,
        "says that it is solved, or is not; label resolved/unresolved",
    ),
    "emotional_reaction": (
        SpeakerScope.AGENT,
        "EPITOME: warmth, compassion or concern is expressed",
    ),
    "interpretation": (
        SpeakerScope.AGENT,
        "EPITOME: an understanding of the customer is expressed",
    ),
    "exploration": (
        SpeakerScope.AGENT,
        "EPITOME: asks after what the customer feels and lives through",
    ),
    "uptake": (
        SpeakerScope.AGENT,
        "builds on what the customer has just said; strength 0.5 is chance",
    ),
    "identification": (SpeakerScope.AGENT, "gives own name or the firm's"),
    "handover": (SpeakerScope.AGENT, "another agent greets where one has passed the call on"),
    "quote": (SpeakerScope.CUSTOMER, "the customer's sentence around a moment; label says of what"),
}

# Of a sentence from which words are left out, fewer than these say nothing.
_LEAST_LEFT = 3
# What unfelt words are no evidence of.
_TROUBLE = frozenset({"cue", "complaint", "problem"})
# The kinds for which a customer is quoted.
QUOTED_KINDS = frozenset(
    {
        *("cue", "hostile", "complaint", "relief", "friction_repeat"),
        *("friction_transfer", "friction_hold"),
    }
)
# The kinds that a rule file may define; the others come from models, from several turns together,
# or from what a clause does (`speech_acts.py`).
# These two are no moments. They say what is not read for a feeling: of a denial its sentence, of a
# feeling that is named but not felt here and now only its words.
DENIAL, UNFELT = "denial", "unfelt"
_NO_MOMENTS = (DENIAL, UNFELT)
RULE_KINDS = {DENIAL, UNFELT, *KINDS} - {
    *("reask", "handover", "quote", "uptake"),
    *("emotional_reaction", "interpretation", "exploration"),
    *("advice", "confrontation", "affirmation", "autonomy", "collaboration"),
}
LABELS: dict[str, tuple[str, ...]] = {
    "cue": CUE_LABELS,
    "politeness": POLITENESS_LABELS,
    "slot_request": SLOT_LABELS,
    "resolution": ("resolved", "unresolved"),
    "emotional_reaction": ("weak", "strong"),
    "interpretation": ("weak", "strong"),
    "exploration": ("weak", "strong"),
}

_FOLDER = Path(__file__).parent / "rules"
_SHARED = "lists.toml"


class LanguageRule(PhraseRule):
    """A `[[rule]]` of the language stage: what the words mean, and how strongly.

    `role` restricts whose words are read; by default it follows from the kind. `strength` is 0..1.
    """

    kind: str
    label: str | None = None
    role: SpeakerScope | None = None
    strength: float = Field(ge=0, le=1)

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in RULE_KINDS:
            raise ValueError(f"no such kind; known: {', '.join(sorted(RULE_KINDS))}")
        return kind

    @model_validator(mode="after")
    def _known_label(self) -> "LanguageRule":
        known = LABELS.get(self.kind)
        if known is not None and self.label not in known:
            raise ValueError(f"label of a {self.kind} must be one of: {', '.join(known)}")
        return self

    def reads(self, role: RoleName) -> bool:
        """Return whether this rule reads the words of a speaker with this role."""
        who = self.role or (KINDS[self.kind][0] if self.kind in KINDS else SpeakerScope.CUSTOMER)
        return who is SpeakerScope.ANY or who.value == role.value


Rules = dict[str, tuple[LanguageRule, Matcher]]
Lists = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Unread:
    """Words of a turn that are not read for a feeling: ranges [first, past) of comparable words.

    A sentence that one of `sentences` meets is not read at all; of others, `words` are left out.
    """

    sentences: tuple[tuple[int, int], ...] = ()
    words: tuple[tuple[int, int], ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return bool(self.sentences or self.words)

    def kept(self, first: int, past: int) -> list[int]:
        """Return the places of a sentence's words that are read; none where too few are left."""
        if _meets((first, past), self.sentences):
            return []
        left = [i for i in range(first, past) if not _meets((i, i + 1), self.words)]
        return left if len(left) == past - first or len(left) >= _LEAST_LEFT else []


NOTHING_UNREAD = Unread()


@dataclass(frozen=True)
class Rulebook:
    """All rules in force, in order of file and position; a later rule replaces one with its id."""

    rules: tuple[tuple[LanguageRule, Matcher], ...]

    @cached_property
    def _by_role(self) -> dict[RoleName, Index[LanguageRule]]:
        return {
            role: Index(
                [r for r in self.rules if r[0].reads(role) and r[0].kind not in _NO_MOMENTS]
            )
            for role in RoleName
        }

    @cached_property
    def _for_feelings(self) -> Index[LanguageRule]:
        """Return the rules that say what is read for a feeling: cues, and what is no moment."""
        return Index([r for r in self.rules if r[0].kind in ("cue", *_NO_MOMENTS)])

    @cached_property
    def _unfelt(self) -> Index[LanguageRule]:
        return Index([r for r in self.rules if r[0].kind == UNFELT])

    def find(self, said: Spoken, role: RoleName) -> list[tuple[LanguageRule, int, int]]:
        """Return (rule, first word, past the last word) of everything recognised in one turn."""
        found = [
            (rule, first, past)
            for rule, matcher, among in self._by_role[role](said)
            for first, past in matcher.find(said, among)
        ]
        if role is not RoleName.CUSTOMER or not any(f[0].kind in _TROUBLE for f in found):
            return found
        unfelt = [f for _, matcher, among in self._unfelt(said) for f in matcher.find(said, among)]
        return [f for f in found if f[0].kind not in _TROUBLE or not _meets(f[1:], unfelt)]

    def unread(self, said: Spoken) -> Unread:
        """Return what is not read for a feeling in a customer's turn.

        Besides what rules of these kinds recognise, these are cues that are denied or imagined. A
        cue that is not negatable ("I'd be lying if I said I was not angry") stands.
        """
        sentences: list[tuple[int, int]] = []
        words: list[tuple[int, int]] = []
        told: list[tuple[int, int]] = []
        for rule, matcher, among in self._for_feelings(said):
            if rule.kind in _NO_MOMENTS:
                own = sentences if rule.kind == DENIAL else words
                own += matcher.find(said, among)
            elif rule.negatable:
                negated = matcher.negated(said, among)
                sentences += negated.get(Negation.DENIED, [])
                words += negated.get(Negation.IMAGINED, [])
            else:
                told += matcher.find(said, among)
        return Unread(tuple(s for s in sentences if not _meets(s, told)), tuple(words))


def _meets(words: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    return any(first < words[1] and words[0] < past for first, past in others)


def rulebook(settings: LanguageSettings) -> Rulebook:
    """Return the rules in force under these settings.

    Raises `SettingsError` naming file, rule and key if a rule file is broken, or if a rule of the
    user's folder fails its own examples.
    """
    return _compiled(_own_files(settings))


def fingerprint(settings: LanguageSettings) -> str:
    """Return a digest of the text of all rules in force: part of the cache key of an analysis."""
    digest = hashlib.sha256()
    for file in (*rule_files(_FOLDER), *rule_files(_FOLDER / "acts"), *_own_files(settings)):
        digest.update(file.text.encode())
    return digest.hexdigest()[:16]


def built_in_lists() -> Lists:
    """Return the lists of `lists.toml`, which every rule file may use."""
    return _built_in()[1]


def _own_files(settings: LanguageSettings) -> tuple[RuleFile, ...]:
    if not settings.rules_folder:
        return ()
    return rule_files(Path(settings.rules_folder).expanduser())


@lru_cache(maxsize=4)
def _compiled(own: tuple[RuleFile, ...]) -> Rulebook:
    built_in, shared = _built_in()
    rules = dict(built_in)
    for file in own:
        found, lists = parse_rules(file, LanguageRule, shared)
        shared = {**shared, **lists}
        _add(rules, found, file, replace=True)
    return Rulebook(tuple(rules.values()))


@cache
def _built_in() -> tuple[Rules, Lists]:
    """Return the rules that ship, by id, and the lists of `lists.toml`, open to every file."""
    rules: Rules = {}
    shared: Lists = {}
    for file in sorted(rule_files(_FOLDER), key=lambda f: Path(f.name).name != _SHARED):
        found, lists = parse_rules(file, LanguageRule, shared)
        if Path(file.name).name == _SHARED:
            shared = lists
        _add(rules, found, file, replace=False)
    return rules, shared


def _add(
    rules: Rules,
    found: Sequence[tuple[LanguageRule, Matcher]],
    file: RuleFile,
    *,
    replace: bool,
) -> None:
    seen: set[str] = set()
    for rule, matcher in found:
        if rule.id in seen or (rule.id in rules and not replace):
            raise SettingsError(f"{file.name}: rule '{rule.id}': id = '{rule.id}' is used twice")
        seen.add(rule.id)
        wrong = broken_examples(rule, matcher.find) if replace else []
        if wrong:
            raise SettingsError(f"{file.name}: rule '{rule.id}': {wrong[0]}")
        rules[rule.id] = (rule, matcher)

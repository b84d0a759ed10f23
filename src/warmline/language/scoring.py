"""Score a turn: one number for an agent's empathy, one for a customer's feeling.

Where models read, named features are combined by learned weights. A weight has one sign only: more
of its feature can never lower what it speaks for. What no name covers is left to MiniLM's vector of
the turn, whose weights are strongly regularised. All are learned by `training/calibrate.py` and
stand in `networks/turns.toml`; how far they can be trusted is in `networks/MODEL_CARD.md`.

Where only rules read, each moment is a share 0..1 and they are combined as independent ones (noisy
or); those weights are judgements: service formulas and bare apologies count little, feelings named
count much.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from math import exp, log, prod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from warmline.analysis import Moment, TurnEmpathy, TurnFeelings
from warmline.language.feelings import (
    cues_in,
    feelings_of,
    language_of,
    names_a_feeling,
    read_languages,
    read_sentences,
    unread_words,
)
from warmline.language.rule_moments import rule_moments
from warmline.language.rulebook import CUE_LABELS, Unread, rulebook
from warmline.language.windows import (
    MECHANISMS,
    TurnText,
    WindowScores,
    network_settings,
    score_windows,
    strongest,
    turn_texts_of,
    vectors_of,
)
from warmline.models.engines import Engines
from warmline.settings import EmpathySettings, LanguageSettings, Settings
from warmline.values import RoleName

if TYPE_CHECKING:
    from warmline.language.encoders import Known

# What an agent says in the course of business: it sounds warm to models that learned from peers.
_SERVICE = frozenset(
    {
        *("formula", "slot_request", "question_closed", "friction_hold", "friction_transfer"),
        *("commitment", "solution", "next_step", "expectation", "identification", "offer"),
    }
)
# Feature -> the sign of its weight: 1 speaks for the target, -1 against.
EMPATHY_EVIDENCE: Mapping[str, int] = MappingProxyType(
    {f"model.{mechanism}": 1 for mechanism in MECHANISMS}
    | {
        f"emotion.{name}": 1
        for name in (
            *("caring", "remorse", "sadness", "disappointment", "annoyance"),
            *("negative", "fear_anxiety"),
            *("approval", "optimism", "admiration", "relief", "pride", "love"),
        )
    }
    | {f"emotion.{name}": -1 for name in ("gratitude", "joy", "neutral", "curiosity")}
    | {
        f"rule.{name}": 1
        for name in (
            *("affective", "cognitive", "attentive", "reflection", "apology", "ownership"),
            *("commitment", "question_open"),
        )
    }
)
_FILE = Path(__file__).parent / "networks" / "turns.toml"
_SERVICE_TAKES = 0.85
# What an agent does or has done, and what of an agent's words shows empathy by rule.
_DEEDS = frozenset({"commitment", "expectation", "next_step"})
_SHOWN = frozenset({"affective", "cognitive", "attentive", "apology", "ownership"})
# No model of this size is surer than this.
_SUREST = 0.998


@dataclass(frozen=True, eq=False)
class ModelScores:
    """The models' scores of one turn; empty without models, and for a turn without words.

    `vectors` (windows, 384) are those of `vectors_of`.
    """

    heard: Sequence[WindowScores] = ()
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def vector(self) -> NDArray[np.float32]:
        """Return the mean (384,) over the windows."""
        return np.asarray(self.vectors.mean(0), np.float32)


@dataclass(frozen=True, eq=False)
class LogisticWeights:
    """The weights of named features and of a turn's vector (384,), and the intercept."""

    intercept: float
    of: Mapping[str, float]
    vector: NDArray[np.float32]

    def share(self, evidence: Mapping[str, float], vector: NDArray[np.float32]) -> float:
        """Return the probability, 0..1, from the evidence and the vector together."""
        total = self.intercept + sum(w * evidence[name] for name, w in self.of.items())
        return 1.0 / (1.0 + exp(-total - float(self.vector @ vector)))


@cache
def weights(name: str) -> LogisticWeights:
    """Return the learned weights of a score."""
    table = tomllib.loads(_FILE.read_text(encoding="utf-8"))[name]
    return LogisticWeights(
        table["intercept"],
        MappingProxyType(table["weights"]),
        np.array(table["vector"], np.float32),
    )


def empathy_evidence(
    turn_text: TurnText, moments: Sequence[Moment], read: ModelScores
) -> dict[str, float]:
    """Return all of `EMPATHY_EVIDENCE` in an agent's turn that models have read.

    From models the log-odds of the window that shows most, from rules the greatest strength. Models
    that learned from peers take the business of service for warmth: the more of a window's words
    are that, the less they count.
    """
    heard = read.heard
    service = [m for m in moments if m.kind in _SERVICE]
    own = [1.0 - _SERVICE_TAKES * turn_text.share(h.first, h.past, service) for h in heard]
    found = _emotions(EMPATHY_EVIDENCE, heard, own)
    for mechanism in MECHANISMS:
        shown = [h.at_least_weak(mechanism) * share for h, share in zip(heard, own, strict=True)]
        found[f"model.{mechanism}"] = _log_odds(max(shown))
    found |= _rules(EMPATHY_EVIDENCE, [m for m in moments if m.label != "reflection"])
    found["rule.reflection"] = strongest(m for m in moments if m.label == "reflection")
    return found


def _emotions(
    names: Iterable[str], heard: Sequence[WindowScores], believed: Sequence[float]
) -> dict[str, float]:
    chosen = [n.removeprefix("emotion.") for n in names if n.startswith("emotion.")]
    both = list(zip(heard, believed, strict=True))
    return {f"emotion.{n}": _log_odds(max(h.emotions[n] * b for h, b in both)) for n in chosen}


def _rules(names: Iterable[str], moments: Sequence[Moment]) -> dict[str, float]:
    chosen = [n.removeprefix("rule.") for n in names if n.startswith("rule.")]
    return {f"rule.{kind}": strongest(m for m in moments if m.kind == kind) for kind in chosen}


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1.0 - _SUREST), _SUREST)
    return log(p / (1.0 - p))


# What a turn scores: by those weights where models read it, else by its rules' moments.

# How much of an agent's moment is empathy. A formula or an apology alone is next to none; acting
# for the customer is some ("with words and actions"); a dismissal takes away. A reflection (label
# `reflection`) shows attention rather than warmth.
_EMPATHY = {
    "affective": 1.0,
    "cognitive": 0.8,
    "attentive": 0.7,
    "reflection": 0.4,
    "apology": 0.45,
    "ownership": 0.4,
    "commitment": 0.15,
    "question_open": 0.1,
    "solution": 0.1,
    "next_step": 0.1,
    "formula": 0.1,
    "politeness": 0.05,
}
_DISMISSAL_TAKES = 0.7
# How much of an interpretation without warmth is empathy; chosen on half of the sessions of ESConv.
_UNDERSTANDING = 0.5
# A question may be warm, but leaves the feeling unanswered; a judgement, not fitted to data.
_ASKING_TAKES = 0.5
# How much of a customer's moment is negative emotion, besides the cues themselves.
_NEGATIVE = {
    "cue": 1.0,
    "hostile": 1.0,
    "complaint": 0.7,
    "friction_repeat": 0.6,
    "friction_transfer": 0.5,
    "friction_hold": 0.5,
    "resolution": 0.4,
    "problem": 0.5,
}
_POSITIVE_TAKES = {"relief": 0.5, "thanks": 0.3}


@dataclass(frozen=True)
class Cue:
    """A cue that the ledger would hold of a turn.

    `explicit` tells that the feeling is put into words, not only hinted at; `probability` is that
    of a feeling in the turn, and without models the strength of the rule.
    """

    kind: str
    explicit: bool
    probability: float
    text: str


@dataclass(frozen=True)
class TurnLanguage:
    """The scores of one turn's words, 0..1; None for scores of another role than the speaker's.

    `empathy` and its parts apply to agents; `negative_emotion`, the four feelings and `cues`, which
    the ledger would hold of the turn, to customers, as does `sentence`, in which a feeling is most
    probable. `emotional_reaction`, `interpretation` and
    `exploration` are the probabilities that an EPITOME mechanism is present at all; None without
    models. `rules` names what was recognised, strongest first.
    """

    speaker: str
    empathy: float | None
    affective: float | None
    attentive: float | None
    cognitive: float | None
    dismissive: float | None
    negative_emotion: float | None
    fear_anxiety: float | None
    anger_frustration: float | None
    sadness_disappointment: float | None
    confusion_powerlessness: float | None
    rules: tuple[str, ...]
    emotional_reaction: float | None = None
    interpretation: float | None = None
    exploration: float | None = None
    cues: tuple[Cue, ...] = ()
    sentence: str | None = None


def scored(
    speaker: str,
    turn_text: TurnText,
    moments: Sequence[Moment],
    read: ModelScores,
    felt: TurnFeelings | None = None,
) -> TurnLanguage:
    """Return the scores of one turn from its moments and from the models' readings."""
    heard = read.heard
    agent = turn_text.turn.role is RoleName.AGENT
    customer = turn_text.turn.role is RoleName.CUSTOMER
    feelings = {label: _feeling(label, moments, felt) for label in CUE_LABELS}
    kinds = {
        kind: noisy_or([m.strength for m in moments if m.kind == kind])
        for kind in ("affective", "attentive", "cognitive", "dismissive")
    }
    mechanisms = {m: max((h.at_least_weak(m) for h in heard), default=0.0) for m in MECHANISMS}
    ranked = sorted(moments, key=lambda m: (-m.strength, m.rule))
    return TurnLanguage(
        speaker=speaker,
        empathy=_empathy(turn_text, moments, read) if agent else None,
        affective=kinds["affective"] if agent else None,
        attentive=kinds["attentive"] if agent else None,
        cognitive=kinds["cognitive"] if agent else None,
        dismissive=kinds["dismissive"] if agent else None,
        negative_emotion=_negative(moments, felt) if customer else None,
        fear_anxiety=feelings["fear_anxiety"] if customer else None,
        anger_frustration=feelings["anger_frustration"] if customer else None,
        sadness_disappointment=feelings["sadness_disappointment"] if customer else None,
        confusion_powerlessness=feelings["confusion_powerlessness"] if customer else None,
        rules=tuple(dict.fromkeys(m.rule for m in ranked)),
        emotional_reaction=mechanisms["emotional_reaction"] if agent and heard else None,
        interpretation=mechanisms["interpretation"] if agent and heard else None,
        exploration=mechanisms["exploration"] if agent and heard else None,
        cues=_cues(turn_text, moments, felt) if customer else (),
        sentence=felt.text if customer and felt else None,
    )


def empathy_of(
    turn_texts: Sequence[TurnText],
    moments: Sequence[Moment],
    heard: Mapping[int, Sequence[WindowScores]],
    vectors: Mapping[int, NDArray[np.float32]],
) -> tuple[TurnEmpathy, ...]:
    """Return the scores of each agent's turn with words from its rules' moments and its windows."""
    own: dict[int, list[Moment]] = {}
    for moment in moments:
        own.setdefault(moment.turn_index, []).append(moment)
    agents = [p for p in turn_texts if p.turn.role is RoleName.AGENT and p.said.words]
    found = []
    for turn_text in agents:
        index = turn_text.turn.index
        windows = tuple(heard.get(index, ()))
        read = (
            ModelScores(windows, vectors=vectors[index])
            if index in vectors
            else ModelScores(windows)
        )
        of = scored("agent", turn_text, own.get(index, []), read)
        found.append(
            TurnEmpathy(
                turn_index=index,
                empathy=of.empathy or 0.0,
                affective=of.affective or 0.0,
                attentive=of.attentive or 0.0,
                cognitive=of.cognitive or 0.0,
                dismissive=of.dismissive or 0.0,
                emotional_reaction=of.emotional_reaction,
                interpretation=of.interpretation,
                exploration=of.exploration,
            )
        )
    return tuple(found)


def unscored(speaker: str) -> TurnLanguage:
    """Return the scores of a turn that nothing here can read."""
    return TurnLanguage(
        speaker=speaker,
        empathy=None,
        affective=None,
        attentive=None,
        cognitive=None,
        dismissive=None,
        negative_emotion=None,
        fear_anxiety=None,
        anger_frustration=None,
        sadness_disappointment=None,
        confusion_powerlessness=None,
        rules=(),
    )


def noisy_or(shares: Sequence[float]) -> float:
    """Return the combined probability of independent evidence (noisy or)."""
    return 1.0 - prod(1.0 - s for s in shares)


def _cues(
    turn_text: TurnText, moments: Sequence[Moment], felt: TurnFeelings | None
) -> tuple[Cue, ...]:
    told = cues_in(turn_text.turn, moments, felt, EmpathySettings().min_cue_strength)
    found = []
    for kind, cues in told.items():
        sure = max(c.strength for c in cues)
        explicit = names_a_feeling(cues)
        if felt is not None:
            lost = kind == "confusion_powerlessness"
            sure = felt.confusion_powerlessness if lost else felt.any_negative
            explicit = felt.explicit >= felt.implicit
        text = " … ".join(dict.fromkeys(c.text for c in cues))
        found.append(Cue(kind, explicit, sure, text))
    return tuple(found)


def _feeling(label: str, moments: Sequence[Moment], felt: TurnFeelings | None) -> float:
    if felt is not None:
        return float(getattr(felt, label))
    return noisy_or([m.strength for m in moments if m.label == label and m.kind == "cue"])


def _empathy(turn_text: TurnText, moments: Sequence[Moment], read: ModelScores) -> float:
    dismissed = max((m.strength for m in moments if m.kind == "dismissive"), default=0.0)
    if read.heard:
        evidence = empathy_evidence(turn_text, moments, read)
        # Warmth or understanding: restating and guessing a feeling answer it as well.
        understood = 1.0 / (1.0 + exp(-evidence["model.interpretation"]))
        warm = weights("empathy").share(evidence, read.vector)
        shown = noisy_or([warm, _UNDERSTANDING * understood])
    else:
        shown = noisy_or(
            [m.strength * _EMPATHY.get(m.label or m.kind, _EMPATHY.get(m.kind, 0)) for m in moments]
        )
    return shown * (1.0 - _DISMISSAL_TAKES * dismissed) * (1.0 - _ASKING_TAKES * _asked(turn_text))


def _asked(turn_text: TurnText) -> float:
    """Return the share of a turn's words that stand in marked questions: they ask, not answer."""
    said = turn_text.said
    asked = sum(past - first for first, past in said.sentences() if said.marks[past - 1] == "?")
    return asked / max(1, len(said.words))


def _negative(moments: Sequence[Moment], felt: TurnFeelings | None) -> float:
    if felt is not None:
        return felt.any_negative
    shown = [
        m.strength * _NEGATIVE.get(m.kind, 0.0)
        for m in moments
        if m.kind != "resolution" or m.label == "unresolved"
    ]
    eased = max((m.strength * _POSITIVE_TAKES.get(m.kind, 0.0) for m in moments), default=0.0)
    return noisy_or(shown) * (1.0 - eased)


# Score single turns of text, without a recording: one stable function for any transcript.


_SCORED = (RoleName.AGENT, RoleName.CUSTOMER)


class SpokenTurn(Protocol):
    """A turn to score: `speaker` is "agent", "customer" or another word; `text` is what it says."""

    @property
    def speaker(self) -> str:
        """Return who speaks."""

    @property
    def text(self) -> str:
        """Return the text of the turn."""


def score_turns(
    turns: Iterable[SpokenTurn | Mapping[str, str]],
    settings: LanguageSettings | None = None,
    engines: Engines | None = None,
    *,
    language: str = "auto",
) -> list[TurnLanguage]:
    """Return one `TurnLanguage` for each turn, in order; earlier turns are the context of later
    ones.

    A turn is an object with `speaker` and `text`, or a mapping with these keys. Speakers other than
    "agent" and "customer" (in any case) get None for every score. `language` is that of the
    customer ("en", "de", ...), "auto" detects it from the words: outside of English the customers'
    feelings are read by the model alone, and an agent's scores are None; so are customers' in a
    language that is not known here, or in which the model was not found to be right. Without
    `engines`, MiniLM comes from the user's model store. Raises `ModelError`, saying what to type,
    when it is missing; with `models = false` in the settings only the rules give scores.
    """
    chosen = settings or LanguageSettings()
    told = [_parts(turn) for turn in turns]
    turn_texts = turn_texts_of([(_role(speaker), text) for speaker, text in told])
    own = engines or _own_engines() if chosen.models else None
    speaks = {role: _language(turn_texts, role, language) for role in _SCORED}
    english = [p for p in turn_texts if speaks.get(p.turn.role, "en") == "en"]
    unread = unread_words(english, rulebook(chosen)) if own else {}
    read_by = read_by_models(english, own, unread) if own else {}
    heard = {index: read.heard for index, read in read_by.items()}
    by_turn: dict[int, list[Moment]] = {}
    for moment in rule_moments(english, rulebook(chosen), heard):
        by_turn.setdefault(moment.turn_index, []).append(moment)
    felt: dict[int, TurnFeelings] = {}
    if own and speaks[RoleName.CUSTOMER] in read_languages():
        moments = [m for own_moments in by_turn.values() for m in own_moments]
        sentences = read_sentences(turn_texts, own, unread)
        felt = {f.turn_index: f for f in feelings_of(turn_texts, moments, sentences, own, heard)}
    return [
        scored(
            speaker,
            turn_text,
            by_turn.get(index, []),
            read_by.get(index, ModelScores()),
            felt.get(index),
        )
        if speaks.get(turn_text.turn.role, "en") == "en" or index in felt
        else unscored(speaker)
        for index, ((speaker, _), turn_text) in enumerate(zip(told, turn_texts, strict=True))
    ]


def _language(turn_texts: Sequence[TurnText], role: RoleName, chosen: str) -> str:
    """Return the language of a role's turns; roles may differ where words are translated."""
    if chosen != "auto":
        return chosen
    return language_of(p.turn.text for p in turn_texts if p.turn.role is role)


def read_by_models(
    turn_texts: Sequence[TurnText], engines: Engines, unread: Mapping[int, Unread]
) -> dict[int, ModelScores]:
    """Return MiniLM's reading of each turn in English; only agents' turns need vectors.

    `unread` words are left out. Raises `ModelError` when MiniLM is not in the model store.
    """
    known: Known = {}
    heard = score_windows(turn_texts, engines, unread, known)
    agents = [p for p in turn_texts if p.turn.role is RoleName.AGENT]
    vectors = vectors_of(agents, heard, engines, known)
    return {
        index: ModelScores(own, vectors=vectors[index]) if index in vectors else ModelScores(own)
        for index, own in heard.items()
    }


@lru_cache(maxsize=1)
def _own_engines() -> Engines:
    """Return networks over the default model store, loaded once."""
    return Engines.from_settings(Settings())


def _parts(turn: SpokenTurn | Mapping[str, str]) -> tuple[str, str]:
    """Return speaker and text; half a character (a lone surrogate) counts as an unknown one."""
    speaker, text = (
        (turn["speaker"], turn["text"]) if isinstance(turn, Mapping) else (turn.speaker, turn.text)
    )
    return speaker, text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _role(speaker: str) -> RoleName:
    known = {role.value: role for role in (RoleName.AGENT, RoleName.CUSTOMER)}
    return known.get(speaker.strip().lower(), RoleName.UNKNOWN)


# Mechanisms of empathy that models find in agents' turns with enough confidence to show.


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
    turn_text: TurnText, window: WindowScores, known: Sequence[Moment]
) -> bool:
    """Return whether a sentence of the window is neither courtesy, a hold, nor other business.

    A sentence that tells a deed ("the card has been sent to your home") is business as a whole,
    unless rules find empathy in it.
    """
    deeds = [m for m in known if m.kind in _DEEDS]
    empathy = [m for m in known if m.kind in _SHOWN]
    service = [m for m in known if m.kind in _SERVICE]
    inside = [
        (max(first, window.first), min(past, window.past))
        for first, past in turn_text.said.sentences()
        if first < window.past and window.first < past
    ]
    return any(
        past - first >= _LEAST_WORDS
        and turn_text.share(first, past, service) <= _MOST_SERVICE
        and (turn_text.share(first, past, empathy) or not turn_text.share(first, past, deeds))
        for first, past in inside
    )


def _mechanisms(
    turn_text: TurnText, heard: Sequence[WindowScores], known: Sequence[Moment]
) -> Iterator[Moment]:
    thresholds = network_settings("mechanisms")["thresholds"]
    service = [m for m in known if m.kind in _SERVICE]
    own = [
        h
        for h in heard
        if turn_text.share(h.first, h.past, service) <= _MOST_SERVICE
        and _is_more_than_service(turn_text, h, known)
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

"""Feelings in a customer's turn: probabilities, and the sentence with the best evidence.

Agents' answers are read by other modules. After the Verona coding definitions (Zimmermann et al.
2011) a feeling that is put into words is explicit (a concern); trouble told plainly, with the
feeling left to be heard, is implicit (a cue).

A multilingual network reads the turn after what the agent said last, and each sentence in it; in
English, rules and the heads of `windows.py` are combined with it. The weights are learned by
`training/feelings.py` from text that is not about service; the last step, which turns them into
probabilities, and the thresholds were set on half of the dialogues of a public set of support chats
(`networks/feelings.toml`).
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from math import exp, log, log1p
from pathlib import Path
from types import MappingProxyType
from typing import Any

from warmline.analysis import Moment, TurnFeelings
from warmline.language.rulebook import CUE_LABELS, NOTHING_UNREAD, Rulebook, Unread
from warmline.language.windows import (
    TurnText,
    WindowScores,
    adapter_file,
    head,
    parts,
    strongest,
    windows,
)
from warmline.models.engines import Engines
from warmline.phrases import Spoken, spoken
from warmline.settings import LanguageSettings
from warmline.values import RoleName, Turn

NETWORK = "feelings"
MODEL = "model:feelings"
MAX_TOKENS = 64
_MAX_TURN_TOKENS = 128
# Of the last sentence of the agent, so many words are read before the turn.
_CONTEXT_WORDS = 25
# A turn of one sentence is an answer up to so many words; longer ones are read by themselves, too.
_MOST_ANSWER_WORDS = 6
# The network's outputs for a sentence: a feeling put into words; any feeling, put into words or
# hinted at; and which.
HEADS = ("felt", "any", *CUE_LABELS)
_FILE = Path(__file__).parent / "networks" / "feelings.toml"
_RULES = (
    *("cue", "hostile", "complaint", "problem", "unresolved", "loss", "friction_repeat"),
    *("friction_transfer", "friction_hold", "relief", "thanks"),
)
# Rules that recognise the name of a feeling; the others recognise the trouble that is told.
_NAMING = frozenset({"named", "adjective", "word", "judgement"})
_SUREST = 0.998
# Short answers seldom show a feeling; beyond this many words, more of them say no more about it.
_MOST_WORDS = 25
# What speaks for one kind of feeling rather than another, beside the network: how much the log-odds
# of `windows.py` count, and the odds of a rule's cue and of trouble without a name.
_OF_EMOTIONS, _OF_RULES, _UNNAMED = 0.3, 5.0, 0.5
# How many of the comments of GoEmotions in which a rule names confusion people call confused: 75 of
# 138, of the first 20,000 to learn from.
_NAMED_CONFUSION = 0.54
# From this probability of a feeling on, the sentence that is quoted is chosen with care.
_QUOTED_FROM = 0.2
# Log-odds of a sentence that says nothing about a feeling.
_NOTHING_HEARD = -4.0
_UNREAD: Mapping[str, float] = dict.fromkeys(HEADS, _NOTHING_HEARD)

# A text of many words of which fewer are known is in a language that is not known here.
UNDETERMINED = "und"
_MANY_WORDS, _LEAST_KNOWN = 10, 0.06
_LAST_LATIN = "\u024f"


@dataclass(frozen=True)
class Sentence:
    """A range [first, past) of a turn's comparable words and the log-odds of `HEADS` in it.

    `read` has those of its words that were read, as they were written.
    """

    first: int
    past: int
    log_odds: Mapping[str, float]
    read: tuple[str, ...] = ()


@dataclass(frozen=True)
class SentencesRead:
    """The network's reading of a turn: each sentence of it, and the whole in its context.

    A turn is read after the agent's last sentence before it. `in_context` are the log-odds of any
    feeling in all of that: what is said in several sentences, or makes sense only as an answer.
    Each sentence has those of the mean of its own words in that reading, so that a greeting does
    not dilute it; where it is the only one, and no short answer, it is read by itself. `unread` is
    what was not read.
    """

    sentences: tuple[Sentence, ...]
    in_context: float
    unread: Unread = NOTHING_UNREAD


def read_sentences(
    turn_texts: Sequence[TurnText],
    engines: Engines,
    unread: Mapping[int, Unread] = MappingProxyType({}),
) -> dict[int, SentencesRead]:
    """Return the network's reading of every customer's turn that has words, by turn index.

    Words are read as they were written, marks included, except those that are `unread`
    (`unread_words`). Raises `ModelError` when the network is not in the model store.
    """
    told = {p.turn.index: p for p in turn_texts if _is_read(p)}
    if not told:
        return {}
    before = _said_before(turn_texts)
    cut = {index: _sentences(p.said) for index, p in told.items()}
    left = {
        index: {part: unread.get(index, NOTHING_UNREAD).kept(*part) for part in own}
        for index, own in cut.items()
    }
    kept = {index: [part for part in own if own[part]] for index, own in left.items()}
    texts = {
        index: _with_sentences(p, before[index], left[index])
        for index, p in told.items()
        if kept[index]
    }
    alone = {
        index: (words[slice(*places[0])], ())
        for index, (words, places) in texts.items()
        if before[index]
        and len(kept[index]) == 1
        and len(words) - len(before[index]) > _MOST_ANSWER_WORDS
    }
    distinct = list(dict.fromkeys([*texts.values(), *alone.values()]))
    encoder = engines.many_languages_encoder(adapter_file(NETWORK))
    means = encoder.texts_with_parts(distinct, _MAX_TURN_TOKENS)
    place = {text: row for row, text in enumerate(distinct)}
    layer = head(NETWORK)
    said = layer.logits(means.rows)

    def read(index: int) -> SentencesRead:
        heard = {part: Sentence(*part, _UNREAD) for part in cut[index]}
        not_read = unread.get(index, NOTHING_UNREAD)
        if index not in texts:
            return SentencesRead(tuple(heard.values()), _NOTHING_HEARD, not_read)
        row = place[texts[index]]
        own = said[[place[alone[index]]]] if index in alone else layer.logits(means.parts[row])
        words, places = texts[index]
        for part, at, odds in zip(kept[index], places, own.tolist(), strict=True):
            heard[part] = Sentence(*part, dict(zip(HEADS, odds, strict=True)), words[slice(*at)])
        in_context = float(said[row, HEADS.index("any")])
        return SentencesRead(tuple(heard.values()), in_context, not_read)

    return {index: read(index) for index in told}


def _by_themselves(
    read: Mapping[int, Sequence[Sentence]], engines: Engines
) -> dict[int, tuple[Sentence, ...]]:
    """Return the sentences of turns with the log-odds that each has when it is read by itself."""
    texts = list(dict.fromkeys((s.read, ()) for own in read.values() for s in own if s.read))
    if not texts:
        return {}
    encoder = engines.many_languages_encoder(adapter_file(NETWORK))
    said = head(NETWORK).logits(encoder.texts_with_parts(texts, MAX_TOKENS).rows)
    odds = {
        text: dict(zip(HEADS, row, strict=True))
        for (text, _), row in zip(texts, said.tolist(), strict=True)
    }
    return {
        index: tuple(replace(s, log_odds=odds[s.read]) if s.read else s for s in own)
        for index, own in read.items()
    }


def _with_sentences(
    turn_text: TurnText, before: tuple[str, ...], left: Mapping[tuple[int, int], Sequence[int]]
) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Return what was said before and the turn, and where its sentences are.

    `left` has, for each sentence, the places of its words that are read; the others are left out.
    """
    sources = turn_text.said.sources
    spoken_places = {
        place
        for (first, past), own in left.items()
        for place in (
            (sources[i] for i in range(first, past))
            if own
            else range(sources[first], sources[past - 1] + 1)
        )
    }
    left_out = spoken_places - {sources[i] for own in left.values() for i in own}
    places = [i for i in range(len(turn_text.written)) if i not in left_out]
    at = {place: len(before) + i for i, place in enumerate(places)}
    parts = tuple((at[sources[own[0]]], at[sources[own[-1]]] + 1) for own in left.values() if own)
    return (*before, *(turn_text.written[i] for i in places)), parts


def _is_read(turn_text: TurnText) -> bool:
    return turn_text.turn.role is RoleName.CUSTOMER and bool(turn_text.said.words)


def _said_before(turn_texts: Sequence[TurnText]) -> dict[int, tuple[str, ...]]:
    """Return, for each customer's turn, the last sentence that the agent has said before it."""
    found: dict[int, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    for turn_text in turn_texts:
        if turn_text.turn.role is RoleName.AGENT and turn_text.said.words:
            first, past = turn_text.said.sentences()[-1]
            before = tuple(turn_text.text(max(first, past - _CONTEXT_WORDS), past).split(" "))
        elif _is_read(turn_text):
            found[turn_text.turn.index] = before
    return found


def unread_words(turn_texts: Sequence[TurnText], book: Rulebook) -> dict[int, Unread]:
    """Return what is not read for a feeling in the turns of customers that have such words.

    A network finds fear in "I'm not, like, terrified", and in what is said around it.
    """
    found = {p.turn.index: book.unread(p.said) for p in turn_texts if _is_read(p)}
    return {index: unread for index, unread in found.items() if unread}


def _sentences(said: Spoken) -> list[tuple[int, int]]:
    """Return ranges of words, one per sentence, so that a greeting does not dilute the next one.

    Single words are left out where there is more, and long runs without marks are cut.
    """
    found = [part for sentence in said.sentences() for part in parts(said, *sentence)]
    return [(first, past) for first, past in found if past - first > 1] or found


def evidence_of(
    turn_text: TurnText,
    moments: Sequence[Moment],
    read: SentencesRead,
    heard: Sequence[WindowScores] = (),
) -> dict[str, float]:
    """Return the evidence for and against a feeling in a customer's turn, by name.

    Of several sentences the strongest counts; features that only English has are 0 in other
    languages.
    """
    found = {f"sentence.{name}": max(s.log_odds[name] for s in read.sentences) for name in HEADS}
    found["context.any"] = read.in_context
    for kind in _RULES:
        shown = [m for m in moments if kind in (m.kind, m.label)]
        found[f"rule.{kind}"] = strongest(shown)
    emotions = (
        _log_odds(h.emotions["negative"]) if read.unread.kept(h.first, h.past) else _NOTHING_HEARD
        for h in heard
    )
    found["emotion.negative"] = max(emotions, default=0.0)
    found["text.words"] = log1p(min(len(turn_text.said.words), _MOST_WORDS))
    return found


def feelings_of(
    turn_texts: Sequence[TurnText],
    moments: Sequence[Moment],
    read: Mapping[int, SentencesRead],
    engines: Engines,
    heard: Mapping[int, Sequence[WindowScores]] = MappingProxyType({}),
) -> tuple[TurnFeelings, ...]:
    """Return the feelings of every customer's turn that was read, in order.

    `heard` has the windows of turns in English; without it, only the network counts. Where a
    feeling is not improbable, the sentences are read once more, each by itself: what a turn is
    about colours every sentence of it, so that else a harmless one might be quoted.
    """
    by_turn: dict[int, list[Moment]] = {}
    for moment in moments:
        by_turn.setdefault(moment.turn_index, []).append(moment)
    weighed = {
        turn_text.turn.index: _weighed(
            evidence_of(
                turn_text,
                by_turn.get(turn_text.turn.index, []),
                read[turn_text.turn.index],
                heard.get(turn_text.turn.index, ()),
            ),
            is_english=bool(heard.get(turn_text.turn.index, ())),
        )
        for turn_text in turn_texts
        if turn_text.turn.index in read
    }
    sentences = {index: read[index].sentences for index in weighed}
    several = {
        index: own
        for index, own in sentences.items()
        if len(own) > 1 and weighed[index].any_negative >= _QUOTED_FROM
    }
    sentences |= _by_themselves(several, engines)
    return tuple(
        _feelings_of_turn(
            turn_text,
            by_turn.get(turn_text.turn.index, []),
            sentences[turn_text.turn.index],
            weighed[turn_text.turn.index],
            heard.get(turn_text.turn.index, ()),
        )
        for turn_text in turn_texts
        if turn_text.turn.index in weighed
    )


@dataclass(frozen=True)
class _Weighed:
    """Probabilities that follow from the evidence in a turn; `felt` that a feeling is named."""

    any_negative: float
    confusion: float
    felt: float


def _weighed(evidence: Mapping[str, float], *, is_english: bool) -> _Weighed:
    return _Weighed(
        _weights("english" if is_english else "other").share(evidence),
        _weights("confusion").share(evidence),
        1.0 / (1.0 + exp(-evidence["sentence.felt"])),
    )


def _feelings_of_turn(
    turn_text: TurnText,
    moments: Sequence[Moment],
    sentences: Sequence[Sentence],
    weighed: _Weighed,
    heard: Sequence[WindowScores],
) -> TurnFeelings:
    cues = [m for m in moments if m.kind in ("cue", "hostile")]
    most = max(sentences, key=lambda s: s.log_odds["any"])
    share, felt = weighed.any_negative, max(weighed.felt, 0.9 if names_a_feeling(cues) else 0.0)
    span = turn_text.span(most.first, most.past)
    kinds = _kinds(share, sentences, cues, heard)
    best = max(cues, key=lambda m: m.strength, default=None)
    lost = [m for m in cues if m.label == "confusion_powerlessness"]
    return TurnFeelings(
        start_s=span.start_s,
        end_s=span.end_s,
        turn_index=turn_text.turn.index,
        any_negative=share,
        fear_anxiety=kinds["fear_anxiety"],
        anger_frustration=kinds["anger_frustration"],
        sadness_disappointment=kinds["sadness_disappointment"],
        confusion_powerlessness=max(
            weighed.confusion, _NAMED_CONFUSION if names_a_feeling(lost) else 0.0
        ),
        explicit=share * felt,
        implicit=share * (1.0 - felt),
        text=turn_text.text(most.first, most.past),
        rule=best.rule if best else None,
        model=1.0 / (1.0 + exp(-most.log_odds["any"])),
    )


def thresholds() -> Mapping[str, float]:
    """Return the least probability of a row of the ledger, for any feeling and for confusion."""
    found: Mapping[str, float] = _table()["thresholds"]
    return found


def kind_of(feelings: TurnFeelings) -> str:
    """Return the feeling that is most probable in a turn, confusion only where no other is."""
    return max(CUE_LABELS[:3], key=lambda kind: float(getattr(feelings, kind)))


def cues_in(
    turn: Turn,
    moments: Sequence[Moment],
    feelings: TurnFeelings | None,
    min_strength: float,
    least: float | None = None,
) -> dict[str, list[Moment]]:
    """Return the cues that the ledger holds of a customer's turn, by kind, in order of time.

    With `feelings`, a turn counts when a feeling is at least as probable as `least` (by default, as
    `thresholds` has it); cues of rules name its kind, and where there are none the strongest
    sentence is the cue. Without, cues of rules count from `min_strength` on.
    """
    floor = thresholds()["any_negative"] if least is None else least
    told: dict[str, list[Moment]] = {}
    for moment in sorted(moments, key=lambda m: m.start_s):
        kind = "anger_frustration" if moment.kind == "hostile" else moment.label
        is_cue = moment.kind in ("cue", "hostile") and moment.role is RoleName.CUSTOMER
        if is_cue and kind and moment.strength >= min_strength and moment.rule != MODEL:
            told.setdefault(kind, []).append(moment)
    if feelings is None:
        return told
    if feelings.any_negative < floor:
        return {kind: own for kind, own in told.items() if kind == "confusion_powerlessness"}
    return told or {kind_of(feelings): [_model_cue(turn, feelings)]}


def names_a_feeling(cues: Iterable[Moment]) -> bool:
    """Return whether a rule has found a feeling put into words, or hostile ones."""
    return any(m.kind == "hostile" or m.rule.rsplit(".", 1)[-1] in _NAMING for m in cues)


def model_cues(
    turn_texts: Sequence[TurnText], feelings: Sequence[TurnFeelings], moments: Sequence[Moment]
) -> list[Moment]:
    """Return the cues that no rule has found, each with a quote, at the default threshold."""
    turns = {p.turn.index: p.turn for p in turn_texts}
    told = {m.turn_index for m in moments if m.kind in ("cue", "hostile")}
    quoted = {m.turn_index for m in moments if m.kind == "quote"}
    least = thresholds()["any_negative"]
    sure = [f for f in feelings if f.any_negative >= least and f.turn_index not in told]
    cues = [_model_cue(turns[f.turn_index], f) for f in sure]
    return [*cues, *(replace(c, kind="quote") for c in cues if c.turn_index not in quoted)]


def _model_cue(turn: Turn, feelings: TurnFeelings) -> Moment:
    return Moment(
        start_s=feelings.start_s,
        end_s=feelings.end_s,
        kind="cue",
        label=kind_of(feelings),
        turn_index=turn.index,
        party=turn.party,
        role=turn.role,
        text=feelings.text,
        rule=MODEL,
        strength=feelings.any_negative,
    )


def read_languages() -> frozenset[str]:
    """Return the languages in which the network was found right enough to be believed."""
    return frozenset(code for code, table in _languages().items() if table["is_believed"])


def language_of(texts: Iterable[str]) -> str:
    """Return the language of which most words are there, English where none of a few words is.

    It is `UNDETERMINED` where hardly one of many words is of any language here, or the letters are
    not.
    """
    text = " ".join(texts).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    words = [word for part in text.split() if (word := part.strip('.,!?;:"()¿¡-'))]
    counts = {
        code: sum(word in table["words"] for word in words) for code, table in _languages().items()
    }
    found = max(counts, key=lambda code: (counts[code], code == "en"))
    letters = [c for c in text if c.isalpha()]
    is_foreign = 2 * sum(c > _LAST_LATIN for c in letters) > len(letters)
    is_strange = len(words) >= _MANY_WORDS and counts[found] < _LEAST_KNOWN * len(words)
    return UNDETERMINED if is_strange or (is_foreign and not counts[found]) else found


@cache
def _languages() -> dict[str, Any]:
    text = (Path(__file__).parent / "languages.toml").read_text(encoding="utf-8")
    found = tomllib.loads(text)
    return {code: table | {"words": frozenset(table["words"])} for code, table in found.items()}


@dataclass(frozen=True)
class _FeelingWeights:
    """Weights of evidence, and the beta calibration (Kull et al. 2017) of their sum.

    Where feelings are improbable, log-odds rise by `below` for each unit of the sum; where they
    are probable, by `above`. With 1, 1 and a `shift` of 0, the sum is the log-odds.
    """

    intercept: float
    of: Mapping[str, float]
    below: float = 1.0
    above: float = 1.0
    shift: float = 0.0

    def share(self, evidence: Mapping[str, float]) -> float:
        total = self.intercept + sum(w * evidence[name] for name, w in self.of.items())
        improbable, probable = log1p(exp(-abs(total))), max(total, 0.0)
        risen = self.above * (probable + improbable)
        fallen = self.below * (probable - total + improbable)
        return 1.0 / (1.0 + exp(fallen - risen - self.shift))


@cache
def _weights(name: str) -> _FeelingWeights:
    table = _table()[name]
    of = MappingProxyType(table["weights"])
    return _FeelingWeights(float(table["intercept"]), of, **table.get("calibration", {}))


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def _kinds(
    share: float,
    sentences: Sequence[Sentence],
    cues: Sequence[Moment],
    heard: Sequence[WindowScores],
) -> dict[str, float]:
    """Return the probability of each feeling but confusion: how the whole is shared among them."""
    log_odds = {kind: max(s.log_odds[kind] for s in sentences) for kind in CUE_LABELS[:3]}
    if heard:
        for kind in log_odds:
            log_odds[kind] += _OF_EMOTIONS * _log_odds(max(h.feeling(kind) for h in heard))
    odds = {kind: exp(value) for kind, value in log_odds.items()}
    for cue in cues:
        named = "anger_frustration" if cue.kind == "hostile" else cue.label
        if named in odds:
            odds[named] += _OF_RULES * cue.strength
    # Trouble without a name is frustration first of all.
    odds["anger_frustration"] += _UNNAMED
    total = sum(odds.values())
    return {kind: share * value / total for kind, value in odds.items()}


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1.0 - _SUREST), _SUREST)
    return log(p / (1.0 - p))


# Who sounds like an agent: the log-odds that a turn is an agent's rather than a customer's. A
# linear layer reads the sentences of a turn as the network of feelings encodes them, in any of its
# languages. It was learned by `training/parties.py` from text written for this project; what is
# done with it is in `warmline.turns.roles`.


PARTIES_HEAD = "parties"
# The opening tells; the middle of a call is alike on both sides.
READ_TURNS = 16
# Of a long turn, its first sentences.
_READ_WINDOWS = 4


def party_reader(
    settings: LanguageSettings, engines: Engines
) -> Callable[[Sequence[Turn]], Mapping[int, float]] | None:
    """Return `agent_log_odds` with these engines; None where no model reads."""
    return partial(agent_log_odds, engines=engines) if settings.models else None


def agent_log_odds(turns: Sequence[Turn], engines: Engines) -> Mapping[int, float]:
    """Return the log-odds that each of the first turns is an agent's, by turn index.

    Turns without words have none. Raises `ModelError` when the network is not in the model store.
    """
    texts = {turn.index: sentences_of(turn.text) for turn in turns if turn.text.strip()}
    first = {index: texts[index] for index in list(texts)[:READ_TURNS] if texts[index]}
    told = list(dict.fromkeys(text for own in first.values() for text in own))
    if not told:
        return {}
    vectors = engines.many_languages_encoder(adapter_file(NETWORK)).texts(told, MAX_TOKENS)
    said = dict(zip(told, head(PARTIES_HEAD).logits(vectors)[:, 0].tolist(), strict=True))
    return {index: sum(said[t] for t in own) / len(own) for index, own in first.items()}


def sentences_of(text: str) -> list[str]:
    """Return the first sentences of a turn as they are read, short ones together."""
    written = tuple(text.split())
    said = spoken(written)
    ranges = windows(said)[:_READ_WINDOWS]
    return [
        " ".join(written[said.sources[first] : said.sources[past - 1] + 1])
        for first, past in ranges
    ]

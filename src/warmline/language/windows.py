"""Run the models over a call: emotions of customers, mechanisms and uptake of agents.

The models read the same comparable words as the rules (`phrases.spoken`), so that case, marks,
fillers and stumbling change nothing in a window's score. Small trained layers (heads) read MiniLM's
vectors; their training data and quality are described in `networks/MODEL_CARD.md`, thresholds and
digests are in `networks/networks.toml`.
"""

import tomllib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from warmline.analysis import Moment
from warmline.language.rulebook import NOTHING_UNREAD, Unread
from warmline.models.engines import Engines
from warmline.phrases import Spoken, spoken
from warmline.values import Conversation, RoleName, Span, Transcript, Turn, Word

if TYPE_CHECKING:
    from warmline.language.encoders import AlsoRead, Known, ReadingEncoder

_FOLDER = Path(__file__).parent / "networks"


@dataclass(frozen=True, eq=False)
class Head:
    """One linear layer: vectors (texts, width) to logits (texts, outputs)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the layer's output for these vectors."""
        found: NDArray[np.float32] = vectors @ self.weight.T + self.bias
        return found


def adapter_file(name: str) -> Path:
    """Return the file with adapter and head of `emotions` or `mechanisms`."""
    return _FOLDER / f"{name}.safetensors"


@cache
def head(name: str) -> Head:
    """Return the head of `emotions` or `mechanisms`."""
    from safetensors.numpy import load_file

    stored = load_file(adapter_file(name))
    return Head(*(stored[f"head.{part}"].astype(np.float32) for part in ("weight", "bias")))


@cache
def network_settings(name: str) -> dict[str, Any]:
    """Return the thresholds of `emotions` or `mechanisms`, as chosen in training."""
    text = (_FOLDER / "networks.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)[name]
    return table


# Which emotions a text expresses, by MiniLM with heads learned from GoEmotions.


EMOTIONS = (
    *("admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion"),
    *("curiosity", "desire", "disappointment", "disapproval", "disgust", "embarrassment"),
    *("excitement", "fear", "gratitude", "grief", "joy", "love", "nervousness", "optimism"),
    *("pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral"),
)
_FEAR = frozenset({"fear", "nervousness"})
_ANGER = frozenset({"anger", "annoyance", "disgust", "disapproval"})
_SADNESS = frozenset({"sadness", "disappointment", "grief", "remorse", "embarrassment"})
# Feeling -> the emotions it combines. `negative` is the corpus's own group of that name.
FEELINGS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "fear_anxiety": _FEAR,
        "anger_frustration": _ANGER,
        "sadness_disappointment": _SADNESS,
        "confusion_powerlessness": frozenset({"confusion"}),
        "negative": _FEAR | _ANGER | _SADNESS,
    }
)
EMOTION_NETWORK = "emotions"
MAX_TOKENS = 64


def emotion_probabilities(
    texts: Sequence[str], engines: Engines, also: "AlsoRead | None" = None
) -> dict[str, NDArray[np.float32]]:
    """Return probabilities (texts,) of each of `EMOTIONS` and `FEELINGS`, each 0..1 on its own.

    A text is read up to 64 tokens. `also` names another encoder that is to read some of them.
    Raises `ModelError` when MiniLM is not in the model store.
    """
    names = (*EMOTIONS, *FEELINGS)
    if not texts:
        return {name: np.zeros(0, np.float32) for name in names}
    encoder = engines.reading_encoder(adapter_file(EMOTION_NETWORK))
    vectors = encoder.texts(texts, MAX_TOKENS, also=also)
    said = 1.0 / (1.0 + np.exp(-head(EMOTION_NETWORK).logits(vectors)))
    return dict(zip(names, said.T, strict=True))


# How a response answers what was said before it: the mechanisms of empathy after EPITOME.


MECHANISMS = ("emotional_reaction", "interpretation", "exploration")
LEVELS = 3
MECHANISM_NETWORK = "mechanisms"
MAX_CONTEXT_TOKENS = 64
MAX_TEXT_TOKENS = 128


def level_probabilities(
    pairs: Sequence[tuple[str, str]], engines: Engines
) -> dict[str, NDArray[np.float32]]:
    """Return, for each of `MECHANISMS`, probabilities (pairs, 3) of the levels; rows sum to 1.

    A pair is (what was said before, the response); the first may be empty. Its last 64 tokens are
    read, and the first 128 of the response. The rarer levels were given more weight in training, so
    that the most probable level is the one to use. Raises `ModelError` when MiniLM is not in the
    model store.
    """
    if not pairs:
        return {mechanism: np.zeros((0, LEVELS), np.float32) for mechanism in MECHANISMS}
    encoder = engines.reading_encoder(adapter_file(MECHANISM_NETWORK))
    vectors = encoder.pairs(pairs, MAX_CONTEXT_TOKENS, MAX_TEXT_TOKENS)
    logits = head(MECHANISM_NETWORK).logits(vectors).reshape(-1, len(MECHANISMS), LEVELS)
    odds = np.exp(logits - logits.max(2, keepdims=True))
    said = odds / odds.sum(2, keepdims=True)
    return {mechanism: said[:, place] for place, mechanism in enumerate(MECHANISMS)}


# Turns as the language stage reads them: comparable words, each with its time in the call.

# Words begin inside their turn; the tolerance is for clocks that were rounded.
_EDGE_S = 0.01


@dataclass(frozen=True)
class TurnText:
    """One turn's words: as recognised (`written`, with `times`) and comparable (`said`).

    Ranges of words [first, past) refer to `said`.
    """

    turn: Turn
    written: tuple[str, ...]
    times: tuple[Span, ...]
    said: Spoken

    def span(self, first: int, past: int) -> Span:
        """Return the times of a range of words."""
        start, end = self.said.sources[first], self.said.sources[past - 1]
        return Span(self.times[start].start_s, max(t.end_s for t in self.times[start : end + 1]))

    def share(self, first: int, past: int, moments: Sequence[Moment]) -> float:
        """Return the share of the words of a range that lie in one of the moments."""
        if not moments:
            return 0.0
        spans = [self.span(i, i + 1) for i in range(first, past)]
        inside = [any(s.start_s < m.end_s and m.start_s < s.end_s for m in moments) for s in spans]
        return sum(inside) / len(spans)

    def text(self, first: int, past: int) -> str:
        """Return a range of words as they were recognised, with the fillers between them."""
        start, end = self.said.sources[first], self.said.sources[past - 1]
        return " ".join(self.written[start : end + 1])

    def moment(
        self, kind: str, label: str | None, first: int, past: int, rule: str, strength: float
    ) -> Moment:
        """Return the words recognised in a range, with their times."""
        span = self.span(first, past)
        return Moment(
            start_s=span.start_s,
            end_s=span.end_s,
            kind=kind,
            label=label,
            turn_index=self.turn.index,
            party=self.turn.party,
            role=self.turn.role,
            text=self.text(first, past),
            rule=rule,
            strength=strength,
        )


def strongest(moments: Iterable[Moment]) -> float:
    """Return the greatest strength of these moments, 0 without any."""
    return max((m.strength for m in moments), default=0.0)


def turn_texts(conversation: Conversation, transcript: Transcript) -> tuple[TurnText, ...]:
    """Return every turn with its words' times, in order.

    Where a turn's words are not in the transcript, each of them has the time of the whole turn.
    """
    by_party: dict[str, list[Word]] = {}
    for word in transcript.words:
        by_party.setdefault(word.party, []).append(word)
    starts = {party: [w.start_s for w in words] for party, words in by_party.items()}
    found = []
    for turn in conversation.turns:
        words = by_party.get(turn.party, [])
        at = starts.get(turn.party, [])
        first = bisect_left(at, turn.start_s - _EDGE_S)
        past = bisect_right(at, turn.end_s + _EDGE_S)
        found.append(_passage(turn, words[first:past]))
    return tuple(found)


def turn_texts_of(said: Sequence[tuple[RoleName, str]]) -> tuple[TurnText, ...]:
    """Return texts of turns that have no recording: the clock counts words."""
    found, at = [], 0
    for index, (role, text) in enumerate(said):
        written = tuple(text.split())
        times = tuple(Span(float(at + i), at + i + 1.0) for i in range(len(written)))
        at += len(written)
        turn = Turn(at - len(written), at, index, role.value, role, text, len(written), 0.0)
        found.append(TurnText(turn, written, times, spoken(written)))
    return tuple(found)


def _passage(turn: Turn, words: Sequence[Word]) -> TurnText:
    written = tuple(turn.text.split())
    times = _times(written, words) or (Span(turn.start_s, turn.end_s),) * len(written)
    return TurnText(turn, written, times, spoken(written))


def _times(written: Sequence[str], words: Sequence[Word]) -> tuple[Span, ...] | None:
    """Return the time of each written word; the party's words outside the turn are skipped."""
    times: list[Span] = []
    for word in words:
        parts = word.text.split()
        at = len(times)
        if parts and list(written[at : at + len(parts)]) == parts:
            times += [Span(word.start_s, word.end_s)] * len(parts)
    return tuple(times) if len(times) == len(written) else None


# Longer turns are read in windows, cut where a sentence ends or a clause begins.
_LONGEST_WINDOW = 30
_LEAST_WINDOW = 6
_CONNECTORS = frozenset({"and", "but", "so", "because", "then", "okay", "or", "which"})
# An answer's yes or no says nothing about feeling, though a model takes it for refusal.
_ANSWERS = frozenset({"no", "nope", "yes", "yeah", "yep", "okay", "sure"})
# The context of an agent's answer: the customer's last turns, back to this many words.
_CONTEXT_WORDS = 12
_CONTEXT_TURNS = 3


def plainness(remorse: float) -> float:
    """Return how surely negative words are no apology: 1 until an apology is likely, then less."""
    return 1.0 - max(0.0, 2.0 * remorse - 1.0)


@dataclass(frozen=True)
class WindowScores:
    """A window [first, past) of a turn's comparable words, with the models' probabilities.

    `emotions` has `EMOTIONS` and `FEELINGS`, and is empty where they were not asked for; `levels`
    has the three levels of each of `MECHANISMS` and is empty for customers.
    """

    first: int
    past: int
    emotions: Mapping[str, float]
    levels: Mapping[str, tuple[float, ...]]

    def feeling(self, label: str) -> float:
        """Return the probability of one of `FEELINGS`; an apology is not taken for a complaint."""
        return self.emotions[label] * plainness(self.emotions["remorse"])

    def at_least_weak(self, mechanism: str) -> float:
        """Return the probability that the mechanism is present at all; 0 for customers."""
        return sum(self.levels[mechanism][1:]) if self.levels else 0.0


@dataclass(frozen=True)
class _TextWindow:
    turn_index: int
    first: int
    past: int
    text: str
    context: str | None


def score_windows(
    turn_texts: Sequence[TurnText],
    engines: Engines,
    unread: Mapping[int, Unread] = MappingProxyType({}),
    known: "Known | None" = None,
) -> dict[int, tuple[WindowScores, ...]]:
    """Return the windows of every agent's and customer's turn, by turn index.

    Mechanisms are read in the agent's words only, and `unread` words are left out. The published
    vectors of agents' windows are added to `known`, if given. Raises `ModelError` when MiniLM is
    not in the model store.
    """
    windows = list(_windows(turn_texts, unread))
    texts = list(dict.fromkeys(w.text for w in windows))
    told = [(w.context, w.text) for w in windows if w.context is not None]
    pairs = list(dict.fromkeys(told))
    also: AlsoRead | None = None
    if known is not None:
        agents = frozenset(w.text for w in windows if w.context is not None)
        also = engines.reading_encoder(), agents, known
    emotions = emotion_probabilities(texts, engines, also)
    levels = level_probabilities(pairs, engines)
    text_at = {text: i for i, text in enumerate(texts)}
    pair_at = {pair: i for i, pair in enumerate(pairs)}
    heard: dict[int, list[WindowScores]] = {}
    for w in windows:
        found = WindowScores(
            w.first,
            w.past,
            {name: float(p[text_at[w.text]]) for name, p in emotions.items()},
            {}
            if w.context is None
            else {
                m: tuple(float(levels[m][pair_at[w.context, w.text], k]) for k in range(LEVELS))
                for m in MECHANISMS
            },
        )
        heard.setdefault(w.turn_index, []).append(found)
    return {index: tuple(found) for index, found in heard.items()}


def _windows(turn_texts: Sequence[TurnText], unread: Mapping[int, Unread]) -> Iterator[_TextWindow]:
    said: list[tuple[str, ...]] = []
    for turn_text in turn_texts:
        words = turn_text.said.words
        agent = turn_text.turn.role is RoleName.AGENT
        if turn_text.turn.role is RoleName.CUSTOMER:
            said.append(words)
        elif not agent:
            continue
        context = _answered(said) if agent else None
        for first, past in windows(turn_text.said):
            left = unread.get(turn_text.turn.index, NOTHING_UNREAD).kept(first, past)
            own = tuple(words[i] for i in left or range(first, past))
            text = " ".join(own if first or agent else _without_answer(own))
            yield _TextWindow(turn_text.turn.index, first, past, text, context)


def _without_answer(words: tuple[str, ...]) -> tuple[str, ...]:
    place = next((i for i, word in enumerate(words) if word not in _ANSWERS), 0)
    return words[place:]


def _answered(said: Sequence[tuple[str, ...]]) -> str:
    """Return the customer's last words, back to where they say something."""
    words: tuple[str, ...] = ()
    for earlier in reversed(said[-_CONTEXT_TURNS:]):
        if len(words) >= _CONTEXT_WORDS:
            break
        words = (*earlier, *words)
    return " ".join(words)


def windows(said: Spoken) -> list[tuple[int, int]]:
    """Return ranges of words [first, past) that cover the turn; a short turn is one."""
    found: list[tuple[int, int]] = []
    for first, past in (part for sentence in said.sentences() for part in parts(said, *sentence)):
        start = found[-1][0] if found else first
        short = found and min(first - start, past - first) < _LEAST_WINDOW
        if short and past - start <= _LONGEST_WINDOW:
            found[-1] = (start, past)
        else:
            found.append((first, past))
    return found


def parts(said: Spoken, first: int, past: int) -> Iterator[tuple[int, int]]:
    """Yield a sentence in pieces of at most `_LONGEST_WINDOW` words, cut at connectors."""
    while past - first > _LONGEST_WINDOW:
        latest = first + _LONGEST_WINDOW
        places = range(latest, first + _LEAST_WINDOW, -1)
        cut = next((i for i in places if said.words[i] in _CONNECTORS), latest)
        yield first, cut
        first = cut
    if first < past:
        yield first, past


# The meaning of turns, as MiniLM's published vectors: one for each window that models read.


_VECTOR_MAX_TOKENS = 64


def vectors_of(
    turn_texts: Sequence[TurnText],
    heard: Mapping[int, Sequence[WindowScores]],
    engines: Engines,
    known: "Known",
) -> dict[int, NDArray[np.float32]]:
    """Return unit vectors (windows, 384) of each turn that has windows, by turn index.

    `known` are vectors that were read before; those that are read now are added. Raises
    `ModelError` when MiniLM is not in the model store.
    """
    told = {
        p.turn.index: [" ".join(p.said.words[h.first : h.past]) for h in heard[p.turn.index]]
        for p in turn_texts
        if heard.get(p.turn.index)
    }
    texts = list(dict.fromkeys(text for own in told.values() for text in own))
    if not texts:
        return {}
    found = unit_vectors(texts, engines.reading_encoder(), known)
    row_of = {text: row for row, text in enumerate(texts)}
    return {index: found[[row_of[text] for text in own]] for index, own in told.items()}


def unit_vectors(
    texts: Sequence[str], encoder: "ReadingEncoder", known: "Known"
) -> NDArray[np.float32]:
    """Return vectors (texts, 384) of length 1; of long texts, only the beginning counts."""
    found = encoder.texts(texts, _VECTOR_MAX_TOKENS, known)
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


# Uptake: how much an agent's turn builds on what the customer has just said, above chance. After
# Demszky et al. 2021 (arXiv:2106.03873): how much better a reply fits what it follows than what it
# does not. Fit is the cosine of MiniLM's sentence vectors, and chance is the mean over everything
# else that the customers said in the same call.


UPTAKE_MODEL = "model:uptake"
# Shorter turns have nothing to build with, shorter answers nothing to build on.
_UPTAKE_MAX_TOKENS = 256
_LEAST_UPTAKE_WORDS = 4
_LEAST_BEFORE = 2
_LEAST_OTHERS = 2


def uptake(
    replies: Sequence[str],
    before: Sequence[str],
    engines: Engines,
    known: "Known | None" = None,
) -> NDArray[np.float64]:
    """Return, for each reply, its uptake of what came right before it, -2 to 2; 0 is chance.

    `before[i]` is what the other said before `replies[i]`. NaN throughout where there are fewer
    than three: there is no chance level to compare with.
    """
    if len(replies) <= _LEAST_OTHERS:
        return np.full(len(replies), np.nan)
    encoder = engines.reading_encoder()
    said = encoder.texts([*replies, *before], _UPTAKE_MAX_TOKENS, known).astype(np.float64)
    said /= np.linalg.norm(said, axis=1, keepdims=True)
    fit = said[: len(replies)] @ said[len(replies) :].T
    own = np.diag(fit)
    above: NDArray[np.float64] = own - (fit.sum(axis=1) - own) / (len(replies) - 1)
    return above


def uptake_moments(
    turn_texts: Sequence[TurnText], engines: Engines, known: "Known"
) -> list[Moment]:
    """Return one moment for each agent's turn with something to say that follows the customer's.

    `known` are vectors that `vectors_of` has read: many a turn of an agent is one window.
    Strength is 0.5 + uptake, within 0..1: 0.5 is chance.
    """
    pairs: list[tuple[TurnText, str]] = []
    since: tuple[str, ...] = ()
    for turn_text in turn_texts:
        words = turn_text.said.words
        if turn_text.turn.role is RoleName.CUSTOMER:
            since = (*since, *words)
        elif turn_text.turn.role is RoleName.AGENT and len(words) >= _LEAST_UPTAKE_WORDS:
            if len(since) >= _LEAST_BEFORE:
                pairs.append((turn_text, " ".join(since)))
            since = ()
    replies = [" ".join(turn_text.said.words) for turn_text, _ in pairs]
    values = uptake(replies, [before for _, before in pairs], engines, known)
    return [
        turn_text.moment(
            "uptake",
            None,
            0,
            len(turn_text.said.words),
            UPTAKE_MODEL,
            float(np.clip(0.5 + value, 0.0, 1.0)),
        )
        for (turn_text, _), value in zip(pairs, values, strict=True)
        if not np.isnan(value)
    ]

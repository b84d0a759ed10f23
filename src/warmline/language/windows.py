"""Run the models over a call: emotions in the customer's words, mechanisms in the agent's.

The models read the same comparable words as the rules (`phrases.spoken`), so that case, marks,
fillers and stumbling change nothing in a window's score.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from warmline.engines import Engines
from warmline.language.heads import LEVELS, MECHANISMS, emotion_probabilities, level_probabilities
from warmline.language.turn_text import TurnText
from warmline.phrases import Spoken
from warmline.values import RoleName

# Longer turns are read in windows, cut where a sentence ends or a clause begins.
_LONGEST_WINDOW = 30
_LEAST_WINDOW = 6
_CONNECTORS = frozenset({"and", "but", "so", "because", "then", "okay", "or", "which"})
# An answer's yes or no says nothing about feeling, though a model takes it for refusal.
_ANSWERS = frozenset({"no", "nope", "yes", "yeah", "yep", "okay", "sure"})
# The context of an agent's answer: the customer's last turns, back to this many words.
_CONTEXT_WORDS = 12
_CONTEXT_TURNS = 3
BOTH = frozenset({RoleName.AGENT, RoleName.CUSTOMER})


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
    is_felt: bool


def score_windows(
    turn_texts: Sequence[TurnText], engines: Engines, feelings_of: Collection[RoleName] = BOTH
) -> dict[int, tuple[WindowScores, ...]]:
    """Return the windows of every agent's and customer's turn, by turn index.

    Emotions are read in the words of `feelings_of`, mechanisms in the agent's. Raises `ModelError`
    when MiniLM is not in the model store.
    """
    windows = list(_windows(turn_texts, feelings_of))
    texts = list(dict.fromkeys(w.text for w in windows if w.is_felt))
    told = [(w.context, w.text) for w in windows if w.context is not None]
    pairs = list(dict.fromkeys(told))
    emotions = emotion_probabilities(texts, engines)
    levels = level_probabilities(pairs, engines)
    text_at = {text: i for i, text in enumerate(texts)}
    pair_at = {pair: i for i, pair in enumerate(pairs)}
    heard: dict[int, list[WindowScores]] = {}
    for w in windows:
        found = WindowScores(
            w.first,
            w.past,
            {name: float(p[text_at[w.text]]) for name, p in emotions.items()} if w.is_felt else {},
            {}
            if w.context is None
            else {
                m: tuple(float(levels[m][pair_at[w.context, w.text], k]) for k in range(LEVELS))
                for m in MECHANISMS
            },
        )
        heard.setdefault(w.turn_index, []).append(found)
    return {index: tuple(found) for index, found in heard.items()}


def _windows(
    turn_texts: Sequence[TurnText], feelings_of: Collection[RoleName]
) -> Iterator[_TextWindow]:
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
            own = words[first:past]
            text = " ".join(own if first or agent else _without_answer(own))
            is_felt = turn_text.turn.role in feelings_of
            yield _TextWindow(turn_text.turn.index, first, past, text, context, is_felt)


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

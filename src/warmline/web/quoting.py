"""What is quoted of a call: of a long turn, the sentence or the clause that carries some words.

A recogniser's turn may be minutes long, and may have no sentence marks. The whole of it stands on
the page of the call.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from warmline.web.warehouse import Row

#: A quote has so many words at most.
MOST_WORDS = 25
_ENDS_SENTENCE = re.compile(r"[.?!…]+[\"'”’)]*$")
_ENDS_CLAUSE = re.compile(r"[,;:–—-]+$")
_NO_END = frozenset({"mr.", "mrs.", "ms.", "dr.", "st."})
_BEGINS_CLAUSE = frozenset(
    {
        *("and", "but", "so", "because", "then", "or", "which", "when", "if", "while", "although"),
        *("und", "aber", "weil", "dann", "oder", "dass", "wenn", "mas", "porque", "quando"),
    }
)
_NO_LETTER = re.compile(r"\W+")


def excerpt(text: str, said: str = "", at: float = 0.0) -> str:
    """Return the sentence or clause of a text that carries what was said, at most `MOST_WORDS`.

    Where these words are not in the text, it is what stands at a place of it, from 0, its
    beginning, to 1, its end. An ellipsis stands where something is left out.
    """
    words = text.split()
    if len(words) <= MOST_WORDS:
        return text.strip()
    found = _where(words, said)
    first, past = found or (round(at * (len(words) - 1)), round(at * (len(words) - 1)) + 1)
    past = min(past, first + MOST_WORDS)
    begin, end = _around(_sentences(words), first, past)
    if end - begin > MOST_WORDS:
        begin, end = _clauses_around(words, (begin, end), first, past)
    elif found is None:
        begin, end = _widened(_sentences(words), begin, end, is_back=at == 1.0)
    quoted = " ".join(words[begin:end])
    if end < len(words):
        quoted = f"{_ENDS_CLAUSE.sub('', quoted)} …"
    return f"… {quoted}" if begin else quoted


def _where(words: list[str], said: str) -> tuple[int, int] | None:
    """Return where words stand in a text, [first, past); None where they do not."""
    told = [bare for word in said.split(" …")[0].split() if (bare := _bare(word))]
    if not told:
        return None
    bare_words = [_bare(word) for word in words]
    for i in range(len(words) - len(told) + 1):
        if bare_words[i : i + len(told)] == told:
            return i, i + len(told)
    return None


def _bare(word: str) -> str:
    return _NO_LETTER.sub("", word).casefold()


def _sentences(words: list[str]) -> list[int]:
    """Return where sentences begin, and the end of the last one."""
    ends = [
        i + 1
        for i, word in enumerate(words)
        if _ENDS_SENTENCE.search(word) and word.casefold() not in _NO_END
    ]
    return sorted({0, *ends, len(words)})


def _around(bounds: list[int], first: int, past: int) -> tuple[int, int]:
    """Return the nearest bounds that hold these words."""
    return max(b for b in bounds if b <= first), min(b for b in bounds if b >= past)


def _clauses_around(
    words: list[str], sentence: tuple[int, int], first: int, past: int
) -> tuple[int, int]:
    """Return the clauses of a long sentence that hold these words; of a long clause, a part."""
    start, stop = sentence
    bounds = [
        i
        for i in range(start + 1, stop)
        if _ENDS_CLAUSE.search(words[i - 1]) or _bare(words[i]) in _BEGINS_CLAUSE
    ]
    begin, end = _around([start, *bounds, stop], first, past)
    if end - begin <= MOST_WORDS:
        return _widened([start, *bounds, stop], begin, end)
    begin = max(begin, first - (MOST_WORDS - (past - first)) // 2)
    last = begin + MOST_WORDS
    if end <= last:
        return begin, end
    # Words that are longer than a quote, or have no clause: up to the last clause that fits.
    return begin, max((b for b in bounds if first + MOST_WORDS // 2 < b <= last), default=last)


def _widened(bounds: list[int], begin: int, end: int, is_back: bool = False) -> tuple[int, int]:
    """Return a range with what stands beside it, part by part, as long as it is no longer than a
    quote: what follows it first, or what comes before it only.
    """
    for later in () if is_back else [b for b in bounds if b > end]:
        if later - begin > MOST_WORDS:
            break
        end = later
    for earlier in reversed([b for b in bounds if b < begin]):
        if end - earlier > MOST_WORDS:
            break
        begin = earlier
    return begin, end


@dataclass(frozen=True)
class Place:
    """Seconds of a call that may answer a question, what was said there, and its feeling if any.

    `turns` are those to read: where it was said, what came before, and what came of it; of a
    feeling, what is heard. Playing it begins and ends at `heard_from_s` and `heard_to_s`.
    """

    start_s: float
    end_s: float
    text: str | None
    heard_from_s: float
    heard_to_s: float
    turns: tuple[Row, ...] = ()
    cue: Row | None = None
    goes_on_to_s: float | None = None

    @property
    def read(self) -> tuple[Row, ...]:
        """Return the turns as they are read: of a long one, the words that carry what is found.

        Of turns that come before these words it is the end, of those after them the beginning.
        """
        carried = self._carried()
        ends = (i for i, turn in enumerate(self.turns) if turn["end_s"] > self.start_s)
        here = min(carried, default=next(ends, 0))
        return tuple(
            turn | {"text": excerpt(str(turn["text"] or ""), carried.get(i, ""), at)}
            for i, turn in enumerate(self.turns)
            for at in [1.0 if i < here else self._share_of(turn) if i == here else 0.0]
        )

    @property
    def is_read(self) -> bool:
        """Return whether the words that were found are among those that are read."""
        said = _looked_for(self.text or "")
        return any(said in turn["text"].casefold() for turn in self.read)

    @property
    def in_context(self) -> tuple[Row, ...]:
        """Return the turns of the words that an answer rests on, and what was said before them.

        Of a feeling, these are the words that answer it, where some do.
        """
        carried = self._carried()
        if not carried:
            return self.read
        at = max(carried)
        return self.read[0 if self.cue else max(0, at - 1) : at + 1]

    def _carried(self) -> dict[int, str]:
        """Return what was said by place of the turn that carries it; of a feeling, its answer."""
        carried = {}
        for words in (self.text, self.cue and self.cue.get("answer_text")):
            said = _looked_for(words or "")
            holds = [i for i, t in enumerate(self.turns) if said in (t["text"] or "").casefold()]
            if said and holds:
                carried[holds[0] if words is self.text else holds[-1]] = str(words)
        return carried

    def _share_of(self, turn: Row) -> float:
        """Return how much of a turn is over where this begins."""
        lasts_s = max(turn["end_s"] - turn["start_s"], 0.1)
        return float(min(max((self.start_s - turn["start_s"]) / lasts_s, 0.0), 0.99))


def _looked_for(text: str) -> str:
    """Return words as they are looked for: up to where they are cut."""
    return text.split(" …")[0].strip().casefold()


def each_turn_once(places: Sequence[Place], shown: Collection[int] = ()) -> tuple[Place, ...]:
    """Return places, each with its turns that no place before it has, and that are not shown."""
    seen, once = set(shown), []
    for place in places:
        new = tuple(turn for turn in place.turns if turn["turn_index"] not in seen)
        seen.update(turn["turn_index"] for turn in new)
        once.append(replace(place, turns=new))
    return tuple(once)

"""Which tokens may come next in a text, and which texts go on: Whisper's beam search.

Whisper's own orders all fifty thousand tokens for every text at every step. Only a few can go on
with it, so here these are found first. A vocabulary (`warmline.words.vocabulary`) has its part in
the choice.

This module imports torch: it is loaded with the recogniser's first batch.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from whisper.decoding import DecodingResult, DecodingTask, TokenDecoder
from whisper.model import Whisper
from whisper.tokenizer import Tokenizer

from warmline.models.products import product_with
from warmline.words.vocabulary import Bias


class Candidates(NamedTuple):
    """The tokens that may come next in each text, the best first: (rows, candidates) each.

    `logprobs` decide, what a vocabulary adds included; `probabilities` are those among all tokens
    of text.
    """

    tokens: Tensor
    logprobs: Tensor
    probabilities: Tensor


class Sayable:
    """The tokens that may be said in a language, and how probable each is to come next.

    Nothing is computed for letters of other scripts. Signs and notes that Whisper is not to write
    have only their part in the probability of words.
    """

    def __init__(self, model: Whisper, tokenizer: Tokenizer, suppressed: Sequence[int]) -> None:
        signs = [token for token in suppressed if token < tokenizer.eot]
        never = {*signs, *_of_other_scripts(tokenizer)}
        said = [token for token in range(tokenizer.eot) if token not in never]
        embedding = model.decoder.token_embedding.weight
        self._tokens = torch.tensor([*said, tokenizer.eot, *signs], device=embedding.device)
        self._logits_after = product_with(embedding[self._tokens])
        self._text = len(said)
        blank = {*tokenizer.encode(" "), tokenizer.eot}
        self._blank = [i for i, t in enumerate([*said, tokenizer.eot]) if t in blank]

    @property
    def tokens(self) -> Tensor:
        """Return the tokens of text that may be said, and the end."""
        return self._tokens[: self._text + 1]

    def best(
        self, states: Tensor, count: int, raised: Tensor | None, *, is_first: bool
    ) -> Candidates:
        """Return the best tokens after each text, whose states are (rows, width).

        `raised` is what a vocabulary adds to each of `tokens`, by row. No text begins with a space,
        nor ends before it has begun.
        """
        logits = self._logits_after(states)
        added = [None] * len(logits) if raised is None else torch.split(raised, _ROWS_AT_ONCE)
        some = [
            self._best_of(own.float(), count, extra, is_first)
            for own, extra in zip(torch.split(logits, _ROWS_AT_ONCE), added, strict=False)
        ]
        return Candidates(*map(torch.cat, zip(*some, strict=True)))

    def _best_of(
        self, logits: Tensor, count: int, raised: Tensor | None, is_first: bool
    ) -> Candidates:
        text, past = self._text, self._text + 1
        highest = logits.amax(-1, keepdim=True)
        likely = (logits - highest).exp_()
        of_text = likely[:, :text].sum(-1, keepdim=True) + likely[:, past:].sum(-1, keepdim=True)
        if is_first:
            likely[:, self._blank], logits[:, self._blank] = 0, -math.inf
        of_all = likely[:, :text].sum(-1, keepdim=True) + likely[:, text:past]
        scores = logits[:, :past] if raised is None else logits[:, :past] + raised
        at = _largest(scores, count)
        logprobs = scores.gather(1, at) - highest - of_all.log()
        return Candidates(self._tokens[at], logprobs, likely.gather(1, at) / of_text)


_ROWS_AT_ONCE = 5  # their numbers fit into a core's cache
_BLOCK = 64


def _largest(scores: Tensor, count: int) -> Tensor:
    """Return where the largest numbers of each row are, the largest first.

    As `topk`, which would order a row as a whole: they lie in the blocks with the largest maxima.
    """
    whole = scores.shape[1] // _BLOCK * _BLOCK
    maxima = scores[:, :whole].view(len(scores), -1, _BLOCK).amax(-1)
    blocks = maxima.topk(min(count, maxima.shape[1])).indices
    inside = torch.arange(_BLOCK, device=scores.device)
    rest = torch.arange(whole, scores.shape[1], device=scores.device).expand(len(scores), -1)
    places = torch.cat([(blocks[..., None] * _BLOCK + inside).flatten(1), rest], 1)
    return places.gather(1, scores.gather(1, places).topk(count).indices)


_KEPT: WeakKeyDictionary[Whisper, dict[tuple[Any, ...], Sayable]] = WeakKeyDictionary()


def sayable_with(model: Whisper, tokenizer: Tokenizer, suppressed: Sequence[int]) -> Sayable:
    """Return what may be said in the tokenizer's language; made once for a model."""
    kept = _KEPT.setdefault(model, {})
    key = (tokenizer.language, *suppressed)
    if key not in kept:
        kept[key] = Sayable(model, tokenizer, suppressed)
    return kept[key]


# Languages of Whisper's that are written in Latin letters alone.
_IN_LATIN = frozenset(
    [
        *("af", "br", "bs", "ca", "cs", "cy", "da", "de", "en", "es", "et", "eu", "fi", "fo"),
        *("fr", "gl", "ha", "haw", "hr", "ht", "hu", "id", "is", "it", "jw", "la", "lb", "ln"),
        *("lt", "lv", "mg", "mi", "ms", "mt", "nl", "nn", "no", "oc", "pl", "pt", "ro", "sk"),
        *("sl", "sn", "so", "sq", "su", "sv", "sw", "tl", "tr", "vi", "yo"),
    ]
)
_PAST_LATIN, _FIRST_MORE_LATIN, _PAST_MORE_LATIN = 0x300, 0x1E00, 0x1F00


def _of_other_scripts(tokenizer: Tokenizer) -> frozenset[int]:
    """Return the tokens that cannot be part of a text in the tokenizer's language."""
    if (tokenizer.language or "en") not in _IN_LATIN:
        return frozenset()
    return _not_latin(tokenizer.encoding)


@cache
def _not_latin(encoding: Any) -> frozenset[int]:
    """Return the tokens with a letter that is not Latin. Parts of letters may be of any script."""
    # One by one: tiktoken decodes a batch in threads, which takes thirty times as long here.
    spelt = map(encoding.decode_single_token_bytes, range(encoding.eot_token))
    texts = [letters.decode(errors="replace") for letters in spelt]
    return frozenset(
        token
        for token, text in enumerate(texts)
        if not text.isascii()
        and any(
            c.isalpha()
            and ord(c) >= _PAST_LATIN
            and not _FIRST_MORE_LATIN <= ord(c) < _PAST_MORE_LATIN
            for c in text
        )
    )


class BiasTables:
    """The bias of each token after a text, as tensors over Whisper's vocabulary."""

    def __init__(self, bias: Bias, device: torch.device) -> None:
        self._bias = bias
        self._begins = torch.tensor(bias.begins, device=device)
        self._first = torch.zeros(len(bias.begins), device=device)
        self._first[list(bias.root.children)] = bias.raised(0.0)

    def raised_by(self, text: Sequence[int]) -> Tensor:
        """Return what each token adds after a text."""
        at, _ = self._bias.follow(text)
        if not at.run:
            return self._first
        whole, within = (self._bias.settled(at, begins) for begins in (True, False))
        added = self._first + torch.where(self._begins, whole, within)
        added[list(at.node.children)] = self._bias.raised(at.run) - at.run
        return added


class _Next(NamedTuple):
    """A token that may come next in the text of a row; `score` is that of the longer text."""

    score: float
    row: int
    token: int
    probability: float
    window: int


class Texts(NamedTuple):
    """The texts that are being written, one in each row; those of a window need not be neighbours.

    `scores` are their log-probabilities with what a vocabulary adds, `probabilities` those of their
    last tokens, and `sources` the rows that they were in before these.
    """

    tokens: list[list[int]]
    windows: list[int]
    scores: list[float]
    probabilities: list[float]
    sources: list[int]

    @property
    def rows(self) -> dict[int, list[int]]:
        """Return the rows of each window that has any."""
        found: dict[int, list[int]] = {}
        for row, window in enumerate(self.windows):
            found.setdefault(window, []).append(row)
        return found


class BeamSearch(TokenDecoder):  # type: ignore[misc]
    """Whisper's beam search over a few candidates for each text; a text stays in its row.

    Where a vocabulary is given, a beam's score is raised while it follows a listed term. Scores and
    the texts that have ended carry what the terms add; it follows from the tokens.
    """

    def __init__(self, task: DecodingTask, bias: Bias | None, sayable: Sayable) -> None:
        self._beams, self._eot, self._begin = task.n_group, task.tokenizer.eot, task.sample_begin
        self._most_ended = round(task.n_group * (task.options.patience or 1.0))
        self._ended: list[dict[tuple[int, ...], float]] = []  # of each window, with their scores
        self._bias, self._sayable = bias, sayable
        self._tables = BiasTables(bias, task.model.device) if bias else None

    def reset(self) -> None:
        """Forget the texts that have ended."""
        self._ended = []

    def begin(self, prompt: Sequence[int], windows: int) -> Texts:
        """Return a text for each window, which has nothing but the prompt."""
        self._ended = [{} for _ in range(windows)]
        rows = list(range(windows))
        return Texts([list(prompt) for _ in rows], rows, [0.0] * windows, [1.0] * windows, rows)

    def raised(self, texts: Texts) -> Tensor | None:
        """Return what a vocabulary adds to each token that may follow; None without one."""
        if self._tables is None:
            return None
        added = [self._tables.raised_by(tokens[self._begin :]) for tokens in texts.tokens]
        return torch.stack(added)[:, self._sayable.tokens]

    def choose(self, texts: Texts, found: Candidates) -> Texts:
        """Return the texts that go on, each with one token more; those that end are kept here."""
        followers = zip(*(part.tolist() for part in found), strict=True)
        after = [
            [
                _Next(texts.scores[row] + logprob, row, token, probability, texts.windows[row])
                for token, logprob, probability in zip(*of_row, strict=True)
            ]
            for row, of_row in enumerate(followers)
        ]
        going: list[_Next] = []
        for window, rows in texts.rows.items():
            ended = self._ended[window]
            ranked = sorted((n for row in rows for n in after[row]), key=_score, reverse=True)
            on: list[_Next] = []
            for n in ranked:
                if n.token != self._eot:
                    on.append(n)
                elif len(ended) < self._most_ended:
                    ended[(*texts.tokens[n.row], n.token)] = n.score
                if len(on) == self._beams:
                    break
            if len(ended) < self._most_ended:
                going += on
        going = _in_place(going)
        return Texts(
            [[*texts.tokens[n.row], n.token] for n in going],
            [n.window for n in going],
            [n.score for n in going],
            [n.probability for n in going],
            [n.row for n in going],
        )

    def cut_off(self, texts: Texts) -> None:
        """End texts where they are; a window keeps as many as it may have beams."""
        for row in sorted(range(len(texts.scores)), key=texts.scores.__getitem__, reverse=True):
            ended, tokens = self._ended[texts.windows[row]], texts.tokens[row]
            if len(ended) < self._beams:
                added = 0.0
                if self._bias is not None:
                    at, _ = self._bias.follow(tokens[self._begin :])
                    added = self._bias.settled(at, begins=True)
                ended[(*tokens, self._eot)] = texts.scores[row] + added

    def finalize(self, _tokens: Tensor, _scores: Tensor) -> tuple[list[list[Tensor]], Any]:
        """Return the texts of each window that have ended, and their scores."""
        texts = [[torch.tensor(tokens) for tokens in ended] for ended in self._ended]
        return texts, [list(ended.values()) for ended in self._ended]


_score = itemgetter(0)


def _in_place(going: Sequence[_Next]) -> list[_Next]:
    """Return tokens in the order of rows: the best of each row stays in it if there are as many."""
    staying: dict[int, _Next] = {}
    for n in going:
        if n.row < len(going):
            staying.setdefault(n.row, n)
    moving = (n for n in going if staying.get(n.row) is not n)
    return [staying[row] if row in staying else next(moving) for row in range(len(going))]


def without_bias(result: DecodingResult, bias: Bias) -> DecodingResult:
    """Return a result whose confidence is that of the recogniser alone."""
    at, added = bias.follow(result.tokens)
    added += bias.settled(at, begins=True)
    confidence = result.avg_logprob - added / (len(result.tokens) + 1)
    return replace(result, avg_logprob=confidence)

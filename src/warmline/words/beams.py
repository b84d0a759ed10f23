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

import numpy as np
import torch
from torch import Tensor
from whisper.decoding import BeamSearchDecoder, DecodingResult, DecodingTask
from whisper.model import Whisper
from whisper.tokenizer import Tokenizer

from warmline.models.engines import product_with
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


class Chosen(NamedTuple):
    """Each window's best texts (rows, tokens) after a step, and which row each goes on from."""

    tokens: Tensor
    sum_logprobs: Tensor
    probabilities: Tensor
    sources: list[int]


class BeamSearch(BeamSearchDecoder):  # type: ignore[misc]
    """Whisper's beam search over a few candidates for each text; a text stays in its row.

    Where a vocabulary is given, a beam's score is raised while it follows a listed term. Scores and
    the texts that have ended carry what the terms add; it follows from the tokens.
    """

    def __init__(self, task: DecodingTask, bias: Bias | None, sayable: Sayable) -> None:
        super().__init__(task.n_group, task.tokenizer.eot, task.inference, task.options.patience)
        self.finished_sequences: list[dict[tuple[int, ...], float]] | None = None
        self._bias, self._begin, self._sayable = bias, task.sample_begin, sayable
        self._tables = BiasTables(bias, task.model.device) if bias else None

    def raised(self, tokens: Tensor) -> Tensor | None:
        """Return what a vocabulary adds to each token that may follow; None without one."""
        if self._tables is None:
            return None
        texts = tokens[:, self._begin :].tolist()
        added = torch.stack([self._tables.raised_by(text) for text in texts])
        return added[:, self._sayable.tokens]

    def choose(self, tokens: Tensor, found: Candidates, sum_logprobs: Tensor) -> Chosen:
        """Return each window's best texts with one token more; those that end are kept by it."""
        if self.finished_sequences is None:  # as yet a row for each window
            self.finished_sequences = [{} for _ in tokens]
        prefixes, each = tokens.tolist(), len(tokens) // len(self.finished_sequences)
        scores = (found.logprobs + sum_logprobs[:, None]).tolist()
        followers = found.tokens.tolist(), found.probabilities.tolist()
        rows = [
            [_Next(score, row, *follower) for score, *follower in zip(*of_row, strict=True)]
            for row, of_row in enumerate(zip(scores, *followers, strict=True))
        ]
        chosen: list[_Next] = []
        for window, ended in enumerate(self.finished_sequences):
            own = range(window * each, (window + 1) * each)
            ranked = sorted((n for row in own for n in rows[row]), key=_score, reverse=True)
            going: list[_Next] = []
            for n in ranked:
                if n.token != self.eot:
                    going.append(n)
                elif len(ended) < self.max_candidates:
                    ended[(*prefixes[n.row], n.token)] = n.score
                if len(going) == self.beam_size:
                    break
            chosen += _in_place(going, own) if each == self.beam_size else going
        sources, device = [n.row for n in chosen], tokens.device
        last = torch.tensor([n.token for n in chosen], device=device)
        return Chosen(
            torch.cat([tokens[sources], last[:, None]], 1),
            torch.tensor([n.score for n in chosen], device=device),
            torch.tensor([n.probability for n in chosen], device=device),
            sources,
        )

    @property
    def completed(self) -> bool:
        """Return whether enough texts of each window have ended."""
        found = self.finished_sequences or []
        return all(len(ended) >= self.max_candidates for ended in found)

    def finalize(self, tokens: Tensor, sum_logprobs: Tensor) -> tuple[list[list[Tensor]], Any]:
        """Return the texts of each window, also those cut off, which end here, and their scores."""
        if self._bias is not None:
            for window, beam in np.ndindex(*sum_logprobs.shape):
                at, _ = self._bias.follow(tokens[window, beam, self._begin :].tolist())
                sum_logprobs[window, beam] += self._bias.settled(at, begins=True)
        found: tuple[list[list[Tensor]], Any] = super().finalize(tokens, sum_logprobs)
        return found


_score = itemgetter(0)


def _in_place(going: Sequence[_Next], rows: Sequence[int]) -> list[_Next]:
    """Return a window's tokens in the order of rows, where the best of each row stays in it."""
    staying: dict[int, _Next] = {}
    for n in going:
        staying.setdefault(n.row, n)
    moving = (n for n in going if staying[n.row] is not n)
    return [staying[row] if row in staying else next(moving) for row in rows]


def without_bias(result: DecodingResult, bias: Bias) -> DecodingResult:
    """Return a result whose confidence is that of the recogniser alone."""
    at, added = bias.follow(result.tokens)
    added += bias.settled(at, begins=True)
    confidence = result.avg_logprob - added / (len(result.tokens) + 1)
    return replace(result, avg_logprob=confidence)

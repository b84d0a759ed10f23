"""Whisper's own networks, on windows of any length, and with beams that share their sound.

openai-whisper repeats the encoded sound for every beam and reads it anew for each at every step.
The beams of a window hear the same thing, so here they are rows of one query instead, and the keys
and values of the sound are laid out once in the order in which they are multiplied. Those of a text
stay where they are while it grows. A window that has ended leaves the batch, which goes on without
it.

This module imports torch: it is loaded with the recogniser's first batch.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import gelu
from whisper.decoding import (
    DecodingOptions,
    DecodingResult,
    DecodingTask,
)
from whisper.model import MultiHeadAttention, Whisper
from whisper.timing import TOKENS_PER_SECOND, WordTiming, median_filter
from whisper.tokenizer import Tokenizer, get_tokenizer

from warmline.words.beams import BeamSearch, Texts, sayable_with, without_bias
from warmline.words.vocabulary import Bias

_MEDIAN_WIDTH = 7  # as in Whisper


def encode(model: Whisper, mel: Tensor) -> Tensor:
    """Return the features of mel spectrograms of any length up to 30 s, (windows, mels, frames).

    As Whisper's own encoder has it, which takes 30 s and nothing else.
    """
    encoder = model.encoder
    x = gelu(encoder.conv2(gelu(encoder.conv1(mel)))).permute(0, 2, 1)
    x = (x + encoder.positional_embedding[: x.shape[1]]).to(x.dtype)
    for block in encoder.blocks:
        x = block(x)
    features: Tensor = encoder.ln_post(x)
    return features


def language_probabilities(model: Whisper, features: Tensor) -> dict[str, float]:
    """Return how probable each language is in an encoded window, (frames, states)."""
    tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    start = torch.tensor([[tokenizer.sot]], device=features.device)
    logits = model.logits(start, features[None])[0, 0, list(tokenizer.all_language_tokens)]
    probabilities = logits.float().softmax(-1).tolist()
    return dict(zip(tokenizer.all_language_codes, probabilities, strict=True))


@dataclass(frozen=True, eq=False)
class Reading:
    """A window's text, and what tells when its words were said.

    `attention` holds the scores (tokens, heads, frames) by which the alignment heads chose what to
    listen to, from the first token of the prompt to the last of the text; `probabilities` are those
    of the text's tokens. Both are None for a text that was cut off, whose last token was not read.
    """

    result: DecodingResult
    attention: Tensor | None
    probabilities: tuple[float, ...] | None


def decode(
    model: Whisper,
    features: Sequence[Tensor],
    options: DecodingOptions,
    bias: Bias | None = None,
) -> list[Reading]:
    """Return the text of each encoded window, whose features are (frames, states).

    `options` names the language and may ask for beams. Windows may differ in length. The terms of a
    `bias` count in the choice of a text, and not in `avg_logprob`.
    """
    sound = _Sound(features)
    task = _EncodedDecodingTask(model, options, sound, bias)
    results: list[DecodingResult] = task.run(sound.windows)
    if bias is not None:
        results = [without_bias(result, bias) for result in results]
    return [task.trace.reading(i, result) for i, result in enumerate(results)]


def align(reading: Reading, tokenizer: Tokenizer, frames: int) -> list[WordTiming]:
    """Return the words of a reading with their times in the first frames of the window.

    As `whisper.timing.find_alignment`, which has the decoder read the text a second time for it.
    """
    if reading.attention is None or reading.probabilities is None:
        raise ValueError("the text was cut off: there is nothing to align it by")
    tokens = reading.result.tokens
    words, word_tokens = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    if len(word_tokens) <= 1:
        return []
    weights = reading.attention[..., :frames].float().transpose(0, 1).softmax(-1)
    deviation, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    weights = median_filter((weights - mean) / deviation, _MEDIAN_WIDTH)
    costs = -weights.mean(0)[len(tokenizer.sot_sequence) :]
    starts = first_frames(costs.double().cpu().numpy()) / TOKENS_PER_SECOND
    ends = np.cumsum([len(t) for t in word_tokens[:-1]])
    return [
        WordTiming(word, own, starts[a], starts[b], float(np.mean(reading.probabilities[a:b])))
        for word, own, a, b in zip(words, word_tokens, [0, *ends[:-1]], ends, strict=False)
    ]


def first_frames(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return at which frame each token begins on the cheapest path, for costs (tokens, frames).

    That is dynamic time warping as `whisper.timing.dtw` has it, a row at a time: what a frame costs
    by way of those to its left is the least so far of what it cost to enter the row. So nothing has
    to be compiled, and none of what compiles it is imported.
    """
    tokens, frames = costs.shape
    above = np.full(frames + 1, np.inf)
    above[0] = 0.0
    moves = np.empty((tokens, frames), np.int8)
    for row, own in zip(moves, costs, strict=True):
        diagonal, down = above[:-1], above[1:]
        until = np.cumsum(own)
        entered = np.minimum(diagonal, down) - (until - own)
        reached = np.concatenate([[np.inf], until + np.minimum.accumulate(entered)])
        across = reached[:-1]
        row[:] = _ACROSS
        row[(down < diagonal) & (down < across)] = _DOWN
        row[(diagonal < down) & (diagonal < across)] = _DIAGONAL
        above = reached
    starts = np.zeros(tokens, np.int64)
    token, frame = tokens - 1, frames - 1
    while token > 0:
        starts[token] = frame
        move = moves[token, frame]
        token -= move != _ACROSS
        frame -= move != _DOWN
    return starts


_DIAGONAL, _DOWN, _ACROSS = range(3)


class _Sound:
    """The windows that are being decoded: how long each is, and what the layers make of it.

    `keys_and_values` has, for each layer of the decoder, a pair (heads, frames, states) for each
    window. They are the same for all of its beams, and are made in the first step.
    """

    def __init__(self, windows: Sequence[Tensor]) -> None:
        self.features = torch.cat(list(windows))  # (frames of all windows, states)
        self._frames = [len(window) for window in windows]
        self.keys_and_values: dict[int, dict[int, tuple[Tensor, Tensor]]] = {}

    @property
    def windows(self) -> Tensor:
        """Return a tensor with a row for each window, as Whisper's loop wants one; it is empty."""
        return self.features.new_empty((len(self._frames), 0))

    def lay_out(self, layer: int, k: Tensor, v: Tensor, heads: int) -> None:
        """Keep a layer's keys and values (frames of all windows, states), by window and head."""
        parts = zip(*(torch.split(x, self._frames) for x in (k, v)), strict=True)
        # For the scores a tenth less time in float32, and a tenth more in bfloat16.
        is_float32 = k.dtype == torch.float32
        self.keys_and_values[layer] = {
            window: (_by_head(own_k, heads, upright=is_float32), _by_head(own_v, heads))
            for window, (own_k, own_v) in enumerate(parts)
        }

    def keep(self, windows: Collection[int]) -> None:
        """Free the memory of all windows but these."""
        for kept in self.keys_and_values.values():
            for window in kept.keys() - windows:
                del kept[window]


def _by_head(x: Tensor, heads: int, *, upright: bool = False) -> Tensor:
    """Return (frames, states) as (heads, frames, states), which lie state by state if `upright`."""
    by_head = x.reshape(len(x), heads, -1)
    if upright:
        return by_head.permute(1, 2, 0).contiguous().transpose(1, 2)
    return by_head.transpose(0, 1).contiguous()


def _attend_to_one_row(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """Return the attention of a token in each row to those before it: (rows, tokens, states) each.

    On a CPU torch's own takes half as long again in float32, and three times as long in bfloat16.
    """
    q, k, v = (x.reshape(*x.shape[:2], heads, -1) for x in (q, k, v))
    scores = (q * k).sum(-1, dtype=torch.float32) * q.shape[-1] ** -0.5
    weights = scores.softmax(1).to(v.dtype)
    attended: Tensor = (weights[..., None] * v).sum(1, keepdim=True).flatten(-2)
    return attended


class _EncodedDecodingTask(DecodingTask):  # type: ignore[misc]
    """Takes features where Whisper's takes mel spectrograms, and many windows with many beams."""

    def __init__(
        self, model: Whisper, options: DecodingOptions, sound: _Sound, bias: Bias | None = None
    ) -> None:
        super().__init__(model, options)
        self._sound = sound
        self._sayable = sayable_with(model, self.tokenizer, self._get_suppress_tokens())
        self.decoder = BeamSearch(self, bias, self._sayable)
        self.trace = _Trace(model, self.sample_begin)
        rows = len(sound.windows) * self.n_group
        self.network = _Network(model, sound, self.trace, rows, self.sample_begin + self.sample_len)

    def _get_audio_features(self, mel: Tensor) -> Tensor:
        # Whisper picks every n-th row in the end, as if there were one for each beam.
        return mel.repeat_interleave(self.n_group, dim=0)

    def _detect_language(self, _features: Tensor, tokens: Tensor) -> tuple[list[str], None]:
        return [self.options.language] * tokens.shape[0], None

    def _main_loop(
        self, _audio_features: Tensor, tokens: Tensor
    ) -> tuple[Tensor, Tensor, list[float]]:
        """Whisper's loop, but a window leaves the batch as soon as it has ended.

        The beams of a window begin alike: the prompt is read once for all of them.
        """
        prompts = tokens[:: self.n_group]
        texts = self.decoder.begin(prompts[0].tolist(), len(prompts))
        new, no_speech_probs = prompts, list[float]()
        for step in range(self.sample_len):
            states = self.network.read(new, texts.rows)
            if step == 0:
                no_speech_probs = self._no_speech(states[:, self.sot_index])
            raised = self.decoder.raised(texts)
            found = self._sayable.best(states[:, -1], self.n_group + 1, raised, is_first=step == 0)
            self.trace.end_step(texts)
            texts = self.decoder.choose(texts, found)
            if not texts.tokens or len(texts.tokens[0]) > self.n_ctx:
                break
            self.network.rearrange(texts.sources)
            self._sound.keep(texts.rows)
            new = torch.tensor([text[-1:] for text in texts.tokens], device=tokens.device)
        self.decoder.cut_off(texts)
        # Whisper hands these on to the decoder, which has the texts already.
        return tokens, tokens.new_zeros(len(tokens)), no_speech_probs

    def _no_speech(self, states: Tensor) -> list[float]:
        """Return the probability of no speech, for each row that Whisper would have."""
        if self.tokenizer.no_speech is None:
            return [math.nan for _ in range(len(states) * self.n_group)]
        weight = self.model.decoder.token_embedding.weight
        logits = (states @ weight.to(states.dtype).T).float()
        at_start = logits.softmax(-1)[:, self.tokenizer.no_speech]
        found: list[float] = at_start.repeat_interleave(self.n_group).tolist()
        return found


class _Network:
    """Whisper's decoder: it reads what is new in some texts, and keeps what it made of the rest.

    Keys and values of a text lie in a row of their own, where they stay while the text grows.
    """

    def __init__(
        self, model: Whisper, sound: _Sound, trace: "_Trace", rows: int, longest: int
    ) -> None:
        self._decoder, self._sound, self._trace = model.decoder, sound, trace
        shape = (rows, longest, model.dims.n_text_state)
        self.texts = [
            (sound.features.new_empty(shape), sound.features.new_empty(shape))
            for _ in model.decoder.blocks
        ]
        self.length = 0  # of what has been read of each text

    def read(self, new: Tensor, rows: Mapping[int, list[int]]) -> Tensor:
        """Return the states (rows, new tokens, width) after the new tokens of texts (rows, tokens).

        `rows` are those of each window.
        """
        decoder, until = self._decoder, self.length + new.shape[1]
        self._order = torch.tensor([row for own in rows.values() for row in own], device=new.device)
        self._places = self._order.argsort()
        places = decoder.positional_embedding[self.length : until]
        x = (decoder.token_embedding(new) + places).to(self._sound.features.dtype)
        for layer, block in enumerate(decoder.blocks):
            x = x + self._remember(layer, block.attn, block.attn_ln(x))
            x = x + self._listen(layer, block.cross_attn, block.cross_attn_ln(x), rows)
            x = x + block.mlp(block.mlp_ln(x))
        self.length = until
        states: Tensor = decoder.ln(x)
        return states

    def rearrange(self, sources: Sequence[int]) -> None:
        """Give each row what the row of this number had; there may be more rows or fewer."""
        moved = [(to, source) for to, source in enumerate(sources) if to != source]
        if not moved:
            return
        to, source = map(list, zip(*moved, strict=True))
        for both in self.texts:
            for kept in both:
                kept[to, : self.length] = kept[source, : self.length]

    def _remember(self, layer: int, attention: MultiHeadAttention, x: Tensor) -> Tensor:
        """Attend to the text so far."""
        rows, new = x.shape[:2]
        until = self.length + new
        k, v = (kept[:rows, :until] for kept in self.texts[layer])
        k[:, self.length :], v[:, self.length :] = attention.key(x), attention.value(x)
        q = attention.query(x)
        if new == 1 and x.device.type == "cpu":
            remembered = _attend_to_one_row(q, k, v, attention.n_head)
        else:
            mask = self._decoder.mask if new > 1 else None
            remembered, _ = attention.qkv_attention(q, k, v, mask)
        own: Tensor = attention.out(remembered)
        return own

    def _listen(
        self, layer: int, attention: MultiHeadAttention, x: Tensor, rows: Mapping[int, list[int]]
    ) -> Tensor:
        """Attend to the sound, whose keys and values all texts of a window share."""
        if layer not in self._sound.keys_and_values:
            features = self._sound.features
            k, v = attention.key(features), attention.value(features)
            self._sound.lay_out(layer, k, v, attention.n_head)
        kept = self._sound.keys_and_values[layer]
        q = attention.query(x)
        by_head = q.reshape(*q.shape[:2], attention.n_head, -1) * (
            (q.shape[-1] // attention.n_head) ** -0.5
        )
        scores, heard = {}, []
        grouped = by_head[self._order].split([len(own) for own in rows.values()])
        for window, asked in zip(rows, grouped, strict=True):
            k, v = kept[window]
            by_window = asked.flatten(0, 1).transpose(0, 1)  # (heads, rows x tokens, states)
            scores[window] = by_window @ k.transpose(-1, -2)
            attended = scores[window].softmax(-1, dtype=torch.float32).to(v.dtype) @ v
            heard.append(attended.transpose(0, 1).reshape(len(asked), *q.shape[1:]))
        self._trace.attend(layer, scores)
        found: Tensor = attention.out(torch.cat(heard)[self._places])
        return found


class _Step(NamedTuple):
    """A step of decoding: of each window, the texts that were read and what they attended to.

    `probabilities` are those of their last tokens, `scores` of each layer that aligns (heads, texts
    x tokens, frames): those of the last token, and in the first step of the prompt.
    """

    texts: dict[int, list[list[int]]]
    probabilities: dict[int, list[float]]
    scores: list[dict[int, Tensor]]


class _Trace:
    """The attention at each step, so that no second pass is needed to time the words."""

    def __init__(self, model: Whisper, begin: int) -> None:
        heads: dict[int, list[int]] = {}
        for layer, head in model.alignment_heads.indices().T.tolist():
            heads.setdefault(layer, []).append(head)
        self._heads = {
            layer: torch.tensor(own, device=model.device) for layer, own in heads.items()
        }
        self._begin = begin
        self._scores: list[dict[int, Tensor]] = []  # of the step that is under way
        self._steps: list[_Step] = []

    def attend(self, layer: int, scores: Mapping[int, Tensor]) -> None:
        """Note the scores of a layer, (heads, texts x tokens, frames) for each window."""
        if layer in self._heads:
            heads = self._heads[layer]
            self._scores.append(
                {window: own[heads].to(torch.float16) for window, own in scores.items()}
            )

    def end_step(self, texts: Texts) -> None:
        """Note the texts that were read."""
        rows = texts.rows.items()
        self._steps.append(
            _Step(
                {window: [texts.tokens[row][self._begin :] for row in own] for window, own in rows},
                {window: [texts.probabilities[row] for row in own] for window, own in rows},
                self._scores,
            )
        )
        self._scores = []

    def reading(self, window: int, result: DecodingResult) -> Reading:
        """Return a result with its attention: at each step, that of the beam that read its text.

        What a beam attends to follows from the tokens before, so that any beam with these will do.
        """
        text, steps = result.tokens, self._steps[: len(result.tokens) + 1]
        attention: list[Tensor] = []
        probabilities: list[float] = []
        for at, step in enumerate(steps):
            texts = step.texts.get(window, [])
            if text[:at] not in texts:
                break
            row = texts.index(text[:at])
            own = [torch.unflatten(s[window], 1, (len(texts), -1))[:, row] for s in step.scores]
            attention.append(torch.cat(own).transpose(0, 1))
            probabilities.append(step.probabilities[window][row])
        if len(attention) <= len(text):
            return Reading(result, None, None)
        return Reading(result, torch.cat(attention), tuple(probabilities[1:]))

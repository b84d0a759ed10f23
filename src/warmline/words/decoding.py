"""Whisper's own networks, on windows of any length, and with beams that share their sound.

openai-whisper repeats the encoded sound for every beam and reads it anew for each at every step.
The beams of a window hear the same thing, so here they are rows of one query instead, and the keys
and values of the sound are laid out once in the order in which they are multiplied. Those of a text
stay where they are while it grows. A window that has ended leaves the batch, which goes on without
it.

This module imports torch: it is loaded with the recogniser's first batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import gelu, pad
from whisper.decoding import (
    DecodingOptions,
    DecodingResult,
    DecodingTask,
)
from whisper.model import MultiHeadAttention, Whisper
from whisper.timing import TOKENS_PER_SECOND, WordTiming, median_filter
from whisper.tokenizer import Tokenizer, get_tokenizer

from warmline.words.beams import BeamSearch, Chosen, Sayable, without_bias
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
        self.keys_and_values: dict[int, list[tuple[Tensor, Tensor]]] = {}

    @property
    def windows(self) -> Tensor:
        """Return a tensor with a row for each window, as Whisper's loop wants one; it is empty."""
        return self.features.new_empty((len(self._frames), 0))

    def lay_out(self, layer: int, k: Tensor, v: Tensor, heads: int) -> None:
        """Keep a layer's keys and values (frames of all windows, states), by window and head."""
        self.keys_and_values[layer] = [
            tuple(x.reshape(len(x), heads, -1).transpose(0, 1).contiguous() for x in both)
            for both in zip(*(torch.split(x, self._frames) for x in (k, v)), strict=True)
        ]

    def keep(self, places: list[int]) -> None:
        """Leave only the windows in these places."""
        self._frames = [self._frames[i] for i in places]
        for layer, kept in self.keys_and_values.items():
            self.keys_and_values[layer] = [kept[i] for i in places]


class _EncodedDecodingTask(DecodingTask):  # type: ignore[misc]
    """Takes features where Whisper's takes mel spectrograms, and many windows with many beams."""

    def __init__(
        self, model: Whisper, options: DecodingOptions, sound: _Sound, bias: Bias | None = None
    ) -> None:
        super().__init__(model, options)
        self._sound = sound
        self._sayable = Sayable(model, self.tokenizer, self._get_suppress_tokens())
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

        Its beams begin alike: the prompt is read once for all of them.
        """
        windows = _Windows(self, self._sound)
        tokens = tokens[:: self.n_group]
        sum_logprobs = torch.zeros(len(tokens), device=tokens.device)
        no_speech_probs: list[float] = []
        for step in range(self.sample_len):
            states = self.network.read(tokens)
            if step == 0:
                no_speech_probs = self._no_speech(states[:, self.sot_index])
            raised = self.decoder.raised(tokens)
            found = self._sayable.best(states[:, -1], self.n_group + 1, raised, is_first=step == 0)
            chosen = self.decoder.choose(tokens, found, sum_logprobs)
            self.network.rearrange(chosen.sources)
            self.trace.end_step(windows.live, tokens, chosen)
            tokens, sum_logprobs = chosen.tokens, chosen.sum_logprobs
            if self.decoder.completed or tokens.shape[-1] > self.n_ctx:
                break
            tokens, sum_logprobs = windows.without_ended(tokens, sum_logprobs)
        return *windows.all(tokens, sum_logprobs), no_speech_probs

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

    def read(self, tokens: Tensor) -> Tensor:
        """Return the states (rows, new tokens, width) after texts (rows, tokens)."""
        decoder, new = self._decoder, tokens[:, self.length :]
        places = decoder.positional_embedding[self.length : tokens.shape[1]]
        x = (decoder.token_embedding(new) + places).to(self._sound.features.dtype)
        for layer, block in enumerate(decoder.blocks):
            x = x + self._remember(layer, block.attn, block.attn_ln(x))
            x = x + self._listen(layer, block.cross_attn, block.cross_attn_ln(x))
            x = x + block.mlp(block.mlp_ln(x))
        self.length = tokens.shape[1]
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
        mask = self._decoder.mask if new > 1 else None
        remembered, _ = attention.qkv_attention(attention.query(x), k, v, mask)
        own: Tensor = attention.out(remembered)
        return own

    def _listen(self, layer: int, attention: MultiHeadAttention, x: Tensor) -> Tensor:
        """Attend to the sound, whose keys and values all texts of a window share."""
        if layer not in self._sound.keys_and_values:
            features = self._sound.features
            k, v = attention.key(features), attention.value(features)
            self._sound.lay_out(layer, k, v, attention.n_head)
        kept = self._sound.keys_and_values[layer]
        q = attention.query(x)
        by_window = q.reshape(len(kept), -1, attention.n_head, q.shape[-1] // attention.n_head)
        by_head = by_window.transpose(1, 2) * by_window.shape[-1] ** -0.5
        scores = [own @ k.transpose(-1, -2) for own, (k, _) in zip(by_head, kept, strict=True)]
        self._trace.attend(layer, scores, x.shape[1])
        heard = torch.stack(
            [
                own.softmax(-1, dtype=torch.float32).to(v.dtype) @ v
                for own, (_, v) in zip(scores, kept, strict=True)
            ]
        )
        own: Tensor = attention.out(heard.transpose(1, 2).reshape(q.shape))
        return own


class _Windows:
    """The windows of a batch that are still being decoded, and what came of the others."""

    def __init__(self, task: _EncodedDecodingTask, sound: _Sound) -> None:
        self._task, self._sound = task, sound
        self.live = list(range(len(sound.windows)))
        self._ended: dict[int, tuple[Tensor, Tensor]] = {}  # tokens and log probabilities
        self._found: dict[int, dict[tuple[int, ...], float]] = {}

    def without_ended(self, tokens: Tensor, sum_logprobs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows of windows that go on; the others are set aside, and the memory of their
        sound is freed.
        """
        decoder, beams = self._task.decoder, self._task.n_group
        found = decoder.finished_sequences or []
        going = [i for i, ended in enumerate(found) if len(ended) < decoder.max_candidates]
        if len(going) == len(self.live):
            return tokens, sum_logprobs
        rows = [i * beams + beam for i in going for beam in range(beams)]
        for i in set(range(len(self.live))) - set(going):
            own = slice(i * beams, (i + 1) * beams)
            self._ended[self.live[i]] = tokens[own], sum_logprobs[own]
            self._found[self.live[i]] = found[i]
        decoder.finished_sequences = [found[i] for i in going]
        self._task.network.rearrange(rows)
        self.live = [self.live[i] for i in going]
        self._sound.keep(going)
        return tokens[rows], sum_logprobs[rows]

    def all(self, tokens: Tensor, sum_logprobs: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of all windows again; those of a window that ended early say nothing more."""
        if not self._ended:
            return tokens, sum_logprobs
        decoder, beams = self._task.decoder, self._task.n_group
        live = {
            window: (tokens[i * beams : (i + 1) * beams], sum_logprobs[i * beams : (i + 1) * beams])
            for i, window in enumerate(self.live)
        }
        rows = [(self._ended | live)[i] for i in range(len(self._ended) + len(live))]
        length = tokens.shape[1]
        padded = [pad(t, (0, length - t.shape[1]), value=decoder.eot) for t, _ in rows]
        found = self._found | dict(zip(self.live, decoder.finished_sequences or [], strict=True))
        decoder.finished_sequences = [found[i] for i in range(len(rows))]
        return torch.cat(padded), torch.cat([logprobs for _, logprobs in rows])


class _Step(NamedTuple):
    """A step of decoding; rows are (windows, beams), by the windows that were `live`.

    `tokens` is the text that was read, (windows, beams, tokens), `scores` what its last token, and
    in the first step the prompt, attended to: (windows, beams, tokens, heads, frames). In the first
    step there is one beam as yet. `next` is the text after the step, and `probabilities` are those
    of its last tokens.
    """

    live: list[int]
    tokens: Tensor
    scores: Tensor
    next: Tensor
    probabilities: Tensor


class _Trace:
    """The attention at each step, so that no second pass is needed to time the words."""

    def __init__(self, model: Whisper, begin: int) -> None:
        self._heads: dict[int, list[int]] = {}
        for layer, head in model.alignment_heads.indices().T.tolist():
            self._heads.setdefault(layer, []).append(head)
        self._begin = begin
        self._scores: list[Tensor] = []  # of the step that is under way, layer by layer
        self._steps: list[_Step] = []

    def attend(self, layer: int, scores: Sequence[Tensor], tokens: int) -> None:
        """Note the scores of a layer's alignment heads, (heads, beams x tokens, frames) for each
        window.
        """
        if layer in self._heads:
            longest = max(own.shape[-1] for own in scores)
            chosen = [
                pad(own[self._heads[layer]].to(torch.float16), (0, longest - own.shape[-1]))
                for own in scores
            ]
            stacked = torch.stack(chosen)  # (windows, heads, beams x tokens, frames)
            by_beam = stacked.reshape(*stacked.shape[:2], -1, tokens, longest)
            self._scores.append(by_beam.permute(0, 2, 3, 1, 4))

    def end_step(self, live: list[int], before: Tensor, chosen: Chosen) -> None:
        """Note the texts before and after a step."""
        read, after = (t[:, self._begin :] for t in (before, chosen.tokens))
        self._steps.append(
            _Step(
                list(live),
                torch.unflatten(read, 0, (len(live), -1)),
                torch.cat(self._scores, dim=3),
                torch.unflatten(after, 0, (len(live), -1)),
                torch.unflatten(chosen.probabilities, 0, (len(live), -1)),
            )
        )
        self._scores = []

    def reading(self, window: int, result: DecodingResult) -> Reading:
        """Return a result with its attention: at each step, that of the beam that read its text.

        What a beam attends to follows from the tokens before, so that any beam with these will do.
        """
        text = torch.tensor(result.tokens, device=result.audio_features.device)
        scores: list[Tensor] = []
        probabilities: list[float] = []
        for at, step in enumerate(self._steps[: len(text) + 1]):
            if window not in step.live:
                break
            row = step.live.index(window)
            alike = (step.tokens[row] == text[:at]).all(-1).nonzero()
            chosen = (
                (step.next[row] == text[: at + 1]).all(-1).nonzero() if at < len(text) else alike
            )
            if not len(alike) or not len(chosen):
                break
            scores.append(step.scores[row, int(alike[0])])
            if at < len(text):
                probabilities.append(float(step.probabilities[row, int(chosen[0])]))
        if len(scores) <= len(text):
            return Reading(result, None, None)
        # As wide as the longest window of the batch was, which may have ended earlier.
        frames = min(own.shape[-1] for own in scores)
        attention = torch.cat([own[..., :frames] for own in scores])
        return Reading(result, attention, tuple(probabilities))

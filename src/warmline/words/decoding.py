"""Whisper's own networks, on windows of any length, and with beams that share their sound.

openai-whisper repeats the encoded sound for every beam and reads it anew for each at every step.
The beams of a window hear the same thing, so here they are rows of one query instead, and the keys
and values of the sound are laid out once in the order in which they are multiplied. A window that
has ended leaves the batch, which goes on without it.

This module imports torch: it is loaded with the recogniser's first batch.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import gelu, pad
from whisper.decoding import (
    BeamSearchDecoder,
    DecodingOptions,
    DecodingResult,
    DecodingTask,
    Inference,
)
from whisper.model import MultiHeadAttention, Whisper
from whisper.timing import TOKENS_PER_SECOND, WordTiming, dtw, median_filter
from whisper.tokenizer import Tokenizer, get_tokenizer

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

    `options` names the language and may ask for beams. Windows may differ in length. A `bias`
    needs beams, be it one; its terms count in the choice of a text, and not in `avg_logprob`.
    """
    sound = _Sound(features)
    task = _EncodedDecodingTask(model, options, sound)
    if bias is not None:
        task.decoder = _BiasedBeamSearch(task, bias)
    results: list[DecodingResult] = task.run(sound.features)
    if bias is not None:
        results = [_without_bias(result, bias) for result in results]
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
    text_at, frame_at = dtw(-weights.mean(0)[len(tokenizer.sot_sequence) :])
    starts = frame_at[np.diff(text_at, prepend=-1).astype(bool)] / TOKENS_PER_SECOND
    ends = np.cumsum([len(t) for t in word_tokens[:-1]])
    return [
        WordTiming(word, own, starts[a], starts[b], float(np.mean(reading.probabilities[a:b])))
        for word, own, a, b in zip(words, word_tokens, [0, *ends[:-1]], ends, strict=False)
    ]


class _Sound:
    """The windows that are being decoded: how long each is, and what the layers make of it.

    `keys_and_values` has, for each layer of the decoder, a pair (heads, frames, states) for each
    window. They are the same for all of its beams, and are made in the first step.
    """

    def __init__(self, windows: Sequence[Tensor]) -> None:
        self.features = torch.nn.utils.rnn.pad_sequence(list(windows), batch_first=True)
        self._frames = [len(window) for window in windows]
        self.keys_and_values: dict[int, list[tuple[Tensor, Tensor]]] = {}

    def lay_out(self, layer: int, k: Tensor, v: Tensor, heads: int) -> None:
        """Keep a layer's keys and values (windows, frames, states), by window and head."""
        self.keys_and_values[layer] = [
            tuple(x[:frames].reshape(frames, heads, -1).transpose(0, 1).contiguous() for x in both)
            for *both, frames in zip(k, v, self._frames, strict=True)
        ]

    def keep(self, places: list[int]) -> None:
        """Leave only the windows in these places."""
        self._frames = [self._frames[i] for i in places]
        for layer, kept in self.keys_and_values.items():
            self.keys_and_values[layer] = [kept[i] for i in places]


class _EncodedDecodingTask(DecodingTask):  # type: ignore[misc]
    """Takes features where Whisper's takes mel spectrograms, and many windows with many beams."""

    def __init__(self, model: Whisper, options: DecodingOptions, sound: _Sound) -> None:
        super().__init__(model, options)
        self._sound = sound
        self.trace = _Trace(model, self.n_group, self.sample_begin)

    def _get_audio_features(self, mel: Tensor) -> Tensor:
        # Whisper picks every n-th row in the end, as if there were one for each beam.
        return mel.repeat_interleave(self.n_group, dim=0)

    def _detect_language(self, _features: Tensor, tokens: Tensor) -> tuple[list[str], None]:
        return [self.options.language] * tokens.shape[0], None

    def _main_loop(
        self, _audio_features: Tensor, tokens: Tensor
    ) -> tuple[Tensor, Tensor, list[float]]:
        """Whisper's loop, but a window leaves the batch as soon as it has ended."""
        windows = _Windows(self, self._sound)
        sum_logprobs = torch.zeros(tokens.shape[0], device=tokens.device)
        no_speech_probs = [math.nan] * tokens.shape[0]
        try:
            with _attention_to(self._sound, self.model, self.inference, self.trace):
                for step in range(self.sample_len):
                    logits = self.inference.logits(tokens, self._sound.features)
                    if step == 0 and self.tokenizer.no_speech is not None:
                        at_start = logits[:, self.sot_index].float().softmax(dim=-1)
                        no_speech_probs = at_start[:, self.tokenizer.no_speech].tolist()
                    logits = logits[:, -1]
                    of_text = logits[:, : self.tokenizer.eot].float().logsumexp(-1)
                    for logit_filter in self.logit_filters:
                        logit_filter.apply(logits, tokens)
                    before = tokens
                    tokens, completed = self.decoder.update(tokens, logits, sum_logprobs)
                    self.trace.end_step(windows.live, before, tokens, logits, of_text)
                    if completed or tokens.shape[-1] > self.n_ctx:
                        break
                    tokens, sum_logprobs = windows.without_ended(tokens, sum_logprobs)
        finally:
            self.inference.cleanup_caching()
        return *windows.all(tokens, sum_logprobs), no_speech_probs


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


class _BiasedBeamSearch(BeamSearchDecoder):  # type: ignore[misc]
    """Whisper's beam search, but a beam's score is raised while it follows a listed term.

    Scores and the texts that have ended carry what the terms add; it follows from the tokens.
    """

    def __init__(self, task: _EncodedDecodingTask, bias: Bias) -> None:
        options = task.options
        super().__init__(options.beam_size, task.tokenizer.eot, task.inference, options.patience)
        self.finished_sequences: list[dict[tuple[int, ...], float]] | None = None
        self._bias, self._begin = bias, task.sample_begin
        self._tables = BiasTables(bias, task.model.device)

    def update(self, tokens: Tensor, logits: Tensor, sum_logprobs: Tensor) -> tuple[Tensor, bool]:
        """Return each window's best texts with one token more, and whether all have ended."""
        windows, beams = len(tokens) // self.beam_size, self.beam_size
        if self.finished_sequences is None:
            self.finished_sequences = [{} for _ in range(windows)]
        scores = logits.float().log_softmax(-1) + sum_logprobs[:, None]
        prefixes = tokens.tolist()
        for row, prefix in enumerate(prefixes):
            scores[row] += self._tables.raised_by(prefix[self._begin :])
        values, indices = (found.tolist() for found in scores.topk(beams + 1))
        going: list[list[int]] = []
        sources: list[int] = []
        for window, ended in enumerate(self.finished_sequences):
            candidates = {
                (*prefixes[row], token): (value, row)
                for row in range(window * beams, (window + 1) * beams)
                for value, token in zip(values[row], indices[row], strict=True)
            }
            ranked = sorted(candidates.items(), key=lambda item: item[1][0], reverse=True)
            for text, (score, row) in ranked:
                if text[-1] != self.eot:
                    sum_logprobs[len(going)] = score
                    going.append(list(text))
                    sources.append(row)
                elif len(ended) < self.max_candidates:
                    ended[text] = score
                if len(going) == (window + 1) * beams:
                    break
        self.inference.rearrange_kv_cache(sources)
        completed = all(len(ended) >= self.max_candidates for ended in self.finished_sequences)
        return torch.tensor(going, device=tokens.device), completed

    def finalize(self, tokens: Tensor, sum_logprobs: Tensor) -> tuple[list[list[Tensor]], Any]:
        """Return the texts of each window, also those cut off, which end here, and their scores."""
        for window, beam in np.ndindex(*sum_logprobs.shape):
            at, _ = self._bias.follow(tokens[window, beam, self._begin :].tolist())
            sum_logprobs[window, beam] += self._bias.settled(at, begins=True)
        found: tuple[list[list[Tensor]], Any] = super().finalize(tokens, sum_logprobs)
        return found


def _without_bias(result: DecodingResult, bias: Bias) -> DecodingResult:
    """Return a result whose confidence is that of the recogniser alone."""
    at, added = bias.follow(result.tokens)
    added += bias.settled(at, begins=True)
    confidence = result.avg_logprob - added / (len(result.tokens) + 1)
    return replace(result, avg_logprob=confidence)


class _Windows:
    """The windows of a batch that are still being decoded, and what came of the others."""

    def __init__(self, task: _EncodedDecodingTask, sound: _Sound) -> None:
        self._task, self._sound = task, sound
        self.live = list(range(len(sound.features)))
        self._ended: dict[int, tuple[Tensor, Tensor]] = {}  # tokens and log probabilities
        self._found: dict[int, dict[tuple[int, ...], float]] = {}

    def without_ended(self, tokens: Tensor, sum_logprobs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows of windows that go on; the others are set aside, and their memory is
        freed.
        """
        going = self._going(tokens)
        if len(going) == len(self.live):
            return tokens, sum_logprobs
        beams = self._task.n_group
        rows = [i * beams + beam for i in going for beam in range(beams)]
        for i in set(range(len(self.live))) - set(going):
            own = slice(i * beams, (i + 1) * beams)
            self._ended[self.live[i]] = tokens[own], sum_logprobs[own]
        self._set_aside_found(going)
        cache = self._task.inference.kv_cache
        own_modules = set(self._task.inference.kv_modules)
        for module, kept in cache.items():
            if module in own_modules:
                cache[module] = kept[rows]
        self.live = [self.live[i] for i in going]
        self._sound.keep(going)
        return tokens[rows], sum_logprobs[rows]

    def _going(self, tokens: Tensor) -> list[int]:
        decoder = self._task.decoder
        if isinstance(decoder, BeamSearchDecoder):
            found = decoder.finished_sequences
            return [i for i, ended in enumerate(found) if len(ended) < decoder.max_candidates]
        return [i for i, last in enumerate(tokens[:, -1].tolist()) if last != decoder.eot]

    def _set_aside_found(self, going: list[int]) -> None:
        decoder = self._task.decoder
        if isinstance(decoder, BeamSearchDecoder):
            found = decoder.finished_sequences
            self._found |= {self.live[i]: found[i] for i in range(len(found)) if i not in going}
            decoder.finished_sequences = [found[i] for i in going]

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
        if isinstance(decoder, BeamSearchDecoder):
            found = self._found | dict(zip(self.live, decoder.finished_sequences, strict=True))
            decoder.finished_sequences = [found[i] for i in range(len(rows))]
        return torch.cat(padded), torch.cat([logprobs for _, logprobs in rows])


class _Step(NamedTuple):
    """A step of decoding; rows are (windows, beams), by the windows that were `live`.

    `tokens` is the text that was read, (windows, beams, tokens), `scores` what its last token, and
    in the first step the prompt, attended to: (windows, beams, tokens, heads, frames). `next` is
    the text after the step, and `probabilities` are those of its last tokens.
    """

    live: list[int]
    tokens: Tensor
    scores: Tensor
    next: Tensor
    probabilities: Tensor


class _Trace:
    """The attention at each step, so that no second pass is needed to time the words."""

    def __init__(self, model: Whisper, beams: int, begin: int) -> None:
        self._heads: dict[int, list[int]] = {}
        for layer, head in model.alignment_heads.indices().T.tolist():
            self._heads.setdefault(layer, []).append(head)
        self._beams, self._begin = beams, begin
        self._scores: list[Tensor] = []  # of the step that is under way, layer by layer
        self._steps: list[_Step] = []

    def attend(self, layer: int, scores: Sequence[Tensor]) -> None:
        """Note the scores of a layer's alignment heads, (heads, rows, frames) for each window."""
        if layer in self._heads:
            longest = max(own.shape[-1] for own in scores)
            chosen = [
                pad(own[self._heads[layer]].to(torch.float16), (0, longest - own.shape[-1]))
                for own in scores
            ]
            stacked = torch.stack(chosen)  # (windows, heads, rows, frames)
            by_beam = stacked.reshape(*stacked.shape[:2], self._beams, -1, longest)
            self._scores.append(by_beam.permute(0, 2, 3, 1, 4))

    def end_step(
        self, live: list[int], before: Tensor, after: Tensor, logits: Tensor, of_text: Tensor
    ) -> None:
        """Note the tokens before and after a step; `of_text` normalises its logits."""
        read, chosen = (
            t[:, self._begin :].reshape(len(live), self._beams, t.shape[1] - self._begin)
            for t in (before, after)
        )
        came_from = (chosen[:, :, None, :-1] == read[:, None]).all(-1).int().argmax(-1)
        rows = came_from + self._beams * torch.arange(len(live), device=before.device)[:, None]
        last = chosen[..., -1]
        probabilities = (logits[rows, last].float() - of_text[rows]).exp()
        self._steps.append(
            _Step(list(live), read, torch.cat(self._scores, dim=3), chosen, probabilities)
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


@contextmanager
def _attention_to(
    sound: _Sound, model: Whisper, inference: Inference, trace: _Trace
) -> Iterator[None]:
    """Within it, keys and values of the sound are laid out once, by head, and beams share them."""

    def attend(
        layer: int, q: Tensor, k: Tensor, v: Tensor, _mask: None = None
    ) -> tuple[Tensor, None]:
        attention = attentions[layer]
        if layer not in sound.keys_and_values:
            sound.lay_out(layer, k, v, attention.n_head)
            inference.kv_cache[attention.key] = inference.kv_cache[attention.value] = q.new_empty(0)
        kept = sound.keys_and_values[layer]
        by_window = q.reshape(len(kept), -1, attention.n_head, q.shape[-1] // attention.n_head)
        by_head = by_window.transpose(1, 2) * by_window.shape[-1] ** -0.5
        scores = [own @ k.transpose(-1, -2) for own, (k, _) in zip(by_head, kept, strict=True)]
        trace.attend(layer, scores)
        heard = torch.stack(
            [
                own.softmax(-1, dtype=torch.float32).to(v.dtype) @ v
                for own, (_, v) in zip(scores, kept, strict=True)
            ]
        )
        return heard.transpose(1, 2).reshape(q.shape), None

    attentions: list[MultiHeadAttention] = [block.cross_attn for block in model.decoder.blocks]
    for layer, attention in enumerate(attentions):
        attention.qkv_attention = partial(attend, layer)
    try:
        yield
    finally:
        for attention in attentions:
            del attention.qkv_attention

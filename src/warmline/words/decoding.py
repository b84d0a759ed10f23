"""Whisper's own decoding, of sound that is encoded already, with beams that share its sound.

openai-whisper repeats the encoded sound for every beam and reads it anew for each at every step.
The beams of a window hear the same thing, so here they are rows of one query instead: the attention
to the sound costs about what it does for one beam, and a batch of windows can have beams. A window
whose beams have ended leaves the batch, which goes on without it.

This module imports torch: it is loaded with the recogniser's first batch.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from whisper.decoding import BeamSearchDecoder, DecodingOptions, DecodingResult, DecodingTask
from whisper.model import Whisper


def decode(model: Whisper, features: Tensor, options: DecodingOptions) -> list[DecodingResult]:
    """Return the text of each encoded window; `features` is (windows, frames, states).

    `options` names the language and may ask for beams.
    """
    results: list[DecodingResult] = _EncodedDecodingTask(model, options).run(features)
    return results


class _EncodedDecodingTask(DecodingTask):  # type: ignore[misc]
    """Takes features where Whisper's takes mel spectrograms, and many windows with many beams."""

    def _get_audio_features(self, mel: Tensor) -> Tensor:
        # Whisper picks every n-th row in the end, as if there were one for each beam.
        return mel.repeat_interleave(self.n_group, dim=0)

    def _detect_language(self, _features: Tensor, tokens: Tensor) -> tuple[list[str], None]:
        return [self.options.language] * tokens.shape[0], None

    def _main_loop(
        self, audio_features: Tensor, tokens: Tensor
    ) -> tuple[Tensor, Tensor, list[float]]:
        """Whisper's loop, but a window leaves the batch as soon as its beams have ended."""
        windows = _Windows(self, audio_features[:: self.n_group])
        sum_logprobs = torch.zeros(tokens.shape[0], device=audio_features.device)
        no_speech_probs = [math.nan] * tokens.shape[0]
        try:
            with _beams_share_the_sound(self.model, self.n_group):
                for step in range(self.sample_len):
                    logits = self.inference.logits(tokens, windows.features)
                    if step == 0 and self.tokenizer.no_speech is not None:
                        at_start = logits[:, self.sot_index].float().softmax(dim=-1)
                        no_speech_probs = at_start[:, self.tokenizer.no_speech].tolist()
                    logits = logits[:, -1]
                    for logit_filter in self.logit_filters:
                        logit_filter.apply(logits, tokens)
                    tokens, completed = self.decoder.update(tokens, logits, sum_logprobs)
                    if completed or tokens.shape[-1] > self.n_ctx:
                        break
                    tokens, sum_logprobs = windows.without_ended(tokens, sum_logprobs)
        finally:
            self.inference.cleanup_caching()
        return *windows.all(tokens, sum_logprobs), no_speech_probs


class _Windows:
    """The windows of a batch that are still being decoded, and what came of the others."""

    def __init__(self, task: _EncodedDecodingTask, features: Tensor) -> None:
        self.features = features
        self._task = task
        self._live = list(range(len(features)))
        self._ended: dict[int, dict[tuple[int, ...], float]] = {}

    def without_ended(self, tokens: Tensor, sum_logprobs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows of windows that go on; the others are set aside, and their memory is
        freed.
        """
        decoder, cache = self._task.decoder, self._task.inference.kv_cache
        if not isinstance(
            decoder, BeamSearchDecoder
        ):  # a greedy window has one row, which is cheap
            return tokens, sum_logprobs
        found = decoder.finished_sequences
        going = [i for i, ended in enumerate(found) if len(ended) < decoder.max_candidates]
        if len(going) == len(self._live):
            return tokens, sum_logprobs
        beams = self._task.n_group
        rows = [i * beams + beam for i in going for beam in range(beams)]
        own = set(self._task.inference.kv_modules)
        for module, kept in cache.items():
            cache[module] = kept[rows if module in own else going]
        self._ended |= {self._live[i]: found[i] for i in range(len(found)) if i not in going}
        decoder.finished_sequences = [found[i] for i in going]
        self._live = [self._live[i] for i in going]
        self.features = self.features[going]
        return tokens[rows], sum_logprobs[rows]

    def all(self, tokens: Tensor, sum_logprobs: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of all windows again; those of a window that ended early say nothing more."""
        if not self._ended:
            return tokens, sum_logprobs
        beams, count = self._task.n_group, len(self._live) + len(self._ended)
        rows = [i * beams + beam for i in self._live for beam in range(beams)]
        all_tokens = tokens.new_full((count * beams, tokens.shape[1]), self._task.decoder.eot)
        all_tokens[rows] = tokens
        all_logprobs = sum_logprobs.new_zeros(count * beams)
        all_logprobs[rows] = sum_logprobs
        live = zip(self._live, self._task.decoder.finished_sequences, strict=True)
        found = self._ended | dict(live)
        self._task.decoder.finished_sequences = [found[i] for i in range(count)]
        return all_tokens, all_logprobs


@contextmanager
def _beams_share_the_sound(model: Whisper, beams: int) -> Iterator[None]:
    """Within it, cross-attention takes the beams of a window as rows of one query."""
    if beams == 1:
        yield
        return

    def join(_module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, *others = inputs
        return (x.reshape(x.shape[0] // beams, beams * x.shape[1], x.shape[2]), *others)

    def part(_module: Any, _inputs: Any, outputs: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
        out, weights = outputs
        return out.reshape(out.shape[0] * beams, out.shape[1] // beams, out.shape[2]), weights

    hooks = []
    for block in model.decoder.blocks:
        hooks += [
            block.cross_attn.register_forward_pre_hook(join),
            block.cross_attn.register_forward_hook(part),
        ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

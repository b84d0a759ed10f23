"""Whisper's own decoding, of sound that is encoded already, with beams that share its sound.

openai-whisper repeats the encoded sound for every beam and reads it anew for each at every step.
The beams of a window hear the same thing, so here they are rows of one query instead: the attention
to the sound costs about what it does for one beam, and a batch of windows can have beams.

This module imports torch: it is loaded with the recogniser's first batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from whisper.decoding import DecodingOptions, DecodingResult, DecodingTask
from whisper.model import Whisper


def decode(model: Whisper, features: Tensor, options: DecodingOptions) -> list[DecodingResult]:
    """The text of each encoded window; `features` is (windows, frames, states).

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

    def _main_loop(self, audio_features: Tensor, tokens: Tensor) -> Any:
        with _beams_share_the_sound(self.model, self.n_group):
            return super()._main_loop(audio_features[:: self.n_group], tokens)


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

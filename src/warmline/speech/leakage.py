"""Takes the other party's voice, faint on this channel, out of this channel's speech."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warmline.recordings.sound import Sound
from warmline.speech.activity import FRAME_STEP_S, SAMPLES_PER_FRAME

_SMOOTHING_S = 0.25
_FRAMES_AT_ONCE = 40_000


def without_leakage(
    sound: Sound, speech: Sequence[NDArray[np.float32]], leakage_db: float
) -> list[NDArray[np.float32]]:
    """Speech probabilities per channel, 0 where another channel is far louder.

    `speech` is (frames,) per channel. Two people who speak at once differ by less than
    `leakage_db`; what crosses over in a telephone's hybrid or a headset is fainter than that.
    """
    levels = np.stack([_levels_db(sound, c, len(p)) for c, p in enumerate(speech)])
    heard = []
    for channel, probability in enumerate(speech):
        others = np.delete(levels, channel, axis=0)
        own = levels[channel] > others.max(axis=0, initial=-np.inf) - leakage_db
        heard.append(np.where(own, probability, np.float32(0)))
    return heard


def _levels_db(sound: Sound, channel: int, frames: int) -> NDArray[np.float32]:
    """Level of each segmentation frame's step, smoothed over a syllable, dB re full scale."""
    power = np.zeros(frames, np.float32)
    for first in range(0, frames, _FRAMES_AT_ONCE):
        start_s, end_s = first * FRAME_STEP_S, (first + _FRAMES_AT_ONCE) * FRAME_STEP_S
        samples = sound.channel(channel, start_s, end_s)
        whole = samples[: samples.size // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME]
        steps = np.square(whole).reshape(-1, SAMPLES_PER_FRAME).mean(axis=1)
        power[first : first + steps.size] = steps[: frames - first]
    width = max(1, round(_SMOOTHING_S / FRAME_STEP_S))
    smooth = np.convolve(power, np.ones(width, np.float32) / width, mode="same")
    return np.asarray(10 * np.log10(smooth[:frames] + 1e-10), np.float32)

"""Which frames are voiced, and at which of their candidates for pitch.

The cheapest path through the candidates of neighbouring frames, in which "unvoiced" is a candidate
like any other (Boersma 1993), found twice: first over the whole range, then over the speaker's own,
which the first pass showed (De Looze & Hirst 2008). The second pass removes octave errors that a
missing fundamental leaves. Checked against Praat and pYIN in `tests/test_prosody_pitch.py`.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from warmline.prosody.pitch import OCTAVE_COST, Candidates, Floats

# Boersma's costs. Peaks of a compressed spectrum are lower than those of a plain autocorrelation:
# the voicing threshold is 0.375 where Praat has 0.45.
_VOICING_THRESHOLD = 0.375
_SILENCE_THRESHOLD = 0.03
_OCTAVE_JUMP_COST = 0.35
_VOICING_COST = 0.14
# Times the lower and upper quartile. De Looze & Hirst: 0.75 and 1.5; heat needs a little more room.
_OWN_RANGE = (0.7, 1.7)
_MIN_VOICED_FOR_RANGE = 50
# Long stretches are cut here, so that the paths of a party can be found side by side.
_BLOCK = 500


def pitch_track(
    candidates: Candidates, peak: Floats, stretch: NDArray[np.int32], floor_hz: float
) -> Floats:
    """The pitch of each frame of one party in Hz, 0 where it is not voiced.

    `peak` is the largest sample of each frame; `stretch` numbers the contiguous stretch it belongs
    to. Frames are in order of time. `floor_hz` is the lowest pitch looked for.
    """
    pitch, strength = candidates.pitch_hz, candidates.strength
    if not len(peak):
        return np.zeros(0, np.float32)
    loud = max(float(np.percentile(peak, 99.5)), float(np.finfo(np.float32).tiny))
    quiet = 2 - peak / loud / (_SILENCE_THRESHOLD / (1 + _VOICING_THRESHOLD))
    unvoiced = (_VOICING_THRESHOLD + np.maximum(0, quiet)).astype(np.float32)
    octave = np.log2(np.maximum(pitch, 1)).astype(np.float32)
    # The octave cost prefers the higher of two equally good candidates.
    preferred = strength + OCTAVE_COST * (octave - np.float32(np.log2(floor_hz)))
    reward = np.where(pitch > 0, preferred, -np.inf).astype(np.float32)
    blocks = _Blocks(stretch)
    track = _paths(pitch, octave, reward, unvoiced, blocks)
    voiced = track[track > 0]
    if len(voiced) < _MIN_VOICED_FOR_RANGE:
        return track
    low, high = np.percentile(voiced, [25, 75]) * _OWN_RANGE
    reward[(pitch < low) | (pitch > high)] = -np.inf
    return _paths(pitch, octave, reward, unvoiced, blocks)


class _Blocks:
    """Contiguous frames, none too long, the longest first, to be walked through in step."""

    def __init__(self, stretch: NDArray[np.int32]) -> None:
        edges = [0, *(np.flatnonzero(np.diff(stretch)) + 1).tolist(), len(stretch)]
        spans = [
            (at, min(_BLOCK, past - at))
            for first, past in pairwise(edges)
            for at in range(first, past, _BLOCK)
        ]
        spans.sort(key=lambda s: -s[1])
        self._starts = np.array([start for start, _ in spans])
        self._lengths = np.array([length for _, length in spans])
        self.longest = int(self._lengths[0])

    def at(self, step: int) -> NDArray[np.int64]:
        """The frames at this step, of all blocks that are so long."""
        count = int(np.searchsorted(-self._lengths, -step))
        frames: NDArray[np.int64] = self._starts[:count] + step
        return frames


def _paths(
    pitch: Floats, octave: Floats, reward: Floats, unvoiced: Floats, blocks: _Blocks
) -> Floats:
    """Viterbi's best path through every block; state 0 is "unvoiced", the others candidates."""
    score = np.concatenate([unvoiced[:, None], reward], axis=1)
    came_from = np.zeros(score.shape, np.int8)
    total = score[blocks.at(0)]
    for step in range(1, blocks.longest):
        now = blocks.at(step)
        cost = np.full((len(now), score.shape[1], score.shape[1]), _VOICING_COST, np.float32)
        jump = octave[now - 1][:, :, None] - octave[now][:, None, :]
        cost[:, 1:, 1:] = _OCTAVE_JUMP_COST * np.abs(jump)
        cost[:, 0, 0] = 0
        through = total[: len(now), :, None] - cost
        came_from[now] = through.argmax(axis=1)
        total[: len(now)] = through.max(axis=1) + score[now]
    state = total.argmax(axis=1)
    track = np.zeros(len(pitch), np.float32)
    for step in range(blocks.longest - 1, -1, -1):
        now = blocks.at(step)
        here = state[: len(now)]
        track[now] = np.where(here > 0, pitch[now, np.maximum(here - 1, 0)], 0)
        state[: len(now)] = came_from[now, here]
    return track

"""Where the heads are sure enough: thresholds, and digests, written to `networks.toml`.

A threshold is the lowest at which people agree with the model in `PRECISION` of cases, on comments
and pairs that it has not learned from; both are read as the house reads turns.
"""

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corpora import Comment, Pair
from warmline.language.rulebook import CUE_LABELS
from warmline.language.windows import (
    FEELINGS,
    LEVELS,
    MECHANISMS,
    adapter_file,
    emotion_probabilities,
    plainness,
)
from warmline.models.engines import Engines
from warmline.phrases import spoken_text

PRECISION = 0.85
_STEPS = np.arange(0.5, 0.96, 0.05)
_FILE = adapter_file("emotions").with_name("networks.toml")
_HEAD = """\
# Written by training/train.py. A threshold is the lowest, from 0.5 in steps of 0.05, at which
# people agreed with the model in {precision:.0%} of cases, on texts that it had not learned from;
# where none is that good, 0.95.
"""


def of_emotions(comments: Sequence[Comment], engines: Engines) -> dict[str, float]:
    """A threshold for each feeling of the ledger, from comments kept aside."""
    texts = [" ".join(spoken_text(c.text).words) or "." for c in comments]
    said = emotion_probabilities(texts, engines)
    return {
        label: _lowest(
            said[label] * np.array([plainness(float(r)) for r in said["remorse"]]),
            np.array([bool(c.emotions & FEELINGS[label]) for c in comments]),
        )
        for label in CUE_LABELS
    }


def of_mechanisms(pairs: Sequence[Pair], folds: Path) -> dict[str, float]:
    """A threshold for each mechanism to be there at all, from the cross-validation."""
    with folds.open(encoding="utf-8", newline="") as file:
        rows = {(r["seeker_id"], r["response_id"]): r for r in csv.DictReader(file)}
    found = {}
    for place, mechanism in enumerate(MECHANISMS):
        known = [p for p in pairs if (p.seeker_id, p.response_id) in rows]
        said = [
            sum(
                float(rows[p.seeker_id, p.response_id][f"{mechanism}_{k}"])
                for k in range(1, LEVELS)
            )
            for p in known
        ]
        found[mechanism] = _lowest(np.array(said), np.array([p.levels[place] > 0 for p in known]))
    return found


def write(thresholds: Mapping[str, Mapping[str, float]]) -> None:
    """Write thresholds and the digests of the weights they belong to."""
    _FILE.write_text("\n".join(_lines(thresholds)) + "\n", encoding="utf-8")


def _lines(thresholds: Mapping[str, Mapping[str, float]]) -> Iterable[str]:
    yield _HEAD.format(precision=PRECISION).rstrip()
    for name, of_network in thresholds.items():
        digest = hashlib.sha256(adapter_file(name).read_bytes()).hexdigest()
        yield f'\n[{name}]\nsha256 = "{digest}"\n\n[{name}.thresholds]'
        yield from (f"{label} = {value:.2f}" for label, value in of_network.items())


def _lowest(said: NDArray[np.floating], there: NDArray[np.bool_]) -> float:
    for step in _STEPS:
        over = said >= step
        if over.any() and there[over].mean() >= PRECISION:
            return float(step)
    return float(_STEPS[-1])

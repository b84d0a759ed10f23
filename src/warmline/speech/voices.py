"""Tells voices apart: one embedding per stretch, clustered, with a confidence.

A telephone call has two parties, so two voices are expected; one is concluded only when neither
the embeddings nor the segmentation hear a second, and more only when each further voice stands
well apart and speaks for a while (a transfer, a conference).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmline.settings import SpeechSettings

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]

# Two voices where one was to be expected: margin, share of windows with both, share of the smaller.
_PLAIN_MARGIN = 0.15
_PLAIN_WINDOWS = 0.3
_PLAIN_SHARE = 0.08
_LONGEST_WEIGHT_S = 3.0  # past this a longer stretch says no more of a voice


@dataclass(frozen=True, eq=False)
class Voices:
    """A label per stretch, and how sure that is (0..1). `margin` is what decided."""

    labels: Labels
    count: int
    margin: float
    confidence: float
    reason: str


def tell_apart(
    embeddings: Vectors,
    durations_s: NDArray[np.float64],
    two_voice_share: float,
    settings: SpeechSettings,
    one_expected: bool = False,
) -> Voices:
    """Cluster stretches by voice.

    `embeddings` is (stretches, dimension), unit length; `durations_s` (stretches,);
    `two_voice_share` the share of windows in which the segmentation heard two voices. Two voices
    are expected, unless `one_expected`: then they must be plainly two.
    """
    n = len(embeddings)
    weights = np.minimum(durations_s, _LONGEST_WEIGHT_S)
    wanted = settings.expected_parties
    if n < 2 or wanted == 1:
        return Voices(np.zeros(n, np.int64), 1, 0.0, 1.0 if wanted == 1 else 0.5, "one stretch")
    if wanted > 1:
        labels = _cluster(embeddings, weights, min(wanted, n))
        return _judged(embeddings, weights, labels, "told how many")
    two = _cluster(embeddings, weights, 2)
    judged = _judged(embeddings, weights, two, "two voices expected")
    if one_expected:
        is_one = not _plainly_two(judged, durations_s, two_voice_share)
    else:
        is_one = (
            judged.margin < settings.one_voice_margin and two_voice_share < settings.one_voice_share
        )
    if is_one:
        return Voices(np.zeros(n, np.int64), 1, judged.margin, 0.5, "one voice heard")
    for count in range(min(settings.max_parties, n), 2, -1):
        labels = _cluster(embeddings, weights, count)
        if _stand_apart(embeddings, weights, durations_s, labels, settings):
            return _judged(embeddings, weights, labels, f"{count} voices stand apart")
    return judged


def _plainly_two(judged: Voices, durations_s: NDArray[np.float64], two_voice_share: float) -> bool:
    """Whether nothing speaks for one voice that was cut in two.

    Of eight mixes all pass this, of sixteen channels of one voice none: those have a margin of 0.14
    at most, or a smaller voice of 0.03, or two voices in a fifth of the windows.
    """
    first_s = float(durations_s[judged.labels == 0].sum())
    smaller = min(first_s, float(durations_s.sum()) - first_s) / float(durations_s.sum())
    return (
        judged.margin >= _PLAIN_MARGIN
        and two_voice_share >= _PLAIN_WINDOWS
        and smaller >= _PLAIN_SHARE
    )


def _cluster(embeddings: Vectors, weights: NDArray[np.float64], count: int) -> Labels:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # A handful of short vectors: threads only cost.
    with threadpool_limits(limits=1):
        fitted = KMeans(count, n_init=16, random_state=0).fit(embeddings, sample_weight=weights)
    return np.asarray(fitted.labels_, np.int64)


def _centroid(embeddings: Vectors, weights: NDArray[np.float64]) -> Vectors:
    total = (weights[:, None] * embeddings).sum(axis=0)
    return np.asarray(total / (np.linalg.norm(total) + 1e-9), np.float32)


def _judged(
    embeddings: Vectors, weights: NDArray[np.float64], labels: Labels, reason: str
) -> Voices:
    margin = _left_out_margin(embeddings, weights, labels)
    # Two real voices had margins from 0.16 to 0.65, one voice cut in two from -0.1 to 0.16.
    confidence = float(1 / (1 + np.exp(-(margin - 0.14) / 0.05)))
    return Voices(labels, int(labels.max()) + 1, margin, confidence, reason)


def _left_out_margin(embeddings: Vectors, weights: NDArray[np.float64], labels: Labels) -> float:
    """How much nearer, in cosine, a stretch is to its own voice's other stretches.

    Nearer than to the nearest other voice, averaged by duration; a stretch that is all its voice
    has counts as 0.
    """
    margins = np.zeros(len(embeddings))
    for i, label in enumerate(labels):
        own = labels == label
        own[i] = False
        if not own.any():
            continue
        others = [
            float(embeddings[i] @ _centroid(embeddings[labels == k], weights[labels == k]))
            for k in np.unique(labels)
            if k != label
        ]
        mine = float(embeddings[i] @ _centroid(embeddings[own], weights[own]))
        margins[i] = mine - max(others, default=0.0)
    return float((weights * margins).sum() / weights.sum())


def _stand_apart(
    embeddings: Vectors,
    weights: NDArray[np.float64],
    durations_s: NDArray[np.float64],
    labels: Labels,
    settings: SpeechSettings,
) -> bool:
    kinds = np.unique(labels)
    if any(durations_s[labels == k].sum() < settings.further_voice_min_s for k in kinds):
        return False
    centroids = np.stack([_centroid(embeddings[labels == k], weights[labels == k]) for k in kinds])
    cosines = centroids @ centroids.T
    return bool(cosines[~np.eye(len(kinds), dtype=bool)].max() < settings.further_voice_cosine)

"""How far people agree with each other, and the ledger with them.

Turns are drawn with unlike chances (all of few flagged ones, few of many unflagged), so precision
and recall weigh each by the inverse of its chance (Horvitz & Thompson 1952); intervals of shares
are Wilson's at the effective number of turns (Kish 1965). Recall rests on two shares, of feelings
among flagged turns and among the many unflagged ones: its value and interval are those of the
posterior of both (Jeffreys's prior), because none found among few says little about many.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from warmline.annotation.items import Label, is_answered
from warmline.annotation.sheets import Key
from warmline.statistics import Estimate, bootstrap, cohen_kappa, wilson

CONSENSUS = "most annotators"
_DRAWS = 20_000

Labels = Mapping[str, Label]


@dataclass(frozen=True)
class Between:
    """Two annotators: Cohen's kappa of what both labelled.

    `cue` is of a feeling or none, `feeling` of which (none included), `answered` of whether the
    agent answered, where both saw a feeling and an answer. None where it cannot be said.
    """

    left: str
    right: str
    items: int
    cue: Estimate | None
    feeling: Estimate | None
    answered: Estimate | None


@dataclass(frozen=True)
class Against:
    """The ledger against one annotator, or against most of them.

    `precision`: flagged turns in which the person sees a feeling; `recall`: turns with a feeling
    that are flagged, of all turns long enough to be drawn; `kind`: of flagged turns with a feeling,
    those with the same one; `answered`: of those where both say whether it was answered, the same.
    """

    annotator: str
    items: int
    precision: Estimate | None
    recall: Estimate | None
    kind: Estimate | None
    answered: Estimate | None
    answered_kappa: Estimate | None


@dataclass(frozen=True)
class Agreement:
    """Everything that the sheets say. `undecided` items have no majority."""

    between: tuple[Between, ...]
    against: tuple[Against, ...]
    undecided: int


def agreement(sheets: Mapping[str, Labels], key: Mapping[str, Key], *, seed: int = 1) -> Agreement:
    """Agreement between annotators, and of the ledger with each and with most of them."""
    between = tuple(_between(a, b, sheets, key, seed) for a, b in combinations(sheets, 2))
    against = [_against(name, labels, key, seed) for name, labels in sheets.items()]
    undecided = 0
    if len(sheets) > 1:
        shared, undecided = consensus(list(sheets.values()))
        against.append(_against(CONSENSUS, shared, key, seed))
    return Agreement(between, tuple(against), undecided)


def consensus(sheets: Sequence[Labels]) -> tuple[dict[str, Label], int]:
    """What more than half of those who labelled an item say, and how many items are undecided.

    Only items that two or more people labelled count.
    """
    agreed: dict[str, Label] = {}
    undecided = 0
    for item_id in dict.fromkeys(i for sheet in sheets for i in sheet):
        labels = [sheet[item_id] for sheet in sheets if item_id in sheet]
        if len(labels) < 2:
            continue
        feeling, votes = Counter(label.feeling for label in labels).most_common(1)[0]
        if 2 * votes <= len(labels):
            undecided += 1
            continue
        answers = Counter(la.answer for la in labels if la.feeling == feeling and la.answer)
        answer, of = answers.most_common(1)[0] if answers else (None, 0)
        agreed[item_id] = Label(feeling, answer if 2 * of > sum(answers.values()) else None)
    return agreed, undecided


def _between(
    left: str, right: str, sheets: Mapping[str, Labels], key: Mapping[str, Key], seed: int
) -> Between:
    ours, theirs = sheets[left], sheets[right]
    both = [item_id for item_id in ours if item_id in theirs]
    pairs = [(ours[i], theirs[i]) for i in both]
    calls = [key[i].call_id for i in both]
    told = [
        (is_answered(a.answer), is_answered(b.answer), call)
        for (a, b), call in zip(pairs, calls, strict=True)
        if is_answered(a.answer) is not None and is_answered(b.answer) is not None
    ]
    return Between(
        left,
        right,
        len(both),
        cue=_kappa([a.is_cue for a, _ in pairs], [b.is_cue for _, b in pairs], calls, seed),
        feeling=_kappa([a.feeling for a, _ in pairs], [b.feeling for _, b in pairs], calls, seed),
        answered=_kappa([t[0] for t in told], [t[1] for t in told], [t[2] for t in told], seed),
    )


def _kappa(
    left: Sequence[object], right: Sequence[object], calls: Sequence[str], seed: int
) -> Estimate | None:
    if not calls:
        return None
    return bootstrap(
        lambda rows: cohen_kappa([left[i] for i in rows], [right[i] for i in rows]),
        calls,
        seed=seed,
    )


def _against(name: str, labels: Labels, key: Mapping[str, Key], seed: int) -> Against:
    flagged = [i for i in labels if key[i].kinds]
    hits = [i for i in flagged if labels[i].is_cue]
    told = [
        (is_answered(labels[i].answer), is_answered(key[i].answer), key[i].call_id)
        for i in hits
        if is_answered(labels[i].answer) is not None and is_answered(key[i].answer) is not None
    ]
    same_kind = [i for i in hits if labels[i].feeling in key[i].kinds]
    return Against(
        name,
        len(labels),
        precision=_weighted_share(hits, flagged, key),
        recall=_recall(flagged, [i for i in labels if not key[i].kinds], labels, key, seed),
        kind=_weighted_share(same_kind, hits, key),
        answered=wilson(sum(a == b for a, b, _ in told), len(told)),
        answered_kappa=_kappa(
            [t[0] for t in told], [t[1] for t in told], [t[2] for t in told], seed
        ),
    )


def _recall(
    flagged: Sequence[str],
    unflagged: Sequence[str],
    labels: Labels,
    key: Mapping[str, Key],
    seed: int,
) -> Estimate | None:
    """Return F p1 / (F p1 + U p0) with its interval; None where one of the groups has no label.

    F and U are how many flagged and unflagged turns there are, p1 and p0 the shares of them that
    show a feeling, each with a Beta posterior at the effective number of turns.
    """
    if not flagged or not unflagged:
        return None
    random = np.random.default_rng(seed)
    felt_flagged = _posterior_count(flagged, labels, key, random)
    felt_unflagged = _posterior_count(unflagged, labels, key, random)
    low, middle, high = np.percentile(
        felt_flagged / (felt_flagged + felt_unflagged), (2.5, 50.0, 97.5)
    )
    return Estimate(float(middle), float(low), float(high), sum(labels[i].is_cue for i in labels))


def _posterior_count(
    items: Sequence[str], labels: Labels, key: Mapping[str, Key], random: np.random.Generator
) -> NDArray[np.float64]:
    """Return draws of how many turns, of all that these stand for, show a feeling."""
    weights = np.array([1 / key[i].chance for i in items])
    felt = float(weights @ np.array([labels[i].is_cue for i in items])) / weights.sum()
    n = weights.sum() ** 2 / (weights @ weights)
    draws = random.beta(felt * n + 0.5, (1 - felt) * n + 0.5, _DRAWS)
    counts: NDArray[np.float64] = draws * weights.sum()
    return counts


def _weighted_share(
    part: Sequence[str], whole: Sequence[str], key: Mapping[str, Key]
) -> Estimate | None:
    """The share of a part, each item weighed by how many turns it stands for."""
    if not whole:
        return None
    weights = np.array([1 / key[i].chance for i in whole])
    share = sum(1 / key[i].chance for i in part) / weights.sum()
    effective = float(weights.sum() ** 2 / (weights @ weights))
    found = wilson(share * effective, effective)
    return found and Estimate(float(share), found.low, found.high, len(whole))

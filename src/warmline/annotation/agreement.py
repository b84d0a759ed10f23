"""How far people agree with each other, and the ledger with them.

Turns are drawn with unlike chances (all of few flagged ones, few of many unflagged), so everything
weighs each by the inverse of its chance (Horvitz & Thompson 1952): a kappa of a sample in which
half of the turns were chosen for their feelings is not that of the calls. Intervals of shares are
Wilson's at the effective number of turns (Kish 1965), those of coefficients draw calls anew. Recall
rests on two shares, of feelings among flagged turns and among the many unflagged ones: its value
and interval are those of the posterior of both (Jeffreys's prior), because none found among few
says little about many.

No library computes Gwet's AC1 and Krippendorff's alpha with weights of a design (irrCAC and
krippendorff take all items as drawn alike), so that they are here.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from warmline.annotation import Key, Label, Opinion, is_answered, opinion
from warmline.statistics import Estimate, precision_at, times_drawn, wilson

CONSENSUS = "most annotators"
#: Shares of turns that show a feeling, for which the ledger's precision is told.
PREVALENCES = (0.02, 0.05, 0.10, 0.20)
_DRAWS = 20_000
_NOTHING = 1e-12

Labels = Mapping[str, Label]
Floats = NDArray[np.float64]
#: What annotators say of an item, None where one says nothing.
Ratings = Sequence[Sequence[Hashable | None]]


@dataclass(frozen=True)
class Between:
    """Two annotators: Cohen's kappa of what both labelled, each turn weighed by its chance.

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
class Together:
    """All annotators on one question (`cue`, `feeling` or `answered`), weighed by chance.

    `same` is the share of pairs of opinions that are alike. `ac1` (Gwet 2008) and `alpha`
    (Krippendorff 2011, nominal) take out chance; where nearly all turns are of one kind, kappa and
    alpha are low however well people agree, and AC1 is not.
    """

    question: str
    items: int
    same: Estimate | None
    ac1: Estimate | None
    alpha: Estimate | None


@dataclass(frozen=True)
class Against:
    """The ledger against one annotator, or against most of them.

    `precision`: flagged turns in which the person sees a feeling; `recall`: turns with a feeling
    that are flagged, of all turns long enough to be drawn; `specificity`: turns without that are
    not flagged; `kind`: of flagged turns with a feeling, those with the same one; `answered`: of
    those where both say whether it was answered, the same. `precision_at` is the precision where
    other shares of turns (`PREVALENCES`) show a feeling, recall and specificity as here.
    """

    annotator: str
    items: int
    precision: Estimate | None
    recall: Estimate | None
    specificity: Estimate | None
    kind: Estimate | None
    answered: Estimate | None
    answered_kappa: Estimate | None
    precision_at: dict[float, float]


@dataclass(frozen=True)
class FeelingRate:
    """The share of turns that show a feeling in one stratum, the ledger's errors taken off.

    `flagged` (0..1) is the share that the ledger has; `rate` what that is of feelings (Rogan &
    Gladen 1978), with the uncertainty of recall and specificity, which are taken to be alike in all
    strata.
    """

    stratum: str
    turns: int
    flagged: float
    rate: Estimate | None


@dataclass(frozen=True)
class Agreement:
    """Everything that the sheets say. `undecided` are the items on which people do not agree."""

    between: tuple[Between, ...]
    together: tuple[Together, ...]
    against: tuple[Against, ...]
    undecided: tuple[str, ...]
    rates: tuple[FeelingRate, ...] = ()


def agreement(
    sheets: Mapping[str, Labels],
    key: Mapping[str, Key],
    *,
    decided: Labels | None = None,
    seed: int = 1,
) -> Agreement:
    """Return the agreement between annotators, and of the ledger with each and with most of them.

    `decided` are labels of the items on which they differed; what was decided counts.
    """
    between = tuple(_between(a, b, sheets, key, seed) for a, b in combinations(sheets, 2))
    against = [
        _against(name, {i: opinion(label) for i, label in labels.items()}, key, seed)
        for name, labels in sheets.items()
    ]
    if len(sheets) < 2:
        alone = {i: opinion(label) for labels in sheets.values() for i, label in labels.items()}
        return Agreement(between, (), tuple(against), (), _rates(alone, key, seed))
    shared, undecided = consensus(list(sheets.values()), decided)
    against.append(_against(CONSENSUS, shared, key, seed))
    together = tuple(
        _together(question, list(sheets.values()), key, seed)
        for question in ("cue", "feeling", "answered")
    )
    return Agreement(between, together, tuple(against), undecided, _rates(shared, key, seed))


def consensus(
    sheets: Sequence[Labels], decided: Labels | None = None
) -> tuple[dict[str, Opinion], tuple[str, ...]]:
    """Return what people say together of each item that two or more labelled, and the undecided.

    What was `decided` counts, else what more than half say. Where half see a feeling and half do
    not, the item stays, as the share of people who see one: the hard turns are not left out. It
    is undecided then, and where people see feelings and do not agree on which or how it was
    answered.
    """
    found: dict[str, Opinion] = {}
    undecided = []
    for item_id in dict.fromkeys(i for sheet in sheets for i in sheet):
        labels = [sheet[item_id] for sheet in sheets if item_id in sheet]
        if len(labels) < 2:
            continue
        if decided is not None and item_id in decided:
            found[item_id] = opinion(decided[item_id])
            continue
        felt = sum(label.is_cue for label in labels) / len(labels)
        feeling = _majority([label.feeling for label in labels if label.is_cue])
        answers = [label.answer for label in labels if label.answer]
        answer = _majority(answers)
        if felt > 0.5:
            found[item_id] = Opinion(1.0, feeling, answer)
        else:
            found[item_id] = Opinion(0.0 if felt < 0.5 else felt)
        if felt == 0.5 or (felt > 0.5 and (feeling is None or (answers and answer is None))):
            undecided.append(item_id)
    return found, tuple(undecided)


def _majority(said: Sequence[str]) -> str | None:
    if not said:
        return None
    most, votes = Counter(said).most_common(1)[0]
    return most if 2 * votes > len(said) else None


def _between(
    left: str, right: str, sheets: Mapping[str, Labels], key: Mapping[str, Key], seed: int
) -> Between:
    pair = [sheets[left], sheets[right]]
    both = [item_id for item_id in pair[0] if item_id in pair[1]]

    def kappa(question: str) -> Estimate | None:
        return coefficient(weighted_kappa, *_ratings(question, pair, both, key), seed)

    return Between(left, right, len(both), kappa("cue"), kappa("feeling"), kappa("answered"))


def _together(
    question: str, sheets: Sequence[Labels], key: Mapping[str, Key], seed: int
) -> Together:
    items = list(dict.fromkeys(i for sheet in sheets for i in sheet))
    ratings, weights, calls = _ratings(question, sheets, items, key)
    return Together(
        question,
        len(ratings),
        coefficient(share_alike, ratings, weights, calls, seed),
        coefficient(gwet_ac1, ratings, weights, calls, seed),
        coefficient(krippendorff_alpha, ratings, weights, calls, seed),
    )


def _ratings(
    question: str, sheets: Sequence[Labels], items: Sequence[str], key: Mapping[str, Key]
) -> tuple[Ratings, Floats, list[str]]:
    """Return what each person says of the items that two or more have an opinion on."""

    def said(label: Label | None) -> Hashable | None:
        if label is None:
            return None
        if question == "answered":
            return is_answered(label.answer)
        return label.is_cue if question == "cue" else label.feeling

    ratings = [[said(sheet.get(i)) for sheet in sheets] for i in items]
    kept = [n for n, row in enumerate(ratings) if sum(r is not None for r in row) >= 2]
    weights = np.array([1 / key[items[n]].chance for n in kept], dtype=np.float64)
    return [ratings[n] for n in kept], weights, [key[items[n]].call_id for n in kept]


def coefficient(
    of: Callable[[Floats, Floats], Floats],
    ratings: Ratings,
    weights: Floats,
    calls: Sequence[str],
    seed: int,
) -> Estimate | None:
    """Return a coefficient (`of`, below) with its interval: calls drawn anew, in one product.

    Of one call alone there is no interval, nor where people agree so wholly that every draw is the
    same: that says nothing of other calls.
    """
    if not calls:
        return None
    given = votes(ratings)
    value = float(of(given, weights))
    if isnan(value):
        return None
    if len(set(calls)) < 2:
        return Estimate(value, None, None, len(calls))
    drawn = of(given, weights * times_drawn(calls, seed=seed))
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or np.ptp(drawn) < _NOTHING:
        return Estimate(value, None, None, len(calls))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Estimate(value, float(low), float(high), len(calls))


def votes(ratings: Ratings) -> Floats:
    """Return ratings as an array (items, people, categories) of 0 and 1; no opinion is all 0."""
    kinds = sorted({repr(r) for row in ratings for r in row if r is not None})
    place = {kind: i for i, kind in enumerate(kinds)}
    given = np.zeros((len(ratings), max(map(len, ratings), default=0), len(kinds)))
    for i, row in enumerate(ratings):
        for person, r in enumerate(row):
            if r is not None:
                given[i, person, place[repr(r)]] = 1.0
    return given


def weighted_kappa(given: Floats, weights: Floats) -> Floats:
    """Return Cohen's kappa (1960) of the first two people; NaN where chance explains all.

    `given` are `votes`; `weights` (..., items) how many turns each stands for, as for the others:
    a coefficient for each set of weights.
    """
    share = weights / weights.sum(axis=-1, keepdims=True)
    ours, other = given[:, 0], given[:, 1]
    same = share @ (ours * other).sum(axis=1)
    chance = ((share @ ours) * (share @ other)).sum(axis=-1)
    return _beyond(same, chance)


def share_alike(given: Floats, weights: Floats) -> Floats:
    """Return the share of pairs of opinions on one item that are alike."""
    counts = given.sum(axis=1)
    n = counts.sum(axis=1)
    alike = (counts * (counts - 1)).sum(axis=1) / (n * (n - 1))
    share: Floats = weights @ alike / weights.sum(axis=-1)
    return share


def gwet_ac1(given: Floats, weights: Floats) -> Floats:
    """Return AC1 (Gwet 2008) of two or more people; NaN with one category."""
    counts = given.sum(axis=1)
    kinds = int(counts.shape[1])
    shares = weights @ (counts / counts.sum(axis=1, keepdims=True))
    shares = shares / weights.sum(axis=-1, keepdims=True)
    chance = (shares * (1 - shares)).sum(axis=-1) / max(kinds - 1, 1)
    return _beyond(share_alike(given, weights), chance if kinds > 1 else chance + 1)


def krippendorff_alpha(given: Floats, weights: Floats) -> Floats:
    """Return the nominal alpha (Krippendorff 2011); NaN where nothing differs."""
    counts = given.sum(axis=1)
    n = counts.sum(axis=1)
    weights = weights * (len(counts) / weights.sum(axis=-1, keepdims=True))
    kinds = weights @ counts
    total = kinds.sum(axis=-1)
    differing = weights @ ((n**2 - (counts**2).sum(axis=1)) / (n - 1))
    expected = (total**2 - (kinds**2).sum(axis=-1)) / (total - 1)
    return _beyond(1 - differing / np.where(expected > 0, expected, 1.0), 1.0 * (expected <= 0))


def _beyond(same: Floats, chance: Floats) -> Floats:
    """Return agreement beyond chance; NaN where chance explains all."""
    left = 1 - np.asarray(chance, dtype=np.float64)
    found: Floats = np.where(left > 0, (same - chance) / np.where(left > 0, left, 1.0), nan)
    return found


def _against(
    name: str, opinions: Mapping[str, Opinion], key: Mapping[str, Key], seed: int
) -> Against:
    flagged = [i for i in opinions if key[i].kinds]
    unflagged = [i for i in opinions if not key[i].kinds]
    felt = {i: o.felt for i, o in opinions.items()}
    hits = [i for i in flagged if felt[i] == 1.0]
    named = [i for i in hits if opinions[i].feeling is not None]
    same_kind = {i: float(opinions[i].feeling in key[i].kinds) for i in named}
    told = [
        (is_answered(opinions[i].answer), is_answered(key[i].answer), i)
        for i in hits
        if is_answered(opinions[i].answer) is not None and is_answered(key[i].answer) is not None
    ]
    recall = _recall(flagged, unflagged, felt, key, seed)
    specificity = _specificity(flagged, unflagged, felt, key, seed)
    return Against(
        name,
        len(opinions),
        precision=_weighted_share(flagged, felt, key),
        recall=recall,
        specificity=specificity,
        kind=_weighted_share(named, same_kind, key),
        answered=_weighted_share(
            [i for _, _, i in told], {i: float(a == b) for a, b, i in told}, key
        ),
        answered_kappa=coefficient(
            weighted_kappa,
            [(a, b) for a, b, _ in told],
            np.array([1 / key[i].chance for _, _, i in told], dtype=np.float64),
            [key[i].call_id for _, _, i in told],
            seed,
        ),
        precision_at={
            p: precision_at(recall.value, specificity.value, p)
            for p in PREVALENCES
            if recall is not None and specificity is not None
        },
    )


def _recall(
    flagged: Sequence[str],
    unflagged: Sequence[str],
    felt: Mapping[str, float],
    key: Mapping[str, Key],
    seed: int,
) -> Estimate | None:
    """Return F p1 / (F p1 + U p0) with its interval; None where one of the groups has no label.

    F and U are how many flagged and unflagged turns there are, p1 and p0 the shares of them that
    show a feeling, each with a Beta posterior at the effective number of turns.
    """
    if not flagged or not unflagged:
        return None
    hits, missed, _ = _posterior_counts(flagged, unflagged, felt, key, seed)
    return _posterior(hits / (hits + missed), round(sum(felt.values())))


def _specificity(
    flagged: Sequence[str],
    unflagged: Sequence[str],
    felt: Mapping[str, float],
    key: Mapping[str, Key],
    seed: int,
) -> Estimate | None:
    """Return U (1 - p0) / (U (1 - p0) + F (1 - p1)), as `_recall`."""
    if not flagged or not unflagged:
        return None
    hits, missed, (of_flagged, of_unflagged) = _posterior_counts(
        flagged, unflagged, felt, key, seed
    )
    right, false = of_unflagged - missed, of_flagged - hits
    return _posterior(right / (right + false), round(len(felt) - sum(felt.values())))


def _posterior(draws: Floats, n: int) -> Estimate:
    low, middle, high = np.percentile(draws, (2.5, 50.0, 97.5))
    return Estimate(float(middle), float(low), float(high), n)


def _posterior_counts(
    flagged: Sequence[str],
    unflagged: Sequence[str],
    felt: Mapping[str, float],
    key: Mapping[str, Key],
    seed: int,
) -> tuple[Floats, Floats, tuple[float, float]]:
    """Return draws of how many flagged and unflagged turns show a feeling, and how many there are.

    Counts are of all turns that the labelled ones stand for.
    """
    random = np.random.default_rng(seed)
    draws, sizes = [], []
    for items in (flagged, unflagged):
        weights = np.array([1 / key[i].chance for i in items])
        share = float(weights @ np.array([felt[i] for i in items])) / weights.sum()
        n = weights.sum() ** 2 / (weights @ weights)
        draws.append(random.beta(share * n + 0.5, (1 - share) * n + 0.5, _DRAWS) * weights.sum())
        sizes.append(float(weights.sum()))
    return draws[0], draws[1], (sizes[0], sizes[1])


def _rates(
    opinions: Mapping[str, Opinion], key: Mapping[str, Key], seed: int
) -> tuple[FeelingRate, ...]:
    """Return the share of turns with a feeling in each stratum that turns were drawn from."""
    flagged = [i for i in opinions if key[i].kinds]
    unflagged = [i for i in opinions if not key[i].kinds]
    if not flagged or not unflagged:
        return ()
    felt = {i: o.felt for i, o in opinions.items()}
    hits, missed, (of_flagged, of_unflagged) = _posterior_counts(
        flagged, unflagged, felt, key, seed
    )
    recall = hits / (hits + missed)
    false = (of_flagged - hits) / (of_flagged - hits + of_unflagged - missed)
    found = []
    # Every item of the key counts, labelled or not: together they stand for all turns.
    sizes: dict[str, list[float]] = {}
    for item in key.values():
        own = sizes.setdefault(item.stratum.split(" / ", 1)[-1], [0.0, 0.0])
        own[0 if item.kinds else 1] += 1 / item.chance
    for stratum, (with_cue, without) in sorted(sizes.items()):
        share = with_cue / (with_cue + without)
        draws = np.clip((share - false) / np.maximum(recall - false, 1e-6), 0.0, 1.0)
        # Where recall may be next to the false alarms, flags say nothing of feelings.
        is_told = float(np.quantile(recall - false, 0.025)) > 0
        rate = _posterior(draws, round(with_cue + without)) if is_told else None
        found.append(FeelingRate(stratum, round(with_cue + without), share, rate))
    return tuple(found)


def _weighted_share(
    items: Sequence[str], hit: Mapping[str, float], key: Mapping[str, Key]
) -> Estimate | None:
    """Return the mean of `hit` over items, each weighed by how many turns it stands for."""
    if not items:
        return None
    weights = np.array([1 / key[i].chance for i in items])
    share = float(weights @ np.array([hit[i] for i in items]) / weights.sum())
    effective = float(weights.sum() ** 2 / (weights @ weights))
    found = wilson(share * effective, effective)
    return found and Estimate(share, found.low, found.high, len(items))


@dataclass(frozen=True)
class Widths:
    """Half the width of the 95 % intervals that so many labelled turns are expected to give."""

    flagged: int
    unflagged: int
    precision: float
    recall: float


def expected_widths(
    flagged: int, unflagged: int, *, recall: float, specificity: float, prevalence: float
) -> Widths:
    """Return the widths to expect when so many of very many turns are labelled.

    `recall` and `specificity` are the ledger's, `prevalence` the share of turns with a feeling.
    """
    precision = precision_at(recall, specificity, prevalence)
    hit, missed = prevalence * recall, prevalence * (1 - recall)
    share = hit / precision
    key, felt = {}, {}
    for name, count, p, size in (
        ("f", flagged, precision, share),
        ("u", unflagged, missed / (1 - share), 1 - share),
    ):
        for i in range(count):
            item = f"{name}{i}"
            key[item] = Key(item, ("x",) if name == "f" else (), None, None, name, count / size)
            felt[item] = p
    of_flagged = [i for i in key if key[i].kinds]
    exact = _weighted_share(of_flagged, felt, key)
    found = _recall(of_flagged, [i for i in key if not key[i].kinds], felt, key, 1)
    return Widths(flagged, unflagged, _half_width(exact), _half_width(found))


def _half_width(found: Estimate | None) -> float:
    if found is None or found.low is None or found.high is None:
        return nan
    return (found.high - found.low) / 2

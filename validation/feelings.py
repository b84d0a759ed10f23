"""Cues of a feeling and negative emotion in the customer's words, against GoEmotions."""

from typing import TYPE_CHECKING

import numpy as np

from warmline.language import TurnLanguage, score_turns
from warmline.language.rulebook import CUE_LABELS
from warmline.language.windows import FEELINGS

from .context import Context
from .labelled import comments
from .report import Headline, Picture, Section, Table
from .scores import detection, estimated_auc, said

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FOUND = 0.5
_BINS = 10


def validate_feelings(context: Context) -> Section:
    """Any negative emotion against none, and each kind of cue, on the development comments."""
    context.say("cues of feelings: GoEmotions, development comments")
    read = comments(context.data, "dev")
    scored = score_turns({"speaker": "customer", "text": c.text} for c in read)
    rows = list(range(len(read)))
    negative = [bool(c.emotions & FEELINGS["negative"]) for c in read]
    overall = [s.negative_emotion or 0.0 for s in scored]
    found = detection(negative, [s >= _FOUND for s in overall], rows, context)
    area = estimated_auc(negative, overall, rows, context)
    lines = [
        (
            "any negative emotion",
            *(str(found.positives), said(area)),
            *(said(found.precision), said(found.recall), said(found.f1)),
        )
    ]
    for kind in CUE_LABELS:
        there = [bool(c.emotions & FEELINGS[kind]) for c in read]
        strength = [_strength(s, kind) for s in scored]
        one = detection(there, [s >= _FOUND for s in strength], rows, context)
        kind_area = estimated_auc(there, strength, rows, context)
        lines.append(
            (
                kind.replace("_", ", "),
                *(str(one.positives), said(kind_area)),
                *(said(one.precision), said(one.recall), said(one.f1)),
            )
        )
    table = Table(("feeling", "comments with it", "AUC", "precision", "recall", "F1"), tuple(lines))
    intro = (
        f"{len(read)} Reddit comments of GoEmotions' development split (Demszky et al. 2020), read "
        "one by one as a customer's turn; nothing is trained, tuned or calibrated on this split. "
        "`negative_emotion` and the four feelings are those of `warmline.language.score_turns`; "
        f"found means a score of {_FOUND} or more. Labels map as "
        + "; ".join(f"{kind}: {', '.join(sorted(FEELINGS[kind]))}" for kind in CUE_LABELS)
        + ". Confusion is left out of the negative emotions: on Reddit it is mostly curiosity."
    )
    picture = Picture(
        "negative-emotion",
        "Whether the score of negative emotion means what it says: the share of comments that "
        "people called negative, by score, with the number of comments.",
        lambda axes: _draw_calibration(axes, negative, overall),
    )
    heads = [
        Headline("negative emotion, AUC", "GoEmotions dev", area, 0.80)
        for area in (area,)
        if area is not None
    ]
    return Section("Feelings of the customer", (intro, table, picture), tuple(heads))


def _strength(score: TurnLanguage, kind: str) -> float:
    value: float | None = getattr(score, kind)
    return value or 0.0


def _draw_calibration(axes: "Axes", truth: list[bool], score: list[float]) -> None:
    y, s = np.array(truth, float), np.array(score)
    place = np.minimum((s * _BINS).astype(int), _BINS - 1)
    there = [b for b in range(_BINS) if (place == b).any()]
    middle = [s[place == b].mean() for b in there]
    share = [y[place == b].mean() for b in there]
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot(middle, share, marker="o", color="#1b6ca8")
    for b, x, height in zip(there, middle, share, strict=True):
        axes.annotate(
            str(int((place == b).sum())),
            (x, height),
            textcoords="offset points",
            xytext=(0, 7),
            ha="center",
            fontsize=7,
            color="0.35",
        )
    axes.set(xlim=(0, 1), ylim=(0, 1.05), xlabel="score", ylabel="share called negative")

"""How a response answers a feeling: the three mechanisms of EPITOME, cross-validated."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warmline.errors import DataError
from warmline.language.windows import LEVELS, MECHANISMS

from .context import Context
from .labelled import EPITOME_FILES, exchanges
from .report import Headline, Section, Table
from .scores import detection, estimated_auc, estimated_macro_f1, said

# A frozen MiniLM with logistic heads, measured before anything was trained; and what was asked for.
_FROZEN = {"emotional_reaction": 0.61, "interpretation": 0.51, "exploration": 0.51}
_TARGET = {"emotional_reaction": 0.66, "interpretation": 0.55, "exploration": 0.60}
_FOLDS = Path(__file__).parents[1] / "training" / "epitome_folds.csv"

Probabilities = NDArray[np.float64]


def validate_mechanisms(context: Context) -> Section:
    """Macro-F1 of the levels, and detection of a mechanism at all, in five folds by seeker."""
    context.say("mechanisms of empathy: EPITOME, five folds by seeker")
    found = stored_folds(_FOLDS)
    rows, heads = [], []
    everything = exchanges(context.data)
    labelled = [p for p in everything if (p.seeker_id, p.response_id) in found]
    if not labelled:
        raise DataError(f"{_FOLDS.name}: has no pair of {', '.join(EPITOME_FILES.values())}")
    share = f"{len(labelled)} of {len(everything)}"
    seekers = [p.seeker_id for p in labelled]
    for place, mechanism in enumerate(MECHANISMS):
        probabilities = np.array([found[p.seeker_id, p.response_id][mechanism] for p in labelled])
        levels = [p.levels[place] for p in labelled]
        at_all = [float(p) for p in 1 - probabilities[:, 0]]
        macro = estimated_macro_f1(levels, probabilities.argmax(1), LEVELS, seekers, context)
        area = estimated_auc([level > 0 for level in levels], at_all, seekers, context)
        there = detection(
            [level > 0 for level in levels],
            list(probabilities.argmax(1) > 0),
            seekers,
            context,
        )
        rows.append(
            (
                mechanism.replace("_", " "),
                " / ".join(str(levels.count(level)) for level in range(LEVELS)),
                *(said(macro), f"{_FROZEN[mechanism]:.2f}", said(area)),
                *(said(there.precision), said(there.recall)),
            )
        )
        if macro is not None:
            name = f"{mechanism.replace('_', ' ')}: macro-F1 of the levels"
            heads.append(Headline(name, "EPITOME, 5 folds", macro, _TARGET[mechanism]))
    headings = (
        *("mechanism", "pairs at level 0 / 1 / 2", "macro-F1", "macro-F1, frozen MiniLM"),
        *("AUC, at all", "precision, at all", "recall, at all"),
    )
    return Section(
        "Mechanisms of empathy in an answer",
        (
            f"{share} pairs of a post and a response (EPITOME, Sharma et al. 2020), in five folds: "
            "all pairs of one seeker are in one fold, and each fold was scored by networks that "
            "never saw its seekers. `python training/train.py --data ... folds` trains them and "
            "writes their probabilities to `training/epitome_folds.csv`, which is scored here. "
            "*At all* is level 0 against 1 and 2. The frozen MiniLM has logistic heads.",
            Table(headings, tuple(rows)),
        ),
        tuple(heads),
    )


def stored_folds(path: Path) -> dict[tuple[str, str], dict[str, Probabilities]]:
    """Probabilities of the levels of each mechanism by seeker's and response's id."""
    if not path.is_file():
        raise DataError(f"{path.name}: not there; training/train.py writes it: ... folds")
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["seeker_id"], row["response_id"]] = {
                mechanism: np.array([float(row[f"{mechanism}_{k}"]) for k in range(LEVELS)])
                for mechanism in MECHANISMS
            }
    return found

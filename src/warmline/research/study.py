"""A whole study: the rows, the models, and all that has to be said beside the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from warmline.research import (
    CONTROL_COLUMNS,
    WORDS,
    Array,
    Design,
    Effects,
    design_matrix,
    usable,
)
from warmline.research.associations import (
    AnswerEffect,
    Association,
    Dose,
    answer_effects,
    associations,
    dose,
    read_cues,
)
from warmline.research.calibration import (
    MEASURE,
    Calibration,
    Corrected,
    IfRead,
    corrected,
    known_reliability,
    sensitivity,
)
from warmline.research.provenance import Provenance, provenance
from warmline.research.sample import (
    Sample,
    read_calls,
    read_recognised,
    read_sample,
    require_libraries,
    require_own_kind,
)
from warmline.research.survival import Hazard, hazards, latest_calls
from warmline.statistics import bootstrap

# Calls without an outcome: how they differ from those with one, and what that could change.


_LEAST_CALLS = 30
_DRAWS = 300
# No row stands for more than twenty.
_LEAST_CHANCE = 0.05
#: Means that lie further apart, in standard deviations, are worth a word (Stuart 2010).
APART = 0.25


@dataclass(frozen=True)
class Attrition:
    """One number of calls with and without the outcome; `apart` is their distance in SD."""

    what: str
    with_outcome: float
    without: float
    apart: float


@dataclass(frozen=True)
class Bounds:
    """Calls with more of a measure against those with less: the difference of their outcomes.

    Split at the median of all calls. `followed_more` and `followed_less` are the shares of either
    that have the outcome; `difference` is of those that do, `low` to `high` is what it could be if
    both were followed alike, chance not counted; with it (agents drawn anew) it is `surely_low` to
    `surely_high`. Agents and controls are not held equal here.
    """

    measure: str
    calls: int
    followed_more: float
    followed_less: float
    difference: float
    low: float
    high: float
    surely_low: float
    surely_high: float


def attrition(calls: Any, with_outcome: Any, controls: Sequence[str]) -> tuple[Attrition, ...]:
    """Return how calls in the models differ from the others, by each number that is controlled for.

    `calls` is a pandas frame of one row a call; `with_outcome` (n,) says which are in the models.
    """
    found = []
    for column in (c for name in controls for c in CONTROL_COLUMNS[name] if c not in WORDS):
        values = calls[column].to_numpy(float)
        known = np.isfinite(values)
        ours, others = values[known & with_outcome], values[known & ~with_outcome]
        spread = float(values[known].std()) if known.any() else 0.0
        if min(len(ours), len(others)) < _LEAST_CALLS or spread == 0:
            continue
        apart = float(ours.mean() - others.mean()) / spread
        found.append(Attrition(column, float(ours.mean()), float(others.mean()), apart))
    return tuple(found)


def inverse_chances(calls: Any, with_outcome: Any, controls: Sequence[str]) -> Any | None:
    """Return, by call_id, how many calls each call with an outcome stands for.

    The inverse of the chance that a call like it has the outcome, by a logit of what is controlled
    for (Horvitz & Thompson 1952; Seaman & White 2013), at most twenty. None where hardly a call, or
    hardly one of the others, has it, or nothing is known of them. Calls that lack a control stand
    for themselves alone.
    """
    import statsmodels.api as sm

    known = usable(calls, tuple(controls))
    complete = calls[list(known.columns)].notna().all(axis=1).to_numpy()
    counts = [int((complete & side).sum()) for side in (with_outcome, ~with_outcome)]
    if min(counts) < _LEAST_CALLS or not known.columns:
        return None
    x, _ = design_matrix(calls[complete], known.columns)
    has_it = with_outcome[complete].astype(float)
    model: Any = sm.GLM(has_it, sm.add_constant(x), sm.families.Binomial()).fit_regularized(
        alpha=1e-4, L1_wt=0.0
    )
    chance = np.asarray(model.predict(sm.add_constant(x)), dtype=np.float64)
    weights = calls["call_id"].to_frame().assign(weight=1.0)
    weights.loc[complete, "weight"] = 1.0 / chance.clip(_LEAST_CHANCE)
    return weights[with_outcome].set_index("call_id")["weight"]


def lee_bounds(measure: str, values: Array, outcome: Array, agents: Any) -> Bounds | None:
    """Return the bounds for one measure (Lee 2009); None where a side has too few calls.

    `values` (n,) of all calls, NaN where unknown, `outcome` (n,) NaN where it is missing; `agents`
    (n,) took them.
    """
    known = np.isfinite(values)
    values, outcome = values[known], outcome[known]
    if len(values) < 2 * _LEAST_CALLS or np.ptp(values) == 0:
        return None
    middle = float(np.median(values))
    more = values > middle if (values > middle).any() else values >= middle
    followed = np.isfinite(outcome)
    if min((more & followed).sum(), (~more & followed).sum()) < _LEAST_CALLS:
        return None
    low, high = _lee_ends(more, outcome)

    def end(rows: Any, place: int) -> float:
        return _lee_ends(more[rows], outcome[rows])[place]

    took = agents[known].tolist()
    drawn = [bootstrap(partial(end, place=i), took, seed=1, rounds=_DRAWS) for i in (0, 1)]
    lowest, highest = drawn[0], drawn[1]
    return Bounds(
        measure=measure,
        calls=len(values),
        followed_more=float(followed[more].mean()),
        followed_less=float(followed[~more].mean()),
        difference=float(outcome[more & followed].mean() - outcome[~more & followed].mean()),
        low=low,
        high=high,
        surely_low=low if lowest is None or lowest.low is None else lowest.low,
        surely_high=high if highest is None or highest.high is None else highest.high,
    )


def _lee_ends(more: Any, outcome: Array) -> tuple[float, float]:
    """Return the least and greatest difference of the sides, were both followed alike.

    The side that is followed more is cut, from above or below, by what it has too many.
    """
    followed = np.isfinite(outcome)
    sides = [np.sort(outcome[side & followed]) for side in (more, ~more)]
    if not all(map(len, sides)):
        return nan, nan
    shares = [float(followed[side].mean()) for side in (more, ~more)]
    fuller = int(shares[1] > shares[0])
    other = 1 - fuller
    excess = (shares[fuller] - shares[other]) / shares[fuller]
    count = min(round(excess * len(sides[fuller])), len(sides[fuller]) - 1)
    lowest = sides[fuller][: len(sides[fuller]) - count].mean()
    highest = sides[fuller][count:].mean()
    low, high = (float(end - sides[other].mean()) for end in (lowest, highest))
    return (low, high) if fuller == 0 else (-high, -low)


#: What no model here can hold equal, whatever the data.
CONFOUNDERS = (
    "Who answers a survey, or can be followed up, is not a random part of who called: outcomes "
    "that are missing are missing for reasons.",
    "How serious the matter is. The reason of the call and the customer's state at its beginning "
    "stand for it, in part; two calls of one reason can weigh very differently.",
    "What the customer had been through before: earlier calls, faults and bills, and how loyal the "
    "customer was anyway.",
    "Which agent gets which call, where routing looks at the customer's value, mood or history.",
    "Days and hours: queues, outages, campaigns and prices change what agents can do and what "
    "customers do.",
    "Whether the matter was solved. Agents who listen may also solve more; which of the two the "
    "customer stays for cannot be told from this, and it is not held equal because listening may "
    "be how it was solved.",
    "The customer's answers to the agent. A measure taken over the whole call is partly made by "
    "how the call went.",
    "Errors of measurement. Cues and answers are recognised in part only; random errors draw "
    "estimates towards 0, systematic ones (accents, line quality) may not.",
    "What happened between the call and the outcome, the next call among it.",
)


@dataclass(frozen=True)
class Study:
    """A study: its design, the rows it rests on, and the estimates.

    `weighted` are the associations with calls standing for those like them that have no outcome;
    `latest` the hazards by a customer's latest call; `answers` which answers to which feelings go
    with the outcome, looked at besides. `reliable` (0..1) is the share of an association of the
    answered rate that so few cues a call leave at best; `if_read_so` is what its association would
    be without errors, by the share of answers that are told rightly (`sensitivity`).
    """

    design: Design
    sample: Sample
    associations: tuple[Association, ...]
    doses: tuple[Dose, ...]
    hazards: tuple[Hazard, ...]
    not_controlled: dict[str, str]
    is_share: bool
    calibration: Calibration | None = None
    provenance: Provenance | None = None
    attrition: tuple[Attrition, ...] = ()
    bounds: tuple[Bounds, ...] = ()
    negative_controls: tuple[tuple[str, tuple[Association, ...]], ...] = ()
    weighted: tuple[Association, ...] = ()
    latest: tuple[Hazard, ...] = ()
    answers: tuple[AnswerEffect, ...] = ()
    reliable: float | None = None
    if_read_so: tuple[IfRead, ...] = ()

    @property
    def corrected(self) -> Corrected | None:
        """Return the association of the answered rate without errors of recognition, by labels."""
        found = next((a for a in self.told if a.measure == MEASURE), None)
        if self.calibration is None or found is None or not (found.adjusted and found.sd):
            return None
        return corrected(found.adjusted, found.sd, self.calibration, self.design.confidence)

    @property
    def told(self) -> tuple[Association, ...]:
        """Return the measures of which something can be said."""
        return tuple(a for a in self.associations if a.adjusted is not None)

    @property
    def clear(self) -> tuple[Association, ...]:
        """Return those whose association is clear of chance after the correction."""
        level = 1 - self.design.confidence
        return tuple(a for a in self.told if (a.p_corrected or 0.0) < level)

    @property
    def cautions(self) -> tuple[str, ...]:
        """Return what a reader of these numbers, in particular, has to know."""
        said = []
        for why in dict.fromkeys(self.not_controlled.values()):
            columns = [c for c, reason in self.not_controlled.items() if reason == why]
            is_one = "is not held equal: it is" if len(columns) == 1 else "are not held equal: each"
            said.append(f"{', '.join(columns)} {is_one} {'' if len(columns) == 1 else 'is '}{why}.")
        fewest = min((a.adjusted.df for a in self.told if a.adjusted), default=99.0)
        if fewest < 10:
            said.append(
                f"There are few agents (in effect {fewest + 1:.0f} for one of the measures): "
                "intervals are wide because so little is known of how agents differ."
            )
        if self.design.effects is not Effects.FIXED:
            said.append(
                "Agents are compared with each other, too: what differs between agents besides the "
                "measure is part of the estimates."
            )
        differing = [a.measure for a in self.told if a.p_mundlak is not None and a.p_mundlak < 0.05]
        if differing:
            said.append(
                f"Agents with more of {', '.join(differing)} differ in other ways, too (Mundlak's "
                "test): do not rely on random effects here, use --effects fixed."
            )
        if self.provenance and self.provenance.not_planned:
            said.append(f"Not as planned: {'; '.join(self.provenance.not_planned)}.")
        said += self._of_missing()
        said += self._of_leaving()
        if any(h.proportional_p is not None and h.proportional_p < 0.05 for h in self.hazards):
            said.append(
                "For some measures the hazard ratio changes with time; it is then an average."
            )
        return tuple(said)

    def _of_missing(self) -> list[str]:
        """Return what negative controls and calls without the outcome ask a reader to know."""
        level = 1 - self.design.confidence
        said = [
            f"{a.measure} goes with {name}, too, which a call cannot have changed: whatever links "
            f"those two may explain {self.design.outcome} as well."
            for name, found in self.negative_controls
            for a in found
            if a.p_corrected is not None and a.p_corrected < level
        ]
        apart = [f"{a.what} ({a.apart:+.2f} SD)" for a in self.attrition if abs(a.apart) > APART]
        if apart:
            said.append(
                f"Calls in the models differ from all others: {', '.join(apart)}. What is found "
                "here need not hold for those."
            )
        return said

    def _of_leaving(self) -> list[str]:
        """Return what the outcome of being retained asks a reader to know."""
        said = []
        same_day, left = self.sample.left_same_day or (0, 0)
        if same_day:
            said.append(
                f"{same_day} of {left} customers who left did so on the day of their last call: "
                f"they called to leave. Calls within {self.design.after_days:g} days before "
                "leaving are left out; --exclude-reason leaves out reasons."
            )
        if self.sample.undated:
            said.append(
                f"{self.sample.undated} outcomes have no date: how long after the call they were "
                "true is not known, and they are left out."
            )
        if "weight" in self.sample.frame and (most := self.sample.frame["weight"].max()) > 5:
            said.append(
                f"Some calls stand for {most:.0f}: few customers are followed to the horizon. A "
                "shorter --within-days rests on more of them."
            )
        return said


def run_study(
    warehouse: Path,
    design: Design,
    by: Calibration | None = None,
    planned: Design | None = None,
    command: str = "",
) -> Study:
    """Read the rows that a design asks for and fit its models, corrected by labels if given.

    What is other than `planned` is told; `command` is what was typed. Raises as `read_sample`, and
    SettingsError where the libraries for it are not installed.
    """
    require_libraries()
    sample = read_sample(warehouse, design)
    require_own_kind(sample, design)
    study = study_of(sample, design, by)
    controls = tuple(
        (name, associations(read_sample(warehouse, other).frame, other))
        for name in design.negative_controls
        for other in (replace(design, outcome=name),)
    )
    calls = read_calls(warehouse, design)
    outcome = calls["call_id"].map(study.sample.frame.set_index("call_id")["outcome"])
    agents = calls["agent_id"].fillna("unknown")
    bounds = (
        lee_bounds(
            measure, calls[measure].to_numpy(float), outcome.to_numpy(float), agents.to_numpy()
        )
        for measure in design.measures
    )
    return replace(
        study,
        provenance=provenance(warehouse, design, command, planned),
        attrition=attrition(calls, outcome.notna().to_numpy(), design.controls),
        bounds=tuple(b for b in bounds if b is not None),
        negative_controls=controls,
        weighted=_weighted(study, calls, outcome),
        **_of_answers(warehouse, study),
    )


def _of_answers(warehouse: Path, study: Study) -> dict[str, Any]:
    """Return what is said of answers where the answered rate is asked about."""
    if MEASURE not in study.design.measures:
        return {}
    calls = read_recognised(warehouse, study.design)
    found = next((a for a in study.told if a.measure == MEASURE), None)
    pairs = (
        sensitivity(found.adjusted, found.sd, calls)
        if found and found.adjusted and found.sd
        else ()
    )
    return {
        "answers": answer_effects(study.sample.frame, read_cues(warehouse), study.design),
        "reliable": known_reliability(calls),
        "if_read_so": pairs,
    }


def _weighted(study: Study, calls: Any, outcome: Any) -> tuple[Association, ...]:
    """Return the associations with calls that stand for those like them without an outcome.

    Of being retained, calls are weighed already, by how long customers were followed.
    """
    if study.design.outcome == "retained":
        return ()
    weights = inverse_chances(calls, outcome.notna().to_numpy(), study.design.controls)
    if weights is None:
        return ()
    frame = study.sample.frame
    return associations(frame.assign(weight=frame["call_id"].map(weights)), study.design)


def study_of(sample: Sample, design: Design, by: Calibration | None = None) -> Study:
    """Fit the models of a design to rows that were read."""
    frame = sample.frame
    found = (dose(frame, measure, design) for measure in design.measures)
    survival = () if sample.spells is None else hazards(sample.spells, design)
    return Study(
        design=design,
        sample=sample,
        associations=associations(frame, design),
        doses=tuple(d for d in found if d is not None),
        hazards=survival,
        latest=() if sample.spells is None else latest_calls(sample.spells, design),
        not_controlled=usable(frame, design.controls).unusable,
        is_share=set(frame["outcome"].unique()) <= {0.0, 1.0},
        calibration=by,
    )

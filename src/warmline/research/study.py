"""A whole study: the rows, the models, and all that is said beside the numbers, in sentences."""

from dataclasses import asdict, dataclass, replace
from math import exp, inf
from pathlib import Path
from typing import Any

from warmline.research import CONTROL_COLUMNS, Correction, Design, Effects, Model, usable
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
    LEAST_RELIABLE,
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
    APART,
    Attrition,
    Bounds,
    Sample,
    attrition,
    inverse_chances,
    lee_bounds,
    read_calls,
    read_recognised,
    read_sample,
    require_libraries,
    require_own_kind,
)
from warmline.research.survival import Hazard, hazards, latest_calls

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
        most = 1.0 if self.is_share else inf
        return corrected(found.adjusted, found.sd, self.calibration, self.design.confidence, most)

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
        sensitivity(found.adjusted, found.sd, calls, most=1.0 if study.is_share else inf)
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


# A study in sentences and rows: what the report, the command line and the JSON have in common.


_EFFECTS = {
    Effects.FIXED: "Each agent is compared with themselves (fixed effects: agents' means are taken "
    "off outcome, measure and controls).",
    Effects.RANDOM: "Agents are draws from many (random intercepts; their variance from a mixed "
    "model by restricted maximum likelihood).",
    Effects.NONE: "All calls are compared with each other, whoever took them.",
}
_CORRECTIONS = {
    Correction.BH: "p-values are corrected after Benjamini and Hochberg 1995: of the associations "
    "called clear, {level} are expected to be chance.",
    Correction.HOLM: "p-values are corrected after Holm 1979: the chance that any association "
    "called clear is none is {level}.",
    Correction.NONE: "p-values are not corrected for there being several measures.",
}


def scale_of(study: Study) -> tuple[float, str]:
    """Return what estimates are multiplied by to be read, and the unit they then have."""
    return (100.0, "percentage points") if study.is_share else (1.0, "units of the outcome")


def lead(study: Study) -> str:
    """Return the finding in one or two sentences that claim no more than there is."""
    outcome, told, clear = study.design.outcome, len(study.told), study.clear
    if not told:
        return f"Nothing can be said of {outcome}: no measure has enough to go on (see below)."
    many = "measure" if told == 1 else "measures"
    if not clear:
        return (
            f"None of {told} {many} is clearly associated with {outcome}{_compared(study)}. "
            f"That does not prove that there is nothing: see the intervals. {errors(study)}"
        )
    each = "; ".join(sentence(a, study) for a in sorted(clear, key=lambda a: a.p_corrected or 0))
    is_one = "is" if len(clear) == 1 else "are"
    return (
        f"{len(clear)} of {told} {many} {is_one} associated with {outcome}{_compared(study)}: "
        f"{each}. {errors(study)}"
    )


def errors(study: Study) -> str:
    """Say what errors of recognition do to the estimates, corrected by labels where there are."""
    found, by = study.corrected, study.calibration
    if found is None or by is None:
        return _bound(study)
    if found.value is None or found.low is None or found.high is None:
        return f"Errors of recognition could not be corrected: {found.reason}."
    scale, unit = scale_of(study)
    return (
        f"Corrected for errors of recognition by {by.labels + by.unflagged} labelled turns, a call "
        "in which every feeling is answered goes with "
        f"{found.value * scale:+.2g} {unit}, {study.design.confidence:.0%} interval "
        f"{found.low * scale:+.2g} to {found.high * scale:+.2g}, beside one in which none is; "
        "all other estimates are uncorrected, and drawn towards 0."
    )


def _bound(study: Study) -> str:
    """Say how much larger a true association is at least, where no labels say how much."""
    said = (
        "Measures are used as recognised: random errors of recognition hide associations, and a "
        "real one may look several times smaller than it is"
    )
    if study.reliable is None or study.reliable >= 1:
        return f"{said}."
    least = f"look at least {1 / study.reliable:.1f} times smaller"
    if study.reliable <= LEAST_RELIABLE:
        least = "next to impossible to see"
    return (
        f"{said}; for {MEASURE}, so few feelings a call alone make it {least}. That is no "
        "reason to believe what is not shown (labels of your own calls say how much: --labels)."
    )


def _compared(study: Study) -> str:
    """Say in words who is compared with whom, and whether anything is held equal."""
    held = held_equal(study)
    among = {
        Effects.FIXED: " within agents",
        Effects.RANDOM: " within and between agents",
        Effects.NONE: " over all calls, whoever took them",
    }[study.design.effects]
    return f"{among}, {'the controls' if held else 'nothing'} held equal"


def held_equal(study: Study) -> list[str]:
    """Return the controls that say something in these rows."""
    return [
        c for c in study.design.controls if set(CONTROL_COLUMNS[c]) - study.not_controlled.keys()
    ]


def sentence(association: Association, study: Study) -> str:
    """Return one association with its interval."""
    e = association.adjusted
    if e is None:
        return f"{association.measure}: {association.reason}"
    scale, unit = scale_of(study)
    return (
        f"{association.measure} ({e.value * scale:+.2g} {unit} with {association.sd:.2g} more of "
        f"it, {study.design.confidence:.0%} interval {e.low * scale:+.2g} to "
        f"{e.high * scale:+.2g})"
    )


def reading(study: Study) -> str:
    """Say what each number of the printed table is, with the first line read aloud."""
    a = next(iter(study.told))
    scale, unit = scale_of(study)
    among = "of one agent " if study.design.effects is Effects.FIXED else ""
    level = f"{study.design.confidence:.0%}"
    first = ""
    if a.adjusted and a.sd is not None:
        value, low, high = (v * scale for v in (a.adjusted.value, a.adjusted.low, a.adjusted.high))
        ways = ("less", "more") if study.is_share else ("lower", "higher")
        way = ways[value > 0]
        apart = (
            f"are followed by {study.design.outcome} {abs(value):.2g} {unit} {way} often"
            if study.is_share
            else f"have a {study.design.outcome} that is {abs(value):.2g} {way}"
        )
        first = (
            f"In words: with {a.sd:.2g} more of {a.measure}, calls {among}that are otherwise alike "
            f"{apart}; anything from {low:+.2g} to {high:+.2g} is possible. "
        )
    return (
        f"{first}a step: how much calls usually differ from their mean (one standard deviation). "
        f"In brackets: the {level} interval; where 0 is inside, nothing is shown. clear of chance: "
        "yes if chance, among so many measures, would seldom give as much."
    )


def methods(study: Study) -> list[str]:
    """Return how it was done, a sentence an item."""
    design = study.design
    held = held_equal(study)
    return [
        _outcome(study) + f" One model a measure, {_model(study)}",
        _EFFECTS[design.effects],
        f"Held equal: {', '.join(held) or 'nothing'}. “opening” is the customer's state in the "
        "first quarter of the call: cues of feelings, hostile words, friction told, speech rate; "
        "“heard” is how sure the call's words and measures are, and how much of the call these "
        "could see.",
        "Standard errors are clustered by agent: CR2 (Bell & McCaffrey 2002) with Satterthwaite's "
        "degrees of freedom (Pustejovsky & Tipton 2018), which hold with few agents. Where one "
        "agent has more than 80 % of a measure's variation there is no estimate. What calls of a "
        "customer, or of a week, share across agents is added (two-way clustering, Cameron, "
        "Gelbach & Miller 2011). “p, bootstrap” is "
        "a second opinion: the wild cluster bootstrap (Cameron, Gelbach & Miller 2008; Webb 2023).",
        "Measures of steadiness, of which near 0 is good on either side, enter without their sign.",
        _CORRECTIONS[design.correction].format(level=f"{1 - design.confidence:.0%}")
        + " Intervals are not widened for it.",
        "Robustness: a confounder must explain more than this share of what is left of both the "
        "measure and the outcome to bring the estimate to 0 (Cinelli & Hazlett 2020).",
        "Survival: Cox models of the time until the customer leaves, a baseline for each agent "
        "where effects are fixed. Every call is followed until then, whatever calls come between "
        "(landmark rows); errors allow for calls of an agent and of a customer, with the "
        "small-sample correction of CR2 by agents' shares of the information. By the latest call: "
        "a Cox model whose covariates change with each call, in calendar time, customers entering "
        "with their first call, how many calls there had been held equal.",
    ]


def _model(study: Study) -> str:
    """Say which model it is, and what its estimates weigh."""
    if not study.is_share:
        return "least squares."
    if study.design.model is Model.LOGIT:
        return (
            "a logit with an effect of each agent: estimates are its average marginal effects, "
            "what the share would change by, averaged over all calls (Fernandez-Val 2009)."
        )
    return (
        "least squares on 0 and 1: estimates are differences of shares, a linear probability "
        "model, in which calls weigh by how much the measure varies among them; agents whose calls "
        "hardly differ hardly count. --model logit averages over all calls alike."
    )


def _outcome(study: Study) -> str:
    """Say which outcome counts for which call."""
    design = study.design
    if design.outcome != "retained":
        return (
            f"Outcome: {design.outcome}, of a customer's last call before it, at most "
            f"{design.within_days:g} days later."
        )
    excluded = ", ".join(design.excluded_reasons)
    return (
        f"Outcome: whether the customer was still there {design.within_days:g} days after the "
        f"call: 0 if they had left by then, 1 if they were known to be there then or later. Calls "
        f"count if the customer stayed for {design.after_days:g} days afterwards"
        + (f", but not those about {excluded}" if excluded else "")
        + ". Customers last heard of before the horizon are represented by others, weighted by the "
        "inverse of the chance of being followed that long (Robins & Finkelstein 2000). All calls "
        "of a customer count; errors allow for them being alike."
    )


def as_dict(study: Study) -> dict[str, Any]:
    """Return everything as plain values, for JSON."""
    return {
        "finding": lead(study),
        "design": asdict(study.design),
        "counted": {study.sample.unit: study.sample.total},
        "rows": len(study.sample.frame),
        "left_out": study.sample.flow,
        "errors": errors(study),
        "corrected": asdict(study.corrected) if study.corrected else None,
        "associations": [asdict(a) for a in study.associations],
        "dose_response": [asdict(d) for d in study.doses],
        "hazards": [
            asdict(h) | {"hazard_ratio": None if h.ratio is None else exp(h.ratio.value)}
            for h in study.hazards
        ],
        "not_controlled": study.not_controlled,
        "cautions": list(study.cautions),
        "attrition": [asdict(a) for a in study.attrition],
        "bounds": [asdict(b) for b in study.bounds],
        "negative_controls": {
            name: [asdict(a) for a in found] for name, found in study.negative_controls
        },
        "weighted": [asdict(a) for a in study.weighted],
        "if_answers_are_told_rightly": [asdict(told) for told in study.if_read_so],
        "latest_calls": [asdict(h) for h in study.latest],
        "answers": [asdict(a) for a in study.answers],
        "provenance": asdict(study.provenance) if study.provenance else None,
    }

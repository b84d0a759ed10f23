"""A whole study: the rows, the models, and all that has to be said beside the numbers."""

from dataclasses import dataclass
from pathlib import Path

from warmline.research.associations import Association, associations
from warmline.research.calibration import MEASURE, Calibration, Corrected, corrected
from warmline.research.design import Design, Effects
from warmline.research.dose import Dose, dose
from warmline.research.sample import Sample, read_sample, require_libraries
from warmline.research.survival import Hazard, hazards
from warmline.research.terms import usable

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
    """What was asked, of which rows, and what was found."""

    design: Design
    sample: Sample
    associations: tuple[Association, ...]
    doses: tuple[Dose, ...]
    hazards: tuple[Hazard, ...]
    not_controlled: dict[str, str]
    is_share: bool
    calibration: Calibration | None = None

    @property
    def corrected(self) -> Corrected | None:
        """The association of the answered rate without errors of recognition, by labels."""
        found = next((a for a in self.told if a.measure == MEASURE), None)
        if self.calibration is None or found is None or not (found.adjusted and found.sd):
            return None
        return corrected(found.adjusted, found.sd, self.calibration, self.design.confidence)

    @property
    def told(self) -> tuple[Association, ...]:
        """The measures of which something can be said."""
        return tuple(a for a in self.associations if a.adjusted is not None)

    @property
    def clear(self) -> tuple[Association, ...]:
        """Those whose association is clear of chance after the correction."""
        level = 1 - self.design.confidence
        return tuple(a for a in self.told if (a.p_corrected or 0.0) < level)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What a reader of these numbers, in particular, has to know."""
        said = [
            f"{column} is not held equal: it is {why}."
            for column, why in self.not_controlled.items()
        ]
        fewest = min((a.adjusted.df for a in self.told if a.adjusted), default=99.0)
        if fewest < 10:
            said.append(
                f"There are few agents (as good as {fewest + 1:.0f} for one of the measures): "
                "intervals are wide because so little is known of how agents differ."
            )
        if self.design.effects is not Effects.FIXED:
            said.append(
                "Agents are compared with each other, too: what differs between agents besides the "
                "measure is part of the estimates."
            )
        said += self._of_leaving()
        if any(h.proportional_p is not None and h.proportional_p < 0.05 for h in self.hazards):
            said.append(
                "For some measures the hazard ratio changes with time; it is then an average."
            )
        return tuple(said)

    def _of_leaving(self) -> list[str]:
        """What the outcome of being retained asks a reader to know."""
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


def run_study(warehouse: Path, design: Design, by: Calibration | None = None) -> Study:
    """Read the rows that a design asks for and fit its models, corrected by labels if given.

    Raises as `read_sample`, and SettingsError where the libraries for it are not installed.
    """
    require_libraries()
    return study_of(read_sample(warehouse, design), design, by)


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
        not_controlled=usable(frame, design.controls).unusable,
        is_share=set(frame["outcome"].unique()) <= {0.0, 1.0},
        calibration=by,
    )

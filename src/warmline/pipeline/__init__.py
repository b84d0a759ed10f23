"""From recordings to landed analyses: what is pending, and every stage of one call in order."""

from warmline.pipeline.analyze import analyze_recording
from warmline.pipeline.plan import Duplicate, Plan, PlannedCall, Redo, land_duplicates, make_plan
from warmline.pipeline.stages import STAGES, Addressing, Stage, all_measures, with_later
from warmline.pipeline.tally import Tally
from warmline.pipeline.workers import Order, Outcome, Workers

__all__ = [
    "STAGES",
    "Addressing",
    "Duplicate",
    "Order",
    "Outcome",
    "Plan",
    "PlannedCall",
    "Redo",
    "Stage",
    "Tally",
    "Workers",
    "all_measures",
    "analyze_recording",
    "land_duplicates",
    "make_plan",
    "with_later",
]

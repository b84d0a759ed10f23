"""From recordings to landed analyses: what is pending, and every stage of one call in order."""

from warmline.pipeline.analyze import analyze_recording
from warmline.pipeline.calls import Order, Outcome
from warmline.pipeline.elsewhere import Elsewhere, note_lost
from warmline.pipeline.plan import land_duplicates, make_plan
from warmline.pipeline.planned import Duplicate, Plan, PlannedCall, Redo
from warmline.pipeline.retrying import failed_calls, put_back
from warmline.pipeline.stages import STAGES, Addressing, Stage, all_measures, with_later
from warmline.pipeline.tally import Tally
from warmline.pipeline.unanalyzed import dated_after
from warmline.pipeline.workers import Workers

__all__ = [
    "STAGES",
    "Addressing",
    "Duplicate",
    "Elsewhere",
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
    "dated_after",
    "failed_calls",
    "land_duplicates",
    "make_plan",
    "note_lost",
    "put_back",
    "with_later",
]

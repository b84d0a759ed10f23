"""From recordings to landed analyses: what is pending, and every stage of one call in order."""

from warmline.pipeline.analyze import analyze_recording
from warmline.pipeline.calls import Outcome, RunConfig, RunSummary
from warmline.pipeline.plan import (
    Duplicate,
    Plan,
    PlannedCall,
    Redo,
    land_duplicates,
    make_plan,
)
from warmline.pipeline.stages import STAGES, CacheKeys, Stage, all_measures, with_later
from warmline.pipeline.workers import ClusterWorker, Workers, have_sound, note_lost

__all__ = [
    "STAGES",
    "CacheKeys",
    "ClusterWorker",
    "Duplicate",
    "Outcome",
    "Plan",
    "PlannedCall",
    "Redo",
    "RunConfig",
    "RunSummary",
    "Stage",
    "Workers",
    "all_measures",
    "analyze_recording",
    "have_sound",
    "land_duplicates",
    "make_plan",
    "note_lost",
    "with_later",
]

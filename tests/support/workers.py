"""Calls for worker processes that have a model store without models."""

import sys
from collections.abc import Sequence
from pathlib import Path

from support.plans import MODELS
from warmline import landing
from warmline.pipeline.calls import RunConfig
from warmline.pipeline.plan import PlannedCall
from warmline.pipeline.stages import CacheKeys
from warmline.recordings import unread_recording
from warmline.settings import Settings, with_overrides


def cache_keys(tmp_path: Path, **values: object) -> CacheKeys:
    """Cache keys for a model store that is empty: enough for what never reaches a model."""
    given = {name.replace("__", "."): value for name, value in values.items()}
    chosen = with_overrides(Settings(), {"places.models": str(tmp_path / "models"), **given})
    return CacheKeys(chosen, MODELS, "rules")


def planned(path: Path) -> PlannedCall:
    return PlannedCall(unread_recording(path), "new")


def is_imported(_config: RunConfig, _batch: Sequence[PlannedCall], name: str) -> bool:
    """Whether the process that this runs in has imported a module."""
    return name in sys.modules


def landed(folder: Path, path: Path) -> landing.Landed:
    found = landing.known(folder).by_path(str(path))
    assert found is not None
    return found

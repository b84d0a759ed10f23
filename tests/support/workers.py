"""Calls for worker processes that have a model store without models."""

from pathlib import Path

from support.plans import MODELS
from warmline import landing
from warmline.pipeline import CacheKeys, PlannedCall
from warmline.pipeline.failures import unread_recording
from warmline.settings import Settings, with_overrides


def cache_keys(tmp_path: Path, **values: object) -> CacheKeys:
    """Cache keys for a model store that is empty: enough for what never reaches a model."""
    given = {name.replace("__", "."): value for name, value in values.items()}
    chosen = with_overrides(Settings(), {"places.models": str(tmp_path / "models"), **given})
    return CacheKeys(chosen, MODELS, "rules")


def planned(path: Path) -> PlannedCall:
    return PlannedCall(unread_recording(path), "new")


def landed(folder: Path, path: Path) -> landing.Landed:
    found = landing.known(folder).by_path(str(path))
    assert found is not None
    return found

"""Where a run keeps what it makes."""

import os
from dataclasses import dataclass
from pathlib import Path

from warmline.errors import WarmlineError
from warmline.settings import Settings

#: In a landing folder, the note of an erasing that has not reached the warehouse yet.
ERASING = "erasing.json"


@dataclass(frozen=True)
class Places:
    """The landing folder of the analyses, and the warehouse that is built from it."""

    landing: Path
    warehouse: Path


class UnfinishedErasureError(WarmlineError):
    """Calls were erased from the landing folder, and the warehouse may still hold their words."""

    def __init__(self, places: Places, settings: Settings) -> None:
        super().__init__(
            f"{places.landing}: an erasing (`warmline forget`) was begun and not finished; any "
            "command of warmline finishes it"
        )
        self.places = places
        self.settings = settings


def places_of(
    settings: Settings, landing: Path | None = None, warehouse: Path | None = None
) -> Places:
    """The places that a caller names, else those of the settings.

    Where neither names a landing folder, it lies beside the warehouse: `calls.duckdb` has
    `calls.landing`. Raises UnfinishedErasureError where an erasing was stopped halfway.
    """
    base = warehouse or Path(settings.places.warehouse).expanduser()
    named = Path(settings.places.landing).expanduser() if settings.places.landing else None
    places = Places(landing or named or base.with_suffix(".landing"), base)
    require_nothing_half_erased(places, settings)
    return places


def erasing_note(warehouse: Path) -> Path:
    """The note beside a warehouse that says from which landing folder calls are being erased."""
    return warehouse.with_name(f"{warehouse.name}.erasing")


def require_nothing_half_erased(places: Places, settings: Settings) -> None:
    """Raise UnfinishedErasureError where an erasing of these places was begun and not finished."""
    notes = (places.landing / ERASING, erasing_note(places.warehouse))
    if any(os.path.exists(note) for note in notes):  # noqa: PTH110  (Path.exists may raise)
        raise UnfinishedErasureError(places, settings)

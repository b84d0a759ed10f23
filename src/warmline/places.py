"""Where a run keeps what it makes."""

from dataclasses import dataclass
from pathlib import Path

from warmline.settings import Settings


@dataclass(frozen=True)
class Places:
    """The landing folder of the analyses, and the warehouse that is built from it."""

    landing: Path
    warehouse: Path


def places_of(
    settings: Settings, landing: Path | None = None, warehouse: Path | None = None
) -> Places:
    """The places that a caller names, else those of the settings.

    Where neither names a landing folder, it lies beside the warehouse: `calls.duckdb` has
    `calls.landing`.
    """
    base = warehouse or Path(settings.places.warehouse).expanduser()
    named = Path(settings.places.landing).expanduser() if settings.places.landing else None
    return Places(landing or named or base.with_suffix(".landing"), base)

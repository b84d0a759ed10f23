"""The folder and file that a run writes to: the landing folder and the warehouse."""

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from warmline.errors import WarehouseError, WarmlineError
from warmline.files import PRIVATE_FILE, sync

if TYPE_CHECKING:
    from warmline.settings import Settings

#: The file in a landing folder that holds the folder's id.
IDENTITY = "landing.json"

#: The marker in a landing folder of an erasure that has not reached the warehouse yet.
ERASING = "erasing.json"


@dataclass(frozen=True)
class Places:
    """The landing folder of the analyses, and the warehouse that is built from it."""

    landing: Path
    warehouse: Path


class UnfinishedErasureError(WarmlineError):
    """Calls were erased from the landing folder, and the warehouse may still hold their words."""

    def __init__(self, places: Places, settings: "Settings", *, allow_loss: bool = False) -> None:
        super().__init__(
            f"{places.landing}: an erasing (`warmline forget`) was begun and not finished; any "
            "command of warmline finishes it"
        )
        self.places = places
        self.settings = settings
        self.allow_loss = allow_loss


def places_of(
    settings: "Settings",
    landing: Path | None = None,
    warehouse: Path | None = None,
    *,
    allow_loss: bool = False,
) -> Places:
    """Return the places that the caller names, or else those of the settings.

    Where neither names a landing folder, it lies beside the warehouse: `calls.duckdb` has
    `calls.landing`. Raises UnfinishedErasureError where an erasing was stopped halfway; with
    `allow_loss` it tells whoever finishes that erasing that calls may be lost by it.
    """
    base = warehouse or Path(settings.places.warehouse).expanduser()
    named = Path(settings.places.landing).expanduser() if settings.places.landing else None
    places = Places(landing or named or base.with_suffix(".landing"), base)
    require_nothing_half_erased(places, settings, allow_loss=allow_loss)
    return places


def erasing_note(warehouse: Path) -> Path:
    """Return the path of the note beside a warehouse that names the landing folder being erased
    from.
    """
    return warehouse.with_name(f"{warehouse.name}.erasing")


def require_nothing_half_erased(
    places: Places, settings: "Settings", *, allow_loss: bool = False
) -> None:
    """Raise UnfinishedErasureError where an erasing of these places was begun and not finished."""
    notes = (places.landing / ERASING, erasing_note(places.warehouse))
    if any(os.path.exists(note) for note in notes):  # noqa: PTH110  (Path.exists may raise)
        raise UnfinishedErasureError(places, settings, allow_loss=allow_loss)


def identity_of(landing_dir: Path) -> str | None:
    """Return the id of a landing folder, the same wherever it lies; None if it has none yet.

    A copy has the id of what it was copied from. Raises WarehouseError for a file that is no id.
    """
    path = landing_dir / IDENTITY
    try:
        return str(uuid.UUID(json.loads(path.read_text(encoding="utf-8"))["landing_id"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise WarehouseError(f"{path}: cannot be read ({str(e).splitlines()[0]})") from e


def give_identity(landing_dir: Path) -> str | None:
    """Return the id of a landing folder, and write a new one if it has none.

    Returns None for a folder that does not exist or cannot be written to.
    """
    if (found := identity_of(landing_dir)) or not landing_dir.is_dir():
        return found
    path = landing_dir / IDENTITY
    temporary = path.with_name(f".{IDENTITY}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.touch(PRIVATE_FILE, exist_ok=False)
        temporary.write_text(json.dumps({"landing_id": str(uuid.uuid4())}), encoding="utf-8")
        sync(temporary)
        path.hardlink_to(temporary)  # fails if the file exists, which a rename would not
    except FileExistsError:
        pass  # another process has just written one
    except OSError:
        return None
    finally:
        temporary.unlink(missing_ok=True)
    return identity_of(landing_dir)

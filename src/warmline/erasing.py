"""Forgetting as a whole: from the landing folder to the warehouse, reports and Prefect's database.

An erasing is noted in the landing folder and beside the warehouse before anything goes. Whatever
stops it, every command that uses these places finds the note, and finishes it first.
"""

from contextlib import ExitStack, suppress
from pathlib import Path

from warmline import landing
from warmline.errors import WarehouseError
from warmline.landing import Erased, Selection
from warmline.locks import LockedError, exclusive
from warmline.nights import forget_names, prefect_home, refresh_reports
from warmline.pipeline import all_measures
from warmline.places import Places, erasing_note
from warmline.settings import Settings
from warmline.warehouse import publish
from warmline.whole_files import write_whole

#: In a landing folder: names in Prefect's database are still to be erased.
_NIGHTS_LEFT = "nights-to-forget"


def erase_calls(
    places: Places,
    selection: Selection,
    settings: Settings,
    *,
    and_later: bool = False,
    in_a_night: bool = False,
) -> Erased:
    """Erase calls from landing folder, warehouse, reports and Prefect's own database.

    `in_a_night`, Prefect's database is left to `night.keep_runs_days`: it is in use. Raises
    WarehouseError when another process erases or publishes, or Prefect's database is in use all
    the time; LandingError, UnreadableError for a file that cannot be read.
    """
    with _alone(places):
        note = erasing_note(places.warehouse)
        folder = str(places.landing.resolve())
        write_whole(note, lambda file: file.write_text(folder), WarehouseError, "a note")
        erased = landing.erase(places.landing, selection, places.warehouse, and_later=and_later)
        _finish(places, settings, in_a_night=in_a_night)
    return erased


def finish_erasing(places: Places, settings: Settings, *, in_a_night: bool = False) -> None:
    """Finish an erasing that was begun from these places and stopped. Raises as `erase_calls`."""
    folder = _noted_folder(places)
    with _alone(Places(folder, places.warehouse)):
        landing.carry_out(folder)
        _finish(Places(folder, places.warehouse), settings, in_a_night=in_a_night)


def forget_nights_left(landing_dir: Path) -> None:
    """Erase names from Prefect's database if an erasing could not. Raises WarehouseError."""
    if (landing_dir / _NIGHTS_LEFT).exists():
        forget_names(prefect_home())
        (landing_dir / _NIGHTS_LEFT).unlink(missing_ok=True)


def _finish(places: Places, settings: Settings, *, in_a_night: bool) -> None:
    folder = places.landing
    named = landing.warehouse_to_build(folder)
    if landing.is_unfinished(folder):
        for warehouse in dict.fromkeys((places.warehouse.resolve(), named or places.warehouse)):
            if warehouse.is_file():
                publish(folder, warehouse, all_measures(), settings.profile, from_nothing=True)
                refresh_reports(warehouse, settings.night)
        if not in_a_night:
            (folder / _NIGHTS_LEFT).touch(mode=0o600)
    landing.finish(folder)
    for warehouse in filter(None, (places.warehouse, named)):
        erasing_note(warehouse).unlink(missing_ok=True)
    if not in_a_night:
        forget_nights_left(folder)


def _alone(places: Places) -> ExitStack:
    """Hold the lock of who erases. Raises WarehouseError naming who does."""
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(places.landing / ".erasing.lock", "erasing calls"))
        except LockedError as e:
            raise WarehouseError(str(e)) from e
        except OSError as e:
            raise WarehouseError(f"{places.landing}: cannot be written ({e.strerror})") from e
        return held.pop_all()


def _noted_folder(places: Places) -> Path:
    """The landing folder that is being erased from: beside the warehouse may stand another."""
    with suppress(OSError, UnicodeDecodeError):
        return Path(erasing_note(places.warehouse).read_text(encoding="utf-8"))
    return places.landing

"""What a warehouse knows about its landing folder: where it is, and what people said since.

The warehouse notes the landing folder that it is built from, and accepts no other. The folder
beside a warehouse is only the default place: a command that used it without asking the warehouse
would find nothing there, and publish nothing.

What a person says of a call is a file in the landing folder at once. A publishing takes new files
into the tables `reviews` and `evaluations`. A connection that reads the warehouse in between gets
those of both in temporary tables, which the views read instead; the file of the warehouse stays as
it is.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warmline.encryption import Key
from warmline.errors import EncryptionError, WarehouseError
from warmline.files import (
    Places,
    give_identity,
    identity_of,
    is_there,
    places_of,
    require_nothing_half_erased,
)

if TYPE_CHECKING:
    import duckdb

    from warmline.landing.store import LandedFile
    from warmline.settings import Settings
    from warmline.warehouse.tables import CheckResult


_SHOWN_FAULTS = 10


@dataclass(frozen=True)
class LandingFolder:
    """The landing folder of a warehouse as it was noted; `landing_id` is None if it had no id."""

    landing_id: str | None
    relative_path: str
    absolute_path: str

    def candidates(self, warehouse: Path) -> tuple[Path, ...]:
        """Return where it may lie: from the warehouse as it did, or where it was."""
        beside = warehouse.resolve().parent / self.relative_path
        return Path(os.path.normpath(beside)), Path(self.absolute_path)

    def original(self, warehouse: Path) -> Path | None:
        """Return the warehouse that this one is a copy of; None if it is none, or none is there.

        A landing folder that lies beside or below its warehouse says where that lay.
        """
        below = Path(self.relative_path).parts
        if not below or below[0] == os.pardir:
            return None
        place = Path(self.absolute_path).parents[len(below) - 1] / warehouse.name
        is_another = is_there(place) and not place.samefile(warehouse)
        return place if is_another else None

    def is_at(self, folder: Path, warehouse: Path) -> bool:
        """Return whether this is the folder: by its id, else by its place, if anything is there."""
        found = identity_of(folder)
        if found is not None and self.landing_id is not None:
            return found == self.landing_id
        places = [place.resolve() for place in self.candidates(warehouse)]
        return folder.resolve() in places and (found is not None or _holds_something(folder))


def landing_folder_at(landing_dir: Path, warehouse: Path) -> LandingFolder:
    """Return what a warehouse notes of the folder that it is built from, which gets an id."""
    place = landing_dir.resolve()
    beside = os.path.relpath(place, warehouse.resolve().parent)
    return LandingFolder(give_identity(landing_dir), beside, str(place))


def noted_folder(con: "duckdb.DuckDBPyConnection") -> LandingFolder | None:
    """Return what a warehouse notes of its landing folder; None for one of an earlier version."""
    import duckdb

    try:
        found = con.execute(
            "SELECT landing_id, relative_path, absolute_path FROM landing.folder"
        ).fetchone()
    except duckdb.CatalogException:
        return None
    return LandingFolder(*found) if found else None


def note_landing_folder(con: "duckdb.DuckDBPyConnection", folder: LandingFolder) -> None:
    """Note the landing folder in the warehouse that is being built."""
    con.execute("DELETE FROM landing.folder")
    con.execute(
        "INSERT INTO landing.folder VALUES ($landing_id, $relative_path, $absolute_path, $now)",
        {**vars(folder), "now": datetime.now(UTC).replace(tzinfo=None)},
    )


def known_places(
    settings: "Settings",
    landing: Path | None = None,
    warehouse: Path | None = None,
    *,
    allow_loss: bool = False,
    keys: Sequence[Key | None] | None = None,
) -> Places:
    """Return the warehouse to use and its landing folder, which the warehouse knows.

    A warehouse named on the command line may be another than that of the settings: then its own
    note takes precedence over their landing folder. With `allow_loss` a named folder is taken
    whatever the warehouse says. `keys` may be those of the warehouse; None, the key that is set.
    Raises WarehouseError, saying what to do, when the named folder is not that of the warehouse, or
    its folder is not where it was; UnfinishedErasureError as `places_of`.
    """
    found = _known(settings, landing, warehouse, allow_loss, keys)
    require_nothing_half_erased(found, settings, allow_loss=allow_loss)
    return found


def _known(
    settings: "Settings",
    landing: Path | None,
    warehouse: Path | None,
    allow_loss: bool,
    keys: Sequence[Key | None] | None,
) -> Places:
    asked = places_of(settings, landing, warehouse, allow_loss=allow_loss)
    is_named = landing is not None or (bool(settings.places.landing) and warehouse is None)
    if not asked.warehouse.is_file() or (allow_loss and is_named):
        return asked
    try:
        noted, calls = _read(asked.warehouse) if keys is None else _read_with(asked, keys)
    except WarehouseError:  # damaged, or open in another program: publishing says so
        if is_named or _holds_something(asked.landing):
            return asked
        raise
    if noted is None:
        if calls and not (allow_loss or _holds_something(asked.landing)):
            raise WarehouseError(_unknown(asked, calls))
        return asked
    if is_named:
        if calls and not noted.is_at(asked.landing, asked.warehouse):
            raise WarehouseError(_another(asked, noted))
        return asked
    for folder in (*noted.candidates(asked.warehouse), asked.landing):
        if noted.is_at(folder, asked.warehouse):
            is_where_it_was = folder.resolve() == Path(noted.absolute_path).resolve()
            if is_where_it_was and (original := noted.original(asked.warehouse)):
                raise WarehouseError(_copied(asked, noted, original))
            found = Places(folder, asked.warehouse)
            require_nothing_half_erased(found, settings, allow_loss=allow_loss)
            return found
    if allow_loss or not calls:
        return asked
    raise WarehouseError(_gone(asked, noted, calls))


def check_landing_folder(
    settings: "Settings", landing: Path | None, warehouse: Path | None
) -> "CheckResult":
    """Check that the landing folder has every analysis that the warehouse shows, as `run_checks`.

    Every file is listed and the key of every analysis read. A folder that is not to be found does
    not pass. Raises WarehouseError for a warehouse that cannot be read.
    """
    from warmline.database import open_for_reading
    from warmline.landing.rows import known
    from warmline.warehouse.tables import CheckResult

    name = "the_landing_folder_is_whole"
    meaning = "Every call's analysis lies, and can be read, in the landing folder."
    asked = places_of(settings, landing, warehouse)
    with open_for_reading(asked.warehouse) as con:
        calls = con.execute("SELECT landing_key, call_id FROM calls").fetchall()
    try:
        place = known_places(settings, landing, warehouse).landing
    except WarehouseError as e:
        return CheckResult(name, meaning, ("reason",), ((str(e),),), 1)
    there = known(place)
    landed = there.keys()
    missing = [call_id for key, call_id in calls if key not in landed]
    problems = [("damaged", f"{place / file}: {why}") for file, why in there.unreadable.items()]
    problems += [("not there", f"{call_id}, in {place}") for call_id in missing]
    return CheckResult(
        name, meaning, ("fault", "what"), tuple(problems[:_SHOWN_FAULTS]), len(problems)
    )


def _read(warehouse: Path) -> tuple[LandingFolder | None, int]:
    """Return the warehouse's note of its landing folder, and how many calls it has."""
    from warmline.database import open_for_reading

    with open_for_reading(warehouse) as con:
        return _noted(con)


def _read_with(asked: Places, keys: Sequence[Key | None]) -> tuple[LandingFolder | None, int]:
    """Return the same for a warehouse whose key is one of these; nothing if none fits."""
    from warmline.database import attach, open_to_convert

    for key in keys:
        with open_to_convert(asked.warehouse, key) as con, suppress(EncryptionError):
            attach(con, "noting", asked.warehouse, key, read_only=True)
            con.execute("USE noting")
            return _noted(con)
    return None, 0


def _noted(con: "duckdb.DuckDBPyConnection") -> tuple[LandingFolder | None, int]:
    import duckdb

    try:
        ((calls,),) = con.execute("SELECT count(*) FROM calls").fetchall()
    except duckdb.CatalogException:
        return None, 0  # not a warehouse: publishing says so
    return noted_folder(con), calls


def _holds_something(folder: Path) -> bool:
    from warmline.landing import erasures, manifest
    from warmline.landing.store import walk

    if manifest.holds_something(folder):
        return True
    return any(True for _ in walk(folder / erasures.FOLDER, erasures.FOLDER, ".json"))


def _unknown(asked: Places, calls: int) -> str:
    return (
        f"{asked.warehouse}: of a version that did not note its landing folder, and nothing has "
        f"landed in {asked.landing}, where it would lie for these {calls} calls; say with "
        "--landing DIR where it is, and the next publishing notes it"
    )


def _another(asked: Places, noted: LandingFolder) -> str:
    return (
        f"{asked.landing}: not the landing folder of {asked.warehouse}, which is "
        f"{noted.absolute_path}; leave --landing (places.landing) away to use that, or name "
        "another --warehouse; `warmline analyze --allow-loss` builds this one from what you named"
    )


def _copied(asked: Places, noted: LandingFolder, original: Path) -> str:
    beside = asked.warehouse.parent / noted.relative_path
    return (
        f"{asked.warehouse}: a copy of {original}, whose landing folder {noted.absolute_path} it "
        f"would write into; copy that as well, as {beside}, or say once with --landing DIR where "
        "its copy is"
    )


def _gone(asked: Places, noted: LandingFolder, calls: int) -> str:
    instead = ""
    if os.path.isdir(noted.absolute_path):  # noqa: PTH112  (Path.is_dir may raise)
        instead = " (another folder is, or an empty one)"
    return (
        f"{asked.warehouse}: the landing folder of its {calls} calls was {noted.absolute_path} and "
        f"is not there{instead}; if it was moved, say once with --landing DIR where it is now (the "
        "next publishing notes it); if it is on another disk, mount that"
    )


# Reviews and evaluations: in their tables once they are published, and shown beside them before.


@dataclass(frozen=True)
class _Kind:
    """A kind of what people say: its folder, which is its table too, that table's key, and the
    table of its files.
    """

    folder: str
    key: str
    files: str

    def row(self, path: Path) -> dict[str, Any]:
        """Return what a file says as a row of the table. Raises LandingError, EncryptionError."""
        from warmline.landing.feedback import read_evaluation, read_review

        read = read_review if self is _REVIEWS else read_evaluation
        row = {self.key: path.stem, **asdict(read(path))}
        return {name: _as_utc(value) for name, value in row.items()}


_REVIEWS = _Kind("reviews", "review_id", "landing.review_files")
_EVALUATIONS = _Kind("evaluations", "evaluation_id", "landing.evaluation_files")


def show_landed_reviews(con: "duckdb.DuckDBPyConnection", warehouse: Path) -> None:
    """Show this connection also the reviews that have landed since the last publishing.

    Where the landing folder is not to be found, or a review cannot be read, what was published is
    seen; the next publishing tells of a review that is damaged.
    """
    _show(con, warehouse, _REVIEWS)


def show_landed_evaluations(con: "duckdb.DuckDBPyConnection", warehouse: Path) -> None:
    """Show this connection also the evaluations, as `show_landed_reviews` does."""
    _show(con, warehouse, _EVALUATIONS)


def _show(con: "duckdb.DuckDBPyConnection", warehouse: Path, kind: _Kind) -> None:
    import duckdb

    noted = noted_folder(con)
    if noted is None:
        return
    for folder in noted.candidates(warehouse):
        files = dict(_landed(folder / kind.folder))
        if files and noted.is_at(folder, warehouse):
            try:
                published = con.execute(f"SELECT {kind.key} FROM {kind.folder}").fetchall()
            except duckdb.CatalogException:  # a warehouse of before there was such a table
                return
            new = sorted(files.keys() - {name for (name,) in published})
            _add(con, kind, [files[name] for name in new])
            return


def _as_utc(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def _insert(con: "duckdb.DuckDBPyConnection", kind: _Kind, path: Path) -> None:
    """Insert what a file says into its table. Raises as `_Kind.row`."""
    row = kind.row(path)
    columns, values = ", ".join(row), ", ".join(f"${column}" for column in row)
    con.execute(f"INSERT OR REPLACE INTO {kind.folder} ({columns}) VALUES ({values})", row)


def _add(con: "duckdb.DuckDBPyConnection", kind: _Kind, paths: list[Path]) -> None:
    if not paths:
        return
    from warmline.landing.store import LandingError

    con.execute(f"CREATE TEMP TABLE landed AS FROM {kind.folder}")
    con.execute(f"ALTER TABLE landed ADD PRIMARY KEY ({kind.key})")
    con.execute(f"ALTER TABLE landed RENAME TO {kind.folder}")
    for path in paths:
        try:
            _insert(con, kind, path)
        except (LandingError, EncryptionError):
            continue


def _landed(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a folder that have landed, by id; none if it cannot be read."""
    try:
        with os.scandir(folder) as parts:
            inside = [part.path for part in parts if part.is_dir(follow_symlinks=False)]
        for part in inside:
            with os.scandir(part) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        yield Path(entry.name).stem, Path(entry.path)
    except OSError:
        return


def note_reviews(
    con: "duckdb.DuckDBPyConnection", landing_dir: Path, files: "Sequence[LandedFile]"
) -> None:
    """Read the reviews that are new and remove those that are gone.

    One that cannot be read stays as it was, and `landing.review_files` says why.
    """
    _note(con, landing_dir, files, _REVIEWS)


def note_evaluations(
    con: "duckdb.DuckDBPyConnection", landing_dir: Path, files: "Sequence[LandedFile]"
) -> None:
    """Read the evaluations that are new and remove those that are gone; as `note_reviews`."""
    _note(con, landing_dir, files, _EVALUATIONS)


def _note(
    con: "duckdb.DuckDBPyConnection",
    landing_dir: Path,
    files: "Sequence[LandedFile]",
    kind: _Kind,
) -> None:
    known = dict(con.execute(f"SELECT file, stamp FROM {kind.files}").fetchall())
    for name in known.keys() - {file.name for file in files}:
        gone = {"id": Path(name).stem}
        con.execute(f"DELETE FROM {kind.folder} WHERE {kind.key} = $id", gone)
        con.execute(f"DELETE FROM {kind.files} WHERE file = $file", {"file": name})
    for file in files:
        if known.get(file.name) != file.stamp:
            con.execute(
                f"INSERT OR REPLACE INTO {kind.files} VALUES ($file, $stamp, $problem)",
                {
                    "file": file.name,
                    "stamp": file.stamp,
                    "problem": _problem_with(con, kind, landing_dir / file.name),
                },
            )


def _problem_with(con: "duckdb.DuckDBPyConnection", kind: _Kind, path: Path) -> str | None:
    """Insert what one file says; return why it cannot be read, else None. Raises VanishedError."""
    from warmline.landing.store import LandingError

    try:
        _insert(con, kind, path)
    except LandingError as e:
        _require_there(path)
        return str(e)
    return None


def _require_there(path: Path) -> None:
    """Raise VanishedError for a file that was erased since it was listed."""
    from warmline.landing.rows import VanishedError

    if not os.path.lexists(path):
        raise VanishedError(f"{path}: disappeared while being read")


# Brings the outcomes of the warehouse up to date with those that have landed.

#: Of an outcome that was loaded more than once, the last word counts.
_REFILL = """
DELETE FROM outcomes;
INSERT INTO outcomes BY NAME
SELECT customer_id, given_call_id, name, occurred_at, is_whole_day, value, text, source, line,
    loaded_at
FROM landing.outcome_lines
WHERE problem IS NULL
QUALIFY row_number() OVER (
    PARTITION BY customer_id, given_call_id, name, occurred_at, is_whole_day
    ORDER BY loaded_at DESC, file DESC, line) = 1
ORDER BY customer_id, occurred_at, name
"""


def note_outcomes(
    con: "duckdb.DuckDBPyConnection", landing_dir: Path, files: "Sequence[LandedFile]"
) -> None:
    """Read the files that are new, forget those that are gone, and fill the table `outcomes`.

    Of a file that cannot be read, what it held before counts, and `landing.outcome_files` says why.
    """
    known = dict(con.execute("SELECT file, stamp FROM landing.outcome_files").fetchall())
    gone = known.keys() - {file.name for file in files}
    fresh = [file for file in files if known.get(file.name) != file.stamp]
    if not (gone or fresh):
        return
    for name in gone:
        _forget_outcomes(con, name)
        con.execute("DELETE FROM landing.outcome_files WHERE file = $file", {"file": name})
    for file in fresh:
        problem = _problem_with_outcomes(con, landing_dir, file.name)
        con.execute(
            "INSERT OR REPLACE INTO landing.outcome_files VALUES ($file, $stamp, $problem)",
            {"file": file.name, "stamp": file.stamp, "problem": problem},
        )
    fill_outcomes(con)


def fill_outcomes(con: "duckdb.DuckDBPyConnection") -> None:
    """Fill the table `outcomes` from all lines that have landed."""
    con.execute(_REFILL)


def _problem_with_outcomes(
    con: "duckdb.DuckDBPyConnection", landing_dir: Path, name: str
) -> str | None:
    """Read the lines of one file; return why it cannot be read, else None. Raises VanishedError."""
    from warmline.landing.feedback import read_outcomes
    from warmline.landing.store import LandingError

    try:
        lines = read_outcomes(landing_dir / name)
    except LandingError as e:
        _require_there(landing_dir / name)
        return str(e)
    _forget_outcomes(con, name)
    con.register("outcome_lines_read", lines)
    con.execute(
        "INSERT INTO landing.outcome_lines BY NAME SELECT *, $file AS file FROM outcome_lines_read",
        {"file": name},
    )
    con.unregister("outcome_lines_read")
    return None


def _forget_outcomes(con: "duckdb.DuckDBPyConnection", name: str) -> None:
    con.execute("DELETE FROM landing.outcome_lines WHERE file = $file", {"file": name})

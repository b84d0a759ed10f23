"""Build the new warehouse beside the current one, and replace that in one step.

An open reader keeps the file it opened; a new one gets the whole old or the whole new warehouse,
whatever happens to the publishing process.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import duckdb

from warmline import __version__
from warmline.analysis import MetricDefinition
from warmline.database import (
    attach,
    has_small_blocks,
    is_of_few,
    log_of,
    open_for_building,
    open_for_reading,
)
from warmline.encryption import current_key
from warmline.errors import WarehouseError, first_line, shortened
from warmline.files import LockedError, exclusive, make_private_folder
from warmline.landing import (
    compact,
    forgotten_keys,
    is_unfinished,
    remove,
    store,
)
from warmline.landing.feedback import evaluation_files, outcome_files, review_files
from warmline.landing.rows import UnreadableError, VanishedError, open_reader
from warmline.landing.store import LandedFile
from warmline.settings import ProfileSettings
from warmline.warehouse.access_log import forget_calls_but
from warmline.warehouse.landing_folder import (
    LandingFolder,
    fill_outcomes,
    landing_folder_at,
    note_evaluations,
    note_landing_folder,
    note_outcomes,
    note_reviews,
)
from warmline.warehouse.load import (
    Loading,
    Stamped,
    drop_unsaid_words,
    index_turns,
    leave_away,
    load,
    note_definitions,
    note_files,
    note_profile,
    summarize,
)
from warmline.warehouse.swap import (
    YESTERDAY,
    building_beside,
    carry_over_history,
    carry_over_unreadable_calls,
    carry_over_unreadable_feedback,
    carry_over_unreadable_outcomes,
    copy_all,
    copy_beside,
    discard_foreign_log,
    remove_leftovers,
    swap,
)
from warmline.warehouse.tables import (
    comment_tables,
    define_tables,
    define_views,
    empty_warehouse,
    loaded_tables,
    run_checks,
    sql_digest,
    tables_digest,
)

# The inputs of a warehouse, as digests: equal ones mean equal warehouses, and nothing to build.


@dataclass(frozen=True)
class Fingerprint:
    """Digests of all that a warehouse is built from."""

    sql_sha256: str
    tables_sha256: str
    landing_sha256: str
    definitions_sha256: str


@dataclass(frozen=True)
class Published:
    """The sources that a warehouse was last built from, and its contents."""

    inputs: Fingerprint
    calls: int
    unreadable: dict[str, str]
    is_small: bool  # made for few calls


@dataclass(frozen=True)
class Feedback:
    """The landed files of what people said, by kind."""

    outcomes: Sequence[LandedFile]
    reviews: Sequence[LandedFile]
    evaluations: Sequence[LandedFile]


def fingerprint_of(
    files: Sequence[LandedFile],
    definitions: Sequence[MetricDefinition],
    profile: ProfileSettings | None,
    folder: LandingFolder,
) -> Fingerprint:
    """Return what a warehouse would be built from today."""
    return Fingerprint(
        sql_digest(),
        tables_digest(),
        _sha256([astuple(folder), *((file.name, file.stamp) for file in files)]),
        _sha256([*sorted(astuple(definition) for definition in definitions), (repr(profile),)]),
    )


def published(warehouse: Path) -> Published | None:
    """Return what the warehouse was last built from; None when that is unknown.

    Raises WarehouseError for a file that is not a warehouse, that a newer warmline published, or
    that another program writes to.
    """
    with open_for_reading(warehouse) as con:
        tables = {name for (name,) in con.execute(_TABLES).fetchall()}
        if tables and not tables & _OURS:
            raise WarehouseError(f"{warehouse}: not made by warmline; choose another name")
        try:
            _refuse_newer(warehouse, con)
            row = con.execute(
                "SELECT sql_sha256, tables_sha256, landing_sha256, definitions_sha256, "
                "(SELECT count(*) FROM calls) FROM runs ORDER BY run_id DESC LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            return Published(Fingerprint(*row[:4]), row[4], problems(con), has_small_blocks(con))
        except (duckdb.CatalogException, duckdb.BinderException):
            return None  # of an earlier version: it is built anew


_TABLES = "SELECT schema_name || '.' || table_name FROM duckdb_tables()"
#: What only a warehouse has, one of before tables were rebuilt as well.
_OURS = {"landing.files", "main.schema_migrations"}


def _refuse_newer(warehouse: Path, con: duckdb.DuckDBPyConnection) -> None:
    """Raise WarehouseError when a newer warmline has published: this one knows less."""
    row = con.execute("SELECT warmline_version FROM runs ORDER BY run_id DESC LIMIT 1").fetchone()
    if row and _numbers(row[0]) > _numbers(__version__):
        raise WarehouseError(
            f"{warehouse}: published by warmline {row[0]}, and this is {__version__}; publish with "
            "that version or a newer one"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def differs(before: Published | None, inputs: Fingerprint) -> bool:
    """Return whether the published warehouse was checked by other SQL or definitions."""
    return before is None or (
        (before.inputs.sql_sha256, before.inputs.definitions_sha256)
        != (inputs.sql_sha256, inputs.definitions_sha256)
    )


def _have_same_sql(before: Published, inputs: Fingerprint) -> bool:
    """Return whether the published warehouse has the views and comments of today."""
    return before.inputs.sql_sha256 == inputs.sql_sha256


def problems(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the landing files that cannot be read, each with the reason.

    A warehouse of before may not have all tables that note them.
    """
    tables = [table for (table,) in con.execute(_NOTES_OF_FILES).fetchall()]
    noted = " UNION ALL ".join(f"SELECT file, problem FROM landing.{table}" for table in tables)
    found = con.execute(f"FROM ({noted}) WHERE problem IS NOT NULL").fetchall() if tables else []
    return dict(found)


_NOTES_OF_FILES = """
SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()
    AND schema_name = 'landing' AND suffix(table_name, 'files')
ORDER BY table_name
"""


def _sha256(rows: Sequence[tuple[object, ...]]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


_ATTEMPTS = 10

#: Calls whose analysis has gone, and no newer one of the recording at that place has come.
_LOST = """
SELECT call_id, landing_key FROM outdated
WHERE NOT comes_back AND path NOT IN (SELECT path FROM live) ORDER BY call_id
"""
_LOST_OF_YESTERDAY = f"""
SELECT call_id, landing_key FROM {YESTERDAY}.main.calls ANTI JOIN main.calls USING (landing_key)
WHERE path NOT IN (SELECT path FROM main.calls) ORDER BY call_id
"""
#: Calls by names under which, until now, another recording was known.
_KEPT_NAMES = """
SELECT calls.call_id FROM calls ANTI JOIN {before} AS old
    ON old.call_id = calls.call_id AND old.landing_key <> calls.landing_key
    AND old.path <> calls.path
"""


@dataclass(frozen=True)
class PublishReport:
    """The result of publishing. `rebuilt` is false when the warehouse was up to date already.

    `unreadable` maps a damaged landing file to what is wrong with it: the warehouse keeps the
    earlier rows of its calls. `checks` is how many were run; all of them passed.
    """

    warehouse: Path
    loaded: int
    removed: int
    unchanged: int
    unreadable: dict[str, str]
    checks: int
    rebuilt: bool
    seconds: float


#: So long another publishing is waited for: that of 20,000 calls takes half a minute.
_WAIT_S = 60.0


def publish(
    landing_dir: Path,
    warehouse_path: Path,
    definitions: Sequence[MetricDefinition],
    profile: ProfileSettings | None = None,
    *,
    from_nothing: bool = False,
    allow_loss: bool = False,
) -> PublishReport:
    """Bring the warehouse up to date with the landing folder, or leave it exactly as it is.

    Nothing changed: nothing is built. Otherwise yesterday's file is copied (there may be none),
    what changed is loaded, the checks are run, and the file is swapped. When tables are made or
    loaded otherwise than yesterday's were, or the file was made for few calls and these are many,
    all calls are loaded into a new file. `profile` has the
    weights of the empathy index; None keeps those that were published before. With `from_nothing`
    the file is new in any case: what was erased is in no free block either. Where an
    erasure is unfinished, or words or metadata of a call are there no more, what counts is copied
    into a new file, and what does not goes from the landing folder's packs. A call that yesterday's
    warehouse has, and that has no file any more without having been erased, would be lost: that is
    refused unless `allow_loss` says that it may be. Another publishing of it is waited for, up to a
    minute. Raises WarehouseError, naming the cause, with yesterday's warehouse in its place.
    """
    place = warehouse_path.resolve()
    lock = place.with_name(f"{place.name}.lock")
    try:
        with exclusive(lock, "publishing this warehouse", _WAIT_S):
            remove_leftovers(place)
            discard_foreign_log(place)
            job = _Job(landing_dir, place, tuple(definitions), profile, from_nothing, allow_loss)
            return job.publish()
    except LockedError as e:
        raise WarehouseError(str(e)) from e
    except (duckdb.Error, OSError) as e:
        cause = first_line(e)
        raise WarehouseError(f"{place}: not published, what was there stays ({cause})") from e


class _Job:
    """One publishing: from where, to where, since when."""

    def __init__(
        self,
        landing_dir: Path,
        warehouse: Path,
        definitions: tuple[MetricDefinition, ...],
        profile: ProfileSettings | None,
        from_nothing: bool,
        allow_loss: bool,
    ) -> None:
        self.from_nothing = from_nothing
        self.allow_loss = allow_loss
        self.landing_dir = landing_dir
        self.warehouse = warehouse
        self.definitions = definitions
        self.profile = profile
        self.building = building_beside(warehouse)
        self.started_at = datetime.now(UTC)
        self._clock = perf_counter()

    def publish(self) -> PublishReport:
        """Build and swap; again when the landing folder moved or a file in it proved damaged."""
        unreadable: dict[Stamped, str] = {}
        folder = landing_folder_at(self.landing_dir, self.warehouse)
        for _ in range(_ATTEMPTS):
            files = store.landed_files(self.landing_dir)
            said = Feedback(
                outcome_files(self.landing_dir),
                review_files(self.landing_dir),
                evaluation_files(self.landing_dir),
            )
            everything = [*files, *said.outcomes, *said.reviews, *said.evaluations]
            inputs = fingerprint_of(everything, self.definitions, self.profile, folder)
            before = published(self.warehouse) if self.warehouse.exists() else None
            if before is not None and before.inputs == inputs and not self.from_nothing:
                return self._report(Loading(0, 0, before.calls), before.unreadable, 0, False)
            try:
                return self._build(files, said, folder, inputs, before, unreadable)
            except UnreadableError as e:
                stamps = {file.name: file.stamp for file in files}
                unreadable |= {(name, stamps[name]): why for name, why in e.problems.items()}
            except VanishedError:
                continue
            finally:
                remove_leftovers(self.warehouse)
        raise WarehouseError(f"{self.landing_dir}: files keep changing while being loaded")

    def _build(
        self,
        files: Sequence[LandedFile],
        said: Feedback,
        folder: LandingFolder,
        inputs: Fingerprint,
        before: Published | None,
        unreadable: Mapping[Stamped, str],
    ) -> PublishReport:
        make_private_folder(self.building.parent)
        landed_bytes = sum(file.size_bytes for file in files)
        is_small = is_of_few(landed_bytes)
        is_outgrown = before is not None and before.is_small and not is_small
        is_new = is_outgrown or self._is_to_be_rebuilt(before, inputs)
        is_rebuilt = is_new and self.warehouse.exists()
        is_described = is_new or (before is not None and _have_same_sql(before, inputs))
        if not is_new:
            copy_beside(self.warehouse, self.building)
        elif current_key() is None:
            self.building.write_bytes(empty_warehouse(is_small=is_small))
        with open_for_building(self.building, landed_bytes=landed_bytes) as con:
            if is_new and current_key() is not None:
                define_tables(con)
                define_views(con)
            if not is_described:
                comment_tables(con)
            if is_rebuilt:
                attach(con, YESTERDAY, self.warehouse, current_key(), read_only=True)
            loading = self._load(con, files, unreadable, is_rebuilt=is_rebuilt)
            if not self.allow_loss:
                self._require_no_loss(con, _LOST_OF_YESTERDAY if is_rebuilt else _LOST)
            note_landing_folder(con, folder)
            note_outcomes(con, self.landing_dir, said.outcomes)
            note_reviews(con, self.landing_dir, said.reviews)
            note_evaluations(con, self.landing_dir, said.evaluations)
            if is_rebuilt:
                if carry_over_unreadable_outcomes(con):
                    fill_outcomes(con)
                carry_over_unreadable_feedback(con)
            note_definitions(con, self.definitions)
            if self.profile is not None:
                note_profile(con, self.profile)
            if not is_described:  # else the file has the views that are wanted
                define_views(con)
            index_turns(con)
            is_rid = is_rebuilt or loading.rid_of_words > 0 or is_unfinished(self.landing_dir)
            if is_rid and not is_new:
                drop_unsaid_words(con)
            summarize(con)
            checks = _require_passing(con, whole=differs(before, inputs))
            report = self._report(loading, problems(con), checks, True)
            self._note_run(con, report, inputs)
            named_before = f"{YESTERDAY}.main.calls" if is_rebuilt else "outdated"
            kept = con.execute(_KEPT_NAMES.format(before=named_before)).fetchall()
            if is_rid and not is_new:
                self._leave_no_free_block(con)
            else:
                con.execute("CHECKPOINT")
        swap(self.building, self.warehouse)
        forget_calls_but(self.warehouse, {call for (call,) in kept})
        if is_rid:
            with suppress(LockedError):  # the compacting process drops superseded rows, too
                compact(self.landing_dir)
        return report

    def _is_to_be_rebuilt(self, before: Published | None, inputs: Fingerprint) -> bool:
        return (
            self.from_nothing
            or before is None
            or before.inputs.tables_sha256 != inputs.tables_sha256
        )

    def _load(
        self,
        con: duckdb.DuckDBPyConnection,
        files: Sequence[LandedFile],
        unreadable: Mapping[Stamped, str],
        *,
        is_rebuilt: bool,
    ) -> Loading:
        """Bring the tables of calls up to date."""
        if is_rebuilt:
            carry_over_history(con)
        with open_reader(con, self.landing_dir) as landing:
            note_files(con, landing, files, unreadable)
            self._sweep(con)
            if is_rebuilt:
                names = tuple(table.table for table in loaded_tables())
                carry_over_unreadable_calls(con, names, forgotten_keys(self.landing_dir))
            return load(con, landing, YESTERDAY if is_rebuilt else None)

    def _sweep(self, con: duckdb.DuckDBPyConnection) -> None:
        """Remove what was erased but landed again since, from a run that was under way."""
        if late := leave_away(con, forgotten_keys(self.landing_dir)):
            try:
                remove(self.landing_dir, late)
            except LockedError:
                return  # left out here; the compacting process erases it
            raise VanishedError(f"{self.landing_dir}: what had been erased landed again")

    def _leave_no_free_block(self, con: duckdb.DuckDBPyConnection) -> None:
        """Copy what was built into a file that never held anything else; needs no other table.

        What it is copied from is removed, and not written out before.
        """
        dense = self.building.with_name("dense")
        attach(con, "dense", dense, current_key(), read_only=False)
        copy_all(con, "dense")
        con.execute("PRAGMA disable_checkpoint_on_shutdown")
        dense.replace(self.building)
        log_of(self.building).unlink(missing_ok=True)

    def _require_no_loss(self, con: duckdb.DuckDBPyConnection, lost_calls: str) -> None:
        """Raise WarehouseError when calls are gone that nobody erased or recorded anew."""
        gone = con.execute(lost_calls).fetchall()
        erased = forgotten_keys(self.landing_dir) if gone else frozenset()
        lost = [call_id for call_id, key in gone if key not in erased]
        if lost:
            raise WarehouseError(
                f"{self.warehouse}: not published, what was there stays: {len(lost)} of its calls "
                f"({shortened(lost[0])}{', ...' if len(lost) > 1 else ''}) have no analysis in "
                f"{self.landing_dir} and were not erased by `warmline forget`; put that "
                "folder right, or name the right one (--landing); the flag --allow-loss of "
                f"`warmline {'forget' if is_unfinished(self.landing_dir) else 'analyze'}` goes on "
                "without them"
            )

    def _note_run(
        self, con: duckdb.DuckDBPyConnection, report: PublishReport, inputs: Fingerprint
    ) -> None:
        con.execute(
            "INSERT INTO runs SELECT coalesce(max(run_id), 0) + 1, $at, $seconds, $loaded, "
            "$removed, $unchanged, $unreadable, $version, $sql_sha256, $tables_sha256, "
            "$landing_sha256, $definitions_sha256 FROM runs",
            {
                "at": self.started_at.replace(tzinfo=None),
                "seconds": report.seconds,
                "loaded": report.loaded,
                "removed": report.removed,
                "unchanged": report.unchanged,
                "unreadable": len(report.unreadable),
                "version": __version__,
                **asdict(inputs),
            },
        )

    def _report(
        self, loading: Loading, unreadable: dict[str, str], checks: int, rebuilt: bool
    ) -> PublishReport:
        seconds = perf_counter() - self._clock
        counts = (loading.loaded, loading.removed, loading.unchanged)
        return PublishReport(self.warehouse, *counts, unreadable, checks, rebuilt, seconds)


def _require_passing(con: duckdb.DuckDBPyConnection, *, whole: bool) -> int:
    """Run the checks; return how many. Raises WarehouseError saying what they found."""
    results = run_checks(con, whole=whole)
    failed = [str(result) for result in results if not result.passed]
    if failed:
        raise WarehouseError(
            f"not published, what was there stays: check {'; check '.join(failed)}"
        )
    return len(results)

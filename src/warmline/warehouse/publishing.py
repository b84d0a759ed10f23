"""Builds tomorrow's warehouse beside today's and puts it in its place in one step.

An open reader keeps the file it opened; a new one gets the whole old or the whole new warehouse,
whatever happens to the process that publishes.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import duckdb

from warmline import __version__
from warmline.database import open_for_building, open_for_reading
from warmline.errors import WarehouseError
from warmline.landing import places
from warmline.landing.outcomes import outcome_files
from warmline.landing.places import LandedFile
from warmline.landing.reviews import review_files
from warmline.landing.scan import UnreadableError, VanishedError, reader
from warmline.locks import LockedError, exclusive
from warmline.metrics import MetricDefinition
from warmline.settings import ProfileSettings
from warmline.warehouse.checks import run_checks
from warmline.warehouse.indexing import index_turns
from warmline.warehouse.load import (
    Loading,
    Stamped,
    load,
    note_definitions,
    note_files,
    note_profile,
)
from warmline.warehouse.migrate import define_views, migrate
from warmline.warehouse.outcomes import note_outcomes
from warmline.warehouse.reviews import note_reviews
from warmline.warehouse.sql import digest, sql_files
from warmline.warehouse.swapping import building_beside, log_of, remove_leftovers, swap

_ATTEMPTS = 5


@dataclass(frozen=True)
class PublishReport:
    """What a publishing did. `rebuilt` is false when the warehouse was up to date already.

    `unreadable` maps a landing file that is damaged to what is wrong with it: of its calls, the
    warehouse shows what it showed before. `checks` is how many were run; all of them passed.
    """

    warehouse: Path
    loaded: int
    removed: int
    unchanged: int
    unreadable: dict[str, str]
    checks: int
    rebuilt: bool
    seconds: float


def publish(
    landing_dir: Path,
    warehouse_path: Path,
    definitions: Sequence[MetricDefinition],
    profile: ProfileSettings | None = None,
    *,
    from_nothing: bool = False,
) -> PublishReport:
    """Bring the warehouse up to date with the landing folder, or leave it exactly as it is.

    Nothing changed: nothing is built. Otherwise yesterday's file is copied (there may be none),
    migrated, what changed is loaded, the checks are run, and the file is swapped. `profile` has the
    weights of the empathy index; None keeps those that were published before. With `from_nothing`
    no byte of yesterday's file is taken over: what was erased is in no free block either. Raises
    WarehouseError, naming the cause, with yesterday's warehouse in its place.
    """
    place = warehouse_path.resolve()
    job = _Job(landing_dir, place, tuple(definitions), profile, from_nothing)
    lock = job.warehouse.with_name(f"{job.warehouse.name}.lock")
    try:
        with exclusive(lock, "publishing this warehouse"):
            remove_leftovers(job.warehouse)
            return job.publish()
    except LockedError as e:
        raise WarehouseError(str(e)) from e
    except (duckdb.Error, OSError) as e:
        cause = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise WarehouseError(
            f"{job.warehouse}: not published, what was there stays ({cause})"
        ) from e


@dataclass(frozen=True)
class _Inputs:
    """Digests of all that a warehouse is made from: equal ones, equal warehouses."""

    sql_sha256: str
    load_sha256: str
    landing_sha256: str
    definitions_sha256: str


@dataclass(frozen=True)
class _Published:
    """What the warehouse was last made from, and what is in it."""

    inputs: _Inputs
    calls: int
    unreadable: dict[str, str]


class _Job:
    """One publishing: where from, where to, since when."""

    def __init__(
        self,
        landing_dir: Path,
        warehouse: Path,
        definitions: tuple[MetricDefinition, ...],
        profile: ProfileSettings | None,
        from_nothing: bool,
    ) -> None:
        self.from_nothing = from_nothing
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
        for _ in range(_ATTEMPTS):
            files = places.files(self.landing_dir)
            outcomes = outcome_files(self.landing_dir)
            reviews = review_files(self.landing_dir)
            inputs = _inputs([*files, *outcomes, *reviews], self.definitions, self.profile)
            before = _published(self.warehouse) if self._has_yesterday else None
            if before is not None and before.inputs == inputs:
                return self._report(Loading(0, 0, before.calls), before.unreadable, 0, False)
            try:
                return self._build(files, outcomes, reviews, inputs, before, unreadable)
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
        outcomes: Sequence[LandedFile],
        reviews: Sequence[LandedFile],
        inputs: _Inputs,
        before: _Published | None,
        unreadable: Mapping[Stamped, str],
    ) -> PublishReport:
        self._copy()
        everything = before is not None and before.inputs.load_sha256 != inputs.load_sha256
        with open_for_building(self.building) as con:
            migrate(con)
            with reader(con, self.landing_dir) as landing:
                note_files(con, landing, files, unreadable)
                loading = load(con, landing, everything=everything)
            note_outcomes(con, self.landing_dir, outcomes)
            note_reviews(con, self.landing_dir, reviews)
            note_definitions(con, self.definitions)
            if self.profile is not None:
                note_profile(con, self.profile)
            define_views(con)
            index_turns(con)
            checks = _require_passing(con, whole=_judged_otherwise(before, inputs))
            problems = _problems(con)
            report = self._report(loading, problems, checks, True)
            self._note_run(con, report, inputs)
            con.execute("CHECKPOINT")
        swap(self.building, self.warehouse)
        return report

    @property
    def _has_yesterday(self) -> bool:
        return self.warehouse.exists() and not self.from_nothing

    def _copy(self) -> None:
        if not self._has_yesterday:
            self.warehouse.parent.mkdir(parents=True, exist_ok=True)
            return
        shutil.copyfile(self.warehouse, self.building)
        shutil.copymode(self.warehouse, self.building)
        if (log := log_of(self.warehouse)).exists():
            shutil.copyfile(log, log_of(self.building))

    def _note_run(
        self, con: duckdb.DuckDBPyConnection, report: PublishReport, inputs: _Inputs
    ) -> None:
        con.execute(
            "INSERT INTO runs SELECT coalesce(max(run_id), 0) + 1, $at, $seconds, $loaded, "
            "$removed, $unchanged, $unreadable, $version, $sql_sha256, $load_sha256, "
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


def _inputs(
    files: Sequence[LandedFile],
    definitions: Sequence[MetricDefinition],
    profile: ProfileSettings | None,
) -> _Inputs:
    loads = sql_files("load")
    others = [file for kind in ("migrations", "views", "checks") for file in sql_files(kind)]
    return _Inputs(
        digest(*loads, *others),
        digest(*loads),
        _sha256([(file.name, file.stamp) for file in files]),
        _sha256([*sorted(astuple(definition) for definition in definitions), (repr(profile),)]),
    )


def _published(warehouse: Path) -> _Published | None:
    """What the warehouse was last made from; None when that cannot be told.

    Raises WarehouseError for a file that is not a warehouse, or that another program writes to.
    """
    with open_for_reading(warehouse) as con:
        tables = {name for (name,) in con.execute("SHOW TABLES").fetchall()}
        if tables and "schema_migrations" not in tables:
            raise WarehouseError(f"{warehouse}: not made by warmline; choose another name")
        try:
            row = con.execute(
                "SELECT sql_sha256, load_sha256, landing_sha256, definitions_sha256, "
                "(SELECT count(*) FROM calls) FROM runs ORDER BY run_id DESC LIMIT 1"
            ).fetchone()
            return _Published(_Inputs(*row[:4]), row[4], _problems(con)) if row else None
        except (duckdb.CatalogException, duckdb.BinderException):
            return None  # of an earlier version: migrating it is a change


def _judged_otherwise(before: _Published | None, inputs: _Inputs) -> bool:
    """Whether what was published was checked by other SQL or definitions than today's."""
    return before is None or (
        (before.inputs.sql_sha256, before.inputs.definitions_sha256)
        != (inputs.sql_sha256, inputs.definitions_sha256)
    )


def _require_passing(con: duckdb.DuckDBPyConnection, *, whole: bool) -> int:
    """Run the checks; returns how many. Raises WarehouseError saying what they found."""
    results = run_checks(con, whole=whole)
    failed = [str(result) for result in results if not result.passed]
    if failed:
        raise WarehouseError(
            f"not published, what was there stays: check {'; check '.join(failed)}"
        )
    return len(results)


def _problems(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(
        con.execute(
            "SELECT file, problem FROM landing.files WHERE problem IS NOT NULL UNION ALL "
            "SELECT file, problem FROM landing.outcome_files WHERE problem IS NOT NULL UNION ALL "
            "SELECT file, problem FROM landing.review_files WHERE problem IS NOT NULL"
        ).fetchall()
    )


def _sha256(rows: Sequence[tuple[object, ...]]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()

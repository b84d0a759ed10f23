"""What a warehouse is made from, as digests: equal ones, equal warehouses, and nothing to build."""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import duckdb

from warmline.database import open_for_reading
from warmline.errors import WarehouseError
from warmline.landing.places import LandedFile
from warmline.metrics import MetricDefinition
from warmline.settings import ProfileSettings
from warmline.warehouse.landing_folder import LandingFolder
from warmline.warehouse.sql import digest, sql_files


@dataclass(frozen=True)
class Inputs:
    """Digests of all that a warehouse is made from."""

    sql_sha256: str
    load_sha256: str
    landing_sha256: str
    definitions_sha256: str


@dataclass(frozen=True)
class Published:
    """What a warehouse was last made from, and what is in it."""

    inputs: Inputs
    calls: int
    unreadable: dict[str, str]


def inputs_of(
    files: Sequence[LandedFile],
    definitions: Sequence[MetricDefinition],
    profile: ProfileSettings | None,
    folder: LandingFolder,
) -> Inputs:
    """What a warehouse would be made from today."""
    loads = sql_files("load")
    kinds = ("migrations", "summaries", "views", "checks")
    others = [file for kind in kinds for file in sql_files(kind)]
    return Inputs(
        digest(*loads, *others),
        digest(*loads),
        _sha256([astuple(folder), *((file.name, file.stamp) for file in files)]),
        _sha256([*sorted(astuple(definition) for definition in definitions), (repr(profile),)]),
    )


def published(warehouse: Path) -> Published | None:
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
            return Published(Inputs(*row[:4]), row[4], problems(con)) if row else None
        except (duckdb.CatalogException, duckdb.BinderException):
            return None  # of an earlier version: migrating it is a change


def judged_otherwise(before: Published | None, inputs: Inputs) -> bool:
    """Whether what was published was checked by other SQL or definitions than today's."""
    return before is None or (
        (before.inputs.sql_sha256, before.inputs.definitions_sha256)
        != (inputs.sql_sha256, inputs.definitions_sha256)
    )


def problems(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The landing files that cannot be read, each with what is wrong with it."""
    return dict(
        con.execute(
            "SELECT file, problem FROM landing.files WHERE problem IS NOT NULL UNION ALL "
            "SELECT file, problem FROM landing.outcome_files WHERE problem IS NOT NULL UNION ALL "
            "SELECT file, problem FROM landing.review_files WHERE problem IS NOT NULL"
        ).fetchall()
    )


def _sha256(rows: Sequence[tuple[object, ...]]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()

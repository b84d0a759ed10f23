"""What became of customers, as it was given: one Parquet file a load, never changed once written.

    outcomes/<aa>/<time of the load>-<digest>.parquet

A warehouse can be built from them again at any time; nothing that was loaded is lost with it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from warmline.landing import manifest, store
from warmline.landing.store import LandedFile

FOLDER = "outcomes"

Key = tuple[str | None, str | None, datetime | None, bool, str]


@dataclass(frozen=True)
class OutcomeLine:
    """One outcome as a line of a file gives it; with a `problem`, as much of it as could be read.

    `occurred_at` is UTC, without a zone as in the warehouse; with `is_whole_day` only the day is
    known, and it is that day's midnight. A number is in `value`, anything else in `text`.
    """

    line: int
    name: str
    customer_id: str | None = None
    given_call_id: str | None = None
    occurred_at: datetime | None = None
    is_whole_day: bool = False
    value: float | None = None
    text: str | None = None
    problem: str | None = None

    @property
    def key(self) -> Key:
        """Return the key of the thing that a line is about, so that lines about the same can be
        compared.
        """
        return (
            self.customer_id,
            self.given_call_id,
            self.occurred_at,
            self.is_whole_day,
            self.name,
        )


SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("name", pa.string()),
        ("customer_id", pa.string()),
        ("given_call_id", pa.string()),
        ("occurred_at", pa.timestamp("us")),
        ("is_whole_day", pa.bool_()),
        ("value", pa.float64()),
        ("text", pa.string()),
        ("problem", pa.string()),
        ("source", pa.string()),
        ("loaded_at", pa.timestamp("us")),
    ]
)


def write_outcomes(
    lines: Sequence[OutcomeLine], landing_dir: Path, *, source: str, loaded_at: datetime
) -> Path:
    """Store the outcomes of one file, `source` by name; return the file written.

    Raises LandingError when it cannot be written, EncryptionError when the key that is set, or its
    absence, does not match the folder.
    """
    manifest.key_of(landing_dir, writes=True)
    columns = list(zip(*map(astuple, lines), strict=True)) or [()] * len(fields(OutcomeLine))
    at = loaded_at.replace(tzinfo=None)
    given = [source] * len(lines), [at] * len(lines)
    arrays = [
        pa.array(column, type=kind)
        for column, kind in zip([*columns, *given], SCHEMA.types, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    digest = hashlib.sha256(repr((source, loaded_at, lines)).encode()).hexdigest()
    name = f"{at:%Y%m%dT%H%M%S%f}-{digest[:16]}.parquet"
    return store.write_whole(
        landing_dir / FOLDER / digest[:2] / name,
        lambda file: store.write_table(table, file, compression="zstd", write_page_checksum=True),
    )


def outcome_files(landing_dir: Path) -> list[LandedFile]:
    """Return the files of all loads, in order of name; none without the folder.

    Raises EncryptionError when the key that is set, or its absence, does not match the folder.
    """
    manifest.key_of(landing_dir)
    return sorted(store.walk(landing_dir / FOLDER, FOLDER), key=lambda file: file.name)


def read_outcomes(path: Path) -> pa.Table:
    """Return one load as a table of `SCHEMA`. Raises as `store.read_table`, or ValueError."""
    key = store.required_key(path)
    if key is None:
        return pq.read_table(path, schema=SCHEMA, page_checksum_verification=True)
    return store.decrypt_table(path, key).cast(SCHEMA)

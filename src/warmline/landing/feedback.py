"""What people tell of calls, as they gave it: outcomes of customers, and reviews of listeners.

    outcomes/<aa>/<time of the load>-<digest>.parquet     the outcomes of one file that was loaded
    reviews/<aa>/<time>-<digest>.json                     one review; in an encrypted folder a
                                                          .parquet with that text in it

A file is never changed once written; a reviewer's later word on the same row is another file, and
the last one counts. A warehouse can be built from them again at any time; nothing that is rebuilt
or analyzed anew touches them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from warmline.landing import erasures, manifest, store
from warmline.landing.store import LandedFile, LandingError

_OUTCOMES = "outcomes"

OutcomeKey = tuple[str | None, str | None, datetime | None, bool, str]


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
    def key(self) -> OutcomeKey:
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


OUTCOME_SCHEMA = pa.schema(
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
        for column, kind in zip([*columns, *given], OUTCOME_SCHEMA.types, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=OUTCOME_SCHEMA)
    digest = hashlib.sha256(repr((source, loaded_at, lines)).encode()).hexdigest()
    name = f"{at:%Y%m%dT%H%M%S%f}-{digest[:16]}.parquet"
    return store.write_whole(
        landing_dir / _OUTCOMES / digest[:2] / name,
        lambda file: store.write_table(table, file, compression="zstd", write_page_checksum=True),
    )


def outcome_files(landing_dir: Path) -> list[LandedFile]:
    """Return the files of all loads, in order of name; none without the folder.

    Raises EncryptionError when the key that is set, or its absence, does not match the folder.
    """
    manifest.key_of(landing_dir)
    return sorted(store.walk(landing_dir / _OUTCOMES, _OUTCOMES), key=lambda file: file.name)


def read_outcomes(path: Path) -> pa.Table:
    """Return one load as a table of its schema. Raises as `store.read_table`, or ValueError."""
    key = store.required_key(path)
    if key is None:
        return pq.read_table(path, schema=OUTCOME_SCHEMA, page_checksum_verification=True)
    return store.decrypt_table(path, key).cast(OUTCOME_SCHEMA)


# Reviews: what people who listened say of the results.

_REVIEWS = "reviews"
_CLEAR, _SECRET = ".json", ".parquet"


@dataclass(frozen=True)
class Review:
    """A reviewer's judgement. Its fields are the columns of the table `reviews`; times are UTC.

    `landing_key` identifies the recording; a cue is found again by its kind (`name`) and its time,
    a measure by `name` and `role`.
    """

    reviewed_at: datetime
    reviewer: str
    given_call_id: str
    landing_key: str
    subject: str
    name: str
    role: str | None
    start_s: float | None
    end_s: float | None
    machine_said: str | None
    verdict: str
    should_be: str | None
    reason: str | None


_ADAPTER = TypeAdapter(Review)


def write_review(review: Review, landing_dir: Path) -> Path:
    """Store a review; return the file written, which is absent if its call was erased.

    Raises LandingError when it cannot be written, EncryptionError when the key that is set, or its
    absence, does not match the folder.
    """
    key = manifest.key_of(landing_dir, writes=True)
    text = json.dumps(asdict(review), default=datetime.isoformat, ensure_ascii=False, indent=1)
    digest = hashlib.sha256(text.encode()).hexdigest()
    name = f"{review.reviewed_at:%Y%m%dT%H%M%S%f}-{digest[:16]}{_CLEAR if key is None else _SECRET}"
    path = landing_dir / _REVIEWS / digest[:2] / name
    store.write_whole(path, lambda file: store.write_text(text, file))
    if review.landing_key in erasures.forgotten_keys(landing_dir):  # erased meanwhile
        path.unlink(missing_ok=True)
    return path


def review_files(landing_dir: Path) -> list[LandedFile]:
    """Return the files of all reviews, in order of name; none without the folder.

    Raises EncryptionError when the key that is set, or its absence, does not match the folder.
    """
    manifest.key_of(landing_dir)
    found = store.walk(landing_dir / _REVIEWS, _REVIEWS, (_CLEAR, _SECRET))
    return sorted(found, key=lambda file: file.name)


def read_review(path: Path) -> Review:
    """Return one review. Raises LandingError naming a file that holds none, or EncryptionError."""
    try:
        return _ADAPTER.validate_json(store.read_text(path))
    except (OSError, UnicodeDecodeError, ValidationError, KeyError) as e:
        raise LandingError(f"{path}: not a readable review ({str(e).splitlines()[0]})") from e

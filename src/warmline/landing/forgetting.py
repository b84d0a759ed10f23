"""Erases calls for good, and remembers only that they are not to come back.

    forgotten/<aa>/<time>-<digest>.json

Such a file holds the keys of what was erased (digests of bytes or paths, nothing of what they held)
and counts. It is written before anything is erased and marked as finished when the warehouse has
been built without the calls, so that a power cut in between is made good by the next time.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from warmline.database import open_without_warehouse
from warmline.landing import places, scan, tables
from warmline.landing.listings import forget_listed
from warmline.landing.mapping import storable
from warmline.landing.outcomes import outcome_files
from warmline.landing.packs import remove
from warmline.landing.places import ANALYSES, LandingError
from warmline.landing.reviews import read_review, review_files

FOLDER = "forgotten"

#: Everything that is kept of a recording goes with it: superseded rows, copies at other places.
_MATCHING = """
WITH rows_of AS (
    SELECT landing_key, nullif(recording.audio_sha256, '') AS audio,
        list_contains($calls, metadata.call_id) OR list_contains($customers, metadata.customer_id)
            OR coalesce(metadata.started_at, recording.modified_at) < $before AS is_meant
    FROM read_parquet($files, union_by_name = true))
SELECT DISTINCT landing_key FROM rows_of
WHERE is_meant OR audio IN (SELECT audio FROM rows_of WHERE is_meant)
ORDER BY landing_key
"""

#: Those of them that are remote.
_REMOTE = """
SELECT DISTINCT recording.path, recording.size_bytes, recording.modified_at
FROM read_parquet($files, union_by_name = true)
WHERE list_contains($keys, landing_key) AND contains(recording.path, '://')
"""


@dataclass(frozen=True)
class Selection:
    """Whose calls are meant: call ids and customer ids as the metadata gives them, or age.

    `before` means calls that started before a time; where the start is not known, the recording's
    last change counts.
    """

    calls: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    before: datetime | None = None


@dataclass(frozen=True)
class Erasure:
    """One erasing, without a word of what it erased. `outcomes` and `reviews` are counts."""

    forgotten_at: datetime
    landing_keys: tuple[str, ...]
    outcomes: int
    reviews: int
    finished: bool = False


@dataclass(frozen=True)
class Erased:
    """What an erasing did; `unreadable` files could not be looked into and are as they were."""

    calls: int
    outcomes: int
    reviews: int
    unreadable: dict[str, str] = field(hash=False)


_ADAPTER = TypeAdapter(Erasure)


def matching(landing_dir: Path, selection: Selection) -> tuple[str, ...]:
    """The keys of everything that has landed of the calls that are meant.

    Raises UnreadableError when a file that might hold one cannot be read.
    """
    found = _rows(
        landing_dir,
        _MATCHING,
        calls=[storable(call) for call in sorted(selection.calls)],
        customers=[storable(customer) for customer in sorted(selection.customers)],
        before=selection.before,
    )
    return tuple(key for (key,) in found)


def erase(landing_dir: Path, selection: Selection) -> Erased:
    """Erase these calls from the landing folder, with their reviews and outcomes.

    What an earlier erasing left, or a run that was under way then landed after it, is erased as
    well. The warehouse still has to be built without them: publish it from nothing, then call
    `finish`. Raises as `matching` does, or LandingError.
    """
    keys = matching(landing_dir, selection)
    outcomes = _erase_outcomes(landing_dir, selection)
    reviews = _erase_reviews(landing_dir, frozenset(keys))
    if keys or outcomes or reviews:
        marks = forget_listed(landing_dir, _rows(landing_dir, _REMOTE, keys=list(keys)))
        _note(landing_dir, Erasure(datetime.now(UTC), (*keys, *marks), outcomes, reviews))
    packing = remove(landing_dir, forgotten_keys(landing_dir))
    return Erased(len(keys), outcomes, reviews, packing.unreadable)


def is_unfinished(landing_dir: Path) -> bool:
    """Whether an erasing was begun and the warehouse not yet built without it."""
    return any(True for _ in _unfinished(landing_dir))


def finish(landing_dir: Path) -> None:
    """Note that the warehouse is without what was erased."""
    for path, erasure in list(_unfinished(landing_dir)):
        done = replace(erasure, finished=True)
        places.write_whole(path, partial(_write, erasure=done))


def forgotten_keys(landing_dir: Path) -> frozenset[str]:
    """The keys of all that was erased and must not be analyzed again."""
    return frozenset(key for _, e in _erasures(landing_dir) for key in e.landing_keys)


def is_forgotten(keys: Collection[str], audio_sha256: str, recording_path: str) -> bool:
    """Whether a recording is one that was erased: by its bytes, else by its path."""
    key = f"{ANALYSES}/{audio_sha256}" if audio_sha256 else places.refusal_key(recording_path)
    return key in keys


def keep_forgotten(landing_dir: Path, mark: str) -> None:
    """Note that a remote recording holds what was erased, so that it is not fetched again."""
    _note(landing_dir, Erasure(datetime.now(UTC), (mark,), 0, 0, finished=True))


def _rows(landing_dir: Path, sql: str, **given: object) -> list[tuple[Any, ...]]:
    names = [file.name for file in places.files(landing_dir)]
    with (
        open_without_warehouse() as con,
        scan.reader(con, landing_dir) as reader,
        reader.blaming(names),
    ):
        return reader.read(names, sql, **given).fetchall()


def _erase_outcomes(landing_dir: Path, selection: Selection) -> int:
    """Write the files that hold some without them; a file that held nothing else goes."""
    erased = 0
    for file in outcome_files(landing_dir):
        path = landing_dir / file.name
        table = tables.read_table(path)
        meant = pc.or_kleene(
            pc.is_in(table["customer_id"], value_set=_strings(selection.customers)),
            pc.is_in(table["given_call_id"], value_set=_strings(selection.calls)),
        )
        kept = table.filter(pc.invert(meant))
        erased += len(table) - len(kept)
        if not len(kept) and len(table):
            path.unlink()
        elif len(kept) < len(table):
            places.write_whole(path, partial(tables.write_table, kept))
    return erased


def _strings(values: Collection[str]) -> pa.Array:
    return pa.array(sorted(values), pa.string())


def _erase_reviews(landing_dir: Path, keys: Collection[str]) -> int:
    meant = [
        landing_dir / file.name
        for file in review_files(landing_dir)
        if read_review(landing_dir / file.name).landing_key in keys
    ]
    for path in meant:
        path.unlink()
    return len(meant)


def _note(landing_dir: Path, erasure: Erasure) -> None:
    digest = hashlib.sha256(repr(erasure).encode()).hexdigest()
    name = f"{erasure.forgotten_at:%Y%m%dT%H%M%S%f}-{digest[:16]}.json"
    path = landing_dir / FOLDER / digest[:2] / name
    places.write_whole(path, partial(_write, erasure=erasure))


def _write(path: Path, erasure: Erasure) -> None:
    path.write_text(
        json.dumps(_ADAPTER.dump_python(erasure, mode="json"), indent=1), encoding="utf-8"
    )


def _erasures(landing_dir: Path) -> Iterator[tuple[Path, Erasure]]:
    for file in places.walk(landing_dir / FOLDER, FOLDER, ".json"):
        path = landing_dir / file.name
        try:
            yield path, _ADAPTER.validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError) as e:
            raise LandingError(
                f"{path}: not a readable note of what was forgotten ({str(e).splitlines()[0]})"
            ) from e


def _unfinished(landing_dir: Path) -> Iterator[tuple[Path, Erasure]]:
    return ((path, e) for path, e in _erasures(landing_dir) if not e.finished)

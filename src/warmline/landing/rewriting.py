"""Landing files written anew: many analyses compacted into one file, or calls erased for good.

Compacting needs no lock against workers and readers. An uncompacted file is first locked by a
rename, so that an analysis written meanwhile is a new file; locked and compacted files are read
like all others; and a file is removed only once its compacted copy is on disk. After a power cut at
any point an analysis is in two files at worst, and counts once.

What is to be erased (from analyses, outcomes, reviews, evaluations and listings) is noted first,
see `erasures`, and marked as finished when the warehouse has been built without it; after a power
cut at any point, the next command completes it.
"""

import hashlib
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from warmline.database import open_without_warehouse, quoted
from warmline.files import ERASING, exclusive, make_private_folder
from warmline.landing import erasures, manifest, rows, store
from warmline.landing.erasures import Erasure, as_kept, digest, folded
from warmline.landing.feedback import (
    LandedEvaluation,
    Review,
    evaluation_files,
    outcome_files,
    read_evaluation,
    read_outcomes,
    read_review,
    review_files,
)
from warmline.landing.manifest import forget_listed, listed_marks
from warmline.landing.store import LandedFile

_ROWS_IN_GROUP = 128  # most rows decoded to read one call
_LEFTOVER_AGE_S = 86_400.0

#: The rows to remove: a table, as there may be as many as calls in a year.
_REMOVED = "CREATE OR REPLACE TEMP TABLE removed AS SELECT unnest($keys::VARCHAR[]) AS landing_key"

#: All rows of the files to replace: uncompacted ones, those with less than half of their rows
#: current, and those with rows to remove or with outdated words or metadata. Rows that are kept get
#: the number of a new file.
_CHOSEN = f"""
CREATE OR REPLACE TEMP TABLE chosen AS
WITH kept AS (
    SELECT file, landing_key FROM ({rows.live_of("landed")})
    ANTI JOIN removed USING (landing_key)),
rows_of AS (
    SELECT landed.file, landed.landing_key, content_sha256, kept.file IS NOT NULL AS is_kept,
        kept.file IS NULL AND (removed.landing_key IS NOT NULL
            OR list_contains(list_transform(stage_keys, lambda s: s.stage), 'words')
            OR metadata_fingerprint IS DISTINCT FROM any_value(metadata_fingerprint)
                FILTER (kept.file IS NOT NULL) OVER (PARTITION BY landed.landing_key)
        ) AS has_to_go
    FROM landed
    LEFT JOIN kept USING (file, landing_key)
    LEFT JOIN removed ON removed.landing_key = landed.landing_key),
replaced AS (
    SELECT file FROM rows_of GROUP BY file
    HAVING file NOT LIKE '{store.COMPACTED}/%' OR count_if(is_kept) * 2 < $rows_in_pack
        OR bool_or(has_to_go))
SELECT file, landing_key, content_sha256, is_kept,
    (row_number() OVER (PARTITION BY is_kept ORDER BY landing_key) - 1) // $rows_in_pack AS pack
FROM rows_of SEMI JOIN replaced USING (file)
"""

_ROWS_OF_FILE = """
SELECT r.* EXCLUDE (filename)
FROM read_parquet($files, union_by_name = true, filename = true) AS r
SEMI JOIN (SELECT file, landing_key FROM chosen WHERE is_kept AND pack = $pack) AS c
    ON c.file = r.filename[$prefix:] AND c.landing_key = r.landing_key
"""


@dataclass(frozen=True)
class Compaction:
    """A finished compaction. `dropped` rows were outdated or removed; `unreadable` files stay."""

    packed: int
    packs: int
    dropped: int
    unreadable: dict[str, str]


def compact(landing_dir: Path, *, rows_in_pack: int = 2048) -> Compaction:
    """Merge uncompacted files, and compacted ones less than half full; drop superseded rows.

    Erased calls that have landed since are dropped, too. Raises LockedError when another process is
    compacting, LandingError when a compacted file cannot be written.
    """
    return _compact_again(landing_dir, erasures.forgotten_keys(landing_dir), rows_in_pack)


def remove(landing_dir: Path, keys: Collection[str], *, rows_in_pack: int = 2048) -> Compaction:
    """Erase analyses, by their `landing_key`, from compacted and uncompacted files alike.

    Raises as `compact` does.
    """
    return _compact_again(landing_dir, keys, rows_in_pack)


def _compact_again(landing_dir: Path, removed: Collection[str], rows_in_pack: int) -> Compaction:
    manifest.key_of(landing_dir)  # before any file is locked
    with exclusive(landing_dir / ".packing.lock", "compacting this landing folder"):
        for path in store.leftovers(landing_dir, older_than=time.time() - _LEFTOVER_AGE_S):
            path.unlink(missing_ok=True)
        _lock_uncompacted(landing_dir)
        for key in removed:
            store.locked_file(landing_dir, key).unlink(missing_ok=True)
        unreadable: dict[str, str] = {}
        while True:
            try:
                return _compact_locked(landing_dir, removed, rows_in_pack, unreadable)
            except rows.UnreadableError as e:
                unreadable |= e.problems
                _put_back(landing_dir, e.problems)


def _lock_uncompacted(landing_dir: Path) -> None:
    for uncompacted in store.uncompacted_files(landing_dir):
        locked = landing_dir / store.LOCKED / uncompacted.name
        make_private_folder(locked.parent)
        with suppress(FileNotFoundError):  # a refusal that has just been superseded
            (landing_dir / uncompacted.name).rename(locked)


def _put_back(landing_dir: Path, names: Collection[str]) -> None:
    """Move unreadable files back to where they were, unless something newer is there."""
    for name in names:
        if name.startswith(store.LOCKED):
            uncompacted = landing_dir / Path(name).relative_to(store.LOCKED)
            with suppress(FileExistsError):
                uncompacted.hardlink_to(landing_dir / name)
            (landing_dir / name).unlink()


def _compact_locked(
    landing_dir: Path, removed: Collection[str], rows_in_pack: int, unreadable: dict[str, str]
) -> Compaction:
    files = store.landed_files(landing_dir)
    left = {
        file.name for file in files if file.name.startswith(store.UNCOMPACTED)
    } | unreadable.keys()
    with open_without_warehouse() as con, rows.open_reader(con, landing_dir) as reader:
        reader.scan([file for file in files if file.name not in left])
        con.execute(_REMOVED, {"keys": list(removed)})
        con.execute(_CHOSEN, {"rows_in_pack": rows_in_pack})
        replaced = set(_column(con, "SELECT DISTINCT file FROM chosen"))
        packs = _column(con, "SELECT DISTINCT pack FROM chosen WHERE is_kept ORDER BY pack")
        kept, dropped = con.execute(
            "SELECT count_if(is_kept), count_if(NOT is_kept) FROM chosen"
        ).fetchall()[0]
        if not dropped and len(replaced) <= len(packs) and _are_compacted(replaced):
            return Compaction(0, 0, 0, unreadable)
        written = {_write_compacted(reader, pack) for pack in packs}
    for name in replaced - written:
        (landing_dir / name).unlink(missing_ok=True)
    return Compaction(kept, len(packs), dropped, unreadable)


def _are_compacted(names: Collection[str]) -> bool:
    return all(name.startswith(store.COMPACTED) for name in names)


def _write_compacted(reader: rows.Reader, pack: int) -> str:
    """Write one compacted file from its members; return its name, made from its content."""
    members = reader.con.execute(
        "SELECT file, content_sha256 FROM chosen WHERE is_kept AND pack = $pack", {"pack": pack}
    ).fetchall()
    names = sorted({file for file, _ in members})
    digest = hashlib.sha256("".join(sorted(content for _, content in members)).encode())
    path = store.compacted_file(reader.landing_dir, digest.hexdigest())

    def fill(temporary: Path) -> None:
        with reader.blaming(names):
            given = {"pack": pack, "prefix": reader.prefix}
            if reader.is_encrypted:
                copying = f"COPY ({_ROWS_OF_FILE}) TO {quoted(temporary)} ({store.COPY_OPTIONS})"
                reader.read(names, copying, **given)
                return
            batches = reader.read(names, _ROWS_OF_FILE, **given).to_arrow_reader()
            with pq.ParquetWriter(
                temporary, batches.schema, compression="zstd", write_page_checksum=True
            ) as writer:
                for batch in batches:
                    writer.write_batch(batch, row_group_size=_ROWS_IN_GROUP)

    return str(store.write_whole(path, fill).relative_to(reader.landing_dir))


def _column(con: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    return [value for (value,) in con.execute(sql).fetchall()]


# Erase calls for good.

#: Everything kept of a recording is erased with it: superseded rows, copies at other places.
_MATCHING = """
WITH rows_of AS (
    SELECT landing_key, nullif(recording.audio_sha256, '') AS audio, metadata.call_id,
        list_contains($calls, metadata.call_id) OR list_contains($keys, landing_key)
            OR list_contains($customers, metadata.customer_id)
            OR coalesce(metadata.started_at, recording.modified_at) < $before AS is_meant
    FROM read_parquet($files, union_by_name = true)),
judged AS (
    SELECT landing_key, call_id,
        coalesce(is_meant, false) OR coalesce(
            audio IN (SELECT audio FROM rows_of WHERE is_meant AND audio IS NOT NULL), false
        ) AS goes
    FROM rows_of)
"""
_KEYS = f"{_MATCHING} SELECT DISTINCT landing_key FROM judged WHERE goes ORDER BY landing_key"
#: Call ids that only the selected calls have.
_NAMES = f"{_MATCHING} SELECT call_id FROM judged GROUP BY call_id HAVING bool_and(goes)"

#: Those of them that are remote.
_REMOTE = """
SELECT DISTINCT recording.path, recording.size_bytes, recording.modified_at
FROM read_parquet($files, union_by_name = true)
WHERE list_contains($keys, landing_key) AND contains(recording.path, '://')
"""

_CUSTOMERS = """
SELECT DISTINCT metadata.customer_id FROM read_parquet($files, union_by_name = true)
WHERE metadata.customer_id IS NOT NULL
"""
_CALLS = """
SELECT metadata.call_id, landing_key, coalesce(nullif(recording.audio_sha256, ''), landing_key),
    recording.path
FROM read_parquet($files, union_by_name = true)
"""
#: Calls from before a time whose words are kept. Earlier versions erased words and left the
#: sentences of feelings.
_WORDED = """
SELECT landing_key FROM read_parquet($files, union_by_name = true)
WHERE coalesce(metadata.started_at, recording.modified_at) < $before AND transcript IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY landing_key ORDER BY analyzed_at DESC) = 1
    AND (words_erased_at IS NULL
        OR len(list_filter(empathy.feelings, lambda f: f.text <> '')) > 0)
"""
_GIVEN_NAME = re.compile(r"(?P<claim>.*)~(?P<digest>[0-9a-f]{8,64})", re.DOTALL)


@dataclass(frozen=True)
class Selection:
    """The calls to erase: by call id and customer id as in the metadata, or by age.

    `keys` are landing keys of single calls. `before` selects calls that started before a time;
    where the start is unknown, the recording's last change counts.
    """

    calls: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    before: datetime | None = None
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Meant:
    """The calls and customers that typed ids stand for; `selection` has the ids as stored.

    `nothing` are ids of which nothing is stored; `near` maps an id to others that differ only in
    case, blanks or form of Unicode, and are not selected; `ambiguous` maps a call id shared by
    several recordings to a name and the path of each.
    """

    selection: Selection
    nothing: tuple[str, ...]
    near: Mapping[str, tuple[str, ...]] = field(hash=False)
    ambiguous: Mapping[str, tuple[tuple[str, str], ...]] = field(hash=False)


@dataclass(frozen=True)
class Erased:
    """The result of an erasure; `unreadable` files could not be examined and are unchanged."""

    calls: int
    outcomes: int
    reviews: int
    evaluations: int
    unreadable: dict[str, str] = field(hash=False)


def meant_by(
    landing_dir: Path,
    calls: Collection[str],
    customers: Collection[str],
    *,
    all_of_an_id: bool = False,
    alike: bool = False,
) -> Meant:
    """Resolve call ids and customer ids as a person writes them.

    A call may be given by the warehouse's name for the second recording of an id (`c-17~51ada0f9`).
    With `all_of_an_id` an id shared by several recordings selects all of them; with `alike` an id
    also selects those that differ from it only in case, blanks or form of Unicode. Raises
    UnreadableError when a file that might hold one cannot be read.
    """
    ids = _outcome_ids(landing_dir)
    known, found = rows.asked(landing_dir, _CUSTOMERS, _CALLS)
    kept = {customer for (customer,) in known} | ids["customer_id"]
    found_customers, none, near = _found_ids(kept, customers, "customer", alike)
    claims: defaultdict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for claim, key, audio, path in found:
        if key.startswith(store.ANALYSES) or audio not in claims[claim]:
            claims[claim][audio] = (key, path)
    named, given = [], set()
    for typed in calls:
        keys = _keys_of(typed, claims)
        given |= keys
        named += [] if keys else [typed]
    kept = claims.keys() | ids["given_call_id"]
    found_calls, no_calls, near_calls = _found_ids(kept, named, "call", alike)
    ambiguous = {
        claim: tuple(
            (f"{claim}~{key.partition('/')[2][:8]}", path) for key, path in claims[claim].values()
        )
        for claim in found_calls
        if len(claims.get(claim, ())) > 1 and not all_of_an_id
    }
    selection = Selection(frozenset(found_calls), frozenset(found_customers), keys=frozenset(given))
    return Meant(selection, (*none, *no_calls), near | near_calls, ambiguous)


def _found_ids(
    kept: Collection[str], typed: Collection[str], kind: str, take_alike: bool
) -> tuple[set[str], list[str], dict[str, tuple[str, ...]]]:
    """Return the ids as stored, those not found, and others that resemble those typed."""
    found: set[str] = set()
    nothing: list[str] = []
    near: dict[str, tuple[str, ...]] = {}
    for one in typed:
        exact = {known for known in kept if as_kept(known) == as_kept(one)}
        alike = {known for known in kept if folded(known) == folded(one)} - exact
        if take_alike:
            exact, alike = exact | alike, set()
        label = f"{kind} {one!r}"
        found |= exact
        if not exact:
            nothing.append(label)
        if alike:
            near[label] = tuple(sorted(alike))
    return found, nothing, near


def _keys_of(typed: str, claims: Mapping[str, Mapping[str, tuple[str, str]]]) -> set[str]:
    """Return the key of the call with this name in the warehouse, among others of the same id."""
    match = _GIVEN_NAME.fullmatch(as_kept(typed))
    if as_kept(typed) in claims or match is None:
        return set()
    return {
        key
        for key, _ in claims.get(match["claim"], {}).values()
        if key.partition("/")[2].startswith(match["digest"])
    }


def matching(landing_dir: Path, selection: Selection) -> tuple[str, ...]:
    """Return the keys of everything that has landed of the selected calls.

    Raises UnreadableError when a file that might hold one cannot be read, LandingError as `known`.
    """
    (keys,) = rows.asked(landing_dir, _KEYS, **_bound(selection))
    return tuple(key for (key,) in keys)


def _bound(selection: Selection) -> dict[str, Any]:
    return {
        "calls": sorted({*selection.calls, *map(as_kept, selection.calls)}),
        "customers": sorted({*selection.customers, *map(as_kept, selection.customers)}),
        "before": selection.before,
        "keys": sorted(selection.keys),
    }


def with_words_before(landing_dir: Path, before: datetime) -> frozenset[str]:
    """Return the keys of calls that started before a time and whose words are kept.

    Raises as `matching`.
    """
    (keys,) = rows.asked(landing_dir, _WORDED, before=before)
    return frozenset(key for (key,) in keys)


def counted(landing_dir: Path, selection: Selection) -> Erased:
    """Return what `erase` would erase, and erase nothing. Raises as `matching`."""
    plan = _planned(landing_dir, selection)
    return plan.erased({})


def erase(
    landing_dir: Path,
    selection: Selection,
    warehouse: Path | None = None,
    *,
    and_later: bool = False,
) -> Erased:
    """Erase these calls from the landing folder, with their reviews, evaluations and outcomes.

    This includes what an earlier erasure left, or a run that was under way landed after it; of
    customers, also what was recorded until now and lands later. With `and_later` no further call of
    these customers is analyzed. The warehouse still has to be built without them: publish it, then
    call `finish`; `warehouse` names it for whoever completes an interrupted erasure. Raises as
    `matching` does, or LandingError.
    """
    plan = _planned(landing_dir, selection)
    if plan.keys or plan.outcomes or plan.reviews or plan.evaluations or and_later:
        (remote,) = rows.asked(landing_dir, _REMOTE, keys=list(plan.keys))
        marks = listed_marks(landing_dir, remote)
        erasures.note(landing_dir, _noted(landing_dir, selection, plan, marks, and_later))
        begin_erasing(landing_dir, warehouse)
    unreadable = carry_out(landing_dir)
    return plan.erased(unreadable)


def begin_erasing(landing_dir: Path, warehouse: Path | None) -> None:
    """Note that an erasure is under way, and which warehouse must be rebuilt without it."""
    text = json.dumps({"warehouse": str(warehouse.resolve()) if warehouse else None})
    store.write_whole(landing_dir / ERASING, lambda file: file.write_text(text, encoding="utf-8"))


def warehouse_to_build(landing_dir: Path) -> Path | None:
    """Return the warehouse named by an unfinished erasure; None where it named none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        named = json.loads((landing_dir / ERASING).read_text(encoding="utf-8"))["warehouse"]
        return Path(named) if named else None
    return None


def carry_out(landing_dir: Path) -> dict[str, str]:
    """Erase what the notes say; return the files that could not be examined.

    It may be repeated at any time, and completes an interrupted erasure.
    """
    known = erasures.left_out(landing_dir)
    for _, e in erasures.unfinished(landing_dir):
        _erase_outcomes(landing_dir, known.secret, e)
        keys = frozenset(e.landing_keys)
        for path in (*_reviews_of(landing_dir, keys), *_evaluations_of(landing_dir, keys)):
            path.unlink(missing_ok=True)
    if known.keys:
        forget_listed(landing_dir, known.keys)
    return remove(landing_dir, known.keys).unreadable


@dataclass(frozen=True)
class _Planned:
    """The plan of an erasure: landing keys, call ids that only these have, and what people said."""

    keys: tuple[str, ...]
    names: tuple[str, ...]
    outcomes: tuple[int, ...]
    reviews: tuple[Path, ...]
    evaluations: tuple[Path, ...]

    def erased(self, unreadable: dict[str, str]) -> Erased:
        """Return what it comes to."""
        return Erased(
            len(self.keys),
            len(self.outcomes),
            len(self.reviews),
            len(self.evaluations),
            unreadable,
        )


def _planned(landing_dir: Path, selection: Selection) -> _Planned:
    bound = _bound(selection)
    found, named = rows.asked(landing_dir, _KEYS, _NAMES, **bound)
    keys = tuple(key for (key,) in found)
    names = {name for (name,) in named} | selection.calls
    outcomes = [
        row
        for file in outcome_files(landing_dir)
        for row, is_meant in enumerate(
            _meant(
                read_outcomes(landing_dir / file.name),
                lambda customer: customer in bound["customers"],
                lambda call: call in names,
            )
        )
        if is_meant
    ]
    reviews = tuple(_reviews_of(landing_dir, frozenset(keys)))
    evaluations = tuple(_evaluations_of(landing_dir, frozenset(keys)))
    return _Planned(keys, tuple(sorted(names)), tuple(outcomes), reviews, evaluations)


def _noted(
    landing_dir: Path,
    selection: Selection,
    plan: _Planned,
    marks: tuple[str, ...],
    and_later: bool,
) -> Erasure:
    by_name = selection.customers or plan.names
    secret = erasures.digest_key(landing_dir, make=True) if by_name else b""
    customers = sorted({digest(secret, as_kept(c)) for c in selection.customers})
    later = sorted({digest(secret, folded(c)) for c in selection.customers}) if and_later else ()
    return Erasure(
        datetime.now(UTC),
        (*plan.keys, *marks),
        len(plan.outcomes),
        len(plan.reviews),
        customers=tuple(customers),
        named_calls=tuple(digest(secret, as_kept(name)) for name in plan.names),
        opted_out=tuple(later),
        evaluations=len(plan.evaluations),
    )


def _outcome_ids(landing_dir: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"customer_id": set(), "given_call_id": set()}
    for file in outcome_files(landing_dir):
        table = read_outcomes(landing_dir / file.name)
        for column, ids in found.items():
            ids.update(filter(None, pc.unique(table[column]).to_pylist()))
    return found


def _meant(table: pa.Table, is_customer: Any, is_call: Any) -> Iterator[bool]:
    """Yield, for each line of outcomes, whether it belongs to a selected customer or call."""
    customers, calls = table["customer_id"].to_pylist(), table["given_call_id"].to_pylist()
    for customer, call in zip(customers, calls, strict=True):
        yield bool(customer and is_customer(customer)) or bool(call and is_call(call))


def _erase_outcomes(landing_dir: Path, secret: bytes, erasure: Erasure) -> None:
    """Write the files that hold some without them; a file that held nothing else goes."""
    customers, calls = frozenset(erasure.customers), frozenset(erasure.named_calls)
    if not (customers or calls):
        return
    for file in outcome_files(landing_dir):
        path = landing_dir / file.name
        table = read_outcomes(path)
        goes = list(
            _meant(
                table,
                lambda customer: digest(secret, as_kept(customer)) in customers,
                lambda call: digest(secret, as_kept(call)) in calls,
            )
        )
        if not any(goes):
            continue
        if all(goes):
            path.unlink()
        else:
            kept = table.filter(pc.invert(pa.array(goes, pa.bool_())))
            store.write_whole(path, partial(store.write_table, kept))


def _reviews_of(landing_dir: Path, keys: Collection[str]) -> list[Path]:
    return _said_of(landing_dir, keys, review_files, read_review)


def _evaluations_of(landing_dir: Path, keys: Collection[str]) -> list[Path]:
    return _said_of(landing_dir, keys, evaluation_files, read_evaluation)


def _said_of(
    landing_dir: Path,
    keys: Collection[str],
    files: Callable[[Path], list[LandedFile]],
    read: Callable[[Path], Review | LandedEvaluation],
) -> list[Path]:
    if not keys:
        return []
    paths = [landing_dir / file.name for file in files(landing_dir)]
    return [path for path in paths if read(path).landing_key in keys]

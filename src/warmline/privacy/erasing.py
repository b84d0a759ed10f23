"""Erasing calls everywhere: in the landing folder, the warehouse, reports and Prefect's database.

An erasure is noted in the landing folder and beside the warehouse before anything is erased. If it
is interrupted, every command that uses these places finds the note and finishes it first.
"""

import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from errno import EACCES
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from warmline import landing
from warmline.analysis import CallAnalysis, dated_after
from warmline.database import open_for_reading
from warmline.errors import ScheduleError, WarehouseError
from warmline.files import LockedError, Places, erasing_note, exclusive, write_bytes_whole
from warmline.landing import Erased, Selection
from warmline.pipeline.stages import all_measures
from warmline.reports.monitoring import refresh_reports
from warmline.settings import RetentionSettings, Settings
from warmline.warehouse.publishing import publish

if TYPE_CHECKING:
    import duckdb

    from warmline.web.store import Store

#: Marker in a landing folder: names in Prefect's database are still to be erased.
_NIGHTS_LEFT = "nights-to-forget"


def erase_calls(
    places: Places,
    selection: Selection,
    settings: Settings,
    *,
    and_later: bool = False,
    in_a_night: bool = False,
    allow_loss: bool = False,
) -> Erased:
    """Erase calls from the landing folder, warehouse, reports and Prefect's own database.

    `in_a_night`, Prefect's database is left to `night.keep_runs_days`, as it is in use, and the
    warehouse is not built from nothing, which takes long, but copied without what goes. Where the
    landing folder has lost other calls, too, the warehouse is built without them only if
    `allow_loss` says that it may be. Raises WarehouseError when it may not, another process erases
    or publishes, or Prefect's database is in use all the time; LandingError, UnreadableError for a
    file that cannot be read.
    """
    with _alone(places):
        note = erasing_note(places.warehouse)
        folder = os.fsencode(places.landing.resolve())
        write_bytes_whole(note, folder, WarehouseError, "a note")
        _erase_titles(places.warehouse, landing.matching(places.landing, selection))
        erased = landing.erase(places.landing, selection, places.warehouse, and_later=and_later)
        _finish(places, settings, in_a_night=in_a_night, allow_loss=allow_loss)
    return erased


@dataclass(frozen=True)
class Retained:
    """The report of a retention, done or planned: whole calls, and the words of others."""

    calls: int
    words: int


def due(landing_dir: Path, limits: RetentionSettings, now: datetime) -> Retained:
    """Return what is older than the settings allow. Raises as `landing.matching`."""
    whole = _too_old(landing_dir, limits, now)
    worded = _worded_too_long(landing_dir, limits, now)
    return Retained(len(whole), len(worded - set(whole)))


def apply_retention(
    places: Places,
    settings: Settings,
    now: datetime,
    *,
    in_a_night: bool = False,
    allow_loss: bool = False,
) -> Retained:
    """Erase calls, and words of calls, that are older than `[retention]` allows.

    Calls are erased from the warehouse, too; words are removed from it by the next publishing,
    which a nightly run does anyway. Raises as `erase_calls`.
    """
    limits, folder = settings.retention, places.landing
    calls = len(_too_old(folder, limits, now))
    if calls:
        selection = Selection(before=now - timedelta(days=limits.calls_days))
        erase_calls(places, selection, settings, in_a_night=in_a_night, allow_loss=allow_loss)
    keys = _worded_too_long(folder, limits, now)
    words = 0
    if keys:  # first: a call that has its words in the landing folder is due again
        _erase_titles(places.warehouse, keys)
        with _additions(places.warehouse) as store:
            if store is not None:
                store.erase_words(keys)
    for known in landing.known(folder) if keys else ():
        if known.landing_key in keys:
            analysis = landing.read_landed(folder, known)
            landing.write(without_words(analysis, now), folder)
            words += 1
    if words and not in_a_night:
        profile = settings.profile
        publish(folder, places.warehouse, all_measures(), profile, allow_loss=allow_loss)
    return Retained(calls, words)


def without_words(analysis: CallAnalysis, now: datetime) -> CallAnalysis:
    """Return the analysis without any word that was said; times, counts and measures stay."""
    said, talk, heard, felt = (
        analysis.transcript,
        analysis.conversation,
        analysis.floor,
        analysis.empathy,
    )
    bare = replace(
        analysis,
        transcript=said
        and replace(said, words=(), utterances=tuple(replace(u, text="") for u in said.utterances)),
        conversation=talk and replace(talk, turns=tuple(replace(t, text="") for t in talk.turns)),
        floor=heard
        and replace(heard, backchannels=tuple(replace(b, text=None) for b in heard.backchannels)),
        empathy=felt
        and replace(
            felt,
            moments=tuple(replace(m, text="") for m in felt.moments),
            opportunities=tuple(replace(o, text="", answer_text=None) for o in felt.opportunities),
            feelings=tuple(replace(f, text="") for f in felt.feelings),
            quotes=(),
        ),
        words_erased_at=now,
    )
    return dated_after(bare, analysis.analyzed_at)


def _too_old(landing_dir: Path, limits: RetentionSettings, now: datetime) -> tuple[str, ...]:
    if not limits.calls_days:
        return ()
    before = now - timedelta(days=limits.calls_days)
    return landing.matching(landing_dir, Selection(before=before))


def _worded_too_long(landing_dir: Path, limits: RetentionSettings, now: datetime) -> frozenset[str]:
    if not limits.words_days:
        return frozenset()
    return landing.with_words_before(landing_dir, now - timedelta(days=limits.words_days))


def finish_erasing(
    places: Places, settings: Settings, *, in_a_night: bool = False, allow_loss: bool = False
) -> bool:
    """Finish an erasure that was begun from these places and stopped; returns whether it had begun.

    One that was interrupted before it noted what to erase has erased nothing. Raises as
    `erase_calls`.
    """
    folder = _noted_folder(places)
    with _alone(Places(folder, places.warehouse)):
        had_begun = landing.is_unfinished(folder)
        landing.carry_out(folder)
        found = Places(folder, places.warehouse)
        _finish(found, settings, in_a_night=in_a_night, allow_loss=allow_loss)
    return had_begun


def forget_nights_left(landing_dir: Path) -> None:
    """Erase names from Prefect's database if an erasure could not. Raises WarehouseError."""
    if (landing_dir / _NIGHTS_LEFT).exists():
        forget_names(prefect_home())
        (landing_dir / _NIGHTS_LEFT).unlink(missing_ok=True)


def _finish(places: Places, settings: Settings, *, in_a_night: bool, allow_loss: bool) -> None:
    folder = places.landing
    named = landing.warehouse_to_build(folder)
    if landing.is_unfinished(folder):
        for warehouse in dict.fromkeys((places.warehouse.resolve(), named or places.warehouse)):
            if warehouse.is_file():
                publish(
                    folder,
                    warehouse,
                    all_measures(),
                    settings.profile,
                    from_nothing=not in_a_night,
                    allow_loss=allow_loss,
                )
                refresh_reports(warehouse, settings.night)
        for warehouse in filter(None, (places.warehouse, named)):
            _forget_additions(warehouse, folder)
        if not in_a_night:
            (folder / _NIGHTS_LEFT).touch(mode=0o600)
    landing.finish(folder)
    for warehouse in filter(None, (places.warehouse, named)):
        erasing_note(warehouse).unlink(missing_ok=True)
    if not in_a_night:
        forget_nights_left(folder)


def _forget_additions(warehouse: Path, landing_dir: Path) -> None:
    """Erase what people wrote about forgotten calls on the pages of `warmline serve`.

    Raises WarehouseError when it cannot be reached.
    """
    with _additions(warehouse) as store:
        if store is not None:
            store.forget_calls(landing.forgotten_keys(landing_dir))


def _erase_titles(warehouse: Path, keys: Collection[str]) -> None:
    """Erase titles that people gave on the pages and that quote these calls alone.

    While their words are in the warehouse: what it no longer holds, nothing can be compared with.
    Raises WarehouseError when it cannot be reached.
    """
    with _additions(warehouse) as store:
        if store is None or not keys or not warehouse.is_file():
            return
        titles = store.titles()
        with open_for_reading(warehouse) as con:
            quoting = _quotes_alone(con, keys, titles.values())
        store.erase_titles([which for which, title in titles.items() if title in quoting])


@contextmanager
def _additions(warehouse: Path) -> "Iterator[Store | None]":
    """Give what people added on the pages of `warmline serve`; None where nobody has.

    Raises WarehouseError when it cannot be reached.
    """
    if not warehouse.resolve().with_suffix(".web.sqlite").is_file():
        yield None
        return
    try:
        from warmline.web.store import existing_store
    except ModuleNotFoundError as e:
        raise WarehouseError(
            f"{warehouse}: people wrote about its calls on the pages, and erasing that "
            f"needs {e.name}: pip install 'warmline[web]', then run any command"
        ) from e
    store = existing_store(warehouse)
    try:
        yield store
    finally:
        if store is not None:
            store.close()


def _alone(places: Places) -> ExitStack:
    """Hold the erasing lock. Raises WarehouseError naming the process that holds it."""
    with ExitStack() as held:
        try:
            held.enter_context(exclusive(places.landing / ".erasing.lock", "erasing calls"))
        except LockedError as e:
            raise WarehouseError(str(e)) from e
        except OSError as e:
            raise WarehouseError(f"{places.landing}: cannot be written ({e.strerror})") from e
        return held.pop_all()


def _noted_folder(places: Places) -> Path:
    """Return the landing folder being erased from; the one beside the warehouse may differ."""
    with suppress(OSError):
        return Path(os.fsdecode(erasing_note(places.warehouse).read_bytes()))
    return places.landing


# Titles that quote some calls and no others.

#: Words in small letters, one space around each, as texts are compared.
_WORDS = "' ' || trim(regexp_replace(lower({}), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g')) || ' '"
_OF_CALLS = f"""
SELECT landing_key, {_WORDS.format("text")} AS text
FROM turns INNER JOIN calls USING (call_id) WHERE text IS NOT NULL
UNION ALL SELECT landing_key, {_WORDS.format("calls.call_id")} FROM calls
UNION ALL
SELECT landing_key, {_WORDS.format("customer_id")} FROM calls WHERE customer_id IS NOT NULL
"""
#: One word of a text, or three that follow each other.
_PIECES = f"""
SELECT DISTINCT given, unnest(words || list_transform(
    range(1, len(words) - 1), lambda i: array_to_string(words[i:i + 2], ' ')
)) AS piece
FROM (
    SELECT given, string_split(trim({_WORDS.format("given")}), ' ') AS words
    FROM (SELECT unnest($texts::VARCHAR[]) AS given)
)
"""
_QUOTES = f"""
WITH said AS MATERIALIZED ({_OF_CALLS}),
pieces AS (SELECT * FROM ({_PIECES}) WHERE piece <> ''),
own AS MATERIALIZED (
    SELECT DISTINCT given, piece FROM pieces
    INNER JOIN said ON contains(said.text, ' ' || piece || ' ')
    WHERE list_contains($keys, said.landing_key))
SELECT DISTINCT given FROM own
WHERE piece NOT IN (
    SELECT piece FROM own INNER JOIN said ON contains(said.text, ' ' || piece || ' ')
    WHERE NOT list_contains($keys, said.landing_key))
"""


def _quotes_alone(
    con: "duckdb.DuckDBPyConnection", landing_keys: Collection[str], texts: Collection[str]
) -> set[str]:
    """Return those of the texts that hold what was said in these calls and in no others.

    That is a word, or three that follow each other; the call's id and its customer's count, too.
    """
    given = {"keys": sorted(landing_keys), "texts": sorted(texts)}
    return {text for (text,) in con.execute(_QUOTES, given).fetchall()} if texts else set()


# Erase from Prefect's database what it keeps of nightly runs: names of recordings, reasons.


FLOW = "analyze-calls"
_DATABASE = "prefect.db"
_WAIT_S = 30.0  # for a server that is writing

# Scheduled runs have no names of recordings in them, and start the next night.
_CHOOSE = """
CREATE TEMP TABLE gone AS
SELECT id FROM flow_run
WHERE flow_id IN (SELECT id FROM flow WHERE name = :flow) AND state_type != 'SCHEDULED'
    AND (:before IS NULL OR datetime(coalesce(end_time, updated)) < datetime(:before))
ORDER BY datetime(coalesce(end_time, updated)) LIMIT :at_most
"""
_TASKS = "SELECT id FROM task_run WHERE flow_run_id IN (SELECT id FROM gone)"
_EVENTS = f"""
SELECT id FROM events WHERE resource_id IN (
    SELECT 'prefect.flow-run.' || id FROM gone
    UNION ALL SELECT 'prefect.task-run.' || id FROM ({_TASKS}))
"""
_OF_RUN = "WHERE flow_run_id IN (SELECT id FROM gone)"
_ERASE_NAMES = (
    f"DELETE FROM event_resources WHERE event_id IN ({_EVENTS})",
    f"DELETE FROM events WHERE id IN ({_EVENTS})",
    f"DELETE FROM log {_OF_RUN}",
    f"DELETE FROM artifact {_OF_RUN}",
    f"DELETE FROM artifact_collection {_OF_RUN}",
    f"DELETE FROM flow_run_input {_OF_RUN}",
    f"DELETE FROM task_run_state WHERE task_run_id IN ({_TASKS})",
    f"DELETE FROM task_run {_OF_RUN}",
)
_ERASE_RUNS = (
    f"DELETE FROM flow_run_state {_OF_RUN}",
    "DELETE FROM flow_run WHERE id IN (SELECT id FROM gone)",
)
# A run may have had recordings as parameters, and have ended with one in its message.
_KEEP_BARE_RUNS = (
    f"UPDATE flow_run_state SET message = NULL, data = NULL {_OF_RUN}",
    "UPDATE flow_run SET parameters = '{}', context = '{}' WHERE id IN (SELECT id FROM gone)",
)


def prefect_home() -> Path:
    """Return the folder in which the nightly flow has Prefect keep its data."""
    default = platformdirs.user_state_path("warmline") / "prefect"
    return Path(os.environ.get("PREFECT_HOME") or default).expanduser()


def make_prefect_home() -> Path:
    """Make the folder for Prefect's database, for its owner alone, and return it.

    Raises `ScheduleError` when it cannot be made or written.
    """
    home = prefect_home()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(home, os.W_OK | os.X_OK):
            raise PermissionError(EACCES, "it cannot be written to")
    except OSError as e:
        raise ScheduleError(
            f"{home}: nights cannot keep their records there ({e.strerror or e}); set PREFECT_HOME "
            "to a folder that can be written"
        ) from e
    return home


def forget_runs(home: Path, older_than_days: int, at_most: int | None = None) -> int:
    """Erase runs that ended so long ago from Prefect's database; return how many there were.

    Their tasks, states, logs, events and reports are erased too, so that no byte of them is left in
    the file; of many, the oldest `at_most`. Schedules, notification blocks and other people's flows
    stay. Raises WarehouseError when the database stays in use, or has an unknown form.
    """
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    return _erase_from_database(
        home, _ERASE_RUNS, before.isoformat(), -1 if at_most is None else at_most
    )


def forget_names(home: Path) -> int:
    """Erase what may name a call from all runs in Prefect's database; return how many there are.

    That is everything but when each ran and how it ended: runs cannot be searched for a call, since
    it may have had other names then. Raises WarehouseError like `forget_runs`.
    """
    return _erase_from_database(home, _KEEP_BARE_RUNS)


def _erase_from_database(
    home: Path, statements: Sequence[str], before: str | None = None, at_most: int = -1
) -> int:
    path = home / _DATABASE
    if not path.exists():
        return 0
    chosen = {"flow": FLOW, "before": before, "at_most": at_most}
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as db:
            return _erase_rows(db, chosen, (*_ERASE_NAMES, *statements))
    except sqlite3.Error as e:
        raise WarehouseError(f"{path}: cannot erase the records of nights ({e})") from e


def _erase_rows(
    db: sqlite3.Connection, chosen: Mapping[str, object], statements: Sequence[str]
) -> int:
    db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'flow_run'").fetchone():
        return 0  # a server that never got so far
    db.execute("BEGIN IMMEDIATE")
    db.execute(_CHOOSE, chosen)
    for statement in statements:
        db.execute(statement)
    (count,) = db.execute("SELECT count(*) FROM gone").fetchone()
    db.execute("COMMIT")
    busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("a Prefect server is reading it; stop it and try again")
    return int(count)

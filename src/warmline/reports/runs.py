"""Erase from Prefect's database what it keeps of nightly runs: names of recordings, reasons.

Nothing here imports Prefect: its database is an SQLite file, in the form of the pinned version.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from errno import EACCES
from pathlib import Path

import platformdirs

from warmline.errors import ScheduleError, WarehouseError

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
            f"{home}: nights keep their records there, and {e.strerror or e}; set PREFECT_HOME to "
            "a folder that can be written"
        ) from e
    return home


def forget_runs(home: Path, older_than_days: int, at_most: int | None = None) -> int:
    """Erase runs that ended so long ago from Prefect's database; return how many there were.

    Their tasks, states, logs, events and reports are erased too, so that no byte of them is left in
    the file; of many, the oldest `at_most`. Schedules, notification blocks and other people's flows
    stay. Raises WarehouseError when the database stays in use, or has an unknown form.
    """
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    return _change(home, _ERASE_RUNS, before.isoformat(), -1 if at_most is None else at_most)


def forget_names(home: Path) -> int:
    """Erase what may name a call from all runs in Prefect's database; return how many there are.

    That is everything but when each ran and how it ended: runs cannot be searched for a call, since
    it may have had other names then. Raises WarehouseError like `forget_runs`.
    """
    return _change(home, _KEEP_BARE_RUNS)


def _change(
    home: Path, statements: Sequence[str], before: str | None = None, at_most: int = -1
) -> int:
    path = home / _DATABASE
    if not path.exists():
        return 0
    chosen = {"flow": FLOW, "before": before, "at_most": at_most}
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as db:
            return _write(db, chosen, (*_ERASE_NAMES, *statements))
    except sqlite3.Error as e:
        raise WarehouseError(f"{path}: nights are not forgotten there ({e})") from e


def _write(db: sqlite3.Connection, chosen: Mapping[str, object], statements: Sequence[str]) -> int:
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

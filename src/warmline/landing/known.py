"""What is known already, so that a night analyzes only what is not."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from warmline.analysis import CallAnalysis
from warmline.database import open_without_warehouse
from warmline.errors import Status
from warmline.landing import places, rows, scan
from warmline.landing.mapping import storable
from warmline.landing.places import LandedFile, LandingError
from warmline.values import Recording

# A file that is rewritten without a pause spoils about one reading in four.
_ATTEMPTS = 10


@dataclass(frozen=True)
class Landed:
    """What identifies one landed analysis, without what was heard.

    `stage_keys` maps a stage to the content address of its result, `failed_runs` counts the runs in
    a row that ended with the call failed.
    """

    landing_key: str
    file: str
    path: str
    size_bytes: int
    modified_at: datetime
    audio_sha256: str
    call_id: str
    status: Status
    reason_code: str | None
    analyzed_at: datetime
    metadata_fingerprint: str
    stage_keys: dict[str, str] = field(hash=False)
    failed_runs: int = 0


class Known:
    """The landed analyses that count, found by path or by audio; see `known`.

    `unreadable` maps the name of a landing file that is damaged to what is wrong with it: what was
    in it is not known, and so will be analyzed again.
    """

    def __init__(self, table: pa.Table, unreadable: dict[str, str]) -> None:
        self.unreadable = unreadable
        self._table = table
        self._by_path = _positions(table, "path")
        self._by_key = _positions(table, "landing_key")

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[Landed]:
        return (self._landed(i) for i in range(len(self)))

    def by_path(self, recording_path: str) -> Landed | None:
        """What landed last for the recording at this path, whatever became of it."""
        return self._at(self._by_path.get(storable(recording_path)))

    def by_audio(self, audio_sha256: str) -> Landed | None:
        """The analysis of these bytes, wherever they lay."""
        return self._at(self._by_key.get(f"{places.ANALYSES}/{audio_sha256}"))

    def _at(self, index: int | None) -> Landed | None:
        return None if index is None else self._landed(index)

    def _landed(self, index: int) -> Landed:
        row: dict[str, Any] = self._table.slice(index, 1).to_pylist()[0]
        stages = {stage["stage"]: stage["key"] for stage in row["stage_keys"] or ()}
        return Landed(**row | {"status": Status(row["status"]), "stage_keys": stages})


def _positions(table: pa.Table, column: str) -> dict[str, int]:
    return {value: i for i, value in enumerate(table.column(column).to_pylist())}


def known(landing_dir: Path) -> Known:
    """Everything that has landed and counts: the newest of each audio and of each path.

    A missing folder is an empty one. Raises LandingError when the folder changes too fast to read.
    """
    unreadable: dict[str, str] = {}
    for _ in range(_ATTEMPTS):
        files = [f for f in places.files(landing_dir) if f.name not in unreadable]
        try:
            return Known(_scanned(landing_dir, files), unreadable)
        except scan.UnreadableError as e:
            unreadable |= e.problems
        except scan.VanishedError:
            continue
    raise LandingError(f"{landing_dir}: files keep changing while they are read; try again")


def _scanned(landing_dir: Path, files: list[LandedFile]) -> pa.Table:
    with open_without_warehouse() as con, scan.reader(con, landing_dir) as reader:
        reader.scan(files)
        return con.execute(
            "SELECT landing_key, file, path, size_bytes, modified_at, audio_sha256, call_id, "
            "status, reason_code, analyzed_at, metadata_fingerprint, stage_keys, failed_runs "
            f"FROM ({scan.live_of('landed')})"
        ).to_arrow_table()


def read_loose(landing_dir: Path, recording: Recording) -> CallAnalysis | None:
    """What has landed of a recording and is not packed yet; None when that is nothing readable."""
    keys = [places.refusal_key(recording.path)]
    if recording.audio_sha256:
        keys.insert(0, f"{places.ANALYSES}/{recording.audio_sha256}")
    for key in keys:
        with suppress(FileNotFoundError, LandingError):
            return rows.read(places.loose_file(landing_dir, key), key)
    return None


def read_landed(landing_dir: Path, landed: Landed) -> CallAnalysis:
    """The whole of an analysis that is known; found again if it was packed meanwhile.

    Raises LandingError when it was removed or is damaged.
    """
    key = landed.landing_key
    places_by_now = (
        landing_dir / landed.file,
        places.loose_file(landing_dir, key),
        places.claimed_file(landing_dir, key),
    )
    for path in places_by_now:
        with suppress(FileNotFoundError):
            return rows.read(path, key)
    for other in known(landing_dir):
        if other.landing_key == key:
            return rows.read(landing_dir / other.file, key)
    raise LandingError(f"{landing_dir}: the analysis {key} was removed")

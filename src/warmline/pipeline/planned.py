"""What a run would do, as values: calls to analyze and why, copies, and what is left alone."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from warmline.landing import Landed
from warmline.recordings.remote import RemoteFile
from warmline.values import CallMetadata, Recording


@dataclass(frozen=True)
class PlannedCall:
    """A recording to analyze and why.

    `previous` says where an earlier analysis of it lies, `redo` names the stages whose results are
    not to be taken from it. What comes of it has to be dated later than `after`. Where it lies
    elsewhere, `remote` says how; if its digest is empty, it has to be fetched to be known. With
    `takes_row` false its row of the metadata table is as much another recording's, and nobody's.
    """

    recording: Recording
    why: str
    previous: Landed | None = None
    redo: frozenset[str] = frozenset()
    after: datetime | None = None
    remote: RemoteFile | None = None
    takes_row: bool = True

    @property
    def path(self) -> str:
        """Where the recording lies."""
        return self.recording.path

    @property
    def source(self) -> Path | RemoteFile:
        """What its metadata are read from."""
        return self.remote or Path(self.path)


@dataclass(frozen=True)
class Redo:
    """Stages to compute again although nothing changed, for calls of some days (UTC, inclusive).

    A call's day is that of its start, or of the file's last change where the start is not known.
    """

    stages: frozenset[str]
    since: date | None = None
    until: date | None = None

    def concerns(self, recording: Recording, metadata: CallMetadata) -> bool:
        """Whether the call is of these days."""
        day = (metadata.started_at or recording.modified_at).date()
        return (self.since or day) <= day <= (self.until or day)


@dataclass(frozen=True)
class Duplicate:
    """A recording with the same bytes as another one, which is the one that is analyzed."""

    recording: Recording
    original_path: str
    has_landed: bool
    after: datetime | None = None
    remote: RemoteFile | None = None


@dataclass(frozen=True)
class Plan:
    """What a run would do. `unchanged` are paths that have today's analysis, or refusal, already.

    `unfinished` are still being copied, `forgotten` were erased and stay so, `given_up` failed in
    `night.give_up_after` runs and wait for `warmline retry`; `problems` are sentences about places
    and files that could not be looked at, and rows of metadata that fit no recording; `away` of
    them are about sources that cannot be read at all, `closed` about folders below them.
    `opted_out` are recordings of customers of whom no call is to be analyzed.
    """

    pending: tuple[PlannedCall, ...]
    unchanged: tuple[str, ...]
    duplicates: tuple[Duplicate, ...]
    unfinished: tuple[str, ...]
    problems: tuple[str, ...]
    forgotten: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()
    away: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    opted_out: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to analyze and nothing to note."""
        return not self.pending and all(d.has_landed for d in self.duplicates)

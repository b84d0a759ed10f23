"""Plan a run: find every recording, here or at remote places, that has no up-to-date analysis.

There is no list of what was done and no mark of how far a run came. What is pending follows from
the recordings that exist and the analyses that have landed, so that a missed or interrupted run is
caught up by the next one.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

from warmline import landing
from warmline.analysis import base_analysis, dated_after
from warmline.errors import RecordingRefusedError, Status, fault_code
from warmline.landing import Known, Landed, LeftOut, Listed, ListedRecording
from warmline.pipeline.stages import CacheKeys
from warmline.recordings import find_recordings, identify, unread_recording
from warmline.recordings.metadata import (
    MetadataTable,
    is_free_of_private,
    pseudonym_key,
    read_metadata,
    redact_remark,
)
from warmline.recordings.remote import Beside, RemoteError, RemoteFile, list_recordings
from warmline.settings import RecordingSettings, RedactionSettings, Settings
from warmline.values import CallMetadata, Recording

# Refusals for bytes that identify a remote recording until it changes.
_LASTING = frozenset({"empty_file"})


@dataclass(frozen=True)
class _Sources:
    """Recordings, local ones by path and remote ones by URL; each once.

    `changed` are URLs of remote ones that differ from when their place was listed before, `marks`
    the mark of each in case it is forgotten, `places` the URLs that were listed. Sentences on what
    could not be examined are in `problems`; `away` concern sources that cannot be read, `closed`
    folders below them.
    """

    local: tuple[Path, ...]
    remote: Mapping[str, RemoteFile]
    changed: frozenset[str]
    marks: Mapping[str, str]
    places: tuple[str, ...]
    unfinished: tuple[str, ...]
    problems: tuple[str, ...]
    away: tuple[str, ...]
    closed: tuple[str, ...]

    def source(self, path: str) -> Path | RemoteFile:
        """Return the place that the metadata of the recording at a path or URL are read from."""
        return self.remote.get(path) or Path(path)

    def is_there(self, path: str) -> bool:
        """Return whether a recording still exists; one at a place that was not examined may."""
        if "://" not in path:
            return os.path.isfile(path)  # noqa: PTH113  (Path.is_file raises where we may not look)
        within = tuple(f"{place}/" for place in self.places)
        return path in self.remote or not (path in self.places or path.startswith(within))


def look_at(
    sources: Iterable[Path | str],
    settings: RecordingSettings,
    landing_dir: Path,
    redaction: RedactionSettings,
) -> _Sources:
    """Return all recordings under paths and URLs, and remember the listings of remote places.

    Where agents have pseudonyms, or a sidecar holds something to redact, the sidecar is not
    remembered, but fetched again. A source that cannot be read is listed in `away`. Raises
    `SettingsError` for a URL that cannot be opened, `LandingError` when the listing cannot be
    stored, `EncryptionError` when the key of pseudonyms is missing.
    """
    given = list(dict.fromkeys(sources))
    urls = [source for source in given if isinstance(source, str)]
    paths = [source.resolve() for source in given if isinstance(source, Path)]
    found = find_recordings(paths, settings)
    has_names = pseudonym_key(settings) is None
    remote: dict[str, RemoteFile] = {}
    changed: set[str] = set()
    unfinished, problems = list(map(str, found.unfinished)), list(found.problems)
    places, away = [], list(found.away)
    for url in urls:
        before = landing.read_listing(landing_dir, url)
        try:
            listing = list_recordings(url, settings, _sidecars(before))
        except RemoteError as e:
            away.append(str(e))
            problems.append(str(e))
            continue
        now = {file.url: _remembered(file, has_names, redaction) for file in listing.recordings}
        if now != before:
            landing.write_listing(landing_dir, url, now)
        changed |= {u for u, known in now.items() if u in before and before[u].stamp != known.stamp}
        remote |= {file.url: file for file in listing.recordings}
        unfinished += listing.unfinished
        problems += listing.problems
        places.append(url)
    return _Sources(
        found.recordings,
        remote,
        frozenset(changed),
        {url: landing.mark_of(url, file.stamp) for url, file in remote.items()},
        tuple(places),
        tuple(unfinished),
        tuple(problems),
        tuple(away),
        found.closed,
    )


def _remembered(file: RemoteFile, has_names: bool, redaction: RedactionSettings) -> ListedRecording:
    beside = [b for b in file.beside if has_names and is_free_of_private(b.content, redaction)]
    return ListedRecording(file.stamp, tuple((b.name, b.stamp, b.content) for b in beside))


def _sidecars(before: Listed) -> dict[str, tuple[Beside, ...]]:
    return {url: tuple(Beside(*b) for b in known.beside) for url, known in before.items()}


# What a run would do, as values: calls to analyze and why, copies, and what is left out.


@dataclass(frozen=True)
class PlannedCall:
    """A recording to analyze and why.

    `previous` says where an earlier analysis of it is, `redo` names the stages whose results must
    not be reused from it. The new analysis has to be dated later than `after`. For a remote
    recording `remote` locates it; if its digest is empty, it has to be fetched to be known. With
    `takes_row` false its row of the metadata table also matches another recording, and is not used.
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
        """Return the recording's path."""
        return self.recording.path

    @property
    def source(self) -> Path | RemoteFile:
        """Return the place that its metadata are read from."""
        return self.remote or Path(self.path)

    @property
    def metadata_before(self) -> CallMetadata | None:
        """Return what was known of it when a metadata table had a row of it, if that holds."""
        return self.previous.metadata if self.previous and self.takes_row else None


@dataclass(frozen=True)
class Redo:
    """Stages to recompute although nothing changed, for calls of some days (UTC, inclusive).

    A call's day is that of its start, or of the file's last change where the start is not known.
    """

    stages: frozenset[str]
    since: date | None = None
    until: date | None = None

    def concerns(self, recording: Recording, metadata: CallMetadata) -> bool:
        """Return whether the call is within these days."""
        day = (metadata.started_at or recording.modified_at).date()
        return (self.since or day) <= day <= (self.until or day)


@dataclass(frozen=True)
class Duplicate:
    """A recording with the same bytes as another one, which is analyzed instead."""

    recording: Recording
    original_path: str
    has_landed: bool
    after: datetime | None = None
    remote: RemoteFile | None = None


@dataclass(frozen=True)
class Plan:
    """The plan of a run. `unchanged` are paths that already have an up-to-date analysis or refusal.

    `unfinished` are still being copied, `forgotten` were erased and stay so, `given_up` failed in
    `night.give_up_after` runs and wait for `warmline retry`; `problems` are sentences about places
    and files that could not be examined, and rows of metadata that match no recording; `away` of
    them concern sources that cannot be read at all, `closed` folders below them. `opted_out` are
    recordings of customers of whom no call is to be analyzed.
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
    def is_empty(self) -> bool:
        """Return whether no recording was found, known or not."""
        known = (self.unchanged, self.unfinished, self.forgotten, self.given_up)
        return not (self.pending or self.duplicates or any(known))

    @property
    def found_nothing(self) -> bool:
        """Return whether the sources could be read, and hold files but no recording."""
        return self.is_empty and bool(set(self.problems) - set(self.away))

    @property
    def done_before(self) -> int:
        """Return how many recordings need nothing: up to date, or known as copies of others."""
        return len(self.unchanged) + sum(d.has_landed for d in self.duplicates)

    @property
    def is_done(self) -> bool:
        """Return whether there is nothing to analyze and nothing to record."""
        return not self.pending and all(d.has_landed for d in self.duplicates)


_NAMED = 3  # of what a note is about
_FORGOTTEN, _OPTED_OUT = "forgotten", "opted_out"


def make_plan(
    sources: Iterable[Path | str],
    landing_dir: Path,
    cache_keys: CacheKeys,
    table: MetadataTable | None = None,
    redo: Redo | None = None,
) -> Plan:
    """Compare the recordings under `sources` (paths, and URLs of remote places) with the landing
    folder.

    A file whose path, size and time of change are those of a landed analysis is taken to be the
    same without reading it; any other is read once for its digest, a remote one by the process that
    analyzes it. Raises `LandingError` when the folder cannot be read, `SettingsError` for a URL
    that cannot be opened.
    """
    found = look_at(
        sources, cache_keys.settings.recordings, landing_dir, cache_keys.settings.redaction
    )
    state = _Planner(landing.known(landing_dir), cache_keys, table, redo, found)
    identified = list(state.identified())
    state = replace(state, shared=state.shared_rows([recording for recording, _ in identified]))
    pending: list[PlannedCall] = []
    unchanged: list[str] = []
    readable: dict[str, list[Recording]] = {}
    out = landing.left_out(landing_dir)
    forgotten: list[str] = []
    opted_out: list[str] = []
    given_up: list[str] = []
    for recording, code in identified:
        if left := state.left_alone(recording, out):
            (opted_out if left == _OPTED_OUT else forgotten).append(recording.path)
        elif code is None and not recording.audio_sha256:
            failed = state.failed(recording)
            if failed and state.gives_up(failed):
                given_up.append(recording.path)
            else:
                pending.append(PlannedCall(recording, "new", failed))
        elif code is None:
            readable.setdefault(recording.audio_sha256, []).append(recording)
        elif state.was_refused(recording, code):
            unchanged.append(recording.path)
        else:
            pending.append(PlannedCall(recording, code, state.known.by_path(recording.path)))
    duplicates: list[Duplicate] = []
    for recordings in readable.values():
        original = state.original(recordings)
        duplicates += state.duplicates(recordings, original)
        if any(recording is original for recording in recordings):
            landed = state.known.by_audio(original.audio_sha256)
            call = state.to_do(original, landed)
            if call:
                pending.append(call)
            else:
                is_left = landed and landed.failed_runs > 0
                (given_up if is_left else unchanged).append(original.path)
    return Plan(
        tuple(map(state.with_what_is_known, pending)),
        tuple(unchanged),
        tuple(replace(d, remote=found.remote.get(d.recording.path)) for d in duplicates),
        found.unfinished,
        (*found.problems, *state.remarks()),
        tuple(forgotten),
        tuple(given_up),
        found.away,
        found.closed,
        tuple(opted_out),
    )


def land_duplicates(plan: Plan, landing_dir: Path, settings: Settings) -> None:
    """Record the copies of other recordings, so that none is missing in the warehouse."""
    for duplicate in plan.duplicates:
        if duplicate.has_landed:
            continue
        path = Path(duplicate.recording.path)
        analysis = base_analysis(
            duplicate.recording,
            read_metadata(duplicate.remote or path, settings.recordings, None, settings.redaction),
            Status.DUPLICATE,
            "same_bytes",
            f"{path.name}: the same bytes as {duplicate.original_path}, which is analyzed",
        )
        landing.write(dated_after(analysis, duplicate.after), landing_dir)


@dataclass(frozen=True)
class _Planner:
    """The input of a plan: the landed analyses, the cache keys, the metadata table, the sources."""

    known: Known
    cache_keys: CacheKeys
    table: MetadataTable | None
    redo: Redo | None
    found: _Sources
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def shared_rows(self, recordings: Iterable[Recording]) -> dict[str, tuple[str, ...]]:
        """Return rows of the table that more than one recording would take, with their paths.

        A copy with the same bytes is the same recording.
        """
        if self.table is None:
            return {}
        settings = self.cache_keys.settings.recordings
        takers: defaultdict[str, list[str]] = defaultdict(list)
        digests: defaultdict[str, set[str]] = defaultdict(set)
        for recording in recordings:
            source = self.found.source(recording.path)
            path = source if isinstance(source, Path) else source.path
            call_id = path.stem
            if self.table.key == "call_id":
                call_id = read_metadata(source, settings, None).call_id
            key = self.table.key_for(path, call_id)
            if key is not None:
                takers[key].append(recording.path)
                digests[key].add(recording.audio_sha256 or recording.path)
        return {key: tuple(takers[key]) for key, of in digests.items() if len(of) > 1}

    def with_what_is_known(self, call: PlannedCall) -> PlannedCall:
        """Return a call with its newest analysis, where its bytes are, and whether it has a row."""
        return replace(
            call,
            after=self.newest(call.recording),
            remote=self.found.remote.get(call.path),
            takes_row=self.takes_row(call.path),
        )

    def takes_row(self, path: str) -> bool:
        """Return whether a recording takes its row of the table: not if another one would, too."""
        return path not in self._sharing

    @cached_property
    def _sharing(self) -> frozenset[str]:
        return frozenset(path for paths in self.shared.values() for path in paths)

    def identified(self) -> Iterator[tuple[Recording, str | None]]:
        """Yield every recording, with the code of the refusal if its bytes cannot be read.

        An unknown remote one has no digest, and no code either.
        """
        yield from map(self._local, self.found.local)
        yield from map(self._remote, self.found.remote.values())

    def _remote(self, file: RemoteFile) -> tuple[Recording, str | None]:
        recording = file.recording()
        landed = self.known.by_path(file.url)
        if not landed or not _is_same_file(landed, recording) or file.url in self.found.changed:
            return recording, None
        if landed.audio_sha256:
            return replace(recording, audio_sha256=landed.audio_sha256), None
        return recording, landed.reason_code if landed.reason_code in _LASTING else None

    def failed(self, recording: Recording) -> Landed | None:
        """Return how a remote recording failed before its bytes were known, if it did."""
        landed = self.known.by_path(recording.path)
        has_failed = landed and landed.status is Status.FAILED and _is_same_file(landed, recording)
        return landed if has_failed else None

    def _local(self, path: Path) -> tuple[Recording, str | None]:
        recording = unread_recording(path)
        landed = self.known.by_path(recording.path)
        if landed and landed.audio_sha256 and _is_same_file(landed, recording):
            return replace(recording, audio_sha256=landed.audio_sha256), None
        try:
            return identify(path), None
        except RecordingRefusedError as e:
            return recording, e.code
        except OSError as e:  # a share that is offline for now must not end the run
            return recording, fault_code(e)

    def left_alone(self, recording: Recording, out: LeftOut) -> str | None:
        """Return why a recording is left out: erased, or its customer opted out; else None."""
        is_marked = self.found.marks.get(recording.path) in out.keys
        if is_marked or landing.is_forgotten(out.keys, recording.audio_sha256, recording.path):
            return _FORGOTTEN
        if not out.names_customers:
            return None
        landed = self.known.by_path(recording.path)
        is_same = landed is not None and _is_same_file(landed, recording)
        metadata = self.metadata(recording.path, landed if is_same else None)
        if out.has_opted_out(metadata.customer_id):
            return _OPTED_OUT
        return _FORGOTTEN if out.concerns(recording, metadata) else None

    def metadata(self, path: str, landed: Landed | None) -> CallMetadata:
        """Return the metadata of the call at a path or URL, which has landed before or not."""
        chosen = self.cache_keys.settings
        takes_row = self.takes_row(path)
        table = self.table if takes_row else None
        before = landed.metadata if landed and takes_row else None
        source = self.found.source(path)
        return read_metadata(source, chosen.recordings, table, chosen.redaction, before)

    def newest(self, recording: Recording) -> datetime | None:
        """Return the time of the newest analysis of these bytes, or of this path."""
        found = (self.known.by_audio(recording.audio_sha256), self.known.by_path(recording.path))
        return max((landed.analyzed_at for landed in found if landed), default=None)

    def was_refused(self, recording: Recording, code: str) -> bool:
        """Return whether the same refusal has landed already."""
        landed = self.known.by_path(recording.path)
        return (
            landed is not None
            and landed.status is not Status.FAILED
            and landed.reason_code == code
            and not landed.audio_sha256
        )

    def original(self, recordings: list[Recording]) -> Recording:
        """Return, of recordings with the same bytes, the one that stands for all.

        That is the one analyzed before as long as it exists, else the first by path.
        """
        landed = self.known.by_audio(recordings[0].audio_sha256)
        if landed is None:
            return recordings[0]
        here = next((r for r in recordings if r.path == landed.path), None)
        if here is not None or not self.found.is_there(landed.path):
            return here or recordings[0]
        return replace(recordings[0], path=landed.path)

    def duplicates(self, recordings: list[Recording], original: Recording) -> Iterator[Duplicate]:
        """Yield all of them but the original."""
        for recording in recordings:
            if recording.path == original.path:
                continue
            landed = self.known.by_path(recording.path)
            has_landed = landed is not None and (landed.status, landed.audio_sha256) == (
                Status.DUPLICATE,
                recording.audio_sha256,
            )
            yield Duplicate(recording, original.path, has_landed, self.newest(recording))

    def to_do(self, recording: Recording, landed: Landed | None) -> PlannedCall | None:
        """Return the work for a readable recording; None when there is none."""
        if landed is None:
            return PlannedCall(recording, "new")
        metadata = self.metadata(recording.path, landed)
        if self.redo and self.redo.concerns(recording, metadata):
            return PlannedCall(recording, "asked for", landed, self.redo.stages)
        why = self._why_again(recording, metadata, landed)
        return PlannedCall(recording, why, landed) if why else None

    def _why_again(
        self, recording: Recording, metadata: CallMetadata, landed: Landed
    ) -> str | None:
        if landed.path != recording.path:
            return "moved"
        if landed.status is Status.FAILED:
            return None if self.gives_up(landed) else "failed before"
        if landed.status is Status.ANALYZED and self.words_are_too_old(recording, metadata):
            return None
        keys = self.cache_keys.keys(recording.audio_sha256, metadata)
        passed = keys if landed.status is Status.ANALYZED else landed.stage_keys
        changed = [s for s in passed if landed.stage_keys.get(s) != keys.get(s)]
        if changed:
            return None if self.gives_up(landed) else f"changed: {', '.join(changed)}"
        if landing.metadata_fingerprint(metadata) != landed.metadata_fingerprint:
            return "metadata changed"
        return None

    def words_are_too_old(self, recording: Recording, metadata: CallMetadata) -> bool:
        """Return whether the words of a call are erased for its age: it is not analyzed again for a
        rule.
        """
        days = self.cache_keys.settings.retention.words_days
        at = metadata.started_at or recording.modified_at
        return days > 0 and at < datetime.now(UTC) - timedelta(days=days)

    def gives_up(self, landed: Landed) -> bool:
        """Return whether a call has failed so often that a person should look at it first."""
        limit = self.cache_keys.settings.night.give_up_after
        return 0 < limit <= landed.failed_runs and landed.reason_code != "io_error"

    def remarks(self) -> Iterator[str]:
        """Yield notes on the metadata table and the landing folder."""
        for name, why in self.known.unreadable.items():
            yield f"landing file {name} is damaged and done again: {why}"
        if self.table is None:
            return
        place, repeated = self.table.path, self.table.duplicates
        for fault in self.table.faults[:_NAMED]:
            hidden = redact_remark(fault, self.cache_keys.settings.redaction)
            yield f"{place}, {hidden} (left out)"
        if further := self.table.faults[_NAMED:]:
            yield f"{place}: {len(further)} more values or rows are left out, being of no use"
        for doubt in self.table.doubts[:_NAMED]:
            yield f"{place}, {redact_remark(doubt, self.cache_keys.settings.redaction)}"
        if unsure := self.table.doubts[_NAMED:]:
            yield f"{place}: {len(unsure)} more values or columns may not be meant as they stand"
        if repeated:
            line, key = repeated[0]
            others = f", as are {len(repeated) - 1} more rows" if len(repeated) > 1 else ""
            yield f"{place}, line {line}: {key!r} had a row before; this one is ignored{others}"
        settings = self.cache_keys.settings.recordings
        remote = self.found.remote.values()
        paths = [*self.found.local, *(file.path for file in remote)]
        sources: list[Path | RemoteFile] = [*self.found.local, *remote]
        ids = [read_metadata(source, settings, None).call_id for source in sources]
        if unmatched := self.table.unmatched(paths, ids):
            yield f"{place}: no recording for {_first(unmatched)}"
        if self.table.key != "call_id" and (less := self.table.passed_over(paths)):
            yield (
                f"{place}: ignored {_first(less)}: other rows give more of the path of the same "
                "recordings"
            )
        for key, takers in list(self.shared.items())[:_NAMED]:
            yield (
                f"{place}: the row {key!r} is of {len(takers)} recordings "
                f"({', '.join(takers[:3])}{', ...' if takers[3:] else ''}), so none of them takes "
                "it; give more of the path in it"
            )
        if (more := len(self.shared) - _NAMED) > 0:
            yield f"{place}: {more} more rows are of several recordings each"


def _first(keys: Sequence[str]) -> str:
    """Return the first three of many, to keep the notes short."""
    some = ", ".join(map(repr, keys[:_NAMED]))
    return some + (f" and {len(keys) - _NAMED} more rows" if len(keys) > _NAMED else "")


def _is_same_file(landed: Landed, recording: Recording) -> bool:
    return (landed.size_bytes, landed.modified_at) == (
        recording.size_bytes,
        recording.modified_at,
    )

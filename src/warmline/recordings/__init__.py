"""Recordings: finding them, by name and in folders, and telling each by its bytes.

The other modules decode them, also a part alone or from a remote place, and read what is known of
their calls.
"""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import BinaryIO, TypeVar

from warmline.errors import RecordingRefusedError
from warmline.settings import RecordingSettings
from warmline.values import Recording

# A file on disk, identified by the digest of its bytes before anything is decoded.


_BLOCK_BYTES = 1 << 20
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}


def open_recording(path: Path) -> BinaryIO:
    """Open a recording for reading bytes.

    Raises `RecordingRefusedError`: `not_found`, `unreadable` (permission), `not_a_file` (a folder,
    pipe or device: opening one could wait for ever), `empty_file`. Any other `OSError` passes
    through: a faulty disk or network share may work on the next try.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise RecordingRefusedError("not_a_file", f"{path.name}: a folder, pipe or device")
        if status.st_size == 0:
            raise RecordingRefusedError("empty_file", f"{path.name}: the file is empty (0 bytes)")
        return path.open("rb")
    except PermissionError as e:
        raise RecordingRefusedError(
            "unreadable", f"{path.name}: no permission to read it; allow reading and run again"
        ) from e
    except OSError as e:
        if e.errno not in _NOTHING_THERE:
            raise
        raise RecordingRefusedError(
            "not_found", f"{path.name}: there is no such file, or it is gone ({e.strerror})"
        ) from e


def identify(path: Path) -> Recording:
    """Return a recording's identity: path, size, time of change (UTC) and SHA-256 of its bytes.

    Raises `RecordingRefusedError` as `open_recording` does, and `still_changing` when the file
    grows or changes while it is read, as one that is still being copied does.
    """
    with open_recording(path) as file:
        before = path.stat()
        digest = hashlib.sha256()
        size = 0
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
        after = path.stat()
    if size != before.st_size or after.st_mtime_ns != before.st_mtime_ns:
        raise RecordingRefusedError(
            "still_changing",
            f"{path.name}: it changed while being read ({before.st_size} bytes, then {size}); "
            "run again when the copy is complete",
        )
    return Recording(
        path=str(path),
        size_bytes=size,
        modified_at=modified_at(before),
        audio_sha256=digest.hexdigest(),
    )


# Recordings that are still being written: known by a recent change, or one between two looks.


Name = TypeVar("Name")
#: Size in bytes and time of change in nanoseconds since 1970.
Look = tuple[int, int]

# The longest wait; what needs more is left for the next run.
PATIENCE_S = 10.0


def unread_recording(path: Path) -> Recording:
    """Return a recording as the file system describes it, its bytes unread: the digest is empty."""
    try:
        status = path.stat()
    except OSError:
        return Recording(str(path), 0, datetime.fromtimestamp(0, UTC), "")
    return Recording(str(path), status.st_size, modified_at(status), "")


def modified_at(status: os.stat_result) -> datetime:
    """Return the time of change of a file as a `Recording` has it, to the microsecond, UTC."""
    return datetime.fromtimestamp(status.st_mtime, UTC)


def unsettled(
    looks: Mapping[Name, Look], look_again: Callable[[Name], Look | None], settle_s: float
) -> frozenset[Name]:
    """Return those of the files just seen that may still be being written.

    A file that has not changed for `settle_s` is not. All that changed since are waited for at
    once, and examined again, unless that would take longer than 10 s. A change in the future, by a
    clock that is ahead, counts like one as far in the past.
    """
    now_ns = time.time_ns()
    waits = {name: settle_s - abs(now_ns - look[1]) / 1e9 for name, look in looks.items()}
    young = {name for name, wait_s in waits.items() if wait_s > 0}
    awaited = {name for name in young if waits[name] <= PATIENCE_S}
    if awaited:
        time.sleep(max(waits[name] for name in awaited))
    return frozenset(
        name for name in young if name not in awaited or look_again(name) != looks[name]
    )


_UNFINISHED = {".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart"}
# Sound that does not state its rate or codec, and containers that FFmpeg's wheel cannot read.
_HEADERLESS = frozenset(
    f".{ending}"
    for ending in (
        *("g719", "g722", "g723", "g723sf", "g726", "g729", "siren7", "siren14", "ilbc", "adpcm"),
        *("sln", "sln8", "sln12", "sln16", "sln24", "sln32", "sln44", "sln48", "slin", "vox"),
        *("raw", "pcm", "ul", "ulaw", "mulaw", "al", "alaw", "lpc", "lpc10", "s16", "s16le"),
    )
)
_UNKNOWN_KINDS = frozenset(
    f".{ending}"
    for ending in (
        *("wav49", "nmf", "aud", "dss", "ds2", "dvf", "msv", "voc", "ra", "ram", "caf", "spx"),
        *("silk", "evs", "wv", "ape", "ac3", "mp2", "m4b", "rmvb", "flv", "ts"),
    )
)
_SHOWN = 3


@dataclass(frozen=True)
class Found:
    """The result of a search for recordings.

    `recordings` in order of path, each file once. `unfinished` are left for later: their name says
    that they are still being copied (`call.wav.part`), or they have just changed. `problems` are
    sentences for a person: places that could not be searched, names that cannot be stored, sound of
    kinds that are not supported; of these, `away` concern named paths that cannot be read, `closed`
    folders below them.
    """

    recordings: tuple[Path, ...]
    unfinished: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    away: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def find_recordings(paths: Iterable[Path], settings: RecordingSettings) -> Found:
    """Return all recordings under `paths`: files as named, folders recursively.

    A named file is taken whatever its name. In a folder, a file is taken if its extension is one of
    `settings.extensions` (upper or lower case) and it has not changed for `settings.settle_s`;
    hidden files and folders are skipped. Links are followed, those that lead out of the folder only
    with `settings.follow_links`; a folder or file that is reached twice counts once. Nothing
    raises: what cannot be read, or may not be followed, is in `problems`.
    """
    wanted = endings(settings)
    recordings: list[Path] = []
    inside: list[Path] = []
    others: list[Path] = []
    unfinished: list[Path] = []
    away: list[str] = []
    closed: list[str] = []
    outside: list[str] | None = None if settings.follow_links else []
    for path in paths:
        if _is_folder(path):
            for file in _walk(path, away, closed, outside):
                if is_recording(file, wanted):
                    (unfinished if is_unfinished(file) else inside).append(file)
                else:
                    others.append(file)
        elif os.path.lexists(path):
            recordings.append(path)
        else:
            away.append(f"{_shown(path)}: no such file or folder, or no permission to see it")
    changing = _changing(inside, settings.settle_s) if settings.settle_s else frozenset()
    unfinished += changing
    recordings += [path for path in inside if path not in changing]
    storable = [path for path in recordings if _is_storable(path)]
    unstorable = [
        f"{_shown(path)}: its name is not valid UTF-8 and cannot be stored; rename it"
        for path in sorted(set(recordings) - set(storable))
    ]
    problems = (*away, *closed, *(outside or ()), *unstorable, *passed_over(others))
    found = Found(_each_once(storable), _each_once(unfinished), problems)
    return replace(found, away=tuple(away), closed=tuple(closed))


def endings(settings: RecordingSettings) -> frozenset[str]:
    """Return the extensions of recordings: `.wav`, ..."""
    return frozenset(f".{extension.lower().lstrip('.')}" for extension in settings.extensions)


def passed_over(others: Sequence[PurePath]) -> list[str]:
    """Return sentences on files in a folder that are sound, but of a kind that is not read."""
    whys = (
        (_HEADERLESS, "sound without a header, which would say its rate and codec"),
        (_UNKNOWN_KINDS, "not among recordings.extensions"),
    )
    sentences = []
    for kinds, why in whys:
        names = sorted(file.name for file in others if file.suffix.lower() in kinds)
        if names:
            shown = ", ".join(map(_harmless, names[:_SHOWN]))
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            sentences.append(
                f"passed over {len(names)} file{'s' if len(names) > 1 else ''} ({shown}{more}): "
                f"{why}; convert them to WAV"
            )
    return sentences


def is_recording(file: PurePath, wanted: frozenset[str]) -> bool:
    """Return whether a file in a folder is a recording by its name, or will be one
    (`call.wav.part`).
    """
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return not wanted.isdisjoint(suffixes if is_unfinished(file) else suffixes[-1:])


def is_unfinished(file: PurePath) -> bool:
    """Return whether a file's name says that it is still being copied."""
    return file.name.endswith("~") or not _UNFINISHED.isdisjoint(s.lower() for s in file.suffixes)


def _changing(files: Iterable[Path], settle_s: float) -> frozenset[Path]:
    """Return those files that may still be being written."""
    looks = {file: look for file in files if (look := _look(file))}
    return unsettled(looks, _look, settle_s)


def _look(file: Path) -> Look | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _leads_out(entry: Path, real_top: str) -> bool:
    """Return whether an entry is a link to something outside the folder being searched."""
    if not entry.is_symlink():
        return False
    return os.path.commonpath((os.path.realpath(entry), real_top)) != real_top


def _walk(
    top: Path, away: list[str], closed: list[str], outside: list[str] | None
) -> Iterator[Path]:
    """Yield files below a folder; every folder once, however many links lead to it.

    What cannot be read is noted: the folder itself in `away`, those below it in `closed`. Links
    that lead out are followed if `outside` is None, else they are noted there.
    """
    real_top = os.path.realpath(top)
    visited: set[tuple[int, int]] = set()
    pending = [top]
    while pending:
        folder = pending.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            entries = sorted(folder.iterdir())
        except OSError as e:
            told = away if folder == top else closed
            told.append(f"{_shown(folder)}: cannot look into this folder ({e.strerror})")
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if outside is not None and _leads_out(entry, real_top):
                outside.append(
                    f"{_shown(entry)}: a link that leads out of {_shown(top)}, refused "
                    "(recordings.follow_links allows it)"
                )
                continue
            if _is_folder(entry):
                pending.append(entry)
            else:
                yield entry


def _each_once(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files sorted by path; of several names for one file, the one that sorts first."""
    first: dict[str, Path] = {}
    for path in sorted(paths):
        first.setdefault(os.path.realpath(path), path)
    return tuple(first.values())


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112  (Path.is_dir raises where we may not look)


def _is_storable(path: Path) -> bool:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(path: Path) -> str:
    return _harmless(str(path))


def _harmless(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")

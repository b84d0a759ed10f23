"""Which files are recordings: those named, and those of the right kind in the folders named."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from warmline.recordings.settling import Look, unsettled
from warmline.settings import RecordingSettings

_UNFINISHED = {".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart"}


@dataclass(frozen=True)
class Found:
    """What a search for recordings gave.

    `recordings` in order of path, each file once. `unfinished` are left alone: their name says that
    they are still being copied (`call.wav.part`), or they have just changed. `problems` are
    sentences for a person: places that could not be searched, names that cannot be stored; of
    these, `away` are about paths that were named and cannot be read, `closed` about folders below
    them.
    """

    recordings: tuple[Path, ...]
    unfinished: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    away: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def find_recordings(paths: Iterable[Path], settings: RecordingSettings) -> Found:
    """All recordings under `paths`: files as named, folders recursively.

    A file that is named is taken whatever its name. In a folder, a file is taken if its extension
    is one of `settings.extensions` (upper or lower case) and it has not changed for
    `settings.settle_s`; hidden files and folders are passed over. Links are followed, those that
    lead out of the folder only with `settings.follow_links`; a folder or file that is reached twice
    counts once. Nothing raises: what cannot be read, or may not be followed, is in `problems`.
    """
    wanted = endings(settings)
    recordings: list[Path] = []
    inside: list[Path] = []
    unfinished: list[Path] = []
    away: list[str] = []
    closed: list[str] = []
    leading_out: list[str] = []
    for path in paths:
        if _is_folder(path):
            for file in _walk(path, _Unread(away, closed, leading_out), settings.follow_links):
                if is_recording(file, wanted):
                    (unfinished if is_unfinished(file) else inside).append(file)
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
    problems = (*away, *closed, *leading_out, *unstorable)
    found = Found(_each_once(storable), _each_once(unfinished), problems)
    return replace(found, away=tuple(away), closed=tuple(closed))


def endings(settings: RecordingSettings) -> frozenset[str]:
    """How names of recordings end: `.wav`, ..."""
    return frozenset(f".{extension.lower().lstrip('.')}" for extension in settings.extensions)


def is_recording(file: PurePath, wanted: frozenset[str]) -> bool:
    """Whether a file in a folder is a recording by its name, or will be one (`call.wav.part`)."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return not wanted.isdisjoint(suffixes if is_unfinished(file) else suffixes[-1:])


def is_unfinished(file: PurePath) -> bool:
    """Whether its name says that a file is still being copied."""
    return file.name.endswith("~") or not _UNFINISHED.isdisjoint(s.lower() for s in file.suffixes)


def _changing(files: Iterable[Path], settle_s: float) -> frozenset[Path]:
    """Those that may still be written to."""
    looks = {file: look for file in files if (look := _look(file))}
    return unsettled(looks, _look, settle_s)


def _look(file: Path) -> Look | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class _Unread:
    """What cannot be read, or may not be followed, as sentences: gathered while walking.

    The folder itself is in `away`, folders below it in `closed`, links that lead out of it in
    `leading_out`.
    """

    away: list[str]
    closed: list[str]
    leading_out: list[str]


def _leads_out(entry: Path, real_top: str) -> bool:
    """Whether an entry is a link to something outside of the folder that is searched."""
    if not entry.is_symlink():
        return False
    return os.path.commonpath((os.path.realpath(entry), real_top)) != real_top


def _walk(top: Path, unread: _Unread, follow_links: bool) -> Iterator[Path]:
    """Files below a folder; every folder once, however many links lead to it."""
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
            told = unread.away if folder == top else unread.closed
            told.append(f"{_shown(folder)}: cannot look into this folder ({e.strerror})")
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not follow_links and _leads_out(entry, real_top):
                unread.leading_out.append(
                    f"{_shown(entry)}: a link that leads out of {_shown(top)}, refused "
                    "(recordings.follow_links allows it)"
                )
                continue
            if _is_folder(entry):
                pending.append(entry)
            else:
                yield entry


def _each_once(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Sorted by path; of several names for one file, the one that sorts first."""
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
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")

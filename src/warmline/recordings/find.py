"""Which files are recordings: those named, and those of the right kind in the folders named."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from warmline.settings import RecordingSettings

_UNFINISHED = {".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart"}


@dataclass(frozen=True)
class Found:
    """What a search for recordings gave.

    `recordings` in order of path, each file once. `unfinished` have a name that says that they are
    still being copied (`call.wav.part`): left alone, to be found under their final name. `problems`
    are sentences for a person: places that could not be searched, names that cannot be stored.
    """

    recordings: tuple[Path, ...]
    unfinished: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()


def find_recordings(paths: Iterable[Path], settings: RecordingSettings) -> Found:
    """All recordings under `paths`: files as named, folders recursively.

    A file that is named is taken whatever its name. In a folder, a file is taken if its extension
    is one of `settings.extensions` (upper or lower case); hidden files and folders are passed over.
    Links are followed; a folder or file that is reached twice counts once. Nothing raises: what
    cannot be read is in `problems`.
    """
    wanted = {f".{extension.lower().lstrip('.')}" for extension in settings.extensions}
    recordings: list[Path] = []
    unfinished: list[Path] = []
    problems: list[str] = []
    for path in paths:
        if _is_folder(path):
            for file in _walk(path, problems):
                suffixes = {suffix.lower() for suffix in file.suffixes}
                if not suffixes & wanted:
                    continue
                if suffixes & _UNFINISHED or file.name.endswith("~"):
                    unfinished.append(file)
                elif file.suffix.lower() in wanted:
                    recordings.append(file)
        elif os.path.lexists(path):
            recordings.append(path)
        else:
            problems.append(f"{_shown(path)}: no such file or folder, or no permission to see it")
    storable = [path for path in recordings if _is_storable(path)]
    problems += [
        f"{_shown(path)}: its name is not valid UTF-8 and cannot be stored; rename it"
        for path in sorted(set(recordings) - set(storable))
    ]
    return Found(_each_once(storable), _each_once(unfinished), tuple(problems))


def _walk(top: Path, problems: list[str]) -> Iterator[Path]:
    """Files below a folder; every folder once, however many links lead to it."""
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
            problems.append(f"{_shown(folder)}: cannot look into this folder ({e.strerror})")
            continue
        for entry in entries:
            if entry.name.startswith("."):
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

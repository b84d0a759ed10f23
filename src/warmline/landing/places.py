"""Where analyses lie: the one file that knows the landing folder's paths.

    analyses/<aa>/<sha256 of the audio>.parquet   one call each
    refused/<aa>/<sha256 of the path>.parquet     recordings without an analysis of their own bytes
    claimed/<kind>/<aa>/...                       of both kinds, being packed
    packs/<aa>/<digest>.parquet                   many calls each, never changed once written
    outcomes/<aa>/...                             what became of customers; see `outcomes`
    reviews/<aa>/...                              what people say of the analyses; see `reviews`
    listings/<aa>/...                             what is known of remote places; see `listings`
    forgotten/<aa>/...                            what was erased and stays so; see `erasures`
    digests/key.json                              the key of the digests in there
    erasing.json                                  an erasing that is not finished yet
    encryption.json                               whether all that is encrypted; see `seals`
    landing.json                                  which landing folder it is; see `warmline.places`

Every file appears whole or not at all, by a rename within its folder, so that any number of workers
may write and any number of readers read a shared folder without a lock between them.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from warmline import whole_files
from warmline.analysis import CallAnalysis
from warmline.errors import Status, WarmlineError
from warmline.landing.mapping import storable

ANALYSES, REFUSED, CLAIMED, PACKS = "analyses", "refused", "claimed", "packs"
LOOSE = (ANALYSES, REFUSED)


class LandingError(WarmlineError):
    """A landing file cannot be read or written; the message names it."""


@dataclass(frozen=True)
class LandedFile:
    """A file of the landing folder, by its name inside it (with `/`).

    `stamp` changes whenever the file is written again, also within the clock's resolution.
    """

    name: str
    size_bytes: int
    stamp: str


def key_of(analysis: CallAnalysis) -> str:
    """What an analysis is filed under: its audio, or its path when the bytes are not its own.

    A recording whose bytes could not be read has no digest; a duplicate has another's.
    """
    digest = analysis.recording.audio_sha256
    if digest and analysis.status is not Status.DUPLICATE:
        return f"{ANALYSES}/{digest}"
    return refusal_key(analysis.recording.path)


def refusal_key(recording_path: str) -> str:
    """What the refusal of the recording at this path is filed under."""
    digest = hashlib.sha256(storable(recording_path).encode()).hexdigest()
    return f"{REFUSED}/{digest}"


def loose_file(landing_dir: Path, key: str) -> Path:
    """The file of one analysis that has not been packed."""
    kind, digest = key.split("/")
    return landing_dir / kind / digest[:2] / f"{digest}.parquet"


def claimed_file(landing_dir: Path, key: str) -> Path:
    """Where that file waits while it is being packed."""
    kind, digest = key.split("/")
    return landing_dir / CLAIMED / kind / digest[:2] / f"{digest}.parquet"


def pack_file(landing_dir: Path, digest: str) -> Path:
    """The file of a pack."""
    return landing_dir / PACKS / digest[:2] / f"{digest}.parquet"


def files(landing_dir: Path) -> list[LandedFile]:
    """All landed files in order of name; none without the folder.

    Analyses move from loose to claimed to packs, and packs into other packs, while they are listed.
    Listing in that order, and the packs until nothing changed meanwhile, misses none.
    """
    while True:
        before = list(walk(landing_dir / PACKS, PACKS))
        loose = [f for kind in (*LOOSE, CLAIMED) for f in walk(landing_dir / kind, kind)]
        packs = list(walk(landing_dir / PACKS, PACKS))
        if {f.name for f in before} == {f.name for f in packs}:
            return sorted(loose + packs, key=lambda file: file.name)


def loose_files(landing_dir: Path) -> list[LandedFile]:
    """The files of one analysis each that nobody has claimed."""
    return [file for kind in LOOSE for file in walk(landing_dir / kind, kind)]


def walk(
    folder: Path, name: str, ending: str | tuple[str, ...] = ".parquet"
) -> Iterator[LandedFile]:
    """The landed files under a folder, which is called `name` inside the landing folder.

    Raises LandingError naming a folder that cannot be read.
    """
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    except OSError as e:
        raise LandingError(f"{folder}: cannot be looked into ({e.strerror or e})") from e
    with entries:
        for entry in entries:
            inside = f"{name}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from walk(folder / entry.name, inside, ending)
            elif entry.name.endswith(ending):
                try:
                    stat = entry.stat()
                except FileNotFoundError:
                    continue  # packed or replaced since it was listed
                yield LandedFile(inside, stat.st_size, stamp_of(stat))


def stamp_of(status: os.stat_result) -> str:
    """The `stamp` of a `LandedFile`."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """As `whole_files.write_whole`; raises LandingError."""
    return whole_files.write_whole(path, write, LandingError, "the analysis")


def leftovers(landing_dir: Path, *, older_than: float) -> list[Path]:
    """Temporary files of writers that were killed: not touched since a time (epoch seconds)."""
    found = []
    for kind in (ANALYSES, REFUSED, PACKS):
        for path in (landing_dir / kind).glob("*/.*.tmp"):
            try:
                if path.stat().st_mtime < older_than:
                    found.append(path)
            except FileNotFoundError:
                continue  # its writer has finished
    return found

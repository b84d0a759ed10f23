"""What is remembered of remote places, so that a second night fetches nothing that is known.

    listings/<aa>/<digest of the place's URL>.parquet

Such a file is the last listing of one place: each recording's URL and stamp (size, time of change,
etag), and the JSON that lay beside it unless agents have pseudonyms. It can be taken away at any
time, and is then made anew.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from warmline.landing import manifest, store

MARKED = "listed"

_TEXT = pa.string()
_SCHEMA = pa.schema(
    [
        ("url", _TEXT),
        ("stamp", _TEXT),
        (
            "beside",
            pa.list_(pa.struct([("name", _TEXT), ("stamp", _TEXT), ("content", pa.binary())])),
        ),
    ]
)


@dataclass(frozen=True)
class ListedRecording:
    """A recording as it was listed; `beside` has name, stamp and content of files beside it."""

    stamp: str
    beside: tuple[tuple[str, str, bytes], ...] = ()


#: A listing by URL.
Listed = Mapping[str, ListedRecording]


def read_listing(landing_dir: Path, source: str) -> Listed:
    """Return the remembered listing of a place; empty if it is damaged or was never made.

    Raises EncryptionError when the key that is set, or its absence, does not match the folder.
    """
    manifest.key_of(landing_dir)
    try:
        return _read(_file(landing_dir, source))
    except (OSError, pa.ArrowException):
        return {}


def write_listing(landing_dir: Path, source: str, listed: Listed) -> None:
    """Remember the present listing of a place. Raises LandingError, EncryptionError."""
    manifest.key_of(landing_dir, writes=True)
    _write(_file(landing_dir, source), listed)


def listed_marks(
    landing_dir: Path, erased: Collection[tuple[str, int, datetime]]
) -> tuple[str, ...]:
    """Return the marks of listed recordings, given by URL, size and time of change.

    A mark is a digest by which a recording is recognised without its bytes.
    """
    stamps = {url: f"{size}-{modified_at.timestamp()}-" for url, size, modified_at in erased}
    if not stamps:
        return ()
    return tuple(
        mark_of(url, known.stamp)
        for _, listed in _all_listings(landing_dir)
        for url, known in listed.items()
        if url in stamps and known.stamp.startswith(stamps[url])
    )


def forget_listed(landing_dir: Path, marks: Collection[str]) -> None:
    """Remove the recordings with these marks from all listings."""
    for path, listed in _all_listings(landing_dir):
        kept = {url: k for url, k in listed.items() if mark_of(url, k.stamp) not in marks}
        if len(kept) < len(listed):
            _write(path, kept)


def _all_listings(landing_dir: Path) -> Iterator[tuple[Path, dict[str, ListedRecording]]]:
    for file in list(store.walk(landing_dir / manifest.LISTINGS, manifest.LISTINGS)):
        yield landing_dir / file.name, _read(landing_dir / file.name)


def mark_of(url: str, stamp: str) -> str:
    """Return the mark by which a forgotten remote recording is known."""
    return f"{MARKED}/{hashlib.sha256(f'{url} {stamp}'.encode()).hexdigest()}"


def _file(landing_dir: Path, source: str) -> Path:
    digest = hashlib.sha256(source.encode()).hexdigest()
    return landing_dir / manifest.LISTINGS / digest[:2] / f"{digest}.parquet"


def _read(path: Path) -> dict[str, ListedRecording]:
    rows = store.read_table(path).to_pylist()
    return {
        row["url"]: ListedRecording(
            row["stamp"],
            tuple((b["name"], b["stamp"], bytes(b["content"])) for b in row["beside"] or ()),
        )
        for row in rows
    }


def _write(path: Path, listed: Listed) -> None:
    rows = [
        {
            "url": url,
            "stamp": known.stamp,
            "beside": [
                dict(zip(("name", "stamp", "content"), b, strict=True)) for b in known.beside
            ],
        }
        for url, known in listed.items()
    ]
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    store.write_whole(path, partial(store.write_table, table))

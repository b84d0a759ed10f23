"""Remote recordings, at any place that fsspec reaches, including S3-compatible storage.

fsspec is imported only when a source is remote. Credentials are found by its own means
(environment, profile, its configuration file): none is taken from a URL, and no error repeats what
a library said about them.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from warmline.errors import RecordingRefusedError, SettingsError, WarmlineError, one_line
from warmline.recordings import (
    Look,
    endings,
    is_recording,
    is_unfinished,
    passed_over,
    unsettled,
)
from warmline.settings import RecordingSettings
from warmline.values import Recording

EXTRA = "pip install 'warmline[remote]'"
#: A JSON file beside a recording that has more bytes is not metadata.
MAX_SIDECAR_BYTES = 1 << 20
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SECRET = re.compile(r"(?<=://)[^/@]*:[^/]*@")
_LONGEST_NAME_BYTES = 200


class RemoteError(WarmlineError):
    """A remote place cannot be listed now; the message names it without credentials."""


@dataclass(frozen=True)
class Beside:
    """A JSON file beside a recording. `stamp` changes when it does."""

    name: str
    stamp: str
    content: bytes


@dataclass(frozen=True)
class RemoteFile:
    """A remote recording as its file system describes it, its bytes unread.

    `source` is the place it was found under and `key` its path in that place's file system; `etag`
    is empty where there is none, `modified_at` 1970 where no time is known.
    """

    source: str
    key: str
    url: str
    size_bytes: int
    modified_at: datetime
    etag: str = ""
    beside: tuple[Beside, ...] = ()

    @property
    def path(self) -> Path:
        """Return the URL as a path, for its parts: no such file exists."""
        return Path(self.url)

    @property
    def stamp(self) -> str:
        """Return a text that changes when the recording does."""
        return f"{landed_stamp(self.recording())}-{self.etag}"

    def recording(self, audio_sha256: str = "") -> Recording:
        """Return the recording as it is stored."""
        return Recording(self.url, self.size_bytes, self.modified_at, audio_sha256)


def landed_stamp(recording: Recording) -> str:
    """Return that part of a stamp that is known of a stored recording."""
    return f"{recording.size_bytes}-{recording.modified_at.timestamp()}"


def is_remote(source: Path | str) -> bool:
    """Return whether a source is a URL rather than a path on this machine."""
    return isinstance(source, str) and _SCHEME.match(source) is not None


def as_source(text: str) -> Path | str:
    """Return a source as a person writes it: a URL as it is, anything else as a path (`~` is home).

    Raises `SettingsError` for a URL that holds a password, or that chains file systems.
    """
    local = Path(text.removeprefix("file://")).expanduser()
    # Path.exists raises where we have no permission.
    is_here = os.path.exists(local)  # noqa: PTH110
    if is_here or text.startswith("file://") or not is_remote(text):
        return local
    if _SECRET.search(text):
        raise SettingsError(
            f"{_SECRET.sub('***@', one_line(text))}: no password in a URL; it is found in the "
            "environment or in a profile"
        )
    if "::" in text:
        raise SettingsError(f"{one_line(text)}: one place at a time, without '::'")
    return text if text.endswith("://") else text.rstrip("/")


def file_system(source: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path there.

    Raises `SettingsError` when the package for it is missing or nothing knows the protocol.
    """
    protocol = source.partition("://")[0]
    try:
        import fsspec
    except ImportError as e:
        raise SettingsError(f"{one_line(source)}: remote sources need fsspec: {EXTRA}") from e
    try:
        fs, path = fsspec.core.url_to_fs(source)
    except ImportError as e:
        raise SettingsError(
            f"{one_line(source)}: {protocol}:// needs a package that is not installed ({EXTRA} "
            f"brings the one for s3://): {one_line(str(e))}"
        ) from e
    except ValueError as e:
        raise SettingsError(f"{one_line(source)}: no protocol is called {protocol}") from e
    return fs, str(path)


@contextmanager
def said_plainly(place: str) -> Iterator[None]:
    """Turn what a file system raises into `FileNotFoundError`, `PermissionError` or `OSError`.

    Each has one line that names the place, and nothing of what the library said beyond its kind.
    """
    try:
        yield
    except (WarmlineError, MemoryError):
        raise
    except FileNotFoundError as e:
        raise FileNotFoundError(f"{place}: there is nothing there, or it is gone") from e
    except PermissionError as e:
        raise PermissionError(f"{place}: the credentials found do not allow reading it") from e
    except Exception as e:  # whatever a file system of the user's choice may raise
        missing = "Credentials" in type(e).__name__
        cause = "no credentials were found" if missing else type(e).__name__
        raise OSError(f"{place}: cannot be reached now ({cause})") from e


def fetch(file: RemoteFile, folder: Path) -> Path:
    """Copy a recording into a folder, under its own name, readable by this user only.

    Raises `RecordingRefusedError`: `not_found` when it is gone, `unreadable` without permission,
    `still_changing` when it differs from what was listed; `OSError` for what may be temporary.
    """
    fs, _ = file_system(file.source)
    name = PurePosixPath(file.key).name.encode()[-_LONGEST_NAME_BYTES:].decode(errors="ignore")
    copy = folder / name
    copy.touch(mode=0o600, exist_ok=False)
    try:
        with said_plainly(file.url):
            fs.get_file(file.key, str(copy))
            fs.invalidate_cache()
            now = listed(file.source, file.key, file.url, fs.info(file.key))
    except FileNotFoundError as e:
        raise RecordingRefusedError("not_found", str(e)) from e
    except PermissionError as e:
        raise RecordingRefusedError("unreadable", str(e)) from e
    if now.stamp != file.stamp or copy.stat().st_size != file.size_bytes:
        raise RecordingRefusedError(
            "still_changing",
            f"{file.url}: it changed since it was listed ({file.size_bytes} bytes then); the next "
            "run takes it",
        )
    return copy


def listed(source: str, key: str, url: str, info: dict[str, Any]) -> RemoteFile:
    """Return a file as a file system describes it (`fs.info`, `fs.find`)."""
    told = (info.get(name) for name in ("LastModified", "last_modified", "mtime", "created"))
    etag = next((str(info[n]) for n in ("ETag", "etag", "md5Hash") if info.get(n)), "")
    changed = _time(next(filter(None, told), None))
    return RemoteFile(source, key, url, int(info.get("size") or 0), changed, etag.strip('"'))


def content(source: str, sizes: dict[str, int]) -> dict[str, bytes | Exception]:
    """Return the bytes of small files by key, or the error; of one too long, its beginning."""
    fs, _ = file_system(source)
    small = [key for key, size in sizes.items() if size <= MAX_SIDECAR_BYTES]
    found: dict[str, bytes | Exception] = dict(fs.cat(small, on_error="return")) if small else {}
    for key in sizes.keys() - set(small):
        with said_plainly(key):
            found[key] = fs.cat_file(key, 0, MAX_SIDECAR_BYTES + 1)
    return found


def _time(told: object) -> datetime:
    if isinstance(told, datetime):
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    if isinstance(told, int | float):
        return datetime.fromtimestamp(told, UTC)
    return datetime.fromtimestamp(0, UTC)


# The recordings at a remote place, with the metadata beside them.


_AT_ONCE = 500
#: Sidecars that are known, by the URL of their recording.
Remembered = Mapping[str, tuple[Beside, ...]]


@dataclass(frozen=True)
class Listing:
    """The recordings at a remote place; the fields mean what those of `Found` mean."""

    recordings: tuple[RemoteFile, ...]
    unfinished: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def list_recordings(source: str, settings: RecordingSettings, remembered: Remembered) -> Listing:
    """Return the recordings under a URL: the file that it names, or all below it.

    Only sidecars that changed since they were remembered are fetched, a few hundred at a time.
    Raises `RemoteError` when the place cannot be listed, `SettingsError` as `file_system` does.
    """
    fs, root = file_system(source)
    try:
        with said_plainly(source):
            fs.invalidate_cache()
            is_file = fs.info(root)["type"] == "file"
            infos = _around(fs, root) if is_file else fs.find(root, detail=True)
    except OSError as e:
        raise RemoteError(str(e)) from e
    files = {
        key: listed(source, key, source if is_file else _url(source, root, key), info)
        for key, info in infos.items()
        if info["type"] == "file"
    }
    chosen = ([files[root]], []) if is_file else _chosen(files, root, settings, _look(fs))
    named, unfinished = chosen
    wanted = endings(settings)
    others = [f.path for f in files.values() if not is_recording(f.path, wanted)]
    problems = [] if is_file else passed_over(others)
    recordings = tuple(_with_sidecars(source, named, files, remembered, problems))
    return Listing(recordings, tuple(file.url for file in unfinished), tuple(problems))


def _around(fs: Any, root: str) -> dict[str, dict[str, Any]]:
    """Return a file, and the candidates for its sidecars."""
    return {
        key: fs.info(key) for key in (root, *_sidecar_keys(root)) if key == root or fs.exists(key)
    }


def _url(source: str, root: str, key: str) -> str:
    return f"{source}/{key.removeprefix(root).lstrip('/')}"


def _chosen(
    files: Mapping[str, RemoteFile],
    root: str,
    settings: RecordingSettings,
    look: Callable[[RemoteFile], Look | None],
) -> tuple[list[RemoteFile], list[RemoteFile]]:
    """Return the recordings to take, and those that must wait."""
    wanted = endings(settings)
    named: list[RemoteFile] = []
    unfinished: list[RemoteFile] = []
    for key, file in sorted(files.items()):
        inside = PurePosixPath(key.removeprefix(root))
        if any(part.startswith(".") for part in inside.parts) or not is_recording(inside, wanted):
            continue
        (unfinished if is_unfinished(inside) else named).append(file)
    looks = {file: _as_look(file) for file in named}
    changing = unsettled(looks, look, settings.settle_s) if settings.settle_s else frozenset()
    return [f for f in named if f not in changing], [*unfinished, *changing]


def _as_look(file: RemoteFile) -> Look:
    return file.size_bytes, round(file.modified_at.timestamp() * 1e6) * 1000


def _look(fs: Any) -> Callable[[RemoteFile], Look | None]:
    def again(file: RemoteFile) -> Look | None:
        try:
            with said_plainly(file.url):
                fs.invalidate_cache()
                return _as_look(listed(file.source, file.key, file.url, fs.info(file.key)))
        except OSError:
            return None

    return again


def _sidecar_keys(key: str) -> tuple[str, str]:
    return f"{key}.json", f"{key.removesuffix(PurePosixPath(key).suffix)}.json"


def _with_sidecars(
    source: str,
    named: list[RemoteFile],
    files: Mapping[str, RemoteFile],
    remembered: Remembered,
    problems: list[str],
) -> Iterator[RemoteFile]:
    """Yield the recordings, with their sidecars read again where they changed."""
    for start in range(0, len(named), _AT_ONCE):
        some = named[start : start + _AT_ONCE]
        known = {(f.url, b.name, b.stamp): b for f in some for b in remembered.get(f.url, ())}
        beside = {f: [files[k] for k in _sidecar_keys(f.key) if k in files] for f in some}
        missing = {
            sidecar.key: sidecar.size_bytes
            for file, sidecars in beside.items()
            for sidecar in sidecars
            if (file.url, sidecar.path.name, sidecar.stamp) not in known
        }
        read = _contents(source, missing)
        for file, sidecars in beside.items():
            found = []
            for sidecar in sidecars:
                name = sidecar.path.name
                data = read.get(sidecar.key)
                if isinstance(data, bytes):
                    found.append(Beside(name, sidecar.stamp, data))
                elif data is None:
                    found.append(known[file.url, name, sidecar.stamp])
                else:
                    problems.append(f"{file.url}.json or the like: cannot be read now")
            yield replace(file, beside=tuple(found))


def _contents(source: str, missing: dict[str, int]) -> dict[str, bytes | Exception]:
    try:
        with said_plainly(source):
            return content(source, missing)
    except OSError as e:
        return dict.fromkeys(missing, e)

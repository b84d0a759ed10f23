"""The recordings at a remote place, with the metadata beside them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from warmline.recordings.find import endings, is_recording, is_unfinished, passed_over
from warmline.recordings.remote import (
    Beside,
    RemoteError,
    RemoteFile,
    content,
    file_system,
    listed,
    said_plainly,
)
from warmline.recordings.settling import Look, unsettled
from warmline.settings import RecordingSettings

_AT_ONCE = 500
#: Sidecars that are known, by the URL of their recording.
Remembered = Mapping[str, tuple[Beside, ...]]


@dataclass(frozen=True)
class Listing:
    """What lies at a remote place; the fields mean what those of `Found` mean."""

    recordings: tuple[RemoteFile, ...]
    unfinished: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def list_recordings(source: str, settings: RecordingSettings, remembered: Remembered) -> Listing:
    """The recordings under a URL: the file that it names, or all below it.

    Only sidecars that are not remembered as they are now are fetched, a few hundred at a time.
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
    """A file, and what would be its sidecars."""
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
    """Recordings to take, and those that are not to be taken yet."""
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
    """The recordings, with what lies beside them read anew where it changed."""
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

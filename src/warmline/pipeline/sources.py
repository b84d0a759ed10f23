"""Find what there is to analyze: on this machine, and at remote places."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from warmline import landing
from warmline.landing import Listed, ListedRecording
from warmline.recordings.find import find_recordings
from warmline.recordings.metadata import is_free_of_private, pseudonym_key
from warmline.recordings.remote import Beside, RemoteError, RemoteFile, list_recordings
from warmline.settings import RecordingSettings, RedactionSettings


@dataclass(frozen=True)
class Sources:
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
) -> Sources:
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
    return Sources(
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

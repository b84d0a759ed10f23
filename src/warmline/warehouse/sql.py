"""The SQL files of the repository's `warehouse/` folder: they say what, this package says when."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from warmline.resources import folder


@dataclass(frozen=True)
class SqlFile:
    """One SQL file. `name` is the file's without `.sql`; `header` the comment it begins with."""

    name: str
    text: str

    @property
    def header(self) -> str:
        """The comment lines at the top, without their dashes."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").strip())
        return "\n".join(lines)


def sql_files(kind: str) -> tuple[SqlFile, ...]:
    """The files of one of the folders (`migrations`, `load`, ...), in order of name."""
    found = sorted((folder("warehouse") / kind).glob("*.sql"))
    return tuple(SqlFile(path.stem, _text(path)) for path in found)


def in_order_of_use(files: Iterable[SqlFile]) -> tuple[SqlFile, ...]:
    """The files, each after those whose names stand in its text as words."""
    named = {file.name: file for file in files}
    uses = {
        name: {other for other in named if other != name and re.search(rf"\b{other}\b", file.text)}
        for name, file in named.items()
    }
    return tuple(named[name] for name in TopologicalSorter(uses).static_order())


def digest(*files: SqlFile) -> str:
    """A digest of the files' names and texts."""
    text = "".join(f"{len(file.text)} {file.name}\n{file.text}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")

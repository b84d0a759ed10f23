"""Files written completely or not at all, readable by their owner alone; and where a run writes.

They are about calls: nobody else on the machine may see them, whatever the user's umask is and
whatever mode a replaced file had.
"""

import fcntl
import importlib.util
import json
import os
import re
import secrets
import shutil
import sys
import unicodedata
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any

from warmline.errors import WarehouseError, WarmlineError, first_line

if TYPE_CHECKING:
    from warmline.settings import Settings


PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def write_whole(
    path: Path, write: Callable[[Path], object], kind: type[WarmlineError], what: str
) -> Path:
    """Let `write` fill a temporary file beside `path`, then move it there atomically and durably.

    The file is private, and so are folders created for it. A path that is no regular file (a pipe,
    a terminal) is written to directly. Raises an error of this `kind` naming the file, and `what`
    it was to hold, when the folder is read-only, full, or not a folder.
    """
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        if _is_device(path):
            write(path)
            return path
        make_private_folder(path.parent)
        try:
            temporary.touch(PRIVATE_FILE, exist_ok=False)
            write(temporary)
            temporary.chmod(PRIVATE_FILE)  # `write` may have put another file there
            sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync(path.parent)
    except OSError as e:
        raise kind(f"{path}: cannot write {what} ({e.strerror or e})") from e
    return path


def write_text_whole(path: Path, text: str, kind: type[WarmlineError], what: str) -> Path:
    """Write a text as UTF-8. Private, and raises, as `write_whole`."""
    return write_bytes_whole(path, text.encode(), kind, what)


def write_bytes_whole(path: Path, content: bytes, kind: type[WarmlineError], what: str) -> Path:
    """Write these bytes. Private, and raises, as `write_whole`."""
    return write_whole(path, lambda file: file.write_bytes(content), kind, what)


def make_private_folder(path: Path) -> Path:
    """Create a folder, and its missing parents, accessible to their owner alone.

    An existing folder keeps its mode. Raises OSError.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in (*reversed(missing), path):
        folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
    return path


def is_there(path: Path | str) -> bool | None:
    """Return whether there is a file; None where nobody may look, as in a closed folder."""
    try:
        return Path(path).is_file()
    except OSError:
        return None


def _is_device(path: Path) -> bool:
    """Return whether something other than a file is there, as /dev/stdout, that must stay."""
    return path.parts[:2] == ("/", "dev") or (
        path.exists() and not path.is_file() and not path.is_dir()
    )


def open_private(path: str, flags: int) -> int:
    """Open a file for `open(..., opener=open_private)`; a new file is private."""
    return os.open(path, flags, PRIVATE_FILE)


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Cells of tables that people open in a spreadsheet.


_FORMULA = ("=", "+", "-", "@")
# What some program takes for the end of a cell, whatever surrounds it: Excel separates by
# semicolons where the decimal point is a comma.
_ENDS_A_CELL = re.compile(r"([;\t\r\n\v\f\x85\u2028\u2029]+)")


def safe_cell(value: Any) -> Any:
    """Return the value; in a text, put an apostrophe wherever a spreadsheet would start a formula.

    That is at its beginning, and after what may be taken for the end of a cell. Blanks, invisible
    characters and full-width signs do not hide a formula. What a customer said must never be run
    (OWASP, CSV injection).
    """
    if not isinstance(value, str):
        return value
    parts = [_as_text(part) for part in _ENDS_A_CELL.split(value)]
    safe = "".join(parts)
    return f"'{safe}" if value and not parts[0] else safe  # it begins with the end of a cell


def _as_text(part: str) -> str:
    """Return a part of a cell, marked as text."""
    for letter in part:
        if not letter.isspace() and unicodedata.category(letter) not in ("Cc", "Cf"):
            begins = unicodedata.normalize("NFKC", letter).startswith(_FORMULA)
            return f"'{part}" if begins else part
    return part


# One holder at a time, known to the operating system: a lock that dies with its process.


class LockedError(WarmlineError):
    """Another process holds the lock."""


_LOOK_S = 0.1


@contextmanager
def exclusive(path: Path, doing: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock file while the block runs; `doing` says what for, for a second process to read.

    The file is not removed: otherwise two processes could hold two files of one name. Raises
    LockedError naming the process that still holds it after `wait_s`, OSError when it cannot be
    made.
    """
    until = monotonic() + wait_s
    make_private_folder(path.parent)
    with open(path, "a+", encoding="utf-8", opener=open_private) as file:
        while not _is_taken(file):
            if monotonic() >= until:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise LockedError(f"{path}: {holder} is {doing}; wait for it to end")
            sleep(_LOOK_S)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}")
        file.flush()
        yield


def _is_taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# Folders of one process: gone when it has done with them, or swept once it has been killed.


_HEX_DIGITS = 16  # nobody gives a folder such a name by hand


@contextmanager
def private_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder that only this user can read; remove it with its content after the block.

    It is locked meanwhile, so that nobody sweeps it. Raises OSError.
    """
    parent.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
    while True:
        folder = parent / f"{prefix}{secrets.token_hex(_HEX_DIGITS // 2)}"
        folder.mkdir(PRIVATE_FOLDER)
        with suppress(FileNotFoundError):  # swept before it was opened
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():  # and was not swept before it was locked
                break
            os.close(lock)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(parent: Path, prefix: str) -> int:
    """Remove private folders of processes that have ended; return how many.

    What another user's have left is that user's to remove.
    """
    is_ours = re.compile(rf"{re.escape(prefix)}[0-9a-f]{{{_HEX_DIGITS}}}").fullmatch
    removed = 0
    with suppress(FileNotFoundError, PermissionError):
        for name in filter(is_ours, os.listdir(parent)):  # noqa: PTH208  (of names, not of paths)
            folder = parent / name
            with suppress(OSError):  # removed just now, a file, a link, another user's
                removed += _is_swept(folder)
    return removed


def _is_swept(folder: Path) -> bool:
    """Remove a folder that no process holds; return whether it is gone.

    A link is not followed: in a folder of all users, anybody may have put it there.
    """
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(lock).st_uid != os.geteuid():
            return False
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()
    except BlockingIOError:
        return False
    finally:
        os.close(lock)


_TEMPORARY = "warmline-"


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a private folder in `parent`, by default the system's folder for temporary files.

    What processes that were killed have left there is removed first. Raises OSError.
    """
    from tempfile import gettempdir

    place = parent or Path(gettempdir())
    sweep(place, _TEMPORARY)
    with private_folder(place, _TEMPORARY) as folder:
        yield folder


# Locate what ships beside the code: SQL, flows, sample calls; in a wheel or in a checkout.


_PACKAGE = Path(__file__).resolve().parent
_MARKS = {
    "warehouse": "tables",
    "flows": "analyze_calls.py",
    "audio": "samples",
    "validation": "__init__.py",  # in a checkout only, as the next
    "training": "corpora.py",
    "benchmarks": "listening.py",
}


def folder(name: str) -> Path:
    """Return one of the folders that ship beside the code, wherever this installation keeps it.

    A wheel has them inside the package, a checkout at its root. Raises FileNotFoundError with both
    paths when the installation is incomplete.
    """
    mark = _MARKS[name]
    places = [_PACKAGE / name, _PACKAGE.parents[1] / name]
    for place in places:
        if (place / mark).exists():
            return place
    tried = " or ".join(str(p / mark) for p in places)
    raise FileNotFoundError(f"incomplete installation: no {tried}; reinstall warmline")


def load_outside(name: str, path: Path) -> ModuleType:
    """Import a module or package from a file outside the package, once, under `name`.

    Thus no generic name is put on the import path. `path` of a package is its `__init__.py`.
    """
    if name in sys.modules:
        return sys.modules[name]
    places = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=places)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


# The folder and file that a run writes to: the landing folder and the warehouse.

#: The file in a landing folder that holds the folder's id.
IDENTITY = "landing.json"

#: The marker in a landing folder of an erasure that has not reached the warehouse yet.
ERASING = "erasing.json"


@dataclass(frozen=True)
class Places:
    """The landing folder of the analyses, and the warehouse that is built from it."""

    landing: Path
    warehouse: Path


class UnfinishedErasureError(WarmlineError):
    """Calls were erased from the landing folder, and the warehouse may still hold their words."""

    def __init__(self, places: Places, settings: "Settings", *, allow_loss: bool = False) -> None:
        super().__init__(
            f"{places.landing}: an erasure (`warmline forget`) was begun and not finished; any "
            "command of warmline finishes it"
        )
        self.places = places
        self.settings = settings
        self.allow_loss = allow_loss


def places_of(
    settings: "Settings",
    landing: Path | None = None,
    warehouse: Path | None = None,
    *,
    allow_loss: bool = False,
) -> Places:
    """Return the places that the caller names, or else those of the settings.

    Where neither names a landing folder, it lies beside the warehouse: `calls.duckdb` has
    `calls.landing`. Raises UnfinishedErasureError where an erasure was stopped halfway; with
    `allow_loss` it tells whoever finishes that erasure that calls may be lost by it.
    """
    base = warehouse or Path(settings.places.warehouse).expanduser()
    named = Path(settings.places.landing).expanduser() if settings.places.landing else None
    places = Places(landing or named or base.with_suffix(".landing"), base)
    require_nothing_half_erased(places, settings, allow_loss=allow_loss)
    return places


def erasing_note(warehouse: Path) -> Path:
    """Return the path of the note beside a warehouse that names the landing folder being erased
    from.
    """
    return warehouse.with_name(f"{warehouse.name}.erasing")


def require_nothing_half_erased(
    places: Places, settings: "Settings", *, allow_loss: bool = False
) -> None:
    """Raise UnfinishedErasureError where an erasure of these places was begun and not finished."""
    notes = (places.landing / ERASING, erasing_note(places.warehouse))
    if any(os.path.exists(note) for note in notes):  # noqa: PTH110  (Path.exists may raise)
        raise UnfinishedErasureError(places, settings, allow_loss=allow_loss)


def identity_of(landing_dir: Path) -> str | None:
    """Return the id of a landing folder, the same wherever it lies; None if it has none yet.

    A copy has the id of what it was copied from. Raises WarehouseError for a file that is no id.
    """
    path = landing_dir / IDENTITY
    try:
        return str(uuid.UUID(json.loads(path.read_text(encoding="utf-8"))["landing_id"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise WarehouseError(f"{path}: cannot be read ({first_line(e)})") from e


def give_identity(landing_dir: Path) -> str | None:
    """Return the id of a landing folder, and write a new one if it has none.

    Returns None for a folder that does not exist or cannot be written to.
    """
    if (found := identity_of(landing_dir)) or not landing_dir.is_dir():
        return found
    path = landing_dir / IDENTITY
    temporary = path.with_name(f".{IDENTITY}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.touch(PRIVATE_FILE, exist_ok=False)
        temporary.write_text(json.dumps({"landing_id": str(uuid.uuid4())}), encoding="utf-8")
        sync(temporary)
        path.hardlink_to(temporary)  # fails if the file exists, which a rename would not
    except FileExistsError:
        pass  # another process has just written one
    except OSError:
        return None
    finally:
        temporary.unlink(missing_ok=True)
    return identity_of(landing_dir)

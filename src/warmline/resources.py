"""Finds what ships beside the code: SQL, flows, sample calls; in a wheel or in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_MARKS = {
    "warehouse": "migrations",
    "flows": "analyze_calls.py",
    "audio": "samples",
}


def folder(name: str) -> Path:
    """The folder `warehouse`, `flows` or `audio`, wherever this installation keeps it.

    A wheel has them inside the package, a checkout at its root. Raises FileNotFoundError with both
    places when the installation is incomplete.
    """
    mark = _MARKS[name]
    places = [_PACKAGE / name, _PACKAGE.parents[1] / name]
    for place in places:
        if (place / mark).exists():
            return place
    tried = " or ".join(str(p / mark) for p in places)
    raise FileNotFoundError(f"incomplete installation: no {tried}; reinstall warmline")

"""Locate what ships beside the code: SQL, flows, sample calls; in a wheel or in a checkout."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

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

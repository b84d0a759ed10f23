"""Read a scene script, and report where in the file something is wrong."""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from warmline.errors import SceneLineError, ScriptError
from warmline.simulate.rendering import SimulatedCall, render
from warmline.simulate.scene import Scene

_HEADER = re.compile(r"\s*(\[{1,2})\s*([^\[\]]+?)\s*\]{1,2}")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")

Place = tuple[str | int, ...]


def read_script(path: Path) -> Scene:
    """Return the scene of a script. `call.call_id` is the file's stem where the script has none.

    Raises `ScriptError` with file, line and key for everything that is invalid.
    """
    text = _text(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ScriptError(f"{path}: not valid TOML: {e}") from e
    if isinstance(call := table.get("call"), dict):
        call.setdefault("call_id", path.stem)
    try:
        return Scene.model_validate(table, by_alias=True, by_name=False)
    except ValidationError as e:
        places = _places(text)
        raise ScriptError("\n".join(_explain(path, error, places) for error in e.errors())) from e


def render_script(path: Path) -> SimulatedCall:
    """Render a script. Raises `ScriptError` with file, line and key if it cannot be rendered."""
    scene = read_script(path)
    try:
        return render(scene)
    except SceneLineError as e:
        number = _nearest(("line", e.index, e.key), _places(_text(path)))
        raise ScriptError(f"{path}, line {number}: {e.key}: {e.problem}") from e
    except ScriptError as e:
        raise ScriptError(f"{path}: {e}") from e


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as e:
        raise ScriptError(f"{path}: cannot read the script ({e.strerror})") from e
    except UnicodeDecodeError as e:
        raise ScriptError(f"{path}: not UTF-8 text (byte {e.start})") from e


def _places(text: str) -> dict[Place, int]:
    """Return the line number, from 1, of every table and key as the script writes them."""
    places: dict[Place, int] = {(): 1}
    table: Place = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            name = header[2]
            table = tuple(part.strip(" \"'") for part in name.split("."))
            if header[1] == "[[":
                table = (*table, counts.get(name, 0))
                counts[name] = counts.get(name, 0) + 1
            places[table] = number
        elif key := _KEY.match(line):
            places[(*table, key[1])] = number
    return places


def _nearest(place: Place, places: dict[Place, int]) -> int:
    while place not in places:
        place = place[:-1]
    return places[place]


def _explain(path: Path, error: Any, places: dict[Place, int]) -> str:
    place: Place = error["loc"]
    where = f"{path}, line {_nearest(place, places)}"
    key = ".".join(part for part in place if isinstance(part, str))
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key '{key}'"
    if error["type"] == "missing":
        return f"{where}: '{key}' is missing"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {key}: {message}"
    return f"{where}: {key} = {error['input']!r}: {message}"

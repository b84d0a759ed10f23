"""The sheet that people fill in, as CSV or JSON, and the key that is kept from them."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from warmline.annotation.items import ANSWERS, FEELINGS, LEVELS, NO_FEELING, Item, Label
from warmline.errors import DataError
from warmline.files import safe_cell, write_text_whole, write_whole

_SHOWN = ("item_id", "call_id", "path", "start_s", "end_s", "before", "text", "after")
_FILLED_IN = ("feeling", "answer", "level", "note")
_MACHINE = ("machine_feeling", "machine_answer", "machine_level")


@dataclass(frozen=True)
class Key:
    """What the ledger says of an item, and how likely the item was to be drawn."""

    call_id: str
    kinds: tuple[str, ...]
    answer: str | None
    level: int | None
    stratum: str
    chance: float


def write_sheet(items: Sequence[Item], path: Path, *, show_machine: bool = False) -> Path:
    """Write the sheet and, beside it, its key; returns the key's path.

    The sheet does not say what the ledger thinks, unless `show_machine`: who has read an opinion
    shares it. Raises `DataError` rather than write over a sheet that may hold labels.
    """
    key_path = path.with_name(f"{path.stem}.key.json")
    if path.suffix not in (".csv", ".json"):
        raise DataError(f"{path}: a sheet is .csv or .json")
    for there in (path, key_path):
        if there.exists():
            raise DataError(f"{there} is there, and may hold labels: choose another name")
    rows = [_row(item, show_machine) for item in items]
    key = {item.item_id: _key_row(item) for item in items}
    write_whole(path, partial(_write_rows, rows, path.suffix), DataError, "the sheet")
    write_text_whole(key_path, json.dumps(key, indent=1), DataError, "the key")
    return key_path


def read_key(path: Path) -> dict[str, Key]:
    """The key of a sheet; raises `DataError` for a file that is none."""
    try:
        table = json.loads(_text(path))
        return {
            item_id: Key(**row | {"kinds": tuple(row["kinds"])}) for item_id, row in table.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise DataError(f"{path}: not the key of a sheet, which annotate writes beside it") from e


def read_sheet(path: Path, key: Mapping[str, Key]) -> dict[str, Label]:
    """The labels of a filled-in sheet, by item; items whose feeling is still empty are left out.

    Raises `DataError` naming file, line and column of what is not as it should be.
    """
    labels: dict[str, Label] = {}
    seen: dict[str, str] = {}
    for where, row in _rows(path):
        item_id = (row.get("item_id") or "").strip()
        if item_id not in key:
            raise DataError(f"{where}, column item_id: {item_id!r} is not an item of the key")
        if item_id in seen:
            raise DataError(f"{where}, column item_id: {item_id} is in {seen[item_id]} already")
        seen[item_id] = where.split(", ")[-1]
        label = _label(where, row)
        if label is not None:
            labels[item_id] = label
    return labels


def _row(item: Item, show_machine: bool) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(item, name) for name in _SHOWN}
    row |= {"start_s": round(item.start_s, 2), "end_s": round(item.end_s, 2)}
    row |= dict.fromkeys(_FILLED_IN, "")
    if show_machine:
        feeling = item.kinds[0] if item.kinds else NO_FEELING
        row |= dict(zip(_MACHINE, (feeling, item.answer, item.level), strict=True))
    return row


def _key_row(item: Item) -> dict[str, Any]:
    return {
        "call_id": item.call_id,
        "kinds": list(item.kinds),
        "answer": item.answer,
        "level": item.level,
        "stratum": item.stratum,
        "chance": item.chance,
    }


def _write_rows(rows: Sequence[Mapping[str, Any]], suffix: str, path: Path) -> None:
    if suffix == ".json":
        path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    # With a byte order mark spreadsheets read it as UTF-8.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({k: safe_cell(v) for k, v in row.items()} for row in rows)


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every row with where it stands."""
    text = _text(path)
    if path.suffix == ".json":
        try:
            rows = json.loads(text)
        except ValueError as e:
            raise DataError(f"{path}: not valid JSON: {e}") from e
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DataError(f"{path}: not a list of items")
        yield from ((f"{path}, item {i}", row) for i, row in enumerate(rows, 1))
        return
    reader = csv.DictReader(text.splitlines(keepends=True))
    for column in ("item_id", "feeling"):
        if column not in (reader.fieldnames or ()):
            raise DataError(f"{path}, line 1: there is no column {column}")
    before = reader.line_num
    for row in reader:
        yield f"{path}, line {before + 1}", row
        before = reader.line_num


def _label(where: str, row: Mapping[str, Any]) -> Label | None:
    """One row's label; None while its feeling is empty."""
    feeling = _one_of(where, row, "feeling", FEELINGS)
    answer = _one_of(where, row, "answer", ANSWERS)
    level = _one_of(where, row, "level", tuple(map(str, LEVELS)))
    for column, given in (("answer", answer), ("level", level)):
        if given is not None and feeling in (None, NO_FEELING):
            problem = f"{given!r} is said of no feeling; give the feeling, or leave it empty"
            raise DataError(f"{where}, column {column}: {problem}")
    if feeling is None:
        return None
    return Label(feeling, answer, None if level is None else int(level))


def _one_of(where: str, row: Mapping[str, Any], column: str, allowed: Sequence[str]) -> str | None:
    given = row.get(column)
    text = "" if given is None else str(given).strip().lower()
    if not text:
        return None
    if text not in allowed:
        raise DataError(f"{where}, column {column}: {text!r} is not one of {', '.join(allowed)}")
    return text


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as e:
        raise DataError(f"{path}: cannot be read ({e.strerror})") from e
    except UnicodeDecodeError as e:
        raise DataError(f"{path}: not UTF-8 text (byte {e.start}); save it as CSV UTF-8") from e

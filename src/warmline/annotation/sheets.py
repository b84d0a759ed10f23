"""Sheets for people to label turns on: what is asked, what is written, and what is read back."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from warmline.errors import DataError
from warmline.files import safe_cell, write_text_whole, write_whole
from warmline.language.rulebook import CUE_LABELS

NO_FEELING = "none"
FEELINGS = (NO_FEELING, *CUE_LABELS)
NO_AGENT_TURN = "no_agent_turn"
EMPATHIC = frozenset({"attentive", "affective", "cognitive"})
ANSWERS = (
    *("ignored", "dismissed", "problem_solved_only", "attentive", "affective", "cognitive"),
    NO_AGENT_TURN,
)
LEVELS = (0, 1, 2)


@dataclass(frozen=True)
class Item:
    """A customer's turn with the talk around it, and what the ledger says of it.

    `item_id` says nothing of the call. `kinds` are the ledger's feelings, strongest first, empty
    for a turn without a cue; `answer` and `level` those of the strongest. `chance` (0..1] is the
    share of its stratum that was drawn.
    """

    item_id: str
    call_id: str
    turn_index: int
    path: str
    start_s: float
    end_s: float
    before: str
    text: str
    after: str
    kinds: tuple[str, ...]
    answer: str | None
    level: int | None
    stratum: str
    chance: float


@dataclass(frozen=True)
class Label:
    """One person's label of an item. `answer` and `level` may be left open."""

    feeling: str
    answer: str | None = None
    level: int | None = None

    @property
    def is_cue(self) -> bool:
        """Return whether the customer shows a feeling."""
        return self.feeling != NO_FEELING


@dataclass(frozen=True)
class Opinion:
    """The opinion of one person, or of several together, on an item.

    `felt` (0..1) is 1 for a feeling and 0 for none; between them where people differ and nobody has
    decided: the share of them who see one. `feeling` is None where they do not agree on which.
    """

    felt: float
    feeling: str | None = None
    answer: str | None = None


def opinion(label: Label) -> Opinion:
    """Return a label as an opinion."""
    return Opinion(float(label.is_cue), label.feeling if label.is_cue else None, label.answer)


def is_answered(answer: str | None) -> bool | None:
    """Return whether an answer is empathic; None when nobody could answer or nothing was said."""
    return None if answer in (None, NO_AGENT_TURN) else answer in EMPATHIC


_PLACE = ("path", "start_s", "end_s")
_FEELING = ("item_id", "before", "text")
_ANSWER = ("item_id", "before", "text", "after")


@dataclass(frozen=True)
class Key:
    """The ledger's view of an item, and how likely the item was to be drawn."""

    call_id: str
    kinds: tuple[str, ...]
    answer: str | None
    level: int | None
    stratum: str
    chance: float
    turn_index: int | None = None


def write_sheet(
    items: Sequence[Item], path: Path, *, show_machine: bool = False, show_place: bool = False
) -> Path:
    """Write the sheet of feelings and, beside it, its key; return the key's path.

    The sheet says neither what the ledger thinks, unless `show_machine`, nor which call a turn is
    of, unless `show_place` (to listen to it): who has read an opinion shares it. Raises DataError
    rather than write over a sheet that may hold labels.
    """
    key_path = path.with_name(f"{path.stem}.key.json")
    _require_new(path, key_path)
    rows = []
    for item in items:
        row = _shown(item, _FEELING, show_place) | {"feeling": "", "note": ""}
        if show_machine:
            row["machine_feeling"] = item.kinds[0] if item.kinds else NO_FEELING
        rows.append(row)
    key = {item.item_id: _key_row(item) for item in items}
    write_whole(path, partial(_write_rows, rows, path.suffix), DataError, "the sheet")
    write_text_whole(key_path, json.dumps(key, indent=1), DataError, "the key")
    return key_path


def write_answer_sheet(
    items: Sequence[Item],
    labels: Mapping[str, Label],
    path: Path,
    *,
    show_machine: bool = False,
    show_place: bool = False,
) -> None:
    """Write the second sheet of a person: the turns with a feeling, and what the agent said.

    Raises DataError where there is no turn with a feeling, or rather than write over labels.
    """
    _require_new(path)
    if not items:
        raise DataError("no turn is labelled with a feeling: there are no answers to label")
    rows = []
    for item in items:
        row = _shown(item, _ANSWER, show_place)
        row |= {"feeling": labels[item.item_id].feeling, "answer": "", "level": "", "note": ""}
        if show_machine:
            row |= {"machine_answer": item.answer, "machine_level": item.level}
        rows.append(row)
    write_whole(path, partial(_write_rows, rows, path.suffix), DataError, "the sheet")


def write_disputes(
    items: Sequence[str],
    sheets: Mapping[str, Mapping[str, Label]],
    shown: Mapping[str, Mapping[str, Any]],
    path: Path,
) -> None:
    """Write the items on which people differ, with what each of them says, to be decided.

    `shown` has the columns of the first sheet by item. Raises DataError where there are none.
    """
    _require_new(path)
    if not items:
        raise DataError("the annotators differ on no turn: there is nothing to decide")
    rows = []
    for item_id in items:
        row = {name: shown.get(item_id, {}).get(name, "") for name in _FEELING}
        row |= {"item_id": item_id, "feeling": "", "answer": "", "level": "", "note": ""}
        for name, labels in sheets.items():
            label = labels.get(item_id)
            row[f"{name}_feeling"] = label.feeling if label else ""
            row[f"{name}_answer"] = (label.answer if label else None) or ""
        rows.append(row)
    write_whole(path, partial(_write_rows, rows, path.suffix), DataError, "the sheet")


def answers_path(path: Path) -> Path:
    """Return where the second sheet of a person lies: beside the first."""
    return path.with_name(f"{path.stem}.answers{path.suffix}")


def read_labels(path: Path, key: Mapping[str, Key]) -> dict[str, Label]:
    """Return a person's labels: of the sheet, with the answers of the second beside it, if any.

    Raises DataError as `read_sheet`, and where the second sheet has another feeling than the first.
    """
    labels = read_sheet(path, key)
    second = answers_path(path)
    if not second.exists():
        return labels
    for item_id, label in read_sheet(second, key).items():
        first = labels.get(item_id)
        if first is None or first.feeling != label.feeling:
            said = "nothing" if first is None else repr(first.feeling)
            raise DataError(
                f"{second}, item {item_id}: the feeling is {label.feeling!r}, and {said} in "
                f"{path}; what was said before reading the answer counts: put it back"
            )
        labels[item_id] = label
    return labels


def read_texts(path: Path) -> dict[str, Mapping[str, Any]]:
    """Return the rows of a sheet by item, as they stand."""
    return {str(row.get("item_id") or "").strip(): row for _, row in _rows(path)}


def read_key(path: Path) -> dict[str, Key]:
    """Return the key of a sheet; raises `DataError` for a file that is none."""
    try:
        table = json.loads(_text(path))
        return {
            item_id: Key(**row | {"kinds": tuple(row["kinds"])}) for item_id, row in table.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise DataError(f"{path}: not the key of a sheet, which annotate writes beside it") from e


def read_sheet(path: Path, key: Mapping[str, Key]) -> dict[str, Label]:
    """Return the labels of a filled-in sheet by item; those without a feeling are left out.

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


def _require_new(*paths: Path) -> None:
    if paths[0].suffix not in (".csv", ".json"):
        raise DataError(f"{paths[0]}: a sheet is .csv or .json")
    for path in paths:
        if path.exists():
            raise DataError(f"{path} is there, and may hold labels: choose another name")


def _shown(item: Item, names: Sequence[str], show_place: bool) -> dict[str, Any]:
    row = {name: getattr(item, name) for name in names}
    if show_place:
        place = (item.path, round(item.start_s, 2), round(item.end_s, 2))
        row |= dict(zip(_PLACE, place, strict=True))
    return row


def _key_row(item: Item) -> dict[str, Any]:
    return {
        "call_id": item.call_id,
        "kinds": list(item.kinds),
        "answer": item.answer,
        "level": item.level,
        "stratum": item.stratum,
        "chance": item.chance,
        "turn_index": item.turn_index,
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
    """Yield every row with where it stands."""
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
    """Return one row's label; None while its feeling is empty."""
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

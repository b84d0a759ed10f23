"""Sheets for people to label turns on: which turns are drawn, what is asked, and what is read back.

Turns are rows of the ledger, and turns in which it has none: labelling only what was flagged would
say how often the ledger is right, and never what it missed. How far labels and the ledger agree is
in `annotation.agreement`.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from warmline.database import open_for_reading
from warmline.errors import DataError
from warmline.files import safe_cell, write_text_whole, write_whole
from warmline.language.rulebook import CUE_LABELS

NO_FEELING = "none"
FEELINGS = (NO_FEELING, *CUE_LABELS)
NO_AGENT_TURN = "no_agent_turn"
EMPATHIC = frozenset({"attentive", "affective", "cognitive"})
ANSWERS = (
    *("ignored", "dismissed", "minimal_acknowledgement", "problem_solved_only"),
    *("attentive", "affective", "cognitive"),
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


def _answers_path(path: Path) -> Path:
    """Return where the second sheet of a person lies: beside the first."""
    return path.with_name(f"{path.stem}.answers{path.suffix}")


def read_labels(path: Path, key: Mapping[str, Key]) -> dict[str, Label]:
    """Return a person's labels: of the sheet, with the answers of the second beside it, if any.

    Raises DataError as `read_sheet`, and where the second sheet has another feeling than the first.
    """
    labels = read_sheet(path, key)
    second = _answers_path(path)
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


# Draw turns to label from a warehouse.


STRATA = ("queue", "team", "agent_id", "call_id")
_CONTEXT_TURNS = 2
_ID_LENGTH = 12

_TURNS = """
WITH cues AS (
    SELECT
        call_id, turn_index,
        list(kind ORDER BY strength DESC, start_s) AS kinds,
        arg_max(coalesce(answer, 'no_agent_turn'), strength) AS answer,
        arg_max(level, strength) AS level
    FROM opportunities
    GROUP BY call_id, turn_index
)
SELECT
    turns.call_id, turns.turn_index, turns.role, turns.start_s, turns.end_s, turns.text,
    turns.word_count, coalesce(cues.kinds, []) AS kinds, cues.answer, cues.level,
    calls.path, calls.is_simulated, {by} AS stratum
FROM turns
INNER JOIN calls ON calls.call_id = turns.call_id
LEFT JOIN cues ON cues.call_id = turns.call_id AND cues.turn_index = turns.turn_index
WHERE calls.status = 'analyzed' AND calls.no_ledger_reason IS NULL
    AND turns.role IN ('agent', 'customer') AND trim(turns.text) <> ''
ORDER BY turns.call_id, turns.start_s, turns.turn_index
"""

_Row = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """The turns to draw: how many, and from what.

    `flagged` turns with a cue, spread over kinds of feeling, and `unflagged` without; both spread
    over the values of `by`, one of `STRATA`. Unflagged turns have at least `min_words` words.
    """

    flagged: int = 60
    unflagged: int = 60
    by: str | None = None
    min_words: int = 3
    simulated: bool = False
    seed: int = 1


def draw(warehouse: Path, wanted: Wanted) -> list[Item]:
    """Turns to label, in an order of chance; the same seed and calls, the same turns.

    Raises `DataError` when there is no turn to label; `WarehouseError` when there is no warehouse.
    """
    turns = _turns_wanted(warehouse, wanted)
    customers = [t for t in turns if t["role"] == "customer"]
    flagged = [t for t in customers if t["kinds"]]
    others = [t for t in customers if not t["kinds"] and t["word_count"] >= wanted.min_words]
    # Of a kind first, then of a stratum: few agents must not hide that a kind was never tried.
    chosen = _drawn(flagged, lambda t: f"{t['kinds'][0]} / {t['stratum']}", wanted.flagged, wanted)
    chosen += _drawn(others, lambda t: f"none / {t['stratum']}", wanted.unflagged, wanted)
    if not chosen:
        raise DataError(f"{warehouse}: no customer's turn to label in a call that has a ledger")
    by_call = {call: list(own) for call, own in groupby(turns, key=lambda t: t["call_id"])}
    items = [_item(turn, stratum, chance, by_call) for turn, stratum, chance in chosen]
    return sorted(items, key=lambda item: _lot(item.item_id, wanted.seed))


def find_answered(
    warehouse: Path, labels: Mapping[str, Label], key: Mapping[str, Key]
) -> list[Item]:
    """Return the items in which a person saw a feeling, with the talk after them, in given order.

    Raises DataError where a turn is not there any more, or reads otherwise by now.
    """
    by_call = {
        call: list(own) for call, own in groupby(_turns(warehouse), key=lambda t: t["call_id"])
    }
    items = []
    for item_id, label in labels.items():
        if not label.is_cue:
            continue
        known = key[item_id]
        own = by_call.get(known.call_id, [])
        turn = next((t for t in own if t["turn_index"] == known.turn_index), None)
        if turn is None or tuple(turn["kinds"]) != known.kinds:
            raise DataError(
                f"item {item_id} (call {known.call_id}, turn {known.turn_index}) is not in "
                f"{warehouse} as it was drawn: the call was erased or analyzed anew; draw again"
            )
        items.append(replace(_item(turn, known.stratum, known.chance, by_call), item_id=item_id))
    return items


def _turns(warehouse: Path, by: str = "'all'") -> list[_Row]:
    """Return all turns of calls with a ledger, in order of call and time."""
    with open_for_reading(warehouse) as con:
        result = con.execute(_TURNS.format(by=by))
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _turns_wanted(warehouse: Path, wanted: Wanted) -> list[_Row]:
    by = f"coalesce(calls.{wanted.by}, 'unknown')" if wanted.by in STRATA else "'all'"
    rows = _turns(warehouse, by)
    kept = [row for row in rows if bool(row["is_simulated"]) is wanted.simulated]
    if rows and not kept:
        hint = "leave out --simulated" if wanted.simulated else "--simulated takes them"
        there = "real" if wanted.simulated else "simulated"
        raise DataError(f"{warehouse}: only {there} calls have a ledger here; {hint}")
    if wanted.by in STRATA and {row["stratum"] for row in kept} == {"unknown"}:
        raise DataError(
            f"{warehouse}: of no call a {wanted.by} is known, so that turns cannot be spread over "
            f"it; leave out --by, or give the {wanted.by} with the metadata of the calls"
        )
    return kept


def _drawn(
    turns: Iterable[_Row], stratum_of: Any, count: int, wanted: Wanted
) -> list[tuple[_Row, str, float]]:
    """Return up to `count` turns, each with its stratum and the share of it that was drawn."""
    strata: dict[str, list[_Row]] = {}
    for turn in turns:
        strata.setdefault(stratum_of(turn), []).append(turn)
    sizes = _spread(count, {name: len(rows) for name, rows in strata.items()})
    chosen = []
    for name, rows in strata.items():
        rows.sort(key=lambda t: _lot(_name(t), wanted.seed))
        chance = sizes[name] / len(rows)
        chosen += [(turn, name, chance) for turn in rows[: sizes[name]]]
    return chosen


def _spread(count: int, available: Mapping[str, int]) -> dict[str, int]:
    """Return how many of `count` each stratum gets: by its size, and at least one.

    A stratum of which nothing is drawn would be represented by no weight at all; with more strata
    than turns to draw nothing can be said of all of them. Raises DataError then.
    """
    if count == 0 or not available:
        return dict.fromkeys(available, 0)
    total = sum(available.values())
    if count < len(available):
        raise DataError(
            f"{len(available)} strata to spread {count} turns over: draw at least "
            f"{len(available)} (--flagged, --unflagged), or spread over something coarser (--by)"
        )
    if count >= total:
        return dict(available)
    sizes = dict.fromkeys(available, 1)
    for _ in range(count - len(available)):
        open_ = (name for name, size in available.items() if sizes[name] < size)
        # Webster's method: whoever is furthest below the own share is next.
        sizes[max(open_, key=lambda name: (available[name] / (sizes[name] + 0.5), name))] += 1
    return sizes


def _item(turn: _Row, stratum: str, chance: float, by_call: Mapping[str, Sequence[_Row]]) -> Item:
    around = by_call[turn["call_id"]]
    at = next(i for i, t in enumerate(around) if t["turn_index"] == turn["turn_index"])
    return Item(
        item_id=sha256(_name(turn).encode()).hexdigest()[:_ID_LENGTH],
        call_id=turn["call_id"],
        turn_index=turn["turn_index"],
        path=turn["path"],
        start_s=turn["start_s"],
        end_s=turn["end_s"],
        before=_talk(around[max(0, at - _CONTEXT_TURNS) : at]),
        text=turn["text"],
        after=_talk(_until_answered(around[at + 1 :])),
        kinds=tuple(turn["kinds"]),
        answer=turn["answer"],
        level=turn["level"],
        stratum=stratum,
        chance=chance,
    )


def _until_answered(turns: Sequence[_Row]) -> list[_Row]:
    """Return the turns up to the agent's second: an answer counts within them."""
    taken: list[_Row] = []
    for turn in turns:
        taken.append(turn)
        if sum(t["role"] == "agent" for t in taken) == _CONTEXT_TURNS:
            break
    return taken


def _talk(turns: Iterable[_Row]) -> str:
    return "\n".join(f"{turn['role']}: {turn['text']}" for turn in turns)


def _name(turn: _Row) -> str:
    return f"{turn['call_id']}#{turn['turn_index']}"


def _lot(name: str, seed: int) -> str:
    """Return a place in an order of chance that depends on nothing but the turn and the seed."""
    return sha256(f"{seed} {name}".encode()).hexdigest()

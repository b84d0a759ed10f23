"""Draws turns to label from a warehouse: rows of the ledger, and turns in which it has none.

Labelling only what was flagged would say how often the ledger is right, and never what it missed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from warmline.annotation.sheets import Item, Key, Label
from warmline.database import open_for_reading
from warmline.errors import DataError

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

Row = dict[str, Any]


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


def _turns(warehouse: Path, by: str = "'all'") -> list[Row]:
    """Return all turns of calls with a ledger, in order of call and time."""
    with open_for_reading(warehouse) as con:
        result = con.execute(_TURNS.format(by=by))
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _turns_wanted(warehouse: Path, wanted: Wanted) -> list[Row]:
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
    turns: Iterable[Row], stratum_of: Any, count: int, wanted: Wanted
) -> list[tuple[Row, str, float]]:
    """Return up to `count` turns, each with its stratum and the share of it that was drawn."""
    strata: dict[str, list[Row]] = {}
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


def _item(turn: Row, stratum: str, chance: float, by_call: Mapping[str, Sequence[Row]]) -> Item:
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


def _until_answered(turns: Sequence[Row]) -> list[Row]:
    """Return the turns up to the agent's second: an answer counts within them."""
    taken: list[Row] = []
    for turn in turns:
        taken.append(turn)
        if sum(t["role"] == "agent" for t in taken) == _CONTEXT_TURNS:
            break
    return taken


def _talk(turns: Iterable[Row]) -> str:
    return "\n".join(f"{turn['role']}: {turn['text']}" for turn in turns)


def _name(turn: Row) -> str:
    return f"{turn['call_id']}#{turn['turn_index']}"


def _lot(name: str, seed: int) -> str:
    """Return a place in an order of chance that depends on nothing but the turn and the seed."""
    return sha256(f"{seed} {name}".encode()).hexdigest()

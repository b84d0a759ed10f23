"""Resolve what a person types to a call: an id, or the path of a recording.

The warehouse gives every call a name of its own, `calls.call_id`. Where recordings claim one id in
their metadata, the oldest keeps it and the others get a digest behind it (`c-17~51ada0f9`). The id
alone then says nothing about which call is meant; with its digest behind it, each can be named, the
oldest one, too.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from warmline.database import open_for_reading
from warmline.errors import QueryError, Status

_SHOWN = 6
_LONGEST = 100

_CALLS = """
SELECT call_id, claimed_call_id, landing_key, path, status FROM calls
"""
_BY_ID = f"""{_CALLS}
WHERE call_id IN ($text, $nfc) OR trim(claimed_call_id) IN ($text, $nfc)
    OR trim(claimed_call_id) || '~' || split_part(landing_key, '/', 2)[:8] = $text
ORDER BY call_id
"""
_BY_PATH = f"""{_CALLS}
WHERE path IN ($text, $nfc, $absolute) OR ends_with(path, '/' || $text)
    OR ends_with(path, '/' || $nfc)
ORDER BY call_id
"""
_BY_BEGINNING = f"""{_CALLS}
WHERE starts_with(call_id, $text) OR starts_with(call_id, $nfc)
ORDER BY call_id
"""
_CLOSEST = """
SELECT call_id FROM calls
ORDER BY jaro_winkler_similarity(lower(call_id), lower($text)) DESC, call_id LIMIT 5
"""


@dataclass(frozen=True)
class NamedCall:
    """A call of the warehouse: its own name, its id in the metadata, and its recording."""

    call_id: str
    claimed_call_id: str
    landing_key: str
    path: str
    status: Status

    @property
    def exact_name(self) -> str:
        """Return a name that no other call has, even where others claim the same id."""
        digest = self.landing_key.rpartition("/")[2][:8]
        claim = self.claimed_call_id.strip()
        return f"{claim}~{digest}" if self.call_id == claim else self.call_id


def all_calls(warehouse: Path) -> tuple[NamedCall, ...]:
    """Return every call of the warehouse, in order of its name."""
    with open_for_reading(warehouse) as con:
        return _rows(con, f"{_CALLS} ORDER BY call_id")


def find_calls(con: duckdb.DuckDBPyConnection, text: str) -> tuple[NamedCall, ...]:
    """Return every call that an id, a name of the warehouse or a recording's path may mean.

    None, if there is none. More than one, where calls share the id or the file name: a command that
    acts on a call has to ask which one is meant (see `find_call`).
    """
    absolute = {"absolute": _storable(str(Path(text).absolute()))}
    return _rows(con, _BY_ID, **_forms(text)) or _rows(con, _BY_PATH, **_forms(text), **absolute)


def find_call(con: duckdb.DuckDBPyConnection, text: str, *, beginnings: bool = False) -> NamedCall:
    """Return the one call that is meant; with `beginnings`, the beginning of its id will do.

    A copy of a recording is not meant where the id is that of an analyzed call, too. Raises
    QueryError with the names of the calls that share the id, or with the closest ids.
    """
    found = find_calls(con, text)
    if not found and beginnings:
        return _begun(con, text)
    meant = [call for call in found if call.status is not Status.DUPLICATE] or list(found)
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise QueryError(ambiguous(text, meant))
    raise QueryError(_unknown(con, text))


def _begun(con: duckdb.DuckDBPyConnection, text: str) -> NamedCall:
    """Return the one call whose name begins like this."""
    found = _rows(con, _BY_BEGINNING, **_forms(text))
    if not found:
        raise QueryError(_unknown(con, text))
    if len(found) > 1:
        named = ", ".join(shortened(call.call_id) for call in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise QueryError(f"more than one call is called '{shortened(text)}...': {named}{more}")
    return found[0]


def _unknown(con: duckdb.DuckDBPyConnection, text: str) -> str:
    """Return the message for a call that does not exist."""
    closest = [
        shortened(name) for (name,) in con.execute(_CLOSEST, {"text": _storable(text)}).fetchall()
    ]
    if not closest:
        return f"no call '{shortened(text)}': the warehouse has no calls yet"
    return f"no call is called '{shortened(text)}'; closest: {', '.join(closest)}"


def ambiguous(text: str, calls: Sequence[NamedCall]) -> str:
    """Return the sentence that names the calls which share what was typed."""
    named = [f"{shortened(call.exact_name)} ({call.path})" for call in calls[:_SHOWN]]
    more = f" and {len(calls) - _SHOWN} more" if len(calls) > _SHOWN else ""
    return (
        f"'{shortened(text)}' is ambiguous, {len(calls)} calls are called that: "
        f"{', '.join(named)}{more}; "
        "give one of these names, or the path of the recording"
    )


def shortened(name: str) -> str:
    """Return a name that fits into a line for a person: the beginning of one without end."""
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}... ({len(name)} characters)"


def _forms(text: str) -> dict[str, str]:
    """Return the typed text, and its form in metadata's Unicode normalisation."""
    return {"text": _storable(text), "nfc": unicodedata.normalize("NFC", _storable(text.strip()))}


def _storable(text: str) -> str:
    """Return the text as it is stored: lone surrogates, as in file names, escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _rows(con: duckdb.DuckDBPyConnection, sql: str, **given: str) -> tuple[NamedCall, ...]:
    found = con.execute(sql, given).fetchall()
    return tuple(NamedCall(a, b, c, d, Status(e)) for a, b, c, d, e in found)

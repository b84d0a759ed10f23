"""Parse what people write about a call: names of fields, times, yes and no, channel roles."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any

from warmline.errors import MetadataError
from warmline.values import RoleName

# Times as people and programs write them: one list of formats, each of which is unambiguous.

#: How a time may be written; in docs/metadata.md for users.
_DATES = (
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
    r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
    r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
)
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?"
    r"|(?P<hour_>\d\d)-(?P<minute_>\d\d)-(?P<second_>\d\d)"
)
_ZONE = r"(?: ?(?P<zone>Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
_COMPACT = (
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
    r"(?:[T_ -]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?(?:\.(?P<part>\d{1,9}))?" + _ZONE
) + r")?"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        *(rf"{date}(?:[Tt_ ] ?(?:{_CLOCK}){_ZONE})?" for date in _DATES),
        _COMPACT,
    )
)
_EPOCH_S = re.compile(r"1\d{9}(\.\d+)?", re.ASCII)
_EPOCH_MS = re.compile(r"1\d{12}", re.ASCII)
_FIRST_YEAR = 1970
_CUT = 40


def parse_time(text: str, zone: tzinfo) -> datetime:
    """Return a time in UTC; `zone` is used where the text names none. Raises as `read_moment`."""
    return read_moment(text, zone)[0]


def read_moment(text: str, zone: tzinfo) -> tuple[datetime, bool]:
    """Return a time in UTC, and whether only its day is given, of which it is then the beginning.

    Year, month and day with `-` or `/` between, or nothing; day, month and year with points; a
    clock of 24 hours with `:`, `-` or nothing; an offset, Z or UTC behind it; seconds or
    milliseconds since 1970. Raises ValueError, with the reason, for anything else, and for an hour
    that the clocks of `zone` skipped or repeated.
    """
    if _EPOCH_S.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC), False
    if _EPOCH_MS.fullmatch(text):
        return datetime.fromtimestamp(int(text) / 1000, UTC), False
    for form in _FORMS:
        if match := form.fullmatch(text):
            return _moment(text, match.groupdict(), zone)
    raise _unknown(text)


def _moment(text: str, said: dict[str, str | None], zone: tzinfo) -> tuple[datetime, bool]:
    def number(name: str) -> int:
        return int(said.get(name) or said.get(f"{name}_") or 0)

    part = (said.get("part") or "").ljust(6, "0")[:6]
    if number("year") < _FIRST_YEAR:
        raise _unknown(text)
    try:
        local = datetime(
            *(number("year"), number("month"), number("day")),
            *(number("hour"), number("minute"), number("second"), int(part or 0)),
        )
        if offset := said.get("zone"):
            return local.replace(tzinfo=_zone(offset)).astimezone(UTC), False
        is_day = not (said.get("hour") or said.get("hour_"))
        return (_beginning if is_day else _known_hour)(text, local, zone), is_day
    except OverflowError as e:
        raise _unknown(text) from e
    except ValueError as e:
        raise e if isinstance(e, _ClockError) else _unknown(text) from e


def _zone(offset: str) -> tzinfo:
    if offset[0] not in "+-":
        return UTC
    digits = offset[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if minutes >= 60:
        raise ValueError(offset)
    away = timedelta(hours=hours, minutes=minutes)
    return timezone(-away if offset[0] == "-" else away)


def _known_hour(text: str, local: datetime, zone: tzinfo) -> datetime:
    """Return a local time in UTC; raises ValueError unless it occurs exactly once."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise _ClockError(
            f"{text[:_CUT]!r} was never on the clocks of {zone}, which went forward then; write "
            "it with its offset from UTC"
        )
    raise _ClockError(
        f"{text[:_CUT]!r} was twice on the clocks of {zone}, which went back then; write it with "
        f"its offset from UTC, {_offset(first)} or {_offset(second)}"
    )


def _beginning(_text: str, day: datetime, zone: tzinfo) -> datetime:
    """Return the first moment of a day, even one whose midnight does not exist or occurs twice."""
    first = day.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) < day:
        first = day.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return first


class _ClockError(ValueError):
    """A local time that the clocks skipped or repeated."""


def _offset(moment: datetime) -> str:
    return f"{moment:%z}"[:3] + ":" + f"{moment:%z}"[3:5]


def _unknown(text: str) -> ValueError:
    return ValueError(f"{text[:_CUT]!r} is not a time known here; write it as 2025-02-19T06:01:22Z")


TEXT_FIELDS = ("call_id", "agent_id", "team", "queue", "customer_id", "direction", "reason")
KNOWN_FIELDS = (*TEXT_FIELDS, "language", "started_at", "is_simulated", "channel_roles")
_ALIASES = {
    **dict.fromkeys(("agent", "agentid"), "agent_id"),
    **dict.fromkeys(("customer", "customerid"), "customer_id"),
    "callid": "call_id",
    **dict.fromkeys(("start_time", "start_at", "started", "call_start"), "started_at"),
    **dict.fromkeys(("call_start_time", "starttime", "startedat"), "started_at"),
    "call_direction": "direction",
    "call_reason": "reason",
    "simulated": "is_simulated",
    "roles": "channel_roles",
}
_ROLE_CHANNELS = ("agent_channel", "customer_channel")
_MAY_BE_MISSING = frozenset((*KNOWN_FIELDS, *_ROLE_CHANNELS))
_DIRECTIONS = {
    **dict.fromkeys(("in", "inbound", "incoming"), "inbound"),
    **dict.fromkeys(("out", "outbound", "outgoing"), "outbound"),
}
_ROLES = {
    **dict.fromkeys(("agent", "representative", "rep"), RoleName.AGENT),
    **dict.fromkeys(("customer", "caller", "client"), RoleName.CUSTOMER),
    **{role.value: role for role in RoleName},
}
_SIDES = {"left": "0", "right": "1"}
_YES_NO = {
    **dict.fromkeys(("true", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "no", "n", "0", ""), False),
}
#: What programs write for an unknown value, in lower case, without brackets and quotes.
_NOT_GIVEN = frozenset(
    (
        *("null", "nan", "none", "nil", "n/a", "na", "n.a.", "nat", "undefined", "not available"),
        *("unknown", "missing", "blank", "empty", "anonymous", "not set", "not provided", "void"),
        *("#n/a", "#n/a n/a", "#na", "#null!", "#value!", "#ref!", "#name?", "#div/0!", "#num!"),
        *("-nan", "+nan", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "\\n", "?", "??", "???"),
        *("-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", "."),
    )
)
_BRACKETS = "()[]<>{}'\"`"
#: Texts in which some of those may be meant literally: a team NA, a reason "none", a file.
_OF_WORDS = frozenset(("team", "queue", "reason", "language", "path", "file", "filename"))
_MEANINGFUL = _NOT_GIVEN - {"null", "nan", "n/a", "undefined", "not available", "#n/a", "\\n"}
_ALL_NAMES = (*sorted(_MAY_BE_MISSING), *_ALIASES)
_LONG_NAME = 7
_CLOCKS_DIFFER = timedelta(hours=1)  # of a recorder, or one not set to summer time
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"  # spaces without width
_SHOWN = 40


@dataclass(frozen=True)
class Fields:
    """Fields of one call from one source. `known` has values of `CallMetadata`'s types.

    `problems` maps a field to a sentence about its value, which was left out of `known` and kept in
    `extra` as it was written. `doubts` are sentences about what is used as it stands, and may not
    be meant.
    """

    known: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1 << 12)
def canonical(name: str) -> str:
    """Return the known field that a name stands for, else the name in lower_snake_case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    snake = re.sub(r"[\s\-.]+", "_", spaced).lower()
    return _ALIASES.get(snake, snake)


def read_fields(raw: Mapping[str, Any], zone: tzinfo) -> Fields:
    """Read known fields as values, every other one as text in `extra`; empty ones are left out.

    So are known ones that say that there is no value, as `NULL` or `nan` do. When two names stand
    for one field, the field's own name wins and the other goes to `extra`. A name that is nearly
    that of a field, and a start in the future, are doubts.
    """
    known: dict[str, Any] = {}
    extra: dict[str, str] = {}
    problems: dict[str, str] = {}
    doubts: dict[str, str] = {}
    channels: dict[str, str] = {}
    for name, value in sorted(raw.items(), key=lambda item: item[0] not in KNOWN_FIELDS):
        text = as_text(value)
        key = canonical(name)
        if not text or (key in _MAY_BE_MISSING and is_not_given(text, key)):
            continue
        if key in known or key not in _MAY_BE_MISSING:
            extra[as_text(name)] = text
            if meant := _nearly_named(key, raw):
                doubts[as_text(name)] = f"no field known here, kept as text; was {meant} meant?"
            continue
        try:
            if key in _ROLE_CHANNELS:
                channels[key] = _channel(text)
            else:
                known[key] = _value(key, value, text, zone)
        except ValueError as e:
            problems[as_text(name)] = str(e)
            extra[as_text(name)] = text
            continue
        if key == "started_at" and known[key] > datetime.now(UTC) + _CLOCKS_DIFFER:
            doubts[as_text(name)] = f"{text[:_CUT]!r} is in the future"
    if len(set(channels.values())) < len(channels):
        problems[_ROLE_CHANNELS[1]] = "the same as agent_channel"
    elif channels:
        known.setdefault("channel_roles", _roles_of(channels))
    return Fields(known, extra, problems, doubts)


def _nearly_named(name: str, given: Iterable[str]) -> str | None:
    """Return the field that a mistyped name may mean, unless that is given as well."""
    near = next((field for field in _ALL_NAMES if _is_a_slip(name, field)), None)
    if near is None or canonical(near) in map(canonical, given):
        return None
    return canonical(near)


@lru_cache(maxsize=1 << 12)
def _is_a_slip(typed: str, name: str) -> bool:
    """Return whether a name was typed with one letter too many, too few or wrong, or two swapped.

    A wrong letter makes another word of a short name (`season`, `reason`), which is then meant.
    """
    at = next((i for i, (a, b) in enumerate(zip(typed, name, strict=False)) if a != b), None)
    if at is None:
        return abs(len(typed) - len(name)) == 1 and not (typed + name)[-1].isdigit()
    left, right = typed[at:], name[at:]
    return (
        (left[1:] == right and not left[0].isdigit())
        or left == right[1:]
        or (left[:2] == right[1::-1] and left[2:] == right[2:])
        or (left[1:] == right[1:] and len(name) >= _LONG_NAME and not left[0].isdigit())
    )


def is_not_given(text: str, field: str = "") -> bool:
    """Return whether a text says that nothing is known, as NULL, nan, None and N/A do.

    In a team, queue, reason or language NA, None and Unknown may be words, and are taken literally.
    """
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    bare = plain.strip(_BRACKETS).strip()
    words = _NOT_GIVEN - _MEANINGFUL if field in _OF_WORDS else _NOT_GIVEN
    return not bare or not bare.strip(_INVISIBLE) or bare in words


def as_text(value: Any) -> str:
    """Return any JSON value as storable text: one form of Unicode, no control characters."""
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    storable = text.encode("utf-8", "replace").decode("utf-8")
    printable = "".join(" " if unicodedata.category(c) == "Cc" else c for c in storable)
    return unicodedata.normalize("NFC", printable).strip()


def _value(key: str, value: Any, text: str, zone: tzinfo) -> Any:
    if key == "started_at":
        return parse_time(text, zone)
    if key == "is_simulated":
        if text.lower() not in _YES_NO:
            raise ValueError(f"{text[:_SHOWN]!r} is neither true nor false")
        return _YES_NO[text.lower()]
    if key == "channel_roles":
        return _roles(value if isinstance(value, dict | list) else text)
    if isinstance(value, dict | list):
        raise ValueError("one value is needed, not a list or an object")
    if key == "direction":
        if text.lower() not in _DIRECTIONS:
            raise ValueError(f"{text[:_SHOWN]!r} is neither inbound nor outbound")
        return _DIRECTIONS[text.lower()]
    return text.lower() if key == "language" else text


def _channel(text: str) -> str:
    channel = _SIDES.get(text.lower(), text)
    if not re.fullmatch(r"\d{1,2}", channel, re.ASCII):
        raise ValueError(f"{text[:_SHOWN]!r} is not a channel: 0, 1, left or right")
    return str(int(channel))


def _roles_of(channels: Mapping[str, str]) -> dict[str, str]:
    """Return the roles of the channels of agent and customer; of two channels, one tells both."""
    roles = {
        channel: (RoleName.AGENT if key == "agent_channel" else RoleName.CUSTOMER).value
        for key, channel in channels.items()
    }
    if len(roles) == 1 and (channel := next(iter(roles))) in ("0", "1"):
        is_agent = roles[channel] == RoleName.AGENT.value
        roles[str(1 - int(channel))] = (RoleName.CUSTOMER if is_agent else RoleName.AGENT).value
    return roles


def _roles(value: Any) -> dict[str, str]:
    """Return roles from `{"0": "customer", ...}`, `["customer", "agent"]`, or their JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as e:
            raise ValueError('not of the form {"0": "customer", "1": "agent"}') from e
    if isinstance(value, list):
        value = {str(channel): role for channel, role in enumerate(value)}
    if not isinstance(value, dict):
        raise ValueError('not of the form {"0": "customer", "1": "agent"}')
    roles = {}
    for name, role in value.items():
        channel = _channel(str(name))
        if str(role).lower() not in _ROLES:
            raise ValueError(f"{str(role)[:_SHOWN]!r} is not a role: {', '.join(RoleName)}")
        roles[channel] = _ROLES[str(role).lower()].value
    return roles


# Read a CSV file of metadata with one row per call.


_KEYS = ("path", "file", "filename", "call_id")
_DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(r'"?sep=(?P<sign>[^\w\s"]|\t)"?[ \t]*(\r\n|\n|\r|$)', re.IGNORECASE)


@dataclass(frozen=True)
class MetadataTable:
    """Rows of metadata by the text in their key column.

    `key` is the column that identifies the call: `path`, `file` and `filename` hold a full path,
    the end of one, a file name, or a name without its extension; `call_id` holds a call id.
    `duplicates` are (line, text) of rows whose key an earlier row had: the earlier one counts.
    `faults` are sentences that name the line, and the column where there is one, of what is left
    out: a value that its field cannot have, or a whole row that names no call or has more or fewer
    values than there are columns. `doubts` are such sentences about what is used as it stands, and
    may not be meant.
    """

    path: Path
    key: str
    rows: Mapping[str, Mapping[str, str]]
    duplicates: tuple[tuple[int, str], ...] = ()
    faults: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def row_for(self, path: Path, call_id: str) -> Mapping[str, str] | None:
        """Return the row of a call, by the longest part of its path that has one."""
        key = self.key_for(path, call_id)
        return None if key is None else self.rows[key]

    def key_for(self, path: Path, call_id: str) -> str | None:
        """Return the key of the row of a call, None if no row is meant."""
        return next((n for n in self._names(path, call_id) if n in self.rows), None)

    def unmatched(self, paths: Iterable[Path], call_ids: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the keys of rows that match none of these recordings."""
        used = set(call_ids)
        for path in paths:
            used.update(self._names(path, path.stem))
        return tuple(key for key in self.rows if key not in used)

    def passed_over(self, paths: Iterable[Path]) -> tuple[str, ...]:
        """Return the keys of rows that match only recordings that have a row that says more."""
        used: set[str] = set()
        matching: set[str] = set()
        for path in paths:
            found = [name for name in self._names(path, path.stem) if name in self.rows]
            used.update(found[:1])
            matching.update(found)
        return tuple(key for key in self.rows if key in matching - used)

    def _names(self, path: Path, call_id: str) -> Iterator[str]:
        """Yield all texts in the key column that match this recording, the most exact first."""
        if self.key == "call_id":
            yield call_id
            yield _key_text(path.stem)
            return
        yield _key_text(str(path))
        absolute = path.absolute()
        yield _key_text(str(absolute))
        parts = absolute.parts[1:]
        for start in range(len(parts)):
            yield _key_text("/".join(parts[start:]))
        yield _key_text(path.stem)


def read_table(csv_path: Path, zone: tzinfo = UTC) -> MetadataTable:
    """Read a CSV file of metadata: UTF-8, a header, one row per call; `,` `;` tab or `|` between.

    What is wrong in a row is among the `faults` of the table, and the other rows hold; `zone` is
    that of times without one. Raises
    `MetadataError`, one line that names the file and the place at fault, for a file that cannot be
    read as a table: no key column, two columns of one name.
    """
    rows = csv_rows(csv_path)
    columns = _columns(csv_path, rows[0])
    names = [canonical(column) for column in columns]
    key = next(name for name in _KEYS if name in names)
    place = names.index(key)
    table: dict[str, Mapping[str, str]] = {}
    duplicates: list[tuple[int, str]] = []
    faults: list[str] = []
    doubts: dict[tuple[str, str], str] = {}  # a column is doubted once, a value each time
    for line, values in rows[1:]:
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(columns):
            faults.append(f"line {line}: {len(values)} values for {len(columns)} columns")
            continue
        text = _key_text(values[place])
        if is_not_given(text, key):
            why = f"{text!r} names no call" if text else "empty"
            faults.append(f"line {line}, column {key!r}: {why}")
            continue
        row = dict(zip(columns, values, strict=True))
        if key != "call_id":
            del row[columns[place]]
        if text in table:
            duplicates.append((line, text))
            continue
        table[text] = row
        read = read_fields(row, zone)
        faults += [f"line {line}, column {c!r}: {why}" for c, why in read.problems.items()]
        for column, why in read.doubts.items():
            of_column = canonical(column) not in _MAY_BE_MISSING
            at = rows[0][0] if of_column else line
            doubts.setdefault((column, why), f"line {at}, column {column!r}: {why}")
    return MetadataTable(
        csv_path, key, table, tuple(duplicates), tuple(faults), tuple(doubts.values())
    )


def csv_rows(csv_path: Path) -> list[tuple[int, list[str]]]:
    """Return all rows of a CSV file with the number of the line each ends on; at least one.

    UTF-8; `,` `;` tab or `|` between, whichever the first line has most of, or what a line `sep=;`
    before it says, as spreadsheets write one. Raises `MetadataError` naming the file, and the line
    where there is one.
    """
    try:
        data = csv_path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as e:
        raise MetadataError(f"{csv_path}: cannot be read ({e.strerror})") from e
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise MetadataError(f"{csv_path}, line {line}: not UTF-8; save it as CSV UTF-8") from e
    before = 0
    if said := _SEPARATOR.match(text):
        before, delimiter, text = 1, said["sign"], text[said.end() :]
    else:
        delimiter = max(_DELIMITERS, key=text.split("\n", 1)[0].count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(lines.line_num + before, row) for row in lines]
    except csv.Error as e:
        line = lines.line_num + before
        raise MetadataError(f"{csv_path}, line {line}: not readable as CSV ({e})") from e
    while rows and not any(cell.strip() for cell in rows[0][1]):
        del rows[0]  # blank lines above the header
    if not rows:
        raise MetadataError(f"{csv_path}: empty; the first line must name the columns")
    return rows


def _columns(csv_path: Path, heading: tuple[int, list[str]]) -> list[str]:
    line, names = heading
    columns = [column.strip() for column in names]
    for index, column in enumerate(columns):
        if not column:
            raise MetadataError(f"{csv_path}, line {line}: column {index + 1} has no name")
        if canonical(column) in map(canonical, columns[:index]):
            raise MetadataError(f"{csv_path}, line {line}: two columns mean {canonical(column)!r}")
    if not set(_KEYS) & set(map(canonical, columns)):
        raise MetadataError(
            f"{csv_path}, line {line}: none of the columns {', '.join(_KEYS)}, one of which must "
            f"say which call a row is of; there are {', '.join(columns[:12])}"
        )
    return columns


def _key_text(text: str) -> str:
    text = text.strip().replace("\\", "/").removeprefix("./")
    return unicodedata.normalize("NFC", text.replace("://", ":/"))  # as in the path of a URL

"""Times as people and programs write them: one list of forms, each of which means one moment.

What could be two moments is refused: days and months in an order that nobody tells, years of two
digits, an hour that the clocks left out or had twice.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

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
_SHOWN = 40


def parse_time(text: str, zone: tzinfo) -> datetime:
    """Return a time in UTC; `zone` is used where the text names none. Raises as `read_moment`."""
    return read_moment(text, zone)[0]


def read_moment(text: str, zone: tzinfo) -> tuple[datetime, bool]:
    """Return a time in UTC, and whether only its day is said, of which it is then the beginning.

    Year, month and day with `-` or `/` between, or nothing; day, month and year with points; a
    clock of 24 hours with `:`, `-` or nothing; an offset, Z or UTC behind it; seconds or
    milliseconds since 1970. Raises ValueError, saying why, for anything else, and for an hour that
    the clocks of `zone` left out or had twice.
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
    """A local time in UTC, which it has to be once."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise _ClockError(
            f"{text[:_SHOWN]!r} was never on the clocks of {zone}, which went forward then; write "
            "it with its offset from UTC"
        )
    raise _ClockError(
        f"{text[:_SHOWN]!r} was twice on the clocks of {zone}, which went back then; write it with "
        f"its offset from UTC, {_offset(first)} or {_offset(second)}"
    )


def _beginning(_text: str, day: datetime, zone: tzinfo) -> datetime:
    """The first moment of a day, also of one whose midnight the clocks left out or had twice."""
    first = day.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) < day:
        first = day.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return first


class _ClockError(ValueError):
    """A local time that clocks left out or had twice."""


def _offset(moment: datetime) -> str:
    return f"{moment:%z}"[:3] + ":" + f"{moment:%z}"[3:5]


def _unknown(text: str) -> ValueError:
    return ValueError(
        f"{text[:_SHOWN]!r} is not a time known here; write it as 2025-02-19T06:01:22Z"
    )

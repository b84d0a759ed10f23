"""Read a CSV file of metadata with one row per call."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from warmline.errors import MetadataError
from warmline.recordings.fields import canonical, is_not_given, read_fields

_KEYS = ("path", "file", "filename", "call_id")
_DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(r'"?sep=(?P<sign>[^\w\s"]|\t)"?[ \t]*(\r\n|\n|\r|$)', re.IGNORECASE)


@dataclass(frozen=True)
class MetadataTable:
    """Rows of metadata by the text in their key column.

    `key` is the column that identifies the call: `path`, `file` and `filename` hold a full path,
    the end of one, a file name, or a name without its extension; `call_id` holds a call id.
    `duplicates` are (line, text) of rows whose key an earlier row had: the earlier one counts.
    """

    path: Path
    key: str
    rows: Mapping[str, Mapping[str, str]]
    duplicates: tuple[tuple[int, str], ...] = ()

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


def read_table(csv_path: Path) -> MetadataTable:
    """Read a CSV file of metadata: UTF-8, a header, one row per call; `,` `;` tab or `|` between.

    Raises `MetadataError`, one line that names the file, and the line and column at fault: no key
    column, two columns of one name, a row with more or fewer values than columns, a value that its
    field cannot have.
    """
    rows = csv_rows(csv_path)
    columns = _columns(csv_path, rows[0])
    names = [canonical(column) for column in columns]
    key = next(name for name in _KEYS if name in names)
    place = names.index(key)
    table: dict[str, Mapping[str, str]] = {}
    duplicates: list[tuple[int, str]] = []
    for line, values in rows[1:]:
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(columns):
            raise MetadataError(
                f"{csv_path}, line {line}: {len(values)} values for {len(columns)} columns"
            )
        text = _key_text(values[place])
        if is_not_given(text):
            why = f"{text!r} names no call" if text else "empty"
            raise MetadataError(f"{csv_path}, line {line}, column {key!r}: {why}")
        row = dict(zip(columns, values, strict=True))
        if key != "call_id":
            del row[columns[place]]
        if problems := read_fields(row, UTC).problems:
            column, problem = next(iter(problems.items()))
            raise MetadataError(f"{csv_path}, line {line}, column {column!r}: {problem}")
        if text in table:
            duplicates.append((line, text))
        else:
            table[text] = row
    return MetadataTable(csv_path, key, table, tuple(duplicates))


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

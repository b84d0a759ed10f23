"""Write query results as tables for other programs: CSV, Parquet, spreadsheets; no text ever runs.

In CSV a text that a spreadsheet would take for a formula has an apostrophe before it; in XLSX it is
marked as text, and stays one when somebody edits the cell.
"""

import csv
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from warmline.errors import QueryError
from warmline.files import safe_cell, write_whole
from warmline.query.questions import QueryResult

_ROWS_IN_SHEET = 1_048_575  # and the header
_LETTERS_IN_CELL = 32_767


def write_table(answer: QueryResult, path: Path, format_name: str) -> Path:
    """Write a result as `csv`, `parquet` or `xlsx`; the file appears whole or not at all.

    Raises QueryError naming the file when it cannot be written or the format cannot hold the
    result.
    """
    return write_whole(path, partial(TABLES[format_name], answer), QueryError, "the table")


def _csv(answer: QueryResult, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([safe_cell(column) for column in answer.columns])
        writer.writerows([safe_cell(_flat(value)) for value in row] for row in answer.rows)


def _parquet(answer: QueryResult, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "VARCHAR": pa.string(),
        "DOUBLE": pa.float64(),
        "BIGINT": pa.int64(),
        "BOOLEAN": pa.bool_(),
        "TIMESTAMP": pa.timestamp("us"),
        "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
        "DATE": pa.date32(),
    }
    columns = list(zip(*answer.rows, strict=True)) or [()] * len(answer.columns)
    arrays = [
        pa.array(column, type=kinds.get(kind))
        for column, kind in zip(columns, answer.types, strict=True)
    ]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(answer.columns)), path)


def _xlsx(answer: QueryResult, path: Path) -> None:
    try:
        import xlsxwriter
    except ModuleNotFoundError as e:
        raise QueryError("spreadsheets need XlsxWriter: pip install 'warmline[sheets]'") from e
    if len(answer.rows) > _ROWS_IN_SHEET:
        raise QueryError(
            f"a sheet holds {_ROWS_IN_SHEET:,} rows, this has {len(answer.rows):,}: "
            "export CSV or Parquet, or ask for less"
        )
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
    }
    book = xlsxwriter.Workbook(path, options)
    sheet = book.add_worksheet("warmline")
    heading, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
    text = book.add_format({"quote_prefix": True})
    for place, column in enumerate(answer.columns):
        sheet.write_string(0, place, column, heading)
    for number, row in enumerate(answer.rows, start=1):
        for place, value in enumerate(row):
            _write_cell(sheet, number, place, value, day, text)
    sheet.freeze_panes(1, 0)
    book.close()


def _write_cell(sheet: Any, row: int, column: int, value: Any, day: Any, text: Any) -> None:
    """Write one cell by its type, so that no text is guessed to be something else."""
    flat = _flat(value)
    if flat is None:
        return
    if isinstance(flat, bool):
        sheet.write_boolean(row, column, flat)
    elif isinstance(flat, int | float):
        sheet.write_number(row, column, flat)
    elif isinstance(flat, datetime):
        sheet.write_datetime(row, column, flat)
    elif isinstance(flat, date):
        sheet.write_datetime(row, column, flat, day)
    else:
        said = str(flat)[:_LETTERS_IN_CELL]
        sheet.write_string(row, column, said, text if safe_cell(said) != said else None)


def _flat(value: Any) -> Any:
    """Return a list as text that a person can read; everything else as it is."""
    if isinstance(value, list | tuple):
        return ", ".join("" if item is None else str(_flat(item)) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_flat(item)}" for key, item in value.items())
    return value


TABLES: dict[str, Callable[[QueryResult, Path], None]] = {
    "csv": _csv,
    "parquet": _parquet,
    "xlsx": _xlsx,
}

"""`warmline query`, `search`, `check` and `export`: ask the warehouse, check it, take calls out."""

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warmline.cli.common import (
    ExitCode,
    JsonOption,
    LandingOption,
    Party,
    SettingsOption,
    WarehouseOption,
    Zone,
    ZoneOption,
    as_typed,
    counted,
    folded,
    harmless,
    has_times,
    messages,
    note_access,
    noted_access,
    output,
    print_rows,
    say_error,
    say_json,
    settings_from,
    zone_of,
)
from warmline.errors import QueryError, shortened
from warmline.files import Places, places_of, safe_cell
from warmline.query.questions import (
    DEFAULT_LIMIT,
    DEFAULT_TIMEOUT_S,
    QueryResult,
    as_select,
    ask,
    ask_named,
    column_meanings,
    get_ready,
    known_tables,
    named_queries,
    named_query,
    require_possible,
)
from warmline.query.search import (
    Hit,
    Match,
    SaidTurn,
    Scope,
)
from warmline.query.search import search as find
from warmline.settings import Settings
from warmline.warehouse.landing_folder import known_places

if TYPE_CHECKING:
    from warmline.query.export import Glossary


def query(
    question: Annotated[
        str | None,
        typer.Argument(help="A SELECT, or the name of a query.", show_default=False),
    ] = None,
    list_queries: Annotated[
        bool,
        typer.Option("--list", help="List the named queries, tables and views, and what they say."),
    ] = False,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A parameter of the query; may be given again.",
            show_default=False,
        ),
    ] = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Print at most this many rows.")
    ] = DEFAULT_LIMIT,
    timeout_s: Annotated[
        float,
        typer.Option("--timeout", min=0.1, max=86_400, help="Stop after this many seconds."),
    ] = DEFAULT_TIMEOUT_S,
    timezone: ZoneOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Ask the warehouse, in SQL or by the name of a query; nothing can be changed this way.

    The name of a table or view asks for its rows. `warmline query --list` shows the named queries,
    tables and views, `warmline query "DESCRIBE call_summary"` the columns of one. Piped, rows come
    tab-separated, with the remarks on standard error.
    """
    if list_queries:
        _print_list(question, as_json)
        return
    if question is None:
        raise typer.BadParameter("give a SELECT or the name of a query; --list shows the names")
    get_ready()
    question = as_typed(question)
    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    path = places_of(chosen, None, warehouse).warehouse
    given = pairs(param or ())
    is_named = question in named_queries()
    asked = {"query": question} if is_named else {"sql": question}
    question = question if is_named else as_select(question)
    answering = ask_named if question.isidentifier() else ask
    with noted_access(path, "query", **asked) as came:
        answer = answering(path, question, given, limit=limit, timeout_s=timeout_s)
        came["rows"] = len(answer.rows)
    if is_named and not answer.rows:
        require_possible(path, given)
    answer = zone.answer(answer)
    if as_json:
        say_json([dict(zip(answer.columns, row, strict=True)) for row in answer.rows])
    elif as_csv:
        _print_csv(answer)
    else:
        _print_table(answer, zone.name)
        if is_named:
            _say_what_it_asks(path, question, given)
        _say_what_is_left_out(answer, path, question, given)
    if answer.truncated:
        messages().print(f"only the first {limit} rows; --limit shows more", style="yellow")


def _say_what_it_asks(warehouse: Path, name: str, given: dict[str, str]) -> None:
    """Say what a named query asks, and the values of parameters that were not given.

    On standard error where rows are piped.
    """
    page = output() if output().is_terminal else messages()
    asked = named_query(name)
    page.print(folded(asked.description), style="dim", markup=False, soft_wrap=True)
    usual = {p.name: p.default or "NULL" for p in asked.parameters if p.name not in given}
    usual = {name: default for name, default in usual.items() if default != "NULL"}
    if usual:
        until = {"until": given.get("until") or None} if "$until" in "".join(usual.values()) else {}
        defaults = ", ".join(usual.values()).replace("$until", "$until::DATE")
        (row,) = ask(warehouse, f"SELECT {defaults}", until).rows
        values = (str(v).lower() if isinstance(v, bool) else str(v) for v in row)
        told = ", ".join(map("=".join, zip(usual, values, strict=True)))
        page.print(
            folded(f"Unless -p says otherwise: {told}"), style="dim", markup=False, soft_wrap=True
        )


def _say_what_is_left_out(
    answer: QueryResult, warehouse: Path, question: str, given: dict[str, str]
) -> None:
    """Say why there may be no rows: simulated calls, which some queries leave out."""
    asked = named_queries().get(question)
    if answer.rows or asked is None or "simulated" in given:
        return
    if any(parameter.name == "simulated" for parameter in asked.parameters):
        counts = ask(warehouse, "SELECT count(*) FROM calls WHERE is_simulated")
        ((simulated,),) = counts.rows
        if simulated:
            messages().print(
                f"simulated calls are left out, and this warehouse has {simulated:,} of them; "
                "-p simulated=true includes them",
                style="yellow",
                soft_wrap=True,
            )


def check(
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that the warehouse is sound, and that its landing folder has all of its analyses.

    Every check in warehouse/checks must find nothing.
    """
    from warmline.warehouse.landing_folder import check_landing_folder
    from warmline.warehouse.tables import check_warehouse

    chosen = settings_from(settings)
    results = (
        *check_warehouse(places_of(chosen, None, warehouse).warehouse),
        check_landing_folder(chosen, None, warehouse),
    )
    if as_json:
        found = [
            {"check": r.name, "passed": r.passed, "description": r.description, "rows": r.count}
            for r in results
        ]
        say_json(found)
    else:
        _print_checks(results)
    if not all(result.passed for result in results):
        raise typer.Exit(ExitCode.ERROR)


def pairs(given: Sequence[str]) -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping. Raises QueryError for anything else."""
    pairs = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise QueryError(f"--param {pair}: write it as NAME=VALUE")
        pairs[name] = as_typed(value)
    return pairs


def _print_list(name: str | None, as_json: bool) -> None:
    tables = list(known_tables().values())
    queries = list(named_queries().values())
    if name:
        tables = [table for table in tables if table.name == name]
        queries = [] if tables else [named_query(name)]
    if as_json:
        listed: list[dict[str, Any]] = [
            {
                "name": q.name,
                "kind": "query",
                "description": q.description,
                "parameters": [vars(p) for p in q.parameters],
            }
            for q in queries
        ]
        say_json([*listed, *(asdict(table) for table in tables)])
        return
    for q in queries:
        _print_listed(q.name, q.description)
        for p in q.parameters:
            default = "required" if p.default is None else p.default
            said = f"{p.name} ({p.type.lower()}, {default}): {p.meaning}"
            output().print(
                folded(said, " " * 6, first=" " * 4), style="dim", markup=False, soft_wrap=True
            )
    if queries and tables:
        output().print("\nTables and views; the name of one asks for its rows:", soft_wrap=True)
    for table in tables:
        _print_listed(table.name, table.description)
    if name and tables:
        output().print(f'  columns: warmline query "DESCRIBE {name}"', style="dim", soft_wrap=True)


def _print_listed(name: str, description: str) -> None:
    output().print(name, style="bold", soft_wrap=True)
    output().print(folded(description, "  "), markup=False, soft_wrap=True)


def _print_csv(answer: QueryResult) -> None:

    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow([safe_cell(column) for column in answer.columns])
    writer.writerows([safe_cell(value) for value in row] for row in answer.rows)
    text = page.getvalue()
    sys.stdout.write(harmless(text) if sys.stdout.isatty() else text)


def _print_table(answer: QueryResult, zone: str) -> None:
    """Print rows as a table; if piped, tab-separated, with remarks on standard error."""
    times = f"; times in {zone}" if has_times(answer) else ""
    remark = f"{counted(len(answer.rows), 'row')}{times}"
    if not output().is_terminal:
        _print_tabs(answer)
        messages().print(remark, style="dim")
        return
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column, kind in zip(answer.columns, answer.types, strict=True):
        number = kind.startswith(("DOUBLE", "BIGINT", "INTEGER", "HUGEINT", "DECIMAL", "FLOAT"))
        table.add_column(escape(column), justify="right" if number else "left")
    for row in answer.rows:
        table.add_row(*(escape(_cell(value)) for value in row))
    print_rows(table)
    output().print(remark, style="dim")


def _print_tabs(answer: QueryResult) -> None:
    """Print one line for each row, for other programs: nothing is rounded or wrapped."""
    for row in (answer.columns, *answer.rows):
        cells = (" ".join(str(safe_cell(_plain(value))).split()) for value in row)
        typer.echo(harmless("\t".join(cells)))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(str(_plain(item)) for item in value)
    return "" if value is None else value


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.1f}"
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    return str(_plain(value))


def _print_checks(results: Sequence[Any]) -> None:
    from rich.markup import escape

    for result in results:
        mark = "[green]ok[/]    " if result.passed else "[red]failed[/]"
        output().print(f"{mark} {result.name}  [dim]{escape(result.description)}[/]")
        for row in result.rows:
            pairs = zip(result.columns, row, strict=True)
            output().print(escape("         " + ", ".join(f"{c}={v}" for c, v in pairs)))


# `warmline export`: calls as files that other tools read.


ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="With --query: a parameter of the query; may be given again.",
        show_default=False,
    ),
]


class Format(StrEnum):
    """Formats of `warmline export`."""

    RTTM = "rttm"
    STM = "stm"
    SEGLST = "seglst"
    CTM = "ctm"
    SRT = "srt"
    VTT = "vtt"
    JSON = "json"
    BLEEPED = "bleeped"
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


_TABLES = (Format.CSV, Format.PARQUET, Format.XLSX)


def export(
    calls: Annotated[
        list[str] | None,
        typer.Argument(
            help="Calls by their names in the warehouse, or by the paths of their recordings; none "
            "exports all."
        ),
    ] = None,
    *,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="What to write for each call; bleeped: its recording, with a tone for what was "
            "redacted; csv, parquet or xlsx for --query.",
        ),
    ] = Format.JSON,
    to: Annotated[
        Path, typer.Option("--to", help="Folder for the files, one a call; with --query, the file.")
    ] = Path(),
    query: Annotated[
        str | None,
        typer.Option(
            "--query",
            help="Write a table instead: a named query, a table or view, or a SELECT.",
            show_default=False,
        ),
    ] = None,
    param: ParamOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="With --query: at most this many rows.")
    ] = 100_000,
    timezone: ZoneOption = None,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Write analyzed calls in formats that other tools read: speakers, words, subtitles, sound.

    With --query, the answer to a question as a table, safe to open in a spreadsheet:
    `warmline export -f xlsx --query agent_week --to agents.xlsx`.
    """
    if (query is not None) != (format_ in _TABLES):
        raise typer.BadParameter(
            "--query goes with --format csv, parquet or xlsx, and only with it"
        )
    if query is not None:
        chosen = settings_from(settings)
        at, zone = places_of(chosen, landing, warehouse).warehouse, zone_of(timezone, chosen)
        _write_table(at, as_typed(query), pairs(param or ()), format_, to, limit, zone)
        return
    known = settings_from(settings)
    _write_calls(calls or [], known_places(known, landing, warehouse), known, format_, to)


def _write_calls(
    calls: list[str], places: Places, known: Settings, format_: Format, to: Path
) -> None:
    from warmline.query.export import choose, write_bleeped
    from warmline.query.export import export as write

    chosen = choose(places.landing, places.warehouse, calls)
    seen = []
    try:
        for analysis, stem in chosen.analyses():
            if format_ is Format.BLEEPED:
                path = write_bleeped(analysis, known.recordings, to, stem)
            else:
                path = write(analysis, format_.value, to, stem)
            seen.append(analysis.metadata.call_id)
            typer.echo(path)
    finally:  # also of those that were written before one could not be
        if seen:
            note_access(places.warehouse, f"export {format_.value}", calls=seen)
    if chosen.unpublished and not calls:
        messages().print(
            f"landed but not in the warehouse yet: {counted(chosen.unpublished, 'analysis')}; "
            "`warmline analyze` publishes them",
            style="yellow",
        )
    for call in chosen.missing:
        say_error(f"{shortened(call.call_id)}: its analysis cannot be read in {places.landing}")
    if chosen.missing:
        raise typer.Exit(ExitCode.ERROR)


def _write_table(
    warehouse: Path,
    query: str,
    given: dict[str, str],
    format_: Format,
    to: Path,
    limit: int,
    zone: Zone,
) -> None:
    from warmline.query.export import write_table

    if to.is_dir():
        raise typer.BadParameter(f"--to {to}: a folder; name the file to write")
    asked = {"query": query} if query.isidentifier() else {"sql": query}
    select = query if query in named_queries() else as_select(query)
    answering = ask_named if select.isidentifier() else ask
    with noted_access(warehouse, f"export {format_.value}", **asked) as came:
        answer = answering(warehouse, select, given, limit=limit)
        came["rows"] = len(answer.rows)
    shown = zone.answer(answer, naming=format_ is Format.XLSX)
    glossary = None
    if format_ is Format.XLSX:
        glossary = _glossary(warehouse, query, given, answer.columns, shown, zone)
    was_there = to.is_file()
    typer.echo(write_table(shown, to, format_.value, glossary))
    if was_there:
        said = f"{to}: replaced the file that was there"
        messages().print(said, style="dim", markup=False, soft_wrap=True)
    if answer.truncated:
        messages().print(f"only the first {limit} rows; --limit writes more", style="yellow")


def _glossary(
    warehouse: Path,
    query: str,
    given: dict[str, str],
    columns: Sequence[str],
    shown: QueryResult,
    zone: Zone,
) -> "Glossary":
    """Return the glossary of a spreadsheet, which is read where nobody can ask warmline."""
    from warmline.query.export import Glossary

    meanings = column_meanings(warehouse, query, columns)
    names = zip(columns, shown.columns, strict=True)
    told = named_queries().get(query) or known_tables().get(query)
    about = {
        "": "",
        "question": query,
        "about": told.description if told else "",
        "parameters": ", ".join(f"{name} = {value}" for name, value in given.items()),
        "times": f"in {zone.name}" if has_times(shown) else "",
        "empty cells": "It is not known, or cannot be said, which is never zero.",
    }
    kept = {name: text for name, text in about.items() if text or not name}
    return Glossary(kept, {new: meanings[old] for old, new in names if old in meanings})


# `warmline search`: where something was said, and what was said around it.


def search(
    phrase: Annotated[str, typer.Argument(help="Words to look for, in any form: worry, worried.")],
    match: Annotated[
        Match,
        typer.Option(
            "--match", help="All of the words, any of them, or exactly so, one after the other."
        ),
    ] = Match.ALL,
    party: Annotated[
        Party | None, typer.Option("--party", help="Only what the agent or the customer said.")
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Only calls of this day (UTC) or later."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Only calls of this day (UTC) or earlier."),
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help="Only calls of this agent.", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, help="Show at most this many.")
    ] = 20,
    around: Annotated[
        int, typer.Option("--around", min=0, max=20, help="Turns to show before and after.")
    ] = 1,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    timezone: ZoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find where something was said: the turn, when, in which call, and the turns around it.

    Best matches first (BM25). Phrases are looked up in an index, made when the warehouse is
    published.
    """
    if first and last and first > last:
        raise QueryError(
            f"--from {first:%Y-%m-%d} is after --to {last:%Y-%m-%d}: no day lies between them"
        )
    phrase, agent = as_typed(phrase), as_typed(agent) if agent else None
    scope = Scope(
        role=party.value if party else None,
        first_day=first.date() if first else None,
        last_day=last.date() if last else None,
        agent=agent,
    )
    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    path = places_of(chosen, None, warehouse).warehouse
    hits = find(path, phrase, match=match, scope=scope, limit=limit, around=around)
    note_access(path, "search", calls={hit.call_id for hit in hits}, rows=len(hits))
    if agent and not hits:
        require_possible(path, {"agent": agent})
    if as_json:
        found = [zone.row(asdict(hit)) for hit in hits]
        say_json(found)
        return
    for hit in hits:
        _print_hit(hit, zone)
    if not hits:
        messages().print("nobody said that", style="yellow")


def _print_hit(hit: Hit, zone: Zone) -> None:
    from rich.markup import escape

    from warmline.query.calls import clock

    known = (
        zone.minute(hit.started_at) if hit.started_at else None,
        f"agent {hit.agent_id}" if hit.agent_id else None,
        f"queue {hit.queue}" if hit.queue else None,
    )
    about = " · ".join(part for part in known if part)
    output().print(
        f"[bold]{escape(hit.call_id)}[/] {clock(hit.turn.start_s)}  [dim]{escape(about)}[/]",
        soft_wrap=True,
    )
    for turn in hit.before:
        output().print(_line(turn, clock(turn.start_s)), style="dim", **_AS_IT_IS)
    output().print(_line(hit.turn, clock(hit.turn.start_s)), **_AS_IT_IS)
    for turn in hit.after:
        output().print(_line(turn, clock(turn.start_s)), style="dim", **_AS_IT_IS)
    output().print()


_AS_IT_IS: dict[str, Any] = {"markup": False, "soft_wrap": True}


def _line(turn: SaidTurn, at: str) -> str:
    said = f"  {at:>5}  {turn.role:<9} "
    return folded(turn.text, " " * len(said), first=said)

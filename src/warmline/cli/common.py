"""What all commands share: consoles, exit codes, how errors are printed, options and settings."""

import errno
import importlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from enum import IntEnum, StrEnum
from functools import cache
from pathlib import Path
from textwrap import wrap
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from typer.core import TyperGroup

from warmline.encryption import look_for_key
from warmline.errors import SettingsError, WarehouseError, WarmlineError, first_line
from warmline.files import UnfinishedErasureError, folder
from warmline.processes import plain_interrupts

if TYPE_CHECKING:  # what takes longer to import than the list of all commands
    from rich.table import Table

    from warmline.query.questions import QueryResult
    from warmline.settings import Settings

# A console on which no name of a file or caller can move the cursor or change what is shown.

# Control characters except the end of a line, those that reverse the direction of text, and halves
# of characters, which cannot be written. Tabs stay, as no terminal does harm with them.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_PICTURES = 0x2400  # Unicode has a picture of each control character


def harmless(text: str) -> str:
    """Return the text as a terminal may print it: each harmful character as a visible one."""
    return _HARMFUL.sub(lambda found: _shown(found[0]), text)


def harmless_json(text: str) -> str:
    """Return the JSON with harmful characters escaped: the same values."""
    return _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def as_typed(text: str) -> str:
    """Return what somebody typed without halves of characters, which UTF-8 cannot hold.

    A terminal of another encoding gives them. Paths may have them.
    """
    return text.encode("utf-8", "replace").decode()


def _shown(character: str) -> str:
    return chr(_PICTURES + ord(character)) if character < " " else "\N{REPLACEMENT CHARACTER}"


# Letters that a column of text has at least, and columns of a table that is not folded.
_NARROWEST, _WIDEST = 24, 100_000


class PlainConsole(Console):
    """Writes its own colours and cursor moves; whatever it is given to print is plain text."""

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as `Console.render`, with text made harmless, one character for one."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(harmless(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Leave it to the command, which ends as done when nobody reads on (`| head`)."""
        raise BrokenPipeError


class ExitCode(IntEnum):
    """How a command ended. A refused recording is a result, not a fault: it leaves `DONE`."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    SOME_CALLS_FAILED = 3
    ALARM = 4
    FAULT = 70
    INTERRUPTED = 130


EXIT_CODES_HELP = (
    "Exit codes: 0 done (refused recordings included), 1 an error that the message explains, "
    "2 wrong usage, 3 some calls failed and will be tried again, 4 the night's report needs "
    "attention, 70 a fault in warmline, 130 interrupted."
)


@cache
def output() -> Console:
    """Return the console for results: standard output."""

    return PlainConsole(highlight=False)


@cache
def messages() -> Console:
    """Return the console for progress and errors: standard error, so that results can be piped."""

    return PlainConsole(stderr=True, highlight=False)


def folded(text: str, indent: str = "", *, first: str | None = None) -> str:
    """Return a text folded to the terminal between words, with its further lines indented alike.

    `first` stands before the first line. Piped text stays on one line.
    """
    begins = indent if first is None else first
    if not output().is_terminal:
        return f"{begins}{text}"
    width = max(output().width, len(indent) + _NARROWEST)
    lines = wrap(
        text,
        width,
        initial_indent=begins,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines) or begins


def print_rows(table: "Table") -> None:
    """Print a table, or a card for each of its rows where the terminal is too narrow for it.

    A card has a line for each column, its name and its value, and no word of it is broken. Piped,
    it is a table however wide.
    """
    from rich.text import Text

    page = output()
    width = page.measure(table, options=page.options.update(max_width=_WIDEST)).maximum
    if not page.is_terminal:
        page = PlainConsole(file=page.file, highlight=False, width=max(width, page.width))
    if width <= page.width:
        page.print(table)
        return
    if table.title:
        page.print(table.title, style="italic")
    names = [Text.from_markup(str(column.header)).plain for column in table.columns]
    indent = " " * (max(map(len, names)) + 2)
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    for number, row in enumerate(rows, start=1):
        page.print(f"row {number} of {len(rows)}", style="bold")
        for name, cell in zip(names, row, strict=True):
            value = " ".join(Text.from_markup(str(cell)).plain.split("\n"))
            line = Text(folded(value, indent, first=name.ljust(len(indent))).rstrip())
            line.stylize("dim", 0, len(name))
            page.print(line, soft_wrap=True)
        page.print()


def counted(count: int, thing: str) -> str:
    """Return a count and the thing counted: 1 row, 2 rows."""
    many = {"analysis": "analyses"}.get(thing, f"{thing}s")
    return f"{count:,} {thing if count == 1 else many}"


def say_json(value: Any) -> None:
    """Print a value as JSON on standard output, in its own letters."""

    typer.echo(harmless_json(json.dumps(value, default=str, ensure_ascii=False, indent=2)))


def say_error(message: str) -> None:
    """Print an error in red, and its further lines, if any, plain below."""
    from rich.markup import escape

    first, _, rest = message.partition("\n")
    messages().print(f"[bold red]error:[/] {escape(first)}", soft_wrap=True)
    if rest:
        messages().print(escape(rest), soft_wrap=True)


def note_access(warehouse: Path, command: str, **what: Any) -> None:
    """Log who looks at the words of calls; where that cannot be written, say so and go on."""
    from warmline.warehouse import access_log

    try:
        access_log.note_access(warehouse, command, **what)
    except WarehouseError as e:
        messages().print(f"note: {e}", style="yellow", markup=False, soft_wrap=True)


@contextmanager
def noted_access(warehouse: Path, command: str, **what: Any) -> Iterator[dict[str, Any]]:
    """Log an access, with what the block adds, even when it fails.

    Where there is no warehouse, or the file is none, nobody has seen anything.
    """
    came: dict[str, Any] = {}
    try:
        yield came
    except WarehouseError:
        raise
    except BaseException:
        if warehouse.is_file():
            note_access(warehouse, command, **what, **came)
        raise
    note_access(warehouse, command, **what, **came)


class Commands(TyperGroup):
    """The group of all commands: turns errors into one line and an exit code."""

    def make_context(self, *given: Any, **more: Any) -> Any:
        """Read what was typed, and print help where that was asked for."""
        with _printing():
            return super().make_context(*given, **more)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; with `--debug` unforeseen errors keep their traceback."""
        try:
            with plain_interrupts(), _printing():
                return self._invoke_when_erased(ctx)
        except WarmlineError as e:
            say_error(str(e))
            raise typer.Exit(ExitCode.ERROR) from e
        except KeyboardInterrupt as e:
            say_error(
                "interrupted; what was finished is kept, and the same command continues from there"
            )
            raise typer.Exit(ExitCode.INTERRUPTED) from e
        except Exception as e:
            if ctx.params.get("debug") or _is_click(e):
                raise
            if said := _damage(e):
                say_error(said)
                raise typer.Exit(ExitCode.ERROR) from e
            say_error(f"fault in warmline: {type(e).__name__}: {e}")
            messages().print("run with `warmline --debug ...` for the full traceback", style="dim")
            raise typer.Exit(ExitCode.FAULT) from e

    def _invoke_when_erased(self, ctx: Any) -> Any:
        """Run the command, after finishing an erasure that was interrupted."""
        words, protected = list(ctx.args), list(ctx._protected_args)
        try:
            return super().invoke(ctx)
        except UnfinishedErasureError as e:
            from warmline.privacy.erasing import finish_erasing

            with messages().status("finishing an erasure that was stopped"):
                had_begun = finish_erasing(e.places, e.settings, allow_loss=e.allow_loss)
            done = "an erasure that had been stopped is finished now"
            if not had_begun:
                done = "an erasure was stopped before anything was erased; give its command again"
            messages().print(done, style="yellow")
            ctx.args, ctx._protected_args = words, protected
            return super().invoke(ctx)


@contextmanager
def _printing() -> Iterator[None]:
    """End the command when nobody reads on (`| head`), or there is no room for what it prints."""
    try:
        yield
    except BrokenPipeError:
        _print_no_more()
        sys.stderr.close()  # nobody to tell
        raise typer.Exit(ExitCode.DONE) from None
    except SystemExit as e:  # of the console that prints help
        if isinstance(e.__context__, BrokenPipeError):
            raise typer.Exit(ExitCode.DONE) from None
        raise
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT) or e.filename:
            raise
        _print_no_more()
        say_error(f"{e.strerror}, for what is printed or for a temporary file (TMPDIR)")
        raise typer.Exit(ExitCode.ERROR) from e


def _print_no_more() -> None:
    """Drop what is left to print: the end of Python would fail to write it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _damage(error: Exception) -> str | None:
    """Return what to do if this error comes of a damaged warehouse that could be opened."""
    if "duckdb" not in type(error).__module__:  # which is not imported to find that out
        return None
    from warmline.database import DAMAGED, damage

    return damage(first_line(error)) if DAMAGED in str(error) else None


def _is_click(error: Exception) -> bool:
    """Return whether click itself reports this: usage errors and exits."""
    return type(error).__module__.split(".")[0] in {"click", "typer"}


# Options that several commands share, and the settings that they override.

SETTINGS_FILE = "warmline.toml"

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        envvar="WARMLINE_SETTINGS",
        help=f"Settings file (TOML); by default {SETTINGS_FILE} in this folder, if there is one.",
        show_default=False,
    ),
]
LandingOption = Annotated[
    Path | None,
    typer.Option(
        "--landing",
        help="Folder of analyses, one file per call; by default the one that the warehouse was "
        "built from, or beside a new one.",
        show_default=False,
    ),
]
AllowLossOption = Annotated[
    bool,
    typer.Option(
        "--allow-loss",
        help="Publish even if the warehouse loses calls, whose analyses are gone from the landing "
        "folder.",
    ),
]
WarehouseOption = Annotated[
    Path | None,
    typer.Option(
        "--warehouse",
        help="The warehouse, a DuckDB file; by default places.warehouse of the settings.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Party(StrEnum):
    """A party of a call, as options take it."""

    AGENT = "agent"
    CUSTOMER = "customer"


def settings_file(named: Path | None) -> Path | None:
    """Return the settings file to use: the one named, else `warmline.toml` here, else none.

    One that nobody named is reported: whoever put it here decides what is loaded and what is
    stored.
    """
    here = Path(SETTINGS_FILE)
    if named is not None or not here.is_file():
        return named
    messages().print(f"settings: {here.resolve()}", style="dim", markup=False, soft_wrap=True)
    return here


def settings_from(path: Path | None, **overrides: Any) -> "Settings":
    """Return the settings of a file (or of `warmline.toml` here), overridden by the command line.

    Overrides are `section__key=value`; None leaves the file's value. From here on the key of
    encrypted files is looked for where these settings say. Raises `SettingsError`.
    """
    from warmline.settings import load_settings, with_overrides

    given = {k.replace("__", "."): v for k, v in overrides.items() if v is not None}
    settings = with_overrides(load_settings(settings_file(path)), given)
    look_for_key(settings.encryption.key_env, settings.encryption.key_file)
    return settings


# Times for people: stored in UTC, shown in the time zone asked for.

ZoneOption = Annotated[
    str | None,
    typer.Option(
        "--timezone",
        metavar="ZONE",
        help="Show times in this time zone, such as Europe/Berlin, or local for that of this "
        "machine; by default display.timezone of the settings, else UTC, as they are kept.",
        show_default=False,
    ),
]

_TIMES = ("TIMESTAMP", "DATETIME")


class Zone:
    """A time zone in which times are shown, and its `name`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._zone: tzinfo | None = UTC
        if name == "local":
            self._zone = None
            self.name = datetime.now().astimezone().tzname() or "local"
        elif name != "UTC":
            try:
                self._zone = ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError) as e:
                raise SettingsError(
                    f"--timezone {name}: not a time zone known on this machine; such as "
                    "Europe/Berlin, UTC, or local"
                ) from e

    @property
    def is_utc(self) -> bool:
        """Return whether times are shown in UTC, as they are stored."""
        return self._zone is UTC

    def moment(self, at: datetime) -> datetime:
        """Return a time of the warehouse, which is UTC, in this zone."""
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(self._zone)

    def minute(self, at: datetime) -> str:
        """Return a time of the warehouse to the minute, with the name of its zone."""
        shown = self.moment(at)
        return f"{shown:%Y-%m-%d %H:%M} {shown.tzname()}"

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row with its times in this zone; UTC ones stay as they are."""
        if self.is_utc:
            return dict(row)
        return {
            name: self.moment(value) if isinstance(value, datetime) else value
            for name, value in row.items()
        }

    def answer(self, answer: "QueryResult", *, naming: bool = False) -> "QueryResult":
        """Return a result with its times in this zone, each with its offset from UTC.

        UTC times stay as they are kept, without an offset. With `naming`, for files whose cells
        hold no offset, the column header names the zone, whichever it is.
        """
        at = [place for place, kind in enumerate(answer.types) if kind.startswith(_TIMES)]
        if not at or (self.is_utc and not naming):
            return answer
        rows = []
        for row in answer.rows:
            cells = list(row)
            for place in at:
                if isinstance(cells[place], datetime):
                    shown = self.moment(cells[place])
                    cells[place] = shown.replace(tzinfo=None) if naming else shown
            rows.append(tuple(cells))
        columns, types = list(answer.columns), list(answer.types)
        for place in at:
            if naming:
                columns[place] = f"{columns[place]} ({self.name})"
            else:
                types[place] = "TIMESTAMP WITH TIME ZONE"
        return replace(answer, columns=tuple(columns), types=tuple(types), rows=tuple(rows))


def zone_of(named: str | None, settings: "Settings") -> Zone:
    """Return the zone that is asked for, else that of the settings. Raises SettingsError."""
    return Zone(named or settings.display.timezone)


def has_times(answer: "QueryResult") -> bool:
    """Return whether a column of the answer holds times."""
    return any(kind.startswith(_TIMES) for kind in answer.types)


# What else several commands need: where the pages are, and the flow.

#: The port of the pages, unless another is chosen.
PAGES_PORT = 8750


def flows() -> ModuleType:
    """Return the module of the flow, which lies outside the package.

    Its folder is put on the path, so that the processes that Prefect starts find it as well.
    """
    if importlib.util.find_spec("prefect") is None:
        raise SettingsError("the night needs Prefect: pip install 'warmline[night]'")
    from warmline.privacy.erasing import make_prefect_home

    make_prefect_home()
    sys.path.insert(0, str(folder("flows")))
    return importlib.import_module("analyze_calls")

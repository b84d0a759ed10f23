"""What all commands share: consoles, exit codes, and how errors are printed."""

import json
import re
import sys
from collections.abc import Iterable
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from typer.core import TyperGroup

from warmline.errors import WarehouseError, WarmlineError
from warmline.places import UnfinishedErasureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

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


def _shown(character: str) -> str:
    return chr(_PICTURES + ord(character)) if character < " " else "\N{REPLACEMENT CHARACTER}"


class PlainConsole(Console):
    """Writes its own colours and cursor moves; whatever it is given to print is plain text."""

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as `Console.render`, with text made harmless, one character for one."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(harmless(segment.text), segment.style)


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
    "2 wrong usage, 3 some calls failed and will be tried again, 4 the night's report asks for a "
    "person, 70 a fault in warmline, 130 interrupted."
)


@cache
def output() -> "Console":
    """Return the console for results: standard output."""

    return PlainConsole(highlight=False)


@cache
def messages() -> "Console":
    """Return the console for progress and errors: standard error, so that results can be piped."""

    return PlainConsole(stderr=True, highlight=False)


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


def note_access(warehouse: "Path", command: str, **what: Any) -> None:
    """Log who looks at the words of calls; where that cannot be written, say so and go on."""
    from warmline.warehouse import access_log

    try:
        access_log.note_access(warehouse, command, **what)
    except WarehouseError as e:
        messages().print(f"note: {e}", style="yellow", markup=False, soft_wrap=True)


@contextmanager
def noted_access(warehouse: "Path", command: str, **what: Any) -> "Iterator[dict[str, Any]]":
    """Log an access, with what the block adds, even when it fails."""
    came: dict[str, Any] = {}
    try:
        yield came
    finally:
        if warehouse.is_file():
            note_access(warehouse, command, **what, **came)


def _show_no_type_of_flags(command: Any, ctx: Any) -> None:
    """Have the help of a command, and of those below it, say nothing behind a flag."""
    for option in (*command.params, command.get_help_option(ctx)):
        if getattr(option, "is_flag", False) and option.metavar is None:
            option.metavar = ""
    for below in getattr(command, "commands", {}).values():
        _show_no_type_of_flags(below, ctx)


class Commands(TyperGroup):
    """The group of all commands: turns errors into one line and an exit code."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options that all commands share, after seeing to the help of each."""
        _show_no_type_of_flags(self, ctx)
        return super().get_params(ctx)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; with `--debug` unforeseen errors keep their traceback."""
        try:
            return self._invoke_when_erased(ctx)
        except WarmlineError as e:
            say_error(str(e))
            raise typer.Exit(ExitCode.ERROR) from e
        except KeyboardInterrupt as e:
            say_error("interrupted; what was finished is kept, run the same command to go on")
            raise typer.Exit(ExitCode.INTERRUPTED) from e
        except BrokenPipeError:
            sys.stderr.close()  # the reader has gone (`| head`): nobody to tell
            raise typer.Exit(ExitCode.DONE) from None
        except Exception as e:
            if ctx.params.get("debug") or _is_click(e):
                raise
            say_error(f"fault in warmline: {type(e).__name__}: {e}")
            messages().print("run with `warmline --debug ...` for the whole story", style="dim")
            raise typer.Exit(ExitCode.FAULT) from e

    def _invoke_when_erased(self, ctx: Any) -> Any:
        """Run the command, after finishing an erasure that was interrupted."""
        words, protected = list(ctx.args), list(ctx._protected_args)
        try:
            return super().invoke(ctx)
        except UnfinishedErasureError as e:
            from warmline.erasing import finish_erasing

            with messages().status("finishing an erasing that was stopped"):
                had_begun = finish_erasing(e.places, e.settings, allow_loss=e.allow_loss)
            done = "an erasing that had been stopped is finished now"
            if not had_begun:
                done = "an erasing was stopped before anything was erased; give its command again"
            messages().print(done, style="yellow")
            ctx.args, ctx._protected_args = words, protected
            return super().invoke(ctx)


def _is_click(error: Exception) -> bool:
    """Return whether click itself reports this: usage errors and exits."""
    return type(error).__module__.split(".")[0] in {"click", "typer"}

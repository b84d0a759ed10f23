"""The command line: what a person types, and what they read; all commands, put together."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand
from typer.main import get_command

from warmline import __version__
from warmline.cli.common import EXIT_CODES_HELP, Commands
from warmline.processes import leave_no_core_file, leave_pandas_out


class _Listed(NamedTuple):
    """A command as `warmline --help` lists it, and where it is defined: `module:name`."""

    panel: str
    home: str
    summary: str


#: A module is imported when one of its commands is asked for: the list itself takes no time.
COMMANDS = {
    "analyze": _Listed(
        "Analyze",
        "analyze:analyze",
        "Analyze recordings and fill the warehouse.",
    ),
    "demo": _Listed(
        "Analyze",
        "analyze:demo",
        "Analyze the simulated sample calls, so that there is something to look at.",
    ),
    "nightly": _Listed(
        "Analyze",
        "analyze:nightly",
        "Run the night as a Prefect flow: with retries, time limits, and a report.",
    ),
    "retry": _Listed(
        "Analyze",
        "analyze:retry",
        "Put failed calls back, so that the next run tries them; without options, list them.",
    ),
    "report": _Listed(
        "Analyze",
        "analyze:report",
        "Print the report of a night: counts, failures, slowest calls, drift of key measures.",
    ),
    "metrics": _Listed(
        "Analyze",
        "analyze:metrics",
        "Print how nights and the warehouse stand, for Prometheus: counts and times, no names.",
    ),
    "show": _Listed(
        "Read",
        "show:show",
        "Show one call: who spoke when, what was said, what was measured, and where to hear it.",
    ),
    "query": _Listed(
        "Read",
        "query:query",
        "Ask the warehouse, in SQL or by the name of a query; nothing can be changed this way.",
    ),
    "search": _Listed(
        "Read",
        "query:search",
        "Find where something was said: the turn, when, in which call, and the turns around it.",
    ),
    "export": _Listed(
        "Read",
        "query:export",
        "Write analyzed calls in formats that other tools read: speakers, words, subtitles, sound.",
    ),
    "check": _Listed(
        "Read",
        "query:check",
        "Check that the warehouse is sound, and that its landing folder has all of its analyses.",
    ),
    "serve": _Listed(
        "Read",
        "serve:app",
        "Open the warehouse as pages in a browser: listen to calls, check them, score them.",
    ),
    "review": _Listed(
        "Read",
        "review:app",
        "Say where the machine is right or wrong, and why; reviews outlive every rebuilding.",
    ),
    "reliability": _Listed(
        "Research",
        "research_agents:reliability",
        "Say how far each measure tells agents apart, and how many calls a fair comparison takes.",
    ),
    "annotate": _Listed(
        "Research",
        "review:annotate",
        "Draw customers' turns for people to label: rows of the ledger, and turns without a cue.",
    ),
    "agreement": _Listed(
        "Research",
        "review:agreement",
        "Compare annotators with each other, and the ledger with them: kappa, precision, recall.",
    ),
    "validate": _Listed(
        "Research",
        "develop:validate",
        "Try every measure on labels that nobody here wrote, "
        "and write the report with its figures.",
    ),
    "bench": _Listed(
        "Research",
        "develop:bench",
        "Time and score warmline, openai-whisper with pyannote, and a WhisperX-like recipe.",
    ),
    "outcomes": _Listed(
        "Research",
        "research:outcomes",
        "What became of customers: churn, ratings, repeat purchases, tied to their calls.",
    ),
    "research": _Listed(
        "Research",
        "research:app",
        "Outcomes set beside how the calls went: what is associated with what, how surely.",
    ),
    "forget": _Listed(
        "Set up",
        "privacy:forget",
        "Erase calls from landing folder, warehouse, search index, reviews, scores, outcomes, "
        "reports.",
    ),
    "subject-access": _Listed(
        "Set up",
        "privacy:subject_access",
        "Write all that is stored about a customer: calls, words, measures, reviews, outcomes.",
    ),
    "encrypt": _Listed(
        "Set up",
        "privacy:encrypt",
        "Encrypt the existing landing folder and warehouse with the key that is set.",
    ),
    "settings": _Listed(
        "Set up",
        "models:settings",
        "Print all settings as TOML, each with its meaning: `warmline settings > warmline.toml`.",
    ),
    "simulate": _Listed(
        "Set up",
        "develop:simulate",
        "Render scenes of service calls as recordings, with metadata and their ground truth.",
    ),
    "key": _Listed(
        "Set up",
        "privacy:keys",
        "Make keys, and pseudonyms with them.",
    ),
    "models": _Listed(
        "Set up",
        "models:app",
        "The models that listen: list them, fetch them, check that they are genuine.",
    ),
}


@cache
def _loaded(name: str) -> Any:
    """Return a command with its arguments and options, or a group with its commands."""
    module, _, attribute = COMMANDS[name].home.partition(":")
    command = getattr(import_module(f"warmline.cli.{module}"), attribute)
    group = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    group.callback()(lambda: None)
    if isinstance(command, typer.Typer):
        group.add_typer(command, name=name)
    else:
        group.command(name)(command)
    return get_command(group).commands[name]  # type: ignore[attr-defined]


class _Loaded(Mapping[str, Any]):
    """All commands by name, each loaded when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        return _loaded(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _AllCommands(Commands):
    """The group of all commands, which lists them without loading any."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _Loaded()  # type: ignore[assignment]

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options that all commands share."""
        _show_no_type_of_flags([*self.params, self.get_help_option(ctx)])
        return super().get_params(ctx)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return what help and completion say of a command."""
        if cmd_name not in COMMANDS:
            return None
        listed = COMMANDS[cmd_name]
        return TyperCommand(cmd_name, help=listed.summary, rich_help_panel=listed.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of the command that is asked for, the command itself, and the rest."""
        name, listed, rest = super().resolve_command(ctx, args)
        if name is None or listed is None:
            return name, listed, rest
        command = self.commands[name]
        for one in _with_those_below(command):
            _show_no_type_of_flags([*one.params, one.get_help_option(ctx)])
        return name, command, rest


def _with_those_below(command: Any) -> Iterator[Any]:
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from _with_those_below(below)


def _show_no_type_of_flags(options: list[Any]) -> None:
    """Leave out the type of flags in the help of a command."""
    for option in options:
        if getattr(option, "is_flag", False) and option.metavar is None:
            option.metavar = ""


app = typer.Typer(
    name="warmline",
    cls=_AllCommands,
    help="Offline analyzer of recorded customer-service calls: who spoke, how, and whether the "
    "customer was heard. Nothing leaves this machine.",
    epilog=EXIT_CODES_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"warmline {__version__}")
        raise typer.Exit


#: Models and made-up calls are of nobody, and may lie where all users of a machine find them.
_PUBLIC = ("models", "simulate")


@app.callback()
def warmline(
    context: typer.Context,
    debug: Annotated[  # noqa: ARG001
        bool, typer.Option("--debug", help="Show the full traceback of an unexpected error.")
    ] = False,
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Apply the options that every command shares."""
    if context.invoked_subcommand not in _PUBLIC:
        os.umask(0o077)  # what libraries write on the way, too, is for its owner alone
        leave_no_core_file()


#: They compute with pandas, run what may, or answer so many queries that importing it is cheaper
#: than looking for it in vain (70 us each). Naming one of them elsewhere costs time, no more.
_WITH_PANDAS = ("bench", "nightly", "outcomes", "reliability", "research", "serve", "validate")


def main() -> None:
    """Run the `warmline` command.

    A request to end (SIGTERM), or a terminal that is closed (SIGHUP), interrupts it as Ctrl-C does.
    What is ignored, as `nohup` has it, stays so.
    """
    for request in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(request) is not signal.SIG_IGN:
            signal.signal(request, _interrupt)
    if not any(name in sys.argv for name in _WITH_PANDAS):
        leave_pandas_out()
    app()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt

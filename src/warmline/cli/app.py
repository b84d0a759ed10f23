"""All commands of `warmline`, put together."""

import os
from typing import Annotated

import typer

from warmline import __version__
from warmline.cli.analyze import analyze, demo, retry
from warmline.cli.annotate import agreement, annotate
from warmline.cli.develop import bench, simulate, validate
from warmline.cli.models import app as models
from warmline.cli.night import metrics, nightly, report
from warmline.cli.options import settings
from warmline.cli.outcomes import app as outcomes
from warmline.cli.privacy import encrypt, forget, keys, subject_access
from warmline.cli.query import check, export, query
from warmline.cli.research import app as research
from warmline.cli.research_agents import reliability
from warmline.cli.review import app as review
from warmline.cli.review import search
from warmline.cli.serve import app as serve
from warmline.cli.show import show
from warmline.cli.terminal import EXIT_CODES_HELP, Commands
from warmline.processes import leave_no_core_file

app = typer.Typer(
    name="warmline",
    cls=Commands,
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


app.command(rich_help_panel="Analyze")(analyze)
app.command(rich_help_panel="Analyze")(demo)
app.command(rich_help_panel="Analyze")(nightly)
app.command(rich_help_panel="Analyze")(retry)
app.command(rich_help_panel="Analyze")(report)
app.command(rich_help_panel="Analyze")(metrics)
app.command(rich_help_panel="Read")(show)
app.command(rich_help_panel="Read")(query)
app.command(rich_help_panel="Read")(search)
app.command(rich_help_panel="Read")(export)
app.command(rich_help_panel="Read")(check)
app.add_typer(serve, name="serve", rich_help_panel="Read")
app.add_typer(review, name="review", rich_help_panel="Read")
app.add_typer(outcomes, name="outcomes", rich_help_panel="Research")
app.add_typer(research, name="research", rich_help_panel="Research")
app.command(rich_help_panel="Research")(reliability)
app.command(rich_help_panel="Research")(annotate)
app.command(rich_help_panel="Research")(agreement)
app.command(rich_help_panel="Research")(validate)
app.command(rich_help_panel="Research")(bench)
app.command(rich_help_panel="Set up")(forget)
app.command("subject-access", rich_help_panel="Set up")(subject_access)
app.command(rich_help_panel="Set up")(encrypt)
app.add_typer(keys, name="key", rich_help_panel="Set up")
app.command(rich_help_panel="Set up")(settings)
app.add_typer(models, name="models", rich_help_panel="Set up")
app.command(rich_help_panel="Set up")(simulate)

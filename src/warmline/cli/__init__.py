"""The command line: what a person types, and what they read; all commands, put together."""

import os
from typing import Annotated

import typer

from warmline import __version__
from warmline.cli import (
    analyze,
    develop,
    models,
    privacy,
    query,
    research,
    research_agents,
    review,
    serve,
    show,
)
from warmline.cli.common import EXIT_CODES_HELP, Commands, settings
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


app.command(rich_help_panel="Analyze")(analyze.analyze)
app.command(rich_help_panel="Analyze")(analyze.demo)
app.command(rich_help_panel="Analyze")(analyze.nightly)
app.command(rich_help_panel="Analyze")(analyze.retry)
app.command(rich_help_panel="Analyze")(analyze.report)
app.command(rich_help_panel="Analyze")(analyze.metrics)
app.command(rich_help_panel="Read")(show.show)
app.command(rich_help_panel="Read")(query.query)
app.command(rich_help_panel="Read")(query.search)
app.command(rich_help_panel="Read")(query.export)
app.command(rich_help_panel="Read")(query.check)
app.add_typer(serve.app, name="serve", rich_help_panel="Read")
app.add_typer(review.app, name="review", rich_help_panel="Read")
app.add_typer(research.outcomes, name="outcomes", rich_help_panel="Research")
app.add_typer(research.app, name="research", rich_help_panel="Research")
app.command(rich_help_panel="Research")(research_agents.reliability)
app.command(rich_help_panel="Research")(review.annotate)
app.command(rich_help_panel="Research")(review.agreement)
app.command(rich_help_panel="Research")(develop.validate)
app.command(rich_help_panel="Research")(develop.bench)
app.command(rich_help_panel="Set up")(privacy.forget)
app.command("subject-access", rich_help_panel="Set up")(privacy.subject_access)
app.command(rich_help_panel="Set up")(privacy.encrypt)
app.add_typer(privacy.keys, name="key", rich_help_panel="Set up")
app.command(rich_help_panel="Set up")(settings)
app.add_typer(models.app, name="models", rich_help_panel="Set up")
app.command(rich_help_panel="Set up")(develop.simulate)


def main() -> None:
    """Run the `warmline` command."""
    app()

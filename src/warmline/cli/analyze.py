"""`warmline analyze`: from recordings to a warehouse, doing only what has not been done."""

import json
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warmline import processes
from warmline.cli.options import (
    AllowLossOption,
    JsonOption,
    LandingOption,
    SettingsOption,
    WarehouseOption,
    settings_from,
)
from warmline.cli.terminal import messages, output
from warmline.errors import WarmlineError
from warmline.files import folder
from warmline.places import Places, require_nothing_half_erased
from warmline.recordings.remote import as_source
from warmline.settings import Settings
from warmline.warehouse.landing_folder import known_places

if TYPE_CHECKING:
    from warmline.landing import Landed

SourcesArgument = Annotated[
    list[str],
    typer.Argument(
        help="Recordings, and folders that are searched through; also remote ones "
        "(s3://bucket/calls/).",
        metavar="PATH|URL...",
    ),
]
MetadataOption = Annotated[
    Path | None,
    typer.Option(
        "--metadata",
        metavar="CSV",
        help="Table of what is known of the calls: a column path, file or call_id, then "
        "agent_id, team, queue, customer_id, started_at, direction, reason, agent_channel, ...",
        show_default=False,
    ),
]
RedoOption = Annotated[
    list[str] | None,
    typer.Option(
        "--redo",
        metavar="STAGE",
        help="Redo this stage and all later ones, even if nothing changed.",
        show_default=False,
    ),
]


def analyze(
    sources: SourcesArgument,
    metadata: MetadataOption = None,
    warehouse: WarehouseOption = None,
    landing: LandingOption = None,
    settings: SettingsOption = None,
    whisper_model: Annotated[
        str | None,
        typer.Option(
            "--whisper-model",
            help="Any openai-whisper model: tiny.en, base, small, medium, turbo, ...",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            help="What runs Whisper: openai-whisper or faster-whisper.",
            show_default=False,
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language", help="Language spoken (ISO code, such as en).", show_default=False
        ),
    ] = None,
    redaction: Annotated[
        bool | None,
        typer.Option(
            "--redaction/--no-redaction",
            help="Hide what is private (card numbers, ...) before anything is kept; on by default.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", help="Calls analyzed at the same time.", show_default=False),
    ] = None,
    redo: RedoOption = None,
    allow_loss: AllowLossOption = False,
    as_json: JsonOption = False,
) -> None:
    """Analyze recordings and fill the warehouse.

    What was analyzed before with the same settings is left alone; recordings are only read.
    """
    chosen = settings_from(
        settings,
        words__whisper_model=whisper_model,
        words__engine=engine,
        words__language=language,
        redaction__enabled=redaction,
        night__jobs=jobs,
    )
    named = [as_source(source) for source in sources]
    places = known_places(chosen, landing, warehouse, allow_loss=allow_loss)
    if not places.landing.exists():  # then there is something to listen to, unless all is refused
        processes.begin()
    from warmline.cli.batch import exit_code, print_run, run_shown
    from warmline.pipeline import Redo, with_later
    from warmline.run import RunRequest

    again = Redo(with_later(redo)) if redo else None
    result = run_shown(RunRequest(tuple(named), chosen, places, metadata, again, allow_loss))
    print_run(result, places, as_json)
    raise typer.Exit(exit_code(result))


# `warmline demo`: the sample calls, analyzed from sound to table.


def demo(
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder for the analyses and the warehouse.")
    ] = Path("demo"),
    settings: SettingsOption = None,
) -> None:
    """Analyze the simulated sample calls, so that there is something to look at."""
    from warmline.cli.batch import exit_code, print_run, run_shown
    from warmline.run import RunRequest

    places, chosen = Places(to / "landing", to / "warehouse.duckdb"), settings_from(settings)
    require_nothing_half_erased(places, chosen)
    result = run_shown(RunRequest((folder("audio") / "samples",), chosen, places))
    print_run(result, places, as_json=False)
    place = shlex.quote(str(places.warehouse))
    typer.echo(f"\nin a browser, with sound: warmline serve --warehouse {place}")
    raise typer.Exit(exit_code(result))


# `warmline retry`: try failed calls again.


def retry(
    call: Annotated[
        list[str] | None,
        typer.Option(
            "--call", metavar="ID", help="A call that failed, by its id or its recording's path."
        ),
    ] = None,
    reason: Annotated[
        list[str] | None,
        typer.Option(
            "--reason",
            metavar="CODE",
            help="All calls that failed for this reason: timeout, process_died, fault, ...",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All calls that failed, whatever the reason.")
    ] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Analyze them at once instead of in the next run.")
    ] = False,
    metadata: MetadataOption = None,
    warehouse: WarehouseOption = None,
    landing: LandingOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put failed calls back, so that the next run tries them; without options, list them.

    A call that failed in `night.give_up_after` runs is left out until then. A recording that was
    refused is bad input: it is tried by itself when the file changes.
    """
    from warmline.pipeline import failed_calls, put_back

    chosen = settings_from(settings)
    places = known_places(chosen, landing, warehouse)
    found = failed_calls(places.landing, frozenset(call or ()), frozenset(reason or ()))
    _require_all(call or (), found)
    if not (call or reason or everything):
        _list(found, chosen.night.give_up_after, as_json)
        return
    count = put_back(places.landing, found)
    if now and found:
        _analyze(found, chosen, places, metadata, as_json)
    if as_json:
        output().print_json(json.dumps({"put_back": count}))
    else:
        calls = "1 call is" if count == 1 else f"{count} calls are"
        output().print(f"{calls} put back; the next run takes what is put back")


def _require_all(named: Sequence[str], found: "list[Landed]") -> None:
    from warmline.pipeline.failures import exact_name_of, names_of

    for name in named:
        of_it = [landed for landed in found if name in names_of(landed)]
        if len(of_it) > 1:
            listed = ", ".join(f"{exact_name_of(landed)} ({landed.path})" for landed in of_it)
            raise WarmlineError(
                f"'{name}' is ambiguous, {len(of_it)} failed calls are called that: {listed}; give "
                "one of these names, or the path of the recording"
            )
    missing = sorted(set(named).difference(*(names_of(landed) for landed in found)))
    if missing:
        raise WarmlineError(
            f"{', '.join(missing)}: not among the calls that failed; `warmline retry` lists them"
        )


def _list(found: "list[Landed]", give_up_after: int, as_json: bool) -> None:
    if as_json:
        rows = [
            {"call_id": c.call_id, "reason": c.reason_code, "failed_runs": c.failed_runs}
            for c in found
        ]
        output().print_json(json.dumps(rows))
        return
    if not found:
        output().print("no call has failed")
        return
    from rich.markup import escape

    for landed in found:
        runs = "1 run" if landed.failed_runs == 1 else f"{landed.failed_runs} runs"
        code = landed.reason_code or "unknown"
        output().print(f"{escape(landed.call_id)}  {code}, {runs}", soft_wrap=True)
    counts = Counter(landed.reason_code or "unknown" for landed in found).most_common()
    output().print(", ".join(f"{count} {code}" for code, count in counts))
    if give_up_after:
        messages().print(
            f"after {give_up_after} runs (night.give_up_after) a call is left alone; put back with "
            "--call, --reason or --all",
            style="dim",
            soft_wrap=True,
        )


def _analyze(
    found: "list[Landed]",
    settings: Settings,
    places: Places,
    metadata: Path | None,
    as_json: bool,
) -> None:
    from warmline.cli.batch import exit_code, print_run, run_shown
    from warmline.run import RunRequest

    sources = [as_source(landed.path) for landed in found]
    gone = [
        source for source in sources if isinstance(source, Path) and not os.path.lexists(source)
    ]
    for path in gone:
        messages().print(f"[yellow]note:[/] {path}: the recording is gone", soft_wrap=True)
    table = metadata or (Path(settings.night.metadata) if settings.night.metadata else None)
    there = tuple(source for source in sources if source not in gone)
    result = run_shown(RunRequest(there, settings, places, table))
    print_run(result, places, as_json)
    raise typer.Exit(exit_code(result))

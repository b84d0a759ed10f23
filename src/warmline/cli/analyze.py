"""`warmline analyze`, `demo` and `retry` now, `nightly` every night; its `report` and `metrics`."""

import json
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warmline import processes
from warmline.cli.common import (
    PAGES_PORT,
    AllowLossOption,
    ExitCode,
    JsonOption,
    LandingOption,
    SettingsOption,
    WarehouseOption,
    ZoneOption,
    flows,
    harmless,
    messages,
    output,
    say_error,
    say_json,
    settings_file,
    settings_from,
    zone_of,
)
from warmline.errors import SettingsError, WarehouseError, WarmlineError
from warmline.files import Places, folder, places_of, require_nothing_half_erased
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
        help="CSV table of the calls' metadata: a column path, file or call_id, then "
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
    from warmline.pipeline.plan import Redo
    from warmline.pipeline.stages import with_later
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
    typer.echo(f"\nin a browser, with sound: warmline serve --open --warehouse {place}")
    typer.echo(f"which then has the calls at http://127.0.0.1:{PAGES_PORT}/")
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
    from warmline.run import failed_calls, put_back

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
        output().print(f"{calls} put back; the next run tries again")


def _require_all(named: Sequence[str], found: "list[Landed]") -> None:
    from warmline.run import exact_name_of, names_of

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
        code = landed.reason_code or "analyzed before, failed when analyzed again"
        output().print(f"{escape(landed.call_id)}  {code}, {runs}", soft_wrap=True)
    counts = Counter(landed.reason_code or "analyzed before" for landed in found).most_common()
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
        messages().print(f"note: {path}: the recording is gone", markup=False, soft_wrap=True)
    usual = Path(settings.night.metadata).expanduser() if settings.night.metadata else None
    table = metadata or usual
    there = tuple(source for source in sources if source not in gone)
    result = run_shown(RunRequest(there, settings, places, table))
    print_run(result, places, as_json)
    raise typer.Exit(exit_code(result))


# `warmline nightly`, `report` and `metrics`: the flow, once or every night, and what it tells.

CronOption = Annotated[
    str | None,
    typer.Option(
        "--cron",
        metavar="TIMES",
        help='Stay and run at these times: "0 2 * * *" is every night at two, by the clocks of '
        "--timezone. By default `night.cron` of the settings, if it is set.",
        show_default=False,
    ),
]
TimezoneOption = Annotated[
    str | None,
    typer.Option(
        "--timezone",
        metavar="ZONE",
        help="Time zone of --cron, such as Europe/Berlin; by default `night.timezone` of the "
        "settings, which is UTC unless you set it.",
        show_default=False,
    ),
]


def nightly(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="Recordings and folders, also remote ones (s3://bucket/calls/); by default "
            "`night.sources` of the settings.",
            metavar="[PATH|URL]...",
            show_default=False,
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Run now, once, and stop.")] = False,
    cron: CronOption = None,
    timezone: TimezoneOption = None,
    test_notify: Annotated[
        bool,
        typer.Option("--test-notify", help="Only send a test message through `night.notify`."),
    ] = False,
    metadata: Annotated[
        Path | None,
        typer.Option("--metadata", metavar="CSV", help="CSV table of the calls' metadata."),
    ] = None,
    warehouse: WarehouseOption = None,
    landing: LandingOption = None,
    settings: SettingsOption = None,
) -> None:
    """Run the night as a Prefect flow: with retries, time limits, and a report.

    No server has to be set up: one is started for as long as it is needed, on this machine only,
    which answers nobody else. PREFECT_API_URL names one of your own.
    """
    file = settings_file(settings)
    chosen = settings_from(file)
    if test_notify:
        _try_notifier(chosen)
        return
    if not (sources or chosen.night.sources):
        raise SettingsError("nothing to analyze: name a folder, or set night.sources")
    times = None if once else cron or chosen.night.cron
    if not once and not times:
        raise typer.BadParameter(
            'say when: --once for now, or --cron "0 2 * * *" to stay and run every night at two'
        )
    places = known_places(chosen, landing, warehouse)
    parameters = {
        "sources": [_absolute(as_source(source)) for source in sources or ()] or None,
        "metadata": str(metadata.resolve()) if metadata else None,
        "landing": str(places.landing.resolve()),
        "warehouse": str(places.warehouse.resolve()),
        "settings_file": str(file.resolve()) if file else None,
    }
    night = flows()
    _forget_old_runs(chosen, places)
    if times:
        zone = timezone or chosen.night.timezone
        _say_when(night, times, zone)
        night.serve(times, zone, chosen.night.notify, parameters)
        return
    _print_night(night.once(parameters))


def _try_notifier(chosen: Settings) -> None:
    if not chosen.night.notify:
        raise SettingsError(
            "night.notify names nobody: set it to a Prefect block, such as slack-webhook/quality"
        )
    flows().try_notifier(chosen.night.notify)
    output().print(f"told: {chosen.night.notify}", markup=False, soft_wrap=True)


def _forget_old_runs(chosen: Settings, places: Places) -> None:
    from warmline.privacy.erasing import forget_nights_left, forget_runs, prefect_home

    try:
        forget_nights_left(places.landing)
        forget_runs(prefect_home(), chosen.night.keep_runs_days)
    except WarehouseError as e:  # a server that is busy: the night is more urgent
        say_error(f"{e}; the next night tries again")


def _say_when(night: ModuleType, times: str, zone: str) -> None:
    """Say when the next night begins: a cron expression is easily read wrong."""
    (first,) = night.starts(times, zone, datetime.now(UTC), 1)
    shown = f"{first:%Y-%m-%d %H:%M %Z}"
    messages().print(f"nights at {times!r}, {zone}; the next one {shown}", markup=False)


def _print_night(counts: dict[str, Any]) -> None:
    """Print the counts of a night that has ended, and exit with its code."""
    from rich.markup import escape

    ended = {name: count for name, count in counts["calls"].items() if count}
    done = ended.pop("unchanged", 0)
    calls = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in ended.items())
    nothing = "nothing to be done" if done else "no recordings found"
    written = counts["unfinished_files"]
    later = f"; {written} still being written and left for the next run" if written else ""
    output().print(f"{calls or nothing}; {done} done before{later}", soft_wrap=True)
    for problem in counts["problems"]:
        messages().print(f"[yellow]note:[/] {escape(problem)}", soft_wrap=True)
    for alarm in counts["alarms"]:
        messages().print(f"[bold red]alarm:[/] {escape(alarm)}", soft_wrap=True)
    messages().print(f"report: {escape(counts['report'])}", soft_wrap=True)
    if counts["alarms"]:
        raise typer.Exit(ExitCode.ALARM)
    failed = counts["calls"]["failed"]
    raise typer.Exit(ExitCode.SOME_CALLS_FAILED if failed else ExitCode.DONE)


def report(
    night: Annotated[
        str | None,
        typer.Option(
            "--night",
            metavar="DATE",
            help="The day (UTC) on which the calls were analyzed; by default the last one.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Print the HTML page.")] = False,
    as_json: JsonOption = False,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    timezone: ZoneOption = None,
) -> None:
    """Print the report of a night: counts, failures, slowest calls, drift of key measures.

    It is made from the warehouse as it is now, and has all runs of the day; what each run wrote
    lies beside the warehouse, in `reports`. Exit code 4 when something in it needs attention.
    """
    from warmline.reports.monitoring import last_night, read_night, runs_of
    from warmline.reports.report import as_html, as_markdown

    if html and as_json:
        raise typer.BadParameter("--html and --json are two forms of one report: give one of them")
    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    place = places_of(chosen, None, warehouse).warehouse
    day = _day(night) or last_night(place)
    if day is None:
        raise WarehouseError(f"{place}: no calls yet, so there is no night to report")
    found = read_night(place, day, chosen.night, runs=runs_of(place, day)).shown_in(zone.moment)
    if as_json:
        say_json(found.as_dict())
    else:
        typer.echo(harmless(as_html(found) if html else as_markdown(found)), nl=False)
    raise typer.Exit(ExitCode.ALARM if found.alarms else ExitCode.DONE)


def _absolute(source: Path | str) -> str:
    return str(source.resolve()) if isinstance(source, Path) else source


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as e:
        raise typer.BadParameter(f"--night {text!r}: not a day such as 2026-03-01") from e


def metrics(
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="Write them to this file, as node_exporter's textfile collector reads them.",
            show_default=False,
        ),
    ] = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Print how nights and the warehouse stand, for Prometheus: counts and times, no names."""
    from warmline.reports.monitoring import as_metrics, write_metrics

    place = places_of(settings_from(settings), None, warehouse).warehouse
    if to:
        write_metrics(place, to)
    else:
        typer.echo(as_metrics(place), nl=False)

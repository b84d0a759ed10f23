"""`warmline nightly` and `warmline report`: the flow, once or every night, and what it tells."""

import importlib
import importlib.util
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from warmline.cli.options import (
    LandingOption,
    SettingsOption,
    WarehouseOption,
    ZoneOption,
    settings_file,
    settings_from,
    zone_of,
)
from warmline.cli.terminal import ExitCode, messages, output, say_error
from warmline.errors import SettingsError, WarehouseError
from warmline.files import folder
from warmline.places import Places, places_of
from warmline.recordings.remote import as_source
from warmline.settings import Settings
from warmline.warehouse.landing_folder import known_places

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
        typer.Option("--metadata", metavar="CSV", help="Table of what is known of the calls."),
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
    flows = _flows()
    _forget_old_runs(chosen, places)
    if times:
        zone = timezone or chosen.night.timezone
        _say_when(flows, times, zone)
        flows.serve(times, zone, chosen.night.notify, parameters)
        return
    _print_night(flows.once(parameters))


def _try_notifier(chosen: Settings) -> None:
    if not chosen.night.notify:
        raise SettingsError(
            "night.notify names nobody: set it to a Prefect block, such as slack-webhook/quality"
        )
    _flows().try_notifier(chosen.night.notify)
    output().print(f"told: {chosen.night.notify}", markup=False, soft_wrap=True)


def _forget_old_runs(chosen: Settings, places: Places) -> None:
    from warmline.erasing import forget_nights_left
    from warmline.reports import forget_runs, prefect_home

    try:
        forget_nights_left(places.landing)
        forget_runs(prefect_home(), chosen.night.keep_runs_days)
    except WarehouseError as e:  # a server that is busy: the night is more urgent
        say_error(f"{e}; the next night tries again")


def _say_when(flows: ModuleType, times: str, zone: str) -> None:
    """Say when the next night begins: a cron expression is easily read wrong."""
    (first,) = flows.starts(times, zone, datetime.now(UTC), 1)
    shown = f"{first:%Y-%m-%d %H:%M %Z}"
    messages().print(f"nights at {times!r}, {zone}; the next one {shown}", markup=False)


def _print_night(counts: dict[str, Any]) -> None:
    """The counts of a night that has ended; leaves with its exit code."""
    from rich.markup import escape

    ended = {name: count for name, count in counts["calls"].items() if count}
    done = ended.pop("unchanged", 0)
    calls = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in ended.items())
    nothing = "nothing to be done" if done else "no recordings found"
    output().print(f"{calls or nothing}; {done} done before", soft_wrap=True)
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
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    timezone: ZoneOption = None,
) -> None:
    """Print the report of a night: counts, failures, slowest calls, drift of key measures.

    It is made from the warehouse as it is now, and has all runs of the day; what each run wrote
    lies beside the warehouse, in `reports`. Exit code 4 when something in it asks for a person.
    """
    from warmline.cli.terminal import harmless
    from warmline.reports import (
        as_html,
        as_markdown,
        last_night,
        read_night,
        runs_of,
    )

    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    place = places_of(chosen, None, warehouse).warehouse
    day = _day(night) or last_night(place)
    if day is None:
        raise WarehouseError(f"{place}: no calls, and so no night to report")
    found = read_night(place, day, chosen.night, runs=runs_of(place, day)).shown_in(zone.moment)
    typer.echo(harmless(as_html(found) if html else as_markdown(found)), nl=False)
    raise typer.Exit(ExitCode.ALARM if found.alarms else ExitCode.DONE)


def _absolute(source: Path | str) -> str:
    return str(source.resolve()) if isinstance(source, Path) else source


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as e:
        raise typer.BadParameter(f"--night {text!r}: not a day such as 2026-03-01") from e


def _flows() -> ModuleType:
    """The module of the flow, which lies outside the package.

    Its folder is put on the path, so that the processes that Prefect starts find it as well.
    """
    if importlib.util.find_spec("prefect") is None:
        raise SettingsError("the night needs Prefect: pip install 'warmline[night]'")
    from warmline.reports import make_prefect_home

    make_prefect_home()
    sys.path.insert(0, str(folder("flows")))
    return importlib.import_module("analyze_calls")


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
    from warmline.reports import as_metrics, write_metrics

    place = places_of(settings_from(settings), None, warehouse).warehouse
    if to:
        write_metrics(place, to)
    else:
        typer.echo(as_metrics(place), nl=False)

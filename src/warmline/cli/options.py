"""Options that several commands share, and the settings that they override."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from warmline.cli.terminal import messages, output
from warmline.encryption import look_for_key
from warmline.errors import SettingsError
from warmline.query.questions import QueryResult
from warmline.settings import Settings, load_settings, settings_toml, with_overrides

SETTINGS_FILE = "warmline.toml"

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        envvar="WARMLINE_SETTINGS",
        help=f"TOML file of settings; {SETTINGS_FILE} here is taken if there is one.",
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
        help="Publish although calls of the warehouse are lost by it: their analyses are gone from "
        "the landing folder.",
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


def settings_from(path: Path | None, **overrides: Any) -> Settings:
    """Return the settings of a file (or of `warmline.toml` here), overridden by the command line.

    Overrides are `section__key=value`; None leaves the file's value. From here on the key of
    encrypted files is looked for where these settings say. Raises `SettingsError`.
    """
    given = {k.replace("__", "."): v for k, v in overrides.items() if v is not None}
    settings = with_overrides(load_settings(settings_file(path)), given)
    look_for_key(settings.encryption.key_env, settings.encryption.key_file)
    return settings


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
    if check is not None:
        load_settings(check)
        output().print(f"{check}: all keys and values are right", soft_wrap=True)
        return
    typer.echo(settings_toml(settings_from(settings)), nl=False)


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

    def answer(self, answer: QueryResult, *, naming: bool = False) -> QueryResult:
        """Return a result with its times in this zone, each with its offset from UTC.

        With `naming`, for files whose cells hold no offset, the column header names the zone.
        """
        at = [place for place, kind in enumerate(answer.types) if kind.startswith(_TIMES)]
        if self.is_utc or not at:
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


def zone_of(named: str | None, settings: Settings) -> Zone:
    """Return the zone that is asked for, else that of the settings. Raises SettingsError."""
    return Zone(named or settings.display.timezone)


def has_times(answer: QueryResult) -> bool:
    """Return whether a column of the answer holds times."""
    return any(kind.startswith(_TIMES) for kind in answer.types)

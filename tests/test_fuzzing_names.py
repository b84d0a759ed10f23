"""Names that strangers give to files: found, stored, shown, and no terminal or page obeys them."""

import io
import json
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from support import factories
from support.sounds import RATE_HZ, talk, write
from warmline import landing
from warmline.cli import app
from warmline.cli.common import PlainConsole, harmless
from warmline.errors import RecordingRefusedError, Status
from warmline.query.questions import ask
from warmline.recordings import find_recordings, identify
from warmline.recordings.metadata import read_metadata
from warmline.recordings.sound import decode
from warmline.reports.report import FailedCall, NightReport, RunFacts, as_html, as_markdown
from warmline.settings import RecordingSettings
from warmline.warehouse.publishing import publish

SETTINGS = RecordingSettings(settle_s=0)
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NASTY = [
    *("a\nb", "\x1b[2J\x1b]0;title\x07", "\x9b31m", "\u202egpj", "..", "...", "-rf", "--help", "~"),
    *("'; DROP TABLE calls; --", '"quoted"', "$(touch x)", "`id`", "[red]x[/]", "[/]", "a|b", "%s"),
    *(
        "<img src=x onerror=alert(1)>",
        "![](http://x/y)",
        "=cmd()",
        "a\rb",
        "\u2028",
        "é",
        "e\u0301",
    ),
    *(
        "字" * 80,
        "a" * 240,
        "\U0001f4de",
        "\u200b",
        " ",
        "a b",
        "{0}",
        "\\x41",
        "AGENT_x_DT_9",
        "\t",
    ),
]
names = st.one_of(st.sampled_from(NASTY), st.text(min_size=1, max_size=40))


def possible(name: str) -> str:
    """The name, if a file can have it."""
    assume("/" not in name and "\x00" not in name)
    try:
        assume(len(name.encode("utf-8", "surrogateescape")) <= 240)
    except UnicodeEncodeError:
        assume(False)
    return name


def is_quiet(text: str) -> bool:
    """Nothing in it but characters, and ends of lines."""
    return all(c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs"} for c in text)


@quick
@given(name=names)
@example(name="a\udcffb")
def test_any_name_is_found_and_refused_in_one_line(tmp_path_factory, name: str) -> None:
    folder = tmp_path_factory.mktemp("n")
    path = folder / f"{possible(name)}.wav"
    path.write_bytes(b"not sound")
    found = find_recordings([folder], SETTINGS)
    assert found.recordings == (path,) or found.problems or name.startswith(".")
    known = read_metadata(path, SETTINGS, None)
    for text in (known.call_id, *known.extra.values()):
        assert is_quiet(text) and "\n" not in text
    identify(path)
    with pytest.raises(RecordingRefusedError) as refused:
        decode(path, SETTINGS)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "\u202egpj"])
def test_a_nasty_name_is_heard_like_any_other(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / f"{name}.wav", talk(3.0, 120.0, 1)[None], RATE_HZ)
    assert decode(path, SETTINGS).duration_s == pytest.approx(3.0)


@quick
@given(text=names, in_table=st.booleans())
def test_a_console_prints_text_and_obeys_none(text: str, in_table: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    page = PlainConsole(file=io.StringIO(), force_terminal=True, width=300, color_system=None)
    table = Table("call")
    table.add_row(escape(text))
    page.print(table if in_table else escape(text), soft_wrap=not in_table)
    assert is_quiet(page.file.getvalue().replace("\x1b[0m", ""))
    assert is_quiet(harmless(text))


def report_of(name: str) -> NightReport:
    failed = (FailedCall(name, "timeout", f"{name}: took too long", False),)
    run = RunFacts(1.0, 0, 0, 0, (f"{name}: cannot be read",))
    return NightReport(date(2026, 1, 1), {"failed": 1}, {}, 0, 0, failed, 0, (), 0, (), run=run)


@quick
@given(name=names)
def test_a_report_shows_names_as_text(name: str) -> None:
    page = as_markdown(report_of(name))
    plain = re.sub(r"\\.", "", page)  # what a backslash stands before is text
    assert is_quiet(page) and "![" not in plain and "<img" not in plain
    assert page.count("\n") == as_markdown(report_of("x")).count("\n")
    assert "<img" not in as_html(report_of(name))


def test_the_whole_way_with_names_of_strangers(tmp_path: Path) -> None:
    """Landed, published, asked for and printed: the same name comes back, on a quiet terminal."""
    landed, warehouse = tmp_path / "l", tmp_path / "w.duckdb"
    some = NASTY[:6]
    calls = [
        replace(
            factories.without_analysis(f"c{i}", status=Status.FAILED, path=f"/calls/{name}.wav"),
            reason=f"{name}: odd",
        )
        for i, name in enumerate(some)
    ]
    for call in calls:
        landing.write(call, landed)
    publish(landed, warehouse, factories.definitions_of([factories.call()]))
    rows = ask(warehouse, "SELECT path FROM calls").rows
    assert {path for (path,) in rows} == {f"/calls/{name}.wav" for name in some}
    for arguments in (["select path, reason from calls"], ["select path from calls", "--json"]):
        shown = CliRunner().invoke(app, ["query", *arguments, "--warehouse", str(warehouse)])
        assert shown.exit_code == 0 and is_quiet(shown.stdout)
    assert {row["path"] for row in json.loads(shown.stdout)} == {path for (path,) in rows}
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    shown = CliRunner().invoke(app, ["report", "--warehouse", str(warehouse), "--night", today])
    assert is_quiet(shown.stdout)

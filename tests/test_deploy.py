"""What is installed around warmline: units of systemd, the container, and the page about them."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import typer

from warmline.cli import app
from warmline.settings import NightSettings, Settings

ROOT = Path(__file__).parents[1]
UNITS = ROOT / "deploy" / "systemd"
CONTAINER = ROOT / "deploy" / "Containerfile"

pytestmark = pytest.mark.skipif(not UNITS.is_dir(), reason="part of the checkout, not of the wheel")


def require_command(words: list[str]) -> None:
    """Fail unless the command line has this command with these options."""
    command = typer.main.get_command(app).commands[words[0]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known, words


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / name)
    return parser


def test_the_units_run_commands_that_there_are():
    service = unit("warmline-nightly.service")["Service"]
    for key in ("ExecStart", "ExecStopPost"):
        program, *words = shlex.split(service[key].lstrip("-"))
        assert program == "/opt/warmline/bin/warmline"
        require_command(words)
    assert service["Type"] == "oneshot"  # a second one does not start beside the first
    assert service["SuccessExitStatus"] == "3 130"  # some calls failed, somebody stopped it
    assert (UNITS / "warmline-nightly.timer").read_text().count(NightSettings().timezone) == 1
    assert unit("warmline-nightly.timer")["Timer"]["OnCalendar"].endswith(" UTC")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_finds_no_fault_in_the_units(tmp_path):
    """As they are, but for the program, which is that of here."""
    here = shutil.which("warmline", path=str(Path(sys.executable).parent))
    assert here
    for path in UNITS.iterdir():
        text = path.read_text().replace("/opt/warmline/bin/warmline", here)
        (tmp_path / path.name).write_text(text)
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert not [line for line in found.stderr.splitlines() if "warmline" in line], found.stderr


def instructions() -> list[tuple[str, str]]:
    """The instructions of the container file, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", CONTAINER.read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_container_copies_what_there_is_and_runs_what_there_is():
    done = instructions()
    assert done[0][0] == "FROM"
    assert {word for word, _ in done} <= {
        *("FROM", "ARG", "ENV", "COPY", "RUN", "USER", "WORKDIR", "VOLUME", "ENTRYPOINT", "CMD")
    }
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [part for word, rest in done if word == "COPY" for part in rest.split()[:-1]]
    for part in copied:
        assert (ROOT / part).exists(), part
        assert f"!{part}" in ignored, part
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    built = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*built["packages"], *built["force-include"], project["project"]["readme"]]
    for part in needed:  # all that the wheel is made of
        assert any(part == given or part.startswith(f"{given}/") for given in copied), part
    (installed,) = (rest for word, rest in done if word == "RUN" and "pip install" in rest)
    extras = set(re.search(r"\[([a-z,]+)\]", installed)[1].split(","))
    assert extras <= project["project"]["optional-dependencies"].keys()
    assert {"listen", "night"} <= extras
    last = dict(done)
    assert json.loads(last["ENTRYPOINT"]) == ["warmline"]
    assert "warmline" in project["project"]["scripts"]
    require_command(json.loads(last["CMD"]))
    assert last["USER"] != "root" and last["USER"] != "0"
    minor = int(re.fullmatch(r"python:3\.(\d+)-slim", done[0][1])[1])
    assert f"Python 3.{minor}" in (ROOT / "README.md").read_text()


# The page


PAGE = ROOT / "docs" / "operate.md"


def test_the_page_names_commands_settings_and_metrics_that_there_are():
    text = PAGE.read_text()
    for line in re.findall(
        r"warmline ((?:nightly|metrics|report|models|analyze|bench)\b[^`\n#]*)", text
    ):
        require_command(shlex.split(line)) if not line.startswith("models") else None
    for section, key in re.findall(r"`(night|recordings|encryption)\.([a-z_]+)`", text):
        assert key in type(getattr(Settings(), section)).model_fields, f"{section}.{key}"
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (PAGE.parent / target).exists(), target


def test_every_metric_on_the_page_is_one_and_every_one_is_on_the_page(tmp_path):
    pytest.importorskip("prometheus_client")
    from warmline import landing
    from warmline.pipeline.calls import RunSummary
    from warmline.pipeline.plan import Plan
    from warmline.reports.monitoring import as_metrics, note_end
    from warmline.reports.report import RunFacts
    from warmline.warehouse.publishing import publish

    (tmp_path / "w.landing").mkdir()
    assert not landing.known(tmp_path / "w.landing")
    publish(tmp_path / "w.landing", tmp_path / "w.duckdb", {})
    summary = RunSummary(Plan((), (), (), (), ()), (), 1.0)
    at = datetime.fromisoformat("2026-11-20T02:00:00+00:00") - timedelta(days=1)
    note_end(tmp_path / "w.duckdb", at, summary, RunFacts.of(summary), ())
    written = set(re.findall(r"^# HELP (warmline_\w+)", as_metrics(tmp_path / "w.duckdb"), re.M))
    assert written == set(re.findall(r"`(warmline_\w+)", PAGE.read_text()))

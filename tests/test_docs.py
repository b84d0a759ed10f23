"""What the documents say is so: measures as defined, commands as typed, figures as computed."""

import doctest
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
import yaml

from support.dialogues import dialogue, empathy_of
from warmline import __version__
from warmline.cli import app
from warmline.errors import Status
from warmline.settings import Settings
from warmline.values import RoleName

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / "docs" / "python.md"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("examples/README.md", "warehouse/README.md")),
]

pytestmark = pytest.mark.skipif(
    not (ROOT / "README.md").exists(), reason="documents are part of the checkout"
)


def texts() -> Iterator[tuple[str, str]]:
    """Each document with what it says."""
    for document in DOCUMENTS:
        yield document.relative_to(ROOT).as_posix(), document.read_text(encoding="utf-8")


def test_the_definitions_in_the_docs_are_those_of_the_code():
    command = [sys.executable, str(ROOT / "scripts" / "metrics_doc.py"), "-"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs" / "metrics.md").read_text() == printed, "run `make docs`"


def test_links_lead_somewhere():
    astray = [
        f"{name}: {target}"
        for name, text in texts()
        for target in re.findall(r"\]\(([^)#]+)", text)
        if not target.startswith("http") and not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert astray == []


def test_commands_and_options_exist():
    assert [wrong for name, text in texts() for wrong in wrong_commands(name, text)] == []


def wrong_commands(name: str, text: str) -> Iterator[str]:
    """Lines that name a command or an option which is not there."""
    commands = typer.main.get_command(app).commands
    quoted = re.findall(r"`warmline ([^`]+)`", text)
    for line in re.findall(r"warmline ([a-z]+[^`\n#|]*)", text):
        words = line.split()
        command = commands.get(words[0])
        if command is None:
            if line in quoted:
                yield f"{name}: warmline {line}"
            continue
        for word in words[1:]:
            if word not in getattr(command, "commands", {}):
                break
            command = command.commands[word]
        known = {"--help", *(o for p in command.params for o in options_of(p))}
        options = {word.split("=")[0] for word in words if word.startswith("--")}
        if options - known:
            yield f"{name}: warmline {line}: no option {', '.join(options - known)}"


def options_of(parameter: click.Parameter) -> list[str]:
    return [*parameter.opts, *parameter.secondary_opts]


def test_functions_on_the_way_of_a_call_exist():
    named = re.findall(r"`([\w/]+\.py):(\w+)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) >= 9
    for file, function in named:
        text = (ROOT / "src" / "warmline" / file).read_text()
        assert re.search(rf"def {function}\(", text), f"{file}:{function}"


def test_make_targets_exist():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = [
        (name, target)
        for name, text in texts()
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)
    ]
    assert [pair for pair in named if pair[1] not in targets] == []


def test_settings_that_are_named_exist():
    tables = {"words", "turns"}  # sections whose name is a table's, too
    sections = {name: type(value) for name, value in Settings() if name not in tables}
    named = [
        (name, section, key)
        for name, text in texts()
        for section, key in re.findall(r"`(\w+)\.(\w+)`", text)
        if section in sections and key != "json" and not key.endswith("_")
    ]
    assert len(named) > 30
    assert [one for one in named if one[2] not in sections[one[1]].model_fields] == []


def test_answers_in_the_glossary_are_read_as_it_says():
    text = (ROOT / "docs" / "glossary.md").read_text()
    asked = re.search(r'the customer said "([^"]+)"', text)
    rows = re.findall(r'^\| `(\w+)` \|[^|]*\| "([^"]+)" \| (yes|no) \|$', text, re.MULTILINE)
    assert asked is not None
    assert len({answer for answer, _, _ in rows}) == 7
    for answer, said, answered in rows:
        customer = f"customer: {asked[1]}."
        call = dialogue("agent: How can I help you?", customer, f"agent: {said}", "customer: Yes.")
        (opportunity,) = empathy_of(call).opportunities
        assert opportunity.answer == answer, said
        assert ((opportunity.level or 0) > 0) is (answered == "yes"), said


def test_values_that_a_reader_meets_are_in_the_glossary():
    told = (ROOT / "docs" / "glossary.md").read_text()
    assert [str(value) for value in (*Status, *RoleName) if f"`{value}`" not in told] == []


def test_figures_of_what_it_gets_wrong_are_those_of_the_report_with_their_intervals():
    names = ("README.md", "docs/qa.md", "validation/REPORT.md")
    readme, qa, report = (" ".join((ROOT / name).read_text().split()) for name in names)
    section = readme.split("## What it gets wrong")[1].split(" ## ")[0]
    estimate = r"\b(?:[01]\.\d{2,3}\b|\d+\.\d %)"
    alone = re.findall(rf"{estimate}(?!\s\[)", re.sub(r"\[[^]]+\]", "[", section))
    assert alone == ["91.0 %"], "an estimate has its interval; this is the end of a range"
    told = re.findall(rf"({estimate})\s(\[[^]]+\])", f"{section} {qa}")
    assert len(told) >= 12
    for value, interval in told:
        assert f"{value} {interval}".replace(" %", "%") in report, value


def test_checks_before_a_commit_are_those_of_make_lint():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    before_commit = {" ".join(hook["entry"].split()[:2]) for hook in hooks}
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert lint is not None
    lines = lint[1].replace("$(BIN)", ".venv/bin").splitlines()
    assert before_commit == {" ".join(line.split()[:2]) for line in lines}


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["license"] == "Apache-2.0"
    assert {"cff-version", "message", "title", "authors", "type"} <= citation.keys()


@pytest.mark.models
def test_the_python_page_runs_from_top_to_bottom(week, tmp_path, monkeypatch):
    shutil.copyfile(week, tmp_path / "warehouse.duckdb")
    monkeypatch.chdir(tmp_path)
    text = "\n".join(re.findall(r"```pycon\n(.*?)```", PYTHON.read_text(), re.DOTALL))
    page = doctest.DocTestParser().get_doctest(text, {}, PYTHON.name, str(PYTHON), 0)
    told: list[str] = []
    results = doctest.DocTestRunner().run(page, out=told.append)
    assert results.attempted > 10
    assert not results.failed, "".join(told)

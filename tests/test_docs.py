"""What the documents say is so: measures as they are defined, commands as they can be typed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from warmline.cli.app import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]

pytestmark = pytest.mark.skipif(
    not (ROOT / "README.md").exists(), reason="documents are part of the checkout"
)


def test_the_definitions_in_the_docs_are_those_of_the_code():
    command = [sys.executable, str(ROOT / "scripts" / "metrics_doc.py"), "-"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs" / "metrics.md").read_text() == printed, "run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_commands_and_options_exist(document):
    commands = typer.main.get_command(app).commands
    for line in re.findall(r"warmline ([a-z]+[^`\n#|]*)", document.read_text()):
        words = line.split()
        command = commands.get(words[0])
        if command is None:
            assert line not in re.findall(r"`warmline ([^`]+)`", document.read_text()), line
            continue
        if len(words) > 1 and words[1] in getattr(command, "commands", {}):
            command = command.commands[words[1]]
        known = {"--help"}
        for parameter in command.params:
            known |= {*parameter.opts, *parameter.secondary_opts}
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in known, f"warmline {line}: no option {word}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_make_targets_exist(document):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)(?:[`\s]|$)", document.read_text(), re.MULTILINE))
    prose = {"sure", "of", "it", "a", "the", "and"}
    assert named - prose <= targets

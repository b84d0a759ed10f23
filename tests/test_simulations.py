"""The simulations: worlds know nothing of the models, the page says what it counted."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "validation" / "simulations"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="validation is part of the checkout")


def test_worlds_know_nothing_of_what_is_tried() -> None:
    tree = ast.parse((FOLDER / "worlds.py").read_text(encoding="utf-8"))
    imported = {
        (node.module or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    } | {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert imported == {"collections", "dataclasses", "numpy", "typing"}


def test_the_page_has_every_scenario_and_what_misses_is_said() -> None:
    page = (ROOT / "docs" / "simulations.md").read_text(encoding="utf-8")
    titles = re.findall(r'Scenario\(\s*"([^"]+)"', (FOLDER / "scenarios.py").read_text())
    assert len(titles) > 30
    for title in titles:
        assert f"| {title} |" in page, f"{title}: run python -m validation.simulations"
    missing = page.split("## What misses its aim")[1].split("##")[0]
    for line in page.splitlines():
        if "**" in line and line.startswith("|"):
            number = line.split("|")[2].strip()
            assert number in page.split("## What misses its aim")[1], line
    assert missing.strip()


def test_the_same_command_gives_the_same_page(tmp_path: Path) -> None:
    pages = []
    for name in ("one.md", "two.md"):
        command = [sys.executable, "-m", "validation.simulations", "--replicates", "4"]
        command += ["--only", "logit", "--to", str(tmp_path / name)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        pages.append((tmp_path / name).read_text())
    assert pages[0] == pages[1]
    rows = re.findall(r"^\| logit.*\| estimate \| 4 \| (0\.\d+) \|", pages[0], re.MULTILINE)
    assert rows[0] == "0.000" and float(rows[1]) > 0.02

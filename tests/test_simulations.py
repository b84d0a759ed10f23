"""The simulations: worlds know nothing of the models, the page says what it counted."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from warmline.simulate import read_script

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "validation" / "simulations"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="validation is part of the checkout")
if FOLDER.exists():
    agents = importlib.import_module("validation.simulations.agents")


def test_worlds_know_nothing_of_what_is_tried() -> None:
    for name in ("worlds.py", "worlds_heard.py"):
        tree = ast.parse((FOLDER / name).read_text(encoding="utf-8"))
        imported = {
            (node.module or "").split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        } | {
            a.name.split(".")[0]
            for n in ast.walk(tree)
            if isinstance(n, ast.Import)
            for a in n.names
        }
        assert imported <= {"collections", "dataclasses", "numpy", "typing", "worlds"}


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


def test_agents_take_a_call_by_their_own_habits() -> None:
    """Who answers nothing passes feelings over; what customers say stays as it is."""
    scene = read_script(ROOT / "audio" / "samples" / "lost-parcel.toml")
    habit = agents.Habit(answers=0.0, waits_s=0.7, rate=1.1, gain_db=2.0)
    taken = agents.take(scene, "agent-03", habit, np.random.default_rng(1))
    staff = {name for name, speaker in scene.speakers.items() if speaker.role == "agent"}
    pairs = list(zip(scene.lines, taken.lines, strict=True))
    assert all(after == before for before, after in pairs if before.speaker not in staff)
    passed_over = [after.text for before, after in pairs if before.answers and not after.answers]
    assert passed_over and all(text and len(text) < 25 for text in passed_over)
    kept = agents.take(
        scene, "agent-03", agents.Habit(1.0, 0.0, 1.0, 0.0), np.random.default_rng(1)
    )
    assert [line.answers for line in kept.lines] == [line.answers for line in scene.lines]
    assert (taken.call.agent_id, taken.sound.layout) == ("agent-03", "stereo")
    own = taken.speakers[next(iter(staff))]
    assert (own.channel, own.gain_db) == (1, 2.0)


def test_means_of_other_calls_are_worth_less_than_means_of_the_same() -> None:
    """Calls differ more than agents do: where all take the same, that is no luck."""
    random = np.random.default_rng(2)
    agent, script = np.repeat(np.arange(12), 10), np.tile(np.arange(10), 12)
    values = 0.5 * random.normal(size=12)[agent] + 2.0 * random.normal(size=10)[script]
    frame = pd.DataFrame(
        {
            "agent_id": [f"a{a}" for a in agent],
            "contact_reason": [f"s{i}" for i in script],
            "started_at": agents.MONDAY,
            "m": values + 0.3 * random.normal(size=120),
            "none": np.sqrt(script + 0.1),
        }
    )
    same, nothing = agents.worth(frame)
    assert same["measure"] == "m" and same["same"] > 0.9 > same["other"]
    assert same["needed"][0] > 10
    assert nothing["needed"] == [None, None] and nothing["other"] == 0.0

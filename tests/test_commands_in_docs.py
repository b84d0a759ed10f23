"""Every command block of README.md and docs/ is run on the demo as it stands; no call is lost.

The demo is analyzed once, and so is a recording of one's own, which blocks that analyze it then
know. All sample calls but the one that the documents point into end early; whole ones are heard by
tests/test_samples_heard.py. Each block gets a copy of that folder, in which its lines are run one
after the other by a shell, and after each of them the calls in the warehouse are counted.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from support.commands import commands
from support.once import Once
from support.samples import install_with_beginnings
from warmline.models import ModelStore
from warmline.settings import PlaceSettings

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CALLS = 10
WAREHOUSE = "--warehouse demo/warehouse.duckdb"

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="documents are in the checkout"),
]

#: Lines that are not run, and why. What they name is still looked at: commands, options, targets.
NOT_RUN = {
    r"^make (demo|test)$": "is what this test and its fixture are",
    r"^\.venv/bin/warmline demo$": "is what the fixture runs",
    r"-m venv |pip install": "makes an environment from the package index",
    r"warmline models pull": "fetches models, which are there",
    r"-m pytest": "would run this test again",
    r"s3://": "needs a bucket; tests/test_remote.py has one",
    r"--cron ": "runs until it is stopped; tests/test_flow.py serves a schedule",
    r"^(export RAY|ray |DO_NOT_TRACK=1 DASK)": "needs a cluster; tests/test_flow_clusters.py",
    r"warmline serve": "runs until it is stopped, or asks for a password; tests/test_web*.py",
    r"(systemctl|docker|podman|prefect) ": "needs a service of the system",
}
#: Lines that may say, in one line, that the demo holds too little for what they do.
TOO_LITTLE = {r"warmline research retention": "ten calls are no sample"}
#: Lines whose exit code says more than done: 4, something needs attention.
ALARMS = r"warmline (report|nightly)"
#: What the blocks take as given, each made from the demo.
OUTCOMES = "customer_id,date,retained,nps\nC-1042,2026-12-01,yes,9\nnobody,2026-12-01,no,2\n"


@dataclass(frozen=True)
class Block:
    document: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Its lines without comments, those that go on joined."""
        joined = self.text.replace("\\\n", " ")
        lines = (re.sub(r"(^|\s+)# .*$", "", line).strip() for line in joined.splitlines())
        return [line for line in lines if line]

    @property
    def is_long(self) -> bool:
        return any(re.search(r"warmline nightly", line) for line in self.commands)


def blocks() -> Iterator[Block]:
    for document in DOCUMENTS:
        if document.exists():
            text = document.read_text(encoding="utf-8")
            for found in re.finditer(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
                yield Block(document, text.count("\n", 0, found.start()) + 1, found[1])


BLOCKS = list(blocks())
#: Settings with which the demo is heard as fast as it goes: how well is not what is tried here.
QUICK = '[words]\nwhisper_model = "tiny.en"\nbeam_size = 1\n'
#: What is left of each sample call, but of the one whose seconds the documents name.
HEARD_S, WHOLE = 20.0, "lost-card"


def reason_not_to_run(command: str) -> str | None:
    return next((why for line, why in NOT_RUN.items() if re.search(line, command)), None)


def make_demo(place: Path) -> None:
    """Run the demo, heard as fast as it goes."""
    (place / "warmline.toml").write_text(QUICK)
    done = shell("warmline demo", place, place)
    assert done.returncode == 0, done.stderr
    assert counted(place / "demo", place) == CALLS


@pytest.fixture(scope="module")
def installed(once: Once) -> Path:
    """An installation whose sample calls end early."""
    return once.made("installed", lambda to: install_with_beginnings(to, HEARD_S, WHOLE))


@pytest.fixture(scope="module", autouse=True)
def path(installed: Path) -> Iterator[None]:
    """In PATH is the command `warmline`, which starts at once, and then the environment's own."""
    its = os.environ | {"PYTHONPATH": str(installed / "src")}
    with commands(surroundings=its) as place, pytest.MonkeyPatch.context() as patch:
        own = Path(sys.executable).parent
        patch.setenv("PATH", f"{place}:{own}:{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module")
def demo(once: Once) -> Path:
    """The folder that `make demo` makes."""
    return once.made("demo", make_demo) / "demo"


def shell(command: str, cwd: Path, home: Path) -> "subprocess.CompletedProcess[str]":
    """Run a line as a person with this home folder would type it, and answer yes."""
    store = ModelStore.from_settings(PlaceSettings())
    environment = os.environ | {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "WARMLINE_MODELS": str(store.folder),
        "PREFECT_HOME": str(home / "prefect"),
        "COLUMNS": "100",
    }
    return subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env=environment,
        input="y\n",
        capture_output=True,
        text=True,
    )


def counted(place: Path, home: Path, warehouse: str = "warehouse.duckdb") -> int:
    """How many calls a warehouse has; by its command where settings may have a key for it."""
    if not (place / "warmline.toml").exists():
        with duckdb.connect(str(place / warehouse), read_only=True) as con:
            return int(con.execute("SELECT count(*) FROM calls").fetchall()[0][0])
    question = f"warmline query --json --warehouse {warehouse} 'SELECT count(*) AS n FROM calls'"
    done = shell(question, place, home)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)[0]["n"])


@pytest.fixture(scope="module")
def furnished(once: Once, demo: Path, two_speakers: Path) -> Path:
    """The demo's folder, with what the documents take as given in it, and that heard once."""

    def furnish(to: Path) -> None:
        place = to / "demo"
        shutil.copytree(demo, place)
        (place / "recordings").mkdir()
        write_beginning(two_speakers, place / "recordings" / "call.wav", seconds=8.0)
        (place / "calls.csv").write_text("file,agent_id\ncall.wav,E204\n")
        (place / "outcomes.csv").write_text(OUTCOMES)
        done = shell("warmline analyze recordings/ --metadata calls.csv", place, to)
        assert done.returncode == 0 and "1 analyzed" in done.stdout, done.stdout + done.stderr
        assert counted(place, to) == CALLS + 1

    return once.made("furnished", furnish) / "demo"


@pytest.fixture
def place(furnished: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(furnished, tmp_path / "demo"))


def write_beginning(recording: Path, to: Path, seconds: float) -> None:
    """Write the first seconds of a WAV file: enough to be heard, and soon heard."""
    with wave.open(str(recording)) as whole, wave.open(str(to), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(round(seconds * whole.getframerate())))


def prepare(command: str, place: Path, home: Path) -> None:
    """Make what a line needs and a person has by then."""
    if command == "warmline encrypt":  # "with key_file = ... in warmline.toml", it says below
        key = '[encryption]\nkey_file = "~/warmline.key"\n'
        (place / "warmline.toml").write_text(f"{QUICK}\n{key}")
    if command.startswith("cp -a backup") and not (place / "backup").exists():
        shutil.copytree(place / "landing", place / "backup" / "landing")
        shutil.copyfile(place / "warehouse.duckdb", place / "backup" / "warehouse.duckdb")
    if "warmline agreement" in command:
        if not (place / "sheet.csv").exists():
            assert shell("warmline annotate sheet.csv --simulated", place, home).returncode == 0
        with (place / "sheet.csv").open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        for name, step in (("ann", 2), ("bob", 3)):
            labelled = [
                row | {"feeling": "none" if i % step else "fear_anxiety"}
                for i, row in enumerate(rows)
            ]
            with (place / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(labelled)


def test_there_are_commands_and_most_of_them_are_run() -> None:
    commands = [command for block in BLOCKS for command in block.commands]
    left = [command for command in commands if reason_not_to_run(command)]
    assert len(commands) > 40
    assert len(left) < len(commands) / 2.5
    for pattern in (*NOT_RUN, *TOO_LITTLE):
        if "systemctl" not in pattern:
            assert any(re.search(pattern, command) for command in commands), f"nobody has {pattern}"


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=str(block), marks=[pytest.mark.slow] if block.is_long else [])
        for block in BLOCKS
    ],
)
def test_a_block_of_commands_works_as_it_stands(block: Block, place: Path, tmp_path: Path) -> None:
    calls = CALLS + 1
    for command in block.commands:
        if reason_not_to_run(command):
            assert parses(command, tmp_path), command
            continue
        prepare(command, place, tmp_path)
        done = shell(f"{command}{further(command)}", place, tmp_path)
        said = f"{command}\n{done.stdout}\n{done.stderr}"
        allowed = {0, 4} if re.search(ALARMS, command) else {0}
        if any(re.search(line, command) for line in TOO_LITTLE):
            allowed = {0, 1}
        assert done.returncode in allowed, said
        assert "Traceback" not in said
        if done.returncode == 1:
            assert len(done.stderr.strip().splitlines()) == 1, said
        calls -= 1 if command.startswith("warmline forget") else 0
        restored = re.search(r"--warehouse (restored/\S+)", command)
        now = counted(place, tmp_path, restored[1] if restored else "warehouse.duckdb")
        assert now >= calls, f"{calls - now} calls were lost by: {said}"
        calls = max(calls, now)


def further(command: str) -> str:
    """What a line for calls of one's own needs to be tried on the demo's, which are simulated."""
    own = "warmline annotate" in command and "--simulated" not in command
    return " --simulated" if own else ""


def parses(command: str, home: Path) -> bool:
    """Whether what a line that is not run names is there: a subcommand of warmline, a target."""
    if words := re.search(r"warmline ((?:[a-z]+ ?)+)", command):
        names = [word for word in words[1].split() if word.isalpha()]
        while names and shell(f"warmline {' '.join(names)} --help", home, home).returncode:
            names.pop()
        return bool(names)
    if target := re.match(r"make ([a-z-]+)", command):
        return f"\n{target[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    return True


def test_what_the_demo_says_to_type_next_works(demo: Path, installed: Path, tmp_path: Path) -> None:
    """And what a person tries then, who names the demo's warehouse and nothing else."""
    shutil.copytree(demo.parent, tmp_path, dirs_exist_ok=True)
    (tmp_path / "x.csv").write_text(OUTCOMES)
    for command in (
        "warmline demo",  # a second time: everything is there
        f"warmline show lost-card {WAREHOUSE}",
        f"warmline outcomes load x.csv {WAREHOUSE}",
        f"warmline review mark lost-card right --metric dead_air_s {WAREHOUSE}",
    ):
        done = shell(command, tmp_path, tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert counted(tmp_path / "demo", tmp_path) == CALLS, command
        if command.startswith("warmline demo"):
            following = re.findall(r"^  (warmline .*)$", done.stdout, re.MULTILINE)
            assert len(following) == 3
            assert f"warmline serve --open {WAREHOUSE}" in done.stdout, (
                "which is tried in tests/test_web*"
            )
            assert "http://127.0.0.1:8750/" in done.stdout
            for line in following:
                assert shell(line, tmp_path, tmp_path).returncode == 0, line
    done = shell(f"warmline forget --call lost-card {WAREHOUSE}", tmp_path, tmp_path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "erased: 1 analysis, " in said
    assert "1 review, " in said, "the one that has just been given"
    assert counted(tmp_path / "demo", tmp_path) == CALLS - 1
    assert (installed / "audio/samples/lost-card.flac").exists()

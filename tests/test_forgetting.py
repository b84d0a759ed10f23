"""What is forgotten is in no file any more, and stays away."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from factories import call, cue, definitions_of, not_analyzed
from warmline import landing
from warmline.cli.app import app
from warmline.landing import Selection
from warmline.models.catalogue import EMBEDDING, MANY_LANGUAGES, SEGMENTATION, SENTENCES
from warmline.outcomes import load_outcomes
from warmline.pipeline import Addressing, make_plan
from warmline.questions import ask
from warmline.reviews import Judgement, Verdict, review_cue
from warmline.settings import Settings
from warmline.warehouse import publish

MARKS = ("xylocarp", "quillwort", "zanthoxyl")  # in the text, the customer's id, the reason given


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two calls of a customer who will be forgotten, one packed, and one of somebody else."""
    says = [("B", 0.0, 2.0, "how can I help"), ("A", 3.0, 6.0, f"I am worried {MARKS[0]}")]
    cues = [cue(1, 3.0, 6.0, f"I am worried {MARKS[0]}")]
    meant = call("c1", customer_id=MARKS[1], says=says, cues=cues)
    old = datetime(2024, 1, 1, tzinfo=UTC)
    others = call("c3", customer_id="ben", started_at=old, says=[("B", 0.0, 2.0, "good morning")])
    landing.write(meant, tmp_path / "w.landing")
    landing.write(others, tmp_path / "w.landing")
    landing.compact(tmp_path / "w.landing")
    landing.write(call("c2", customer_id=MARKS[1], says=says), tmp_path / "w.landing")
    definitions = definitions_of([meant, others])
    publish(tmp_path / "w.landing", tmp_path / "w.duckdb", definitions)
    judgement = Judgement("kim", Verdict.RIGHT, MARKS[2])
    review_cue(tmp_path / "w.duckdb", tmp_path / "w.landing", "c1", 3.0, judgement)
    (tmp_path / "o.csv").write_text(
        f"customer_id,date,nps\n{MARKS[1]},2026-11-20,3\nben,2026-11-20,9\n"
    )
    load_outcomes(tmp_path / "o.csv", tmp_path / "w.landing", tmp_path / "w.duckdb", definitions)
    return tmp_path


def forget(folder: Path, *options: str) -> dict[str, object]:
    place = ["--warehouse", str(folder / "w.duckdb"), "--json"]
    home = {"PREFECT_HOME": str(folder / "prefect")}
    done = CliRunner().invoke(app, ["forget", *options, *place], env=home)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def holding(folder: Path, *marks: str) -> set[str]:
    """Which of the marks are in any byte of landing folder and warehouse, or in a Parquet file."""
    found = set()
    for path in [folder / "w.duckdb", *(folder / "w.landing").rglob("*")]:
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":  # its pages are compressed
                content += repr(pq.read_table(path).to_pylist()).encode()
            found |= {mark for mark in marks if mark.encode() in content}
    return found


def calls(folder: Path) -> list[str]:
    found = ask(folder / "w.duckdb", "SELECT call_id FROM calls ORDER BY 1").rows
    return [name for (name,) in found]


def test_no_byte_of_a_forgotten_customer_is_left(folder: Path) -> None:
    assert holding(folder, *MARKS, "ben") == {*MARKS, "ben"}
    told = forget(folder, "--customer", MARKS[1])
    assert told == {"calls": 2, "outcomes": 1, "reviews": 1, "unreadable": {}}
    assert holding(folder, *MARKS, "ben") == {"ben"}
    assert calls(folder) == ["c3"]
    assert ask(folder / "w.duckdb", "SELECT count(*) FROM outcomes").rows == ((1,),)


def test_a_call_and_an_age_are_forgotten_as_well(folder: Path) -> None:
    assert forget(folder, "--call", "c1")["calls"] == 1
    assert calls(folder) == ["c2", "c3"]
    assert forget(folder, "--older-than", "400d")["calls"] == 1
    assert calls(folder) == ["c2"]


def test_trying_changes_nothing_and_wrong_usage_says_what_is_right(folder: Path) -> None:
    assert forget(folder, "--customer", MARKS[1], "--dry-run") == {"analyses": 2}
    assert calls(folder) == ["c1", "c2", "c3"]
    for options, said in [([], "say what to forget"), (["--older-than", "soon"], "such as 400d")]:
        done = CliRunner().invoke(app, ["forget", *options])
        assert done.exit_code == 2
        assert said in done.output.replace("\n", " ")


def test_the_next_night_does_not_bring_it_back(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"a" * 1000)
    models = {
        SEGMENTATION: "s",
        EMBEDDING: "e",
        SENTENCES: "m",
        MANY_LANGUAGES: "n",
        "whisper-base": "b",
    }
    addressing = Addressing(Settings(), models, "rules")
    (pending,) = make_plan([tmp_path], tmp_path / "l", addressing).pending
    landing.write(replace(not_analyzed("a"), recording=pending.recording), tmp_path / "l")
    landing.erase(tmp_path / "l", Selection(calls=frozenset({"a"})))
    plan = make_plan([tmp_path / "a.wav"], tmp_path / "l", addressing)
    assert (plan.pending, plan.unchanged) == ((), ())
    assert plan.forgotten == (pending.path,)


def test_what_a_power_cut_left_is_erased_by_the_next_time(folder: Path) -> None:
    landing.erase(folder / "w.landing", Selection(customers=frozenset({MARKS[1]})))
    assert landing.is_unfinished(folder / "w.landing")  # the warehouse still has it
    assert MARKS[0] in holding(folder, *MARKS)
    assert forget(folder, "--customer", MARKS[1])["calls"] == 0
    assert holding(folder, *MARKS) == set()
    assert not landing.is_unfinished(folder / "w.landing")

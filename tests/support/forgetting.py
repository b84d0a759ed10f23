"""A place with calls to forget, `warmline forget` in it, and what is left in its bytes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
from click.testing import Result
from typer.testing import CliRunner

from support.factories import call, cue, definitions_of
from support.marked import MARKS, evaluation
from support.warehouses import read_rows
from warmline import landing
from warmline.cli import app
from warmline.landing.feedback import write_evaluation
from warmline.pipeline.stages import all_measures
from warmline.query.reviews import Judgement, Verdict, review_cue
from warmline.warehouse.outcomes import load_outcomes
from warmline.warehouse.publishing import publish


def publish_three(tmp_path: Path) -> None:
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
    write_evaluation(evaluation(meant, MARKS[2]), tmp_path / "w.landing")
    write_evaluation(evaluation(others, "of ben"), tmp_path / "w.landing")
    (tmp_path / "o.csv").write_text(
        f"customer_id,date,nps\n{MARKS[1]},2026-11-20,3\nben,2026-11-20,9\n"
    )
    load_outcomes(tmp_path / "o.csv", tmp_path / "w.landing", tmp_path / "w.duckdb", definitions)


def forget(folder: Path, *options: str) -> dict[str, object]:
    place = ["--warehouse", str(folder / "w.duckdb"), "--yes", "--json"]
    home = {"PREFECT_HOME": str(folder / "prefect")}
    done = CliRunner().invoke(app, ["forget", *options, *place], env=home)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def command(folder: Path, *words: object, **home: str) -> Result:
    place = ["--warehouse", str(folder / "w.duckdb")]
    env = {"PREFECT_HOME": str(folder / "prefect"), **home}
    return CliRunner().invoke(app, [*map(str, words), *place], env=env)


def republish(folder: Path) -> None:
    publish(folder / "w.landing", folder / "w.duckdb", all_measures())


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
    found = read_rows(folder / "w.duckdb", "SELECT call_id FROM calls ORDER BY 1")
    return [name for (name,) in found]

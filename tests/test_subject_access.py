"""All that is kept of a customer, and nothing of anybody else."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from support.factories import ANALYZED_AT, call, cue, definitions_of, measured, without_analysis
from support.marked import evaluation
from support.once import Once
from warmline import landing
from warmline.cli import app
from warmline.files import Places
from warmline.landing.feedback import write_evaluation
from warmline.pipeline.stages import all_measures
from warmline.privacy.subject_access import collect
from warmline.query.reviews import Judgement, Verdict, review_cue
from warmline.reports.report import in_markdown
from warmline.values import Redaction
from warmline.warehouse.outcomes import load_outcomes
from warmline.warehouse.publishing import publish

SAYS = [("B", 0.0, 2.0, "how can I help"), ("A", 3.0, 6.0, "I am worried xylocarp [card]")]


def publish_subjects(tmp_path: Path) -> None:
    hidden = (Redaction(5.0, 6.0, "A", "card", 0),)
    known = {"customer_id": "anna", "reason": "invoice quillwort"}
    cues = [cue(1, 3.0, 6.0, "I am worried xylocarp")]
    one = replace(
        call("c1", says=SAYS, cues=cues, metrics=[measured("dead_air_s", None, 2.5)], **known),
        redactions=hidden,
    )
    refused = without_analysis("c2")
    refused = replace(refused, metadata=replace(refused.metadata, customer_id="anna"))
    other = call("c3", says=[("B", 0.0, 2.0, "good morning zanthoxyl")], customer_id="ben")
    for analysis in (one, refused, other):
        landing.write(analysis, tmp_path / "w.landing")
    publish(tmp_path / "w.landing", tmp_path / "w.duckdb", definitions_of([one]))
    judgement = Judgement("kim", Verdict.RIGHT, "well heard")
    review_cue(tmp_path / "w.duckdb", tmp_path / "w.landing", "c1", 3.0, judgement)
    for each, note in ((one, "evaluated so"), (other, "zanthoxyl")):
        write_evaluation(evaluation(each, note), tmp_path / "w.landing")
    outcomes = tmp_path / "o.csv"
    lines = ("customer_id,call_id,date,nps", "anna,,2026-11-20,3", ",c1,,7", "ben,,2026-11-20,9")
    outcomes.write_text("\n".join(lines) + "\n")
    load_outcomes(outcomes, tmp_path / "w.landing", tmp_path / "w.duckdb", all_measures())
    landing.write(call("c4", customer_id="anna", analyzed_at=ANALYZED_AT), tmp_path / "w.landing")


@pytest.fixture
def folder(once: Once, tmp_path: Path) -> Path:
    """Two published calls of anna, one refused, one landed since; one of ben."""
    return once.copied("subject-access", publish_subjects, tmp_path)


def access(folder: Path, *words: str) -> Result:
    place = ["--warehouse", str(folder / "w.duckdb"), "--to", str(folder / "out")]
    return CliRunner().invoke(app, ["subject-access", *words, *place])


def test_everything_of_a_customer_is_in_two_private_files(folder: Path) -> None:
    done = access(folder, "--customer", "anna")
    assert done.exit_code == 0, done.output
    content = (folder / "out" / "customer.json").read_text(encoding="utf-8")
    found = json.loads(content)
    published = {c["call_id"]: c["is_published"] for c in found["calls"]}
    assert published == {"c1": True, "c2": True, "c4": False}
    kept = next(c["kept"] for c in found["calls"] if c["call_id"] == "c1")
    assert "xylocarp" in str(kept["transcript"])
    assert kept["redactions"][0]["kind"] == "card"
    assert kept["recording"]["path"]
    assert sorted(row["value"] for row in found["outcomes"]) == [3.0, 7.0]
    assert [row["reason"] for row in found["reviews"]] == ["well heard"]
    assert [row["answers"][1]["note"] for row in found["evaluations"]] == ["evaluated so"]
    tables = found["rows_of_the_warehouse"]
    assert {row["call_id"] for rows in tables.values() for row in rows} == {"c1", "c2"}
    assert tables["metrics"][0]["value"] == 2.5
    page = (folder / "out" / "customer.txt").read_text(encoding="utf-8")
    for said in (
        "I am worried xylocarp [card]",
        "quillwort",
        "dead_air_s = 2.5",
        "well heard",
        "evaluated so",
    ):
        assert said in page
    for text in (content, page):
        assert "zanthoxyl" not in text
        assert "ben" not in text
    assert stat.S_IMODE((folder / "out").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder / "out").iterdir()}
    assert modes == {0o600}


def test_reports_that_name_a_call_are_found_whatever_it_is_called(tmp_path: Path) -> None:
    """Markdown escapes what would be read as a mark, as in the second name of an id."""
    warehouse = tmp_path / "calls[1].duckdb"
    named = call("refund *urgent*", customer_id="anna")
    landing.write(named, tmp_path / "w.landing")
    publish(tmp_path / "w.landing", warehouse, definitions_of([named]))
    (tmp_path / "reports").mkdir()
    for name in ("calls[1]", "calls1"):
        report = tmp_path / "reports" / f"{name}-2026-11-20.md"
        report.write_text(f"| {in_markdown('refund *urgent*')} | 3.0 |\n")
    found = collect(Places(tmp_path / "w.landing", warehouse), ["anna"]).reports
    assert [Path(path).name for path in found] == ["calls[1]-2026-11-20.md"]


def test_a_customer_of_whom_nothing_is_kept_is_an_error_with_the_nearest(folder: Path) -> None:
    refused = access(folder, "--customer", "Anna")
    assert refused.exit_code == 1
    assert "nothing is stored about it, but of 'anna'" in " ".join(refused.output.split())
    assert not (folder / "out").exists()
    assert access(folder, "--customer", "Anna", "--alike").exit_code == 0

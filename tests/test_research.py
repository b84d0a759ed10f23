"""Studies of a warehouse: whose rows they are of, what they say, and what they do not."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from support.factories import call, cue, definitions_of, measured, moment, without_analysis
from support.firms import Firm, world
from warmline import landing
from warmline.cli import app
from warmline.errors import QueryError, SettingsError, WarehouseError
from warmline.research import Correction, Design, Effects
from warmline.research import sample as samples
from warmline.research.provenance import deidentified, provenance
from warmline.research.report import forest_png, write_report
from warmline.research.sample import Sample, attrition, lee_bounds, read_sample
from warmline.research.study import Study, as_dict, lead, run_study, study_of
from warmline.values import RoleName
from warmline.warehouse.outcomes import load_outcomes

MEASURES = ("answered_rate", "ownership", "reflections", "reasks")
DESIGN = Design(measures=MEASURES[:3], min_n=60)


def day(number: int) -> datetime:
    return datetime(2026, 11, number, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few calls whose rows can be worked out by hand."""
    folder = tmp_path_factory.mktemp("small")
    metrics = [measured("reflections", "B", 3.0), measured("reflections", "A", 9.0)]
    says = [("B", 0.0, 2.0, "hello"), ("A", 2.0, 6.0, "my card is gone"), ("B", 6.0, 40.0, "ah")]
    upset = {"party": "A", "role": RoleName.CUSTOMER}
    rich = {
        "says": says,
        "metrics": metrics,
        "cues": [cue(1, 3.0, 4.0, "gone", strength=0.8)],
        "moments": [moment("complaint", 1, 3.0, 4.0, "gone", **upset)],
        "duration_s": 100.0,
    }
    analyses = [
        call("anna-1", customer_id="anna", agent_id="x", started_at=day(1), **rich),
        call("anna-2", customer_id="anna", agent_id="y", started_at=day(5)),
        call("ben-1", customer_id="ben", agent_id="x", started_at=day(2)),
        call("cleo-1", customer_id="cleo", agent_id="y", started_at=day(3)),
        call("played", customer_id="robot", started_at=day(3), is_simulated=True),
        without_analysis("broken"),
    ]
    for analysis in analyses:
        landing.write(analysis, folder / "l")
    (folder / "o.csv").write_text(
        "customer_id,date,retained,nps\n"
        "anna,2026-11-03,1,9\n"  # of anna-1
        "anna,2026-11-09,0,\n"  # of anna-2
        "anna,2026-11-10,,4\n"
        "ben,2026-11-04,1,8\n"
        "ben,2026-11-06,0,7\n"  # retained, then left: it is leaving that counts
        "cleo,2027-03-01,1,6\n"  # too late
        "dora,2026-11-09,1,5\n"  # never called
        "robot,2026-11-09,1,10\n"
    )
    load_outcomes(folder / "o.csv", folder / "l", folder / "w", definitions_of(analyses))
    return folder / "w"


def test_a_study_of_nothing_but_simulated_calls_says_how_to_ask_for_them(tmp_path: Path) -> None:
    landing.write(
        call("played", customer_id="robot", started_at=day(3), is_simulated=True), tmp_path / "l"
    )
    (tmp_path / "o.csv").write_text("customer_id,date,retained\nrobot,2027-03-01,1\n")
    load_outcomes(tmp_path / "o.csv", tmp_path / "l", tmp_path / "w", definitions_of([]))
    words = ["research", "retention", "--to", str(tmp_path / "r"), "--warehouse"]
    refused = CliRunner().invoke(app, [*words, str(tmp_path / "w")])
    assert refused.exit_code == 1
    assert "none of real calls, 1 of simulated ones; give --simulated" in refused.stderr


def test_a_plan_of_a_measure_that_is_not_there_is_refused(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    words = ["research", "plan", str(plan), "--measure"]
    refused = CliRunner().invoke(app, [*words, "answred_rate"])
    assert refused.exit_code == 1
    assert "no measure is named 'answred_rate'; did you mean answered_rate" in refused.stderr
    assert not plan.exists()
    assert CliRunner().invoke(app, [*words, "reflections"]).exit_code == 0


# Whose rows


def test_whoever_left_by_the_horizon_counts_0_and_whoever_was_seen_after_it_1(small: Path) -> None:
    sample = read_sample(small, Design(measures=("reflections",)))
    # Anna left 8 days after her first call and 4 after her second, Ben 4 days after his.
    assert sample.frame[["call_id", "outcome"]].to_numpy().tolist() == [
        ["anna-1", 0.0],
        ["cleo-1", 1.0],  # seen 118 days later: still there after 90
    ]
    assert sample.flow == {"the customer left within 7 days": 2, "simulated calls": 1}
    assert sample.total == 5 == len(sample.frame) + sum(sample.flow.values())
    assert sample.left_same_day == (0, 2)
    assert "weight" not in sample.frame


def test_a_sign_of_life_before_the_horizon_is_censored_and_not_a_customer_kept(small: Path) -> None:
    long = Design(measures=("reflections",), within_days=200, after_days=1)
    sample = read_sample(small, long)
    assert sample.frame[["call_id", "outcome"]].to_numpy().tolist() == [
        ["anna-1", 0.0],
        ["ben-1", 0.0],
        ["anna-2", 0.0],
    ]
    reason = "not heard of until 200 days after the call: others stand for them, by weight"
    assert sample.flow[reason] == 1
    # Cleo was lost last of all, so that nobody has to stand for her.
    assert sample.frame["weight"].tolist() == [1.0, 1.0, 1.0]


def test_reasons_can_be_left_out_and_a_landmark_beyond_the_horizon_is_refused(small: Path) -> None:
    sample = read_sample(small, Design(measures=("reflections",), excluded_reasons=("no such",)))
    assert len(sample.frame) == 2
    with pytest.raises(QueryError, match="--after-days 90 is not below --within-days 30"):
        read_sample(small, Design(within_days=30, after_days=90))


def test_the_first_rating_after_a_call_counts(small: Path) -> None:
    sample = read_sample(small, Design("nps", ("reflections",), since=date(2026, 11, 2)))
    assert sample.frame[["call_id", "outcome"]].to_numpy().tolist() == [
        ["ben-1", 8.0],
        ["anna-2", 4.0],
    ]
    assert sample.flow["of calls at another time"] == 1
    assert sample.spells is None
    played = read_sample(small, Design("nps", ("reflections",), is_simulated=True))
    assert played.frame["call_id"].tolist() == ["played"]


def test_measures_are_the_agents_and_the_opening_is_the_customers(small: Path) -> None:
    sample = read_sample(small, Design(measures=("reflections", "agent_talk_s")))
    rich, *others = sample.frame.to_dict("records")
    assert rich["reflections"] == 3.0
    assert np.isnan(rich["agent_talk_s"])
    assert (rich["opening_cues"], rich["opening_hostile"], rich["opening_friction"]) == (1, 1, 0)
    assert rich["log_duration"] == pytest.approx(np.log(100.0))
    assert all(np.isnan(other["reflections"]) for other in others)


def test_steadiness_loses_its_sign_by_either_name() -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE call_measures (agent_steadiness_level_db DOUBLE)")
        con.execute("CREATE TABLE metric_definitions AS SELECT 'steadiness_level_db' AS name")
        for name in ("agent_steadiness_level_db", "steadiness_level_db"):
            assert "abs(" in samples._measures(con, (name,))


def test_every_call_is_followed_until_the_customer_leaves_whatever_calls_come_between(
    small: Path,
) -> None:
    spells = read_sample(small, Design(measures=("reflections",), after_days=1)).spells
    assert spells is not None
    found = {row.call_id: (round(row.days, 2), row.outcome) for row in spells.itertuples()}
    assert found == {
        "anna-1": (7.5, 1.0),  # from a day after until the end of the 9th, when she left
        "anna-2": (3.5, 1.0),  # until the end of the 9th
        "ben-1": (3.5, 1.0),
        "cleo-1": (117.5, 0.0),  # until she was last seen
    }


@pytest.mark.parametrize(
    ("design", "said"),
    [
        (Design("nsp"), "no outcome is named 'nsp'; there are nps, retained"),
        (Design(measures=("answerd_rate",)), "'answerd_rate'; did you mean answered_rate"),
        (Design(measures=('x" FROM calls --',)), "no measure is named 'x\" FROM calls --'"),
        (Design(measures=("reflections",), controls=("mood",)), "no control is named 'mood'"),
    ],
)
def test_a_wrong_name_is_refused_in_one_line(small: Path, design: Design, said: str) -> None:
    with pytest.raises(QueryError, match=re.escape(said)) as refused:
        read_sample(small, design)
    assert "\n" not in str(refused.value)


def test_a_warehouse_without_outcomes_says_what_to_do(tmp_path: Path) -> None:
    from warmline.warehouse.publishing import publish

    with pytest.raises(WarehouseError, match="no warehouse here"):
        read_sample(tmp_path / "w", DESIGN)
    publish(tmp_path / "l", tmp_path / "w", ())
    with pytest.raises(QueryError, match=r"no outcomes are loaded; `warmline outcomes load"):
        read_sample(tmp_path / "w", DESIGN)


def test_too_few_rows_give_reasons_and_a_report_all_the_same(small: Path, tmp_path: Path) -> None:
    study = run_study(small, Design(measures=("reflections",)))
    assert study.associations[0].reason.startswith(
        "only 1 call has all that this needs, and it takes at least 100 (reflections is missing in "
    )
    assert lead(study).startswith("Nothing can be said of retained")
    page, *pictures = write_report(study, tmp_path)
    assert pictures == []
    assert "only 1 call has all that this needs" in page.read_text()


# What is said


@pytest.fixture(scope="module")
def study(studied: Firm) -> Study:
    return run_study(studied.warehouse, DESIGN)


def test_skill_and_state_make_answering_look_better_than_it_is(study: Study) -> None:
    found = study.associations[0]
    assert found.raw and found.adjusted
    assert found.raw.value > 0.08
    assert found.adjusted.low <= 0.0 <= found.adjusted.high  # nothing was planted
    assert found.adjusted.value < found.raw.value / 2
    assert found.missing == {"answered_rate": 20}  # one call in nine shows no feeling
    assert study.clear == ()
    assert lead(study).startswith("None of 3 measures is clearly associated with retained")


def test_the_page_needs_nothing_else_and_claims_no_cause(study: Study, tmp_path: Path) -> None:
    page, *pictures = write_report(study, tmp_path)
    assert [p.name for p in pictures] == ["forest.png", "dose_response.png", "survival.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in pictures)
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 3
    assert not re.findall(r"(?:src|href)=['\"](?!data:|#)", text)
    assert "associated with" in text.lower()
    assert "What could confound it" in text
    assert "loyal the customer was" in text
    for word in ("causes", "because of", "leads to", "improves", "proves"):
        assert word not in text
    for table in re.findall(r"<table>.*?</table>", text):
        assert len({_width(row) for row in re.findall(r"<tr.*?</tr>", table)}) == 1
    assert "Held equal: contact_reason, duration, queue, opening, month." in text
    assert "agent-3" not in text  # no one agent is judged
    assert "answered_rate 20" in text  # what is missing


def _width(row: str) -> int:
    spans = [int(n) - 1 for n in re.findall(r"colspan='(\d+)'", row)]
    return len(re.findall(r"<t[hd]", row)) + sum(spans)


def test_a_clear_association_is_said_with_its_interval() -> None:
    frame = world(3, 0.12, is_confounded=False, agents=15, each=40)
    frame["started_at"] = datetime(2026, 6, 1)
    frame["other"] = np.random.default_rng(4).normal(size=len(frame))
    design = Design(measures=("m", "other"), controls=("opening",))
    found = study_of(Sample(frame, len(frame), "calls", {}), design)
    assert [a.measure for a in found.clear] == ["m"]
    e = found.clear[0].adjusted
    assert e is not None and e.low > 0
    assert lead(found) == (
        "1 of 2 measures is associated with retained within agents, the controls held equal: "
        f"m ({e.value * 100:+.2g} percentage points with {found.clear[0].sd:.2g} more of it, 95% "
        f"interval {e.low * 100:+.2g} to {e.high * 100:+.2g}). Measures are used as recognised: "
        "random errors of recognition hide associations, and a real one may look several "
        "times smaller than it is."
    )
    bare = study_of(
        Sample(frame, len(frame), "calls", {}),
        replace(design, effects=Effects.NONE, controls=()),
    )
    assert "retained over all calls, whoever took them, nothing held equal" in lead(bare)
    assert forest_png(found) is not None
    numbers = json.loads(json.dumps(as_dict(found), default=str, allow_nan=False))
    assert numbers["associations"][0]["adjusted"]["value"] == e.value
    assert numbers["not_controlled"] == found.not_controlled


def test_what_a_reader_has_to_know_is_said(study: Study, studied: Firm) -> None:
    said = " ".join(study.cautions)
    assert "There are few agents" in said
    assert "opening_hostile" in said and "not held equal: each is the same in all calls" in said
    other = run_study(studied.warehouse, Design(measures=MEASURES[:1], effects=Effects.RANDOM))
    assert any("compared with each other, too" in c for c in other.cautions)


def test_a_missing_library_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Callable[[str], Any] = samples.importlib.util.find_spec
    monkeypatch.setattr(
        samples.importlib.util, "find_spec", lambda n: None if n == "lifelines" else found(n)
    )
    with pytest.raises(SettingsError, match=r"lifelines: pip install 'warmline\[research\]'"):
        samples.require_libraries()


# The commands


def warmline(firm: Firm, *words: object) -> Any:
    arguments = [str(word) for word in words]
    return CliRunner().invoke(app, [*arguments, "--warehouse", str(firm.warehouse)])


def test_the_command_writes_a_report_and_prints_what_was_found(
    studied: Firm, tmp_path: Path
) -> None:
    words = [word for m in MEASURES for word in ("--measure", m)]
    done = warmline(studied, "research", "retention", *words, "--min-n", 60, "--to", tmp_path)
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "None of 3 measures is clearly associated with retained" in text
    assert "reasks: no call has all that this needs, and it takes at least 60 (reasks is" in text
    assert "In words: with" in text and "more of answered_rate, calls of one agent" in text
    assert "percentage points" in text and "clear of chance" in text
    assert "per SD" not in text and " p " not in text
    assert "each is the same in all calls" in text
    assert {p.name for p in tmp_path.iterdir()} == {
        *("report.html", "results.json", "forest.png", "dose_response.png", "survival.png"),
    }


def test_measures_of_the_default_that_no_call_has_are_a_sentence_each(
    studied: Firm, tmp_path: Path
) -> None:
    done = warmline(studied, "research", "retention", "--min-n", 60, "--to", tmp_path)
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "empathy_to_action: no call has" in text
    assert "(empathy_to_action is missing in " in text
    for command in (("reliability",), ("research", "training", _trained(tmp_path))):
        other = warmline(studied, *command)
        assert other.exit_code == 0, other.output
        assert "empathy_to_action: " in other.output
    wrong = warmline(studied, "reliability", "--measure", "empathy_to_acton")
    assert wrong.exit_code == 1 and "no measure is named" in wrong.output


def _trained(folder: Path) -> Path:
    path = folder / "trained.csv"
    path.write_text("agent_id,date\nagent-0,2026-07-01\nagent-1,2026-07-01\n")
    return path


def test_the_command_prints_json_of_another_outcome(studied: Firm, tmp_path: Path) -> None:
    done = warmline(
        *(studied, "research", "retention", "--outcome", "nps", "--measure", "ownership"),
        *("--control", "queue", "--effects", "none", "--correction", "holm", "--min-n", 50),
        *("--until", "2026-07-10", "--to", tmp_path, "--json"),
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["design"]["controls"] == ["queue"]
    assert found["design"]["correction"] == Correction.HOLM.value
    assert found["associations"][0]["n"] == found["rows"] < 180
    assert found["hazards"] == []
    assert found["left_out"] == {"of calls at another time": 180 - found["rows"]}


def test_the_command_refuses_what_is_not_there(studied: Firm, tmp_path: Path) -> None:
    unknown = warmline(studied, "research", "retention", "--outcome", "joy", "--to", tmp_path)
    assert unknown.exit_code == 1
    assert "no outcome is named 'joy'; there are nps, retained" in " ".join(unknown.output.split())
    both = warmline(studied, "research", "retention", "--control", "none", "--control", "queue")
    assert "--control none stands alone" in both.output


def test_the_command_says_how_many_calls_it_takes(studied: Firm) -> None:
    given = ("research", "power", "--effect", 0.02, "--base-rate", 0.8)
    alike = ("--icc-outcome", 0, "--icc-measure", 0, "--weeks", 0, "--balance", 1)
    found = json.loads(warmline(studied, *given, *alike, "--json").stdout)
    assert found["independent"] == 3140  # 7.849 * 0.16 / 0.0004
    # Of some 18 agents, by Student's t with 17 degrees of freedom, some 400 more.
    assert 3400 < found["pooled"] < found["within"] < 3700
    said = warmline(studied, *given)
    text = " ".join(said.output.split())
    assert "calls of 22 agents, compared with themselves" in text
    assert "5% of the variation in outcomes is between agents (--icc-outcome)" in text
    assert "per SD" not in text and "A step is how much calls usually differ" in text
    few = " ".join(
        warmline(studied, *given[:2], "--effect", 0.1, "--base-rate", 0.8).output.split()
    )
    assert "With so few agents, how they differ is a guess" in few
    told = json.loads(warmline(studied, *given, "--json").stdout)["provenance"]
    assert told["command"].startswith("warmline research power --effect 0.02 --base-rate 0.8")
    assert told["made_at"] and told["warmline"] and told["data_sha256"] is None
    said = warmline(studied, "research", "power", "--calls", 3156, "--base-rate", 0.8)
    assert "In 80% of studies, 3,156 calls with outcome" in " ".join(said.output.split())
    assert warmline(studied, "research", "power").exit_code == 2
    bare = warmline(studied, "research", "power", "--effect", 0.02)
    assert "how the outcome differs is not known" in " ".join(bare.output.split())


def test_a_plan_is_taken_from_the_warehouse(studied: Firm) -> None:
    asked = ("research", "power", "--effect", 0.05, "--outcome", "retained", "--json")
    found = json.loads(warmline(studied, *asked).stdout)
    assert found["usable"] == pytest.approx(160 / 180)
    assert found["calls_per_agent"] == pytest.approx(160 / 6)
    assert 0.45 < found["outcome_sd"] <= 0.51
    # Four cues a call: half and more of what calls differ by is luck.
    assert 0.05 <= found["reliability"] < 0.6
    assert found["icc_measure"] > 0.05
    assert json.loads(warmline(studied, *asked, "--icc-measure", 0.5).stdout)["icc_measure"] == 0.5
    none = warmline(studied, *asked, "--measure", "reasks")
    assert "0 calls have retained, reasks and the controls" in " ".join(none.output.split())


def test_the_help_of_research_loads_nothing_heavy() -> None:
    script = (
        "import sys; import warmline.cli.research; "
        "print([m for m in ('pandas', 'statsmodels', 'lifelines', 'matplotlib', 'scipy') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


# Plans


def test_a_study_from_its_plan_is_the_same_to_the_byte_but_for_the_date(
    studied: Firm, tmp_path: Path
) -> None:
    options = [word for m in MEASURES[:2] for word in ("--measure", m)]
    options += ["--min-n", "60", "--control", "queue", "--within-days", "80"]
    plan = tmp_path / "plan.json"
    frozen = CliRunner().invoke(app, ["research", "plan", str(plan), *options])
    assert frozen.exit_code == 0, frozen.output
    typed = warmline(studied, "research", "retention", *options, "--to", tmp_path / "a")
    planned = warmline(studied, "research", "retention", "--plan", plan, "--to", tmp_path / "b")
    assert (typed.exit_code, planned.exit_code) == (0, 0), planned.output
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == sorted(p.name for p in (tmp_path / "b").iterdir())
    for name in names:
        one, two = ((tmp_path / folder / name).read_bytes() for folder in "ab")
        assert _undated(one) == _undated(two), name
    digest = json.loads(plan.read_text())["sha256"]
    page = (tmp_path / "b" / "report.html").read_text()
    assert digest[:16] in page and digest[:16] in frozen.output
    assert "--within-days 80" in page and "Not as planned" not in page
    assert "Versions of the measures&#x27; definitions: answered_rate " in page


def _undated(content: bytes) -> bytes:
    for pattern in (rb"Made at [-0-9]+ [:0-9]+ UTC", rb'"made_at": "[^"]+"'):
        content = re.sub(pattern, b"", content)
    return content


def test_what_was_not_planned_is_marked_and_a_changed_plan_refused(
    studied: Firm, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    CliRunner().invoke(app, ["research", "plan", str(plan), "--measure", "ownership"])
    again = CliRunner().invoke(app, ["research", "plan", str(plan)])
    assert again.exit_code == 1 and "a plan is not written over" in " ".join(again.output.split())
    done = warmline(
        *(studied, "research", "retention", "--plan", plan, "--measure", "answered_rate"),
        *("--min-n", 60, "--to", tmp_path / "r"),
    )
    text = " ".join(done.output.split())
    assert "Not as planned: measures is answered_rate, planned was ownership" in text
    assert "min_n is 60, planned was 100" in text
    found = json.loads((tmp_path / "r" / "results.json").read_text())
    assert len(found["provenance"]["not_planned"]) == 2
    plan.write_text(plan.read_text().replace("90.0", "30.0"))
    changed = warmline(studied, "research", "retention", "--plan", plan, "--to", tmp_path / "r")
    assert changed.exit_code == 1
    assert "it was changed after it was frozen" in " ".join(changed.output.split())
    plan.write_text("{}")
    none = warmline(studied, "research", "retention", "--plan", plan)
    assert "not a plan, which `warmline research plan` writes" in " ".join(none.output.split())


def test_the_digest_of_the_data_changes_with_them(studied: Firm, small: Path) -> None:
    one, same = (provenance(studied.warehouse, DESIGN) for _ in range(2))
    assert one.data_sha256 == same.data_sha256 != provenance(small, DESIGN).data_sha256
    assert one.definitions["answered_rate"] >= 1
    assert one.design_sha256 != provenance(small, replace(DESIGN, min_n=61)).design_sha256


# The table that may leave the house


def test_the_export_names_nobody_and_has_a_codebook(studied: Firm, tmp_path: Path) -> None:
    done = warmline(studied, "research", "export", tmp_path / "out", "--measure", "answered_rate")
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "out" / "calls.csv", na_values="", keep_default_na=False)
    book = pd.read_csv(tmp_path / "out" / "codebook.csv", keep_default_na=False)
    assert list(table.columns) == list(book["name"])
    text = (tmp_path / "out" / "calls.csv").read_text()
    for private in ("agent-", "customer-", "call-", "2026-06-0"):
        assert private not in text
    sample = read_sample(studied.warehouse, Design(measures=("answered_rate",)))
    # The same rows: each agent's calls and outcomes are there, under another name.
    before = sample.frame.groupby("agent_id")["outcome"].agg(["size", "sum"])
    after = table.groupby("agent")["outcome"].agg(["size", "sum"])
    assert sorted(map(tuple, before.to_numpy().tolist())) == sorted(
        map(tuple, after.to_numpy().tolist())
    )
    row = book.set_index("name").loc["answered_rate"]
    assert (row["unit"], int(row["missing"])) == ("1", table["answered_rate"].isna().sum())
    assert int(row["version"]) == 1 and row["definition"].startswith("answered_rate as")
    assert "Digest of the design" in (tmp_path / "out" / "README.txt").read_text()
    again = warmline(studied, "research", "export", tmp_path / "out", "--measure", "ownership")
    assert again.exit_code == 1 and "name another folder" in again.output


def test_rare_words_are_taken_together_and_ids_are_new_each_time(studied: Firm) -> None:
    frame = read_sample(studied.warehouse, DESIGN).frame
    frame.loc[frame.index[:9], "queue"] = "of the managing director"
    one, two = (deidentified(frame, DESIGN) for _ in range(2))
    assert set(one["queue"]) == {"billing", "orders", "(rare)"}
    assert set(one["customer"]) == set(two["customer"])
    assert one["customer"].tolist() != two["customer"].tolist()


# Who is missing


def test_lees_bounds_by_hand() -> None:
    """All of 40 calls with more are followed, 30 of 40 with less: a quarter is trimmed."""
    values = np.repeat([1.0, 0.0], 40)
    outcome = np.concatenate([np.arange(40.0), np.full(30, 10.0), np.full(10, np.nan)])
    agents = np.tile(np.arange(8), 10)
    found = lee_bounds("m", values, outcome, agents)
    assert found
    assert (found.followed_more, found.followed_less) == (1.0, 0.75)
    assert found.difference == 19.5 - 10
    # The lowest 30 of the 40 have the mean 14.5, the highest 24.5.
    assert (found.low, found.high) == (4.5, 14.5)
    assert found.surely_low < found.low and found.high < found.surely_high
    turned = lee_bounds("m", -values, outcome, agents)
    assert turned and (turned.low, turned.high) == (-14.5, -4.5)
    alike = lee_bounds("m", values[:70], outcome[:70], agents[:70])
    assert alike and alike.low == alike.difference == alike.high
    assert lee_bounds("m", values[:50], outcome[:50], agents[:50]) is None


def test_calls_without_an_outcome_that_are_others_are_told(studied: Firm) -> None:
    study = run_study(studied.warehouse, DESIGN)
    assert study.attrition == ()  # every call has the outcome
    late = run_study(studied.warehouse, replace(DESIGN, outcome="nps", within_days=30))
    assert {a.what for a in late.attrition} >= {"log_duration", "opening_cues"}
    assert late.bounds
    assert all(bound.low <= bound.difference <= bound.high for bound in late.bounds)
    upset = np.repeat([0.0, 1.0], 50)
    frame = pd.DataFrame(dict.fromkeys(("opening_cues", "opening_hostile"), upset))
    frame["opening_friction"], frame["opening_rate_words_per_s"] = 0.0, np.nan
    told = attrition(
        frame, np.tile([True] * 4 + [False], 20) & (upset == 0) | (upset == 1), ["opening"]
    )
    assert told == ()  # ten calls without the outcome are too few to say
    told = attrition(frame, np.arange(100) < 60, ["opening"])
    assert told[0].apart == pytest.approx((10 / 60 - 1.0) / 0.5)


def test_what_goes_with_a_negative_control_is_marked(studied: Firm, tmp_path: Path) -> None:
    words = ("research", "retention", "--measure", "answered_rate", "--min-n", 60)
    words = (*words, "--effects", "none", "--control", "none", "--negative-control", "nps")
    done = warmline(studied, *words, "--to", tmp_path)
    text = " ".join(done.output.split())
    # Skill moves both in this firm, and nothing is held equal.
    assert "answered_rate goes with nps, too, which a call cannot have changed" in text
    page = (tmp_path / "report.html").read_text()
    assert "nps, which a call cannot have changed" in page
    assert "--negative-control nps" in page
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["negative_controls"]["nps"][0]["measure"] == "answered_rate"
    assert "p" not in found["dose_response"][0]["parts"][0]["adjusted"], "of a level there is none"
    itself = warmline(studied, *words, "--outcome", "nps", "--to", tmp_path)
    assert itself.exit_code == 1 and "that is the outcome of the study" in itself.output

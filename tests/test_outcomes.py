"""What became of customers: every line of a file is accounted for, and nothing is lost."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from support.factories import call, sha, without_analysis
from warmline import landing
from warmline.cli import app
from warmline.errors import MetadataError
from warmline.landing.feedback import outcome_files
from warmline.warehouse.outcomes import OutcomeReport, load_outcomes, read_outcome_table, read_value
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import check_warehouse


def day(number: int, hour: int = 9) -> datetime:
    """A day of November 2026, UTC."""
    return datetime(2026, 11, number, hour, tzinfo=UTC)


def land(folder: Path, name: str, customer: str, number: int, **more: Any) -> None:
    landing.write(call(name, customer_id=customer, started_at=day(number), **more), folder / "l")


def csv(folder: Path, *lines: str, name: str = "o.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def load(folder: Path, *lines: str, name: str = "o.csv", **options: Any) -> OutcomeReport:
    return load_outcomes(csv(folder, *lines, name=name), folder / "l", folder / "w", (), **options)


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(folder / "w"), read_only=True) as con:
        return con.execute(sql).fetchall()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Anna calls on the 2nd and the 10th, Ben on the 5th; Cleo's call could not be analyzed."""
    land(tmp_path, "anna-1", "anna", 2)
    land(tmp_path, "anna-2", "anna", 10)
    land(tmp_path, "ben-1", "ben", 5)
    landing.write(without_analysis("cleo-1"), tmp_path / "l")
    return tmp_path


# Reading


def values(table_path: Path, zone: Any = UTC) -> list[tuple[Any, ...]]:
    table = read_outcome_table(table_path, zone)
    return [(line.customer_id, line.name, line.value, line.text) for line in table.lines]


def test_long_and_wide_say_the_same(tmp_path: Path) -> None:
    long = csv(
        tmp_path,
        "customer_id,date,outcome,value",
        "anna,2026-11-20,churned,no",
        "anna,2026-11-20,NPS,9",
        "ben,2026-11-21,churned,yes",
        name="long.csv",
    )
    wide = csv(
        tmp_path,
        "Customer ID;Date;Churned;NPS",
        "anna;2026-11-20;no;9",
        "ben;2026-11-21;yes;",
        name="wide.csv",
    )
    words = csv(
        tmp_path,
        "customer,date,outcome",
        "anna,2026-11-20,retained",
        "ben,2026-11-21,churned",
        name="words.csv",
    )
    expected = [
        ("anna", "retained", 1.0, None),
        ("anna", "nps", 9.0, None),
        ("ben", "retained", 0.0, None),
    ]
    assert values(long) == expected
    assert values(wide) == expected
    assert values(words) == [expected[0], expected[2]]
    assert read_outcome_table(wide, UTC).empty == 1


def test_anything_else_is_kept_as_a_number_or_as_text(tmp_path: Path) -> None:
    path = csv(tmp_path, "customer_id,date,upgrade EUR,said", "anna,2026-11-20,12.5,would return")
    assert values(path) == [
        ("anna", "upgrade_eur", 12.5, None),
        ("anna", "said", None, "would return"),
    ]


def test_a_day_is_the_customers_day(tmp_path: Path) -> None:
    path = csv(tmp_path, "customer_id,date,nps", "a,2026-11-20,9", "b,2026-11-20T09:00,8")
    whole, moment = read_outcome_table(path, ZoneInfo("Europe/Berlin")).lines
    assert (whole.occurred_at, whole.is_whole_day) == (datetime(2026, 11, 19, 23), True)
    assert (moment.occurred_at, moment.is_whole_day) == (datetime(2026, 11, 20, 8), False)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["customer_id,nps", "a,9"], r"line 1: no column 'date'; there are customer_id, nps"),
        (["who,date,nps", "a,2026-11-01,9"], r"line 1: no column 'customer_id' or 'call_id'"),
        (["customer_id,date", "a,2026-11-01"], r"line 1: no outcome: neither columns 'outcome'"),
        (["customer_id,date,nps,NPS", "a,2026-11-01,9,9"], "line 1: two columns are called 'NPS'"),
        (["customer_id,date,,nps", "a,2026-11-01,9,9"], r"line 1: column 3 has no name"),
        (["customer_id,date,nps"], r"a heading, but no lines below it"),
        (['"a'], r"line 1: not readable as CSV"),
        (["customer_id,date,nps", "a,2026-11-01"], r"line 2, 2 values for 3 columns"),
        (["customer_id,date,nps", "a,01/02/2026,9"], r"line 2, column 'date': '01/02/2026' is not"),
        (["customer_id,date,nps", "a,,9"], r"line 2, column 'date': empty: it must give the date"),
        (["customer_id,date,nps", ",2026-11-01,9"], r"line 2, column 'customer_id': empty"),
        (["customer_id,date,nps", "a,2026-11-01,11"], r"line 2, column 'nps': 11 is not between 0"),
        (["customer_id,date,nps", "a,2026-11-01,9o"], r"line 2, column 'nps': '9o' is not a num"),
        (["customer_id,date,churned", "a,2026-11-01,2"], r"column 'churned': 2 is not 0 or 1"),
        (["customer_id,date,churned", "a,2026-11-01,maybe"], r"'maybe' is not 0 or 1 .no or"),
        (["customer_id,date,outcome", "a,2026-11-01,nps"], r"column 'outcome': 'nps' needs a val"),
        (
            ["customer_id,date,outcome,value", "a,2026-11-01,,9"],
            r"line 2, column 'outcome': empty",
        ),
        (
            ["customer_id,date,spend", "a,2026-11-01,9", "b,2026-11-01,lots"],
            r"line 3, column 'spend': 'lots' is no number; nothing was loaded",
        ),
        (
            ["customer_id,date,nps", "a,2026-11-01,9", "b,2026-11-01,9", "a,2026-11-01,8"],
            r"line 2, column 'nps': not what line 4 says .* \(1 more\); nothing was loaded",
        ),
        (
            ["customer_id,date,nps", "a,2026-11-01,9", "b,soon,9", "c,soon,9"],
            r"line 3, column 'date': 'soon' is not a time.* \(1 more\); nothing was loaded",
        ),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(
    tmp_path: Path, lines: Sequence[str], said: str
) -> None:
    with pytest.raises(MetadataError, match=said) as refused:
        load(tmp_path, *lines)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "w").exists()
    assert not (tmp_path / "l").exists()


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_cell_is_a_number_a_text_or_refused(name: str, text: str) -> None:
    try:
        value = read_value(name, text)
    except ValueError as e:
        assert "\n" not in str(e)
    else:
        assert isinstance(value, str) or value == value


@given(st.sampled_from(["0", "1", "yes", "no", "true", "false", "Churned", "retained"]))
def test_churned_is_retained_turned_round(text: str) -> None:
    turned = read_value("churned", text)
    straight = read_value("retained", text)
    assert isinstance(turned, float)
    says_itself = text.lower() in ("churned", "retained")
    assert turned == (straight if says_itself else 1 - float(straight))


@pytest.mark.parametrize(
    ("text", "value"), [("12,5", 12.5), ("-4,25", -4.25), ("4,5000", 4.5), ("a,b", "a,b")]
)
def test_a_decimal_comma_is_one(text: str, value: float | str) -> None:
    assert read_value("effort", text) == value


def test_a_comma_that_may_be_of_thousands_is_refused() -> None:
    with pytest.raises(ValueError, match="decimals or thousands; write a point"):
        read_value("spent", "1,234")


def test_a_semicolon_file_with_decimal_commas_holds_numbers(tmp_path: Path) -> None:
    table = csv(tmp_path, "customer_id;date;csat", "anna;2026-11-20;4,5")
    assert values(table) == [("anna", "csat", 4.5, None)]


def test_lines_that_contradict_each_other_are_left_out_and_correct_nothing(folder: Path) -> None:
    heading = "customer_id,date,churned"
    load(folder, heading, "anna,2026-11-12,no", name="first.csv")
    lines = ("anna,2026-11-12,yes", "ben,2026-11-12,no", "anna,2026-11-12,no")
    with pytest.raises(MetadataError, match="line 2, column 'churned': not what line 4 says"):
        load(folder, heading, *lines)
    report = load(folder, heading, *lines, skip_unreadable=True)
    assert (report.new, report.corrected, report.known) == (1, 0, 0)
    assert [line.line for line in report.unreadable] == [2, 4]
    told = rows(folder, "SELECT customer_id, value FROM outcomes ORDER BY customer_id")
    assert told == [("anna", 1.0), ("ben", 1.0)]


def test_what_may_not_be_meant_is_told(folder: Path) -> None:
    report = load(
        folder,
        "customer_id,date,chruned,comment,nps",
        "anna,2026-11-12,no,slow,9",
        "ben,2999-01-01,,,8",
    )
    assert report.doubts == (
        "chruned: an outcome of its own; was churned meant?",
        "comment: 1 in words, which no study can take as numbers; the first, in line 2, is 'slow'",
        "1 of a day that is still to come, and taken as known now; the first, in line 3, is "
        "2999-01-01",
    )


def test_a_customer_whose_id_is_written_otherwise_is_told(folder: Path) -> None:
    report = load(folder, "customer_id,date,nps", "ANNA,2026-11-12,9", "dora,2026-11-12,9")
    assert report.unmatched == {
        "no call of this customer": 1,
        "no call of this customer, but of one whose id differs in upper and lower case": 1,
    }


def test_outcomes_of_simulated_calls_are_told(folder: Path) -> None:
    land(folder, "played", "pia", 3, is_simulated=True)
    report = load(folder, "customer_id,date,nps", "pia,2026-11-12,9", "ben,2026-11-12,9")
    assert (report.matched, report.simulated) == (2, 1)


# Loading and matching


def test_every_outcome_is_counted_once(folder: Path) -> None:
    report = load(
        folder,
        "customer_id,date,churned,nps",
        "anna,2026-11-12,no,9",
        "anna,2026-11-12,no,9",
        "anna,2026-11-01,no,",
        "ben,2026-11-05,yes,soon",
        "cleo,2026-11-12,no,3",
        "dora,2026-11-12,no,",
        "dora,yesterday,no,",
        skip_unreadable=True,
    )
    assert (report.rows, report.empty, report.repeated) == (7, 3, 2)
    assert (report.new, report.corrected, report.known) == (7, 0, 0)
    assert report.names == {"retained": 5, "nps": 2}
    assert report.matched == 3
    assert report.unmatched == {"no call of this customer": 3, "only calls after it": 1}
    assert [(line.line, line.problem) for line in report.unreadable] == [
        (5, "column 'nps': 'soon' is not a number"),
        (
            8,
            "column 'date': 'yesterday' is not a time known here; write it as 2025-02-19T06:01:22Z",
        ),
    ]
    counted = report.new + report.repeated + len(report.unreadable) + report.empty
    assert counted == report.rows * 2
    assert rows(
        folder,
        "SELECT customer_id, name, value, call_id, round(days_after, 3) FROM outcome_calls "
        "WHERE call_id IS NOT NULL ORDER BY ALL",
    ) == [
        ("anna", "nps", 9.0, "anna-2", 2.625),
        ("anna", "retained", 1.0, "anna-2", 2.625),
        ("ben", "retained", 0.0, "ben-1", 0.625),
    ]
    assert rows(folder, "SELECT count(*) FROM landing.outcome_lines WHERE problem <> ''") == [(2,)]


def test_loading_again_changes_nothing_and_a_later_file_corrects(folder: Path) -> None:
    first = ("customer_id,date,nps", "anna,2026-11-12,9", "ben,2026-11-12,2")
    load(folder, *first)
    landed = outcome_files(folder / "l")
    again = load(folder, *first, name="the-same.csv")
    assert (again.new, again.known, again.matched) == (0, 2, 2)
    assert outcome_files(folder / "l") == landed
    later = load(folder, "customer_id,date,nps", "anna,2026-11-12,7", name="later.csv")
    assert (later.new, later.corrected, later.known) == (0, 1, 0)
    found = "SELECT customer_id, value, source, line FROM outcomes ORDER BY customer_id"
    assert rows(folder, found) == [("anna", 7.0, "later.csv", 2), ("ben", 2.0, "o.csv", 3)]
    back = load(folder, *first)
    assert (back.corrected, back.known) == (1, 1)
    assert rows(folder, found)[0] == ("anna", 9.0, "o.csv", 2)


def test_a_call_that_comes_later_is_matched_then_and_a_rebuild_loses_nothing(
    folder: Path,
) -> None:
    report = load(folder, "customer_id,date,nps", "dora,2026-11-12,9")
    assert (report.matched, report.unmatched) == (0, {"no call of this customer": 1})
    (folder / "w").unlink()
    land(folder, "dora-1", "dora", 11)
    publish(folder / "l", folder / "w", ())
    assert rows(folder, "SELECT call_id, value FROM outcome_calls") == [("dora-1", 9.0)]
    assert all(check.passed for check in check_warehouse(folder / "w"))
    assert not publish(folder / "l", folder / "w", ()).rebuilt


def test_a_call_can_be_named(folder: Path) -> None:
    report = load(folder, "call_id,csat", "anna-1,4", "nobody-1,5")
    assert (report.matched, report.unmatched) == (1, {"no analyzed call of this id": 1})
    assert rows(folder, "SELECT call_id, value, days_after FROM outcome_calls ORDER BY 2") == [
        ("anna-1", 4.0, None),
        (None, 5.0, None),
    ]


def test_an_id_that_two_calls_share_ties_an_outcome_to_neither(folder: Path) -> None:
    for audio, customer in (("one", "kim"), ("two", "lee")):
        shared = call("c-17", audio=audio, path=f"/{customer}.wav", customer_id=customer)
        landing.write(shared, folder / "l")
    one, two = (f"c-17~{sha(audio)[:8]}" for audio in ("one", "two"))
    report = load(folder, "call_id,csat", "c-17,1", f"{one},2", f"{two},3")
    assert (report.matched, report.unmatched) == (2, {"more than one call has this id": 1})
    found = (
        "SELECT o.value, c.customer_id FROM outcome_calls o JOIN calls c USING (call_id) ORDER BY 1"
    )
    assert rows(folder, found) == [(2.0, "kim"), (3.0, "lee")]


def test_a_damaged_file_of_outcomes_is_said_and_costs_no_row(folder: Path) -> None:
    load(folder, "customer_id,date,nps", "anna,2026-11-12,9")
    (file,) = outcome_files(folder / "l")
    path = folder / "l" / file.name
    path.write_bytes(path.read_bytes()[:-9])
    report = publish(folder / "l", folder / "w", ())
    assert list(report.unreadable) == [file.name]
    assert rows(folder, "SELECT count(*) FROM outcomes") == [(1,)]
    assert rows(folder, "SELECT path FROM failures WHERE status = 'unreadable'") == [(file.name,)]
    path.unlink()
    assert publish(folder / "l", folder / "w", ()).unreadable == {}
    assert rows(folder, "SELECT count(*) FROM outcomes") == [(0,)]


def test_the_opening_is_the_customers_first_quarter(tmp_path: Path) -> None:
    from support.factories import cue, moment
    from warmline.values import RoleName

    says = [
        ("B", 0.0, 2.0, "how can I help"),
        ("A", 2.0, 8.0, "again I am worried about my card"),
        ("B", 8.0, 30.0, "let me see"),
        ("A", 30.0, 40.0, "this is a stupid bank and I am sad"),
    ]
    customer = {"party": "A", "role": RoleName.CUSTOMER}
    opening = [
        moment("friction_repeat", 1, 2.0, 2.5, "again", **customer),
        moment("hostile", 3, 31.0, 32.0, "stupid", **customer),
    ]
    cues = [cue(1, 3.0, 5.0, "worried", strength=0.7), cue(3, 38.0, 40.0, "sad", strength=0.9)]
    land(tmp_path, "c", "anna", 2, says=says, cues=cues, moments=opening)
    publish(tmp_path / "l", tmp_path / "w", ())
    assert rows(tmp_path, "SELECT * FROM customer_opening") == [
        ("c", 10.0, 7, 7 / 6, 0.0, 1, 0.7, 0, 1)  # the first 10 of 40 s: one turn of 7 words in 6 s
    ]


# The command


def warmline(folder: Path, *words: object) -> Any:
    places = ["--landing", str(folder / "l"), "--warehouse", str(folder / "w")]
    return CliRunner().invoke(app, [*map(str, words), *places])


def test_the_command_reports_what_became_of_every_line(folder: Path) -> None:
    lines = ("customer_id,date,nps,", "anna,2026-11-12,9", "ben,2026-11-12,2", "x,2026-11-12,99")
    path = csv(folder, *(line.rstrip(",") for line in lines))
    refused = warmline(folder, "outcomes", "load", path)
    assert refused.exit_code == 1
    assert "line 4, column 'nps': 99 is not between 0 and 10" in " ".join(refused.output.split())
    said = warmline(folder, "outcomes", "load", path, "--skip-unreadable")
    assert said.exit_code == 0
    assert "2 matched to a call" in said.output
    assert "1 unreadable" in said.output
    found = json.loads(
        warmline(folder, "outcomes", "load", path, "--skip-unreadable", "--json").stdout
    )
    assert (found["known"], found["matched"], found["unreadable"][0]["line"]) == (2, 2, 4)

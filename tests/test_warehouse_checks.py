"""Each check is made to find something."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from support.factories import (
    definitions_of,
    sha,
)
from support.warehouses import put, rich
from warmline import landing
from warmline.analysis import Metric
from warmline.errors import WarehouseError
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import run_checks, sql_files


@contextmanager
def copied(sound: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse to break, which nobody reads afterwards."""
    shutil.copy(sound / "w.duckdb", tmp_path / "w.duckdb")
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("PRAGMA disable_checkpoint_on_shutdown")
        con.execute("SET threads = 1")  # waking a second takes longer than a table of few rows
        yield con


def found_by_checks(sound: Path, tmp_path: Path, statements: Sequence[str]) -> set[str]:
    """The names of the checks that find what these statements break."""
    with copied(sound, tmp_path) as con:
        for statement in statements:
            con.execute(statement)
        return {result.name for result in run_checks(con) if not result.passed}


CORRUPTIONS = {
    "analyses_have_landed": ["UPDATE calls SET content_sha256 = 'x' WHERE call_id = 'a'"],
    "answers_follow_their_cues": ["UPDATE facts.opportunities SET latency_s = -12.2"],
    "answered_rate_counts_the_ledger": [
        "UPDATE facts.opportunities SET answered = false WHERE call_no = 1"
    ],
    "call_ids_are_claimed_or_noted": ["UPDATE calls SET claimed_call_id = 'z' WHERE call_id = 'a'"],
    "calls_say_what_became_of_them": ["UPDATE calls SET reason = NULL WHERE call_id = 'broken'"],
    "every_call_can_be_searched": ["DELETE FROM search.calls WHERE call_no = 1"],
    "keys_are_unique": [
        "INSERT INTO facts.turns FROM facts.turns WHERE call_no = 1 AND turn_index = 1"
    ],
    "metrics_are_defined": ["UPDATE facts.metrics SET name = 'charm' WHERE name = 'dead_air_s'"],
    "missing_values_say_why": ["UPDATE facts.metrics SET reason = NULL"],
    "only_interruptions_succeed": ["UPDATE facts.speech_overlaps SET kind = 'backchannel'"],
    "outcomes_can_be_placed": [
        "INSERT INTO outcomes VALUES (NULL, NULL, 'nps', now(), true, 9, NULL, 'f', 2, now())"
    ],
    "parties_are_known": ["UPDATE facts.speech_segments SET party = 'Z' WHERE call_no = 1"],
    "recordings_are_counted_once": ["UPDATE calls SET path = 'same'"],
    "rows_belong_to_calls": ["DELETE FROM calls WHERE call_id = 'a'"],
    "shares_are_their_counts": [
        "UPDATE facts.metrics SET numerator = 0.5 WHERE name = 'answered_rate'",
        "UPDATE metric_definitions SET unit = 'share' WHERE name = 'answered_rate'",
    ],
    "shares_lie_between_0_and_1": ["UPDATE facts.words SET probability = 1.2 WHERE word_index = 0"],
    "summaries_agree_with_metrics": ["UPDATE facts.call_measures SET agent_interruptions = 9"],
    "summaries_count_every_call": ["DELETE FROM facts.customer_opening WHERE call_no = 1"],
    "the_ledger_is_of_known_people": [
        "UPDATE facts.turns SET role = 'agent' WHERE role = 'customer' AND call_no = 1"
    ],
    "times_lie_within_the_call": ["UPDATE facts.silences SET end_s = 1 WHERE call_no = 1"],
    "turns_are_known": ["UPDATE facts.quotes SET turn_index = 99"],
    "values_are_numbers": ["UPDATE facts.metrics SET value = 'nan' WHERE name = 'dead_air_s'"],
}
MORE_CORRUPTIONS = [
    ("every_call_can_be_searched", "UPDATE calls SET content_sha256 = 'x' WHERE call_id = 'a'"),
    ("every_call_can_be_searched", "DELETE FROM calls WHERE call_id = 'a'"),
    ("every_call_can_be_searched", "UPDATE search.calls SET call_no = 99 WHERE call_no = 1"),
    ("every_call_can_be_searched", "DELETE FROM search.postings WHERE turn_index = 2"),
    ("keys_are_unique", "INSERT INTO facts.metrics FROM facts.metrics WHERE name = 'dead_air_s'"),
    (
        "keys_are_unique",
        "INSERT INTO facts.parties FROM facts.parties WHERE call_no = 1 AND party = 'A'",
    ),
    ("keys_are_unique", "UPDATE facts.words SET word_index = word_index + 1 WHERE call_no = 1"),
    ("recordings_are_counted_once", "UPDATE calls SET audio_sha256 = 'same'"),
    ("calls_say_what_became_of_them", "UPDATE calls SET status = 'lost' WHERE call_id = 'a'"),
    ("times_lie_within_the_call", "UPDATE facts.turns SET end_s = 70 WHERE turn_index = 2"),
    ("times_lie_within_the_call", "UPDATE facts.words SET start_s = -1 WHERE word_index = 0"),
    ("times_lie_within_the_call", "UPDATE facts.floor_transfers SET at_s = 99"),
    (
        "shares_lie_between_0_and_1",
        "UPDATE facts.metrics SET coverage = 2 WHERE name = 'dead_air_s'",
    ),
    ("shares_lie_between_0_and_1", "UPDATE facts.opportunities SET strength = -1"),
    ("metrics_are_defined", "UPDATE facts.metrics SET party = 'A' WHERE name = 'dead_air_s'"),
    ("only_interruptions_succeed", "UPDATE facts.speech_overlaps SET entrant = holder"),
    ("rows_belong_to_calls", "UPDATE facts.quotes SET call_no = 99"),
    ("summaries_agree_with_metrics", "DELETE FROM facts.call_measures WHERE call_no = 1"),
    ("summaries_count_every_call", "UPDATE facts.customer_opening SET call_no = 99"),
    (
        "summaries_count_every_call",
        "INSERT INTO facts.customer_opening FROM facts.customer_opening",
    ),
    ("summaries_count_every_call", "UPDATE profile_totals SET calls = calls + 1"),
    ("the_ledger_is_of_known_people", "UPDATE calls SET no_ledger_reason = 'x'"),
    (
        "outcomes_can_be_placed",
        "INSERT INTO outcomes SELECT 'c', NULL, 'nps', TIMESTAMP '2026-11-01', true, i, NULL, 'f', "
        "i, now() FROM range(2) AS t (i)",
    ),
    ("values_are_numbers", "UPDATE facts.metrics SET numerator = 'inf' WHERE name = 'talk_share'"),
]


def test_every_check_is_tried() -> None:
    assert set(CORRUPTIONS) == {file.name for file in sql_files("checks")}


@pytest.mark.parametrize(
    ("name", "statements"), [*CORRUPTIONS.items(), *((n, [s]) for n, s in MORE_CORRUPTIONS)]
)
def test_a_check_finds_what_is_planted(
    sound: Path, tmp_path: Path, name: str, statements: Sequence[str]
) -> None:
    assert name in found_by_checks(sound, tmp_path, statements)


def test_after_a_night_the_checks_look_at_what_it_touched(tmp_path: Path) -> None:
    put(tmp_path, rich("a"))
    with pytest.raises(WarehouseError, match="check missing_values_say_why: 1 rows against it"):
        put(tmp_path, rich("b", metrics=[Metric("dead_air_s", None, None)]))
    landing.remove(tmp_path / "landing", [f"analyses/{sha('b')}"])
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("UPDATE facts.quotes SET turn_index = 99 WHERE call_no = 1")
    landing.write(rich("c"), tmp_path / "landing")
    known = definitions_of([rich("a")])
    assert publish(tmp_path / "landing", tmp_path / "w.duckdb", known).loaded == 1
    landing.write(rich("d"), tmp_path / "landing")
    with pytest.raises(WarehouseError, match="check turns_are_known"):
        publish(tmp_path / "landing", tmp_path / "w.duckdb", known[:-1])  # all is judged anew


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_is_planted_in_a_touched_call_is_found_after_a_night(
    sound: Path, tmp_path: Path, name: str
) -> None:
    with copied(sound, tmp_path) as con:
        con.execute("CREATE TEMP TABLE touched AS SELECT call_no FROM calls")
        for statement in CORRUPTIONS[name]:
            con.execute(statement)
        results = run_checks(con, whole=False)
        assert name in {result.name for result in results if not result.passed}


def test_checks_find_nothing_in_a_sound_warehouse(sound: Path, tmp_path: Path) -> None:
    assert found_by_checks(sound, tmp_path, []) == set()


def test_a_check_says_in_one_line_what_it_found(sound: Path, tmp_path: Path) -> None:
    with copied(sound, tmp_path) as con:
        con.execute("UPDATE facts.quotes SET turn_index = 99 WHERE call_no = 1")
        (found,) = [r for r in run_checks(con) if not r.passed]
    assert str(found) == (
        "turns_are_known: 1 rows against it, the first: "
        "column_name = quotes.turn_index, call_id = a, turn_index = 99"
    )
    assert "\n" not in str(found)

"""What is kept summed up: filled for what a night touched, and anew when its SQL is another."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from support.factories import STARTED_AT, call, definitions_of, sha
from support.firms import land_together
from support.warehouses import LATER, contents, put, rich, rows
from warmline import landing
from warmline.query.questions import ask_named
from warmline.warehouse import load
from warmline.warehouse.publishing import publish


def test_only_blocks_that_a_night_touched_are_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "CALLS_IN_BLOCK", 2)
    put(tmp_path, *(rich(name, team=name) for name in "abcde"))
    sums = (
        "SELECT call_no, sum(calls), sum(amount) FROM profile_totals "
        "WHERE component = 'answering' GROUP BY ALL ORDER BY ALL"
    )
    assert rows(tmp_path, sums) == [(0, 1, 1), (2, 2, 2), (4, 2, 2)]
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("UPDATE profile_totals SET amount = amount + 7")
    put(tmp_path, rich("e", team="e", analyzed_at=LATER))  # number 5 before, 6 now
    assert rows(tmp_path, sums) == [(0, 1, 8), (2, 2, 16), (4, 1, 1), (6, 1, 1)]


def test_in_blocks_or_not_the_answers_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [rich(name, agent_id=agent) for name, agent in zip("abcde", "xyxyx", strict=True)]
    put(tmp_path / "whole", *calls)
    monkeypatch.setattr(load, "CALLS_IN_BLOCK", 2)
    put(tmp_path / "blocks", *calls)
    whole, blocks = contents(tmp_path / "whole"), contents(tmp_path / "blocks")
    assert whole["agent_profile"] == blocks["agent_profile"]
    assert whole["profile_reference"] == blocks["profile_reference"]
    assert whole["customer_opening"] == blocks["customer_opening"]
    assert len(whole["agent_profile"]) > 1


def test_what_other_sql_filled_is_filled_anew(tmp_path: Path) -> None:
    put(tmp_path, rich("a"), rich("b"))
    before = contents(tmp_path)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("DELETE FROM facts.customer_opening")
        con.execute("UPDATE profile_totals SET amount = 99")
        con.execute("UPDATE marts SET sha256 = 'of before'")
    put(tmp_path, rich("c"))
    landing.remove(tmp_path / "landing", [f"analyses/{sha('c')}"])
    put(tmp_path, allow_loss=True)
    assert contents(tmp_path) == before


SAID = (
    "my account number is the bank account's",
    "another account numbers it",
    "what a number account",
    "it's the subaccount number I don't know",
)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newest calls hold the words of a phrase, and only the oldest the phrase."""
    folder = tmp_path_factory.mktemp("said")
    calls = [
        call(
            f"{number:03}",
            says=[("B", 0.0, 2.0, "account of any number"), ("A", 3.0, 6.0, SAID[number % 4])]
            if number < 4
            else [("A", 3.0, 6.0, "number of the account")],
            started_at=STARTED_AT + timedelta(minutes=number),
        )
        for number in range(30)
    ]
    land_together(calls, folder / "landing")
    publish(folder / "landing", folder / "w.duckdb", definitions_of(calls))
    return folder


PHRASES = (
    *("account number", "count num", "r ac", "number of the acc", "'s the", "don't", "don", "t"),
    *("bank account'", "account", "numbers it", "a number", "is the", "the", "I", "know i", "?"),
)
#: Few answers are looked for in the newest calls first, and in the oldest when those have none.
OFTEN_AND_RARE = ("account number", "number of the acc", "don't", "the", "?")


@pytest.mark.parametrize(
    ("text", "n"),
    [*((text, 200) for text in PHRASES), *((text, n) for text in OFTEN_AND_RARE for n in (1, 2))],
)
def test_a_phrase_is_found_as_if_every_turn_were_read(said: Path, text: str, n: int) -> None:
    answer = ask_named(said / "w.duckdb", "phrase", {"text": text, "n": n})
    read = rows(
        said,
        "SELECT call_id, start_s, text FROM turns INNER JOIN calls USING (call_id) "
        f"WHERE contains(lower(text), lower('{text.replace(chr(39), chr(39) * 2)}')) "
        f"ORDER BY started_at DESC, call_id, start_s LIMIT {n}",
    )
    places = [answer.columns.index(name) for name in ("call_id", "start_s", "text")]
    assert [tuple(row[place] for place in places) for row in answer.rows] == read

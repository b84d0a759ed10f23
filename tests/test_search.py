"""Where something was said: found by its words, best first, fresh after each publishing."""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

import warmline.query.search as room
from support.factories import ANALYZED_AT, call, definitions_of
from support.week import columns
from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.cli import app
from warmline.database import load_extension, stemmer
from warmline.errors import QueryError, WarehouseError
from warmline.query.process import reading
from warmline.query.questions import ask_named
from warmline.query.search import (
    Hit,
    Match,
    Scope,
    search,
)
from warmline.warehouse.publishing import publish

LATER = ANALYZED_AT + timedelta(days=1)


def put(folder: Path, *analyses: CallAnalysis) -> Path:
    for analysis in analyses:
        landing.write(analysis, folder / "landing")
    definitions = definitions_of(analyses)
    publish(folder / "landing", folder / "w.duckdb", definitions, allow_loss=True)
    return folder / "w.duckdb"


def lost_card(call_id: str = "lost-card", **changes: Any) -> CallAnalysis:
    says = [
        ("B", 0.0, 2.0, "Thank you for calling, how can I help?"),
        ("A", 2.5, 9.0, "I'm worried: I have lost my bank card."),
        ("B", 9.5, 14.0, "The card is blocked. It's lost no longer."),
        ("A", 15.0, 17.0, "Café worries"),
    ]
    known = {"agent_id": "ann", "queue": "cards", "started_at": datetime(2026, 11, 16, tzinfo=UTC)}
    return call(call_id, says=says, **{**known, **changes})


def late_parcel() -> CallAnalysis:
    says = [
        ("B", 0.0, 2.0, "hello"),
        ("A", 2.5, 9.0, "my bank card was charged twice, and the card of my wife"),
    ]
    return call(
        "late-parcel", says=says, agent_id="bob", started_at=datetime(2026, 11, 18, tzinfo=UTC)
    )


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put(tmp_path_factory.mktemp("said"), lost_card(), late_parcel())


def places(hits: Sequence[Hit]) -> list[tuple[str, int]]:
    return [(hit.call_id, hit.turn.turn_index) for hit in hits]


def test_a_turn_is_found_with_its_time_its_call_and_the_turns_around_it(warehouse: Path) -> None:
    (hit,) = search(warehouse, "lost bank")
    assert (hit.call_id, hit.agent_id, hit.queue, hit.path) == (
        *("lost-card", "ann", "cards", "/calls/lost-card.wav"),
    )
    assert hit.started_at == datetime(2026, 11, 16)
    assert (hit.turn.role, hit.turn.start_s, hit.turn.end_s) == ("customer", 2.5, 9.0)
    assert [t.text for t in hit.before] == ["Thank you for calling, how can I help?"]
    assert [t.turn_index for t in hit.after] == [2]
    (alone,) = search(warehouse, "lost bank", around=0)
    assert (alone.before, alone.after) == ((), ())
    (wide,) = search(warehouse, "lost bank", around=9)
    assert [t.turn_index for t in (*wide.before, wide.turn, *wide.after)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("phrase", "found"),
    [
        ("worry", [("lost-card", 3), ("lost-card", 1)]),  # the shorter turn is the better match
        ("WORRIED", [("lost-card", 3), ("lost-card", 1)]),
        ("cafe", [("lost-card", 3)]),
        ("card twice", [("late-parcel", 1)]),
        ("card the of", [("late-parcel", 1), ("lost-card", 2), ("lost-card", 1)]),
        ("unheard", []),
        ("card unheard", []),
    ],
)
def test_words_count_in_any_form(
    warehouse: Path, phrase: str, found: list[tuple[str, int]]
) -> None:
    assert sorted(places(search(warehouse, phrase))) == sorted(found)
    if phrase.lower().startswith("worr"):
        assert places(search(warehouse, phrase)) == found


def test_any_of_the_words_or_exactly_so(warehouse: Path) -> None:
    assert ("lost-card", 2) not in places(search(warehouse, "bank lost"))
    any_word = places(search(warehouse, "blocked twice unheard", match=Match.ANY))
    assert sorted(any_word) == [("late-parcel", 1), ("lost-card", 2)]
    exact = search(warehouse, "my BANK card", match=Match.EXACT)
    assert sorted(places(exact)) == [("late-parcel", 1), ("lost-card", 1)]
    assert places(search(warehouse, "card bank", match=Match.EXACT)) == []
    assert places(search(warehouse, "ban", match=Match.EXACT)) == []
    assert places(search(warehouse, "it's lost", match=Match.EXACT)) == [("lost-card", 2)]


def test_exact_matches_are_found_behind_any_number_of_others(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_FIRST_CANDIDATES", 1)
    asked = room.SearchRequest(
        *(str(warehouse), "card was charged", "exact", None, None, None, None),
        *(1, 1, 60.0),
    )
    with reading(warehouse, "fts") as con:
        assert places(room.find_hits(con, asked)) == [("late-parcel", 1)]
        other = replace(asked, phrase="is blocked", limit=20)
        assert places(room.find_hits(con, other)) == [("lost-card", 2)]


def test_a_search_is_answered_by_a_process_of_its_own_that_can_be_killed(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a query is: no library of the warehouse is so much as imported by who asks."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert places(search(warehouse, "twice")) == [("late-parcel", 1)]
    assert search(warehouse, "card", scope=Scope(last_day=date(2026, 11, 15))) == ()


def test_the_scope_is_kept(warehouse: Path) -> None:
    def found(**scope: Any) -> list[tuple[str, int]]:
        return sorted(places(search(warehouse, "card", scope=Scope(**scope))))

    assert found(role="agent") == [("lost-card", 2)]
    assert found(role="customer") == [("late-parcel", 1), ("lost-card", 1)]
    assert found(first_day=date(2026, 11, 17)) == [("late-parcel", 1)]
    assert found(first_day=date(2026, 11, 18), last_day=date(2026, 11, 18)) == [("late-parcel", 1)]
    assert found(last_day=date(2026, 11, 17)) == [("lost-card", 1), ("lost-card", 2)]
    assert found(agent="bob") == [("late-parcel", 1)]
    assert found(agent="x' OR true --") == []
    assert len(search(warehouse, "card", limit=2)) == 2


def test_the_order_is_that_of_duckdbs_own_full_text_search(tmp_path: Path) -> None:
    lot = random.Random(7)
    words = ["card", "bill", "parcel", "worried", "refund", "invoice", "router", "lamp"]
    calls = []
    for i in range(40):
        texts = [
            " ".join(lot.choices(words, weights=range(1, 9), k=lot.randint(1, 12)))
            for _ in range(5)
        ]
        says = [("AB"[n % 2], n * 5.0, n * 5.0 + 4.0, text) for n, text in enumerate(texts)]
        calls.append(call(f"c{i}", says=says))
    warehouse = put(tmp_path, *calls)
    with duckdb.connect() as con:
        load_extension(con, "fts")
        con.execute("CREATE TABLE turns (place VARCHAR, text VARCHAR)")
        con.executemany(
            "INSERT INTO turns VALUES (?, ?)",
            [
                (f"{c.metadata.call_id} {t.index}", t.text)
                for c in calls
                for t in c.conversation.turns  # type: ignore[union-attr]
            ],
        )
        con.execute("PRAGMA create_fts_index('turns', 'place', 'text', stemmer = 'english')")
        for phrase in ("card", "worry bill", "refunds router lamps"):
            theirs = con.execute(
                "SELECT place, fts_main_turns.match_bm25(place, $p) AS s FROM turns "
                "WHERE s IS NOT NULL",
                {"p": phrase},
            ).fetchall()
            ours = search(warehouse, phrase, match=Match.ANY, limit=1000)
            scores = {f"{h.call_id} {h.turn.turn_index}": h.score for h in ours}
            ratios = {round(scores[place] / score, 6) for place, score in theirs}
            assert scores.keys() == dict(theirs).keys()
            assert len(ratios) == 1, "theirs takes the logarithm to base 10"


def test_every_publishing_leaves_the_index_of_a_fresh_start(tmp_path: Path) -> None:
    put(tmp_path, lost_card(), lost_card("gone", audio="gone"), late_parcel())
    says = [("B", 0.0, 2.0, "a brand new umbrella"), ("A", 2.5, 4.0, "lost again")]
    known = landing.known(tmp_path / "landing").by_path("/calls/gone.wav")
    assert known is not None
    landing.remove(tmp_path / "landing", [known.landing_key])
    changed = replace(call("lost-card", says=says), analyzed_at=LATER)
    warehouse = put(tmp_path, changed, call("new", says=[("A", 0.0, 1.0, "umbrella stolen")]))
    assert sorted(places(search(warehouse, "umbrella"))) == [("lost-card", 0), ("new", 0)]
    assert places(search(warehouse, "lost")) == [("lost-card", 1)]
    assert places(search(warehouse, "blocked")) == []
    night_by_night = indexed(warehouse)
    scores = [(h.call_id, h.score) for h in search(warehouse, "card lost", match=Match.ANY)]
    warehouse.unlink()
    put(tmp_path)
    assert indexed(warehouse) == night_by_night
    assert [(h.call_id, h.score) for h in search(warehouse, "card lost", match=Match.ANY)] == scores


def indexed(warehouse: Path) -> list[tuple[Any, ...]]:
    """The index without its numbers, which depend on what was indexed when."""
    with duckdb.connect(str(warehouse), read_only=True) as con:
        return con.execute(
            "SELECT term, call_id, indexed.content_sha256, turn_index, role, occurrences, "
            "turn_terms, turns, terms.* EXCLUDE (term_id), indexed.terms "
            "FROM search.postings JOIN search.terms AS terms USING (term_id) "
            "JOIN search.calls AS indexed USING (call_no) JOIN calls USING (call_no) ORDER BY ALL"
        ).fetchall()


def test_another_way_to_tell_words_apart_indexes_all_calls_again(tmp_path: Path) -> None:
    warehouse = put(tmp_path, lost_card())
    with duckdb.connect(str(warehouse)) as con:
        con.execute("UPDATE search.calls SET indexed_by = 'of old'")
        con.execute("UPDATE search.postings SET turn_index = 0")
    put(tmp_path, late_parcel())
    assert ("lost-card", 1) in places(search(warehouse, "bank"))


def test_a_phrase_of_the_commonest_words_is_refused_by_name(warehouse: Path) -> None:
    with pytest.raises(QueryError, match="nothing to look up in 'I am'"):
        search(warehouse, "I am")
    with pytest.raises(QueryError, match=r"nothing to look up in '\?!'"):
        search(warehouse, "?!")


def test_nobody_has_said_what_a_placeholder_stands_for(tmp_path: Path) -> None:
    says = [
        ("B", 0.0, 2.0, "and your number"),
        ("A", 2.5, 5.0, "it is [account]."),
        ("A", 6.0, 9.0, "they empty my account"),
    ]
    warehouse = put(tmp_path, call("hidden", says=says))
    assert [hit.turn.text for hit in search(warehouse, "accounts")] == ["they empty my account"]
    said = ask_named(warehouse, "phrase", {"text": "account", "since": None})
    assert columns(said, "text") == ["they empty my account"]
    hidden = ask_named(warehouse, "phrase", {"text": "[account]", "since": None})
    assert columns(hidden, "text") == ["it is [account]."]


def test_whoever_searches_can_reach_no_file(warehouse: Path) -> None:
    with reading(warehouse, "fts") as con:
        for sql in (f"SELECT * FROM read_text('{__file__}')", "LOAD httpfs", "DROP TABLE calls"):
            with pytest.raises(duckdb.Error):
                con.execute(sql)
    assert search(warehouse, "'; DROP TABLE calls; --") == ()
    assert places(search(warehouse, "twice")) == [("late-parcel", 1)]


def test_a_missing_extension_is_said_with_what_to_install(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb_extension_fts", None)
    told = pytest.raises(WarehouseError, match=r"pip install duckdb-extension-fts==")
    with told, reading(warehouse, "fts"):
        pass


def test_words_that_were_said_before_are_not_reduced_to_stems_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does so takes a tenth of a publishing to load; it is loaded once by a process."""
    put(tmp_path, lost_card())
    monkeypatch.setitem(sys.modules, "duckdb_extension_fts", None)
    stemmer.cache_clear()
    warehouse = put(tmp_path, lost_card("lost-again"))
    monkeypatch.undo()
    assert len(places(search(warehouse, "worries"))) == 4
    with pytest.raises(WarehouseError, match=r"extension fts is missing"):
        monkeypatch.setitem(sys.modules, "duckdb_extension_fts", None)
        put(tmp_path, late_parcel())


def shell(*words: str) -> Any:
    return CliRunner().invoke(app, ["search", *words])


def test_the_command_shows_the_turns_around(warehouse: Path) -> None:
    shown = shell("blocked", "--warehouse", str(warehouse), "--party", "agent").stdout
    assert [line.split()[:2] for line in shown.splitlines() if line] == [
        ["lost-card", "0:09"],
        ["0:02", "customer"],
        ["0:09", "agent"],
        ["0:15", "customer"],
    ]
    (hit,) = json.loads(shell("blocked", "--warehouse", str(warehouse), "--json").stdout)
    assert (hit["call_id"], hit["turn"]["start_s"], len(hit["before"])) == ("lost-card", 9.5, 1)
    nobody = shell("blocked", "--warehouse", str(warehouse), "--to", "2026-11-15")
    assert (nobody.exit_code, "nobody said that" in nobody.output) == (0, True)
    wrong = shell("blocked", "--from", "soon")
    assert (wrong.exit_code, "--from" in wrong.output) == (2, True)


def test_calls_of_other_days_do_not_weigh(tmp_path: Path, warehouse: Path) -> None:
    """Within days the ranking is that of a warehouse of those days' calls alone: the rest of the
    index need not be read.
    """
    alone = put(tmp_path, late_parcel())
    (within,) = search(warehouse, "card", scope=Scope(first_day=date(2026, 11, 17)))
    assert within.score == pytest.approx(search(alone, "card")[0].score)

"""What is published is what has landed: whole, checked, and never in a reader's way."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from factories import (
    ANALYZED_AT,
    NO_ROLES,
    STARTED_AT,
    call,
    cue,
    definitions_of,
    measured,
    moment,
    not_analyzed,
    sha,
)
from warmline import landing
from warmline.analysis import CallAnalysis, FloorTransfer, Overlap, Quote, Silence
from warmline.errors import Status, WarehouseError
from warmline.locks import exclusive
from warmline.metrics import Metric, MetricDefinition, rate, unsaid
from warmline.values import Redaction, Span, SpeakerSource
from warmline.warehouse import PublishReport, check_warehouse, publish
from warmline.warehouse.checks import run_checks
from warmline.warehouse.dictionary import dictionary_of_an_empty_warehouse
from warmline.warehouse.migrate import define_views, migrate
from warmline.warehouse.sql import SqlFile, in_order_of_use, sql_files

LATER = ANALYZED_AT + timedelta(days=1)
ROOT = Path(__file__).resolve().parents[1]

SAYS = [
    ("B", 0.0, 3.0, "thank you for calling how can I help"),
    ("A", 3.2, 9.0, "I am worried that my card was stolen"),
    ("B", 9.5, 14.0, "I understand how worrying that is"),
]


def rich(call_id: str = "rich", **changes: Any) -> CallAnalysis:
    """A call with something in every table."""
    cues = [
        cue(1, 3.2, 9.0, "I am worried", answer="affective", answer_turn_index=2, latency_s=0.5)
    ]
    metrics = [
        measured("talk_share", "A", 0.4, numerator=4.0, denominator=10.0),
        measured("talk_share", "B", 0.6, numerator=6.0, denominator=10.0),
        measured("interruptions", "A", 0.0, numerator=0.0),
        measured("interruptions", "B", 1.0, numerator=1.0, evidence=(Span(5.0, 6.0),)),
        measured("dead_air_s", None, 2.5),
        measured("opportunities", None, 1.0, numerator=1.0),
        rate("answered_rate", None, 1, 1, no_answer=""),
        unsaid("opening_story_s", None, "never interrupted"),
    ]
    parts: dict[str, Any] = {
        "says": SAYS,
        "cues": cues,
        "metrics": metrics,
        "moments": [moment("affective", 2, 9.5, 14.0, "I understand how worrying that is")],
        "quotes": [Quote(3.2, 9.0, 1, "I am worried that my card was stolen", "fear_anxiety")],
        "overlaps": [Overlap(5.0, 6.0, "A", "B", "interruption", True, False)],
        "silences": [Silence(14.0, 16.5, "dead_air")],
        "transfers": [FloorTransfer(3.2, "B", "A", 0.2), FloorTransfer(9.5, "A", "B", 0.5)],
        "agent_id": "7",
        "team": "cards",
        "customer_id": "c7",
    }
    hidden = (Redaction(4.0, 5.0, "A", "card", 0),)
    return replace(call(call_id, **{**parts, **changes}), redactions=hidden)


def put(folder: Path, *analyses: CallAnalysis) -> PublishReport:
    """Land these and publish all that has landed."""
    for analysis in analyses:
        landing.write(analysis, folder / "landing")
    known = landing.known(folder / "landing")
    landed = [landing.read_landed(folder / "landing", k) for k in known]
    return publish(folder / "landing", folder / "w.duckdb", definitions_of(landed))


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query to the published warehouse."""
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as con:
        return con.execute(sql).fetchall()


def contents(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the warehouse except how, and in which order, it came about."""
    tables = [name for (name,) in rows(folder, "SHOW TABLES")]
    return {
        name: rows(folder, f"SELECT COLUMNS(c -> c <> 'call_no') FROM {name} ORDER BY ALL")
        for name in tables
        if name not in ("runs", "schema_migrations")
    }


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a landing folder and a warehouse that is right, to be copied."""
    folder = tmp_path_factory.mktemp("sound")
    put(folder, rich("a"), rich("b"), not_analyzed("broken"))
    return folder


# What is loaded


def test_every_table_has_what_the_analysis_has(tmp_path: Path) -> None:
    report = put(tmp_path, rich())
    assert (report.loaded, report.removed, report.unchanged, report.rebuilt) == (1, 0, 0, True)
    assert report.checks == len(sql_files("checks")) > 15
    assert rows(tmp_path, "SELECT party, role, pitch_median_hz FROM parties ORDER BY party") == [
        ("A", "customer", 180.0),
        ("B", "agent", 180.0),
    ]
    assert rows(tmp_path, "SELECT turn_index, role, start_s, level_db FROM turns") == [
        (0, "agent", 0.0, -25.0),
        (1, "customer", 3.2, -25.0),
        (2, "agent", 9.5, -25.0),
    ]
    words = rows(tmp_path, "SELECT turn_index, count(*), min(start_s) FROM words GROUP BY ALL")
    assert sorted(words) == [(0, 8, 0.0), (1, 8, 3.2), (2, 6, 9.5)]
    assert rows(tmp_path, "SELECT holder_role, entrant_role, kind FROM speech_overlaps") == [
        ("customer", "agent", "interruption")
    ]
    assert rows(tmp_path, "SELECT from_role, to_role, offset_s FROM floor_transfers") == [
        ("agent", "customer", 0.2),
        ("customer", "agent", 0.5),
    ]
    assert rows(tmp_path, "SELECT kind, answer, level, answered FROM opportunities") == [
        ("fear_anxiety", "affective", 1, True)
    ]
    assert rows(
        tmp_path,
        "SELECT role, value, numerator, evidence, version, speaker_source FROM metrics "
        "WHERE name = 'interruptions' AND party = 'B'",
    ) == [("agent", 1.0, 1.0, [{"start_s": 5.0, "end_s": 6.0}], 1, "channel")]
    assert rows(tmp_path, "SELECT name, start_s, end_s FROM metric_evidence") == [
        ("interruptions", 5.0, 6.0)
    ]
    assert rows(tmp_path, "SELECT stage, key FROM stage_keys ORDER BY stage") == [
        ("speech", "s1"),
        ("words", "w1"),
    ]
    assert rows(tmp_path, "SELECT model, version FROM models") == [("whisper", "base")]
    empty = [t for t, r in contents(tmp_path).items() if not r]
    assert empty == [
        "agent_index",
        "backchannels",
        "failures",
        "outcome_calls",
        "outcomes",
        "review_detail",
        "review_summary",
        "reviews",
        "tones",
    ]


def test_a_summary_has_a_row_for_every_recording(tmp_path: Path) -> None:
    put(
        tmp_path,
        rich(),
        not_analyzed("broken"),
        not_analyzed("copy", status=Status.DUPLICATE, code="same_bytes", audio="rich"),
        call("silent-cues", metrics=[rate("answered_rate", None, 0, 0, no_answer="no cue")]),
    )
    summary = rows(
        tmp_path,
        "SELECT call_id, path, status, reason, started_at, agent_id, duration_s, speaker_source, "
        "role_confidence, agent_talk_share, customer_talk_share, dead_air_s, agent_interruptions, "
        "customer_interruptions, agent_latency_median_s, opportunities, answered, answered_rate "
        "FROM call_summary ORDER BY call_id",
    )
    started_at = STARTED_AT.replace(tzinfo=None)
    nothing = (None,) * 9
    assert summary == [
        ("broken", "/calls/broken.wav", "refused", "the file has no bytes", *(None,) * 5, *nothing),
        ("copy", "/calls/copy.wav", "duplicate", "the file has no bytes", *(None,) * 5, *nothing),
        (
            *("rich", "/calls/rich.wav", "analyzed", None, started_at, "7", 60.0, "channel", 1.0),
            *(0.6, 0.4, 2.5, 1.0, 0.0, None, 1.0, 1.0, 1.0),
        ),
        (
            *("silent-cues", "/calls/silent-cues.wav", "analyzed", None, started_at, None, 60.0),
            *("channel", 1.0, None, None, None, None, None, None, None, 0.0, None),
        ),
    ]


def test_without_roles_nothing_is_said_of_an_agent(tmp_path: Path) -> None:
    metrics = [measured("talk_share", "A", 0.4), measured("talk_share", "B", 0.6)]
    put(tmp_path, call("c", roles=NO_ROLES, metrics=metrics, source=SpeakerSource.DIARIZATION))
    assert rows(
        tmp_path, "SELECT agent_talk_share, customer_talk_share, role_confidence FROM call_summary"
    ) == [(None, None, None)]
    assert rows(tmp_path, "SELECT count(value), any_value(role) FROM metrics") == [(2, "unknown")]


def test_times_of_day_are_utc(tmp_path: Path) -> None:
    put(tmp_path, rich())
    kinds = rows(
        tmp_path,
        "SELECT DISTINCT data_type FROM duckdb_columns() "
        "WHERE schema_name = 'main' AND data_type LIKE 'TIME%' AND NOT internal",
    )
    assert kinds == [("TIMESTAMP",)]
    assert rows(tmp_path, "SELECT started_at, analyzed_at FROM calls") == [
        (STARTED_AT.replace(tzinfo=None), ANALYZED_AT.replace(tzinfo=None))
    ]


def test_a_measure_keeps_the_version_it_was_taken_with(tmp_path: Path) -> None:
    old = replace(rich("old"), metric_versions={"dead_air_s": 1})
    new = replace(rich("new"), metric_versions={"dead_air_s": 2})
    for analysis in (old, new):
        landing.write(analysis, tmp_path / "landing")
    definitions = [replace(d, version=1) for d in definitions_of([old])]
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions)
    second = [replace(d, version=2) if d.name == "dead_air_s" else d for d in definitions]
    assert publish(tmp_path / "landing", tmp_path / "w.duckdb", second).rebuilt
    assert rows(
        tmp_path,
        "SELECT call_id, version, is_current FROM metric_detail WHERE name = 'dead_air_s' "
        "ORDER BY call_id",
    ) == [("new", 2, True), ("old", 1, False)]


# What changes from night to night


def test_publishing_again_builds_nothing(tmp_path: Path) -> None:
    put(tmp_path, rich(), not_analyzed("broken"))
    before = (tmp_path / "w.duckdb").stat()
    report = put(tmp_path)
    assert (report.rebuilt, report.loaded, report.unchanged) == (False, 0, 2)
    after = (tmp_path / "w.duckdb").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_only_what_changed_is_loaded_and_the_result_is_that_of_a_fresh_start(
    tmp_path: Path,
) -> None:
    put(tmp_path, rich("a"), rich("b"), rich("c"), not_analyzed("d"))
    changed = rich("b", analyzed_at=LATER, duration_s=90.0)
    gone = landing.known(tmp_path / "landing").by_path("/calls/c.wav")
    assert gone is not None
    landing.remove(tmp_path / "landing", [gone.landing_key])
    report = put(tmp_path, changed, rich("d", analyzed_at=LATER), rich("e"))
    assert (report.loaded, report.removed, report.unchanged) == (3, 2, 1)
    assert rows(tmp_path, "SELECT call_id, duration_s, status FROM calls ORDER BY call_id") == [
        ("a", 60.0, "analyzed"),
        ("b", 90.0, "analyzed"),
        ("d", 60.0, "analyzed"),
        ("e", 60.0, "analyzed"),
    ]
    night_by_night = contents(tmp_path)
    (tmp_path / "w.duckdb").unlink()
    put(tmp_path)
    assert contents(tmp_path) == night_by_night


def test_packing_the_landing_folder_changes_no_row(tmp_path: Path) -> None:
    put(tmp_path, *(rich(f"c{i}") for i in range(5)), not_analyzed("d"))
    before = contents(tmp_path)
    landing.compact(tmp_path / "landing", rows_in_pack=4)
    report = put(tmp_path)
    assert (report.loaded, report.removed, report.unchanged) == (0, 0, 6)
    assert contents(tmp_path) == before
    (tmp_path / "w.duckdb").unlink()
    put(tmp_path)
    assert contents(tmp_path) == before


def test_two_recordings_that_claim_one_call_id_are_both_there_and_keep_their_names(
    tmp_path: Path,
) -> None:
    first, second = rich("x", audio="one", path="/1/x.wav"), rich("x", audio="two", path="/2/x.wav")
    put(tmp_path, first)
    put(tmp_path, replace(second, analyzed_at=LATER))
    other = f"x~{sha('two')[:8]}"
    names = "SELECT call_id, path, claimed_call_id FROM calls ORDER BY call_id"
    assert rows(tmp_path, names) == [("x", "/1/x.wav", "x"), (other, "/2/x.wav", "x")]
    assert rows(tmp_path, "SELECT call_id_note FROM calls ORDER BY call_id") == [
        (None,),
        ("x is claimed by another recording, too: /1/x.wav",),
    ]
    put(tmp_path, replace(first, analyzed_at=LATER + timedelta(1)))
    assert [name for name, *_ in rows(tmp_path, names)] == ["x", other]
    landing.remove(tmp_path / "landing", [f"analyses/{sha('one')}"])
    put(tmp_path)
    assert [name for name, *_ in rows(tmp_path, names)] == [other]
    put(tmp_path, rich("x", audio="three", path="/3/x.wav"))
    assert [name for name, *_ in rows(tmp_path, names)] == ["x", other]


@pytest.mark.parametrize("claim", ["", "  ", "x~0123abcd", "Zoë's call; DROP TABLE calls", "a\nb"])
def test_odd_call_ids_get_a_name_and_never_stop_the_night(tmp_path: Path, claim: str) -> None:
    calls = [
        replace(rich(f"{i}"), metadata=replace(rich("x").metadata, call_id=claim)) for i in range(3)
    ]
    put(tmp_path, *calls)
    names = [name for (name,) in rows(tmp_path, "SELECT call_id FROM calls")]
    assert len(set(names)) == 3
    assert all(name.strip() for name in names)
    assert rows(tmp_path, "SELECT count(DISTINCT call_id) FROM turns") == [(3,)]


def test_the_newest_analysis_of_a_path_is_the_one_shown(tmp_path: Path) -> None:
    put(tmp_path, rich("c", audio="before"))
    put(tmp_path, rich("c", audio="after", analyzed_at=LATER))
    assert rows(tmp_path, "SELECT call_id, audio_sha256 FROM calls") == [("c", sha("after"))]


def test_a_damaged_landing_file_is_said_and_costs_no_row(tmp_path: Path) -> None:
    put(tmp_path, rich("a"), rich("b"))
    before = contents(tmp_path)
    damaged = landing.write(rich("a"), tmp_path / "landing")
    damaged.write_bytes(damaged.read_bytes()[:-50])
    name = str(damaged.relative_to(tmp_path / "landing"))
    report = put(tmp_path, rich("c"))
    assert list(report.unreadable) == [name]
    assert (report.loaded, report.removed) == (1, 0)
    assert rows(tmp_path, "SELECT call_id FROM calls ORDER BY ALL") == [("a",), ("b",), ("c",)]
    assert rows(tmp_path, "SELECT path, status FROM failures") == [(name, "unreadable")]
    again = put(tmp_path)
    assert (again.rebuilt, list(again.unreadable)) == (False, [name])
    put(tmp_path, rich("a"))
    landing.remove(tmp_path / "landing", [f"analyses/{sha('c')}"])
    assert put(tmp_path).unreadable == {}
    assert contents(tmp_path) == before


def test_an_old_landing_file_loads_under_todays_schema(tmp_path: Path) -> None:
    path = landing.write(rich("old"), tmp_path / "landing")
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["metric_versions", "prosody", "layout"]), path)
    put(tmp_path, rich("new"))
    assert rows(tmp_path, "SELECT call_id, channel_kind FROM calls ORDER BY 1") == [
        ("new", "stereo"),
        ("old", None),
    ]
    assert rows(tmp_path, "SELECT count(*) FROM turns WHERE call_id = 'old'") == [(3,)]


def test_an_empty_landing_folder_gives_an_empty_warehouse(tmp_path: Path) -> None:
    report = put(tmp_path)
    assert (report.loaded, report.unchanged, report.rebuilt) == (0, 0, True)
    assert rows(tmp_path, "SELECT count(*) FROM call_summary") == [(0,)]


# Failing well


def test_an_analysis_that_fits_no_table_is_refused_by_the_tables_name(tmp_path: Path) -> None:
    put(tmp_path, rich("a"))
    said_twice = rich("b")
    assert said_twice.conversation is not None
    no_role = replace(said_twice.conversation, roles=said_twice.conversation.roles[:1] * 2)
    with pytest.raises(WarehouseError, match=r"Map keys must be unique|cannot fill the table"):
        put(tmp_path, replace(said_twice, conversation=no_role))
    assert rows(tmp_path, "SELECT call_id FROM calls") == [("a",)]


def test_a_failed_check_keeps_yesterdays_warehouse_and_says_why(tmp_path: Path) -> None:
    put(tmp_path, rich("a"))
    before = (tmp_path / "w.duckdb").read_bytes()
    with pytest.raises(WarehouseError, match=r"what was there stays: check missing_values_say_why"):
        put(tmp_path, rich("b", metrics=[Metric("dead_air_s", None, None)]))
    assert (tmp_path / "w.duckdb").read_bytes() == before
    assert sorted(p.name for p in tmp_path.glob("w.duckdb*")) == ["w.duckdb", "w.duckdb.lock"]


def test_a_file_that_is_no_warehouse_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "w.duckdb").write_text("my thesis")
    with pytest.raises(WarehouseError, match="not a warehouse"):
        put(tmp_path, rich())
    assert (tmp_path / "w.duckdb").read_text() == "my thesis"
    (tmp_path / "w.duckdb").unlink()
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("CREATE TABLE thesis (page INTEGER)")
    with pytest.raises(WarehouseError, match="not made by warmline"):
        put(tmp_path)
    assert rows(tmp_path, "SHOW TABLES") == [("thesis",)]


def test_a_second_publishing_at_the_same_time_is_refused(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "w.duckdb.lock", "publishing this warehouse"),
        pytest.raises(WarehouseError, match=r"process \d+ on .* is publishing"),
    ):
        put(tmp_path, rich())


def test_a_reader_keeps_what_it_opened_while_a_new_one_sees_the_new(
    sound: Path, tmp_path: Path
) -> None:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM calls").fetchall() == [(3,)]
        child = subprocess.run(
            [sys.executable, "-c", PUBLISHER, "none", str(tmp_path), "c"],
            cwd=ROOT / "tests",
            check=True,
        )
        assert child.returncode == 0
        assert reader.execute("SELECT count(*) FROM calls").fetchall() == [(3,)]
        assert reader.execute("SELECT count(*) FROM words").fetchall() == [(44,)]
        seen = subprocess.run(
            [sys.executable, "-c", COUNT, str(tmp_path / "w.duckdb")],
            capture_output=True,
            text=True,
            check=True,
        )
        assert seen.stdout.split() == ["a", "b", "broken", "c"]


COUNT = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
print(*[name for (name,) in con.execute("SELECT call_id FROM calls ORDER BY 1").fetchall()])
"""

#: Publishes one more call, killed at a named point by a patched function of the library's own.
PUBLISHER = """
import os, signal, sys
from pathlib import Path
from warmline import landing
from warmline.warehouse import publishing, load, swapping
from test_warehouse import definitions_of, rich
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
def before(module, name, calls=1):
    original, left = getattr(module, name), [calls]
    def patched(*a, **k):
        left[0] -= 1
        return die() if left[0] == 0 else original(*a, **k)
    setattr(module, name, patched)
point, folder, call_id = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
points = {
    "none": lambda: None,
    "copying": lambda: before(publishing.shutil, "copymode"),
    "migrating": lambda: before(publishing, "migrate"),
    "listing": lambda: before(publishing, "note_files"),
    "removing": lambda: before(load, "_batches"),
    "staging": lambda: before(load, "_expect_all"),
    "loading": lambda: before(load, "_counted"),
    "defining": lambda: before(publishing, "note_definitions"),
    "viewing": lambda: before(publishing, "define_views"),
    "noting": lambda: before(publishing, "note_reviews"),
    "indexing": lambda: before(publishing, "index_turns"),
    "indexed": lambda: before(publishing, "_judged_otherwise"),
    "checking": lambda: before(publishing, "_require_passing"),
    "syncing": lambda: before(swapping, "sync"),
    "swapping": lambda: before(Path, "replace"),
    "swapped": lambda: before(swapping, "sync", 2),
}
landing.write(rich(call_id), folder / "landing")
points[point]()
publishing.publish(folder / "landing", folder / "w.duckdb", definitions_of([rich("a")]))
"""
POINTS = re.findall(r'^    "(\w+)": lambda', PUBLISHER, re.MULTILINE)[1:]


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_the_warehouse_is_whole_and_the_next_run_completes(
    sound: Path, tmp_path: Path, point: str
) -> None:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    child = subprocess.run(
        [sys.executable, "-c", PUBLISHER, point, str(tmp_path), "c"], cwd=ROOT / "tests"
    )
    assert child.returncode == -9
    yesterday = [("a",), ("b",), ("broken",)]
    today = [("a",), ("b",), ("broken",), ("c",)]
    names = rows(tmp_path, "SELECT call_id FROM calls ORDER BY call_id")
    assert names == (today if point == "swapped" else yesterday)
    assert all(result.passed for result in check_warehouse(tmp_path / "w.duckdb"))
    put(tmp_path)
    assert rows(tmp_path, "SELECT call_id FROM calls ORDER BY call_id") == today
    assert sorted(p.name for p in tmp_path.glob("w.duckdb*")) == ["w.duckdb", "w.duckdb.lock"]


def test_killed_on_the_first_night_there_is_no_warehouse_yet(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", PUBLISHER, "checking", str(tmp_path), "a"], cwd=ROOT / "tests"
    )
    assert not (tmp_path / "w.duckdb").exists()
    assert put(tmp_path).loaded == 1


# Migrations


def columns_and_views(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return con.execute(
        "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE NOT internal AND database_name = 'memory' ORDER BY ALL"
    ).fetchall()


def test_migrations_lead_from_every_earlier_version_to_the_same_schema() -> None:
    migrations = sql_files("migrations")
    with duckdb.connect() as con:
        assert len(migrate(con)) == len(migrations)
        define_views(con)
        expected = columns_and_views(con)
        assert migrate(con) == ()
    for earlier in range(len(migrations)):
        with duckdb.connect() as con:
            migrate(con, migrations[:earlier])
            assert migrate(con) == tuple(m.name for m in migrations[earlier:])
            define_views(con)
            assert columns_and_views(con) == expected


def test_a_warehouse_of_an_earlier_version_is_migrated_by_the_next_publishing(
    tmp_path: Path,
) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        migrate(con, sql_files("migrations")[:3])
    assert put(tmp_path, rich()).loaded == 1


def test_a_failed_migration_leaves_its_tables_as_they_were() -> None:
    good = SqlFile("0001_good", "CREATE TABLE t (a INTEGER);")
    bad = SqlFile("0002_bad", "CREATE TABLE u (a INTEGER); CREATE TABLE t (a INTEGER);")
    with duckdb.connect() as con:
        with pytest.raises(WarehouseError, match=r"migration 0002_bad: .*already exists"):
            migrate(con, (good, bad))
        assert con.execute("SELECT name FROM schema_migrations").fetchall() == [("0001_good",)]
        assert ("u",) not in con.execute("SHOW TABLES").fetchall()


def test_an_edited_or_unknown_migration_is_refused() -> None:
    good = SqlFile("0001_good", "CREATE TABLE t (a INTEGER);")
    with duckdb.connect() as con:
        migrate(con, (good,))
        with pytest.raises(WarehouseError, match="migration 1 was edited"):
            migrate(con, (SqlFile("0001_good", "CREATE TABLE t (b INTEGER);"),))
        with pytest.raises(WarehouseError, match="made by a newer one"):
            migrate(con, ())
    with duckdb.connect() as con, pytest.raises(WarehouseError, match="must be like"):
        migrate(con, (SqlFile("first", ""),))


def test_views_are_made_after_what_they_use() -> None:
    files = [SqlFile("a", "SELECT * FROM b"), SqlFile("b", "SELECT * FROM c"), SqlFile("c", "")]
    assert [file.name for file in in_order_of_use(files)] == ["c", "b", "a"]


# Checks: each of them is made to find something


def found_by_checks(sound: Path, tmp_path: Path, statements: Sequence[str]) -> set[str]:
    """The names of the checks that find what these statements break."""
    shutil.copy(sound / "w.duckdb", tmp_path / "w.duckdb")
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        for statement in statements:
            con.execute(statement)
        return {result.name for result in run_checks(con) if not result.passed}


CORRUPTIONS = {
    "analyses_have_landed": ["UPDATE calls SET content_sha256 = 'x' WHERE call_id = 'a'"],
    "answered_rate_counts_the_ledger": [
        "UPDATE opportunities SET answered = false WHERE call_id = 'a'"
    ],
    "call_ids_are_claimed_or_noted": ["UPDATE calls SET claimed_call_id = 'z' WHERE call_id = 'a'"],
    "calls_say_what_became_of_them": ["UPDATE calls SET reason = NULL WHERE call_id = 'broken'"],
    "every_call_can_be_searched": ["DELETE FROM search.calls WHERE call_id = 'a'"],
    "keys_are_unique": ["INSERT INTO turns FROM turns WHERE call_id = 'a' AND turn_index = 1"],
    "metrics_are_defined": ["UPDATE metrics SET name = 'charm' WHERE name = 'dead_air_s'"],
    "missing_values_say_why": ["UPDATE metrics SET reason = NULL"],
    "only_interruptions_succeed": ["UPDATE speech_overlaps SET kind = 'backchannel'"],
    "outcomes_can_be_placed": [
        "INSERT INTO outcomes VALUES (NULL, NULL, 'nps', now(), true, 9, NULL, 'f', 2, now())"
    ],
    "parties_are_known": ["UPDATE speech_segments SET party = 'Z' WHERE call_id = 'a'"],
    "recordings_are_counted_once": ["UPDATE calls SET path = 'same'"],
    "rows_belong_to_calls": ["DELETE FROM calls WHERE call_id = 'a'"],
    "shares_are_their_counts": [
        "UPDATE metrics SET numerator = 0.5 WHERE name = 'answered_rate'",
        "UPDATE metric_definitions SET unit = 'share' WHERE name = 'answered_rate'",
    ],
    "shares_lie_between_0_and_1": ["UPDATE words SET probability = 1.2 WHERE word_index = 0"],
    "summaries_agree_with_metrics": ["UPDATE call_measures SET agent_interruptions = 9"],
    "the_ledger_is_of_known_people": [
        "UPDATE turns SET role = 'agent' WHERE role = 'customer' AND call_id = 'a'"
    ],
    "times_lie_within_the_call": ["UPDATE silences SET end_s = 1 WHERE call_id = 'a'"],
    "turns_are_known": ["UPDATE quotes SET turn_index = 99"],
    "values_are_numbers": ["UPDATE metrics SET value = 'nan' WHERE name = 'dead_air_s'"],
}
MORE_CORRUPTIONS = [
    ("every_call_can_be_searched", "UPDATE calls SET content_sha256 = 'x' WHERE call_id = 'a'"),
    ("every_call_can_be_searched", "DELETE FROM calls WHERE call_id = 'a'"),
    ("every_call_can_be_searched", "UPDATE search.calls SET call_id = 'a'"),
    ("every_call_can_be_searched", "DELETE FROM search.postings WHERE turn_index = 2"),
    ("keys_are_unique", "INSERT INTO metrics FROM metrics WHERE name = 'dead_air_s'"),
    ("keys_are_unique", "INSERT INTO parties FROM parties WHERE call_id = 'a' AND party = 'A'"),
    ("keys_are_unique", "UPDATE words SET word_index = word_index + 1 WHERE call_id = 'a'"),
    ("recordings_are_counted_once", "UPDATE calls SET audio_sha256 = 'same'"),
    ("calls_say_what_became_of_them", "UPDATE calls SET status = 'lost' WHERE call_id = 'a'"),
    ("times_lie_within_the_call", "UPDATE turns SET end_s = 70 WHERE turn_index = 2"),
    ("times_lie_within_the_call", "UPDATE words SET start_s = -1 WHERE word_index = 0"),
    ("times_lie_within_the_call", "UPDATE floor_transfers SET at_s = 99"),
    ("shares_lie_between_0_and_1", "UPDATE metrics SET coverage = 2 WHERE name = 'dead_air_s'"),
    ("shares_lie_between_0_and_1", "UPDATE opportunities SET strength = -1"),
    ("metrics_are_defined", "UPDATE metrics SET party = 'A' WHERE name = 'dead_air_s'"),
    ("only_interruptions_succeed", "UPDATE speech_overlaps SET entrant = holder"),
    ("summaries_agree_with_metrics", "DELETE FROM call_measures WHERE call_id = 'a'"),
    ("the_ledger_is_of_known_people", "UPDATE calls SET no_ledger_reason = 'x'"),
    (
        "outcomes_can_be_placed",
        "INSERT INTO outcomes SELECT 'c', NULL, 'nps', TIMESTAMP '2026-11-01', true, i, NULL, 'f', "
        "i, now() FROM range(2) AS t (i)",
    ),
    ("values_are_numbers", "UPDATE metrics SET numerator = 'inf' WHERE name = 'talk_share'"),
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
        con.execute("UPDATE quotes SET turn_index = 99 WHERE call_id = 'a'")
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
    shutil.copy(sound / "w.duckdb", tmp_path / "w.duckdb")
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("CREATE TEMP TABLE touched AS SELECT call_no FROM calls")
        for statement in CORRUPTIONS[name]:
            con.execute(statement)
        results = run_checks(con, whole=False)
        assert name in {result.name for result in results if not result.passed}


def test_checks_find_nothing_in_a_sound_warehouse(sound: Path, tmp_path: Path) -> None:
    assert found_by_checks(sound, tmp_path, []) == set()


def test_a_check_says_in_one_line_what_it_found(sound: Path, tmp_path: Path) -> None:
    shutil.copy(sound / "w.duckdb", tmp_path / "w.duckdb")
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("UPDATE quotes SET turn_index = 99 WHERE call_id = 'a'")
        (found,) = [r for r in run_checks(con) if not r.passed]
    assert str(found) == (
        "turns_are_known: 1 rows against it, the first: "
        "column_name = quotes.turn_index, call_id = a, turn_index = 99"
    )
    assert "\n" not in str(found)


# Words about the data


def test_every_table_view_and_column_has_a_comment() -> None:
    with duckdb.connect() as con:
        migrate(con)
        define_views(con)
        bare = con.execute(
            "SELECT table_name, column_name FROM duckdb_columns() "
            "WHERE NOT internal AND database_name = 'memory' AND coalesce(comment, '') = '' "
            "UNION ALL SELECT table_name, '' FROM duckdb_tables() WHERE coalesce(comment, '') = '' "
            "UNION ALL SELECT view_name, '' FROM duckdb_views() "
            "WHERE NOT internal AND coalesce(comment, '') = ''"
        ).fetchall()
    assert bare == []


def test_the_dictionary_is_up_to_date() -> None:
    readme = (ROOT / "warehouse" / "README.md").read_text(encoding="utf-8")
    assert readme == dictionary_of_an_empty_warehouse(), (
        "write it anew: python -m warmline.warehouse.dictionary > warehouse/README.md"
    )


def test_every_sql_file_of_checks_and_queries_says_what_it_is_for() -> None:
    for kind in ("checks", "queries"):
        assert all(file.header for file in sql_files(kind))


# Views


def agent_week(agent: str, answered: int, cues: int, *, name: str) -> CallAnalysis:
    ledger = [
        cue(1, 3.2, 9.0, "worried", answer="affective" if i < answered else "ignored")
        for i in range(cues)
    ]
    metrics = [
        rate("answered_rate", None, answered, cues, no_answer="no cue"),
        measured("opportunities", None, float(cues)),
    ]
    return rich(name, cues=ledger, metrics=metrics, agent_id=agent)


def test_agent_week_adds_counts_and_compares_only_what_is_enough(tmp_path: Path) -> None:
    put(
        tmp_path,
        agent_week("good", 18, 20, name="g1"),
        agent_week("good", 20, 20, name="g2"),
        agent_week("poor", 2, 20, name="p1"),
        agent_week("few", 1, 1, name="f1"),
        agent_week("none", 0, 0, name="n1"),
    )
    found = rows(
        tmp_path,
        "SELECT agent_id, week, calls, answered, answerable, answered_rate, answered_low, "
        "answered_high, answered_shrunken, others_rate, is_above_team FROM agent_week ORDER BY 1",
    )
    assert [row[0] for row in found] == ["few", "good", "none", "poor"]
    assert all(str(row[1]) == "2026-11-16" for row in found)
    few, good, none, poor = (row[2:] for row in found)
    team_rate = 41 / 61
    assert good[:3] == (2, 38, 40)
    assert good[3] == pytest.approx(0.95)
    assert good[4:6] == pytest.approx((0.8350, 0.9862), abs=1e-4)  # Wilson, by hand
    assert good[6] == pytest.approx((38 + 10 * team_rate) / 50)
    assert good[7] == pytest.approx(3 / 21)
    assert good[8] is True
    assert poor[8] is False
    assert few[3] == 1.0
    assert few[8] is None
    assert none[:4] == (1, 0, 0, None)
    assert none[8] is None


def test_simulated_calls_are_never_added_to_real_ones(tmp_path: Path) -> None:
    put(tmp_path, rich("real"), rich("played", is_simulated=True))
    assert rows(tmp_path, "SELECT is_simulated, calls FROM team_week ORDER BY 1") == [
        (False, 1),
        (True, 1),
    ]


def test_friction_is_counted_by_step(tmp_path: Path) -> None:
    metrics = [
        measured("friction_repeat", "A", 2.0),
        measured("friction_transfer", "A", 0.0),
        measured("friction_hold", "A", 0.0),
    ]
    quiet = [replace(m, value=0.0) for m in metrics]
    put(
        tmp_path,
        rich("a", metrics=metrics, cues=[], reason="billing"),
        rich("b", metrics=quiet, cues=[], extra={"journey_step": "billing"}),
        rich("c", metrics=quiet, cues=[], queue="cards"),
    )
    assert rows(
        tmp_path,
        "SELECT step, calls, calls_with_friction, friction_rate, repeats FROM friction_by_step "
        "ORDER BY step",
    ) == [("billing", 2, 1, 0.5, 2.0), ("cards", 1, 0, 0.0, 0.0)]


def test_the_night_report_counts_what_became_of_everything(tmp_path: Path) -> None:
    put(
        tmp_path,
        rich("a"),
        call("b", roles=NO_ROLES, source=SpeakerSource.DIARIZATION),
        not_analyzed("c"),
        not_analyzed("d", status=Status.FAILED, code="fault", reason="stage words: fault"),
        not_analyzed("e", status=Status.NO_SPEECH, code="no_speech", reason="no voice"),
        rich("later", analyzed_at=LATER),
    )
    assert rows(
        tmp_path,
        "SELECT night::VARCHAR, calls, analyzed, no_speech, refused, failed, duplicates, "
        "audio_h, times_real_time, stereo_share, without_roles_share, without_ledger_share "
        "FROM night_report ORDER BY night",
    ) == [
        ("2026-11-20", 5, 2, 1, 1, 1, 0, 120 / 3600, 30.0, 0.5, 0.5, 0.5),
        ("2026-11-21", 1, 1, 0, 0, 0, 0, 60 / 3600, 30.0, 1.0, 0.0, 0.0),
    ]
    assert rows(tmp_path, "SELECT call_id, status, reason_code FROM failures ORDER BY 1") == [
        ("c", "refused", "empty_file"),
        ("d", "failed", "fault"),
        ("e", "no_speech", "no_speech"),
    ]


def test_an_opportunity_has_the_words_around_it_and_a_clip(tmp_path: Path) -> None:
    put(tmp_path, rich())
    assert rows(
        tmp_path,
        "SELECT customer_turn, agent_turn, clip_start_s, clip_end_s, agent_id "
        "FROM opportunity_detail",
    ) == [(SAYS[1][3], SAYS[2][3], pytest.approx(1.2), 11.0, "7")]


def test_definitions_alone_can_change(tmp_path: Path) -> None:
    put(tmp_path, rich())
    definition = MetricDefinition("charm", "call", "1", "charm", "nobody")
    folder = tmp_path / "landing"
    report = publish(folder, tmp_path / "w.duckdb", [*definitions_of([rich()]), definition])
    assert (report.rebuilt, report.loaded, report.unchanged) == (True, 0, 1)
    assert rows(tmp_path, "SELECT unit FROM metric_definitions WHERE name = 'charm'") == [("1",)]

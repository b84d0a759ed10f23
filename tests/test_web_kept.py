"""What people write on the pages: encrypted, forgotten, and carried over."""

import base64
import os
import signal
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from typer.testing import CliRunner

from support.factories import call
from support.forked import begun, die_at, ended
from support.pages import FROM_HERE, Served, answers, audible, comment, send, serving, text_of
from support.warehouses import put
from support.week import day
from warmline.cli import app as commands
from warmline.encryption import current_key
from warmline.errors import WarehouseError
from warmline.web import store as tables
from warmline.web.accounts import Role
from warmline.web.store import METADATA, Store, audit, change_key, now, open_store, store_path


def test_texts_are_encrypted_with_a_key(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMLINE_KEY", base64.b64encode(b"k" * 32).decode())
    path = tmp_path / "s.sqlite"
    store = open_store(path)
    sealed = store.seal("what she said")
    assert "she" not in sealed and store.unseal(sealed) == "what she said"
    store.close()
    assert path.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("WARMLINE_KEY", base64.b64encode(b"j" * 32).decode())
    with pytest.raises(Exception, match="another key"):
        open_store(path).unseal(sealed)
    monkeypatch.delenv("WARMLINE_KEY")
    with pytest.raises(Exception, match="give its key"):
        open_store(path).unseal(sealed)


def test_texts_follow_when_the_warehouse_is_encrypted(
    browser: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment(browser, text="she said xylocarp")

    def key(letter: bytes) -> Path:
        path = folder / f"{letter.decode()}.key"
        path.write_text(base64.b64encode(letter * 32).decode())
        path.chmod(0o600)
        monkeypatch.setenv("WARMLINE_KEY", path.read_text())
        return path

    at = ("--warehouse", str(folder / "w.duckdb"), "--landing", str(folder / "landing"))
    first = key(b"k")
    assert CliRunner().invoke(commands, ["encrypt", *at]).exit_code == 0
    for path in folder.glob("w.web.sqlite*"):
        assert b"xylocarp" not in path.read_bytes()
    with serving(folder) as other:
        assert "xylocarp" in other.alone().get("/call", params={"id": "ann-1"}).text
    key(b"j")
    changed = CliRunner().invoke(commands, ["encrypt", "--old-key-file", str(first), *at])
    assert changed.exit_code == 0, changed.output
    with serving(folder) as other:
        assert "xylocarp" in other.alone().get("/call", params={"id": "ann-1"}).text
    assert CliRunner().invoke(commands, ["encrypt", "--decrypt", *at]).exit_code == 0
    monkeypatch.delenv("WARMLINE_KEY")
    with serving(folder) as other:
        assert "xylocarp" in other.alone().get("/call", params={"id": "ann-1"}).text


def test_what_is_no_store_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "w.web.sqlite"
    path.write_text("not a database, but longer than its header would be" * 10)
    with pytest.raises(WarehouseError, match=r"w\.web\.sqlite: not a file of `warmline serve`"):
        open_store(path)


def test_forgetting_and_subject_access_reach_what_people_added(
    browser: Any, served: Served, folder: Path
) -> None:
    assert "xylocarp" in comment(browser, text="she said xylocarp").text
    assert "well said" in comment(browser, id="bob-1").text
    yes = {"id": "ann-1", "form": "conversation", "greeted": "yes", "greeted.note": "quillwort"}
    browser.post("/call/score", data=yes | {"save": "draft"}, headers=FROM_HERE)
    place = ("--warehouse", str(folder / "w.duckdb"), "--landing", str(folder / "landing"))
    told = CliRunner().invoke(
        commands, ["subject-access", "--customer", "c1", *place[:2], "--to", str(folder / "out")]
    )
    assert told.exit_code == 0, told.output
    answer = (folder / "out" / "customer.txt").read_text()
    assert "xylocarp" in answer and "quillwort" in answer
    gone = CliRunner().invoke(commands, ["forget", "--call", "ann-1", "--yes", *place])
    assert gone.exit_code == 0, gone.output
    assert browser.get("/call", params={"id": "ann-1"}).status_code == 404
    assert "well said" in browser.get("/call", params={"id": "bob-1"}).text
    looked = served.site.store.read(sa.select(audit).where(audit.c.action == "commented"))
    assert sorted(row["landing_key"] is None for row in looked) == [False, True]
    for path in folder.glob("w.web.sqlite*"):
        assert b"xylocarp" not in path.read_bytes() and b"quillwort" not in path.read_bytes()


WORD = "xylocarp"


def now_utc() -> datetime:
    return datetime.now(UTC)


def planted(store: Store, key: str) -> None:
    """Write a word into every column of text of every table, for the call of this key."""
    for table in METADATA.sorted_tables:
        if table.name in ("users", "sessions", "attempts", "secrets"):
            continue
        values: dict[str, Any] = {}
        for column in table.columns:
            if column.primary_key or (column.nullable and column.name != "landing_key"):
                continue
            kinds = {sa.Float: 1.0, sa.Integer: 1, sa.Boolean: False, sa.DateTime: now()}
            values[column.name] = kinds.get(type(column.type), "x")
        values |= {"landing_key": key} if "landing_key" in table.columns else {}
        for column, _ in tables._TEXTS:
            if column.table is table:
                values[column.name] = store.seal(f"{WORD} of {table.name}.{column.name}")
        store.write(table.insert().values(values))


def test_forgetting_reaches_every_table_that_names_a_call(tmp_path: Path) -> None:
    put(tmp_path, call("gone", customer_id="c1"), call("stays", customer_id="c2"))
    store = open_store(store_path(tmp_path / "w.duckdb"))
    import duckdb

    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as con:
        keys = dict(con.execute("SELECT call_id, landing_key FROM calls").fetchall())
    planted(store, keys["gone"])
    planted(store, keys["stays"])
    of_calls = [t for t in METADATA.sorted_tables if "landing_key" in t.columns]
    assert len(of_calls) == 7
    told = store.additions({keys["gone"]})
    assert len(told) == 6 and all(WORD in str(row) for row in told if "text" in row)
    at = ("--warehouse", str(tmp_path / "w.duckdb"), "--landing", str(tmp_path / "landing"))
    gone = CliRunner().invoke(commands, ["forget", "--call", "gone", "--yes", *at])
    assert gone.exit_code == 0, gone.output
    for table in of_calls:
        left = [row["landing_key"] for row in store.read(sa.select(table))]
        assert keys["gone"] not in left and keys["stays"] in left, table.name
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("w.web.sqlite*"))
    for table in of_calls[1:]:
        words = f"{WORD} of {table.name}.".encode()
        assert raw.count(words) == sum(c.table is table for c, _ in tables._TEXTS), table.name


@pytest.mark.parametrize("how", ["forgotten", "words too old"])
def test_titles_that_quote_a_call_alone_go_with_its_words(tmp_path: Path, how: str) -> None:
    says = [("A", 0.0, 5.0, "My name is Quirrelmore and the boiler burst last Tuesday.")]
    common = [("A", 0.0, 5.0, "The boiler burst again, last Monday, on a Tuesday bus: my refund?")]
    gone = call("x-77", says=says, customer_id="c-4711", started_at=day(1))
    put(tmp_path, gone, call("stays", says=common, customer_id="c2", started_at=now_utc()))
    quoting = ("Mrs. QUIRRELMORE's", "burst last tuesday!", "all of c-4711")
    kept = ("refund", "boiler burst", "Tuesday, last", "what nobody said", "of 2026")
    with serving(tmp_path) as served:
        lea = served.logged_in(Role.LEAD)
        store = served.site.store
        for title in (*quoting, *kept):
            send(lea, "/searches", title=title, query="queue=q")
            clip = {"clip.1": "0 2 stays", "title": title}
            assert send(lea, "/playlist/add", **clip).status_code == 303
            values = {"at": now(), "user_name": "lea", "form": "f", "form_text": "x"}
            store.write(tables.calibrations.insert().values(values | {"title": store.seal(title)}))
        send(lea, "/searches", title="found", query="phrase=quirrelmore+and")
        send(lea, "/searches", title="lost", query="phrase=my+refund")
        at = ("--warehouse", str(tmp_path / "w.duckdb"), "--landing", str(tmp_path / "landing"))
        settings = tmp_path / "warmline.toml"
        settings.write_text("[retention]\nwords_days = 1\n")
        by_age = ("--by-retention", "--settings", str(settings))
        options = ("--customer", "c-4711") if how == "forgotten" else by_age
        done = CliRunner().invoke(commands, ["forget", *options, "--yes", *at])
        assert done.exit_code == 0, done.output
        titles = list(store.titles().values())
        day_alone = f"{now():%Y-%m-%d}"
        assert sorted(titles) == sorted([*kept * 3, *[day_alone] * 6, "lost my refund"])
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("w.web.sqlite*")).lower()
    assert b"quirrelmore" not in raw and b"c-4711" not in raw and b"last tuesday" not in raw


@pytest.mark.parametrize("left_before", [False, True])
def test_whoever_has_the_name_next_inherits_nothing(tmp_path: Path, left_before: bool) -> None:
    put(tmp_path, audible(tmp_path, "ann-1"))
    with serving(tmp_path) as served:
        first = served.logged_in(Role.REVIEWER, "kim")
        send(first, "/searches", title="my own search", query="queue=cards")
        draft = answers(served) | {"id": "ann-1"}
        send(first, "/call/score", save="draft", **draft)
        send(first, "/sample", n="1", seed="1", days="all")
        assert (
            "1 of 1" in text_of(first.get("/work")) and "my own search" in first.get("/work").text
        )
        listed = send(first, "/playlist/add", **{"clip.1": "1 2 ann-1", "title": "for all"})
        playlist = listed.headers["location"]
        assert 'name="clip"' in first.get(playlist).text, "who made it may take clips out"
        store = served.site.store
        if left_before:  # by a version that left all this behind
            store.write(tables.users.delete().where(tables.users.c.name == "kim"))
        else:
            served.site.accounts.remove("kim")
            for table in (tables.searches, tables.evaluations, tables.assignments):
                assert not store.read(sa.select(table)), table.name
        again = served.logged_in(Role.REVIEWER, "kim")
        assert first.get("/calls").status_code == 303, "a session of before lets nobody in"
        page = again.get("/work").text
        assert "my own search" not in page and "ann-1" not in page and "for all" in page
        assert 'name="clip"' not in again.get(playlist).text
        (clip,) = store.read(sa.select(tables.clips))
        assert send(again, "/playlist/drop", clip=clip["clip_id"]).status_code == 403
        assert "draft" not in text_of(again.get("/call?id=ann-1"))
        assert not store.read(sa.select(tables.evaluations))


def test_nothing_counts_as_erased_while_the_log_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "w.web.sqlite"
    store = open_store(path)
    planted(store, "gone")
    hurried = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 0.01})
    with hurried.connect() as reader:
        reader.exec_driver_sql("BEGIN")
        assert reader.exec_driver_sql("SELECT count(*) FROM comments").scalar() == 1
        with pytest.raises(WarehouseError, match="another program reads it"):
            replace(store, engine=hurried).forget_calls({"gone"})
    store.forget_calls({"gone"})
    assert not (tmp_path / "w.web.sqlite-wal").stat().st_size
    hurried.dispose()


def test_words_that_were_said_are_erased_with_the_words_of_their_call(tmp_path: Path) -> None:
    put(tmp_path, call("old", started_at=day(1)))
    with serving(tmp_path) as served:
        lead = served.alone()
        missed = {"kind": "missed_cue", "label": "fear_anxiety", "text": WORD, "start_s": "3"}
        assert send(lead, "/call/comment", id="old", **missed).status_code == 303
        kept = {"kind": "comment", "text": "well explained", "start_s": "4"}
        send(lead, "/call/comment", id="old", **kept)
        settings = tmp_path / "warmline.toml"
        settings.write_text("[retention]\nwords_days = 1\n")
        at = ("--warehouse", str(tmp_path / "w.duckdb"), "--landing", str(tmp_path / "landing"))
        options = ("--by-retention", "--yes", "--settings", str(settings))
        done = CliRunner().invoke(commands, ["forget", *options, *at])
        assert done.exit_code == 0, done.output
        page = text_of(lead.get("/call?id=old"))
    assert "missed feeling, fear, anxiety words erased" in page and "well explained" in page
    for path in tmp_path.glob("w.web.sqlite*"):
        assert WORD.encode() not in path.read_bytes()


def test_every_text_is_encrypted_and_follows_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key(letter: bytes) -> Any:
        monkeypatch.setenv("WARMLINE_KEY", base64.b64encode(letter * 32).decode())
        return current_key()

    first = key(b"k")
    warehouse = tmp_path / "w.duckdb"
    store = open_store(store_path(warehouse))
    planted(store, "key")
    texts = sum(1 for table in METADATA.sorted_tables for c, _ in tables._TEXTS if c.table is table)
    store.empty_log()
    for path in tmp_path.glob("w.web.sqlite*"):
        assert WORD.encode() not in path.read_bytes()
    assert change_key(warehouse, first, key(b"j")) == texts == len(tables._TEXTS)
    told = open_store(store_path(warehouse)).additions({"key"})
    assert sum(WORD in str(row) for row in told) == 5, "assignments hold no text of people"


def test_what_was_kept_before_there_was_a_programme_is_upgraded(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    path = tmp_path / "old.web.sqlite"
    engine = sa.create_engine(f"sqlite:///{path}")
    config = Config()
    folder = Path(tables.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        row = "1, 'k', '2026-11-01 09:00:00', 'kim', 'f', 'x', 'text', 0, '{}'"
        connection.exec_driver_sql(f"INSERT INTO evaluations VALUES ({row})")
    engine.dispose()
    store = open_store(path)
    (kept,) = store.read(sa.select(tables.evaluations))
    assert (kept["user_name"], kept["calibration_id"], kept["replaces"]) == ("kim", None, None)
    made = sa.inspect(store.engine)
    for table in METADATA.sorted_tables:
        columns = {column["name"] for column in made.get_columns(table.name)}
        assert columns == set(table.columns.keys()), table.name


def test_it_is_made_once_by_several_who_open_it_and_whole_after_one_was_killed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "w.web.sqlite"

    def killed() -> None:
        die_at(Operations, "create_table", 5)
        open_store(path)

    assert ended(killed) == -signal.SIGKILL
    several = [begun(lambda: open_store(path)) for _ in range(3)]
    assert [os.waitpid(one, 0)[1] for one in several] == [0, 0, 0]
    with closing(open_store(path)) as store:
        made = sa.inspect(store.engine).get_table_names()
    assert sorted(made) == sorted(["alembic_version", *METADATA.tables])

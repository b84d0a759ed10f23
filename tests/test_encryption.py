"""With a key, no word is in any byte; without it, or with another, one line says what to do."""

import os
import pickle
import sys
from pathlib import Path

import pytest

from support.factories import definitions_of
from support.marked import MARKS, a_key, fill, holding, marked
from warmline import landing
from warmline.database import open_for_building, open_for_reading, open_without_warehouse
from warmline.encryption import (
    Key,
    current_key,
    look_for_key,
    new_key_file,
    read_key_file,
    without_key,
)
from warmline.errors import EncryptionError, QueryError, WarehouseError, WarmlineError
from warmline.landing import Selection
from warmline.query.questions import ask
from warmline.query.reviews import all_reviews
from warmline.query.search import search
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import check_warehouse


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("WARMLINE_KEY_FILE", "")
    monkeypatch.setenv("WARMLINE_KEY_ENV", "")
    given = a_key()
    monkeypatch.setenv("WARMLINE_KEY", given)
    return given


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An encrypted place, made once, and its key."""
    folder = tmp_path_factory.mktemp("encrypted")
    with pytest.MonkeyPatch.context() as patch:
        given = a_key()
        patch.setenv("WARMLINE_KEY", given)
        fill(folder)
    return folder, given


@pytest.fixture
def place(template: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    folder, given = template
    monkeypatch.setenv("WARMLINE_KEY", given)
    return folder


def test_no_byte_of_landing_and_warehouse_is_in_clear(place: Path) -> None:
    assert holding(place) == {}
    parquet = list((place / "w.landing").rglob("*.parquet"))
    assert {path.read_bytes()[:4] for path in parquet} == {b"PARE"}
    kinds = {path.relative_to(place / "w.landing").parts[0] for path in parquet}
    assert kinds == {"analyses", "packs", "outcomes", "reviews", "evaluations"}
    assert ask(place / "w.duckdb", "SELECT text FROM turns WHERE call_id = 'c1'").rows[1] == (
        f"I am worried {MARKS[0]}",
    )


def test_everything_reads_an_encrypted_place(place: Path) -> None:
    known = landing.known(place / "w.landing")
    assert known.unreadable == {}
    back = [landing.read_landed(place / "w.landing", landed) for landed in known]
    assert sorted(back, key=lambda each: each.metadata.call_id) == marked()
    warehouse = place / "w.duckdb"
    assert [hit.call_id for hit in search(warehouse, MARKS[0])] == ["c1"]
    assert all(result.passed for result in check_warehouse(warehouse))
    assert [review.reason for review in all_reviews(place / "w.landing")] == [MARKS[2]]
    assert ask(warehouse, "SELECT note FROM evaluation_answers").rows == ((None,), (MARKS[2],))
    assert ask(warehouse, "SELECT customer_id, value FROM outcomes").rows == ((MARKS[1], 3.0),)
    assert landing.matching(place / "w.landing", Selection(calls=frozenset({"c1"})))


def test_what_duckdb_puts_aside_and_its_log_are_encrypted(tmp_path: Path) -> None:
    rows = "SELECT 'xylocarp' || md5(range::VARCHAR) AS said FROM range(3000000)"
    with open_without_warehouse() as con:
        con.execute(f"SET temp_directory = '{tmp_path / 'aside'}'")
        con.execute("SET memory_limit = '60MB'; SET threads = 1")
        con.execute(f"CREATE TEMP TABLE much AS {rows}")
        aside = list((tmp_path / "aside").iterdir())
        assert sum(path.stat().st_size for path in aside) > 10_000_000
        assert holding(tmp_path) == {}
    with open_for_building(tmp_path / "w.duckdb") as con:
        con.execute("CREATE TABLE t AS SELECT 'xylocarp' AS said")
        assert (tmp_path / "w.duckdb.wal").stat().st_size
        assert holding(tmp_path) == {}


def test_another_key_and_none_are_one_clear_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    warehouse, folder = place / "w.duckdb", place / "w.landing"
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    packed = next((folder / "packs").rglob("*.parquet"))
    everything = (
        lambda: ask(warehouse, "SELECT 1"),
        lambda: landing.known(folder),
        lambda: landing.read(packed, "analyses/x"),
        lambda: landing.write(marked()[0], folder),
        lambda: landing.compact(folder),
        lambda: landing.matching(folder, Selection(calls=frozenset({"c1"}))),
        lambda: publish(folder, warehouse, definitions_of(marked())),
        lambda: list(all_reviews(folder)),
    )
    for given, said in ((key, "another key than"), ("", "encrypted; give its key")):
        monkeypatch.setenv("WARMLINE_KEY", given)
        for attempt in everything:
            with pytest.raises(WarmlineError) as raised:
                attempt()
            assert said in str(raised.value)
            assert "\n" not in str(raised.value)
            assert_hides(raised.value, key)
    files = [path for path in before if path.name not in (".packing.lock", "w.duckdb.lock")]
    assert {path: path.stat().st_mtime_ns for path in files} == {p: before[p] for p in files}


def assert_hides(error: BaseException, key: str) -> None:
    """The key is in no message of an error or of those that led to it."""
    seen: BaseException | None = error
    while seen is not None:
        assert key not in str(seen)
        seen = seen.__cause__ or seen.__context__


def test_a_clear_place_is_not_taken_for_an_encrypted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("WARMLINE_KEY", "")
    with open_for_building(tmp_path / "w.duckdb") as con:
        con.execute("CREATE TABLE t AS SELECT 1 AS one")
    clear = landing.write(marked()[0], tmp_path / "w.landing")
    monkeypatch.setenv("WARMLINE_KEY", key)
    for attempt in (
        lambda: ask(tmp_path / "w.duckdb", "SELECT 1"),
        lambda: landing.known(tmp_path / "w.landing"),
        lambda: landing.write(marked()[1], tmp_path / "w.landing"),
        lambda: landing.read(clear),
    ):
        with pytest.raises(EncryptionError, match="`warmline encrypt`"):
            attempt()
    assert not (tmp_path / "w.landing" / "encryption.json").exists()


def test_a_clear_file_among_encrypted_ones_stops_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    landing.write(marked()[0], tmp_path / "w.landing")
    monkeypatch.setenv("WARMLINE_KEY", "")
    stray = landing.write(marked()[1], tmp_path / "clear")
    monkeypatch.setenv("WARMLINE_KEY", key)
    target = tmp_path / "w.landing" / stray.relative_to(tmp_path / "clear")
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(stray.read_bytes())
    with pytest.raises(EncryptionError, match="not encrypted"):
        landing.known(tmp_path / "w.landing")


def test_a_damaged_file_is_one_file(tmp_path: Path) -> None:
    first, second = (landing.write(each, tmp_path) for each in marked())
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    known = landing.known(tmp_path)
    assert [landed.call_id for landed in known] == ["c2"]
    assert list(known.unreadable) == [first.relative_to(tmp_path).as_posix()]
    assert landing.read(second) == marked()[1]


def test_a_question_reaches_neither_key_nor_files(place: Path, key: str) -> None:
    warehouse = place / "w.duckdb"
    assert ask(warehouse, "SELECT getvariable('key')").rows == ((None,),)
    shown = ask(warehouse, "SELECT * FROM duckdb_settings()").rows
    shown += ask(warehouse, "SELECT * FROM duckdb_databases()").rows
    assert os.environ["WARMLINE_KEY"] not in repr(shown)
    for sql in (
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM read_text('https://example.org')",
        f"SELECT * FROM read_parquet('{place}/w.landing/packs/*/*.parquet', "
        "encryption_config = {footer_key: 'warmline'})",
    ):
        with pytest.raises(QueryError):
            ask(warehouse, sql)


def test_files_written_before_a_column_was_there_are_read(tmp_path: Path) -> None:
    """DuckDB cannot merge columns of encrypted files by name; the reader names them."""
    path = landing.write(marked()[0], tmp_path)
    with open_without_warehouse() as con:
        con.execute("SET TimeZone = 'UTC'")
        config = "encryption_config = {footer_key: 'warmline'}"
        con.execute(
            f"CREATE TABLE old AS SELECT * EXCLUDE (floor) FROM read_parquet('{path}', {config})"
        )
        con.execute(f"COPY old TO '{path}' (FORMAT parquet, {config.replace('=', '')})")
    landing.write(marked()[1], tmp_path)
    assert {landed.call_id for landed in landing.known(tmp_path)} == {"c1", "c2"}
    assert landing.compact(tmp_path).packed == 2


def test_keys_are_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    given = current_key()
    assert given is not None
    assert key not in repr(given)
    assert repr(given.secret) not in repr(given)
    with pytest.raises(TypeError):
        pickle.dumps(given)
    around = {"WARMLINE_KEY": key, "PG_AGENTS": key, "HOME": "/"}
    assert without_key(around) == {"HOME": "/"}, "a key goes whatever its variable is called"
    monkeypatch.setenv("WARMLINE_KEY", key[:-5])
    with pytest.raises(EncryptionError, match="WARMLINE_KEY: not a key") as raised:
        current_key()
    assert_hides(raised.value, key[:-5])


def test_a_key_file_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMLINE_KEY", "")
    file = tmp_path / "key"
    new_key_file(file)
    assert file.stat().st_mode & 0o777 == 0o600
    look_for_key("", str(file))
    assert current_key() == read_key_file(file)
    with pytest.raises(EncryptionError, match="never written over"):
        new_key_file(file)
    file.chmod(0o640)
    with pytest.raises(EncryptionError, match="chmod 600"):
        current_key()
    file.unlink()
    with pytest.raises(EncryptionError, match="cannot be read"):
        current_key()


def test_settings_name_a_variable_that_has_to_be_there(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    look_for_key("CENTRE_KEY", "")
    with pytest.raises(EncryptionError, match="CENTRE_KEY"):
        current_key()
    monkeypatch.setenv("CENTRE_KEY", a_key())
    assert isinstance(current_key(), Key)
    with pytest.raises(EncryptionError, match="one of them"):
        look_for_key("A", "b")


def test_what_encrypts_may_be_missing(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a small warehouse needs nothing more; writing says what to install."""
    monkeypatch.setitem(sys.modules, "duckdb_extension_httpfs", None)
    assert ask(place / "w.duckdb", "SELECT count(*) FROM calls").rows == ((2,),)
    for attempt in (
        lambda: landing.write(marked()[0], tmp_path / "w.landing"),
        lambda: landing.known(tmp_path / "w.landing"),
        lambda: open_for_building(tmp_path / "w.duckdb"),
    ):
        with pytest.raises(WarehouseError, match="pip install duckdb-extension-httpfs=="):
            attempt()
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_large_warehouse_is_read_by_openssl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_for_building(tmp_path / "w.duckdb") as con:
        con.execute("CREATE TABLE t AS SELECT 7 AS seven")
        con.execute("CHECKPOINT")
    loaded = "SELECT count(*) FROM duckdb_extensions() WHERE loaded AND extension_name = 'httpfs'"
    for least, expected in ((2**40, 0), (0, 1)):
        monkeypatch.setattr("warmline.database._WORTH_OPENSSL_BYTES", least)
        with open_for_reading(tmp_path / "w.duckdb") as con:
            assert con.execute("SELECT seven FROM t").fetchall() == [(7,)]
            assert con.execute(loaded).fetchall() == [(expected,)]

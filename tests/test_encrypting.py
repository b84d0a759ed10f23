"""`warmline encrypt`: what is in clear is encrypted; nothing is left of it, whatever happens."""

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from time import sleep

import pytest
from typer.testing import CliRunner

from support.factories import call
from support.forked import die_at, ended
from support.marked import MARKS, a_key, fill, holding
from support.warehouses import read_rows
from warmline import landing
from warmline.cli import app
from warmline.encryption import new_key_file
from warmline.errors import EncryptionError
from warmline.landing import manifest
from warmline.landing.feedback import all_evaluations
from warmline.query.questions import ask
from warmline.query.reviews import all_reviews


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clear")
    fill(folder)
    return folder


@pytest.fixture
def clear(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place in clear, a key file, and settings that name it."""
    monkeypatch.chdir(tmp_path)
    for name in ("WARMLINE_KEY", "WARMLINE_KEY_FILE", "WARMLINE_KEY_ENV"):
        monkeypatch.setenv(name, "")
    shutil.copytree(filled, tmp_path / "place")
    new_key_file(tmp_path / "key")
    (tmp_path / "with.toml").write_text('[encryption]\nkey_file = "key"\n')
    return tmp_path


def run(folder: Path, *arguments: str, settings: str = "with.toml") -> tuple[int, str]:
    os.environ["WARMLINE_KEY_FILE"] = ""  # what a new process has
    place = ["--warehouse", str(folder / "place" / "w.duckdb")]
    given = [*arguments, *place, "--settings", str(folder / settings)]
    done = CliRunner().invoke(app, given, env={"PREFECT_HOME": str(folder / "prefect")})
    return done.exit_code, done.output


def test_a_clear_place_is_encrypted_and_nothing_is_left_of_it(clear: Path) -> None:
    place = clear / "place"
    (place / "w.duckdb.building-77").write_text(MARKS[0])
    (place / "w.landing" / "packs" / "aa").mkdir()
    (place / "w.landing" / "packs" / "aa" / ".x.parquet.tmp").write_text(MARKS[0])
    before = ask(place / "w.duckdb", "SELECT * FROM call_summary ORDER BY call_id")
    assert set().union(*holding(place).values()) == set(MARKS)
    code, said = run(clear, "query", "SELECT 1")
    assert code == 1
    assert "`warmline encrypt`" in said

    code, said = run(clear, "encrypt", "--json")
    assert (code, json.loads(said)) == (0, {"files": 5, "warehouse": True})
    assert holding(place) == {}
    code, said = run(clear, "encrypt", "--json")
    assert (code, json.loads(said)) == (0, {"files": 0, "warehouse": False})

    assert ask(place / "w.duckdb", "SELECT * FROM call_summary ORDER BY call_id") == before
    assert [review.reason for review in all_reviews(place / "w.landing")] == [MARKS[2]]
    assert [each.answers[1].note for each in all_evaluations(place / "w.landing")] == [MARKS[2]]
    for arguments in (
        ("show", "c1"),
        ("search", MARKS[0]),
        ("check",),
        ("review", "list"),
        ("export", "c1", "--to", str(clear / "out")),
        ("query", "SELECT text FROM turns"),
    ):
        code, said = run(clear, *arguments)
        assert code == 0, said
    code, said = run(clear, "forget", "--customer", MARKS[1], "--yes", "--json")
    assert (code, json.loads(said)["calls"]) == (0, 1)
    assert read_rows(place / "w.duckdb", "SELECT call_id FROM calls") == (("c2",),)


def test_a_new_key_takes_the_place_of_the_old_and_back_to_clear(clear: Path) -> None:
    place = clear / "place"
    assert run(clear, "encrypt")[0] == 0
    new_key_file(clear / "new")
    (clear / "new.toml").write_text('[encryption]\nkey_file = "new"\n')
    code, said = run(clear, "encrypt", settings="new.toml")
    assert (code, "--old-key-file" in said) == (1, True)
    old = ("--old-key-file", str(clear / "key"))
    code, said = run(clear, "encrypt", *old, "--json", settings="new.toml")
    assert (code, json.loads(said)) == (0, {"files": 5, "warehouse": True})
    code, said = run(clear, "query", "SELECT 1")
    assert (code, "another key" in said) == (1, True)
    assert run(clear, "query", "SELECT 1", settings="new.toml")[0] == 0

    assert run(clear, "encrypt", "--decrypt", settings="new.toml")[0] == 0
    os.environ["WARMLINE_KEY_FILE"] = ""
    assert len(landing.known(place / "w.landing")) == 2
    assert [review.reason for review in all_reviews(place / "w.landing")] == [MARKS[2]]
    assert [each.answers[1].note for each in all_evaluations(place / "w.landing")] == [MARKS[2]]
    assert len(read_rows(place / "w.duckdb", "SELECT * FROM calls")) == 2


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_finished_later(clear: Path) -> None:
    place = clear / "place"
    broken = next((place / "w.landing" / "packs").rglob("*.parquet"))
    broken.write_bytes(b"PAR1 broken")
    code, said = run(clear, "encrypt")
    assert (code, broken.name in said.replace("\n", "")) == (1, True)
    code, said = run(clear, "query", "SELECT 1")
    assert code == 1
    broken.unlink()
    assert run(clear, "encrypt")[0] == 0
    assert holding(place) == {}


def test_a_killed_encryption_is_finished_by_the_next(clear: Path) -> None:
    """Killed at several points; in between nothing else touches the place, and no call is lost."""
    place = clear / "place"
    for number in range(40):
        said = [("A", 0.0, 2.0, f"{MARKS[0]} {number}")]
        landing.write(call(f"more-{number}", says=said), place / "w.landing")

    def killed(before_writing: int) -> None:
        die_at(manifest, "_write_encrypted", before_writing)
        run(clear, "encrypt")

    for more, so_far in ((3, 3), (27, 30)):
        assert ended(partial(killed, more + 1)) == -signal.SIGKILL
        assert encrypted(place) == so_far
        os.environ["WARMLINE_KEY_FILE"] = str(clear / "key")
        with pytest.raises(EncryptionError, match="not finished"):
            landing.known(place / "w.landing")
    assert run(clear, "encrypt", "--json")[0] == 0
    assert holding(place) == {}
    assert len(landing.known(place / "w.landing")) == 42
    assert not list((place / "w.landing").rglob(".*.tmp"))


def encrypted(place: Path) -> int:
    return sum(map(is_encrypted, (place / "w.landing").rglob("[!.]*.parquet")))


def is_encrypted(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PARE"


def test_a_key_is_no_argument(clear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another user sees in the list of processes: how the command was called."""
    secret = a_key()
    monkeypatch.setenv("WARMLINE_KEY", secret)
    command = [sys.executable, "-m", "warmline", "encrypt"]
    process = subprocess.Popen(
        [*command, "--warehouse", str(clear / "place" / "w.duckdb")], stdout=subprocess.PIPE
    )
    while process.poll() is None:
        assert secret.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        sleep(0.01)
    assert process.returncode == 0
    assert not [p for p in clear.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]


def test_who_opted_out_is_known_after_encrypting_and_with_another_key(clear: Path) -> None:
    place = clear / "place"
    (clear / "plain.toml").write_text("")
    words = ("forget", "--customer", "dora", "--and-later", "--yes")
    code, said = run(clear, *words, settings="plain.toml")
    assert code == 0, said
    assert (place / "w.landing" / "digests" / "key.json").exists()
    assert run(clear, "encrypt")[0] == 0
    assert [p.name for p in (place / "w.landing" / "digests").iterdir()] == ["key.parquet"]
    out = landing.left_out(place / "w.landing")
    assert out.has_opted_out(" Dora")
    assert not out.has_opted_out("ben")
    code, said = run(clear, "forget", "--customer", "eve", "--and-later", "--yes")
    assert code == 0, said
    assert landing.left_out(place / "w.landing").has_opted_out("eve")

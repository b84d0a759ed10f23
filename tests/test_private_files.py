"""All that is written of calls is for its owner alone, whatever the umask, also when rewritten."""

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.factories import definitions_of
from support.marked import fill, marked
from support.once import Once
from warmline import landing
from warmline.annotation import Wanted, draw, write_sheet
from warmline.errors import QueryError
from warmline.files import write_text_whole, write_whole
from warmline.landing import Selection
from warmline.query.export import EXPORTERS, TABLES, export, write_table
from warmline.query.questions import ask
from warmline.reports.monitoring import last_night, read_night, write_report
from warmline.settings import NightSettings
from warmline.warehouse.publishing import publish

KEY = b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """A machine whose users let everybody read and change what they write."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture(params=["in clear", "encrypted"])
def place(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, once: Once, tmp_path: Path
) -> Path:
    if request.param == "encrypted":
        monkeypatch.setenv("WARMLINE_KEY", KEY)

    def make(folder: Path) -> None:
        (folder / "place").mkdir(0o700)
        fill(folder / "place")

    once.copied(f"private-{request.param}", make, tmp_path)
    return tmp_path / "place"


def require_private(folder: Path) -> None:
    """Nothing in the folder lets anybody but its owner in."""
    found = {path: f"{path.stat().st_mode & 0o777:o}" for path in folder.rglob("*")}
    assert found == {path: "700" if path.is_dir() else "600" for path in found}
    assert found


def test_landing_folder_and_warehouse_are_private(place: Path) -> None:
    require_private(place)


def test_what_others_could_read_is_private_once_it_is_written_anew(place: Path) -> None:
    for path in place.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder = place / "w.landing"
    landing.erase(folder, Selection(calls=frozenset({"c1"})))
    publish(folder, place / "w.duckdb", definitions_of(marked()))
    assert (place / "w.duckdb").stat().st_mode & 0o777 == 0o600


def test_exports_sheets_and_reports_are_private(place: Path, tmp_path: Path) -> None:
    out, warehouse = tmp_path / "out" / "deeper", place / "w.duckdb"
    for name in EXPORTERS:
        export(marked()[0], name, out)
    for name in TABLES:
        write_table(ask(warehouse, "SELECT * FROM turns"), out / f"t.{name}", name)
    write_sheet(draw(warehouse, Wanted(flagged=1, unflagged=0)), out / "sheet.csv")
    night = last_night(warehouse)
    assert night is not None
    write_report(read_night(warehouse, night, NightSettings()), warehouse)
    require_private(tmp_path / "out")
    require_private(place)


def test_a_file_is_private_whatever_the_writer_makes_of_it(tmp_path: Path) -> None:
    def another(path: Path) -> None:
        path.unlink()
        path.write_text("x")

    path = tmp_path / "a" / "b.txt"
    assert write_whole(path, another, QueryError, "it").stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    write_whole(path, lambda file: file.write_text("y"), QueryError, "it")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "y"
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        write_text_whole(pipe, "x", QueryError, "it")
        assert pipe.is_fifo()
        assert read.result() == "x"


def test_what_libraries_write_for_a_command_is_private(place: Path) -> None:
    look = "import os, sys; print(oct(os.umask(0)))"
    command = [sys.executable, "-c", _UNDER_A_COMMAND, look]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "0o77"


#: Runs a command and then, in the same process, a piece of code.
_UNDER_A_COMMAND = """
import sys
from typer.testing import CliRunner
from warmline.cli import app
CliRunner().invoke(app, ["query", "--list"])
exec(sys.argv[1])
"""

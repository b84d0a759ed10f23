"""A warehouse knows its landing folder, and no publishing loses a call that nobody erased."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from support.factories import call, cue, definitions_of
from support.once import Once
from support.warehouses import read_rows
from warmline import landing
from warmline.cli import app
from warmline.errors import EncryptionError, WarehouseError
from warmline.files import give_identity, identity_of
from warmline.query.questions import ask
from warmline.settings import PlaceSettings, Settings
from warmline.warehouse.landing_folder import known_places
from warmline.warehouse.publishing import publish

CALLS = [
    call(name, customer_id=f"of-{name}", cues=[cue(1, 2.5, 5.0, "my card is lost")])
    for name in ("ann", "ben", "eve")
]
DEFINITIONS = definitions_of(CALLS)
OUTCOMES = "customer_id,date,nps\nof-ann,2026-11-20,9\n"


def publish_elsewhere(folder: Path) -> Path:
    for analysis in CALLS:
        landing.write(analysis, folder / "demo" / "landing")
    publish(folder / "demo" / "landing", folder / "demo" / "w.duckdb", DEFINITIONS)
    (folder / "o.csv").write_text(OUTCOMES)
    return folder


@pytest.fixture
def in_place(tmp_path: Path) -> Path:
    """A warehouse whose landing folder does not lie where its name says, as that of the demo."""
    return publish_elsewhere(tmp_path)


@pytest.fixture
def elsewhere(once: Once, tmp_path: Path) -> Path:
    """A copy of one, which does not know where it lies now."""
    return once.copied("elsewhere", publish_elsewhere, tmp_path)


def run(folder: Path, *words: str) -> Any:
    place = ("--warehouse", str(folder / "demo" / "w.duckdb"))
    home = {"PREFECT_HOME": str(folder / "prefect")}
    return CliRunner().invoke(app, [*words, *place], env=home)


def calls(folder: Path) -> list[str]:
    found = read_rows(folder / "demo" / "w.duckdb", "SELECT call_id FROM calls ORDER BY 1")
    return [name for (name,) in found]


COMMANDS = {
    "outcomes": ("outcomes", "load", "o.csv"),
    "forget": ("forget", "--call", "eve", "--yes"),
    "review": ("review", "mark", "ann", "right", "--cue", "2.5"),
    "list": ("review", "list"),
    "retry": ("retry", "--all"),
    "analyze": ("analyze", "empty"),
    "export": ("export", "ann", "--to", "out"),
    "encrypt": ("encrypt",),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_finds_the_landing_folder_without_being_told(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(elsewhere)
    (elsewhere / "empty").mkdir()
    if name == "encrypt":
        monkeypatch.setenv("WARMLINE_KEY", "A" * 43 + "=")
    done = run(elsewhere, *COMMANDS[name])
    assert done.exit_code == 0, done.output
    assert calls(elsewhere) == ["ann", "ben", *(["eve"] if name != "forget" else [])]
    assert not (elsewhere / "demo" / "w.landing").exists()
    if name == "outcomes":
        assert "1 matched to a call" in done.output
    if name == "encrypt":
        assert "3 landing files written anew" in done.output


def test_a_folder_that_was_moved_is_asked_for_once(in_place: Path) -> None:
    demo = in_place / "demo"
    (demo / "landing").rename(in_place / "moved")
    load = ("outcomes", "load", str(in_place / "o.csv"))
    lost = run(in_place, *load)
    assert lost.exit_code == 1
    assert f"was {demo / 'landing'} and is not there" in lost.stderr
    assert "--landing DIR" in lost.stderr
    assert len(lost.stderr.splitlines()) == 1
    assert run(in_place, *load, "--landing", str(in_place / "moved")).exit_code == 0
    again = run(in_place, *load)
    assert again.exit_code == 0, again.output
    assert calls(in_place) == ["ann", "ben", "eve"]


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_a_folder_that_is_gone_or_not_mounted_is_not_taken_for_an_empty_one(
    elsewhere: Path, left: str
) -> None:
    (elsewhere / "demo" / "landing").rename(elsewhere / "away")
    if left == "an empty folder":
        (elsewhere / "demo" / "landing").mkdir()
    for words in (("outcomes", "load", str(elsewhere / "o.csv")), ("forget", "--call", "eve")):
        refused = run(elsewhere, *words)
        assert refused.exit_code == 1, refused.output
        assert "is not there" in refused.stderr
    assert calls(elsewhere) == ["ann", "ben", "eve"]


def test_a_copied_warehouse_does_not_write_into_the_folder_of_its_original(in_place: Path) -> None:
    demo, copy = in_place / "demo", in_place / "copy"
    copy.mkdir()
    shutil.copy2(demo / "w.duckdb", copy / "w.duckdb")
    forget = ("forget", "--call", "eve", "--yes", "--warehouse", str(copy / "w.duckdb"))
    refused = CliRunner().invoke(app, forget)
    assert refused.exit_code == 1
    assert f"a copy of {demo / 'w.duckdb'}" in refused.stderr
    assert str(copy / "landing") in refused.stderr
    assert calls(in_place) == ["ann", "ben", "eve"]
    shutil.copytree(demo / "landing", copy / "landing")
    assert CliRunner().invoke(app, forget).exit_code == 0
    assert calls(in_place) == ["ann", "ben", "eve"]
    assert any((demo / "landing").rglob("*.parquet"))
    assert known_places(Settings(), None, demo / "w.duckdb").landing == demo / "landing"


def test_a_check_looks_at_the_landing_folder(in_place: Path) -> None:
    assert run(in_place, "check").exit_code == 0
    keys = {
        path.stem: path for path in (in_place / "demo" / "landing" / "analyses").rglob("*.parquet")
    }
    keys.popitem()[1].unlink()
    one = run(in_place, "check")
    assert one.exit_code == 1
    assert "fault=not there" in one.output.replace("\n", " ")
    shutil.rmtree(in_place / "demo" / "landing")
    gone = run(in_place, "check", "--json")
    assert gone.exit_code == 1
    told = {check["check"]: check for check in json.loads(gone.stdout)}
    assert told["the_landing_folder_is_whole"]["passed"] is False
    assert sum(not check["passed"] for check in told.values()) == 1


@pytest.mark.parametrize(
    ("warehouse", "said"),
    [
        (".", "a folder; name the file of the warehouse"),
        ("o.csv/w.duckdb", "no folder can be made there"),
        ("/proc/none/w.duckdb", "cannot write to /proc"),
    ],
)
def test_a_warehouse_that_cannot_be_written_is_told_before_listening(
    in_place: Path, two_speakers: Path, warehouse: str, said: str
) -> None:
    place = ("--warehouse", str(in_place / warehouse))
    refused = CliRunner().invoke(app, ["analyze", str(two_speakers), *place])
    assert refused.exit_code == 1
    assert said in " ".join(refused.stderr.split())
    assert "makes one" not in refused.stderr
    assert not list(in_place.parent.glob("*.landing"))


def test_both_moved_together_are_found(elsewhere: Path) -> None:
    (elsewhere / "demo").rename(elsewhere / "there")
    found = known_places(Settings(), None, elsewhere / "there" / "w.duckdb")
    assert found.landing == elsewhere / "there" / "landing"


def test_another_folder_is_refused_before_anything_is_written_there(in_place: Path) -> None:
    other = in_place / "other"
    landing.write(call("zoe"), other)
    before = {path: path.stat().st_mtime_ns for path in other.rglob("*")}
    for words in (
        ("outcomes", "load", str(in_place / "o.csv")),
        ("review", "mark", "ann", "right", "--cue", "2.5"),
        ("forget", "--call", "zoe", "--yes"),
    ):
        refused = run(in_place, *words, "--landing", str(other))
        assert refused.exit_code == 1
        assert f"{other}: not the landing folder of" in refused.stderr
        assert str(in_place / "demo" / "landing") in refused.stderr
    assert {path: path.stat().st_mtime_ns for path in other.rglob("*")} == before
    assert calls(in_place) == ["ann", "ben", "eve"]


def test_the_settings_of_one_warehouse_do_not_hold_for_another(elsewhere: Path) -> None:
    of_mine = Settings(places=PlaceSettings(landing=str(elsewhere / "mine"), warehouse="m.duckdb"))
    found = known_places(of_mine, None, elsewhere / "demo" / "w.duckdb")
    assert found.landing == elsewhere / "demo" / "landing"
    warehouse = str(elsewhere / "demo" / "w.duckdb")
    wrong = Settings(places=PlaceSettings(landing=str(elsewhere / "mine"), warehouse=warehouse))
    with pytest.raises(WarehouseError, match=r"leave --landing \(places.landing\) away"):
        known_places(wrong)


def test_a_publishing_that_would_lose_calls_says_how_many_and_of_which_folder(
    elsewhere: Path,
) -> None:
    demo = elsewhere / "demo"
    for path in list((demo / "landing" / "analyses").rglob("*.parquet"))[:2]:
        path.unlink()
    before = (demo / "w.duckdb").read_bytes()
    refused = run(elsewhere, "outcomes", "load", str(elsewhere / "o.csv"))
    assert refused.exit_code == 1, refused.output
    assert "2 of its calls" in refused.stderr
    assert str(demo / "landing") in refused.stderr
    assert (demo / "w.duckdb").read_bytes() == before
    (elsewhere / "empty").mkdir()
    assert run(elsewhere, "analyze", str(elsewhere / "empty"), "--allow-loss").exit_code == 0
    assert len(calls(elsewhere)) == 1


def test_a_warehouse_of_before_is_taken_with_the_folder_beside_it_or_asks(
    elsewhere: Path,
) -> None:
    demo = elsewhere / "demo"
    with duckdb.connect(str(demo / "w.duckdb")) as con:
        con.execute("DROP TABLE landing.folder")
        con.execute("UPDATE runs SET tables_sha256 = 'of before'")
    (demo / "landing" / "landing.json").unlink()
    load = ("outcomes", "load", str(elsewhere / "o.csv"))
    refused = run(elsewhere, *load)
    assert refused.exit_code == 1
    assert f"nothing has landed in {demo / 'w.landing'}" in refused.stderr
    assert "--landing DIR" in refused.stderr
    assert calls(elsewhere) == ["ann", "ben", "eve"]
    named = run(elsewhere, *load, "--landing", str(demo / "landing"))
    assert named.exit_code == 0, named.output
    assert identity_of(demo / "landing")
    assert run(elsewhere, *load).exit_code == 0
    assert calls(elsewhere) == ["ann", "ben", "eve"]


def test_what_replaces_a_call_is_no_loss(elsewhere: Path) -> None:
    newer = call("ann", path="/calls/ann.wav", audio="sung again", analyzed_at=later())
    landing.write(newer, elsewhere / "demo" / "landing")
    publish(elsewhere / "demo" / "landing", elsewhere / "demo" / "w.duckdb", DEFINITIONS)
    assert calls(elsewhere) == ["ann", "ben", "eve"]


def later() -> Any:
    from support.warehouses import LATER

    return LATER


def test_a_backup_is_restored_elsewhere_and_the_next_night_goes_on(elsewhere: Path) -> None:
    """What docs/operate.md says: landing folder and warehouse are copied, and that is all."""
    demo = elsewhere / "demo"
    run(elsewhere, "review", "mark", "ann", "right", "--cue", "2.5", "--by", "kim")
    run(elsewhere, "outcomes", "load", str(elsewhere / "o.csv"))
    for name in ("landing", "w.duckdb"):
        copying = shutil.copytree if name == "landing" else shutil.copyfile
        copying(demo / name, _made(elsewhere / "backup") / name)
    shutil.rmtree(demo)
    shutil.copytree(elsewhere / "backup", elsewhere / "new" / "machine")
    (elsewhere / "new" / "machine").rename(demo.parent / "demo2")
    demo2 = elsewhere / "demo2"
    landing.write(call("zoe"), demo2 / "landing")
    found = known_places(Settings(), None, demo2 / "w.duckdb")
    assert found.landing == demo2 / "landing"
    publish(found.landing, found.warehouse, DEFINITIONS)
    counts = "SELECT (SELECT count(*) FROM calls), (SELECT count(*) FROM reviews), "
    counts += "(SELECT count(*) FROM outcomes)"
    assert read_rows(demo2 / "w.duckdb", counts) == ((4, 1, 1),)
    (demo2 / "w.duckdb").unlink()  # the landing folder alone is enough
    publish(found.landing, found.warehouse, DEFINITIONS)
    assert read_rows(demo2 / "w.duckdb", counts) == ((4, 1, 1),)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def test_a_warehouse_that_is_older_than_its_landing_folder_catches_up(elsewhere: Path) -> None:
    """A backup of the warehouse from yesterday, restored beside the landing folder of today."""
    demo = elsewhere / "demo"
    shutil.copyfile(demo / "w.duckdb", elsewhere / "yesterday")
    landing.write(call("zoe"), demo / "landing")
    publish(demo / "landing", demo / "w.duckdb", DEFINITIONS)
    (elsewhere / "yesterday").replace(demo / "w.duckdb")
    publish(demo / "landing", demo / "w.duckdb", DEFINITIONS)
    assert calls(elsewhere) == ["ann", "ben", "eve", "zoe"]


def test_an_older_landing_folder_under_a_newer_warehouse_is_refused(elsewhere: Path) -> None:
    demo = elsewhere / "demo"
    shutil.copytree(demo / "landing", elsewhere / "yesterday")
    landing.write(call("zoe"), demo / "landing")
    publish(demo / "landing", demo / "w.duckdb", DEFINITIONS)
    shutil.rmtree(demo / "landing")
    (elsewhere / "yesterday").rename(demo / "landing")
    with pytest.raises(WarehouseError, match=r"1 of its calls \(zoe\)"):
        publish(demo / "landing", demo / "w.duckdb", DEFINITIONS)


def test_the_id_is_given_once_and_read_by_all(tmp_path: Path) -> None:
    (tmp_path / "l").mkdir()
    first = give_identity(tmp_path / "l")
    assert first == give_identity(tmp_path / "l") == identity_of(tmp_path / "l")
    assert give_identity(tmp_path / "none") is None
    assert [path.name for path in (tmp_path / "l").iterdir()] == ["landing.json"]
    assert json.loads((tmp_path / "l" / "landing.json").read_text()) == {"landing_id": first}


def test_a_folder_whose_name_says_lock_is_not_taken_for_a_locked_warehouse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "block"
    landing.write(CALLS[0], place / "w.landing")
    publish(place / "w.landing", place / "w.duckdb", DEFINITIONS)
    monkeypatch.setenv("WARMLINE_KEY", "A" * 43 + "=")
    with pytest.raises(EncryptionError, match="not encrypted, although there is a key"):
        ask(place / "w.duckdb", "SELECT 1")
    done = CliRunner().invoke(app, ["encrypt", "--warehouse", str(place / "w.duckdb")])
    assert done.exit_code == 0, done.output
    assert read_rows(place / "w.duckdb", "SELECT count(*) FROM calls") == ((1,),)

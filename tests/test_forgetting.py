"""What is forgotten is in no file any more, and stays away."""

import os
import shutil
import signal
import stat
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.factories import call, without_analysis
from support.forgetting import calls, command, forget, holding, publish_three, republish
from support.forked import die, ended
from support.marked import MARKS
from support.once import Once
from support.plans import MODELS
from support.warehouses import read_rows
from warmline import landing
from warmline.cli import app
from warmline.landing import Selection, erasures, rewriting
from warmline.landing.store import key_of, uncompacted_file
from warmline.pipeline.plan import make_plan
from warmline.pipeline.stages import CacheKeys, all_measures
from warmline.settings import Settings
from warmline.warehouse import publishing
from warmline.warehouse.outcomes import load_outcomes


@pytest.fixture
def folder(once: Once, tmp_path: Path) -> Path:
    """Two calls of a customer who will be forgotten, one packed, and one of somebody else."""
    return once.copied("forgetting", publish_three, tmp_path)


def test_no_byte_of_a_forgotten_customer_is_left(folder: Path) -> None:
    assert holding(folder, *MARKS, "ben") == {*MARKS, "ben"}
    told = forget(folder, "--customer", MARKS[1])
    assert told == {"calls": 2, "outcomes": 1, "reviews": 1, "evaluations": 1, "unreadable": {}}
    assert holding(folder, *MARKS, "ben") == {"ben"}
    assert calls(folder) == ["c3"]
    assert read_rows(folder / "w.duckdb", "SELECT count(*) FROM outcomes") == ((1,),)
    assert read_rows(folder / "w.duckdb", "SELECT call_id FROM evaluation_detail") == (("c3",),)


def test_a_call_and_an_age_are_forgotten_as_well(folder: Path) -> None:
    assert forget(folder, "--call", "c1")["calls"] == 1
    assert calls(folder) == ["c2", "c3"]
    assert forget(folder, "--older-than", "400d")["calls"] == 1
    assert calls(folder) == ["c2"]


def test_trying_changes_nothing_and_wrong_usage_says_what_is_right(folder: Path) -> None:
    asked = command(folder, "forget", "--customer", MARKS[1])
    assert "2 analyses, 1 outcome, 1 review, 1 evaluation" in asked.output.replace("\n", " ")
    assert calls(folder) == ["c1", "c2", "c3"]
    for options, said in [
        ([], "say what to forget"),
        (["--older-than", "soon"], "such as 400d"),
        (["--older-than", "999999d"], "before the first year"),
        (["--older-than", "400d", "--customer", "ben"], "--older-than goes alone"),
        (["--by-retention", "--customer", "ben"], "--by-retention goes alone"),
        (["--customer", "ben", "--json"], "add --yes, or --dry-run"),
    ]:
        done = CliRunner().invoke(app, ["forget", *options])
        assert done.exit_code == 2
        assert said in done.output.replace("\n", " ")


@pytest.mark.parametrize("kind", ["outcomes", "listings"])
def test_a_damaged_file_that_might_hold_one_is_named(folder: Path, kind: str) -> None:
    damaged = folder / "w.landing" / kind / "ab" / "1.parquet"
    damaged.parent.mkdir(parents=True, exist_ok=True)
    damaged.write_bytes(b"PAR1, half of it")
    refused = command(folder, "forget", "--customer", MARKS[1], "--yes")
    assert refused.exit_code == 1
    assert damaged.name in refused.output.replace("\n", "")


def test_trying_counts_what_is_erased_then(folder: Path) -> None:
    meant = forget(folder, "--customer", MARKS[1], "--dry-run")
    done = forget(folder, "--customer", MARKS[1])
    assert (meant["outcomes"], meant["reviews"]) > (0, 0)
    assert meant == {"analyses": done["calls"]} | {
        name: done[name] for name in ("outcomes", "reviews", "evaluations")
    }


def test_the_next_night_does_not_bring_it_back(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"a" * 1000)
    cache_keys = CacheKeys(Settings(), MODELS, "rules")
    (pending,) = make_plan([tmp_path], tmp_path / "l", cache_keys).pending
    landing.write(replace(without_analysis("a"), recording=pending.recording), tmp_path / "l")
    landing.erase(tmp_path / "l", Selection(calls=frozenset({"a"})))
    plan = make_plan([tmp_path / "a.wav"], tmp_path / "l", cache_keys)
    assert (plan.pending, plan.unchanged) == ((), ())
    assert plan.forgotten == (pending.path,)


def test_what_a_power_cut_left_is_erased_by_the_next_time(folder: Path) -> None:
    landing.erase(folder / "w.landing", Selection(customers=frozenset({MARKS[1]})))
    assert landing.is_unfinished(folder / "w.landing")  # the warehouse still has it
    assert MARKS[0] in holding(folder, *MARKS)
    assert forget(folder, "--customer", MARKS[1])["calls"] == 0
    assert holding(folder, *MARKS) == set()
    assert not landing.is_unfinished(folder / "w.landing")


# What lands later, what stops halfway, what is typed otherwise


def test_what_a_worker_lands_after_the_erasing_goes(folder: Path) -> None:
    """A worker that had the call in hand lands it afterwards: whole, or while it is packed."""
    says = [("B", 0.0, 2.0, f"hello {MARKS[0]}"), ("A", 3.0, 6.0, "good morning")]
    late = call("c2", customer_id=MARKS[1], says=says)
    new = call("c9", customer_id=MARKS[1], says=says)  # not landed when the customer was forgotten
    new = replace(new, metadata=replace(new.metadata, started_at=None))
    kept = folder / "kept.parquet"
    shutil.copy(landing.write(late, folder / "w.landing"), kept)
    forget(folder, "--customer", MARKS[1])
    landing.write(late, folder / "w.landing")
    landing.write(new, folder / "w.landing")
    loose = uncompacted_file(folder / "w.landing", key_of(late))
    loose.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(kept, loose)  # as from a worker that was killed before it looked
    kept.unlink()
    republish(folder)
    republish(folder)
    assert calls(folder) == ["c3"]
    assert holding(folder, *MARKS) == set()


def test_packing_keeps_nothing_that_was_erased(folder: Path) -> None:
    late = landing.write(call("c2", customer_id=MARKS[1]), folder / "w.landing")
    copy = late.read_bytes()
    forget(folder, "--customer", MARKS[1])
    late.parent.mkdir(parents=True, exist_ok=True)
    late.write_bytes(copy)
    landing.compact(folder / "w.landing")
    assert holding(folder, *MARKS) == set()
    assert [known.call_id for known in landing.known(folder / "w.landing")] == ["c3"]


def test_calls_of_a_forgotten_customer_from_afterwards_are_analyzed(folder: Path) -> None:
    forget(folder, "--customer", MARKS[1])
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    landing.write(call("c8", customer_id=MARKS[1], started_at=tomorrow), folder / "w.landing")
    republish(folder)
    assert calls(folder) == ["c3", "c8"]


def killed_forgetting(folder: Path, place: object, name: str) -> int:
    """How `warmline forget` ends in a process that is killed when it calls this function."""

    def killed() -> None:
        os.environ["PREFECT_HOME"] = str(folder / "prefect")
        setattr(place, name, die)
        app(["forget", "--customer", MARKS[1], "--yes", "--warehouse", str(folder / "w.duckdb")])

    return ended(killed)


def killed_while_forgetting(folder: Path) -> None:
    """`warmline forget`, killed between erasing and publishing."""
    assert killed_forgetting(folder, publishing._Job, "publish") == -signal.SIGKILL
    assert MARKS[0] in holding(folder, *MARKS)


@pytest.mark.parametrize(
    "words",
    [
        ("show", "c3"),
        ("export", "c3", "--to", "OUT"),
        ("outcomes", "load", "o.csv"),
        ("forget", "--customer", MARKS[1], "--yes"),
        *(
            pytest.param(words, marks=pytest.mark.slow)  # all pass the same gate (cli/common.py)
            for words in (
                ("query", "select count(*) from calls"),
                ("search", "morning"),
                ("check",),
                ("review", "list"),
                ("retry",),
                ("report", "--night", "2026-11-20"),
            )
        ),
    ],
    ids=lambda words: words[0],
)
def test_any_command_finishes_an_erasing_that_was_killed(
    folder: Path, words: tuple[str, ...]
) -> None:
    killed_while_forgetting(folder)
    (folder / "o.csv").write_text("customer_id,date,nps\nben,2026-11-20,9\n")
    words = tuple(str(folder / w) if w in ("OUT", "o.csv") else w for w in words)
    done = command(folder, *words)
    assert done.exit_code == 0, done.output
    assert holding(folder, *MARKS) == set()
    assert calls(folder) == ["c3"]
    assert not list(folder.glob("*.erasing"))
    assert not (folder / "w.landing" / "erasing.json").exists()


@pytest.mark.parametrize(
    "point",
    [
        "note",
        "remove",
        pytest.param("carry_out", marks=pytest.mark.slow),
        pytest.param("forget_listed", marks=pytest.mark.slow),
    ],
)
def test_an_erasing_that_is_killed_once_it_is_noted_is_finished(folder: Path, point: str) -> None:
    """Killed anywhere in the landing folder: before, everything is there; after, nothing is."""
    place = erasures if point == "note" else rewriting
    assert killed_forgetting(folder, place, point) == -signal.SIGKILL
    done = command(folder, "query", "select 1")
    assert done.exit_code == 0, done.output
    left = set() if point != "note" else {*MARKS}
    assert holding(folder, *MARKS) == left
    assert calls(folder) == (["c3"] if point != "note" else ["c1", "c2", "c3"])


@pytest.mark.parametrize(
    "way",
    ["analyze", *(pytest.param(w, marks=pytest.mark.slow) for w in ("forget", "forget at once"))],
)
def test_an_erasing_is_finished_although_other_calls_were_lost(folder: Path, way: str) -> None:
    """What somebody else lost from the landing folder must not keep what was erased for ever."""
    others = call("c4", says=[("B", 0.0, 2.0, "good evening")])
    landing.write(others, folder / "w.landing")
    republish(folder)
    uncompacted_file(folder / "w.landing", key_of(others)).unlink()
    if way != "forget at once":
        killed_while_forgetting(folder)
    asked = ("forget", "--customer", MARKS[1], "--yes")
    refused = command(folder, *asked)
    assert refused.exit_code == 1, refused.output
    assert "--allow-loss" in refused.stderr and "`warmline forget`" in refused.stderr
    assert "1 of its calls (c4) have no analysis" in refused.stderr
    (folder / "empty").mkdir()
    if way == "analyze":
        asked = ("analyze", str(folder / "empty"))
    done = command(folder, *asked, "--allow-loss")
    assert done.exit_code == 0, done.output
    assert holding(folder, *MARKS, "good evening") == set()
    assert calls(folder) == ["c3"]
    assert not list(folder.glob("*.erasing"))
    assert command(folder, "query", "select 1").exit_code == 0


def test_a_publishing_in_between_takes_over_no_byte(folder: Path) -> None:
    killed_while_forgetting(folder)
    republish(folder)
    assert holding(folder, *MARKS) == set()


def test_what_is_in_clear_is_rid_of_bytes_without_the_extension_that_encrypts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes with `warmline[encrypt]`, which not everybody installs."""
    monkeypatch.setitem(sys.modules, "duckdb_extension_httpfs", None)
    landing.erase(folder / "w.landing", Selection(customers=frozenset({MARKS[1]})))
    republish(folder)
    assert holding(folder, *MARKS) == set()


def publish_twice(tmp_path: Path) -> None:
    for name, customer, word in (("x", "anna", "xylocarp"), ("y", "ben", "quillwort")):
        says = [("B", 0.0, 2.0, f"hello {word}"), ("A", 3.0, 6.0, "good morning")]
        one = call("c-17", audio=name * 64, path=f"/calls/{name}.wav", says=says)
        one = replace(one, metadata=replace(one.metadata, customer_id=customer))
        landing.write(one, tmp_path / "w.landing")
    republish(tmp_path)


@pytest.fixture
def twice(once: Once, tmp_path: Path) -> Path:
    """Two recordings that claim one call id, of two customers."""
    return once.copied("claimed-twice", publish_twice, tmp_path)


def test_an_id_of_two_recordings_is_refused_naming_both(twice: Path) -> None:
    first, second = calls(twice)
    assert (first, second[:5]) == ("c-17", "c-17~")
    refused = command(twice, "forget", "--call", "c-17", "--yes")
    assert refused.exit_code == 1
    said = " ".join(refused.output.split())
    assert "/calls/x.wav" in said
    assert "/calls/y.wav" in said
    assert second in said
    assert "--all-of-that-id" in said
    assert holding(twice, "xylocarp", "quillwort") == {"xylocarp", "quillwort"}


def test_the_second_recording_of_an_id_is_forgotten_by_the_warehouses_name(twice: Path) -> None:
    _, second = calls(twice)
    forget(twice, "--call", second)
    assert len(calls(twice)) == 1
    assert len(holding(twice, "xylocarp", "quillwort")) == 1


def test_all_recordings_of_an_id_are_forgotten_when_asked(twice: Path) -> None:
    assert forget(twice, "--call", "c-17", "--all-of-that-id")["calls"] == 2
    assert holding(twice, "xylocarp", "quillwort") == set()


#: Ids as they are kept, and others that are typed for them.
ALIKE = [
    ("C-1042", "c-1042"),
    ("C-1042", "C -1042"),
    ("Zo\u00eb", "ZOE\u0308"),
    ("straße 7", "STRASSE 7"),
    ("AB\u00a01", "ab 1"),
    ("\uff21\uff11", "A1"),
]
#: Ids as they are kept, and the same typed in another form of Unicode.
SAME = [("C-1", " C-1 "), ("Zo\u00eb", "Zoe\u0308")]
KEPT = sorted({kept for kept, _ in ALIKE + SAME})


def publish_spellings(folder: Path) -> None:
    for kept in KEPT:
        landing.write(call(f"of {kept}", customer_id=kept), folder / "w.landing")
    republish(folder)


@pytest.fixture
def spellings(once: Once, tmp_path: Path) -> Path:
    """A call of each customer whose id can be typed in several ways."""
    return once.copied("spellings", publish_spellings, tmp_path)


@pytest.mark.parametrize(("kept", "typed"), ALIKE)
def test_ids_that_look_alike_are_named_and_not_erased(
    spellings: Path, kept: str, typed: str
) -> None:
    refused = command(spellings, "forget", "--customer", typed, "--yes")
    assert refused.exit_code == 1
    assert repr(kept)[1:-1] in refused.output.replace("\n", "")
    assert len(calls(spellings)) == len(KEPT)
    assert forget(spellings, "--customer", typed, "--alike", "--dry-run")["analyses"] == 1


def test_ids_that_look_alike_are_erased_when_asked(spellings: Path) -> None:
    assert forget(spellings, "--customer", "STRASSE 7", "--alike")["calls"] == 1
    assert calls(spellings) == [f"of {kept}" for kept in KEPT if kept != "straße 7"]


@pytest.mark.parametrize(("kept", "typed"), SAME)
def test_ids_in_another_form_of_unicode_are_the_same(
    spellings: Path, kept: str, typed: str
) -> None:
    assert forget(spellings, "--customer", typed)["calls"] == 1
    assert calls(spellings) == [f"of {other}" for other in KEPT if other != kept]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize("which", [("--customer", "nobody"), ("--call", "c-99")])
def test_an_id_of_nothing_is_an_error(
    folder: Path, which: tuple[str, str], dry: tuple[str, ...]
) -> None:
    refused = command(folder, "forget", *which, "--yes", *dry)
    assert refused.exit_code == 1
    assert "nothing is stored about it" in " ".join(refused.output.split())
    assert calls(folder) == ["c1", "c2", "c3"]


def test_outcomes_that_name_only_the_call_go_with_it(folder: Path) -> None:
    (folder / "o2.csv").write_text("call_id,csat\nc1,4\nc3,5\n")
    load_outcomes(folder / "o2.csv", folder / "w.landing", folder / "w.duckdb", all_measures())
    forget(folder, "--customer", MARKS[1])
    found = read_rows(folder / "w.duckdb", "SELECT given_call_id FROM outcomes WHERE name = 'csat'")
    assert found == (("c3",),)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_what_is_written_anew_is_for_its_owner_alone(folder: Path, mode: int) -> None:
    (folder / "w.duckdb").chmod(mode)
    forget(folder, "--customer", MARKS[1])
    assert stat.S_IMODE((folder / "w.duckdb").stat().st_mode) == 0o600
    landed = list((folder / "w.landing").rglob("*.parquet"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in landed} == {0o600}
    (folder / "w.duckdb").unlink()
    republish(folder)
    assert stat.S_IMODE((folder / "w.duckdb").stat().st_mode) == 0o600

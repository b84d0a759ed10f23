"""A call is named by its own name, by an id that only it claims, or by its recording."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from support.factories import sha, without_analysis
from support.once import Once
from support.warehouses import put, rich
from warmline import landing
from warmline.cli import app
from warmline.database import open_for_reading
from warmline.errors import QueryError, Status
from warmline.query.calls import find_call, find_calls

FIRST, SECOND = f"c-17~{sha('one')[:8]}", f"c-17~{sha('two')[:8]}"


def publish_shared(tmp_path: Path) -> None:
    one = rich("c-17", audio="one", path="/north/morning.wav", customer_id="ann")
    two = rich("c-17", audio="two", path="/south/morning.wav", customer_id="ben")
    put(tmp_path, one, two, rich("c-18"))


@pytest.fixture
def shared(once: Once, tmp_path: Path) -> Path:
    """A warehouse in which two recordings claim the id c-17, another one c-18."""
    return once.copied("one-id-twice", publish_shared, tmp_path)


def found(folder: Path, text: str, **how: Any) -> str:
    with open_for_reading(folder / "w.duckdb") as con:
        return find_call(con, text, **how).path


def warmline(folder: Path, *words: object) -> Any:
    places = ("--warehouse", str(folder / "w.duckdb"), "--landing", str(folder / "landing"))
    taken = places[:2] if words[0] == "show" else places
    return CliRunner().invoke(app, [*map(str, words), *taken])


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (FIRST, "/north/morning.wav"),
        (SECOND, "/south/morning.wav"),
        ("/south/morning.wav", "/south/morning.wav"),
        ("south/morning.wav", "/south/morning.wav"),
        ("c-18", "/calls/c-18.wav"),
        (" c-18 ", "/calls/c-18.wav"),
    ],
)
def test_every_call_can_be_named(shared: Path, text: str, path: str) -> None:
    assert found(shared, text) == path


@pytest.mark.parametrize("text", ["c-17", "morning.wav"])
def test_a_name_of_two_calls_is_asked_back_with_both_names(shared: Path, text: str) -> None:
    with pytest.raises(QueryError, match="ambiguous, 2 calls") as refused:
        found(shared, text)
    assert FIRST in str(refused.value)
    assert SECOND in str(refused.value)
    with open_for_reading(shared / "w.duckdb") as con:
        assert len(find_calls(con, text)) == 2


@pytest.mark.parametrize(
    "command",
    [
        ("show", "NAME", "--json"),
        ("review", "mark", "NAME", "right", "--cue", "3.2"),
        ("review", "list", "--call", "NAME"),
    ],
)
def test_a_command_takes_each_calls_own_name_and_no_shared_one(
    shared: Path, command: tuple[str, ...]
) -> None:
    def said(name: str) -> Any:
        return warmline(shared, *(name if word == "NAME" else word for word in command))

    refused = said("c-17")
    assert refused.exit_code == 1
    assert FIRST in refused.stderr
    assert SECOND in refused.stderr
    if command[1] != "list":  # of a call that is gone, reviews may be left
        assert said("c-99").exit_code == 1
    for name in (FIRST, SECOND):
        assert said(name).exit_code == 0, said(name).output


def test_the_page_is_of_the_call_that_is_named(shared: Path) -> None:
    pages = [json.loads(warmline(shared, "show", n, "--json").output) for n in (FIRST, SECOND)]
    assert [page["call"]["customer_id"] for page in pages] == ["ann", "ben"]


def test_a_copy_of_a_recording_does_not_make_its_call_ambiguous(tmp_path: Path) -> None:
    copy = without_analysis("c", status=Status.DUPLICATE, path="/copy/c.wav", audio="c")
    put(tmp_path, rich("c", audio="c"), copy)
    assert found(tmp_path, "c") == "/calls/c.wav"


def test_a_name_without_end_is_shortened_in_messages(tmp_path: Path) -> None:
    put(tmp_path, rich("x" * 5000, audio="one"), rich("c"))
    with pytest.raises(QueryError) as refused:
        found(tmp_path, "y" * 5000)
    assert len(str(refused.value)) < 500


def test_reviews_are_listed_by_the_call_that_is_named(shared: Path) -> None:
    marked = warmline(shared, "review", "mark", FIRST, "right", "--cue", "3.2", "--by", "kim")
    assert marked.exit_code == 0
    assert "(kim)" in warmline(shared, "review", "list", "--call", FIRST).output
    assert "no reviews" in warmline(shared, "review", "list", "--call", SECOND).output


def test_failed_calls_that_share_an_id_are_put_back_one_by_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        failed = without_analysis(
            "c", status=Status.FAILED, code="fault", audio=name, path=f"/{name}"
        )
        landing.write(replace(failed, failed_runs=3), tmp_path / "landing")
    put(tmp_path)
    first, second = (f"c~{sha(name)[:8]}" for name in ("one", "two"))
    refused = warmline(tmp_path, "retry", "--call", "c")
    assert refused.exit_code == 1
    assert first in refused.stderr and second in refused.stderr
    assert "1 call is put back" in warmline(tmp_path, "retry", "--call", second).output
    left = {known.path: known.failed_runs for known in landing.known(tmp_path / "landing")}
    assert left == {"/one": 3, "/two": 0}

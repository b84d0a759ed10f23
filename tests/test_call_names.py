"""A call is named by its own name, by an id that only it claims, or by its recording."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from factories import sha
from warehousing import put, rich
from warmline.cli.app import app
from warmline.database import open_for_reading
from warmline.errors import QueryError
from warmline.warehouse.call_names import find_call, find_calls

FIRST, SECOND = f"c-17~{sha('one')[:8]}", f"c-17~{sha('two')[:8]}"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A warehouse in which two recordings claim the id c-17, another one c-18."""
    one = rich("c-17", audio="one", path="/north/morning.wav", customer_id="ann")
    two = rich("c-17", audio="two", path="/south/morning.wav", customer_id="ben")
    put(tmp_path, one, two, rich("c-18"))
    return tmp_path


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
    assert said("c-99").exit_code == 1
    for name in (FIRST, SECOND):
        assert said(name).exit_code == 0, said(name).output


def test_the_page_is_of_the_call_that_is_named(shared: Path) -> None:
    pages = [json.loads(warmline(shared, "show", n, "--json").output) for n in (FIRST, SECOND)]
    assert [page["call"]["customer_id"] for page in pages] == ["ann", "ben"]


def test_a_copy_of_a_recording_does_not_make_its_call_ambiguous(tmp_path: Path) -> None:
    from factories import not_analyzed
    from warmline.errors import Status

    copy = not_analyzed("c", status=Status.DUPLICATE, path="/copy/c.wav", audio="c")
    put(tmp_path, rich("c", audio="c"), copy)
    assert found(tmp_path, "c") == "/calls/c.wav"


def test_a_name_without_end_is_shortened_in_messages(tmp_path: Path) -> None:
    put(tmp_path, rich("x" * 5000, audio="one"), rich("c"))
    with pytest.raises(QueryError) as refused:
        found(tmp_path, "y" * 5000)
    assert len(str(refused.value)) < 500

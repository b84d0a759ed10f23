"""Exported files say what the analysis says, to the tools that read them."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyannote.database.util import load_rttm
from typer.testing import CliRunner

from support import factories
from support.once import Once
from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.cli import app
from warmline.errors import QueryError
from warmline.query.export import (
    EXPORTERS,
    as_ctm,
    as_rttm,
    as_seglst,
    as_srt,
    as_stm,
    as_vtt,
    choose,
    export,
    file_stems,
)
from warmline.values import RoleName
from warmline.warehouse.publishing import publish

CALL = factories.call("late call/7")
STRANGERS = factories.call("c", roles={"A": RoleName.UNKNOWN, "B": RoleName.UNKNOWN})


def test_speakers_are_named_by_role_or_else_by_party(tmp_path):
    (tmp_path / "a.rttm").write_text(as_rttm(CALL))
    (annotation,) = load_rttm(tmp_path / "a.rttm").values()
    assert {(s.start, s.end, label) for s, _, label in annotation.itertracks(yield_label=True)} == {
        (0.0, 2.0, "agent"),
        (2.5, 5.0, "customer"),
    }
    (tmp_path / "b.rttm").write_text(as_rttm(STRANGERS))
    assert load_rttm(tmp_path / "b.rttm")["c"].labels() == ["A", "B"]


def test_two_agents_stay_two_speakers():
    both = factories.call("c", roles={"A": RoleName.AGENT, "B": RoleName.AGENT})
    assert {line.split()[7] for line in as_rttm(both).splitlines()} == {"A", "B"}


def test_every_word_is_exported_with_its_time():
    words = json.loads(as_seglst(CALL))
    assert " ".join(w["words"] for w in words) == "how can I help my card is lost"
    assert [w["speaker"] for w in words] == ["agent"] * 4 + ["customer"] * 4
    lines = [line.split() for line in as_ctm(CALL).splitlines()]
    assert [line[4] for line in lines] == [w["words"] for w in words]
    assert [float(line[2]) for line in lines] == [w["start_time"] for w in words]


def test_turns_as_segments_and_subtitles():
    assert as_stm(CALL).splitlines() == [
        "late_call_7 1 agent 0.000 2.000 how can I help",
        "late_call_7 1 customer 2.500 5.000 my card is lost",
    ]
    assert as_srt(CALL).startswith("1\n00:00:00,000 --> 00:00:02,000\nagent: how can I help\n\n2\n")
    assert "00:00:02.500 --> 00:00:05.000\n<v customer>my card is lost" in as_vtt(CALL)


@pytest.fixture
def house(once: Once, tmp_path: Path) -> Path:
    return once.copied("exported-call", lambda to: published(to, CALL), tmp_path)


def published(folder: Path, *calls: CallAnalysis) -> Path:
    for call in calls:
        landing.write(call, folder / "w.landing")
    publish(folder / "w.landing", folder / "w.duckdb", ())
    return folder


def exported(folder: Path, *words: str, format_: str = "json") -> list[Path]:
    """The files that the command says it wrote."""
    places = ("--warehouse", str(folder / "w.duckdb"), "--to", str(folder / "out"))
    done = CliRunner().invoke(app, ["export", *words, "--format", format_, *places])
    assert done.exit_code == 0, done.output
    return [Path(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("format_name", EXPORTERS)
def test_a_file_is_named_after_its_call(format_name, house):
    chosen = choose(house / "w.landing", house / "w.duckdb", ["late call/7"])
    ((analysis, stem),) = chosen.analyses()
    path = export(analysis, format_name, house / "out", stem)
    assert path.name.startswith("late_call_7.")
    assert path.read_text(encoding="utf-8")


def test_a_call_that_is_not_there_is_named(house):
    with pytest.raises(QueryError, match="no call is called 'early'"):
        choose(house / "w.landing", house / "w.duckdb", ["early"])


@pytest.mark.parametrize("format_name", EXPORTERS)
def test_two_calls_that_claim_one_id_are_two_files_each_with_its_own_words(
    format_name, once, tmp_path
):
    one = factories.call("c-17", audio="1", path="/n/a.wav", says=[("B", 0.0, 2.0, "northern")])
    two = factories.call("c-17", audio="2", path="/s/a.wav", says=[("B", 0.0, 2.0, "southern")])
    once.copied("exported-twice", lambda to: published(to, one, two), tmp_path)
    files = exported(tmp_path, format_=format_name)
    assert len(set(files)) == 2
    other = f"c-17~{factories.sha('2')[:8]}"
    (second,) = exported(tmp_path, other, format_=format_name)
    assert second in files
    if format_name != "rttm":  # which has no words
        (first,) = set(files) - {second}
        assert "northern" in first.read_text()
        assert "southern" in second.read_text()
    if format_name not in ("srt", "vtt"):
        assert other in second.read_text()


#: Ids whose file names could be the same.
LIKE_NAMED = [
    *("a/b", "a b", "a_b"),
    *("Call-1", "call-1"),
    *("caf\u00e9", "CAFE\u0301"),
    *("\ufb01n", "fin"),  # the ligature
    *("a", "a.seglst", "a.bleeped"),
    *("x" * 5000, "x" * 4999 + "y", "x"),
    *("\u20ac" * 200, "\u20ac" * 201),
    *(".", "..", ".hidden", "_hidden"),
    *("straße", "strasse"),
]


def test_no_two_calls_are_one_file(tmp_path):
    ids = LIKE_NAMED
    published(tmp_path, *(factories.call(i, path=f"/{n}.wav") for n, i in enumerate(ids)))
    files = [*exported(tmp_path), *exported(tmp_path, format_="seglst")]
    folded = {unicodedata.normalize("NFKC", path.name).casefold() for path in files}
    assert len(folded) == 2 * len(ids)
    assert all(len(path.name.encode()) <= 255 and path.is_file() for path in files)
    assert not any(path.name.startswith(".") for path in files)
    said = {json.loads(p.read_text())["call_id"] for p in files if "seglst.json" not in p.name}
    assert len(said) == len(ids)


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.text(max_size=300), max_size=8, unique=True))
def test_the_names_of_files_of_any_ids_differ_and_can_be_written(ids):
    stems = file_stems(ids)
    assert list(stems) == ids
    assert len({unicodedata.normalize("NFKC", s).casefold() for s in stems.values()}) == len(ids)
    assert all(re.fullmatch(r"[\w~][\w.~-]*", stem) for stem in stems.values())
    assert all(len(stem.encode()) < 230 for stem in stems.values())


def test_what_cannot_be_exported_is_said(tmp_path):
    published(tmp_path, factories.call("c"), factories.without_analysis("broken"))
    landing.write(factories.call("late"), tmp_path / "w.landing")
    run = CliRunner().invoke
    place = ["--warehouse", str(tmp_path / "w.duckdb"), "--to", str(tmp_path / "out")]
    refused = run(app, ["export", "broken", *place])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "broken: refused" in refused.stderr
    assert "not in the warehouse yet: 1 analysis" in run(app, ["export", *place]).stderr
    (landed,) = (tmp_path / "w.landing" / "analyses").rglob(f"{factories.sha('c')}.parquet")
    landed.unlink()
    missing = run(app, ["export", *place])
    assert missing.exit_code == 1
    assert "c: its analysis cannot be read" in missing.stderr

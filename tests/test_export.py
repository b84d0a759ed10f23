"""Exported files say what the analysis says, to the tools that read them."""

import json

import pytest
from pyannote.database.util import load_rttm

import factories
from warmline import landing
from warmline.errors import QueryError
from warmline.export import EXPORTERS, chosen, export
from warmline.export.formats import as_ctm, as_rttm, as_seglst, as_srt, as_stm, as_vtt
from warmline.values import RoleName

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


@pytest.mark.parametrize("format_name", EXPORTERS)
def test_a_file_is_named_after_its_call(format_name, tmp_path):
    landing.write(CALL, tmp_path / "landing")
    (analysis,) = chosen(tmp_path / "landing", ["late call/7"])
    path = export(analysis, format_name, tmp_path / "out")
    assert path.name.startswith("late_call_7.")
    assert path.read_text(encoding="utf-8")


def test_a_call_that_is_not_there_is_named(tmp_path):
    landing.write(CALL, tmp_path)
    with pytest.raises(QueryError, match="no analysis of 'early'"):
        list(chosen(tmp_path, ["early"]))

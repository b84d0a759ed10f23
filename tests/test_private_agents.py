"""Agents in private: pseudonyms for their names, and no figures of a team of one or two."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from support import factories
from support.buckets import night, planned, put_in_memory, silence
from support.quick_nights import MODELS, add_recordings, land_here, plan_of
from support.warehouses import read_rows
from warmline import landing
from warmline.cli import app
from warmline.encryption import new_key_file, read_key_file
from warmline.errors import EncryptionError
from warmline.pipeline.stages import CacheKeys
from warmline.recordings.metadata import pseudonym, read_metadata, read_table
from warmline.reports.monitoring import read_night
from warmline.reports.report import as_markdown
from warmline.settings import (
    NightSettings,
    ProfileSettings,
    RecordingSettings,
    Settings,
    with_overrides,
)
from warmline.warehouse.publishing import publish

MARK = "quillwort"  # the agent's name


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "agents.key"
    new_key_file(file)
    return file


def beside(recording: Path, **fields: object) -> None:
    recording.with_suffix(".json").write_text(json.dumps(fields))


def test_an_agent_has_one_pseudonym_wherever_it_is_named(tmp_path: Path, key_file: Path) -> None:
    settings = RecordingSettings(pseudonym_key_file=str(key_file))
    beside(
        tmp_path / "a.wav", agent_id=MARK, agentName=f"Dana {MARK}", team="north", agent_channel=1
    )
    (tmp_path / "t.csv").write_text(f"file,agent,customer_id\nb.wav,{MARK},c-1\n")
    named = tmp_path / f"x_GUID_1_AGENT_{MARK}_DT_2025-02-19T06-01-22.wav"
    first = read_metadata(tmp_path / "a.wav", settings, None)
    table = read_metadata(tmp_path / "b.wav", settings, read_table(tmp_path / "t.csv"))
    file = read_metadata(named, settings, None)
    expected = pseudonym(MARK, read_key_file(key_file))
    assert first.agent_id == table.agent_id == file.agent_id == expected
    assert expected.startswith("agent-") and len(expected) == 22
    assert MARK not in repr((first, table, file))
    assert (first.team, table.customer_id) == ("north", "c-1")
    assert first.channel_roles == {"1": "agent", "0": "customer"}
    assert read_metadata(tmp_path / "a.wav", RecordingSettings(), None).agent_id == MARK


def test_another_key_and_another_name_give_another_pseudonym(
    tmp_path: Path, key_file: Path
) -> None:
    new_key_file(tmp_path / "other.key")
    key, other = read_key_file(key_file), read_key_file(tmp_path / "other.key")
    found = {pseudonym(MARK, key), pseudonym(MARK, other), pseudonym("ann", key)}
    assert len(found) == 3
    assert pseudonym(f" {MARK} ", key) == pseudonym(MARK, key)
    assert pseudonym("e\u0301", key) == pseudonym("é", key)


def test_a_value_that_cannot_be_used_is_not_shown_either(tmp_path: Path, key_file: Path) -> None:
    settings = RecordingSettings(pseudonym_key_file=str(key_file))
    beside(tmp_path / "a.wav", agent_id=[MARK], agent_channel=MARK)
    assert MARK not in repr(read_metadata(tmp_path / "a.wav", settings, None))


def test_without_the_key_names_are_not_kept_instead(tmp_path: Path, monkeypatch) -> None:
    add_recordings(tmp_path, "a")
    for given in (
        {"pseudonym_key_file": str(tmp_path / "gone.key")},
        {"pseudonym_key_env": "NO_SUCH_VARIABLE"},
        {"pseudonym_key_env": "A", "pseudonym_key_file": "b"},
    ):
        with pytest.raises(EncryptionError, match=r"gone\.key|NO_SUCH_VARIABLE|name one"):
            read_metadata(tmp_path / "a.wav", RecordingSettings(**given), None)
    key = tmp_path / "k"
    new_key_file(key)
    monkeypatch.setenv("AGENTS", key.read_text().strip())
    settings = RecordingSettings(pseudonym_key_env="AGENTS")
    beside(tmp_path / "a.wav", agent_id=MARK)
    hidden = read_metadata(tmp_path / "a.wav", settings, None).agent_id
    assert hidden == pseudonym(MARK, read_key_file(key))


def test_no_byte_of_the_name_lands_and_nothing_is_heard_again(
    tmp_path: Path, key_file: Path
) -> None:
    """Switched on later, the next run changes what is known of the calls, and no stage."""
    add_recordings(tmp_path, "a", "b")
    for name in "ab":
        beside(tmp_path / "calls" / f"{name}.wav", agent_id=MARK, agent_name=MARK)
    land_here(tmp_path)
    switched = {"recordings__pseudonym_key_file": str(key_file)}
    assert {call.why for call in plan_of(tmp_path, **switched).pending} == {"metadata changed"}
    plain = CacheKeys(Settings(), MODELS, "rules")
    hidden = CacheKeys(
        with_overrides(Settings(), {"recordings.pseudonym_key_file": "k"}), MODELS, "rules"
    )
    known = factories.call().metadata
    assert plain.keys("x", known) == hidden.keys("x", known)
    land_here(tmp_path, **switched)
    assert plan_of(tmp_path, **switched).is_done
    publish(
        tmp_path / "w.landing", tmp_path / "w.duckdb", factories.definitions_of([factories.call()])
    )
    rows = read_rows(tmp_path / "w.duckdb", "SELECT DISTINCT agent_id FROM calls")
    assert rows == ((pseudonym(MARK, read_key_file(key_file)),),)
    for path in (tmp_path / "w.landing").rglob("*.parquet"):
        assert MARK not in repr(pq.read_table(path).to_pylist())
    assert MARK.encode() not in (tmp_path / "w.duckdb").read_bytes()


def test_no_byte_of_the_name_is_remembered_of_a_remote_place(
    tmp_path: Path, key_file: Path
) -> None:
    """Nor is what was remembered before there was a key."""
    put_in_memory({"a.wav": silence(), "a.json": f'{{"agent_id": "{MARK}"}}'.encode()})
    switched = {"recordings__pseudonym_key_file": str(key_file)}
    for hides, has_key in ((False, {}), (True, switched), (True, switched)):
        night(tmp_path, "memory://calls", **has_key)
        listings = list((tmp_path / "w.landing" / "listings").rglob("*.parquet"))
        assert listings
        kept = repr([pq.read_table(path).to_pylist() for path in listings])
        assert (MARK not in kept) == hides
    assert planned(tmp_path, "memory://calls", **switched).is_done
    for path in (tmp_path / "w.landing").rglob("*.parquet"):
        assert MARK not in repr(pq.read_table(path).to_pylist())


def test_who_has_the_key_finds_the_agent(tmp_path: Path, key_file: Path) -> None:
    (tmp_path / "w.toml").write_text(f'[recordings]\npseudonym_key_file = "{key_file}"\n')
    shown = CliRunner().invoke(app, ["key", "agent", MARK, "--settings", str(tmp_path / "w.toml")])
    assert shown.stdout == f"{pseudonym(MARK, read_key_file(key_file))}  {MARK}\n"
    (tmp_path / "w.toml").write_text("")
    shown = CliRunner().invoke(app, ["key", "agent", MARK, "--settings", str(tmp_path / "w.toml")])
    assert shown.exit_code == 1 and "no key of pseudonyms" in shown.output


def test_a_team_of_few_has_no_figures(tmp_path: Path) -> None:
    """Of a team of two, who knows the one's figures would know the other's."""
    agents = {"north": ("a", "b", "c"), "south": ("d", "e"), "west": ("f",)}
    calls = [
        factories.call(
            f"{agent}{i}",
            agent_id=agent,
            team=team,
            cues=[factories.cue(1, 3.2, 9.0, "worried", answer="affective")] * 12,
        )
        for team, names in agents.items()
        for agent in names
        for i in range(2)
    ]
    for call in calls:
        landing.write(call, tmp_path / "l")
    definitions = factories.definitions_of(calls)
    warehouse = tmp_path / "w.duckdb"
    shown = "SELECT team, agents, calls, is_suppressed, minutes IS NULL"
    for smallest, hidden in ((3, {"south", "west"}), (1, set()), (4, {"north", "south", "west"})):
        profile = ProfileSettings(smallest_group=smallest)
        publish(tmp_path / "l", warehouse, definitions, profile)
        found = read_rows(warehouse, f"{shown} FROM team_week ORDER BY 1")
        assert [row[:3] for row in found] == [("north", 3, 6), ("south", 2, 4), ("west", 1, 2)]
        assert {row[0] for row in found if row[3]} == hidden
        assert {row[0] for row in found if row[4]} == hidden
        compared = read_rows(
            warehouse, "SELECT DISTINCT team FROM agent_week WHERE is_above_team IS NOT NULL "
            "OR others_rate IS NOT NULL OR answered_shrunken IS NOT NULL"
        )  # fmt: skip
        assert not {team for (team,) in compared} & hidden
    page = as_markdown(read_night(warehouse, factories.ANALYZED_AT.date(), NightSettings()))
    assert "north" not in page and "south" not in page  # a night's report is about no people

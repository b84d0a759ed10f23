"""Settings: one file with every key explained, and nothing in it that is not understood."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from warmline.cli import app
from warmline.errors import SettingsError
from warmline.settings import Section, Settings, load_settings, settings_toml, with_overrides

SECTIONS: dict[str, type[Section]] = {
    name: field.annotation for name, field in Settings.model_fields.items()
}
KEYS = [(section, key) for section, kind in SECTIONS.items() for key in kind.model_fields]
NAMES = st.from_regex(r"[a-z][a-z_]{0,15}", fullmatch=True)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "warmline.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_printed_file_gives_the_same_settings(tmp_path):
    assert load_settings(written(tmp_path, settings_toml())) == Settings()


def test_changed_values_survive_the_file(tmp_path):
    changed = with_overrides(
        Settings(),
        {
            "words.whisper_model": "tiny.en",
            "recordings.name_patterns": (r"(?P<call_id>\w+)",),
            "night.sources": ('calls/"quoted" ümlaut',),
        },
    )
    assert load_settings(written(tmp_path, settings_toml(changed))) == changed


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_every_key_is_explained_above_it(section, key):
    description = SECTIONS[section].model_fields[key].description
    assert description, f"{section}.{key} has no description"
    lines = settings_toml().splitlines()
    at = next(
        i
        for i, line in enumerate(lines)
        if line.startswith(f"{key} = ") and f"[{section}]" in _section_heading(lines, i)
    )
    assert lines[at - 1] == f"# {description}"


def _section_heading(lines: list[str], at: int) -> str:
    return next(line for line in reversed(lines[:at]) if line.startswith("["))


def test_no_file_means_defaults():
    assert load_settings(None) == Settings()


@given(name=NAMES)
def test_an_unknown_section_is_refused_by_name(name, tmp_path_factory):
    assume(name not in SECTIONS)
    path = written(tmp_path_factory.mktemp("settings"), f"[{name}]\nx = 1\n")
    with pytest.raises(SettingsError, match=rf"unknown key '{name}'"):
        load_settings(path)


@given(section=st.sampled_from(sorted(SECTIONS)), name=NAMES)
def test_an_unknown_key_is_refused_by_name(section, name, tmp_path_factory):
    assume(name not in SECTIONS[section].model_fields)
    path = written(tmp_path_factory.mktemp("settings"), f"[{section}]\n{name} = 1\n")
    with pytest.raises(SettingsError, match=rf"unknown key '{section}\.{name}'"):
        load_settings(path)


def test_a_wrong_value_is_refused_with_key_value_and_bound(tmp_path):
    path = written(tmp_path, "[floor]\ndead_air_s = -1\n[night]\njobs = -1\n")
    with pytest.raises(SettingsError) as refused:
        load_settings(path)
    message = str(refused.value)
    assert "floor.dead_air_s = -1" in message
    assert "greater than 0" in message
    assert "night.jobs = -1" in message
    assert "\n" not in message


ORDERED = [(section, *pair) for section, kind in SECTIONS.items() for pair in kind.in_order]


@pytest.mark.parametrize(("section", "lesser", "greater"), ORDERED)
def test_values_in_the_wrong_order_are_refused_by_name(section, lesser, greater):
    limit = getattr(getattr(Settings(), section), greater)
    with_overrides(Settings(), {f"{section}.{lesser}": limit})
    smaller = getattr(getattr(Settings(), section), lesser) / 2
    with pytest.raises(SettingsError) as refused:
        with_overrides(Settings(), {f"{section}.{greater}": smaller})
    assert str(refused.value).startswith(f"[{section}] {lesser} = ")
    assert f"must not be more than {greater} = {smaller}" in str(refused.value)


def test_a_file_that_is_not_toml_is_refused_with_the_line(tmp_path):
    with pytest.raises(SettingsError, match="line 2"):
        load_settings(written(tmp_path, "[words]\nlanguage = \n"))


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    """As Windows' editor saves it."""
    path = written(tmp_path, "\ufeff[words]\r\nlanguage = 'de'\r\n")
    assert load_settings(path).words.language == "de"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load_settings(tmp_path / "nowhere.toml")


def test_an_override_is_checked_like_a_file():
    with pytest.raises(SettingsError, match=r"words\.precision = 'magic'"):
        with_overrides(Settings(), {"words.precision": "magic"})


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(ValueError, match="frozen"):
        Settings().floor.dead_air_s = 3.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[night]\ntimezone = "Berlin"', "night.timezone = 'Berlin': .*not a time zone known"),
        ('[night]\nsources = "/x"', r"night.sources = '/x': a list is wanted, such as \[\"/x\"\]"),
        ('[retention]\nwords_days = "30"', "retention.words_days = '30': .*valid integer"),
        ("[recordings]\nsettle_s = true", "recordings.settle_s = True: .*valid number"),
        ("[redaction]\nenabled = 1", "redaction.enabled = 1: .*valid boolean"),
        ("[retention]\ncalls_days = 999_999", "retention.calls_days = 999999: .*equal to 36500"),
        ("[night]\ncall_timeout_s = inf", "night.call_timeout_s = inf: .*finite number"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(tmp_path, text, said):
    with pytest.raises(SettingsError, match=said):
        load_settings(written(tmp_path, text + "\n"))


def test_whole_numbers_are_numbers(tmp_path):
    assert (
        load_settings(written(tmp_path, "[recordings]\nsettle_s = 60\n")).recordings.settle_s == 60
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[words]\nwhisper_model = "gigantic"',
            "words.whisper_model = 'gigantic': openai-whisper has",
        ),
        (
            '[words]\nvocabulary = "/no/names.txt"',
            "words.vocabulary = '/no/names.txt': there is no",
        ),
        ('[encryption]\nkey_file = "/no/key"', "encryption.key_file = '/no/key': there is no such"),
        ('[night]\ncron = "99 2 * * *"', "night.cron: cron '99 2 * * *': no times can be read"),
    ],
)
def test_the_check_names_what_this_machine_cannot_use(tmp_path, monkeypatch, text, said):
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    path = written(tmp_path, text + "\n")
    done = CliRunner().invoke(app, ["settings", "--check", str(path)])
    assert done.exit_code == 1
    assert said in done.stderr
    assert str(path) in done.stderr


def test_the_check_passes_the_settings_as_they_are_printed(tmp_path):
    path = written(tmp_path, settings_toml())
    done = CliRunner().invoke(app, ["settings", "--check", str(path)])
    assert (done.exit_code, done.stderr) == (0, "")

"""What an analysis depends on: a key changes with everything it rests on, and with nothing else."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import plans
from warmline.errors import SettingsError
from warmline.models.catalogue import SENTENCES
from warmline.pipeline.stages import STAGES, CacheKeys, all_measures, with_later
from warmline.settings import Settings, with_overrides
from warmline.values import CallMetadata

MODELS = plans.MODELS | {"whisper-tiny.en": "t"}
CALL = CallMetadata("c-1", agent_id="E1", channel_roles={"0": "customer", "1": "agent"})
TODAY = CacheKeys(Settings(), MODELS, "rules")
NAMES = [stage.name for stage in STAGES]
HEARING = {"sound", "channels", "speech", "words"}


def keys(audio: str = "a" * 64, metadata: CallMetadata = CALL, **settings: object):
    given = {name.replace("__", "."): value for name, value in settings.items()}
    chosen = with_overrides(Settings(), given)
    return CacheKeys(chosen, MODELS, "rules").keys(audio, metadata)


def changed(**settings: object) -> set[str]:
    now, then = keys(), keys(**settings)
    return {name for name in NAMES if now[name] != then[name]}


def test_every_stage_has_one_key_in_order_of_the_house():
    assert list(keys()) == NAMES
    assert len(set(keys().values())) == len(NAMES)


def test_the_same_call_has_the_same_keys():
    assert keys() == keys()


def test_other_bytes_change_every_key():
    assert not set(keys("a" * 64).values()) & set(keys("b" * 64).values())


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("floor__dead_air_s", 3.0, {"floor", "empathy"}),
        ("empathy__answer_within_turns", 3, {"empathy"}),
        ("prosody__hop_s", 0.02, {"prosody"}),
        ("language__rules_folder", "rules", {"language", "empathy"}),
        ("language__models", False, {"turns", "prosody", "floor", "language", "empathy"}),
        ("speech__min_confidence", 0.9, {"turns", "prosody", "floor", "language", "empathy"}),
        ("words__whisper_model", "tiny.en", set(NAMES) - {"sound", "channels", "speech"}),
        ("redaction__enabled", False, set(NAMES) - {"sound", "channels", "speech"}),
        ("redaction__kinds", ("card",), set(NAMES) - {"sound", "channels", "speech"}),
        ("turns__max_pause_s", 1.0, {"turns", "prosody", "floor", "language", "empathy"}),
        ("recordings__min_duration_s", 1.0, {"sound"}),
        ("recordings__name_patterns", ("(?P<call_id>.*)",), set()),
        ("places__warehouse", "elsewhere.duckdb", set()),
        ("night__jobs", 4, set()),
    ],
)
def test_a_setting_touches_its_own_stages_and_those_after(setting, value, expected):
    assert changed(**{setting: value}) == expected


def test_a_role_is_scored_anew_without_listening():
    other = keys(metadata=replace(CALL, channel_roles={"0": "agent", "1": "customer"}))
    touched = {name for name in NAMES if other[name] != keys()[name]}
    assert touched == set(NAMES) - HEARING


@given(value=st.text(min_size=1))
def test_who_took_the_call_is_no_part_of_what_was_heard(value):
    now = TODAY.keys("a" * 64, CALL)
    for name in ("agent_id", "team", "queue", "customer_id", "reason", "call_id"):
        assert TODAY.keys("a" * 64, replace(CALL, **{name: value})) == now


def test_another_rule_or_model_file_is_another_key():
    settings = Settings()
    rules = CacheKeys(settings, MODELS, "other rules").keys("a" * 64, CALL)
    assert {n for n in NAMES if rules[n] != keys()[n]} == {"language", "empathy"}
    weights = CacheKeys(settings, MODELS | {"whisper-base": "new"}, "rules").keys("a" * 64, CALL)
    assert {n for n in NAMES if weights[n] == keys()[n]} == {"sound", "channels", "speech"}


def test_rules_alone_need_no_model():
    settings = with_overrides(Settings(), {"language.models": False})
    without = {name: digest for name, digest in MODELS.items() if name != SENTENCES}
    assert CacheKeys(settings, without, "rules").keys("a" * 64, CALL)
    with pytest.raises(KeyError, match=SENTENCES):
        CacheKeys(Settings(), without, "rules").keys("a" * 64, CALL)


def test_stages_name_only_what_there_is():
    known = {f.name for f in fields(CallMetadata)}
    seen: set[str] = set()
    for stage in STAGES:
        assert set(stage.after) <= seen, f"{stage.name} comes before what it reads"
        seen.add(stage.name)
        assert set(stage.metadata) <= known
        for name in (*stage.settings, *stage.but_not):
            section, _, key = name.partition(".")
            assert not key or key in type(getattr(Settings(), section)).model_fields, name


def test_measures_have_one_definition_each():
    names = [measure.name for measure in all_measures()]
    assert len(names) == len(set(names))
    assert all(measure.source and measure.definition for measure in all_measures())


def test_later_stages_are_those_that_depend_on_it():
    assert with_later(["floor"]) == {"floor", "empathy"}
    assert with_later(["speech"]) == set(NAMES) - {"sound", "channels"}
    with pytest.raises(SettingsError, match="no stage is called listening"):
        with_later(["listening"])

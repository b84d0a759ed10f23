"""What holds of redaction, whatever was said; and kinds that the settings add."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from support.redacting import as_turns, said_in_turns
from warmline.errors import SettingsError
from warmline.phrases import placeholder
from warmline.pipeline.stages import CacheKeys
from warmline.redaction import kinds, redact
from warmline.redaction.book import book
from warmline.redaction.heard import said_by_all
from warmline.redaction.numbers import (
    LEAST_DIGITS,
)
from warmline.redaction.runs import runs
from warmline.settings import RedactionSettings, Settings, load_settings, settings_toml
from warmline.values import Transcript

# --- kinds of the settings -----------------------------------------------------------------------

EVERYTHING = RedactionSettings(kinds=tuple(kinds()))
FIGURES = ["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
LOYALTY = {"id": "private_loyalty", "labels": ["loyalty tag"], "least": 5, "most": 9}


def with_extra(**changes) -> RedactionSettings:
    return RedactionSettings.model_validate({"extra": [LOYALTY | changes]})


def test_a_kind_of_the_settings_is_hidden_as_what_it_is_called():
    said = said_in_turns("your loyalty tag? / it's L X four four one two")
    redacted, rows = redact(said, with_extra())
    assert as_turns(redacted) == "your loyalty tag? / it's [private_loyalty]"
    assert [row.kind for row in rows] == ["private_loyalty"]
    assert redact(redacted, with_extra()) == (redacted, ())
    assert redact(said, Settings().redaction) == (said, ())


def test_a_pattern_of_the_settings_is_found_unannounced():
    found, _ = redact(said_in_turns("/ see LX 44 12, or LY 44 12"), with_extra(pattern=r"LX\d{4}"))
    assert as_turns(found) == "/ see [private_loyalty], or LY 44 12"


def test_a_kind_of_the_settings_is_written_as_it_is_read(tmp_path):
    mine = Settings(redaction=with_extra(pattern=r"LX\d{4}"))
    file = tmp_path / "warmline.toml"
    file.write_text(settings_toml(mine), encoding="utf-8")
    assert load_settings(file) == mine


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"id": "card"}, "extra.0.id"),
        ({"labels": []}, "private_loyalty needs labels or a pattern"),
        ({"least": 10}, "private_loyalty: least = 10 is more than most = 9"),
        ({"pattern": "LX("}, "private_loyalty: pattern is no regular expression"),
        ({"pattern": ".*"}, "private_loyalty: pattern matches nothing at all"),
        ({"shape": "x"}, "extra.0.shape"),
    ],
)
def test_a_kind_that_is_wrong_is_refused_by_name(changes, told):
    with pytest.raises(ValidationError, match=re.escape(told)):
        with_extra(**changes)


def test_a_label_that_cannot_be_read_is_refused_before_a_call_is_analyzed():
    wrong = Settings(redaction=with_extra(labels=["loyalty (tag"]))
    with pytest.raises(SettingsError, match=r"private_loyalty.*'\(' without its '\)'"):
        CacheKeys.of(wrong)


# --- laws -----------------------------------------------------------------------------------------

MATTER = st.sampled_from(
    [
        *("card number", "what is your account number", "date of birth", "call me on", "pin"),
        *("my name is robert brown", "b r o w n", "pat at example dot com", "zip code", "okay"),
        *("4111 1111 1111 1111", "the fourth of july", "double five", "forty one", "um", "email"),
        *("one moment", "I have two cards", "5551234", "seven to nine", "14 main street", "is it"),
        *("twelve dollars", *FIGURES),
    ]
)
CALLS = st.lists(st.lists(MATTER, min_size=1, max_size=8).map(" ".join), min_size=1, max_size=6)
SOME_KINDS = st.sets(st.sampled_from(sorted(kinds()))).map(
    lambda chosen: RedactionSettings(kinds=tuple(sorted(chosen)))
)


@given(turns=CALLS, chosen=SOME_KINDS)
@settings(deadline=None)
def test_redacting_twice_is_redacting_once(turns, chosen):
    once, _ = redact(said_in_turns(" / ".join(turns)), chosen)
    assert redact(once, chosen) == (once, ())


@given(turns=CALLS, shift_s=st.integers(-20, 4000))
@settings(deadline=None)
def test_another_time_of_day_changes_only_times(turns, shift_s):
    """Times are 64ths of a second, whose differences are exact: a limit is met to the last bit."""
    said = said_in_turns(" / ".join(turns))

    def moved_by(seconds: int) -> Transcript:
        words = tuple(
            replace(
                w,
                start_s=round(w.start_s * 64) / 64 + seconds,
                end_s=round(w.end_s * 64) / 64 + seconds,
            )
            for w in said.words
        )
        return replace(said, words=words, utterances=())

    transcript, moved = moved_by(0), moved_by(shift_s)
    redacted, rows = redact(transcript, EVERYTHING)
    later, later_rows = redact(moved, EVERYTHING)
    assert [w.text for w in later.words] == [w.text for w in redacted.words]
    assert [(r.kind, r.party, r.value_index) for r in later_rows] == [
        (r.kind, r.party, r.value_index) for r in rows
    ]
    assert [r.start_s + shift_s for r in rows] == pytest.approx([r.start_s for r in later_rows])


@given(turns=CALLS)
@settings(deadline=None)
def test_words_outside_are_untouched_and_rows_are_the_placeholders(turns):
    transcript = said_in_turns(" / ".join(turns))
    redacted, rows = redact(transcript, EVERYTHING)
    kept = [w for w in redacted.words if placeholder(w.text) is None]
    assert set(kept) <= set(transcript.words)
    hidden = [w for w in redacted.words if placeholder(w.text)]
    assert [(w.start_s, w.end_s, w.party) for w in hidden] == [
        (r.start_s, r.end_s, r.party) for r in rows
    ]
    covered = {
        w
        for w in transcript.words
        for r in rows
        if r.party == w.party and r.start_s <= w.start_s and w.end_s <= r.end_s
    }
    assert covered | set(kept) == set(transcript.words)
    for before, after in zip(transcript.utterances, redacted.utterances, strict=True):
        hit = {w for w in covered if before.start_s <= w.start_s <= before.end_s}
        assert (after.text != before.text) == any(w.party == before.party for w in hit)


@given(
    before=CALLS,
    digits=st.lists(st.sampled_from(FIGURES), min_size=LEAST_DIGITS, max_size=20),
    after=CALLS,
)
@example(before=["the fourth of july 5551234"], digits=["zero"] * LEAST_DIGITS, after=["hello"])
@settings(deadline=None)
def test_no_long_run_of_digits_survives(before, digits, after):
    """Whatever was announced, and whatever comes after, but a measure of its last digit."""
    transcript = said_in_turns(" / ".join([*before, " ".join(digits), *after]))
    redacted, _ = redact(transcript, Settings().redaction)
    left = said_by_all(redacted.words, {}, book()).lines
    assert max((len(r.digits) for line in left for r in runs(line)), default=0) < LEAST_DIGITS

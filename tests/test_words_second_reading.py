"""A reading that leaves out speech is tried in parts; these stand if they leave out less."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmline.settings import WordSettings
from warmline.values import Span, total_s, union
from warmline.words.recognisers import Recognised, TimedWord
from warmline.words.windows import Window, choose_decoding, keep_or_retry, left_out, pack

SETTINGS = WordSettings()
SPEECH = [Span(1.0, 6.0), Span(6.2, 11.0), Span(11.4, 16.0)]


def window() -> Window:
    (whole,) = pack(SPEECH, SPEECH, 0, None, 20.0)
    return whole


def reading(of: Window, *said_s: tuple[float, float], avg_logprob: float = -0.3) -> Recognised:
    """Words of half a second without a pause from one moment of the call's clock to another."""
    words = tuple(
        TimedWord(f"word{i}", at / 2 + shift_s, at / 2 + 0.5 + shift_s, 0.9)
        for piece in of.pieces
        for shift_s in [piece.at_s - piece.start_s]
        for i, (first_s, last_s) in enumerate(said_s)
        for at in range(round(2 * first_s), round(2 * last_s))
        if piece.start_s <= at / 2 < piece.end_s
    )
    text = " ".join(chr(ord("a") + n % 26) + chr(ord("a") + n // 26) for n in range(len(words)))
    return Recognised(text, words, avg_logprob, 0.1, 1.2)


def test_a_reading_with_words_all_along_stands() -> None:
    whole = window()
    kept, retries = keep_or_retry([whole], [reading(whole, (1, 16))], SETTINGS)
    assert (len(kept), retries) == (1, [])


def test_a_gap_is_cut_between_two_stretches_and_what_leaves_out_less_stands() -> None:
    whole = window()
    first = reading(whole, (1, 6), (11, 16))
    assert [(g.start_s, g.end_s) for g in left_out(whole, first)] == [(6.0, 11.4)]
    kept, (retry,) = keep_or_retry([whole], [first], SETTINGS)
    assert kept == []
    before, after = retry.parts
    assert before.stretches[-1].end_s == after.stretches[0].start_s == pytest.approx(6.1)
    again = [reading(before, (1, 6)), reading(after, (6, 16))]
    assert choose_decoding(retry, again, SETTINGS) == ([(before, again[0]), (after, again[1])], {})
    no_better = [reading(before, (1, 6)), reading(after, (11, 16))]
    assert choose_decoding(retry, no_better, SETTINGS) == ([(whole, first)], {})
    unsure = [again[0], replace(again[1], avg_logprob=SETTINGS.min_avg_logprob * 0.6)]
    assert choose_decoding(retry, unsure, SETTINGS) == ([(whole, first)], {})


def test_a_word_stretched_over_a_gap_does_not_hide_it_and_a_long_number_is_none() -> None:
    whole = window()
    shift_s = whole.pieces[0].at_s - whole.pieces[0].start_s
    said = reading(whole, (1, 6), (11, 16))
    stretched = TimedWord("said.", 6.0 + shift_s, 11.0 + shift_s, 0.9)
    (gap,) = left_out(whole, replace(said, words=(*said.words, stretched)))
    assert (gap.start_s, gap.end_s) == pytest.approx((7.7, 11.4))  # 6.2 s, and 1.5 s for "said."
    number = replace(stretched, text="0800-555-1234-99-777")
    assert left_out(whole, replace(said, words=(*said.words, number))) == []


def test_speech_without_a_border_is_not_cut() -> None:
    speech = [Span(1.0, 12.0)]
    (whole,) = pack(speech, speech, 0, "A", 20.0)
    kept, retries = keep_or_retry([whole], [reading(whole, (1, 4))], SETTINGS)
    assert (len(kept), retries) == (1, [])


def test_of_a_refused_reading_the_pieces_stand_that_no_guard_refuses() -> None:
    speech = [Span(1.0, 6.0), Span(10.0, 15.0)]
    (whole,) = pack(speech, speech, 0, "A", 20.0)
    loop = replace(reading(whole, (1, 6)), compression_ratio=9.0)
    _, (retry,) = keep_or_retry([whole], [loop], SETTINGS)
    assert retry.guard == "loop"
    one, two = retry.parts
    good, bad = reading(one, (1, 6)), replace(reading(two, (10, 12)), compression_ratio=9.0)
    assert choose_decoding(retry, [good, bad], SETTINGS) == ([(one, good)], {"loop": 4})


@given(st.floats(0.9, 16.1))
def test_a_cut_loses_no_sound_and_gives_none_twice(at_s: float) -> None:
    whole = window()
    sides = whole.cut(at_s)
    stretches = [s for side in sides for s in side.stretches]
    assert total_s(stretches) == pytest.approx(sum(s.duration_s for s in stretches))
    assert total_s(stretches) == pytest.approx(total_s(union(whole.stretches)), abs=1e-6)
    assert all(side.pieces[0].at_s == 0 for side in sides)

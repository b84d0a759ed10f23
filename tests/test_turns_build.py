import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.conversations import (
    NO_WORDS,
    calls,
    shifted,
    shifted_words,
    speech_of,
    swapped,
    swapped_words,
    words_of,
)
from warmline.phrases import broken_examples
from warmline.settings import Settings
from warmline.turns import (
    ContributionKind,
    build_turns,
    contributions,
    listener_rules,
    listens,
)
from warmline.values import (
    Span,
    SpeakerSource,
    Speech,
    Transcript,
    gaps,
    intersect,
    subtract,
    total_s,
    union,
)

SETTINGS = Settings().turns


def told(speech: Speech, transcript: Transcript = NO_WORDS) -> list[tuple[str, float, float, str]]:
    return [
        (t.party, t.start_s, t.end_s, t.text) for t in build_turns(speech, transcript, SETTINGS)
    ]


def test_a_pause_in_which_nobody_else_speaks_does_not_end_a_turn():
    speech = speech_of({"A": [(0, 4), (5, 8)], "B": [(9, 12)]})
    assert told(speech) == [("A", 0, 8, ""), ("B", 9, 12, "")]
    assert [t.speech_s for t in build_turns(speech, NO_WORDS, SETTINGS)] == [7, 3]


def test_a_long_pause_ends_a_turn_by_itself():
    assert told(speech_of({"A": [(0, 4), (6.5, 8)]})) == [("A", 0, 4, ""), ("A", 6.5, 8, "")]


def test_a_backchannel_over_the_holder_is_no_turn_and_ends_none():
    speech = speech_of({"A": [(0, 10)], "B": [(4, 4.5), (11, 14)]})
    words = words_of(("A", 0, 10, "so I called you on Monday"), ("B", 4, 4.5, "mm-hm"))
    assert told(speech, words) == [("A", 0, 10, "so I called you on Monday"), ("B", 11, 14, "")]


def test_a_backchannel_in_a_pause_is_no_turn():
    speech = speech_of({"A": [(0, 5), (6.2, 10)], "B": [(5.3, 5.8)]})
    words = words_of(("A", 0, 5, "I called on Monday"), ("B", 5.3, 5.8, "Yeah."))
    assert told(speech, words) == [("A", 0, 10, "I called on Monday")]


def test_the_same_word_after_a_question_is_the_whole_reply():
    speech = speech_of({"A": [(0, 5), (6.2, 10)], "B": [(5.3, 5.8)]})
    words = words_of(("A", 0, 5, "Is that your address?"), ("B", 5.3, 5.8, "Yeah."))
    assert told(speech, words) == [
        ("A", 0, 5, "Is that your address?"),
        ("B", 5.3, 5.8, "Yeah."),
        ("A", 6.2, 10, ""),
    ]


def test_a_short_answer_with_words_of_its_own_takes_the_floor():
    speech = speech_of({"A": [(0, 5), (6.2, 10)], "B": [(5.3, 5.8)]})
    words = words_of(("A", 0, 5, "and the last digits"), ("B", 5.3, 5.8, "four two."))
    assert [party for party, *_ in told(speech, words)] == ["A", "B", "A"]


def test_a_listener_who_is_waited_for_has_replied():
    speech = speech_of({"A": [(0, 5), (7.4, 10)], "B": [(5.3, 5.8)]})
    assert [party for party, *_ in told(speech)] == ["A", "B", "A"]


def test_a_remark_over_the_holder_is_a_turn_and_does_not_end_the_holders():
    speech = speech_of({"A": [(0, 10)], "B": [(4, 4.75)]})
    words = words_of(("A", 0, 10, "I was so scared that night"), ("B", 4, 4.75, "I'm so sorry."))
    assert told(speech, words) == [
        ("A", 0, 10, "I was so scared that night"),
        ("B", 4, 4.75, "I'm so sorry."),
    ]


def test_short_words_in_turn_are_everybodys_turns():
    speech = speech_of({"A": [(0, 0.5), (2, 2.5)], "B": [(1, 1.5), (3, 3.5)]})
    assert [party for party, *_ in told(speech)] == ["A", "B", "A", "B"]


def test_who_has_stopped_and_lets_another_speak_on_only_listens():
    speech = speech_of({"A": [(0, 5), (5.4, 5.8)], "B": [(4.8, 9)]})
    said = [("A", 0, 5, "it is three hundred miles away"), ("B", 4.8, 9, "if you give me a minute")]
    yes = words_of(*said, ("A", 5.4, 5.8, "yes"))
    assert told(speech, yes) == [
        ("A", 0, 5, "it is three hundred miles away"),
        ("B", 4.8, 9, "if you give me a minute"),
    ]
    more = told(speech, words_of(*said, ("A", 5.4, 5.8, "or four")))  # still wants to be heard
    assert ("A", 0, 5.8, "it is three hundred miles away or four") in more
    later = speech_of({"A": [(0, 5), (5.4, 5.8)], "B": [(5.2, 9)]})  # nobody had taken the floor
    words = words_of(said[0], ("B", 5.2, 9, "if you give me a minute"), ("A", 5.4, 5.8, "yes"))
    assert told(later, words)[0][:3] == ("A", 0, 5.8)


def test_the_first_word_of_an_utterance_is_not_a_backchannel():
    speech = speech_of({"A": [(0, 10)], "B": [(9.25, 9.75), (10.1, 14)]})
    words = words_of(("B", 9.25, 9.75, "Yeah,"), ("B", 10.1, 14, "that was me"))
    assert told(speech, words)[1] == ("B", 9.25, 14, "Yeah, that was me")


def test_a_failed_interruption_is_a_turn_inside_the_holders_turn():
    speech = speech_of({"A": [(0, 10), (10.4, 12)], "B": [(6, 9)]})
    assert told(speech) == [("A", 0, 12, ""), ("B", 6, 9, "")]


def test_an_overlap_that_reaches_a_little_into_a_pause_takes_no_floor():
    speech = speech_of({"A": [(0, 10), (10.4, 14)], "B": [(8, 10.1)]})
    assert told(speech) == [("A", 0, 14, ""), ("B", 8, 10.1, "")]


def test_a_reply_the_recogniser_lost_is_a_turn_without_text():
    speech = speech_of({"A": [(0, 5), (8, 10)], "B": [(6, 6.5)]})
    words = words_of(("A", 0, 5, "Are you still there?"), ("A", 8, 10, "Good."))
    assert told(speech, words)[1] == ("B", 6, 6.5, "")
    click = speech_of({"A": [(0, 5), (8, 10)], "B": [(6, 6.2)]})
    assert [party for party, *_ in told(click, words)] == ["A", "A"]


def test_words_decide_the_edges_when_voices_share_a_channel():
    speech = speech_of({"A": [(0, 5.5)], "B": [(5.5, 9)]}, source=SpeakerSource.DIARIZATION)
    words = words_of(("A", 0, 5, "where is it?"), ("B", 5.2, 9, "it is on its way"))
    assert told(speech, words) == [("A", 0, 5.2, "where is it?"), ("B", 5.2, 9, "it is on its way")]


def test_words_outside_all_speech_are_speech():
    words = words_of(("A", 1, 2, "hello"), ("B", 3, 4, "hi"))
    assert told(speech_of({"A": [], "B": []}), words) == [("A", 1, 2, "hello"), ("B", 3, 4, "hi")]


def test_three_parties_and_silence_do_not_disturb():
    assert told(speech_of({})) == []
    speech = speech_of({"A": [(0, 5)], "B": [(4, 9)], "C": [(4.5, 6), (9.5, 12)]})
    assert {t[0] for t in told(speech)} == {"A", "B", "C"}


@given(calls())
def test_every_word_is_in_one_turn_or_one_backchannel(call: tuple[Speech, Transcript]):
    speech, transcript = call
    said = contributions(speech, transcript, SETTINGS)
    assert Counter(w for parts in said.values() for p in parts for w in p.words) == Counter(
        transcript.words
    )
    listened = sum(
        len(p.words)
        for parts in said.values()
        for p in parts
        if p.kind is ContributionKind.BACKCHANNEL
    )
    turns = build_turns(speech, transcript, SETTINGS)
    assert sum(t.word_count for t in turns) + listened == len(transcript.words)
    assert all(
        not p.words for parts in said.values() for p in parts if p.kind is ContributionKind.NOISE
    )


@given(calls("ABC"))
def test_turns_of_one_party_never_overlap_and_are_numbered_in_order(
    call: tuple[Speech, Transcript],
):
    for speech in (call[0], replace(call[0], source=SpeakerSource.DIARIZATION)):
        turns = build_turns(speech, call[1], SETTINGS)
        assert [t.index for t in turns] == list(range(len(turns)))
        assert all(a.start_s <= b.start_s for a, b in itertools.pairwise(turns))
        for party in speech.parties:
            own = [t for t in turns if t.party == party]
            assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(own))
            assert all(0 < t.speech_s <= t.duration_s + 1e-9 for t in own)


@given(calls(), st.integers(0, 5000))
def test_shifting_a_call_shifts_its_turns(call: tuple[Speech, Transcript], by: int):
    speech, transcript = call
    turns = build_turns(speech, transcript, SETTINGS)
    later = build_turns(shifted(speech, by), shifted_words(transcript, by), SETTINGS)
    assert [replace(t, start_s=t.start_s + by, end_s=t.end_s + by) for t in turns] == [
        replace(t, speech_s=b.speech_s) for t, b in zip(later, turns, strict=True)
    ]


@given(calls())
def test_swapping_the_parties_swaps_the_turns(call: tuple[Speech, Transcript]):
    speech, transcript = call
    there = told(speech, transcript)
    back = told(swapped(speech), swapped_words(transcript))
    assert sorted(there) == sorted(({"A": "B", "B": "A"}[p], s, e, t) for p, s, e, t in back)


@given(calls(), st.floats(0.3, 3.0))
def test_splitting_speech_at_a_short_pause_keeps_one_turn(
    call: tuple[Speech, Transcript], at: float
):
    speech, _ = call
    alone = [s for s in speech.segments if s.party == "A"]
    whole = build_turns(replace(speech, segments=tuple(alone)), NO_WORDS, SETTINGS)
    cut = subtract(alone, [Span(at, at + 0.1)])
    parts = tuple(replace(alone[0], start_s=s.start_s, end_s=s.end_s) for s in cut)
    split = build_turns(replace(speech, segments=parts), NO_WORDS, SETTINGS)
    long_enough = [t for t in whole if t.duration_s > 1.0]
    for turn in long_enough:
        inside = [t for t in split if t.start_s < turn.end_s and turn.start_s < t.end_s]
        assert len(inside) == 1


@pytest.mark.parametrize("rule", [rule for rule, _ in listener_rules()], ids=lambda r: r.id)
def test_the_listeners_words_keep_their_examples(rule):
    assert broken_examples(rule, lambda said: [said] if listens(said) else []) == []


spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda t: Span(t[0], t[0] + t[1]))
)


def seconds(spans: list[Span]) -> set[int]:
    return {i for s in spans for i in range(int(s.start_s), int(s.end_s))}


@given(spans, spans)
def test_arithmetic_on_spans_is_that_of_sets(left: list[Span], right: list[Span]):
    a, b = seconds(left), seconds(right)
    assert seconds(union(left)) == a and total_s(left) == len(a)
    assert seconds(intersect(left, right)) == a & b
    assert seconds(subtract(left, right)) == a - b
    assert seconds(gaps(left, 10, 50)) == set(range(10, 50)) - a
    for result in (union(left), intersect(left, right), subtract(left, right)):
        pairs = itertools.pairwise(result)
        assert all(x.end_s < y.start_s for x, y in pairs)


def test_bridging_closes_only_shorter_gaps():
    apart = [Span(0, 1), Span(1.25, 2), Span(2.5, 3)]
    assert union(apart, 0.5) == [Span(0, 2), Span(2.5, 3)]

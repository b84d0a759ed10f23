"""The floor: entries, silences, latency and cooperation, by hand."""

from dataclasses import replace

import pytest

from support.conversations import (
    NO_WORDS,
    conversation_of,
    speech_of,
    words_of,
)
from support.floors import SETTINGS, floor_of, metric, value
from warmline.floor import DEFINITIONS, measure, sensitivity
from warmline.floor.events import cooperation_rules
from warmline.phrases import broken_examples
from warmline.values import (
    Conversation,
    RoleName,
    SpeakerSource,
    ToneSegment,
)


@pytest.mark.parametrize(
    ("holder", "entrant", "kind", "successful"),
    [
        # the entrant is short and the holder goes on
        ([(0, 10)], [(5, 5.5)], "backchannel", None),
        ([(0, 10)], [(5, 6)], "backchannel", None),
        ([(0, 10)], [(5, 6.01)], "interruption", False),
        # across a short pause of the holder: his turn goes on
        ([(0, 10), (10.4, 20)], [(9.8, 10.2)], "backchannel", None),
        # the start is close to the holder's end
        ([(0, 10)], [(9.75, 14)], "terminal_overlap", None),
        ([(0, 10)], [(9.75, 10.25)], "terminal_overlap", None),
        ([(0, 10)], [(9.6875, 14)], "interruption", True),
        # the holder stops within a second, or does not
        ([(0, 10)], [(9, 14)], "interruption", True),
        ([(0, 10)], [(8.9, 14)], "interruption", False),
        ([(0, 10)], [(6, 9)], "interruption", False),
        # too short to interrupt, and the holder does not go on
        ([(0, 10)], [(9.5, 10.25)], "other", None),
        # both begin together: nobody held the floor
        ([(2, 10)], [(2, 5)], "other", None),
        ([(2, 10)], [(2.125, 5)], "other", None),
    ],
)
def test_an_overlap_has_the_class_of_its_definition(holder, entrant, kind, successful):
    (overlap,) = floor_of({"A": holder, "B": entrant}).overlaps
    assert (overlap.holder, overlap.entrant) == ("A", "B")
    assert (overlap.kind, overlap.successful) == (kind, successful)
    assert overlap.cooperative is None


@pytest.mark.parametrize(
    ("entrant", "kind"),
    [
        ((5, 5.8), "backchannel"),
        ((5, 5.98), "unsure"),  # or an interruption that did not get the floor
        ((5, 7), "interruption"),
        ((9.75, 14), "terminal_overlap"),
        ((9.72, 14), "unsure"),
        ((9.69, 14), "unsure"),
        ((9.65, 14), "interruption"),
        ((9.3, 9.98), "unsure"),  # does the holder go on after it?
        ((9.2, 9.95), "backchannel"),
    ],
)
def test_voices_on_one_channel_have_a_class_only_where_30_ms_change_nothing(entrant, kind):
    floor = floor_of({"A": [(0, 10)], "B": [entrant]}, source=SpeakerSource.DIARIZATION)
    assert [o.kind for o in floor.overlaps] == [kind]
    assert [(b.start_s, b.end_s) for b in floor.backchannels] == (
        [entrant] if kind == "backchannel" else []
    )


def test_entries_of_unsure_class_lower_the_coverage_and_alone_leave_no_count():
    voices = SpeakerSource.DIARIZATION
    both = floor_of({"A": [(0, 10), (20, 30)], "B": [(5, 7), (29.7, 33)]}, source=voices)
    found = metric(both, "interruptions", "B")
    assert (found.value, found.coverage) == (1, 0.5)
    assert metric(both, "interruptions_per_min", "B").coverage == 0.5
    # so long an entry can be no backchannel: of them, none is missed
    assert (value(both, "backchannels", "B"), metric(both, "backchannels", "B").coverage) == (0, 1)
    alone = floor_of({"A": [(20, 30)], "B": [(29.7, 33)]}, source=voices)
    assert metric(alone, "interruptions", "B").value is None
    assert "the class of no entry (1) is sure" in (metric(alone, "interruptions", "B").reason or "")
    assert value(alone, "interruptions", "A") == 0
    short = floor_of({"A": [(20, 30)], "B": [(25, 25.98)]}, source=voices)
    assert metric(short, "backchannels", "B").value is None
    channels = floor_of({"A": [(20, 30)], "B": [(29.7, 33)]})
    assert value(channels, "interruptions", "B") == 1


def test_who_pauses_and_takes_the_floor_back_has_not_been_interrupted_successfully():
    floor = floor_of({"A": [(0, 10), (10.3, 20)], "B": [(9.2, 10.25)]})
    (overlap,) = floor.overlaps
    assert (overlap.kind, overlap.successful) == ("interruption", False)


def test_a_fight_for_the_floor_is_two_entries():
    floor = floor_of({"A": [(0, 5), (5.3, 7)], "B": [(4, 12)]})
    assert [(o.holder, o.entrant, o.kind) for o in floor.overlaps] == [
        ("A", "B", "interruption"),
        ("B", "A", "interruption"),
    ]


def test_a_backchannel_in_a_pause_is_one_and_more_words_refuse_it():
    parties = {"A": [(0, 5), (6.2, 10)], "B": [(5.3, 5.8)]}
    silent = floor_of(parties)
    assert [(b.party, b.text) for b in silent.backchannels] == [("B", None)]
    heard = floor_of(parties, words_of(("B", 5.3, 5.8, "Yeah.")))
    assert [(b.party, b.text) for b in heard.backchannels] == [("B", "Yeah.")]
    over = {"A": [(0, 10)], "B": [(5.3, 5.8)]}
    assert floor_of(over, words_of(("B", 5.3, 5.8, "I'm so sorry."))).backchannels == ()
    german = replace(words_of(("B", 5.3, 5.8, "ja genau")), language="de")
    assert [b.text for b in floor_of(over, german).backchannels] == ["ja genau"]


def test_silences_are_gaps_dead_air_and_holds_and_make_up_all_non_talk():
    floor = floor_of(
        {"A": [(3, 5), (6, 7)], "B": [(9, 10), (20, 21), (50, 52)]},
        tones=(
            ToneSegment(22, 30, "music"),
            ToneSegment(31, 45, "music"),
            ToneSegment(7, 7.2, "tone"),
        ),
    )
    assert [(s.start_s, s.end_s, s.kind) for s in floor.silences] == [
        (0, 3, "gap"),
        (5, 6, "gap"),
        (7, 9, "dead_air"),
        (10, 20, "dead_air"),
        (21, 22, "gap"),
        (22, 45, "hold"),
        (45, 50, "dead_air"),
        (52, 60, "gap"),
    ]
    assert value(floor, "non_talk_s") == 53
    assert (value(floor, "dead_air_count"), value(floor, "dead_air_s")) == (3, 17)
    assert (value(floor, "long_dead_air_count"), value(floor, "long_dead_air_s")) == (2, 15)
    assert value(floor, "longest_dead_air_s") == 10
    assert metric(floor, "longest_dead_air_s").evidence[0].start_s == 10
    assert value(floor, "hold_s") == 23
    # Who speaks first after a hold has not been slow to answer.
    assert value(floor, "response_latency_median_s", "B") == 2


def test_latency_is_of_positive_offsets_and_the_median_offset_of_all():
    floor = floor_of(
        {"A": [(0, 4), (10, 14), (20, 24)], "B": [(5, 9), (14.5, 19), (23.75, 28)]},
    )
    assert [t.offset_s for t in floor.transfers] == [1, 1, 0.5, 1, -0.25]
    assert value(floor, "fto_median_s") == 1
    assert value(floor, "response_latency_median_s", "A") == 1
    assert value(floor, "response_latency_median_s", "B") == 0.75
    assert value(floor, "response_latency_p90_s", "B") == pytest.approx(0.95)
    assert [s.start_s for s in metric(floor, "response_latency_p90_s", "B").evidence] == [4]


def test_shares_rates_and_monologues_by_hand():
    floor = floor_of(
        {"A": [(0, 30)], "B": [(10, 12), (31, 41)]},
        words_of(("A", 0, 30, "one two three"), ("B", 31, 41, "four five")),
    )
    assert value(floor, "talk_s", "A") == 30
    assert value(floor, "talk_share", "A") == pytest.approx(30 / 42)
    assert value(floor, "interruptions_per_min", "B") == pytest.approx(1 / 0.5)
    assert metric(floor, "interruptions_per_min", "B").numerator == 1
    assert value(floor, "interruptions_per_min", "A") == 0
    assert value(floor, "longest_monologue_s", "A") == 20
    assert value(floor, "longest_monologue_s", "B") == 10
    assert (value(floor, "turns", "B"), value(floor, "words", "B")) == (2, 2)
    assert value(floor, "overlap_s") == 2


def test_the_opening_story_lasts_until_the_first_competitive_interruption():
    parties = {"A": [(1, 11), (12, 21)], "B": [(5, 7), (15, 17)]}
    yes = ("B", 5, 7, "Exactly that happens")
    but = ("B", 15, 17, "Can you give me the number")
    floor = floor_of(parties, words_of(yes, but))
    assert [o.cooperative for o in floor.overlaps] == [True, False]
    assert value(floor, "opening_story_s") == 13
    assert value(floor, "competitive_interruptions", "B") == 1
    unheard = floor_of(parties, words_of(yes))
    assert [o.cooperative for o in unheard.overlaps] == [True, None]
    assert metric(unheard, "competitive_interruptions", "B").coverage == 0.5
    assert value(unheard, "opening_story_s") == 13
    assert value(floor_of(parties), "competitive_interruptions", "B") is None
    whole = metric(floor_of({"A": parties["A"], "B": [(22, 24)]}), "opening_story_s")
    assert (whole.value, whole.observations) == (19, 0)
    assert value(floor_of(parties, roles={}), "opening_story_s") is None


@pytest.mark.parametrize(
    ("holder", "entrant", "reply", "cooperative"),
    [
        ("it was on the", "Monday I think", "yes Monday", True),
        ("it was on the", "Monday I think", "Monday I guess", True),
        ("it was on the", "Monday I think", "no no no", False),
        ("it was on Monday.", "and your name is", "yes", False),
        ("so I paid the", "yeah but when did you", "what", False),
        ("so I paid the", "mm-hm okay right then", "what", True),
    ],
)
def test_cooperation_is_agreement_or_a_completion_that_is_taken_up(
    holder: str, entrant: str, reply: str, cooperative: bool
):
    floor = floor_of(
        {"A": [(0, 5), (6.5, 9)], "B": [(4, 6)]},
        words_of(("A", 0, 5, holder), ("B", 4, 6, entrant), ("A", 6.5, 9, reply)),
    )
    (overlap,) = floor.overlaps
    assert (overlap.kind, overlap.cooperative) == ("interruption", cooperative)


def test_words_in_another_language_are_not_judged():
    words = replace(words_of(("B", 5, 7, "Yes but nein")), language="de")
    (overlap,) = floor_of({"A": [(1, 11)], "B": [(5, 7)]}, words).overlaps
    assert (overlap.kind, overlap.cooperative) == ("interruption", None)


@pytest.mark.parametrize("number", range(len(cooperation_rules())))
def test_the_rules_of_cooperation_keep_their_examples(number: int):
    rule, matcher = cooperation_rules()[number]
    at_start = rule.id == "agreement.opening"

    def found(said):
        spans = matcher.find(said)
        return [s for s in spans if (s[0] == 0 if at_start else s[1] == len(said.words))]

    assert broken_examples(rule, found) == []


def test_talking_over_a_recorded_voice_is_nothing():
    roles = {"A": RoleName.CUSTOMER, "B": RoleName.IVR, "C": RoleName.AGENT}
    floor = floor_of({"A": [(5, 8), (20, 25)], "B": [(0, 10)], "C": [(26, 30)]}, roles=roles)
    assert floor.overlaps == ()
    assert value(floor, "interruptions", "A") == 0
    assert value(floor, "interruptions", "B") is None
    assert value(floor, "talk_s", "B") == 10
    assert value(floor, "talk_share", "A") == pytest.approx(8 / 12)
    assert value(floor, "dead_air_s") == 10


def test_one_voice_or_none_has_measures_with_reasons():
    for parties in ({}, {"A": []}, {"A": [(1, 5)]}, {"A": [(1, 5)], "B": []}):
        floor = floor_of(parties)
        assert all((m.value is None) == (m.reason is not None) for m in floor.metrics)
        assert {(m.name, m.party) for m in floor.metrics} == {
            (d.name, p)
            for d in DEFINITIONS
            for p in (tuple(parties) if d.level == "party" else (None,))
        }
    assert value(floor_of({}), "non_talk_s") == 60
    assert value(floor_of({"A": [(1, 5)]}), "interruptions", "A") is None


def test_sensitivity_shows_what_each_threshold_decides():
    speech = speech_of({"A": [(0, 10), (13, 20)], "B": [(5, 6.25), (9.625, 12)]})
    rows = sensitivity(speech, NO_WORDS, conversation_of(speech), 30.0, SETTINGS)
    found = {(r.setting, r.factor, r.name, r.party): (r.usual, r.value) for r in rows}
    assert found["backchannel_max_s", 1.5, "interruptions", "B"] == (2, 1)
    assert found["terminal_overlap_s", 1.5, "interruptions", "B"] == (2, 1)
    assert found["dead_air_s", 0.5, "dead_air_count", None] == (0, 1)
    assert all(r.value != r.usual for r in rows)
    assert measure(speech, NO_WORDS, Conversation((), ()), 30.0, SETTINGS).overlaps

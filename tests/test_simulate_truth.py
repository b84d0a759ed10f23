"""Scenes become truth: who had the floor, what moved it, and what cannot be played is refused."""

from itertools import pairwise

import pytest

from support.scenes import LONG, OBJECTION, ada, cleo, level_db, needs_flite, scene
from warmline import simulate
from warmline.errors import SceneLineError
from warmline.simulate import Line, Truth
from warmline.values import RoleName, Span, intersect, total_s


@needs_flite
def test_a_successful_interruption_silences_the_holder():
    call = simulate.render(
        scene(cleo(LONG), ada(OBJECTION, interrupts="competitive", at_word=9, holder_stops_s=0.5))
    )
    (overlap,), (held, entrant) = call.truth.overlaps, call.truth.turns
    assert (overlap.kind, overlap.successful, overlap.cooperative) == ("interruption", True, False)
    assert (overlap.holder, overlap.entrant) == ("Cleo", "Ada")
    assert LONG.startswith(held.text)
    assert len(held.text) < len(LONG)
    ninth = [w for w in call.truth.words if w.speaker == "Cleo"][8]
    assert entrant.start_s == pytest.approx(ninth.start_s, abs=1e-3)
    assert 0.5 <= held.end_s - entrant.start_s <= 1.0
    assert level_db(call, 0, [Span(held.end_s + 0.03, call.truth.duration_s)]) < -70


@needs_flite
def test_an_interruption_that_fails_lets_the_holder_finish():
    call = simulate.render(scene(cleo(LONG), ada(OBJECTION, interrupts="cooperative", at_word=4)))
    (overlap,), (held, entrant) = call.truth.overlaps, call.truth.turns
    assert (overlap.successful, overlap.cooperative) == (False, True)
    assert held.text == LONG
    assert overlap.end_s == min(held.end_s, entrant.end_s)
    both = intersect(call.truth.speech(["Ada"]), call.truth.speech(["Cleo"]))
    assert total_s(both) == pytest.approx(overlap.duration_s, abs=0.25)


@needs_flite
def test_backchannels_and_terminal_overlaps_move_no_floor():
    call = simulate.render(
        scene(
            cleo(LONG),
            ada("Right.", backchannel=True, at_word=5),
            ada("Okay.", backchannel=True, at_word=12),
            ada("I will look for it at once.", pause_s=-0.2),
        )
    )
    assert [o.kind for o in call.truth.overlaps] == [
        *("backchannel", "backchannel", "terminal_overlap")
    ]
    assert {o.holder for o in call.truth.overlaps} == {"Cleo"}
    assert call.truth.overlaps[-1].duration_s == pytest.approx(0.2, abs=1e-3)
    assert [t.backchannel for t in call.truth.turns] == [False, True, True, False]


@needs_flite
def test_silence_is_told_from_hold_music():
    call = simulate.render(
        scene(
            ada("One moment."),
            Line(speaker="Ada", hold_music_s=4, pause_s=2.5),
            ada("Here I am.", pause_s=0.5),
            cleo("Good.", pause_s=1.9),
        )
    )
    assert [s.kind for s in call.truth.silences] == ["dead_air", "hold"]
    assert [s.duration_s for s in call.truth.silences] == pytest.approx([2.5, 4], abs=1e-3)
    hold = call.truth.silences[1]
    assert level_db(call, 1, [hold]) == pytest.approx(-24, abs=1)
    assert level_db(call, 0, [hold]) < -70


@needs_flite
def test_an_answer_counts_within_two_agent_turns_and_an_unanswered_cue_is_ignored():
    cue = {"cue": "fear_anxiety", "cue_words": "I am scared."}
    lines = (
        cleo("Hello. I am scared.", **cue),
        ada("Your name?"),
        cleo("Cleo."),
        ada("That is frightening.", answers="affective"),
        cleo("Yes, I am scared.", **cue),
        ada("Your address?"),
        cleo("Here."),
        ada("Which town?"),
        cleo("This one, and I am scared.", **cue),
    )
    answered, ignored, unheard = simulate.render(scene(*lines)).truth.cues
    assert (answered.answer, answered.answer_turn, answered.text) == (
        *("affective", 3),
        "I am scared.",
    )
    assert (ignored.answer, ignored.answer_turn) == ("ignored", None)
    assert (unheard.answer, unheard.answer_turn) == (None, None)
    with pytest.raises(SceneLineError, match="line 2 of the scene, answers: no cue"):
        simulate.render(scene(cleo("Hello."), ada("Poor you.", answers="affective")))


@needs_flite
def test_asking_twice_is_reasking_and_an_offer_has_its_label():
    truth = simulate.render(
        scene(
            ada("Your number?", asks="number"),
            cleo("Seven.", marks=("repeat_contact",)),
            ada("Sorry, your number?", asks="number", marks=("apology",)),
            ada("We have a new card.", offer="misplaced"),
        )
    ).truth
    assert [(m.turn, m.kind, m.label) for m in truth.moments] == [
        (0, "ask", "number"),
        (1, "repeat_contact", None),
        (2, "apology", None),
        (2, "reask", "number"),
        (3, "offer", "misplaced"),
    ]


HOLDER = cleo(LONG)


@needs_flite
@pytest.mark.parametrize(
    ("lines", "key", "message"),
    [
        ([ada("Hello.", speaker="Bob")], "speaker", "'Bob' is not one of: Cleo, Ada"),
        ([ada("Hello.", cue="fear_anxiety")], "cue", "needs role customer; Ada has not"),
        ([cleo("A card?", offer="misplaced")], "offer", "needs role agent"),
        ([HOLDER, ada("Right.", backchannel=True, at_word=40)], "at_word", "has 19 words"),
        ([HOLDER, ada(LONG, backchannel=True, at_word=3)], "backchannel", "at most 1.0 s"),
        (
            [HOLDER, ada("Yes, I see.", backchannel=True, at_word=19)],
            "at_word",
            "reaches into a pause",
        ),
        ([HOLDER, ada("Stop.", interrupts="competitive", at_word=3)], "text", "at least 1.0 s"),
        (
            [HOLDER, ada(OBJECTION, interrupts="competitive", at_word=16)],
            "interrupts",
            "a success is within 1.0 s",
        ),
        (
            [HOLDER, ada(OBJECTION, interrupts="competitive", at_word=19, holder_stops_s=1)],
            "holder_stops_s",
            "interrupt earlier",
        ),
        ([HOLDER, ada("Right, I see.", pause_s=-0.8)], "pause_s", "needs at_word"),
        ([HOLDER, cleo("And so on.", pause_s=-0.2)], "pause_s", "nobody else has spoken"),
        ([ada("Hi."), HOLDER, cleo("And.", pause_s=-0.2)], "pause_s", "Cleo is still speaking"),
        ([ada("Right.", backchannel=True, at_word=1)], "at_word", "nobody else has spoken"),
        (
            [
                cleo(LONG, cue="fear_anxiety", cue_words="where it is today"),
                ada(OBJECTION, interrupts="competitive", at_word=9, holder_stops_s=0.5),
            ],
            "cue",
            "cuts it off",
        ),
    ],
)
def test_what_cannot_be_played_as_asked_is_refused(lines: list[Line], key: str, message: str):
    with pytest.raises(SceneLineError, match=message) as refused:
        simulate.render(scene(*lines))
    assert refused.value.key == key
    assert refused.value.index in (0, len(lines) - 1)


@needs_flite
def test_a_perfect_listener_hands_on_what_was_said():
    truth: Truth = simulate.render(
        scene(
            cleo(LONG),
            ada("Right.", backchannel=True, at_word=5),
            Line(speaker="Ada", hold_music_s=2),
            ada("Here I am."),
        )
    ).truth
    speech = simulate.true_speech(truth)
    assert speech.parties == ("A", "B")
    assert {t.kind for t in speech.tones} == {"music"}
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(speech.exclusive))
    assert total_s(speech.exclusive) == pytest.approx(total_s(speech.segments))
    words = simulate.true_transcript(truth).words
    assert len(words) == len(LONG.split()) + 4
    turns = simulate.true_conversation(truth).turns
    assert [(t.index, t.party, t.role, t.word_count) for t in turns] == [
        (0, "A", RoleName.CUSTOMER, 19),
        (1, "B", RoleName.AGENT, 3),
    ]
    assert all(0 < t.speech_s <= t.duration_s + 1e-9 for t in turns)

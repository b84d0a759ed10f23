"""Whole calls read: evidence at the words' times, and what only several turns together show."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.dialogues import Dialogue, dialogue, moments_of, shifted
from warmline.analysis import Moment
from warmline.language import read, unread_reason
from warmline.settings import Settings
from warmline.values import RoleName, Span, Word


def kinds(call: Dialogue, *wanted: str) -> list[tuple[str, str | None, str]]:
    return [(m.kind, m.label, m.text) for m in moments_of(call) if m.kind in wanted]


LOST_LUGGAGE = dialogue(
    "agent: Good evening, Meridian Air baggage desk, this is Tomas, how can I help?",
    "customer: My suitcase never came. I'm, um, really worried, my medication is in it.",
    "agent: I'm so sorry, that must be very stressful. What is your flight number?",
    "customer: M A four one two.",
    "agent: So you flew in today and your medication is in the suitcase. I have sent a courier.",
    "customer: That's such a relief, thank you so much.",
)


def test_evidence_stands_at_the_times_of_its_own_words() -> None:
    _, transcript = LOST_LUGGAGE
    (cue,) = [m for m in moments_of(LOST_LUGGAGE) if m.kind == "cue" and m.strength > 0.8]
    assert cue.text == "I'm, um, really worried,"
    words = [w for w in transcript.words if w.party == "customer"]
    first = next(w for w in words if w.text == "I'm,")
    last = next(w for w in words if w.text == "worried,")
    assert (cue.start_s, cue.end_s) == (first.start_s, last.end_s)
    assert (cue.turn_index, cue.role, cue.label) == (1, RoleName.CUSTOMER, "fear_anxiety")
    assert cue.rule == "fear.named"


def test_every_moment_lies_in_its_turn_and_quotes_it_word_for_word() -> None:
    conversation, _ = LOST_LUGGAGE
    moments = moments_of(LOST_LUGGAGE)
    assert len(moments) > 8
    assert list(moments) == sorted(moments, key=lambda m: (m.start_s, m.turn_index))
    for moment in moments:
        turn = conversation.turns[moment.turn_index]
        assert turn.start_s <= moment.start_s < moment.end_s <= turn.end_s
        assert moment.text in turn.text
        assert (moment.party, moment.role) == (turn.party, turn.role)


@settings(deadline=None)  # a busy machine is no fault
@given(st.integers(-2000, 2000))
def test_a_later_call_says_the_same_later(quarters: int) -> None:
    by_s = quarters / 4
    before = moments_of(LOST_LUGGAGE)
    after = moments_of(shifted(LOST_LUGGAGE, by_s))
    assert [replace(m, start_s=m.start_s + by_s, end_s=m.end_s + by_s) for m in before] == [*after]


def test_party_letters_do_not_matter() -> None:
    lines = ["A: How can I help?", "B: I'm so angry.", "A: I understand why you're angry."]
    one = moments_of(dialogue(*lines, roles={"A": "agent", "B": "customer"}))
    other = moments_of(
        dialogue(
            *(line.replace("A:", "C:") for line in lines), roles={"C": "agent", "B": "customer"}
        )
    )
    assert [replace(m, party="") for m in one] == [replace(m, party="") for m in other]


def test_words_that_are_not_the_turns_do_not_move_its_evidence() -> None:
    conversation, transcript = LOST_LUGGAGE
    turn = conversation.turns[1]
    stray = Word(turn.start_s + 0.1, turn.start_s + 0.2, "customer", "mm-hm", 0.4)
    words = sorted([*transcript.words, stray], key=lambda w: w.start_s)
    again = read(conversation, replace(transcript, words=tuple(words)), Settings().language)
    assert again == moments_of(LOST_LUGGAGE)


def test_a_turn_whose_words_are_not_timed_has_the_time_of_the_turn() -> None:
    conversation, transcript = LOST_LUGGAGE
    turn = conversation.turns[1]
    kept = tuple(w for w in transcript.words if w.party != "customer")
    moments = read(conversation, replace(transcript, words=kept), Settings().language)
    assert {Span(m.start_s, m.end_s) for m in moments if m.turn_index == 1} == {
        Span(turn.start_s, turn.end_s)
    }


def test_an_agent_who_reads_out_a_warning_gives_no_cue() -> None:
    warning = "if you are worried that your account was hacked, or scared by a call, hang up"
    call = dialogue(f"agent: I have to read this: {warning}.", "customer: Okay.")
    assert kinds(call, "cue", "friction_hold", "quote") == []


def test_words_of_unknown_roles_are_nobodys() -> None:
    call = dialogue("A: I'm so angry.", "B: I'm so sorry to hear that.")
    assert moments_of(call) == ()


@pytest.mark.parametrize(
    ("language", "reason"),
    [("en", None), (None, None), ("de", "the call is in 'de'; the rules read English only")],
)
def test_other_languages_are_not_read(language: str | None, reason: str | None) -> None:
    conversation, transcript = LOST_LUGGAGE
    spoken = replace(transcript, language=language)
    assert unread_reason(spoken) == reason
    assert bool(read(conversation, spoken, Settings().language)) == (reason is None)
    assert unread_reason(replace(transcript, words=())) == "no words were recognised"


def test_overlapping_rules_of_one_meaning_give_one_moment_the_strongest() -> None:
    call = dialogue("agent: Hello.", "customer: It is absolutely ridiculous. Horrible prices.")
    angry = [(m.rule, m.text) for m in moments_of(call) if m.kind == "cue"]
    assert angry == [
        ("anger.judgement", "It is absolutely ridiculous."),
        ("anger.word", "Horrible"),
    ]


# --- questions ---------------------------------------------------------------------------------


def questions(text: str) -> list[str]:
    call = dialogue(f"agent: {text}", "customer: Well.")
    return [m.kind.removeprefix("question_") for m in moments_of(call) if "question_" in m.kind]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What happened after the parcel came?", ["open"]),
        ("what happened after the parcel came", ["open"]),
        ("Which one was it?", ["closed"]),
        ("did you get the letter", ["closed"]),
        ("You live in Leeds?", ["closed"]),
        ("Okay?", []),
        ("How can I help you today?", []),
        ("Is there anything else I can help you with?", []),
        ("The letter came on Monday.", []),
        ("I know what happened.", []),
        ("What do you think, would you like a refund?", ["open", "closed"]),
    ],
)
def test_questions_are_open_or_closed_and_formulas_are_neither(
    text: str, expected: list[str]
) -> None:
    assert questions(text) == expected


# --- asked again -------------------------------------------------------------------------------


def reasked(*lines: str) -> list[str | None]:
    return [m.label for m in moments_of(dialogue(*lines)) if m.kind == "reask"]


HELLO = "agent: Hello."
ASK = "agent: Can I have your account number please?"
ASK_AGAIN = "agent: And what is your account number?"


def test_an_item_asked_again_after_it_was_given_is_a_reask() -> None:
    given = "customer: It's four four one two."
    assert reasked(ASK, given, ASK_AGAIN) == ["account_number"]
    assert reasked(ASK, given, "agent: Thanks.", "customer: Yes.", ASK_AGAIN) == ["account_number"]
    assert reasked(ASK, given, ASK_AGAIN, given, ASK_AGAIN) == ["account_number"] * 2


@pytest.mark.parametrize(
    "answer",
    ["customer: Sorry, what?", "customer: Yeah.", "customer: I don't have it with me.", None],
)
def test_asking_again_for_what_was_not_given_is_no_reask(answer: str | None) -> None:
    lines = [line for line in (ASK, answer, ASK_AGAIN) if line]
    assert reasked(*lines) == []


def test_another_item_is_no_reask_and_another_agent_is() -> None:
    given = "customer: It's four four one two."
    assert reasked(ASK, given, "agent: What is your date of birth?") == []
    call = dialogue(
        "A: Can I have your account number please?",
        "B: It's four four one two.",
        "C: Billing, what is your account number?",
        roles={"A": "agent", "B": "customer", "C": "agent"},
    )
    assert [(m.party, m.label) for m in moments_of(call) if m.kind == "reask"] == [
        ("C", "account_number")
    ]


def test_a_request_to_repeat_what_was_given_unasked_is_a_reask() -> None:
    given = "customer: It's flat three, main street, and the postcode is NG5."
    assert reasked(HELLO, given, "agent: Can you repeat that postcode please?") == ["postcode"]
    assert reasked(HELLO, given, "agent: What was the postcode again?") == ["postcode"]
    assert reasked(HELLO, given, "agent: Thanks again. What is your name?") == []
    assert reasked("agent: Can you repeat your postcode?") == []


# --- reflections -------------------------------------------------------------------------------


def echoed(customer: str, agent: str) -> list[Moment]:
    call = dialogue(f"customer: {customer}", f"agent: {agent}")
    return [m for m in moments_of(call) if m.rule.startswith("reflection.")]


STORY = "The boiler stopped on Sunday and the engineer cancelled the appointment twice."


def test_saying_back_the_customers_own_words_is_attentive() -> None:
    (moment,) = echoed(STORY, "Right. Your boiler has stopped and the appointment was cancelled.")
    assert moment.label == "reflection"
    assert moment.text == "Your boiler has stopped and the appointment was cancelled."


@pytest.mark.parametrize(
    "agent",
    [
        "Your letter was posted in June and the form is blue.",
        "When did your boiler stop, and which engineer cancelled the appointment?",
        "I will cancel the appointment and send your boiler engineer.",
        "Boilers stop on Sundays and engineers cancel.",
        "Your boiler.",
    ],
)
def test_other_words_questions_promises_and_talk_of_others_are_no_echo(agent: str) -> None:
    assert echoed(STORY, agent) == []


# --- quotes ------------------------------------------------------------------------------------


def quoted(text: str) -> list[tuple[str | None, str]]:
    call = dialogue("agent: Hello.", f"customer: {text}")
    return [(m.label, m.text) for m in moments_of(call) if m.kind == "quote"]


def test_a_quote_is_the_customers_sentence_around_the_cue() -> None:
    text = "I rang on Monday. I was so upset about the bill I cried. Then nothing came."
    (quote,) = quoted(text)
    assert quote == ("anger_frustration", "I was so upset about the bill I cried.")


def test_a_quote_without_sentence_marks_is_cut_to_the_words_around() -> None:
    before, after = (" ".join(f"{side}{i}" for i in range(40)) for side in ("b", "a"))
    ((_, text),) = quoted(f"{before} i am furious {after}")
    words = text.split()
    assert words[0] == "b25" and words[-1] == "a14"
    assert "i am furious" in text


def test_one_sentence_is_quoted_once_and_neutral_words_never() -> None:
    assert len(quoted("I'm furious and I'm worried and I'm sad.")) == 1
    assert quoted("I'd like to change my address please.") == []


NEUTRAL = [
    "agent: Let me check.",
    "customer: It is the twelfth of March.",
    "agent: The branch opens at nine.",
    "customer: Alright.",
]


@given(st.lists(st.sampled_from(NEUTRAL), max_size=4))
@settings(deadline=None, max_examples=30)
def test_what_follows_takes_nothing_away_from_what_was_said(more: list[str]) -> None:
    lines = ["agent: Hello.", "customer: I'm really worried.", "agent: Please don't worry."]
    short, long = moments_of(dialogue(*lines)), moments_of(dialogue(*lines, *more))
    assert [m for m in long if m.turn_index < len(lines)] == [*short]

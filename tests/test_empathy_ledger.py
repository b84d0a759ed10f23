"""The opportunity ledger on dialogues of several services."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.dialogues import Dialogue, dialogue, empathy_of, metric, shifted
from warmline.analysis import Opportunity

FEAR = "customer: I'm really worried about my mother."
GREETING = "agent: Thank you for calling, how can I help you?"


def row(*lines: str, **chosen: object) -> Opportunity:
    (only,) = empathy_of(dialogue(*lines), **chosen).opportunities
    return only


ANSWERS = [
    ("That must be really frightening for you.", "affective", 2),
    ("I'm sorry to hear that.", "affective", 1),
    ("I'm so sorry.", "affective", 1),
    ("I hear you.", "attentive", 1),
    ("Let me make sure I understand, she is at home?", "attentive", 2),
    ("If I were in your shoes I would want to know at once.", "cognitive", 2),
    ("I hear you, and I can imagine how frightening that is.", "affective", 2),
    ("I have sent someone to her.", "problem_solved_only", 0),
    ("You need to calm down.", "dismissed", 0),
    ("That's our policy. I have sent the form.", "dismissed", 0),
    ("I understand your worry but that's our policy.", "affective", 1),
    ("I hear you, but you need to calm down.", "dismissed", 0),
    ("I'd be happy to help you with that.", "ignored", 0),
    ("I apologize for the inconvenience.", "minimal_acknowledgement", 0),
    ("I'm sorry to hear that. What is your postcode?", "minimal_acknowledgement", 0),
    ("Sorry about that, have a nice day.", "minimal_acknowledgement", 0),
    ("I'm sorry to hear that. What happened?", "affective", 1),
    ("I'm sorry you are left alone with this.", "affective", 1),
    ("I'm so sorry. I have sent someone to her.", "affective", 1),
    ("What is your postcode?", "ignored", 0),
]


@pytest.mark.parametrize(("said", "answer", "level"), ANSWERS, ids=[a[0] for a in ANSWERS])
def test_how_a_cue_was_answered(said: str, answer: str, level: int) -> None:
    opportunity = row(GREETING, FEAR, f"agent: {said}", "customer: All right.")
    assert (opportunity.kind, opportunity.turn_index) == ("fear_anxiety", 1)
    assert (opportunity.answer, opportunity.level) == (answer, level)
    has_evidence = answer != "ignored"
    assert (opportunity.answer_turn_index == 2) is has_evidence
    assert (opportunity.latency_s == 1.25) is has_evidence
    if has_evidence:
        assert (opportunity.answer_text or "") in said
        assert opportunity.answer_rule is not None


def test_the_first_turn_with_empathy_is_the_answer_within_the_window() -> None:
    lines = [
        GREETING,
        FEAR,
        "agent: What is your postcode?",
        "customer: NG5 two AB.",
        "agent: That must be really frightening for you.",
        "customer: Yes.",
        "agent: If I were in your shoes I would call her now.",
    ]
    assert row(*lines).answer_turn_index == 4
    assert row(*lines).answer == "affective"
    assert row(*lines, answer_within_turns=1).answer == "ignored"
    late = [line for line in lines if "frightening" not in line]
    assert row(*late).answer_turn_index == 5


def test_listening_is_neither_an_answer_nor_a_lost_turn() -> None:
    opportunity = row(
        GREETING,
        FEAR,
        "agent: mm-hm",
        "customer: She is eighty.",
        "agent: okay",
        "customer: And alone.",
        "agent: I see. Right.",
        "customer: Yes.",
        "agent: That must be really frightening for you.",
        answer_within_turns=1,
    )
    assert (opportunity.answer, opportunity.answer_turn_index) == ("affective", 8)
    assert row(GREETING, FEAR, "agent: okay").answer == "ignored"


def test_a_cue_after_which_no_agent_speaks_is_unanswerable() -> None:
    empathy = empathy_of(dialogue(GREETING, FEAR))
    (opportunity,) = empathy.opportunities
    assert (opportunity.answer, opportunity.level, opportunity.latency_s) == (None, None, None)
    rate = metric(empathy, "answered_rate")
    assert rate.value is None
    assert rate.denominator == 0
    assert rate.reason == "no agent spoke after a cue"
    assert metric(empathy, "opportunities").value == 1


def test_cues_of_one_kind_in_a_turn_are_one_row_and_of_two_kinds_two() -> None:
    both = dialogue(
        GREETING,
        "customer: I'm so frustrated. This is ridiculous. And I'm really worried about the rent.",
        "agent: That sounds really stressful.",
    )
    rows = empathy_of(both).opportunities
    assert [o.kind for o in rows] == ["anger_frustration", "fear_anxiety"]
    anger = rows[0]
    assert anger.text == "I'm so frustrated. … This is ridiculous."
    assert anger.strength == 0.9
    words = [w for w in both[1].words if w.party == "customer"]
    assert anger.start_s == words[0].start_s
    assert anger.end_s == next(w.end_s for w in words if w.text == "ridiculous.")


def test_hostile_words_are_a_cue_of_anger() -> None:
    opportunity = row(GREETING, "customer: You people are useless.", "agent: I hear you.")
    assert (opportunity.kind, opportunity.answer) == ("anger_frustration", "attentive")


def test_weak_cues_are_kept_as_moments_but_are_no_opportunity() -> None:
    call = dialogue(GREETING, "customer: I lost my debit card.", "agent: Okay.")
    empathy = empathy_of(call)
    assert empathy.opportunities == ()
    assert any(m.rule == "fear.loss_situation" for m in empathy.moments)
    assert len(empathy_of(call, min_cue_strength=0.3).opportunities) == 1


TWO_AGENTS = (
    "A: How can I help you?",
    "B: I'm really worried about my savings.",
    "A: Let me transfer you to our fraud team.",
    "C: Fraud team. I understand you're worried, your money is safe.",
    "B: Thank you.",
)
ROLES = {"A": "agent", "B": "customer", "C": "agent"}


def test_a_cue_is_of_the_agent_who_heard_it() -> None:
    (ignored,) = empathy_of(dialogue(*TWO_AGENTS, roles=ROLES)).opportunities
    assert (ignored.heard_by, ignored.answer, ignored.answer_turn_index) == ("A", "ignored", None)
    said_late = "B: Honestly, I'm still really worried."
    later = empathy_of(dialogue(*TWO_AGENTS, said_late, "C: I hear you.", roles=ROLES))
    assert [(o.heard_by, o.answer) for o in later.opportunities] == [
        ("A", "ignored"),
        ("C", "attentive"),
    ]


def test_the_second_agent_is_not_charged_with_what_the_first_heard() -> None:
    call = dialogue(
        "A: How can I help you?",
        "B: I'm really worried about my savings.",
        "A: I will send you a new card.",
        "A: Let me transfer you.",
        "C: This is the card team. I have sent it.",
        "B: Thank you.",
        roles=ROLES,
    )
    empathy = empathy_of(call)
    assert metric(empathy, "premature_solutions", "A").value == 1
    second = metric(empathy, "premature_solutions", "C")
    assert (second.value, second.reason) == (None, "this agent heard no cue that could be answered")


PASSED_ON = [
    ("I will put you through.", "Billing, this is Priya, how can I help you?", True),
    ("Let me transfer you to our fraud team.", "Fraud team, how may I help?", True),
    ("I'm transferring you now.", "Good morning, my name is Ken. What is it about?", True),
    ("You need to speak to our claims team.", "Claims, how can we help?", True),
    ("I'm going to pass you over to a colleague.", "Hello, this is Anna from repairs.", True),
    ("I will put you through.", "Sorry, they are busy. Can I take a message?", False),
    ("Let me transfer you to billing.", "Joel again, how can I help you otherwise?", False),
    ("May I put you on hold?", "Thank you for waiting. My name is Joel.", False),
    ("I have transferred the money.", "How can I help you otherwise?", False),
    ("One moment please.", "This is the number that you asked for.", False),
]


@pytest.mark.parametrize(("first", "then", "is_other"), PASSED_ON, ids=[p[1] for p in PASSED_ON])
def test_who_greets_after_the_call_was_passed_on_is_another_agent(
    first: str, then: str, is_other: bool
) -> None:
    lines = (GREETING, FEAR, f"agent: {first}", f"agent: {then} That must be frightening.")
    (ours, later) = empathy_of(
        dialogue(*lines, "customer: I'm so angry about it.", "agent: I hear you.")
    ).opportunities
    assert (ours.answer == "affective") is not is_other, "another's answer is no credit"
    assert [o.heard_by for o in (ours, later)] == ["agent", "agent"]
    assert [o.heard_by_agent for o in (ours, later)] == [1, 2 if is_other else 1]


def overlapping(answer: str, at_s: float) -> Dialogue:
    """A long turn of the customer whose fear comes at its end, and an agent who speaks into it."""
    (conversation, transcript) = dialogue(
        GREETING,
        "customer: Well it began on Monday when the post came and I opened it and it said that "
        "the payments stop and that there is nothing more to come. I'm really worried.",
        f"agent: {answer}",
        "agent: What is your postcode?",
        "customer: NG5.",
    )
    aside = conversation.turns[2]
    by_s = at_s - aside.start_s
    turns = tuple(
        replace(t, start_s=t.start_s + by_s, end_s=t.end_s + by_s) if t is aside else t
        for t in conversation.turns
    )
    words = tuple(
        replace(w, start_s=w.start_s + by_s, end_s=w.end_s + by_s)
        if aside.start_s <= w.start_s < aside.end_s
        else w
        for w in transcript.words
    )
    return replace(conversation, turns=turns), replace(transcript, words=words)


def test_what_was_said_before_a_cue_does_not_answer_it() -> None:
    sorry = "I'm so sorry, that must be frightening."
    (before,) = empathy_of(overlapping(sorry, 6.0)).opportunities
    assert before.end_s > 10.0
    assert (before.answer, before.latency_s) == ("ignored", None)
    (after,) = empathy_of(overlapping(sorry, before.end_s + 0.25)).opportunities
    assert (after.answer, after.latency_s) == ("affective", 0.25)
    (on_its_last_word,) = empathy_of(overlapping(sorry, before.end_s - 0.25)).opportunities
    assert (on_its_last_word.answer, on_its_last_word.latency_s) == ("affective", 0.0)


def test_a_turn_that_had_begun_before_answers_with_the_rest_of_it() -> None:
    long = "Yes I can see the letter here on my screen. I'm so sorry, that must be frightening."
    (row,) = empathy_of(overlapping(long, 9.0)).opportunities
    assert (row.answer, row.answer_turn_index) == ("affective", 2)
    assert row.answer_start_s is not None
    assert row.latency_s == row.answer_start_s - row.end_s > 0


VERONA = [
    ("That must be frightening, being worried about your mother.", True, True),
    ("I hear you.", False, True),
    ("What has happened to your mother?", True, True),
    ("I will send someone to your mother.", True, False),
    ("What is your postcode?", False, False),
    ("I will send the form.", False, False),
]


@pytest.mark.parametrize(("said", "explicit", "space"), VERONA, ids=[v[0] for v in VERONA])
def test_answers_are_coded_as_the_verona_definitions_do(
    said: str, explicit: bool, space: bool
) -> None:
    opportunity = row(GREETING, FEAR, f"agent: {said}", "customer: All right.")
    codes = (opportunity.answer_is_explicit, opportunity.answer_gives_space)
    assert codes == (explicit, space)


def test_a_dismissal_of_something_else_long_after_is_none_of_the_cue() -> None:
    filler = "agent: " + " ".join(["I am still reading through the long list of things here"] * 12)
    lines = (GREETING, FEAR, filler, "customer: Okay.", "agent: It's not a big deal.")
    assert row(*lines).answer == "ignored"
    assert row(GREETING, FEAR, "agent: It's not a big deal.").answer == "dismissed"


# --- whole calls: (kind, answer) of every row --------------------------------------------------

VET = (
    dialogue(
        "agent: Riverside Vets, this is Moira, how can I help?",
        "customer: It's my dog, he ate some chocolate and I'm panicking a bit.",
        "agent: Oh goodness, of course you are. How much did he eat and when?",
        "customer: Half a bar about an hour ago.",
        "agent: Okay. You did the right thing calling. Bring him in now, I'll have a room ready.",
        "customer: Thank goodness, thank you.",
    ),
    [("fear_anxiety", "affective")],
)
BROADBAND = (
    dialogue(
        "agent: thank you for calling brightwave how may i help",
        "customer: yeah my internet keeps dropping and i've called four times already",
        "agent: can i have your account number",
        "customer: it's two two nine one i gave it to the last person",
        "agent: as i said that's how the system works",
        "customer: this is unacceptable i want to speak to a manager",
        "agent: there's nothing i can do about that",
        "customer: forget it i'll find another company",
    ),
    [
        ("confusion_powerlessness", "dismissed"),
        ("anger_frustration", "dismissed"),
        ("anger_frustration", "dismissed"),
    ],
)
PENSIONS = (
    dialogue(
        "agent: Good morning, Calder Pensions.",
        "customer: My husband passed away in May and I don't understand this letter.",
        "agent: I'm so sorry for your loss. Please take your time.",
        "customer: It says the payments stop.",
        "agent: Let me explain. The reason they wrote is that the name has to change first.",
        "customer: Oh I see. That's a relief.",
    ),
    [("sadness_disappointment", "affective"), ("confusion_powerlessness", "affective")],
)
RESTAURANT = (
    dialogue(
        "agent: Hello, The Harbour Table.",
        "customer: Hi, can I book a table for four on Saturday?",
        "agent: Certainly, what time?",
        "customer: Eight please. Nothing fancy, no rush.",
        "agent: Done. See you on Saturday.",
    ),
    [],
)
CALLS = {"vet": VET, "broadband": BROADBAND, "pensions": PENSIONS, "restaurant": RESTAURANT}


@pytest.mark.parametrize("name", CALLS)
def test_the_ledger_of_a_whole_call(name: str) -> None:
    call, expected = CALLS[name]
    rows = empathy_of(call).opportunities
    assert sorted((o.kind, o.answer or "") for o in rows) == sorted(expected)


def test_a_call_without_cues_has_no_answered_rate_but_a_reason() -> None:
    rate = metric(empathy_of(RESTAURANT[0]), "answered_rate")
    assert (rate.value, rate.denominator) == (None, 0)
    assert rate.reason == "the customer gave no cue of a feeling"


def later(opportunity: Opportunity, by_s: float) -> Opportunity:
    def moved(at_s: float | None) -> float | None:
        return None if at_s is None else at_s + by_s

    return replace(
        opportunity,
        start_s=opportunity.start_s + by_s,
        end_s=opportunity.end_s + by_s,
        answer_start_s=moved(opportunity.answer_start_s),
        answer_end_s=moved(opportunity.answer_end_s),
    )


@given(st.sampled_from(sorted(CALLS)), st.integers(-4000, 4000))
@settings(deadline=None, max_examples=30)
def test_a_later_call_has_the_same_ledger_later(name: str, quarters: int) -> None:
    call, by_s = CALLS[name][0], quarters / 4
    before, after = empathy_of(call), empathy_of(shifted(call, by_s))
    assert tuple(later(o, by_s) for o in before.opportunities) == after.opportunities
    assert [(m.name, m.party, m.value, m.reason) for m in before.metrics] == [
        (m.name, m.party, m.value, m.reason) for m in after.metrics
    ]


PARTS = [
    "agent: What is your postcode?",
    "agent: I'm so sorry, that must be awful.",
    "agent: mm-hm",
    "agent: That's our policy.",
    "customer: I'm so worried.",
    "customer: This is ridiculous.",
    "customer: Yes.",
    "customer: Thank you so much.",
]


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=9))
@settings(deadline=None, max_examples=120)
def test_the_books_balance(lines: list[str]) -> None:
    empathy = empathy_of(dialogue("agent: Hello.", "customer: Hi.", *lines))
    rows = empathy.opportunities
    counted = {m.name: m for m in empathy.metrics if m.party is None}
    assert counted["opportunities"].value == len(rows)
    kinds = [n for n in counted if n.startswith("opportunities_")]
    assert sum(counted[n].value or 0 for n in kinds) == len(rows)
    rate = counted["answered_rate"]
    assert rate.denominator == sum(o.answer is not None for o in rows)
    assert rate.numerator == sum((o.level or 0) > 0 for o in rows)
    for o in rows:
        assert (o.answer is None) == (o.level is None)
        assert o.level == 0 or o.answer in (None, "affective", "attentive", "cognitive")
        if o.answer_start_s is not None:
            assert o.answer_start_s >= o.end_s
            assert (o.latency_s or 0.0) >= 0.0


def test_one_more_empathic_answer_never_lowers_the_answered_rate() -> None:
    without = dialogue(GREETING, FEAR, "agent: What is your postcode?", "customer: NG5.")
    more: Dialogue = dialogue(
        GREETING, FEAR, "agent: I can hear how worried you are. Your postcode?", "customer: NG5."
    )
    assert metric(empathy_of(without), "answered_rate").value == 0.0
    assert metric(empathy_of(more), "answered_rate").value == 1.0

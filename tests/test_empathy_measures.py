"""Measures of agent, customer and call: counts that can be checked by ear, or a reason."""

from dataclasses import replace

import pytest

from support.dialogues import NO_FLOOR, Dialogue, dialogue, empathy_of, metric, moments_of
from warmline.analysis import Metric, Silence
from warmline.empathy import DEFINITIONS, measure
from warmline.settings import Settings
from warmline.values import RoleName

HELLO = "agent: Hello, how can I help?"


def agent_value(name: str, *lines: str, **chosen: object) -> float | None:
    return metric(empathy_of(dialogue(*lines), **chosen), name, "agent").value


def call_metric(name: str, *lines: str, **chosen: object) -> Metric:
    return metric(empathy_of(dialogue(*lines), **chosen), name)


STORY: Dialogue = dialogue(
    "agent: Thank you for calling Brightwave, my name is Jo, how can I help?",
    "customer: This is the third time I'm calling and I'm so frustrated, nobody calls me back.",
    "agent: I'm so sorry. I can hear how frustrated you are. What happened when you last called?",
    "customer: I was transferred twice and then I was on hold for forty minutes.",
    "agent: You should never have to go through that. I'll take care of this myself today.",
    "customer: Okay, thank you.",
    "agent: I have booked an engineer for tomorrow. Is the router light red or green?",
    "customer: Red.",
    "agent: Thank you. He will be there within two hours and I'll call you afterwards.",
    "customer: That's such a relief, thank you so much.",
)

COUNTS = {
    "apologies": 1,
    "late_apologies": 0,
    "affective": 1,
    "cognitive": 1,
    "dismissive": 0,
    "advice": 0,
    "confrontations": 0,
    "affirmations": 0,
    "questions_open": 1,
    "questions_closed": 1,
    "ownership": 1,
    "offers": 0,
    "reasks": 0,
    "misplaced_offers": 0,
    "premature_solutions": 0,
    "empathy_to_action": 1.0,
}


@pytest.mark.parametrize(("name", "value"), COUNTS.items())
def test_an_agents_measures_on_one_call(name: str, value: float) -> None:
    assert metric(empathy_of(STORY), name, "agent").value == value


def test_advice_confrontation_and_affirmation_are_counted_apart_from_reflection() -> None:
    call = (
        "customer: I cancelled in May and you still took the money from my account.",
        "agent: You cancelled in May and we still took the money. I appreciate your patience.",
        "customer: Yes.",
        "agent: You should have read the terms. You need to call your bank.",
    )
    counted = {
        name: agent_value(name, *call)
        for name in ("reflections", "affirmations", "confrontations", "advice")
    }
    assert counted == {"reflections": 1, "affirmations": 1, "confrontations": 1, "advice": 1}


def test_the_customers_measures_on_one_call() -> None:
    empathy = empathy_of(STORY)
    values = {m.name: m.value for m in empathy.metrics if m.party == "customer"}
    assert values == {
        "friction_repeat": 1,
        "friction_transfer": 1,
        "friction_hold": 1,
        "hostile": 0,
        "complaints": 0,
        "thanks": 2,
        "relief": 1,
    }


def test_the_calls_measures() -> None:
    empathy = empathy_of(STORY)
    assert metric(empathy, "answered_rate").value == 1.0
    assert metric(empathy, "next_step").value == 1.0
    assert metric(empathy, "expectation_set").value == 1.0
    assert metric(empathy, "silent_dissatisfaction").value == 0.0
    assert metric(empathy, "resolution").value is None
    assert empathy.no_ledger_reason is None


@pytest.mark.parametrize("call", [STORY, dialogue("A: Hello.", "B: I'm furious.")])
def test_every_definition_is_emitted_once_for_its_party(call: Dialogue) -> None:
    empathy = empathy_of(call)
    emitted = [(m.name, m.party) for m in empathy.metrics]
    assert len(emitted) == len(set(emitted))
    assert {name for name, _ in emitted} == {d.name for d in DEFINITIONS}
    levels = {d.name: d.level for d in DEFINITIONS}
    for m in empathy.metrics:
        assert (m.party is None) == (levels[m.name] == "call")
        assert (m.value is None) == (m.reason is not None)
        assert 0.0 <= m.coverage <= 1.0
        if m.value is not None and m.observations is not None and m.name != "first_person_share":
            assert len(m.evidence) == m.observations


def test_definitions_are_said_once_and_whole() -> None:
    names = [d.name for d in DEFINITIONS]
    assert len(names) == len(set(names))
    assert all(d.definition and d.source and d.unit for d in DEFINITIONS)


# --- when nothing can be said ------------------------------------------------------------------


def reason_of(call: Dialogue, **more: str) -> str | None:
    empathy = measure(call[0], moments_of(call), NO_FLOOR, Settings().empathy, **more)
    assert empathy.opportunities == ()
    assert all(m.value is None and m.reason == empathy.no_ledger_reason for m in empathy.metrics)
    return empathy.no_ledger_reason


def test_without_roles_words_or_a_known_language_there_is_a_reason_and_no_number() -> None:
    unknown = dialogue("A: I'm furious.", "B: I'm so sorry.")
    assert reason_of(unknown) == "which party is the agent is not known: by hand"
    alone = dialogue("agent: Hello?", "ivr: Please leave a message.")
    assert reason_of(alone) == "no customer takes part in this call"
    silent = dialogue("agent: ", "customer: ")
    assert reason_of(silent) == "no words were recognised"
    assert reason_of(STORY, unread_reason="the call is in 'de'") == "the call is in 'de'"


def test_a_party_of_unknown_role_could_have_been_either() -> None:
    empathy = empathy_of(dialogue("A: I'm furious.", "B: I'm so sorry."))
    for party in "AB":
        named = {m.name for m in empathy.metrics if m.party == party}
        assert {"apologies", "friction_hold"} <= named


def test_numbers_carry_the_doubt_about_roles_and_the_share_that_was_recognised() -> None:
    unsure = dialogue(HELLO, "customer: I'm so worried.", "agent: Don't worry.", confidence=0.7)
    assert metric(empathy_of(unsure), "answered_rate").confidence == 0.7
    conversation, transcript = unsure
    deaf = replace(conversation.turns[0], text="", word_count=0)
    partly = (replace(conversation, turns=(deaf, *conversation.turns[1:])), transcript)
    spoken_s = [t.speech_s for t in conversation.turns]
    found = metric(empathy_of(partly), "opportunities")
    assert found.coverage == pytest.approx(sum(spoken_s[1:]) / sum(spoken_s))


# --- single measures ---------------------------------------------------------------------------


def test_apologies_past_the_opening_are_late() -> None:
    lines = [
        HELLO,
        "customer: My lamp is broken.",
        "agent: I'm so sorry about that.",
        "customer: Yes.",
        "agent: What colour was it?",
        "customer: Blue.",
        "agent: I'm sorry for the trouble.",
    ]
    assert agent_value("apologies", *lines) == 2
    assert agent_value("late_apologies", *lines) == 1
    assert agent_value("late_apologies", *lines, opening_turns=1) == 2
    late = metric(empathy_of(dialogue(*lines)), "late_apologies", "agent")
    assert (late.numerator, late.denominator) == (1, 2)


UPSET = "customer: I'm really upset about the bill."
OFFER = "agent: Would you be interested in our premium plan?"


def test_an_offer_after_an_unanswered_cue_is_misplaced() -> None:
    assert agent_value("misplaced_offers", HELLO, UPSET, OFFER) == 1
    answered = "agent: I understand why you're upset."
    assert agent_value("misplaced_offers", HELLO, UPSET, answered, "customer: Yes.", OFFER) == 0
    solved = "agent: I have refunded you the fee."
    assert agent_value("misplaced_offers", HELLO, UPSET, solved, "customer: Yes.", OFFER) == 1
    assert agent_value("misplaced_offers", HELLO, "customer: Hi.", OFFER) == 0
    assert agent_value("offers", HELLO, UPSET, OFFER) == 1


def test_an_offer_in_the_same_breath_after_empathy_is_not_misplaced() -> None:
    kind = "agent: I understand why you're upset. Would you be interested in our premium plan?"
    eager = "agent: Would you be interested in our premium plan? I understand why you're upset."
    assert agent_value("misplaced_offers", HELLO, UPSET, kind) == 0
    assert agent_value("misplaced_offers", HELLO, UPSET, eager) == 1


def test_an_offer_long_after_a_cue_is_not_misplaced_unless_the_customer_complained() -> None:
    talk = ["agent: It is on page two.", "customer: I see."] * 3
    assert agent_value("misplaced_offers", HELLO, UPSET, *talk, OFFER) == 0
    complaint = "customer: I'm calling to make a complaint about a driver."
    assert agent_value("misplaced_offers", HELLO, complaint, *talk, OFFER) == 1


def test_an_offer_in_a_feedback_call_is_misplaced_and_its_price_is_no_second_offer() -> None:
    asks = "agent: On a scale from one to ten, how was your visit?"
    priced = f"{OFFER} It is just ten dollars a month."
    assert agent_value("misplaced_offers", asks, "customer: Nine.", priced) == 1
    assert agent_value("offers", asks, "customer: Nine.", priced) == 1


def test_a_solution_without_a_question_or_empathy_is_premature() -> None:
    solution = "agent: I have booked you an engineer."
    assert agent_value("premature_solutions", HELLO, UPSET, solution) == 1
    asked = "agent: What happened with the bill?"
    assert agent_value("premature_solutions", HELLO, UPSET, asked, "customer: Odd.", solution) == 0
    none = metric(
        empathy_of(dialogue(HELLO, "customer: Hi.", solution)), "premature_solutions", "agent"
    )
    assert (none.value, none.reason) == (None, "the customer gave no cue that could be answered")


def test_empathy_to_action_needs_a_commitment_soon_after() -> None:
    feeling = "agent: That must be really stressful."
    promise = "agent: I will send you a new card today."
    talk = ["customer: Yes.", "agent: It is on page two."]
    assert agent_value("empathy_to_action", HELLO, UPSET, feeling, "customer: Yes.", promise) == 1
    assert agent_value("empathy_to_action", HELLO, UPSET, feeling, *talk, *talk, promise) == 0
    assert agent_value("empathy_to_action", HELLO, UPSET, promise, "customer: Yes.", feeling) == 0
    nothing = metric(empathy_of(dialogue(HELLO, "customer: Hi.")), "empathy_to_action", "agent")
    assert (nothing.value, nothing.denominator) == (None, 0)


def test_first_person_share_counts_words() -> None:
    found = metric(
        empathy_of(dialogue("agent: I'm, um, looking at my notes.", "customer: Okay.")),
        "first_person_share",
        "agent",
    )
    assert (found.numerator, found.denominator) == (2, 6)


def test_reflections_against_questions() -> None:
    lines = [
        HELLO,
        "customer: The parcel came late and it was wet.",
        "agent: So you received it late and wet. Was it insured?",
    ]
    found = metric(empathy_of(dialogue(*lines)), "reflection_question_ratio", "agent")
    assert (found.numerator, found.denominator, found.value) == (1, 1, 1.0)


def test_a_hold_that_was_heard_counts_once_and_its_announcement_not_at_all() -> None:
    call = dialogue(HELLO, "customer: Hi.", "agent: Let me put you on hold.", "customer: Okay.")
    hold = Silence(4.0, 30.0, "hold")
    gap = Silence(1.0, 1.5, "gap")
    for silences, holds in (((), 0), ((gap, hold), 1)):
        found = metric(empathy_of(call, holds=silences), "friction_hold", "customer")
        assert found.value == holds


def test_what_was_said_last_of_the_outcome_counts() -> None:
    works, fails = "customer: It's working now.", "customer: It's still not working."
    assert call_metric("resolution", HELLO, works).value == 1.0
    assert call_metric("resolution", HELLO, works, "agent: Good.", fails).value == 0.0
    said = call_metric("resolution", HELLO, fails, "agent: Try now.", works)
    assert said.value == 1.0
    assert len(said.evidence) == 1
    silent = call_metric("resolution", HELLO, "customer: Hi.")
    assert silent.reason == "nobody said whether it was solved"


def test_silent_dissatisfaction_is_feeling_that_stays_without_complaint_or_relief() -> None:
    name = "silent_dissatisfaction"
    early = [HELLO, UPSET, "agent: It is on page two.", "customer: Where?", "agent: On top."]
    late = "customer: I'm really disappointed."
    assert call_metric(name, *early, late).value == 1.0
    eased = call_metric(name, *early, late, "agent: Refunded.", "customer: What a relief.")
    assert eased.value == 0.0
    loud = call_metric(name, *early, "customer: I want to make a complaint. I'm disappointed.")
    assert loud.value == 0.0
    faded = call_metric(name, *early, "customer: I see.", "agent: Yes.", "customer: Okay then.")
    assert faded.value == 0.0
    assert "silence" in (call_metric(name, HELLO, "customer: Hi.").reason or "")


def test_warm_competent_warm_is_one_when_warmth_is_at_the_edges() -> None:
    warm, competent = "That must be really stressful.", "I will send you a new card today."
    facts = "The card that you have at home has a number of sixteen digits on its front side."
    arch = [f"agent: {warm}", "customer: Yes.", f"agent: {facts} {competent} {competent}"]
    arch += ["customer: Yes.", f"agent: {warm}"]
    upside = [f"agent: {competent}", "customer: Yes.", f"agent: {facts} {warm} {warm}"]
    upside += ["customer: Yes.", f"agent: {competent}"]
    assert call_metric("warm_competent_warm", *arch).value == 1.0
    assert call_metric("warm_competent_warm", *upside).value == 0.0
    assert call_metric("warm_competent_warm", HELLO, "customer: Hi.").value is None


def test_two_agents_have_measures_of_their_own() -> None:
    call = dialogue(
        "A: I'm so sorry. Let me transfer you.",
        "B: I was transferred twice already.",
        "C: Thank you for holding.",
        roles={"A": "agent", "B": "customer", "C": "agent"},
    )
    empathy = empathy_of(call)
    assert metric(empathy, "apologies", "A").value == 1
    assert metric(empathy, "apologies", "C").value == 0
    assert metric(empathy, "friction_transfer", "B").value == 2


def test_quotes_are_the_customers_own_words() -> None:
    empathy = empathy_of(STORY)
    conversation, _ = STORY
    assert [q.cue for q in empathy.quotes] == ["anger_frustration", "friction_transfer", "relief"]
    for quote in empathy.quotes:
        turn = conversation.turns[quote.turn_index]
        assert turn.role is RoleName.CUSTOMER
        assert quote.text in turn.text
        assert turn.start_s <= quote.start_s < quote.end_s <= turn.end_s
    assert empathy_of(dialogue(HELLO, "customer: I lost my debit card.")).quotes == ()

"""What a clause does: asked, reflected, advised, confronted, informed, supported. Own examples."""

import pytest

from support.dialogues import dialogue, moments_of
from warmline.language.rulebook import rulebook
from warmline.language.speech_acts import Act, ActRule, act_book, acts_of_turn, clauses, content
from warmline.phrases import Matcher, broken_examples, spoken_text
from warmline.settings import LanguageSettings
from warmline.values import RoleName

RULES = act_book().rules
BOOK = rulebook(LanguageSettings())


@pytest.mark.parametrize(("rule", "matcher"), RULES, ids=[r.id for r, _ in RULES])
def test_every_rule_of_acts_does_what_its_examples_say(rule: ActRule, matcher: Matcher) -> None:
    assert broken_examples(rule, matcher.find) == []
    assert rule.misses, "a rule says what it must not match"
    for example in rule.matches:
        bare = "".join(c for c in example.lower() if c.isalnum() or c in " '-")
        assert matcher.find(spoken_text(bare)), bare


def acts(agent: str, customer: str = "") -> list[str]:
    said = spoken_text(agent)
    theirs = frozenset(content(spoken_text(customer).words))
    return [a.act.value for a in acts_of_turn(said, BOOK.find(said, RoleName.AGENT), theirs)]


BOILER = (
    "The boiler stopped on Sunday and the engineer cancelled twice, I had to wash at my sister's."
)
CHOICE = (
    "I like the phone, I really do, but forty pounds a month, I can't manage that with the baby."
)
SCHOOL = "My teacher says I'm late all the time but I help my brother get dressed every morning."


def test_a_request_gives_nothing_back_even_if_it_was_misheard() -> None:
    for heard in ("Your booking number, please.", "You're looking number, please."):
        assert "reflection" not in acts(heard, BOILER)


REFLECTIONS = [
    (BOILER, "Your boiler stopped on Sunday and the engineer has cancelled twice."),
    (BOILER, "So you've been without it since Sunday, and you had to wash somewhere else."),
    (BOILER, "It sounds like you've been let down."),
    (BOILER, "You had to go to your sister's, is that right?"),
    (BOILER, "At your sister's."),
    (BOILER, "so you had to wash at your sister's right"),
    (CHOICE, "You like the phone, but the price is more than you can manage."),
    (CHOICE, "Part of you wants to keep it, and part of you is worried about the money."),
    (CHOICE, "you really want to keep the phone"),
    (CHOICE, "What I'm hearing is that the baby comes first."),
    (CHOICE, "You feel you should let it go."),
    (SCHOOL, "You're helping your brother in the morning, and that makes you late."),
    (SCHOOL, "You care a lot about your brother."),
    (SCHOOL, "It sounds like your teacher doesn't know?"),
    (SCHOOL, "Wanting to be there for him."),
    (SCHOOL, "Okay, so it's important to you that he gets dressed."),
]


@pytest.mark.parametrize(("customer", "agent"), REFLECTIONS)
def test_saying_back_is_a_reflection(customer: str, agent: str) -> None:
    assert set(acts(agent, customer)) == {"reflection"}


OTHERS = [
    ("advice", "You should get the engineer to come on Monday."),
    ("advice", "You need to wash at home."),
    ("advice", "I'd suggest you call the engineer again."),
    ("advice", "Try the switch on the boiler."),
    ("advice", "You could always ask your sister for the number."),
    ("advice", "It would be a good idea to write that down."),
    ("confrontation", "But you said that you were at home."),
    ("confrontation", "You should have been at home for the engineer."),
    ("confrontation", "That's not true, he was there on Sunday."),
    ("confrontation", "If you keep doing that you are going to lose the boiler."),
    ("confrontation", "You don't even care about the boiler."),
    ("confrontation", "That's just an excuse."),
    ("confrontation", "You're not being honest with me."),
    ("information", "There are two engineers in your area."),
    ("information", "Boilers need a service every year and the pressure has to be checked."),
    ("information", "I have another appointment here on the ninth of May."),
    ("information", "The reason is the strike."),
    ("affirmation", "Good for you."),
    ("affirmation", "I really appreciate your patience."),
    ("autonomy", "It's entirely up to you."),
    ("question", "When did your boiler stop?"),
    ("question", "Did the engineer come?"),
    ("question", "what do you think about that"),
    ("question", "Have you tried the switch?"),
    ("question", "You live in Leeds?"),
    ("question", "So the engineer cancelled twice?"),
    ("question", "Tell me more about the boiler."),
    ("other", "Okay."),
    ("other", "Mm-hm, right, I see."),
    ("other", "I hear you."),
    ("other", "Good morning, my name is Ada."),
]


@pytest.mark.parametrize(("act", "agent"), OTHERS)
def test_what_is_no_reflection_is_what_it_is(act: str, agent: str) -> None:
    assert set(acts(agent, BOILER)) == {act}


def test_a_turn_is_read_clause_by_clause_with_and_without_marks() -> None:
    said = "Right, so your boiler stopped on Sunday and you had to wash elsewhere. Did you call us?"
    assert acts(said, BOILER)[-1] == "question"
    assert set(acts(said, BOILER)[:-1]) == {"reflection"}
    bare = "right so your boiler stopped on sunday and you had to wash elsewhere did you call us"
    assert acts(bare, BOILER) == acts(said, BOILER)
    words = spoken_text(bare)
    assert [p for _, p in clauses(words)][-1] == len(words.words)


SERVICE = [
    ("other", "You should never have to go through that."),
    ("other", "That is not acceptable."),
    ("question", "would you like to check"),
    ("information", "A new boiler engineer has been sent to your address."),
    ("information", "Your engineer appointment is booked, your account balance is nine dollars."),
    ("information", "You will get the engineer on Monday."),
    ("information", "so that you do not have to wash at your sister's again"),
    ("other", "Thank you, Maria."),
    ("other", "Please tell me in your own words."),
]


@pytest.mark.parametrize(("act", "agent"), SERVICE)
def test_the_business_of_a_call_says_nothing_back(act: str, agent: str) -> None:
    assert set(acts(agent, BOILER)) == {act}


def test_but_after_a_reflection_is_its_other_side_and_alone_it_argues() -> None:
    assert acts("You like the phone but you can't manage the price.", CHOICE) == ["reflection"] * 2
    assert acts("Yeah but you can manage the price.", CHOICE) == ["confrontation"]


def test_a_question_may_advise_too() -> None:
    said = spoken_text("Why don't you ask your sister?")
    (act,) = acts_of_turn(said, BOOK.find(said, RoleName.AGENT), ())
    assert act.act is Act.QUESTION and Act.ADVICE in act.does


def test_what_the_other_thinks_they_ought_to_do_is_said_back_and_no_advice() -> None:
    said = spoken_text("It sounds like you think you should take care, that it is your fault.")
    found = acts_of_turn(said, (), ())
    assert {a.act for a in found} == {Act.REFLECTION}
    assert all(a.does == {Act.REFLECTION} for a in found)


def test_what_an_interpretation_is_for_the_model_is_one_sign_and_not_enough() -> None:
    said = spoken_text("Nothing works without hot water.")
    assert acts_of_turn(said, (), (), [(0, 5, 1.0)])[0].act is Act.OTHER
    own = spoken_text("So your days are full of that.")
    assert acts_of_turn(own, (), (), [(0, 7, 0.9)])[0].act is Act.REFLECTION
    assert acts_of_turn(own, (), (), [(0, 7, 0.1)])[0].act is Act.OTHER


def test_moments_of_acts_have_their_words_and_rules() -> None:
    call = dialogue(
        f"customer: {BOILER}",
        "agent: Your boiler stopped on Sunday and the engineer cancelled twice. "
        "You should call him.",
        "customer: Right.",
        "agent: It's up to you.",
    )
    found = [
        (m.kind, m.rule, m.text)
        for m in moments_of(call)
        if m.rule.startswith(("act.", "reflection."))
    ]
    assert found == [
        (
            *("attentive", "reflection.simple"),
            "Your boiler stopped on Sunday and the engineer cancelled twice.",
        ),
        ("advice", "act.advice", "You should call him."),
        ("autonomy", "act.autonomy", "It's up to you."),
    ]

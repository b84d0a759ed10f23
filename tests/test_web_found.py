"""Which seconds a page plays of a feeling, and where it looks for what was not found."""

from typing import Any

import pytest

from warmline.query.calls import CallPage
from warmline.web.evidence import five_quotes, moment_of
from warmline.web.quoting import MOST_WORDS, Place, excerpt
from warmline.web.scorecards import Form, parse_form
from warmline.web.scoring import Finding, expected, read_once

Turn = tuple[str, float, float, str]


def turns_of(*said: Turn) -> list[dict[str, Any]]:
    names = ("role", "start_s", "end_s", "text")
    return [dict(zip(names, t, strict=True)) | {"turn_index": i} for i, t in enumerate(said)]


def felt(start_s: float, end_s: float, text: str, **more: Any) -> dict[str, Any]:
    place = {"turn_index": 0, "opportunity_index": 0, "start_s": start_s, "end_s": end_s}
    return place | {"text": text, "answer": "attentive" if more.get("answered") else None, **more}


@pytest.mark.parametrize("answer", [{"answer_turn_index": 1}, {"answer_turn_index": None}, {}])
def test_a_feeling_is_heard_from_its_sentence_to_the_end_of_the_agents_turn(
    answer: dict[str, Any],
) -> None:
    turns = turns_of(
        ("customer", 30.0, 40.0, "Hello there. My car is broken, and I am baffled. What now?"),
        ("agent", 44.0, 49.0, "I can look at that. Come in today."),
        ("agent", 49.5, 52.0, "Anything else?"),
    )
    heard = moment_of(felt(37.5, 38.0, "I am baffled", **answer), turns)
    assert 31.5 < heard.start_s < 33.0 and heard.end_s == 49.0 and heard.goes_on_to_s is None
    assert [turn["turn_index"] for turn in heard.turns] == [0, 1], "and read in full"
    assert heard.reply == turns[1]


def place_of(turns: list[dict[str, Any]], text: str, **more: Any) -> Place:
    return Place(0.0, 1.0, text, 0.0, 1.5, tuple(turns), **more)


def test_words_are_read_as_whole_sentences_after_what_was_said_before_them() -> None:
    long = "I will look. " * 14
    turns = turns_of(
        ("customer", 0.0, 9.0, f"{long}My card is gone. Can you help?"),
        ("agent", 9.0, 20.0, f"I see. I will send a new one, by Monday. {long}"),
        ("customer", 20.0, 21.0, "Fine."),
    )
    before, words = place_of(turns, "I will send a new …").in_context
    assert before["text"].startswith("… ") and before["text"].endswith("is gone. Can you help?")
    assert words["text"] == "… I will send a new one, by Monday. …"
    cue = felt(5.0, 6.0, "My card is gone", answered=True, answer_text="I see.")
    told, answer = place_of(turns[:2], "My card is gone", cue=cue).in_context
    assert told["text"] == "… My card is gone. …"
    assert answer["text"] == "I see. …"
    nowhere = place_of(turns, "of this nothing")
    assert len(nowhere.in_context) == 3 and not nowhere.is_read
    assert [len(turn["text"].split()) <= MOST_WORDS + 2 for turn in nowhere.read] == [True] * 3


#: A turn as a recogniser writes it, without sentence marks; and words of it with what is quoted.
RUN_ON = (
    "yeah so I was told on Monday that somebody would come out and then nobody came and I am"
    " really quite angry about this because I took a day off work and my boss was not happy and"
    " the flat is still cold and the children are ill and I do not know who to call any more"
)


@pytest.mark.parametrize(
    ("said", "begins", "ends"),
    [
        ("I am really quite angry", "… and then nobody came", "was not happy …"),
        ("the children are ill", "… and the flat is still", "to call any more"),
        ("told on Monday", "yeah so I was told", "quite angry about this …"),
        (RUN_ON, "yeah so I was told", "quite angry about this …"),
        ("never said", "yeah so I was told", "quite angry about this …"),
    ],
)
def test_of_a_turn_without_sentences_the_clauses_are_quoted_that_carry_the_words(
    said: str, begins: str, ends: str
) -> None:
    quoted = excerpt(RUN_ON, said)
    assert quoted.startswith(begins) and quoted.endswith(ends), quoted
    assert quoted.strip("… ") in RUN_ON and len(quoted.strip("… ").split()) <= MOST_WORDS


def test_a_sentence_is_quoted_alone_and_a_short_turn_as_it_is() -> None:
    card = "My card, the blue one, was never sent."
    turn = f"Well, hello. {RUN_ON.capitalize()}. {card} Goodbye now."
    assert excerpt(turn, "was never sent") == f"… {card} …"
    assert excerpt(turn, at=1.0) == f"… {card} Goodbye now."
    assert excerpt(f"Well, hello. {card}", "hello") == f"Well, hello. {card}"


def test_no_page_quotes_a_whole_turn_of_a_recogniser() -> None:
    """Neither as what a customer wanted nor beside a question of a form."""
    turns = [
        turn | {"word_count": 60}
        for turn in turns_of(("agent", 0.0, 2.0, "Hello."), ("customer", 2.0, 30.0, RUN_ON))
    ]
    cue = felt(14.0, 16.0, RUN_ON, strength=0.9, answered=False) | {"turn_index": 1}
    call = {"duration_s": 30.0, "no_ledger_reason": None}
    quotes = five_quotes(page_of(turns, opportunities=[cue], call=call))
    told = [quote.text for quote in quotes if quote.text]
    place = Place(14.0, 16.0, excerpt(RUN_ON), 13.5, 16.5, tuple(turns))
    told += [turn["text"] for turn in place.read]
    assert len(told) >= 5 and all(len(text.split()) <= MOST_WORDS + 2 for text in told)


def test_each_turn_stands_once_beside_a_question() -> None:
    turns = turns_of(*[("agent", t, t + 1.0, str(t)) for t in (0.0, 1.0, 2.0, 3.0)])
    first, second = place_of(turns[:3], "0.0"), place_of(turns[1:], "2.0")
    found = read_once(
        [Finding("count", "a", None, (first, second)), *[Finding("count", "b", None, (second,))]]
    )
    read = [[t["text"] for t in p.turns] for each in found for p in each.places]
    assert read == [["0.0", "1.0", "2.0"], ["3.0"], []]


def test_a_long_moment_ends_with_the_sentence_that_runs_and_says_that_it_goes_on() -> None:
    turns = turns_of(
        ("customer", 0.0, 10.0, "I am sad."),
        ("agent", 10.0, 40.0, "I am so very sorry to hear that. " + "We will go on. " * 10),
    )
    heard = moment_of(felt(0.0, 1.0, "I am sad"), turns)
    assert 20.0 <= heard.end_s < 25.0 and heard.goes_on_to_s == 40.0
    sentence = len("I am so very sorry to hear that. ") + len("We will go on. ") - 1
    ends = [10 + 30 * (sentence + 15 * n) / len(turns[1]["text"]) for n in range(10)]
    assert heard.end_s == pytest.approx(min(end for end in ends if end >= 20))
    alone = moment_of(felt(0.0, 1.0, "I am sad"), turns[:1])
    assert alone.end_s == 10.0 and alone.reply is None, "nobody followed"


FORM = """title = "t"
[[section]]
title = "s"
[[section.question]]
id = "identity"
text = "Checked"
measure = "details_asked"
[[section.question]]
id = "next"
text = "Said when"
measure = "next_step"
"""


def page_of(turns: list[dict[str, Any]], **rows: Any) -> CallPage:
    lists: dict[str, Any] = {name: [] for name in CallPage.__dataclass_fields__}
    return CallPage(**lists | {"turns": turns} | rows)


@pytest.mark.parametrize(
    ("should_be", "told"),
    [
        (None, ("I am baffled.", "I am baffled.")),
        ("attentive", ("I am baffled.", "every feeling that was found was answered")),
        ("no_cue", ("those who listened heard no feeling",) * 2),
    ],
)
def test_quotes_of_a_feeling_are_what_is_left_when_people_have_listened(
    should_be: str | None, told: tuple[str, str]
) -> None:
    turns = [t | {"word_count": 9} for t in turns_of(("customer", 0.0, 9.0, "I am baffled."))]
    cue = felt(0.0, 1.0, "I am baffled.", strength=0.9, answer="ignored", answered=False)
    said = {"opportunity_index": 0, "verdict": "wrong", "should_be": should_be}
    call = {"duration_s": 18.0, "no_ledger_reason": None}
    page = page_of(turns, opportunities=[cue], call=call, reviews=[said] if should_be else [])
    quotes = {quote.question: quote for quote in five_quotes(page)}
    found = (quotes["What it felt like"], quotes["What is open"])
    assert tuple(quote.text or quote.missing for quote in found) == told


def test_a_sentence_is_not_both_the_promise_and_the_end() -> None:
    said = "So let us pencil you in for Monday."
    turns = turns_of(("agent", 0.0, 5.0, said), ("customer", 6.0, 9.0, "That suits me very well."))
    kinds = [("commitment", 1.0, "let us pencil"), ("expectation", 4.0, "for Monday")]
    moments = [
        {"kind": kind, "start_s": at, "text": text, "turn_index": 0, "role": "agent"}
        for kind, at, text in kinds
    ]
    page = page_of(
        [turn | {"word_count": 5} for turn in turns],
        moments=moments,
        call={"duration_s": 5.5, "no_ledger_reason": None},
    )
    quotes = {quote.question: quote.text for quote in five_quotes(page)}
    assert quotes["What was promised"] == said
    assert quotes["How it ended"] == "That suits me very well."


def test_what_is_quoted_already_is_not_quoted_again_as_the_feeling() -> None:
    said = ("I am so sad that my card is gone.", "And I am worried.")
    turns = turns_of(*[("customer", 9.0 * i, 9.0 * i + 8, text) for i, text in enumerate(said)])
    turns = [turn | {"word_count": 9} for turn in turns]
    cues = [
        felt(0.0, 1.0, "I am so sad", strength=0.9, answered=True),
        felt(9.0, 10.0, "I am worried", strength=0.6, answered=True) | {"turn_index": 1},
    ]
    call = {"duration_s": 18.0, "no_ledger_reason": None}
    wanted, feeling, *_ = five_quotes(page_of(turns, opportunities=cues, call=call))
    assert (wanted.text, feeling.text) == said
    alone = five_quotes(page_of(turns, opportunities=cues[:1], call=call))
    assert alone[1].text == said[0], "where there is no other"


def looked_for(form: Form, *said: Turn) -> dict[str, list[list[str]]]:
    found = expected(page_of(turns_of(*said)), form, {"identity": [], "next": []})
    return {q: [[turn["text"] for turn in place.turns] for place in found[q]] for q in found}


def test_what_was_not_found_is_looked_for_where_people_say_it() -> None:
    """A detail is before what a customer spells; a next step has a day or a time."""
    form = parse_form("f", FORM)
    for detail in ("[number].", "It is 1-8-3-5-2.", "K-I-N-G.", "four four seven two"):
        places = looked_for(
            form,
            ("agent", 0.0, 2.0, "Good morning, how can I help you today?"),
            ("customer", 2.0, 8.0, "I missed my flight, and I am stuck."),
            ("agent", 13.0, 15.0, "You're looking number, please."),
            ("customer", 15.0, 18.0, detail),
            ("agent", 20.0, 23.0, "You're on the flight at 6 tomorrow morning."),
            ("agent", 28.0, 32.0, "Who tells are not part of your ticket?"),
            ("agent", 50.0, 52.0, "Goodbye."),
        )
        assert places["identity"] == [["You're looking number, please.", detail]], detail
        assert places["next"] == [["You're on the flight at 6 tomorrow morning."]]
    plain = looked_for(form, ("agent", 0.0, 2.0, "Hello."), ("agent", 50.0, 52.0, "Goodbye."))
    assert plain == {"identity": [["Hello."]], "next": [["Goodbye."]]}, "else, the beginning or end"


@pytest.mark.parametrize(
    ("words", "is_when"),
    [
        ("an 8 a.m. appointment", True),
        ("by Tuesday", True),
        ("sent back within 10 days", True),
        ("in two to three weeks", True),
        ("am Dienstag um 8 Uhr", True),
        ("innerhalb von zehn Tagen", True),
        ("how can I help you today", False),
        ("I'll be with you in a minute", False),
        ("good morning", False),
    ],
)
def test_a_time_is_told_from_a_greeting(words: str, is_when: bool) -> None:
    form = parse_form("f", FORM)
    said = looked_for(form, ("agent", 0.0, 2.0, words), ("agent", 50.0, 52.0, "Bye."))
    assert (said["next"] == [[words]]) is is_when

"""Redaction: the rules keep the word of their examples, and what cannot change does not."""

from dataclasses import replace

import pytest

from support.redacting import as_turns, said_in_turns
from warmline.phrases import placeholder, speech_tables, spoken
from warmline.redaction import kinds, redact
from warmline.redaction.book import languages
from warmline.settings import RedactionSettings, Settings
from warmline.values import Transcript

EVERYTHING = RedactionSettings(kinds=tuple(kinds()))
EXAMPLES = [(language, kind) for language in languages() for kind in kinds(language).values()]
HIDES = [(of, k.id, said, left) for of, k in EXAMPLES for said, left in k.hides]
KEEPS = [(of, k.id, said) for of, k in EXAMPLES for said in k.keeps]


@pytest.mark.parametrize(("language", "kind", "said", "left"), HIDES)
def test_examples_are_hidden_as_they_say(language, kind, said, left):
    redacted, rows = redact(said_in_turns(said, language), EVERYTHING)
    assert as_turns(redacted) == left
    assert {row.kind for row in rows} == {kind}
    assert " ".join(u.text for u in redacted.utterances) == left.replace("/ ", "")


@pytest.mark.parametrize(("language", "kind", "said"), KEEPS)
def test_examples_are_left_alone_as_they_say(language, kind, said):
    transcript = said_in_turns(said, language)
    assert redact(transcript, EVERYTHING) == (transcript, ())


def test_every_kind_can_be_chosen_has_an_example_and_a_placeholder():
    field = RedactionSettings.model_fields["kinds"]
    (choices,) = {a for a in field.annotation.__args__ if a is not Ellipsis}
    assert set(choices.__args__) == set(kinds()) == set(speech_tables()["placeholders"])
    for kind in kinds().values():
        assert kind.hides, f"{kind.id} has no example"
        assert kind.id in (field.description or "")
        assert placeholder(f"[{kind.id}].") == f"[{kind.id}]"


def test_what_is_off_stays_off():
    transcript = said_in_turns("your email? / it's a@b.com and my card is 4111-1111-1111-1111")
    off = RedactionSettings(enabled=False)
    assert redact(transcript, off) == (transcript, ())
    only, rows = redact(transcript, RedactionSettings(kinds=("email",)))
    assert as_turns(only) == "your email? / it's [email] and my card is 4111-1111-1111-1111"
    assert [row.kind for row in rows] == ["email"]


def test_one_value_in_groups_is_several_stretches_with_their_own_times():
    transcript = said_in_turns("card number? / 4111 1111 / mm-hm / one one one one 1111")
    redacted, rows = redact(transcript, Settings().redaction)
    assert as_turns(redacted) == "card number? / [card] / mm-hm / [card]"
    words = transcript.words
    assert [(r.start_s, r.end_s) for r in rows] == [
        (words[2].start_s, words[3].end_s),
        (words[5].start_s, words[9].end_s),
    ]
    assert {(r.party, r.value_index) for r in rows} == {("B", 0)}


def test_a_pause_and_another_value_begin_a_new_stretch():
    transcript = said_in_turns("card number? / 4111 1111 1111 1111 cvv 123")
    redacted, rows = redact(transcript, Settings().redaction)
    assert as_turns(redacted) == "card number? / [card] cvv [security_code]"
    assert [r.value_index for r in rows] == [0, 1]
    words = list(transcript.words)
    words[4:] = [replace(w, start_s=w.start_s + 2, end_s=w.end_s + 2) for w in words[4:]]
    paused, _ = redact(replace(transcript, words=tuple(words)), Settings().redaction)
    assert as_turns(paused) == "card number? / [card] [card] cvv [security_code]"


def test_placeholders_are_words_for_rules_that_read_them():
    said = spoken(["my", "name", "is", "[name].", "and", "my", "[noise]", "card", "is", "[card]?"])
    assert said.words == ("my", "name", "is", "[name]", "and", "my", "card", "is", "[card]")
    assert (said.marks[3], said.marks[-1]) == (".", "?")


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("/ put 4,539,148,803,436,467 down", "/ put [card] down"),
        ("/ put $4539 1488 0343 6467 down", "/ put [card] down"),
        ("your PIN? / 12:34", "your PIN? / [security_code]"),
        ("the sort code? / 20.40.60", "the sort code? / [sort_code]"),
        ("the sort code? / 20.40 60", "the sort code? / [sort_code]"),
    ],
)
def test_values_that_are_typed_like_money_or_time_are_values(said, left):
    assert as_turns(redact(said_in_turns(said), Settings().redaction)[0]) == left


@pytest.mark.parametrize(
    ("said", "left"),
    [
        # told in part
        ("/ my passport starts with P B eight", "/ my passport starts with [national_id]"),
        (
            "your PIN, the first two digits? / eight three",
            "your PIN, the first two digits? / [security_code]",
        ),
        (
            "which month were you born in? / September",
            "which month were you born in? / [birth_date]",
        ),
        ("/ it shows stars and then double oh nine one", "/ it shows stars and then [card]"),
        # named after it was said, by either party
        ("/ three five three nine, that's the PIN", "/ [security_code], that's the PIN"),
        ("/ I think it was 4412, the PIN", "/ I think it was [security_code], the PIN"),
        (
            "/ twenty, forty-one, sixty-two / is that the sort code?",
            "/ [sort_code] / is that the sort code?",
        ),
        (
            "/ I keyed in 4 4 1 7 and it said wrong PIN",
            "/ I keyed in [security_code] and it said wrong PIN",
        ),
        # in a clause or a sentence of its own
        (
            "/ the PIN your colleague gave me, 2291",
            "/ the PIN your colleague gave me, [security_code]",
        ),
        ("/ I changed my PIN. It's 9 oh 2 6 now.", "/ I changed my PIN. It's [security_code] now."),
        # announced by nothing
        ("/ third of November 1964", "/ [birth_date]"),
        ("right? / double oh four nine", "right? / [number]"),
        ("/ here it comes, seven one double three oh eight", "/ here it comes, [number]"),
        ("/ it says G dash nine oh one, double four two", "/ it says [security_code]"),
        ("/ it's M T R dash four four oh nine one one two", "/ it's [number]"),
        # corrected and repeated
        (
            "I have 3 June 1971 as your date of birth / no, seventy-two",
            "I have [birth_date] as your date of birth / no, [birth_date]",
        ),
        ("/ it's 617 555 0142 / oh one four two, thanks", "/ it's [phone] / [phone], thanks"),
        (
            "/ call it forty, double one, twenty, that's the sort code",
            "/ call it [sort_code], that's the sort code",
        ),
        # names of mailboxes
        (
            "what comes before the at sign? / hughes hyphen family zero three",
            "what comes before the at sign? / [email]",
        ),
        ("/ it goes to the Gmail, mary underscore byrne", "/ it goes to the Gmail, [email]"),
        ("/ it's bigmike, that's one word, four twenty, at aol dot com", "/ it's [email]"),
    ],
)
def test_values_are_found_however_they_are_announced(said, left):
    assert as_turns(redact(said_in_turns(said), Settings().redaction)[0]) == left


@pytest.mark.parametrize(
    "said",
    [
        "/ I'm at my wits' end dot com",
        "I'll give you the ticket. Ready? It's eight eight one, four one two, nine.",
        "when did you open it? / 6 June 2004",
        "/ my policy ends on the 31st of March",
        "what's the reading? / oh four four one two nine",
        "/ I entered 500 and it said insufficient funds",
        "/ I'll be in on the ninth of June",
        "/ it starts at 9 and ends at 5",
        "what year is the policy from? / nineteen ninety-nine",
    ],
)
def test_what_only_looks_announced_stays(said):
    transcript = said_in_turns(said)
    assert redact(transcript, Settings().redaction) == (transcript, ())


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (
            "account number? / let me get a bill, is it on page 2 of 9 / yes / right, 8841 220 93",
            "account number? / let me get a bill, is it on page 2 of 9 / yes / right, [account]",
        ),
        (
            "/ all I can see of the code is four four nine, it's worn",
            "/ all I can see of the code is [security_code], it's worn",
        ),
        (
            "/ I tried 1948 and then I tried 1984 and now it's locked",
            "/ I tried [security_code] and then I tried [security_code] and now it's locked",
        ),
        (
            "/ the PIN was my birthday, but it's 8 8 3 1, I changed it",
            "/ the PIN was my birthday, but it's [security_code], I changed it",
        ),
        (
            "Month first? / May. / Day? / Ninth. / And the year? / Two thousand one.",
            "Month first? / [birth_date]. / Day? / [birth_date]. / And the year? / [birth_date].",
        ),
        (
            "the temporary password is Orchid, dash, 4 4 1, dollar sign. / Orchid then",
            "the temporary password is [password]. / [password] then",
        ),
        ("/ it's h-a-n-n-a-h and then @example.ca.", "/ it's [email]."),
        ("/ P.O. Box eleven forty-six", "/ [address]"),
    ],
)
def test_values_in_parts_and_after_talk_are_hidden(said, left):
    assert as_turns(redact(said_in_turns(said), EVERYTHING)[0]) == left


@pytest.mark.parametrize(
    ("said", "private"),
    [
        ("So that's May 2030? / I see zero five thirty", "May 2030 zero five thirty"),
        ("And the last three of the driving licence? / V, nine, K", "V nine K"),
        ("I only know the last four of my IBAN, they're 4 4 1 8", "4 1 8"),
    ],
)
def test_nothing_of_a_part_is_left_whatever_it_is_called(said, private):
    left = as_turns(redact(said_in_turns(said), EVERYTHING)[0])
    assert not {word.strip(",.?") for word in left.split()} & set(private.split())


def test_a_piece_of_a_card_that_is_corrected_and_read_back_is_hidden():
    said = "it's 4658 2219 0773 1804 / no, 1840, you swapped them / 1840, got it"
    found, _ = redact(said_in_turns(said), EVERYTHING)
    assert as_turns(found).endswith("/ [number], got it")


@pytest.mark.parametrize(
    "said",
    [
        "we come between ten fifteen and two thirty",
        "What time was that? / Ten forty, ten forty-two.",
        "/ it takes 225/65R17s",
        "How do you spell the model? / S as in Sam, X, dash, three hundred",
        "/ I counted them, one, two, three, four, five, six, seven",
        "/ the lease runs out in November",
        "/ I tried channel 4412 and then 4413",
    ],
)
def test_times_counts_and_sizes_stay(said):
    assert redact(said_in_turns(said), EVERYTHING)[1] == ()


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (
            "/ my Visa is starting with 411022 and ending 8834",
            "/ my Visa is starting with [card] and ending [card]",
        ),
        ("the middle six? / 771200", "the middle six? / [number]"),
        ("/ my wife's card, that's 4410", "/ my wife's card, that's [card]"),
        ("the CCV? / 550", "the CCV? / [security_code]"),
        (
            "/ the number behind my card, it is seven hundred and twelve",
            "/ the number behind my card, it is [security_code]",
        ),
        (
            "/ the ATM PIN I have kept is eight one one six",
            "/ the ATM PIN I have kept is [security_code]",
        ),
        (
            "/ I was keying in 6612, no hold on, 6162, and it locked",
            "/ I was keying in [security_code], no hold on, [security_code], and it locked",
        ),
        (
            "/ I typed 448120 and it said it expired",
            "/ I typed [security_code] and it said it expired",
        ),
        (
            "/ so, I E two one, A I B K, nine three one oh, five two one two, "
            "three four five six, seven eight",
            "/ so, [iban]",
        ),
        (
            "/ I E two one, B O F I, nine three one oh, five two one two, "
            "three four five six, seven eight",
            "/ [iban]",
        ),
        (
            "the number from your licence? / it's long. MORGA, that's the surname bit, "
            "then 657054, then SM9",
            "the number from your licence? / it's long. [national_id], that's the surname bit, "
            "then [national_id]",
        ),
        (
            "/ a Texan one, K as in kilo, five twenty-five, four oh one, seventy-two",
            "/ a Texan one, [number]",
        ),
        (
            "the day and month of your birth? / Twenty-first of the third",
            "the day and month of your birth? / [birth_date]",
        ),
        (
            "when were you born? / Boxing Day 1971",
            "when were you born? / [birth_date] [birth_date]",
        ),
        (
            "I have a birth date of May 5th, 1961. / No, it's the seventh, they typed it wrong",
            "I have a birth date [birth_date]. / No, it's [birth_date], they typed it wrong",
        ),
        ("/ ring area code three one two, five five five, oh one nine one", "/ ring [phone]"),
        (
            "your mobile, with the country code? / Plus six four, two seven, five five one, "
            "six oh two nine",
            "your mobile, with the country code? / [phone]",
        ),
        ("/ it'd be nuala, N-U-A-L-A, number 4, at gmail.com", "/ it'd be [email]"),
        (
            "/ it's rewi dot kahu, sorry, rewi underscore kahu at gmail dot com",
            "/ it's [email]",
        ),
        (
            "an address starting bq and ending @example.com",
            "an address starting [email] and ending [email]",
        ),
        (
            "/ the bit before the at sign is nell.dunne, I think",
            "/ the bit before the at sign is [email], I think",
        ),
        ("/ I'm reading it now, 5 5 2 1 9 0", "/ I'm reading it now, [number]"),
        ("/ nell.dunne at gmail", "/ [email]"),
        (
            "/ my password was Heron1 and now it's Heron2",
            "/ my password was [password] and now it's [password]",
        ),
        (
            "Did the text arrive? / It did. Eighty-five / uh-huh / twenty-two / yes / nineteen",
            "Did the text arrive? / It did. [security_code] / uh-huh / [security_code] / yes "
            "/ [security_code]",
        ),
        ("/ a Welsh licence, QK 551 204", "/ a Welsh licence, [national_id]"),
        (
            "/ it's 12.11.1987, day first, then the month",
            "/ it's [birth_date], day first, then the month",
        ),
        ("/ good through, let me see, 11, 29", "/ good through, let me see, [expiry]"),
        (
            "what was your first school? / St. Declan's Primary",
            "what was your first school? / [password]",
        ),
        ("/ my Gmail is nell82", "/ my Gmail is [email]"),
        (
            "/ the password on it should be hazelnut, all lower case",
            "/ the password on it should be [password]",
        ),
        (
            "the password on the account? / Is it Heron? Or maybe Lapwing",
            "the password on the account? / Is it [password]? Or maybe [password]",
        ),
    ],
)
def test_values_are_found_as_they_are_told_guessed_and_corrected(said, left):
    assert as_turns(redact(said_in_turns(said), EVERYTHING)[0]) == left


@pytest.mark.parametrize(
    "said",
    [
        "The password has to be at least eight characters.",
        "How long is the password meant to be? / At least eight.",
        "What's the password reset link? / I sent it to you.",
        "/ the number on the label is S/N 40021998",
        "What's the country code? / three five three",
        "The confirmation for your order is 118-4820917-6630251.",
    ],
)
def test_what_is_said_about_passwords_and_labels_stays(said):
    assert redact(said_in_turns(said), EVERYTHING)[1] == ()


@pytest.mark.parametrize(
    ("language", "said", "left"),
    [
        (
            "de",
            "/ ich habe die PIN eingegeben, dreiundsiebzig neunzehn, wie immer",
            "/ ich habe die PIN eingegeben, [security_code], wie immer",
        ),
        (
            "de",
            "wann sind Sie geboren? / Heiligabend neunzehnhunderteinundsiebzig",
            "wann sind Sie geboren? / [birth_date] [birth_date]",
        ),
        (
            "es",
            "/ he tecleado 4471 y dice pin incorrecto",
            "/ he tecleado [security_code] y dice pin incorrecto",
        ),
        (
            "fr",
            "/ j'ai tapé 4471 et la carte est bloquée",
            "/ j'ai tapé [security_code] et la carte est bloquée",
        ),
        ("pt", "/ digitei 4471 e ficou bloqueado", "/ digitei [security_code] e ficou bloqueado"),
        (
            "nl",
            "/ ik heb ingetoetst 4471 en hij is geblokkeerd",
            "/ ik heb ingetoetst [security_code] en hij is geblokkeerd",
        ),
        (
            "it",
            "/ ho digitato 4471 e si è bloccato",
            "/ ho digitato [security_code] e si è bloccato",
        ),
    ],
)
def test_codes_that_were_tried_and_named_days_are_hidden_in_each_language(language, said, left):
    transcript = replace(said_in_turns(said), language=language)
    assert as_turns(redact(transcript, EVERYTHING)[0]) == left


def test_a_number_that_is_searched_for_is_waited_for():
    """Half a minute after it was asked for, in groups that are each confirmed."""
    words = list(said_in_turns("card number please / just a minute").words)
    later = said_in_turns("/ 5105 / yes / 1051 / okay / 0510 / mm-hm / 5100").words
    words += [replace(w, start_s=w.start_s + 34, end_s=w.end_s + 34) for w in later]
    redacted, _ = redact(Transcript("en", 1.0, tuple(words), (), {}), Settings().redaction)
    assert as_turns(redacted) == (
        "card number please / just a minute [card] / yes / [card] / okay / [card] / mm-hm / [card]"
    )

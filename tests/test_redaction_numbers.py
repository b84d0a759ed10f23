"""Numbers as they are said in each language, and what proves them."""

import pytest

from support.redacting import as_turns, said_in_turns
from warmline.phrases import placeholder
from warmline.redaction import redact
from warmline.redaction.book import languages, vocabulary
from warmline.redaction.numbers import (
    is_aadhaar,
    is_bsn,
    is_card,
    is_codice_fiscale,
    is_cpf,
    is_dni,
    is_iban,
    is_issued_card,
    is_medicare,
    is_national_insurance,
    is_nhs,
    is_nif,
    is_nir,
    is_pan,
    is_partita_iva,
    is_social_insurance,
    is_steuer_id,
    is_tax_file,
    is_vin,
    passes_luhn,
    passes_verhoeff,
)
from warmline.redaction.tokens import Sort, digits_of, token
from warmline.settings import Settings


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("four one one one", "4111"),
        ("forty-one eleven", "4111"),
        ("forty one eleven", "4111"),
        ("double five triple oh", "55000"),
        ("twenty hundred", "2000"),
        ("nineteen eighty five", "1985"),
        ("twenty oh four", "2004"),
        ("4111-1111 (22)", "4111111122"),
        ("4 um 1", "41"),
    ],
)
def test_digits_are_read_as_people_say_them(words, digits):
    assert digits_of([token(word) for word in words.split()]) == digits


def test_numbers_prove_themselves():
    assert passes_luhn("79927398713")
    assert is_card("4111111111111111")
    assert not is_card("4111111111111112")
    assert not is_card("0000000000000000")
    assert is_iban("GB82 WEST 1234 5698 7654 32")
    assert not is_iban("GB83 WEST 1234 5698 7654 32")


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("four hundred and twelve", "412"),
        ("two thousand and nineteen", "2019"),
        ("one hundred and fifty thousand", "150000"),
        ("nine hundred one two three", "900123"),
        ("two sevens", "77"),
        ("fifty-one ten", "5110"),
    ],
)
def test_numbers_that_are_said_as_numbers_are_read_as_such(words, digits):
    assert digits_of([token(word) for word in words.split()]) == digits


@pytest.mark.parametrize(
    ("language", "words", "digits"),
    [
        ("de", "vierundzwanzig achtzehn", "2418"),
        ("de", "neunzehnhundertfünfundachtzig", "1985"),
        ("de", "zweitausendsechsundzwanzig", "2026"),
        ("de", "dreihundertfünf einundzwanzig", "30521"),
        ("de", "vier und zwanzig zwo", "242"),
        ("de", "hundert zwölf", "112"),
        ("es", "veinticuatro treinta y uno treinta uno", "2431301"),
        ("es", "mil novecientos ochenta y cinco", "1985"),
        (
            "es",
            "doce millones trescientos cuarenta y cinco mil seiscientos setenta y ocho",
            "12345678",
        ),
        ("es", "ciento veinte cien doble cero", "12010000"),
        ("fr", "quatre-vingt-dix-sept", "97"),
        ("fr", "quatre vingt dix sept quatre vingts quatre-vingt-un", "978081"),
        ("fr", "soixante et onze soixante-dix-neuf soixante douze", "717972"),
        ("fr", "quatre-vingt dix-sept vingt et un vingt-deux", "972122"),
        ("fr", "mille neuf cent quatre-vingt-cinq", "1985"),
        ("fr", "septante-deux nonante huitante et un", "729081"),
        ("fr", "deux mille vingt-six", "2026"),
        ("it", "ventitré ventotto ventuno novantasette", "23282197"),
        ("it", "millenovecentottantacinque duemilaventisei", "19852026"),
        ("it", "centotto trecentoquarantacinque", "108345"),
        ("nl", "vierentwintig tweeëntwintig drieënveertig", "242243"),
        ("nl", "negentienhonderdvijfentachtig tweeduizendzesentwintig", "19852026"),
        ("nl", "honderdelf dubbel nul", "11100"),
        ("nl", "tweeduizend negentien", "2019"),
        ("de", "dreihundert fünf dreihundert fünf fünf fünf", "305300555"),
        ("pt", "vinte e três noventa e sete meia", "23976"),
        ("pt", "mil novecentos e oitenta e cinco", "1985"),
        ("pt", "cento e onze dois mil e vinte e seis", "1112026"),
    ],
)
def test_numbers_of_a_language_are_read_as_they_are_said_there(language, words, digits):
    assert digits_of([token(word, language) for word in words.split()]) == digits


@pytest.mark.parametrize("language", ["de", "it", "nl"])
def test_no_other_word_is_taken_for_a_number(language):
    for word in [
        "hunde",
        "einladen",
        "achtung",
        "drittel",
        "mille",
        "centro",
        "cento",
        "uno",
        "hond",
        "eenheid",
        "achter",
        "und",
    ]:
        known = token(word, language)
        assert known.sort in (Sort.WORD, Sort.LINK, Sort.NUMBER, Sort.ORDINAL)
        if known.sort is Sort.NUMBER:
            assert word in {"mille", "cento", "uno"}, (language, word)


@pytest.mark.parametrize("language", languages())
def test_digits_that_are_said_one_by_one_are_hidden_in_every_language(language):
    figures = vocabulary(language).numbers("digits")
    for first in range(len(figures)):
        said = [*figures, *figures][first : first + 16]
        redacted, _ = redact(said_in_turns(" ".join(said), language), Settings().redaction)
        assert [placeholder(word.text) for word in redacted.words] != []
        assert not {word.text for word in redacted.words} & set(figures), redacted


@pytest.mark.parametrize(
    ("language", "left"),
    [
        ("de", "meine PIN ist [security_code]"),
        ("de-DE", "meine PIN ist [security_code]"),
        ("en", "meine PIN ist vierundzwanzig achtzehn"),
        (None, "meine PIN ist vierundzwanzig achtzehn"),
        ("sv", "meine PIN ist vierundzwanzig achtzehn"),
    ],
)
def test_the_rules_are_those_of_the_language_that_was_recognised(language, left):
    said = said_in_turns("meine PIN ist vierundzwanzig achtzehn", language)
    assert as_turns(redact(said, Settings().redaction)[0]) == left


@pytest.mark.parametrize("language", [*languages(), "sv", None])
def test_a_typed_card_is_hidden_whatever_is_spoken(language):
    said = said_in_turns("hm 4539 1488 0343 6467 hm", language)
    assert as_turns(redact(said, Settings().redaction)[0]) == "hm [card] hm"


@pytest.mark.parametrize("language", languages())
def test_a_kind_of_the_settings_counts_in_every_language(language):
    section = {
        "redaction": {"extra": [{"id": "private_tag", "labels": ["tag"], "least": 4, "most": 6}]}
    }
    chosen = Settings.model_validate(section).redaction
    said = said_in_turns("tag 4 4 8 1", language)
    assert as_turns(redact(said, chosen)[0]) == "tag [private_tag]"


@pytest.mark.parametrize(
    ("check", "right"),
    [
        (is_nir, "255081416802538"),
        (is_nif, "123456789"),
        (is_cpf, "11144477735"),
        (is_bsn, "123456782"),
        (is_steuer_id, "86095742719"),
        (is_partita_iva, "07643520567"),
        (is_nhs, "9434765919"),
        (is_tax_file, "123456782"),
        (is_medicare, "2123456701"),
        (is_social_insurance, "130692544"),
        (is_aadhaar, "234567890124"),
        (passes_verhoeff, "2363"),
        (is_issued_card, "378282246310005"),
    ],
)
def test_a_check_digit_tells_a_number_from_one_with_a_wrong_digit(check, right):
    assert check(right)
    for place in range(len(right)):
        wrong = right[:place] + str((int(right[place]) + 1) % 10) + right[place + 1 :]
        assert not check(wrong) or (check is is_medicare and place == len(right) - 1)


def test_codes_with_a_check_letter_are_known_by_it():
    assert is_dni("12345678Z") and is_dni("X1234567L")
    assert not is_dni("12345678A") and not is_dni("X1234567M")
    assert is_codice_fiscale("RSSMRA85T10A562S")
    assert not is_codice_fiscale("RSSMRA85T10A562T")


def test_codes_are_known_by_their_build():
    assert is_national_insurance("AB123456C")
    assert not is_national_insurance("BG123456C")
    assert is_pan("ABCPE1234F")
    assert not is_pan("ABCXE1234F")
    assert is_vin("1HGCM82633A004352")
    assert not is_vin("1HGCM82633A004353")
    # The length that an issuer uses: an IMEI is no card.
    assert is_card("356938035643809")
    assert not is_issued_card("356938035643809")

"""Values that are private by what announced them, or by what they are themselves."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise

from warmline.phrases.spoken import ENGLISH
from warmline.redaction.announced import PART_CHARS, Value, values_of
from warmline.redaction.book import Form, vocabulary
from warmline.redaction.heard import Finding, Heard, Line, Said, turn_around
from warmline.redaction.runs import DATE, DIGITS, MIXED, Run, runs
from warmline.redaction.tokens import Sort
from warmline.redaction.unannounced import (
    birth_dates,
    dates_in_parts,
    expiries,
    is_bare_answer,
    is_harmless,
    is_read_out,
    keyed_in,
    masked,
    named_days,
    repeats,
    with_letters,
)

# A part that comes when there is enough already is waited for no longer than this.
_MORE_S = 12.0
# A longer gap between two parts of one value is not hidden with them.
_MOST_BETWEEN = 5
# Kinds of which a value may be typed like an amount, "48.21": it is short.
_TYPED_AS_AMOUNT = frozenset({"security_code", "sort_code", "expiry"})
_TYPED_SHORT = frozenset({"card", "security_code", "sort_code", "expiry", "birth_date"})
_FIGURES_OF_A_YEAR, _FIGURES_OF_A_DAY = 4, 2


def find_values(said: Said) -> Iterator[Finding]:
    """Yield the private values of a call."""
    found = list(_found_values(said))
    yield from found
    hidden = {place for finding in found for place in finding.places}
    yield from repeats(said, found, hidden)


def _found_values(said: Said) -> Iterator[Finding]:
    number = 0
    for kind, line, first, past in proven(said):
        yield Finding.of(kind, line[first:past], number)
        number += 1
    for value in values_of(said):
        by_kind: dict[str, set[int]] = {}
        # What it was announced as may be left alone: then it is what it is by itself.
        for run, kind in chain(_judged(value, said), _each_by_itself(value, said)):
            by_kind.setdefault(kind, set()).update(heard.place for heard in _with_lead(run))
        party_of = {h.place: run.party for run in value.runs for h in run.line}
        for kind, hidden in by_kind.items():
            hidden |= _between(value.runs, hidden)
            for party in dict.fromkeys(party_of[place] for place in sorted(hidden)):
                places = tuple(place for place in sorted(hidden) if party_of[place] == party)
                yield Finding(kind, party, places, number)
        number += 1
    by_build = (
        *(("birth_date", birth_dates(said)), ("birth_date", dates_in_parts(said))),
        ("birth_date", named_days(said)),
        *(("card", masked(said)), ("expiry", expiries(said)), ("security_code", keyed_in(said))),
    )
    for kind, found in by_build:
        for line, first, past in found:
            yield Finding.of(kind, line[first:past], number)
            number += 1


def _judged(value: Value, said: Said) -> Iterator[tuple[Run, str]]:
    """Yield the runs that are to be hidden, each with its kind."""
    if not value.forms:
        private = [run for run in value.runs if not is_harmless(run, said)]
        shape = by_itself(private)
        if shape is None and any(_is_surely_value(run, said) for run in private):
            shape = "number"
        yield from ((_whole(run, shape), shape) for run in private if shape)
        return
    for form in value.forms:
        if form is not None:
            yield from _fitting(form, value)


def _fitting(form: Form, value: Value) -> Iterator[tuple[Run, str]]:
    """Yield the runs that make up a value of a form, if there is enough of them."""
    said = [run for run in value.of(form) if _may_be_part(run, form, value.is_part)]
    chars = "".join(run.chars for run in said)
    digits = "".join(run.digits for run in said)
    least = min(value.count, form.most) if value.count else form.least
    if value.is_part:
        least = 1 if any(run.is_turn for run in said) else min(least, PART_CHARS)
    if form.made_of == DATE:
        if len(digits) < form.digits or not _is_enough_of_a_date(said, form, value.is_part):
            return
    elif len(chars) < least or not (_is_part_of_code(said, value) or _is_built(form, said, least)):
        return
    enough_s: float | None = None
    gathered = 0
    for run in said:
        size = len(run.chars)
        if enough_s is not None and run.start_s - enough_s > _MORE_S:
            continue
        if run.made_of == DIGITS and is_card(run.digits):
            yield run, "card"
        elif form.kind == "number" or (size > form.most and form.made_of != DATE):
            yield run, by_itself([run]) or form.kind
        else:
            yield run, form.kind
        gathered += size
        if gathered >= max(least, form.least):
            enough_s = run.end_s


def _is_built(form: Form, said: Sequence[Run], least: int) -> bool:
    """Return whether a value has the digits, and the letters, that it needs."""
    chars = "".join(run.chars for run in said)
    digits = "".join(run.digits for run in said)
    has_both = not form.both or (digits != chars and bool(digits))
    return len(digits) >= min(form.digits or 0, least) and has_both


def _is_part_of_code(said: Sequence[Run], value: Value) -> bool:
    """Return whether letters or digits are read out as a part of a value: "starts with K, R, T"."""
    return value.is_part and any(len(run.words) > 1 and len(run.chars) > 1 for run in said)


def _may_be_part(run: Run, form: Form, is_part: bool) -> bool:
    is_typed = run.is_soft and form.kind in _TYPED_AS_AMOUNT
    is_amount = run.is_amount and not (is_typed or form.is_quantity)
    if is_amount or (run.is_soft and form.kind not in _TYPED_SHORT and len(run.chars) <= 4):
        return False
    if run.is_mere_word and not (form.both or _is_clause(run)) and form.digits:
        return False
    if form.made_of == DATE:
        is_named = is_part or _is_denied_day(run)
        is_day = is_named and any(h.token.sort is Sort.ORDINAL for h in run.words)
        return run.has_month or len(run.digits) > 1 or run.is_soft or is_day
    if form.made_of == DIGITS and run.is_date and form.kind not in ("sort_code", "account"):
        return False
    if run.made_of != DATE and _is_of_date(run):
        return False
    return not (run.is_years and form.least > _FIGURES_OF_A_YEAR and len(run.digits) <= 4)


def _is_denied_day(run: Run) -> bool:
    """Return whether a day corrects another: "No, it's the sixth"."""
    first, _ = turn_around(run.line, run.at[0])
    before = [heard.token.bare for heard in run.line[first : run.at[0]]]
    denials, leads = (run.line[0].words("answers", n) for n in ("denials", "leads"))
    is_led = all(word in leads or word in denials for word in before)
    return bool(before) and before[0] in denials and is_led


def _is_clause(run: Run) -> bool:
    """Return whether letters stand between pauses: "it's long. HARGR, then 804127"."""
    (first, past), line = run.at, run.line
    begins = first == 0 or line[first - 1].ends_turn or bool(line[first - 1].token.mark)
    is_letters = any(heard.token.sort is Sort.ACRONYM for heard in run.words)
    return is_letters and begins and bool(line[past - 1].token.mark)


def _is_of_date(run: Run) -> bool:
    """Return whether it is the day or the year of a date: "2 de março", "January 2019"."""
    (first, past), line = run.at, run.line
    while first and line[first - 1].token.sort is Sort.LINK:
        first -= 1
    if run.is_years and first > 0 and line[first - 1].token.sort is Sort.MONTH:
        return True
    while past < len(line) and line[past].token.sort is Sort.LINK and not line[past - 1].ends_turn:
        past += 1
    is_day = len(run.digits) <= _FIGURES_OF_A_DAY and not line[run.at[1] - 1].token.mark
    return is_day and past < len(line) and line[past].token.sort is Sort.MONTH


def _is_enough_of_a_date(said: Sequence[Run], form: Form, is_part: bool) -> bool:
    digits = "".join(run.digits for run in said)
    has_month = any(run.has_month for run in said)
    if form.kind == "expiry" and all(_is_no_expiry(run) for run in said):
        return False
    if is_part and said:
        return has_month or len(digits) > 1 or form.kind == "birth_date"
    return (has_month and bool(digits)) or len(digits) >= form.least


def _is_no_expiry(run: Run) -> bool:
    """Return whether it is a year, or the day of a month: cards expire in a month of a year."""
    said = [heard.token for heard in run.words if heard.token.sort is not Sort.LINK]
    is_short = 0 < len(run.digits) <= _FIGURES_OF_A_DAY
    is_day = len(said) > 1 and said[-1].sort is Sort.MONTH and is_short
    return is_day or (run.is_years and not run.has_month)


def _between(said: Sequence[Run], hidden: set[int]) -> set[int]:
    """The places of what stands between hidden parts of one value: "no, sorry", "and then"."""
    found: set[int] = set()
    for line in {id(run.line): run.line for run in said}.values():
        bridges = line[0].words("numbers", "bridges")
        parts = [at for at, heard in enumerate(line) if heard.place in hidden]
        for last, at in pairwise(parts):
            gap = line[last + 1 : at]
            spelled = line[at].token.chars
            if len(gap) <= _MOST_BETWEEN and all(
                h.token.bare in bridges or h.token.sort is Sort.LINK or _is_spelled(h, spelled)
                for h in gap
            ):
                found.update(heard.place for heard in gap)
    return found


def _is_spelled(heard: Heard, letters: str) -> bool:
    """Return whether a name is what the letters after it spell: "Lloyd, L O Y D"."""
    token = heard.token
    return token.sort is Sort.WORD and token.is_upper and letters[:1] == token.bare[:1].upper()


def _is_surely_value(run: Run, said: Said) -> bool:
    return is_read_out(run) or is_bare_answer(run, said)


def _whole(run: Run, kind: str) -> Run:
    return with_letters(run) if kind == "number" else run


def _with_lead(run: Run) -> Sequence[Heard]:
    """Return the words of a value with what it is led by: "area code three one two"."""
    phrases = {tuple(p.split()) for p in run.line[0].words("numbers", "lead_phrases")}
    first, _ = run.at
    before = tuple(heard.token.bare for heard in run.line[max(0, first - 2) : first])
    return (*run.line[first - 2 : first], *run.words) if before in phrases else run.words


def _each_by_itself(value: Value, said: Said) -> Iterator[tuple[Run, str]]:
    """Yield the numbers that would be hidden without any announcement."""
    is_other = bool(value.forms) and not value.is_private
    for run in value.runs:
        if run.made_of != DIGITS or is_harmless(run, said):
            continue
        kind = by_itself([run])
        if kind is None and _is_surely_value(run, said):
            kind = "number"
        if kind == "card" or (kind and not is_other):
            yield _whole(run, kind), kind


# Values that prove themselves: by check digits, by their build, else by their mere length.


_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_NATIONAL_INSURANCE = re.compile(
    r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]"
)
_PAN = re.compile(r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]")
_DNI = re.compile(r"(\d{8}|[XYZ]\d{7})[A-Z]")
_NIE_DIGITS = str.maketrans("XYZ", "012")
_CODICE_FISCALE = re.compile(r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]")
# What characters at odd places count, digits and letters alike.
_CODICE_ODD = (
    *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21),
    *(2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
)
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_MEDICARE_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9)
_TAX_FILE_WEIGHTS = (1, 4, 3, 7, 5, 8, 6, 9, 10)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True))
# The dihedral group of ten elements, and the permutation of Verhoeff's check (1969).
_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def passes_luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def passes_verhoeff(digits: str) -> bool:
    """Return whether the last digit is Verhoeff's check digit of the others."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = _PERMUTATION[value]
        check = _turn(check, value)
    return check == 0


def _turn(one: int, other: int) -> int:
    """The product of two elements of the dihedral group: turns are 0 to 4, reflections 5 to 9."""
    if one < 5:
        return (one + other) % 5 if other < 5 else 5 + (one + other) % 5
    return 5 + (one - other) % 5 if other < 5 else (one - other) % 5


def is_card(digits: str) -> bool:
    """Return whether the digits can be the number of a payment card: 13 to 19 that pass Luhn's."""
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and passes_luhn(digits)


def is_issued_card(digits: str) -> bool:
    """Return whether a card number has a length that issuers of its first digits use."""
    lengths = _card_lengths(digits)
    return len(digits) in lengths and is_card(digits)


def _card_lengths(digits: str) -> frozenset[int]:
    two, four = int(digits[:2] or 0), int(digits[:4] or 0)
    if two in (34, 37):
        return frozenset({15})
    if two in (36, 38, 39) or 3000 <= four <= 3059:
        return frozenset({14, 16})
    if digits.startswith("4"):
        return frozenset({13, 16, 19})
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return frozenset({16})
    if 3528 <= four <= 3589 or two in (50, 60, 62, 64, 65, 67, 81, 82) or 56 <= two <= 63:
        return frozenset({16, 17, 18, 19})
    return frozenset()


def is_iban(text: str) -> bool:
    """Return whether a text is an IBAN whose check digits are right (ISO 13616, modulo 97)."""
    iban = "".join(text.split()).upper()
    if not _IBAN.fullmatch(iban):
        return False
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def is_national_insurance(chars: str) -> bool:
    """Return whether it is built as a British National Insurance number; it has no check digit."""
    return _NATIONAL_INSURANCE.fullmatch(chars) is not None


def is_pan(chars: str) -> bool:
    """Return whether it is built as an Indian PAN; its check letter is not published."""
    return _PAN.fullmatch(chars) is not None


def is_nhs(digits: str) -> bool:
    """Return whether ten digits are an NHS number (modulo 11)."""
    if len(digits) != 10:
        return False
    check = -sum(int(d) * (10 - place) for place, d in enumerate(digits[:9])) % 11
    return check == int(digits[9])


def is_tax_file(digits: str) -> bool:
    """Return whether nine digits are an Australian tax file number (modulo 11)."""
    pairs = zip(digits, _TAX_FILE_WEIGHTS, strict=False)
    return len(digits) == 9 and sum(int(d) * weight for d, weight in pairs) % 11 == 0


def is_medicare(digits: str) -> bool:
    """Return whether ten or eleven digits are an Australian Medicare number (modulo 10)."""
    if len(digits) not in (10, 11) or digits[0] not in "23456":
        return False
    pairs = zip(digits, _MEDICARE_WEIGHTS, strict=False)
    return sum(int(d) * weight for d, weight in pairs) % 10 == int(digits[8])


def is_aadhaar(digits: str) -> bool:
    """Return whether twelve digits are an Aadhaar number (Verhoeff)."""
    return len(digits) == 12 and digits[0] in "23456789" and passes_verhoeff(digits)


def is_social_insurance(digits: str) -> bool:
    """Return whether nine digits are a Canadian social insurance number (Luhn)."""
    return len(digits) == 9 and digits[0] in "12345679" and passes_luhn(digits)


def is_dni(chars: str) -> bool:
    """Return whether it is a Spanish DNI or NIE with its check letter (modulo 23)."""
    if not _DNI.fullmatch(chars):
        return False
    number = int(chars[:-1].translate(_NIE_DIGITS))
    return chars[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23]


def is_codice_fiscale(chars: str) -> bool:
    """Return whether it is an Italian codice fiscale with its check letter (modulo 26)."""
    if not _CODICE_FISCALE.fullmatch(chars):
        return False
    odd = sum(_CODICE_ODD[int(c, 36) if c.isdigit() else int(c, 36) - 10] for c in chars[:15:2])
    even = sum(int(c, 36) if c.isdigit() else int(c, 36) - 10 for c in chars[1:15:2])
    return chars[15] == chr(ord("A") + (odd + even) % 26)


def is_partita_iva(digits: str) -> bool:
    """Return whether eleven digits are an Italian partita IVA (Luhn)."""
    return len(digits) == 11 and len(set(digits)) > 1 and passes_luhn(digits)


def is_nir(digits: str) -> bool:
    """Return whether fifteen digits are a French NIR with its key (97 less the rest)."""
    has_shape = len(digits) == 15 and digits[0] in "12" and 1 <= int(digits[3:5]) <= 42
    return has_shape and 97 - int(digits[:13]) % 97 == int(digits[13:])


def is_nif(digits: str) -> bool:
    """Return whether nine digits are a Portuguese NIF of a person (modulo 11)."""
    if len(digits) != 9 or digits[0] not in "123":
        return False
    check = -sum(int(d) * (9 - place) for place, d in enumerate(digits[:8])) % 11
    return int(digits[8]) == check % 10


def is_cpf(digits: str) -> bool:
    """Return whether eleven digits are a Brazilian CPF (modulo 11, twice)."""
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    return all(
        sum(int(d) * (size + 1 - place) for place, d in enumerate(digits[:size])) * 10 % 11 % 10
        == int(digits[size])
        for size in (9, 10)
    )


def is_bsn(digits: str) -> bool:
    """Return whether nine digits are a Dutch BSN (the proof of eleven)."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    pairs = zip(digits, weights, strict=False)
    is_one = len(digits) == 9 and len(set(digits)) > 1
    return is_one and sum(int(d) * weight for d, weight in pairs) % 11 == 0


def is_steuer_id(digits: str) -> bool:
    """Return whether eleven digits are a German Steuer-ID (ISO 7064, modulo 11, 10)."""
    if len(digits) != 11 or digits[0] == "0":
        return False
    product = 10
    for digit in digits[:10]:
        rest = (int(digit) + product) % 10 or 10
        product = rest * 2 % 11
    is_mixed = len(set(digits[:10])) in (8, 9)  # one digit comes twice, or three times
    return is_mixed and (11 - product) % 10 == int(digits[10])


def is_vin(chars: str) -> bool:
    """Return whether a vehicle identification number has a right check digit (ISO 3779)."""
    if not _VIN.fullmatch(chars):
        return False
    values = [int(c) if c.isdigit() else _VIN_VALUES[c] for c in chars]
    total = sum(v * weight for v, weight in zip(values, _VIN_WEIGHTS, strict=True))
    return "0123456789X"[total % 11] == chars[8]


def is_phone(digits: str) -> bool:
    """Return whether so many digits with such a beginning are dialled, nothing else being known."""
    if len(digits) == 10:
        return digits[0] in "23456789" or digits[0] == "0"
    if len(digits) == 11:
        return digits[0] in "01"
    return len(digits) in (12, 13) and digits.startswith(("44", "001", "0044"))


_Check = Callable[[str], bool]

#: What numbers of persons prove themselves by in a language: digits alone, then with letters.
_NUMBERS: dict[str, tuple[tuple[str, _Check], ...]] = {
    "de": (("social_security", is_steuer_id),),
    "es": (),
    "fr": (("social_security", is_nir),),
    "it": (("social_security", is_partita_iva),),
    "nl": (("social_security", is_bsn),),
    "pt": (("social_security", is_cpf), ("social_security", is_nif)),
}
_CODES: dict[str, tuple[tuple[str, _Check], ...]] = {
    "en": (("social_security", is_national_insurance), ("national_id", is_pan)),
    "es": (("national_id", is_dni),),
    "it": (("social_security", is_codice_fiscale),),
}

# Shorter numbers that nothing announced are nothing private.
LEAST_DIGITS = 7
_CODE_WORDS = 48
_SHORTEST_PROOF = 9
_ENDS = 5
_THOUSANDS = (3, 3, 3)


def by_itself(said: Sequence[Run]) -> str | None:
    """Return the kind of numbers that nothing announced; None when they are nothing private."""
    digits = "".join(run.digits for run in said)
    words = said[0].line[0].vocabulary if said else vocabulary(ENGLISH)
    own = [kind for kind, check in _NUMBERS.get(words.code, ()) if check(digits)]
    is_likely = is_issued_card(digits) or not (own or any(run.is_soft for run in said))
    if is_card(digits) and is_likely:
        return "card"
    shape = tuple(size for run in said for size in run.shape)
    if len(said) == 1 and _is_grouped_by_thousands(said[0], shape):
        return "phone"
    if any(run.is_soft or run.is_amount or run.is_loose for run in said):
        return None
    if any(run.is_date for run in said) or all(run.is_years for run in said):
        return None
    if words.phone:
        if words.phone.fullmatch(digits):
            return "phone"
        if own:
            return own[0]
    elif shape == (3, 2, 4):
        return "social_security"
    elif _is_national(digits, shape):
        return "national_id"
    elif is_phone(digits) or shape in ((3, 4), (3, 3, 4)):
        return "phone"
    return "number" if len(digits) >= LEAST_DIGITS else None


def _is_grouped_by_thousands(run: Run, shape: tuple[int, ...]) -> bool:
    """Return whether it is typed like a quantity of thousands of millions, and is not round."""
    is_one = len(run.words) == 1 and run.words[0].word.text[:1].isdigit()
    is_grouped = len(shape) == len(_THOUSANDS) + 1 and shape[1:] == _THOUSANDS
    return is_one and is_grouped and not run.is_amount and not run.digits.endswith("000")


def _is_national(digits: str, shape: tuple[int, ...]) -> bool:
    """Return whether digits that are grouped as a national number is are one by their check."""
    checks: dict[tuple[int, ...], tuple[Callable[[str], bool], ...]] = {
        (3, 3, 4): (is_nhs,),
        (3, 3, 3): (is_tax_file, is_social_insurance),
        (4, 5, 1): (is_medicare,),
        (4, 4, 4): (is_aadhaar,),
    }
    return any(check(digits) for check in checks.get(shape, ()))


def proven(said: Said) -> Iterator[tuple[str, Line, int, int]]:
    """Yield codes of letters and digits that prove themselves, wherever they stand."""
    for line in said.lines:
        for run in runs(line, MIXED):
            for first, past in _spans(run):
                part = Run(line, (first, past), MIXED, False)
                kind = _proof(part.chars, said)
                # "G dash 481 920" is a code that a text brought, not "B G 481 920".
                if kind and not (kind == "security_code" and first > run.at[0]):
                    yield kind, line, first, past
                    break


def _spans(run: Run) -> Iterator[tuple[int, int]]:
    """Yield parts of a run, the whole first, then what begins later, the longest first."""
    first, past = run.at
    for begin in range(first, past):
        for end in range(min(past, begin + _CODE_WORDS), begin, -1):
            yield begin, end


def _with_letter_o(chars: str) -> Iterator[str]:
    """Yield a code as it was read, and with an "o" that was said as the letter.

    At its ends, or in the bank code of an IBAN: "I E two nine, B O F I".
    """
    if chars.isdigit():
        yield chars
        return
    for first in (chars[:2], chars[:2].replace("0", "O")):
        for last in (chars[-3:], chars[-3:].replace("0", "O")):
            yield first + chars[2:-3] + last if len(chars) > _ENDS else chars
    bank = chars[4:8]
    if any(char.isalpha() for char in bank):
        yield chars[:4] + bank.replace("0", "O") + chars[8:]


def _proof(chars: str, said: Said) -> str | None:
    """Return the kind of a code that has the build and the check digits of one."""
    for form in said.book.forms:
        if form.pattern and any(map(form.pattern.fullmatch, _with_letter_o(chars))):
            return form.kind
    if len(chars) < _SHORTEST_PROOF:
        return None
    if chars.isdigit():
        return "card" if is_issued_card(chars) else None
    if any(map(is_iban, _with_letter_o(chars))):
        return "iban"
    for kind, check in _CODES.get(said.book.vocabulary.code, ()):
        if check(chars):
            return kind
    return "vehicle" if is_vin(chars) else None

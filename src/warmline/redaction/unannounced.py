"""Values that nothing announces: what they are by their digits, their build or their length."""

from collections.abc import Callable, Iterator, Sequence

from warmline.phrases.spoken import ENGLISH
from warmline.redaction.checks import (
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
    is_phone,
    is_social_insurance,
    is_steuer_id,
    is_tax_file,
    is_vin,
)
from warmline.redaction.heard import Line, Said
from warmline.redaction.runs import MIXED, Run, runs
from warmline.redaction.vocabulary import vocabulary

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
    """What kind of thing numbers are that nothing announced; None when they are nothing private."""
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
    """Codes of letters and digits that prove themselves, wherever they stand."""
    for line in said.lines:
        for run in runs(line, MIXED):
            for first, past in _spans(run):
                part = Run(line, (first, past), MIXED, False)
                if kind := _proof(part.chars, said):
                    yield kind, line, first, past
                    break


def _spans(run: Run) -> Iterator[tuple[int, int]]:
    """Parts of a run, the whole first, then what begins later, the longest first."""
    first, past = run.at
    for begin in range(first, past):
        for end in range(min(past, begin + _CODE_WORDS), begin, -1):
            yield begin, end


def _with_letter_o(chars: str) -> Iterator[str]:
    """Yield a code as it was read, and with an "o" that was said as the letter at its ends."""
    for first in (chars[:2], chars[:2].replace("0", "O")):
        for last in (chars[-3:], chars[-3:].replace("0", "O")):
            yield first + chars[2:-3] + last if len(chars) > _ENDS else chars


def _proof(chars: str, said: Said) -> str | None:
    """The kind of a code that has the build and the check digits of one."""
    for form in said.book.forms:
        if form.pattern and any(map(form.pattern.fullmatch, _with_letter_o(chars))):
            return form.kind
    if len(chars) < _SHORTEST_PROOF:
        return None
    if chars.isdigit():
        return "card" if is_issued_card(chars) else None
    if is_iban(chars):
        return "iban"
    for kind, check in _CODES.get(said.book.vocabulary.code, ()):
        if check(chars):
            return kind
    return "vehicle" if is_vin(chars) else None

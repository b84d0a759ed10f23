"""Values that are said again: read back, corrected piece by piece, or gone on with after talk."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from warmline.phrases.spoken import ENGLISH
from warmline.redaction.heard import Finding, Heard, Line, Said
from warmline.redaction.runs import DATE, DIGITS, Run, runs
from warmline.redaction.tokens import Sort, chars_of, digits_of

# A piece of a value that was said as a whole has so many digits: where it begins or ends the value,
# where it stands within it, and where it is all that is said.
_AT_END, _WITHIN, _ALONE = 3, 4, 2
_WHOLE, _LONG_WHOLE = 6, 8
_SHORT_WHOLE = 4
_ECHO_S, _BREATH_S = 60.0, 20.0
# A number of so many digits is gone on with when so many more are all that is said, for so long.
_BEGUN, _MORE, _GOES_ON_S = 8, 3, 45.0
# After a number with as many digits there are no more.
_COMPLETE = 13
_FIRST_YEAR, _LAST_YEAR = 20, 49
_MONTHS = 12
# A piece that was corrected may be said again itself.
_ROUNDS = 2
_LONGEST_GROUP, _SWAPPED = 6, 2


@dataclass(frozen=True)
class _Value:
    """A value that was found: its digits, and when it began and ended."""

    finding: Finding
    digits: str
    start_s: float
    end_s: float
    has_letters: bool

    def is_near(self, run: Run | Heard, within_s: float) -> bool:
        """Return whether something is said so soon before or after it."""
        word = run.words[0].word if isinstance(run, Run) else run.word
        return self.start_s - within_s <= word.start_s <= self.end_s + within_s


def repeats(said: Said, found: Sequence[Finding], hidden: Set[int]) -> Iterator[Finding]:
    """Yield what is said of values that were found: the same again, pieces, and what goes on."""
    values = list(_values_of(said, found))
    for _ in range(_ROUNDS):
        again = list(_pieces(said, values, hidden))
        yield from again
        hidden = hidden | {place for finding in again for place in finding.places}
        values += _values_of(said, again)
    yield from _continued(said, values, hidden)


def _values_of(said: Said, found: Sequence[Finding]) -> Iterator[_Value]:
    of_place: Mapping[int, Heard] = {h.place: h for line in said.lines for h in line}
    for finding in found:
        words = [of_place[place] for place in sorted(finding.places)]
        digits = digits_of([heard.token for heard in words])
        if len(digits) >= _AT_END:
            first, last = words[0].word, words[-1].word
            has_letters = chars_of([heard.token for heard in words]) != digits
            yield _Value(finding, digits, first.start_s, last.end_s, has_letters)


def _pieces(said: Said, values: Sequence[_Value], hidden: Set[int]) -> Iterator[Finding]:
    for line in said.lines:
        for run in runs(line, DIGITS, said.taken):
            if run.is_soft or run.is_loose or run.is_years:
                continue
            for piece in _sentences(run):
                if any(heard.place in hidden for heard in piece):
                    continue
                is_alone = _is_all_of_sentence(line, line.index(piece[0]), said)
                for value in values:
                    if _is_piece(piece, value, is_alone=is_alone, run=run):
                        places = tuple(heard.place for heard in piece)
                        yield Finding(value.finding.kind, run.party, places, value.finding.value)
                        break


def _sentences(run: Run) -> Iterator[Sequence[Heard]]:
    """Yield the words of a run, sentence by sentence: "Fifty-three. Eighty-two, fifty-three."."""
    first = 0
    for at, heard in enumerate(run.words):
        if heard.token.mark in tuple(".?!") or at + 1 == len(run.words):
            yield run.words[first : at + 1]
            first = at + 1


def _is_piece(piece: Sequence[Heard], value: _Value, *, is_alone: bool, run: Run) -> bool:
    digits = digits_of([heard.token for heard in piece])
    whole, count = value.digits, len(digits)
    if not value.is_near(piece[0], _ECHO_S) or count < _ALONE:
        return False
    if count >= _AT_END and digits == whole:
        return run.party != value.finding.party or not value.has_letters
    if len(whole) >= _WHOLE and count >= _AT_END:
        is_end = whole.startswith(digits) or whole.endswith(digits)
        if is_end or ((count >= _WITHIN or is_alone) and digits in whole):
            return True
    if is_alone and len(whole) >= _LONG_WHOLE and digits in whole:
        return True
    if is_alone and len(whole) >= _LONG_WHOLE and _is_corrected(digits, whole):
        return value.is_near(piece[0], _BREATH_S)
    is_own = run.party == value.finding.party and value.is_near(piece[0], _BREATH_S)
    is_begun = len(whole) >= _SHORT_WHOLE and count >= _AT_END and whole.startswith(digits)
    return is_own and is_begun


def _is_corrected(digits: str, whole: str) -> bool:
    """Return whether it is a group of a number but for two digits that change places.

    Or the last group but for one digit.
    """
    count = len(digits)
    if not _WITHIN <= count <= _LONGEST_GROUP:
        return False
    if whole[-count:-1] == digits[:-1] or sum(map(str.__ne__, whole[-count:], digits)) == 1:
        return True
    groups = [whole[at : at + count] for at in range(len(whole) - count + 1)]
    return any(
        sorted(group) == sorted(digits)
        and sum(one != other for one, other in zip(group, digits, strict=True)) == _SWAPPED
        for group in groups
    )


def _is_all_of_sentence(line: Line, at: int, said: Said) -> bool:
    """Return whether a sentence is nothing but digits, and what leads to them."""
    first, past = sentence_around(line, at)
    names = ("leads", "around", "courtesies")
    beside = frozenset().union(*(line[0].words("answers", name) for name in names)) | {"a", "an"}
    numbers = {
        h.place
        for run in runs(line, DIGITS, said.taken)
        if not (run.is_soft or run.is_years)
        for h in run.words
    }
    return all(
        h.place in numbers or h.token.bare in beside or h.token.sort is Sort.LINK
        for h in line[first:past]
    )


def sentence_around(line: Line, at: int) -> tuple[int, int]:
    """Return the sentence in which a word of a line stands, [first, past)."""
    first, past = at, at + 1
    while first and not _closes(line[first - 1]):
        first -= 1
    while past < len(line) and not _closes(line[past - 1]):
        past += 1
    return first, past


def _closes(heard: Heard) -> bool:
    return heard.ends_turn or heard.token.mark in tuple(".?!")


def _continued(said: Said, values: Sequence[_Value], hidden: Set[int]) -> Iterator[Finding]:
    """Yield what goes on with a long number after other talk, where it is all of a sentence."""
    quantities = said.book.vocabulary.words("answers", "quantities")
    for value in values:
        if not _BEGUN <= len(value.digits) < _COMPLETE or value.finding.kind == "birth_date":
            continue
        for line in said.lines:
            if line[0].word.party != value.finding.party:
                continue
            for run in runs(line, DIGITS, said.taken):
                is_after = 0 < run.start_s - value.end_s <= _GOES_ON_S
                is_number = len(run.digits) >= _MORE and not (run.is_years or run.is_loose)
                if not (is_after and is_number) or run.is_soft or run.is_round:
                    continue
                if any(heard.place in hidden for heard in run.words):
                    continue
                asked = said.turn_before(line, run.at[0])
                is_other = asked is not None and any(
                    heard.token.bare in quantities for heard in asked[0][asked[1] : asked[2]]
                )
                has_label = any(
                    value.end_s < label.at_s < run.start_s
                    for label in said.labels
                    if label.form is None or label.form.kind not in (value.finding.kind, "number")
                )
                if not (is_other or has_label) and _is_all_of_sentence(line, run.at[0], said):
                    places = tuple(heard.place for heard in run.words)
                    yield Finding(value.finding.kind, run.party, places, value.finding.value)


def expiries(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield months of years that are said as digits, too: "May 2030?", "zero five thirty"."""
    dates = [run for line in said.lines for run in runs(line, DATE, said.taken) if not run.is_loose]
    for one in dates:
        month = [h.token for h in one.words if h.token.sort is Sort.MONTH]
        year = one.digits[-2:]
        if len(month) != 1 or len(one.digits) not in (2, 4) or not _is_coming(one.digits):
            continue
        number = _month(month[0].bare, one.line[0])
        for other in dates:
            is_near = abs(other.start_s - one.start_s) <= _BREATH_S
            if other.has_month or not is_near or other.party == one.party or not number:
                continue
            if other.digits in (f"{number:02}{year}", f"{number}{year}", f"{number:02}20{year}"):
                yield one.line, *one.at
                yield other.line, *other.at
                break


def _month(name: str, heard: Heard) -> int:
    """Return the number of a month by its English name, 0 for another."""
    names = list(heard.vocabulary.numbers("months"))[:_MONTHS]
    is_english = heard.vocabulary.code == ENGLISH
    begins = [at for at, full in enumerate(names, start=1) if full.startswith(name[:3])]
    return begins[0] if is_english and begins else 0


def _is_coming(digits: str) -> bool:
    """Return whether a year may be that in which a card expires."""
    is_year = len(digits) == len("30") or digits.startswith("20")
    return is_year and _FIRST_YEAR <= int(digits[-2:]) <= _LAST_YEAR

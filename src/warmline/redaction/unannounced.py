"""Values that nobody announced but that can be nothing else: bare answers, dates of birth, echoes.

A question that is answered by nothing but digits, whatever was asked; a whole date of long ago that
is all that somebody says, or is asked for in parts; a code that was tried and refused; and values
that are said again: read back, corrected piece by piece, or gone on with after talk. Digits that
are times of the day, or count something, are none.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from warmline.phrases.spoken import ENGLISH
from warmline.redaction.heard import Finding, Heard, Line, Said, sentence_around, turn_around
from warmline.redaction.runs import DATE, DIGITS, MIXED, Run, runs
from warmline.redaction.tokens import TENS, Sort, Token, chars_of, digits_of

# A bare answer has as many digits at the least, of which so many were said one by one.
_ANSWER_DIGITS, _ONE_BY_ONE = 4, 3
# As many digits that are read out are no quantity, whoever said them.
_READ_OUT_DIGITS = 6
# Nobody who was born after this rings a call center, and few things else are so old.
_LAST_BIRTH, _FIRST_BIRTH = 2009, 1910
_LAST_OF_1900S, _PARTS_OF_DATE = 30, 3
_DAYS, _MONTHS = 31, 12
_MOST_LETTERS = 4
_MASKED = re.compile(r"([x*•#]{2,}[-\s]?)+\d{2,6}[.,?!]*", re.IGNORECASE)
_LETTERS = (Sort.LETTER, Sort.SPELLED, Sort.ACRONYM, Sort.LINK)
# Times of a day are said in hours and minutes; who counts begins with one, or ends with it.
_HOURS, _MINUTES, _COUNTED = 12, 59, 5
_CODE_DIGITS, _LONGEST_CODE = 4, 8
# Parts of a date that are asked for one by one follow so soon; a question has as many words.
_ONE_BY_ONE_S, _LONGEST_QUESTION, _DATE_PARTS = 30.0, 8, 2
# A day with a name is one of birth so soon after it was asked for; its year is so near.
_NAMED_DAY_S, _TO_YEAR, _NAME_WORDS = 20.0, 4, 3


def is_read_out(run: Run) -> bool:
    """Return whether it is six digits or more that are said one by one."""
    # "Eight to five" may be hours.
    is_other = any(
        max(h.token.shape, default=0) > 1 or h.token.sort is Sort.HOMOPHONE for h in run.words
    )
    is_long = len(run.digits) >= _READ_OUT_DIGITS and not (run.is_years or run.is_loose)
    return is_long and not (is_other or run.is_soft or run.is_round) and _is_said_as_digits(run)


def is_bare_answer(run: Run, said: Said) -> bool:
    """Return whether digits are all that was answered to a question that is not for a quantity."""
    line, (first, past) = run.line, run.at
    if run.is_years or run.is_soft or run.is_loose or not _is_said_as_digits(run):
        return False
    begin, end = turn_around(line, first)
    if not _is_all(line, (begin, end), (first, past)):
        return False
    turn = said.turn_before(line, first)
    if turn is None:
        return False
    asked = turn[0][turn[1] : turn[2]]
    bare = [heard.token.bare for heard in asked]
    return asked[-1].token.mark == "?" and not _is_harmless(said, turn, bare)


def _is_said_as_digits(run: Run) -> bool:
    """Return whether it is a string of digits as they are read out, and no number of things."""
    if len(run.digits) < _ANSWER_DIGITS:
        return False
    tokens = [heard.token for heard in run.words if heard.token.sort is not Sort.LINK]
    single = sum(token.size == 1 for token in tokens)
    has_zero = any(token.bare in ("oh", "o", "zero") for token in tokens)
    has_repeat = any(token.sort is Sort.REPEAT for token in tokens)
    is_typed = all(token.bare.isdigit() for token in tokens) and len(tokens) > 1
    return len(tokens) > 1 and (single >= _ONE_BY_ONE or has_zero or has_repeat or is_typed)


def _is_all(
    line: Line, turn: tuple[int, int], value: tuple[int, int], more: Set[str] = frozenset()
) -> bool:
    """Return whether a value is all of a turn but what leads to it, and courtesies."""
    beside = more | line[0].words("answers", "around")
    beside |= line[0].words("answers", "leads") | line[0].words("answers", "courtesies")
    beside |= line[0].words("numbers", "before_labels")
    rest = (*line[turn[0] : value[0]], *line[value[1] : turn[1]])
    return all(h.token.bare in beside or h.token.sort is Sort.LINK for h in rest)


def _is_harmless(said: Said, turn: tuple[Line, int, int], bare: Sequence[str]) -> bool:
    """Return whether a turn asks for something that is nothing private."""
    line, first, past = turn
    quantities = line[0].words("answers", "quantities")
    announced = any(
        label.form is None and label.line is line and first <= label.first < past
        for label in said.labels
    )
    return announced or any(word in quantities for word in bare)


def masked(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield the last digits of a number whose others are not shown: "xx-1840", "****1840"."""
    for line in said.lines:
        for at, heard in enumerate(line):
            if _MASKED.fullmatch(heard.word.text.strip()):
                yield line, at, at + 1


def birth_dates(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield whole dates of long ago that are a turn, where no other date was asked for."""
    for line in said.lines:
        for run in runs(line, DATE, said.taken):
            if not _is_long_ago(run):
                continue
            asking = line[0].words("answers", "confirming")
            if not _is_all(line, turn_around(line, run.at[0]), run.at, asking):
                continue
            turn = said.turn_before(line, run.at[0])
            asked = [h.token.bare for h in turn[0][turn[1] : turn[2]]] if turn else []
            dates = line[0].words("answers", "dates")
            if turn is None or not (
                _is_harmless(said, turn, asked) or any(word in dates for word in asked)
            ):
                yield line, *run.at


def _is_long_ago(run: Run) -> bool:
    """Return whether it is a day, a month and a year in which a caller may have been born."""
    parts = list(_parts_of_date(run))
    if not all(part.isdigit() for part in parts):
        return False
    if not run.has_month:
        is_said = len(parts) == _PARTS_OF_DATE and all(0 < int(part) <= _DAYS for part in parts[:2])
        is_possible = is_said and min(map(int, parts[:2])) <= _MONTHS
        sizes = [h.token.size for h in run.words if h.token.sort is not Sort.LINK]
        return is_possible and sizes[-2:] != [1, 1] and _may_be_birth(parts[2])
    has_day = len(parts) == _PARTS_OF_DATE - 1 and 0 < int(parts[0]) <= _DAYS
    return has_day and _may_be_birth(parts[1])


def _parts_of_date(run: Run) -> Iterator[str]:
    """Yield the numbers of a date as they are said or typed: "3rd of November 1964" is 3, 1964."""
    words = [heard for heard in run.words if heard.token.sort is not Sort.LINK]
    if len(words) == 1 and run.is_date:
        yield from re.findall(r"\d+", words[0].word.text)
        return
    at, before_year = 0, 1 if run.has_month else 2
    while at < len(words):
        token = words[at].token
        if token.sort is Sort.MONTH:
            at += 1
            continue
        # "Twenty fifth" is one number; after the day and the month all that is left is the year.
        unit = words[at + 1].token if at + 1 < len(words) else token
        is_joined = token.size == TENS and unit.size == 1 and not token.mark
        past = len(words) if before_year <= 0 else at + 1 + is_joined
        yield digits_of([heard.token for heard in words[at:past]])
        at, before_year = past, before_year - 1


def _may_be_birth(year: str) -> bool:
    if len(year) == 2:
        return int(year) >= _LAST_OF_1900S
    return len(year) == 4 and _FIRST_BIRTH <= int(year) <= _LAST_BIRTH


def with_letters(run: Run) -> Run:
    """Return a number with the letters that belong to it: "M T R dash four four oh"."""
    for code in runs(run.line, MIXED):
        if code.at[0] <= run.at[0] and run.at[1] <= code.at[1]:
            first = code.at[0]
            while first < run.at[0] and run.line[first].token.is_numeric:
                first += 1
            code = Run(run.line, (first, code.at[1]), MIXED, False)
            is_short = len(code.chars) - len(code.digits) <= _MOST_LETTERS
            return code if is_short and code.digits == run.digits else run
    return run


def is_harmless(run: Run, said: Said) -> bool:
    """Return whether digits that nothing announced are times of a day, or count something."""
    return _is_counting(run) or _is_times(run, said)


def _is_counting(run: Run) -> bool:
    """Return whether somebody counts aloud, with pauses: "one, two, three, four, five"."""
    said = [heard.token for heard in run.words if heard.token.sort is not Sort.LINK]
    first = [t.digits for t in said if t.digits][:_COUNTED]
    pauses = sum(bool(token.mark) for token in said)
    if len(first) < _COUNTED or pauses < _COUNTED - 1 or not all(d.isdigit() for d in first):
        return False
    numbers = list(map(int, first))
    ups = all(other - one == 1 for one, other in pairwise(numbers))
    downs = all(one - other == 1 for one, other in pairwise(numbers))
    return (ups and numbers[0] == 1) or (downs and max(numbers) <= len(said))


def _is_times(run: Run, said: Said) -> bool:
    """Return whether it is times of a day, where one was asked for or words say so."""
    words = [heard.token for heard in run.words if heard.token.sort is not Sort.LINK]
    at, has_minutes = 0, False
    while at < len(words):
        hour = words[at]
        is_hour = hour.size in (1, 2) and hour.digits.isdigit() and 0 < int(hour.digits) <= _HOURS
        if not is_hour:
            return False
        at += 1
        if hour.mark or at == len(words):
            continue
        count = _minutes(words[at : at + 2])
        if not count:
            return False
        at, has_minutes = at + count, True
    return has_minutes and _is_about_time(run, said)


def _minutes(said: Sequence[Token]) -> int:
    """Return of how many words minutes are that are said so: "fifteen", "oh five"; 0 for none."""
    first = said[0]
    is_first = first.bare in ("oh", "o") or first.size in (2, TENS)
    is_joined = first.bare in ("oh", "o") or (first.size == TENS and not first.mark)
    is_two = is_joined and len(said) > 1 and said[1].size == 1
    digits = digits_of(said[: 1 + is_two])
    return 1 + is_two if is_first and len(digits) == 2 and int(digits) <= _MINUTES else 0


def _is_about_time(run: Run, said: Said) -> bool:
    line, (first, _) = run.line, run.at
    times = line[0].words("answers", "times")
    begin, _ = turn_around(line, first)
    before = [heard.token.bare for heard in line[max(begin, first - 3) : first]]
    if before and (before[-1] in line[0].words("numbers", "clock") or set(before) & times):
        return True
    turns = []
    at: tuple[Line, int] | None = (line, begin)
    for _ in range(3):
        turn = said.turn_before(*at) if at else None
        if turn is None:
            break
        turns.append(turn)
        at = (turn[0], turn[1])
    return any(
        heard.token.bare in times and run.start_s - heard.word.start_s <= _ONE_BY_ONE_S
        for there, begin, end in turns
        for heard in there[begin:end]
    )


def keyed_in(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield codes that were tried and refused: "I tried 1948 and it locked me out"."""
    for line in said.lines:
        tried = line[0].words("numbers", "entered") | line[0].words("numbers", "tried")
        locked = line[0].words("numbers", "locked")
        for run in runs(line, DIGITS, said.taken):
            is_code = _CODE_DIGITS <= len(run.digits) <= _LONGEST_CODE
            if not is_code or run.is_soft or run.is_round or run.is_amount or not run.at[0]:
                continue
            first, past = turn_around(line, run.at[0])
            near = [h.token.bare for h in line[max(first, run.at[0] - 2) : run.at[0]]]
            is_tried = bool(near) and (near[-1] in tried or (near[-1] == "in" and near[0] in tried))
            is_then = near == ["and", "then"] or near[-1:] == ["then"]
            keyed = any(h.token.bare in tried for h in line[first : run.at[0]])
            if not (is_tried or (is_then and keyed)):
                continue
            if any(heard.token.bare in locked for heard in line[first:past]):
                yield line, *run.at
                yield from _as_long(run, past, said)


def _as_long(run: Run, past: int, said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield codes of the same length after one in its turn: "5612, no hold on, 5162"."""
    for other in runs(run.line, DIGITS, said.taken):
        is_code = len(other.digits) == len(run.digits) and not (other.is_soft or other.is_round)
        if run.at[1] <= other.at[0] < past and is_code and not other.is_loose:
            yield run.line, *other.at


def named_days(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield days of birth that have a name, with their years: "Boxing Day 1971"."""
    for line in said.lines:
        for first, past in _named_days(line):
            if not said.has_announced("birth_date", line[first].word.start_s, _NAMED_DAY_S):
                continue
            _, end = turn_around(line, first)
            years = [
                run.at[1]
                for run in runs(line, DIGITS, said.taken)
                if past <= run.at[0] < min(past + _TO_YEAR, end) and _may_be_birth(run.digits)
            ]
            yield line, first, years[0] if years else past


def _named_days(line: Line) -> Iterator[tuple[int, int]]:
    """Yield where days are called by a name: "Boxing Day", "Heiligabend"."""
    nouns = line[0].words("answers", "day_nouns")
    named, whole = (
        {tuple(name.split()) for name in line[0].words("answers", key)}
        for key in ("named_days", "whole_days")
    )
    bare = tuple(heard.token.bare for heard in line)
    for at in range(len(bare)):
        for past in range(at + 1, min(at + _NAME_WORDS, len(bare)) + 1):
            if bare[at:past] in whole:
                yield at, past
            elif bare[at:past] in named and bare[past : past + 1] and bare[past] in nouns:
                yield at, past + 1


def dates_in_parts(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield dates of birth that are asked for in parts: "the month?", "the day?", "the year?"."""
    answers = [
        (part, run)
        for line in said.lines
        for whole in runs(line, DATE, said.taken)
        for run in _by_turn(whole)
        if _is_all(line, turn_around(line, run.at[0]), run.at) and (part := _asked(run, said))
    ]
    found = sorted(answers, key=lambda each: each[1].start_s)
    for at, (part, run) in enumerate(found):
        if part != "year" or not _may_be_birth(digits_of([h.token for h in run.words])):
            continue
        parts = [
            (name, other)
            for name, other in (*found[:at], *found[at + 1 :])
            if abs(other.start_s - run.start_s) <= _ONE_BY_ONE_S and name != part
        ]
        if len({name for name, _ in parts}) >= _DATE_PARTS:
            for _, other in ((part, run), *parts):
                yield other.line, *other.at


def _by_turn(run: Run) -> Iterator[Run]:
    """Yield the parts of a run, turn by turn."""
    first, past = run.at
    for at in range(first, past):
        if run.line[at].ends_turn or at + 1 == past:
            yield Run(run.line, (first, at + 1), run.made_of, run.is_loose)
            first = at + 1


def _asked(run: Run, said: Said) -> str | None:
    """Return which part of a date the turn before asks for: day, month or year."""
    turn = said.turn_before(run.line, run.at[0])
    if turn is None or turn[2] - turn[1] > _LONGEST_QUESTION:
        return None
    asked = [heard.token.bare for heard in turn[0][turn[1] : turn[2]]]
    named = [part for part in ("day", "month", "year") if part in asked]
    return named[0] if named else None


# Values that are said again: read back, corrected piece by piece, or gone on with after talk.


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

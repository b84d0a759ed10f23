"""How people say digits and letters aloud, and how recognisers type them."""

from random import Random

_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = (
    *(
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
    ),
    *("eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth"),
    *("eighteenth", "nineteenth", "twentieth"),
)
_MISHEARD = {"two": "to", "four": "for", "eight": "ate", "one": "won", "three": "free", "oh": "all"}
_WORDS = {"b": "boy", "d": "david", "m": "mary", "n": "nancy", "p": "peter", "s": "sam", "f": "fox"}


def digits_said(digits: str, way: str, draw: Random) -> list[str]:
    """The digits as words: `single`, with `double` and triple ones, or in `pairs`."""
    if way == "pairs" and len(digits) >= 2:
        return _pairs(digits, draw)
    zero = draw.choice(["zero", "oh", "oh", "o"])
    words, at = [], 0
    while at < len(digits):
        digit = digits[at]
        same = len(digits) - at - len(digits[at:].lstrip(digit))
        name = zero if digit == "0" else _ONES[int(digit)]
        if way == "double" and same >= 2:
            taken = min(same, 3)
            words += ["double" if taken == 2 else draw.choice(["triple", "treble"]), name]
            at += taken
        else:
            words.append(name)
            at += 1
    return words


def digits_typed(digits: str, draw: Random) -> list[str]:
    """The digits in figures: together or one by one."""
    return list(digits) if draw.random() < 0.3 else [digits]


def misheard(words: list[str], draw: Random) -> list[str]:
    """One word in ten as a recogniser may mistake it."""
    return [_MISHEARD.get(w, w) if draw.random() < 0.1 else w for w in words]


def letters_said(word: str, draw: Random) -> list[str]:
    """A word spelled: letters, letters with hyphens between, or some of them explained."""
    way = draw.choice(["letters", "hyphens", "explained"])
    if way == "hyphens":
        return ["-".join(word.upper())]
    said: list[str] = []
    for letter in word:
        explained = way == "explained" and letter in _WORDS and draw.random() < 0.7
        said += [letter, "as", "in", _WORDS[letter]] if explained else [letter]
    return said


def ordinal(day: int) -> str:
    """The day of a month as it is said."""
    if day <= 20:
        return _ORDINALS[day - 1]
    return f"{_TENS[day // 10 - 2]} {_ORDINALS[day % 10 - 1]}" if day % 10 else "thirtieth"


def year_said(year: int) -> list[str]:
    """The year as it is said."""
    if 2000 <= year <= 2009:
        return ["two", "thousand", *([_ONES[year % 10]] if year % 10 else [])]
    return [*_below_100(year // 100), *_below_100(year % 100)]


def _below_100(number: int) -> list[str]:
    if number < 10:
        return ["oh", _ONES[number]]
    if number < 20:
        return [_TEENS[number - 10]]
    tens = _TENS[number // 10 - 2]
    return [tens, _ONES[number % 10]] if number % 10 else [tens]


def _pairs(digits: str, draw: Random) -> list[str]:
    """Two digits as one number; a hyphen as recognisers write it, or not."""
    words: list[str] = []
    for at in range(0, len(digits), 2):
        pair = digits[at : at + 2]
        if len(pair) == 1:
            words.append(_ONES[int(pair)])
        elif pair == "00":
            words += draw.choice([["hundred"], ["double", "oh"], ["zero", "zero"]])
        else:
            said = _below_100(int(pair))
            words += (
                ["-".join(said)]
                if len(said) == 2 and said[0] != "oh" and draw.random() < 0.5
                else said
            )
    return words

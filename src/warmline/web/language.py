"""The languages of the pages: which one is asked for, its catalogue, numbers, days and quotes."""

import gettext
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, cached_property
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

CATALOGUES = Path(__file__).parent / "locale"
ENGLISH = "en"
#: Where a value stands in a sentence of the catalogue.
_VALUE = re.compile(r"%\((\w+)\)s")
#: A language of an `Accept-Language` header with its weight (RFC 9110, 12.5.4).
_ACCEPTED = re.compile(
    r"\s*(?P<language>[A-Za-z]{1,8})(-[A-Za-z0-9-]*)?\s*"
    r"(;\s*[qQ]=(?P<rank>0(\.[0-9]{0,3})?|1(\.0{0,3})?)\s*)?"
)


def languages() -> tuple[str, ...]:
    """Return the languages that pages can be read in: English, and each with a catalogue."""
    return (ENGLISH, *sorted(path.stem for path in CATALOGUES.glob("*.po")))


def chosen_language(accepted: str) -> str:
    """Return the language for an `Accept-Language` header: the first of those that there are."""
    wanted = []
    for position, part in enumerate(accepted.split(",")[:20]):
        if (asked := _ACCEPTED.fullmatch(part)) and (rank := float(asked["rank"] or 1)):
            wanted.append((-rank, position, asked["language"].lower()))
    there = languages()
    return next((name for _, _, name in sorted(wanted) if name in there), ENGLISH)


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Return the catalogue of a language, compiled; an empty one for English."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, _catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def _catalogue(language: str) -> Catalog:
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def said_in_templates(
    spoken: gettext.NullTranslations, escape: Callable[[object], str], safe: Callable[[str], str]
) -> Callable[..., str]:
    """Return what says a text of a template in a language, with its values escaped.

    `escape` and `safe` are Jinja's filters of these names. Jinja's own function does the same, and
    takes several times as long: a page says thousands of texts.
    """
    known: dict[str, str] = {}
    whole: dict[str, str] = {}

    def say(text: str, /, **values: object) -> str:
        if values:
            if text not in known:
                known[text] = spoken.gettext(text)
            return safe(known[text] % {name: escape(value) for name, value in values.items()})
        if text not in whole:
            whole[text] = safe(spoken.gettext(text) % {})
        return whole[text]

    return say


@dataclass(frozen=True)
class Sentences:
    """Sentences that code makes, with values in them, as the catalogue says them elsewhere.

    Entries of a context hold each sentence with `%(a)s`, `%(b)s`, ... in the place of its values.
    What a value says is looked up, too. What is in no entry stays as it is.
    """

    whole: Mapping[str, str]
    patterns: tuple[tuple[re.Pattern[str], str], ...]
    spoken: gettext.NullTranslations

    @classmethod
    def of(cls, language: str, context: str) -> "Sentences":
        """Return the sentences of a context in a language; none in English."""
        spoken = translations(language)
        if language == ENGLISH:
            return cls({}, (), spoken)
        entries = {
            str(m.id): str(m.string) for m in _catalogue(language) if m.id and m.context == context
        }
        longest_first = sorted(entries, key=lambda text: -len(_VALUE.sub("", text)))
        patterns = [(_pattern(text), entries[text]) for text in longest_first if "%(" in text]
        return cls(entries, tuple(patterns), spoken)

    def say(self, text: object) -> str:
        """Return a sentence in the language of these."""
        english = str(text or "")
        if not english or english in self.whole:
            return self.whole.get(english, "")
        for pattern, said in self.patterns:
            if found := pattern.fullmatch(english):
                values = {name: self._value(value) for name, value in found.groupdict().items()}
                return said % values
        return self.spoken.gettext(english)

    def _value(self, value: str) -> str:
        return self.whole.get(value) or (self.spoken.gettext(value) if value else "")


def _pattern(text: str) -> re.Pattern[str]:
    """The sentences that an entry stands for. A value that it has twice is the same both times."""
    parts, named = [], set[str]()
    for i, part in enumerate(_VALUE.split(text)):
        if i % 2 == 0:
            parts.append(re.escape(part.replace("%%", "%")))
        else:
            parts.append(f"(?P={part})" if part in named else f"(?P<{part}>.+?)")
            named.add(part)
    return re.compile("".join(parts), re.DOTALL)


_PLAIN_WORD = re.compile(r"[a-zäöü][a-zäöüß']*(?=[ ,;]|$)")


def begun(text: str) -> str:
    """Return a message as a sentence begins: with a capital, unless a name stands first."""
    return text[0].upper() + text[1:] if _PLAIN_WORD.match(text) else text


#: What a sentence in English may hold that other languages write otherwise.
_WRITTEN = re.compile(
    r"(?P<day>\b\d{4}-\d\d-\d\d\b)|(?P<share>\b\d+%)|(?P<number>(?<![\d.])\d+\.\d+(?![\d.]))"
)
#: Quotation marks by language; Babel has none.
_QUOTES = {ENGLISH: ("“", "”"), "de": ("„", "“")}


@dataclass(frozen=True)
class Formats:
    """How a language writes numbers, shares, days and what somebody said."""

    language: str

    @cached_property
    def _locale(self) -> Locale:
        return Locale.parse(self.language)

    def number(self, value: float, digits: int) -> str:
        """Return a number with so many digits behind its point."""
        text = f"{value:.{digits}f}"
        if self.language == ENGLISH or not digits:
            return text
        return str(format_decimal(text, format=f"0.{'0' * digits}", locale=self._locale))

    def plain(self, value: float) -> str:
        """Return a number as it is written down: without a point if whole, else two digits."""
        return self.number(value, 0 if value == int(value) else 2)

    def short(self, value: float) -> str:
        """Return a number with at most two digits, and no zero that says nothing."""
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return self.number(float(text), len(text.partition(".")[2]))

    def percent(self, share: float | None) -> str:
        """Return a share; a dash where there is none."""
        if share is None:
            return "–"
        if self.language == ENGLISH:
            return f"{share:.0%}"
        return str(format_percent(round(share, 2), locale=self._locale))

    def day(self, day: date | None) -> str:
        """Return a day; nothing where there is none."""
        if day is None:
            return ""
        if self.language == ENGLISH:
            return f"{day:%Y-%m-%d}"
        return str(format_date(day, "medium", self._locale))

    def short_day(self, day: date) -> str:
        """Return a day without its year, as below the weeks of a drawing."""
        if self.language == ENGLISH:
            return f"{day:%d %b}"
        return str(format_skeleton("MMMd", day, locale=self._locale))

    def minute(self, at: datetime | date) -> str:
        """Return a day with its minute, UTC; a day alone if that is all that is known."""
        if not isinstance(at, datetime):
            return self.day(at)
        there = at.astimezone(UTC) if at.tzinfo else at
        return f"{self.day(there.date())} {there:%H:%M}"

    def quoted(self, text: object) -> str:
        """Return what somebody said between the quotation marks of the language."""
        opening, closing = _QUOTES.get(self.language, _QUOTES[ENGLISH])
        return f"{opening}{text}{closing}"

    def written(self, text: str) -> str:
        """Return a sentence with its days, shares and numbers as the language writes them."""
        return text if self.language == ENGLISH else _WRITTEN.sub(self._written, text)

    def _written(self, found: re.Match[str]) -> str:
        if found["day"]:
            return self.day(date.fromisoformat(found["day"]))
        if found["share"]:
            return self.percent(int(found["share"][:-1]) / 100)
        return self.number(float(found["number"]), len(found["number"].partition(".")[2]))

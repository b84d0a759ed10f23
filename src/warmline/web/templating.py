"""How pages are written: Jinja's templates and filters, and the language that is spoken.

English is what templates hold; other languages are gettext catalogues (`locale/de.po`), compiled
when the server starts. What has no translation stays English.
"""

import gettext
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from warmline.query.calls import clock, value_text
from warmline.web.accounts import Right

_FOLDER = Path(__file__).parent
CATALOGUES = _FOLDER / "locale"
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


def environments() -> Mapping[str, jinja2.Environment]:
    """Return Jinja's environment for each language."""
    return {language: _environment(language) for language in languages()}


def translations(language: str) -> gettext.NullTranslations:
    """Return the catalogue of a language, compiled; an empty one for English."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


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
        with (CATALOGUES / f"{language}.po").open("rb") as file:
            entries = {
                str(m.id): str(m.string)
                for m in read_po(file, locale=language)
                if m.id and m.context == context
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


def _environment(language: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    spoken = translations(language)
    environment.install_gettext_translations(spoken, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {
        "clock": clock,
        "value": value_text,
        "words": lambda name: spoken.gettext(words(name)) if name else "",
        # `_()` takes its text for a part of the page: only for what a template itself says.
        "translated": lambda text: spoken.gettext(str(text)) if text else "",
        "message": Sentences.of(language, "message").say,
        "drawn": Sentences.of(language, "drawing").say,
        "minute": _minute,
        "plain": plain,
        "percent": lambda share: "–" if share is None else f"{share:.0%}",
    }
    environment.globals |= {
        "call_url": call_url,
        "Right": Right,
        "query": urlencode,
        "lane_class": lane_class,
        "today": lambda: datetime.now(UTC).date(),
    }
    return environment


def call_url(call_id: str, at_s: float | None = None) -> str:
    """Return the address of a call's page, at a second of it."""
    moment = "" if at_s is None else f"#t={at_s:.1f}"
    return f"/call?{urlencode({'id': call_id})}{moment}"


def words(name: str | None) -> str:
    """Return a name of the warehouse as words: `fear_anxiety` as `fear anxiety`."""
    return (name or "").replace("_", " ")


def lane_class(role: str | None) -> str:
    """Return the class that a party is drawn by: its role, if it has a colour of its own."""
    return f"of-{role}" if role in ("agent", "customer") else "of-other"


def plain(number: float) -> str:
    """Return a number as it is written down: without a point if whole, else with two places."""
    return f"{number:.0f}" if number == int(number) else f"{number:.2f}"


def _minute(at: datetime | date | None) -> Any:
    if at is None:
        return "no date"
    if not isinstance(at, datetime):
        return f"{at}"
    return f"{at.astimezone(UTC) if at.tzinfo else at:%Y-%m-%d %H:%M}"

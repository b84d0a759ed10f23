"""Forms of scorecards, made and changed on a page: what is saved is a TOML file like any other."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from starlette.responses import Response

from warmline.errors import QueryError
from warmline.files import LockedError, exclusive, write_text_whole
from warmline.web.language import MEASURES, measure_words
from warmline.web.scorecards import RESERVED, Form, Question, checked_form, forms
from warmline.web.scoring import DETAILS_ASKED, OPENING
from warmline.web.site import FieldError, RefusedError, Visit
from warmline.web.warehouse import Reader

#: Rows for questions that are not there yet, and how many a form may have on the page.
_BLANK_ROWS, _MOST_ROWS = 3, 100
_LONGEST_ID = 40
_CHANGED = "somebody changed this form meanwhile; open it again, and then change it"
_SAVING = "somebody saves a form at this moment; save again"
_DEFINED = "SELECT DISTINCT name FROM metric_definitions ORDER BY name"
_ROW = re.compile(r"text\.(\d{1,4})")
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True)
class QuestionRow:
    """A question as the page has it, with the section that it is in."""

    section: str
    question: Question


def show_form_editor(visit: Visit) -> Response:
    """Show a form to be changed, or an empty one to begin another with."""
    form, said = _asked_form(visit), visit.filters["measure"]
    with visit.site.reading() as reader:
        rows = [] if form is None else list(_rows_of(form))
        return visit.page(
            "form.html",
            reader,
            form=form,
            rows=rows,
            blank=min(_BLANK_ROWS if form else 2 * _BLANK_ROWS, _MOST_ROWS - len(rows)),
            measures=sorted(_measures(reader), key=lambda name: said(name).casefold()),
            is_saved=bool(visit.asked("saved")),
            is_own=form is not None and _path_of(visit, form.name).exists(),
            file=f"{visit.site.warehouse.path.with_suffix('.forms').name}/",
        )


def save_form_text(visit: Visit) -> Response:
    """Keep a form as a file of the folder beside the warehouse, or take that file away.

    With the first one, the forms that ship are put beside it: none of them is lost by that.
    Raises RefusedError (409) where somebody else changed it since it was opened, or saves now.
    """
    lock = visit.site.warehouse.path.with_suffix(".forms.lock")
    try:
        with exclusive(lock, "saving a form"):
            return _saved(visit)
    except LockedError as e:
        raise RefusedError(409, _SAVING) from e
    except OSError as e:
        raise QueryError(f"{e.filename or lock}: cannot be written ({e.strerror or e})") from e


def _saved(visit: Visit) -> Response:
    before = _asked_form(visit)
    if visit.asked("since") != ("" if before is None else before.sha256):
        raise RefusedError(409, _CHANGED)
    known = forms(visit.site.warehouse.path)
    if visit.asked("do") == "remove" and before is not None:
        _path_of(visit, before.name).unlink(missing_ok=True)
        visit.note("removed a form", detail=before.name)
        return visit.back("/work")
    title = _written(visit.asked("title"))
    if not title:
        raise FieldError("title", "give the form a title")
    name = before.name if before else _as_name(title, known)
    with visit.site.reading() as reader:
        measures = _measures_by_name(visit, _measures(reader))
    form = checked_form(name, _as_toml(title, visit, before, measures))
    if not any(_path_of(visit, other).exists() for other in known):
        for other in known.values():
            write_text_whole(_path_of(visit, other.name), other.text, QueryError, "the form")
    write_text_whole(_path_of(visit, name), form.text, QueryError, "the form")
    visit.note("changed a form", detail=name)
    return visit.back("/form", name=name, saved="1")


def _asked_form(visit: Visit) -> Form | None:
    known, name = forms(visit.site.warehouse.path), visit.asked("name")
    if name and name not in known:
        raise RefusedError(404, f"no form is called {name[:60]!r}; forms: {', '.join(known)}")
    return known.get(name)


def _measures(reader: Reader) -> set[str]:
    """Return what can speak for an answer: measures, how the agent began, what they asked."""
    named = (row["name"] for row in reader.rows(_DEFINED))
    return {OPENING, DETAILS_ASKED, *MEASURES, *named}


def _measures_by_name(visit: Visit, measures: set[str]) -> dict[str, str]:
    """Return each measure by what people may write for it, in small letters.

    That is what the pages call it, in English or in the language of this visit, and its own name.
    """
    called = (
        (name, say(name))
        for say in (measure_words, visit.filters["measure"], str)
        for name in sorted(measures)
    )
    return {written.casefold(): name for name, written in called}


def _path_of(visit: Visit, name: str) -> Path:
    return visit.site.warehouse.path.with_suffix(".forms") / f"{name}.toml"


def _rows_of(form: Form) -> Iterator[QuestionRow]:
    for section in form.content.section:
        for question in section.question:
            yield QuestionRow(section.title, question)


def _as_name(text: str, taken: Mapping[str, object] | set[str]) -> str:
    """A name of letters for a text: no other one has it."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")[: _LONGEST_ID - 3]
    name = plain if plain[:1].isalpha() else f"q_{plain}".rstrip("_")
    number = 2
    while name in taken:
        name, number = f"{name.rstrip('0123456789_')}_{number}", number + 1
    return name


def _written(text: str) -> str:
    return _NOT_TEXT.sub(" ", text).strip()


@dataclass(frozen=True)
class _Line:
    """A question of the page, read: where it comes, its section, and its TOML."""

    order: float
    section: str
    toml: str


def _as_toml(title: str, visit: Visit, before: Form | None, measures: Mapping[str, str]) -> str:
    """The form that the page's fields say, as TOML; what was there in other languages stays."""
    old = {} if before is None else {row.question.id: row for row in _rows_of(before)}
    sections = {} if before is None else {s.title: s.title_in for s in before.content.section}
    ids: set[str] = set()
    lines: list[_Line] = []
    for n, text in _texts(visit):
        was = old.get(visit.asked(f"id.{n}"))
        name = was.question.id if was else _as_name(text, ids | old.keys() | RESERVED)
        ids.add(name)
        told = was.question.text_in if was and was.question.text == text else {}
        order = _number(visit, f"order.{n}", float(n + 1))
        section = _written(visit.asked(f"section.{n}"))
        if not section:
            section = lines[-1].section if lines else title
        parts = [
            f"id = {_quoted(name)}",
            f"text = {_quoted(text)}",
            *(f"text_in.{language} = {_quoted(told[language])}" for language in sorted(told)),
            *_of_question(visit, n, measures),
        ]
        lines.append(_Line(order, section, "\n".join(("[[section.question]]", *parts))))
    if not lines:
        raise FieldError("text.0", "a form needs a question")
    told_title = before.content.title_in if before and before.content.title == title else {}
    made = [f"title = {_quoted(title)}", *_in_languages("title_in", told_title)]
    made.append(f"prefill = {'true' if visit.asked('prefill') else 'false'}")
    ordered = sorted(lines, key=lambda line: line.order)
    for section, questions in groupby(ordered, key=lambda line: line.section):
        made += ["", "[[section]]", f"title = {_quoted(section)}"]
        made += _in_languages("title_in", sections.get(section, {}))
        for line in questions:
            made += ["", line.toml]
    return "\n".join(made) + "\n"


def _texts(visit: Visit) -> list[tuple[int, str]]:
    """The questions of the page in order, each with its row; an empty one is taken away."""
    rows = sorted({int(row[1]) for name in visit.form if (row := _ROW.fullmatch(name))})
    texts = [(n, text) for n in rows if (text := _written(visit.asked(f"text.{n}")))]
    if len(texts) > _MOST_ROWS:
        n, _ = texts[_MOST_ROWS]
        raise FieldError(
            f"text.{n}", f"at most {_MOST_ROWS} questions on this page; edit the form's file"
        )
    return texts


def _of_question(visit: Visit, n: int, measures: Mapping[str, str]) -> Iterator[str]:
    weight = _number(visit, f"weight.{n}", 1.0)
    if not 0 <= weight <= 100:
        raise FieldError(f"weight.{n}", "a weight is a number from 0 to 100")
    yield f"weight = {weight:g}"
    yield f"may_not_apply = {'true' if visit.asked(f'may_not_apply.{n}') else 'false'}"
    yield f"is_critical = {'true' if visit.asked(f'is_critical.{n}') else 'false'}"
    if named := _named(visit, n, measures):
        yield f"measure = {json.dumps(named if len(named) > 1 else named[0])}"
    if yes_if := _written(visit.asked(f"yes_if.{n}")):
        yield f"yes_if = {_quoted(yes_if)}"


def _named(visit: Visit, n: int, measures: Mapping[str, str]) -> list[str]:
    """The measures that a row names, between commas; what one is called may hold a comma, too."""
    parts = [part.strip() for part in visit.asked(f"measure.{n}").split(",") if part.strip()]
    named = []
    while parts:
        tries = ((", ".join(parts[:count]), count) for count in range(len(parts), 0, -1))
        found = next(
            (
                (measures[key], count)
                for text, count in tries
                if (key := text.casefold()) in measures
            ),
            None,
        )
        if found is None:
            written = parts[0][:40]
            (near,) = difflib.get_close_matches(written.casefold(), measures, 1, 0.0)
            closest = visit.filters["measure"](measures[near])
            raise FieldError(
                f"measure.{n}", f"no measure is called {written!r}; the closest name: {closest}"
            )
        named.append(found[0])
        del parts[: found[1]]
    return named


def _in_languages(field: str, told: Mapping[str, str]) -> list[str]:
    return [f"{field}.{language} = {_quoted(told[language])}" for language in sorted(told)]


def _number(visit: Visit, name: str, usual: float) -> float:
    text = visit.asked(name).replace(",", ".")
    if not text:
        return usual
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e6:
        raise FieldError(name, f"a number, such as 2 or 0.5, not {text[:40]!r}")
    return value


def _quoted(text: str) -> str:
    """A text as TOML and JSON both write it."""
    return json.dumps(text, ensure_ascii=False)

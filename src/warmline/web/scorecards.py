"""Scorecards: forms written as TOML, filled in for a call, with every version of an answer kept.

A form is a file of the folder beside the warehouse (`calls.duckdb` has `calls.forms/*.toml`); one
ships with warmline. What is saved keeps the form's own text beside the answers, so that an old
evaluation reads as it was filled in, whatever becomes of the form.
"""

import csv
import hashlib
import io
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from warmline.errors import QueryError, one_line
from warmline.files import safe_cell
from warmline.query.call_page import page_of
from warmline.web.accounts import Right
from warmline.web.call_view import five_quotes
from warmline.web.site import RefusedError, Visit
from warmline.web.store import evaluations, now
from warmline.web.warehouse import Row

_SHIPPED = Path(__file__).parent / "forms"
_LONGEST_NOTE = 2000
NOT_APPLICABLE = "na"


class Question(BaseModel):
    """A question of a form: what a person answers with yes, no, or not applicable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    text: str = Field(min_length=1, max_length=300)
    weight: float = Field(default=1.0, ge=0, le=100)
    may_not_apply: bool = True
    is_critical: bool = False
    measure: str | None = None


class Section(BaseModel):
    """Some questions under one heading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1, max_length=100)
    question: tuple[Question, ...] = Field(min_length=1)


class FormText(BaseModel):
    """A form as its TOML file says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1, max_length=100)
    section: tuple[Section, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Form:
    """A form: its name is that of its file, its digest says which version it is."""

    name: str
    content: FormText
    text: str

    @property
    def sha256(self) -> str:
        """Digest of the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def questions(self) -> tuple[Question, ...]:
        """Return all questions of all sections, in order."""
        return tuple(q for section in self.content.section for q in section.question)


@dataclass(frozen=True)
class Score:
    """The score of a form that was filled in; `value` is None when nothing applied or is open."""

    value: float | None
    earned: float
    possible: float
    open_questions: int
    failed: tuple[str, ...]


def forms(warehouse: Path) -> dict[str, Form]:
    """Return the forms of a warehouse by name: those of its folder, else the one that ships.

    Raises QueryError naming a file and a key that is wrong.
    """
    own = sorted(warehouse.with_suffix(".forms").glob("*.toml"))
    return {path.stem: _read_form(path) for path in own or sorted(_SHIPPED.glob("*.toml"))}


def parse_form(name: str, text: str) -> Form:
    """Return the form of a TOML text. Raises QueryError naming the key that is wrong."""
    try:
        content = FormText.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as e:
        raise QueryError(f"{name}.toml: not TOML ({one_line(str(e))})") from e
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise QueryError(f"{name}.toml: {where}: {one_line(first['msg'])}") from e
    form = Form(name, content, text)
    ids = [question.id for question in form.questions]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise QueryError(f"{name}.toml: question {twice[0]!r} is there more than once")
    return form


def score(form: Form, answers: dict[str, str]) -> Score:
    """Return what the answers come to: weights of yes over weights of all that applied.

    A critical question that is answered no makes it 0, whatever else was answered.
    """
    earned = possible = 0.0
    open_questions, failed = 0, []
    for question in form.questions:
        answer = answers.get(question.id, "")
        if answer == NOT_APPLICABLE:
            continue
        if answer not in ("yes", "no"):
            open_questions += 1
            continue
        possible += question.weight
        earned += question.weight if answer == "yes" else 0.0
        if question.is_critical and answer == "no":
            failed.append(question.id)
    value = None if open_questions or not possible else 0.0 if failed else earned / possible
    return Score(value, earned, possible, open_questions, tuple(failed))


def evaluations_of(visit: Visit, landing_key: str) -> list[Row]:
    """Return the latest evaluation of a call by each person and form, newest first.

    Drafts are seen by their author alone.
    """
    query = (
        sa.select(evaluations)
        .where(evaluations.c.landing_key == landing_key)
        .order_by(evaluations.c.evaluation_id.desc())
    )
    latest: dict[tuple[str, str], Row] = {}
    for row in visit.site.store.read(query):
        if row["is_draft"] and row["user_name"] != visit.user.name:
            continue
        latest.setdefault((row["user_name"], row["form"]), row)
    return [_opened(visit, row) for row in latest.values()]


def show_form(visit: Visit) -> Response:
    """Show a form to fill in for a call, with what this person answered last."""
    form = _asked_form(visit)
    with visit.site.reading() as reader:
        call = visit.call(reader)
        page = page_of(reader.cursor, call.call_id)
        own = [
            row
            for row in evaluations_of(visit, call.landing_key)
            if row["user_name"] == visit.user.name and row["form"] == form.name
        ]
        measured = {row["name"]: row for row in page.metrics if row["value"] is not None}
        return visit.page(
            "score.html",
            reader,
            form=form,
            call_id=call.call_id,
            answers=own[0]["answers"] if own else {},
            last=own[0] if own else None,
            quotes=five_quotes(page),
            measured=measured,
        )


def save_form(visit: Visit) -> Response:
    """Keep the answers of a form, as a draft or as final; what was kept before stays, too."""
    form = _asked_form(visit)
    answers = {}
    for question in form.questions:
        allowed = ("", "yes", "no", *((NOT_APPLICABLE,) if question.may_not_apply else ()))
        answer = visit.form.get(question.id, "")
        if answer not in allowed:
            raise QueryError(f"{question.id}: answer {', '.join(allowed[1:])}")
        answers[question.id] = answer
        answers[f"{question.id}.note"] = visit.form.get(f"{question.id}.note", "")[:_LONGEST_NOTE]
    is_draft = visit.form.get("save") != "final"
    result = score(form, answers)
    if not is_draft and result.open_questions:
        raise QueryError(
            f"{result.open_questions} questions have no answer yet; answer them, or save a draft"
        )
    with visit.site.reading() as reader:
        call = visit.call(reader)
    values = {
        "landing_key": call.landing_key,
        "at": now(),
        "user_name": visit.user.name,
        "form": form.name,
        "form_sha256": form.sha256,
        "form_text": form.text,
        "is_draft": is_draft,
        "answers": visit.site.store.seal(json.dumps(answers)),
    }
    visit.site.store.write(evaluations.insert().values(values))
    visit.note("scored", call, detail=f"{form.name}{' (draft)' if is_draft else ''}")
    return visit.back("/call", id=call.call_id)


def export_scores(visit: Visit) -> Response:
    """Send all final evaluations as CSV: one row a question, safe in a spreadsheet."""
    query = (
        sa.select(evaluations).where(~evaluations.c.is_draft).order_by(evaluations.c.evaluation_id)
    )
    rows = visit.site.store.read(query)
    with visit.site.reading() as reader:
        found = reader.rows("SELECT landing_key, call_id, agent_id, started_at FROM calls")
    calls = {row["landing_key"]: row for row in found}
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    for row in rows:
        call = calls.get(row["landing_key"])
        if call is not None:
            writer.writerows(_csv_rows(_opened(visit, row), call))
    visit.note("exported", detail=f"evaluations, {len(rows)}")
    headers = {"Content-Disposition": 'attachment; filename="evaluations.csv"'}
    return Response(page.getvalue(), 200, headers, "text/csv; charset=utf-8")


_CSV_COLUMNS = (
    *("evaluation_id", "call_id", "started_at", "agent_id", "evaluated_at", "evaluated_by"),
    *("form", "form_sha256", "score", "question", "answer", "weight", "is_critical", "note"),
)


def _csv_rows(row: Row, call: Row) -> list[list[Any]]:
    form: Form = row["content"]
    shown = []
    for question in form.questions:
        cells = [
            *(row["evaluation_id"], call["call_id"], call["started_at"], call["agent_id"]),
            *(row["at"], row["user_name"], row["form"], row["form_sha256"][:12]),
            *(row["score"].value, question.id, row["answers"].get(question.id)),
            *(question.weight, question.is_critical, row["answers"].get(f"{question.id}.note")),
        ]
        shown.append([safe_cell(cell) for cell in cells])
    return shown


def _opened(visit: Visit, row: Row) -> Row:
    """A stored evaluation with its form, answers and score."""
    form = parse_form(row["form"], row["form_text"])
    answers = json.loads(visit.site.store.unseal(row["answers"]))
    by = visit.name_of(row["user_name"])
    return row | {"content": form, "answers": answers, "score": score(form, answers), "by": by}


def _asked_form(visit: Visit) -> Form:
    visit.require(Right.REVIEW)
    known = forms(visit.site.warehouse.path)
    name = visit.asked("form")
    if name not in known:
        raise RefusedError(404, f"no form is called {name[:60]!r}; forms: {', '.join(known)}")
    return known[name]


def _read_form(path: Path) -> Form:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise QueryError(f"{path}: cannot be read ({one_line(str(e))})") from e
    return parse_form(path.stem, text)

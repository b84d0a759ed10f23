"""Scorecards: forms written as TOML, filled in for a call, with every version of an answer kept.

A form is a file of the folder beside the warehouse (`calls.duckdb` has `calls.forms/*.toml`); one
ships with warmline. What is saved keeps the form's own text beside the answers, so that an old
evaluation reads as it was filled in, whatever becomes of the form.
"""

import hashlib
import json
import operator
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from warmline.errors import QueryError, WarmlineError, one_line
from warmline.landing.feedback import EvaluationAnswer, LandedEvaluation, write_evaluation
from warmline.warehouse.landing_folder import known_places
from warmline.web.site import RefusedError, Site, Visit
from warmline.web.store import (
    Store,
    assignments,
    calibrations,
    dispute_steps,
    evaluations,
    now,
)
from warmline.web.warehouse import Row

_SHIPPED = Path(__file__).parent / "forms"
_LONGEST_NOTE = 2000
NOT_APPLICABLE = "na"
#: Fields that are sent beside the answers: a question of that name would be taken for one.
RESERVED = frozenset({"id", "form", "save", "calibration", "step", "text"})
#: Whose answer it is, beside each: "machine" where a person took over what had been found.
BY, MACHINE = ".by", "machine"
#: When what was found speaks for a yes.
_FOUND, _NONE_FOUND = "found", "none found"
_COMPARED = re.compile(r"(<=|>=|<|>|=) ?(\d+(?:\.\d+)?)")
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
#: Why an evaluation is corrected: kept with its answers, under a name that no question can have.
WHY = ".why"
ANSWERED = ("appealed", "upheld", "overturned")
CHANGED = "somebody answered, decided or scored this meanwhile; open it again, and then say it"


class Question(BaseModel):
    """A question of a form: what a person answers with yes, no, or not applicable.

    `measure` names what the machine shows beside it: a measure, or several; `opening` is how the
    agent began, `details_asked` what the agent asked for. `yes_if` says when that speaks for a yes:
    `found`, `none found` (what is found speaks for a no), or a comparison such as `>= 0.5`.
    `text_in` has the text in other languages.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    text: str = Field(min_length=1, max_length=300)
    weight: float = Field(default=1.0, ge=0, le=100)
    may_not_apply: bool = True
    is_critical: bool = False
    measure: str | tuple[str, ...] | None = None
    yes_if: str | None = None
    text_in: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_proposed(self) -> "Question":
        if self.yes_if is None:
            return self
        if self.yes_if not in (_FOUND, _NONE_FOUND) and not _COMPARED.fullmatch(self.yes_if):
            raise ValueError('yes_if: "found", "none found", or a comparison such as ">= 0.5"')
        if not self.measures:
            raise ValueError("yes_if: say of which measure")
        if self.is_critical:
            raise ValueError("yes_if: a critical question is answered by a person alone")
        return self

    def proposed(self, found: Sequence[float | None]) -> str | None:
        """Return the answer that these values of its measures speak for; None where they do not.

        Where nothing was found, nothing is said: it may have been missed.
        """
        measured = [value for value in found if value is not None]
        compared = _COMPARED.fullmatch(self.yes_if or "")
        if self.yes_if is None or not measured:
            return None
        if compared is None:
            return ("yes" if self.yes_if == _FOUND else "no") if any(measured) else None
        holds = [_COMPARISONS[compared[1]](value, float(compared[2])) for value in measured]
        return "yes" if any(holds) else "no" if len(measured) == len(found) else None

    @property
    def limit(self) -> str | None:
        """Return the comparison of `yes_if`, if it is one."""
        return self.yes_if if self.yes_if and _COMPARED.fullmatch(self.yes_if) else None

    @property
    def measures(self) -> tuple[str, ...]:
        """Return the names of what the machine shows beside the question."""
        named = self.measure or ()
        return (named,) if isinstance(named, str) else named


class Section(BaseModel):
    """Some questions under one heading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1, max_length=100)
    title_in: dict[str, str] = Field(default_factory=dict)
    question: tuple[Question, ...] = Field(min_length=1)


class FormText(BaseModel):
    """A form as its TOML file says it.

    With `prefill`, a yes that what was found speaks for is filled in when the form opens, where it
    can be heard; what counts against an agent is always asked of a person.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1, max_length=100)
    title_in: dict[str, str] = Field(default_factory=dict)
    prefill: bool = False
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
    """Return the forms of a warehouse by name: those of its folder, else those that ship.

    The one with the fewest questions, which *Score it* opens, is the first. Raises QueryError
    naming a file and a key that is wrong.
    """
    own = []
    for path in sorted(warehouse.with_suffix(".forms").glob("*.toml")):
        with suppress(FileNotFoundError):  # somebody has just removed it
            own.append(_read_form(path))
    read = own or [_read_form(path) for path in sorted(_SHIPPED.glob("*.toml"))]
    return {form.name: form for form in sorted(read, key=lambda form: len(form.questions))}


def in_languages_of(old: Form, known: Collection[Form]) -> Form:
    """Return a form that was kept, with the languages that forms of today have its own words in.

    Its words and questions stay as they were; only what is worded alike is read in a language.
    """
    told: dict[str, dict[str, str]] = {}
    for form in known:
        told[form.content.title] = form.content.title_in
        for section in form.content.section:
            told[section.title] = section.title_in
            told |= {question.text: question.text_in for question in section.question}
    content = old.content
    sections = tuple(
        section.model_copy(
            update={
                "title_in": told.get(section.title, {}) | section.title_in,
                "question": tuple(
                    question.model_copy(
                        update={"text_in": told.get(question.text, {}) | question.text_in}
                    )
                    for question in section.question
                ),
            }
        )
        for section in content.section
    )
    titles = told.get(content.title, {}) | content.title_in
    return replace(
        old, content=content.model_copy(update={"title_in": titles, "section": sections})
    )


def known_forms(warehouse: Path) -> tuple[Form, ...]:
    """Return the forms that texts are looked up in: those that ship, and those in use.

    Where one of a centre's own cannot be read, what was kept reads as it was kept.
    """
    shipped = [_read_form(path) for path in sorted(_SHIPPED.glob("*.toml"))]
    try:
        return (*shipped, *forms(warehouse).values())
    except QueryError:
        return tuple(shipped)


@lru_cache(maxsize=64)
def parse_form(name: str, text: str) -> Form:
    """Return the form of a TOML text. Raises QueryError naming the key that is wrong."""
    try:
        content = FormText.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as e:
        raise QueryError(f"{name}.toml: not TOML ({one_line(str(e))})") from e
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        said = one_line(first["msg"]).removeprefix("Value error, ")
        raise QueryError(f"{name}.toml: {where}: {said}") from e
    form = Form(name, content, text)
    ids = [question.id for question in form.questions]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise QueryError(f"{name}.toml: question {twice[0]!r} is there more than once")
    return form


def checked_form(name: str, text: str) -> Form:
    """Return the form of a TOML text that is to be used. Raises as `parse_form`, and naming a
    question that has the name of another field of the page.
    """
    form = parse_form(name, text)
    if taken := sorted(RESERVED & {question.id for question in form.questions}):
        raise QueryError(f"{name}.toml: the id {taken[0]!r} is reserved; choose another")
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


@dataclass(frozen=True)
class Evaluation:
    """A person's evaluation of a call with a form: its versions, and what became of it.

    `versions` are rows of `evaluations` with form, answers and score, newest first; `steps` are
    those of its dispute, oldest first.
    """

    versions: tuple[Row, ...]
    steps: tuple[Row, ...]

    @property
    def latest(self) -> Row:
        """Return the version that counts."""
        return self.versions[0]

    @property
    def final(self) -> Row:
        """Return the newest version that is no draft, which is what others see; a draft if none."""
        return next((row for row in self.versions if not row["is_draft"]), self.versions[0])

    @property
    def first_final(self) -> Row:
        """Return the oldest version that is no draft: what was said before anybody disputed it."""
        kept = [row for row in self.versions if not row["is_draft"]]
        return kept[-1] if kept else self.versions[-1]

    @property
    def status(self) -> str:
        """Return the last step of its dispute, else draft or final.

        An acknowledgement is of the version that was read, not of one that came after it.
        """
        status = self.final_status
        return "draft" if status == "final" and self.latest["is_draft"] else status

    @property
    def final_status(self) -> str:
        """Return the same of the newest version that is no draft, whatever draft came after it."""
        if self.steps:
            last = self.steps[-1]
            is_of_this = last["evaluation_id"] == self.final["evaluation_id"]
            if is_of_this or last["step"] in ANSWERED:
                return str(last["step"])
        return "final"

    def changed_since(self) -> sa.ColumnElement[bool]:
        """Return the condition that somebody answered, decided or scored it since it was read."""
        ids = [row["evaluation_id"] for row in self.versions]
        first = self.versions[-1]
        by_author = (evaluations.c.user_name == first["user_name"]) & (
            evaluations.c.calibration_id.is_not_distinct_from(first["calibration_id"])
        )
        return sa.or_(
            sa.exists().where(
                dispute_steps.c.evaluation_id.in_(ids),
                dispute_steps.c.step_id > max((step["step_id"] for step in self.steps), default=0),
            ),
            sa.exists().where(
                evaluations.c.landing_key == first["landing_key"],
                evaluations.c.form == first["form"],
                evaluations.c.evaluation_id > self.final["evaluation_id"],
                ~evaluations.c.is_draft,
                sa.or_(evaluations.c.replaces.in_(ids), by_author),
            ),
        )


def evaluations_of(visit: Visit, landing_keys: Collection[str]) -> list[Evaluation]:
    """Return the evaluations of calls by each person and form, newest first.

    Drafts are seen by their author alone, and scores of a calibration by everybody once it is
    closed; until then, who is yet to score a call for it sees nobody's scores of that call.
    """
    store = visit.site.store
    keys = sorted(set(landing_keys))
    query = sa.select(evaluations).where(evaluations.c.landing_key.in_(keys))
    rows = store.read(query.order_by(evaluations.c.evaluation_id.desc()))
    if not rows:
        return []
    blind, known = _blind_to(visit), known_forms(visit.site.warehouse.path)
    versions: dict[_Chain, list[Row]] = {}
    for row, chain in _chained(rows):
        own = chain.author == visit.user.name
        if not own and (row["is_draft"] or blind.hides(row)):
            continue
        opened = _opened(store, row)
        content = in_languages_of(opened["content"], known)
        opened |= {"content": content, "by": visit.name_of(row["user_name"])}
        versions.setdefault(chain, []).append(opened)
    query = sa.select(dispute_steps).where(dispute_steps.c.landing_key.in_(keys))
    steps = [_step(visit, row) for row in store.read(query.order_by(dispute_steps.c.step_id))]
    found = []
    for chain_rows in versions.values():
        ids = {row["evaluation_id"] for row in chain_rows}
        own_steps = tuple(step for step in steps if step["evaluation_id"] in ids)
        found.append(Evaluation(tuple(chain_rows), own_steps))
    return found


class _Chain(NamedTuple):
    """Which evaluation a version is of."""

    landing_key: str
    author: str
    form: str
    calibration_id: int | None


def _chained(rows: list[Row]) -> Iterator[tuple[Row, _Chain]]:
    """Yield versions, each with its evaluation: the author is whoever gave the first of them."""
    by_id = {row["evaluation_id"]: row for row in rows}
    for row in rows:
        first = row
        while first["replaces"] in by_id:
            first = by_id[first["replaces"]]
        yield (
            row,
            _Chain(row["landing_key"], first["user_name"], row["form"], row["calibration_id"]),
        )


@dataclass(frozen=True)
class _Blind:
    """Calibrations that are open to a person, and calls to score for them: hidden until then."""

    calibrations: frozenset[int]
    calls: frozenset[str]

    def hides(self, row: Row) -> bool:
        return row["calibration_id"] in self.calibrations or row["landing_key"] in self.calls


def _blind_to(visit: Visit) -> _Blind:
    store = visit.site.store
    query = sa.select(calibrations.c.calibration_id).where(calibrations.c.closed_at.is_(None))
    still_open = frozenset(row["calibration_id"] for row in store.read(query))
    mine = sa.select(assignments.c.landing_key).where(
        assignments.c.user_name == visit.user.name,
        assignments.c.calibration_id.in_(still_open),
        assignments.c.done_at.is_(None),
    )
    return _Blind(still_open, frozenset(row["landing_key"] for row in store.read(mine)))


def _step(visit: Visit, row: Row) -> Row:
    text = visit.site.store.unseal(row["text"])
    return row | {"text": text, "by": visit.name_of(row["user_name"])}


def answers_in(form: Form, fields: Mapping[str, str]) -> dict[str, str]:
    """Return the answers and notes of a form that was sent. Raises QueryError for no answer."""
    answers = {}
    for question in form.questions:
        allowed = ("", "yes", "no", *((NOT_APPLICABLE,) if question.may_not_apply else ()))
        answer = fields.get(question.id, "")
        if answer not in allowed:
            raise QueryError(f"{question.id}: answer {', '.join(allowed[1:])}")
        answers[question.id] = answer
        answers[f"{question.id}.note"] = fields.get(f"{question.id}.note", "")[:_LONGEST_NOTE]
        if answer and fields.get(f"{question.id}{BY}") == MACHINE:
            answers[f"{question.id}{BY}"] = MACHINE
    if why := fields.get(WHY, "").strip():
        answers[WHY] = why[:_LONGEST_NOTE]
    return answers


def require_complete(form: Form, answers: dict[str, str]) -> None:
    """Raise QueryError when a question has no answer."""
    if left := score(form, answers).open_questions:
        raise QueryError(f"questions without an answer: {left}; answer them, or save a draft")


def as_stored(visit: Visit, form: Form, answers: dict[str, str]) -> dict[str, Any]:
    """Return a form with its answers as columns of `evaluations`."""
    return {
        "at": now(),
        "form": form.name,
        "form_sha256": form.sha256,
        "form_text": form.text,
        "answers": visit.site.store.seal(json.dumps(answers)),
    }


def _opened(store: Store, row: Row) -> Row:
    """A stored evaluation with its form, answers and score."""
    form = parse_form(row["form"], row["form_text"])
    answers = json.loads(store.unseal(row["answers"]))
    return row | {"content": form, "answers": answers, "score": score(form, answers)}


# Rows of the warehouse: what others may see of evaluations lands beside the reviews.


def land_evaluations(site: Site, landing_keys: Collection[str] | None = None) -> None:
    """Land the evaluations of these calls, or of all: each final version at each of its statuses.

    Drafts stay here, and so do answers to a calibration until it is closed. What has landed is left
    as it is. Raises WarmlineError when the landing folder cannot be written.
    """
    rows = site.store.read(_open_to_all(landing_keys))
    if not rows:
        return
    folder = known_places(site.settings, None, site.warehouse.path).landing
    keys = {row["landing_key"] for row in rows}
    query = sa.select(dispute_steps).where(dispute_steps.c.landing_key.in_(keys))
    steps = site.store.read(query.order_by(dispute_steps.c.step_id))
    with site.reading() as reader:
        calls = reader.calls(keys)
    for row, chain in _chained(rows):
        if chain.landing_key not in calls:  # gone, or not published yet: the next start sees to it
            continue
        version = _as_landed(_opened(site.store, row), chain, calls[chain.landing_key]["call_id"])
        write_evaluation(version, folder)
        for step in steps:
            if step["evaluation_id"] == row["evaluation_id"]:
                noted = step["at"].replace(tzinfo=UTC)
                write_evaluation(replace(version, noted_at=noted, status=step["step"]), folder)


def land_or_say(site: Site, landing_keys: Collection[str]) -> None:
    """Land evaluations that have just been kept. Raises RefusedError saying that they are kept."""
    try:
        land_evaluations(site, landing_keys)
    except WarmlineError as e:
        raise RefusedError(
            500,
            f"kept, and not in the warehouse yet: {e}; the next start of `warmline serve` puts it "
            "there",
        ) from e


def _open_to_all(landing_keys: Collection[str] | None) -> sa.Select[Any]:
    """The query for final versions that everybody may see."""
    still_open = sa.select(calibrations.c.calibration_id).where(calibrations.c.closed_at.is_(None))
    query = sa.select(evaluations).where(
        ~evaluations.c.is_draft,
        sa.or_(
            evaluations.c.calibration_id.is_(None),
            evaluations.c.calibration_id.not_in(still_open),
        ),
    )
    if landing_keys is not None:
        query = query.where(evaluations.c.landing_key.in_(sorted(set(landing_keys))))
    return query.order_by(evaluations.c.evaluation_id)


def _as_landed(row: Row, chain: _Chain, call_id: str) -> LandedEvaluation:
    """A version as it lands; one that a lead gave in place of another is overturned by that."""
    form: Form = row["content"]
    given, scored = row["answers"], row["score"]
    at = row["at"].replace(tzinfo=UTC)
    answers = (
        EvaluationAnswer(
            section.title,
            question.id,
            question.text,
            "not_applicable" if given[question.id] == NOT_APPLICABLE else given[question.id],
            question.weight,
            question.is_critical,
            given.get(f"{question.id}.note") or None,
            given.get(f"{question.id}{BY}") == MACHINE,
        )
        for section in form.content.section
        for question in section.question
    )
    return LandedEvaluation(
        noted_at=at,
        evaluated_at=at,
        evaluator=chain.author,
        given_by=row["user_name"],
        given_call_id=call_id,
        landing_key=chain.landing_key,
        form=form.name,
        form_title=form.content.title,
        form_sha256=form.sha256,
        calibration_id=chain.calibration_id,
        status="final" if row["replaces"] is None else "overturned",
        score=scored.value,
        points=scored.earned,
        points_possible=scored.possible,
        answers=tuple(answers),
        correction_reason=given.get(WHY),
    )


def _read_form(path: Path) -> Form:
    """Return the form of a file. Raises FileNotFoundError, and QueryError for what it holds."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as e:
        raise QueryError(f"{path}: cannot be read ({one_line(str(e))})") from e
    return checked_form(path.stem, text)

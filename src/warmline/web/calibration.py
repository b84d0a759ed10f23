"""Calibration: several people score the same calls blind, and then see how far they agree.

Answers of others stay hidden until everybody has scored every call, or a lead closes the round.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from starlette.responses import Response

from warmline.annotation.agreement import (
    coefficient,
    gwet_ac1,
    krippendorff_alpha,
    share_alike,
)
from warmline.errors import QueryError
from warmline.statistics import Estimate, wilson
from warmline.web.accounts import Right
from warmline.web.filters import has_both
from warmline.web.scorecards import (
    Evaluation,
    Form,
    evaluations_of,
    forms,
    in_languages_of,
    known_forms,
    land_or_say,
    parse_form,
)
from warmline.web.site import FieldError, RefusedError, Visit
from warmline.web.store import assignments, calibrations, now
from warmline.web.warehouse import Reader, Row
from warmline.web.work import asked_title, assign, drawn_sample

_FEWEST_PEOPLE, _SEED = 2, 1
_NONE = "there is no such calibration, or it is not one of yours"
_AGAINST_MACHINE = """
SELECT
    subject, name, count(*) AS rows_reviewed, sum(reviews)::BIGINT AS reviews,
    count_if(verdict = 'right') AS agreed, count_if(verdict = 'disputed') AS disputed,
    (agreed + disputed / 2) / rows_reviewed AS agreement,
    wilson(agreed + disputed / 2, rows_reviewed) AS bounds
FROM review_parts WHERE subject <> 'cue' GROUP BY subject, name
ORDER BY subject = 'metric', name, subject DESC
"""
#: How many calls a round can be drawn from.
_ANALYZED = """
SELECT is_simulated, count(*) AS calls FROM calls WHERE status = 'analyzed' GROUP BY ALL
"""


@dataclass(frozen=True)
class Alike:
    """How far people agree on one question, or on all of them together."""

    text: str
    items: int
    same: Estimate | None
    ac1: Estimate | None
    alpha: Estimate | None


@dataclass(frozen=True)
class Round:
    """A calibration: its calls in order, its people by name, and who has scored what."""

    row: Row
    form: Form
    calls: list[Row]
    people: list[str]
    done: frozenset[tuple[str, str]]

    @property
    def is_closed(self) -> bool:
        """Return whether people see each other's answers."""
        return self.row["closed_at"] is not None


def show_calibrations(visit: Visit) -> Response:
    """Show the rounds that this person takes part in, all of them to a lead."""
    with visit.site.reading(reviews=True) as reader:
        rounds = [_round(visit, reader, row) for row in _rows(visit)]
        return visit.page(
            "calibrations.html",
            reader,
            rounds=[each for each in rounds if _may_see(visit, each)],
            forms=forms(visit.site.warehouse.path),
            against=against_machine(reader),
            analyzed={row["is_simulated"]: row["calls"] for row in reader.rows(_ANALYZED)},
            has_both=has_both(reader),
        )


def show_calibration(visit: Visit) -> Response:
    """Show who has scored what, and once it is closed what each said and how far they agree."""
    with visit.site.reading() as reader:
        found = _meant(visit, reader)
        scored = _scored(visit, found) if found.is_closed else {}
        return visit.page(
            "calibration.html",
            reader,
            round=found,
            names={name: visit.name_of(name) for name in found.people},
            scored=scored,
            alike=_alike(found, scored) if scored else [],
            mine=visit.user.name,
        )


def begin_calibration(visit: Visit) -> Response:
    """Draw calls, and ask people to score each of them with one form.

    Raises QueryError naming the field that is wrong.
    """
    title, name = asked_title(visit), visit.asked("form")
    known = forms(visit.site.warehouse.path)
    if name not in known:
        raise QueryError(f"form: one of {', '.join(known)}, not {name[:40]!r}")
    able = {user.name for user in visit.reviewers()}
    asked = [value for field, value in visit.form.items() if field.startswith("person.")]
    people = sorted({person for person in asked if person in able})
    if len(people) < _FEWEST_PEOPLE:
        raise FieldError("person.1", f"choose at least {_FEWEST_PEOPLE} people who may score calls")
    with visit.site.reading() as reader:
        sample = drawn_sample(visit, reader)
    store = visit.site.store
    values = {"at": now(), "user_name": visit.user.name, "title": store.seal(title)}
    number = store.add(calibrations, **values, form=name, form_text=known[name].text)
    for person in people:
        assign(visit, person, sample.landing_keys, sample.how, number)
    visit.note("began calibration", detail=f"{number}: {', '.join(people)}")
    return visit.back("/calibration", id=number)


def close_calibration(visit: Visit) -> Response:
    """Let everybody see what was said so far; calls that nobody scored are not asked for more."""
    with visit.site.reading() as reader:
        found = _meant(visit, reader)
    number = found.row["calibration_id"]
    waiting = (assignments.c.calibration_id == number) & assignments.c.done_at.is_(None)
    visit.site.store.write(
        calibrations.update()
        .where(calibrations.c.calibration_id == number, calibrations.c.closed_at.is_(None))
        .values(closed_at=now()),
        assignments.delete().where(waiting),
    )
    land_or_say(visit.site, [call["landing_key"] for call in found.calls])
    visit.note("closed calibration", detail=str(number))
    return visit.back("/calibration", id=number)


def against_machine(reader: Reader) -> list[Row]:
    """Return how often people who listened agree with the machine, with its 95 % interval.

    One row a measure, and two a kind of cue: whether it is that feeling, and what became of it.
    Rows on which they differ count as half.
    """
    return reader.rows(_AGAINST_MACHINE)


def _rows(visit: Visit) -> list[Row]:
    query = sa.select(calibrations).order_by(calibrations.c.calibration_id.desc())
    return visit.site.store.read(query)


def _meant(visit: Visit, reader: Reader) -> Round:
    """The calibration of the address. Raises RefusedError (404) for one that is not for them."""
    for row in _rows(visit):
        if str(row["calibration_id"]) == visit.asked("id"):
            found = _round(visit, reader, row)
            if _may_see(visit, found):
                return found
    raise RefusedError(404, _NONE)


def _may_see(visit: Visit, found: Round) -> bool:
    return visit.user.may(Right.LEAD) or visit.user.name in found.people


def _round(visit: Visit, reader: Reader, row: Row) -> Round:
    store = visit.site.store
    query = sa.select(assignments).where(assignments.c.calibration_id == row["calibration_id"])
    asked = store.read(query.order_by(assignments.c.assignment_id))
    calls = reader.calls([each["landing_key"] for each in asked])
    there = dict.fromkeys(each["landing_key"] for each in asked if each["landing_key"] in calls)
    done = ((a["landing_key"], a["user_name"]) for a in asked if a["done_at"] is not None)
    return Round(
        row | store.opened(row, "title"),
        in_languages_of(
            parse_form(row["form"], row["form_text"]),
            known_forms(visit.site.warehouse.path),
        ),
        [calls[key] for key in there],
        sorted({each["user_name"] for each in asked}),
        frozenset(done),
    )


def _scored(visit: Visit, found: Round) -> dict[tuple[str, str], Evaluation]:
    """Final evaluations of a round, by call and person."""
    number = found.row["calibration_id"]
    keys = [call["landing_key"] for call in found.calls]
    return {
        (each.latest["landing_key"], each.versions[-1]["user_name"]): each
        for each in evaluations_of(visit, keys)
        if each.latest["calibration_id"] == number and not each.final["is_draft"]
    }


def _alike(found: Round, scored: dict[tuple[str, str], Evaluation]) -> list[Alike]:
    """The agreement on each question, all questions together first."""
    rows, calls, of_question = [], [], []
    for question in found.form.questions:
        for call in found.calls:
            said = [scored.get((call["landing_key"], person)) for person in found.people]
            ratings = [_first_answer(each, question.id) for each in said]
            if sum(rating is not None for rating in ratings) >= _FEWEST_PEOPLE:
                rows.append(ratings)
                calls.append(call["landing_key"])
                of_question.append(question.id)
    shown = [_agreement("", rows, calls)]
    for question in found.form.questions:
        own = [i for i, name in enumerate(of_question) if name == question.id]
        shown.append(_agreement(question.text, [rows[i] for i in own], [calls[i] for i in own]))
    return shown


def _first_answer(found: Evaluation | None, question: str) -> str | None:
    """Return what a person said when blind: a version that a dispute brought is a lead's."""
    return None if found is None else found.first_final["answers"].get(question) or None


def _agreement(text: str, rows: Sequence[Sequence[str | None]], calls: Sequence[str]) -> Alike:
    weights = np.ones(len(rows))
    found = coefficient(share_alike, rows, weights, calls, _SEED)
    # Drawing calls anew knows no doubt where all agree: the share of so few calls has one.
    same = None if found is None else wilson(found.value * len(set(calls)), len(set(calls)))
    ac1, alpha = (
        coefficient(of, rows, weights, calls, _SEED) for of in (gwet_ac1, krippendorff_alpha)
    )
    return Alike(text, len(rows), same, ac1, alpha)

"""Scoring calls: by one person, beside what the machine found, or by several who do it blind.

What the machine found stands beside each question with its seconds, for the person who scores to
hear. What it speaks for is taken over when that person says so; a form with `prefill` opens with
what speaks for a yes taken over already. Either is kept as taken over.

In a calibration several people score the same calls, and then see how far they agree. Answers of
others stay hidden until everybody has scored every call, or a lead closes the round.
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
from warmline.web.call_routes import page_for
from warmline.web.drawing import cues_by_turn
from warmline.web.evidence import against_machine
from warmline.web.filters import has_both, list_asked
from warmline.web.found import (
    each_turn_once,
    expected,
    filled_in,
    findings,
    finds_of,
    heard_s,
    proposals,
    read_once,
    rests_on,
)
from warmline.web.scorecards import (
    ANSWERED,
    BY,
    CHANGED,
    MACHINE,
    WHY,
    Evaluation,
    Form,
    answers_in,
    as_stored,
    evaluations_of,
    forms,
    in_languages_of,
    known_forms,
    land_or_say,
    parse_form,
    score,
)
from warmline.web.site import FieldError, RefusedError, Visit
from warmline.web.sound import begin_sound, sound_link
from warmline.web.store import assignments, calibrations, evaluations, now
from warmline.web.warehouse import Reader, Row
from warmline.web.work import asked_title, assign, drawn_sample

_ANOTHER_ROUND = (
    "a calibration that asks for this call was begun or closed since the form was opened; open the "
    "form again: what it says now is kept apart from what was said blind"
)
_OWN_IN_CALIBRATION = "in a calibration, every answer is your own: nothing is taken over"


def show_form(visit: Visit) -> Response:
    """Show a form to fill in for a call, with what this person answered last."""
    return _form_page(visit, _asked_form(visit), None)


def _form_page(visit: Visit, form: Form, sent: dict[str, str] | None) -> Response:
    """Show a form; with answers that were `sent`, these, and which questions are open."""
    with visit.site.reading() as reader:
        call = visit.call(reader)
        page = page_for(visit, reader, call)
        calibration = _calibration_for(visit, call.landing_key, form.name)
        mine = [
            each
            for each in evaluations_of(visit, [call.landing_key])
            if each.versions[-1]["user_name"] == visit.user.name
            and each.latest["form"] == form.name
            and each.latest["calibration_id"] == calibration
        ]
        own = [each.latest for each in mine]
        no_sound = begin_sound(visit, reader, page.call)
        found = findings(page, form)
        answers = sent or (own[0]["answers"] if own else {})
        offered = {} if calibration else proposals(form, found)
        if form.content.prefill and sent is None:
            answers = filled_in(offered, found, answers)
        folded = [
            q.id
            for q in form.questions
            if form.content.prefill and q.id in offered and answers.get(f"{q.id}{BY}") == MACHINE
        ]
        visit.note("opened", call)
        shown = visit.page(
            "score.html",
            reader,
            form=form,
            page=page,
            call_id=call.call_id,
            no_sound=no_sound,
            sound=sound_link(visit, call),
            cues_by_turn=cues_by_turn(page),
            finds=finds_of(page),
            findings={name: read_once(each) for name, each in found.items()},
            rests={name: place for name in offered if (place := rests_on(found[name]))},
            expected={
                name: each_turn_once(places) for name, places in expected(page, form, found).items()
            },
            proposals=offered,
            folded=folded,
            forms=forms(visit.site.warehouse.path),
            heard_s=heard_s(found),
            answers=answers,
            scored=score(form, answers),
            missing=[q for q in form.questions if sent is not None and not sent[q.id]],
            last=own[0] if own else None,
            is_correction=any(not row["is_draft"] for each in mine for row in each.versions),
            calibration=calibration,
            from_list=list_asked(visit),
        )
    shown.status_code = 200 if sent is None else 422
    return shown


def save_form(visit: Visit) -> Response:
    """Keep the answers of a form, as a draft or as final; what was kept before stays, too."""
    form = _asked_form(visit)
    answers = answers_in(form, visit.form)
    is_draft = visit.form.get("save") != "final"
    if not is_draft and score(form, answers).open_questions:
        return _form_page(visit, form, answers)
    with visit.site.reading() as reader:
        call = visit.call(reader)
        calibration = _calibration_for(visit, call.landing_key, form.name)
        taken = [q.id for q in form.questions if f"{q.id}{BY}" in answers]
        if taken and calibration is not None:
            raise QueryError(_OWN_IN_CALIBRATION)
        spoken = proposals(form, findings(page_for(visit, reader, call), form)) if taken else {}
    for name in taken:
        if spoken.get(name) != answers[name]:  # another answer than what was found is the person's
            del answers[f"{name}{BY}"]
    if visit.form.get("calibration", str(calibration or "")) != str(calibration or ""):
        raise RefusedError(409, _ANOTHER_ROUND)
    closed = sa.exists().where(
        calibrations.c.calibration_id == calibration, calibrations.c.closed_at.is_not(None)
    )
    changed: list[sa.ColumnElement[bool]] = [closed]
    is_correction = False
    for found in evaluations_of(visit, [call.landing_key]):
        first = found.versions[-1]
        mine = (first["user_name"], first["form"]) == (visit.user.name, form.name)
        if mine and first["calibration_id"] == calibration:
            if found.status in ANSWERED:
                raise QueryError(
                    f"this evaluation was {found.status}: a lead decides what it says now"
                )
            is_correction = is_correction or not found.final["is_draft"]
            changed.append(found.changed_since())
    if not is_correction:
        answers.pop(WHY, None)
    elif not is_draft and WHY not in answers:
        raise FieldError(WHY, "say why you correct it: the agent will read it")
    values = {
        "landing_key": call.landing_key,
        "user_name": visit.user.name,
        "is_draft": is_draft,
        "calibration_id": calibration,
        **as_stored(visit, form, answers),
    }
    row = evaluations.insert().values(values)
    if not visit.site.store.write_unless(sa.select(sa.literal(1)).where(sa.or_(*changed)), row):
        raise RefusedError(409, CHANGED)
    landed = {call.landing_key}
    if not is_draft:
        landed |= _finish_assignment(visit, call.landing_key, calibration)
    visit.note("scored", call, detail=f"{form.name}{' (draft)' if is_draft else ''}")
    if not is_draft:
        land_or_say(visit.site, landed)
    from_list = {"list": asked} if (asked := list_asked(visit)) else {}
    if is_draft or calibration is not None:
        return visit.back("/call", id=call.call_id, **from_list)
    saved = next(
        found.latest
        for found in evaluations_of(visit, [call.landing_key])
        if (found.versions[-1]["user_name"], found.latest["form"]) == (visit.user.name, form.name)
        and found.latest["calibration_id"] is None
    )
    return visit.back("/evaluation", id=saved["evaluation_id"], **from_list)


def _finish_assignment(
    visit: Visit, landing_key: str, calibration_id: int | None
) -> frozenset[str]:
    """Note that a call was scored; a calibration in which nothing is left to score is closed.

    Returns the calls of a calibration that was closed by that.
    """
    store = visit.site.store
    same = assignments.c.calibration_id.is_not_distinct_from(calibration_id)
    mine = (assignments.c.landing_key == landing_key) & (assignments.c.user_name == visit.user.name)
    open_ones = mine & same & assignments.c.done_at.is_(None)
    store.write(assignments.update().where(open_ones).values(done_at=now()))
    if calibration_id is None:
        return frozenset()
    asked = store.read(sa.select(assignments).where(assignments.c.calibration_id == calibration_id))
    if any(row["done_at"] is None for row in asked):
        return frozenset()
    closed = calibrations.c.calibration_id == calibration_id
    still_open = calibrations.c.closed_at.is_(None)
    store.write(calibrations.update().where(closed & still_open).values(closed_at=now()))
    return frozenset(row["landing_key"] for row in asked)


def _calibration_for(visit: Visit, landing_key: str, form: str) -> int | None:
    """The open calibration for which this person is to score the call with the form."""
    query = (
        sa.select(calibrations.c.calibration_id)
        .join(assignments, assignments.c.calibration_id == calibrations.c.calibration_id)
        .where(
            calibrations.c.closed_at.is_(None),
            calibrations.c.form == form,
            assignments.c.user_name == visit.user.name,
            assignments.c.landing_key == landing_key,
        )
        .order_by(calibrations.c.calibration_id)
    )
    rows = visit.site.store.read(query)
    return rows[0]["calibration_id"] if rows else None


def _asked_form(visit: Visit) -> Form:
    visit.require(Right.REVIEW)
    known = forms(visit.site.warehouse.path)
    name = visit.asked("form") or next(iter(known))
    if name not in known:
        raise RefusedError(404, f"no form is called {name[:60]!r}; forms: {', '.join(known)}")
    return known[name]


# Calibration: rounds of calls, who has scored them, and how far people agree.

_FEWEST_PEOPLE, _SEED = 2, 1
_NO_SUCH_ROUND = "there is no such calibration, or it is not one of yours"
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
        rounds = [_round(visit, reader, row) for row in _stored_rounds(visit)]
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
        found = _asked_round(visit, reader)
        scored = _scored_in(visit, found) if found.is_closed else {}
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
        found = _asked_round(visit, reader)
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


def _stored_rounds(visit: Visit) -> list[Row]:
    query = sa.select(calibrations).order_by(calibrations.c.calibration_id.desc())
    return visit.site.store.read(query)


def _asked_round(visit: Visit, reader: Reader) -> Round:
    """The calibration of the address. Raises RefusedError (404) for one that is not for them."""
    for row in _stored_rounds(visit):
        if str(row["calibration_id"]) == visit.asked("id"):
            found = _round(visit, reader, row)
            if _may_see(visit, found):
                return found
    raise RefusedError(404, _NO_SUCH_ROUND)


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


def _scored_in(visit: Visit, found: Round) -> dict[tuple[str, str], Evaluation]:
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

"""Scoring a call: its form beside sound, words and what the machine found, and what is kept of it.

What the machine found stands beside each question with its seconds, for the person who scores to
hear. What it speaks for is taken over when that person says so; a form with `prefill` opens with
what speaks for a yes taken over already. Either is kept as taken over.
"""

import sqlalchemy as sa
from starlette.responses import Response

from warmline.errors import QueryError
from warmline.web.accounts import Right
from warmline.web.call_routes import page_for
from warmline.web.drawing import cues_by_turn
from warmline.web.filters import list_asked
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
    Form,
    answers_in,
    as_stored,
    evaluations_of,
    forms,
    land_or_say,
    score,
)
from warmline.web.site import FieldError, RefusedError, Visit
from warmline.web.sound import begin_sound, sound_link
from warmline.web.store import assignments, calibrations, evaluations, now

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

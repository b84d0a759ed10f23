"""What becomes of evaluations: who was evaluated answers, a lead decides, all of it is exported."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from warmline.errors import QueryError
from warmline.query.calls import NamedCall, find_call, page_of
from warmline.web.accounts import Right, Role
from warmline.web.filters import place_in_list
from warmline.web.scorecards import (
    ANSWERED,
    BY,
    CHANGED,
    MACHINE,
    NOT_APPLICABLE,
    WHY,
    Evaluation,
    Form,
    answers_in,
    as_stored,
    evaluations_of,
    forms,
    land_or_say,
    require_complete,
)
from warmline.web.scoring import behind, expected, findings, read_once
from warmline.web.site import FieldError, RefusedError, Table, Visit, table_file, workbook_file
from warmline.web.sound import silent_calls
from warmline.web.store import assignments, audit, dispute_steps, evaluations, now
from warmline.web.warehouse import Reader, Row

ACKNOWLEDGED, APPEALED, UPHELD, OVERTURNED = "acknowledged", "appealed", "upheld", "overturned"
STEPS = (ACKNOWLEDGED, APPEALED, UPHELD, OVERTURNED)
#: Which answers of the one who was evaluated may follow a status.
ANSWERS_AFTER = {"final": (ACKNOWLEDGED, APPEALED), ACKNOWLEDGED: (APPEALED,)}
_LONGEST_TEXT = 4000
_TOLD_WITHIN = timedelta(seconds=10)
_MOST_LAST = 10
_NONE = "there is no such evaluation, or it is not one that you may see"


def show_evaluation(visit: Visit) -> Response:
    """Show an evaluation with its answers, its versions, and what became of it."""
    with visit.site.reading() as reader:
        found, call = _meant(visit, reader)
        page = page_of(reader.cursor, call.call_id, with_profile=False)
        newest = found.final if found.steps else found.latest
        shown = _asked_version(visit, found) or newest
        form: Form = shown["content"]
        is_newest = shown is newest
        is_own = found.versions[-1]["user_name"] == visit.user.name
        found_in_it = findings(page, form)
        looked_for = expected(page, form, found_in_it)
        visit.note("opened evaluation", call, detail=str(shown["evaluation_id"]))
        return visit.page(
            "evaluation.html",
            reader,
            found=found,
            shown=shown,
            newest=newest,
            asked_id=int(visit.asked("id")),
            before=_version_before(found, shown),
            page=page,
            call_id=call.call_id,
            agent=visit.name_of(page.call["agent_id"]),
            form=form,
            answers=shown["answers"],
            findings={name: read_once(each) for name, each in found_in_it.items()},
            behind={
                q.id: behind(found_in_it, looked_for, q.id, shown["answers"].get(q.id))
                for q in form.questions
            },
            may_answer=_answers_now(visit, found, page.call["agent_id"]) if is_newest else (),
            may_decide=is_newest and visit.user.may(Right.LEAD) and found.status == APPEALED,
            is_own=is_own,
            silent=silent_calls(visit, reader, [call.call_id]),
            played_s=_played_s(visit, call.landing_key, shown),
            place=place_in_list(visit, reader, call.call_id) if is_own else None,
            next_call=_next_call(visit, reader, call) if is_own else None,
            other_leads=_other_leads(visit, found, page.call["agent_id"]),
            uncorrectable=_why_uncorrectable(visit, found),
        )


def _played_s(visit: Visit, landing_key: str, version: Row) -> float:
    """Return how many seconds of the call had been played to who scored it, by then.

    A browser tells what it has played when a page is left, which is when a score is saved.
    """
    played = sa.select(sa.func.sum(audit.c.seconds).label("played_s")).where(
        audit.c.landing_key == landing_key,
        audit.c.user_name == version["user_name"],
        audit.c.action == "played",
        audit.c.at < version["at"] + _TOLD_WITHIN,
    )
    (row,) = visit.site.store.read(played)
    return float(row["played_s"] or 0.0)


def answer_evaluation(visit: Visit) -> Response:
    """Acknowledge an evaluation, or appeal against it with the reason.

    Who was evaluated answers; a lead answers for somebody who has no login, in their own name.
    """
    step, text = visit.asked("step"), _said(visit)
    with visit.site.reading() as reader:
        found, call = _meant(visit, reader)
        agent = reader.calls([call.landing_key])[call.landing_key]["agent_id"]
    if _answers_in_person(visit, agent):
        raise QueryError(f"the agent, {agent}, has a login, and answers in person")
    if agent is None:
        raise QueryError("no agent is named for this call, so nobody can answer as one")
    if step not in _answers_now(visit, found, agent):
        raise QueryError(
            f"this evaluation is {found.status}; it cannot be {step[:40] or 'answered'} now"
        )
    if step == APPEALED and not text:
        raise FieldError("text", "say what is wrong with the evaluation; a lead will read it")
    return _step(visit, found, call, step, text)


def decide_dispute(visit: Visit) -> Response:
    """Uphold an evaluation, or overturn it with other answers, which are a version of their own."""
    step, text = visit.asked("step"), _said(visit)
    if step not in (UPHELD, OVERTURNED):
        raise QueryError(f"step: {UPHELD} or {OVERTURNED}, not {step[:40]!r}")
    if not text:
        raise FieldError("text", "say why; the agent and the reviewer will read it")
    with visit.site.reading() as reader:
        found, call = _meant(visit, reader)
        agent = reader.calls([call.landing_key])[call.landing_key]["agent_id"]
    if found.status != APPEALED:
        raise QueryError(f"this evaluation is {found.status}; nobody has appealed")
    if others := _other_leads(visit, found, agent):
        raise QueryError(
            "you scored this call, took it or appealed, so another lead decides: "
            f"{', '.join(others)}"
        )
    if step == UPHELD:
        return _step(visit, found, call, step, text)
    before = found.final
    form = before["content"]
    answers = answers_in(form, visit.form)
    require_complete(form, answers)
    if {q.id: answers[q.id] for q in form.questions} == {
        q.id: before["answers"].get(q.id) for q in form.questions
    }:
        raise QueryError("the answers are those of before; change one, or uphold the evaluation")
    version = {
        "landing_key": call.landing_key,
        "user_name": visit.user.name,
        "is_draft": False,
        "calibration_id": before["calibration_id"],
        "replaces": before["evaluation_id"],
        **as_stored(visit, form, answers),
    }
    return _step(visit, found, call, step, text, evaluations.insert().values(version))


def appeals(visit: Visit, reader: Reader) -> list[tuple[Evaluation, Row, list[str]]]:
    """Return the evaluations that somebody appealed and nobody decided, each with its call, and
    with who decides where this person may not.
    """
    appealed = sa.select(dispute_steps.c.landing_key).where(dispute_steps.c.step == APPEALED)
    keys = {row["landing_key"] for row in visit.site.store.read(appealed.distinct())}
    calls = reader.calls(keys)
    return [
        (found, call, _other_leads(visit, found, call["agent_id"]))
        for found in evaluations_of(visit, calls.keys())
        if found.status == APPEALED
        for call in [calls[found.latest["landing_key"]]]
    ]


def evaluations_of_agent(
    visit: Visit, reader: Reader, agent_id: str
) -> list[tuple[Evaluation, Row]]:
    """Return the final evaluations of an agent's calls, newest first, each with its call."""
    query = sa.select(evaluations.c.landing_key).where(~evaluations.c.is_draft).distinct()
    keys = {row["landing_key"] for row in visit.site.store.read(query)}
    calls = reader.calls(keys)
    own = {key: call for key, call in calls.items() if call["agent_id"] == agent_id}
    found = [each for each in evaluations_of(visit, own.keys()) if not each.final["is_draft"]]
    return [(each, own[each.latest["landing_key"]]) for each in found]


def own_drafts(visit: Visit, reader: Reader) -> list[tuple[Evaluation, Row]]:
    """Return the evaluations that this person began and has not finished, each with its call."""
    query = sa.select(evaluations.c.landing_key).where(
        evaluations.c.is_draft, evaluations.c.user_name == visit.user.name
    )
    keys = {row["landing_key"] for row in visit.site.store.read(query.distinct())}
    calls = reader.calls(keys)
    return [
        (found, calls[found.latest["landing_key"]])
        for found in evaluations_of(visit, calls.keys())
        if found.latest["is_draft"]
    ]


def last_scored(visit: Visit, reader: Reader) -> list[tuple[Evaluation, Row]]:
    """Return the evaluations that this person gave last, newest first, each with its call."""
    query = (
        sa.select(evaluations.c.landing_key)
        .where(~evaluations.c.is_draft, evaluations.c.user_name == visit.user.name)
        .group_by(evaluations.c.landing_key)
        .order_by(sa.func.max(evaluations.c.evaluation_id).desc())
        .limit(_MOST_LAST)
    )
    calls = reader.calls([row["landing_key"] for row in visit.site.store.read(query)])
    found = [
        (each, calls[each.latest["landing_key"]])
        for each in evaluations_of(visit, calls.keys())
        if each.versions[-1]["user_name"] == visit.user.name and not each.final["is_draft"]
    ]
    return found[:_MOST_LAST]


def export_scores(visit: Visit) -> Response:
    """Send all final evaluations: a workbook for people, or CSV with a row for each answer."""
    query = sa.select(evaluations.c.landing_key).where(~evaluations.c.is_draft).distinct()
    keys = {row["landing_key"] for row in visit.site.store.read(query)}
    with visit.site.reading() as reader:
        calls = reader.calls(keys)
    kept = [
        (found, row)
        for found in reversed(evaluations_of(visit, calls.keys()))
        for row in found.versions
        if not row["is_draft"]
    ]
    visit.note("exported", detail=f"evaluations, {len(kept)}")
    if visit.request.url.path.endswith(".xlsx"):
        return workbook_file(visit, "evaluations", _sheets(visit, kept, calls))
    rows = [
        line
        for found, row in kept
        for line in _exported_rows(found, row, calls[row["landing_key"]])
    ]
    return table_file(visit, "evaluations", COLUMNS, rows)


#: Columns of exported evaluations: a row for each answer, of every version.
COLUMNS = (
    *("evaluation_id", "call_id", "started_at", "agent_id", "evaluated_at", "evaluated_by"),
    *("form", "form_sha256", "score", "question", "answer", "is_taken_over", "weight"),
    *("is_critical", "note", "correction_reason"),
    *("status", "is_current", "replaces", "calibration_id"),
)
#: The same in a workbook: a row for each evaluation, with its score, and one for each answer.
SCORE_COLUMNS = (
    *("evaluation_id", "call_id", "started_at", "agent_id", "team", "queue", "form", "form_since"),
    *("score", "critical_failed", "evaluated_by", "evaluated_at", "answers", "taken_over"),
    *("status", "correction_reason", "replaces", "calibration_id"),
)
ANSWER_COLUMNS = (
    *("evaluation_id", "call_id", "form", "question", "answer", "is_taken_over", "weight"),
    *("is_critical", "note"),
)
#: What an answer is called.
ANSWER_WORDS = {"yes": "yes", "no": "no", NOT_APPLICABLE: "does not apply"}


def _sheets(
    visit: Visit, kept: Sequence[tuple[Evaluation, Row]], calls: dict[str, Row]
) -> list[Table]:
    """The sheets of a workbook: evaluations, their answers, and the versions that count no more."""
    since: dict[str, Any] = {}
    for _, row in kept:
        first = since.get(row["form_sha256"], row["at"])
        since[row["form_sha256"]] = min(first, row["at"])
    current: list[list[Any]] = []
    earlier: list[list[Any]] = []
    answers: list[list[Any]] = []
    said = visit.filters
    for found, row in kept:
        call, given, form = calls[row["landing_key"]], row["answers"], row["content"]
        title = said["titled"](form.content)
        taken = [given.get(f"{question.id}{BY}") == MACHINE for question in form.questions]
        line = [
            *(row["evaluation_id"], call["call_id"], call["started_at"], call["agent_id"]),
            *(call["team"], call["queue"], title, since[row["form_sha256"]].date()),
            *(row["score"].value, len(row["score"].failed), row["user_name"], row["at"]),
            *(len(taken), sum(taken), found.status if row is found.final else None),
            *(given.get(WHY), row["replaces"], row["calibration_id"]),
        ]
        if row is not found.final:
            earlier.append(line)
            continue
        current.append(line)
        answers += [
            [
                *(row["evaluation_id"], call["call_id"], title, said["asked"](question)),
                said["translated"](ANSWER_WORDS.get(given.get(question.id), "")),
                *(is_taken, question.weight, question.is_critical),
                given.get(f"{question.id}.note"),
            ]
            for question, is_taken in zip(form.questions, taken, strict=True)
        ]
    return [
        Table("Evaluations", SCORE_COLUMNS, current),
        Table("Answers", ANSWER_COLUMNS, answers),
        Table("Earlier versions", SCORE_COLUMNS, earlier),
    ]


def _exported_rows(found: Evaluation, row: Row, call: Row) -> list[list[Any]]:
    """A row for each question, told by its id."""
    form: Form = row["content"]
    return [
        [
            *(row["evaluation_id"], call["call_id"], call["started_at"], call["agent_id"]),
            *(row["at"], row["user_name"], row["form"], row["form_sha256"][:12]),
            *(row["score"].value, question.id, row["answers"].get(question.id)),
            *(row["answers"].get(f"{question.id}{BY}") == MACHINE, question.weight),
            *(question.is_critical, row["answers"].get(f"{question.id}.note")),
            row["answers"].get(WHY),
            *(found.status, row is found.final, row["replaces"], row["calibration_id"]),
        ]
        for question in form.questions
    ]


def _next_call(visit: Visit, reader: Reader, call: NamedCall) -> Row | None:
    """The call that waits for this person after this one, with why it does; to be scored with any
    form.
    """
    query = (
        sa.select(assignments.c.landing_key, assignments.c.why, assignments.c.by_name)
        .where(
            assignments.c.user_name == visit.user.name,
            assignments.c.done_at.is_(None),
            assignments.c.calibration_id.is_(None),
            assignments.c.landing_key != call.landing_key,
        )
        .order_by(assignments.c.assignment_id)
    )
    waiting = visit.site.store.read(query)
    calls = reader.calls([row["landing_key"] for row in waiting])
    return next(
        (
            row
            | {
                "call_id": calls[row["landing_key"]]["call_id"],
                "by_name": visit.name_of(row["by_name"]),
            }
            for row in waiting
            if row["landing_key"] in calls
        ),
        None,
    )


def _asked_version(visit: Visit, found: Evaluation) -> Row | None:
    """The version that the address asks to see; None where it asks for the evaluation as it is."""
    asked = visit.asked("version")
    return next((row for row in found.versions if str(row["evaluation_id"]) == asked), None)


def _version_before(found: Evaluation, shown: Row) -> Row | None:
    """The version that another one was given in place of."""
    place = [row["evaluation_id"] for row in found.versions].index(shown["evaluation_id"])
    return next(iter(found.versions[place + 1 :]), None)


def _other_leads(visit: Visit, found: Evaluation, agent: str | None) -> list[str]:
    """Return who decides in the place of a party to the appeal; nobody where they may themselves.

    A lead who is none decides. Where there is none, one who did not appeal does: the appeal is not
    decided by whoever made it as long as there is another lead.
    """
    leads = [user for user in visit.site.accounts.all_users() if user.may(Right.LEAD)]
    appealed = {step["user_name"] for step in found.steps if step["step"] == APPEALED}
    appealed |= {user.name for user in leads if agent is not None and user.agent_id == agent}
    others = [user.name for user in leads if user.name not in appealed]
    neutral = [name for name in others if name != found.versions[-1]["user_name"]]
    deciding = neutral or others
    return [] if visit.user.name in deciding else deciding


def _why_uncorrectable(visit: Visit, found: Evaluation) -> str | None:
    """Why its author may change an evaluation no more; None while that is possible."""
    latest = found.latest
    if found.status == APPEALED and found.steps[-1]["user_name"] == visit.user.name:
        return "You appealed, so a lead decides what it says; you cannot correct it any more."
    if found.status == APPEALED:
        return "Somebody appealed, so a lead decides what it says; you cannot correct it any more."
    if found.status in ANSWERED:
        return "A lead has decided, so these answers stay."
    if latest["calibration_id"] is not None:
        return "What was said blind, for a calibration, stays as it was said."
    if latest["form"] not in forms(visit.site.warehouse.path):
        return "The form is not in use any more, so these answers stay."
    return None


def _answers_now(visit: Visit, found: Evaluation, agent: str | None) -> tuple[str, ...]:
    """Return what this person may answer now."""
    if agent is None or not visit.user.may(Right.APPEAL) or _answers_in_person(visit, agent):
        return ()
    return ANSWERS_AFTER.get(found.status, ())


def _answers_in_person(visit: Visit, agent: str | None) -> bool:
    """Tell whether the agent can log in, so that nobody else takes the appeal from them."""
    if visit.user.role is Role.AGENT or agent is None:
        return False
    users = visit.site.accounts.all_users()
    return any(user.role is Role.AGENT and user.agent_id == agent for user in users)


def _meant(visit: Visit, reader: Reader) -> tuple[Evaluation, NamedCall]:
    """The evaluation of the address. Raises RefusedError (404) for one that is not for this user.

    Any version of it may be named.
    """
    visit.require(Right.NAMES)
    number = visit.asked("id")
    if not (number.isdecimal() and len(number) < 18):
        raise RefusedError(404, _NONE)
    query = sa.select(evaluations.c.landing_key).where(evaluations.c.evaluation_id == int(number))
    keys = [row["landing_key"] for row in visit.site.store.read(query)]
    calls = reader.calls(keys)
    if not calls:
        raise RefusedError(404, _NONE)
    call = find_call(reader.cursor, calls[keys[0]]["call_id"])
    if not visit.may_see(reader, call):
        raise RefusedError(404, _NONE)
    for found in evaluations_of(visit, keys):
        if any(row["evaluation_id"] == int(number) for row in found.versions):
            if visit.user.role is Role.AGENT and found.latest["is_draft"]:
                break
            return found, call
    raise RefusedError(404, _NONE)


def _said(visit: Visit) -> str:
    text = visit.asked("text")
    if len(text) > _LONGEST_TEXT:
        raise FieldError("text", f"at most {_LONGEST_TEXT} characters")
    return text


def _step(
    visit: Visit, found: Evaluation, call: NamedCall, step: str, text: str, *also: sa.Insert
) -> Response:
    if visit.asked("id") != str(found.final["evaluation_id"]):
        raise RefusedError(409, CHANGED)
    row = {
        "evaluation_id": found.final["evaluation_id"],
        "landing_key": call.landing_key,
        "at": now(),
        "user_name": visit.user.name,
        "step": step,
        "text": visit.site.store.seal(text),
    }
    changed = sa.select(sa.literal(1)).where(found.changed_since())
    if not visit.site.store.write_unless(changed, *also, dispute_steps.insert().values(row)):
        raise RefusedError(409, CHANGED)
    visit.note(step, call, detail=f"evaluation {row['evaluation_id']}")
    land_or_say(visit.site, [call.landing_key])
    return visit.back("/evaluation", id=row["evaluation_id"])

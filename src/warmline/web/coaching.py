"""Coaching of an agent: notes, goals with a day and what became of them, and recognition.

Leads write it, and the agent reads it: nothing is kept of an agent that the agent does not see.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa
from starlette.responses import Response

from warmline.errors import QueryError
from warmline.web.accounts import Right
from warmline.web.call_view import seconds
from warmline.web.site import RefusedError, Visit
from warmline.web.store import coaching, now
from warmline.web.warehouse import Reader, Row

NOTE, RECOGNITION, GOAL = "note", "recognition", "goal"
KINDS = (NOTE, RECOGNITION, GOAL)
REACHED, PARTLY, NOT_REACHED = "reached", "partly_reached", "not_reached"
OUTCOMES = (REACHED, PARTLY, NOT_REACHED)
_LONGEST_TEXT = 4000


@dataclass(frozen=True)
class Goal:
    """A goal, and the row that says what became of it; None while it is open."""

    row: Row
    outcome: Row | None

    @property
    def is_overdue(self) -> bool:
        """Return whether its day has passed and nobody has said what became of it."""
        due = self.row["due"]
        return self.outcome is None and due is not None and due < datetime.now(UTC).date()


@dataclass(frozen=True)
class Coaching:
    """All that was written to an agent: open goals first, all else newest first."""

    goals: tuple[Goal, ...]
    notes: tuple[Row, ...]
    recognitions: tuple[Row, ...]


def agent_meant(visit: Visit, reader: Reader, asked: str) -> str:
    """Return the agent of a name. Raises RefusedError (404) for one that is not for this user."""
    if not visit.user.may(Right.ALL_CALLS) and asked != visit.user.agent_id:
        raise RefusedError(404, "there is no such agent, or it is not you")
    for agent in reader.agents():
        if visit.name_of(agent) == asked:
            return agent
    raise RefusedError(404, f"no calls of an agent called {asked[:60]!r}")


def may_read_coaching(visit: Visit, agent_id: str) -> bool:
    """Return whether this user reads what was written to an agent: leads, and the agent."""
    return visit.user.may(Right.LEAD) or (
        visit.user.agent_id is not None and visit.user.agent_id == agent_id
    )


def coaching_of(visit: Visit, reader: Reader, agent_id: str) -> Coaching | None:
    """Return what was written to an agent; None where it is not for this user."""
    if not may_read_coaching(visit, agent_id):
        return None
    query = sa.select(coaching).where(coaching.c.agent_id == agent_id)
    found = visit.site.store.read(query.order_by(coaching.c.coaching_id.desc()))
    calls = reader.calls([row["landing_key"] for row in found if row["landing_key"]])
    rows = [
        row
        | visit.site.store.opened(row, "text")
        | {"call_id": calls.get(row["landing_key"], {}).get("call_id")}
        for row in found
    ]
    outcomes = {row["about"]: row for row in reversed(rows) if row["about"] is not None}
    goals = [Goal(row, outcomes.get(row["coaching_id"])) for row in rows if row["kind"] == GOAL]
    goals.sort(key=lambda goal: (goal.outcome is not None, goal.row["due"] or date.max))
    return Coaching(tuple(goals), _of_kind(rows, NOTE), _of_kind(rows, RECOGNITION))


def add_coaching(visit: Visit) -> Response:
    """Write a note, a goal or a recognition to an agent, with a moment of a call if one is named.

    Raises QueryError naming the field that is wrong.
    """
    kind, text = visit.asked("kind"), _text(visit)
    if kind not in KINDS:
        raise QueryError(f"kind: one of {', '.join(KINDS)}, not {kind[:40]!r}")
    due = _day(visit) if kind == GOAL else None
    with visit.site.reading() as reader:
        agent = agent_meant(visit, reader, visit.asked("id"))
        landing_key, start_s = _moment(visit, reader, agent)
    values = {"agent_id": agent, "at": now(), "user_name": visit.user.name, "kind": kind}
    more = {"due": due, "landing_key": landing_key, "start_s": start_s}
    sealed = visit.site.store.seal(text)
    visit.site.store.write(coaching.insert().values(**values, **more, text=sealed))
    visit.note("coached", detail=f"{kind} for {agent}")
    return visit.back("/agent", id=visit.asked("id"))


def end_goal(visit: Visit) -> Response:
    """Say what became of a goal. Raises QueryError when that was said before."""
    outcome, number = visit.asked("outcome"), visit.asked("goal")
    if outcome not in OUTCOMES:
        raise QueryError(f"outcome: one of {', '.join(OUTCOMES)}, not {outcome[:40]!r}")
    store = visit.site.store
    if not (number.isdecimal() and len(number) < 18):
        raise RefusedError(404, "there is no such goal")
    found = store.read(
        sa.select(coaching).where(coaching.c.coaching_id == int(number), coaching.c.kind == GOAL)
    )
    if not found:
        raise RefusedError(404, "there is no such goal")
    goal = found[0]
    values = {"agent_id": goal["agent_id"], "at": now(), "user_name": visit.user.name}
    more = {"about": int(number), "landing_key": goal["landing_key"], "start_s": goal["start_s"]}
    sealed = store.seal(visit.asked("text")[:_LONGEST_TEXT])
    said = sa.select(coaching.c.coaching_id).where(coaching.c.about == int(number))
    row = coaching.insert().values(**values, **more, kind=outcome, text=sealed)
    if not store.write_unless(said, row):
        raise QueryError("goal: what became of it was said already")
    visit.note("coached", detail=f"goal of {goal['agent_id']}: {outcome}")
    return visit.back("/agent", id=visit.name_of(goal["agent_id"]))


def _of_kind(rows: Sequence[Row], kind: str) -> tuple[Row, ...]:
    return tuple(row for row in rows if row["kind"] == kind)


def _text(visit: Visit) -> str:
    text = visit.asked("text")
    if not text or len(text) > _LONGEST_TEXT:
        raise QueryError(f"text: say something in at most {_LONGEST_TEXT} characters")
    return text


def _day(visit: Visit) -> date:
    try:
        return date.fromisoformat(visit.asked("due"))
    except ValueError:
        raise QueryError("due: a goal has a day, written 2026-12-24") from None


def _moment(visit: Visit, reader: Reader, agent: str) -> tuple[str | None, float | None]:
    """The moment of a call that the words are about; it is one of this agent's."""
    call_id = visit.asked("call")
    if not call_id:
        return None, None
    rows = reader.rows(
        "SELECT landing_key, duration_s FROM calls WHERE call_id = $id AND agent_id = $agent",
        {"id": call_id, "agent": agent},
    )
    if not rows:
        raise QueryError(f"call: {call_id[:60]} is none of this agent's calls")
    at = visit.asked("at")
    start_s = seconds(at, "at") if at else 0.0
    if rows[0]["duration_s"] is not None and start_s > rows[0]["duration_s"]:
        raise QueryError(f"at: the call has {rows[0]['duration_s']:.1f} s")
    return str(rows[0]["landing_key"]), start_s

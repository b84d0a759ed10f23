"""The pages of agents and teams: rates with their intervals, moments to hear, and no ranking."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from starlette.responses import Response

from warmline.errors import QueryError
from warmline.settings import Settings
from warmline.web.accounts import Right
from warmline.web.disputes import evaluations_of_agent
from warmline.web.drawing import Interval, change, interval, interval_on, trend
from warmline.web.evidence import (
    ANSWERED,
    against_machine,
    corrected_rows,
    corrections,
    missed_feelings,
    verdicts,
    with_moments,
)
from warmline.web.site import FieldError, RefusedError, Visit, seconds
from warmline.web.sound import silent_calls
from warmline.web.store import coaching, now
from warmline.web.warehouse import NOT_VALIDATED, Condition, Reader, Row, rows_for

_AGENTS = """
SELECT
    agent_id, mode(team ORDER BY team) AS team, is_simulated, sum(calls)::BIGINT AS calls,
    sum(ledger_calls)::BIGINT AS ledger_calls, sum(opportunities) AS found,
    sum(answerable) AS answerable, sum(answered) AS answered,
    sum(answered) / nullif(sum(answerable), 0) AS answered_rate,
    wilson(
        sum(answered) / max(design_effect), sum(answerable) / max(design_effect)
    ) AS answered_interval
FROM {agent_week}
WHERE ($team IS NULL OR team = $team)
GROUP BY agent_id, is_simulated
ORDER BY agent_id, is_simulated
"""
#: Calls in which several agents speak: whose the feelings of these are is not known.
_SHARED = """
SELECT agent_id, is_simulated, count(*) AS calls FROM calls
WHERE agents > 1 AND status = 'analyzed' AND agent_id IS NOT NULL
GROUP BY agent_id, is_simulated
"""
#: Calls whose cues are an agent's own: of several agents the metadata names one, and not which.
_OWN_CALLS = "calls.agent_id = $agent AND calls.agents = 1"
_WEEKS = "SELECT * FROM {agent_week} WHERE agent_id = $agent ORDER BY week DESC NULLS LAST"
_PROFILE = "SELECT * FROM {agent_profile} WHERE agent_id = $agent ORDER BY component, is_simulated"
_SHOWN_RESCORINGS = 5
_RESCORINGS = "SELECT * FROM rescorings ORDER BY run_id DESC, stage, calls_changed DESC, name"
_TEAM_WEEKS = "SELECT * FROM {team_week} WHERE team = $team ORDER BY week DESC NULLS LAST"
#: The same of a team so small that `team_week` keeps its figures back, for who may see each agent.
_FEW_AGENTS_WEEKS = """
WITH grouped AS (
    SELECT
        date_trunc('week', started_at)::DATE AS week, is_simulated,
        count(DISTINCT agent_id) AS agents, week_sums(calls) AS sums
    FROM call_summary AS calls
    WHERE status = 'analyzed' AND team = $team
    GROUP BY 1, 2
),
weekly AS (SELECT * EXCLUDE (sums), unnest(sums) FROM grouped),
alike AS (
    SELECT is_simulated, design_effect_of(scatter, by_chance, answerable) AS design_effect
    FROM weekly GROUP BY is_simulated
)
SELECT
    *, wilson(answered / design_effect, answerable / design_effect).low AS answered_low,
    wilson(answered / design_effect, answerable / design_effect).high AS answered_high
FROM weekly INNER JOIN alike USING (is_simulated) ORDER BY week DESC NULLS LAST
"""
_TEAMS = """
SELECT team, is_simulated, sum(calls)::BIGINT AS calls, max(agents) AS agents
FROM {team_week} GROUP BY team, is_simulated ORDER BY team, is_simulated
"""
_MOMENTS = """
SELECT
    calls.call_id, calls.call_no, calls.started_at, o.opportunity_index, o.turn_index, o.kind,
    o.start_s, o.end_s, o.text, o.answer, o.answered, o.answer_start_s, o.answer_turn_index,
    o.answer_text
FROM (
    SELECT o.call_no, o.opportunity_index
    FROM facts.opportunities AS o
    INNER JOIN calls ON calls.call_no = o.call_no
    WHERE calls.agent_id = $agent AND calls.agents = 1
        AND calls.is_simulated = $is_simulated AND {which}
    ORDER BY calls.started_at DESC NULLS LAST, {order}, o.start_s LIMIT 8
) AS picked
INNER JOIN calls ON calls.call_no = picked.call_no
INNER JOIN facts.opportunities AS o
    ON o.call_no = picked.call_no AND o.opportunity_index = picked.opportunity_index
ORDER BY calls.started_at DESC NULLS LAST, {order}, o.start_s
"""
#: A setting that a definition speaks of, such as `empathy.answer_within_turns`.
_SETTING = re.compile(r"\b([a-z]+)\.([a-z]+_[a-z_]+)\b")
#: The week of a call, as the tables of weeks have it.
_WEEK = "date_trunc('week', calls.started_at)::DATE"
_SCALE = (20.0, 80.0)


def show_people(visit: Visit) -> Response:
    """Show teams, and all agents in order of name: rates with intervals are no ranking."""
    if not visit.user.may(Right.ALL_CALLS):
        return visit.back("/agent", id=visit.user.agent_id or "")
    with visit.site.reading(reviews=True) as reader:
        agents = _agents(reader, None)
        return visit.page(
            "people.html",
            reader,
            is_validated=reader.is_validated(ANSWERED),
            teams=reader.rows(_TEAMS.format(team_week=reader.kept("team_week"))),
            agents=_with_intervals(visit, agents),
        )


def show_agent(visit: Visit) -> Response:
    """Show an agent's weeks, profile and moments; an agent sees nobody else's."""
    with visit.site.reading(reviews=True) as reader:
        agent = agent_meant(visit, reader, visit.asked("id"))
        weeks = reader.rows(_WEEKS.format(agent_week=reader.kept("agent_week")), {"agent": agent})
        profile = reader.rows(
            _PROFILE.format(agent_profile=reader.kept("agent_profile")), {"agent": agent}
        )
        visit.note("opened agent", detail=agent)
        is_simulated = _shows_simulated(visit, weeks)
        has_both = len({row["is_simulated"] for row in weeks}) == 2
        weeks = [row for row in weeks if row["is_simulated"] == is_simulated]
        profile = [row for row in profile if row["is_simulated"] == is_simulated]
        these = {"agent": agent, "is_simulated": is_simulated}
        own = Condition(f"{_OWN_CALLS} AND calls.is_simulated = $is_simulated", these)
        weeks = corrected_rows(weeks, corrections(reader, _WEEK, own), "week")
        recognised = _moments(reader, these, "o.answered AND o.level = 2", "o.level DESC")
        unanswered = _moments(reader, these, "NOT o.answered", "o.strength DESC")
        coached = coaching_of(visit, reader, agent)
        heard = {row["call_id"] for row in (*recognised, *unanswered)}
        return visit.page(
            "agent.html",
            reader,
            silent=silent_calls(visit, reader, heard | (coached.call_ids if coached else set())),
            name=visit.name_of(agent),
            is_validated=reader.is_validated(ANSWERED),
            is_simulated=is_simulated,
            has_both=has_both,
            weeks=weeks,
            shared=_shared(reader).get((agent, is_simulated), 0),
            trend=trend(weeks),
            change=change(weeks),
            corrected=_corrected(weeks, corrections(reader, "agent_id", own), agent),
            missed=sum(missed_feelings(visit, reader, own).values()),
            verdicts=verdicts(visit, reader, recognised + unanswered),
            coaching=coached,
            outcomes=OUTCOMES,
            evaluated=evaluations_of_agent(visit, reader, agent)
            if may_read_coaching(visit, agent)
            else [],
            profile=[(row, _profile_interval(row)) for row in profile],
            recognised=recognised,
            unanswered=unanswered,
        )


def show_team(visit: Visit) -> Response:
    """Show a team's weeks, and its agents in order of name."""
    visit.require(Right.ALL_CALLS)
    team = visit.asked("id")
    with visit.site.reading(reviews=True) as reader:
        sql = _TEAM_WEEKS.format(team_week=reader.kept("team_week"))
        weeks = reader.rows(sql, {"team": team})
        if not weeks:
            raise RefusedError(404, f"no team is called {team[:60]!r}")
        is_few = any(row["is_suppressed"] for row in weeks)
        if is_few and visit.user.may(Right.NAMES):
            weeks = reader.rows(_FEW_AGENTS_WEEKS, {"team": team})
        is_simulated = _shows_simulated(visit, weeks)
        has_both = len({row["is_simulated"] for row in weeks}) == 2
        weeks = [row for row in weeks if row["is_simulated"] == is_simulated]
        these = {"team": team, "is_simulated": is_simulated}
        own = Condition("calls.team = $team AND calls.is_simulated = $is_simulated", these)
        weeks = corrected_rows(weeks, corrections(reader, _WEEK, own), "week")
        agents = [row for row in _agents(reader, team) if row["is_simulated"] == is_simulated]
        return visit.page(
            "team.html",
            reader,
            team=team,
            is_validated=reader.is_validated(ANSWERED),
            is_simulated=is_simulated,
            has_both=has_both,
            is_few=is_few,
            weeks=weeks,
            missed=sum(missed_feelings(visit, reader, own).values()),
            trend=trend(weeks),
            change=change(weeks),
            agents=_with_intervals(visit, agents),
            smallest=reader.value(
                "SELECT max(value) FROM profile_settings WHERE name = 'smallest_group'"
            ),
        )


def show_measures(visit: Visit) -> Response:
    """Show what each number means, where it comes from, and what it was validated against."""
    with visit.site.reading(reviews=True) as reader:
        heard = {row["name"]: row for row in against_machine(reader)}
        rows = reader.rows("SELECT * FROM metric_definitions WHERE is_current ORDER BY name")
        shown = [
            row
            | {"definition": _with_values(row["definition"], visit.site.settings)}
            | {"is_validated": not NOT_VALIDATED.match(row["validated"])}
            | {"validation": NOT_VALIDATED.sub("", row["validated"])}
            for row in rows
        ]
        again = _rescorings(visit, reader)
        return visit.page("measures.html", reader, rows=shown, heard=heard, rescorings=again)


def _rescorings(visit: Visit, reader: Reader) -> list[Row]:
    """Return what analyzing calls again changed lately, by publishing and stage.

    Nothing is returned to a user who may see only their own calls.
    """
    if not visit.user.may(Right.ALL_CALLS):
        return []
    names_calls = visit.user.may(Right.NAMES)
    found: dict[tuple[int, str], Row] = {}
    for row in reader.rows(_RESCORINGS):
        again = found.setdefault(
            (row["run_id"], row["stage"]), row | {"calls": row["calls_rescored"], "changes": []}
        )
        if row["name"]:
            call = row["most_changed_call_id"] if names_calls else None
            again["changes"].append(row | {"call": call})
    return list(found.values())[:_SHOWN_RESCORINGS]


def _with_values(definition: str, settings: Settings) -> str:
    """A definition with the values of the settings that it speaks of in place of their names."""

    def value(found: re.Match[str]) -> str:
        return str(getattr(getattr(settings, found[1], None), found[2], found[0]))

    return _SETTING.sub(value, definition)


def _agents(reader: Reader, team: str | None) -> list[Row]:
    """Agents with what review changed of their answered rate."""
    sql = _AGENTS.format(agent_week=reader.kept("agent_week"))
    kind = "calls.agent_id || CASE WHEN calls.is_simulated THEN '|simulated' ELSE '|real' END"
    changed = corrections(reader, kind, Condition("calls.agents = 1", {}))
    shared = _shared(reader)
    rows = [
        row
        | {"kind": f"{row['agent_id']}|{'simulated' if row['is_simulated'] else 'real'}"}
        | {"shared": shared.get((row["agent_id"], row["is_simulated"]), 0)}
        for row in reader.rows(sql, {"team": team})
    ]
    return corrected_rows(rows, changed, "kind")


def _shared(reader: Reader) -> dict[tuple[str, bool], int]:
    """Count each agent's calls, real or simulated, that have other agents in them."""
    rows = reader.rows(f"SELECT * FROM {reader.kept('shared_calls', _SHARED)}")
    return {(row["agent_id"], row["is_simulated"]): row["calls"] for row in rows}


def _corrected(rows: list[Row], changed: dict[str, Row], name: str) -> Row | None:
    """Return the sums of answered and answerable cues after review; None where nothing changed."""
    if name not in changed:
        return None
    change = changed[name]
    return {
        part: sum(row[part] or 0 for row in rows) + change[part]
        for part in ("answered", "answerable")
    } | {"changed": change["changed"]}


def _with_intervals(visit: Visit, agents: list[Row]) -> list[tuple[Row, Interval | None]]:
    shown = []
    for row in rows_for(visit, agents):
        bounds = row["answered_interval"]
        drawn = None
        if bounds is not None:
            low, rate, high = bounds["low"], row["answered_rate"], bounds["high"]
            text = f"{rate:.0%}, {low:.0%} to {high:.0%}"
            drawn = interval(str(row["agent_id"]), low, rate, high, text)
        shown.append((row, drawn))
    return sorted(shown, key=lambda pair: str(pair[0]["agent_id"]))


def _profile_interval(row: Row) -> Interval | None:
    if row["score"] is None or row["score_low"] is None:
        return None
    low, score, high = row["score_low"], row["score"], row["score_high"]
    text = f"{score:.0f}, {low:.0f} to {high:.0f}"
    return interval_on(row["component"], _SCALE, low, score, high, text)


def _moments(reader: Reader, values: dict[str, Any], which: str, order: str) -> list[Row]:
    return with_moments(reader, reader.rows(_MOMENTS.format(which=which, order=order), values))


def _shows_simulated(visit: Visit, rows: list[Row]) -> bool:
    """Return whether simulated calls are shown: when they are asked for, or there are no others."""
    return visit.asked("simulated") == "1" or all(row["is_simulated"] for row in rows)


# Coaching: notes, goals and recognition of an agent.

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

    @property
    def call_ids(self) -> set[str]:
        """Return the calls of which a moment is named."""
        rows = (*(goal.row for goal in self.goals), *self.notes, *self.recognitions)
        return {row["call_id"] for row in rows if row["call_id"]}


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
    kind, text = visit.asked("kind"), visit.written(_LONGEST_TEXT)
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
    return visit.back("/agent", id=visit.asked("id"), **_same_calls(visit))


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
        raise FieldError("goal", "what became of it was said already")
    visit.note("coached", detail=f"goal of {goal['agent_id']}: {outcome}")
    return visit.back("/agent", id=visit.name_of(goal["agent_id"]), **_same_calls(visit))


def _same_calls(visit: Visit) -> dict[str, str]:
    """Return the part of an address by which simulated calls stay shown after their form."""
    return {"simulated": "1"} if visit.asked("simulated") == "1" else {}


def _of_kind(rows: Sequence[Row], kind: str) -> tuple[Row, ...]:
    return tuple(row for row in rows if row["kind"] == kind)


def _day(visit: Visit) -> date:
    try:
        due = date.fromisoformat(visit.asked("due"))
    except ValueError:
        raise FieldError("due", "a goal needs a day by which it is due") from None
    if due < now().date() - timedelta(days=1):  # it may still be yesterday elsewhere
        raise FieldError("due", f"{due} is over; a goal needs a day that is still to come")
    return due


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
        raise FieldError("call", f"{call_id[:60]} is none of this agent's calls")
    at = visit.asked("at")
    start_s = seconds(at, "at") if at else 0.0
    if rows[0]["duration_s"] is not None and start_s > rows[0]["duration_s"]:
        raise FieldError("at", f"the call has {rows[0]['duration_s']:.1f} s")
    return str(rows[0]["landing_key"]), start_s

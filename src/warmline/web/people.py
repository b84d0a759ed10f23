"""The pages of agents and teams: rates with their intervals, moments to hear, and no ranking."""

import re

from starlette.responses import Response

from warmline.web.accounts import Right
from warmline.web.drawing import Interval, interval, interval_on, trend
from warmline.web.site import RefusedError, Visit, rows_for
from warmline.web.warehouse import Reader, Row

_AGENTS = """
SELECT
    agent_id, mode(team) AS team, is_simulated, sum(calls)::BIGINT AS calls,
    sum(answerable) AS answerable, sum(answered) AS answered,
    sum(answered) / nullif(sum(answerable), 0) AS answered_rate,
    wilson(
        sum(answered) / max(design_effect), sum(answerable) / max(design_effect)
    ) AS answered_interval
FROM agent_week
WHERE ($team IS NULL OR team = $team)
GROUP BY agent_id, is_simulated
ORDER BY agent_id, is_simulated
"""
_WEEKS = "SELECT * FROM agent_week WHERE agent_id = $agent ORDER BY week DESC NULLS LAST"
_PROFILE = "SELECT * FROM agent_profile WHERE agent_id = $agent ORDER BY component, is_simulated"
_TEAM_WEEKS = "SELECT * FROM team_week WHERE team = $team ORDER BY week DESC NULLS LAST"
_TEAMS = """
SELECT team, is_simulated, sum(calls)::BIGINT AS calls, max(agents) AS agents
FROM team_week GROUP BY team, is_simulated ORDER BY team, is_simulated
"""
_MOMENTS = """
SELECT
    calls.call_id, calls.started_at, o.kind, o.start_s, o.text, o.answer,
    o.answered, o.answer_start_s, o.answer_text
FROM opportunities AS o
INNER JOIN calls ON calls.call_no = o.call_no
WHERE calls.agent_id = $agent AND {which}
ORDER BY calls.started_at DESC NULLS LAST, {order}, o.start_s LIMIT 8
"""
#: A validation that says no, and perhaps why: "no; of detected opportunities ...".
_NO = re.compile(r"no\b")
_SCALE = (20.0, 80.0)


def show_people(visit: Visit) -> Response:
    """Show teams, and all agents in order of name: rates with intervals are no ranking."""
    if not visit.user.may(Right.ALL_CALLS):
        return visit.back("/agent", id=visit.user.agent_id or "")
    with visit.site.reading() as reader:
        agents = reader.rows(_AGENTS, {"team": None})
        return visit.page(
            "people.html",
            reader,
            teams=reader.rows(_TEAMS),
            agents=_with_intervals(visit, agents),
        )


def show_agent(visit: Visit) -> Response:
    """Show an agent's weeks, profile and moments; an agent sees nobody else's."""
    with visit.site.reading() as reader:
        agent = _meant(visit, reader)
        weeks = reader.rows(_WEEKS, {"agent": agent})
        profile = reader.rows(_PROFILE, {"agent": agent})
        visit.note("opened agent", detail=agent)
        return visit.page(
            "agent.html",
            reader,
            name=visit.name_of(agent),
            weeks=weeks,
            trend=trend(weeks),
            profile=[(row, _profile_interval(row)) for row in profile],
            recognised=_moments(reader, agent, "o.answered AND o.level = 2", "o.level DESC"),
            unanswered=_moments(reader, agent, "NOT o.answered", "o.strength DESC"),
        )


def show_team(visit: Visit) -> Response:
    """Show a team's weeks, and its agents in order of name."""
    visit.require(Right.ALL_CALLS)
    team = visit.asked("id")
    with visit.site.reading() as reader:
        weeks = reader.rows(_TEAM_WEEKS, {"team": team})
        if not weeks:
            raise RefusedError(404, f"no team is called {team[:60]!r}")
        agents = reader.rows(_AGENTS, {"team": team})
        return visit.page(
            "team.html",
            reader,
            team=team,
            weeks=weeks,
            trend=trend(weeks),
            agents=_with_intervals(visit, agents),
            smallest=reader.value(
                "SELECT max(value) FROM profile_settings WHERE name = 'smallest_group'"
            ),
        )


def show_measures(visit: Visit) -> Response:
    """Show what each number means, where it comes from, and what it was validated against."""
    with visit.site.reading() as reader:
        rows = reader.rows("SELECT * FROM metric_definitions WHERE is_current ORDER BY name")
        shown = [row | {"is_validated": not _NO.match(row["validated"])} for row in rows]
        return visit.page("measures.html", reader, rows=shown)


def _meant(visit: Visit, reader: Reader) -> str:
    """The agent of the address. Raises RefusedError (404) for one that is not for this user."""
    asked = visit.asked("id")
    if not visit.user.may(Right.ALL_CALLS) and asked != visit.user.agent_id:
        raise RefusedError(404, "there is no such agent, or it is not you")
    rows = reader.rows("SELECT DISTINCT agent_id FROM calls WHERE agent_id IS NOT NULL")
    for row in rows:
        if visit.name_of(row["agent_id"]) == asked:
            return str(row["agent_id"])
    raise RefusedError(404, f"no calls of an agent called {asked[:60]!r}")


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


def _moments(reader: Reader, agent: str, which: str, order: str) -> list[Row]:
    return reader.rows(_MOMENTS.format(which=which, order=order), {"agent": agent})

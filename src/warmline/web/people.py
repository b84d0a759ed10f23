"""The pages of agents and teams: rates with their intervals, moments to hear, and no ranking."""

import re

from starlette.responses import Response

from warmline.query.reviews import ANSWERS, NO_ANSWER, NO_CUE
from warmline.web.accounts import Right
from warmline.web.calibration import against_machine
from warmline.web.coaching import OUTCOMES, agent_meant, coaching_of, may_read_coaching
from warmline.web.disputes import evaluations_of_agent
from warmline.web.drawing import Interval, interval, interval_on, trend
from warmline.web.listing import Condition
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
FROM {agent_week}
WHERE ($team IS NULL OR team = $team)
GROUP BY agent_id, is_simulated
ORDER BY agent_id, is_simulated
"""
_WEEKS = "SELECT * FROM {agent_week} WHERE agent_id = $agent ORDER BY week DESC NULLS LAST"
_PROFILE = "SELECT * FROM {agent_profile} WHERE agent_id = $agent ORDER BY component, is_simulated"
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
weekly AS (SELECT * EXCLUDE (sums), unnest(sums) FROM grouped)
SELECT
    *, wilson(answered, answerable).low AS answered_low,
    wilson(answered, answerable).high AS answered_high
FROM weekly ORDER BY week DESC NULLS LAST
"""
_TEAMS = """
SELECT team, is_simulated, sum(calls)::BIGINT AS calls, max(agents) AS agents
FROM {team_week} GROUP BY team, is_simulated ORDER BY team, is_simulated
"""
_MOMENTS = """
SELECT
    calls.call_id, calls.started_at, o.kind, o.start_s, o.text, o.answer,
    o.answered, o.answer_start_s, o.answer_text,
    greatest(o.start_s - 1, 0) AS clip_start_s,
    least(coalesce(o.answer_end_s, o.end_s + 4) + 1, calls.duration_s) AS clip_end_s
FROM (
    SELECT o.call_id, o.opportunity_index
    FROM opportunities AS o
    INNER JOIN calls ON calls.call_id = o.call_id
    WHERE calls.agent_id = $agent AND calls.is_simulated = $is_simulated AND {which}
    ORDER BY calls.started_at DESC NULLS LAST, {order}, o.start_s LIMIT 8
) AS picked
INNER JOIN calls ON calls.call_id = picked.call_id
INNER JOIN LATERAL (
    SELECT * FROM opportunities AS o
    WHERE o.call_id = picked.call_id AND o.opportunity_index = picked.opportunity_index
) AS o ON true
ORDER BY calls.started_at DESC NULLS LAST, {order}, o.start_s
"""
#: By how much people who listened change the counts of an answered rate, group by group.
_CORRECTIONS = """
SELECT
    {by} AS name, count(*) AS changed,
    sum((r.should_be IN ('attentive', 'affective', 'cognitive'))::INTEGER
        - coalesce(o.answered, false)::INTEGER)::BIGINT AS answered,
    sum((r.should_be NOT IN ('no_cue', 'no_answer'))::INTEGER
        - (o.answer IS NOT NULL)::INTEGER)::BIGINT AS answerable
FROM review_summary AS r
INNER JOIN opportunities AS o
    ON o.call_id = r.call_id AND o.opportunity_index = r.opportunity_index
INNER JOIN call_summary AS calls ON calls.call_id = o.call_id
WHERE r.subject = 'cue' AND r.verdict = 'wrong' AND list_contains($truths, r.should_be)
    AND r.should_be <> coalesce(o.answer, 'no_answer')
    AND calls.call_id IN (SELECT call_id FROM call_summary WHERE {where})
GROUP BY 1
"""
_TRUTHS = [*ANSWERS, NO_ANSWER, NO_CUE]
#: A validation that says no, and perhaps why: "no; of detected opportunities ...".
_NO = re.compile(r"no\b")
_SCALE = (20.0, 80.0)


def corrections(reader: Reader, by: str, where: Condition | None = None) -> dict[str, Row]:
    """Return by how much review changes answered and answerable cues, group by group.

    As on a call's page: a cue on which reviewers differ, or of which nobody says what it should be,
    stays as it is. The reader shows reviews that have just landed.
    """
    if not reader.value("SELECT count(*) FROM reviews"):
        return {}
    among = where or Condition("true", {})
    rows = reader.rows(
        _CORRECTIONS.format(by=by, where=among.sql), among.values | {"truths": _TRUTHS}
    )
    return {str(row["name"]): row for row in rows}


def show_people(visit: Visit) -> Response:
    """Show teams, and all agents in order of name: rates with intervals are no ranking."""
    if not visit.user.may(Right.ALL_CALLS):
        return visit.back("/agent", id=visit.user.agent_id or "")
    with visit.site.reading(reviews=True) as reader:
        agents = _agents(reader, None)
        return visit.page(
            "people.html",
            reader,
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
        kind = Condition("is_simulated = $is_simulated", {"is_simulated": is_simulated})
        return visit.page(
            "agent.html",
            reader,
            name=visit.name_of(agent),
            is_simulated=is_simulated,
            has_both=has_both,
            weeks=weeks,
            trend=trend(weeks),
            corrected=_corrected(weeks, corrections(reader, "agent_id", kind), agent),
            coaching=coaching_of(visit, reader, agent),
            outcomes=OUTCOMES,
            evaluated=evaluations_of_agent(visit, reader, agent)
            if may_read_coaching(visit, agent)
            else [],
            profile=[(row, _profile_interval(row)) for row in profile],
            recognised=_moments(
                reader, agent, is_simulated, "o.answered AND o.level = 2", "o.level DESC"
            ),
            unanswered=_moments(reader, agent, is_simulated, "NOT o.answered", "o.strength DESC"),
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
        agents = [row for row in _agents(reader, team) if row["is_simulated"] == is_simulated]
        return visit.page(
            "team.html",
            reader,
            team=team,
            is_simulated=is_simulated,
            has_both=has_both,
            is_few=is_few,
            weeks=weeks,
            trend=trend(weeks),
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
        shown = [row | {"is_validated": not _NO.match(row["validated"])} for row in rows]
        return visit.page("measures.html", reader, rows=shown, heard=heard)


def _agents(reader: Reader, team: str | None) -> list[Row]:
    """Agents with what review changed of their answered rate."""
    sql = _AGENTS.format(agent_week=reader.kept("agent_week"))
    changed = corrections(reader, "agent_id")
    rows = reader.rows(sql, {"team": team})
    return [row | {"corrected": _corrected([row], changed, row["agent_id"])} for row in rows]


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


def _moments(reader: Reader, agent: str, is_simulated: bool, which: str, order: str) -> list[Row]:
    values = {"agent": agent, "is_simulated": is_simulated}
    return reader.rows(_MOMENTS.format(which=which, order=order), values)


def _shows_simulated(visit: Visit, rows: list[Row]) -> bool:
    """Return whether simulated calls are shown: when they are asked for, or there are no others."""
    return visit.asked("simulated") == "1" or all(row["is_simulated"] for row in rows)

"""What somebody is to do: calls drawn for them, calibrations, saved searches, playlists of clips.

In a calibration several people score the same calls, and then see how far they agree. Answers of
others stay hidden until everybody has scored every call, or a lead closes the round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

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
from warmline.web.accounts import Right, Role
from warmline.web.disputes import appeals, evaluations_of_agent, last_scored, own_drafts
from warmline.web.evidence import against_machine
from warmline.web.filters import Filters, condition, filters_of, has_both
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
from warmline.web.site import FieldError, RefusedError, Visit, clock_text, seconds
from warmline.web.sound import silent_calls
from warmline.web.store import assignments, calibrations, clips, now, playlists, searches
from warmline.web.warehouse import Reader, Row

_MOST_DRAWN, _LONGEST_TITLE, _LONGEST_TEXT, _MOST_CLIPS = 200, 100, 2000, 200
_LONGEST_CLIP_S, _LEAST_HEARD_S = 600.0, 1.0
_MOST_DONE = 5
_DRAWN = """
WITH drawn AS (
    SELECT
        call_id,
        row_number() OVER stratum AS draw,
        count(*) OVER (PARTITION BY {by}) AS of_calls
    FROM call_summary
    WHERE status = 'analyzed' AND {where}
    WINDOW stratum AS (PARTITION BY {by} ORDER BY md5($seed || call_id), call_id)
)
SELECT calls.landing_key, calls.call_id, drawn.of_calls
FROM drawn INNER JOIN calls ON calls.call_id = drawn.call_id
WHERE drawn.draw <= $n ORDER BY drawn.draw, calls.call_id LIMIT {most}
"""


#: What was said in the calls of a playlist.
_SAID = """
SELECT call_id, role, start_s, end_s, text FROM turns WHERE call_id IN $ids AND text <> ''
ORDER BY call_id, start_s
"""


def show_work(visit: Visit) -> Response:
    """Show what this person is to do, and what they saved."""
    with visit.site.reading() as reader:
        agent = visit.user.agent_id
        evaluated = evaluations_of_agent(visit, reader, agent) if _is_agent(visit) and agent else []
        return visit.page(
            "work.html",
            reader,
            to_hear=assigned(visit, reader),
            done=_done_lately(visit, reader),
            forms=forms(visit.site.warehouse.path),
            drafts=own_drafts(visit, reader) if visit.user.may(Right.REVIEW) else [],
            scored_last=last_scored(visit, reader) if visit.user.may(Right.REVIEW) else [],
            appeals=appeals(visit, reader) if visit.user.may(Right.LEAD) else [],
            evaluated=evaluated,
            searches=searches_of(visit),
        )


def _done_lately(visit: Visit, reader: Reader) -> list[Row]:
    """The calls that this person was done with last: a click that was none is taken back."""
    query = (
        sa.select(assignments)
        .where(
            assignments.c.user_name == visit.user.name,
            assignments.c.done_at > now() - timedelta(days=1),
            assignments.c.calibration_id.is_(None),
        )
        .order_by(assignments.c.done_at.desc())
        .limit(_MOST_DONE)
    )
    rows = visit.site.store.read(query)
    calls = reader.calls([row["landing_key"] for row in rows])
    return [row | calls[row["landing_key"]] for row in rows if row["landing_key"] in calls]


def assigned(visit: Visit, reader: Reader) -> list[Row]:
    """Return the calls that this person is to listen to, in the order in which they were drawn."""
    store = visit.site.store
    query = (
        sa.select(assignments, calibrations.c.form)
        .outerjoin(calibrations, calibrations.c.calibration_id == assignments.c.calibration_id)
        .where(assignments.c.user_name == visit.user.name, assignments.c.done_at.is_(None))
        .order_by(assignments.c.assignment_id)
    )
    rows = store.read(query)
    calls = reader.calls([row["landing_key"] for row in rows])
    shown = []
    for row in rows:
        if call := calls.get(row["landing_key"]):
            told = {
                "agent_id": visit.name_of(call["agent_id"]),
                "by_name": visit.name_of(row["by_name"]),
                "why": row["why"].replace(", seed ", ", draw "),  # as older samples have it
            }
            shown.append({**row, **call, **told})
    return shown


@dataclass(frozen=True)
class Sample:
    """Calls that were drawn, how that was done, and the filters that they were drawn from."""

    landing_keys: list[str]
    how: str
    filters: Filters


def drawn_sample(visit: Visit, reader: Reader) -> Sample:
    """Return calls drawn as a form asks for: `n` of all, or `n` of each agent; seeded.

    Raises QueryError naming a field that is wrong, or when no call is left.
    """
    n, seed = _count(visit, "n", _MOST_DRAWN), _count(visit, "seed", 10**9)
    by = visit.asked("by") or "any"
    if by not in ("any", "agent"):
        raise QueryError(f"by: any or agent, not {by[:40]!r}")
    filters = filters_of(visit, reader)
    if filters.phrase:
        raise QueryError("a sample is drawn from calls; remove the phrase first")
    where = condition(visit, reader, filters)
    stratum = "agent_id" if by == "agent" else "true"
    sql = _DRAWN.format(by=stratum, where=where.sql, most=_MOST_DRAWN)
    rows = reader.rows(sql, where.values | {"seed": str(seed), "n": n})
    if not rows:
        raise QueryError("no analyzed call is left by these filters; loosen one")
    of = f"{n} of each agent" if by == "agent" else f"{len(rows)} of {rows[0]['of_calls']}"
    return Sample([row["landing_key"] for row in rows], f"random, {of}, draw {seed}", filters)


def draw_sample(visit: Visit) -> Response:
    """Draw calls of those that the filters leave into a person's queue.

    Calls that wait in that queue already are not added twice.
    """
    person = _whose(visit)
    with visit.site.reading() as reader:
        sample = drawn_sample(visit, reader)
    count = assign(visit, person, sample.landing_keys, sample.how)
    visit.note("drew", detail=f"{count} calls for {person}: {sample.how}")
    return visit.back("/work" if person == visit.user.name else sample.filters.link())


def assign(
    visit: Visit, person: str, landing_keys: list[str], why: str, calibration_id: int | None = None
) -> int:
    """Put calls into a person's queue; returns how many were not in it yet."""
    store = visit.site.store
    waiting = sa.select(assignments.c.landing_key).where(
        assignments.c.user_name == person,
        assignments.c.done_at.is_(None),
        assignments.c.calibration_id.is_not_distinct_from(calibration_id),
    )
    there = {row["landing_key"] for row in store.read(waiting)}
    new = [key for key in landing_keys if key not in there]
    common = {"at": now(), "user_name": person, "by_name": visit.user.name, "why": why}
    common["calibration_id"] = calibration_id
    store.write(*(assignments.insert().values(common | {"landing_key": key}) for key in new))
    return len(new)


def end_assignment(visit: Visit) -> Response:
    """Take a call out of one's own queue without scoring it, or put it back."""
    is_undone = bool(visit.asked("again"))
    number = _number(visit, "again" if is_undone else "assignment")
    mine = (assignments.c.assignment_id == number) & (assignments.c.user_name == visit.user.name)
    is_done = assignments.c.done_at.is_not(None)
    meant = mine & assignments.c.calibration_id.is_(None) & (is_done if is_undone else ~is_done)
    done_at = None if is_undone else now()
    (met,) = visit.site.store.write(assignments.update().where(meant).values(done_at=done_at))
    if not met:
        raise RefusedError(404, "no such call waits in your queue, or a calibration asks for it")
    return visit.back("/work")


def searches_of(visit: Visit) -> list[Row]:
    """Return the searches that this person saved, in order of title."""
    mine = sa.select(searches).where(searches.c.user_name == visit.user.name)
    store = visit.site.store
    rows = [row | store.opened(row, "title", "query") for row in store.read(mine)]
    return sorted(rows, key=lambda row: str(row["title"]).casefold())


def save_search(visit: Visit) -> Response:
    """Keep the filters of the list under a name, or forget those that were kept."""
    store = visit.site.store
    if visit.asked("forget"):
        number = _number(visit, "forget")
        mine = (searches.c.search_id == number) & (searches.c.user_name == visit.user.name)
        store.write(searches.delete().where(mine))
        return visit.back("/work")
    title = asked_title(visit)
    with visit.site.reading() as reader:
        asked = dict(parse_qsl(visit.asked("query")[:2000]))
        query = urlencode(filters_of(visit.asking(asked), reader).query)
    values = {"at": now(), "user_name": visit.user.name}
    values |= {"title": store.seal(title), "query": store.seal(query)}
    store.write(searches.insert().values(values))
    return visit.back("/work")


def show_playlist(visit: Visit) -> Response:
    """Show the clips of a playlist, to be played one after the other."""
    number = _number(visit, "id")
    found = [row for row in visit.playlists() if row["playlist_id"] == number]
    if not found:
        raise RefusedError(404, "there is no such playlist")
    store = visit.site.store
    query = sa.select(clips).where(clips.c.playlist_id == number).order_by(clips.c.clip_id)
    with visit.site.reading() as reader:
        rows = store.read(query)
        calls = reader.calls([row["landing_key"] for row in rows])
        said = reader.rows(_SAID, {"ids": [call["call_id"] for call in calls.values()]})
        shown = [
            row
            | {"said": _said_in(said, calls[row["landing_key"]]["call_id"], row)}
            | store.opened(row, "text")
            | {"call_id": calls[row["landing_key"]]["call_id"]}
            | {"may_drop": _may_drop(visit, row, found[0])}
            for row in rows
            if row["landing_key"] in calls
        ]
        return visit.page(
            "playlist.html",
            reader,
            playlist=found[0],
            clips=shown,
            silent=silent_calls(visit, reader, {each["call_id"] for each in shown}),
        )


def _said_in(turns: list[Row], call_id: str, clip: Row) -> list[Row]:
    """The turns that a clip has, but for one of which it has less than a second or half of it."""

    def is_heard(turn: Row) -> bool:
        shared = min(turn["end_s"], clip["end_s"]) - max(turn["start_s"], clip["start_s"])
        return bool(shared >= min(_LEAST_HEARD_S, (turn["end_s"] - turn["start_s"]) / 2))

    return [turn for turn in turns if turn["call_id"] == call_id and is_heard(turn)]


def add_clips(visit: Visit) -> Response:
    """Put moments into a playlist, or into a new one: fields `clip.N` are `start end call`."""
    store = visit.site.store
    with visit.site.reading() as reader:
        rows = [_clip(visit, reader, text) for text in _chosen(visit)]
    if not rows:
        raise FieldError("clip", "choose at least one moment")
    if visit.asked("playlist"):
        number = _number(visit, "playlist")
        if all(row["playlist_id"] != number for row in visit.playlists()):
            raise RefusedError(404, "there is no such playlist")
    else:
        values = {
            "at": now(),
            "user_name": visit.user.name,
            "title": store.seal(asked_title(visit)),
        }
        number = store.add(playlists, **values)
    store.write(*(clips.insert().values(row | {"playlist_id": number}) for row in rows))
    return visit.back("/playlist", id=number)


def drop_clip(visit: Visit) -> Response:
    """Take a clip out of a playlist; the call and its sound stay as they are."""
    number = _number(visit, "clip")
    found = visit.site.store.read(sa.select(clips).where(clips.c.clip_id == number))
    if not found:
        raise RefusedError(404, "there is no such clip")
    (clip,) = found
    (playlist,) = (row for row in visit.playlists() if row["playlist_id"] == clip["playlist_id"])
    if not _may_drop(visit, clip, playlist):
        raise RefusedError(
            403,
            "only whoever added the clip, the playlist's owner or a lead can remove it",
        )
    visit.site.store.write(clips.delete().where(clips.c.clip_id == number))
    return visit.back("/playlist", id=clip["playlist_id"])


def _may_drop(visit: Visit, clip: Row, playlist: Row) -> bool:
    user = visit.user
    return user.made(clip) or user.made(playlist) or user.may(Right.LEAD)


def _chosen(visit: Visit) -> list[str]:
    named = [value for name, value in visit.form.items() if name.startswith("clip.")]
    if visit.asked("call"):
        named.append(f"{visit.asked('from')} {visit.asked('to')} {visit.asked('call')}")
    if len(named) > _MOST_CLIPS:
        raise FieldError("clip", f"choose at most {_MOST_CLIPS} moments at a time")
    return named


def _clip(visit: Visit, reader: Reader, text: str) -> dict[str, Any]:
    start, _, rest = text.strip().partition(" ")
    end, _, call_id = rest.partition(" ")
    start_s, end_s = seconds(start, "from"), seconds(end, "to")
    if not 0 < end_s - start_s <= _LONGEST_CLIP_S:
        raise FieldError(
            "to",
            "a passage ends after it begins, and is at most "
            f"{_LONGEST_CLIP_S / 60:.0f} minutes long",
        )
    call = visit.asking({"id": call_id}).call(reader)
    duration_s = reader.calls([call.landing_key])[call.landing_key]["duration_s"]
    if duration_s is not None and start_s >= duration_s:
        raise FieldError(
            "from",
            f"the call lasts {clock_text(duration_s)}, {clock_text(start_s)} is after it",
        )
    return {
        "landing_key": call.landing_key,
        "at": now(),
        "user_name": visit.user.name,
        "start_s": start_s,
        "end_s": end_s if duration_s is None else min(end_s, duration_s),
        "text": visit.site.store.seal(visit.asked("text")[:_LONGEST_TEXT]),
    }


def _whose(visit: Visit) -> str:
    asked = visit.asked("person") or visit.user.name
    known = [user.name for user in visit.reviewers()]
    if asked not in known:
        raise FieldError("person", f"one of {', '.join(known)}, not {asked[:60]!r}")
    return asked


def _is_agent(visit: Visit) -> bool:
    return visit.user.role is Role.AGENT


def asked_title(visit: Visit) -> str:
    """Return the name in a form. Raises FieldError where it is empty, or too long."""
    title = visit.asked("title")
    if not title:
        raise FieldError("title", "give it a name first")
    if len(title) > _LONGEST_TITLE:
        raise FieldError("title", f"a name has at most {_LONGEST_TITLE} characters")
    return title


def _count(visit: Visit, name: str, most: int) -> int:
    text = visit.asked(name)
    if not (text.isdecimal() and len(text) < 12 and 1 <= int(text) <= most):
        raise FieldError(name, f"a whole number from 1 to {most}, not {text[:40]!r}")
    return int(text)


def _number(visit: Visit, name: str) -> int:
    text = visit.asked(name)
    if not (text.isdecimal() and len(text) < 18):
        raise RefusedError(404, f"{name}: there is no such one")
    return int(text)


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

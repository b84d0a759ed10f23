"""Scoring a call: its form, and what the machine found for each question.

What the machine found stands beside each question with its seconds, for the person who scores to
hear. What it speaks for is taken over when that person says so; a form with `prefill` opens with
what speaks for a yes taken over already. Either is kept as taken over.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import sqlalchemy as sa
from starlette.responses import Response

from warmline.errors import QueryError
from warmline.query.calls import CallPage
from warmline.web.accounts import Right
from warmline.web.drawing import cues_by_turn, interruptions_by_turn
from warmline.web.evidence import LEAD_S, Corrected, corrected, moment_of
from warmline.web.filters import list_asked
from warmline.web.language import FINDS, YES_OR_NO
from warmline.web.quoting import Place, each_turn_once, excerpt
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
from warmline.web.warehouse import Row, page_for

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
            interruptions=interruptions_by_turn(page),
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


# What the machine found for a question: where to hear it, what it speaks for.


#: What a question may ask for that is no measure: how the agent began, what the agent asked for.
OPENING, DETAILS_ASKED = "opening", "details_asked"
#: Where a find is no measure of its own, the one that rests on it: without it, nobody looked.
_MEASURED_AS = {DETAILS_ASKED: "reasks"}
_STORY = "opening_story_s"
#: The one thing an agent asks for that tells nothing of who is calling.
_NO_DETAIL = "problem"
_MOST_PLACES = 8
_MOST_TURNS = 4
#: What is heard of a place that is no feeling: at least, and at most.
_LEAST_S, _MOST_S = 3.0, 12.0
#: Of an interruption: how much of what was interrupted, and of what comes after it.
_BEFORE_BREAK_S, _AFTER_BREAK_S = 6.0, 2.0
#: Where to listen where nothing was found: an agent begins and ends a call in so many seconds, and
#: asks who is calling within a minute.
_BEGIN_S, _END_S, _ASKED_WITHIN_S, _MOST_ASKED = 30.0, 15.0, 60.0, 3
_AT_THE_BEGINNING = frozenset({OPENING, DETAILS_ASKED, "opening_story_s"})
_AT_THE_END = frozenset({"ownership", "commitments", "next_step", "expectation_set", "resolution"})
_OF_FEELINGS = frozenset({"answered_rate", "affective", "cognitive", "attentive"})
#: A detail in a customer's turn: redacted, in digits, or spelled by letters or digits.
_DIGIT = (
    r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double"
    r"|null|eins|zwo|drei|vier|acht)"
)
_DETAIL = re.compile(
    rf"\[[a-z_ ]+\]|\d(?:[ .-]?\d){{3,}}|\b(?:[^\W\d_][-., ]+){{2,}}[^\W\d_]\b"
    rf"|\b{_DIGIT}(?:[-, ]+{_DIGIT}){{2,}}\b",
    re.IGNORECASE,
)
_UNIT = r"(?:minutes?|hours?|days?|weeks?|minuten?|stunden?|tage?n?|wochen?)"
#: When something is to happen: a time, a day, or within how long.
_WHEN = re.compile(
    r"\b(?:\d{1,2}(?::\d\d)? ?(?:[ap]\.? ?m\b|o'clock|uhr)"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|(?:mon|diens|donners|frei|sams|sonn)tag\b|mittwoch|nächste woche"
    r"|tomorrow|tonight|later today|end of the (?:day|week|month)|next (?:week|month)"
    r"|(?:within|in|innerhalb|binnen)(?: the| von)?(?: next)?(?: about)? (?!a |one |the |this )"
    rf"[\w-]+(?: (?:or|to|bis) [\w-]+)?(?: business| working)? {_UNIT})",
    re.IGNORECASE,
)
_QUESTIONS = frozenset({"question_open", "question_closed", "slot_request"})


@dataclass(frozen=True)
class Finding:
    """The machine's answer to a question: the measure or find, its row, where to hear it.

    `kind` is how it is put into words: `missing`, `opening`, `story`, `yes_or_no`, `count`, `rate`
    or `value`. `corrected` has the counts after review, where these are others; `cooperative` says
    how many interruptions by the agent helped, and do not count against them.
    """

    kind: str
    name: str
    row: Row | None
    places: tuple[Place, ...]
    corrected: Corrected | None = None
    cooperative: int = 0

    @property
    def number(self) -> float | None:
        """Return what a form's `yes_if` asks of; of the story, whether it was interrupted."""
        if self.row is None or self.kind in ("missing", OPENING):
            return None
        if self.corrected is not None:
            answered, answerable = self.corrected.answered, self.corrected.answerable
            return answered / answerable if answerable else None
        return float(bool(self.row["observations"]) if self.kind == _STORY else self.row["value"])


def read_once(found: Sequence[Finding]) -> list[Finding]:
    """Return what was found for a question, to be read from top to bottom: each turn once."""
    shown: set[int] = set()
    read = []
    for each in found:
        read.append(replace(each, places=each_turn_once(each.places, shown)))
        shown.update(turn["turn_index"] for place in each.places for turn in place.turns)
    return read


def proposals(form: Form, found: Mapping[str, Sequence[Finding]]) -> dict[str, str]:
    """Return the answers that what was found speaks for, by question."""
    said = {q.id: q.proposed([each.number for each in found[q.id]]) for q in form.questions}
    return {name: answer for name, answer in said.items() if answer is not None}


def filled_in(
    offered: Mapping[str, str], found: Mapping[str, Sequence[Finding]], answers: Mapping[str, str]
) -> dict[str, str]:
    """Return answers with each yes that is offered, and can be heard, taken over where none is.

    A no counts against an agent: a person gives it. What rests on a review is no answer of the
    machine's, and is left to be asked.
    """
    filled = dict(answers)
    for name, answer in offered.items():
        can_be_heard = any(each.places for each in found[name])
        is_its_own = all(each.corrected is None for each in found[name])
        if answer == "yes" and can_be_heard and is_its_own and not answers.get(name):
            filled |= {name: answer, f"{name}{BY}": MACHINE}
    return filled


def rests_on(found: Sequence[Finding]) -> Place | None:
    """Return the place that an answer rests on first: of feelings, one that was answered."""
    all_places = [place for each in found for place in each.places]
    answered = (place for place in all_places if place.cue and place.cue["answered"])
    return next(answered, next(iter(all_places), None))


def behind(
    found: Mapping[str, Sequence[Finding]],
    looked_for: Mapping[str, tuple[Place, ...]],
    question: str,
    answer: str | None,
) -> tuple[Place, ...]:
    """Return the places that a "yes" or a "no" can be heard at: what was found, else where it
    would be said. Nothing for another answer.

    Of feelings, a yes rests on those that were answered, and a no on those that were not.
    """
    if answer not in ("yes", "no"):
        return ()
    all_places = [place for each in found[question] for place in each.places]
    left = [
        place
        for place in all_places
        if place.cue is None or bool(place.cue["answered"]) == (answer == "yes")
    ]
    return each_turn_once(left[:_MOST_ASKED] or looked_for.get(question, ()))


def heard_s(found: Mapping[str, Sequence[Finding]]) -> float:
    """Return how long all places together play, each second once."""
    places = [place for each in found.values() for one in each for place in one.places]
    total = reached = 0.0
    for place in sorted(places, key=lambda place: place.start_s):
        total += max(0.0, place.heard_to_s - max(reached, place.heard_from_s))
        reached = max(reached, place.heard_to_s)
    return total


def findings(page: CallPage, form: Form) -> dict[str, list[Finding]]:
    """Return what the machine says to each question of a form that asks for it."""
    return {q.id: [_finding(page, name) for name in q.measures] for q in form.questions}


def expected(
    page: CallPage, form: Form, found: Mapping[str, Sequence[Finding]]
) -> dict[str, tuple[Place, ...]]:
    """Return where to listen for each question of whose answer nothing was found to hear."""
    bare = (q for q in form.questions if not any(each.places for each in found[q.id]))
    return {q.id: places for q in bare if (places := _expected(page, frozenset(q.measures)))}


def _expected(page: CallPage, names: frozenset[str]) -> tuple[Place, ...]:
    if not page.turns:
        return ()
    begin_s, end_s = page.turns[0]["start_s"], page.turns[-1]["end_s"]
    turns: Sequence[Row] = ()
    if DETAILS_ASKED in names:
        if given := _details_given(page):
            return given
        asked = [
            each
            for each in page.moments
            if each["kind"] in _QUESTIONS and each["start_s"] - begin_s < _ASKED_WITHIN_S
        ]
        if asked:
            return _places(page, asked[:_MOST_ASKED])
    if names & _AT_THE_BEGINNING:
        turns = [t for t in page.turns if t["start_s"] < begin_s + _BEGIN_S][:_MOST_TURNS]
    elif names & _AT_THE_END:
        dated = [
            _of_turns([turn], found[0])
            for turn in page.turns
            if turn["role"] == "agent" and (found := _WHEN.search(turn["text"] or ""))
        ]
        if dated:
            return tuple(dated[-_MOST_ASKED:])
        turns = [t for t in page.turns if t["end_s"] > end_s - _END_S][-_MOST_TURNS:]
    elif names & _OF_FEELINGS:
        told = [turn for turn in page.turns if turn["role"] == "customer"]
        longest = max(told, key=lambda turn: turn["end_s"] - turn["start_s"], default=None)
        at = 0 if longest is None else page.turns.index(longest)
        turns = [] if longest is None else page.turns[at : at + 2]
    return (_of_turns(turns),) if turns else ()


def _details_given(page: CallPage) -> tuple[Place, ...]:
    """Return where a customer says what is redacted, or spells something, after an agent's turn."""
    given = (
        _of_turns(pair, found[0])
        for pair in pairwise(page.turns)
        if [turn["role"] for turn in pair] == ["agent", "customer"]
        and (found := _DETAIL.search(pair[1]["text"] or ""))
    )
    return tuple(islice(given, _MOST_ASKED))


def _finding(page: CallPage, name: str) -> Finding:
    if name == OPENING:
        first = next((turn for turn in page.turns if turn["role"] == "agent"), None)
        return Finding(OPENING if first else "missing", name, None, _places(page, [first]))
    rows = [row for row in page.metrics if row["name"] == _MEASURED_AS.get(name, name)]
    row = next((each for each in rows if each["role"] in ("agent", None)), None)
    if row is None or row["value"] is None:
        return Finding("missing", name, row, ())
    if name == DETAILS_ASKED:
        asked = [
            each
            for each in page.moments
            if each["kind"] == "slot_request" and each["label"] != _NO_DETAIL
        ]
        return Finding("count", name, {"value": len(asked)}, _places(page, asked))
    if name == _STORY:
        spans = row["evidence"]
        if row["observations"]:
            spans = [
                {
                    "start_s": max(span["start_s"], span["end_s"] - _BEFORE_BREAK_S),
                    "end_s": span["end_s"] + _AFTER_BREAK_S,
                }
                for span in spans
            ]
        counts = [m["value"] for m in page.metrics if _is_count_of_agent(m, "interruptions")]
        helped = 0 if row["observations"] else int(sum(counts))
        return Finding(_STORY, name, row, _places(page, spans), cooperative=helped)
    if name == "answered_rate":
        places = _places(page, page.opportunities)
        return Finding(_kind_of(row), name, row, places, corrected(page))
    return Finding(_kind_of(row), name, row, _places(page, row["evidence"]))


def _is_count_of_agent(row: Row, name: str) -> bool:
    return bool(row["name"] == name and row["role"] == "agent" and row["value"] is not None)


def _places(page: CallPage, spans: Sequence[Row | None]) -> tuple[Place, ...]:
    return tuple(_place(page, span) for span in spans[:_MOST_PLACES] if span is not None)


def _kind_of(row: Row) -> str:
    if row["name"] in YES_OR_NO:
        return "yes_or_no"
    if row["unit"] == "count":
        return "count"
    has_counts = row["numerator"] is not None and row["denominator"]
    return "rate" if row["unit"] == "share" and has_counts else "value"


def _place(page: CallPage, span: Row) -> Place:
    """Seconds with their words: those of the span itself, else of the find that begins there."""
    rows = [span, *page.moments, *page.opportunities]
    here = (row for row in rows if abs(row["start_s"] - span["start_s"]) < 0.05)
    text = next((str(row["text"]) for row in here if row.get("text")), None)
    text = None if text is None else excerpt(text)
    start_s, end_s = float(span["start_s"]), float(span["end_s"])
    if "answered" in span:
        m = moment_of(span, page.turns)
        heard = m.heard_from_s, m.heard_to_s
        return Place(start_s, end_s, text, *heard, m.turns, span, m.goes_on_to_s)
    heard_to_s = max(min(end_s, start_s + _MOST_S) + LEAD_S, start_s + _LEAST_S)
    turns = _around(page, start_s, heard_to_s - LEAD_S)
    return Place(start_s, end_s, text, max(0.0, start_s - LEAD_S), heard_to_s, turns)


def _of_turns(turns: Sequence[Row], said: str | None = None) -> Place:
    """Whole turns as a place to hear, and to read around some words of them."""
    start_s, end_s = float(turns[0]["start_s"]), float(max(turn["end_s"] for turn in turns))
    return Place(start_s, end_s, said, max(0.0, start_s - LEAD_S), end_s + LEAD_S, tuple(turns))


def _around(page: CallPage, start_s: float, end_s: float) -> tuple[Row, ...]:
    """The turns of these seconds, the one before them, and the one that follows."""
    here = [
        at
        for at, turn in enumerate(page.turns)
        if turn["end_s"] > start_s and turn["start_s"] < end_s
    ]
    if not here:
        return ()
    first = max(0, here[0] - 1)
    return tuple(page.turns[first : min(here[-1] + 2, first + _MOST_TURNS)])


def finds_of(page: CallPage) -> dict[int, list[Row]]:
    """Return what rules found in each turn, each kind once."""
    found: dict[int, dict[str, Row]] = {}
    for row in page.moments:
        if row["kind"] in FINDS and row["turn_index"] is not None:
            found.setdefault(row["turn_index"], {}).setdefault(row["kind"], row)
    return {turn: list(kinds.values()) for turn, kinds in found.items()}

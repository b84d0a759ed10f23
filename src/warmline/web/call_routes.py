"""The page of a call, its sound and words, and what a person who listened says of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from warmline.errors import QueryError, Status
from warmline.query.calls import CallPage, NamedCall, page_of, value_text
from warmline.query.questions import FEELINGS
from warmline.query.reviews import (
    BOTH,
    CANNOT_BE_KNOWN,
    CUE_ANSWERS,
    NO_CUE,
    Judgement,
    Verdict,
)
from warmline.query.reviews import review_cue as land_cue_review
from warmline.query.reviews import review_metric as land_metric_review
from warmline.recordings.sound import PEAKS_PER_S
from warmline.warehouse.landing_folder import known_places
from warmline.web.accounts import Right
from warmline.web.drawing import (
    cues_by_turn,
    interruptions_by_turn,
    quiet_outside,
    timeline,
    waveform,
)
from warmline.web.evidence import corrected, five_quotes, heard_in, uncorrected
from warmline.web.filters import place_in_list
from warmline.web.scorecards import evaluations_of, forms
from warmline.web.site import (
    FieldError,
    RefusedError,
    Visit,
    call_url,
    clock_text,
    seconds,
)
from warmline.web.sound import (
    RangeError,
    begin_sound,
    decoded_peaks,
    drawable,
    in_columns,
    no_sound,
    parse_range,
    recording_of,
    sound_link,
    stored_peaks,
)
from warmline.web.store import comments, now
from warmline.web.warehouse import Reader, Row, page_for

_NOT_CORRECTED = (
    "say what it should be: another feeling, something else that became of it, or no feeling at all"
)
_NEITHER = (
    "say what it should be (another feeling, something else that became of it, or no feeling at "
    "all), and why it is wrong: others will ask"
)
_NO_VALUE_NOR_WHY = (
    "say what it should be, or that it cannot be known, and why it is wrong: others will ask"
)
_NOTHING_TO_ANSWER = (
    "where there is no feeling at all, nothing can have become of it: leave that as not judged"
)
_AS_FOUND = "this is what the machine found: say that it is right, or what it should be instead"
#: The row of the ledger that begins nearest to a second.
_CUE_AT = """
SELECT kind, coalesce(answer, 'no_answer') AS answer FROM opportunities
WHERE call_id = $id ORDER BY abs(start_s - $at_s) LIMIT 1
"""
_MOST_COLUMNS = 8000
_LONGEST_TEXT = 2000
_ONE_CALL = "SELECT * FROM calls WHERE call_id = $id"
_WORDS = """
SELECT turn_index, round(start_s, 2) AS start_s, round(end_s, 2) AS end_s, text
FROM words
WHERE call_id = $id AND turn_index IS NOT NULL ORDER BY turn_index, start_s
"""


def show_call(visit: Visit) -> Response:
    """Show the page of a call."""
    site = visit.site
    with site.reading(reviews=True) as reader:
        call = visit.call(reader)
        page = page_for(visit, reader, call)
        visit.note("opened", call)
        silence = begin_sound(visit, reader, page.call)
        return visit.page(
            "call.html",
            reader,
            page=page,
            drawing=timeline(page),
            quotes=five_quotes(page),
            headlines=headlines(page, value_text),
            measures=measures(page),
            cues_by_turn=cues_by_turn(page),
            interruptions=interruptions_by_turn(page),
            cue_kinds=FEELINGS,
            cue_answers=CUE_ANSWERS,
            call_id=call.call_id,
            comments=visit.comments(call.landing_key),
            evaluations=evaluations_of(visit, [call.landing_key]),
            corrected=corrected(page),
            uncorrected=uncorrected(page),
            forms=forms(site.warehouse.path),
            place=place_in_list(visit, reader, call.call_id),
            no_sound=silence,
            sound=sound_link(visit, call),
        )


def play(visit: Visit) -> Response:
    """Send the sound of a call, or the bytes of it that are asked for."""
    token = visit.request.path_params["token"]
    call_id = visit.site.signer.call_of(token, visit.session.digest)
    if call_id is None:
        raise RefusedError(403, "this link to a sound is too old, or is another session's")
    with visit.site.reading() as reader:
        rows = reader.rows(_ONE_CALL, {"id": call_id})
        if not rows:
            raise RefusedError(404, "there is no such call any more")
        named = NamedCall(
            call_id,
            rows[0]["claimed_call_id"],
            rows[0]["landing_key"],
            rows[0]["path"],
            Status(rows[0]["status"]),
        )
        if not visit.may_see(reader, named):
            raise RefusedError(404, "there is no such call, or it is not one of yours")
        recording = recording_of(visit, reader, rows[0])
    wav = visit.site.sounds.sound_of(recording)
    size = wav.size_bytes
    common = {"Accept-Ranges": "bytes", "Cache-Control": "no-store"}
    try:
        wanted = parse_range(visit.request.headers.get("range"), size)
    except RangeError:
        text = "one range of bytes within the sound at a time\n"
        return Response(text, 416, common | {"Content-Range": f"bytes */{size}"})
    if wanted is None or wanted[0] == 0:
        visit.note("heard", named)
    first, last = wanted or (0, size - 1)
    headers = common | {"Content-Length": str(last - first + 1)}
    wav.bytes_between(first, min(last, first + 1))  # what cannot be decoded is said now
    if wanted is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    if wanted is None:  # no player: somebody keeps the file
        return StreamingResponse(wav.blocks(0, last, size), 200, headers, "audio/wav")
    return StreamingResponse(wav.blocks(first, last), 206, headers, "audio/wav")


def renew_link(visit: Visit) -> Response:
    """Send a new link to the sound of a call, when the one of the page is too old."""
    visit.require(Right.HEAR)
    with visit.site.reading() as reader:
        call = visit.call(reader)
        (row,) = reader.rows(_ONE_CALL, {"id": call.call_id})
        problem = no_sound(visit, row)
        return JSONResponse(
            {"sound": sound_link(visit, call), "problem": visit.said(problem or "") or None}
        )


def draw_waveform(visit: Visit) -> Response:
    """Send the waveform of each party, as a path of SVG."""
    with visit.site.reading() as reader:
        call = visit.call(reader)
        page = page_of(reader.cursor, call.call_id, with_profile=False)
        recording = recording_of(visit, reader, page.call)
        stored = stored_peaks(visit, reader, call.landing_key)
    every = (
        drawable(stored, recording.hidden)
        if stored
        else decoded_peaks(visit.site.sounds.sound_of(recording))
    )
    duration_s = every.shape[1] / PEAKS_PER_S
    peaks = in_columns(every, _MOST_COLUMNS)
    parties = [row["party"] for row in page.parties]
    has_own_channels = page.call["speaker_source"] == "channel" and len(peaks) == len(parties)
    paths = {}
    for i, party in enumerate(parties):
        own = peaks[i].copy() if has_own_channels else peaks.max(axis=0)
        if not has_own_channels:
            spans = [row for row in page.segments if row["party"] == party]
            quiet_outside(own, spans, duration_s)
        paths[party] = waveform(own)
    return JSONResponse({"columns": peaks.shape[1], "paths": paths})


def list_words(visit: Visit) -> Response:
    """Send the words of a call with their seconds, turn by turn."""
    with visit.site.reading() as reader:
        call = visit.call(reader)
        found: dict[int, list[list[object]]] = {}
        for row in reader.rows(_WORDS, {"id": call.call_id}):
            word = [row["text"], row["start_s"], row["end_s"]]
            found.setdefault(row["turn_index"], []).append(word)
    return JSONResponse(found)


def review_cue(visit: Visit) -> Response:
    """Judge a row of the ledger; the row comes back with what people say of it now."""
    judgement = _judgement(visit, FieldError("feeling", _NEITHER))
    if judgement.verdict is Verdict.WRONG and judgement.should_be is None:
        raise FieldError("feeling", _NOT_CORRECTED)
    at_s = seconds(visit.asked("start_s"), "start_s")
    places = known_places(visit.site.settings, None, visit.site.warehouse.path)
    with visit.site.reading() as reader:
        call = visit.call(reader)
        found = reader.rows(_CUE_AT, {"id": call.call_id, "at_s": at_s})
    said = (judgement.should_be or "").split(BOTH)
    if judgement.verdict is Verdict.WRONG and any({*said} <= {*cue.values()} for cue in found):
        raise FieldError("feeling", _AS_FOUND)
    land_cue_review(places.warehouse, places.landing, call.call_id, at_s, judgement)
    visit.note("reviewed", call, detail=f"cue {at_s:.1f} s: {judgement.verdict.value}")
    if not visit.is_partial:
        return RedirectResponse(call_url(call.call_id, at_s), 303)
    with visit.site.reading(reviews=True) as reader:
        page = page_for(visit, reader, call)
        cue = min(page.opportunities, key=lambda row: abs(row["start_s"] - at_s))
        return visit.page(
            "_cue.html",
            reader,
            page=page,
            cue=cue,
            cue_kinds=FEELINGS,
            cue_answers=CUE_ANSWERS,
            is_judged=True,
            corrected=corrected(page),
            uncorrected=uncorrected(page),
        )


def review_metric(visit: Visit) -> Response:
    """Judge the value of a measure."""
    judgement = _judgement(visit, FieldError("should_be", _NO_VALUE_NOR_WHY))
    if visit.asked("unknown"):
        if judgement.should_be is not None:
            raise FieldError("should_be", "a value, or that it cannot be known: one of the two")
        judgement = replace(judgement, should_be=CANNOT_BE_KNOWN)
    elif judgement.should_be is not None:
        judgement = replace(judgement, should_be=_number(judgement.should_be))
    elif judgement.verdict is Verdict.WRONG:
        raise FieldError("should_be", "say what it should be, or that it cannot be known")
    name, role = visit.asked("name"), visit.asked("role") or None
    places = known_places(visit.site.settings, None, visit.site.warehouse.path)
    with visit.site.reading() as reader:
        call = visit.call(reader)
    land_metric_review(places.warehouse, places.landing, call.call_id, name, role, judgement)
    visit.note("reviewed", call, detail=f"{name}: {judgement.verdict.value}")
    if not visit.is_partial:
        return RedirectResponse(f"{call_url(call.call_id)}#measures", 303)
    with visit.site.reading(reviews=True) as reader:
        page = page_for(visit, reader, call)
        row = next(m for m in page.metrics if m["name"] == name and m["role"] == role)
        return visit.page("_measure.html", reader, page=page, row=row)


def add_comment(visit: Visit) -> Response:
    """Comment on a second of a call, or note a cue that the machine missed."""
    kind = visit.asked("kind")
    if kind not in ("comment", "missed_cue"):
        raise QueryError(f"kind: comment or missed_cue, not {kind[:40]!r}")
    label = visit.asked("label") or None
    if kind == "missed_cue":
        visit.require(Right.REVIEW)
        if label not in FEELINGS:
            raise QueryError(f"label: a cue's is {', '.join(FEELINGS)}")
    text = visit.written(_LONGEST_TEXT)
    at_s = seconds(visit.asked("start_s"), "start_s")
    with visit.site.reading() as reader:
        call = visit.call(reader)
        duration = reader.value(
            "SELECT any_value(duration_s) FROM calls WHERE call_id = $id", {"id": call.call_id}
        )
        if duration is not None and at_s > duration:
            raise FieldError(
                "start_s", f"the call lasts {clock_text(duration)}, {clock_text(at_s)} is after it"
            )
        values = {
            "landing_key": call.landing_key,
            "at": now(),
            "user_name": visit.user.name,
            "kind": kind,
            "start_s": at_s,
            "label": label,
            "text": visit.site.store.seal(text),
        }
        visit.site.store.write(comments.insert().values(values))
        visit.note("commented", call, detail=f"{kind} {at_s:.1f} s")
        if not visit.is_partial:
            return RedirectResponse(call_url(call.call_id, at_s), 303)
        return _comments(visit, reader, call)


def change_comment(visit: Visit) -> Response:
    """Give one's own comment other words, or delete it; the audit keeps that it was done."""
    is_deleted = visit.asked("do") == "delete"
    text = "" if is_deleted else visit.written(_LONGEST_TEXT)
    number = visit.asked("comment")
    with visit.site.reading() as reader:
        call = visit.call(reader)
        own = (
            (comments.c.comment_id == (int(number) if number.isdecimal() else -1))
            & (comments.c.landing_key == call.landing_key)
            & (comments.c.user_name == visit.user.name)
        )
        store = visit.site.store
        change = comments.update().values(text=store.seal(text))
        (met,) = store.write((comments.delete() if is_deleted else change).where(own))
        if not met:
            raise RefusedError(404, "there is no such comment, or it is not yours")
        visit.note("deleted a comment" if is_deleted else "changed a comment", call)
        if not visit.is_partial:
            return RedirectResponse(f"{call_url(call.call_id)}#remarks", 303)
        return _comments(visit, reader, call)


def _comments(visit: Visit, reader: Reader, call: NamedCall) -> Response:
    written = visit.comments(call.landing_key)
    return visit.page("_comments.html", reader, comments=written, call_id=call.call_id)


def note_played(visit: Visit) -> Response:
    """Note how many seconds of a call were played."""
    visit.require(Right.HEAR)
    played_s = seconds(visit.asked("seconds"), "seconds")
    with visit.site.reading() as reader:
        visit.note("played", visit.call(reader), seconds=min(played_s, 86_400.0))
    return Response(status_code=204)


def _judgement(visit: Visit, neither: FieldError) -> Judgement:
    """Return what a form says.

    Raises `neither` where it says wrong, and neither what is right nor why.
    """
    verdict = visit.asked("verdict")
    if verdict not in [*Verdict]:
        raise QueryError(f"verdict: right, wrong or withdrawn, not {verdict[:40]!r}")
    reason = visit.asked("reason")[:_LONGEST_TEXT] or None
    should_be = (visit.asked("should_be") or _corrected_cue(visit)) if verdict == "wrong" else None
    if verdict == "wrong" and reason is None:
        if should_be is None and not visit.asked("unknown"):
            raise neither
        raise FieldError("reason", "say why it is wrong: others will ask")
    return Judgement(visit.user.name, Verdict(verdict), reason, should_be)


def _corrected_cue(visit: Visit) -> str | None:
    """Return what a feeling, its answer, or both should be; None where a form says neither."""
    feeling, answer = visit.asked("feeling"), visit.asked("answer")
    if feeling == NO_CUE:
        if answer:
            raise FieldError("answer", _NOTHING_TO_ANSWER)
        return feeling
    return BOTH.join(part for part in (feeling, answer) if part) or None


def _number(text: str) -> str:
    """Return a number as programs write it: people may have a comma in the place of its point."""
    written = text.replace(",", ".")
    try:
        float(written)
    except ValueError:
        raise FieldError(
            "should_be", f"the right value is a number, such as 0.5, not {text[:40]!r}"
        ) from None
    return written


# What the page of a call shows.


@dataclass(frozen=True)
class Measures:
    """The measures of a call: those with a value, those looked for in vain, those without one."""

    found: list[Row]
    none_found: list[Row]
    missing: list[tuple[str, list[Row]]]


def measures(page: CallPage) -> Measures:
    """Return the measures of a call in groups; those without a value by their reason."""
    reasons: dict[str, list[Row]] = {}
    for row in page.metrics:
        if row["value"] is None:
            reasons.setdefault(row["reason"] or "no reason is noted", []).append(row)
    said = [row for row in page.metrics if row["value"] is not None]
    vain = [row for row in said if _is_none_found(row)]
    return Measures([row for row in said if not _is_none_found(row)], vain, list(reasons.items()))


def _is_none_found(row: Row) -> bool:
    return bool(row["unit"] == "count" and row["value"] == 0)


@dataclass(frozen=True)
class Headline:
    """A number at the top of the page, or why there is none; `at` are the seconds to hear."""

    name: str
    title: str
    text: str | None
    counts: tuple[float, float] | None
    reason: str | None
    at: list[float]


_MOST_PLACES = 6
HEADLINES = (
    ("answered_rate", None, "Feelings answered"),
    ("talk_share", "agent", "Agent's share of talk"),
    ("interruptions", "agent", "Interruptions by the agent"),
    ("dead_air_s", None, "Dead air"),
    ("hold_s", None, "On hold"),
    ("response_latency_median_s", "agent", "Agent answers after"),
)


def headlines(page: CallPage, text: Any) -> list[Headline]:
    """Return the numbers that come first; `text` writes a value with its unit."""
    shown = []
    for name, role, title in HEADLINES:
        rows = [m for m in page.metrics if m["name"] == name and role in (None, m["role"])]
        if len(rows) != 1:
            shown.append(Headline(name, title, None, None, _not_one(page, rows, role), []))
            continue
        row = rows[0]
        value = None if row["value"] is None else text(row["value"], row["unit"])
        has_counts = row["denominator"] and name == "answered_rate"
        counts = (row["numerator"], row["denominator"]) if has_counts else None
        at = [round(span["start_s"], 2) for span in heard_in(page, row)[:_MOST_PLACES]]
        shown.append(Headline(name, title, value, counts, row["reason"], at))
    return shown


def _not_one(page: CallPage, rows: Sequence[Row], role: str | None) -> str:
    """Why a headline has no number: nobody or nothing that it is of, or more than one."""
    if rows:
        return f"{len(rows)} parties are {role}: see each of them below"
    if role is None:
        return page.call["reason"] or "not measured in this call"
    return f"no party is known to be the {role}"

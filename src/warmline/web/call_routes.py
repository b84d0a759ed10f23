"""The page of a call, its sound and words, and what a person who listened says of it."""

from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from warmline.errors import QueryError, RecordingRefusedError, Status, WarmlineError
from warmline.query.calls import CallPage, NamedCall, page_of, value_text
from warmline.query.reviews import (
    ANSWERS,
    FEELINGS,
    NO_ANSWER,
    NO_CUE,
    Judgement,
    Verdict,
)
from warmline.query.reviews import review_cue as land_cue_review
from warmline.query.reviews import review_metric as land_metric_review
from warmline.recordings.sound import PEAKS_PER_S
from warmline.warehouse.landing_folder import known_places
from warmline.web.accounts import Right
from warmline.web.call_view import (
    comments_of,
    corrected,
    cues_in,
    five_quotes,
    headlines,
    measures,
    recording_of,
    seconds,
    stored_peaks,
)
from warmline.web.drawing import events, quiet_outside, timeline, waveform
from warmline.web.scorecards import evaluations_of, forms
from warmline.web.site import RefusedError, Visit, rows_for
from warmline.web.sound import (
    RangeError,
    decoded_peaks,
    drawable,
    in_columns,
    parse_range,
    require_here,
)
from warmline.web.store import comments, now
from warmline.web.templating import call_url
from warmline.web.warehouse import Reader, Row

_MOST_COLUMNS = 8000
_LONGEST_TEXT = 2000
CUE_ANSWERS = (*ANSWERS, NO_ANSWER, NO_CUE)
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
        page = _page(visit, reader, call)
        visit.note("opened", call)
        return visit.page(
            "call.html",
            reader,
            page=page,
            drawing=timeline(page),
            events=events(page),
            quotes=five_quotes(page),
            headlines=headlines(page, value_text),
            measures=measures(page),
            cues_in=cues_in,
            cue_kinds=FEELINGS,
            cue_answers=CUE_ANSWERS,
            comments=comments_of(visit, call.landing_key),
            evaluations=evaluations_of(visit, [call.landing_key]),
            corrected=corrected(page),
            forms=forms(site.warehouse.path),
            no_sound=_no_sound(visit, reader, page.call),
            sound=_sound_link(visit, call),
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
    return StreamingResponse(
        wav.blocks(first, last), 200 if wanted is None else 206, headers, "audio/wav"
    )


def renew_link(visit: Visit) -> Response:
    """Send a new link to the sound of a call, when the one of the page is too old."""
    visit.require(Right.HEAR)
    with visit.site.reading() as reader:
        call = visit.call(reader)
        (row,) = reader.rows(_ONE_CALL, {"id": call.call_id})
        problem = _no_sound(visit, reader, row)
        return JSONResponse({"sound": _sound_link(visit, call), "problem": problem})


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
    judgement = _judgement(visit)
    at_s = seconds(visit.asked("start_s"), "start_s")
    places = known_places(visit.site.settings, None, visit.site.warehouse.path)
    with visit.site.reading() as reader:
        call = visit.call(reader)
    land_cue_review(places.warehouse, places.landing, call.call_id, at_s, judgement)
    visit.note("reviewed", call, detail=f"cue {at_s:.1f} s: {judgement.verdict.value}")
    if not visit.is_partial:
        return RedirectResponse(call_url(call.call_id, at_s), 303)
    with visit.site.reading(reviews=True) as reader:
        page = _page(visit, reader, call)
        cue = min(page.opportunities, key=lambda row: abs(row["start_s"] - at_s))
        return visit.page(
            "_cue.html",
            reader,
            page=page,
            cue=cue,
            cue_kinds=FEELINGS,
            cue_answers=CUE_ANSWERS,
        )


def review_metric(visit: Visit) -> Response:
    """Judge the value of a measure."""
    judgement = _judgement(visit)
    name, role = visit.asked("name"), visit.asked("role") or None
    places = known_places(visit.site.settings, None, visit.site.warehouse.path)
    with visit.site.reading() as reader:
        call = visit.call(reader)
    land_metric_review(places.warehouse, places.landing, call.call_id, name, role, judgement)
    visit.note("reviewed", call, detail=f"{name}: {judgement.verdict.value}")
    if not visit.is_partial:
        return RedirectResponse(f"{call_url(call.call_id)}#measures", 303)
    with visit.site.reading(reviews=True) as reader:
        page = _page(visit, reader, call)
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
    text = visit.asked("text")
    if not text or len(text) > _LONGEST_TEXT:
        raise QueryError(f"text: say something in at most {_LONGEST_TEXT} characters")
    at_s = seconds(visit.asked("start_s"), "start_s")
    with visit.site.reading() as reader:
        call = visit.call(reader)
        duration = reader.value(
            "SELECT any_value(duration_s) FROM calls WHERE call_id = $id", {"id": call.call_id}
        )
        if duration is not None and at_s > duration:
            raise QueryError(f"start_s: the call has {duration:.1f} s, {at_s:.1f} is after it")
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
        return visit.page("_comments.html", reader, comments=comments_of(visit, call.landing_key))


def note_played(visit: Visit) -> Response:
    """Note how many seconds of a call were played."""
    visit.require(Right.HEAR)
    played_s = seconds(visit.asked("seconds"), "seconds")
    with visit.site.reading() as reader:
        visit.note("played", visit.call(reader), seconds=min(played_s, 86_400.0))
    return Response(status_code=204)


def _page(visit: Visit, reader: Reader, call: NamedCall) -> CallPage:
    """The rows of a call as this user may read them."""
    page = page_of(reader.cursor, call.call_id, with_profile=False)
    if visit.user.may(Right.NAMES):
        return page
    (row,) = rows_for(visit, [page.call])
    reviews = [review | {"remarks": None} for review in page.reviews]
    return CallPage(**{**vars(page), "call": row, "reviews": reviews})


def _judgement(visit: Visit) -> Judgement:
    verdict = visit.asked("verdict")
    if verdict not in ("right", "wrong"):
        raise QueryError(f"verdict: right or wrong, not {verdict[:40]!r}")
    reason = visit.asked("reason")[:_LONGEST_TEXT] or None
    if verdict == "wrong" and reason is None:
        raise QueryError("say why it is wrong: others will ask")
    should_be = (visit.asked("should_be") or None) if verdict == "wrong" else None
    return Judgement(visit.user.name, Verdict(verdict), reason, should_be)


def _sound_link(visit: Visit, call: NamedCall) -> str:
    return f"/sound/{visit.site.signer.sign(call.call_id, visit.session.digest)}"


def _no_sound(visit: Visit, reader: Reader, call: Row) -> str | None:
    """Why this user cannot hear the call; None when nothing is known against it."""
    try:
        recording = recording_of(visit, reader, call)
        require_here(recording)
    except (RecordingRefusedError, WarmlineError) as e:
        return visit.said(str(e))
    return None

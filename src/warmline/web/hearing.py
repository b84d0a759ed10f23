"""What a user may hear of a call, and why a call cannot be heard."""

from collections.abc import Collection, Sequence

from warmline.errors import WarmlineError
from warmline.landing import peaks_of
from warmline.query.calls import NamedCall
from warmline.recordings.sound import SAMPLE_RATE_HZ
from warmline.values import Span
from warmline.warehouse.landing_folder import noted_folder
from warmline.web.accounts import Right
from warmline.web.site import RefusedError, Visit
from warmline.web.sound import Recording, hidden_spans, require_here
from warmline.web.warehouse import Reader, Row

_REDACTIONS = "SELECT start_s, end_s FROM redactions WHERE call_id = $id ORDER BY start_s"
#: The file that holds an analysis: what was read last was written last.
_LANDED = "SELECT file FROM landing.entries WHERE landing_key = $key ORDER BY analyzed_at DESC"
_CALLS = "SELECT call_id, path, redactions FROM calls WHERE call_id IN $ids"


def sound_link(visit: Visit, call: NamedCall) -> str:
    """Return the address of a call's sound, for this session and a short time."""
    return f"/sound/{visit.site.signer.sign(call.call_id, visit.session.digest)}"


def begin_sound(visit: Visit, reader: Reader, call: Row) -> str | None:
    """Begin to open the sound of a call whose page is made; returns why it cannot be heard."""
    problem = no_sound(visit, call)
    if problem is None:
        visit.site.sounds.prepare(recording_of(visit, reader, call))
    return problem


def no_sound(visit: Visit, call: Row) -> str | None:
    """Return why this user cannot hear the call; None when nothing is known against it."""
    try:
        _require_hearing(visit, call)
        require_here(call["call_id"], call["path"])
    except WarmlineError as e:
        return str(e)
    return None


def silent_calls(visit: Visit, reader: Reader, call_ids: Collection[str]) -> dict[str, str]:
    """Return those of these calls that this user cannot hear, each with the reason."""
    if not call_ids:
        return {}
    return silent_among(visit, reader.rows(_CALLS, {"ids": sorted(set(call_ids))}))


def silent_among(visit: Visit, rows: Sequence[Row]) -> dict[str, str]:
    """Return the same of rows that have a `call_id`, a `path` and `redactions`."""
    calls = {row["call_id"]: row for row in rows}
    said = {call_id: no_sound(visit, row) for call_id, row in calls.items()}
    return {call_id: reason for call_id, reason in said.items() if reason is not None}


def recording_of(visit: Visit, reader: Reader, call: Row) -> Recording:
    """Return what this user may hear of a call, with a tone over what is hidden from them.

    Raises RefusedError (403) when that is nothing: the role may not hear calls, or not what was
    redacted, and nobody has looked for it in this call.
    """
    _require_hearing(visit, call)
    hidden: tuple[Span, ...] = ()
    if not visit.user.may(Right.HEAR_HIDDEN):
        hidden = hidden_spans(reader.rows(_REDACTIONS, {"id": call["call_id"]}))
    duration_s = call["duration_s"]
    samples = None if duration_s is None else round(duration_s * SAMPLE_RATE_HZ)
    channels = call["channel_count"]
    return Recording(
        call_id=call["call_id"],
        path=call["path"],
        audio_sha256=call["audio_sha256"],
        channels=channels,
        samples=samples,
        hidden=hidden,
        size_bytes=call["size_bytes"],
        modified_at=call["modified_at"],
    )


def _require_hearing(visit: Visit, call: Row) -> None:
    visit.require(Right.HEAR)
    if call["redactions"] is None and not visit.user.may(Right.HEAR_HIDDEN):
        raise RefusedError(
            403,
            f"{call['call_id']}: analyzed without redaction, so that nothing could be hidden; "
            f"your role, {visit.user.role}, may not {Right.HEAR_HIDDEN.value}",
        )


def stored_peaks(visit: Visit, reader: Reader, landing_key: str) -> tuple[bytes, ...]:
    """Return the peaks that landed with the analysis of a call; none with one of before."""
    at = visit.site.warehouse.path
    noted = noted_folder(reader.cursor)
    folder = next((f for f in noted.candidates(at) if noted.is_at(f, at)), None) if noted else None
    if folder is None:
        return ()
    files = [str(row["file"]) for row in reader.rows(_LANDED, {"key": landing_key})]
    return peaks_of(folder, landing_key, files)

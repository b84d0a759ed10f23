"""The head of a call's page: what call it is, who took part, and who spoke when."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from warmline.cli.page import CallPage, Row
from warmline.cli.render_parts import clock, role_style, share_text, styled

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_HEARD = {
    "stereo": "two channels",
    "mono": "one channel",
    "fake_stereo": "both voices on both channels",
}
_MARKS = {"interruption": "!", "answered": "+", "unanswered": "?", "dead_air": "_", "hold": "~"}


def head(page: CallPage) -> Iterable["RenderableType"]:
    """The call's name, status and circumstances."""
    from rich.rule import Rule

    call = page.call
    yield Rule(styled([(call["call_id"], "bold")]), align="left", style="dim")
    if call["status"] != "analyzed":
        yield styled([(call["status"], "bold yellow"), (f": {call['reason']}", "")])
    yield styled([(_circumstances(call), "dim")])
    yield styled([(call["path"], "dim")])
    if call["call_id_note"]:
        yield styled([("note: ", "yellow"), (call["call_id_note"], "")])


def parties(page: CallPage) -> Iterable["RenderableType"]:
    """Who took part, how sure that is, and why."""
    from rich.table import Table

    if not page.parties:
        return
    yield ""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    shares = {
        m["party"]: m["value"] for m in page.metrics if m["name"] == "talk_share" and m["party"]
    }
    for row in page.parties:
        role = row["role"] or "unknown"
        sure = "" if row["role_confidence"] is None else f"{row['role_confidence']:.2f} sure"
        talk = f"{share_text(shares.get(row['party']))} of the talk"
        name = styled([(f"{row['party']}  ", ""), (role, role_style(role))])
        table.add_row(name, sure, talk, styled([(row["role_reason"] or "", "dim")]))
    yield table


def timeline(page: CallPage, width: int) -> Iterable["RenderableType"]:
    """A strip for each party, and under them what happened when."""
    duration_s = page.call["duration_s"]
    if not duration_s or not page.segments:
        return
    names = [page.name_of(row["party"]) for row in page.parties]
    indent = max(len(name) for name in names) + 2
    cells = max(width - indent, 10)
    end = clock(duration_s)
    yield ""
    yield styled([(" " * indent + "0:00" + end.rjust(cells - 4), "dim")])
    for row, name in zip(page.parties, names, strict=True):
        spans = [s for s in page.segments if s["party"] == row["party"]]
        yield styled(
            [
                (name.ljust(indent), role_style(name)),
                (strip(spans, duration_s, cells), role_style(name)),
            ]
        )
    marks = event_strip(page, duration_s, cells)
    if marks.strip():
        yield styled([(" " * indent, ""), (marks, "bold")])
        yield _legend(marks, indent)


def strip(spans: list[Row], duration_s: float, cells: int) -> str:
    """Speech over the call as `cells` characters, each fuller the more is spoken in it."""
    length_s = duration_s / cells
    spoken = [0.0] * cells
    for span in spans:
        first = min(int(span["start_s"] / length_s), cells - 1)
        last = min(int(span["end_s"] / length_s), cells - 1)
        for cell in range(first, last + 1):
            start, end = cell * length_s, (cell + 1) * length_s
            spoken[cell] += max(0.0, min(span["end_s"], end) - max(span["start_s"], start))
    return "".join(_block(seconds / length_s) for seconds in spoken)


def event_strip(page: CallPage, duration_s: float, cells: int) -> str:
    """Where parties interrupt, cues stand, and nobody speaks; what matters more covers the rest."""
    line = [" "] * cells

    def mark(kind: str, start_s: float, end_s: float) -> None:
        first = min(int(start_s / duration_s * cells), cells - 1)
        last = min(int(end_s / duration_s * cells), cells - 1)
        line[first : last + 1] = _MARKS[kind] * (last + 1 - first)

    for silence in page.silences:
        if silence["kind"] in ("dead_air", "hold"):
            mark(silence["kind"], silence["start_s"], silence["end_s"])
    for overlap in page.overlaps:
        if overlap["kind"] == "interruption":
            mark("interruption", overlap["start_s"], overlap["start_s"])
    for cue in page.opportunities:
        kind = "answered" if cue["answered"] else "unanswered"
        mark(kind, cue["start_s"], cue["start_s"])
    return "".join(line)


def _block(share: float) -> str:
    if share >= 0.5:
        return "█"
    if share >= 0.15:
        return "▄"
    return "▁" if share > 0.02 else " "


def _legend(marks: str, indent: int) -> "Text":
    meaning = {
        "interruption": "interruption",
        "answered": "cue answered",
        "unanswered": "cue not answered",
        "dead_air": "dead air",
        "hold": "hold",
    }
    shown = [f"{_MARKS[kind]} {text}" for kind, text in meaning.items() if _MARKS[kind] in marks]
    return styled([(" " * indent + "   ".join(shown), "dim")])


def _begun(at: datetime | None) -> str | None:
    """When the call began, and in which time zone that is; without one, a time is UTC."""
    return f"{at:%Y-%m-%d %H:%M} {at.tzname() or 'UTC'}" if at else None


def _circumstances(call: Row) -> str:
    parts = [
        clock(call["duration_s"]) if call["duration_s"] else None,
        _HEARD.get(call["channel_kind"] or ""),
        _told_apart(call),
        _language(call),
        _begun(call["started_at"]),
        call["direction"],
        f"agent {call['agent_id']}" if call["agent_id"] else None,
        f"team {call['team']}" if call["team"] else None,
        f"queue {call['queue']}" if call["queue"] else None,
        f"customer {call['customer_id']}" if call["customer_id"] else None,
        f"about {call['contact_reason']}" if call["contact_reason"] else None,
        "simulated" if call["is_simulated"] else None,
    ]
    return " · ".join(part for part in parts if part)


def _told_apart(call: Row) -> str | None:
    if call["speaker_source"] != "diarization":
        return None
    return f"parties told apart by voice ({call['speaker_confidence']:.2f} sure)"


def _language(call: Row) -> str | None:
    if not call["language"]:
        return None
    sure = call["language_probability"]
    return f"language {call['language']}" + (f" ({sure:.2f})" if sure is not None else "")

"""`warmline show`: one call as a page to read."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from warmline.cli.options import (
    JsonOption,
    SettingsOption,
    WarehouseOption,
    ZoneOption,
    settings_from,
    zone_of,
)
from warmline.cli.terminal import note_access, say_json
from warmline.places import places_of
from warmline.query.call_page import (
    CallPage,
    Row,
    clock,
    role_style,
    share_text,
    styled,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

# The head of a call's page: which call it is, who took part, and who spoke when.


_HEARD = {
    "stereo": "two channels",
    "mono": "one channel",
    "fake_stereo": "both voices on both channels",
}
_MARKS = {"interruption": "!", "answered": "+", "unanswered": "?", "dead_air": "_", "hold": "~"}


def head(page: CallPage) -> Iterable["RenderableType"]:
    """Yield the call's name, status and circumstances."""
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
    """Yield who took part, how sure that is, and why."""
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
    """Yield a strip for each party, and below them one for events."""
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
    """Return the speech over the call as `cells` characters, fuller the more is spoken in each."""
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
    """Return a strip of interruptions, cues and silences; what matters more covers the rest."""
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
    """Return when the call began, and in which time zone; without one, a time is UTC."""
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


# The transcript of a call's page: turns with times, and what was noticed in each.

# What the ledger shows in full, and what would only repeat the words.
_NOT_TAGGED = {"cue", "quote", "formula", "politeness", "identification", "uptake"}
_SHOWN_SILENCE = {"dead_air": "nobody speaks", "hold": "hold"}


def transcript(page: CallPage) -> Iterable["RenderableType"]:
    """Yield every turn with its time and speaker; under it cues, answers, interruptions,
    backchannels.
    """
    from rich.table import Table

    if not page.turns:
        return
    yield ""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    silences = [s for s in page.silences if s["kind"] in _SHOWN_SILENCE]
    for turn, silent in _with_silences(page.turns, silences):
        for silence in silent:
            length_s = silence["end_s"] - silence["start_s"]
            note = f"-- {_SHOWN_SILENCE[silence['kind']]} for {length_s:.1f} s --"
            table.add_row(clock(silence["start_s"]), "", styled([(note, "dim yellow")]))
        if turn is not None:
            name = page.name_of(turn["party"])
            said = [(turn["text"], "")] if turn["text"] else [("no words recognised", "dim italic")]
            speaker = styled([(name, role_style(name))])
            table.add_row(clock(turn["start_s"]), speaker, styled(said))
            for mark in _marks(page, turn):
                table.add_row("", "", mark)
    yield table


def _with_silences(turns: list[Row], silences: list[Row]) -> Iterator[tuple[Row | None, list[Row]]]:
    """Yield (silences before it, turn) pairs; a last pair without a turn has the silences after
    all.
    """
    rest = list(silences)
    for turn in turns:
        before = [s for s in rest if s["start_s"] < turn["start_s"]]
        rest = rest[len(before) :]
        yield turn, before
    yield None, rest


def _marks(page: CallPage, turn: Row) -> Iterator["Text"]:
    yield from _interruptions(page, turn)
    for cue in page.opportunities:
        if cue["turn_index"] == turn["turn_index"]:
            yield _cue(cue)
    for cue in page.opportunities:
        if cue["answered"] and cue["answer_turn_index"] == turn["turn_index"]:
            yield _answer(cue)
    tags = dict.fromkeys(
        _words(m["kind"]) + (f" ({_words(m['label'])})" if m["label"] else "")
        for m in page.moments
        if m["turn_index"] == turn["turn_index"] and m["kind"] not in _NOT_TAGGED
    )
    if tags:
        yield styled([(" · ".join(tags), "dim")])
    heard = [
        f"{page.name_of(b['party'])}: {b['text'] or 'a short sound'}"
        for b in page.backchannels
        if b["party"] != turn["party"] and turn["start_s"] <= b["start_s"] < turn["end_s"]
    ]
    if heard:
        yield styled([(f"meanwhile {', '.join(heard)}", "dim italic")])


def _interruptions(page: CallPage, turn: Row) -> Iterator["Text"]:
    """Yield those that this turn begins with, or that happen in it."""
    for overlap in page.overlaps:
        if overlap["kind"] != "interruption" or overlap["entrant"] != turn["party"]:
            continue
        if turn["start_s"] - 0.5 <= overlap["start_s"] < turn["end_s"]:
            traits = [
                "cooperative" if overlap["cooperative"] else "competitive",
                "takes the floor" if overlap["successful"] else "does not get the floor",
            ]
            text = f"! interrupts {page.name_of(overlap['holder'])} ({', '.join(traits)})"
            yield styled([(text, "yellow")])


def _cue(cue: Row) -> "Text":
    what = f'cue, {_words(cue["kind"])}: "{cue["text"]}"'
    if cue["answered"]:
        return styled([(f"+ {what}", "green")])
    how = _words(cue["answer"]) if cue["answer"] else "no agent turn follows"
    return styled([(f"? {what} -> {how}", "bold red")])


def _answer(cue: Row) -> "Text":
    after = "" if cue["latency_s"] is None else f", {cue['latency_s']:.1f} s after it"
    text = f"+ {_words(cue['answer'])} answer to the cue at {clock(cue['start_s'])}{after}"
    return styled([(text, "green")])


def _words(name: str) -> str:
    return name.replace("_", " ")


_NARROWEST = 60


def show(
    call_id: Annotated[
        str, typer.Argument(help="Its id, the beginning of its id, or the name of its file.")
    ],
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    width: Annotated[
        int | None,
        typer.Option(
            "--width",
            min=_NARROWEST,
            help="Characters in a line; by default those of the terminal.",
            show_default=False,
        ),
    ] = None,
    timezone: ZoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one call: who spoke when, what was said, what was measured, and where to hear it."""
    from warmline.query.call_page import read_page

    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    at = places_of(chosen, None, warehouse).warehouse
    page = read_page(at, call_id)
    note_access(at, "show", calls=[page.call["call_id"]])
    page = replace(page, call=zone.row(page.call))
    if as_json:
        say_json(page.as_dict())
        return
    from warmline.cli.render_metrics import ledger, measures, profile, quotes
    from warmline.cli.terminal import PlainConsole

    console = PlainConsole(width=width, highlight=False)
    line = max(console.width, _NARROWEST)
    for part in (
        head(page),
        parties(page),
        timeline(page, line),
        transcript(page),
        ledger(page),
        quotes(page),
        profile(page),
        measures(page, line),
    ):
        for renderable in part:
            console.print(renderable)

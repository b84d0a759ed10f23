"""`warmline show`: one call as a page to read."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from warmline.cli.common import (
    JsonOption,
    PlainConsole,
    SettingsOption,
    WarehouseOption,
    ZoneOption,
    note_access,
    say_json,
    settings_from,
    zone_of,
)
from warmline.files import places_of
from warmline.query.calls import (
    CallPage,
    Row,
    clock,
    evidence_text,
    role_style,
    share_text,
    styled,
    value_text,
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


def _head(page: CallPage) -> Iterable["RenderableType"]:
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


def _parties(page: CallPage) -> Iterable["RenderableType"]:
    """Yield who took part, how sure that is, and why."""
    from rich.table import Table

    if not page.parties:
        return
    yield ""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
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


def _timeline(page: CallPage, width: int) -> Iterable["RenderableType"]:
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
    marks = _event_strip(page, duration_s, cells)
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


def _event_strip(page: CallPage, duration_s: float, cells: int) -> str:
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


def _transcript(page: CallPage) -> Iterable["RenderableType"]:
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


# The ledger and the measures of a call's page, each with its counts and its evidence.

_WIDE = 100
_TABLE_FITS = 76  # with the longest names and values of measures
_EVIDENCE_ROOM = {True: 30, False: 10}
_VERDICT_STYLES = {"right": "green", "wrong": "red", "disputed": "yellow"}


def _ledger(page: CallPage) -> Iterable["RenderableType"]:
    """Yield one row per cue, with how it was answered; or why there is no ledger."""
    from rich.table import Table

    if page.call["status"] != "analyzed":
        return
    yield from _heading("Opportunities to answer a feeling")
    if page.call["no_ledger_reason"]:
        yield styled([("none can be told: ", "yellow"), (page.call["no_ledger_reason"], "")])
        return
    if not page.opportunities:
        yield styled([("no cue was recognised", "dim")])
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("at", justify="right", no_wrap=True)
    table.add_column("the customer's feeling", ratio=1, overflow="fold")
    table.add_column("the agent's answer", ratio=1, overflow="fold")
    for cue in page.opportunities:
        feeling = styled(
            [
                (f"{_words(cue['kind'])}, {cue['strength']:.1f}\n", ""),
                (f'"{cue["text"]}"', "dim"),
            ]
        )
        answer = _answer_given(cue)
        if review := page.review_of_cue(cue["opportunity_index"]):
            answer.append_text(styled([("\n", ""), *_reviewed(review)]))
        table.add_row(clock(cue["start_s"]), feeling, answer)
    yield table


def _measures(page: CallPage, width: int) -> Iterable["RenderableType"]:
    """Yield every measure with a value, what was looked for in vain, and what could not be
    measured.
    """
    if not page.metrics:
        return
    yield from _heading("Measures")
    found = [m for m in page.metrics if m["value"] is not None and not _is_none_found(m)]
    if found and width >= _TABLE_FITS:
        yield _table(page, found, width)
    elif found:
        yield from _stacked(page, found)
    none = [m for m in page.metrics if _is_none_found(m)]
    if none:
        yield ""
        yield styled([("None found: ", "bold"), (", ".join(_named(page, none)), "dim")])
    yield from _unsaid(page)


def _stacked(page: CallPage, metrics: list[Row]) -> Iterable["RenderableType"]:
    """Yield each measure, and below it whose it is, its value, and where to hear it."""
    for metric in metrics:
        who = _who(page, metric)
        yield metric["name"]
        parts = [("  ", ""), (who, role_style(who)), ("  ", ""), *_value(page, metric)]
        if where := evidence_text(metric["evidence"], _EVIDENCE_ROOM[False]):
            parts.append((f"  {where}", "dim"))
        yield styled(parts)


def _value(page: CallPage, metric: Row) -> list[tuple[str, str]]:
    value = [(value_text(metric["value"], metric["unit"]), ""), (_counts(metric), "dim")]
    if review := page.review_of_metric(metric["name"], metric["party"]):
        value += [("\n", ""), (_verdict(review), _VERDICT_STYLES[review["verdict"]])]
    return value


def _table(page: CallPage, metrics: list[Row], width: int) -> "RenderableType":
    from rich.table import Table

    is_wide = width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("measure", no_wrap=True)
    table.add_column("of", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    if is_wide:
        table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("where", style="dim")
    for metric in metrics:
        who = _who(page, metric)
        cells: list[RenderableType] = [
            metric["name"],
            styled([(who, role_style(who))]),
            styled(_value(page, metric)),
        ]
        if is_wide:
            cells.append(f"{metric['confidence']:.2f}")
        table.add_row(*cells, evidence_text(metric["evidence"], _EVIDENCE_ROOM[is_wide]))
    return table


def _profile(page: CallPage) -> Iterable["RenderableType"]:
    """Yield the empathy profile of the call: each component beside all calls, with its interval."""
    from rich.table import Table

    if not page.profile:
        return
    yield from _heading("Empathy profile (50 is the mean of all calls, more is better)")
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("component", "this call", "all calls", "score"):
        table.add_column(name, justify="left" if name == "component" else "right")
    for row in page.profile:
        counts = f"{row['value']:.2f} = {_number(row['amount'])}/{_number(row['exposure'])}"
        score = "-" if row["score"] is None else f"{row['score']:.0f}"
        if row["score_low"] is not None:
            score += f", {row['score_low']:.0f} to {row['score_high']:.0f}"
        table.add_row(_words(row["component"]), counts, f"{row['reference_mean']:.2f}", score)
    yield table
    if reasons := sorted({row["reason"] for row in page.profile if row["reason"]}):
        yield styled([(f"No score: {'; '.join(reasons)}.", "dim")])


def _quotes(page: CallPage) -> Iterable["RenderableType"]:
    """Yield the customer's own words."""
    if not page.quotes:
        return
    yield from _heading("The customer's own words")
    for quote in page.quotes:
        yield styled(
            [(f"{clock(quote['start_s']):>6}  ", "dim"), (f'"{quote["text"]}"', "magenta")]
        )


def _unsaid(page: CallPage) -> Iterable["RenderableType"]:
    """Yield measures without a value, by reason: NULL is not zero."""
    reasons: dict[str, list[Row]] = {}
    for metric in page.metrics:
        if metric["value"] is None:
            reasons.setdefault(metric["reason"], []).append(metric)
    if reasons:
        yield ""
        yield styled([("Not said, because", "bold")])
    for reason, metrics in reasons.items():
        yield styled([(f"- {reason}: ", ""), (", ".join(_named(page, metrics)), "dim")])


def _is_none_found(metric: Row) -> bool:
    return bool(metric["unit"] == "count" and metric["value"] == 0)


def _named(page: CallPage, metrics: list[Row]) -> list[str]:
    """Return names of measures, each with its parties."""
    parties: dict[str, list[str]] = {}
    for metric in metrics:
        parties.setdefault(metric["name"], []).append(_who(page, metric))
    return [f"{name} ({', '.join(of)})" for name, of in parties.items()]


def _who(page: CallPage, metric: Row) -> str:
    return page.name_of(metric["party"]) if metric["party"] else "call"


def _counts(metric: Row) -> str:
    if metric["name"] == "opening_story_s" and not metric["observations"]:
        return ", not interrupted"
    if metric["denominator"] is not None and metric["numerator"] is not None:
        return f" = {_number(metric['numerator'])}/{_number(metric['denominator'])}"
    if metric["observations"] is not None and metric["numerator"] is None:
        return f", n={metric['observations']}"
    return ""


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"


def _answer_given(cue: Row) -> "Text":
    if cue["answer"] is None:
        return styled([("no agent turn follows", "yellow")])
    rest = f", level {cue['level']}" if cue["level"] is not None else ""
    rest += f", after {cue['latency_s']:.1f} s" if cue["latency_s"] is not None else ""
    parts = [(_words(cue["answer"]), "green" if cue["answered"] else "red"), (rest, "")]
    if cue["answer_text"]:
        parts.append((f'\n{clock(cue["answer_start_s"])} "{cue["answer_text"]}"', "dim"))
    return styled(parts)


def _reviewed(review: Row) -> list[tuple[str, str]]:
    """Return reviewers' verdicts, and who gave them and why."""
    return [
        (_verdict(review), _VERDICT_STYLES[review["verdict"]]),
        (f"; {review['remarks']}", "dim"),
    ]


def _verdict(review: Row) -> str:
    should_be = f", should be {_words(review['should_be'])}" if review["should_be"] else ""
    return f"reviewed: {review['verdict']}{should_be}"


def _heading(text: str) -> Iterable["RenderableType"]:
    yield ""
    yield styled([(text, "bold")])


_NARROWEST = 40


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
    from warmline.query.calls import read_page

    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    at = places_of(chosen, None, warehouse).warehouse
    page = read_page(at, call_id)
    note_access(at, "show", calls=[page.call["call_id"]])
    page = replace(page, call=zone.row(page.call))
    if as_json:
        say_json(page.as_dict())
        return

    console = PlainConsole(width=width, highlight=False)
    line = max(console.width, _NARROWEST)
    for part in (
        _head(page),
        _parties(page),
        _timeline(page, line),
        _transcript(page),
        _ledger(page),
        _quotes(page),
        _profile(page),
        _measures(page, line),
    ):
        for renderable in part:
            console.print(renderable)

"""The transcript of a call's page: turns with times, and what was noticed in each."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from warmline.cli.page import CallPage, Row
from warmline.cli.render_parts import clock, role_style, styled

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

# What the ledger shows in full, and what would only repeat the words.
_NOT_TAGGED = {"cue", "quote", "formula", "politeness", "identification", "uptake"}
_SHOWN_SILENCE = {"dead_air": "nobody speaks", "hold": "hold"}


def transcript(page: CallPage) -> Iterable["RenderableType"]:
    """Every turn with its time and speaker; under it cues, answers, interruptions, backchannels."""
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
    """Each turn with the silences before it; a last pair without a turn for those after all."""
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
    """Those with which this turn begins, or that happen in it."""
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

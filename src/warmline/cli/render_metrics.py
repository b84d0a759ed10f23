"""The ledger and the measures of a call's page, each with its counts and its evidence."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from warmline.query.call_page import (
    CallPage,
    Row,
    clock,
    evidence_text,
    role_style,
    styled,
    value_text,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_WIDE = 100
_EVIDENCE_ROOM = {True: 30, False: 10}
_VERDICT_STYLES = {"right": "green", "wrong": "red", "disputed": "yellow"}


def ledger(page: CallPage) -> Iterable["RenderableType"]:
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
        feeling = f'{_words(cue["kind"])}, {cue["strength"]:.1f}\n[dim]"{cue["text"]}"[/]'
        answer = _answer(cue)
        if review := page.review_of_cue(cue["opportunity_index"]):
            answer.append_text(styled([("\n", ""), *_reviewed(review)]))
        table.add_row(clock(cue["start_s"]), feeling, answer)
    yield table


def measures(page: CallPage, width: int) -> Iterable["RenderableType"]:
    """Yield every measure with a value, what was looked for in vain, and what could not be
    measured.
    """
    if not page.metrics:
        return
    yield from _heading("Measures")
    found = [m for m in page.metrics if m["value"] is not None and not _is_none_found(m)]
    if found:
        yield _table(page, found, width)
    none = [m for m in page.metrics if _is_none_found(m)]
    if none:
        yield ""
        yield styled([("None found: ", "bold"), (", ".join(_named(page, none)), "dim")])
    yield from _unsaid(page)


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
        value = [(value_text(metric["value"], metric["unit"]), ""), (_counts(metric), "dim")]
        if review := page.review_of_metric(metric["name"], metric["party"]):
            value += [("\n", ""), (_verdict(review), _VERDICT_STYLES[review["verdict"]])]
        cells: list[RenderableType] = [
            metric["name"],
            styled([(who, role_style(who))]),
            styled(value),
        ]
        if is_wide:
            cells.append(f"{metric['confidence']:.2f}")
        table.add_row(*cells, evidence_text(metric["evidence"], _EVIDENCE_ROOM[is_wide]))
    return table


def profile(page: CallPage) -> Iterable["RenderableType"]:
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


def quotes(page: CallPage) -> Iterable["RenderableType"]:
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
    if metric["denominator"] is not None and metric["numerator"] is not None:
        return f" = {_number(metric['numerator'])}/{_number(metric['denominator'])}"
    if metric["observations"] is not None and metric["numerator"] is None:
        return f", n={metric['observations']}"
    return ""


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"


def _answer(cue: Row) -> "Text":
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


def _words(name: str) -> str:
    return name.replace("_", " ")

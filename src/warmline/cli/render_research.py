"""The printed output of `warmline research`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from warmline.cli.terminal import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warmline.research.power import Plan
    from warmline.research.reliability import Reliability
    from warmline.research.study import Study


def print_study(study: "Study", page: Path) -> None:
    """Print what was found, which measures have no result, and where the page is."""
    from rich.markup import escape
    from rich.table import Table

    from warmline.research.words import lead, scale_of

    scale, unit = scale_of(study)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("measure", "n", "agents", f"{unit} per SD", "p", "corrected"):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    for a in study.associations:
        front = (escape(a.measure), str(a.n), str(a.agents))
        if a.adjusted is None:
            continue
        e = a.adjusted
        told = f"{e.value * scale:+.2f} [{e.low * scale:+.2f}, {e.high * scale:+.2f}]"
        table.add_row(*front, escape(told), f"{e.p:.3f}", f"{a.p_corrected:.3f}")
    output().print(escape(lead(study)), soft_wrap=True)
    output().print()
    if study.told:
        output().print(table)
    for a in study.associations:
        if a.reason:
            output().print(f"[yellow]{escape(a.measure)}[/]: {escape(a.reason)}", soft_wrap=True)
    for caution in study.cautions:
        output().print(f"[yellow]note:[/] {escape(caution)}", soft_wrap=True)
    output().print(f"\n{escape(str(page))}", soft_wrap=True)


def print_reliabilities(found: "Sequence[Reliability]", as_json: bool) -> None:
    """Print how far each measure tells agents apart, a line a measure."""
    from rich.markup import escape
    from rich.table import Table

    from warmline.research.reliability import WANTED

    if as_json:
        typer.echo(json.dumps([asdict(r) for r in found], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    wanted = tuple(f"for {w:g}" for w in WANTED)
    for heading in ("measure", "calls", "agents", "each", "reliability", "halves", *wanted):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    for r in found:
        if r.reason is None:
            halves = "" if r.split_half is None else f"{r.split_half:.2f}"
            if r.split_half_low is not None and r.split_half_high is not None:
                halves += f" [{r.split_half_low:.2f}, {r.split_half_high:.2f}]"
            calls = ("never" if n is None else f"{n:,}" for n in r.needed)
            numbers = (str(r.calls), str(r.agents), f"{r.calls_per_agent:.0f}", f"{r.g:.2f}")
            table.add_row(escape(r.measure), *numbers, escape(halves), *calls)
    if table.rows:
        output().print(table)
        output().print(
            "reliability: how much of what agents' means differ by would be there again with other "
            "calls of theirs (1 all, 0 nothing); below 0.7 a ranking is mostly luck. halves: the "
            "same from odd against even calls. for 0.7: how many calls of each agent it takes.",
            style="dim",
            soft_wrap=True,
        )
    for r in found:
        if r.reason:
            output().print(f"[yellow]{escape(r.measure)}[/]: {escape(r.reason)}", soft_wrap=True)


def print_needed(effect: float, plan: "Plan", as_json: bool) -> None:
    """Print how many calls it takes to see an effect."""
    from warmline.research.power import needed

    found = needed(effect, plan)
    if as_json:
        typer.echo(json.dumps({"effect": effect} | asdict(plan) | asdict(found), indent=2))
        return
    output().print(
        f"An effect of {effect:+g} per SD of the measure, seen {plan.power:.0%} of times:"
    )
    output().print(f"  [bold]{found.within:,}[/] calls, agents compared with themselves")
    output().print(
        f"  {found.pooled:,} calls, all compared with all (design effect {found.design_effect:.2f})"
    )
    output().print(f"  {found.independent:,} if calls had nothing to do with agents", style="dim")
    if plan.usable < 1:
        output().print(
            f"  that is {found.within_recorded:,} recorded calls, as {plan.usable:.0%} of them "
            "have both outcome and measure"
        )
    output().print(f"  at {plan.calls_per_agent:g} calls each: {found.agents:,} agents")
    _print_plan(plan)


def print_detectable(calls: int, plan: "Plan", as_json: bool) -> None:
    """Print how small an effect this many calls can show."""
    from warmline.research.power import detectable

    smallest = detectable(calls, plan)
    if as_json:
        typer.echo(json.dumps({"calls": calls, "detectable": smallest} | asdict(plan), indent=2))
        return
    output().print(
        f"{calls:,} usable calls show an effect of [bold]{smallest:.3g}[/] per SD of the measure "
        f"{plan.power:.0%} of times, agents compared with themselves"
    )
    _print_plan(plan)


def _print_plan(plan: "Plan") -> None:
    said = ", ".join(f"{name} {value:.3g}" for name, value in asdict(plan).items())
    output().print(f"assumed: {said}", style="dim")

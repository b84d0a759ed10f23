"""The printed output of `warmline research`."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from warmline.cli.terminal import output

#: From this reliability on agents are put in order.
WANTED_TO_RANK = 0.7

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warmline.research.casemix import CaseMix
    from warmline.research.dif import Dif
    from warmline.research.fairness import Gap, Group
    from warmline.research.power import Plan
    from warmline.research.provenance import Provenance
    from warmline.research.reliability import Raters, Reliability
    from warmline.research.study import Study
    from warmline.research.training import TrainingEffect


def print_study(study: "Study", page: Path) -> None:
    """Print what was found, of which measures nothing can be said, and where the page is."""
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


def print_reliabilities(
    found: "Sequence[Reliability]", raters: "Sequence[Raters]", made: "Provenance", as_json: bool
) -> None:
    """Print how far each measure tells agents apart, a line a measure; then what raters add."""
    from rich.markup import escape
    from rich.table import Table

    from warmline.research.reliability import WANTED

    if as_json:
        told = {"measures": [asdict(f) for f in found], "raters": [asdict(r) for r in raters]}
        _echo(told, made)
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    wanted = tuple(f"for {w:g}" for w in WANTED)
    headings = ("calls", "agents", "each", "reliability", "as it stands", "halves", *wanted)
    for heading in ("measure", *headings):
        is_name = heading == "measure"
        table.add_column(heading, justify="left" if is_name else "right", no_wrap=is_name)
    for r in found:
        if r.reason is None:
            halves = "" if r.split_half is None else f"{r.split_half:.2f}"
            calls = ("unknown" if n is None else f"{n:,}" for n in r.needed)
            numbers = (str(r.calls), str(r.agents), f"{r.calls_per_agent:.0f}")
            worth = (f"{r.g:.2f}", f"{r.phi:.2f}")
            table.add_row(escape(r.measure), *numbers, *worth, escape(halves), *calls)
    if table.rows:
        output().print(table)
        output().print(
            "reliability: how much of what agents differ by would be there again with other calls "
            "of theirs (1 all, 0 nothing); below 0.7 too much of a ranking is luck to act on it. "
            "as it stands: the same where agents worked in other weeks, or on other matters, than "
            "each other. halves: a rough check with half of the calls against the rest; with few "
            "agents it jumps about, below 0 too. for 0.7: how many calls of each agent it takes, "
            "a guess where agents are few; unknown: these calls show no difference to find again.",
            style="dim",
            soft_wrap=True,
        )
    for r in found:
        if r.reason is None:
            output().print(escape(_worth(r)), soft_wrap=True)
    for r in found:
        if r.reason:
            output().print(f"[yellow]{escape(r.measure)}[/]: {escape(r.reason)}", soft_wrap=True)
    for part in raters:
        _print_raters(part)
    _print_provenance(made)


def _worth(r: "Reliability") -> str:
    """Say in a sentence how far a measure tells agents apart."""
    needed = r.needed[0] if r.needed else None
    said = (
        f"{r.measure}: over {r.calls_per_agent:.0f} calls each, {r.g:.0%} of what agents differ by "
        "is theirs, and the rest luck; "
    )
    if r.g is not None and r.g >= WANTED_TO_RANK:
        return f"{said}that is enough to put them in order."
    if needed is None:
        return f"{said}how many calls it would take to put them in order cannot be said from these."
    return f"{said}to put them in order takes {needed:,} calls of each."


def _print_raters(part: "Raters") -> None:
    total = part.turn + part.rater + part.rest
    shares = [f"{v / total:.0%}" if total else "0 %" for v in (part.turn, part.rater, part.rest)]
    people = part.needed[0]
    output().print(
        f"[bold]{part.question}[/], {part.turns} turns that {part.raters} people labelled: of "
        f"what labels differ by, {shares[0]} is the turn, {shares[1]} that some people see it more "
        f"often than others, {shares[2]} one person's view of one turn. "
        + (
            "No number of people is enough."
            if people is None
            else f"For 0.7, {people} people must label each turn."
            if people > 1
            else "One person's label is good for 0.7."
        ),
        soft_wrap=True,
    )


def print_training(
    found: "Sequence[TrainingEffect]", level: float, made: "Provenance", as_json: bool
) -> None:
    """Print what changed with a training, a line a measure, then the agents of what is clear."""
    from rich.markup import escape
    from rich.table import Table

    from warmline.research.training import lead

    if as_json:
        _print_json(found, made)
        return
    output().print(escape(lead(found, level)), soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    headings = ("trained", "others", "change", "from the same level", "corrected p", "before")
    for heading in ("measure", *headings):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    for f in found:
        if f.change and f.same_start:
            slope = f.trend_before
            table.add_row(
                escape(f.measure),
                *(str(f.trained), str(f.untrained)),
                *(
                    escape(f"{e.value:+.3g} [{e.low:+.3g}, {e.high:+.3g}]")
                    for e in (f.change, f.same_start)
                ),
                f"{f.p_corrected:.3f}",
                "" if slope is None else escape(f"{slope.value:+.2g} a week, p {slope.p:.2f}"),
            )
    if table.rows:
        output().print()
        output().print(table)
        output().print(
            "change: how much further trained agents moved than the others. from the same level: "
            "the same, of agents who did alike before. before: how much further they moved each "
            "week before the training, which should be 0. Intervals of 95 %.",
            style="dim",
            soft_wrap=True,
        )
        first = next(f for f in found if f.change and f.same_start)
        output().print(escape(_read_training(first)), soft_wrap=True)
    for f in found:
        if f.reason:
            output().print(f"[yellow]{escape(f.measure)}[/]: {escape(f.reason)}", soft_wrap=True)
    _print_provenance(made)


def print_case_mix(found: "Sequence[CaseMix]", made: "Provenance", as_json: bool) -> None:
    """Print agents beside what was to be expected of their calls, a table a measure."""
    from rich.markup import escape
    from rich.table import Table

    if as_json:
        _print_json(found, made)
        return
    for mix in found:
        if mix.reason or mix.reliability is None:
            output().print(f"[yellow]{escape(mix.measure)}[/]: {escape(mix.reason or '')}")
            continue
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        headings = ["agent", "calls", "observed", "expected"]
        headings += ["ratio", "above or below"] if mix.is_ranked else []
        for heading in headings:
            table.add_column(heading, justify="left" if heading == "agent" else "right")
        for c in mix.agents:
            cells = [c.agent_id, f"{c.calls:,}", f"{c.observed:.3g}", f"{c.expected:.3g}"]
            if mix.is_ranked:
                ratio = "" if c.ratio is None else f"{c.ratio:.2f}"
                cells += [ratio, f"{c.own.value:+.3g} [{c.own.low:+.3g}, {c.own.high:+.3g}]"]
            table.add_row(*map(escape, cells))
        output().print(f"[bold]{escape(mix.measure)}[/], reliability {mix.reliability:.2f}")
        output().print(table)
        output().print(escape(_read_agent(mix)), soft_wrap=True)
        said = (
            "Highest first, and high need not be good; agents whose intervals overlap are not told "
            "apart. above or below: observed less expected, cut down by the part that is luck, "
            "with its interval of 95 %; where 0 is inside, nothing is shown."
            if mix.is_ranked
            else "By name: to rank them would be luck."
        )
        output().print(
            f"{said} expected: what such calls have on average ({', '.join(mix.held_equal)}).",
            style="dim",
            soft_wrap=True,
        )
    _print_provenance(made)


def _read_agent(mix: "CaseMix") -> str:
    """Read the first agent's line as a sentence."""
    c = mix.agents[0]
    said = (
        f"Read so: {c.agent_id} has {mix.measure} at {c.observed:.3g}, and such calls have "
        f"{c.expected:.3g} on average"
    )
    if not mix.is_ranked:
        return f"{said}; these calls cannot tell that from luck, of this agent or another."
    more = "more" if c.difference > 0 else "less"
    return (
        f"{said}. That is {abs(c.difference):.3g} {more}; what the agent adds, luck set aside, "
        f"lies between {c.own.low:+.3g} and {c.own.high:+.3g}."
    )


def _read_training(f: "TrainingEffect") -> str:
    """Read the line of one measure as a sentence."""
    if f.change is None or f.same_start is None:
        return ""
    low, high = f.change.low, f.change.high
    said = (
        f"Read so: in {f.measure} the {f.trained} trained agents rose by "
        f"{abs(f.change.value):.3g} {'more' if f.change.value > 0 else 'less'} than the "
        f"{f.untrained} others over the same weeks; anything from {low:+.3g} to {high:+.3g} is "
        "possible"
    )
    if low <= 0 <= high:
        return f"{said}, so that neither a gain nor a loss is shown."
    if f.same_start.low <= 0 <= f.same_start.high:
        return f"{said}, but beside agents who did alike before, nothing is shown."
    return f"{said}."


def print_fairness(
    groups: "Sequence[Group]",
    gaps: "Sequence[Gap]",
    read: "Sequence[Dif]",
    made: "Provenance",
    as_json: bool,
) -> None:
    """Print groups of calls and what differs between them."""
    from rich.markup import escape
    from rich.table import Table

    if as_json:
        told = {"groups": [asdict(g) for g in groups], "gaps": [asdict(g) for g in gaps]}
        _echo(told | {"read": [asdict(d) for d in read]}, made)
        return
    measures = list(groups[0].missing) if groups else []
    has_labels = any(g.recall or g.precision for g in groups)
    headings = [
        "",
        "group",
        "calls",
        "left out",
        "doubtful words",
        "feelings a call",
        *(f"no {m}" for m in measures),
    ]
    headings += ["recall", "precision", "same answer"] if has_labels else []
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place < 2 else "right")
    for g in groups:
        doubtful = "" if g.doubtful is None else f"{g.doubtful:.1%}"
        cells = [g.of, g.group, f"{g.calls:,}", f"{g.suppressed:.1%}", doubtful, f"{g.cues:.1f}"]
        cells += [f"{g.missing[m]:.1%}" for m in measures]
        if has_labels:
            cells += ["" if e is None else str(e) for e in (g.recall, g.precision, g.same_answer)]
        table.add_row(*map(escape, cells))
    output().print(table if groups else "no group has 30 calls, nor the same scripts as others")
    unfair = [gap for gap in gaps if gap.is_unfair]
    for gap in unfair:
        output().print(f"[yellow]not alike:[/] {escape(str(gap))}", soft_wrap=True)
    if groups and not unfair:
        is_compared = any(n > 1 for n in Counter(g.of for g in groups).values())
        output().print(
            "no group was found to lie more than 5 points from the rest; small groups may hide one"
            if is_compared
            else "nothing could be compared: there is one group of each kind",
            soft_wrap=True,
        )
    if groups:
        output().print(escape(_read_group(groups[0])), soft_wrap=True)
        output().print(
            "left out: calls whose ledger or agent is not known. doubtful words: words that the "
            "recogniser was not sure of. no ...: calls without that measure, as those with no "
            "feeling to answer. A group is not alike where it lies more than 5 points from all "
            "other calls, by more than chance gives where so many groups are looked at.",
            style="dim",
            soft_wrap=True,
        )
    for found in read:
        mark = "[yellow]read otherwise:[/] " if found.is_unfair else ""
        output().print(f"{mark}{escape(str(found))}", soft_wrap=True)
    _print_provenance(made)


def _read_group(g: "Group") -> str:
    """Read the first group's line as a sentence."""
    lacks = ", ".join(f"{share:.0%} have no {measure}" for measure, share in g.missing.items())
    unsure = (
        "" if g.doubtful is None else f" the recogniser was unsure of {g.doubtful:.0%} of words,"
    )
    return (
        f"Read so: of the {g.calls:,} calls where {g.of} is {g.group}, {g.suppressed:.0%} are "
        f"left out,{unsure} and {lacks}."
    )


def _print_json(
    found: "Sequence[Reliability | TrainingEffect | CaseMix]", made: "Provenance"
) -> None:
    _echo({"measures": [asdict(f) for f in found]}, made)


def _echo(told: "dict[str, Any]", made: "Provenance") -> None:
    typer.echo(json.dumps(told | {"provenance": asdict(made)}, indent=2, default=str))


def _print_provenance(made: "Provenance") -> None:
    output().print()
    for said in made.sentences():
        output().print(said, style="dim", soft_wrap=True, highlight=False, markup=False)


def print_needed(effect: float, plan: "Plan", made: "Provenance", as_json: bool) -> None:
    """Print how many calls it takes to see an effect."""
    from warmline.research.power import needed

    found = needed(effect, plan)
    if as_json:
        _echo({"effect": effect} | asdict(plan) | asdict(found), made)
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
    _print_plan(plan, made)


def print_detectable(calls: int, plan: "Plan", made: "Provenance", as_json: bool) -> None:
    """Print how small an effect so many calls show."""
    from warmline.research.power import detectable

    smallest = detectable(calls, plan)
    if as_json:
        _echo({"calls": calls, "detectable": smallest} | asdict(plan), made)
        return
    output().print(
        f"{calls:,} usable calls show an effect of [bold]{smallest:.3g}[/] per SD of the measure "
        f"{plan.power:.0%} of times, agents compared with themselves"
    )
    _print_plan(plan, made)


def _print_plan(plan: "Plan", made: "Provenance") -> None:
    said = ", ".join(f"{name} {value:.3g}" for name, value in asdict(plan).items())
    output().print(f"assumed: {said}", style="dim")
    _print_provenance(made)

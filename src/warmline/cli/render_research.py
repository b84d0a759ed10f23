"""The printed output of `warmline research`."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from warmline.cli.common import output, print_rows

#: From this reliability on agents are put in order.
WANTED_TO_RANK = 0.7
_LEVEL = 0.05

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from warmline.research.fairness import Dif, Gap, Group
    from warmline.research.power import Plan
    from warmline.research.provenance import Provenance
    from warmline.research.reliability import CaseMix, Raters, Reliability
    from warmline.research.study import Study
    from warmline.research.training import TrainingEffect


_FEW_AGENTS = 10
#: What each assumption of a plan of calls says.
_ASSUMED = {
    "outcome_sd": "outcomes usually differ from their mean by {:.3g}",
    "icc_outcome": "{:.0%} of the variation in outcomes is between agents",
    "icc_measure": "{:.0%} of the variation in the measure is between agents",
    "calls_per_agent": "each agent takes {:.0f} calls",
    "balance": "agents take unequal numbers of calls: each counts as {:.2f} of one",
    "weeks": "calls come from {:.0f} weeks; calls within a week may be alike",
    "explained": "what is held equal explains {:.0%} of the outcome",
    "explained_measure": "what is held equal explains {:.0%} of the measure",
    "reliability": "{:.0%} of the variation in the measure is no error of recognition",
    "usable": "{:.0%} of recorded calls have both outcome and measure",
    "tests": "number of measures tried: {}",
    "alpha": "a false alarm in {:.0%} of studies is accepted",
    "power": "{:.0%} of studies should see it",
}


def _table(*headings: str, left: int = 1) -> "Table":
    """Return an empty table of which the first columns are words and the others numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for place, heading in enumerate(headings):
        is_words = place < left
        table.add_column(
            heading, justify="left" if is_words else "right", no_wrap=is_words and left == 1
        )
    return table


def print_study(study: "Study", page: Path) -> None:
    """Print what was found, of which measures nothing can be said, and where the page is."""
    from rich.markup import escape

    from warmline.research.study import lead, reading, scale_of

    scale, unit = scale_of(study)
    clear, level = {a.measure for a in study.clear}, 1 - study.design.confidence
    table = _table(
        "measure", "calls", "agents", "a step", f"{unit}, a step more", "clear of chance"
    )
    for a in study.told:
        e = a.adjusted
        if e is None or a.sd is None:
            continue
        told = f"{e.value * scale:+.2f} [{e.low * scale:+.2f}, {e.high * scale:+.2f}]"
        alone = "only if asked alone" if e.p < level else "no"
        is_clear = "yes" if a.measure in clear else alone
        cells = (a.measure, f"{a.n:,}", str(a.agents), f"{a.sd:.2g}", told, is_clear)
        table.add_row(*map(escape, cells))
    output().print(escape(lead(study)), soft_wrap=True)
    output().print()
    if study.told:
        print_rows(table)
        output().print(escape(reading(study)), style="dim", soft_wrap=True)
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

    from warmline.research.reliability import WANTED

    if as_json:
        told = {"measures": [asdict(f) for f in found], "raters": [asdict(r) for r in raters]}
        _echo(told, made)
        return
    wanted = tuple(f"for {w:g}" for w in WANTED)
    headings = ("calls", "agents", "each", "reliability", "as it stands", "halves", *wanted)
    table = _table("measure", *headings)
    for r in found:
        if r.reason is None:
            halves = "" if r.split_half is None else f"{r.split_half:.2f}"
            calls = ("unknown" if n is None else f"{n:,}" for n in r.needed)
            numbers = (str(r.calls), str(r.agents), f"{r.calls_per_agent:.0f}")
            worth = (f"{r.g:.2f}", f"{r.phi:.2f}")
            table.add_row(escape(r.measure), *numbers, *worth, escape(halves), *calls)
    if table.rows:
        print_rows(table)
        output().print(
            "reliability: how much of the difference between agents would show again in other "
            "calls of theirs (1 all, 0 none); below 0.7 too much of a ranking is luck to act on "
            "it. as it stands: the same if agents worked in other weeks, or on other matters. "
            "halves: a rough check, half of the calls against the rest; with few agents it jumps "
            "about, even below 0. for 0.7: how many calls of each agent that takes, a guess with "
            "few agents; unknown: these calls show no difference that could show again.",
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
        f"{r.measure}: with {r.calls_per_agent:.0f} calls each, {r.g:.0%} of the difference "
        "between agents is real and the rest is luck; "
    )
    if r.g is not None and r.g >= WANTED_TO_RANK:
        return f"{said}that is enough to rank them."
    if needed is None:
        return f"{said}these calls cannot tell how many it would take to rank them."
    return f"{said}to rank them takes {needed:,} calls of each."


def _print_raters(part: "Raters") -> None:
    total = part.turn + part.rater + part.rest
    shares = [f"{v / total:.0%}" if total else "0 %" for v in (part.turn, part.rater, part.rest)]
    people = part.needed[0]
    output().print(
        f"[bold]{part.question}[/], {part.turns} turns that {part.raters} people labelled: of the "
        f"variation in labels, {shares[0]} is due to the turn, {shares[1]} to some people seeing "
        f"it more often than others, {shares[2]} to one person's view of one turn. "
        + (
            "No number of people is enough."
            if people is None
            else f"For 0.7, {people} people must label each turn."
            if people > 1
            else "One person's label is enough for 0.7."
        ),
        soft_wrap=True,
    )


def print_training(
    found: "Sequence[TrainingEffect]", level: float, made: "Provenance", as_json: bool
) -> None:
    """Print what changed with a training, a line a measure, then the agents of what is clear."""
    from rich.markup import escape

    from warmline.research.training import lead

    if as_json:
        _print_json(found, made)
        return
    output().print(escape(lead(found, level)), soft_wrap=True)
    headings = ("trained", "others", "change", "from the same level", "before, a week")
    table = _table("measure", *headings, "clear of chance")
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
                "" if slope is None else f"{slope.value:+.2g}",
                "yes" if f.is_clear(level) else "no",
            )
    if table.rows:
        output().print()
        print_rows(table)
        output().print(
            "change: how much further trained agents moved than the others. from the same level: "
            "the same, beside agents who did equally well before. before, a week: how much further "
            "they moved each week before the training, which should be 0. clear of chance: yes if "
            "both changes point the same way and chance would seldom give as much. Brackets hold "
            "95 % intervals.",
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

    if as_json:
        _print_json(found, made)
        return
    for mix in found:
        if mix.reason or mix.reliability is None:
            output().print(f"[yellow]{escape(mix.measure)}[/]: {escape(mix.reason or '')}")
            continue
        more = ("ratio", "above or below") if mix.is_ranked else ()
        table = _table("agent", "calls", "observed", "expected", *more)
        for c in mix.agents:
            cells = [c.agent_id, f"{c.calls:,}", f"{c.observed:.3g}", f"{c.expected:.3g}"]
            if mix.is_ranked:
                ratio = "" if c.ratio is None else f"{c.ratio:.2f}"
                cells += [ratio, f"{c.own.value:+.3g} [{c.own.low:+.3g}, {c.own.high:+.3g}]"]
            table.add_row(*map(escape, cells))
        output().print(
            f"[bold]{escape(mix.measure)}[/]: {mix.reliability:.0%} of the difference between "
            "these agents would show again in other calls of theirs; the rest is luck.",
            soft_wrap=True,
        )
        print_rows(table)
        output().print(escape(_read_agent(mix)), soft_wrap=True)
        said = (
            "Highest first, and high need not be good; agents whose intervals overlap cannot be "
            "told apart. above or below: observed minus expected, reduced by the part that is "
            "luck, with its 95 % interval; if 0 is inside, nothing is shown. ratio: observed over "
            "expected."
            if mix.is_ranked
            else "By name: to rank them would be luck."
        )
        output().print(
            f"{said} observed: the mean of the agent's calls. expected: the average of such "
            f"calls, by {', '.join(mix.held_equal) or 'nothing that is known of them'}.",
            style="dim",
            soft_wrap=True,
        )
    _print_provenance(made)


def _read_agent(mix: "CaseMix") -> str:
    """Read the first agent's line as a sentence."""
    c = mix.agents[0]
    said = (
        f"In words: {c.agent_id} has {mix.measure} at {c.observed:.3g}, and such calls have "
        f"{c.expected:.3g} on average"
    )
    if not mix.is_ranked:
        return f"{said}; these calls cannot tell that from luck, for this agent or any other."
    more = "more" if c.difference > 0 else "less"
    return (
        f"{said}. That is {abs(c.difference):.3g} {more}; luck aside, the agent's own part "
        f"lies between {c.own.low:+.3g} and {c.own.high:+.3g}."
    )


def _read_training(f: "TrainingEffect") -> str:
    """Read the line of one measure as a sentence."""
    if f.change is None or f.same_start is None:
        return ""
    low, high = f.change.low, f.change.high
    said = (
        f"In words: in {f.measure}, beside their own weeks before, the {f.trained} trained agents "
        f"came out {abs(f.change.value):.3g} {'higher' if f.change.value > 0 else 'lower'} than "
        f"the {f.untrained} others; anything from {low:+.3g} to "
        f"{high:+.3g} is possible"
    )
    if low <= 0 <= high:
        said += ", so that neither a gain nor a loss is shown"
    elif f.same_start.low <= 0 <= f.same_start.high:
        said += ", but beside agents who did equally well before, nothing is shown"
    if f.trend_before and f.trend_before.p < _LEVEL:
        said += (
            f". They already moved {f.trend_before.value:+.2g} a week further before the training, "
            "so the two groups were on different paths"
        )
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

    if as_json:
        told = {"groups": [asdict(g) for g in groups], "gaps": [asdict(g) for g in gaps]}
        _echo(told | {"read": [asdict(d) for d in read]}, made)
        return
    measures = list(groups[0].missing) if groups else []
    has_labels = any(g.recall or g.precision for g in groups)
    labelled: tuple[str, ...] = ("recall", "precision", "same answer") if has_labels else ()
    has_words = any(g.word_errors for g in groups)
    headings = ("calls", "left out", "doubtful words", "feelings a call")
    labelled += ("misheard words",) if has_words else ()
    table = _table("by", "group", *headings, *(f"no {m}" for m in measures), *labelled, left=2)
    for g in groups:
        doubtful = "" if g.doubtful is None else f"{g.doubtful:.1%}"
        cells = [g.of, g.group, f"{g.calls:,}", f"{g.suppressed:.1%}", doubtful, f"{g.cues:.1f}"]
        cells += [f"{g.missing[m]:.1%}" for m in measures]
        if has_labels:
            cells += ["" if e is None else str(e) for e in (g.recall, g.precision, g.same_answer)]
        if has_words:
            cells.append("" if g.word_errors is None else str(g.word_errors))
        table.add_row(*map(escape, cells))
    if groups:
        print_rows(table)
    else:
        output().print("no group has 30 calls, nor the same scripts as others")
    unfair = [gap for gap in gaps if gap.is_unfair]
    for gap in unfair:
        output().print(f"[yellow]not alike:[/] {escape(str(gap))}", soft_wrap=True)
    if groups and not unfair:
        is_compared = any(n > 1 for n in Counter(g.of for g in groups).values())
        output().print(
            "no group was found to lie more than 5 points from the rest; small groups may hide one"
            if is_compared
            else "nothing could be compared: there is only one group of each kind",
            soft_wrap=True,
        )
    if groups:
        output().print(escape(_read_group(groups[0])), soft_wrap=True)
        legend = _fairness_legend(has_labels=has_labels, has_words=has_words)
        output().print(legend, style="dim", soft_wrap=True)
    for found in read:
        mark = "[yellow]read otherwise:[/] " if found.is_unfair else ""
        output().print(f"{mark}{escape(str(found))}", soft_wrap=True)
    _print_provenance(made)


def _fairness_legend(*, has_labels: bool, has_words: bool) -> str:
    """Return what the columns of the groups mean."""
    legend = (
        "left out: calls without a ledger or a known agent. doubtful words: words that the "
        "recogniser was not sure of. feelings a call: how many the ledger has. no ...: calls "
        "without that measure, such as those with no feeling to answer. A group is not alike if it "
        "lies more than 5 points from all other calls, and further than chance would put one of so "
        "many groups."
    )
    if has_labels:
        legend += (
            " recall: of the feelings that people heard, the share that the ledger has; precision: "
            "of its rows, the share that people hear too; same answer: how often both judge an "
            "answer alike; each with its 95 % interval."
        )
    if has_words:
        legend += (
            " misheard words: errors of recognition over the words that customers said, with its "
            "95 % interval."
        )
    return legend


def _read_group(g: "Group") -> str:
    """Read the first group's line as a sentence."""
    lacks = ", ".join(f"{share:.0%} have no {measure}" for measure, share in g.missing.items())
    unsure = (
        "" if g.doubtful is None else f" the recogniser was unsure of {g.doubtful:.0%} of words,"
    )
    return (
        f"In words: of the {g.calls:,} calls where {g.of} is {g.group}, {g.suppressed:.0%} are "
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
        f"To see in {plan.power:.0%} of studies that the outcome changes by {effect:+g} with a "
        "step more of the measure takes"
    )
    output().print(
        f"  [bold]{found.within:,}[/] calls of {found.agents:,} agents, compared with themselves, "
        f"or {found.pooled:,} calls, all compared with each other"
    )
    if plan.usable < 1:
        output().print(
            f"  that is {found.within_recorded:,} or {found.pooled_recorded:,} recorded calls, as "
            f"{plan.usable:.0%} of them have both outcome and measure"
        )
    output().print(
        f"A step is how much calls usually differ from their mean (one standard deviation). If "
        f"calls had nothing to do with agents, {found.independent:,} would be enough.",
        style="dim",
        soft_wrap=True,
    )
    if found.agents < _FEW_AGENTS:
        output().print(
            "With so few agents, how they differ is a guess, which takes more calls; more agents "
            "with fewer calls each (--calls-per-agent) need fewer.",
            soft_wrap=True,
        )
    _print_plan(plan, made)


def print_detectable(calls: int, plan: "Plan", made: "Provenance", as_json: bool) -> None:
    """Print how small an effect so many calls show."""
    from warmline.research.power import detectable

    smallest = detectable(calls, plan)
    if as_json:
        _echo({"calls": calls, "detectable": smallest} | asdict(plan), made)
        return
    output().print(
        f"In {plan.power:.0%} of studies, {calls:,} calls with outcome and measure show that the "
        f"outcome changes by [bold]{smallest:.3g}[/] with a step more of the measure; agents are "
        "compared with themselves.",
        soft_wrap=True,
    )
    output().print(
        "A step is how much calls usually differ from their mean (one standard deviation).",
        style="dim",
    )
    _print_plan(plan, made)


def _print_plan(plan: "Plan", made: "Provenance") -> None:
    output().print("This assumes (change it with the options in brackets):", style="dim")
    for name, said in _ASSUMED.items():
        option = "--" + name.replace("_", "-")
        told = said.format(getattr(plan, name))
        output().print(f"  {told} ({option})", style="dim", soft_wrap=True, highlight=False)
    _print_provenance(made)

"""A study as one HTML page that needs nothing else: pictures (PNG) and numbers are inside it."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, exp
from pathlib import Path
from string import Template
from typing import Any

from warmline.errors import QueryError
from warmline.files import write_bytes_whole, write_text_whole
from warmline.research.associations import Dose
from warmline.research.calibration import PRECISION, RECALL
from warmline.research.regression import Coefficient
from warmline.research.study import CONFOUNDERS, Study, lead, methods, scale_of
from warmline.research.survival import Hazard

_PAGE = Path(__file__).with_name("report.html")


def write_report(study: Study, folder: Path) -> tuple[Path, ...]:
    """Write `report.html` and its pictures into a folder; returns the files, the page first."""
    pictures = {
        "forest.png": forest_png(study),
        "dose_response.png": _dose_png(study),
        "survival.png": _survival_png(study),
    }
    page = folder / "report.html"
    write_text_whole(page, render(study, pictures), QueryError, "the report")
    written = [page]
    for name, png in pictures.items():
        if png is not None:
            write_bytes_whole(folder / name, png, QueryError, "the picture")
            written.append(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    return tuple(written)


def render(study: Study, pictures: dict[str, bytes | None]) -> str:
    """Return the page with these pictures in it."""
    design = study.design
    parts = {
        "title": escape(f"What goes with {design.outcome}"),
        "lead": escape(lead(study)),
        "cautions": "".join(f"<p>{escape(c)}</p>" for c in study.cautions),
        "forest": _image(pictures["forest.png"], "Estimates of all measures with intervals"),
        "estimates": _estimates(study),
        "reading": escape(_reading(study)),
        "dose": _image(pictures["dose_response.png"], "The outcome along each measure")
        + "<p class='note'>Calls in parts of the measure; the small numbers are how many.</p>",
        "answers": _if_read_so(study) + _answers(study),
        "survival": _survival(study, pictures["survival.png"]),
        "flow": _flow(study),
        "opening": escape(_dates(study)),
        "missing": _missing(study),
        "absent": _absent(study),
        "confounders": _items(CONFOUNDERS),
        "methods": _items(methods(study)),
        "provenance": _items(study.provenance.sentences() if study.provenance else ()),
    }
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(parts)


def _estimates(study: Study) -> str:
    scale, unit = scale_of(study)
    head = (
        "measure",
        "n",
        "agents",
        "mean",
        "SD",
        f"raw, {unit} per SD",
        f"adjusted, {unit} per SD",
        "p",
        "p corrected",
        "p, bootstrap",
        "largest agent",
        "robustness",
    )
    clear = {a.measure for a in study.clear}
    rows, styles = [], []
    for a in study.associations:
        front = [a.measure, str(a.n), str(a.agents)]
        styles.append("clear" if a.measure in clear else "")
        if a.adjusted is None or a.raw is None:
            rows.append([*front, f"no estimate: {a.reason}"])
            continue
        rows.append(
            [
                *front,
                f"{a.mean:.3g}",
                f"{a.sd:.3g}",
                _interval(a.raw, scale),
                _interval(a.adjusted, scale),
                _p(a.adjusted.p),
                _p(a.p_corrected),
                _p(a.p_bootstrap),
                f"{a.largest_agent_share:.0%}",
                f"{a.robustness:.1%}",
            ]
        )
    return _table(head, rows, styles)


def _reading(study: Study) -> str:
    level = f"{study.design.confidence:.0%}"
    return (
        f"With {level} intervals. “Per SD”: with as much more of the measure as calls usually "
        "differ from their mean (the column SD). “p”: how often chance alone would give as much; "
        "“corrected” allows for so many measures. “Adjusted” holds equal what is listed under how "
        "it was done; "
        "“raw” compares the same calls as they are. A large difference between the two says how "
        "much agents, reasons and the customers' state differ along the measure. In green: clear "
        "of chance after the correction. “Largest agent” is one agent's share of what the measure "
        "varies, all else held equal: above 80 % nothing is said."
    )


def _survival(study: Study, picture: bytes | None) -> str:
    if not study.hazards:
        return ""
    head = (
        "measure",
        "calls",
        "left",
        "agents",
        "hazard ratio per SD",
        "p",
        "p corrected",
        "same at all times, p",
        "by the latest call",
    )
    latest = {h.measure: h for h in study.latest}
    rows = []
    for h in study.hazards:
        front = [h.measure, str(h.n), str(h.events), str(h.agents)]
        if h.ratio is None:
            rows.append([*front, f"no estimate: {h.reason}"])
            continue
        r = h.ratio
        told = _ratio(h)
        numbers = (_p(r.p), _p(h.p_corrected), _p(h.proportional_p))
        rows.append([*front, told, *numbers, _ratio(latest.get(h.measure))])
    return (
        "<h2>How long customers stay after a call</h2>"
        + _image(picture, "Hazard ratios with intervals")
        + f"<div class='wide'>{_table(head, rows, [''] * len(rows))}</div>"
        + "<p class='note'>A ratio below 1: where there is more of the measure, customers leave "
        "later. “By the latest call” is a second opinion: each customer counts once, with what the "
        "latest call was like.</p>"
    )


def _ratio(hazard: Hazard | None) -> str:
    if hazard is None or hazard.ratio is None:
        return ""
    r = hazard.ratio
    return f"{exp(r.value):.2f} [{exp(r.low):.2f}, {exp(r.high):.2f}]"


def _if_read_so(study: Study) -> str:
    """Return the table of what the answered rate's association is, by how well answers are read."""
    if study.calibration is not None or not study.if_read_so:
        return ""
    scale, unit = scale_of(study)
    head = ("", *(f"{told.right:.0%} told rightly" for told in study.if_read_so))
    row = [f"all answered against none, {unit}"]
    row += [
        f"{told.value * scale:+.3g} [{told.low * scale:+.3g}, {told.high * scale:+.3g}]"
        for told in study.if_read_so
    ]
    return (
        "<h2>If answers were read without errors</h2>"
        f"<div class='wide'>{_table(head, [row])}</div><p class='note'>What the association of "
        "the answered rate would be, by how many answers the ledger tells rightly (50 % is "
        f"guessing), if it finds {RECALL:.0%} of feelings and {PRECISION:.0%} of what it finds are "
        "some, as where it was validated (written chats: on your calls it may err otherwise), and "
        "errs alike whatever became of the customer. Brackets hold the interval for errors that "
        "are known; that they are guessed is not in it. Labels of your own calls say which column "
        "is yours.</p>"
    )


def _answers(study: Study) -> str:
    """Return the table of answers by kind of feeling and third of the call."""
    if not any(a.estimate for a in study.answers):
        return ""
    scale, unit = scale_of(study)
    head = ("feeling, or time", "answer", "against", "cues", "calls", unit, "p", "p corrected")
    rows = []
    for a in study.answers:
        front = [a.cue.replace("_", " "), a.answer, a.against, str(a.cues), str(a.calls)]
        if a.estimate is None:
            rows.append([*front, f"no estimate: {a.reason}"])
        else:
            told = (_interval(a.estimate, scale), _p(a.estimate.p), _p(a.p_corrected))
            rows.append([*front, *told])
    return (
        "<h2>Which answers, to which feelings, and when</h2>"
        f"<div class='wide'>{_table(head, rows)}</div><p class='note'>How the outcome differs "
        "between calls in which all such feelings were answered so and calls in which none was, "
        "within agents and with the controls held equal. Looked at besides what was asked: a hint "
        "for the next study, and no finding of this one.</p>"
    )


def _flow(study: Study) -> str:
    sample = study.sample
    rows = [[sample.unit, str(sample.total)]]
    rows += [[f"left out: {why}", f"−{count}"] for why, count in sample.flow.items()]
    rows.append(["calls in the models", str(len(sample.frame))])
    return _table(("", "how many"), rows, [""] * len(rows))


def _dates(study: Study) -> str:
    began = study.sample.frame["started_at"].dropna()
    if began.empty:
        return "When these calls began is not known."
    kind = "Simulated calls" if study.design.is_simulated else "Calls"
    return f"{kind} from {began.min():%Y-%m-%d} to {began.max():%Y-%m-%d}, UTC."


def _missing(study: Study) -> str:
    total = len(study.sample.frame)
    rows = [
        [
            a.measure,
            str(a.n),
            f"{a.n / total:.0%}" if total else "",
            ", ".join(f"{column} {count}" for column, count in a.missing.items()) or "none",
        ]
        for a in study.associations
    ]
    return _table(("measure", "used", "of all", "rows left out, by what is NULL"), rows)


def _absent(study: Study) -> str:
    """Return the tables of calls without the outcome, of bounds, and of negative controls."""
    parts = []
    if study.attrition:
        rows = [
            [a.what, f"{a.with_outcome:.3g}", f"{a.without:.3g}", f"{a.apart:+.2f}"]
            for a in study.attrition
        ]
        head = ("", "calls in the models", "all other calls", "apart, SD")
        parts.append(
            f"<h2>Calls without the outcome</h2><div class='wide'>{_table(head, rows)}</div>"
        )
    if study.bounds:
        scale, unit = scale_of(study)
        rows = [
            [
                b.measure,
                f"{b.followed_more:.0%}",
                f"{b.followed_less:.0%}",
                f"{b.difference * scale:+.2f}",
                f"{b.low * scale:+.2f} to {b.high * scale:+.2f}",
                f"{b.surely_low * scale:+.2f} to {b.surely_high * scale:+.2f}",
            ]
            for b in study.bounds
        ]
        headings = (
            "measure",
            "followed, more of it",
            "less",
            f"difference, {unit}",
            "could be",
            "with chance",
        )
        parts.append(
            f"<div class='wide'>{_table(headings, rows)}</div><p class='note'>Calls with more of a "
            "measure than the median against those with less, as they are, and between which "
            "values the difference lies if both were followed alike (Lee 2009); “with chance” also "
            "allows for other agents' calls (95 %).</p>"
        )
    if study.weighted:
        scale, unit = scale_of(study)
        plain = {a.measure: a.adjusted for a in study.associations}
        pairs = [(a.measure, plain[a.measure], a.adjusted) for a in study.weighted]
        rows = [
            [name, _interval(as_is, scale), _interval(weighed, scale)]
            for name, as_is, weighed in pairs
            if as_is and weighed
        ]
        columns = ("measure", f"as it is, {unit} per SD", "if all had the outcome")
        parts.append(
            f"<div class='wide'>{_table(columns, rows)}</div><p class='note'>On the right each "
            "call stands for those like it, by the controls, that have no outcome (inverse "
            "probability weights). Where the two differ, who answers matters.</p>"
        )
    for name, found in study.negative_controls:
        rows = [
            [a.measure, str(a.n), _interval(a.adjusted, 1.0), _p(a.p_corrected)]
            if a.adjusted
            else [a.measure, str(a.n), f"no estimate: {a.reason}"]
            for a in found
        ]
        head = ("measure", "n", f"change of {name} per SD", "p corrected")
        parts.append(
            f"<h2>{escape(name)}, which a call cannot have changed</h2>"
            f"<div class='wide'>{_table(head, rows)}</div><p class='note'>What goes with it, too, "
            "is no effect of the call.</p>"
        )
    return "".join(parts)


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] | None = None
) -> str:
    """Return a table; a row shorter than the heading ends in words over the rest of it."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    for row, style in zip(rows, styles or [""] * len(rows), strict=True):
        span = len(head) - len(row) + 1
        last = f"<td class='words' colspan='{span}'>" if span > 1 else "<td>"
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row[:-1])
        lines.append(f"<tr class='{style}'>{cells}{last}{escape(row[-1])}</td></tr>")
    return f"<table>{''.join(lines)}</table>"


def _items(texts: Iterable[str]) -> str:
    return "".join(f"<li>{escape(text)}</li>" for text in texts)


def _image(png: bytes | None, alt: str) -> str:
    if png is None:
        return "<p class='note'>There is nothing to draw.</p>"
    data = base64.b64encode(png).decode()
    return f"<img alt='{escape(alt)}' src='data:image/png;base64,{data}'>"


def _interval(e: Coefficient, scale: float) -> str:
    return f"{e.value * scale:+.2f} [{e.low * scale:+.2f}, {e.high * scale:+.2f}]"


def _p(p: float | None) -> str:
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


# The pictures: a forest of estimates, and the outcome along each measure.


_INK, _FAINT, _CLEAR = "#1f2933", "#9aa5b1", "#0b6e4f"
_DPI = 160
_ROW_IN, _MARGIN_IN = 0.42, 1.5
_PER_ROW = 3


@dataclass(frozen=True)
class _Bar:
    """A row of a forest plot: the estimate that counts, one to compare it with, and a note."""

    label: str
    estimate: Coefficient
    other: Coefficient | None
    is_clear: bool
    note: str


def forest_png(study: Study) -> bytes | None:
    """Return estimates of all measures, raw and adjusted; None when there is none."""
    scale = 100.0 if study.is_share else 1.0
    level = 1 - study.design.confidence
    bars = [
        _Bar(
            a.measure,
            _scaled(a.adjusted, scale),
            _scaled(a.raw, scale),
            (a.p_corrected or 0.0) < level,
            f"{a.adjusted.value * scale:+.2f} [{a.adjusted.low * scale:+.2f}, "
            f"{a.adjusted.high * scale:+.2f}]   n {a.n}",
        )
        for a in study.told
        if a.adjusted is not None and a.raw is not None
    ]
    unit = "percentage points" if study.is_share else "its own unit"
    return _forest(bars, f"change of {study.design.outcome} per SD of the measure, {unit}", None)


def _survival_png(study: Study) -> bytes | None:
    """Return hazard ratios of leaving for all measures; None when there is none."""
    bars = [
        _Bar(
            h.measure,
            h.ratio,
            None,
            (h.p_corrected or 0.0) < 1 - study.design.confidence,
            f"{exp(h.ratio.value):.2f} [{exp(h.ratio.low):.2f}, {exp(h.ratio.high):.2f}]   "
            f"n {h.n}, {h.events} left",
        )
        for h in study.hazards
        if h.ratio is not None
    ]
    return _forest(bars, "hazard ratio of leaving per SD of the measure (below 1: stays longer)", 1)


def _dose_png(study: Study) -> bytes | None:
    """Return the outcome along each measure, in parts; None when there is no measure to show."""
    if not study.doses:
        return None
    from matplotlib.figure import Figure

    across = min(_PER_ROW, len(study.doses))
    down = ceil(len(study.doses) / across)
    figure = Figure(figsize=(3.4 * across, 2.7 * down + 0.5), dpi=_DPI, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False, sharey=True)
    for axis, found in zip(axes.flat, study.doses, strict=False):
        _draw_dose(axis, found, study)
    for axis in list(axes.flat)[len(study.doses) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        said = f"{study.design.outcome}, %" if study.is_share else study.design.outcome
        axis.set_ylabel(said, color=_INK)
    figure.suptitle(
        "filled: agents and controls held equal, with interval; hollow: as they are",
        fontsize=9,
        color=_INK,
    )
    return _png(figure)


def _scaled(estimate: Coefficient | None, scale: float) -> Any:
    """Return the same estimate in another unit."""
    if estimate is None:
        return None
    e = estimate
    return Coefficient(e.value * scale, e.se * scale, e.df, e.low * scale, e.high * scale, e.p)


def _draw_dose(axis: Any, found: Dose, study: Study) -> None:
    scale = 100.0 if study.is_share else 1.0
    xs = [part.mean for part in found.parts]
    axis.plot(xs, [p.raw * scale for p in found.parts], "o", mfc="none", mec=_FAINT, ms=6)
    told = [(p.mean, p.adjusted) for p in found.parts if p.adjusted is not None]
    if told:
        places = [x for x, _ in told]
        values = [e.value * scale for _, e in told]
        ends = [
            [(e.value - e.low) * scale for _, e in told],
            [(e.high - e.value) * scale for _, e in told],
        ]
        axis.errorbar(places, values, yerr=ends, fmt="o-", color=_CLEAR, ms=4, lw=1.2, capsize=2)
    for x, part in zip(xs, found.parts, strict=True):
        axis.annotate(
            f"{part.n}",
            (x, 0.02),
            xycoords=("data", "axes fraction"),
            fontsize=6.5,
            color=_FAINT,
            ha="center",
        )
    axis.set_title(found.measure, fontsize=9, color=_INK)
    axis.margins(x=0.12, y=0.2)
    _plain(axis)


def _forest(bars: Sequence[_Bar], label: str, none_at: float | None) -> bytes | None:
    """Draw a forest; `none_at` is what no effect is called, and with it values are logarithms."""
    if not bars:
        return None
    from matplotlib.figure import Figure

    is_log = none_at is not None
    ordered = sorted(bars, key=lambda bar: bar.estimate.value)
    figure = Figure(figsize=(9.5, _ROW_IN * len(bars) + _MARGIN_IN), dpi=_DPI, layout="constrained")
    axis = figure.subplots()
    axis.axvline(none_at or 0.0, color=_FAINT, lw=1)
    for place, bar in enumerate(ordered):
        colour = _CLEAR if bar.is_clear else _INK
        _draw_bar(axis, bar.estimate, place, colour, is_log, is_filled=bar.is_clear)
        if bar.other is not None:
            _draw_bar(axis, bar.other, place - 0.24, _FAINT, is_log, is_filled=False)
        axis.annotate(
            bar.note,
            (1.02, place),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            va="center",
            color=colour,
        )
    axis.set_yticks(range(len(ordered)), [bar.label for bar in ordered])
    axis.set_ylim(-0.8, len(ordered) - 0.4)
    if is_log:
        _log_axis(axis)
    axis.set_xlabel(label, color=_INK)
    raw = "" if is_log else "; grey: nothing held equal, no effect"
    axis.set_title(
        f"agents and controls held equal; filled: clear of chance{raw}", fontsize=9, color=_INK
    )
    _plain(axis)
    return _png(figure)


def _log_axis(axis: Any) -> None:
    """Make an axis logarithmic, with the numbers of a ratio instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    axis.set_xscale("log")
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _draw_bar(
    axis: Any, estimate: Coefficient, place: float, colour: str, is_log: bool, *, is_filled: bool
) -> None:
    value, low, high = estimate.value, estimate.low, estimate.high
    if is_log:
        value, low, high = exp(value), exp(low), exp(high)
    axis.plot([low, high], [place, place], color=colour, lw=1.6, solid_capstyle="butt")
    face = colour if is_filled else "white"
    axis.plot([value], [place], "o", color=colour, mfc=face, ms=5.5)


def _plain(axis: Any) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8, colors=_INK)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()

"""A study as one HTML page that needs nothing else: pictures and numbers are inside it."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from math import exp
from pathlib import Path
from string import Template

from warmline.errors import QueryError
from warmline.files import write_bytes_whole, write_text_whole
from warmline.research.plots import dose_png, forest_png, survival_png
from warmline.research.regression import Estimate
from warmline.research.study import CONFOUNDERS, Study
from warmline.research.survival import Hazard
from warmline.research.words import lead, methods, scale_of

_PAGE = Path(__file__).with_name("report.html")


def write_report(study: Study, folder: Path) -> tuple[Path, ...]:
    """Write `report.html` and its pictures into a folder; returns the files, the page first."""
    pictures = {
        "forest.png": forest_png(study),
        "dose_response.png": dose_png(study),
        "survival.png": survival_png(study),
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
    head = ("", *(f"{right:.0%} told rightly" for right, _ in study.if_read_so))
    row = [f"all answered against none, {unit}"]
    row += [f"{value * scale:+.3g}" for _, value in study.if_read_so]
    return (
        "<h2>If answers were read without errors</h2>"
        f"<div class='wide'>{_table(head, [row])}</div><p class='note'>What the association of "
        "the answered rate would be, by how many answers the ledger tells rightly (50 % is "
        "guessing), if it finds 46 % of feelings and 75 % of what it finds are some, as where it "
        "was validated. These numbers have no intervals: where the association is not clear of "
        "chance above, they show nothing either. Labels of your own calls say which column is "
        "yours.</p>"
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


def _interval(e: Estimate, scale: float) -> str:
    return f"{e.value * scale:+.2f} [{e.low * scale:+.2f}, {e.high * scale:+.2f}]"


def _p(p: float | None) -> str:
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"

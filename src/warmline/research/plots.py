"""Pictures of a study, as PNG: a forest of estimates, and the outcome along each measure."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp
from typing import Any

from warmline.research.associations import Dose
from warmline.research.regression import Estimate
from warmline.research.study import Study

_INK, _FAINT, _CLEAR = "#1f2933", "#9aa5b1", "#0b6e4f"
_DPI = 160
_ROW_IN, _MARGIN_IN = 0.42, 1.5
_PER_ROW = 3


@dataclass(frozen=True)
class Bar:
    """A row of a forest plot: the estimate that counts, one to compare it with, and a note."""

    label: str
    estimate: Estimate
    other: Estimate | None
    is_clear: bool
    note: str


def forest_png(study: Study) -> bytes | None:
    """Return estimates of all measures, raw and adjusted; None when there is none."""
    scale = 100.0 if study.is_share else 1.0
    level = 1 - study.design.confidence
    bars = [
        Bar(
            a.measure,
            scaled(a.adjusted, scale),
            scaled(a.raw, scale),
            (a.p_corrected or 0.0) < level,
            f"{a.adjusted.value * scale:+.2f} [{a.adjusted.low * scale:+.2f}, "
            f"{a.adjusted.high * scale:+.2f}]   n {a.n}",
        )
        for a in study.told
        if a.adjusted is not None and a.raw is not None
    ]
    unit = "percentage points" if study.is_share else "its own unit"
    return _forest(bars, f"change of {study.design.outcome} per SD of the measure, {unit}", None)


def survival_png(study: Study) -> bytes | None:
    """Return hazard ratios of leaving for all measures; None when there is none."""
    bars = [
        Bar(
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


def dose_png(study: Study) -> bytes | None:
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


def scaled(estimate: Estimate | None, scale: float) -> Any:
    """Return the same estimate in another unit."""
    if estimate is None:
        return None
    e = estimate
    return Estimate(e.value * scale, e.se * scale, e.df, e.low * scale, e.high * scale, e.p)


def _draw_dose(axis: Any, found: Dose, study: Study) -> None:
    scale = 100.0 if study.is_share else 1.0
    xs = [part.mean for part in found.parts]
    axis.plot(xs, [p.raw * scale for p in found.parts], "o", mfc="none", mec=_FAINT, ms=6)
    told = [(p.mean, scaled(p.adjusted, scale)) for p in found.parts if p.adjusted is not None]
    if told:
        places = [x for x, _ in told]
        values = [e.value for _, e in told]
        ends = [[e.value - e.low for _, e in told], [e.high - e.value for _, e in told]]
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


def _forest(bars: Sequence[Bar], label: str, none_at: float | None) -> bytes | None:
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
    axis: Any, estimate: Estimate, place: float, colour: str, is_log: bool, *, is_filled: bool
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

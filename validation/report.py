"""The report: sections of text, tables and pictures, written as one Markdown file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warmline.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURES = "figures"


@dataclass(frozen=True)
class Table:
    """Rows of text under headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.headings, tuple("---" for _ in self.headings), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True, eq=False)
class Picture:
    """One figure. `draw` fills the axes; `size_in` is width and height in inches."""

    name: str
    caption: str
    draw: Callable[["Axes"], None]
    size_in: tuple[float, float] = (6.4, 3.6)


@dataclass(frozen=True)
class Headline:
    """One line of the summary. `target` is the least value that was asked for, if any was."""

    measure: str
    data: str
    estimate: Estimate
    target: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target was met; empty without a target."""
        if self.target is None:
            return ""
        met = self.estimate.value >= self.target
        return f"{'met' if met else 'NOT met'} (≥ {self.target:.2f})"


@dataclass(frozen=True, eq=False)
class Section:
    """One family of measures, and what it was tried on."""

    title: str
    parts: tuple[str | Table | Picture, ...]
    headlines: tuple[Headline, ...] = ()


def write(sections: Sequence[Section], preface: Sequence[str], to: Path) -> Path:
    """Write `REPORT.md` and its figures into a folder; pictures that are no longer drawn go."""
    figures = to / FIGURES
    figures.mkdir(parents=True, exist_ok=True)
    drawn = {
        _draw(part, figures).name
        for section in sections
        for part in section.parts
        if isinstance(part, Picture)
    }
    for old in figures.glob("*.png"):
        if old.name not in drawn:
            old.unlink()
    parts = ["# Validation", *preface, "## Summary", _summary(sections)]
    for section in sections:
        parts += [f"## {section.title}", *(_markdown(part) for part in section.parts)]
    path = to / "REPORT.md"
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def _summary(sections: Sequence[Section]) -> str:
    rows = [
        (h.measure, h.data, str(h.estimate.n), str(h.estimate), h.verdict)
        for section in sections
        for h in section.headlines
    ]
    return Table(("measure", "on", "n", "value [95 % interval]", "target"), tuple(rows)).markdown()


def _markdown(part: str | Table | Picture) -> str:
    if isinstance(part, Table):
        return part.markdown()
    if isinstance(part, Picture):
        return f"![{part.caption}]({FIGURES}/{part.name}.png)\n\n*{part.caption}*"
    return part


def _draw(picture: Picture, folder: Path) -> Path:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    path = folder / f"{picture.name}.png"
    look: dict[Any, Any] = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with mpl.rc_context(look):
        figure = Figure(figsize=picture.size_in, layout="constrained")
        picture.draw(figure.add_subplot())
        # Without a date and a version in it, the same numbers give the same file.
        figure.savefig(path, dpi=130, metadata={"Software": None})
    return path

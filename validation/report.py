"""The report: sections of text, tables and pictures, written as one Markdown file."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

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
        """Whether the target was met, and whether surely; empty without a target."""
        if self.target is None:
            return ""
        low, said = self.estimate.low, "NOT met"
        if self.estimate.value >= self.target:
            is_sure = low is not None and low >= self.target
            said = "met" if is_sure else "met by the estimate, not by its interval"
        return f"{said} (≥ {self.target:.2f})"


@dataclass(frozen=True, eq=False)
class Section:
    """One family of measures, and what it was tried on."""

    title: str
    parts: tuple[str | Table | Picture, ...]
    headlines: tuple[Headline, ...] = ()


@dataclass(frozen=True)
class Written:
    """A section as it is kept beside the report, so that a part can be run again by itself."""

    title: str
    made_by: str
    text: str
    figures: tuple[str, ...]
    headlines: tuple[Headline, ...]


def write(
    sections: Mapping[str, Section], order: Sequence[str], preface: str, made_by: str, to: Path
) -> Path:
    """Write `REPORT.md`, its figures and `report.json` into a folder.

    `sections` replace those of the same parts; what other parts said before stays, with what it
    says of itself. Figures that no section has any more are removed.
    """
    figures = to / FIGURES
    figures.mkdir(parents=True, exist_ok=True)
    kept = _kept(to / "report.json")
    kept |= {name: _written(section, made_by, figures) for name, section in sections.items()}
    kept = {name: kept[name] for name in order if name in kept}
    for old in figures.glob("*.png"):
        if not any(old.name in part.figures for part in kept.values()):
            old.unlink()
    rows = {name: TypeAdapter(Written).dump_python(part) for name, part in kept.items()}
    (to / "report.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    parts = ["# Validation", preface, "## Summary", _summary(kept.values())]
    parts += [f"## {part.title}\n\n{part.text}\n\n*{part.made_by}*" for part in kept.values()]
    path = to / "REPORT.md"
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def _kept(path: Path) -> dict[str, Written]:
    if not path.is_file():
        return {}
    return TypeAdapter(dict[str, Written]).validate_json(path.read_bytes())


def _written(section: Section, made_by: str, figures: Path) -> Written:
    return Written(
        section.title,
        made_by,
        "\n\n".join(_markdown(part) for part in section.parts),
        tuple(_draw(p, figures).name for p in section.parts if isinstance(p, Picture)),
        section.headlines,
    )


def _summary(parts: Iterable[Written]) -> str:
    rows = [
        (h.measure, h.data, str(h.estimate.n), str(h.estimate), h.verdict)
        for part in parts
        for h in part.headlines
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

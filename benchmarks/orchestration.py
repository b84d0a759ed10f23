"""What the night itself costs: so many short calls through the flow and through `warmline analyze`.

`python orchestration.py --calls 1000 --to RESULTS-nights.md` (or `warmline bench --nights 1000`)
makes recordings of half a second, each with noise of its own, that are read, decoded, refused as
too short, landed and published: all that happens to a call but listening. A tenth of them, then
all, go through `warmline analyze` and through the Prefect flow, with one process for calls each.
What a call takes is the difference of the two sizes, so that starting, and the server that the flow
starts, do not count; the overhead of a call is what the flow takes more than `warmline analyze`.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accounting import Cost, machine, measured, own_memory_mb
from calls import RATE_HZ, write

TARGET_MS = 50.0
#: Growth for each call that is still called flat: outcomes and the plan are kept for the report.
FLAT_KB = 10.0
_LENGTH_S = 0.5
# Refused as they are, nobody has to be asked for.
_SETTINGS = "[night]\njobs = 1\nalarm_unanalyzed_share = 1.0\n"


@dataclass(frozen=True)
class Sample:
    """Memory that the flow's process has alone, at one moment, when so many calls had landed."""

    landed: int
    own_mb: float


@dataclass(frozen=True)
class Run:
    """What one run over so many calls took."""

    calls: int
    cost: Cost
    samples: tuple[Sample, ...]


def short_calls(folder: Path, first: int, after: int) -> None:
    """Recordings of noise, each different, numbered from `first` to before `after`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, after):
        lot = np.random.default_rng(number)
        noise = lot.integers(-3000, 3000, round(_LENGTH_S * RATE_HZ), dtype=np.int16)
        write(folder / f"call-{number:06}.wav", noise, RATE_HZ)


def run(kind: str, calls: Path, work: Path) -> Run:
    """All recordings of a folder through `analyze` or the flow, into a warehouse of their own."""
    count = len(list(calls.iterdir()))
    out = work / f"{kind}-{count}"
    out.mkdir()
    (out / "warmline.toml").write_text(_SETTINGS)
    what = ["analyze"] if kind == "analyze" else ["nightly", "--once"]
    command = [sys.executable, "-m", "warmline", *what, str(calls)]
    command += ["--warehouse", str(out / "w.duckdb"), "--settings", str(out / "warmline.toml")]
    samples: list[Sample] = []

    def look(pid: int) -> None:
        # Until the night packs them, analyses lie in files of their own.
        landed = sum(
            1 for file in (out / "w.landing").rglob("*.parquet") if "packs" not in file.parts
        )
        samples.append(Sample(landed, own_memory_mb(pid)))

    cost = measured(command, out / "log", look)
    say(f"{kind}, {count} calls: {cost.wall_s:.1f} s, {cost.cpu_s:.1f} s of CPU time")
    return Run(count, cost, tuple(samples))


def per_call_ms(runs: Sequence[Run]) -> tuple[float, float]:
    """Wall and CPU time of a further call, in milliseconds, from two sizes."""
    few, many = runs
    further = many.calls - few.calls
    return (
        1000 * (many.cost.wall_s - few.cost.wall_s) / further,
        1000 * (many.cost.cpu_s - few.cost.cpu_s) / further,
    )


def growth_kb(samples: Sequence[Sample], calls: int) -> float:
    """How the memory of the process grows with each call, by least squares, from a fifth on.

    Before, its packages are still being loaded; when all have landed, the warehouse is filled.
    """
    some = [s for s in samples if calls / 5 <= s.landed < calls]
    if len({s.landed for s in some}) < 3:
        raise RuntimeError("too few moments between the first call and the last; take more calls")
    slope, _ = np.polyfit([s.landed for s in some], [1024 * s.own_mb for s in some], 1)
    return float(slope)


def report(runs: dict[str, list[Run]]) -> str:
    """The page."""
    times = {kind: per_call_ms(pair) for kind, pair in runs.items()}
    (wall_ms, cpu_ms), (own_wall_ms, own_cpu_ms) = times["flow"], times["analyze"]
    night = runs["flow"][-1]
    growth = growth_kb(night.samples, night.calls)
    lines = [
        "# What a night costs besides its calls",
        "",
        "Written by `warmline bench --nights N`; do not edit. "
        f"{machine()}. Recordings of {_LENGTH_S:g} s of noise, which are read, decoded, refused as "
        "too short, landed and published; one process for calls.",
        "",
        "| | calls | wall s | CPU s | peak MB, all processes |",
        "|---|--:|--:|--:|--:|",
    ]
    for kind, pair in runs.items():
        for one in pair:
            cost = one.cost
            lines.append(
                f"| {kind} | {one.calls:,} | {cost.wall_s:.1f} | {cost.cpu_s:.1f} "
                f"| {cost.peak_mb:.0f} |"
            )
    lines += [
        "",
        f"A further call takes {wall_ms:.1f} ms in the flow and {own_wall_ms:.1f} ms in `warmline "
        f"analyze` ({cpu_ms:.1f} and {own_cpu_ms:.1f} ms of CPU time, of all processes). "
        f"**Overhead of orchestration: {wall_ms - own_wall_ms:.1f} ms a call, "
        f"{cpu_ms - own_cpu_ms:.1f} ms of CPU time** (aim: under {TARGET_MS:.0f}). Where other "
        "work runs meanwhile, times on the clock cannot be compared, and CPU time is what counts.",
        "",
        "## Memory of the flow's process",
        "",
        "What it holds for itself alone. From the first fifth on it grows by "
        f"{growth:.1f} kB a call, by least squares (aim: under {FLAT_KB:.0f}, which is "
        f"{FLAT_KB * 20_000 / 1000:.0f} MB in a night of 20,000 calls).",
        "",
        "| calls landed | MB |",
        "|--:|--:|",
    ]
    for share in (0.2, 0.4, 0.6, 0.8, 1.0):
        sample = next(s for s in night.samples if s.landed >= share * night.calls)
        lines.append(f"| {sample.landed:,} | {sample.own_mb:.0f} |")
    return "\n".join([*lines, ""])


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--to", type=Path, help="Markdown file to write as well")
    given = parser.parse_args()
    few = given.calls // 10
    runs: dict[str, list[Run]] = {"analyze": [], "flow": []}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        os.environ["PREFECT_HOME"] = str(work / "prefect")
        for first, after in ((0, few), (few, given.calls)):
            short_calls(work / "calls", first, after)
            for kind, ended in runs.items():
                ended.append(run(kind, work / "calls", work))
    page = report(runs)
    if given.to:
        given.to.write_text(page, encoding="utf-8")
    print(page)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

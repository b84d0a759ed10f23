"""What more workers give: the same calls by 2, 4 and 8 processes of Dask and Ray, on this machine.

`python workers.py --to RESULTS-workers.md` makes recordings of half a second of noise, which are
read, decoded, refused as too short and landed: all that happens to a call but listening, so that
what the cluster itself costs shows. A tenth of them, then all, go through `warmline nightly --once`
with each number of workers, and with as many processes and no cluster. What a call takes is the
difference of the two sizes; with `--whole`, only all of them go through, and what starting takes
counts. With `--folder`, the calls of that folder are heard instead, once; each
worker then takes about 2 GB. Where there are more workers than cores, or other work runs, CPU time
is what counts.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from accounting import Cost, machine, measured
from orchestration import say, short_calls


@dataclass(frozen=True)
class Night:
    """What a night took: over so many calls, by so many workers of a runner."""

    runner: str
    workers: int
    calls: int
    cost: Cost


def night(runner: str, workers: int, calls: Path, work: Path) -> Night:
    """All recordings of a folder through the flow, into a warehouse of their own."""
    count = sum(1 for file in calls.iterdir() if file.suffix == ".wav")
    out = work / f"{runner}-{workers}-{count}"
    out.mkdir()
    lines = ("[night]", f'runner = "{runner}"', f"jobs = {workers}", "alarm_unanalyzed_share = 1.0")
    (out / "warmline.toml").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "warmline", "nightly", "--once", str(calls)]
    command += ["--warehouse", str(out / "w.duckdb"), "--settings", str(out / "warmline.toml")]
    cost = measured(command, out / "log")
    say(f"{runner}, {workers} workers, {count} calls: {cost.wall_s:.1f} s, {cost.cpu_s:.1f} s CPU")
    return Night(runner, workers, count, cost)


def row(nights: list[Night]) -> str:
    """A line of the table: of one size as it is, of two what a further call takes."""
    *before, last = nights
    cost = last.cost
    cells = [last.runner, str(last.workers), f"{last.calls:,}"]
    cells += [f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{cost.peak_mb:.0f}"]
    calls = last.calls - sum(n.calls for n in before)
    wall_s = cost.wall_s - sum(n.cost.wall_s for n in before)
    cpu_s = cost.cpu_s - sum(n.cost.cpu_s for n in before)
    cells += [f"{calls / wall_s:.1f}", f"{1000 * cpu_s / calls:.0f}"]
    return f"| {' | '.join(cells)} |"


def nights(given: argparse.Namespace, work: Path) -> Iterator[list[Night]]:
    """Every night: without a cluster, then with more and more workers."""
    sizes = [given.folder] if given.folder else [work / "few", work / "all"]
    if not given.folder:
        short_calls(sizes[0], 0, given.calls // 10)
        short_calls(sizes[1], 0, given.calls)
        sizes = sizes[given.whole :]
    for runner in ("here", *given.runners):
        for workers in given.workers:
            if runner != "here" or workers == min(given.workers):
                yield [night(runner, workers, calls, work) for calls in sizes]


def main() -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, help="Markdown file to write as well")
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--runners", nargs="+", choices=("dask", "ray"), default=["dask", "ray"])
    parser.add_argument("--whole", action="store_true", help="One size: starting counts")
    parser.add_argument("--folder", type=Path, help="Calls to hear, in the place of noise")
    given = parser.parse_args()
    what = f"The calls of `{given.folder.name}`" if given.folder else "Recordings of noise, refused"
    one = given.whole or given.folder
    counted = "of all calls, starting included" if one else "of a further call, without starting"
    lines = [
        "# More workers on one machine",
        "",
        f"Written by `workers.py`; do not edit. {machine()}. {what}: "
        f"`warmline nightly --once` with each runner. The last two columns are {counted}. The "
        "machine has as many cores as is said above, whatever the "
        "number of workers, and other work may have run: CPU time can be compared, calls a second "
        "cannot.",
        "",
        "| runner | workers | calls | wall s | CPU s | peak MB, all processes | calls a second "
        "| CPU ms a call |",
        "|---|" + "--:|" * 7,
    ]
    with tempfile.TemporaryDirectory() as name:
        os.environ["PREFECT_HOME"] = str(Path(name) / "prefect")
        for found in nights(given, Path(name)):
            lines.append(row(found))
            if given.to:
                given.to.write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a night takes beside programs that keep the machine busy, and what it takes alone.

`python beside_others.py FOLDER --busy 4 --rounds 2 --to RESULTS-beside.md` (or `warmline bench
FOLDER --beside 4`) has the same calls analyzed by `warmline nightly --once`, in turns alone and
beside so many processes that do nothing but count. Let nothing else run meanwhile.

With n busy processes on c cores, a scheduler that is fair leaves p processes for calls c p / (n +
p) cores: two beside four on two cores a third of what they have alone. What a night takes more
than that, it loses by waiting badly.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from accounting import Cost, machine, measured

from warmline.processes import cores
from warmline.recordings import find_recordings
from warmline.settings import RecordingSettings

#: A night beside four busy processes may take so many times as long as alone.
TARGET = 3.0
# They end when the benchmark is gone, also when it was killed.
_BUSY = """import os
while os.getppid() == {parent}:
    for _ in range(1_000_000): pass
"""
_SETTINGS = """
[words]
whisper_model = "{model}"
[night]
alarm_failed_share = 1.0
alarm_unanalyzed_share = 1.0
"""


@dataclass(frozen=True)
class Round:
    """A night alone, and the same beside others."""

    alone: Cost
    beside: Cost


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that take whatever CPU time they are given."""
    busy_loop = _BUSY.format(parent=os.getpid())
    started = [subprocess.Popen([sys.executable, "-c", busy_loop]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def night(calls: Path, model: str, out: Path) -> Cost:
    """A night over the calls, into a warehouse of its own."""
    out.mkdir(parents=True)
    (out / "w.toml").write_text(_SETTINGS.format(model=model))
    command = [sys.executable, "-m", "warmline", "nightly", "--once", str(calls)]
    command += ["--warehouse", str(out / "w.duckdb"), "--settings", str(out / "w.toml")]
    cost = measured(command, out / "log")
    say(f"{out.name}: {cost.wall_s:.0f} s, {cost.cpu_s:.0f} s of CPU time")
    return cost


def report(rounds: list[Round], others: int, files: int) -> str:
    """Return the page."""
    ratios = [one.beside.wall_s / one.alone.wall_s for one in rounds]
    ratio = statistics.median(ratios)
    processes = min(cores(), files)
    fair = max(1.0, (others + processes) / cores())
    lines = [
        "# A night beside busy programs",
        "",
        f"Written by `warmline bench FOLDER --beside {others}`; do not edit. {machine()}. "
        f"{files} recordings by `warmline nightly --once`, alone and beside {others} processes "
        "that do nothing but count, in turns.",
        "",
        "| round | alone, s | CPU s | beside, s | CPU s | times as long |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for number, (one, times) in enumerate(zip(rounds, ratios, strict=True), 1):
        cells = (one.alone.wall_s, one.alone.cpu_s, one.beside.wall_s, one.beside.cpu_s)
        shown = " | ".join(f"{cell:.0f}" for cell in cells)
        lines.append(f"| {number} | {shown} | {times:.2f} |")
    verdict = "within" if ratio <= TARGET else "MISSED:"
    lines += [
        "",
        f"**{ratio:.2f} times as long, {verdict} the aim of {TARGET:g}** (median). A fair share of "
        f"the {cores()} CPUs would make it {fair:.2f}. CPU time that is much the same in both is "
        "work; where it grows, threads wait for each other busily.",
        "",
    ]
    return "\n".join(lines)


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", type=Path)
    parser.add_argument("--busy", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model", default="base")
    parser.add_argument("--to", type=Path, help="Markdown file to write as well")
    given = parser.parse_args()
    calls = given.calls.resolve()
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        os.environ["PREFECT_HOME"] = str(work / "prefect")
        for number in range(given.rounds):
            alone = night(calls, given.model, work / f"{number}-alone")
            with busy(given.busy):
                rounds.append(Round(alone, night(calls, given.model, work / f"{number}-beside")))
    files = len(find_recordings([calls], RecordingSettings()).recordings)
    page = report(rounds, given.busy, files)
    if given.to:
        given.to.write_text(page, encoding="utf-8")
    print(page)  # noqa: T201
    ratio = statistics.median(one.beside.wall_s / one.alone.wall_s for one in rounds)
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())

"""How time and memory of `warmline analyze` grow with the length and the number of calls.

`python growth.py FOLDER --to RESULTS-growth.md` (or `warmline bench FOLDER --growth`) makes calls
of several lengths, and several numbers of calls of a minute, from the mono mixes of FOLDER's calls,
and analyzes each lot from nothing. Memory is the largest sum over all processes at one moment.
"""

import argparse
import shutil
import sys
import tempfile
import wave
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from accounting import Cost, machine, measured
from calls import long_mono_call

_MINUTES = (1, 5, 20, 60, 180)
_CALLS = (4, 12, 24, 48)
_JOBS = (1, 2)


def long_calls(source: Path, minutes: list[float], model: str, work: Path) -> Iterator[str]:
    """A table of one call of each length, a line at a time."""
    yield from ("## Length", "", f"{machine()}.", "")
    yield "| length of one call, min | wall s | x real time | CPU s | peak MB |"
    yield "|--:|--:|--:|--:|--:|"
    for length_min in minutes:
        folder = work / f"long-{length_min:g}"
        folder.mkdir()
        long_mono_call(source, 60 * length_min, folder / "call.wav")
        yield f"| {length_min:g} | {_figures(_analyze(folder, 1, model), 60 * length_min)}"


def many_calls(source: Path, counts: list[int], model: str, work: Path) -> Iterator[str]:
    """A table of each number of calls, with one process and with two, a line at a time."""
    yield from ("## Number", "", f"{machine()}.", "")
    yield "| calls of 1 min | processes | wall s | x real time | CPU s | peak MB |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for count in counts:
        folder = work / f"many-{count}"
        folder.mkdir()
        _distinct_calls(source, count, folder)
        for jobs in _JOBS:
            yield f"| {count} | {jobs} | {_figures(_analyze(folder, jobs, model), 60 * count)}"


def _distinct_calls(source: Path, count: int, folder: Path) -> None:
    """Minutes of the same long call: equal recordings would be analyzed once only."""
    whole = folder.with_suffix(".wav")
    long_mono_call(source, 60.0 * count, whole)
    with wave.open(str(whole)) as file:
        parameters, frames = file.getparams(), 60 * file.getframerate()
        for i in range(count):
            with wave.open(str(folder / f"call-{i:03}.wav"), "wb") as part:
                part.setparams(parameters)
                part.writeframes(file.readframes(frames))


def _analyze(folder: Path, jobs: int, model: str) -> Cost:
    out = folder.with_name(f"{folder.name}-{jobs}-out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    command = [sys.executable, "-m", "warmline", "analyze", str(folder), "--jobs", str(jobs)]
    command += ["--warehouse", str(out / "w.duckdb"), "--whisper-model", model, "--language", "en"]
    return measured(command, out / "log")


def _figures(cost: Cost, audio_s: float) -> str:
    rate = audio_s / cost.wall_s
    return f"{cost.wall_s:.1f} | {rate:.1f} | {cost.cpu_s:.0f} | {cost.peak_mb:.0f} |"


def main() -> int:
    """Measure, and write each line when it is known: nothing is lost when a later one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, help="Markdown file; standard output as well")
    parser.add_argument("--model", default="base")
    parser.add_argument("--minutes", nargs="*", type=float, default=_MINUTES)
    parser.add_argument("--calls", nargs="*", type=int, default=_CALLS)
    arguments = parser.parse_args()
    lines = ["# How listening grows", "", f"Model `{arguments.model}`; one channel.", ""]
    with tempfile.TemporaryDirectory() as name:
        for line in chain(
            long_calls(arguments.folder, arguments.minutes, arguments.model, Path(name)),
            [""],
            many_calls(arguments.folder, arguments.calls, arguments.model, Path(name)),
        ):
            print(line, flush=True)  # noqa: T201
            lines.append(line)
            if arguments.to:
                arguments.to.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

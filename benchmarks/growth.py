"""How time and memory of `warmline analyze` grow with the length and the number of calls."""

import shutil
import sys
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from accounting import Cost, measured
from calls import long_mono_call


@dataclass(frozen=True)
class Growth:
    """Costs by (minutes of one call) and by (number of calls of a minute, processes)."""

    lengths: list[tuple[float, Cost]]
    numbers: list[tuple[int, int, Cost]]


def grow(
    source: Path, minutes: Sequence[float], counts: Sequence[int], model: str, work: Path
) -> Growth:
    """Measure each length once with one process, and each number with one process and two."""
    lengths = []
    for length_min in minutes:
        folder = work / f"long-{length_min:g}"
        folder.mkdir()
        long_mono_call(source, 60 * length_min, folder / "call.wav")
        lengths.append((length_min, _analyze(folder, 1, model)))
        print(f"{length_min:g} min: {lengths[-1][1]}", file=sys.stderr, flush=True)  # noqa: T201
    numbers = []
    for count in counts:
        folder = work / f"many-{count}"
        folder.mkdir()
        _distinct_calls(source, count, folder)
        for jobs in (1, 2):
            numbers.append((count, jobs, _analyze(folder, jobs, model)))
            print(f"{count} calls: {numbers[-1]}", file=sys.stderr, flush=True)  # noqa: T201
    return Growth(lengths, numbers)


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

"""The listening benchmark: warmline and what a user would pick instead, in one run, interleaved.

`python listening.py FOLDER --to RESULTS` measures, on the two-channel calls of FOLDER that have a
human transcript (`<call>.json`: start, end, speaker, text) and on their mono mix:

- ours: `warmline analyze` and `warmline export`, end to end;
- plain: openai-whisper and stock diarization, as `recipes.py` has it;
- whisperx: faster-whisper's batched pipeline and the same diarization.

Each is a process of its own; wall time, CPU time and peak memory are the kernel's (`wait4`), of the
process and all it started. Contenders take turns, `--rounds` times; medians are reported.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scoring import Score, Truth, score

CONTENDERS = ("ours", "plain", "whisperx")
# Left is the caller, right the agent; warmline names them by role when it knows it.
PARTIES = {"caller": ("A", "customer"), "agent": ("B", "agent")}
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measured(command: list[str], log: Path) -> Cost:
    """Run a command to its end. Raises RuntimeError with the log's end when it fails."""
    started = time.perf_counter()
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {log.read_text()[-2000:]}")
    # ru_maxrss is the largest of the process and its descendants, in KiB.
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def truths(folder: Path) -> list[Truth]:
    """The calls of a folder that have a human transcript."""
    found = []
    for path in sorted(folder.glob("*.wav")):
        transcript = json.loads(path.with_suffix(".json").read_text())
        with wave.open(str(path)) as file:
            duration_s = file.getnframes() / file.getframerate()
        found.append(Truth(path.stem, tuple(transcript), duration_s))
    return found


def lay_out(calls: list[Truth], source: Path, work: Path) -> None:
    """Copy the calls as they are and as mono mixes, without their transcripts."""
    for kind in ("stereo", "mono"):
        (work / kind).mkdir(parents=True)
    for truth in calls:
        path = source / f"{truth.call}.wav"
        shutil.copy(path, work / "stereo" / path.name)
        with wave.open(str(path)) as file:
            rate = file.getframerate()
            pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
        with wave.open(str(work / "mono" / path.name), "wb") as mix:
            mix.setparams((1, 2, rate, 0, "NONE", ""))
            mix.writeframes((pcm.astype(np.int32).sum(axis=1) // 2).astype(np.int16).tobytes())


def run_ours(kind: str, work: Path, out: Path, model: str) -> Cost:
    """`warmline analyze` on an empty landing, then `export` (not timed: it listens no more)."""
    place = out / "warehouse.duckdb"
    warmline = [sys.executable, "-m", "warmline"]
    cost = measured(
        [
            *(*warmline, "analyze", str(work / kind), "--warehouse", str(place)),
            *("--whisper-model", model, "--language", "en"),
        ],
        out / "log",
    )
    for name in ("seglst", "rttm"):
        measured(
            [*warmline, "export", "--format", name, "--to", str(out), "--warehouse", str(place)],
            out / "log-export",
        )
    return cost


def run_recipe(
    recipe: str, kind: str, work: Path, out: Path, model: str, faster_whisper: Path | None
) -> Cost:
    """One of `recipes.py`."""
    command = [sys.executable, str(HERE / "recipes.py"), recipe, "--channels", kind]
    command += ["--model", model, "--to", str(out)]
    if faster_whisper:
        command += ["--faster-whisper", str(faster_whisper)]
    recordings = sorted(str(p) for p in (work / kind).glob("*.wav"))
    return measured([*command, *recordings], out / "log")


def race(
    contenders: list[str], kind: str, rounds: int, start: Callable[[str, Path], Cost], work: Path
) -> dict[str, list[Cost]]:
    """Contenders take turns; the files of the last round are kept for scoring."""
    costs: dict[str, list[Cost]] = {c: [] for c in contenders}
    for number in range(rounds):
        for contender in contenders:
            out = work / f"{contender}-{kind}"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            cost = start(contender, out)
            costs[contender].append(cost)
            print(f"{kind} round {number + 1} {contender}: {cost.wall_s:.1f} s", flush=True)  # noqa: T201
    return costs


def table(
    costs: dict[str, list[Cost]], scores: dict[str, Score], audio_s: float, kind: str
) -> list[str]:
    """Rows of Markdown for one kind of call."""
    lines = [
        f"### {kind}",
        "",
        "| | wall s | x real time | CPU s | peak MB | WER | cpWER | DER | DER, collar 0.25 s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for contender, runs in costs.items():
        wall = statistics.median(r.wall_s for r in runs)
        cpu = statistics.median(r.cpu_s for r in runs)
        peak = statistics.median(r.peak_mb for r in runs)
        s = scores[contender]
        wer = "" if s.wer is None else f"{s.wer:.3f}"
        lines.append(
            f"| {contender} | {wall:.1f} | {audio_s / wall:.1f} | {cpu:.1f} | {peak:.0f} | {wer} "
            f"| {s.cpwer:.3f} | {s.der:.3f} | {s.der_collar:.3f} |"
        )
    ours = statistics.median(r.wall_s for r in costs["ours"])
    ratios = [
        f"{statistics.median(r.wall_s for r in runs) / ours:.2f} x {contender}"
        for contender, runs in costs.items()
        if contender != "ours"
    ]
    return [*lines, "", "Speed of ours: " + ", ".join(ratios) + "." if ratios else "", ""]


def machine() -> str:
    """The machine in a line."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the start"
    )


def main() -> int:
    """Measure, score, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, help="Markdown file; standard output without it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="base")
    parser.add_argument("--kinds", nargs="+", default=["mono", "stereo"])
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--faster-whisper", type=Path, help="folder of the CTranslate2 model")
    arguments = parser.parse_args()
    calls = truths(arguments.folder)
    audio_s = sum(t.duration_s for t in calls)
    lines = [f"Machine: {machine()}. Model `{arguments.model}`."]
    lines += [f"{len(calls)} calls, {audio_s:.0f} s; {arguments.rounds} rounds, medians.", ""]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        lay_out(calls, arguments.folder, work)
        for kind in arguments.kinds:

            def start(contender: str, out: Path, kind: str = kind) -> Cost:
                if contender == "ours":
                    return run_ours(kind, work, out, arguments.model)
                return run_recipe(
                    contender, kind, work, out, arguments.model, arguments.faster_whisper
                )

            costs = race(arguments.contenders, kind, arguments.rounds, start, work)
            scores = {}
            for contender in arguments.contenders:
                names = PARTIES if kind == "stereo" else None
                scores[contender] = score(calls, work / f"{contender}-{kind}", names)
            lines += table(costs, scores, audio_s, kind)
    report = "\n".join(lines)
    if arguments.to:
        arguments.to.write_text(report + "\n")
    print(report)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The listening benchmark: warmline and what a user would pick instead, in one run, interleaved.

`python listening.py FOLDER --to RESULTS.md` (or `warmline bench`) measures, on the two-channel
calls of FOLDER that have a human transcript (`<call>.json`: start, end, speaker, text) and on their
mono mix, after each contender has heard one call unmeasured:

- ours: `warmline analyze`, end to end: every measure, and the warehouse filled;
- ours-words: words and parties alone, as the two below give them, by the code of `ours`;
- ours-fast: `ours` with `--engine faster-whisper`;
- plain: openai-whisper and stock diarization, as `recipes.py` has it;
- whisperx: faster-whisper's batched pipeline and the same diarization.

Each is a process of its own. Contenders take turns; medians are reported. Word starts are compared
on the simulated sample calls, whose truth is known; words where nobody speaks are counted there, in
the calls, and in a minute each of silence, noise, tones and hold music.

`--limit avx2` has every contender compute as on a processor with AVX2 and nothing newer.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accounting import Cost, machine, measured, median_cost
from calls import lay_out, truths, without_speech
from scoring import Score, Truth, WordStarts, score, word_starts

from warmline.files import folder as resource
from warmline.query.questions import ask

CONTENDERS = ("ours", "ours-words", "ours-fast", "plain", "whisperx")
# Left is the caller, right the agent; warmline names them by role when it knows it.
PARTIES = {"caller": ("A", "customer"), "agent": ("B", "agent")}
HERE = Path(__file__).parent
# What the libraries of the contenders read: oneDNN's own limit (PyTorch and CTranslate2 each have a
# copy of it), those of PyTorch's and CTranslate2's other code, that of MKL, and that of FBGEMM, by
# which PyTorch multiplies in 8 bits.
LIMITS = {
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "CT2_FORCE_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
    }
}
_STAGE_SECONDS = "SELECT stage, sum(seconds) FROM stage_keys GROUP BY ALL ORDER BY 2 DESC"


@dataclass(frozen=True)
class Plan:
    """What is run, with which Whisper model, and where."""

    contenders: tuple[str, ...]
    model: str
    rounds: int
    work: Path


@dataclass(frozen=True)
class Result:
    """What the race over one kind of calls gave."""

    costs: dict[str, list[Cost]]
    scores: dict[str, Score]
    stage_s: list[tuple[str, float]]


def run(contender: str, recordings: Path, channels: str, out: Path, model: str) -> Cost:
    """One contender over a folder of recordings; `.seglst.json` and `.rttm` are left in `out`."""
    if contender not in ("ours", "ours-fast"):
        recipe = contender.removeprefix("ours-")
        command = [sys.executable, str(HERE / "recipes.py"), recipe, "--channels", channels]
        command += ["--model", model, "--to", str(out)]
        found = sorted(p for p in recordings.iterdir() if p.suffix in (".wav", ".flac", ".ogg"))
        return measured([*command, *map(str, found)], out / "log")
    warmline = [sys.executable, "-m", "warmline"]
    place = ["--warehouse", str(out / "warehouse.duckdb")]
    engine = "faster-whisper" if contender == "ours-fast" else "openai-whisper"
    chosen = ["--whisper-model", model, "--language", "en", "--engine", engine]
    chosen += ["--no-redaction"]  # people's transcripts have every word that was said
    cost = measured([*warmline, "analyze", str(recordings), *place, *chosen], out / "log")
    for name in ("seglst", "rttm"):  # not timed: nothing is listened to any more
        command = [*warmline, "export", "--format", name, "--to", str(out), *place]
        measured(command, out / "log-export")
    return cost


def warm_up(plan: Plan, calls: list[Truth]) -> None:
    """Every contender hears the shortest call once: who comes first would read from a cold disk."""
    shortest = min(calls, key=lambda call: call.duration_s).call
    folder = fresh(plan.work / "warm-up")
    shutil.copy(plan.work / "mono" / f"{shortest}.wav", folder)
    for contender in plan.contenders:
        run(contender, folder, "mono", fresh(plan.work / f"{contender}-warm-up"), plan.model)
        say(f"warm-up: {contender}")


def race(plan: Plan, kind: str, calls: list[Truth]) -> Result:
    """Contenders take turns; the files of the last round are scored."""
    costs: dict[str, list[Cost]] = {c: [] for c in plan.contenders}
    for number in range(plan.rounds):
        for contender in plan.contenders:
            out = fresh(plan.work / f"{contender}-{kind}")
            cost = run(contender, plan.work / kind, kind, out, plan.model)
            costs[contender].append(cost)
            say(f"{kind} round {number + 1} of {plan.rounds}: {contender} {cost.wall_s:.1f} s")
    names = PARTIES if kind == "stereo" else None
    scores = {c: score(calls, plan.work / f"{c}-{kind}", names) for c in plan.contenders}
    warehouse = plan.work / f"ours-{kind}" / "warehouse.duckdb"
    stages = ask(warehouse, _STAGE_SECONDS).rows if "ours" in plan.contenders else ()
    return Result(costs, scores, [(str(stage), float(seconds)) for stage, seconds in stages])


def simulated(plan: Plan) -> dict[str, WordStarts]:
    """Word starts on the sample calls of one channel and of two."""
    samples = resource("audio") / "samples"
    spoken: dict[str, Any] = {}
    for kind in ("mono", "stereo"):
        (plan.work / f"samples-{kind}").mkdir()
    for path in sorted((samples / "truth").glob("*.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        kind = "stereo" if truth["layout"] == "stereo" else "mono"
        sound = next(
            p for p in samples.glob(f"{path.stem}.*") if p.suffix not in (".json", ".toml")
        )
        shutil.copy(sound, plan.work / f"samples-{kind}")
        spoken[path.stem] = (kind, truth["words"])
    found = {}
    for contender in plan.contenders:
        out = fresh(plan.work / f"{contender}-samples")
        for kind in ("mono", "stereo"):
            part = fresh(out / kind)
            run(contender, plan.work / f"samples-{kind}", kind, part, plan.model)
            for file in part.glob("*.seglst.json"):
                shutil.move(file, out)
        found[contender] = word_starts({c: words for c, (_, words) in spoken.items()}, out)
        say(f"samples: {contender}")
    return found


def heard_in_nothing(plan: Plan) -> dict[str, int]:
    """Words that a contender hears in sounds without speech."""
    without_speech(plan.work / "nothing")
    found = {}
    for contender in plan.contenders:
        out = fresh(plan.work / f"{contender}-nothing")
        run(contender, plan.work / "nothing", "mono", out, plan.model)
        files = out.glob("*.seglst.json")
        found[contender] = sum(len(json.loads(file.read_text())) for file in files)
        say(f"without speech: {contender} {found[contender]} words")
    return found


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def race_table(result: Result, audio_s: float, kind: str) -> list[str]:
    """Costs and scores of one kind of call, and how many times as fast ours is."""
    wer = "WER per party | " if kind == "stereo" else ""
    lines = [
        f"## {'Two channels' if kind == 'stereo' else 'One channel (the mono mix)'}",
        "",
        f"| | wall s | x real time | CPU s | peak MB | {wer}cpWER | DER | DER, collar 0.25 s "
        "| words in silence |",
        "|---" * (10 if kind == "stereo" else 9) + "|",
    ]
    costs = {c: median_cost(runs) for c, runs in result.costs.items()}
    for contender, cost in costs.items():
        s = result.scores[contender]
        rate = "" if s.wer is None else f"{s.wer:.3f} | "
        lines.append(
            f"| {contender} | {cost.wall_s:.1f} | {audio_s / cost.wall_s:.1f} | {cost.cpu_s:.1f} "
            f"| {cost.peak_mb:.0f} | {rate}{s.cpwer:.3f} | {s.der:.3f} | {s.der_collar:.3f} "
            f"| {s.words_in_silence} |"
        )
    own = "ours" if "ours" in costs else next(iter(costs))
    ratios = [
        f"{cost.wall_s / costs[own].wall_s:.2f} x {contender}"
        for contender, cost in costs.items()
        if contender != own
    ]
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in result.stage_s)
    lines += ["", f"Speed of {own}: {', '.join(ratios)}." if ratios else "", ""]
    by_stage = [f"Seconds by stage, summed over the calls of ours: {stages}."] if stages else []
    return [*lines, *by_stage, ""]


def other_tables(starts: dict[str, WordStarts], nothing: dict[str, int]) -> list[str]:
    """Word starts on simulated calls; words heard where there is no speech at all."""
    lines = ["## Simulated calls, and sounds without speech", ""]
    lines += [
        "| | words matched | mean error of word starts, ms | median, ms | words in no speech |"
    ]
    lines += ["|---|---|---|---|---|"]
    for contender, s in starts.items():
        lines.append(
            f"| {contender} | {s.matched} of {s.spoken} | {1000 * s.mean_error_s:.0f} "
            f"| {1000 * s.median_error_s:.0f} | {nothing[contender]} |"
        )
    return [*lines, ""]


def main() -> int:
    """Measure, score, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, help="Markdown file; standard output without it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="base")
    parser.add_argument("--kinds", nargs="*", default=["mono", "stereo"])
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument(
        "--extra-contenders",
        nargs="+",
        choices=CONTENDERS,
        help="For simulated calls and sounds without speech; by default all that race",
    )
    parser.add_argument("--no-extras", action="store_true", help="Only the race itself")
    parser.add_argument("--limit", choices=LIMITS, help="Instructions that all contenders may use")
    arguments = parser.parse_args()
    limit = LIMITS.get(arguments.limit, {})
    os.environ |= limit  # which the contenders inherit
    calls = truths(arguments.folder)
    if not calls:
        parser.error(f"{arguments.folder}: no call.wav with its call.json there")
    audio_s = sum(t.duration_s for t in calls)
    lines = ["# Listening", "", f"Machine: {machine()}. Model `{arguments.model}`."]
    if limit:
        lines += [f"All contenders limited by {' '.join(f'{k}={v}' for k, v in limit.items())}."]
    lines += [f"{len(calls)} calls, {audio_s:.0f} s; {arguments.rounds} rounds, medians.", ""]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        plan = Plan(tuple(arguments.contenders), arguments.model, arguments.rounds, work)
        lay_out(calls, arguments.folder, work)
        warm_up(plan, calls)
        for kind in arguments.kinds:
            lines += race_table(race(plan, kind, calls), audio_s, kind)
            write(lines, arguments.to)
        if not arguments.no_extras:
            others = replace(plan, contenders=tuple(arguments.extra_contenders or plan.contenders))
            lines += other_tables(simulated(others), heard_in_nothing(others))
            write(lines, arguments.to)
    print("\n".join(lines))  # noqa: T201
    return 0


def write(lines: list[str], to: Path | None) -> None:
    """What is known so far: nothing is lost when a later part fails."""
    if to:
        to.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

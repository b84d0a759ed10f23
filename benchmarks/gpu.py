"""What a GPU makes of an hour's call, in one command of about ten minutes.

`python gpu.py FOLDER --to RESULTS-gpu.md` needs a torch that sees the card, and the models stored
(`warmline models pull`). It says which card it is and measures on it, in one process:

- the calls of FOLDER that have a human transcript, together: seconds by stage, and errors;
- their mono mixes over and over up to an hour, with batches of several sizes: seconds by stage, how
  many times real time, and the card's memory at its peak.

Where torch sees no GPU it says so and measures nothing, unless `--any-device` is given.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accounting import machine
from calls import long_mono_call, truths
from degradation import found_in
from recipes import write as write_files
from scoring import Score, score

from warmline.analysis import CallAnalysis
from warmline.models.engines import Engines
from warmline.pipeline.analyze import CallInput, analyze_recordings
from warmline.pipeline.stages import CacheKeys
from warmline.settings import Settings, with_overrides

_PARTIES = {"caller": ("A",), "agent": ("B",)}
_TARGET_S = 10.0  # for an hour


@dataclass(frozen=True)
class Measured:
    """What one analysis took; `peak_mb` is the card's memory, 0 without a card."""

    wall_s: float
    peak_mb: float
    stage_s: Counter[str]


def card() -> str | None:
    """The GPU in a line, or None where torch sees none."""
    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return (
        f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, "
        f"CUDA {torch.version.cuda}, torch {torch.__version__}"
    )


def analyze(
    paths: Sequence[Path], settings: Settings, engines: Engines
) -> tuple[list[CallAnalysis], Measured]:
    """Analyze recordings together; the card has finished when the clock is stopped."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    given = [CallInput(path) for path in paths]
    pairs = analyze_recordings(given, CacheKeys.of(settings), engines)
    analyses = [analysis for _, analysis in sorted(pairs, key=lambda pair: pair[0])]
    peak = 0
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_allocated()
    wall_s = time.perf_counter() - started
    stages: Counter[str] = Counter()
    for analysis in analyses:
        stages.update({key.stage: key.seconds for key in analysis.stage_keys})
    return analyses, Measured(wall_s, peak / 2**20, stages)


def short_calls(folder: Path, settings: Settings, engines: Engines) -> list[str]:
    """The folder's calls: once to load and warm everything, once measured and scored."""
    calls = truths(folder)
    paths = [folder / f"{truth.call}.wav" for truth in calls]
    _, cold = analyze(paths, settings, engines)
    analyses, warm = analyze(paths, settings, engines)
    with tempfile.TemporaryDirectory() as name:
        for path, analysis in zip(paths, analyses, strict=True):
            write_files(path, *found_in(analysis), Path(name))
        scores: Score = score(calls, Path(name), _PARTIES)
    audio_s = sum(truth.duration_s for truth in calls)
    return [
        f"## {len(calls)} short calls, {audio_s:.0f} s",
        "",
        f"First time, models loaded from disk: {cold.wall_s:.1f} s. Then {_in_words(warm)}.",
        f"WER per party {scores.wer:.3f}, DER with a collar of 0.25 s {scores.der_collar:.3f}, "
        f"words in silence {scores.words_in_silence}.",
        "",
    ]


def long_call(
    folder: Path, minutes: float, batch_sizes: Iterable[int], settings: Settings, engines: Engines
) -> list[str]:
    """One long mono call, with batches of several sizes."""
    lines = [f"## One call of {minutes:.0f} min", ""]
    lines += ["| windows in a batch | wall s | x real time | GPU peak MB | seconds by stage |"]
    lines += ["|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "long.wav"
        long_mono_call(folder, 60 * minutes, path)
        for size in batch_sizes:
            chosen = with_overrides(settings, {"words.batch_size": size})
            _, m = analyze([path], chosen, engines)
            stages = ", ".join(f"{stage} {s:.1f}" for stage, s in m.stage_s.most_common())
            rate = 60 * minutes / m.wall_s
            lines.append(f"| {size} | {m.wall_s:.1f} | {rate:.0f} | {m.peak_mb:.0f} | {stages} |")
            print(lines[-1], file=sys.stderr, flush=True)  # noqa: T201
    return [*lines, "", f"The target is an hour in less than {_TARGET_S:.0f} s.", ""]


def _in_words(m: Measured) -> str:
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in m.stage_s.most_common())
    return f"{m.wall_s:.1f} s ({stages}), at most {m.peak_mb:.0f} MB of the card"


def main() -> int:
    """Measure, and write the report after each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, help="Markdown file; standard output without it")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--model", default="base")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[8, 32, 128, 0])
    parser.add_argument("--any-device", action="store_true", help="Measure without a GPU as well")
    arguments = parser.parse_args()
    found = card()
    if found is None and not arguments.any_device:
        print(f"torch {torch.__version__} sees no GPU here: nothing was measured")  # noqa: T201
        return 0
    settings = with_overrides(
        Settings(),
        {
            "words.whisper_model": arguments.model,
            "words.language": "en",
            "redaction.enabled": False,  # people's transcripts have every word that was said
        },
    )
    engines = Engines.from_settings(settings)
    lines = ["# On a GPU", "", f"Card: {found or 'none: measured on the CPU'}."]
    lines += [f"Machine: {machine()}. Model `{arguments.model}`.", ""]
    for part in (
        lambda: short_calls(arguments.folder, settings, engines),
        lambda: long_call(
            arguments.folder, arguments.minutes, arguments.batch_sizes, settings, engines
        ),
    ):
        lines += part()
        if arguments.to:
            arguments.to.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

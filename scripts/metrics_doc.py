"""Write docs/metrics.md: what every measure means, from the definitions in the code."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from warmline.analysis import MetricDefinition
from warmline.pipeline.stages import STAGES

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "metrics.md"
SIMULATED = ROOT / "validation" / "simulations" / "agents.json"

RELIABILITY = """\
## How many calls an agent's mean takes

Ten simulated agents each take the ten calls of the demo, with habits of their own: how often they
answer a feeling, how long they wait, how fast and loud they speak
(`python -m validation.simulations.agents`). The table shows how much of the difference between their
means would show again (1 all, 0 none; below 0.7 a ranking is mostly luck), if all take the *same* ten
calls, and if each takes *other* calls, as in life; then how many such calls of each agent it takes for
0.7 and for 0.8. Simulated agents differ by what was planted, yours by something else:
`warmline reliability` tells you about your own calls. *never*: the difference between these agents is
no more than luck in so few calls.
"""

INTRODUCTION = """\
# What is measured, and what each number means

Made by `make docs` from the definitions in the code; the warehouse has the same in
`metric_definitions`.

- **A number says what it counts.** Every value is stored with its counts, its coverage, how the
  parties were told apart, a confidence, the version of the definition, and where in the call its
  evidence is. Rates are derived from counts, never averaged as rates.
- **NULL is not zero.** Where there was no opportunity, nothing is measured: the value is NULL and
  `reason` says why.
- **Employees' behaviour, not their feelings.** What the agent said, when, and how steadily is
  measured; no column infers an agent's emotion. Emotion is only looked for in what customers say.
- **Suppressed rather than misleading.** Where it is unclear who spoke when, the measures of single
  parties are suppressed, with the reason; those of the call stay.
- **No hidden score.** Components are always shown.

## Words used

| word | meaning |
|---|---|
| party | one channel, or one voice: `A`, `B`, ... What a party *is* (agent, customer) is a separate fact with a confidence. |
| speech | stretches of a party's voice activity; pauses under `speech.bridge_gap_s` are speech |
| turn | what one party says until another takes the floor; backchannels do not end it |
| backchannel | a short sound or word (`floor.backchannel_max_s`) after which the other goes on |
| terminal overlap | an overlap that begins within `floor.terminal_overlap_s` of the holder's end |
| interruption | an overlap of at least `floor.interruption_overlap_s` in which the entrant speaks for at least `floor.interruption_entrant_s`; *successful* if the holder stops within `floor.yield_within_s` and the entrant keeps the floor; *cooperative* if it opens with agreement or completes the holder's phrase, else *competitive* |
| unsure | where voices share a channel: an overlap that would be of another kind if an edge of it were 0.03 s off. It is shown, and counted as nothing; `coverage` says what share of the entries was counted, and without a sure one there is no count |
| dead air | nobody speaks for at least `floor.dead_air_s`; holds (music, tones) are kept apart |
| cue | the customer expresses a feeling: fear, anger, sadness, powerlessness |
| answer | how the agent responds to a cue within `empathy.answer_within_turns` turns: ignored, dismissed, minimal_acknowledgement (a sorry in passing, before a goodbye or other business), problem solved only (level 0); attentive, affective, cognitive (level 1 in general terms, 2 when it names this customer's feeling, situation or cause, or shows empathy in two ways); attention beside a dismissal in the same turn does not count |
"""


def lines() -> Iterator[str]:
    """The document, block by block."""
    yield INTRODUCTION
    for stage in STAGES:
        if not stage.measures:
            continue
        yield f"## {stage.name.capitalize()}\n"
        yield "| measure | of | unit | definition | source | validated |\n|---|---|---|---|---|---|"
        for measure in stage.measures:
            yield _row(measure)
        yield ""


def reliability_lines() -> Iterator[str]:
    """The table of what agents' means are worth, from the simulation's file."""
    yield RELIABILITY
    yield "| measure | calls | same | other | for 0.7 | for 0.8 |\n|---|---|---|---|---|---|"
    for told in json.loads(SIMULATED.read_text(encoding="utf-8")):
        needed = ("never" if n is None else f"{n:,}" for n in told["needed"])
        shares = (f"{told['same']:.2f}", f"{told['other']:.2f}")
        cells = (f"`{told['measure']}`", str(told["calls"]), *shares, *needed)
        yield "| " + " | ".join(cells) + " |"


def _row(measure: MetricDefinition) -> str:
    version = f" (version {measure.version})" if measure.version > 1 else ""
    cells = (
        f"`{measure.name}`{version}",
        measure.level,
        measure.unit,
        measure.definition,
        measure.source,
        measure.validated,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Write the file, or print it with `-`."""
    text = "\n".join([*lines(), *reliability_lines()]).rstrip() + "\n"
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(text)
    else:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

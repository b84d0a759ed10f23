"""`python -m validation.simulations` tries the research methods and writes docs/simulations.md."""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from .page import Row, rows_of, write_page
from .scenarios import SCENARIOS, Scenario, Try


def main(arguments: Sequence[str] | None = None) -> None:
    """Run scenarios and write the page; a scenario's replicates are the same whatever else runs."""
    parser = ArgumentParser(prog="python -m validation.simulations", description=main.__doc__)
    parser.add_argument("--to", type=Path, default=Path("docs/simulations.md"))
    parser.add_argument("--replicates", type=int, default=200, help="worlds of each scenario")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument(
        "--cache",
        type=Path,
        help="a JSONL of worlds that were tried, to go on from; delete it when methods change",
    )
    chosen = parser.parse_args(arguments)
    done = _read(chosen.cache)
    rows: list[Row] = []
    for scenario in SCENARIOS:
        name = f"{scenario.part}: {scenario.title}"
        if chosen.only not in name:
            continue
        began = time.monotonic()
        tries = done.get(_key(scenario, chosen.seed), [])
        wanted = max(1, round(chosen.replicates * scenario.replicates))
        if len(tries) < wanted:
            tries = [*tries, *_run(scenario, chosen.seed, range(len(tries), wanted))]
            _add(chosen.cache, _key(scenario, chosen.seed), tries)
        rows += rows_of(scenario, tries[:wanted])
        sys.stderr.write(f"{name}: {wanted} in {time.monotonic() - began:.0f} s\n")
    write_page(rows, chosen.to, chosen.replicates, chosen.seed)


def _run(scenario: Scenario, seed: int, numbers: Iterable[int]) -> list[list[Try]]:
    return [list(scenario.run(seed * 100_000 + i, **scenario.given)) for i in numbers]


def _key(scenario: Scenario, seed: int) -> str:
    """Return what a scenario's worlds depend on, but for the code."""
    given = json.dumps(dict(scenario.given), sort_keys=True)
    return f"{scenario.part}: {scenario.title}, {scenario.run.__name__} {given}, seed {seed}"


def _read(cache: Path | None) -> dict[str, list[list[Try]]]:
    """Return the worlds that were tried before, by scenario; the last line of one counts."""
    if cache is None or not cache.exists():
        return {}
    lines = (json.loads(line) for line in cache.read_text(encoding="utf-8").splitlines())
    return {line["name"]: [[Try(**t) for t in w] for w in line["worlds"]] for line in lines}


def _add(cache: Path | None, name: str, worlds: list[list[Try]]) -> None:
    if cache is None:
        return
    line = {"name": name, "worlds": [[asdict(t) for t in w] for w in worlds]}
    with cache.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, default=float) + "\n")


if __name__ == "__main__":
    main()

"""`python -m validation.simulations` tries the research methods and writes docs/simulations.md."""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
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
    parser.add_argument("--cache", type=Path, help="a JSONL to which finished scenarios are added")
    chosen = parser.parse_args(arguments)
    done = _read(chosen.cache, chosen)
    rows: list[Row] = []
    for scenario in SCENARIOS:
        name = f"{scenario.part}: {scenario.title}"
        if chosen.only not in name:
            continue
        began = time.monotonic()
        tries = done.get(name)
        if tries is None:
            tries = _run(scenario, chosen.seed, chosen.replicates)
            _add(chosen.cache, chosen, name, tries)
        rows += rows_of(scenario, tries)
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    write_page(rows, chosen.to, chosen.replicates, chosen.seed)


def _run(scenario: Scenario, seed: int, replicates: int) -> list[list[Try]]:
    worlds = max(1, round(replicates * scenario.replicates))
    return [list(scenario.run(seed * 100_000 + i, **scenario.given)) for i in range(worlds)]


def _read(cache: Path | None, chosen: object) -> dict[str, list[list[Try]]]:
    if cache is None or not cache.exists():
        return {}
    lines = (json.loads(line) for line in cache.read_text(encoding="utf-8").splitlines())
    return {
        line["name"]: [[Try(**t) for t in world] for world in line["worlds"]]
        for line in lines
        if line["of"] == _of(chosen)
    }


def _add(cache: Path | None, chosen: object, name: str, worlds: list[list[Try]]) -> None:
    if cache is None:
        return
    line = {"name": name, "of": _of(chosen), "worlds": [[asdict(t) for t in w] for w in worlds]}
    with cache.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, default=float) + "\n")


def _of(chosen: object) -> list[int]:
    return [vars(chosen)["seed"], vars(chosen)["replicates"]]


if __name__ == "__main__":
    main()

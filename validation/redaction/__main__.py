"""`python -m validation.redaction`: tries the rules on your own sayings, or on `written.toml`."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from ..written import CONTROL, counts, sayings_in, try_saying, written_sayings


def main(arguments: Sequence[str] | None = None) -> None:
    """Print how many sayings of a JSONL file, or of `written.toml`, come out right, by kind."""
    parser = ArgumentParser(prog="python -m validation.redaction", description=main.__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="JSONL; written.toml without it")
    parser.add_argument("--misses", action="store_true", help="the ids of those that did not")
    parser.add_argument("--words", action="store_true", help="with the words left or hidden")
    chosen = parser.parse_args(arguments)
    sayings = sayings_in(chosen.file) if chosen.file else written_sayings()
    outcomes = [try_saying(saying) for saying in sayings]
    lines = [_line(c.kind, c.right, c.all) for c in counts(outcomes)]
    forms = [o for o in outcomes if o.saying.kind != CONTROL]
    if forms:
        lines.append(_line("all forms", sum(o.is_right for o in forms), len(forms)))
    for outcome in outcomes:
        if chosen.misses and not outcome.is_right:
            told = outcome.hidden if outcome.saying.kind == CONTROL else outcome.left
            lines.append(" ".join((outcome.saying.id, *(told if chosen.words else ()))))
    sys.stdout.write("\n".join(lines) + "\n")


def _line(kind: str, right: int, of: int) -> str:
    wrong = f"  false alarms {of - right}" if kind == CONTROL else ""
    return f"{kind:16} {right:4} of {of:4}  {right / of:6.1%}{wrong}"


if __name__ == "__main__":
    main()

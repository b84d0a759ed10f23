"""The order of tests, so that no process of a run idles at its end or makes what another made.

`--dist worksteal` gives each process a part of the list, all of one length, and whoever is done
takes from the end of another's part. So what takes long, and what each process would have to make
for itself, comes first in a part of its own, and what is quick comes last.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

#: Fixtures that each process makes for itself, and that take seconds: files that use one lie in one
#: process, unless another has nothing else to do.
MADE_BY_EACH = ("engines", "visitor", "prefect_server")


def balanced(items: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """Return the tests in the order of the parts that so many processes get.

    Files stay together. Those of few tests come first: the many tests of one file are quick.
    """
    files: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.path].append(item)
    in_order = sorted(files.values(), key=lambda tests: (_made(tests) is None, len(tests)))
    parts: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for tests in in_order:
        made = _made(tests)
        part = min(parts, key=len) if made is None else parts[made % processes]
        part += tests
    left: list[pytest.Item] = []
    sizes = _sizes(len(items), processes)
    for part, size in zip(parts, sizes, strict=True):
        left += part[size:]
        del part[size:]
    for part, size in zip(parts, sizes, strict=True):
        missing = size - len(part)
        part += left[:missing]
        del left[:missing]
    return [item for part in parts for item in part]


def _sizes(count: int, processes: int) -> list[int]:
    """How many tests each process is given first."""
    sizes: list[int] = []
    for remaining in range(processes, 0, -1):
        sizes.append((count - sum(sizes)) // remaining)
    return sizes


def _made(tests: Sequence[pytest.Item]) -> int | None:
    """Which of those fixtures a file uses, the last of them if several."""
    names = {name for item in tests for name in getattr(item, "fixturenames", ())}
    return max((i for i, name in enumerate(MADE_BY_EACH) if name in names), default=None)

"""The lock names the digest of every pinned package, and a file that differs is told."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not (ROOT / "constraints.lock").exists(), reason="the lock is part of the checkout"
)


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import lock

    yield lock
    for name in ("lock", "pin"):
        sys.modules.pop(name, None)


def test_every_pin_is_in_the_lock_with_a_digest(lock) -> None:
    kind, locked = lock.read_lock()
    assert re.fullmatch(r"Python 3\.\d+, \w+, \w+", kind)
    pins = {
        line.strip().lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#") and not line.rstrip().endswith("*")
    }
    assert pins - locked.keys() == set()
    digests = {name: d for name, d in locked.items() if name.split("==")[0] not in lock.ANY_BUILD}
    assert len(digests) > 200
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests.values())


def test_another_file_version_or_package_is_told(lock) -> None:
    locked = {"a==1": "aa", "b==1": "bb", "torch==2": "any"}
    found = {"a==1": "ab", "b==2": "bb", "torch==2": "any"}
    assert lock.differences(locked, found) == [
        "b==2: not in the lock",
        "b==1: locked, and not asked for",
        "a==1: ab instead of aa",
    ]
    assert lock.differences(locked, locked) == []

"""Write or check constraints.lock: the SHA-256 of every package file that an installation takes.

    python scripts/lock.py           resolve with constraints.txt and write constraints.lock
    python scripts/lock.py --check   resolve again and compare; exit code 1 where a file differs

The files are those of one kind of machine, which the first lines of the lock name. torch is named
without a digest: a build of it that lies on the machine is as good as the index's.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from pin import EXTRAS

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "constraints.lock"
ANY_BUILD = frozenset({"torch", "triton"})


def machine() -> str:
    """Return the kind of machine that files are for: Python's version, system, processor."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"Python {version}, {platform.system()}, {platform.machine()}"


def resolve() -> dict[str, str]:
    """Return the digest of the file that pip would install for each package, as `name==version`."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        command += ["--quiet", "--report", str(report), "-c", str(ROOT / "constraints.txt")]
        subprocess.run([*command, f"{ROOT}[{EXTRAS},encrypt,fast]"], check=True, stdout=sys.stderr)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    digests = {}
    for item in found:
        name = item["metadata"]["name"].lower().replace("_", "-")
        version = item["metadata"]["version"].split("+")[0]
        hashes = item["download_info"].get("archive_info", {}).get("hashes", {})
        if name != "warmline":
            digests[f"{name}=={version}"] = "any" if name in ANY_BUILD else hashes["sha256"]
    return dict(sorted(digests.items()))


def differences(locked: dict[str, str], found: dict[str, str]) -> list[str]:
    """Return a line for each package whose file is not the one that was locked."""
    lines = [f"{name}: not in the lock" for name in sorted(found.keys() - locked.keys())]
    lines += [f"{name}: locked, and not asked for" for name in sorted(locked.keys() - found.keys())]
    return lines + [
        f"{name}: {found[name]} instead of {locked[name]}"
        for name in sorted(locked.keys() & found.keys())
        if locked[name] != found[name]
    ]


def read_lock() -> tuple[str, dict[str, str]]:
    """Return the kind of machine the lock is for, and its digests."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return lines[0].removeprefix("# "), {line[0]: line[1] for line in pairs}


def main() -> int:
    """Write the lock, or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    if not parser.parse_args().check:
        lines = [f"# {machine()}", "# Made by `make lock`, compared by `make check-lock`."]
        lines += [f"{name} {digest}" for name, digest in resolve().items()]
        LOCK.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return 0
    kind, locked = read_lock()
    if kind != machine():
        sys.stderr.write(f"the lock is for {kind}, this is {machine()}: nothing was compared\n")
        return 1
    found = differences(locked, resolve())
    for line in found:
        sys.stdout.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

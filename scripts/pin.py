"""Print constraints.txt: every package that a fresh installation of all extras resolves to.

Resolves against the index without installing anything (`pip install --dry-run --ignore-installed`).
torch stays `2.13.*` without a local version, so that a CPU build known to the machine's own pip
configuration is taken where there is one. triton is the version that the CUDA build of torch 2.13
demands: with a CPU build only Whisper asks for it, and any version would be taken.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

EXTRAS = "listen,bench,night,dask,ray,sheets,remote,web,validate,research,dev"
FIXED = {"torch": "2.13.*", "triton": "3.7.1"}
HEADER = f"""\
# Pins for `pip install -c constraints.txt -e '.[{EXTRAS}]'`; made by `make constraints`.
# torch carries no local version: a CPU build that pip can see is as good as any.
"""


def resolve(project: Path) -> list[tuple[str, str]]:
    """Names and versions of everything but the project itself, in alphabetical order."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        command += ["--quiet", "--report", str(report), f"{project}[{EXTRAS}]"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    pins = {item["metadata"]["name"].lower(): item["metadata"]["version"] for item in found}
    del pins["warmline"]
    return sorted(pins.items())


def main() -> None:
    """Write the pins to standard output."""
    lines = [
        f"{name}=={FIXED.get(name, version)}"
        for name, version in resolve(Path(__file__).resolve().parents[1])
    ]
    sys.stdout.write(HEADER + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

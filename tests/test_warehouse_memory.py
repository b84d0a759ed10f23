"""A night of many small landing files is published in little memory."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from support import factories
from warmline import landing

_PUBLISH = """
import resource, sys
from pathlib import Path
from warmline.warehouse.publishing import publish
publish(Path(sys.argv[1]), Path(sys.argv[2]), ())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak_mb(folder: Path, calls: int) -> float:
    """Of a process that publishes so many calls, each in a file of its own."""
    short = factories.without_analysis("c")
    for i in range(calls):
        recording = factories.recording(f"c-{i}")
        metadata = replace(short.metadata, call_id=f"c-{i}")
        landing.write(replace(short, recording=recording, metadata=metadata), folder / "l")
    published = subprocess.run(
        [sys.executable, "-c", _PUBLISH, str(folder / "l"), str(folder / "w.duckdb")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(published.stdout)


@pytest.mark.slow
def test_a_further_landing_file_takes_less_than_a_megabyte(tmp_path: Path) -> None:
    """It took 1.2 when DuckDB kept what it had read, however many there were."""
    few, many = peak_mb(tmp_path / "few", 40), peak_mb(tmp_path / "many", 160)
    assert (many - few) / 120 < 0.85

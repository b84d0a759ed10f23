"""Listening needs no network: the main job runs where there is none."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from warmline.questions import ask
from warmline.resources import folder

WITHOUT_NETWORK = ["unshare", "--map-root-user", "--net"]
TRY = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"


def has_no_network() -> bool:
    """Whether a process can be started in a network namespace of its own, where nothing is up."""
    if shutil.which("unshare") is None:
        return False
    command = [*WITHOUT_NETWORK, sys.executable, "-c", TRY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "Network is unreachable" in done.stderr


@pytest.mark.models
@pytest.mark.skipif(not has_no_network(), reason="no network namespaces here (unshare)")
@pytest.mark.parametrize("name", ["lost-card", pytest.param("*", marks=pytest.mark.slow)])
def test_samples_are_analyzed_with_the_network_cut(
    tmp_path: Path, engines: object, name: str
) -> None:
    (tmp_path / "calls").mkdir()
    samples = folder("audio") / "samples"
    for path in samples.glob(f"{name}.*"):
        shutil.copy(path, tmp_path / "calls")
    given = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "calls").iterdir()}
    (tmp_path / "tiny.toml").write_text('[words]\nwhisper_model = "tiny.en"\n')
    command = [*WITHOUT_NETWORK, sys.executable, "-m", "warmline", "analyze"]
    command += [str(tmp_path / "calls"), "--warehouse", str(tmp_path / "w.duckdb")]
    command += ["--settings", str(tmp_path / "tiny.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    statuses = ask(tmp_path / "w.duckdb", "SELECT DISTINCT status FROM call_summary").rows
    assert statuses == (("analyzed",),)

    left = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "calls").iterdir()}
    assert left == given, "recordings are read only"
    said = ask(tmp_path / "w.duckdb", "SELECT text FROM turns WHERE word_count > 3").rows
    assert said
    for (text,) in said:
        assert text not in done.stdout + done.stderr

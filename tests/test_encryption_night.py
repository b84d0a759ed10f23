"""A night over encrypted places: its processes find the key, and Prefect never hears of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.marked import a_key
from warmline import landing
from warmline.query.questions import ask


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_night_lands_and_publishes_encrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "empty.wav").touch()
    (tmp_path / "s.toml").write_text('[encryption]\nkey_env = "CENTRE_KEY"\n[night]\njobs = 1\n')
    secret = a_key()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "WARM"))}
    environment |= {"CENTRE_KEY": secret, "PREFECT_HOME": str(tmp_path / "prefect")}
    run = subprocess.run(
        [
            *(sys.executable, "-m", "warmline", "nightly", "calls", "--once"),
            *("--warehouse", "w.duckdb", "--settings", "s.toml"),
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, run.stderr  # one refused call pages nobody
    assert "1 refused" in run.stdout
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.is_relative_to(tmp_path / "prefect") for path in written)
    assert [path for path in written if secret.encode() in path.read_bytes()] == []
    assert secret not in run.stdout + run.stderr
    monkeypatch.setenv("WARMLINE_KEY_ENV", "")
    monkeypatch.setenv("WARMLINE_KEY_FILE", "")
    monkeypatch.setenv("WARMLINE_KEY", secret)
    assert ask(tmp_path / "w.duckdb", "SELECT reason_code FROM calls").rows == (("empty_file",),)
    files = list((tmp_path / "w.landing").rglob("*.parquet"))
    assert {path.read_bytes()[:4] for path in files} == {b"PARE"}
    assert len(landing.known(tmp_path / "w.landing")) == 1

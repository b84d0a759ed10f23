"""The commands over a bucket: a call is heard, and the next time only a list is asked for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.buckets import BUCKET, SOURCE, client, s3_environment, s3_server
from warmline.files import folder
from warmline.query.questions import ask

SAMPLES = folder("audio") / "samples"
SETTINGS = """
[words]
whisper_model = "tiny.en"
language = "en"
[recordings]
scratch = "scratch"
[night]
jobs = 1
sources = ["{source}"]
"""


def warmline(place: Path, url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "AWS_"))}
    environment |= s3_environment(url) | {"PREFECT_HOME": str(place / "prefect")}
    command = [sys.executable, "-m", "warmline", *arguments, "--warehouse", "w.duckdb"]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=place,
        env=environment,
        timeout=600,
        check=False,
    )


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_call_in_a_bucket_is_heard_once(tmp_path, engines):
    (tmp_path / "warmline.toml").write_text(SETTINGS.format(source=SOURCE))
    sample = next(p for p in SAMPLES.glob("missed-connection.*") if p.suffix == ".flac")
    with s3_server() as url:
        s3 = client(url)
        s3.create_bucket(Bucket=BUCKET)
        for path in (sample, sample.with_suffix(".json")):
            s3.put_object(Bucket=BUCKET, Key=f"2026-11-21/{path.name}", Body=path.read_bytes())
        first = warmline(tmp_path, url, "analyze", f"{SOURCE}/", "--json")
        assert first.returncode == 0, first.stderr
        assert json.loads(first.stdout)["calls"]["analyzed"] == 1
        again = warmline(tmp_path, url, "nightly", "--once")
        assert "nothing to be done; 1 done before" in again.stdout, again.stderr
    rows = ask(tmp_path / "w.duckdb", "SELECT path, status, agent_id FROM calls").rows
    told = json.loads(sample.with_suffix(".json").read_text())
    assert rows == ((f"{SOURCE}/{sample.name}", "analyzed", told["agent_id"]),)
    assert not list((tmp_path / "scratch").iterdir())
    assert "testing-secret" not in first.stderr + again.stderr + again.stdout

"""The deployments of prefect.yaml, by Prefect's own command line, on a server that is running."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.once import Once
from support.prefect_nights import make_home, server
from warmline.files import folder
from warmline.query.questions import ask

ROOT = folder("flows").parent


@pytest.fixture(scope="module")
def api(once: Once, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A server of one's own, as docs/operate.md has it started: with a secret, and schedules."""
    if not (ROOT / "prefect.yaml").exists():
        pytest.skip("prefect.yaml is part of the checkout, not of the wheel")
    home = once.copied("prefect-home", make_home, tmp_path_factory.mktemp("prefect"))
    with server(home, "schedules") as environment:
        # A worker starts `python`, which has to be the one of here.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        yield environment | {"PATH": path}


def prefect(*arguments: str, env: dict[str, str], cwd: Path = ROOT) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=env | {"COLUMNS": "200"},
        cwd=cwd,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    return run.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_deployments_are_taken_and_listed_by_the_pinned_packages(api):
    prefect("work-pool", "create", "warmline", "--type", "process", "--overwrite", env=api)
    told = prefect("deploy", "--all", env=api)
    assert told.count("successfully created") == 2
    listed = prefect("deployment", "ls", env=api)
    assert "analyze-calls/nightly" in listed and "analyze-calls/reprocess" in listed
    shown = prefect("deployment", "inspect", "analyze-calls/nightly", env=api)
    assert "0 2 * * *" in shown and "UTC" in shown


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_worker_of_the_pool_runs_the_night(api, tmp_path):
    test_the_deployments_are_taken_and_listed_by_the_pinned_packages(api)
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "empty.wav").touch()
    settings = (
        f'[night]\nsources = ["{tmp_path}/calls"]\n[places]\nwarehouse = "{tmp_path}/w.duckdb"\n'
    )
    (tmp_path / "warmline.toml").write_text(settings)
    given = ("--param", f"settings_file={tmp_path}/warmline.toml")
    prefect("deployment", "run", "analyze-calls/nightly", *given, env=api)
    prefect("worker", "start", "--pool", "warmline", "--run-once", env=api, cwd=tmp_path)
    assert ask(tmp_path / "w.duckdb", "SELECT call_id, status FROM calls").rows == (
        ("empty", "refused"),
    )

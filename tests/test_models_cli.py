"""`warmline models`: what it prints for people and machines, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from warmline.cli.models import app
from warmline.errors import ModelError
from warmline.models.catalogue import SEGMENTATION, catalogue
from warmline.models.engines import Engines

LIST_WITHOUT_TORCH = """
import sys
from warmline.cli.models import app
app(["list"], standalone_mode=False)
assert "torch" not in sys.modules and "whisper" not in sys.modules
"""


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WARMLINE_MODELS", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "store"


def warmline_models(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_list_is_complete_for_a_machine() -> None:
    listed = json.loads(warmline_models("list", "--json").stdout)
    assert [model["name"] for model in listed] == list(catalogue())
    assert not any(model["is_stored"] for model in listed)
    base = next(model for model in listed if model["name"] == "whisper-base")
    assert base["is_default"] is True
    assert {len(release["sha256"]) for release in base["files"][0]["releases"]} == {64}
    assert base["sources"] == ["publisher", "wheel"]


def test_list_is_quick_because_it_loads_no_network(store: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIST_WITHOUT_TORCH], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "whisper-base" in done.stdout


def test_nothing_stored_is_said_and_is_no_failure() -> None:
    result = warmline_models("verify")
    assert result.exit_code == 0
    assert "no model is stored" in result.stderr
    assert json.loads(warmline_models("verify", "--json").stdout) == []


def test_a_named_model_that_is_missing_fails_the_check() -> None:
    result = warmline_models("verify", "whisper-base", "--json")
    assert result.exit_code == 1
    (report,) = json.loads(result.stdout)
    assert (report["state"], report["sha256"]) == ("missing", None)


def test_a_pull_from_an_empty_folder_says_what_to_put_where(tmp_path: Path, store: Path) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    arguments = ("pull", "campplus-zh-en", "--source", "local", "--from", str(drive))
    result = warmline_models(*arguments)
    assert isinstance(result.exception, ModelError)
    assert f"no such file in {store / 'campplus-zh-en'} or {drive}" in str(result.exception)
    assert "publisher" not in str(result.exception).split("\n")[1]
    assert warmline_models("pull", "--source", "cloud").exit_code == 2


@pytest.mark.models
def test_a_model_from_a_drive_is_pulled_checked_and_mended(engines: Engines, store: Path) -> None:
    drive = str(engines.store.folder)
    pull = ("pull", SEGMENTATION, "--source", "local", "--from", drive)
    first = warmline_models(*pull)
    assert first.exit_code == 0
    assert f"{SEGMENTATION}: pytorch_model.bin from {drive}" in first.stderr
    assert "stored and genuine" in warmline_models(*pull).stderr
    assert warmline_models("verify").exit_code == 0

    path = store / SEGMENTATION / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    harmed = warmline_models("verify")
    assert harmed.exit_code == 1
    assert harmed.stdout.startswith("wrong")
    assert f"run `warmline models pull {SEGMENTATION}`" in harmed.stderr

    assert warmline_models(*pull).exit_code == 0
    assert warmline_models("verify").exit_code == 0

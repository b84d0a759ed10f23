"""A bucket on a real S3 server of this machine, and nights over what lies in it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import fsspec
import numpy as np
import pytest
import soundfile
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from support.plans import MODELS
from warmline.pipeline.calls import Outcome, RunConfig, analyze_calls
from warmline.pipeline.plan import Plan, land_duplicates, make_plan
from warmline.pipeline.stages import CacheKeys
from warmline.processes import no_progress
from warmline.settings import Settings, with_overrides

BUCKET = "calls"
SOURCE = f"s3://{BUCKET}/2026-11-21"


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server that is empty."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def s3_environment(url: str) -> dict[str, str]:
    """What a user sets to reach the server."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def give_environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let this process reach the server, as if it had just started."""
    for name, value in s3_environment(url).items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()  # it keeps servers that were reached before


def client(url: str) -> Any:
    """For putting objects there as another program would."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        region_name="us-east-1",
    )


def silence(seconds: float = 3.0, channels: int = 1) -> bytes:
    """A WAV file that is refused as soon as it is decoded, and needs no model."""
    file = io.BytesIO()
    samples = np.zeros((round(8000 * seconds), channels), np.int16)
    soundfile.write(file, samples, 8000, format="WAV")
    return file.getvalue()


def config(folder: Path, **values: object) -> RunConfig:
    """What a night in this folder is done with."""
    given: dict[str, object] = {"recordings.settle_s": 0}
    given |= {"recordings.scratch": str(folder / "scratch")}
    given |= {name.replace("__", "."): value for name, value in values.items()}
    cache_keys = CacheKeys(with_overrides(Settings(), given), MODELS, "rules")
    return RunConfig(cache_keys, str(folder / "w.landing"))


def planned(folder: Path, *sources: str | Path, **values: object) -> Plan:
    """What is to be done."""
    made = config(folder, **values)
    return make_plan(sources or [SOURCE], Path(made.landing), made.cache_keys)


def night(folder: Path, *sources: str | Path, **values: object) -> list[Outcome]:
    """One night in this process; no copy is left of what was fetched."""
    made = config(folder, **values)
    plan = planned(folder, *sources, **values)
    land_duplicates(plan, Path(made.landing), made.settings)
    outcomes = [o for call in plan.pending for o in analyze_calls(made, [call], [no_progress])]
    assert not list((folder / "scratch").glob("*"))
    return outcomes


def put_in_memory(files: dict[str, bytes]) -> None:
    """Files at memory://calls, in place of what was there."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for name, content in files.items():
        memory.pipe_file(f"/calls/{name}", content)

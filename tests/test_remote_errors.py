"""What cannot be reached, opened or found is said in one line, without credentials."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.registry import _registry
from typer.testing import CliRunner

from support.buckets import (
    SOURCE,
    client,
    config,
    give_environment,
    planned,
    put_in_memory,
    s3_server,
)
from support.unprivileged import as_nobody
from warmline.cli import app
from warmline.cli.common import ExitCode
from warmline.errors import SettingsError
from warmline.files import private_folder, sweep
from warmline.pipeline.calls import COPY
from warmline.recordings.remote import as_source, file_system

SECRET = "hunter2"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3_server() as url:
        yield url


def only(lines: tuple[str, ...]) -> str:
    (line,) = lines
    assert "\n" not in line
    return line


def test_a_bucket_that_is_not_there(tmp_path, server, monkeypatch):
    give_environment(monkeypatch, server)
    plan = planned(tmp_path, "s3://nowhere/calls")
    assert only(plan.away) == "s3://nowhere/calls: there is nothing there, or it is gone"
    assert plan.problems == plan.away and not plan.pending


def test_credentials_that_are_missing(tmp_path, server, monkeypatch):
    give_environment(monkeypatch, server)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    line = only(planned(tmp_path, SOURCE).away)
    assert line.startswith(SOURCE) and "no credentials were found" in line


def check_credentials(server: str, after_requests: int) -> None:
    """The server takes any credentials until then."""
    plain = {"Content-Type": "text/plain"}
    request = urllib.request.Request(
        f"{server}/moto-api/reset-auth", data=str(after_requests).encode(), headers=plain
    )
    urllib.request.urlopen(request).close()


def test_credentials_that_are_wrong(tmp_path, server, monkeypatch):
    give_environment(monkeypatch, server)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    client(server).create_bucket(Bucket="private")
    check_credentials(server, after_requests=0)
    try:
        line = only(planned(tmp_path, "s3://private").away)
    finally:
        check_credentials(server, after_requests=10**9)
    assert line == "s3://private: the credentials found do not allow reading it"


def test_a_server_that_does_not_answer(tmp_path, monkeypatch):
    give_environment(monkeypatch, "http://127.0.0.1:9")
    line = only(planned(tmp_path, SOURCE).away)
    assert line == f"{SOURCE}: cannot be reached now (EndpointConnectionError)"


def test_the_other_sources_are_looked_at_all_the_same(tmp_path, monkeypatch):
    give_environment(monkeypatch, "http://127.0.0.1:9")
    put_in_memory({"a.wav": b"x"})
    (tmp_path / "b.wav").write_bytes(b"x")
    plan = planned(tmp_path, SOURCE, "memory://calls", tmp_path / "b.wav")
    assert len(plan.pending) == 2 and len(plan.away) == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (f"s3://key:{SECRET}@bucket/calls", "***@bucket"),
        ("s3://bucket/calls.zip::x", "'::'"),
    ],
)
def test_urls_that_are_not_taken(source, said):
    with pytest.raises(SettingsError) as e:
        as_source(source)
    assert said in str(e.value) and SECRET not in str(e.value)


def test_a_protocol_that_nothing_knows():
    with pytest.raises(SettingsError, match="no protocol is called pigeon"):
        file_system("pigeon://loft/calls")


@pytest.mark.parametrize(("module", "source"), [("fsspec", "memory://x"), ("s3fs", "s3://x")])
def test_a_package_that_is_missing_is_named(monkeypatch, module, source):
    if module == "s3fs":
        monkeypatch.delitem(_registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError, match=r"warmline\[remote\]"):
        file_system(source)


def test_the_command_says_it_in_one_line(tmp_path, monkeypatch):
    made = config(tmp_path).cache_keys  # models are not needed to say it
    monkeypatch.setattr("warmline.run.CacheKeys.of", lambda settings: made)
    for source, said in (
        ("memory://nowhere", "memory://nowhere: there is nothing there, or it is gone"),
        (f"s3://key:{SECRET}@bucket", "no password in a URL"),
    ):
        done = CliRunner().invoke(app, ["analyze", source, "--warehouse", str(tmp_path / "w.db")])
        assert done.exit_code == ExitCode.ERROR
        assert said in done.stderr and SECRET not in done.stderr


def test_local_sources_need_nothing_of_it(tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "fsspec", None)  # importing it fails
    assert len(planned(tmp_path, tmp_path).pending) == 1
    code = (
        "import sys, warmline.recordings.remote\n"
        "assert not {'fsspec', 's3fs', 'botocore'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_copies_of_a_process_that_was_killed_are_swept_and_no_others(tmp_path):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from warmline.files import private_folder\n"
        "with private_folder(Path(sys.argv[1]), sys.argv[2]) as folder:\n"
        "    (folder / 'call.wav').write_bytes(b'x')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "s"), COPY], check=False)
    (left,) = (tmp_path / "s").iterdir()
    assert (left / "call.wav").exists()
    with private_folder(tmp_path / "s", COPY) as held:
        assert sweep(tmp_path / "s", COPY) == 1
        assert list((tmp_path / "s").iterdir()) == [held]
    assert not list((tmp_path / "s").iterdir())
    assert sweep(tmp_path / "nowhere", COPY) == 0


def test_only_copies_are_swept_from_a_folder_that_holds_other_things(tmp_path, monkeypatch):
    """`recordings.scratch` may name a folder in which people keep calls, or that users share."""
    for name in ("call-archives", "call-2026", "warmline-call-archives", "warmline-call-"):
        (tmp_path / name).mkdir()
    others = tmp_path / f"{COPY}0123456789abcdef"
    (tmp_path / f"{COPY}fedcba9876543210").symlink_to(tmp_path / "call-archives")
    others.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with as_nobody():
        swept = sweep(Path(), COPY)
    assert swept + sweep(Path(), COPY) == 1
    assert not others.exists() and len(list(tmp_path.iterdir())) == 5

"""Nights with Prefect in processes of their own, and its server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from warmline.files import folder

NIGHT = """
import sys
sys.path.insert(0, sys.argv[1])
from night_server import prefect_api
with prefect_api(schedules=len(sys.argv) > 2) as url:
    from prefect import get_client
    with get_client(sync_client=True) as client:
        client.api_version()
        client.read_flow_runs()
    print(url, flush=True)
    sys.stdin.read()
"""
#: The same, and the secret of its server as well.
TELLS = NIGHT.replace(
    "print(url",
    "from prefect.settings import PREFECT_API_AUTH_STRING as secret\n    print(url, secret.value()",
)

#: Where the command lies that need not import everything anew (`support.commands`).
FORKS = "TESTS_WARMLINE"


def surroundings(home: Path, **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return clean | {"PREFECT_HOME": str(home)} | more


@contextmanager
def server(home: Path, *arguments: str) -> Iterator[dict[str, str]]:
    """The environment of nights that share a server with this home, which asks for a secret."""
    with subprocess.Popen(
        [sys.executable, "-c", TELLS, str(folder("flows")), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=surroundings(home),
    ) as process:
        url, secret = process.stdout.readline().split()
        try:
            yield surroundings(home, PREFECT_API_URL=url, PREFECT_API_AUTH_STRING=secret)
        finally:
            process.kill()


def make_home(home: Path) -> None:
    """Let a server make its database, which takes longer than all that a night asks of it."""
    subprocess.run(
        [sys.executable, "-c", NIGHT, str(folder("flows"))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=surroundings(home),
        check=True,
    )


def warmline(env: dict[str, str]) -> list[str]:
    """The command in these surroundings: of nights with a server in common it forks (`FORKS`)."""
    return [env[FORKS]] if FORKS in env else [sys.executable, "-m", "warmline"]


def nightly(*arguments: object, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*warmline(env), "nightly", *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=env,
        cwd=cwd,
        timeout=900,
        check=False,
    )


def parents() -> dict[int, int]:
    """Every process and the one that started it."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            found[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    return found


def landed(folder: Path) -> int:
    return sum("packs" not in path.parts for path in folder.rglob("*.parquet"))


@contextmanager
def night_of(
    folder: Path, settings: str, **environment: str
) -> "Iterator[subprocess.Popen[bytes]]":
    """A night that is under way; what it says is in the file `log`."""
    (folder / "w.toml").write_text(f"[night]\nretry_delay_s = 0.1\n{settings}")
    command = [sys.executable, "-m", "warmline", "nightly", "--once", str(folder / "calls")]
    command += ["--warehouse", str(folder / "w.duckdb"), "--settings", str(folder / "w.toml")]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    clean |= {"PREFECT_HOME": str(folder / "prefect"), **environment}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, env=clean, stdout=log, stderr=log) as night,
    ):
        yield night

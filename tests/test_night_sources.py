"""A source that cannot be read is an error of the night, and never nothing to do."""

import json
import os
import subprocess
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import pytest

from support.buckets import s3_environment, s3_server
from support.prefect_nights import nightly, warmline
from warmline.pipeline.plan import look_at
from warmline.query.questions import ask
from warmline.settings import RecordingSettings, RedactionSettings

SETTINGS = RecordingSettings()


def analyze(source: object, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*warmline(env), "analyze", str(source), "--warehouse", "a.duckdb"]
    return subprocess.run(
        command, capture_output=True, text=True, env=env, cwd=cwd, timeout=900, check=False
    )


def reports(place: Path) -> str:
    return "".join(path.read_text() for path in sorted(place.glob("reports/*.md")))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["missing", "below a file", "no bucket", "endpoint down"])
def test_what_cannot_be_read_ends_as_with_analyze(tmp_path, prefect_server, kind):
    (tmp_path / "file.wav").touch()
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "empty.wav").touch()
    with s3_server() as url:
        source, env = {
            "missing": (tmp_path / "missing", prefect_server),
            "below a file": (tmp_path / "file.wav" / "calls", prefect_server),
            "no bucket": ("s3://nobucket/x/", prefect_server | s3_environment(url)),
            "endpoint down": (
                "s3://calls/x/",
                prefect_server | s3_environment("http://127.0.0.1:9"),
            ),
        }[kind]
        at_once = analyze(source, env, tmp_path)
        run = nightly(source, "calls", "--once", "--warehouse", "w.duckdb", env=env, cwd=tmp_path)
    assert at_once.returncode == 1, at_once.stderr
    assert run.returncode == at_once.returncode, run.stderr
    name = str(source).rstrip("/")
    line = run.stderr.splitlines()[-1]
    assert name in " ".join(line.split("; ")[:1]), run.stderr
    assert "error:" in run.stderr and "Traceback" not in run.stderr.partition("error:")[2]
    assert "nothing to be done" not in run.stdout + run.stderr
    # What else there is has been done.
    assert ask(tmp_path / "w.duckdb", "SELECT call_id, status FROM calls").rows == (
        ("empty", "refused"),
    )
    told = reports(tmp_path)
    assert "**sources that cannot be read: 1**" in told and name in told
    health = json.loads((tmp_path / "reports" / "w-health.json").read_text())
    assert (health["state"], health["succeeded_at"]) == ("failed", None)


def test_a_night_of_nothing_but_a_missing_folder_is_no_quiet_one(tmp_path, prefect_server):
    run = nightly("missing", "--once", "--warehouse", "w.duckdb", env=prefect_server, cwd=tmp_path)
    assert run.returncode == 1, run.stderr
    assert "no such file or folder" in run.stderr.splitlines()[-1]
    assert "Nothing needs attention" not in reports(tmp_path)


def test_a_night_of_nothing_but_what_cannot_be_read_says_so(tmp_path, prefect_server):
    """Sound without a header is passed over: a night that met nothing else did not go well."""
    (tmp_path / "calls").mkdir()
    for name in ("a.g729", "b.sln", "c.vox"):
        (tmp_path / "calls" / name).write_bytes(b"x" * 1000)
    run = nightly("calls", "--once", "--warehouse", "w.duckdb", env=prefect_server, cwd=tmp_path)
    assert run.returncode == analyze("calls", prefect_server, tmp_path).returncode == 1, run.stderr
    last = run.stderr.splitlines()[-1]
    assert "no recordings found: passed over 3 files (a.g729, b.sln, c.vox)" in last
    told = reports(tmp_path)
    assert "Nothing needs attention" not in told
    assert "**no recordings found" in told and "c.vox" in told
    health = json.loads((tmp_path / "reports" / "w-health.json").read_text())
    assert (health["state"], health["error"]) == ("failed", "no recordings found")
    assert health["succeeded_at"] is None


def open_to_all() -> Path:
    """Return a folder for temporary files whose every folder above lets all users pass."""
    for place in (Path(gettempdir()), Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")):
        ways = (place, *place.parents)
        if place.is_dir() and all(way.stat().st_mode & 0o001 for way in ways):
            return place
    pytest.skip("no folder for temporary files that other users can reach")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not look")
def test_a_folder_that_may_not_be_looked_into_is_away_and_one_below_is_closed():
    with TemporaryDirectory(dir=open_to_all()) as name:
        top = Path(name)
        for shut in ("shut", "open/below"):
            (top / shut / "deeper").mkdir(parents=True)
            (top / shut).chmod(0)
        for open_ in (top, top / "open"):  # whatever the umask is
            open_.chmod(0o755)
        given = [top / "shut", top / "open", top / "shut" / "deeper"]
        look_at(given, SETTINGS, top / "landing", RedactionSettings())  # imports what it needs
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgid(65534)
                os.setuid(65534)
                found = look_at(given, SETTINGS, top / "landing", RedactionSettings())
                deeper, shut = sorted(found.away)
                assert f"{top}/shut: cannot look into this folder" in shut
                assert f"{top}/shut/deeper: no such file or folder, or no permission" in deeper
                (below,) = found.closed
                assert f"{top}/open/below: cannot look into this folder" in below
                assert set(found.problems) == {shut, deeper, below}
                assert not found.is_there(str(top / "shut" / "call.wav"))
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

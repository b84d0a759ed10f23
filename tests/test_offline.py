"""Listening needs no network, and does not try to reach one: every attempt would be seen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.pages import publish_calls
from support.samples import SAMPLES, cut
from warmline.query.questions import ask

WITHOUT_NETWORK = ["unshare", "--map-root-user", "--net"]
RECORDER = Path(__file__).parent / "support" / "network_attempts.py"
TRY = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"


def has_no_network() -> bool:
    """Whether a process can be started in a network namespace of its own, where nothing is up."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    command = [*WITHOUT_NETWORK, sys.executable, "-c", TRY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "Network is unreachable" in done.stderr


needs_namespaces = pytest.mark.skipif(
    not has_no_network(), reason="no network namespaces here (unshare, ip)"
)


def attempts(
    folder: Path, *command: str, **more: str
) -> tuple[list[str], "subprocess.CompletedProcess[str]"]:
    """What a command tries to reach outside its machine, and how it ended."""
    seen = folder / "attempts"
    recorder = [*WITHOUT_NETWORK, sys.executable, str(RECORDER), str(seen)]
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DO_NOT_TRACK", "ORT_DISABLE_TELEMETRY", "HF_HUB_OFFLINE")
    }
    done = subprocess.run(
        [*recorder, *command],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env=environment | more,
    )
    return seen.read_text().splitlines(), done


@needs_namespaces
def test_attempts_are_seen_whoever_makes_them(tmp_path: Path) -> None:
    for command in (
        (sys.executable, "-c", "import socket; socket.create_connection(('192.0.2.1', 443), 1)"),
        ("getent", "hosts", "example.org"),  # native, and asks a name server
    ):
        seen, _ = attempts(tmp_path, *command)
        assert seen
    assert attempts(tmp_path, sys.executable, "-c", TRY)[0] == []  # of its own machine


VOICE_ACTIVITY = """
import time
from faster_whisper.vad import get_vad_model
get_vad_model()
time.sleep(20)  # onnxruntime reports after a while
"""


@pytest.mark.slow
@needs_namespaces
def test_onnxruntime_reports_to_nobody(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    quiet = f"from warmline.models.engines import stay_home; stay_home()\n{VOICE_ACTIVITY}"
    seen, done = attempts(tmp_path, sys.executable, "-c", quiet)
    assert (seen, done.returncode) == ([], 0)
    loud, _ = attempts(tmp_path, sys.executable, "-c", VOICE_ACTIVITY)
    assert loud, "it does not report by itself any more: is ORT_DISABLE_TELEMETRY needed?"


@pytest.mark.models
@needs_namespaces
@pytest.mark.parametrize("name", ["lost-card", pytest.param("*", marks=pytest.mark.slow)])
def test_samples_are_analyzed_with_the_network_cut(
    tmp_path: Path, engines: object, name: str
) -> None:
    (tmp_path / "calls").mkdir()
    if name == "*":
        for path in SAMPLES.glob("*.*"):
            shutil.copy(path, tmp_path / "calls")
    else:
        cut(name, tmp_path / "calls" / f"{name}.wav", 20.0)
    given = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "calls").iterdir()}
    (tmp_path / "tiny.toml").write_text('[words]\nwhisper_model = "tiny.en"\n')
    command = [sys.executable, "-m", "warmline", "analyze"]
    command += [str(tmp_path / "calls"), "--warehouse", str(tmp_path / "w.duckdb")]
    command += ["--settings", str(tmp_path / "tiny.toml")]
    seen, done = attempts(tmp_path, *command)
    assert done.returncode == 0, done.stderr
    assert seen == [], "nothing is tried, and not only survived"
    statuses = ask(tmp_path / "w.duckdb", "SELECT DISTINCT status FROM call_summary").rows
    assert statuses == (("analyzed",),)

    left = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "calls").iterdir()}
    assert left == given, "recordings are read only"
    said = ask(tmp_path / "w.duckdb", "SELECT text FROM turns WHERE word_count > 3").rows
    assert said
    for (text,) in said:
        assert text not in done.stdout + done.stderr


#: Serves a warehouse, opens every page and hears the call, and prints what each answered.
SERVED = """
import http.cookiejar, re, subprocess, sys, urllib.request
command = [sys.executable, "-m", "warmline", "serve", "--port", "0", "--warehouse", sys.argv[1]]
with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
    try:
        base, link = re.search(r"(http://\\S+?)/open(\\S+)", server.stdout.readline()).groups()
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
        browser.open(base + "/open" + link).read()
        for page in ("/calls", "/call?id=ann-1", "/people", "/measures", "/call/waveform?id=ann-1"):
            print(browser.open(base + page).status)
        page = browser.open(base + "/call?id=ann-1").read().decode()
        print(len(browser.open(base + re.search(r'src="(/sound/[^"]+)"', page)[1]).read()))
    finally:
        server.terminate()
"""


@needs_namespaces
def test_pages_are_served_and_sound_is_heard_with_the_network_cut(tmp_path: Path) -> None:
    publish_calls(tmp_path)
    command = (sys.executable, "-c", SERVED, str(tmp_path / "w.duckdb"))
    seen, done = attempts(tmp_path, *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [*["200"] * 5, str(44 + 20 * 16000 * 4)]
    assert seen == [], "nothing is tried, and not only survived"

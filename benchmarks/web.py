"""How fast the pages are: lists of a large warehouse, and an hour's call in a browser.

`python benchmarks/web.py` makes a warehouse of a million calls (minutes, 10 GB, once: it is kept in
your cache folder), serves it, and writes RESULTS-web.md; `--calls 64000` makes a smaller one.

A day of calls is loaded from landing files and multiplied inside the warehouse (`multiplying.py`);
beside them lies one call of an hour with its recording. `warmline serve` serves them; pages are
asked for one after the other, then by 50 readers while the file is swapped again and again, and the
hour's call is opened in chromium. Another run asks only.
"""

import argparse
import hashlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from accounting import machine
from landing_zone import long_call, write_zone
from multiplying import multiply
from playwright.sync_api import Page, sync_playwright

from warmline import landing
from warmline.pipeline.stages import all_measures
from warmline.recordings.sound import decode, level_peaks
from warmline.settings import RecordingSettings
from warmline.values import Recording
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import tables_digest

CALLS, PER_DAY = 1_000_000, 1000
TURNS = 900
RATE_HZ = 8000
READERS, SWAPS, ROUNDS = 50, 5, 15
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ADDRESSES = {
    "list, the last four weeks": "/calls",
    "list, all days": "/calls?days=all",
    "list, one agent": "/calls?agent=agent-0003",
    "list, a feeling left unanswered, all days": "/calls?measure=unanswered&days=all",
    "list, a phrase": "/calls?phrase=third+time",
    "list, nothing left, and why": "/calls?queue=none&agent=agent-0003",
    "a call of some minutes": "/call?id=call-000000007",
    "the hour's call": "/call?id=hour",
    "agents and teams": "/people",
    "an agent": "/agent?id=agent-0003",
    "a team": "/team?id=team-000",
    "the report of four weeks": "/report",
    "unanswered feelings, the last week": "/feelings",
    "unanswered feelings, all days": "/feelings?days=all",
    "list, sorted by length, four weeks": "/calls?sort=-length",
    "list, sorted by answered, all days": "/calls?sort=answered&days=all",
    "my work": "/work",
    "what numbers mean": "/measures",
}


def cache_folder(calls: int) -> Path:
    """Return where the warehouse of so many calls is kept: outside the tree, made once.

    Another one is made when the tables are others than they were.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "warmline" / "benchmarks" / f"web-{calls}-{tables_digest()[:12]}"


def build(folder: Path, calls: int) -> Path:
    """Make the warehouse, unless it is there; returns its path."""
    warehouse = folder / "w.duckdb"
    if not (folder / "built").exists():
        shutil.rmtree(folder, ignore_errors=True)  # what was begun and not finished
        folder.mkdir(parents=True)
        write_zone(folder / "landing", PER_DAY, per_day=PER_DAY, templates=100)
        landing.write(_hour(folder / "hour.wav"), folder / "landing")
        publish(folder / "landing", warehouse, all_measures())
        multiply(folder / "landing", warehouse, calls, PER_DAY)
        (folder / "built").touch()
    return warehouse


def _hour(path: Path) -> Any:
    """A call of an hour, and its recording: noise where somebody speaks."""
    call = long_call(TURNS)
    assert call.speech is not None and call.duration_s is not None
    lot = np.random.default_rng(0)
    samples = round(call.duration_s * RATE_HZ)
    pcm = np.zeros((samples, 2), dtype=np.int16)
    for segment in call.speech.segments:
        first, past = (round(t * RATE_HZ) for t in (segment.start_s, segment.end_s))
        noise = lot.normal(0, 2000, max(0, min(past, samples) - first))
        pcm[first:past, "AB".index(segment.party)] = noise
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm.tobytes())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recording = Recording(str(path), path.stat().st_size, call.recording.modified_at, digest)
    metadata = replace(call.metadata, call_id="hour", started_at=call.recording.modified_at)
    sound = decode(path, RecordingSettings())
    assert call.layout is not None
    layout = replace(call.layout, channel_count=sound.channel_count)
    heard = {"duration_s": sound.duration_s, "layout": layout, "peaks": level_peaks(sound.pcm)}
    return replace(call, recording=recording, metadata=metadata, **heard)


@contextmanager
def serving(warehouse: Path) -> Iterator[tuple[str, str, int]]:
    """Serve a warehouse; yields the address, the link that lets somebody in, and the process."""
    command = [sys.executable, "-m", "warmline", "serve", "--port", "0", "--warehouse"]
    with subprocess.Popen([*command, str(warehouse)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"(http://\S+?)/open\S+", process.stdout.readline())
        assert found, "the server did not say its link"
        try:
            yield found[1], found[0], process.pid
        finally:
            process.terminate()


def median_ms(work: Callable[[], object], rounds: int = 7) -> float:
    """Return the median time of some rounds, the first being left out."""
    taken = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken[1:])


def processor_ms(pid: int) -> float:
    """Return how long a process has used the processor, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed_pages(client: httpx.Client, pid: int) -> list[tuple[str, float, float, int]]:
    """Return what each page takes on the server, of the processor, and its size in bytes."""
    rows = []
    for name, address in ADDRESSES.items():
        answer = client.get(address)
        assert answer.status_code == 200, f"{address}: {answer.text[:300]}"
        before = processor_ms(pid)
        taken = median_ms(lambda a=address: client.get(a), ROUNDS)
        used = (processor_ms(pid) - before) / (ROUNDS + 1)
        rows.append((name, taken, used, len(answer.content)))
    return rows


def timed(client: httpx.Client, pid: int, address: str, first: int | None) -> tuple[float, float]:
    """How long one answer takes, and of the processor, ms; of sound, 100 kB from this byte."""
    asked = {} if first is None else {"Range": f"bytes={first}-{first + 99_999}"}
    before, started = processor_ms(pid), time.perf_counter()
    answer = client.get(address, headers=asked)
    taken = 1000 * (time.perf_counter() - started)
    assert answer.status_code in (200, 206), answer.text[:300]
    return taken, processor_ms(pid) - before


def first_sound(warehouse: Path) -> tuple[float, float]:
    """Return how long the first sound takes of a server that was just started; as `timed`."""
    with (
        serving(warehouse) as (base, link, pid),
        httpx.Client(base_url=base, timeout=120) as client,
    ):
        client.get(link)
        sound = str(client.get("/call/sound-link?id=hour").json()["sound"])
        return timed(client, pid, sound, 0)


def many_readers(client: httpx.Client, warehouse: Path) -> tuple[int, int, float]:
    """Answers, answers that were no page, and their median time, while the file is swapped.

    It is copied once, before; two files then take each other's place.
    """
    files = [warehouse.with_suffix(ending) for ending in (".first", ".second")]
    for file in files:
        file.unlink(missing_ok=True)
    os.link(warehouse, files[0])
    shutil.copyfile(warehouse, files[1])
    statuses: list[int] = []
    taken: list[float] = []
    ends = threading.Event()

    def read() -> None:
        with httpx.Client(base_url=client.base_url, cookies=client.cookies, timeout=60) as own:
            while not ends.is_set():
                started = time.perf_counter()
                statuses.append(own.get("/calls").status_code)
                taken.append(1000 * (time.perf_counter() - started))

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    for swap in range(SWAPS):
        time.sleep(2)
        beside = warehouse.with_suffix(".next")
        os.link(files[(swap + 1) % 2], beside)
        os.utime(beside)
        os.replace(beside, warehouse)  # noqa: PTH105
    ends.set()
    for reader in readers:
        reader.join()
    for file in files:
        file.unlink()
    shown = client.get("/measures").text
    now = time.strftime("%Y-%m-%d %H:%M", time.gmtime(warehouse.stat().st_mtime))
    assert f"{now} UTC" in shown, "a stale page"
    return len(statuses), sum(status != 200 for status in statuses), statistics.median(taken)


def in_browser(base: str, cookies: httpx.Cookies) -> dict[str, float]:
    """Return times of the hour's call in chromium, in milliseconds."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        context = browser.new_context(base_url=base, viewport={"width": 1200, "height": 900})
        context.add_cookies(
            [{"name": c.name, "value": str(c.value), "url": base} for c in cookies.jar]
        )
        page = context.new_page()
        page.goto("/call?id=hour")
        page.wait_for_load_state("networkidle")
        interactive = [_interactive_ms(page) for _ in range(5)]
        seeks = [_seek_ms(page, at) for at in (600, 1800, 60, 2400, 1200, 3000, 300)]
        browser.close()
    return {
        "interactive": statistics.median(interactive),
        "seek to sound": statistics.median(seeks),
        "slowest seek": max(seeks),
    }


def _interactive_ms(page: Page) -> float:
    page.goto("/calls")
    page.goto("/call?id=hour")
    timing = "performance.getEntriesByType('navigation')[0].domInteractive"
    return float(page.evaluate(timing))


def _seek_ms(page: Page, at_s: float) -> float:
    """From a click on a time to the moment at which sound goes on there."""
    script = """at => new Promise(done => {
        const sound = document.getElementById('sound');
        const begun = performance.now();
        sound.currentTime = at;
        sound.play();
        const look = () => sound.currentTime > at + 0.02 && !sound.seeking
            ? done(performance.now() - begun) : requestAnimationFrame(look);
        look();
    })"""
    return float(page.evaluate(script, at_s))


def main() -> None:
    """Measure and write the page of results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="instead of one in your cache folder")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--to", type=Path, default=Path(__file__).with_name("RESULTS-web.md"))
    asked = parser.parse_args()
    warehouse = build(asked.folder or cache_folder(asked.calls), asked.calls)
    unopened = first_sound(warehouse)
    with (
        serving(warehouse) as (base, link, pid),
        httpx.Client(base_url=base, timeout=120) as client,
    ):
        client.get(link)
        pages = timed_pages(client, pid)
        sound = str(client.get("/call/sound-link?id=hour").json()["sound"])
        firsts = {"first 100 kB of sound, nobody having opened its page": unopened} | {
            name: timed(client, pid, address, first)
            for name, address, first in (
                ("waveform", "/call/waveform?id=hour", None),
                ("first 100 kB of sound, its page being open", sound, 0),
                ("100 kB from the middle, which nobody has heard", sound, 100_000_000),
                ("the same again", sound, 100_000_000),
            )
        }
        browser = in_browser(base, client.cookies)
        answers, failed, busy_ms = many_readers(client, warehouse)
    lines = [
        "# How fast the pages are\n",
        f"`python benchmarks/web.py` on {machine()}. "
        f"{asked.calls:,} calls in a warehouse of {warehouse.stat().st_size / 1e9:.1f} GB, one of "
        f"an hour with {TURNS} turns. Times are medians; of the processor, means of all threads, "
        "which do not depend on what else runs.\n",
        "| page | on the server, ms | of the processor, ms | kB |",
        "|---|---|---|---|",
        *(
            f"| {name} | {ms:.0f} | {used:.0f} | {size / 1000:.0f} |"
            for name, ms, used, size in pages
        ),
        "",
        "| the hour's call | ms | of the processor, ms |",
        "|---|---|---|",
        *(f"| {name} | {ms:.0f} | {used:.0f} |" for name, (ms, used) in firsts.items()),
        f"| interactive in chromium (DOM) | {browser['interactive']:.0f} | |",
        f"| seek to sound, of a second that nobody has heard | {browser['seek to sound']:.0f} | |",
        f"| slowest of 7 seeks | {browser['slowest seek']:.0f} | |",
        "",
        f"{READERS} readers of the list while the file was swapped {SWAPS} times: {answers} "
        f"answers, {failed} of them no page, median {busy_ms:.0f} ms; the page afterwards was of "
        "the new file.",
    ]
    asked.to.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

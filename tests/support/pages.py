"""A warehouse with a recording that can be heard, served to a client in this process."""

import hashlib
import re
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import numpy as np
from starlette.testclient import TestClient

from support.factories import call, cue, measured, moment, without_analysis
from support.warehouses import put
from support.week import day
from warmline.analysis import CallAnalysis, Overlap, Quote, Silence, missing_metric, rate
from warmline.settings import Settings
from warmline.values import Redaction, Span
from warmline.web import accounts
from warmline.web.accounts import Role
from warmline.web.app import create_app, create_site
from warmline.web.scorecards import forms
from warmline.web.site import Site
from warmline.web.store import open_store, store_path

BASE = "http://127.0.0.1:8750"
PASSWORD = "correct horse battery"
#: What it costs to try a password: a tenth of a second, on purpose. Tests log in some hundred times
#: and pay less; one of them tries this (`test_web_security.py`).
COST = accounts._N
accounts._N = 16
RATE_HZ = 16000
SECONDS = 20
FROM_HERE = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}
#: Text of a stranger that must never become part of a page's code.
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}"

SAYS = [
    ("B", 0.0, 3.0, "thank you for calling how can I help"),
    ("A", 3.2, 9.0, "I am worried that my card was stolen"),
    ("B", 9.5, 14.0, "what is your account number"),
    ("A", 14.5, 17.0, "you are not listening to me"),
]


def write_sound(path: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Write two channels with a tone each, one louder than the other; returns the samples."""
    at = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    both = [8000 * np.sin(2 * np.pi * 300 * at), 4000 * np.sin(2 * np.pi * 700 * at)]
    pcm = np.round(np.stack(both)).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm.T.tobytes())
    return pcm


def audible(folder: Path, call_id: str, **changes: Any) -> CallAnalysis:
    """A call of Ann's with a cue that was ignored, one that was answered, and its recording."""
    path = folder / "recordings" / f"{hashlib.sha256(call_id.encode()).hexdigest()[:12]}.wav"
    write_sound(path)
    cues = [
        cue(1, 3.2, 5.0, "I am worried", answer="ignored", answer_turn_index=2, latency_s=0.5),
        cue(3, 14.5, 17.0, "you are not listening", "anger_frustration", answer=None),
    ]
    parts: dict[str, Any] = {
        "path": str(path),
        "duration_s": float(SECONDS),
        "says": SAYS,
        "cues": cues,
        "moments": [moment("commitment", 2, 9.5, 12.0, "account number")],
        "quotes": [Quote(3.2, 9.0, 1, "I am worried that my card was stolen", "fear_anxiety")],
        "overlaps": [Overlap(8.5, 9.0, "A", "B", "interruption", True, False)],
        "silences": [Silence(17.0, 19.5, "dead_air")],
        "metrics": [
            measured("opportunities", None, 2.0),
            rate("answered_rate", None, 0, 1, no_answer=""),
            missing_metric("opening_story_s", None, "never interrupted"),
            measured("interruptions", "B", 1.0, evidence=(Span(8.5, 9.0),)),
            measured("dead_air_s", None, 2.5),
        ],
        "agent_id": "ann",
        "team": "red",
        "queue": "cards",
        "customer_id": "c1",
        "started_at": day(16),
        "reason": "fraud",
    }
    made = call(call_id, **{**parts, **changes})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recording = replace(made.recording, audio_sha256=digest, size_bytes=path.stat().st_size)
    # The bytes are those of every other call: what tells them apart is the first of them.
    return replace(made, recording=recording, redactions=(Redaction(6.0, 7.0, "A", "card", 0),))


def publish_calls(folder: Path) -> None:
    """Publish two calls of Ann and Bob that can be heard, and one that was refused."""
    ann = audible(folder, "ann-1")
    bob = audible(folder, "bob-1", agent_id="bob", queue="bills", started_at=day(17))
    put(folder, ann, told_apart(bob), without_analysis("broken"))


def told_apart(analysis: CallAnalysis, byte: int = -1) -> CallAnalysis:
    """The same with other bytes: the same ones would be a copy."""
    path = Path(analysis.recording.path)
    raw = bytearray(path.read_bytes())
    raw[byte] ^= 1
    path.write_bytes(bytes(raw))
    digest = hashlib.sha256(bytes(raw)).hexdigest()
    return replace(analysis, recording=replace(analysis.recording, audio_sha256=digest))


@dataclass(frozen=True)
class Served:
    """A site, and the application that serves it."""

    site: Site
    app: Any

    def client(self) -> TestClient:
        """Return a browser of its own, which follows no redirect."""
        return TestClient(self.app, base_url=BASE, follow_redirects=False)

    def logged_in(self, role: Role, name: str | None = None, agent_id: str | None = None) -> Any:
        """Return a browser in which a user of this role has logged in."""
        name = name or role.value
        if all(user.name != name for user in self.site.accounts.all_users()):
            self.site.accounts.add(name, role, PASSWORD, agent_id)
        client = self.client()
        answer = log_in(client, name, PASSWORD)
        assert answer.status_code == 303, answer.text
        return client

    def alone(self) -> TestClient:
        """Return the browser of the only one there is, let in by the one-time link."""
        client = self.client()
        link = self.site.accounts.new_link()
        assert client.get(f"/open?{urlencode({'key': link})}").status_code == 303
        return client


def log_in(client: TestClient, name: str, password: str, **more: str) -> Any:
    fields = {"name": name, "password": password, **more}
    return client.post("/login", data=fields, headers=FROM_HERE)


@cache
def _empty_store() -> bytes:
    """What a server makes beside a warehouse, whose tables take longer to make than to copy."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        open_store(path).close()
        return path.read_bytes()


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Serve the warehouse of a folder to clients in this process."""
    warehouse = folder / "w.duckdb"
    if not store_path(warehouse).exists():
        store_path(warehouse).touch(0o600)
        store_path(warehouse).write_bytes(_empty_store())
    site = create_site(Settings(), warehouse, open_store(store_path(warehouse)))
    app = create_app(site, frozenset({"127.0.0.1", "localhost"}))
    with TestClient(app, base_url=BASE):
        yield Served(site, app)


def sound_of(client: Any, call_id: str) -> str:
    """The address of a call's sound, as its page has it for this browser."""
    return str(client.get("/call/sound-link", params={"id": call_id}).json()["sound"])


def comment(browser: Any, **fields: str) -> Any:
    fields = {"id": "ann-1", "start_s": "0:05", "kind": "comment", "text": "well said", **fields}
    headers = FROM_HERE | {"HX-Request": "true"}
    return browser.post("/call/comment", data=fields, headers=headers)


@dataclass(frozen=True)
class Programme:
    """A served warehouse, and the browsers of the people of a centre."""

    served: Served
    folder: Path
    ann: Any
    rea: Any
    rob: Any
    lea: Any


@contextmanager
def a_programme(folder: Path) -> Iterator[Programme]:
    """Serve a warehouse to the people of a centre."""
    others = [
        call(
            f"c{i}",
            agent_id=f"agent-{i % 3}",
            team="blue",
            queue="bills",
            started_at=day(10 + i % 5),
            reason="billing" if i % 4 else "address",
            duration_s=120.0,
            quotes=[Quote(2.5, 5.0, 1, "my card is lost and nobody calls me back", "complaint")],
            cues=[cue(1, 2.5, 5.0, "my card is lost", answer="affective" if i % 2 else "ignored")],
            metrics=[
                measured("opportunities", None, 1.0),
                rate("answered_rate", None, i % 2, 1, no_answer=""),
                measured("hostile", "A", float(i == 3)),
                *(measured(f"friction_{kind}", "A", 0.0) for kind in ("repeat", "transfer")),
                measured("friction_hold", "A", float(i % 3 == 0)),
            ],
        )
        for i in range(12)
    ]
    bob = audible(folder, "bob-1", agent_id="bob", queue="bills", started_at=day(17))
    put(folder, audible(folder, "ann-1"), told_apart(bob), *others)
    with serving(folder) as served:
        yield Programme(
            served,
            folder,
            served.logged_in(Role.AGENT, "ann", "ann"),
            served.logged_in(Role.REVIEWER, "rea"),
            served.logged_in(Role.REVIEWER, "rob"),
            served.logged_in(Role.LEAD, "lea"),
        )


def send(browser: Any, path: str, **fields: Any) -> Any:
    return browser.post(path, data=fields, headers=FROM_HERE)


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


def answers(served: Served, **changed: str) -> dict[str, str]:
    form = forms(served.site.warehouse.path)["conversation"]
    yes = {question.id: "yes" for question in form.questions}
    return {"form": form.name, ".why": "heard again"} | yes | changed


def number_in(address: str) -> str:
    return address.rpartition("=")[2]

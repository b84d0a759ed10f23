"""The pages: what they show of a call, that they are of the file that lies there now, and lists."""

import ast
import asyncio
import base64
import gzip
import hashlib
import html
import json
import re
import shutil
import string
import wave
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest
import sqlalchemy as sa
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from jinja2.ext import babel_extract
from typer.testing import CliRunner

from support.factories import call, cue, definitions_of, measured, not_analyzed
from support.pages import (
    EVIL,
    FROM_HERE,
    RATE_HZ,
    SAYS,
    Served,
    _told_apart,
    audible,
    publish_calls,
    serving,
    sound_of,
)
from support.warehouses import put
from support.week import day
from warmline import landing
from warmline.analysis import MetricDefinition, missing_metric, rate
from warmline.cli import app as commands
from warmline.errors import QueryError, WarehouseError
from warmline.files import erasing_note
from warmline.query.export import TONE_LEVEL, bleeped
from warmline.query.reviews import ANSWERS, FEELINGS, all_reviews
from warmline.recordings.sound import decode, level_peaks
from warmline.settings import ProfileSettings, RecordingSettings
from warmline.values import RoleName, Span
from warmline.warehouse import publish
from warmline.web import listing, sound
from warmline.web.accounts import Right, Role
from warmline.web.call_routes import HEADLINES
from warmline.web.disputes import STEPS
from warmline.web.drawing import (
    OVERLAP_NAMES,
    SILENCE_NAMES,
    _overlap_label,
    cue_sentence,
    trend,
)
from warmline.web.people import OUTCOMES
from warmline.web.scorecards import forms, parse_form, score
from warmline.web.site import CATALOGUES, Sentences, chosen_language, marked, words
from warmline.web.sound import RangeError, Recording, SoundCache, Wav, parse_range
from warmline.web.store import audit, open_store
from warmline.web.warehouse import Warehouse

STATIC = Path(__file__).parents[1] / "src" / "warmline" / "web" / "static"
TEMPLATES = STATIC.parent / "templates"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    publish_calls(folder)
    return folder


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy: the recordings stay where the calls say that they are."""
    place = tmp_path / "copy"
    shutil.copytree(published, place)
    return place


@pytest.fixture
def served(folder: Path) -> Any:
    with serving(folder) as it:
        yield it


@pytest.fixture
def browser(served: Served) -> Any:
    return served.alone()


def test_vendored_files_are_those_of_the_lock() -> None:
    locked = json.loads((STATIC / "vendor.lock.json").read_text())["files"]
    for entry in locked:
        digest = hashlib.sha512((STATIC / entry["file"]).read_bytes()).digest()
        assert entry["integrity"] == f"sha512-{base64.b64encode(digest).decode()}", entry["file"]
        assert entry["version"] and entry["licence"] and entry["package_integrity"]
        assert (STATIC / entry["licence_file"]).read_text().strip()
    there = {path.name for path in (STATIC / "vendor").iterdir()}
    named = {Path(entry[key]).name for entry in locked for key in ("file", "licence_file")}
    assert there == named


def in_templates() -> set[str]:
    """Every text that the templates hand over to be translated."""
    found = set()
    for path in TEMPLATES.glob("*.html"):
        with path.open("rb") as file:
            for _, _, said, _ in babel_extract(file, ["_", "ngettext"], [], {"silent": "false"}):
                first = said[0] if isinstance(said, tuple) else said
                found |= {first} if first else set()
    return found


WEB = TEMPLATES.parent
#: What code raises or says that is no text of ours, or that nobody reads on a page.
NOT_OURS = {
    *("str(e)", "header", "number", "problem", "what"),
    "str(e).split(' (`warmline')[0]",
    "str(e).replace('; say whose with --agent ID', '')",
    *("ambiguous(text, meant)", "_unknown(con, text)", "CHANGED"),  # said in another module
}
OF_THE_COMMAND = {"_secret"}


def sentence_of(node: ast.expr, constants: dict[str, ast.expr]) -> str | None:
    """A text in code as the catalogue has it: its values are %(a)s, %(b)s, ..."""
    if isinstance(node, ast.Name) and node.id in constants:
        return sentence_of(constants[node.id], constants)
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return None
    letters = iter(string.ascii_lowercase)
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"%({next(letters)})s"
        for part in node.values
    )


def raised_in(path: Path) -> set[str]:
    """The messages of the errors that a module raises."""
    module = ast.parse(path.read_text())
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = set()
    for function in ast.walk(module):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function) if function.name not in OF_THE_COMMAND else ():
            is_error = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if is_error and node.func.id.endswith("Error") and node.args:
                said = sentence_of(node.args[-1], constants)
                assert said is not None or ast.unparse(node.args[-1]) in NOT_OURS, ast.unparse(node)
                found |= {said} if said else set()
    return found


def test_every_message_of_the_pages_has_a_german_one() -> None:
    known = catalogue("message").keys()
    said = set().union(*(raised_in(path) for path in WEB.glob("*.py")))
    assert len(said) > 90 and said - known == set()
    assert raised_in(WEB.parent / "query" / "reviews.py") - known == set()
    assert {*Role, *(right.value for right in Right)} - known == set()


def test_what_drawings_say_is_german_too() -> None:
    page = SimpleNamespace(name_of=lambda party: {"A": "customer", "B": "Ben"}[party])
    shown = Sentences.of("de", "drawing")
    told = [*SILENCE_NAMES.values()]
    for kind, takes, helps in product(OVERLAP_NAMES, (True, False), (True, False)):
        row = {"kind": kind, "successful": takes, "cooperative": helps, "entrant": "A"}
        told.append(_overlap_label(cast(Any, page), row))
    for kind, answer, latency in product(FEELINGS, (None, "ignored", "affective"), (None, 1.25)):
        row = {"kind": kind, "answer": answer, "latency_s": latency}
        told.append(cue_sentence(row | {"answered": answer == "affective"}))
    weeks = [
        {
            "week": date(2026, month, 6),
            **{"answered_rate": 0.5, "answered_low": 0.2, "answered_high": 0.8},
            **{"answered": 3.0, "answerable": 6.0},
        }
        for month in range(1, 13)
    ]
    told += [point.text for point in trend(weeks)]
    english = re.compile(r"\b(by|the|to|of|answered|after|hold|week|taken|kept|customer)\b")
    for text in told:
        german = shown.say(text)
        assert german != text and not english.search(german), (text, german)
    assert shown.say("06 Dec") == "06 Dez" and shown.say("06 Nov") == "06 Nov"
    assert shown.say("50%, 20% to 80%") == "50%, 20% bis 80%"
    assert Sentences.of("en", "drawing").say("dead air") == "dead air"


def test_lines_before_any_page_are_in_the_language_that_the_browser_asks_for(
    served: Served,
) -> None:
    german, client = {"Accept-Language": "de"}, served.client()
    elsewhere = client.get("/calls", headers=german | {"Host": "other.example"})
    assert elsewhere.status_code == 400 and elsewhere.text.startswith("dieser Server heißt nicht")
    foreign = client.post("/login", headers=german | {"Sec-Fetch-Site": "cross-site"})
    assert foreign.text == "die Anfrage kommt nicht von einer Seite dieses Servers\n"
    assert client.put("/login", headers=german).text == "PUT: hier nicht erlaubt\n"
    part = client.get("/calls", headers=german | {"HX-Request": "true"})
    assert part.text == "Ihre Sitzung ist zu Ende; öffnen Sie die Seite neu\n"
    assert "your session has ended" in client.get("/calls", headers={"HX-Request": "true"}).text


def test_the_worst_unanswered_feelings_are_one_click_from_the_first_page(served: Served) -> None:
    lead, ann = served.logged_in(Role.LEAD), served.logged_in(Role.AGENT, "ann", "ann")
    assert '<a href="/feelings">' in lead.get("/calls").text
    page = lead.get("/feelings").text
    assert "ann-1" in page and "bob-1" in page and "I am worried" in page
    assert "you are not listening" not in page, "no agent turn followed, so nobody left it"
    own = ann.get("/feelings").text
    assert "ann-1" in own and "bob-1" not in own
    assert "bob-1" not in lead.get("/feelings?agent=ann").text
    assert 'aria-sort="descending"><a href="/feelings' in lead.get("/feelings?order=newest").text
    assert "No feeling was left unanswered" in lead.get("/feelings?queue=none").text
    wrong = {"id": "ann-1", "start_s": "3.2", "verdict": "wrong", "reason": "she did"}
    lead.post("/call/review-cue", data=wrong, headers=FROM_HERE)
    assert lead.get("/feelings").text.count("listeners say this is wrong") == 1
    researcher = served.logged_in(Role.RESEARCHER).get("/feelings").text
    assert ">ann<" not in researcher and "data-clip " not in researcher


def test_the_strongest_feeling_comes_first_and_of_equals_the_dismissed_one(tmp_path: Path) -> None:
    def with_cue(name: str, strength: float, answer: str, at: int) -> Any:
        felt = replace(cue(1, 3.2, 5.0, f"said in {name}", answer=answer), strength=strength)
        path = f"/calls/{name}.wav"
        return call(name, path=path, says=SAYS, cues=[felt], started_at=day(at), duration_s=20.0)

    put(
        tmp_path,
        with_cue("solved", 0.9, "problem_solved_only", 16),
        with_cue("ignored", 0.9, "ignored", 15),
        with_cue("dismissed", 0.9, "dismissed", 14),
        with_cue("strong", 0.95, "ignored", 13),
        with_cue("heard", 1.0, "affective", 16),
        with_cue("old", 1.0, "ignored", 3),
    )
    with serving(tmp_path) as served:
        page = served.alone()
        order = re.findall(r"“said in (\w+)”", page.get("/feelings").text)
        assert order == ["strong", "dismissed", "ignored", "solved"], "of the last seven days"
        assert re.findall(r"“said in (\w+)”", page.get("/feelings?days=all").text)[0] == "old"
        newest = page.get("/feelings?order=newest").text
        assert re.findall(r"“said in (\w+)”", newest)[0] == "solved"


def test_a_list_is_sorted_by_its_headings_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_ROWS", 2)
    lengths = {"a": 30.0, "b": 90.0, "c": 60.0, "d": 60.0, "e": 10.0}
    put(
        tmp_path,
        *(
            call(name, path=f"/calls/{name}.wav", duration_s=length, started_at=day(16))
            for name, length in lengths.items()
        ),
    )
    with serving(tmp_path) as served:
        page = served.alone()

        def walked(address: str) -> list[str]:
            found = []
            while address:
                text = page.get(address).text
                found += re.findall(r'<th scope="row"><a href="/call\?id=(\w)"', text)
                more = re.search(r'role="button" class="secondary" href="([^"]+)"', text)
                address = html.unescape(more[1]) if more else ""
            return found

        first = page.get("/calls").text
        assert 'aria-sort="descending"' in first and "sort=-length" in first
        assert walked("/calls?sort=-length") == ["b", "d", "c", "a", "e"]
        assert walked("/calls?sort=length") == ["e", "a", "d", "c", "b"]
        assert sorted(walked("/calls?sort=answered")) == list("abcde"), "none has a rate"
        refused = page.get("/calls?sort=mood")
        assert refused.status_code == 422 and "sort: one of began, length" in refused.text


def test_messages_are_in_the_language_that_the_browser_asks_for(served: Served) -> None:
    german = {"Accept-Language": "de"}
    lead, ann = served.logged_in(Role.LEAD), served.logged_in(Role.AGENT, "ann", "ann")
    day_text = lead.get("/calls?from=1.11.", headers=german)
    assert "from: ein Tag wird 2026-11-20 geschrieben, nicht &#39;1.11.&#39;" in day_text.text
    assert "Ihre Rolle, Agent, darf nicht: Anrufe aller Agenten sehen" in (
        ann.get("/report", headers=german).text
    )
    assert "kein Anruf heißt „ann-2“; am nächsten: ann-1" in (
        lead.get("/call?id=ann-2", headers=german).text
    )
    evil = lead.get("/call", params={"id": EVIL}, headers=german).text
    assert "kein Anruf heißt" in evil and "<script>alert" not in evil
    assert "diese Seite gibt es nicht" in lead.get("/nowhere", headers=german).text
    assert (
        "Name oder Passwort ist falsch"
        in served.client()
        .post("/login", data={"name": "x", "password": "y"}, headers=FROM_HERE | german)
        .text
    )
    page = lead.get("/call?id=ann-1", headers=german).text
    assert (
        "Unterbrechung, Wort genommen durch" in page and "Angst, Sorge: nicht beantwortet" in page
    )
    assert "Unterbrechung" not in lead.get("/call?id=ann-1").text


def test_every_condition_on_measures_and_every_order_can_be_asked_for(browser: Any) -> None:
    for query in ("", "&days=all", "&sort=length", "&sort=-answered", "&sort=interrupted"):
        for measure in ("", *listing.MEASURES):
            answer = browser.get(f"/calls?measure={measure}{query}")
            assert answer.status_code == 200, (measure, query)


def test_rows_are_found_by_a_list_of_values_even_an_empty_one(tmp_path: Path) -> None:
    put(tmp_path, *(call(name, path=f"/calls/{name}.wav") for name in "abc"))
    with serving(tmp_path) as served, served.site.reading() as reader:
        asked = "SELECT call_id FROM calls WHERE call_id IN $ids AND status = $is ORDER BY call_id"
        for ids in (["a", "c", "no such call"], ["a"], []):
            found = [row["call_id"] for row in reader.rows(asked, {"ids": ids, "is": "analyzed"})]
            assert found == [i for i in ids if i in "abc"]


def test_a_wrong_password_keeps_the_name_and_pages_say_where_they_belong(served: Served) -> None:
    lead = served.logged_in(Role.LEAD, "lea")
    refused = served.client().post(
        "/login", data={"name": '"lea"', "password": "no"}, headers=FROM_HERE
    )
    assert 'name="name" value="&#34;lea&#34;"' in refused.text
    for path, above in (
        ("/call?id=ann-1", "/calls"),
        ("/agent?id=ann", "/people"),
        ("/team?id=red", "/people"),
    ):
        assert f'<a href="{above}" aria-current="true">' in lead.get(path).text, path


def test_parties_components_and_ranges_are_german_too(served: Served) -> None:
    german = {"Accept-Language": "de"}
    lead = served.logged_in(Role.LEAD)
    page = lead.get("/call?id=ann-1", headers=german).text
    assert '<span class="party-name">Kunde</span>' in page
    assert '<span class="party-name">customer</span>' not in page
    report = lead.get("/report", headers=german).text
    assert re.search(r">7 Tage bis 2026-\d\d-\d\d</a>", report)
    assert "7 days to" not in report
    assert "Name der Playlist, falls neu" in lead.get("/agent?id=ann", headers=german).text


def catalogue(context: str | None) -> dict[str, Any]:
    """The entries of a context, by their English text."""
    with (CATALOGUES / "de.po").open("rb") as file:
        entries = [m for m in read_po(file, locale="de") if m.id and m.context == context]
    return {m.id[0] if isinstance(m.id, tuple) else m.id: m for m in entries}


def test_german_says_everything_that_english_does() -> None:
    known = catalogue(None)
    assert in_templates() - known.keys() == set()
    told = {title for title, _ in listing.MEASURES.values()}
    told |= {title for _, _, title in HEADLINES} | {words(kind) for kind in FEELINGS}
    told |= {words(name) for name in (*ANSWERS, *STEPS, *OUTCOMES)}
    assert told - known.keys() == set(), "what code says, which templates translate"
    for context in (None, "message", "drawing"):
        for english, message in catalogue(context).items():
            german = message.string if isinstance(message.string, tuple) else (message.string,)
            for text in german:
                assert text, english
                assert sorted(re.findall(r"%\(\w+\)s|%%", text)) in (
                    sorted(re.findall(r"%\(\w+\)s|%%", english)),
                    [],
                ), english


def test_no_template_speaks_english_by_itself() -> None:
    """Whatever is left without tags and expressions is a name, not a sentence."""
    names = {"warmline", "UTC", "AC1", "CSV", "warmline serve", "0:42", "1:10"}
    for path in TEMPLATES.glob("*.html"):
        text = re.sub(r"<style>.*?</style>", "", path.read_text(), flags=re.DOTALL)
        text = re.sub(r'(?:aria-label|placeholder|alt)="([^"]*)"', r">\1<", text)
        text = re.sub(r"{{.*?}}|{%.*?%}|<[^>]*>|&[a-z]+;", "\n", text, flags=re.DOTALL)
        left = {line.strip(" ·,.:") for line in text.splitlines()}
        said = {line for line in left if re.search("[A-Za-z]{2}", line)} - names
        assert {line for line in said if not line.startswith("warmline ")} == set(), path.name


def test_a_page_is_in_the_language_that_the_browser_asks_for(browser: Any) -> None:
    german = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
    text = browser.get("/call?id=ann-1", headers=german).text
    assert '<html lang="de">' in text and "Was der Kunde wollte" in text
    assert "Angst, Sorge" in text and "nicht beantwortet" in text and "0 von 1" in text
    assert "ein Gefühl blieb unbeantwortet" in browser.get("/calls", headers=german).text
    for accepted in ("fr,de;q=0", "en,de", "*", "", "de;q=x", "de;q=nan", "de;q=-1", "de;q=9, en"):
        assert chosen_language(accepted) == "en", accepted
    assert chosen_language("fr, de;q=0.3, en;q=0.2") == "de"
    assert chosen_language("en ; q=0.2, de ; q=0.3") == "de", "RFC 9110 lets blanks stand there"


def test_all_scripts_together_are_small() -> None:
    scripts = list(STATIC.rglob("*.js"))
    assert len(scripts) == 2
    assert sum(len(gzip.compress(path.read_bytes())) for path in scripts) <= 60_000


def test_a_page_says_as_of_when_it_is_and_follows_the_file(folder: Path) -> None:
    warehouse = Warehouse(folder / "w.duckdb")
    with warehouse.reading() as before:
        assert before.value("SELECT count(*) FROM calls") == 3
        put(folder, call("later", started_at=day(18)))  # the night swaps the file
        assert before.value("SELECT count(*) FROM calls") == 3, "a request has one file"
        with warehouse.reading() as after:
            assert after.value("SELECT count(*) FROM calls") == 4
            assert after.snapshot != before.snapshot
    with pytest.raises(Exception, match="closed"):
        before.cursor.execute("SELECT 1")
    (folder / "w.duckdb").unlink()
    with pytest.raises(WarehouseError, match="no warehouse here"), warehouse.reading():
        pass
    warehouse.close()


def test_the_old_file_is_closed_when_its_last_reader_has_left(folder: Path) -> None:
    def open_files() -> int:
        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        targets = (str(link.readlink()) for link in links)
        return sum(str(folder / "w.duckdb") in target for target in targets)

    warehouse = Warehouse(folder / "w.duckdb")
    with warehouse.reading():
        pass
    for number in range(3):
        put(folder, call(f"later-{number}"))
        with warehouse.reading() as reader:
            assert reader.value("SELECT count(*) FROM calls") == 4 + number
    assert open_files() <= 1
    warehouse.close()
    assert open_files() == 0


def test_the_page_of_a_call_shows_rows_with_reasons_and_seconds(browser: Any) -> None:
    page = browser.get("/call", params={"id": "ann-1"})
    assert page.status_code == 200
    text = page.text
    assert "Data as of" in text
    assert "never interrupted" in text, "a missing value shows its reason"
    assert 'data-t="3.2"' in text and 'href="#t=3.2"' in text
    assert "fear, anxiety: not answered (ignored) after 0.5 s" in text
    assert "the agent did not speak afterwards" in text
    assert "competitive interruption, floor taken by agent" in text
    assert "0 of 1" in text
    assert "What is open" in text and "“you are not listening to me”" in text
    refused = browser.get("/call", params={"id": "broken"})
    assert refused.status_code == 200 and "No sound" in refused.text


def test_what_cannot_be_said_of_a_call_is_not_said_otherwise(tmp_path: Path) -> None:
    roles = {"A": RoleName.CUSTOMER, "B": RoleName.AGENT, "C": RoleName.AGENT}
    says = [*SAYS, ("C", 17.5, 19.0, "this is the other desk speaking")]
    shares = [
        measured("talk_share", "A", 0.5),
        measured("talk_share", "B", 0.3),
        measured("talk_share", "C", 0.2),
    ]
    no_ledger = audible(tmp_path, "no-ledger", says=says, roles=roles, cues=[], metrics=shares)
    assert no_ledger.empathy is not None
    silent = replace(no_ledger.empathy, no_ledger_reason="it is in German", opportunities=())
    put(tmp_path, replace(no_ledger, empathy=silent))
    with serving(tmp_path) as served:
        text = " ".join(served.alone().get("/call", params={"id": "no-ledger"}).text.split())
    assert "every feeling that was found was answered" not in text
    assert text.count("it is in German") >= 3, "in both quotes, and in the place of the ledger"
    assert "2 parties are agent: see each of them below" in text


def test_a_call_that_is_not_there_is_said_with_the_closest(browser: Any) -> None:
    answer = browser.get("/call", params={"id": "ann-2"})
    assert answer.status_code == 404
    assert "closest: ann-1" in answer.text


def test_the_browser_gets_exactly_the_bytes_it_asks_for(browser: Any, folder: Path) -> None:
    link = sound_of(browser, "ann-1")
    whole = browser.get(link)
    assert whole.status_code == 200 and whole.headers["content-type"] == "audio/wav"
    raw = whole.content
    assert raw[:4] == b"RIFF" and len(raw) == 44 + 20 * RATE_HZ * 4
    samples = np.frombuffer(raw[44:], "<i2").reshape(-1, 2).T
    at = np.arange(samples.shape[1]) / RATE_HZ
    for channel, (level, pitch) in enumerate(((8000, 300), (4000, 700))):
        truth = level * np.sin(2 * np.pi * pitch * at)
        assert np.abs(samples[channel] - truth).max() <= 2
    for first, last in ((0, 0), (0, 43), (10, 60), (44, 45), (45, 52), (1001, 9000), (43, 44)):
        part = browser.get(link, headers={"Range": f"bytes={first}-{last}"})
        assert part.status_code == 206
        assert part.content == raw[first : last + 1]
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(raw)}"
    assert browser.get(link, headers={"Range": "bytes=-7"}).content == raw[-7:]
    tail = browser.get(link, headers={"Range": f"bytes={len(raw) - 5}-"})
    assert tail.content == raw[-5:]


@pytest.fixture(scope="module")
def odd_sounds(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Wav, bytes]]:
    """Sounds of some seconds more than one or two parts, and one whose analysis came to nothing."""
    made = []
    for channels, seconds in ((1, 10.3), (2, 20.0), (2, 4.7), (3, 10.1)):
        path = tmp_path_factory.mktemp("odd") / "a.wav"
        lot = np.random.default_rng(channels)
        pcm = lot.integers(-9000, 9000, (round(seconds * RATE_HZ), channels), np.int16)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(pcm.tobytes())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = (channels, len(pcm)) if seconds != 4.7 else (None, None)
        wav = Wav(Recording("a", str(path), digest, *known), RecordingSettings())
        assert wav.bytes_between(0, wav.size_bytes - 1) == path.read_bytes()
        made.append((wav, path.read_bytes()))
    return made


@given(data=st.data(), which=st.integers(0, 3))
def test_any_bytes_are_those_of_the_whole(
    data: Any, odd_sounds: list[tuple[Wav, bytes]], which: int
) -> None:
    wav, whole = odd_sounds[which]
    assert len(whole) == wav.size_bytes
    first = data.draw(st.integers(0, wav.size_bytes - 1))
    last = data.draw(st.integers(first, min(first + 400_000, wav.size_bytes - 1)))
    assert wav.bytes_between(first, last) == whole[first : last + 1]
    assert joined(wav, first, last) == whole[first : last + 1]


def joined(wav: Wav, *between: int) -> bytes:
    async def read() -> bytes:
        return b"".join([block async for block in wav.blocks(*between)])

    return asyncio.run(read())


def test_what_a_player_takes_in_advance_is_paced_and_what_it_asks_for_is_not(
    odd_sounds: list[tuple[Wav, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(sound, "sleep", sleep)
    monkeypatch.setattr(sound, "_AT_ONCE_BYTES", 1)
    wav, whole = max(odd_sounds, key=lambda made: len(made[1]))
    block = sound._BLOCK_BYTES
    assert joined(wav, 0, wav.size_bytes - 1, 2 * block) == whole
    assert len(waited) == max(0, -(-wav.size_bytes // block) - 2)
    assert all(each == block / wav.bytes_a_second / 8 for each in waited)
    waited.clear()
    assert joined(wav, 0, wav.size_bytes - 1, wav.size_bytes) == whole
    assert waited == [], "somebody keeps the file"


def test_the_sound_of_a_call_is_opened_while_its_page_is_made(served: Served) -> None:
    page = served.logged_in(Role.REVIEWER)
    researcher = served.logged_in(Role.RESEARCHER)
    assert researcher.get("/call?id=ann-1").status_code == 200
    assert not served.site.sounds.is_busy and not served.site.sounds.kept
    assert page.get("/call?id=ann-1").status_code == 200
    deadline = monotonic() + 30
    while served.site.sounds.is_busy or not served.site.sounds.kept:
        assert monotonic() < deadline, "nobody has asked for a byte of it, and it is not there"
    ((recording, wav),) = served.site.sounds.kept.items()
    assert recording.hidden and wav.kept_bytes > 0, "with the tone that this role hears"


@pytest.mark.parametrize(
    "header", ["bytes=5-4", "bytes=-0", "bytes=", "bytes=0-1,2-3", "lines=0-1"]
)
def test_a_range_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(RangeError):
        parse_range(header, 100)


def test_ranges_are_within_the_sound() -> None:
    assert parse_range(None, 100) is None
    assert parse_range("bytes=90-500", 100) == (90, 99)
    assert parse_range("bytes=-500", 100) == (0, 99)
    with pytest.raises(RangeError):
        parse_range("bytes=100-", 100)


def test_a_recording_that_is_another_one_now_is_not_played(
    served: Served, published: Path, tmp_path: Path
) -> None:
    analysis = audible(tmp_path, "moved")
    put(tmp_path, analysis)
    Path(analysis.recording.path).write_bytes(b"RIFF")
    with serving(tmp_path) as other:
        browser = other.alone()
        assert browser.get(sound_of(browser, "moved")).status_code == 422
        Path(analysis.recording.path).unlink()
        assert "is not at" in browser.get("/call", params={"id": "moved"}).text


def test_the_door_tells_what_to_do(served: Served) -> None:
    client = served.client()
    door = client.get(client.get("/call?id=ann-1").headers["location"])
    assert "Ask the person who set up these pages" in door.text
    assert "the window in which you started the pages" in door.text


def test_a_second_of_a_long_call_is_heard_without_decoding_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    lot = np.random.default_rng(0)
    samples = 8000 * 600
    pcm = lot.integers(-9000, 9000, (samples, 2), np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(pcm.tobytes())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    recording = Recording("a", str(path), digest, 2, 2 * samples, (Span(400.0, 403.0),))
    sounds = SoundCache(RecordingSettings())
    wav = sounds.sound_of(recording)
    assert wav.kept_bytes == 0, "opening it decodes nothing"
    whole = bleeped(decode(path, RecordingSettings()).pcm, recording.hidden)
    for at_s in (0, 299.5, 398, 409.9, 599.5):
        first = round(at_s * RATE_HZ)
        heard = wav.between(first, first + RATE_HZ // 2)
        assert np.array_equal(heard, whole[:, first : first + RATE_HZ // 2]), at_s
    assert wav.kept_bytes <= 6 * 10 * RATE_HZ * 4 < whole.nbytes / 9
    assert sounds.sound_of(recording) is wav
    path.write_bytes(path.read_bytes()[:-2] + b"xx")
    with pytest.raises(QueryError, match="another recording now"):
        wav.between(100 * RATE_HZ, 101 * RATE_HZ)
    with pytest.raises(QueryError, match="another recording now"):
        sounds.sound_of(recording)


def test_waveforms_that_were_kept_are_drawn_without_the_recording(tmp_path: Path) -> None:
    made = audible(tmp_path, "kept")
    pcm = decode(Path(made.recording.path), RecordingSettings()).pcm
    older_one = _told_apart(tmp_path, audible(tmp_path, "older"))
    put(tmp_path, replace(made, peaks=level_peaks(pcm)), older_one)
    with serving(tmp_path) as served:
        lead, reviewer = served.logged_in(Role.LEAD), served.logged_in(Role.REVIEWER)
        older = lead.get("/call/waveform", params={"id": "older"}).json()
        Path(made.recording.path).unlink()
        drawn = lead.get("/call/waveform", params={"id": "kept"}).json()
        assert drawn == older, "as they are worked out where nothing was kept"
        hidden = reviewer.get("/call/waveform", params={"id": "kept"}).json()["paths"]["A"]
        landing.compact(tmp_path / "landing")
        moved = lead.get("/call/waveform", params={"id": "kept"}).json()
        assert moved == drawn, "compacting has put it elsewhere since it was published"

    def heights(path: str) -> list[int]:
        return [-int(point.split()[1]) for point in path.strip("MZ").split("L")[:400]]

    shown, clear = heights(hidden), heights(drawn["paths"]["A"])
    loudest = round(8000 / 32768 * 127)
    tone = int(round(127 * TONE_LEVEL) * 120 / loudest)
    assert set(shown[6 * 20 : 7 * 20]) == {tone}, "what was redacted is as flat as its tone"
    assert set(clear[6 * 20 : 7 * 20]) == {120}
    assert shown[:100] == clear[:100]


def test_waveforms_are_of_each_party(browser: Any) -> None:
    drawn = browser.get("/call/waveform", params={"id": "ann-1"}).json()
    assert drawn["columns"] == 20 * 20
    assert set(drawn["paths"]) == {"A", "B"}
    assert all(path.startswith("M0 ") and path.endswith("Z") for path in drawn["paths"].values())


def test_words_have_their_seconds(browser: Any) -> None:
    words = browser.get("/call/words", params={"id": "ann-1"}).json()
    said = [word[0] for word in words["1"]]
    assert " ".join(said) == "I am worried that my card was stolen"
    assert words["1"][0][1] == pytest.approx(3.2)


def mark(browser: Any, **fields: str) -> Any:
    fields = {"id": "ann-1", "start_s": "3.2", "verdict": "wrong", **fields}
    return browser.post("/call/review-cue", data=fields, headers=FROM_HERE | {"HX-Request": "true"})


def test_a_review_is_landed_and_seen_at_once(browser: Any, folder: Path) -> None:
    row = mark(browser, reason="she did answer", should_be="affective")
    assert row.status_code == 200
    assert "✗ wrong" in row.text and "she did answer" in row.text
    (review,) = all_reviews(folder / "landing")
    assert (review.verdict, review.should_be, review.start_s) == ("wrong", "affective", 3.2)
    assert "she did answer" in browser.get("/call", params={"id": "ann-1"}).text
    assert "✓ right" in mark(browser, verdict="right", should_be="affective").text, (
        "a second thought"
    )


def test_a_cue_may_be_another_feeling_than_the_machine_heard(browser: Any, folder: Path) -> None:
    """What the customer felt and how the agent answered are two things that may be wrong."""
    form = browser.get("/call", params={"id": "ann-1"}).text
    assert 'value="sadness_disappointment">' in form and "there is no feeling at all" in form
    row = mark(browser, reason="her husband died", should_be="sadness_disappointment")
    assert row.status_code == 200 and "sadness, disappointment</strong>" in row.text.replace(
        "or ", ""
    )
    (review,) = all_reviews(folder / "landing")
    assert review.should_be == "sadness_disappointment"
    report = browser.get("/report", params={"days": "all"}).text
    assert "corrected by review" not in report, "another feeling, and the answer stays ignored"


def test_a_review_without_a_reason_is_one_line_and_leaves_the_row(
    browser: Any, folder: Path
) -> None:
    answer = mark(browser)
    assert answer.status_code == 422
    assert "say why it is wrong" in answer.text
    assert answer.headers["HX-Retarget"] == "#say"
    assert not list(all_reviews(folder / "landing"))


def test_what_is_wrong_with_a_field_is_said_of_the_field_in_plain_words(browser: Any) -> None:
    """A form that the script sends gets the line and the name of the field, and goes nowhere."""
    sent = FROM_HERE | {"X-Form": "1"}
    for path, fields, field, said in (
        ("/call/comment", {"start_s": "abc", "kind": "comment"}, "start_s", "write the time as"),
        ("/call/comment", {"start_s": "21", "kind": "comment"}, "start_s", "the call has 20.0 s"),
        ("/call/comment", {"start_s": "1", "kind": "comment", "text": ""}, "text", "say something"),
        ("/call/review-cue", {"start_s": "3.2", "verdict": "wrong"}, "reason", "say why"),
        (
            "/call/review-measure",
            {"name": "dead_air_s", "verdict": "wrong", "reason": "x", "should_be": "much"},
            "should_be",
            "the right value is a number, such as 0.5, not",
        ),
        ("/agent/coach", {"id": "ann", "kind": "goal"}, "due", "a goal needs a day"),
        ("/agent/coach", {"id": "ann", "kind": "note", "call": "bob-1"}, "call", "bob-1 is none"),
        ("/playlist/add", {"call": "ann-1", "from": "x", "to": "9"}, "from", "write the time as"),
        ("/playlist/add", {"call": "ann-1", "from": "9", "to": "8"}, "to", "a passage ends after"),
        ("/sample", {"n": "none", "seed": "1"}, "n", "a whole number from 1 to"),
        ("/searches", {"title": "", "query": ""}, "title", "give a name"),
    ):
        answer = browser.post(path, data={"id": "ann-1", "text": "so", **fields}, headers=sent)
        assert (answer.status_code, answer.headers.get("X-Field")) == (422, field), fields
        assert answer.text.startswith(f'<p class="problem">{said}'), answer.text
    kept = browser.post("/searches", data={"title": "all", "query": ""}, headers=sent)
    assert (kept.status_code, kept.headers["X-Go"]) == (204, "/work")


def test_enter_presses_no_button_of_a_form_that_has_several() -> None:
    """A browser takes the first button of a form, and nothing happens when that is disabled."""
    several = 0
    for path in TEMPLATES.glob("*.html"):
        for form in re.findall(r"<form\b[^>]*>(.*?)</form>", path.read_text(), re.DOTALL):
            if len(re.findall(r'<button(?![^>]*type="button")', form)) > 1:
                several += 1
                assert form.startswith("{{ no_enter() }}"), path.name
    assert several >= 5


def test_a_measure_can_be_judged(browser: Any) -> None:
    fields = {"id": "ann-1", "name": "dead_air_s", "verdict": "wrong", "reason": "music"}
    answer = browser.post(
        "/call/review-measure", data=fields | {"should_be": "0"}, headers=FROM_HERE
    )
    assert answer.status_code == 303
    assert "✗ wrong, should be 0" in browser.get("/call", params={"id": "ann-1"}).text


def comment(browser: Any, **fields: str) -> Any:
    fields = {"id": "ann-1", "start_s": "0:05", "kind": "comment", "text": "well said", **fields}
    headers = FROM_HERE | {"HX-Request": "true"}
    return browser.post("/call/comment", data=fields, headers=headers)


def test_comments_and_missed_cues_are_kept_beside_the_warehouse(browser: Any, folder: Path) -> None:
    assert "well said" in comment(browser).text
    missed = {"kind": "missed_cue", "label": "fear_anxiety", "text": "my card", "start_s": "7"}
    assert "missed feeling, fear, anxiety" in comment(browser, **missed).text
    put(folder, call("later"))
    (folder / "w.duckdb").unlink()
    put(folder)
    page = browser.get("/call", params={"id": "ann-1"}).text
    assert "well said" in page and "my card" in page, "they outlive a rebuilding"
    assert comment(browser, start_s="0:99:99:1").status_code == 422
    assert "has 20.0 s" in comment(browser, start_s="21").text
    assert comment(browser, kind="other").status_code == 422
    assert comment(browser, text=" ").status_code == 422


def test_texts_are_encrypted_with_a_key(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMLINE_KEY", base64.b64encode(b"k" * 32).decode())
    path = tmp_path / "s.sqlite"
    store = open_store(path)
    sealed = store.seal("what she said")
    assert "she" not in sealed and store.unseal(sealed) == "what she said"
    store.close()
    assert path.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("WARMLINE_KEY", base64.b64encode(b"j" * 32).decode())
    with pytest.raises(Exception, match="another key"):
        open_store(path).unseal(sealed)
    monkeypatch.delenv("WARMLINE_KEY")
    with pytest.raises(Exception, match="give its key"):
        open_store(path).unseal(sealed)


def test_texts_follow_when_the_warehouse_is_encrypted(
    browser: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment(browser, text="she said xylocarp")

    def key(letter: bytes) -> Path:
        path = folder / f"{letter.decode()}.key"
        path.write_text(base64.b64encode(letter * 32).decode())
        path.chmod(0o600)
        monkeypatch.setenv("WARMLINE_KEY", path.read_text())
        return path

    at = ("--warehouse", str(folder / "w.duckdb"), "--landing", str(folder / "landing"))
    first = key(b"k")
    assert CliRunner().invoke(commands, ["encrypt", *at]).exit_code == 0
    for path in folder.glob("w.web.sqlite*"):
        assert b"xylocarp" not in path.read_bytes()
    with serving(folder) as other:
        assert "xylocarp" in other.alone().get("/call", params={"id": "ann-1"}).text
    key(b"j")
    changed = CliRunner().invoke(commands, ["encrypt", "--old-key-file", str(first), *at])
    assert changed.exit_code == 0, changed.output
    with serving(folder) as other:
        assert "xylocarp" in other.alone().get("/call", params={"id": "ann-1"}).text
    assert CliRunner().invoke(commands, ["encrypt", "--decrypt", *at]).exit_code == 0
    monkeypatch.delenv("WARMLINE_KEY")
    with serving(folder) as other:
        assert "xylocarp" in other.alone().get("/call", params={"id": "ann-1"}).text


def test_what_is_no_store_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "w.web.sqlite"
    path.write_text("not a database, but longer than its header would be" * 10)
    with pytest.raises(WarehouseError, match=r"w\.web\.sqlite: not a file of `warmline serve`"):
        open_store(path)


def test_forgetting_and_subject_access_reach_what_people_added(
    browser: Any, served: Served, folder: Path
) -> None:
    assert "xylocarp" in comment(browser, text="she said xylocarp").text
    assert "well said" in comment(browser, id="bob-1").text
    yes = {"id": "ann-1", "form": "conversation", "greeted": "yes", "greeted.note": "quillwort"}
    browser.post("/call/score", data=yes | {"save": "draft"}, headers=FROM_HERE)
    place = ("--warehouse", str(folder / "w.duckdb"), "--landing", str(folder / "landing"))
    told = CliRunner().invoke(
        commands, ["subject-access", "--customer", "c1", *place[:2], "--to", str(folder / "out")]
    )
    assert told.exit_code == 0, told.output
    answer = (folder / "out" / "customer.txt").read_text()
    assert "xylocarp" in answer and "quillwort" in answer
    gone = CliRunner().invoke(commands, ["forget", "--call", "ann-1", "--yes", *place])
    assert gone.exit_code == 0, gone.output
    assert browser.get("/call", params={"id": "ann-1"}).status_code == 404
    assert "well said" in browser.get("/call", params={"id": "bob-1"}).text
    looked = served.site.store.read(sa.select(audit).where(audit.c.action == "commented"))
    assert sorted(row["landing_key"] is None for row in looked) == [False, True]
    for path in folder.glob("w.web.sqlite*"):
        assert b"xylocarp" not in path.read_bytes() and b"quillwort" not in path.read_bytes()


def test_the_list_begins_with_four_weeks_and_filters_are_links(browser: Any) -> None:
    page = browser.get("/calls").text
    assert page.index("bob-1") < page.index("ann-1"), "newest first"
    assert "days: <strong>" in page
    only = browser.get("/calls", params={"queue": "cards"}).text
    assert "call?id=ann-1" in only and "call?id=bob-1" not in only
    assert "call?id=ann-1" in browser.get("/calls", params={"measure": "unanswered"}).text
    refused = browser.get("/calls", params={"measure": "not-analyzed", "days": "all"}).text
    assert "call?id=broken" in refused


def test_days_are_links_too(browser: Any) -> None:
    page = browser.get("/calls").text.replace("&amp;", "&")
    assert 'href="/calls?from=2026-11-17&to=2026-11-17">2026-11-17</a>' in page
    one_day = browser.get("/calls?from=2026-11-17&to=2026-11-17").text
    assert "call?id=bob-1" in one_day and "call?id=ann-1" not in one_day


def test_no_page_shows_what_is_half_erased(browser: Any, folder: Path) -> None:
    erasing_note(folder / "w.duckdb").write_text(str(folder / "landing"))
    for address in ("/calls", "/call?id=ann-1", "/agent?id=ann", "/call/words?id=ann-1"):
        answer = browser.get(address)
        assert answer.status_code == 409 and "worried" not in answer.text
        assert "any command of warmline finishes it" in answer.text


def test_why_a_filter_leaves_nothing(browser: Any) -> None:
    text = browser.get("/calls", params={"queue": "cards", "agent": "bob"}).text
    assert "No call is left" in text
    assert "without “queue cards”</a>: 1 call" in " ".join(text.split())
    assert "without “agent bob”</a>: 1 call" in " ".join(text.split())


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from": "soon"}, "a day is written 2026-11-20"),
        ({"measure": "charm"}, "measure: one of"),
        ({"after": "x|y"}, "not the key of a row"),
        ({"after": "soon|3"}, "not the key of a row"),
    ],
)
def test_an_address_that_cannot_be_read_is_one_line(browser: Any, query: Any, said: str) -> None:
    answer = browser.get("/calls", params=query)
    assert answer.status_code == 422 and said in answer.text


def test_pages_of_the_list_hold_every_call_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [call(f"c{i}", started_at=day(10 + i // 3)) for i in range(9)]
    put(tmp_path, *calls, call("undated-1", started_at=None), call("undated-2", started_at=None))
    monkeypatch.setattr(listing, "PAGE_ROWS", 2)
    seen: list[str] = []
    with serving(tmp_path) as served:
        browser = served.alone()
        address = "/calls?days=all"
        for _ in range(9):
            text = browser.get(address).text
            links = [part.split('"')[0] for part in text.split('href="')[1:]]
            found = [
                parse_qs(urlsplit(x.replace("&amp;", "&")).query)["id"][0]
                for x in links
                if x.startswith("/call?")
            ]
            seen += found
            following = [x for x in links if "after=" in x]
            if not following:
                break
            address = following[0].replace("&amp;", "&")
    assert sorted(seen) == sorted([f"c{i}" for i in range(9)] + ["undated-1", "undated-2"])


def test_days_that_are_swapped_are_said_and_turned_round(browser: Any) -> None:
    for path in ("/calls", "/report"):
        page = browser.get(path, params={"from": "2026-11-20", "to": "2026-11-10"}).text
        assert "The first day is after the last one" in page
        assert f'href="{path}?from=2026-11-10&amp;to=2026-11-20"' in page
        right = browser.get(path, params={"from": "2026-11-10", "to": "2026-11-20"}).text
        assert "The first day is after" not in right


def test_definitions_have_values_and_no_names_of_settings(folder: Path) -> None:
    told = "within the next empathy.answer_within_turns turns; see docs.page"
    put(folder / "few", call("c", metrics=[]))
    definitions = [MetricDefinition("hold_s", "call", "s", told, "s", validated="no")]
    publish(folder / "few" / "landing", folder / "few" / "w.duckdb", definitions)
    with serving(folder / "few") as served:
        text = " ".join(served.alone().get("/measures").text.split())
    turns = served.site.settings.empathy.answer_within_turns
    assert f"within the next {turns} turns; see docs.page" in text


def test_who_said_just_the_phrase_comes_first_and_its_words_are_marked(tmp_path: Path) -> None:
    said = {"near": "sorry about that", "just": "well then I am so sorry about it"}
    calls = [
        call(name, says=[("B", 0.0, 3.0, text)], is_simulated=name == "just")
        for name, text in said.items()
    ]
    put(tmp_path, *calls)
    with serving(tmp_path) as served:
        page = served.alone().get("/calls", params={"phrase": "so sorry", "days": "all"}).text
    places = [page.index(f"<strong>{name}</strong>") for name in ("just", "near") if name in page]
    assert places == sorted(places)
    assert "I am <mark>so</mark> <mark>sorry</mark> about it" in page
    assert "simulated" in page[places[0] :].partition("</li>")[0]
    assert marked("So, <i>", "so i") == [("So", True), (", <", False), ("i", True), (">", False)]


def test_counts_by_rule_are_not_called_what_a_model_judges(tmp_path: Path) -> None:
    reason = "the agent made no affective statement"
    answered = cue(1, 3.2, 5.0, "I am worried", answer="affective", answer_turn_index=2)
    metrics = [measured("affective", "B", 0.0), missing_metric("empathy_to_action", None, reason)]
    put(tmp_path, audible(tmp_path, "ann-1", cues=[answered], metrics=metrics))
    with serving(tmp_path) as served:
        page = " ".join(served.alone().get("/call?id=ann-1").text.split())
    assert "statements of feeling, by rule</a>" in page and ">affective</a>" not in page
    assert "no rule found a statement of feeling by the agent" in page and reason not in page


def test_sure_is_told_where_it_is_below_certain(tmp_path: Path) -> None:
    sure_of = {"hold_s": 1.0, "dead_air_s": 0.8}
    metrics = [replace(measured(n, None, 1.0), confidence=c) for n, c in sure_of.items()]
    put(tmp_path, call("c", metrics=metrics))
    with serving(tmp_path) as served:
        page = served.alone().get("/call?id=c").text
    for name, told in (("hold_s", ""), ("dead_air_s", "80%")):
        row = page.partition(f'id="m-{name}-call"')[2].partition("</tr>")[0]
        assert re.findall(r'<td class="n">(.*?)</td>', row, re.DOTALL)[1] == told


def test_a_search_that_cannot_be_made_keeps_the_page_and_what_was_asked(browser: Any) -> None:
    page = browser.get("/calls", params={"phrase": "a", "queue": "cards", "days": "all"})
    assert page.status_code == 200
    assert re.search(r'name="phrase" value="a"[^>]*aria-describedby="phrase-problem"', page.text)
    assert re.search(r'id="phrase-problem" role="alert">\S', page.text)
    assert 'name="queue" value="cards"' in page.text and "No call is left" not in page.text


def test_phrases_lead_to_their_second(browser: Any) -> None:
    text = browser.get("/calls", params={"phrase": "worried", "queue": "cards"}).text
    assert "call?id=ann-1#t=3.2" in text and "bob-1" not in text
    assert "nobody said" in browser.get("/calls", params={"phrase": "zebra"}).text


def test_pages_of_agents_teams_and_measures(browser: Any) -> None:
    people = browser.get("/people").text
    assert people.index("id=ann") < people.index("id=bob")
    assert "0%, 0% to" in people, "with its interval"
    agent = browser.get("/agent", params={"id": "ann"}).text
    assert "I am worried" in agent and "Worth hearing together" in agent
    assert browser.get("/agent", params={"id": "nobody"}).status_code == 404
    team = browser.get("/team", params={"id": "red"}).text
    assert team.index("id=ann") < team.index("id=bob") and "0 of 2, 0% to 66%" in team
    assert browser.get("/team", params={"id": "blue"}).status_code == 404
    assert "as the test wrote it" in browser.get("/measures").text


def test_a_measure_whose_validation_says_no_is_not_called_validated(folder: Path) -> None:
    definitions = [
        MetricDefinition("dead_air_s", "call", "s", "d", "s", validated="no; of what was found"),
        MetricDefinition("hold_s", "call", "s", "d", "s", validated="planted events"),
        MetricDefinition("fto_s", "call", "s", "d", "s", validated="normal calls: 0.9"),
    ]
    put(folder / "few", call("c", metrics=[]))
    publish(folder / "few" / "landing", folder / "few" / "w.duckdb", definitions)
    with serving(folder / "few") as served:
        text = " ".join(served.alone().get("/measures").text.split())
    assert "not validated</span> of what was found" in text
    assert ">validated</span> planted events" in text and ">validated</span> normal calls" in text


def test_weeks_of_a_trend_stand_where_their_date_is() -> None:
    week = {"answered_low": 0.1, "answered_rate": 0.5, "answered_high": 0.9}
    week |= {"answered": 1, "answerable": 2}
    days = (date(2026, 11, 2), date(2026, 11, 9), date(2026, 11, 23))
    drawn = trend([week | {"week": day} for day in reversed(days)])
    assert [point.x for point in drawn] == ["12.500%", "37.500%", "87.500%"]
    assert [point.label for point in drawn] == ["02 Nov", "09 Nov", "23 Nov"]
    assert trend([week | {"week": None}]) == []


def test_figures_of_one_or_two_people_are_not_shown(folder: Path) -> None:
    known = [landing.read_landed(folder / "landing", k) for k in landing.known(folder / "landing")]
    definitions = definitions_of(known)
    publish(folder / "landing", folder / "w.duckdb", definitions, ProfileSettings(smallest_group=3))
    with serving(folder) as served:
        hidden = served.logged_in(Role.RESEARCHER).get("/team", params={"id": "red"}).text
        shown = served.logged_in(Role.LEAD).get("/team", params={"id": "red"}).text
    assert "not shown: fewer than 3 agents" in hidden and "0 of 2" not in hidden
    # Who may see each agent's numbers sees the team's, and why others do not.
    assert "0 of 2" in shown and "you may see each of them" in shown


def test_a_scorecard_keeps_drafts_and_every_version(browser: Any, served: Served) -> None:
    (form,) = forms(served.site.warehouse.path).values()
    blank = {"id": "ann-1", "form": form.name}
    shown = browser.get("/call/score", params=blank)
    assert "Greeted the customer" in shown.text and "never interrupted" not in shown.text
    yes = {question.id: "yes" for question in form.questions}
    post = {"url": "/call/score", "headers": FROM_HERE}
    assert browser.post(data=blank | {"greeted": "yes", "save": "draft"}, **post).status_code == 303
    assert "questions open" in browser.get("/call", params={"id": "ann-1"}).text
    unfinished = browser.post(data=blank | {"greeted": "yes", "save": "final"}, **post)
    assert unfinished.status_code == 422
    open_ones = [question for question in form.questions if question.id != "greeted"]
    assert f"Not saved yet: {len(open_ones)} questions have no answer." in unfinished.text
    assert all(f'href="#q-{question.id}"' in unfinished.text for question in open_ones)
    assert 'name="greeted" value="yes" checked' in unfinished.text, "what was answered is kept"
    final = blank | yes | {"feelings_answered": "no", "greeted.note": "=cmd()", "save": "final"}
    saved = browser.post(data=final, **post)
    assert saved.status_code == 303 and saved.headers["location"].startswith("/evaluation?id=")
    assert "82%" in browser.get(saved.headers["location"]).text
    assert "82%" in browser.get("/call", params={"id": "ann-1"}).text, "9 of 11 by weight"
    table = browser.get("/scores.csv").text
    assert "'=cmd()" in table and table.count("ann-1") == len(form.questions)
    assert browser.post(data=blank | {"owned": "na"}, **post).status_code == 422


@pytest.mark.parametrize("name", ["id", "step", "text", "save", "form", "calibration"])
def test_a_question_has_no_name_that_the_page_sends_itself(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "w.forms"
    folder.mkdir()
    question = f'[[section.question]]\nid = "{name}"\ntext = "A"\n'
    (folder / "f.toml").write_text(f'title = "t"\n[[section]]\ntitle = "s"\n{question}')
    with pytest.raises(QueryError, match=rf"f\.toml: question '{name}': the page sends"):
        forms(tmp_path / "w.duckdb")


def test_scores_count_what_applied_and_a_critical_no_fails() -> None:
    text = (
        'title = "t"\n[[section]]\ntitle = "s"\n'
        '[[section.question]]\nid = "a"\ntext = "A"\nweight = 3\n'
        '[[section.question]]\nid = "b"\ntext = "B"\nis_critical = true\n'
    )
    form = parse_form("f", text)
    assert score(form, {"a": "yes", "b": "na"}).value == 1.0
    assert score(form, {"a": "no", "b": "yes"}).value == 0.25
    assert score(form, {"a": "yes", "b": "no"}).value == 0.0
    assert score(form, {"a": "yes"}).value is None
    assert score(form, {"a": "na", "b": "na"}).value is None
    with pytest.raises(QueryError, match="more than once"):
        parse_form("f", text.replace('"b"', '"a"'))
    with pytest.raises(QueryError, match=r"f\.toml: section\.0\.question\.0\.wieght"):
        parse_form("f", text.replace("weight", "wieght"))


_FORM = parse_form("conversation", (STATIC.parent / "forms/conversation.toml").read_text())
#: What somebody sends who wants their words to become code.
_POSTED: tuple[tuple[str, dict[str, str]], ...] = (
    ("/searches", {"title": EVIL, "query": urlencode({"queue": EVIL, "days": "all"})}),
    ("/playlist/add", {"clip.1": f"3 9 {EVIL}", "title": EVIL, "text": EVIL}),
    ("/agent/coach", {"id": EVIL, "kind": "note", "text": EVIL, "call": EVIL}),
    (
        "/call/score",
        {"id": EVIL, "form": "conversation", "save": "final", "greeted.note": EVIL}
        | {question.id: "yes" for question in _FORM.questions},
    ),
    ("/evaluation/answer", {"id": "1", "step": "appealed", "text": EVIL}),
)


def test_a_template_translates_only_its_own_words_as_code() -> None:
    """`_()` takes its text for HTML and for a format: no value may be given to it."""
    for path in TEMPLATES.glob("*.html"):
        assert not re.findall(r"(?<!\w)_\((?!')[^)]*", path.read_text()), path.name


def test_text_of_strangers_is_never_code(tmp_path: Path) -> None:
    says = [(party, start, end, EVIL) for party, start, end, _ in SAYS]
    evil = audible(
        tmp_path,
        EVIL,
        says=says,
        agent_id=EVIL,
        team=EVIL,
        queue=EVIL,
        customer_id=EVIL,
        reason=EVIL,
        direction=EVIL,
    )
    percent = audible(tmp_path, "half", direction="50 % (of it)", agent_id="bob")
    put(tmp_path, evil, _told_apart(tmp_path, percent), not_analyzed("broken"))
    with serving(tmp_path) as served:
        browser = served.alone()
        posted = {"id": EVIL, "start_s": "1", "kind": "comment", "text": EVIL}
        assert browser.post("/call/comment", data=posted, headers=FROM_HERE).status_code == 303
        wrong = {"id": EVIL, "start_s": "3.2", "verdict": "wrong", "reason": EVIL}
        assert browser.post("/call/review-cue", data=wrong, headers=FROM_HERE).status_code == 303
        for path, fields in _POSTED:
            sent = browser.post(path, data=fields, headers=FROM_HERE)
            assert sent.status_code == 303, (path, sent.text)
        pages: list[tuple[str, dict[str, str]]] = [
            ("/calls", {"days": "all"}),
            ("/calls", {"phrase": EVIL, "days": "all"}),
            ("/calls", {"queue": EVIL, "agent": "x"}),
            ("/calls", {"sort": EVIL}),
            ("/feelings", {"days": "all"}),
            ("/feelings", {"queue": EVIL, "order": EVIL}),
            ("/call", {"id": EVIL}),
            ("/call", {"id": EVIL + "x"}),
            ("/call/score", {"id": EVIL, "form": "conversation"}),
            ("/call/score", {"id": EVIL, "form": EVIL}),
            ("/people", {}),
            ("/agent", {"id": EVIL}),
            ("/team", {"id": EVIL}),
            ("/team", {"id": EVIL + "x"}),
            ("/audit", {}),
            ("/work", {}),
            ("/playlist", {"id": "1"}),
            ("/evaluation", {"id": "1"}),
            ("/report", {"days": "all", "queue": EVIL}),
            ("/report.html", {"days": "all", "queue": EVIL}),
            ("/login", {"next": EVIL}),
        ]
        for path, query in pages:
            text = browser.get(path, params=query).text
            assert "<script>alert" not in text and "<img" not in text, path
            assert "\"'{{" not in text, path
        assert "50 % (of it)" in browser.get("/call?id=half").text


def test_nothing_found_is_not_called_all_answered(tmp_path: Path) -> None:
    put(tmp_path, call("quiet", agent_id="zoe", started_at=day(16)))
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        for path in ("/agent?id=zoe", "/report"):
            shown = lead.get(path).text
            assert "no feeling that could be answered was found" in shown, path
            assert "every feeling that was found was answered" not in shown, path


def test_simulated_calls_stand_apart_on_every_page(tmp_path: Path) -> None:
    """A line of a chart that joins real calls and simulated ones would look like a collapse."""
    real = audible(tmp_path, "ann-1")
    answered = cue(1, 3.2, 5.0, "I am worried", answer="affective", answer_turn_index=2)
    played = _told_apart(
        tmp_path,
        audible(
            tmp_path,
            "played-1",
            is_simulated=True,
            cues=[answered],
            metrics=[
                measured("opportunities", None, 1.0),
                rate("answered_rate", None, 1, 1, no_answer=""),
            ],
        ),
    )
    put(tmp_path, real, played)
    with serving(tmp_path) as served:
        lead = served.logged_in(Role.LEAD)
        for path in ("/agent?id=ann", "/team?id=red"):
            shown = lead.get(path).text
            assert "0 of 1" in shown and "1 of 1" not in shown, path
            assert "Simulated calls are not counted here." in shown, path
            others = lead.get(f"{path}&simulated=1").text
            assert "1 of 1" in others and "nobody said any of this" in others, path
        report = lead.get("/report?days=all").text
        assert "1 simulated call of these days is not counted here." in report
        assert "simulated=1&amp;days=all" in report
        others = lead.get("/report?days=all&simulated=1").text
        assert "1 of 1" in others and "nobody said any of this" in others
        calls = lead.get("/calls?days=all").text
        assert "simulated</span>" in calls and "agent?id=ann&amp;simulated=1" in calls
        real = lead.get("/calls?days=all&simulated=0").text
        assert "ann-1" in real and "played-1" not in real
        found = lead.get("/feelings?days=all&simulated=1").text
        assert "No feeling was left unanswered" in found and "real ones only" not in found
        fields = {"id": "ann", "simulated": "1", "kind": "note", "text": "calm"}
        saved = lead.post("/agent/coach", data=fields, headers=FROM_HERE)
        assert saved.headers["location"] == "/agent?id=ann&simulated=1", "where the form stood"
        assert lead.get("/people").text.count("simulated=1") == 2, "the team and the agent"

"""The pages: what they have in common, the file that they are of, and what strangers wrote."""

import base64
import gzip
import hashlib
import json
import re
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import duckdb
import pytest

from support.factories import call, cue, measured, without_analysis
from support.pages import EVIL, FROM_HERE, SAYS, Served, audible, serving, told_apart
from support.warehouses import put
from support.week import day
from warmline.analysis import rate
from warmline.cli.serve import _bound
from warmline.errors import QueryError, WarehouseError
from warmline.files import erasing_note
from warmline.query.questions import ask
from warmline.web.accounts import Role
from warmline.web.scorecards import parse_form
from warmline.web.warehouse import Warehouse

STATIC = Path(__file__).parents[1] / "src" / "warmline" / "web" / "static"


TEMPLATES = STATIC.parent / "templates"


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


def test_what_is_answered_is_sent_at_once() -> None:
    """Asyncio turns Nagle's algorithm off only for sockets that name TCP; otherwise a page waits
    40 ms for the browser to acknowledge its head.
    """
    with _bound("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


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


def test_a_warehouse_of_another_version_is_said_to_be_one(tmp_path: Path) -> None:
    """It may lack what a page asks for, until the next night; so does a query."""
    put(tmp_path, call("a", started_at=day(17)))
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("DROP MACRO week_sums")
        con.execute("DROP VIEW agent_week")
    with serving(tmp_path) as served, pytest.raises(duckdb.CatalogException):
        served.alone().get("/report")  # of this version: a fault of ours, no question of versions
    with duckdb.connect(str(path)) as con:
        con.execute("UPDATE runs SET sql_sha256 = 'of before'")
    with serving(tmp_path) as served:
        for page in ("/report", "/people"):
            answer = served.alone().get(page)
            assert answer.status_code == 409
            assert "Another version of warmline published this warehouse" in answer.text
    with pytest.raises(QueryError, match="another version of warmline"):
        ask(path, "SELECT * FROM agent_week")


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


def test_the_door_tells_what_to_do(served: Served) -> None:
    client = served.client()
    door = client.get(client.get("/call?id=ann-1").headers["location"])
    assert "Ask the person who set up these pages" in door.text
    assert "the window in which you started the pages" in door.text


def test_what_is_wrong_with_a_field_is_said_of_the_field_in_plain_words(browser: Any) -> None:
    """A form that the script sends gets the line and the name of the field, and goes nowhere."""
    sent = FROM_HERE | {"X-Form": "1"}
    for path, fields, field, said in (
        ("/call/comment", {"start_s": "abc", "kind": "comment"}, "start_s", "Write the time as"),
        (
            "/call/comment",
            {"start_s": "21", "kind": "comment"},
            "start_s",
            "The call lasts 0:20",
        ),
        (
            "/call/comment",
            {"start_s": "1", "kind": "comment", "text": ""},
            "text",
            "Write something",
        ),
        ("/call/review-cue", {"start_s": "3.2", "verdict": "wrong"}, "feeling", "Say what"),
        (
            "/call/review-cue",
            {"start_s": "3.2", "verdict": "wrong", "feeling": "no_cue"},
            "reason",
            "Say why",
        ),
        (
            "/call/review-measure",
            {"name": "dead_air_s", "verdict": "wrong", "reason": "x", "should_be": "much"},
            "should_be",
            "The right value is a number, such as 0.5, not",
        ),
        ("/agent/coach", {"id": "ann", "kind": "goal"}, "due", "A goal needs a day"),
        ("/agent/coach", {"id": "ann", "kind": "goal", "due": "2020-01-01"}, "due", "2020-01-01"),
        ("/agent/coach", {"id": "ann", "kind": "note", "call": "bob-1"}, "call", "bob-1 is none"),
        ("/playlist/add", {"call": "ann-1", "from": "x", "to": "9"}, "from", "Write the time as"),
        ("/playlist/add", {"call": "ann-1", "from": "9", "to": "8"}, "to", "A passage ends after"),
        ("/sample", {"n": "none", "seed": "1"}, "n", "A whole number from 1 to"),
        ("/searches", {"title": "", "query": ""}, "title", "Give it a name first"),
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


def test_no_page_shows_what_is_half_erased(browser: Any, folder: Path) -> None:
    erasing_note(folder / "w.duckdb").write_text(str(folder / "landing"))
    for address in ("/calls", "/call?id=ann-1", "/agent?id=ann", "/call/words?id=ann-1"):
        answer = browser.get(address)
        assert answer.status_code == 409 and "worried" not in answer.text
        assert "any command of warmline finishes it" in answer.text


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
    put(tmp_path, evil, told_apart(percent), without_analysis("broken"))
    with serving(tmp_path) as served:
        browser = served.alone()
        posted = {"id": EVIL, "start_s": "1", "kind": "comment", "text": EVIL}
        assert browser.post("/call/comment", data=posted, headers=FROM_HERE).status_code == 303
        wrong = {
            "id": EVIL,
            "start_s": "3.2",
            "verdict": "wrong",
            "reason": EVIL,
            "feeling": "no_cue",
        }
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


def test_simulated_calls_stand_apart_on_every_page(tmp_path: Path) -> None:
    """A line of a chart that joins real calls and simulated ones would look like a collapse."""
    real = audible(tmp_path, "ann-1")
    answered = cue(1, 3.2, 5.0, "I am worried", answer="affective", answer_turn_index=2)
    played = told_apart(
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
            assert "The real calls are shown, on every page, unless" in shown, path
            others = lead.get(f"{path}&simulated=1").text
            assert "1 of 1" in others and "nobody said any of this" in others, path
        report = lead.get("/report?days=all").text
        assert "1 simulated call of these days is not counted here." in report
        assert "simulated=1&amp;days=all" in report
        others = lead.get("/report?days=all&simulated=1").text
        assert "1 of 1" in others and "nobody said any of this" in others
        calls = lead.get("/calls?days=all&simulated=all").text
        assert "simulated</span>" in calls and "agent?id=ann&amp;simulated=1" in calls
        real = lead.get("/calls?days=all&simulated=0").text
        assert "ann-1" in real and "played-1" not in real
        left = lead.get("/calls?days=all&queue=nowhere").text
        assert "There are 2 calls in all" in left and "days=all&amp;simulated=all" in left
        found = lead.get("/feelings?days=all&simulated=1").text
        assert "No feeling was left unanswered" in found and "real ones only" not in found
        fields = {"id": "ann", "simulated": "1", "kind": "note", "text": "calm"}
        saved = lead.post("/agent/coach", data=fields, headers=FROM_HERE)
        assert saved.headers["location"] == "/agent?id=ann&simulated=1", "where the form stood"
        links = lead.get("/people").text.count("simulated=1")
        assert links == 3, "the team, the agent, and the agent's team"

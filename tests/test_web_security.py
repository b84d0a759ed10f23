"""Who may see what: roles, sessions, forged and borrowed links, other pages, guessing."""

import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from support.pages import (
    BASE,
    COST,
    FROM_HERE,
    PASSWORD,
    RATE_HZ,
    Served,
    log_in,
    publish_calls,
    serving,
    sound_of,
)
from warmline.cli import app as commands
from warmline.errors import QueryError
from warmline.web import accounts
from warmline.web.accounts import COOKIE, LARGEST_BODY_BYTES, Role, local_path
from warmline.web.store import audit, now, sessions, users


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("safe")
    publish_calls(folder)
    return folder


@pytest.fixture
def served(folder: Path) -> Any:
    for left in folder.glob("w.web.sqlite*"):
        left.unlink()
    with serving(folder) as it:
        yield it


ANYBODY = frozenset(Role)
HEARS = ANYBODY - {Role.RESEARCHER}
REVIEWS = frozenset({Role.REVIEWER, Role.LEAD, Role.ADMIN})
LEADS = frozenset({Role.LEAD, Role.ADMIN})
NAMED = HEARS
ALL_CALLS = ANYBODY - {Role.AGENT}
#: Who may use each address; a new one has to be named here.
ROUTES = {
    "GET /": ANYBODY,
    "GET /calls": ANYBODY,
    "GET /call": ANYBODY,
    "GET /call/waveform": HEARS,
    "GET /call/words": ANYBODY,
    "GET /call/sound-link": HEARS,
    "GET /sound/{token}": HEARS,
    "POST /call/review-cue": REVIEWS,
    "POST /call/review-measure": REVIEWS,
    "POST /call/comment": HEARS,
    "POST /call/comment-change": HEARS,
    "POST /call/played": HEARS,
    "GET /call/score": REVIEWS,
    "POST /call/score": REVIEWS,
    "GET /feelings": ANYBODY,
    "GET /calls.csv": LEADS,
    "GET /calls.xlsx": LEADS,
    "GET /scores.csv": LEADS,
    "GET /scores.xlsx": LEADS,
    "GET /evaluation": NAMED,
    "POST /evaluation/answer": LEADS | {Role.AGENT},
    "POST /evaluation/decide": LEADS,
    "GET /form": LEADS,
    "POST /form": LEADS,
    "GET /work": ANYBODY,
    "POST /sample": REVIEWS,
    "POST /done": REVIEWS,
    "POST /searches": ANYBODY,
    "GET /playlist": REVIEWS,
    "POST /playlist/add": REVIEWS,
    "POST /playlist/drop": REVIEWS,
    "GET /calibrations": REVIEWS,
    "GET /calibration": REVIEWS,
    "POST /calibration/begin": LEADS,
    "POST /calibration/close": LEADS,
    "GET /report": ALL_CALLS,
    "GET /report.html": LEADS,
    "POST /agent/coach": LEADS,
    "POST /agent/goal": LEADS,
    "GET /people": ANYBODY,
    "GET /agent": ANYBODY,
    "GET /team": ALL_CALLS,
    "GET /measures": ANYBODY,
    "GET /audit": frozenset({Role.ADMIN}),
    "POST /logout": ANYBODY,
}
DOORS = {"GET /login", "POST /login", "GET /open"}


def asked(client: Any, route: str, **headers: str) -> Any:
    """Use an address with fields that mean nothing: what is refused is refused before them."""
    method, path = route.split(" ")
    path = path.replace("{token}", "x")
    if method == "GET":
        return client.get(path, params={"id": "bob-1"}, headers=headers)
    return client.post(path, data={"id": "bob-1"}, headers=headers)


def test_every_address_is_for_whom_the_table_says(served: Served) -> None:
    there = {
        f"{method} {route.path}"
        for route in served.app.routes
        for method in getattr(route, "methods", None) or {"STATIC"}
        if method != "HEAD"
    }
    assert there - {"STATIC /static"} == ROUTES.keys() | DOORS, "name a new address in ROUTES"
    stranger = served.client()
    others = {role: served.logged_in(role, None, "ann") for role in Role}
    for route, roles in ROUTES.items():
        assert asked(stranger, route, **FROM_HERE).headers["location"].startswith("/login"), route
        if route.startswith("POST"):
            assert asked(others[Role.ADMIN], route, Origin="http://evil.example").status_code == 403
        if route == "POST /logout":
            continue
        for role, client in others.items():
            answer = asked(client, route, **FROM_HERE)
            is_refused = answer.status_code == 403 and "your role" in answer.text.lower()
            assert is_refused == (role not in roles), (route, role, answer.status_code)
            assert answer.status_code < 500, (route, role)
    assert served.site.store.read(sa.select(audit).where(audit.c.user_name == "agent")) == [
        row
        for row in served.site.store.read(sa.select(audit).where(audit.c.user_name == "agent"))
        if row["action"] in ("logged in", "opened agent")
    ], "an agent reached nothing of somebody else's"


def test_an_evaluation_of_somebody_else_is_not_told_from_none(served: Served) -> None:
    reviewer, ann = served.logged_in(Role.REVIEWER), served.logged_in(Role.AGENT, "ann", "ann")
    form = {"form": "conversation", "greeted": "yes"}
    reviewer.post("/call/score", data=form | {"id": "bob-1", "save": "draft"}, headers=FROM_HERE)
    reviewer.post("/call/score", data=form | {"id": "ann-1", "save": "draft"}, headers=FROM_HERE)
    refused = [ann.get("/evaluation", params={"id": n}) for n in ("1", "2", "3", "x", "9" * 30)]
    assert {answer.status_code for answer in refused} == {404}
    assert len({answer.text for answer in refused}) == 1
    assert reviewer.get("/evaluation?id=1").status_code == 200, "the own draft"
    assert served.logged_in(Role.LEAD).get("/evaluation?id=1").status_code == 404
    appeal = {"id": "1", "step": "appealed", "text": "no"}
    assert ann.post("/evaluation/answer", data=appeal, headers=FROM_HERE).status_code == 404


PAGES = ("/calls", "/call?id=ann-1", "/people", "/agent?id=ann", "/measures", "/audit")


@pytest.mark.parametrize("page", [*PAGES, "/call/words?id=ann-1", "/call/waveform?id=ann-1"])
def test_nobody_sees_a_page_without_a_session(served: Served, page: str) -> None:
    answer = served.client().get(page)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/login")
    forged = served.client()
    forged.cookies.set(COOKIE, "x" * 43)
    assert forged.get(page).status_code == 303


def test_the_one_time_link_opens_once_and_not_when_there_are_users(served: Served) -> None:
    link = served.site.accounts.new_link()
    first, second = served.client(), served.client()
    assert first.get("/open", params={"key": link}).status_code == 303
    assert first.get("/calls").status_code == 200
    assert second.get("/open", params={"key": link}).status_code == 403
    assert second.get("/open", params={"key": ""}).status_code == 403
    served.site.accounts.add("lea", Role.LEAD, PASSWORD)
    assert first.get("/calls").status_code == 303, "with users everybody logs in"
    another = served.site.accounts.new_link()
    assert second.get("/open", params={"key": another}).status_code == 403


def test_the_cookie_is_of_this_server_alone_and_new_for_every_login(served: Served) -> None:
    served.site.accounts.add("lea", Role.LEAD, PASSWORD)
    client = served.client()
    client.cookies.set(COOKIE, "planted-by-somebody-else")
    answer = log_in(client, "lea", PASSWORD)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=lax" in cookie.lower() and "planted" not in cookie
    token = cookie.split("=", 1)[1].split(";")[0]
    assert len(token) > 40
    stored = served.site.store.read(sa.select(sessions))
    assert all(token not in str(row) for row in stored), "the file lets nobody in"
    again = log_in(served.client(), "lea", PASSWORD).headers["set-cookie"]
    assert token not in again


def test_a_session_ends_by_itself_and_by_logging_out(served: Served) -> None:
    browser = served.logged_in(Role.LEAD)
    assert browser.get("/calls").status_code == 200
    old = sessions.update().values(seen_at=now() - timedelta(hours=13))
    served.site.store.write(old)
    assert browser.get("/calls").status_code == 303
    browser = served.logged_in(Role.LEAD)
    token = browser.cookies[COOKIE]
    assert browser.post("/logout", data={"x": "1"}, headers=FROM_HERE).status_code == 303
    thief = served.client()
    thief.cookies.set(COOKIE, token)
    assert thief.get("/calls").status_code == 303
    served.logged_in(Role.LEAD)
    served.site.accounts.remove("lead")
    assert not served.site.store.read(sa.select(sessions).where(sessions.c.user_name == "lead"))


def test_guessing_a_password_is_slowed_down_for_that_name_and_that_address(served: Served) -> None:
    served.site.accounts.add("lea", Role.LEAD, PASSWORD)
    client = served.client()
    for _ in range(5):
        assert log_in(client, "lea", "wrong password").status_code == 403
    assert log_in(client, "lea", PASSWORD).status_code == 429, "even the right one, now"
    for i in range(15):
        log_in(client, f"guess-{i}", "wrong password")
    assert log_in(client, "another", "wrong password").status_code == 429
    noted = served.site.store.read(sa.select(audit).where(audit.c.action == "login refused"))
    assert len(noted) == 22


def test_a_password_costs_32_mb_to_try(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_N", COST)
    served.logged_in(Role.LEAD, "lea")
    (kept,) = served.site.store.read(sa.select(users.c.password_hash))
    assert kept["password_hash"].startswith("scrypt$32768$8$1$")  # 128 bytes * 32768 * 8


def test_a_wrong_name_and_a_wrong_password_are_told_alike(served: Served) -> None:
    served.site.accounts.add("lea", Role.LEAD, PASSWORD)
    known = log_in(served.client(), "lea", "wrong password").text
    unknown = log_in(served.client(), "leo", "wrong password").text
    assert unknown.replace('value="leo"', 'value="lea"') == known, "but for the name, which stays"


def test_an_agent_sees_own_calls_and_cannot_tell_which_others_there_are(served: Served) -> None:
    ann = served.logged_in(Role.AGENT, "ann", "ann")
    assert ann.get("/call?id=ann-1").status_code == 200
    listed = ann.get("/calls?days=all").text
    assert "ann-1" in listed and "bob" not in listed
    others = [ann.get(f"/call?id={name}") for name in ("bob-1", "nobody-1", "bob", "")]
    assert {answer.status_code for answer in others} == {404}
    assert len({answer.text for answer in others}) == 1, "no page tells more than another"
    for path in ("/call/words", "/call/waveform", "/call/sound-link"):
        assert ann.get(path, params={"id": "bob-1"}).status_code == 404
    assert "bob-1" not in ann.get("/calls?days=all&phrase=worried").text
    assert "bob-1" not in ann.get("/calls?days=all&agent=bob").text
    assert ann.get("/agent?id=bob").status_code == 404
    assert ann.get("/agent?id=ann").status_code == 200
    assert ann.get("/team?id=red").status_code == 403
    assert ann.get("/people").headers["location"] == "/agent?id=ann"
    post = {"headers": FROM_HERE}
    remark = {"id": "bob-1", "start_s": "1", "kind": "comment", "text": "x"}
    assert ann.post("/call/comment", data=remark, **post).status_code == 404
    judged = {"id": "ann-1", "start_s": "3.2", "verdict": "right"}
    assert ann.post("/call/review-cue", data=judged, **post).status_code == 403
    assert ann.get("/call/score?id=ann-1&form=conversation").status_code == 403
    assert ann.get("/audit").status_code == 403 and ann.get("/scores.csv").status_code == 403


def test_a_researcher_hears_nothing_and_reads_pseudonyms(served: Served) -> None:
    reader = served.logged_in(Role.RESEARCHER)
    page = reader.get("/call?id=ann-1")
    assert page.status_code == 200 and "may not hear calls" in page.text
    assert "recordings" not in page.text, "not even where it lies"
    for path in ("/call/waveform?id=ann-1", "/call/sound-link?id=ann-1"):
        assert reader.get(path).status_code == 403
    for address in (
        "/calls?days=all",
        "/people",
        "/call?id=bob-1",
        "/calls?days=all&phrase=worried",
    ):
        text = reader.get(address).text
        assert "agent ann" not in text and ">ann<" not in text and ">bob<" not in text, address
        assert "customer c1" not in text
    name = served.site.pseudonym("ann")
    assert name != "ann" and name == served.site.pseudonym("ann") != served.site.pseudonym("bob")
    assert reader.get(f"/agent?id={name}").status_code == 200
    assert reader.get("/agent?id=ann").status_code == 404
    assert "ann-1" in reader.get(f"/calls?days=all&agent={name}").text
    for address in ("/call?id=broken", "/calls?days=all&measure=not-analyzed"):
        text = reader.get(address).text
        assert "as it may name the file" in text and ".wav" not in text
    lead = served.logged_in(Role.LEAD)
    with served.site.warehouse.reading() as rows:
        path = rows.value("SELECT path FROM calls WHERE call_id = 'ann-1'")
    assert lead.get("/call", params={"id": path}).status_code == 200
    assert reader.get("/call", params={"id": path}).status_code == 404, "no path can be tried out"


def test_what_was_redacted_is_a_tone_for_those_who_may_not_hear_it(served: Served) -> None:
    def between(client: Any) -> Any:
        raw = client.get(sound_of(client, "ann-1")).content
        return np.frombuffer(raw[44:], "<i2").reshape(-1, 2).T[:, 6 * RATE_HZ : 7 * RATE_HZ]

    reviewer, lead = served.logged_in(Role.REVIEWER), served.logged_in(Role.LEAD)
    hidden, clear = between(reviewer), between(lead)
    assert np.abs(np.fft.rfft(hidden[0])).argmax() == 1000, "a tone of 1 kHz"
    assert np.abs(np.fft.rfft(clear[0])).argmax() == 300
    heard = served.site.store.read(sa.select(audit).where(audit.c.action == "heard"))
    assert {row["user_name"] for row in heard} == {"reviewer", "lead"}


def test_a_link_to_sound_is_of_its_session_and_call_and_cannot_be_forged(served: Served) -> None:
    reviewer, lead = served.logged_in(Role.REVIEWER), served.logged_in(Role.LEAD)
    link = sound_of(reviewer, "ann-1")
    assert reviewer.get(link).status_code == 200
    assert lead.get(link).status_code == 403, "somebody else's"
    assert served.client().get(link).status_code == 303
    head, _, tail = link.rpartition(".")
    assert reviewer.get(f"{head}.{tail[:-2]}xx").status_code == 403
    for path in ("/sound/x", "/sound/..%2f..%2fetc%2fpasswd", "/sound/a.b.c"):
        assert reviewer.get(path).status_code in (403, 404)


def test_pages_travel_compressed_and_sound_as_it_is(served: Served) -> None:
    """A seek in compressed sound would have no bytes to count."""
    browser = served.logged_in(Role.REVIEWER)
    page = browser.get("/call", params={"id": "ann-1"})
    assert page.headers["content-encoding"] == "gzip" and "<html" in page.text
    sound = browser.get(sound_of(browser, "ann-1"))
    assert "content-encoding" not in sound.headers
    assert len(sound.content) == int(sound.headers["content-length"])


def test_a_link_to_sound_lasts_a_quarter_of_an_hour(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    import itsdangerous.timed

    lead = served.logged_in(Role.LEAD)
    link = sound_of(lead, "ann-1")
    late = int(itsdangerous.timed.time.time()) + 901
    monkeypatch.setattr(itsdangerous.timed.TimestampSigner, "get_timestamp", lambda _: late)
    assert lead.get(link).status_code == 403


def test_an_agent_who_is_moved_cannot_go_on_with_an_old_link(served: Served) -> None:
    ann = served.logged_in(Role.AGENT, "ann", "ann")
    token = served.site.signer.sign(
        "bob-1", served.site.accounts.session(ann.cookies[COOKIE]).digest
    )
    assert ann.get(f"/sound/{token}").status_code == 404, "a right signature is not enough"


@pytest.mark.parametrize(
    "header", ["bytes=0-1,5-9", "bytes=99999999999999999999-", "bytes=9-1", "bytes=--1", "x" * 500]
)
def test_ranges_that_ask_for_too_much_are_refused(served: Served, header: str) -> None:
    lead = served.logged_in(Role.LEAD)
    answer = lead.get(sound_of(lead, "ann-1"), headers={"Range": header})
    assert answer.status_code == 416 and len(answer.text.splitlines()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
        {"Origin": BASE, "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://127.0.0.1:9999"},
    ],
)
def test_an_action_from_another_page_is_refused(served: Served, headers: dict[str, str]) -> None:
    lead = served.logged_in(Role.LEAD)
    fields = {"id": "ann-1", "start_s": "1", "kind": "comment", "text": "x"}
    answer = lead.post("/call/comment", data=fields, headers=headers)
    assert answer.status_code == 403 and len(answer.text.splitlines()) == 1
    assert lead.post("/call/comment", data=fields, headers=FROM_HERE).status_code == 303


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8750", "127.0.0.1.evil.example", ""]
)
def test_another_name_of_the_server_is_refused(served: Served, host: str) -> None:
    lead = served.logged_in(Role.LEAD)
    answer = lead.get("/calls", headers={"Host": host})
    assert answer.status_code == 400 and "not called by that name" in answer.text


def test_a_day_or_a_key_that_lies_too_far_out_is_refused_in_a_line(served: Served) -> None:
    lead = served.logged_in(Role.LEAD)
    days = ({"to": "9999-12-31"}, {"from": "0001-01-01", "to": "9999-12-31"}, {"to": "0001-01-01"})
    for path in ("/calls", "/report", "/report.html"):
        for asked_for in days:
            answer = lead.get(path, params=asked_for)
            assert answer.status_code == 422 and "A day from 1900-01-01" in answer.text, path
        assert lead.get(path, params={"from": "1900-01-01", "to": "2200-12-31"}).status_code in (
            200,
            422,
        ), "calls of two agents are no report"
    assert lead.get("/calls", params={"after": "|" + "9" * 5000}).status_code == 200
    for key in ("9" * 40, "2026-01-01|", "2026-01-01garbage|3", "9999-12-31T99:00|3"):
        answer = lead.get("/calls", params={"after": key})
        assert answer.status_code == 422 and "not the key of a row" in answer.text, key[:40]


def test_what_cannot_be_seen_changes_no_line(served: Served) -> None:
    """NUL ends a text for some who read it; marks of direction must end with the text."""
    lead = served.logged_in(Role.LEAD)
    answer = lead.get("/calls", params={"phrase": "worried\0", "days": "all"})
    assert answer.status_code == 200 and "ann-1" in answer.text
    turned = {"clip.1": "3 9 ann-1", "title": "\0fees\u202e", "text": "\u202ewhy\0"}
    made = lead.post("/playlist/add", data=turned, headers=FROM_HERE)
    page = lead.get(made.headers["location"]).text
    assert "\0" not in page and '<span class="said">\u202ewhy</span>' in page
    css = lead.get("/static/warmline.css").text
    assert ".said, .plain a { unicode-bidi: isolate; }" in css


def test_words_that_look_like_sealed_ones_lock_nobody_out(served: Served) -> None:
    """Without a key a text is kept as it is: it must not be taken for one that was encrypted."""
    reviewer, ann = served.logged_in(Role.REVIEWER), served.logged_in(Role.AGENT, "ann", "ann")
    said = ["sealed:1:AAAA", "sealed:1:" + "A" * 60, "sealed:1:ü", "clear:1:sealed:1:AAAA"]
    for text in said:
        remark = {"id": "ann-1", "start_s": "1", "kind": "comment", "text": text}
        assert ann.post("/call/comment", data=remark, headers=FROM_HERE).status_code == 303
        clip = {"clip.1": "3 9 ann-1", "title": text}
        assert reviewer.post("/playlist/add", data=clip, headers=FROM_HERE).status_code == 303
    page = reviewer.get("/call?id=ann-1")
    assert page.status_code == 200 and all(f">{text}<" in page.text for text in said)
    assert all(f">{text}<" in reviewer.get("/work").text for text in said)


def test_every_answer_forbids_foreign_code(served: Served) -> None:
    lead = served.logged_in(Role.LEAD)
    addresses = ["/calls", "/call?id=ann-1", "/nope", "/static/warmline.js", "/login", "/static/x"]
    answers = [lead.get(address) for address in addresses]
    answers += [served.client().get("/calls"), lead.get("/calls", headers={"Host": "x"})]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self';") and "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "server" not in answer.headers
    for address in ("/calls", "/call?id=ann-1", "/login"):
        text = lead.get(address).text
        assert " style=" not in text and "onclick" not in text and "<style" not in text
        assert text.count("<script") == text.count('<script src="/static/')
        assert "http://" not in text.replace("http://www.w3.org", "") and "https://" not in text


def test_nothing_of_a_call_is_kept_by_the_browser(served: Served) -> None:
    lead = served.logged_in(Role.LEAD)
    for address in ("/call?id=ann-1", "/call/words?id=ann-1", sound_of(lead, "ann-1"), "/calls"):
        assert lead.get(address).headers["cache-control"] == "no-store"
    assert lead.get("/static/warmline.css").headers["cache-control"] == "no-cache"


def test_odd_methods_and_large_bodies_are_refused(served: Served) -> None:
    lead = served.logged_in(Role.LEAD)
    assert lead.request("DELETE", "/call?id=ann-1", headers=FROM_HERE).status_code == 405
    assert lead.request("OPTIONS", "/calls").status_code == 405
    huge = {"id": "ann-1", "text": "x" * LARGEST_BODY_BYTES}
    assert lead.post("/call/comment", data=huge, headers=FROM_HERE).status_code == 413


def test_files_beside_the_static_ones_are_out_of_reach(served: Served) -> None:
    lead = served.logged_in(Role.LEAD)
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fapp.py"):
        assert lead.get(path).status_code == 404


@pytest.mark.parametrize(
    "goal", ["//evil.example", "https://evil.example", "/\\evil.example", "", "evil", "/a\r\nb: c"]
)
def test_logging_in_leads_to_a_page_of_this_server(served: Served, goal: str) -> None:
    assert local_path(goal) == "/"
    served.site.accounts.add("lea", Role.LEAD, PASSWORD)
    assert log_in(served.client(), "lea", PASSWORD, next=goal).headers["location"] == "/"


def test_a_deep_link_survives_logging_in(served: Served) -> None:
    served.site.accounts.add("lea", Role.LEAD, PASSWORD)
    client = served.client()
    door = client.get("/call?id=ann-1").headers["location"]
    assert 'value="/call?id=ann-1"' in client.get(door).text
    answer = log_in(client, "lea", PASSWORD, next="/call?id=ann-1")
    assert answer.headers["location"] == "/call?id=ann-1"


def test_who_looked_is_noted_without_words(served: Served, folder: Path) -> None:
    lead = served.logged_in(Role.LEAD)
    lead.get("/call?id=ann-1")
    played = {"id": "ann-1", "seconds": "12.5"}
    assert lead.post("/call/played", data=played, headers=FROM_HERE).status_code == 204
    rows = served.site.store.read(sa.select(audit).order_by(audit.c.audit_id))
    assert [(row["action"], row["seconds"]) for row in rows[-2:]] == [
        ("opened", None),
        ("played", 12.5),
    ]
    assert all("worried" not in str(row) for row in rows)
    assert '"command": "serve"' in (folder / "w.access.jsonl").read_text()


def test_users_are_made_by_a_command_and_weak_ones_refused(folder: Path, tmp_path: Path) -> None:
    for left in folder.glob("w.web.sqlite*"):
        left.unlink()
    at = ("--warehouse", str(folder / "w.duckdb"))
    secret = tmp_path / "password"

    def shell(password: str, *words: str) -> Any:
        secret.write_text(f"{password}\n")
        file = ("--password-file", str(secret)) if words[0] == "add" else ()
        return CliRunner().invoke(commands, ["serve", "user", *words, *file, *at])

    assert shell("short", "add", "kim", "--role", "reviewer").exit_code == 1
    assert (
        "kim may log in as reviewer" in shell(PASSWORD, "add", "kim", "--role", "reviewer").output
    )
    assert "already" in shell(PASSWORD, "add", "kim", "--role", "lead").output
    assert "--agent ID" in shell(PASSWORD, "add", "bo", "--role", "agent").output
    assert shell(PASSWORD, "add", "bo", "--role", "boss").exit_code == 2
    assert shell("", "list").output == "kim  reviewer\n"
    with serving(folder) as served:
        assert log_in(served.client(), "kim", PASSWORD).status_code == 303
        with pytest.raises(QueryError, match="visible characters"):
            served.site.accounts.add(" kim", Role.LEAD, PASSWORD)
    assert "users: kim" in shell("", "remove", "bo").output
    assert shell("", "remove", "kim").exit_code == 0


def test_a_port_that_is_taken_is_one_line(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        at = ("--warehouse", str(folder / "w.duckdb"), "--port", port)
        refused = CliRunner().invoke(commands, ["serve", *at])
    assert refused.exit_code == 1 and len(refused.output.splitlines()) == 1
    assert f"cannot listen at 127.0.0.1 port {port}" in refused.output


def test_what_is_not_installed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    refused = CliRunner().invoke(commands, ["serve", "--warehouse", str(folder / "w.duckdb")])
    assert refused.exit_code == 1
    assert "no jinja2 here; pip install 'warmline[web]'" in refused.output


def test_stopping_the_server_is_no_fault(folder: Path) -> None:
    for left in folder.glob("w.web.sqlite*"):
        left.unlink()
    command = [sys.executable, "-m", "warmline", "serve", "--port", "0", "--warehouse"]
    with subprocess.Popen(
        [*command, str(folder / "w.duckdb")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None and server.stderr is not None
        link = server.stdout.readline().split()[-1]
        try:
            with httpx.Client(trust_env=False) as client:
                assert client.get(link).status_code == 303
        finally:
            server.send_signal(signal.SIGINT)
        assert server.stderr.read() == ""
    assert server.returncode == 0


def test_others_are_let_in_only_where_there_are_users(folder: Path) -> None:
    for left in folder.glob("w.web.sqlite*"):
        left.unlink()
    at = ("--warehouse", str(folder / "w.duckdb"))
    refused = CliRunner().invoke(commands, ["serve", "--host", "0.0.0.0", *at])
    assert refused.exit_code == 1
    assert "there are no users" in refused.output and len(refused.output.splitlines()) == 1
    missing = CliRunner().invoke(commands, ["serve", "--warehouse", str(folder / "no.duckdb")])
    assert missing.exit_code == 1 and "no warehouse here" in missing.output

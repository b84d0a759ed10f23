"""Logging in by an identity provider: a real one on loopback, that signs real tokens."""

import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from typer.testing import CliRunner

from support.browsing import Visitor, needs_chromium
from support.identity import (
    CLIENT_ID,
    SECRET,
    IdentityProvider,
    identity_provider,
    new_key,
    signed,
)
from support.pages import BASE, FROM_HERE, PASSWORD, Served, log_in, publish_calls
from warmline.cli import app as commands
from warmline.errors import SettingsError, WarehouseError
from warmline.settings import Settings, load_settings, settings_toml
from warmline.web.accounts import COOKIE, HEADERS, Person, Role
from warmline.web.app import create_app, create_site
from warmline.web.oidc import PENDING_COOKIE, provider_of
from warmline.web.store import audit, open_store, sessions, store_path, users


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("login")
    publish_calls(folder)
    return folder


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProvider]:
    with identity_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: IdentityProvider, monkeypatch: pytest.MonkeyPatch) -> IdentityProvider:
    fresh = IdentityProvider(key=running.key)  # to make one takes longer than most of these tests
    for name in ("sign", "tamper", "metadata"):
        setattr(running, name, getattr(fresh, name))
    running.claims = {"sub": "s-1", "preferred_username": "kim", "groups": ["staff", "qa"]}
    running.token_requests.clear()
    monkeypatch.setenv("PAGES_SECRET", SECRET)
    return running


Serve = Callable[..., Served]


@pytest.fixture
def serve(folder: Path, provider: IdentityProvider) -> Iterator[Serve]:
    """Serve the pages with these keys of the section `login`."""
    for left in folder.glob("w.web.sqlite*"):
        left.unlink()
    sites = []

    def serving(**keys: Any) -> Served:
        sites.append(create_site(settings(provider, **keys), warehouse, open_store(at)))
        app = create_app(sites[-1], frozenset({"127.0.0.1", "qa.example.org"}))
        return Served(sites[-1], app)

    warehouse, at = folder / "w.duckdb", store_path(folder / "w.duckdb")
    yield serving
    for site in sites:
        site.warehouse.close()
        site.store.close()


def settings(provider: IdentityProvider, **keys: Any) -> Settings:
    login = {
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret_env": "PAGES_SECRET",
        **keys,
    }
    return Settings.model_validate({"login": login})


def begun(client: TestClient, goal: str = "/measures") -> str:
    """Begin a login, and return the path and query that the provider sends the browser back to."""
    first = client.get("/login/provider", params={"next": goal})
    assert first.status_code == 303, first.text
    with httpx.Client(trust_env=False) as browser:
        back = browser.get(first.headers["location"]).headers["location"]
    parts = urlsplit(back)
    assert back.startswith(f"{BASE}/login/callback?"), back
    return f"{parts.path}?{parts.query}"


def refused(answer: Any) -> str:
    """The one line that says why somebody was not let in."""
    assert answer.status_code == 403, answer.text
    assert COOKIE not in answer.headers.get("set-cookie", "")
    (line,) = re.findall(r'<p class="problem" role="alert">([^<]*)</p>', answer.text)
    return str(line)


def users_of(served: Served) -> list[dict[str, Any]]:
    return served.site.store.read(sa.select(users).order_by(users.c.name))


def test_somebody_whose_claim_gives_a_role_is_let_in_and_known_by_issuer_and_subject(
    serve: Serve, provider: IdentityProvider
) -> None:
    served = serve(role_claim="groups", roles=[{"value": "qa", "role": "reviewer"}])
    client = served.client()
    answer = client.get(begun(client))
    assert answer.status_code == 303 and answer.headers["location"] == "/measures"
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(COOKIE))
    assert "HttpOnly" in cookie and "samesite=lax" in cookie.lower()
    assert client.get("/calls").status_code == 200
    assert PENDING_COOKIE not in client.cookies
    (row,) = users_of(served)
    assert (row["name"], row["role"], row["password_hash"]) == ("kim", "reviewer", "")
    assert (row["issuer"], row["subject"]) == (provider.issuer, "s-1")
    (sent,) = provider.token_requests
    assert len(sent["code_verifier"]) >= 43 and SECRET not in str(sent)
    noted = served.site.store.read(sa.select(audit))
    assert ("kim", "logged in") in [(row["user_name"], row["action"]) for row in noted]
    assert SECRET not in repr(served.site.provider)


def test_the_provider_says_the_role_anew_at_every_login_and_may_take_it_away(
    serve: Serve, provider: IdentityProvider
) -> None:
    served = serve(role_claim="role", agent_claim="extension")
    provider.claims |= {"role": ["reviewer", "lead"], "preferred_username": "kim"}
    client = served.client()
    assert client.get(begun(client)).status_code == 303
    assert users_of(served)[0]["role"] == "lead", "of several the one that may most"
    provider.claims |= {"role": "agent", "extension": "ann", "preferred_username": "renamed"}
    assert client.get(begun(client)).status_code == 303
    (row,) = users_of(served)
    assert (row["name"], row["role"], row["agent_id"]) == ("kim", "agent", "ann")
    assert client.get("/call?id=bob-1").status_code == 404
    provider.claims["role"] = "nothing that counts"
    other = served.client()
    assert "no role that counts here" in refused(other.get(begun(other)))
    assert client.get("/calls").status_code == 303, "open sessions end with the role"
    provider.claims = {"sub": "s-2", "preferred_username": "bo", "role": "agent"}
    assert "own calls" in refused(other.get(begun(other))), "an agent without calls of their own"
    assert len(users_of(served)) == 1


def test_a_stranger_is_refused_in_one_line_unless_a_setting_says_which_role_they_get(
    serve: Serve, provider: IdentityProvider
) -> None:
    served = serve()
    client = served.client()
    line = refused(client.get(begun(client)))
    assert "no role here" in line and "--subject s-1" in line
    assert not users_of(served) and not served.site.store.read(sa.select(sessions))
    served = serve(unknown_role="researcher")
    client = served.client()
    assert client.get(begun(client)).status_code == 303
    assert [row["role"] for row in users_of(served)] == ["researcher"]


def test_the_name_of_somebody_else_is_not_given_to_a_stranger(
    serve: Serve, provider: IdentityProvider
) -> None:
    served = serve(unknown_role="admin")
    served.site.accounts.add("kim", Role.AGENT, PASSWORD, "ann")
    client = served.client()
    assert "a user &#39;kim&#39; already" in refused(client.get(begun(client)))
    assert users_of(served)[0]["role"] == "agent"
    provider.claims["preferred_username"] = " "
    assert "what you are called" in refused(client.get(begun(client)))


def test_a_user_of_the_provider_has_no_password_and_a_user_with_one_still_logs_in(
    serve: Serve,
) -> None:
    served = serve()
    accounts = served.site.accounts
    accounts.add_person(Person(served.site.provider.settings.issuer, "s-1", "kim", Role.LEAD))
    accounts.add("ada", Role.ADMIN, PASSWORD)
    for guess in ("", PASSWORD):
        assert log_in(served.client(), "kim", guess).status_code == 403
    assert log_in(served.client(), "ada", PASSWORD).status_code == 303
    client = served.client()
    assert client.get(begun(client)).status_code == 303
    assert "kim, lead" in client.get("/measures").text


def forged_by_none(claims: dict[str, Any], _: Any) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts), ""])


def forged_by_public_key(claims: dict[str, Any], key: Any) -> str:
    """Sign with what everybody knows, taken for a secret: HS256 by the text of the public key."""
    import hmac

    header = {"alg": "HS256", "kid": key.kid}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (header, claims)
    ]
    mac = hmac.digest(key.as_pem(private=False), b".".join(parts), "sha256")
    return b".".join([*parts, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def by_another_key(claims: dict[str, Any], key: Any) -> str:
    other = new_key()
    forged = type(key).import_key(other.as_dict(private=True) | {"kid": key.kid})
    return signed(claims, forged)


CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "of another issuer": ({"iss": "https://evil.example"}, "iss"),
    "for another client": ({"aud": "another"}, "aud"),
    "for another client, by way of this one": ({"aud": ["another"], "azp": CLIENT_ID}, "aud"),
    "for two, of which the other asked": ({"aud": [CLIENT_ID, "b"], "azp": "b"}, "azp"),
    "expired": ({"iat": 1_600_000_000, "exp": 1_600_000_300}, "expired"),
    "of another login": ({"nonce": "of-another-login"}, "nonce"),
    "issued tomorrow": ({"iat": int(time.time()) + 86_400}, "iat|issued"),
    "of nobody": ({"sub": ""}, "sub"),
    "of no text": ({"sub": ["s-1"]}, "sub"),
}


@pytest.mark.parametrize("what", CLAIMS)
def test_a_token_whose_claims_are_wrong_lets_nobody_in(
    serve: Serve, provider: IdentityProvider, what: str
) -> None:
    wrong, named = CLAIMS[what]
    served = serve(unknown_role="admin")
    provider.tamper = lambda claims: claims.update(wrong)
    client = served.client()
    assert re.search(named, refused(client.get(begun(client))))
    assert not users_of(served)
    provider.tamper = lambda claims: None
    assert client.get(begun(client)).status_code == 303, "nothing is spoiled for the next login"


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "nonce", "sub"])
def test_a_token_that_lacks_a_claim_lets_nobody_in(
    serve: Serve, provider: IdentityProvider, claim: str
) -> None:
    served = serve(unknown_role="admin")
    provider.tamper = lambda claims: claims.pop(claim)
    client = served.client()
    assert claim in refused(client.get(begun(client)))
    assert not users_of(served)


@pytest.mark.parametrize("sign", [forged_by_none, forged_by_public_key, by_another_key])
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(
    serve: Serve, provider: IdentityProvider, sign: Any
) -> None:
    served = serve(unknown_role="admin")
    provider.sign = sign
    client = served.client()
    line = refused(client.get(begun(client)))
    assert re.search("is refused: (unsupported_algorithm|bad_signature)", line)
    assert not users_of(served)


def test_a_login_counts_once_and_in_the_browser_that_began_it(serve: Serve) -> None:
    served = serve(unknown_role="lead")
    client, thief = served.client(), served.client()
    back = begun(client)
    kept = client.cookies[PENDING_COOKIE]
    assert "not begun here" in refused(thief.get(back)), "somebody else's link to log in as them"
    begun(thief)
    assert "state" in refused(thief.get(back)), "with a login of their own under way"
    assert client.get(back).status_code == 303
    client.cookies.set(PENDING_COOKIE, kept, path="/login")
    assert "used already" in refused(client.get(back))
    assert "not begun here" in refused(served.client().get("/login/callback?code=x&state="))
    forged = served.client()
    forged.cookies.set(PENDING_COOKIE, "x" * 100, path="/login")
    assert "not begun here" in refused(forged.get(back))


def test_a_login_that_was_left_alone_is_too_old(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(unknown_role="lead")
    client = served.client()
    back = begun(client)
    later = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: later)
    assert "too old" in refused(client.get(back))


def test_the_session_is_a_new_one_and_the_old_one_ends(serve: Serve) -> None:
    served = serve(unknown_role="lead")
    served.site.accounts.add("ada", Role.ADMIN, PASSWORD)
    client, thief = served.client(), served.client()
    log_in(client, "ada", PASSWORD)
    before = client.cookies[COOKIE]
    assert client.get(begun(client)).status_code == 303
    assert client.cookies[COOKIE] != before
    thief.cookies.set(COOKIE, before)
    assert thief.get("/calls").status_code == 303, "the session before has ended"
    planted = served.client()
    planted.cookies.set(COOKIE, "planted-by-somebody-else")
    assert planted.get(begun(planted)).status_code == 303
    assert planted.cookies.get(COOKIE, path="/", domain="127.0.0.1") != "planted-by-somebody-else"
    after = client.cookies[COOKIE]
    assert client.post("/logout", data={"x": "1"}, headers=FROM_HERE).status_code == 303
    thief.cookies.set(COOKIE, after)
    assert thief.get("/calls").status_code == 303, "logging out ends the session here"


def test_who_is_refused_often_has_to_wait_and_other_sites_cannot_bring_that_about(
    serve: Serve, provider: IdentityProvider
) -> None:
    served = serve()
    for _ in range(30):
        assert served.client().get("/login/callback?code=x&state=y").status_code == 403
    client = served.client()
    for _ in range(20):
        assert "no role here" in refused(client.get(begun(client)))
    assert client.get("/login/provider").status_code == 429
    served.site.accounts.add("ada", Role.ADMIN, PASSWORD)
    assert log_in(served.client(), "ada", PASSWORD).status_code == 429


def test_what_the_provider_says_of_itself_has_to_fit(
    serve: Serve, provider: IdentityProvider
) -> None:
    served = serve(unknown_role="lead")
    for metadata, named in (
        ({"issuer": "https://evil.example"}, "https://evil.example"),
        ({"token_endpoint": "http://id.example.org/token"}, "token_endpoint"),
        ({"authorization_endpoint": None}, "authorization_endpoint"),
        ({"id_token_signing_alg_values_supported": ["none", "HS256"]}, "signs by nothing"),
    ):
        provider.metadata = metadata
        assert named in refused(served.client().get("/login/provider"))
    provider.metadata = {}
    assert served.client().get("/login/provider").status_code == 303, "it is asked anew"


def test_a_new_key_of_the_provider_is_taken_at_once(
    serve: Serve, provider: IdentityProvider
) -> None:
    served = serve(unknown_role="lead")
    client = served.client()
    assert client.get(begun(client)).status_code == 303
    provider.key = new_key()
    assert client.get(begun(client)).status_code == 303


def test_a_refusal_of_the_provider_and_one_that_is_away_are_one_line_each(
    serve: Serve, provider: IdentityProvider
) -> None:
    served = serve(unknown_role="lead")
    client = served.client()
    state = dict(parse_qsl(urlsplit(begun(client)).query))["state"]
    answer = client.get("/login/callback", params={"error": "access_denied\n<b>", "state": state})
    assert "access_denied &lt;b&gt;" in refused(answer)
    back = begun(client)
    answer = client.get(re.sub("code=[^&]+", "code=another", back))
    assert "invalid_grant" in refused(answer)
    away = serve(unknown_role="lead", issuer="http://127.0.0.1:9")
    assert "127.0.0.1:9 cannot be reached" in refused(away.client().get("/login/provider"))


def test_pages_behind_https_say_so_to_the_provider_and_in_their_cookies(
    serve: Serve, provider: IdentityProvider
) -> None:
    served = serve(unknown_role="lead", address="https://qa.example.org")
    client = TestClient(served.app, base_url="https://qa.example.org", follow_redirects=False)
    first = client.get("/login/provider")
    asked = dict(parse_qsl(urlsplit(first.headers["location"]).query))
    assert asked["redirect_uri"] == "https://qa.example.org/login/callback"
    assert asked["code_challenge_method"] == "S256" and "code_verifier" not in asked
    assert "Secure" in first.headers["set-cookie"] and "Path=/login" in first.headers["set-cookie"]
    policy = first.headers["content-security-policy"]
    assert policy == HEADERS["Content-Security-Policy"] and "form-action 'self'" in policy


def test_where_to_go_after_logging_in_is_a_path_of_these_pages(serve: Serve) -> None:
    client = serve(unknown_role="lead").client()
    for goal in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        assert client.get(begun(client, goal)).headers["location"] == "/"
    assert (
        "/login/provider?next=%2Fcalls%3Fdays%3Dall"
        in client.get("/login", params={"next": "/calls?days=all"}).text
    )


def test_without_a_provider_there_is_nothing_of_it(folder: Path) -> None:
    assert provider_of(Settings().login) is None


def test_with_a_provider_nobody_is_let_in_by_the_link(serve: Serve) -> None:
    served = serve(unknown_role="lead")
    link = served.site.accounts.new_link()
    assert served.client().get("/open", params={"key": link}).status_code == 403


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"issuer": "http://id.example.org", "client_id": "x"}, "issuer: an address with https"),
        ({"issuer": "https://id.example.org"}, "client_id"),
        ({"issuer": "https://i.org", "client_id": "x", "address": "ftp://a"}, "address: "),
        ({"issuer": "https://i.org", "client_id": "x", "scopes": "email"}, "openid"),
        ({"unknown_role": "boss"}, "unknown_role"),
    ],
)
def test_settings_that_would_not_be_safe_are_refused_by_name(
    tmp_path: Path, keys: dict[str, str], named: str
) -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
    file = tmp_path / "warmline.toml"
    file.write_text("\n".join(["[login]", *lines]))
    with pytest.raises(SettingsError, match=named) as told:
        load_settings(file)
    assert "\n" not in str(told.value)


def test_the_secret_is_in_a_variable_or_in_a_file_of_its_owner_and_is_never_shown(
    tmp_path: Path, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    keys = {"client_secret_env": "", "client_secret_file": str(file)}
    file.chmod(0o644)
    with pytest.raises(WarehouseError, match="chmod 600"):
        provider_of(settings(provider, **keys).login)
    file.chmod(0o600)
    there = provider_of(settings(provider, **keys).login)
    assert there is not None and there.secret == SECRET and SECRET not in repr(there)
    assert SECRET not in settings_toml(settings(provider, **keys))
    monkeypatch.delenv("PAGES_SECRET")
    with pytest.raises(WarehouseError, match="PAGES_SECRET"):
        provider_of(settings(provider).login)


def test_the_roles_of_the_settings_are_those_of_the_pages() -> None:
    from typing import get_args

    from warmline.settings import PagesRole

    assert get_args(PagesRole) == tuple(Role)


def test_users_of_a_provider_are_added_by_their_subject(
    folder: Path, provider: IdentityProvider, tmp_path: Path
) -> None:
    for left in folder.glob("w.web.sqlite*"):
        left.unlink()
    file = tmp_path / "warmline.toml"
    file.write_text(settings_toml(settings(provider)))
    at = ("--warehouse", str(folder / "w.duckdb"), "--settings", str(file))

    def run(*words: str) -> Any:
        return CliRunner().invoke(commands, ["serve", *words])

    nobody = run(*at)
    assert nobody.exit_code == 1 and "nobody could log in" in nobody.output
    assert len(nobody.output.splitlines()) == 1
    assert "says who logs in" in run("user", "list", *at).output
    add = ("user", "add", "kim", "--role", "lead", "--subject", "s-1")
    assert run(*add, *at).exit_code == 0
    again = run("user", "add", "kim2", "--role", "lead", "--subject", "s-1", *at)
    assert again.exit_code == 1 and "'kim', who may log in already" in again.output
    without = run(*add, "--warehouse", str(folder / "w.duckdb"))
    assert without.exit_code == 2 and "login.issuer" in without.output


@needs_chromium
def test_a_browser_goes_to_the_provider_and_comes_back_logged_in(
    visitor: Visitor, folder: Path, provider: IdentityProvider, tmp_path: Path
) -> None:
    for left in folder.glob("w.web.sqlite*"):
        left.unlink()
    file = tmp_path / "warmline.toml"
    file.write_text(settings_toml(settings(provider, unknown_role="lead")))
    command = [sys.executable, "-m", "warmline", "serve", "--port", "0", "--settings", str(file)]
    problems: list[str] = []
    with subprocess.Popen(
        [*command, "--warehouse", str(folder / "w.duckdb")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"log in: http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        try:
            assert found
            # Another site than the provider's, 127.0.0.1, for cookies and for the policy.
            page = visitor.context.browser.new_page(base_url=f"http://localhost:{found[1]}")
            page.on("console", lambda message: problems.append(message.text))
            page.goto("/measures")
            page.get_by_role("button", name="Log in with the account of your organisation").click()
            page.wait_for_url("**/measures")
            assert "kim, lead" in page.inner_text("header")
            page.get_by_role("button", name="Log out").click()
            page.wait_for_url("**/login")
            page.goto("/measures")
            assert "/login?next=" in page.url
            page.close()
        finally:
            process.terminate()
    assert problems == []

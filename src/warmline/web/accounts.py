"""Accounts of the pages and what each role may do: users, passwords, sessions, one-time links.

As long as there is no user and no identity provider, whoever started the server is the only one: a
link that it prints opens one session as administrator. Otherwise everybody logs in. Passwords are
kept as scrypt digests, session tokens as SHA-256 digests, so that the file lets nobody in.
"""

import base64
import getpass
import hashlib
import hmac
import secrets
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from urllib.parse import urlsplit

import sqlalchemy as sa
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmline.errors import QueryError, WarmlineError
from warmline.web.store import Row, Store, attempts, erasing_own, now, sessions, users

SHORTEST_PASSWORD = 10
_LONGEST_PASSWORD = 256
_N, _R, _P = 2**15, 8, 1
_IDLE = timedelta(hours=12)
_LONGEST_SESSION = timedelta(days=7)
_WINDOW = timedelta(minutes=15)
_TRIES_PER_NAME, _TRIES_PER_ADDRESS = 5, 20
_TOO_OFTEN = f"tried too often; wait {round(_WINDOW.total_seconds() / 60)} minutes"


class Role(StrEnum):
    """A user's role, from the one who may least to the one who may do everything."""

    AGENT = "agent"
    RESEARCHER = "researcher"
    REVIEWER = "reviewer"
    LEAD = "lead"
    ADMIN = "admin"


class Right(StrEnum):
    """A right that a page or an action asks for."""

    ALL_CALLS = "see calls of every agent"
    NAMES = "see who agents and customers are"
    HEAR = "hear calls"
    HEAR_HIDDEN = "hear what was redacted"
    COMMENT = "comment on calls"
    REVIEW = "judge what the machine says"
    EXPORT = "export evaluations"
    APPEAL = "answer an evaluation"
    LEAD = "lead the quality programme"
    AUDIT = "see who looked at what"


_RIGHTS: dict[Role, frozenset[Right]] = {
    Role.AGENT: frozenset({Right.NAMES, Right.HEAR, Right.COMMENT, Right.APPEAL}),
    Role.RESEARCHER: frozenset({Right.ALL_CALLS}),
    Role.REVIEWER: frozenset(
        {Right.ALL_CALLS, Right.NAMES, Right.HEAR, Right.COMMENT, Right.REVIEW}
    ),
    Role.LEAD: frozenset(Right) - {Right.AUDIT},
    Role.ADMIN: frozenset(Right),
}


class LoginError(WarmlineError):
    """A login that was refused: wrong, or tried too often."""


@dataclass(frozen=True)
class User:
    """Somebody who uses the pages; `agent_id` is whose calls an agent may see.

    `since` is when they were added: what has their name and is older is of somebody before them.
    """

    name: str
    role: Role
    agent_id: str | None = None
    since: datetime | None = None

    def made(self, row: Row) -> bool:
        """Return whether a row of the store, with `user_name` and `at`, is this person's own."""
        return row["user_name"] == self.name and (self.since is None or row["at"] >= self.since)

    def may(self, right: Right) -> bool:
        """Return whether this user's role has the right."""
        return right in _RIGHTS[self.role]


@dataclass(frozen=True)
class Session:
    """Somebody's visit with one browser; `digest` names it and lets nobody in."""

    user: User
    digest: str


@dataclass(frozen=True)
class Person:
    """Somebody who has just proved to an identity provider who they are.

    With `decides`, role and agent's id are the provider's to say, also of a user who is known;
    otherwise they count for a new one only. Without a role, nobody becomes a user.
    """

    issuer: str
    subject: str
    name: str
    role: Role | None = None
    agent_id: str | None = None
    decides: bool = False


@dataclass
class Accounts:
    """The users of a store, and the sessions that they have open."""

    store: Store
    has_provider: bool = False
    _link: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, role: Role, password: str, agent_id: str | None = None) -> None:
        """Add a user. Raises QueryError for a name that is taken, or a password that is short."""
        _require_password(password)
        self._add(name, role, agent_id, password_hash=hashed(password))

    def add_person(self, person: Person) -> None:
        """Add a user who logs in by an identity provider.

        Raises QueryError for a name that is taken, somebody who is there already, or no role.
        """
        if person.role is None:
            raise QueryError(f"{person.name}: no role")
        known = self._row_of(person)
        if known is not None:
            raise QueryError(f"that is {known['name']!r}, who may log in already")
        named = {"issuer": person.issuer, "subject": person.subject}
        self._add(person.name, person.role, person.agent_id, password_hash="", **named)

    def _add(self, name: str, role: Role, agent_id: str | None, **how: str) -> None:
        _require_name(name)
        if role is Role.AGENT and not agent_id:
            raise QueryError(f"{name}: an agent sees own calls; say whose with --agent ID")
        values = {"name": name, "role": role.value, "agent_id": agent_id, "created_at": now()}
        is_taken = sa.select(users.c.name).where(users.c.name == name)
        added = users.insert().values(values | how)
        if not self.store.write_unless(is_taken, *erasing_own(name), added):
            raise QueryError(f"there is a user {name!r} already; remove it first")

    def remove(self, name: str) -> None:
        """Remove a user, with what was theirs alone: sessions, saved searches, drafts, their queue.

        What others read stays, with their name. Raises QueryError when there is none.
        """
        removed, *_ = self.store.write(
            users.delete().where(users.c.name == name), *erasing_own(name)
        )
        if not removed:
            known = ", ".join(user.name for user in self.all_users()) or "none"
            raise QueryError(f"no user is called {name!r}; users: {known}")

    def all_users(self) -> tuple[User, ...]:
        """Return all users in order of name."""
        found = self.store.read(sa.select(users).order_by(users.c.name))
        return tuple(
            User(row["name"], Role(row["role"]), row["agent_id"], row["created_at"])
            for row in found
        )

    def is_single(self) -> bool:
        """Return whether only the one-time link lets somebody in: no users, and no provider."""
        return not self.has_provider and not self.has_users()

    def has_users(self) -> bool:
        """Return whether there are users."""
        return bool(self.store.read(sa.select(users.c.name).limit(1)))

    def new_link(self) -> str:
        """Return the secret of a link that opens one session; one made before is void."""
        with self._lock:
            self._link = secrets.token_urlsafe(32)
            return self._link

    def open_by_link(self, secret: str) -> str:
        """Return the token of a new session. Raises LoginError for a link that is void or used."""
        with self._lock:
            is_right = self._link is not None and hmac.compare_digest(
                self._link.encode(), secret.encode()
            )
            if not is_right or not self.is_single():
                raise LoginError("this link was used already or is none; start the server again")
            self._link = None
        return self._opened(None)

    def log_in(self, name: str, password: str, address: str) -> str:
        """Return the token of a new session.

        Raises LoginError when name or password is wrong, or either was tried too often.
        """
        self._require_few_tries(name, address)
        found = self.store.read(sa.select(users).where(users.c.name == name))
        stored = found[0]["password_hash"] if found else ""
        if not (_matches(password, stored or _of_nobody()) and stored):
            self.note_refused(name, address)
            raise LoginError("name or password is wrong")
        self.store.write(attempts.delete().where(attempts.c.user_name == name))
        return self._opened(name)

    def log_in_person(self, person: Person) -> tuple[str, str]:
        """Return name and token of a new session of somebody who proved who they are.

        Raises LoginError when they are no user and have no role to become one by, when their name
        is somebody else's, or when their provider says that they have no role any more.
        """
        row = self._row_of(person)
        name = person.name if row is None else str(row["name"])
        try:
            if row is None:
                self._add_stranger(person)
            elif person.decides:
                self._take_role(name, person)
        except QueryError as e:
            raise LoginError(str(e).replace("; say whose with --agent ID", "")) from e
        return name, self._opened(name)

    def _add_stranger(self, person: Person) -> None:
        if not person.name:
            raise LoginError("your identity provider does not say what you are called")
        if person.role is None:
            raise LoginError(
                f"you have no role here; who runs these pages can give you one: `warmline serve "
                f"user add {shlex.quote(person.name)} --role ROLE "
                f"--subject {shlex.quote(person.subject)}`"
            )
        try:
            self.add_person(person)
        except sa.exc.IntegrityError as e:  # two browsers of one stranger at once
            raise LoginError("you have just logged in elsewhere; log in again") from e

    def _take_role(self, name: str, person: Person) -> None:
        if person.role is None:
            self.store.write(sessions.delete().where(sessions.c.user_name == name))
            raise LoginError(f"{name}: your identity provider says no role that counts here")
        if person.role is Role.AGENT and not person.agent_id:
            raise QueryError(f"{name}: an agent needs an agent id; none is set")
        changed = {"role": person.role.value, "agent_id": person.agent_id}
        self.store.write(users.update().where(users.c.name == name).values(changed))

    def _row_of(self, person: Person) -> Row | None:
        is_meant = (users.c.issuer == person.issuer) & (users.c.subject == person.subject)
        return next(iter(self.store.read(sa.select(users).where(is_meant))), None)

    def session(self, token: str) -> Session | None:
        """Return the session of a token; None when it is none, or was left alone too long."""
        digest = _digest(token)
        found = self.store.read(sa.select(sessions).where(sessions.c.digest == digest))
        if not found:
            return None
        row, at = found[0], now()
        if at - row["seen_at"] > _IDLE or at - row["created_at"] > _LONGEST_SESSION:
            self.log_out(digest)
            return None
        user = self._user_of(row["user_name"])
        if user is None:
            return None
        if at - row["seen_at"] > timedelta(minutes=1):
            seen = sessions.update().where(sessions.c.digest == digest).values(seen_at=at)
            self.store.write(seen)
        return Session(user, digest)

    def log_out(self, digest: str) -> None:
        """End a session."""
        self.store.write(sessions.delete().where(sessions.c.digest == digest))

    def log_out_token(self, token: str) -> None:
        """End the session of a token, if it is one's."""
        self.log_out(_digest(token))

    def _opened(self, user_name: str | None) -> str:
        token, at = secrets.token_urlsafe(32), now()
        self.store.write(
            sessions.delete().where(sessions.c.seen_at < at - _LONGEST_SESSION),
            sessions.insert().values(
                digest=_digest(token), user_name=user_name, created_at=at, seen_at=at
            ),
        )
        return token

    def _user_of(self, name: str | None) -> User | None:
        if name is None:  # of the one-time link, which counts only as long as there are no users
            return User(getpass.getuser(), Role.ADMIN) if self.is_single() else None
        return next((user for user in self.all_users() if user.name == name), None)

    def _require_few_tries(self, name: str, address: str) -> None:
        if self._tries(attempts.c.user_name == name[:100]) >= _TRIES_PER_NAME:
            raise LoginError(_TOO_OFTEN)
        self.require_few_tries_from(address)

    def require_few_tries_from(self, address: str) -> None:
        """Raise LoginError when too many logins from this address were refused lately."""
        if self._tries(attempts.c.address == address) >= _TRIES_PER_ADDRESS:
            raise LoginError(_TOO_OFTEN)

    def note_refused(self, name: str, address: str) -> None:
        """Count a login that was refused, by a name (empty: none) and from an address."""
        self.store.write(attempts.insert().values(user_name=name[:100], address=address, at=now()))

    def _tries(self, which: sa.ColumnElement[bool]) -> int:
        since = attempts.c.at > now() - _WINDOW
        counted = sa.select(sa.func.count().label("n")).where(since).where(which)
        return int(self.store.read(counted)[0]["n"])


def hashed(password: str) -> str:
    """Return what is kept of a password: its scrypt digest, with salt and costs."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, _N, _R, _P)
    parts = (base64.b64encode(part).decode() for part in (salt, digest))
    return "$".join(("scrypt", str(_N), str(_R), str(_P), *parts))


def _matches(password: str, stored: str) -> bool:
    _, n, r, p, salt, digest = stored.split("$")
    given = password if len(password) <= _LONGEST_PASSWORD else ""
    found = _scrypt(given, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(digest))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=2**27, dklen=32)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _require_name(name: str) -> None:
    if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > 100:
        raise QueryError("a user's name is 1 to 100 visible characters, none of them at its ends")


def _require_password(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise QueryError(f"a password has {SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters")


@cache
def _of_nobody() -> str:
    """Return a hash to compare an unknown name with, so that it takes as long as a known one."""
    return hashed(secrets.token_urlsafe(16))


# Checks on every request, and headers of every answer: hosts, origins, signatures.


COOKIE = "warmline_session"
LARGEST_BODY_BYTES = 200_000
LINK_LASTS_S = 900
_SAFE = {"GET", "HEAD"}
_METHODS = {*_SAFE, "POST"}

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
_PRIVATE, _UNTIL_CHANGED = "no-store", "no-cache"


@dataclass(frozen=True)
class Guard:
    """ASGI middleware: refuses what comes by another name, from another page, or is too large.

    `hosts` are the names that the server is called by, without ports; `say` gives a line in the
    language of an `Accept-Language` header.
    """

    app: ASGIApp
    hosts: frozenset[str]
    say: Callable[[str, str], str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer with the one line that says why not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                is_static = scope["path"].startswith("/static/")
                headers.setdefault("Cache-Control", _UNTIL_CHANGED if is_static else _PRIVATE)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is not None:
            status, why = refusal
            line = self.say(Headers(scope=scope).get("accept-language", ""), why)
            await PlainTextResponse(f"{line}\n", status)(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers)

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if _name_of(host) not in self.hosts:
            return 400, (
                "this server is not called by that name; `warmline serve --allow-host NAME` adds it"
            )
        if method not in _METHODS:
            return 405, f"{method}: not allowed here"
        if method in _SAFE:
            return None
        if not is_from_here(headers, host):
            return 403, "the request does not come from a page of this server"
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LARGEST_BODY_BYTES:
            return 413, f"a form has a length of at most {LARGEST_BODY_BYTES} bytes"
        return None


def is_from_here(headers: Headers, host: str) -> bool:
    """Return whether the browser says that a page of this server sent the request."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return urlsplit(origin).netloc == host and urlsplit(origin).scheme in ("http", "https")


def local_path(text: str | None) -> str:
    """Return where to go after logging in: a path of this server, else its first page."""
    if not text or not text.startswith("/") or text.startswith("//") or "\\" in text:
        return "/"
    return text if text.isprintable() else "/"


@dataclass(frozen=True)
class Signer:
    """Signs links to sound: each is of one call, for one session, and for a quarter of an hour."""

    _signer: URLSafeTimedSerializer = field(
        default_factory=lambda: URLSafeTimedSerializer(secrets.token_bytes(32), salt="sound")
    )

    def sign(self, call_id: str, session: str) -> str:
        """Return what a link to the sound of this call carries."""
        return str(self._signer.dumps([call_id, session]))

    def call_of(self, token: str, session: str) -> str | None:
        """Return the call of a link; None when it is forged, too old, or somebody else's."""
        try:
            call_id, owner = self._signer.loads(token, max_age=LINK_LASTS_S)
        except (BadSignature, ValueError, TypeError):
            return None
        return str(call_id) if secrets.compare_digest(str(owner), session) else None


def _name_of(host: str) -> str:
    """The name in a `Host` header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""

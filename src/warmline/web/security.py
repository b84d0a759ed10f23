"""Checks on every request, and headers of every answer: hosts, origins, signatures.

A page runs no script but the two files that ship with it, and an action counts only when it comes
from a page of this server.
"""

import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

    `hosts` are the names that the server is called by, without ports.
    """

    app: ASGIApp
    hosts: frozenset[str]

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
            await PlainTextResponse(f"{why}\n", status)(scope, receive, send_with_headers)
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

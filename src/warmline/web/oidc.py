"""Logs people in by an identity provider: OpenID Connect, authorization code with PKCE, by Authlib.

Between the two halves of a login the browser carries what was asked in a cookie that only this
process can read, for ten minutes and for one use. Of what the provider answers only the ID token
counts, which has to be signed with one of its keys; its other tokens are thrown away.
"""

import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from cryptography.fernet import Fernet, InvalidToken
from joserfc.errors import JoseError
from starlette.requests import Request

from warmline.errors import WarehouseError
from warmline.settings import LoginSettings, is_safe_address
from warmline.web.accounts import LoginError, Person, Role

CALLBACK = "/login/callback"
PENDING_COOKIE = "warmline_login"
LOGIN_LASTS_S = 600
_LEEWAY_S = 60
_TIMEOUT_S = 10.0
_LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2
#: Signatures that only the provider can make: with none, or one by the secret, others could, too.
_SIGNATURES = frozenset(
    f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)
) | {"EdDSA"}
#: what Authlib, joserfc and httpx2 raise on answers that are none, or are no proof.
_FAULTS = (
    *(AuthlibBaseError, JoseError, httpx2.HTTPError, httpx2.InvalidURL),
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError),
)


@dataclass(frozen=True)
class Pending:
    """A login that has begun: what was asked of the provider, and where it is to lead."""

    state: str
    nonce: str
    code_verifier: str
    redirect_uri: str
    goal: str


@dataclass
class Provider:
    """An identity provider, as the settings name it."""

    settings: LoginSettings
    secret: str = field(repr=False)
    _fernet: Fernet = field(default_factory=lambda: Fernet(Fernet.generate_key()), repr=False)
    _used: dict[bytes, float] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        issuer = self.settings.issuer.rstrip("/")
        how = "client_secret_basic" if self.secret else "none"
        self._client: Any = OAuth().register(
            "provider",
            client_id=self.settings.client_id,
            client_secret=self.secret or None,
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": self.settings.scopes,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": how,
                "timeout": _TIMEOUT_S,
            },
        )

    def redirect_uri(self, request: Request, *, is_secure: bool) -> str:
        """Return where the provider is to send people back to."""
        host = request.headers.get("host", "")  # a name that `Guard` lets through
        here = f"{'https' if is_secure else 'http'}://{host}"
        return (self.settings.address.rstrip("/") or here) + CALLBACK

    async def begin(self, redirect_uri: str, goal: str) -> tuple[str, str]:
        """Return the provider's address to go to, and the cookie of the login that begins.

        Raises LoginError when the provider cannot be reached, or is another one.
        """
        try:
            await self._metadata()
            asked = await self._client.create_authorization_url(redirect_uri)
        except _FAULTS as e:
            raise self._refusal(e) from e
        pending = Pending(
            asked["state"], asked["nonce"], asked["code_verifier"], redirect_uri, goal
        )
        sealed = self._fernet.encrypt(json.dumps(vars(pending)).encode())
        return str(asked["url"]), sealed.decode()

    def pending(self, cookie: str | None, state: str) -> Pending:
        """Return the login that a browser comes back from; it cannot come back from it again.

        Raises LoginError for one that this browser did not begin, that is too old, or was used.
        """
        try:
            opened = self._fernet.decrypt((cookie or "").encode(), ttl=LOGIN_LASTS_S)
        except InvalidToken:
            raise LoginError("this login was not begun here, or is too old; log in again") from None
        pending = Pending(**json.loads(opened))
        if not hmac.compare_digest(pending.state.encode(), state.encode()):
            raise LoginError("this login was not begun in this browser (state); log in again")
        name, at = hashlib.sha256(pending.state.encode()).digest(), time.monotonic()
        with self._lock:
            for old in [one for one, since in self._used.items() if at - since > LOGIN_LASTS_S]:
                del self._used[old]
            if name in self._used:
                raise LoginError("this login was used already; log in again")
            self._used[name] = at
        return pending

    async def finish(self, pending: Pending, answer: Mapping[str, str]) -> Person:
        """Return who logged in, from what the provider sends back with the browser.

        Raises LoginError when it refuses, or when what it says is not proved.
        """
        if error := answer.get("error"):
            raise LoginError(f"your identity provider refused: {_line(error)}")
        try:
            metadata = await self._metadata()
            token = await self._client.fetch_access_token(
                redirect_uri=pending.redirect_uri,
                code=answer.get("code", ""),
                code_verifier=pending.code_verifier,
            )
            claims = await self._client.parse_id_token(
                token,
                nonce=pending.nonce,
                claims_options={
                    "iss": {"essential": True, "value": metadata["issuer"]},
                    "aud": {"essential": True, "value": self.settings.client_id},
                    "nonce": {"essential": True, "value": pending.nonce},
                },
                leeway=_LEEWAY_S,
            )
        except _FAULTS as e:
            self._client.server_metadata.pop("jwks", None)  # its keys may be others by now
            raise self._refusal(e) from e
        if claims is None:
            raise LoginError("your identity provider sent no ID token")
        return self._person(claims)

    async def _metadata(self) -> dict[str, Any]:
        """Return what the provider says of itself, with those signatures alone that count."""
        metadata: dict[str, Any] = await self._client.load_server_metadata()
        signs = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        able = sorted(_SIGNATURES.intersection(signs))
        if problem := self._problem(metadata, able):
            self._client.server_metadata.clear()  # asked again for the next login
            raise ValueError(problem)
        metadata["id_token_signing_alg_values_supported"] = able
        return metadata

    def _problem(self, metadata: Mapping[str, Any], signatures: Sequence[str]) -> str | None:
        if metadata.get("issuer") != self.settings.issuer:
            return f"it calls itself {metadata.get('issuer')}, not {self.settings.issuer}"
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not is_safe_address(str(metadata.get(name) or "")):
                return f"{name} is no address with https"
        return None if signatures else "it signs by nothing that others could not sign by, too"

    def _person(self, claims: Mapping[str, Any]) -> Person:
        said, subject = self.settings, claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
            raise LoginError("your identity provider does not say who you are (sub)")
        agent = claims.get(said.agent_claim) if said.agent_claim else None
        return Person(
            said.issuer,
            subject,
            _text(claims.get(said.name_claim)),
            self._role(claims),
            _text(agent) or None,
            decides=bool(said.role_claim),
        )

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        """The role that claims give, of several the one that may most; else that of strangers."""
        said = claims.get(self.settings.role_claim) if self.settings.role_claim else None
        values = said if isinstance(said, list) else [said]
        means: dict[str, Role] = {one.value: Role(one.role) for one in self.settings.roles}
        means = means or {str(role): role for role in Role}
        given = {means[value] for value in values if isinstance(value, str) and value in means}
        strongest = [role for role in Role if role in given][-1:]
        stranger = self.settings.unknown_role
        return strongest[0] if strongest else Role(stranger) if stranger else None

    def _refusal(self, fault: Exception) -> LoginError:
        host = urlsplit(self.settings.issuer).netloc
        if isinstance(fault, httpx2.HTTPStatusError):
            return LoginError(f"{host} answers {fault.response.status_code}; try again later")
        if isinstance(fault, httpx2.HTTPError):
            return LoginError(f"{host} cannot be reached ({type(fault).__name__}); try again later")
        return LoginError(f"what {host} answers is refused: {_line(str(fault))}; log in again")


def provider_of(settings: LoginSettings) -> Provider | None:
    """Return the identity provider of the settings; None when they name none.

    Raises WarehouseError when the secret that they name is not there, or may be read by others.
    """
    return Provider(settings, _secret(settings)) if settings.issuer else None


def _secret(settings: LoginSettings) -> str:
    if variable := settings.client_secret_env:
        if not (text := os.environ.get(variable, "").strip()):
            raise WarehouseError(f"the variable {variable} (login.client_secret_env) is not set")
        return text
    if not settings.client_secret_file:
        return ""
    path = Path(settings.client_secret_file).expanduser()
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.readline(4096).strip()
    except (OSError, UnicodeDecodeError) as e:
        raise WarehouseError(f"login.client_secret_file {path}: cannot be read ({e})") from e
    if mode & 0o077:
        raise WarehouseError(
            f"login.client_secret_file {path}: others than its owner may read it; "
            f"chmod 600 {path}, and think of a new secret"
        )
    if not text:
        raise WarehouseError(f"login.client_secret_file {path}: its first line is empty")
    return text


def _line(text: str) -> str:
    """A text of somebody else as a part of one line of ours."""
    return "".join(c if c.isprintable() else " " for c in text)[:200]


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""

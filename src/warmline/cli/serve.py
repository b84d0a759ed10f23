"""`warmline serve`: the warehouse as pages in a browser, and who may see them."""

import ipaddress
import socket
import webbrowser
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from warmline.cli.common import PAGES_PORT, SettingsOption, WarehouseOption, messages, settings_from
from warmline.errors import WarehouseError, WarmlineError
from warmline.files import places_of
from warmline.settings import LoginSettings

if TYPE_CHECKING:
    from warmline.web.accounts import Accounts
    from warmline.web.site import Site
    from warmline.web.store import Store

app = typer.Typer(
    help="Open the warehouse as pages in a browser: listen to calls, check them, score them.",
    invoke_without_command=True,
)
users = typer.Typer(help="Who may see the pages; without users only you.", no_args_is_help=True)
app.add_typer(users, name="user")

#: What the extra `web` brings, as it is imported.
_NEEDED = (
    *("alembic", "authlib", "av", "babel", "cryptography", "httpx2"),
    *("itsdangerous", "jinja2", "joserfc", "sqlalchemy", "starlette", "uvicorn"),
)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@app.callback()
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; others than yourself need users.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = PAGES_PORT,
    opens: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in your browser.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="A further name that the server is called by, as behind a proxy.",
            show_default=False,
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", help="PEM file, to serve HTTPS.", show_default=False),
    ] = None,
    certificate_key: Annotated[
        Path | None,
        typer.Option("--certificate-key", help="Its private key.", show_default=False),
    ] = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Serve the pages until stopped; the link that is printed opens them once, as administrator.

    With users (`warmline serve user add`) or an identity provider (`[login]` of the settings)
    everybody logs in instead.
    """
    if context.invoked_subcommand is not None:
        return
    if (certificate is None) != (certificate_key is None):
        raise typer.BadParameter("give both: --certificate FILE --certificate-key FILE")
    chosen = settings_from(settings)
    at = places_of(chosen, None, warehouse).warehouse
    store, _ = _opened(at)
    from warmline.web.app import create_app, create_site, login_url

    site = create_site(chosen, at, store, is_secure=certificate is not None)
    _require_users(host, site.accounts)
    _require_a_way_in(chosen.login, site.accounts)
    site.warehouse.snapshot()
    with site.reading():  # a warehouse that cannot be read is said now, not by the first page
        pass
    _land_evaluations(site)
    listening = _bound(host, port)
    base = _base(listening, is_secure=certificate is not None)
    is_single = site.accounts.is_single()
    link = login_url(base, site.accounts.new_link()) if is_single else f"{base}/"
    typer.echo(f"{'opens once' if is_single else 'log in'}: {link}")
    typer.echo("stop with Ctrl-C")
    if opens:
        webbrowser.open(link)
    names = [*_LOOPBACK, host, *(allow_host or ()), urlsplit(chosen.login.address).hostname or host]
    hosts = frozenset(name.lower() for name in names)
    _run(create_app(site, hosts), listening, certificate, certificate_key)


def _run(app: object, listening: socket.socket, cert: Path | None, key: Path | None) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        limit_concurrency=200,
        timeout_graceful_shutdown=3,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
    with suppress(KeyboardInterrupt):  # how it is stopped: nothing was interrupted
        uvicorn.Server(config).run(sockets=[listening])


@users.command("add")
def add_user(
    name: Annotated[str, typer.Argument(help="The name to log in with.")],
    role: Annotated[
        str,
        typer.Option("--role", help="agent (own calls only), researcher, reviewer, lead, admin."),
    ],
    agent: Annotated[
        str | None,
        typer.Option("--agent", metavar="ID", help="Of an agent: whose calls.", show_default=False),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file",
            help="File with the password in its first line; else it is asked for.",
            show_default=False,
        ),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            "--subject",
            metavar="SUB",
            help="Who it is at the identity provider (claim `sub`), in place of a password.",
            show_default=False,
        ),
    ] = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Add a user, who logs in with a password, or by the identity provider of the settings."""
    chosen = settings_from(settings)
    if subject is not None and not chosen.login.issuer:
        raise typer.BadParameter("the settings name no login.issuer", param_hint="--subject")
    if subject is not None and password_file is not None:
        raise typer.BadParameter("give one of them: --subject, --password-file")
    store, accounts = _opened(places_of(chosen, None, warehouse).warehouse)
    from warmline.web.accounts import Person, Role

    if role not in list(Role):
        raise typer.BadParameter(f"one of {', '.join(Role)}", param_hint="--role")
    if subject is None:
        accounts.add(name, Role(role), _password(password_file), agent)
    else:
        accounts.add_person(Person(chosen.login.issuer, subject, name, Role(role), agent))
    store.note(name, "user added", detail=role)
    typer.echo(f"{name} may log in as {role}")


@users.command("remove")
def remove_user(
    name: Annotated[str, typer.Argument(help="Who may not log in any more.")],
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Remove a user, and end what sessions they have open."""
    store, accounts = _opened(places_of(settings_from(settings), None, warehouse).warehouse)
    accounts.remove(name)
    store.note(name, "user removed")
    typer.echo(f"{name} may not log in any more")


@users.command("list")
def list_users(warehouse: WarehouseOption = None, settings: SettingsOption = None) -> None:
    """List who may log in, and as what."""
    chosen = settings_from(settings)
    _, accounts = _opened(places_of(chosen, None, warehouse).warehouse)
    found = accounts.all_users()
    for user in found:
        typer.echo(f"{user.name}  {user.role}{f'  {user.agent_id}' if user.agent_id else ''}")
    if not found and chosen.login.issuer:
        messages().print(f"no users yet: {chosen.login.issuer} says who logs in", style="yellow")
    elif not found:
        messages().print("no users: whoever starts the server sees all", style="yellow")


def _opened(warehouse: Path) -> "tuple[Store, Accounts]":
    """The store beside a warehouse. Raises WarehouseError without one, or without the extra."""
    if not warehouse.is_file():
        raise WarehouseError(f"{warehouse}: no warehouse here; `warmline analyze` makes one")
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise WarehouseError(f"no {', '.join(missing)} here; pip install 'warmline[web]'")
    from warmline.web.accounts import Accounts
    from warmline.web.store import open_store, store_path

    store = open_store(store_path(warehouse))
    return store, Accounts(store)


def _require_users(host: str, accounts: "Accounts") -> None:
    if _is_loopback(host):
        return
    if accounts.is_single():
        raise WarehouseError(
            f"--host {host}: others could reach it, and there are no users; "
            "`warmline serve user add NAME --role admin` makes the first"
        )


def _require_a_way_in(login: LoginSettings, accounts: "Accounts") -> None:
    makes_users = login.role_claim or login.unknown_role
    if login.issuer and not makes_users and not accounts.has_users():
        raise WarehouseError(
            "login.issuer: nobody could log in, as there are no users; `warmline serve user add "
            "NAME --role admin --subject SUB` makes the first, or set login.role_claim"
        )


def _land_evaluations(site: "Site") -> None:
    """Make evaluations rows of the warehouse that are none yet, and say why where that fails."""
    from warmline.web.scorecards import land_evaluations

    try:
        land_evaluations(site)
    except WarmlineError as e:
        note = f"note: evaluations are not in the warehouse: {e}"
        messages().print(note, markup=False, soft_wrap=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bound(host: str, port: int) -> socket.socket:
    """A socket that is bound. Raises WarehouseError naming the address when it cannot be."""
    try:
        ((family, *_, address), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # Of TCP by name: asyncio then sends at once, instead of waiting 40 ms for the other side.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)  # before the link is said: who opens it at once waits, and is served
    except OSError as e:
        raise WarehouseError(
            f"cannot listen at {host} port {port} ({e.strerror}); choose others: --host, --port"
        ) from e
    return listening


def _base(listening: socket.socket, *, is_secure: bool) -> str:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if is_secure else 'http'}://{shown}:{port}"


def _password(file: Path | None) -> str:
    if file is None:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    try:
        first, *_ = file.read_text(encoding="utf-8-sig").splitlines() or [""]
    except (OSError, UnicodeDecodeError) as e:
        raise WarehouseError(f"{file}: cannot be read ({e})") from e
    return first

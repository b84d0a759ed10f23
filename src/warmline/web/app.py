"""The application that serves a warehouse: its addresses, and what answers each of them.

Starlette serves the pages of `warmline serve` from one process; a page is HTML made here, and
nothing is fetched from anywhere else. The warehouse is only read; what people add lies in SQLite
beside it (`store`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from warmline.errors import WarmlineError
from warmline.settings import Settings
from warmline.web.accounts import (
    COOKIE,
    HEADERS,
    Accounts,
    Guard,
    LoginError,
    Right,
    Signer,
    local_path,
)
from warmline.web.call_routes import (
    add_comment,
    change_comment,
    draw_waveform,
    list_words,
    note_played,
    play,
    renew_link,
    review_cue,
    review_metric,
    show_call,
)
from warmline.web.disputes import (
    answer_evaluation,
    decide_dispute,
    export_scores,
    show_evaluation,
)
from warmline.web.form_editor import save_form_text, show_form_editor
from warmline.web.listing import export_calls, list_calls, list_unanswered
from warmline.web.oidc import (
    CALLBACK,
    LOGIN_LASTS_S,
    PENDING_COOKIE,
    Provider,
    provider_of,
)
from warmline.web.people import (
    add_coaching,
    end_goal,
    show_agent,
    show_measures,
    show_people,
    show_team,
)
from warmline.web.report import export_report, show_report
from warmline.web.scoring import save_form, show_form
from warmline.web.site import (
    RefusedError,
    Site,
    Visit,
    endpoint,
    form_of,
    refusal,
    render,
    session_of,
)
from warmline.web.sound import SoundCache
from warmline.web.store import Store, audit
from warmline.web.warehouse import Warehouse
from warmline.web.work import (
    add_clips,
    begin_calibration,
    close_calibration,
    draw_sample,
    drop_clip,
    end_assignment,
    save_search,
    show_calibration,
    show_calibrations,
    show_playlist,
    show_work,
)

_STATIC = Path(__file__).parent / "static"
_AUDIT_ROWS = 200
_FAULT = "a fault in warmline; see the server's log"


def create_site(
    settings: Settings, warehouse: Path, store: Store, *, is_secure: bool = False
) -> Site:
    """Return everything that serves one warehouse; `is_secure`, only over HTTPS.

    Raises WarehouseError when the secret for the identity provider is not there.
    """
    provider = provider_of(settings.login)
    return Site(
        settings,
        Warehouse(warehouse),
        store,
        Accounts(store, has_provider=provider is not None),
        SoundCache(settings.recordings),
        Signer(),
        is_secure or settings.login.address.startswith("https:"),
        provider,
    )


def create_app(site: Site, hosts: frozenset[str]) -> Starlette:
    """Return the application of a site; `hosts` are the names that it may be called by."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(import_module, "av")  # now, not when somebody first wants to hear
        yield
        site.warehouse.close()
        site.store.close()

    async def not_found(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        what = "there is no such page" if status == 404 else "this cannot be done here"
        session = await run_in_threadpool(session_of, site, request)
        user = session.user if session else None
        return refusal(site, request, RefusedError(status, what), user)

    async def fault(request: Request, _: Exception) -> Response:
        """Answer for a fault of ours without quoting it: it may hold words of a call."""
        try:
            session = await run_in_threadpool(session_of, site, request)
            user = session.user if session else None
            answer = refusal(site, request, RefusedError(500, _FAULT), user)
        except (WarmlineError, sa.exc.SQLAlchemyError):  # what is at fault keeps the users, too
            accepted = request.headers.get("accept-language", "")
            answer = Response(f"{site.said(accepted, _FAULT)}\n", 500)
        answer.headers.update(HEADERS | {"Cache-Control": "no-store"})
        return answer

    return Starlette(
        routes=_routes(site),
        middleware=[
            Middleware(Guard, hosts=hosts, say=site.said),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=4),  # sound stays as it is
        ],
        exception_handlers={HTTPException: not_found, Exception: fault},
        lifespan=lifespan,
    )


def _routes(site: Site) -> list[Route | Mount]:
    def get(path: str, handler: Any, *rights: Right) -> Route:
        return Route(path, endpoint(site, handler, *rights), methods=["GET"])

    def post(path: str, handler: Any, *rights: Right) -> Route:
        return Route(path, endpoint(site, handler, *rights), methods=["POST"])

    return [
        get("/", lambda visit: visit.back("/calls")),
        get("/calls", list_calls),
        get("/feelings", list_unanswered),
        get("/call", show_call),
        get("/call/waveform", draw_waveform, Right.HEAR),
        get("/call/words", list_words),
        get("/call/sound-link", renew_link, Right.HEAR),
        get("/sound/{token}", play, Right.HEAR),
        post("/call/review-cue", review_cue, Right.REVIEW),
        post("/call/review-measure", review_metric, Right.REVIEW),
        post("/call/comment", add_comment, Right.COMMENT),
        post("/call/comment-change", change_comment, Right.COMMENT),
        post("/call/played", note_played, Right.HEAR),
        get("/call/score", show_form, Right.REVIEW),
        post("/call/score", save_form, Right.REVIEW),
        get("/calls.csv", export_calls, Right.EXPORT),
        get("/calls.xlsx", export_calls, Right.EXPORT),
        get("/scores.csv", export_scores, Right.EXPORT),
        get("/scores.xlsx", export_scores, Right.EXPORT),
        get("/evaluation", show_evaluation, Right.NAMES),
        post("/evaluation/answer", answer_evaluation, Right.APPEAL),
        post("/evaluation/decide", decide_dispute, Right.LEAD),
        get("/form", show_form_editor, Right.LEAD),
        post("/form", save_form_text, Right.LEAD),
        get("/work", show_work),
        post("/sample", draw_sample, Right.REVIEW),
        post("/done", end_assignment, Right.REVIEW),
        post("/searches", save_search),
        get("/playlist", show_playlist, Right.REVIEW),
        post("/playlist/add", add_clips, Right.REVIEW),
        post("/playlist/drop", drop_clip, Right.REVIEW),
        get("/calibrations", show_calibrations, Right.REVIEW),
        get("/calibration", show_calibration, Right.REVIEW),
        post("/calibration/begin", begin_calibration, Right.LEAD),
        post("/calibration/close", close_calibration, Right.LEAD),
        get("/report", show_report, Right.ALL_CALLS),
        get("/report.html", export_report, Right.EXPORT),
        post("/agent/coach", add_coaching, Right.LEAD),
        post("/agent/goal", end_goal, Right.LEAD),
        get("/people", show_people),
        get("/agent", show_agent),
        get("/team", show_team),
        get("/measures", show_measures),
        get("/audit", show_audit, Right.AUDIT),
        post("/logout", log_out),
        *_doors(site),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]


def _doors(site: Site) -> list[Route]:
    """The addresses that somebody may use who is not known yet."""

    def show_login(request: Request) -> Response:
        return _login_page(site, request, request.query_params.get("next"), None)

    async def log_in(request: Request) -> Response:
        try:
            form = await form_of(request)
        except RefusedError as e:
            return refusal(site, request, e, None)
        return await run_in_threadpool(_log_in, site, request, form)

    def open_link(request: Request) -> Response:
        try:
            token = site.accounts.open_by_link(request.query_params.get("key", ""))
        except LoginError as e:
            return refusal(site, request, RefusedError(403, str(e)), None)
        return _with_session(site, request, token, "/")

    return [
        Route("/login", show_login, methods=["GET"]),
        Route("/login", log_in, methods=["POST"]),
        Route("/open", open_link, methods=["GET"]),
        *(_provider_doors(site, site.provider) if site.provider else []),
    ]


def _provider_doors(site: Site, provider: Provider) -> list[Route]:
    """The addresses of a login by the identity provider: to it, and back from it."""

    async def begin(request: Request) -> Response:
        back_to = provider.redirect_uri(request, is_secure=site.is_secure)
        try:
            await run_in_threadpool(site.accounts.require_few_tries_from, _address(request))
            goal = local_path(request.query_params.get("next"))
            address, cookie = await provider.begin(back_to, goal)
        except LoginError as e:
            return await run_in_threadpool(_not_let_in, site, request, str(e))
        response = RedirectResponse(address, 303)
        _set_cookie(response, site, PENDING_COOKIE, cookie, "/login", LOGIN_LASTS_S)
        return response

    async def finish(request: Request) -> Response:
        answer = dict(request.query_params)
        cookie = request.cookies.get(PENDING_COOKIE)
        try:
            pending = provider.pending(cookie, answer.get("state", ""))
            await run_in_threadpool(site.accounts.require_few_tries_from, _address(request))
        except LoginError as e:  # not counted: any page of another site can bring a browser here
            return await run_in_threadpool(_not_let_in, site, request, str(e))
        try:
            person = await provider.finish(pending, answer)
            name, token = await run_in_threadpool(site.accounts.log_in_person, person)
        except LoginError as e:
            await run_in_threadpool(site.accounts.note_refused, "", _address(request))
            response = await run_in_threadpool(_not_let_in, site, request, str(e))
        else:
            await run_in_threadpool(
                site.store.note, name, "logged in", detail=f"{_address(request)}, by provider"
            )
            response = await run_in_threadpool(_with_session, site, request, token, pending.goal)
        response.delete_cookie(PENDING_COOKIE, path="/login")
        return response

    return [
        Route("/login/provider", begin, methods=["GET"]),
        Route(CALLBACK, finish, methods=["GET"]),
    ]


def _not_let_in(site: Site, request: Request, why: str) -> Response:
    site.store.note("", "login refused", detail=f"{_address(request)}: {why}")
    return _login_page(site, request, None, why, 429 if "often" in why else 403)


def log_out(visit: Visit) -> Response:
    """End the session."""
    visit.site.accounts.log_out(visit.session.digest)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, path="/")
    return response


def show_audit(visit: Visit) -> Response:
    """Show who did what lately; calls that were forgotten have no name any more."""
    query = sa.select(audit).order_by(audit.c.audit_id.desc()).limit(_AUDIT_ROWS)
    with visit.site.reading() as reader:
        names = {
            row["landing_key"]: row["call_id"]
            for row in reader.rows("SELECT landing_key, call_id FROM calls")
        }
        rows = [
            row | {"call_id": names.get(row["landing_key"])} for row in visit.site.store.read(query)
        ]
        return visit.page("audit.html", reader, rows=rows)


def _log_in(site: Site, request: Request, form: dict[str, str]) -> Response:
    address = _address(request)
    name, goal = form.get("name", ""), form.get("next")
    try:
        token = site.accounts.log_in(name, form.get("password", ""), address)
    except LoginError as e:
        site.store.note(name[:100], "login refused", detail=address)
        return _login_page(site, request, goal, str(e), 429 if "often" in str(e) else 403, name)
    site.store.note(name, "logged in", detail=address)
    return _with_session(site, request, token, local_path(goal))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _login_page(
    site: Site,
    request: Request,
    goal: str | None,
    problem: str | None,
    status: int = 200,
    name: str = "",
) -> Response:
    return render(
        site,
        request,
        "login.html",
        status,
        user=None,
        as_of=None,
        goal=local_path(goal),
        problem=problem,
        name=name,
        is_single=site.accounts.is_single(),
        has_provider=site.provider is not None,
    )


def _with_session(site: Site, request: Request, token: str, goal: str) -> Response:
    """Go on with a new session; the one that the browser had before ends."""
    if before := request.cookies.get(COOKIE):
        site.accounts.log_out_token(before)
    response = RedirectResponse(goal, 303)
    _set_cookie(response, site, COOKIE, token, "/")
    return response


def _set_cookie(
    response: Response, site: Site, name: str, value: str, path: str, lasts_s: int | None = None
) -> None:
    response.set_cookie(
        name,
        value,
        path=path,
        max_age=lasts_s,
        httponly=True,
        samesite="lax",
        secure=site.is_secure,
    )


def login_url(base: str, secret: str) -> str:
    """Return the one-time link to a server at this address."""
    return f"{base}/open?{urlencode({'key': secret})}"

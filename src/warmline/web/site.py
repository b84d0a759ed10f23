"""Parts that all pages share: the warehouse, the store, who is there, templates, errors."""

import csv
import hmac
import io
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import jinja2
import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from warmline.errors import QueryError, WarmlineError
from warmline.files import places_of, safe_cell
from warmline.query.calls import NamedCall, call_named, clock, find_call, value_text
from warmline.query.questions import QueryResult
from warmline.settings import Settings
from warmline.warehouse.access_log import note_access
from warmline.web.accounts import COOKIE, Accounts, Right, Session, Signer, User
from warmline.web.evidence import heard_in, moment_of
from warmline.web.language import (
    PLAIN,
    YES_OR_NO,
    Formats,
    Sentences,
    begun,
    chosen_language,
    find_words,
    languages,
    measure_words,
    plain_words,
    reason_words,
    said_in_templates,
    translations,
    words,
)
from warmline.web.oidc import Provider
from warmline.web.quoting import excerpt
from warmline.web.store import Store, comments, playlists
from warmline.web.warehouse import Reader, Row, Warehouse

if TYPE_CHECKING:
    from warmline.web.sound import SoundCache

# Templates, their filters and languages.

_FOLDER = Path(__file__).parent


def environments() -> Mapping[str, jinja2.Environment]:
    """Return Jinja's environment for each language; the sites of a process share them."""
    return {language: _environment(language) for language in languages()}


@cache
def _environment(language: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    spoken = translations(language)
    environment.install_gettext_translations(spoken, newstyle=True)  # type: ignore[attr-defined]
    formats = Formats(language)
    drawn = Sentences.of(language, "drawing").say
    message = Sentences.of(language, "message").say
    environment.filters |= {
        "clock": clock,
        "value": lambda value, unit: formats.written(drawn(value_text(value, unit))),
        "words": lambda name: spoken.gettext(words(name)) if name else "",
        # `_()` takes its text for a part of the page: only for what a template itself says.
        "translated": lambda text: spoken.gettext(str(text)) if text else "",
        "message": message,
        "sentence": lambda text: begun(message(text)),
        "plainly": lambda name: (
            spoken.pgettext("plain", plain_words(name)) if name in PLAIN else ""
        ),
        "measure": lambda name: spoken.gettext(measure_words(name)) if name else "",
        "heading": lambda column: spoken.gettext(HEADINGS[column]),
        "find": lambda kind: spoken.gettext(find_words(kind)),
        "reason": _reason_in(language),
        "marked": marked,
        "excerpt": excerpt,
        "drawn": lambda text: formats.written(drawn(text)),
        "minute": lambda at: spoken.gettext("no date") if at is None else formats.minute(at),
        "day": formats.day,
        "short_day": formats.short_day,
        "sunday": lambda monday: monday + timedelta(days=6),
        "number": formats.number,
        "plain": formats.plain,
        "short": formats.short,
        "percent": formats.percent,
        "quoted": formats.quoted,
        # What a form says, in this language where it has it.
        "asked": lambda question: question.text_in.get(language, question.text),
        "titled": lambda part: part.title_in.get(language, part.title),
    }
    environment.globals |= {
        "_": said_in_templates(spoken, *(environment.filters[name] for name in ("escape", "safe"))),
        "call_url": call_url,
        "Right": Right,
        "query": urlencode,
        "lane_class": lane_class,
        "heard_in": heard_in,
        "moment_of": moment_of,
        "YES_OR_NO": YES_OR_NO,
        "today": lambda: datetime.now(UTC).date(),
    }
    return environment


def _reason_in(language: str) -> Callable[[object], str]:
    say = Sentences.of(language, "message").say
    return lambda reason: say(reason_words(str(reason or "")))


def call_url(call_id: str, at_s: float | None = None, in_list: str = "") -> str:
    """Return the address of a call's page, at a second of it; as one of a list of calls."""
    moment = "" if at_s is None else f"#t={at_s:.1f}"
    fields = {"id": call_id, "list": in_list} if in_list else {"id": call_id}
    return f"/call?{urlencode(fields)}{moment}"


def clock_text(at_s: float) -> str:
    """Return a time of a call as people write it: 1:05, with tenths where there are any."""
    minutes, rest = divmod(round(at_s, 1), 60)
    return f"{minutes:.0f}:{rest:04.1f}".removesuffix(".0")


def seconds(text: str, name: str) -> float:
    """Return a time of a form as seconds. Raises FieldError naming the field."""
    try:
        parts = [float(part.replace(",", ".")) for part in text.split(":")]
    except ValueError:
        parts = []
    is_time = 1 <= len(parts) <= 3 and all(0 <= part < 1e6 for part in parts)
    if not is_time or not all(part < 60 for part in parts[1:]):
        raise FieldError(name, f"write the time as 0:11 or 11.2, not {text[:40]!r}")
    total = 0.0
    for part in parts:
        total = total * 60 + part
    return total


def marked(text: str | None, phrase: str) -> list[tuple[str, bool]]:
    """Return a text in pieces, each with whether it is a word of a phrase, whatever its case."""
    said = sorted(set(re.findall(r"\w+", phrase)), key=len, reverse=True)
    if not said or not text:
        return [(text or "", False)]
    found = re.compile(rf"\b({'|'.join(map(re.escape, said))})\b", re.IGNORECASE)
    return [(part, i % 2 == 1) for i, part in enumerate(found.split(text)) if part]


def lane_class(role: str | None) -> str:
    """Return the class that a party is drawn by: its role, if it has a colour of its own."""
    return f"of-{role}" if role in ("agent", "customer") else "of-other"


# The pages of a warehouse, and a visit to one.


_MOST_FIELDS = 1000


class RefusedError(WarmlineError):
    """Something is not there, or not for this user; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


#: Headings of the columns of exported tables, as a workbook has them.
HEADINGS = {
    "call_id": "Call",
    "started_at": "Began (UTC)",
    "status": "State",
    "reason": "Why it was not analyzed",
    "agent_id": "Agent",
    "team": "Team",
    "agents": "Agents who speak",
    "queue": "Queue",
    "contact_reason": "Reason of the call",
    "duration_s": "Length, seconds",
    "agent_talk_share": "Agent's share of talk",
    "opportunities": "Feelings found",
    "answerable": "Feelings that could be answered",
    "answered": "Feelings that were answered",
    "answered_rate": "Feelings answered, share",
    "no_rate_reason": "Why there is no share",
    "dead_air_s": "Dead air, seconds",
    "agent_interruptions": "Interruptions by the agent",
    "is_simulated": "Simulated",
    "answered_by_review": "Answered, corrected by review",
    "answerable_by_review": "Could be answered, corrected by review",
    "evaluation_id": "Evaluation, number",
    "evaluated_at": "Scored at (UTC)",
    "evaluated_by": "Scored by",
    "form": "Form",
    "form_sha256": "Form, its version",
    "form_since": "Form, this version first used on",
    "critical_failed": "Critical questions answered no",
    "answers": "Questions",
    "taken_over": "Answers taken over from the machine",
    "score": "Score",
    "question": "Question",
    "answer": "Answer",
    "is_taken_over": "Taken over from the machine",
    "weight": "Weight",
    "is_critical": "Critical",
    "note": "Note",
    "correction_reason": "Why it was corrected",
    "is_current": "This version counts",
    "replaces": "Decided after an appeal, in place of number",
    "calibration_id": "Calibration, number",
}
#: Columns of an exported table that are shares, and those whose values a person reads: by what.
_SHARES = frozenset({"agent_talk_share", "answered_rate", "score"})
_READ_BY = {"status": "words", "reason": "reason", "no_rate_reason": "reason"}


@dataclass(frozen=True)
class Table:
    """Rows under the names of their columns, and what they are, which is the name of a sheet."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def table_file(
    visit: "Visit", name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Response:
    """Return rows as a file to keep: a workbook if the address ends so, else CSV.

    People read the workbook: it has headings and reasons in their language, and percentages.
    Programs read CSV, with the names of columns that the warehouse has.
    """
    kind = visit.request.url.path.rpartition(".")[2]
    if kind == "xlsx":
        return workbook_file(visit, name, [Table("warmline", columns, rows)])
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return Response(page.getvalue(), 200, _kept_as(f"{name}.csv"), "text/csv; charset=utf-8")


def workbook_file(visit: "Visit", name: str, tables: Sequence[Table]) -> Response:
    """Return tables as the sheets of a workbook, in the language of whoever asks."""
    from warmline.query.export import Sheet, workbook  # and with it what other exports need

    said = visit.filters

    def sheet(table: Table) -> Sheet:
        read = [said[_READ_BY[name]] if name in _READ_BY else None for name in table.columns]
        shown = tuple(
            tuple(
                way(value) if way and value else value for way, value in zip(read, row, strict=True)
            )
            for row in table.rows
        )
        headings = tuple(said["heading"](column) for column in table.columns)
        shares = [place for place, column in enumerate(table.columns) if column in _SHARES]
        title = said["translated"](table.title)
        return Sheet(title, QueryResult(headings, (), shown, truncated=False), shares)

    made = workbook([sheet(table) for table in tables])
    return Response(made, 200, _kept_as(f"{name}.xlsx"), _XLSX)


def _kept_as(file: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{file}"'}


class FieldError(QueryError):
    """A field of a form cannot be kept as it is filled in; `field` is the name of it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Site:
    """Everything that serves one warehouse."""

    settings: Settings
    warehouse: Warehouse
    store: Store
    accounts: Accounts
    sounds: "SoundCache"
    signer: Signer
    is_secure: bool = False
    provider: Provider | None = None
    templates: Mapping[str, jinja2.Environment] = field(default_factory=environments)

    @contextmanager
    def reading(self, *, reviews: bool = False) -> Iterator[Reader]:
        """Give a cursor on the warehouse.

        Raises WarehouseError when there is none, UnfinishedErasureError while calls that are to be
        forgotten may still be in it.
        """
        places_of(self.settings, None, self.warehouse.path)
        with self.warehouse.reading(reviews=reviews) as reader:
            yield reader

    def said(self, accepted: str, message: str) -> str:
        """Return a message in the language of an `Accept-Language` header, as a sentence."""
        return str(self.templates[chosen_language(accepted)].filters["sentence"](message))

    def pseudonym(self, name: str) -> str:
        """Return what a researcher sees instead of a person's name: the same for the same one."""
        digest = hmac.digest(self.store.pseudonym_secret(), name.encode(), "sha256")
        return f"p-{digest.hex()[:10]}"


@dataclass(frozen=True)
class Visit:
    """One request by somebody who is known: who, and what the form or address says."""

    site: Site
    request: Request
    session: Session
    form: Mapping[str, str]

    @property
    def user(self) -> User:
        """Return who it is."""
        return self.session.user

    @property
    def is_partial(self) -> bool:
        """Return whether only a part of a page is asked for, to be put into it."""
        return self.request.headers.get("hx-request") == "true"

    def asked(self, name: str) -> str:
        """Return a field of the form, else of the address, without space around; empty if none."""
        asked = self.form.get(name) or self.request.query_params.get(name) or ""
        return asked.replace("\0", "").strip()

    def written(self, longest: int) -> str:
        """Return the field `text`. Raises FieldError where it is empty, or too long."""
        text = self.asked("text")
        if not text:
            raise FieldError("text", "write something first")
        if len(text) > longest:
            raise FieldError("text", f"at most {longest} characters")
        return text

    def asking(self, fields: Mapping[str, str]) -> "Visit":
        """Return the visit as if it asked for these fields and no others."""
        scope = {**self.request.scope, "query_string": urlencode(fields).encode()}
        return replace(self, request=Request(scope), form={})

    def name_of(self, person: str | None) -> str | None:
        """Return what this user may read of an agent or customer: the id, or a pseudonym."""
        if person is None or self.user.may(Right.NAMES):
            return person
        return self.site.pseudonym(person)

    def call(self, reader: Reader) -> NamedCall:
        """Return the call that the address names.

        Raises RefusedError (404) when there is none, or none that this user may see: an agent is
        not told which calls of others there are.
        """
        call_id = self.asked("id")
        try:
            found = call_named(reader.cursor, call_id) or find_call(reader.cursor, call_id)
        except QueryError as e:
            if self.user.may(Right.ALL_CALLS) and self.user.may(Right.NAMES):
                raise RefusedError(404, str(e)) from e
            raise RefusedError(404, _NO_SUCH_CALL) from e
        is_named = found.call_id == call_id  # by a path, who may not read paths could try them out
        if not (is_named or (self.user.may(Right.ALL_CALLS) and self.user.may(Right.NAMES))):
            raise RefusedError(404, _NO_SUCH_CALL)
        if not self.may_see(reader, found):
            raise RefusedError(404, _NO_SUCH_CALL)
        return found

    def may_see(self, reader: Reader, call: NamedCall) -> bool:
        """Return whether the call is one of this user's, or the user may see all."""
        if self.user.may(Right.ALL_CALLS):
            return True
        agent = reader.value(
            "SELECT any_value(agent_id) FROM calls WHERE call_id = $id", {"id": call.call_id}
        )
        return self.user.agent_id is not None and agent == self.user.agent_id

    def require(self, right: Right) -> None:
        """Raise RefusedError (403) unless this user has the right."""
        if not self.user.may(right):
            raise RefusedError(403, f"your role, {self.user.role}, may not {right.value}")

    def reviewers(self) -> list[User]:
        """Return who may be asked to score calls: all who may for a lead, else only oneself."""
        others = self.site.accounts.all_users() if self.user.may(Right.LEAD) else ()
        able = [user for user in others if user.may(Right.REVIEW)]
        return able if any(user.name == self.user.name for user in able) else [self.user, *able]

    def playlists(self) -> list[Row]:
        """Return the playlists, newest first; none for those who may not see all calls."""
        if not self.user.may(Right.REVIEW):
            return []
        store = self.site.store
        rows = store.read(sa.select(playlists).order_by(playlists.c.playlist_id.desc()))
        return [
            row | store.opened(row, "title") | {"by": self.name_of(row["user_name"])}
            for row in rows
        ]

    def comments(self, landing_key: str) -> list[Row]:
        """Return what people wrote about a call, in order of its seconds."""
        store = self.site.store
        query = sa.select(comments).where(comments.c.landing_key == landing_key)
        rows = store.read(query.order_by(comments.c.start_s, comments.c.comment_id))
        return [
            row | store.opened(row, "text") | {"by": self.name_of(row["user_name"])} for row in rows
        ]

    @property
    def filters(self) -> Mapping[str, Callable[..., Any]]:
        """Return what writes names and values in the language that the browser asks for."""
        language = chosen_language(self.request.headers.get("accept-language", ""))
        return self.site.templates[language].filters

    def said(self, message: str) -> str:
        """Return a message in the language that the browser asks for, as part of a sentence."""
        return str(self.filters["message"](message))

    def note(self, action: str, call: NamedCall | None = None, **more: Any) -> None:
        """Write who did what into the audit, and an access to a call into the access log, too."""
        landing_key = None if call is None else call.landing_key
        self.site.store.note(self.user.name, action, landing_key, **more)
        if call is not None and action in ("opened", "heard"):
            note_access(self.site.warehouse.path, "serve", calls=[call.call_id])

    def page(self, template: str, reader: Reader | None = None, **context: Any) -> Response:
        """Return a page; `reader` says as of when its data are."""
        snapshot = reader.snapshot if reader else self.site.warehouse.snapshot()
        return render(
            self.site,
            self.request,
            template,
            user=self.user,
            as_of=snapshot.published_at,
            visit=self,
            **context,
        )

    def back(self, path: str, **query: Any) -> Response:
        """Return a redirect to a page of this server, after an action."""
        address = f"{path}?{urlencode(query)}" if query else path
        return RedirectResponse(address, 303)


Handler = Callable[[Visit], Response]
Endpoint = Callable[[Request], Awaitable[Response]]
_ENDED = "your session has ended; open the page again"
_NO_SUCH_CALL = "there is no such call, or it is not one of yours"


def endpoint(site: Site, handler: Handler, *rights: Right) -> Endpoint:
    """Return what answers a request: the handler, for somebody who is known and has the rights."""

    async def answer(request: Request) -> Response:
        try:
            form = await form_of(request) if request.method == "POST" else {}
        except RefusedError as e:
            return refusal(site, request, e, None)

        def work() -> Response:
            session = session_of(site, request)
            if session is None:
                return _to_login(site, request)
            visit = Visit(site, request, session, form)
            try:
                for right in rights:
                    visit.require(right)
                return handler(visit)
            except WarmlineError as e:
                return refusal(site, request, e, session.user)

        response = await run_in_threadpool(work)
        if _is_sent_by_script(request) and isinstance(response, RedirectResponse):
            return Response(status_code=204, headers={"X-Go": response.headers["location"]})
        return response

    return answer


def _is_sent_by_script(request: Request) -> bool:
    """Return whether the script of the pages sent a form, and shows the answer beside it."""
    return request.headers.get("x-form") == "1"


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form; of a field that is there more than once, the last.

    Raises RefusedError (413) where there are too many: a part of them says something else.
    """
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as e:
        raise RefusedError(413, f"a form has at most {_MOST_FIELDS} fields") from e
    return {name: values[-1].replace("\0", "") for name, values in fields.items()}


def session_of(site: Site, request: Request) -> Session | None:
    """Return whose session the cookie is; None when it is nobody's."""
    token = request.cookies.get(COOKIE)
    return site.accounts.session(token) if token else None


def refusal(site: Site, request: Request, error: WarmlineError, user: User | None) -> Response:
    """Return an error as a page with one line, or as that line where a part was asked for."""
    status = error.status if isinstance(error, RefusedError) else _STATUS.get(type(error), 409)
    is_part = _is_sent_by_script(request) or request.headers.get("hx-request") == "true"
    template = "_error.html" if is_part else "error.html"
    response = render(site, request, template, status, message=str(error), user=user, as_of=None)
    if template == "_error.html":  # what was to be replaced stays; the line is said beside it
        response.headers["HX-Retarget"] = "#say"
        response.headers["HX-Reswap"] = "innerHTML"
    if isinstance(error, FieldError):
        response.headers["X-Field"] = error.field
    return response


def render(
    site: Site, request: Request, template: str, status: int = 200, **context: Any
) -> HTMLResponse:
    """Return a page made from a template, in the language that the browser asks for."""
    language = chosen_language(request.headers.get("accept-language", ""))
    page = site.templates[language].get_template(template)
    return HTMLResponse(page.render(language=language, **context), status)


def _to_login(site: Site, request: Request) -> Response:
    if _is_sent_by_script(request) or request.headers.get("hx-request") == "true":
        accepted = request.headers.get("accept-language", "")
        return Response(f"{site.said(accepted, _ENDED)}\n", 401)
    if request.method != "GET":
        return RedirectResponse("/login", 303)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?{urlencode({'next': here})}", 303)


_STATUS: dict[type[WarmlineError], int] = {QueryError: 422, FieldError: 422}

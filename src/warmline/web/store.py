"""Keeps what people add to a warehouse: users, sessions, comments, evaluations, the audit.

It lies in SQLite beside the warehouse (`calls.duckdb` has `calls.web.sqlite`), private as that is,
and outlives every rebuilding: rows name a call by its landing key, which stays the same. With a key
given, texts that people write are encrypted (AES-256-GCM); names, roles and times are not.
"""

import base64
import hmac
import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.dialects import sqlite

from warmline.encryption import HOW_TO_GIVE, Key, current_key
from warmline.errors import EncryptionError, WarehouseError
from warmline.files import open_private

_SEALED = "sealed:1:"
#: Stands before a text in clear that begins like a stored one, which is not for people to say.
_CLEAR = "clear:1:"
_NONCE_BYTES = 12

METADATA = sa.MetaData()
users = sa.Table(
    "users",
    METADATA,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("agent_id", sa.String),
    sa.Column("password_hash", sa.String, nullable=False),  # empty: logs in by a provider alone
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("issuer", sa.String),
    sa.Column("subject", sa.String),
)
sessions = sa.Table(
    "sessions",
    METADATA,
    sa.Column("digest", sa.String, primary_key=True),
    sa.Column("user_name", sa.String),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("seen_at", sa.DateTime, nullable=False),
)
attempts = sa.Table(
    "attempts",
    METADATA,
    sa.Column("attempt_id", sa.Integer, primary_key=True),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("address", sa.String, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
)
audit = sa.Table(
    "audit",
    METADATA,
    sa.Column("audit_id", sa.Integer, primary_key=True),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("landing_key", sa.String),
    sa.Column("seconds", sa.Float),
    sa.Column("detail", sa.String),
)
comments = sa.Table(
    "comments",
    METADATA,
    sa.Column("comment_id", sa.Integer, primary_key=True),
    sa.Column("landing_key", sa.String, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("start_s", sa.Float, nullable=False),
    sa.Column("label", sa.String),
    sa.Column("text", sa.String, nullable=False),
)
evaluations = sa.Table(
    "evaluations",
    METADATA,
    sa.Column("evaluation_id", sa.Integer, primary_key=True),
    sa.Column("landing_key", sa.String, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("form", sa.String, nullable=False),
    sa.Column("form_sha256", sa.String, nullable=False),
    sa.Column("form_text", sa.String, nullable=False),
    sa.Column("is_draft", sa.Boolean, nullable=False),
    sa.Column("answers", sa.String, nullable=False),
    sa.Column("calibration_id", sa.Integer),
    sa.Column("replaces", sa.Integer),
)
#: What became of an evaluation: acknowledged, appealed, upheld or overturned, and in which words.
dispute_steps = sa.Table(
    "dispute_steps",
    METADATA,
    sa.Column("step_id", sa.Integer, primary_key=True),
    sa.Column("evaluation_id", sa.Integer, nullable=False),
    sa.Column("landing_key", sa.String, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("step", sa.String, nullable=False),
    sa.Column("text", sa.String, nullable=False),
)
#: Calls that somebody is to listen to; with a calibration, to score without seeing others' scores.
assignments = sa.Table(
    "assignments",
    METADATA,
    sa.Column("assignment_id", sa.Integer, primary_key=True),
    sa.Column("landing_key", sa.String, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("by_name", sa.String, nullable=False),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("done_at", sa.DateTime),
    sa.Column("calibration_id", sa.Integer),
)
calibrations = sa.Table(
    "calibrations",
    METADATA,
    sa.Column("calibration_id", sa.Integer, primary_key=True),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("form", sa.String, nullable=False),
    sa.Column("form_text", sa.String, nullable=False),
    sa.Column("closed_at", sa.DateTime),
)
searches = sa.Table(
    "searches",
    METADATA,
    sa.Column("search_id", sa.Integer, primary_key=True),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("query", sa.String, nullable=False),
)
playlists = sa.Table(
    "playlists",
    METADATA,
    sa.Column("playlist_id", sa.Integer, primary_key=True),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("title", sa.String, nullable=False),
)
clips = sa.Table(
    "clips",
    METADATA,
    sa.Column("clip_id", sa.Integer, primary_key=True),
    sa.Column("playlist_id", sa.Integer, nullable=False),
    sa.Column("landing_key", sa.String, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("start_s", sa.Float, nullable=False),
    sa.Column("end_s", sa.Float, nullable=False),
    sa.Column("text", sa.String, nullable=False),
)
#: Notes, goals and recognition of an agent; `about` is the goal that a row says the outcome of.
coaching = sa.Table(
    "coaching",
    METADATA,
    sa.Column("coaching_id", sa.Integer, primary_key=True),
    sa.Column("agent_id", sa.String, nullable=False),
    sa.Column("at", sa.DateTime, nullable=False),
    sa.Column("user_name", sa.String, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("text", sa.String, nullable=False),
    sa.Column("due", sa.Date),
    sa.Column("about", sa.Integer),
    sa.Column("landing_key", sa.String),
    sa.Column("start_s", sa.Float),
)
secrets_kept = sa.Table(
    "secrets",
    METADATA,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
)
_OF_CALLS = (comments, evaluations, dispute_steps, assignments, clips, coaching)
#: Texts that people wrote, which are encrypted with a key: the column, and the key of its row.
_TEXTS = (
    (comments.c.text, comments.c.comment_id),
    (evaluations.c.answers, evaluations.c.evaluation_id),
    (dispute_steps.c.text, dispute_steps.c.step_id),
    (calibrations.c.title, calibrations.c.calibration_id),
    (searches.c.title, searches.c.search_id),
    (searches.c.query, searches.c.search_id),
    (playlists.c.title, playlists.c.playlist_id),
    (clips.c.text, clips.c.clip_id),
    (coaching.c.text, coaching.c.coaching_id),
)

#: What has a title that people gave it: the table, and the key of its rows.
_TITLED = (
    (searches, searches.c.search_id),
    (playlists, playlists.c.playlist_id),
    (calibrations, calibrations.c.calibration_id),
)

Row = dict[str, Any]


def store_path(warehouse: Path) -> Path:
    """Return where what people add to this warehouse lies, whether it is there or not."""
    return warehouse.resolve().with_suffix(".web.sqlite")


def now() -> datetime:
    """Return the time as it is stored: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Store:
    """The SQLite file beside a warehouse. All its methods may be called from any thread."""

    engine: sa.Engine
    _secret: bytes | None = field(repr=False)

    def read(self, query: sa.Select[Any]) -> list[Row]:
        """Return the rows of a query, each as a dictionary by column."""
        with self.engine.connect() as con:
            return [dict(row) for row in con.execute(query).mappings()]

    def add(self, table: sa.Table, **values: Any) -> int:
        """Add a row; returns its number."""
        with self.engine.begin() as con:
            (number,) = con.execute(table.insert().values(values)).inserted_primary_key or (0,)
            return int(number)

    def write(self, *statements: sa.Insert | sa.Update | sa.Delete) -> list[int]:
        """Carry out all of the statements or none; returns how many rows each of them met."""
        with self.engine.begin() as con:
            return [con.execute(statement).rowcount for statement in statements]

    def write_unless(
        self, found: sa.Select[Any], *statements: sa.Insert | sa.Update | sa.Delete
    ) -> bool:
        """Carry out all of the statements unless the query finds a row; returns whether it did.

        Nobody writes in between: of two people who decide the same at once, one is told.
        """
        with self.engine.begin() as con:
            con.exec_driver_sql("BEGIN IMMEDIATE")
            if con.execute(found).first() is not None:
                return False
            for statement in statements:
                con.execute(statement)
            return True

    def seal(self, text: str) -> str:
        """Return a text as it is stored: encrypted when a key is given, else as it is."""
        if self._secret is None:
            return f"{_CLEAR}{text}" if text.startswith((_SEALED, _CLEAR)) else text
        nonce = os.urandom(_NONCE_BYTES)
        hidden = AESGCM(self._secret).encrypt(nonce, text.encode(), None)
        return _SEALED + base64.b64encode(nonce + hidden).decode()

    def unseal(self, stored: str) -> str:
        """Return a text as it was written. Raises EncryptionError without its key."""
        if not stored.startswith(_SEALED):
            return stored.removeprefix(_CLEAR)
        if self._secret is None:
            raise EncryptionError(f"{self.engine.url.database}: encrypted; {HOW_TO_GIVE}")
        try:
            raw = base64.b64decode(stored.removeprefix(_SEALED))
            plain = AESGCM(self._secret).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError) as e:
            raise EncryptionError(
                f"{self.engine.url.database}: encrypted with another key than the one given"
            ) from e
        return plain.decode()

    def note(
        self,
        user_name: str,
        action: str,
        landing_key: str | None = None,
        *,
        seconds: float | None = None,
        detail: str | None = None,
    ) -> None:
        """Add a line to the audit: who did what, with which call; nothing that was said."""
        self.write(
            audit.insert().values(
                at=now(),
                user_name=user_name,
                action=action,
                landing_key=landing_key,
                seconds=seconds,
                detail=detail,
            )
        )

    def pseudonym_secret(self) -> bytes:
        """Return the secret that pseudonyms of this store are made with: random, made once."""
        made = sqlite.insert(secrets_kept).values(name="pseudonyms", value=os.urandom(32).hex())
        self.write(made.on_conflict_do_nothing())
        (row,) = self.read(sa.select(secrets_kept).where(secrets_kept.c.name == "pseudonyms"))
        return bytes.fromhex(row["value"])

    def forget_calls(self, landing_keys: Collection[str]) -> None:
        """Erase what was added to these calls, so that no byte of it is left in the file.

        That somebody looked at a call stays in the audit, without saying at which.
        """
        for key in sorted(landing_keys):
            self.write(
                *(table.delete().where(table.c.landing_key == key) for table in _OF_CALLS),
                audit.update().where(audit.c.landing_key == key).values(landing_key=None),
            )
        self.empty_log()

    def titles(self) -> dict[tuple[str, int], str]:
        """Return what searches, playlists and calibrations are called, and which phrase a search
        looks for, by table and number.
        """
        found = {}
        for table, number in _TITLED:
            for row in self.read(sa.select(table)):
                texts = [self.unseal(row["title"])]
                if "query" in row:
                    texts += parse_qs(self.unseal(row["query"])).get("phrase", [])
                found[table.name, row[number.name]] = " ".join(texts)
        return found

    def erase_titles(self, which: Collection[tuple[str, int]]) -> None:
        """Erase searches, and titles of playlists and calibrations: their day takes that place."""
        for name, number in sorted(which):
            table, key = next(pair for pair in _TITLED if pair[0].name == name)
            if table is searches:
                self.write(searches.delete().where(key == number))
                continue
            (row,) = self.read(sa.select(table.c.at).where(key == number))
            title = self.seal(f"{row['at']:%Y-%m-%d}")
            self.write(table.update().where(key == number).values(title=title))
        if which:
            self.empty_log()

    def erase_words(self, landing_keys: Collection[str]) -> None:
        """Erase what was said in these calls from what people added; what they wrote stays.

        A cue that the machine missed keeps its second and its kind, and loses the words.
        """
        for key in sorted(landing_keys):
            quoting = (comments.c.landing_key == key) & (comments.c.kind == "missed_cue")
            self.write(comments.update().where(quoting).values(text=""))
        self.empty_log()

    def empty_log(self) -> None:
        """Take what was changed into the file, so that the log beside it holds nothing old.

        Raises WarehouseError when somebody reads the old for so long that it has to stay.
        """
        with self.engine.connect() as con:
            is_busy, *_ = con.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if is_busy:
            raise WarehouseError(
                f"{self.engine.url.database}: another program reads it, so that what was erased "
                "may still be in its log; close that program, and give the command again"
            )

    def additions(self, landing_keys: Collection[str]) -> list[Row]:
        """Return what people added to these calls, table by table, as it can be read."""
        keys, found = sorted(landing_keys), []
        for table in _OF_CALLS:
            texts = [column.name for column, _ in _TEXTS if column.table is table]
            rows = self.read(sa.select(table).where(table.c.landing_key.in_(keys)))
            found += [{"table": str(table)} | row | self.opened(row, *texts) for row in rows]
        return found

    def opened(self, row: Row, *names: str) -> Row:
        """Return these columns of a row as they were written."""
        return {name: self.unseal(row[name]) for name in names}

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def erasing_own(name: str) -> tuple[sa.Delete, ...]:
    """Return what erases all that was somebody's alone, for whoever has the name next."""
    return (
        sessions.delete().where(sessions.c.user_name == name),
        searches.delete().where(searches.c.user_name == name),
        evaluations.delete().where(evaluations.c.user_name == name, evaluations.c.is_draft),
        assignments.delete().where(
            assignments.c.user_name == name, assignments.c.done_at.is_(None)
        ),
    )


def existing_store(warehouse: Path) -> Store | None:
    """Open what people added to a warehouse; None where nobody has. Raises as `open_store`."""
    path = store_path(warehouse)
    return open_store(path) if path.is_file() else None


def open_store(path: Path) -> Store:
    """Open what people add to a warehouse, and make or upgrade the file where that is needed.

    Raises WarehouseError when it cannot be read or written, EncryptionError for a key that is none.
    """
    return _opened(path, current_key())


def change_key(warehouse: Path, before: Key | None, after: Key | None) -> int:
    """Write all texts anew with another key, None being in clear; returns how many there were.

    Stopped halfway, it is finished by the same call. Raises EncryptionError when a text has
    neither key, WarehouseError as `open_store`.
    """
    path = store_path(warehouse)
    if not path.is_file():
        return 0
    new = _opened(path, after)
    old = Store(new.engine, None if before is None else _secret_of(before))
    written = 0
    for column, number in _TEXTS:
        for row in new.read(sa.select(number.label("number"), column.label("text"))):
            try:
                text = new.unseal(row["text"])
            except EncryptionError:
                text = old.unseal(row["text"])
            update = sa.update(column.table).where(number == row["number"])
            new.write(update.values({column: new.seal(text)}))
            written += 1
    new.empty_log()
    new.close()
    return written


def _opened(path: Path, key: Key | None) -> Store:
    try:
        os.close(open_private(str(path), os.O_CREAT | os.O_RDWR))
    except OSError as e:
        raise WarehouseError(f"{path}: cannot be written ({e.strerror})") from e
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
    sa.event.listen(engine, "connect", _prepare)
    try:
        _upgrade(engine)
    except sa.exc.SQLAlchemyError as e:
        engine.dispose()
        cause = str(getattr(e, "orig", None) or e).splitlines()[0]
        raise WarehouseError(f"{path}: not a file of `warmline serve` ({cause})") from e
    return Store(engine, None if key is None else _secret_of(key))


def _secret_of(key: Key) -> bytes:
    return hmac.digest(key.secret, b"warmline: what people add", "sha256")


def _prepare(connection: Any, _record: Any) -> None:
    for setting in ("journal_mode = WAL", "secure_delete = ON", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")


def _upgrade(engine: sa.Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        # Whoever opens it at the same time waits, and whoever is killed leaves nothing half made.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    for ending in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{engine.url.database}{ending}").chmod(0o600)

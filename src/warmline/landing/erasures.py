"""Notes of what was erased, and of customers who opted out: digests and counts, no names.

    forgotten/<aa>/<time>-<digest>.json   one erasure
    digests/key.json                      32 random bytes; in an encrypted folder, .parquet

A note holds the keys of what was erased (digests of bytes or paths). Customers are in it as keyed
digests (HMAC-SHA-256): without the key of the folder nobody can try out whose they are. It is
written before anything is erased, and marked as finished when the warehouse has been built without.
"""

import hashlib
import hmac
import json
import secrets
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from warmline.analysis import CallAnalysis
from warmline.errors import first_line
from warmline.files import ERASING
from warmline.landing import manifest, store
from warmline.landing.store import ANALYSES, LandingError, storable
from warmline.values import CallMetadata, Recording

FOLDER = "forgotten"
_KEY = f"{manifest.DIGESTS}/key"


@dataclass(frozen=True)
class Erasure:
    """One erasure, without a word of what it erased.

    `outcomes`, `reviews` and `evaluations` are counts.

    `customers` and `named_calls` are digests of ids as they are stored; recordings of these
    customers made until `forgotten_at` are erased even when they land later. `opted_out` are
    digests of `folded` ids of customers of whom no later call is analyzed either, `opted_in` of
    those who withdrew that. `sequence` puts these two in order, even if the clock was set back.
    """

    forgotten_at: datetime
    landing_keys: tuple[str, ...] = ()
    outcomes: int = 0
    reviews: int = 0
    finished: bool = False
    customers: tuple[str, ...] = ()
    named_calls: tuple[str, ...] = ()
    opted_out: tuple[str, ...] = ()
    opted_in: tuple[str, ...] = ()
    evaluations: int = 0
    sequence: int = 0


@dataclass(frozen=True)
class LeftOut:
    """The list of what may not land: erased `keys`, customers by digest, and the digests' key.

    `until` maps a customer's digest to when their calls were last erased.
    """

    secret: bytes = field(repr=False)
    keys: frozenset[str]
    until: Mapping[str, datetime]
    opted_out: frozenset[str]

    @property
    def names_customers(self) -> bool:
        """Return whether a call's customer must be known to decide whether it is left out."""
        return bool(self.until or self.opted_out)

    def has_opted_out(self, customer_id: str | None) -> bool:
        """Return whether no call of this customer may be analyzed."""
        if not (customer_id and self.opted_out):
            return False
        return digest(self.secret, folded(customer_id)) in self.opted_out

    def was_erased_before(self, customer_id: str | None, at: datetime) -> bool:
        """Return whether what was known of this customer at that time was erased."""
        if not (customer_id and self.until):
            return False
        erased_at = self.until.get(digest(self.secret, as_kept(customer_id)))
        return erased_at is not None and at < erased_at

    def concerns(self, recording: Recording, metadata: CallMetadata) -> bool:
        """Return whether a call may not land, as its customer was forgotten or has opted out."""
        customer = metadata.customer_id
        return (
            is_forgotten(self.keys, recording.audio_sha256, recording.path)
            or self.has_opted_out(customer)
            or self.was_erased_before(customer, metadata.started_at or recording.modified_at)
        )


_ADAPTER = TypeAdapter(Erasure)


def as_kept(text: str) -> str:
    """Return an id in the form in which metadata and outcomes keep it."""
    return unicodedata.normalize("NFC", storable(text)).strip()


def folded(text: str) -> str:
    """Return an id without unseen or unmeant differences: case, blanks, forms of Unicode."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(c for c in plain if unicodedata.category(c)[0] not in "ZC")


def digest(secret: bytes, text: str) -> str:
    """Return a keyed digest of an id."""
    return hmac.digest(secret, text.encode("utf-8", "backslashreplace"), "sha256").hex()


def digest_key(landing_dir: Path, *, make: bool = False) -> bytes:
    """Return the key of this folder's digests; empty where there is none, unless one is to be made.

    Raises LandingError when it cannot be read, EncryptionError when it needs another key.
    """
    for ending in (".json", ".parquet"):
        path = landing_dir / f"{_KEY}{ending}"
        if path.is_file():
            try:
                return bytes.fromhex(json.loads(store.read_text(path))["key"])
            except (OSError, ValueError, KeyError, TypeError) as e:
                raise LandingError(
                    f"{path}: cannot be read ({first_line(e)}); restore it from a "
                    "backup: without it, customers who were forgotten are not recognized"
                ) from e
    if not make:
        return b""
    ending = ".json" if manifest.key_of(landing_dir, writes=True) is None else ".parquet"
    secret = secrets.token_bytes(32)
    text = json.dumps({"key": secret.hex()})
    path = landing_dir / f"{_KEY}{ending}"
    store.write_whole(path, lambda file: store.write_text(text, file))
    path.chmod(0o600)
    return secret


def left_out(landing_dir: Path) -> LeftOut:
    """Return what was erased and who has opted out. Raises LandingError naming a damaged note."""
    keys, until, out = _gathered(landing_dir, _listed(landing_dir))
    secret = digest_key(landing_dir) if until or out else b""
    if not secret and (until or out):
        raise LandingError(
            f"{landing_dir / manifest.DIGESTS}: the key of the digests is gone; restore it from a "
            "backup: without it, customers who were forgotten are not recognized"
        )
    return LeftOut(secret, keys, until, out)


@lru_cache(maxsize=8)
def _gathered(
    landing_dir: Path, files: tuple[tuple[str, str], ...]
) -> tuple[frozenset[str], Mapping[str, datetime], frozenset[str]]:
    """Return the keys, customers and opt-outs of these notes, by name and stamp: a year has many
    keys.
    """
    notes = sorted((_read(landing_dir / name, stamp) for name, stamp in files), key=_place)
    out: set[str] = set()
    for note in notes:
        out = (out | set(note.opted_out)) - set(note.opted_in)
    until: dict[str, datetime] = {}
    for note in notes:
        for customer in note.customers:
            until[customer] = max(note.forgotten_at, until.get(customer, note.forgotten_at))
    keys = frozenset(key for note in notes for key in note.landing_keys)
    return keys, MappingProxyType(until), frozenset(out)


def _place(erasure: Erasure) -> tuple[int, datetime]:
    return erasure.sequence, erasure.forgotten_at


def _listed(landing_dir: Path) -> tuple[tuple[str, str], ...]:
    walked = store.walk(landing_dir / FOLDER, FOLDER, ".json")
    return tuple((file.name, file.stamp) for file in walked)


def opt_in(landing_dir: Path, customers: Collection[str]) -> int:
    """Withdraw opt-outs; return how many of these customers had opted out. Raises as `note`."""
    known = left_out(landing_dir)
    back = sorted({customer for customer in customers if known.has_opted_out(customer)})
    if back:
        digests = tuple(digest(known.secret, folded(customer)) for customer in back)
        note(landing_dir, Erasure(datetime.now(UTC), finished=True, opted_in=digests))
    return len(back)


def forgotten_keys(landing_dir: Path) -> frozenset[str]:
    """Return the keys of all that was erased and must not be analyzed again."""
    return _gathered(landing_dir, _listed(landing_dir))[0]


def is_forgotten(keys: Collection[str], audio_sha256: str, recording_path: str) -> bool:
    """Return whether a recording is one that was erased: by its bytes, else by its path."""
    key = f"{ANALYSES}/{audio_sha256}" if audio_sha256 else store.refusal_key(recording_path)
    return key in keys


def keep_forgotten(landing_dir: Path, key: str) -> None:
    """Note that a recording, by its key or mark, is one of those erased."""
    note(landing_dir, Erasure(datetime.now(UTC), (key,), finished=True))


def may_land(landing_dir: Path, analysis: CallAnalysis) -> bool:
    """Return whether an analysis concerns nobody who was forgotten; note its key if it does.

    Compacting and publishing then leave out that key, wherever it is by then.
    """
    known = left_out(landing_dir)
    if not known.concerns(analysis.recording, analysis.metadata):
        return True
    key = store.key_of(analysis)
    opted_out = known.has_opted_out(analysis.metadata.customer_id)
    if key not in known.keys and not opted_out:
        keep_forgotten(landing_dir, key)
    return False


def note(landing_dir: Path, erasure: Erasure) -> None:
    """Write a note. Raises LandingError."""
    if erasure.opted_out or erasure.opted_in:
        last = max((before.sequence for _, before in erasures(landing_dir)), default=0)
        erasure = replace(erasure, sequence=last + 1)
    said = hashlib.sha256(repr(erasure).encode()).hexdigest()
    name = f"{erasure.forgotten_at:%Y%m%dT%H%M%S%f}-{said[:16]}.json"
    _write(landing_dir / FOLDER / said[:2] / name, erasure)


def erasures(landing_dir: Path) -> Iterator[tuple[Path, Erasure]]:
    """Yield every note with its file. Raises LandingError naming one that cannot be read."""
    for name, stamp in _listed(landing_dir):
        yield landing_dir / name, _read(landing_dir / name, stamp)


def unfinished(landing_dir: Path) -> list[tuple[Path, Erasure]]:
    """Return the notes of erasures that were begun and not finished."""
    return [(path, e) for path, e in erasures(landing_dir) if not e.finished]


def is_unfinished(landing_dir: Path) -> bool:
    """Return whether an erasure was begun and the warehouse not yet built without it."""
    return (landing_dir / ERASING).exists() or bool(unfinished(landing_dir))


def finish(landing_dir: Path) -> None:
    """Mark the erasures as finished: the warehouse no longer holds what was erased."""
    for path, erasure in unfinished(landing_dir):
        _write(path, replace(erasure, finished=True))
    (landing_dir / ERASING).unlink(missing_ok=True)


@lru_cache(maxsize=1 << 14)
def _read(path: Path, stamp: str) -> Erasure:  # noqa: ARG001  (of another stamp, read anew)
    """Return a note; `stamp` changes when its file does."""
    try:
        return _ADAPTER.validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as e:
        raise LandingError(
            f"{path}: not a readable note of what was forgotten ({first_line(e)})"
        ) from e


def _write(path: Path, erasure: Erasure) -> None:
    text = json.dumps(_ADAPTER.dump_python(erasure, mode="json"), indent=1)
    store.write_whole(path, partial(_write_text, text=text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")

"""What people say of the machine's word: one small file a review, never changed once written.

    reviews/<aa>/<time>-<digest>.json     or, in an encrypted folder, .parquet with that text in it

A reviewer's later word on the same row is another file; the last one counts. Nothing that is
rebuilt or analyzed anew touches them.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from warmline.landing import erasures, manifest, store
from warmline.landing.store import LandedFile, LandingError

FOLDER = "reviews"
_CLEAR, _SECRET = ".json", ".parquet"


@dataclass(frozen=True)
class Review:
    """A reviewer's judgement. Its fields are the columns of the table `reviews`; times are UTC.

    `landing_key` identifies the recording; a cue is found again by its kind (`name`) and its time,
    a measure by `name` and `role`.
    """

    reviewed_at: datetime
    reviewer: str
    given_call_id: str
    landing_key: str
    subject: str
    name: str
    role: str | None
    start_s: float | None
    end_s: float | None
    machine_said: str | None
    verdict: str
    should_be: str | None
    reason: str | None


_ADAPTER = TypeAdapter(Review)


def write_review(review: Review, landing_dir: Path) -> Path:
    """Store a review; return the file written, which is absent if its call was erased.

    Raises LandingError when it cannot be written, EncryptionError when the key that is set, or its
    absence, does not match the folder.
    """
    key = manifest.key_of(landing_dir, writes=True)
    text = json.dumps(asdict(review), default=datetime.isoformat, ensure_ascii=False, indent=1)
    digest = hashlib.sha256(text.encode()).hexdigest()
    name = f"{review.reviewed_at:%Y%m%dT%H%M%S%f}-{digest[:16]}{_CLEAR if key is None else _SECRET}"
    path = landing_dir / FOLDER / digest[:2] / name
    store.write_whole(path, lambda file: store.write_text(text, file))
    if review.landing_key in erasures.forgotten_keys(landing_dir):  # erased meanwhile
        path.unlink(missing_ok=True)
    return path


def review_files(landing_dir: Path) -> list[LandedFile]:
    """Return the files of all reviews, in order of name; none without the folder.

    Raises EncryptionError when the key that is set, or its absence, does not match the folder.
    """
    manifest.key_of(landing_dir)
    found = store.walk(landing_dir / FOLDER, FOLDER, (_CLEAR, _SECRET))
    return sorted(found, key=lambda file: file.name)


def read_review(path: Path) -> Review:
    """Return one review. Raises LandingError naming a file that holds none, or EncryptionError."""
    try:
        return _ADAPTER.validate_json(store.read_text(path))
    except (OSError, UnicodeDecodeError, ValidationError, KeyError) as e:
        raise LandingError(f"{path}: not a readable review ({str(e).splitlines()[0]})") from e

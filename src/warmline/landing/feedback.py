"""What people tell of calls, as they gave it: outcomes of customers, reviews and evaluations.

    outcomes/<aa>/<time of the load>-<digest>.parquet     the outcomes of one file that was loaded
    reviews/<aa>/<time>-<digest>.json                     one review; in an encrypted folder a
                                                          .parquet with that text in it
    evaluations/<aa>/<time>-<digest>.json                 one scorecard that was filled in, at one
                                                          status; encrypted in the same way

A file is never changed once written; a reviewer's later word on the same row, or another status of
an evaluation, is another file, and the last one counts. A warehouse can be built from them again at
any time; nothing that is rebuilt or analyzed anew touches them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from warmline.errors import first_line
from warmline.landing import erasures, manifest, store
from warmline.landing.store import LandedFile, LandingError

_OUTCOMES = "outcomes"
_Said = TypeVar("_Said")

OutcomeKey = tuple[str | None, str | None, datetime | None, bool, str]


@dataclass(frozen=True)
class OutcomeLine:
    """One outcome as a line of a file gives it; with a `problem`, as much of it as could be read.

    `occurred_at` is UTC, without a zone as in the warehouse; with `is_whole_day` only the day is
    known, and it is that day's midnight. A number is in `value`, anything else in `text`.
    """

    line: int
    name: str
    customer_id: str | None = None
    given_call_id: str | None = None
    occurred_at: datetime | None = None
    is_whole_day: bool = False
    value: float | None = None
    text: str | None = None
    problem: str | None = None

    @property
    def key(self) -> OutcomeKey:
        """Return the key of the thing that a line is about, so that lines about the same can be
        compared.
        """
        return (
            self.customer_id,
            self.given_call_id,
            self.occurred_at,
            self.is_whole_day,
            self.name,
        )


OUTCOME_SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("name", pa.string()),
        ("customer_id", pa.string()),
        ("given_call_id", pa.string()),
        ("occurred_at", pa.timestamp("us")),
        ("is_whole_day", pa.bool_()),
        ("value", pa.float64()),
        ("text", pa.string()),
        ("problem", pa.string()),
        ("source", pa.string()),
        ("loaded_at", pa.timestamp("us")),
    ]
)


def write_outcomes(
    lines: Sequence[OutcomeLine], landing_dir: Path, *, source: str, loaded_at: datetime
) -> Path:
    """Store the outcomes of one file, `source` by name; return the file written.

    Raises LandingError when it cannot be written, EncryptionError when the key that is set, or its
    absence, does not match the folder.
    """
    manifest.key_of(landing_dir, writes=True)
    columns = list(zip(*map(astuple, lines), strict=True)) or [()] * len(fields(OutcomeLine))
    at = loaded_at.replace(tzinfo=None)
    given = [source] * len(lines), [at] * len(lines)
    arrays = [
        pa.array(column, type=kind)
        for column, kind in zip([*columns, *given], OUTCOME_SCHEMA.types, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=OUTCOME_SCHEMA)
    digest = hashlib.sha256(repr((source, loaded_at, lines)).encode()).hexdigest()
    name = f"{at:%Y%m%dT%H%M%S%f}-{digest[:16]}.parquet"
    return store.write_whole(
        landing_dir / _OUTCOMES / digest[:2] / name,
        lambda file: store.write_table(table, file, compression="zstd", write_page_checksum=True),
    )


def outcome_files(landing_dir: Path) -> list[LandedFile]:
    """Return the files of all loads, in order of name; none without the folder.

    Raises EncryptionError when the key that is set, or its absence, does not match the folder.
    """
    manifest.key_of(landing_dir)
    return sorted(store.walk(landing_dir / _OUTCOMES, _OUTCOMES), key=lambda file: file.name)


def read_outcomes(path: Path) -> pa.Table:
    """Return one load as a table of its schema.

    Raises LandingError naming a file that holds none, or EncryptionError.
    """
    try:
        key = store.required_key(path)
        if key is None:
            return pq.read_table(path, schema=OUTCOME_SCHEMA, page_checksum_verification=True)
        return store.decrypt_table(path, key).cast(OUTCOME_SCHEMA)
    except (OSError, ValueError, pa.ArrowException) as e:
        raise LandingError(f"{path}: not a readable file of outcomes ({first_line(e)})") from e


# Reviews: what people who listened say of the results; evaluations: how they score a call.

_REVIEWS, _EVALUATIONS = "reviews", "evaluations"
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


@dataclass(frozen=True)
class EvaluationAnswer:
    """The answer to one question of a scorecard: yes, no, or not_applicable.

    `is_taken_over` says that a person took over what the machine had found.
    """

    section: str
    question: str
    text: str
    answer: str
    weight: float
    is_critical: bool
    note: str | None
    is_taken_over: bool = False


@dataclass(frozen=True)
class LandedEvaluation:
    """A scorecard that was filled in for a call. Its fields are the columns of `evaluations`.

    `evaluator` is whose evaluation it is, `given_by` who gave these answers: somebody else where a
    lead overturned it. Times are UTC; `noted_at` is when it came to this `status`.
    """

    noted_at: datetime
    evaluated_at: datetime
    evaluator: str
    given_by: str
    given_call_id: str
    landing_key: str
    form: str
    form_title: str
    form_sha256: str
    calibration_id: int | None
    status: str
    score: float | None
    points: float
    points_possible: float
    answers: tuple[EvaluationAnswer, ...]
    correction_reason: str | None = None

    @property
    def key(self) -> str:
        """Return what is the same whenever this status of this version is written."""
        said = (self.landing_key, self.evaluator, self.form, self.calibration_id)
        return repr((*said, self.evaluated_at, self.status, self.noted_at))


_REVIEW, _EVALUATION = TypeAdapter(Review), TypeAdapter(LandedEvaluation)


def write_review(review: Review, landing_dir: Path) -> Path:
    """Store a review; return the file written, which is absent if its call was erased.

    Raises LandingError when it cannot be written, EncryptionError when the key that is set, or its
    absence, does not match the folder.
    """
    digest = hashlib.sha256(_as_text(review).encode()).hexdigest()
    return _write(review, landing_dir, _REVIEWS, review.reviewed_at, digest)


def write_evaluation(evaluation: LandedEvaluation, landing_dir: Path) -> Path:
    """Store a status of an evaluation, once however often it is given; returns and raises as
    `write_review`.
    """
    digest = hashlib.sha256(evaluation.key.encode()).hexdigest()
    return _write(evaluation, landing_dir, _EVALUATIONS, evaluation.noted_at, digest)


def review_files(landing_dir: Path) -> list[LandedFile]:
    """Return the files of all reviews, in order of name; none without the folder.

    Raises EncryptionError when the key that is set, or its absence, does not match the folder.
    """
    return _files(landing_dir, _REVIEWS)


def evaluation_files(landing_dir: Path) -> list[LandedFile]:
    """Return the files of all evaluations, in order of name; none without the folder. Raises as
    `review_files`.
    """
    return _files(landing_dir, _EVALUATIONS)


def read_review(path: Path) -> Review:
    """Return one review. Raises LandingError naming a file that holds none, or EncryptionError."""
    return _read(path, _REVIEW, "review")


def read_evaluation(path: Path) -> LandedEvaluation:
    """Return one status of an evaluation. Raises as `read_review`."""
    return _read(path, _EVALUATION, "evaluation")


def all_evaluations(landing_dir: Path) -> list[LandedEvaluation]:
    """Return every landed status of every evaluation, oldest first. Raises as `read_evaluation`."""
    files = evaluation_files(landing_dir)
    found = [read_evaluation(landing_dir / file.name) for file in files]
    return sorted(found, key=lambda evaluation: evaluation.noted_at)


def _as_text(said: Review | LandedEvaluation) -> str:
    return json.dumps(asdict(said), default=datetime.isoformat, ensure_ascii=False, indent=1)


def _write(
    said: Review | LandedEvaluation, landing_dir: Path, folder: str, at: datetime, digest: str
) -> Path:
    ending = _CLEAR if manifest.key_of(landing_dir, writes=True) is None else _SECRET
    path = landing_dir / folder / digest[:2] / f"{at:%Y%m%dT%H%M%S%f}-{digest[:16]}{ending}"
    if path.exists():
        return path
    text = _as_text(said)
    store.write_whole(path, lambda file: store.write_text(text, file))
    if said.landing_key in erasures.forgotten_keys(landing_dir):  # erased meanwhile
        path.unlink(missing_ok=True)
    return path


def _files(landing_dir: Path, folder: str) -> list[LandedFile]:
    manifest.key_of(landing_dir)
    found = store.walk(landing_dir / folder, folder, (_CLEAR, _SECRET))
    return sorted(found, key=lambda file: file.name)


def _read(path: Path, adapter: TypeAdapter[_Said], name: str) -> _Said:
    try:
        return adapter.validate_json(store.read_text(path))
    except (OSError, UnicodeDecodeError, ValidationError, KeyError) as e:
        raise LandingError(f"{path}: not a readable {name} ({first_line(e)})") from e

"""Reviews: a person who listened judges whether the machine is right, and says what is true
instead.

A review is stored as a file of its own, which every query and page shows from then on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from warmline.database import open_for_reading
from warmline.errors import QueryError
from warmline.query.calls import NamedCall, find_call
from warmline.query.questions import FEELINGS, ask

if TYPE_CHECKING:
    from warmline.landing.feedback import Review

#: What leaves a feeling unanswered, in the words of the ledger.
UNANSWERED = ("ignored", "dismissed", "minimal_acknowledgement", "problem_solved_only")
#: What a cue's answer can be; `no_cue` says that there was no cue.
ANSWERS = (*UNANSWERED, "attentive", "affective", "cognitive")
NO_CUE, NO_ANSWER = "no_cue", "no_answer"
#: What a person may say became of a cue: these change the counts of an answered rate.
CUE_ANSWERS = (*ANSWERS, NO_ANSWER, NO_CUE)
#: What a measure should be that nobody can know from listening.
CANNOT_BE_KNOWN = "cannot_be_known"
#: Joins another feeling and what became of it: `sadness_disappointment+affective`.
BOTH = "+"
_NEAR_S = 1.0

_CUES = """
SELECT kind, start_s, end_s, coalesce(answer, 'no_answer') AS answer
FROM opportunities WHERE call_id = $call ORDER BY start_s
"""
_VALUES = """
SELECT role, round(value, 6)::VARCHAR AS value
FROM metrics WHERE call_id = $call AND name = $name ORDER BY role
"""
_OWN = """
SELECT verdict, start_s, end_s
FROM review_detail
WHERE call_id = $call AND reviewer = $reviewer AND subject = $subject AND name = $name
    AND role IS NOT DISTINCT FROM $role AND ($at IS NULL OR abs(start_s - $at) < 1)
ORDER BY reviewed_at DESC
"""


class Verdict(StrEnum):
    """A reviewer's verdict on the machine's result; withdrawn where it is to count no more."""

    RIGHT = "right"
    WRONG = "wrong"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Judgement:
    """A reviewer's judgement: for wrong, `reason` says why and `should_be` what is true."""

    reviewer: str
    verdict: Verdict
    reason: str | None = None
    should_be: str | None = None

    def __post_init__(self) -> None:
        """Raise QueryError when the verdict is wrong without a reason, or has no reviewer."""
        if not self.reviewer.strip():
            raise QueryError("a review needs the name of the reviewer: --by NAME")
        if self.verdict is Verdict.WRONG and not (self.reason or "").strip():
            raise QueryError("a review that says wrong needs a reason: --reason TEXT")
        if self.verdict is Verdict.RIGHT and self.should_be is not None:
            raise QueryError("what is right needs no --should-be")
        if self.verdict is Verdict.WITHDRAWN and self.should_be is not None:
            raise QueryError("a verdict that is withdrawn needs no --should-be")


def review_cue(
    warehouse: Path, landing_dir: Path, call_id: str, at_s: float, judgement: Judgement
) -> "Review":
    """Judge the row of the ledger whose cue begins at this second of the call.

    Raises QueryError with the valid calls, cues or words.
    """
    allowed = (*CUE_ANSWERS, *FEELINGS)
    _require_truth(judgement, ", ".join(allowed))
    feeling, both, answer = (judgement.should_be or "").partition(BOTH)
    is_both = bool(both) and feeling in FEELINGS and answer in (*ANSWERS, NO_ANSWER)
    if judgement.should_be is not None and judgement.should_be not in allowed and not is_both:
        raise QueryError(f"--should-be {judgement.should_be}: a cue's is {', '.join(allowed)}")
    call = _meant(warehouse, call_id)
    cues = ask(warehouse, _CUES, {"call": call.call_id}).rows
    near = [cue for cue in cues if -_NEAR_S < at_s - cue[1] < _NEAR_S]
    if not near:
        there = ", ".join(f"{start:.1f}" for _, start, *_ in cues) or "none"
        raise QueryError(
            f"{call.call_id}: no cue begins at {at_s:g} s (those of the ledger: {there})"
        )
    kind, start, end, answer = min(near, key=lambda cue: abs(cue[1] - at_s))
    if judgement.should_be and {*judgement.should_be.split(BOTH)} <= {kind, answer}:
        raise _no_correction(f"{kind}, {answer}")
    found = _Subject("cue", kind, None, start, end, answer)
    return _judged(warehouse, landing_dir, call, found, judgement)


def review_metric(
    warehouse: Path,
    landing_dir: Path,
    call_id: str,
    name: str,
    role: str | None,
    judgement: Judgement,
) -> "Review":
    """Judge the value of a measure, of one party (`role`) or of the whole call.

    Raises QueryError with the valid measures or roles.
    """
    _require_truth(judgement, f"a number, or {CANNOT_BE_KNOWN} if nobody can tell by listening")
    if judgement.should_be not in (None, CANNOT_BE_KNOWN):
        _require_number(judgement.should_be)
    call = _meant(warehouse, call_id)
    values = ask(warehouse, _VALUES, {"call": call.call_id, "name": name}).rows
    fitting = [value for of_role, value in values if of_role == role]
    if len(fitting) != 1:
        roles = ", ".join(of_role or "the call" for of_role, _ in values)
        told = f"it is there of: {roles}; say --role" if values else "no measure of that name"
        raise QueryError(f"{call.call_id}: {name} of {role or 'the call'}: {told}")
    truth, value = judgement.should_be, fitting[0]
    if truth and truth != CANNOT_BE_KNOWN and value is not None and float(truth) == float(value):
        raise _no_correction(value)
    found = _Subject("metric", name, role, None, None, value)
    return _judged(warehouse, landing_dir, call, found, judgement)


def _no_correction(found: str) -> QueryError:
    """Return the error of a verdict of wrong that says what the machine says."""
    return QueryError(
        f"that is what the machine found ({found}): mark it right, or say what it should be instead"
    )


def all_reviews(landing_dir: Path) -> "Iterator[Review]":
    """Yield every landed review, oldest first. Raises LandingError naming a damaged one."""
    from warmline.landing.feedback import read_review, review_files

    reviews = [read_review(landing_dir / file.name) for file in review_files(landing_dir)]
    yield from sorted(reviews, key=lambda review: review.reviewed_at)


@dataclass(frozen=True)
class _Subject:
    """The subject of a judgement: the fields of `Review` that find it again."""

    subject: str
    name: str
    role: str | None
    start_s: float | None
    end_s: float | None
    machine_said: str | None


def _judged(
    warehouse: Path, landing_dir: Path, call: NamedCall, found: _Subject, judgement: Judgement
) -> "Review":
    """Land a judgement; what is withdrawn is the reviewer's own word on the same thing."""
    if judgement.verdict is Verdict.WITHDRAWN:
        reviewer = judgement.reviewer.strip()
        given: dict[str, object] = {
            "call": call.call_id,
            "reviewer": reviewer,
            "subject": found.subject,
        }
        given |= {"name": found.name, "role": found.role, "at": found.start_s}
        rows = ask(warehouse, _OWN, given).rows
        if not rows or rows[0][0] == Verdict.WITHDRAWN.value:
            raise QueryError(f"{call.call_id}: {reviewer} has no verdict here to withdraw")
        _, start_s, end_s = rows[0]
        found = replace(found, start_s=start_s, end_s=end_s)
    return _landed(landing_dir, call, found, judgement)


def _landed(landing_dir: Path, call: NamedCall, found: _Subject, judgement: Judgement) -> "Review":
    from warmline.landing.feedback import Review, write_review

    review = Review(
        reviewed_at=datetime.now(UTC),
        reviewer=judgement.reviewer.strip(),
        given_call_id=call.call_id,
        landing_key=call.landing_key,
        **vars(found),
        verdict=judgement.verdict.value,
        should_be=judgement.should_be,
        reason=judgement.reason,
    )
    write_review(review, landing_dir)
    return review


def _meant(warehouse: Path, call_id: str) -> NamedCall:
    with open_for_reading(warehouse) as con:
        return find_call(con, call_id)


def _require_truth(judgement: Judgement, allowed: str) -> None:
    if judgement.verdict is Verdict.WRONG and judgement.should_be is None:
        raise QueryError(
            f"a review that says wrong needs to say what is true instead: --should-be {allowed}"
        )


def _require_number(text: str) -> None:
    try:
        float(text)
    except ValueError as e:
        raise QueryError(
            f"--should-be {text}: a measure's is a number, or {CANNOT_BE_KNOWN}"
        ) from e

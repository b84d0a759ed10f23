"""Measures of a counselling session: what the manuals count, with directions and equal weights.

The list was fixed once, before any session was scored with it: the summary indices of MISC 2.5 and
MITI 4.2.1 that the language stage reads, and uptake. Nothing is fitted to the sessions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from warmline.language.speech_acts import Act

from .counselling_reading import Read, ReadSession


@dataclass(frozen=True)
class Measure:
    """A measure of a session, whether more of it is better, and who says so."""

    name: str
    direction: int
    source: str
    value: Callable[[ReadSession], float | None]


def _rate(found: float, of: float) -> float | None:
    return found / of if of else None


def _number(session: ReadSession, holds: Callable[[Read], bool]) -> int:
    return sum(holds(read) for read in session.therapist)


def _reflections(session: ReadSession) -> int:
    return _number(session, lambda r: r.reflects)


def _open(read: Read) -> bool:
    return read.asks and "question_open" in read.kinds


def _balance(session: ReadSession) -> float | None:
    reflections = _reflections(session)
    return _rate(reflections, reflections + _number(session, lambda r: r.asks))


def _open_share(session: ReadSession) -> float | None:
    is_open = _number(session, _open)
    return _rate(is_open, is_open + _number(session, lambda r: "question_closed" in r.kinds))


def _supports(read: Read) -> bool:
    """What is consistent with the method, besides reflecting and asking openly."""
    return read.does(Act.AFFIRMATION, Act.AUTONOMY, Act.COLLABORATION)


def _against(read: Read) -> bool:
    """What is not: arguing, and advice for which no leave was asked in the same breath."""
    unasked = read.does(Act.ADVICE) and not read.does(Act.COLLABORATION, Act.AUTONOMY)
    return unasked or read.does(Act.CONFRONTATION)


def _consistent(session: ReadSession) -> float | None:
    with_it = sum(_number(session, holds) for holds in (lambda r: r.reflects, _open, _supports))
    return _rate(with_it, with_it + _number(session, _against))


def talk_share(session: ReadSession) -> float | None:
    """The therapist's share of the words."""
    own = sum(r.words for r in session.therapist)
    return _rate(own, own + session.client_words)


def _uptake(session: ReadSession) -> float | None:
    known = [r.uptake for r in session.therapist if not np.isnan(r.uptake)]
    return float(np.mean(known)) if known else None


MEASURES = (
    Measure("reflections : questions", 1, "MISC 2.5; MITI 4.2.1 (fair 1:1, good 2:1)", _balance),
    Measure("open questions of all questions", 1, "MISC 2.5; MITI 3.1.1 (good 70 %)", _open_share),
    Measure(
        "consistent of consistent and inconsistent acts",
        1,
        "MISC 2.5; MITI 4.2.1 (adherent); Magill et al. 2018",
        _consistent,
    ),
    Measure(
        "own input, per utterance",
        -1,
        "MITI 4.2.1 (persuade); Magill et al. 2018",
        lambda s: _rate(_number(s, lambda r: r.informs), len(s.therapist)),
    ),
    Measure("therapist's share of the words", -1, "MISC 2.5; Miller & Rollnick 2013", talk_share),
    Measure("uptake, mean", 1, "Demszky et al. 2021", _uptake),
)


def composite(read: Sequence[ReadSession]) -> NDArray[np.float64]:
    """The mean over measures of a session's rank, 0 (worst) to 1."""
    placed = np.array([ranks(read, measure) for measure in MEASURES])
    return np.asarray(placed.mean(axis=0), np.float64)


def ranks(read: Sequence[ReadSession], measure: Measure) -> NDArray[np.float64]:
    """Every session's rank by one measure, 0 (worst) to 1; 0.5 where it cannot be said."""
    values = [measure.value(session) for session in read]
    known = [measure.direction * v for v in values if v is not None]
    placed = iter((rankdata(known) - 1) / max(1, len(known) - 1) if known else ())
    return np.array([0.5 if v is None else next(placed) for v in values])


def by_people(read: Sequence[ReadSession]) -> NDArray[np.float64]:
    """The same mean rank of four measures made of people's labels of the utterances."""
    rows = []
    for session in read:
        n = len(session.therapist)
        reflections = _number(session, lambda r: r.labels.reflects)
        questions = _number(session, lambda r: r.labels.asks)
        informs = _number(session, lambda r: r.labels.informs)
        balance = _rate(reflections, reflections + questions)
        rows.append((0.5 if balance is None else balance, reflections / n, -informs / n))
    placed = [(rankdata(column) - 1) / (len(rows) - 1) for column in zip(*rows, strict=True)]
    placed.append(ranks(read, next(m for m in MEASURES if m.value is talk_share)))
    return np.asarray(np.mean(placed, axis=0), np.float64)
